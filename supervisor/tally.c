/* See tally.h. */
#include "supervisor/tally.h"

#include "base/json.h"
#include "base/mem.h"

struct tally {
    char *playbook;  /* of the run that is under way, or NULL */
    json_t *runs;    /* {playbook: {outcome: count}} */
    json_t *ends;    /* {playbook: {outcome: wall ms of the last}} */
    json_t *choices; /* {policy: {decision: count}} */
};

struct tally *tally_new(void)
{
    struct tally *tally = mem_new(sizeof *tally);
    tally->runs = json_object();
    tally->ends = json_object();
    tally->choices = json_object();
    return tally;
}

struct tally *tally_free(struct tally *tally)
{
    if (!tally)
        return NULL;
    free(tally->playbook);
    json_decref(tally->runs);
    json_decref(tally->ends);
    json_decref(tally->choices);
    free(tally);
    return NULL;
}

/* table[row], made when it is not there. Names are those of the configuration and of the code: few,
 * and valid UTF-8. */
static json_t *row_of(json_t *table, const char *row)
{
    json_t *found = json_object_get(table, row);
    if (!found) {
        found = json_object();
        json_object_set_new(table, row, found);
    }
    return found;
}

static void count(json_t *table, const char *row, const char *column)
{
    json_t *counts = row_of(table, row);
    json_set_int(counts, column, json_integer_value(json_object_get(counts, column)) + 1);
}

void tally_run_began(struct tally *tally, const char *playbook)
{
    mem_replace(&tally->playbook, playbook);
}

void tally_run_ended(struct tally *tally, const char *outcome, int64_t now_wall_ms)
{
    const char *playbook = tally->playbook ? tally->playbook : "unknown";
    count(tally->runs, playbook, outcome);
    json_set_int(row_of(tally->ends, playbook), outcome, now_wall_ms);
}

void tally_decision(struct tally *tally, const char *policy, const char *decision)
{
    count(tally->choices, policy, decision);
}

/* Each cell of a table as a sample, its number times `factor`. */
static void expose_table(const json_t *table, const char *row_label, const char *column_label,
                         double factor, struct exposition *out)
{
    const char *row;
    const char *column;
    json_t *counts;
    json_t *number;
    json_object_foreach((json_t *)table, row, counts)
    {
        json_object_foreach(counts, column, number)
        {
            const struct metric_label labels[] = {
                {row_label, row}, {column_label, column}, {.name = NULL}};
            exposition_sample(out, labels, (double)json_integer_value(number) * factor);
        }
    }
}

void tally_expose(const struct tally *tally, struct exposition *out)
{
    exposition_family(out, "stack_runs_total", METRIC_COUNTER,
                      "Runs that have ended, since the start of the daemon.");
    expose_table(tally->runs, "playbook", "outcome", 1, out);
    exposition_family(out, "stack_last_run_timestamp_seconds", METRIC_GAUGE,
                      "When the last such run ended, since the start of the daemon.");
    expose_table(tally->ends, "playbook", "outcome", 1e-3, out);
    exposition_family(out, "stack_decisions_total", METRIC_COUNTER,
                      "Decisions of the policies, since the start of the daemon.");
    expose_table(tally->choices, "policy", "decision", 1, out);
}

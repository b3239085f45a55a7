/* supervisorctl why, policies, observations: what the supervisor sees, and what it makes of it. */
#include "base/diag.h"
#include "base/mem.h"
#include "supervisorctl/backend.h"
#include "supervisorctl/ctl.h"

#include <inttypes.h>
#include <string.h>

enum { DECISIONS_SHOWN = 20 };

/* --- why -------------------------------------------------------------------------------------- */

static enum print_tone tone_of_decision(const char *word)
{
    static const struct {
        const char *word;
        enum print_tone tone;
    } tones[] = {
        {"run", TONE_WARN},    {"ask", TONE_WARN},   {"notify", TONE_WARN}, {"hand-over", TONE_BAD},
        {"healed", TONE_GOOD}, {"would", TONE_WARN}, {"refused", TONE_DIM}, {"quiet", TONE_DIM},
    };
    for (size_t i = 0; i < ARRAY_SIZE(tones); i++)
        if (strcmp(tones[i].word, word) == 0)
            return tones[i].tone;
    return TONE_PLAIN;
}

/* ", approved by uid 0 (root), pid 4711" of a question that was answered and of what came of it;
 * else nothing. The caller frees it. */
static char *answer_of(const json_t *decision, const char *separator)
{
    const char *approver = json_text_at(decision, "approved_by", NULL);
    const char *denier = json_text_at(decision, "denied_by", NULL);
    if (!approver && !denier)
        return mem_strdup("");
    return mem_printf("%s%s by %s", separator, approver ? "approved" : "denied",
                      approver ? approver : denier);
}

static void add_decision(struct print_table *table, const json_t *decision)
{
    char ago[PRINT_AGO_MAX];
    const char *word = json_text_at(decision, "decision", "?");
    const char *refusal = json_text_at(decision, "refusal", NULL);
    int64_t run = json_int_at(decision, "run", 0);
    print_table_cellf(table, TONE_PLAIN, "%" PRId64, json_int_at(decision, "id", 0));
    print_table_cell(table, TONE_PLAIN,
                     print_ago(json_text_at(decision, "at", NULL), clock_wall_ms(), ago));
    print_table_cellf(table, tone_of_decision(word), "%s%s%s", word, refusal ? ": " : "",
                      refusal ? refusal : "");
    if (run)
        print_table_cellf(table, TONE_PLAIN, "%" PRId64, run);
    else
        print_table_blank(table);
    CLEANUP_FREE char *answer = answer_of(decision, "; ");
    print_table_cellf(table, TONE_PLAIN, "%s%s", json_text_at(decision, "sentence", ""), answer);
}

/* Those of one policy (NULL: all), the newest DECISIONS_SHOWN that did or refused something, or
 * (all) every one; the caller owns it. */
static json_t *decisions_of(const json_t *decisions, const char *policy, bool all)
{
    size_t limit = all ? SIZE_MAX : DECISIONS_SHOWN;
    json_t *chosen = json_array();
    json_t *decision;
    size_t i;
    json_array_foreach(decisions, i, decision)
    {
        bool quiet = strcmp(json_text_at(decision, "decision", ""), "quiet") == 0;
        bool meant = (!policy || strcmp(json_text_at(decision, "policy", ""), policy) == 0) &&
                     (all || !quiet);
        if (meant && json_array_size(chosen) < limit)
            json_array_append(chosen, decision);
    }
    return chosen;
}

static int print_decisions(struct ctl *ctl, const json_t *decisions, const char *policy)
{
    static const char *const headings[] = {">ID", "WHEN", "DECISION", ">RUN", "WHY", NULL};
    CLEANUP_JSON json_t *chosen = decisions_of(decisions, policy, ctl->options->all);
    if (json_array_size(chosen) == 0) {
        ctl_say(ctl, "no decisions yet%s%s", policy ? " of a policy " : "", policy ? policy : "");
        return WIRE_EXIT_DONE;
    }
    struct print_table *table = print_table_new(headings);
    for (size_t i = 0; i < json_array_size(chosen); i++)
        add_decision(table, json_array_get(chosen, i));
    print_table_end(table, ctl->out, &ctl->style, 0);
    return WIRE_EXIT_DONE;
}

static void print_age(struct print_table *table, const json_t *value, const char *key)
{
    char age[DURATION_MAX];
    const json_t *age_ms = json_object_get(value, key);
    if (json_is_integer(age_ms))
        print_table_cell(table, TONE_DIM, duration_text(json_integer_value(age_ms), age));
    else
        print_table_cell(table, TONE_DIM, NULL);
}

/* One decision whole: its sentence, and each value it was taken on. */
static void print_decision(struct ctl *ctl, const json_t *decision)
{
    static const char *const headings[] = {"OBSERVATION", "VALUE", "WANTED",
                                           "OUTCOME",     ">AGE",  NULL};
    const json_t *values = json_at(decision, "values");
    CLEANUP_FREE char *answer = answer_of(decision, ", ");
    print_text(ctl->out, json_text_at(decision, "sentence", ""));
    fprintf(ctl->out, "\ndecision %" PRId64 ", ", json_int_at(decision, "id", 0));
    print_text(ctl->out, json_text_at(decision, "at", ""));
    print_text(ctl->out, answer);
    if (json_int_at(decision, "run", 0))
        fprintf(ctl->out, "; supervisorctl run %" PRId64 " tells what came of it",
                json_int_at(decision, "run", 0));
    fputc('\n', ctl->out);
    if (json_array_size(values) == 0)
        return;
    struct print_table *table = print_table_new(headings);
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *value = json_array_get(values, i);
        print_table_cell(table, TONE_PLAIN, json_text_at(value, "name", NULL));
        print_table_cell(table, TONE_BOLD, json_text_at(value, "value", NULL));
        print_table_cell(table, TONE_PLAIN, json_text_at(value, "wanted", NULL));
        print_table_cell(table, TONE_PLAIN, json_text_at(value, "outcome", NULL));
        print_age(table, value, "age_ms");
    }
    print_table_end(table, ctl->out, &ctl->style, 2);
}

static bool is_number(const char *text)
{
    return text && *text && strspn(text, "0123456789") == strlen(text);
}

static int print_decision_numbered(struct ctl *ctl, const json_t *decisions, const char *number)
{
    struct err e;
    const json_t *decision;
    size_t i;
    json_array_foreach(decisions, i, decision)
    {
        CLEANUP_FREE char *id = mem_printf("%" PRId64, json_int_at(decision, "id", 0));
        if (strcmp(id, number) != 0)
            continue;
        print_decision(ctl, decision);
        return WIRE_EXIT_DONE;
    }
    err_set(&e, ERR_NOT_FOUND, "decision %s is not known, or no longer", number);
    err_hint(&e, "supervisorctl why --all lists those that are");
    return ctl_fail(ctl, WIRE_EXIT_FAILED, &e);
}

/* Whether one of the list has this text under `key`. */
static bool is_among(const json_t *list, const char *key, const char *text)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        if (strcmp(json_text_at(item, key, ""), text) == 0)
            return true;
    }
    return false;
}

static int refuse_policy(struct ctl *ctl, const char *name, const json_t *policies)
{
    struct err e;
    size_t count = json_array_size(policies);
    CLEANUP_FREE const char **names = mem_new((count + 1) * sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = json_text_at(json_array_get(policies, i), "name", "");
    const char *meant = diag_nearest(name, names);
    err_set(&e, ERR_INVALID, "there is no policy '%s'", name);
    if (meant)
        err_hint(&e, "did you mean '%s'?", meant);
    else
        err_hint(&e, "supervisorctl policies lists them");
    return ctl_fail(ctl, WIRE_EXIT_USAGE, &e);
}

/* One that was taken out of the configuration is still in the history. 0, or the exit code. */
static int check_policy(struct ctl *ctl, const char *name)
{
    struct err e;
    struct question policies = {.ask = ASK_POLICIES};
    struct question decisions = {.ask = ASK_DECISIONS};
    CLEANUP_JSON json_t *present = NULL;
    CLEANUP_JSON json_t *past = NULL;
    int code = backend_ask(ctl->backend, &policies, &present, &e);
    if (!code && is_among(json_at(present, "policies"), "name", name))
        return 0;
    if (!code)
        code = backend_ask(ctl->backend, &decisions, &past, &e);
    if (code)
        return ctl_fail(ctl, code, &e);
    return is_among(json_at(past, "decisions"), "policy", name)
               ? 0
               : refuse_policy(ctl, name, json_at(present, "policies"));
}

int ctl_why(struct ctl *ctl)
{
    struct question question = {.ask = ASK_DECISIONS};
    const char *which = ctl->options->arg_count ? ctl->options->args[0] : NULL;
    CLEANUP_JSON json_t *answer = NULL;
    int code = which && !is_number(which) ? check_policy(ctl, which) : 0;
    if (code)
        return code;
    if (!ctl_ask(ctl, &question, &answer, &code))
        return code;
    const json_t *decisions = json_at(answer, "decisions");
    return is_number(which) ? print_decision_numbered(ctl, decisions, which)
                            : print_decisions(ctl, decisions, which);
}

/* --- policies --------------------------------------------------------------------------------- */

static enum print_tone tone_of_policy(const char *state)
{
    if (strcmp(state, "watching") == 0)
        return TONE_GOOD;
    return strcmp(state, "handed") == 0 ? TONE_BAD : TONE_WARN;
}

static void add_policy(struct print_table *table, const json_t *policy)
{
    char since[DURATION_MAX];
    const char *mode = json_text_at(policy, "mode", "?");
    const char *state = json_text_at(policy, "state", "starting");
    const char *when = json_text_at(policy, "explanation", NULL);
    bool off = strcmp(mode, "off") == 0;
    print_table_cell(table, TONE_BOLD, json_text_at(policy, "name", NULL));
    print_table_cell(table, TONE_PLAIN, mode);
    print_table_cell(table, off ? TONE_DIM : tone_of_policy(state), off ? NULL : state);
    print_table_cell(table, TONE_PLAIN,
                     off ? NULL : duration_text(json_int_at(policy, "since_ms", 0), since));
    print_table_cellf(table, TONE_PLAIN, "%" PRId64 " of %s",
                      json_int_at(policy, "runs_in_budget", 0),
                      json_text_at(policy, "budget", "-"));
    print_table_cell(table, TONE_PLAIN, when ? when : json_text_at(policy, "description", NULL));
}

static void print_pause(struct ctl *ctl, const json_t *pause)
{
    char left[DURATION_MAX];
    if (!json_is_object(pause))
        return;
    print_toned(ctl->out, &ctl->style, TONE_WARN, "paused");
    if (json_is_integer(json_at(pause, "left_ms")))
        fprintf(ctl->out, " for another %s", duration_text(json_int_at(pause, "left_ms", 0), left));
    fputs(": ", ctl->out);
    print_text(ctl->out, json_text_at(pause, "reason", ""));
    fputs("; supervisorctl resume ends it\n", ctl->out);
}

int ctl_policies(struct ctl *ctl)
{
    static const char *const headings[] = {"POLICY", "MODE", "STATE", "SINCE",
                                           "RUNS",   "SEES", NULL};
    struct question question = {.ask = ASK_POLICIES};
    CLEANUP_JSON json_t *answer = NULL;
    int code;
    if (!ctl_ask(ctl, &question, &answer, &code))
        return code;
    const json_t *policies = json_at(answer, "policies");
    print_pause(ctl, json_at(answer, "paused"));
    struct print_table *table = print_table_new(headings);
    for (size_t i = 0; i < json_array_size(policies); i++)
        add_policy(table, json_array_get(policies, i));
    print_table_end(table, ctl->out, &ctl->style, 0);
    return WIRE_EXIT_DONE;
}

/* --- observations ----------------------------------------------------------------------------- */

/* What cannot be observed, and why. */
static void print_problems(struct ctl *ctl, const json_t *list, const char *name_key)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *problem = json_text_at(one, "problem", NULL);
        if (!problem)
            continue;
        print_toned(ctl->out, &ctl->style, TONE_WARN, json_text_at(one, name_key, "?"));
        fputs(" is ", ctl->out);
        print_text(ctl->out, json_text_at(one, "state", "?"));
        fputs(": ", ctl->out);
        print_text(ctl->out, problem);
        fputc('\n', ctl->out);
    }
}

int ctl_observations(struct ctl *ctl)
{
    static const char *const headings[] = {"OBSERVATION", ">VALUE", ">AGE", NULL};
    struct question question = {.ask = ASK_OBSERVATIONS};
    CLEANUP_JSON json_t *answer = NULL;
    int code;
    if (!ctl_ask(ctl, &question, &answer, &code))
        return code;
    const json_t *observations = json_at(answer, "observations");
    struct print_table *table = print_table_new(headings);
    for (size_t i = 0; i < json_array_size(observations); i++) {
        const json_t *one = json_array_get(observations, i);
        bool fresh = json_bool_at(one, "fresh", false);
        print_table_cell(table, fresh ? TONE_PLAIN : TONE_DIM, json_text_at(one, "name", NULL));
        print_table_cell(table, fresh ? TONE_BOLD : TONE_DIM, json_text_at(one, "text", NULL));
        print_age(table, one, "age_ms");
    }
    print_table_end(table, ctl->out, &ctl->style, 0);
    print_problems(ctl, json_at(answer, "logs"), "container");
    print_problems(ctl, json_at(answer, "checks"), "name");
    return WIRE_EXIT_DONE;
}

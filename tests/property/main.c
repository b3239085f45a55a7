/* The property test of policies/: lives that nobody thought of, by the hundred thousand.
 *
 *     property [--traces N] [--seconds S] [--seed X] [--jobs J] [--out DIR] [--inject budget]
 *
 * Each life has a seed of its own, so that a failure is lived again with --seed X --traces 1. The
 * first failure is shrunk and written to DIR/failure.trace and DIR/failure.yaml, which
 * `supervisorctl simulate DIR/failure.trace --policies DIR/failure.yaml` replays.
 * --inject budget judges by a budget that is smaller by one: a failure that is none. */
#include "base/clock.h"
#include "base/mem.h"
#include "trial.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIVES_A_SET = 16, JOBS_MAX = 64 };

struct order {
    int64_t traces, seconds;
    uint64_t seed;
    int jobs;
    const char *out;
    enum judge_fault fault;
};

struct report {
    int64_t traces, events;
    struct judge_tally tally;
    bool failed;
    uint64_t seed;
};

/* --- one life --------------------------------------------------------------------------------- */

static struct life_story story_of(uint64_t seed)
{
    struct life_story story = {0};
    life_policies(&story, seed / LIVES_A_SET);
    life_events(&story, seed);
    return story;
}

static void write_file(const char *dir, const char *name, const struct buf *text)
{
    CLEANUP_FREE char *path = mem_printf("%s/%s", dir, name);
    FILE *file = fopen(path, "we");
    if (!file || fwrite(text->data, 1, text->len, file) != text->len)
        perror(path);
    if (file)
        fclose(file);
}

/* The built-in policies are part of every configuration, so they are switched off. */
static void print_config(const struct life_story *story, struct buf *out)
{
    const char *name;
    const char *text;
    char recoveries[BUDGET_TEXT_MAX];
    if (story->recoveries.count)
        buf_printf(out, "recoveries: %d per %ds\n", story->recoveries.count,
                   (int)(story->recoveries.per_ms / 1000));
    else
        buf_puts(out, "recoveries: 1000 per 1s\n");
    (void)recoveries;
    buf_puts(out, "policies:\n");
    life_yaml(story, out);
    for (size_t i = 0; policy_builtin(i, &name, &text); i++) {
        const char *at = strstr(text, "name: ") + strlen("name: ");
        buf_printf(out, "  - {name: %.*s, on_alert: none, mode: off}\n", (int)strcspn(at, "\n"),
                   at);
    }
}

static void write_failure(const struct life_story *story, const struct order *order)
{
    struct buf trace;
    struct buf config;
    buf_init(&trace, 1 << 20);
    buf_init(&config, 1 << 20);
    life_trace(story, &trace);
    print_config(story, &config);
    write_file(order->out, "failure.trace", &trace);
    write_file(order->out, "failure.yaml", &config);
    printf("%s%s", buf_text(&config), buf_text(&trace));
    buf_free(&trace);
    buf_free(&config);
}

static void tell_failure(uint64_t seed, const struct order *order)
{
    struct judge_tally ignored = {0};
    struct life_story story = story_of(seed);
    int events = story.event_count;
    int policies = story.policy_count;
    shrink(&story, order->fault);
    struct policy_set *set = trial_policies(&story);
    CLEANUP_FREE char *wrong = trial(&story, set, order->fault, &ignored);
    trial_tell(&story, set, stdout);
    policy_set_free(set);
    printf("seed %" PRIu64 ": %s\nshrunk from %d events and %d policies to %d and %d:\n", seed,
           wrong ? wrong : "it does not fail twice", events, policies, story.event_count,
           story.policy_count);
    write_failure(&story, order);
}

/* --- many ------------------------------------------------------------------------------------- */

static void live_some(const struct order *order, int job, struct report *report)
{
    int64_t end_ms = order->seconds ? clock_mono_ms() + order->seconds * 1000 : INT64_MAX;
    struct policy_set *set = NULL;
    uint64_t set_seed = 0;
    for (int64_t i = job * LIVES_A_SET; i < order->traces && !report->failed;
         i += i % LIVES_A_SET == LIVES_A_SET - 1 ? (order->jobs - 1) * LIVES_A_SET + 1 : 1) {
        uint64_t seed = order->seed + (uint64_t)i;
        struct life_story story = story_of(seed);
        if (!set || set_seed != seed / LIVES_A_SET) {
            policy_set_free(set);
            set = trial_policies(&story);
            set_seed = seed / LIVES_A_SET;
        }
        CLEANUP_FREE char *wrong = trial(&story, set, order->fault, &report->tally);
        report->traces++;
        report->events += story.event_count;
        report->failed = wrong != NULL;
        report->seed = seed;
        if (report->traces % 64 == 0 && clock_mono_ms() > end_ms)
            break;
    }
    policy_set_free(set);
}

static int start_job(const struct order *order, int job)
{
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    if (fork() == 0) {
        struct report report = {0};
        close(ends[0]);
        live_some(order, job, &report);
        ssize_t written = write(ends[1], &report, sizeof report);
        _exit(written == (ssize_t)sizeof report ? 0 : 1);
    }
    close(ends[1]);
    return ends[0];
}

static void add(struct report *sum, const struct report *one)
{
    const long *from = (const long *)&one->tally;
    long *to = (long *)&sum->tally;
    sum->traces += one->traces;
    sum->events += one->events;
    for (size_t i = 0; i < sizeof sum->tally / sizeof *to; i++)
        to[i] += from[i];
    if (one->failed && (!sum->failed || one->seed < sum->seed))
        sum->seed = one->seed;
    sum->failed = sum->failed || one->failed;
}

static bool run_jobs(const struct order *order, struct report *sum)
{
    int ends[JOBS_MAX];
    bool fine = true;
    for (int i = 0; i < order->jobs; i++)
        ends[i] = start_job(order, i);
    for (int i = 0; i < order->jobs; i++) {
        struct report report;
        fine =
            ends[i] >= 0 && read(ends[i], &report, sizeof report) == (ssize_t)sizeof report && fine;
        if (fine)
            add(sum, &report);
        close(ends[i]);
    }
    while (wait(NULL) > 0)
        ;
    return fine;
}

/* A campaign in which something never happened has not tested it. */
static bool everything_happened(const struct report *report)
{
    const struct judge_tally *t = &report->tally;
    const struct {
        const char *what;
        long times;
    } rows[] = {{"runs", t->runs},
                {"next rungs", t->next_rungs},
                {"relapses", t->relapses},
                {"cures", t->healed},
                {"hand-overs", t->handed},
                {"questions", t->asked},
                {"approvals", t->approved},
                {"notices", t->notified},
                {"would-haves", t->would},
                {"rungs passed over", t->passed_over},
                {"refused: paused", t->refused[REFUSAL_PAUSED]},
                {"refused: budget", t->refused[REFUSAL_BUDGET]},
                {"refused: recoveries", t->refused[REFUSAL_RECOVERIES]},
                {"refused: another run", t->refused[REFUSAL_ANOTHER_RUN]},
                {"refused: window", t->refused[REFUSAL_OUTSIDE_WINDOW]},
                {"refused: settling", t->refused[REFUSAL_SETTLING]},
                {"refused: cool-down", t->refused[REFUSAL_COOL_DOWN]},
                {"refused: not re-armed", t->refused[REFUSAL_NOT_REARMED]}};
    bool all = true;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        printf("%s%ld %s", i ? ", " : "  ", rows[i].times, rows[i].what);
        all = all && rows[i].times > 0;
    }
    printf("\n");
    return all;
}

static bool parse(int argc, char **argv, struct order *order)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--traces") == 0)
            order->traces = strtoll(value, NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0)
            order->seconds = strtoll(value, NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            order->seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--jobs") == 0)
            order->jobs = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--out") == 0)
            order->out = value;
        else if (strcmp(argv[i], "--inject") == 0 && strcmp(value, "budget") == 0)
            order->fault = FAULT_BUDGET;
        else
            return false;
    }
    return argc % 2 == 1 && order->jobs > 0 && order->jobs <= JOBS_MAX;
}

int main(int argc, char **argv)
{
    struct order order = {.traces = 100000, .seed = 1, .jobs = 2, .out = "."};
    struct report sum = {0};
    if (!parse(argc, argv, &order)) {
        fputs("usage: property [--traces N] [--seconds S] [--seed X] [--jobs J] [--out DIR] "
              "[--inject budget]\n",
              stderr);
        return 2;
    }
    int64_t began_ms = clock_mono_ms();
    bool fine = run_jobs(&order, &sum);
    printf("%" PRId64 " traces from seed %" PRIu64 ", each lived twice, %" PRId64
           " events, %ld decisions, in %.1f s on %d jobs: %s\n",
           sum.traces, order.seed, sum.events, sum.tally.decisions,
           (double)(clock_mono_ms() - began_ms) / 1000, order.jobs,
           !fine        ? "a job died"
           : sum.failed ? "a promise was broken"
                        : "every promise was kept");
    bool all = everything_happened(&sum);
    if (sum.failed)
        tell_failure(sum.seed, &order);
    return fine && !sum.failed && (all || sum.traces < 5000) ? EXIT_SUCCESS : EXIT_FAILURE;
}

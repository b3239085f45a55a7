/* See trial.h. */
#include "trial.h"

#include "base/hash.h"
#include "base/mem.h"
#include "policies/moment.h"
#include "policies/replay.h"

#include <assert.h>
#include <string.h>

struct policy_set *trial_policies(const struct life_story *story)
{
    struct buf yaml;
    struct diag_list diags;
    buf_init(&yaml, 1 << 16);
    life_yaml(story, &yaml);
    diag_init(&diags, "policies", buf_text(&yaml));
    struct yaml_node *list = yaml_parse(yaml.data, yaml.len, &diags);
    struct policy_set *set = policy_set_empty();
    bool fine = list && policy_set_read(set, list, &diags);
    if (!fine)
        diag_print(&diags, stderr);
    assert(fine && "the dice make policies that cannot be read");
    yaml_node_free(list);
    diag_free(&diags);
    buf_free(&yaml);
    return set;
}

/* --- living ----------------------------------------------------------------------------------- */

struct living {
    struct judge *judge; /* NULL: only what was decided counts */
    uint64_t decided;    /* a hash of all of it */
    struct buf *log;     /* NULL: nobody wants to read it */
    int64_t local_ms;    /* at time 0 */
};

static void hash_more(struct living *living, const void *bytes, size_t len)
{
    living->decided = living->decided * UINT64_C(0x100000001b3) ^ hash_bytes(bytes, len);
}

static void on_decision(void *data, const struct decision *decision, const struct moment *now)
{
    struct living *living = data;
    const int64_t numbers[] = {decision->id,   decision->kind,     decision->refusal,
                               decision->rung, decision->incident, decision->notify,
                               now->local_ms};
    hash_more(living, numbers, sizeof numbers);
    hash_more(living, decision->sentence, strlen(decision->sentence));
    if (living->log)
        buf_printf(living->log, "  %lld ms, %lld: %s %s%s\n",
                   (long long)(now->local_ms - living->local_ms), (long long)decision->id,
                   decision_kind_name(decision->kind), decision->sentence,
                   decision->notify ? " (!)" : "");
    if (living->judge)
        judge_decision(living->judge, decision, now->local_ms - living->local_ms);
}

static void feed(struct replay *replay, struct trace_event event)
{
    int status = replay_event(replay, &event, NULL);
    assert(status == 0 && "the dice make events that cannot be");
}

static void live_event(const struct life_story *story, const struct life_event *event,
                       struct replay *replay, struct life_clock *clock, struct judge *judge)
{
    if (judge || event->kind == LIFE_BOOT)
        feed(replay, life_step(clock, event->at_ms));
    if (judge) {
        judge_rest(judge, event->at_ms);
        judge_event(judge, event);
    }
    feed(replay, life_event(story, clock, event));
    if (!judge)
        return;
    bool away = event->kind == LIFE_RESTART || event->kind == LIFE_BOOT;
    int64_t at_ms = event->at_ms + (away ? event->span_ms : 0);
    feed(replay, life_step(clock, at_ms));
    judge_rest(judge, at_ms);
}

static uint64_t live(const struct life_story *story, const struct policy_set *policies,
                     struct judge *judge, struct buf *log)
{
    struct living living = {.judge = judge, .log = log, .local_ms = story->local_ms};
    struct life_clock clock;
    struct replay_options options = {
        .decide.recoveries = story->recoveries, .run_ms = JUDGE_RUN_MS, .unbroken = !judge};
    struct replay *replay = replay_new(policies, &options, on_decision, &living);
    feed(replay, life_head(story, &clock));
    for (int i = 0; i < story->event_count; i++) {
        live_event(story, &story->events[i], replay, &clock, judge);
        if (judge && judge_verdict(judge))
            break;
    }
    replay_finish(replay);
    replay_free(replay);
    return living.decided;
}

char *trial(const struct life_story *story, const struct policy_set *policies,
            enum judge_fault fault, struct judge_tally *tally)
{
    char *wrong = NULL;
    struct judge *judge = judge_new(story, policies, fault, tally);
    uint64_t broken = live(story, policies, judge, NULL);
    if (judge_verdict(judge))
        wrong = mem_strdup(judge_verdict(judge));
    else if (live(story, policies, NULL, NULL) != broken)
        wrong = mem_strdup("restarts, or steps that nobody asked for, change what is decided");
    judge_free(judge);
    return wrong;
}

void trial_tell(const struct life_story *story, const struct policy_set *policies, FILE *out)
{
    struct judge_tally ignored = {0};
    struct judge *judge = judge_new(story, policies, FAULT_NONE, &ignored);
    struct buf log;
    buf_init(&log, 1 << 20);
    live(story, policies, judge, &log);
    fprintf(out, "decided with its restarts, looked at after every event:\n%s", buf_text(&log));
    buf_reset(&log);
    live(story, policies, NULL, &log);
    fprintf(out, "decided without a restart, looked at when it asks for it:\n%s", buf_text(&log));
    buf_free(&log);
    judge_free(judge);
}

/* See news.h. */
#include "supervisor/news.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "supervisor/autopilot.h"

#include <inttypes.h>
#include <string.h>

struct news {
    struct journal *journal;
    struct notify *notify;
    bool recalling;
    bool ended; /* freed when the journal has answered */
};

static void keep(void *data, const char *key, const json_t *value)
{
    const struct news *news = data;
    journal_keep(news->journal, key, value, NULL, NULL);
}

static void say(void *data, enum log_level level, const char *line)
{
    (void)data;
    log_line(level, "%s", line);
}

static void on_recalled(void *data, const struct err *e, const json_t *kept)
{
    struct news *news = data;
    news->recalling = false;
    if (news->ended) {
        free(news);
        return;
    }
    if (e)
        log_err(LOG_LEVEL_WARNING, "notifications that were not delivered are lost", e);
    else
        notify_restore(news->notify, kept);
}

static void tell_who_is_told(const struct notify_config *config)
{
    if (!config)
        log_warning("nobody is told when a person is needed but by this log and supervisorctl why: "
                    "the configuration has no 'notify'");
}

struct news *news_new(struct loop *loop, struct journal *journal, struct notify_config *config)
{
    struct news *news = mem_new(sizeof *news);
    const struct notify_options options = {
        .loop = loop, .config = config, .store = {.keep = keep, .data = news}, .log = say};
    news->journal = journal;
    news->notify = notify_new(&options);
    tell_who_is_told(config);
    news->recalling = true;
    journal_recall(journal, NOTIFY_STORE_PREFIX, on_recalled, news);
    return news;
}

struct news *news_free(struct news *news)
{
    if (!news)
        return NULL;
    news->notify = notify_free(news->notify);
    news->ended = true;
    if (!news->recalling)
        free(news);
    return NULL;
}

void news_configure(struct news *news, struct notify_config *config)
{
    tell_who_is_told(config);
    notify_configure(news->notify, config);
}

/* --- a decision in the words of notify/ ------------------------------------------------------- */

struct telling {
    const char *kind;
    const char *severity;
};

/* NULL kind: nobody is told. */
static struct telling telling_of(const struct decision *decision)
{
    switch (decision->kind) {
    case DECISION_RUN:
        return (struct telling){"acted", "warning"};
    case DECISION_ASK:
        return (struct telling){decision->notify ? "ask" : NULL, "warning"};
    case DECISION_NOTIFY:
        return (struct telling){decision->notify ? "triggered" : NULL, "warning"};
    case DECISION_HAND_OVER:
        return (struct telling){decision->notify ? "handed-over" : NULL, "critical"};
    case DECISION_HEALED:
        return (struct telling){"healed", "info"};
    default:
        return (struct telling){NULL, NULL};
    }
}

void news_decision(struct news *news, const struct decision *decision, const char *project,
                   int64_t run)
{
    struct telling telling = telling_of(decision);
    CLEANUP_FREE char *key = decision->incident ? mem_printf("%" PRId64, decision->incident) : NULL;
    if (!telling.kind)
        return;
    const struct notify_event event = {
        .key = key,
        .kind = telling.kind,
        .severity = telling.severity,
        .sentence = decision->sentence,
        .project = project,
        .policy = decision->policy,
        .playbook = decision->playbook,
        .incident = decision->incident,
        .decision = decision->id,
        .run = run,
        .values = decision->values,
        .at_wall_ms = clock_wall_ms(),
    };
    notify_send(news->notify, &event);
}

/* --- the end of a run ------------------------------------------------------------------------- */

static char *sentence_of(const struct run_end *end)
{
    enum { SENTENCE_MAX = 4096 };
    json_t *left;
    size_t i;
    struct buf out;
    buf_init(&out, SENTENCE_MAX);
    buf_printf(&out, "run %" PRId64 " (%s, asked for by %s)%s", end->run, end->playbook,
               end->requester,
               end->resumed ? " was carried on after the supervisor had ended, and" : "");
    if (json_array_size(end->left_stopped) == 0)
        buf_printf(&out, " failed: %s", end->text);
    json_array_foreach(end->left_stopped, i, left)
    {
        buf_printf(&out, "%s%s", i ? ", " : " left stopped: ", json_string_value(left));
    }
    buf_puts(&out, "; a person is needed");
    return buf_take(&out);
}

void news_run_ended(struct news *news, const struct run_end *end)
{
    bool is_policys = strcmp(end->trigger, AUTOPILOT_TRIGGER) == 0;
    bool failed_unheard = end->resumed && !is_policys && strcmp(end->state, "failed") == 0;
    if (json_array_size(end->left_stopped) == 0 && !failed_unheard)
        return;
    /* One whose end the disk refused is carried on, and ends, once more: the key tells it is known.
     */
    CLEANUP_FREE char *key = mem_printf("run-%" PRId64, end->run);
    CLEANUP_FREE char *sentence = sentence_of(end);
    const struct notify_event event = {
        .key = key,
        .kind = "handed-over",
        .severity = "critical",
        .sentence = sentence,
        .project = end->project,
        .playbook = end->playbook,
        .run = end->run,
        .at_wall_ms = clock_wall_ms(),
    };
    notify_send(news->notify, &event);
}

json_t *news_json(const struct news *news)
{
    return notify_json(news->notify);
}

struct notify *news_notify(struct news *news)
{
    return news->notify;
}

/* See notify_fixture.h. */
#include "tests/unit/notify_fixture.h"

#include <signal.h>
#include <stdio.h>

static void on_keep(void *data, const char *key, const json_t *value)
{
    struct owner *owner = data;
    if (value)
        json_object_set_new(owner->rows, key, json_deep_copy(value));
    else
        json_object_del(owner->rows, key);
}

static void on_log(void *data, enum log_level level, const char *line)
{
    struct owner *owner = data;
    static const char *const words[] = {"error", "warning", "info", "debug"};
    buf_printf(&owner->log, "%s: %s\n", words[level], line);
}

void owner_open(struct owner *owner)
{
    *owner = (struct owner){.loop = loop_new(), .rows = json_object()};
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    buf_init(&owner->log, 1 << 20);
    snprintf(owner->folder, sizeof owner->folder, "/tmp/notify-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(owner->folder));
}

void owner_close(struct owner *owner)
{
    CLEANUP_FREE char *command = mem_printf("rm -r %s", owner->folder);
    notify_free(owner->notify);
    loop_free(owner->loop);
    json_decref(owner->rows);
    buf_free(&owner->log);
    ck_assert_int_eq(system(command), 0);
}

struct notify_config *receivers(const char *yaml, int port)
{
    struct diag_list diags;
    CLEANUP_FREE char *text = mem_strdup(yaml);
    for (char *at; (at = strstr(text, "%d"));) {
        char *filled = mem_printf("%.*s%d%s", (int)(at - text), text, port, at + 2);
        free(text);
        text = filled;
    }
    diag_init(&diags, "notify.yaml", text);
    struct yaml_node *root = yaml_parse(text, strlen(text), &diags);
    struct notify_config *config = root ? notify_config_read(root, &diags) : NULL;
    CLEANUP_FREE char *complaints = diag_format(&diags);
    ck_assert_msg(config != NULL, "%s", complaints);
    yaml_node_free(root);
    diag_free(&diags);
    return config;
}

void owner_start(struct owner *owner, const char *yaml, int port)
{
    struct notify_config *config = receivers(yaml, port);
    struct notify_options options = {.loop = owner->loop,
                                     .config = config,
                                     .store = {on_keep, owner},
                                     .log = on_log,
                                     .log_data = owner,
                                     .limits = owner->limits};
    owner->notify = notify_new(&options);
    notify_config_unref(config);
}

void owner_restart(struct owner *owner, const char *yaml, int port)
{
    json_t *kept = json_deep_copy(owner->rows);
    owner->notify = notify_free(owner->notify);
    owner_start(owner, yaml, port);
    notify_restore(owner->notify, kept);
    json_decref(kept);
}

char *owner_file(const struct owner *owner, const char *name, const char *text)
{
    char *path = mem_printf("%s/%s", owner->folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    return path;
}

void tell(struct owner *owner, const char *key, const char *kind, const char *severity,
          const char *sentence)
{
    CLEANUP_JSON json_t *values =
        unit_json("[{'name':'connections.utilization','value':'71%','wanted':'> 60%'}]");
    struct notify_event event = {.key = key,
                                 .kind = kind,
                                 .severity = severity,
                                 .sentence = sentence,
                                 .project = "shop",
                                 .policy = "leaking",
                                 .playbook = "clean",
                                 .incident = 12,
                                 .decision = 40,
                                 .values = values,
                                 .at_wall_ms = INT64_C(1795473000123)};
    notify_send(owner->notify, &event);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void on_timer(void *data)
{
    loop_stop(data);
}

struct waiting wait_begin(struct owner *owner, const char *condition)
{
    return (struct waiting){.owner = owner,
                            .timer = timer_new(owner->loop, on_timer, owner->loop),
                            .condition = condition,
                            .until_ms = loop_now(owner->loop) + 20000};
}

void wait_turn(struct waiting *waiting)
{
    CLEANUP_FREE char *shown = all_shown(waiting->owner);
    ck_assert_msg(loop_now(waiting->owner->loop) < waiting->until_ms, "%s did not come: %s",
                  waiting->condition, shown);
    timer_start(waiting->timer, 2);
    loop_run(waiting->owner->loop);
}

void wait_end(struct waiting *waiting)
{
    timer_free(waiting->timer);
}

/* --- looking ---------------------------------------------------------------------------------- */

int64_t number_of(const struct owner *owner, const char *key)
{
    CLEANUP_JSON json_t *list = notify_json(owner->notify);
    return json_int_at(json_array_get(list, 0), key, -1);
}

char *error_of(const struct owner *owner)
{
    CLEANUP_JSON json_t *list = notify_json(owner->notify);
    const json_t *first = json_array_get(list, 0);
    return mem_printf("%s; %s", json_text_at(first, "last_error/message", ""),
                      json_text_at(first, "last_error/hint", ""));
}

bool error_has(const struct owner *owner, const char *part)
{
    CLEANUP_FREE char *error = error_of(owner);
    return strstr(error, part) != NULL;
}

char *all_shown(const struct owner *owner)
{
    CLEANUP_JSON json_t *list = owner->notify ? notify_json(owner->notify) : json_null();
    CLEANUP_FREE char *text = json_line(list);
    return mem_printf("%s\n%s", text, buf_text(&owner->log));
}

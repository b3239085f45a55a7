/* What the board says of a stack's services, by events and by the answers of a fake Engine. One
 * container's own rules are in test_watch_member.c. */
#include "docker/event.h"
#include "docker/summary.h"
#include "tests/fake/engine.h"
#include "tests/unit/unit.h"
#include "watch/containers.h"
#include "watch/service.h"

#include <stdio.h>

enum { BOXES_MAX = 8 };

/* A container as the Engine would describe it now. */
struct box {
    const char *id, *service, *image;
    const char *state, *health; /* health NULL: no check */
    const char *policy, *role;
    const char *finished_at; /* NULL: as all the others */
    int exit_code;
    bool is_gone;
    bool is_undescribed; /* listed, and an inspection fails */
};

struct scene {
    struct loop *loop;
    struct fake_engine *engine;
    struct docker *docker;
    struct feed *feed;
    struct watch_containers *watch;
    struct timer *guard;
    struct box boxes[BOXES_MAX];
    size_t box_count;
    const char *ours;    /* the service that a run of ours is at work on */
    const char *strikes; /* an event that comes while the next answer is on its way */
    char *health_told;   /* every word told of the backend, with a comma behind */
    int changes, barriers;
};

/* --- the Engine ------------------------------------------------------------------------------- */

static json_t *body_of(const struct box *box)
{
    json_t *body =
        unit_json("{'State': {'FinishedAt': '2026-11-23T04:57:10Z'}, 'Config': {'Labels': "
                  "{'com.docker.compose.project': 'shop', 'com.docker.compose.oneoff': "
                  "'False', 'com.docker.compose.depends_on': ''}}, "
                  "'HostConfig': {'RestartPolicy': {}}}");
    json_t *labels = json_at(body, "Config/Labels");
    json_set_text(body, "Id", box->id);
    json_set_text(body, "Name", box->id);
    json_set_text(json_at(body, "Config"), "Image", box->image ? box->image : "x");
    json_set_text(labels, "com.docker.compose.service", box->service);
    json_set_text(labels, "com.docker.compose.container-number", strchr(box->id, '-') + 1);
    if (box->role)
        json_set_text(labels, "stack-supervisor.role", box->role);
    json_set_text(json_at(body, "HostConfig/RestartPolicy"), "Name",
                  box->policy ? box->policy : "no");
    json_set_text(json_at(body, "State"), "Status", box->state);
    json_set_int(json_at(body, "State"), "ExitCode", box->exit_code);
    if (box->finished_at)
        json_set_text(json_at(body, "State"), "FinishedAt", box->finished_at);
    if (box->health) {
        json_object_set_new(json_at(body, "Config"), "Healthcheck",
                            unit_json("{'Test': ['CMD', 'x']}"));
        json_object_set_new(json_at(body, "State"), "Health", json_object());
        json_set_text(json_at(body, "State/Health"), "Status", box->health);
    }
    return body;
}

static void event(struct scene *s, const char *id, const char *words);

static char *answer(void *data, const char *request, size_t *ret_len, enum fake_end *ret_end)
{
    struct scene *s = data;
    struct box *asked = NULL;
    for (size_t i = 0; i < s->box_count; i++)
        if (strstr(request, s->boxes[i].id))
            asked = &s->boxes[i];
    bool is_there = asked && !asked->is_gone;
    bool is_told = is_there && !asked->is_undescribed;
    CLEANUP_JSON json_t *body =
        is_told ? body_of(asked) : unit_json("{'message': 'No such container: x'}");
    CLEANUP_FREE char *text = json_line(body);
    char *answered =
        mem_printf("HTTP/1.1 %d X\r\nContent-Type: application/json\r\nApi-Version: 1.41\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   is_told    ? 200
                   : is_there ? 500
                              : 404,
                   strlen(text), text);
    *ret_len = strlen(answered);
    *ret_end = FAKE_KEEP;
    const char *words = s->strikes;
    s->strikes = NULL;
    if (words) {
        asked->health = strchr(words, ' ') + 1;
        event(s, asked->id, words);
    }
    return answered;
}

/* --- the scene -------------------------------------------------------------------------------- */

static bool is_ours(void *data, const char *container)
{
    const struct scene *s = data;
    return s->ours && strncmp(container, s->ours, strlen(s->ours)) == 0;
}

static void on_changed(void *data)
{
    ((struct scene *)data)->changes++;
}

static void on_wrote(void *data, const struct trace_event *event)
{
    struct scene *s = data;
    if (strcmp(event->name, "service(backend).health") != 0)
        return;
    char *told = mem_printf("%s%s,", s->health_told, event->word ? event->word : "?");
    free(s->health_told);
    s->health_told = told;
}

static void on_guard(void *data)
{
    (void)data;
    ck_abort_msg("nothing happened within 20 s");
}

static struct box *add(struct scene *s, const char *id, const char *health)
{
    struct box *box = &s->boxes[s->box_count++];
    *box = (struct box){.id = id, .state = "running", .health = health};
    static char services[BOXES_MAX][32];
    snprintf(services[s->box_count - 1], sizeof services[0], "%.*s", (int)strcspn(id, "-"), id);
    box->service = services[s->box_count - 1];
    return box;
}

static void watch_new(struct scene *s)
{
    s->watch = watch_containers_new(&(struct watch_containers_options){
        .loop = s->loop, .docker = s->docker, .feed = s->feed, .ours = is_ours, .data = s});
}

/* A database without a check, a backend of two containers, a frontend. */
static void scene_open(struct scene *s)
{
    struct err e;
    *s = (struct scene){.loop = loop_new(), .health_told = mem_strdup("")};
    unsetenv("DOCKER_API_VERSION");
    s->engine = fake_engine_new(s->loop);
    fake_engine_answer(s->engine, "GET /v1.41/containers/", answer, s);
    s->guard = timer_new(s->loop, on_guard, s);
    struct docker_options options = {.host = fake_engine_host(s->engine)};
    ck_assert_int_eq(docker_new(s->loop, &options, &s->docker, &e), 0);
    s->feed = feed_new(s->loop);
    feed_listen(s->feed, on_changed, s);
    feed_tap(s->feed, on_wrote, s);
    add(s, "db-1", NULL)->image = "postgres:15";
    add(s, "backend-1", "healthy");
    add(s, "backend-2", "healthy");
    add(s, "frontend-1", "healthy");
    watch_new(s);
}

static void scene_close(struct scene *s)
{
    watch_containers_free(s->watch);
    feed_free(s->feed);
    docker_free(s->docker);
    fake_engine_free(s->engine);
    timer_free(s->guard);
    loop_free(s->loop);
    free(s->health_told);
}

static struct box *box(struct scene *s, const char *id)
{
    for (size_t i = 0; i < s->box_count; i++)
        if (strcmp(s->boxes[i].id, id) == 0)
            return &s->boxes[i];
    ck_abort_msg("no box %s", id);
}

static void on_barrier(void *data, const struct err *e, struct container *container)
{
    struct scene *s = data;
    (void)e;
    (void)container;
    s->barriers++;
    loop_stop(s->loop);
}

/* Until everything that was asked of the Engine by now has been answered and told. */
static void settle(struct scene *s)
{
    timer_start(s->guard, 20000);
    for (int i = 0; i < 3; i++) {
        int before = s->barriers;
        docker_inspect(s->docker, "db-1", 20000, on_barrier, s);
        while (s->barriers == before)
            loop_run(s->loop);
    }
    timer_stop(s->guard);
}

static struct container *listed(const struct box *box)
{
    CLEANUP_JSON json_t *body = body_of(box);
    struct docker_summary summary = {.name = mem_strdup(box->id),
                                     .image = mem_strdup(box->image ? box->image : "x"),
                                     .labels = json_incref(json_at(body, "Config/Labels")),
                                     .state = CONTAINER_EXITED};
    snprintf(summary.id, sizeof summary.id, "%s", box->id);
    struct container *container = docker__container_from_summary(&summary);
    docker__summary_clear(&summary);
    return container;
}

/* What stack_load() would bring now. */
static void model(struct scene *s)
{
    struct container *containers[BOXES_MAX];
    size_t count = 0;
    struct stack *stack;
    struct err e;
    for (size_t i = 0; i < s->box_count; i++) {
        if (s->boxes[i].is_gone)
            continue;
        CLEANUP_JSON json_t *body = body_of(&s->boxes[i]);
        containers[count++] =
            s->boxes[i].is_undescribed ? listed(&s->boxes[i]) : container_from_json(body, &e);
    }
    ck_assert_msg(stack_build("shop", containers, count, NULL, NULL, &stack, &e) == 0, "%s",
                  e.text);
    watch_containers_stack(s->watch, stack);
    stack_unref(stack);
    while (count)
        container_unref(containers[--count]);
    settle(s);
}

/* The event alone; its box is as it was. */
static void event(struct scene *s, const char *id, const char *words)
{
    const char *signal = strncmp(words, "kill ", 5) == 0 ? words + 5 : NULL;
    CLEANUP_FREE char *line = mem_printf(
        "{\"Type\":\"container\",\"Action\":\"%s\",\"Actor\":{\"ID\":\"%s\",\"Attributes\":{"
        "\"signal\":\"%s\",\"name\":\"%s\"}},\"timeNano\":1}",
        signal ? "kill" : words, id, signal ? signal : "", id);
    struct docker__event_line parsed;
    struct err e;
    ck_assert(docker__event_parse(line, strlen(line), &parsed, &e));
    watch_containers_event(s->watch, &parsed.event);
    docker__event_clear(&parsed);
}

static void stop_by_kill(struct scene *s, const char *id)
{
    event(s, id, "kill 15");
    box(s, id)->state = "exited";
    event(s, id, "die");
    event(s, id, "stop");
}

static const struct sample *sample_of(const struct scene *s, const char *name,
                                      const char *parameter)
{
    const char *rest;
    size_t len;
    const struct observation_kind *kind = observation_find(name, strlen(name), &rest, &len);
    const struct series *series = board_find(feed_board(s->feed), kind, parameter);
    return series ? series_sample(series, 0) : NULL;
}

static const char *health(const struct scene *s, const char *service)
{
    const struct sample *sample = sample_of(s, "service.health", service);
    return sample ? sample->word : "?";
}

/* -1: not known. */
static double number(const struct scene *s, const char *name, const char *service)
{
    const struct sample *sample = sample_of(s, name, service);
    return sample ? sample->number : -1;
}

static double running(const struct scene *s, const char *service)
{
    return number(s, "service.running", service);
}

/* --- what the model says ---------------------------------------------------------------------- */

START_TEST(each_service_is_as_well_as_its_worst_container)
{
    struct scene s;
    scene_open(&s);
    box(&s, "backend-2")->health = "unhealthy";
    add(&s, "noise-1", "unhealthy")->role = "ignore";
    model(&s);
    ck_assert_str_eq(health(&s, "backend"), "unhealthy");
    ck_assert_str_eq(health(&s, "frontend"), "healthy");
    ck_assert_str_eq(health(&s, "db"), "none");
    ck_assert_str_eq(health(&s, "noise"), "?"); /* nobody may act on it */
    ck_assert_double_eq(running(&s, "backend"), 1);
    ck_assert_double_eq(number(&s, "service.restarts.rate", "backend"), 0);
    ck_assert_double_eq(number(&s, "services.unhealthy", NULL), 1);
    scene_close(&s);
}
END_TEST

START_TEST(what_the_model_missed_is_found_by_inspecting)
{
    struct scene s;
    scene_open(&s);
    struct container *containers[2];
    struct stack *stack;
    struct err e;
    for (size_t i = 0; i < 2; i++) {
        CLEANUP_JSON json_t *body = body_of(&s.boxes[i]);
        containers[i] = container_from_json(body, &e);
    }
    ck_assert_int_eq(stack_build("shop", containers, 2, NULL, NULL, &stack, &e), 0);
    box(&s, "backend-1")->health = "unhealthy"; /* since the model was loaded */
    watch_containers_stack(s.watch, stack);
    settle(&s);
    ck_assert_str_eq(health(&s, "backend"), "unhealthy");
    stack_unref(stack);
    container_unref(containers[0]);
    container_unref(containers[1]);
    scene_close(&s);
}
END_TEST

START_TEST(a_service_that_is_no_more_is_forgotten)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    box(&s, "frontend-1")->is_gone = true;
    model(&s);
    ck_assert_str_eq(health(&s, "frontend"), "?");
    ck_assert_double_eq(running(&s, "frontend"), -1);
    ck_assert_double_eq(number(&s, "service.restarts.rate", "frontend"), -1);
    ck_assert_str_eq(health(&s, "backend"), "healthy");
    scene_close(&s);
}
END_TEST

/* --- events ----------------------------------------------------------------------------------- */

START_TEST(an_unhealthy_event_is_told_in_the_same_turn)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    int before = s.changes;
    event(&s, "backend-2", "health_status: unhealthy");
    ck_assert_str_eq(health(&s, "backend"), "unhealthy");
    uv_run(loop_uv(s.loop), UV_RUN_NOWAIT);
    ck_assert_int_eq(s.changes, before + 1);
    ck_assert_double_eq(number(&s, "services.unhealthy", NULL), 1);
    event(&s, "db-1", "health_status: unhealthy"); /* the database is a service like others */
    ck_assert_str_eq(health(&s, "db"), "unhealthy");
    scene_close(&s);
}
END_TEST

START_TEST(a_crash_is_told_once_it_is_certain)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    *box(&s, "backend-1") = (struct box){.id = "backend-1",
                                         .service = "backend",
                                         .state = "exited",
                                         .exit_code = 7,
                                         .health = "unhealthy"};
    event(&s, "backend-1", "die");
    settle(&s);
    ck_assert_double_eq(running(&s, "backend"), 0);
    ck_assert_str_eq(health(&s, "backend"), "healthy"); /* of the one that is left */
    ck_assert_double_eq(number(&s, "service.restarts.rate", "backend"), 2); /* one in 30 s */
    event(&s, "backend-1", "start");
    ck_assert_double_eq(running(&s, "backend"), 1);
    ck_assert_str_eq(health(&s, "backend"), "starting");
    scene_close(&s);
}
END_TEST

START_TEST(a_process_killed_for_want_of_memory_is_counted)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    event(&s, "backend-1", "oom");
    ck_assert_double_eq(number(&s, "service.oom.rate", "backend"), 2);
    ck_assert_double_eq(running(&s, "backend"), 1); /* it was a child */
    ck_assert_double_eq(number(&s, "service.restarts.rate", "backend"), 0);
    scene_close(&s);
}
END_TEST

START_TEST(a_rate_falls_when_nothing_dies_any_more)
{
    struct scene s;
    scene_open(&s);
    struct watch__service *service = watch__service_new("backend");
    watch__service_count(&service->deaths, 3, 1000);
    ck_assert(watch__service_tell_rates(service, s.feed, 1000));
    ck_assert_double_eq(number(&s, "service.restarts.rate", "backend"), 6);
    ck_assert(!watch__service_tell_rates(service, s.feed, 31000));
    ck_assert_double_eq(number(&s, "service.restarts.rate", "backend"), 0);
    watch__service_free(service);
    scene_close(&s);
}
END_TEST

START_TEST(events_of_others_are_passed_over)
{
    struct scene s;
    scene_open(&s);
    event(&s, "backend-1", "health_status: unhealthy"); /* no model yet: nothing is believed */
    model(&s);
    event(&s, "stranger-1", "health_status: unhealthy");
    event(&s, "stranger-1", "die");
    settle(&s);
    ck_assert_str_eq(s.health_told, "healthy,");
    ck_assert_double_eq(number(&s, "services.unhealthy", NULL), 0);
    scene_close(&s);
}
END_TEST

/* The Engine's answer was on its way when the event came. */
START_TEST(an_answer_that_an_event_has_overtaken_does_not_count)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    s.strikes = "health_status: unhealthy";
    event(&s, "backend-1", "die"); /* asks for an inspection; the container is up again at once */
    event(&s, "backend-1", "start");
    event(&s, "backend-1", "health_status: healthy");
    settle(&s);
    ck_assert_str_eq(s.health_told, "healthy,starting,healthy,unhealthy,");
    scene_close(&s);
}
END_TEST

/* --- by hand and by us ------------------------------------------------------------------------ */

START_TEST(a_service_stopped_by_hand_is_unknown_until_it_is_started)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    ck_assert(!watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    event(&s, "frontend-1", "kill 15");
    event(&s, "frontend-1", "health_status: unhealthy"); /* its checks go on, and fail */
    ck_assert(watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    stop_by_kill(&s, "frontend-1");
    settle(&s);
    ck_assert_str_eq(health(&s, "frontend"), "?");
    ck_assert_double_eq(running(&s, "frontend"), -1);
    ck_assert_double_eq(number(&s, "service.restarts.rate", "frontend"), 0);
    ck_assert_double_eq(number(&s, "services.unhealthy", NULL), 0);
    model(&s); /* compose's next event brings a new model: it still holds */
    ck_assert_double_eq(running(&s, "frontend"), -1);
    box(&s, "frontend-1")->state = "running";
    event(&s, "frontend-1", "start");
    ck_assert_double_eq(running(&s, "frontend"), 1);
    ck_assert(!watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    scene_close(&s);
}
END_TEST

START_TEST(the_rest_of_a_service_still_counts)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    stop_by_kill(&s, "backend-1");
    event(&s, "backend-2", "health_status: unhealthy");
    settle(&s);
    ck_assert_str_eq(health(&s, "backend"), "unhealthy");
    ck_assert_double_eq(running(&s, "backend"), 1);
    scene_close(&s);
}
END_TEST

/* docker-compose down, and up -d of a newer image. */
START_TEST(a_container_that_is_replaced_by_hand)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    stop_by_kill(&s, "frontend-1");
    event(&s, "frontend-1", "destroy");
    box(&s, "frontend-1")->is_gone = true;
    settle(&s);
    ck_assert_double_eq(running(&s, "frontend"), -1);
    ck_assert(watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    *add(&s, "frontend-2", "starting") = (struct box){
        .id = "frontend-2", .service = "frontend", .state = "created", .health = "starting"};
    model(&s);
    ck_assert_double_eq(running(&s, "frontend"), -1);
    box(&s, "frontend-2")->state = "running";
    event(&s, "frontend-2", "start");
    ck_assert_double_eq(running(&s, "frontend"), 1);
    ck_assert_str_eq(health(&s, "frontend"), "starting");
    scene_close(&s);
}
END_TEST

START_TEST(what_a_run_of_ours_does_is_no_trouble_but_what_it_leaves_is)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    s.ours = "frontend";
    stop_by_kill(&s, "frontend-1");
    settle(&s);
    ck_assert_double_eq(running(&s, "frontend"), -1);
    ck_assert(!watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    s.ours = NULL;
    model(&s); /* the run is over, and did not start it */
    ck_assert_double_eq(running(&s, "frontend"), 0);
    scene_close(&s);
}
END_TEST

/* --- the stream is lost ----------------------------------------------------------------------- */

START_TEST(a_lost_stream_makes_all_unknown_until_the_next_model)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    watch_containers_lost(s.watch);
    ck_assert_str_eq(health(&s, "backend"), "?");
    ck_assert_double_eq(running(&s, "backend"), -1);
    event(&s, "frontend-1", "health_status: unhealthy"); /* a replay, before the model */
    ck_assert_str_eq(health(&s, "frontend"), "?");
    box(&s, "backend-1")->state = "exited"; /* whose die is lost for good */
    box(&s, "backend-1")->exit_code = 1;
    box(&s, "frontend-1")->health = "unhealthy";
    model(&s);
    ck_assert_double_eq(running(&s, "backend"), 0);
    ck_assert_str_eq(health(&s, "frontend"), "unhealthy");
    scene_close(&s);
}
END_TEST

START_TEST(an_engine_that_shuts_down_is_nobodys_hand)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    event(&s, "backend-1", "kill 15");
    event(&s, "frontend-1", "kill 15");
    box(&s, "frontend-1")->state = "exited";
    event(&s, "frontend-1", "die");
    event(&s, "frontend-1", "stop");
    box(&s, "backend-1")->state = "exited";
    settle(&s);
    ck_assert_double_eq(running(&s, "frontend"), -1); /* as long as nobody knows better */
    watch_containers_lost(s.watch);
    model(&s);
    ck_assert_double_eq(running(&s, "frontend"), 0);
    ck_assert(!watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    scene_close(&s);
}
END_TEST

START_TEST(an_engine_that_comes_back_from_a_crash_is_nobodys_hand)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    watch_containers_lost(s.watch);
    stop_by_kill(&s, "frontend-1"); /* the replay of its boot, in good order */
    model(&s);
    ck_assert_double_eq(running(&s, "frontend"), 0);
    ck_assert(!watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    scene_close(&s);
}
END_TEST

/* --- another life of the daemon --------------------------------------------------------------- */

START_TEST(what_was_stopped_by_hand_is_known_in_the_next_life)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    box(&s, "frontend-1")->exit_code = 137; /* with no restart policy it could have been a crash */
    stop_by_kill(&s, "frontend-1");
    settle(&s);
    CLEANUP_JSON json_t *saved = watch_containers_save(s.watch);
    ck_assert_uint_eq(json_object_size(saved), 1);
    watch_containers_free(s.watch);
    watch_new(&s);
    model(&s);
    ck_assert_double_eq(running(&s, "frontend"), 0); /* unless it is told */
    watch_containers_free(s.watch);
    watch_new(&s);
    watch_containers_restore(s.watch, saved);
    model(&s);
    ck_assert_double_eq(running(&s, "frontend"), -1);
    watch_containers_lost(s.watch); /* nor is that the Engine's doing */
    model(&s);
    ck_assert(watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    scene_close(&s);
}
END_TEST

/* Ends this life, and begins another with what it saved. */
static void next_life(struct scene *s)
{
    CLEANUP_JSON json_t *saved = watch_containers_save(s->watch);
    watch_containers_free(s->watch);
    watch_new(s);
    watch_containers_restore(s->watch, saved);
}

/* As a person does it who kills; without a restart policy it could have been a crash. */
static void kill_frontend(struct scene *s)
{
    box(s, "frontend-1")->exit_code = 137;
    stop_by_kill(s, "frontend-1");
    settle(s);
}

START_TEST(a_life_that_never_saw_the_stack_forgets_nothing)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    kill_frontend(&s);
    next_life(&s);
    watch_containers_lost(s.watch); /* the Engine is away for all of it */
    next_life(&s);
    next_life(&s); /* another one, which hears of nothing at all */
    model(&s);
    ck_assert(watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    ck_assert_double_eq(running(&s, "frontend"), -1);
    scene_close(&s);
}
END_TEST

START_TEST(what_the_engine_does_not_describe_just_now_stays_known)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    kill_frontend(&s);
    next_life(&s);
    box(&s, "frontend-1")->is_undescribed = true;
    model(&s);
    ck_assert_double_eq(running(&s, "frontend"), -1);
    next_life(&s);
    model(&s);
    ck_assert(watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    box(&s, "frontend-1")->is_undescribed = false;
    model(&s);
    ck_assert(watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    ck_assert_double_eq(running(&s, "frontend"), -1);
    scene_close(&s);
}
END_TEST

START_TEST(what_the_engine_describes_at_last_may_be_another_death)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    kill_frontend(&s);
    next_life(&s);
    box(&s, "frontend-1")->is_undescribed = true;
    model(&s);
    box(&s, "frontend-1")->is_undescribed = false;
    box(&s, "frontend-1")->finished_at = "2026-11-23T05:00:00Z"; /* it ran again, and crashed */
    watch_containers_lost(s.watch);
    model(&s);
    ck_assert(!watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    ck_assert_double_eq(running(&s, "frontend"), 0);
    scene_close(&s);
}
END_TEST

START_TEST(what_a_model_misses_is_forgotten_once_one_is_complete)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    kill_frontend(&s);
    next_life(&s);
    box(&s, "frontend-1")->is_gone = true;
    box(&s, "backend-1")->is_undescribed = true;
    model(&s);
    next_life(&s);
    model(&s);
    box(&s, "frontend-1")->is_gone = false;
    model(&s);
    ck_assert(watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    box(&s, "frontend-1")->is_gone = true;
    model(&s); /* out of a life's own model, too */
    CLEANUP_JSON json_t *kept = watch_containers_save(s.watch);
    ck_assert_uint_eq(json_object_size(kept), 1);
    box(&s, "backend-1")->is_undescribed = false;
    model(&s);
    CLEANUP_JSON json_t *left = watch_containers_save(s.watch);
    ck_assert_uint_eq(json_object_size(left), 0);
    scene_close(&s);
}
END_TEST

START_TEST(what_a_model_holds_and_nobody_watches_stays_known)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    kill_frontend(&s);
    box(&s, "frontend-1")->role = "ignore";
    model(&s);
    next_life(&s);
    model(&s);
    box(&s, "frontend-1")->role = NULL;
    model(&s);
    ck_assert(watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    scene_close(&s);
}
END_TEST

START_TEST(what_is_down_at_first_sight_and_would_have_come_back_was_stopped)
{
    struct scene s;
    scene_open(&s);
    struct box *frontend = box(&s, "frontend-1");
    frontend->state = "exited";
    frontend->policy = "unless-stopped";
    frontend->exit_code = 137;
    model(&s);
    ck_assert(watch_containers_stopped_by_hand(s.watch, "frontend-1"));
    ck_assert_double_eq(running(&s, "frontend"), -1);
    scene_close(&s);
}
END_TEST

START_TEST(it_may_be_freed_while_questions_are_open)
{
    struct scene s;
    scene_open(&s);
    model(&s);
    event(&s, "backend-1", "die");
    s.watch = watch_containers_free(s.watch);
    settle(&s);
    scene_close(&s);
}
END_TEST

UNIT_MAIN("watch_containers", each_service_is_as_well_as_its_worst_container,
          what_the_model_missed_is_found_by_inspecting, a_service_that_is_no_more_is_forgotten,
          an_unhealthy_event_is_told_in_the_same_turn, a_crash_is_told_once_it_is_certain,
          a_process_killed_for_want_of_memory_is_counted, a_rate_falls_when_nothing_dies_any_more,
          events_of_others_are_passed_over, an_answer_that_an_event_has_overtaken_does_not_count,
          a_service_stopped_by_hand_is_unknown_until_it_is_started,
          the_rest_of_a_service_still_counts, a_container_that_is_replaced_by_hand,
          what_a_run_of_ours_does_is_no_trouble_but_what_it_leaves_is,
          a_lost_stream_makes_all_unknown_until_the_next_model,
          an_engine_that_shuts_down_is_nobodys_hand,
          an_engine_that_comes_back_from_a_crash_is_nobodys_hand,
          what_was_stopped_by_hand_is_known_in_the_next_life,
          a_life_that_never_saw_the_stack_forgets_nothing,
          what_the_engine_does_not_describe_just_now_stays_known,
          what_the_engine_describes_at_last_may_be_another_death,
          what_a_model_misses_is_forgotten_once_one_is_complete,
          what_a_model_holds_and_nobody_watches_stays_known,
          what_is_down_at_first_sight_and_would_have_come_back_was_stopped,
          it_may_be_freed_while_questions_are_open)

/* One container of the stack: what its events and inspections say, and what is nobody's trouble.
 * The orders of events are those that a real engine (20.10) was seen to send. */
#include "docker/event.h"
#include "tests/unit/unit.h"
#include "watch/member.h"
#include "watch/signal_number.h"

#include <limits.h>

enum { RUNS = 1, DOWN = 0, SILENT = -1 };

/* What differs from a healthy, running app with a health check, stopped by SIGTERM within 10 s. */
struct make {
    const char *state, *policy, *signal, *label;
    const char *health; /* NULL: no health check; of a dead one the leftover */
    int exit_code, finished_s;
};

static struct container *container_of(const struct make *make)
{
    json_t *body =
        unit_json("{'Id': 'aaaa', 'Name': '/shop-backend-1', 'State': {}, 'Config': {'Image': "
                  "'x', 'Labels': {}}, 'HostConfig': {'RestartPolicy': {}}}");
    json_t *state = json_at(body, "State");
    const char *health = make->health || !make->state ? make->health : "unhealthy";
    CLEANUP_FREE char *finished = mem_printf("2026-11-23T04:57:%02dZ", make->finished_s);
    json_set_text(state, "Status", make->state ? make->state : "running");
    json_set_int(state, "ExitCode", make->exit_code);
    json_set_text(state, "FinishedAt", finished);
    json_set_text(json_at(body, "HostConfig/RestartPolicy"), "Name",
                  make->policy ? make->policy : "no");
    if (make->signal)
        json_set_text(json_at(body, "Config"), "StopSignal", make->signal);
    if (make->label)
        json_set_text(json_at(body, "Config/Labels"), make->label, "77");
    if (health) {
        json_object_set_new(
            json_at(body, "Config"), "Healthcheck",
            unit_json("{'Test': ['CMD', 'x'], 'Interval': 2000000000, 'Timeout': 1000000000}"));
        json_object_set_new(state, "Health", json_object());
        json_set_text(json_at(state, "Health"), "Status", health);
    }
    struct err e;
    struct container *container = container_from_json(body, &e);
    json_decref(body);
    ck_assert_ptr_nonnull(container);
    return container;
}

struct scene {
    struct watch__member *member;
    int64_t now_ms;
    bool ours;
    unsigned asks; /* of the last event */
};

static void scene_open(struct scene *s, const struct make *make)
{
    struct container *container = container_of(make);
    *s = (struct scene){.member = watch__member_new(container), .now_ms = 1000};
    container_unref(container);
}

static void scene_close(struct scene *s)
{
    watch__member_free(s->member);
}

/* `words`: "kill 15", "die", "health_status: unhealthy". The signal as the Engine writes it, which
 * a label of that name overwrites. */
static void event(struct scene *s, const char *words)
{
    const char *space = strncmp(words, "kill ", 5) == 0 ? words + 4 : NULL;
    CLEANUP_FREE char *action = space ? mem_strdup("kill") : mem_strdup(words);
    CLEANUP_FREE char *line = mem_printf(
        "{\"Type\":\"container\",\"Action\":\"%s\",\"Actor\":{\"ID\":\"aaaa\",\"Attributes\":{"
        "\"exitCode\":\"88\",\"signal\":\"%s\",\"name\":\"shop-backend-1\"}},\"timeNano\":1}",
        action, space ? space + 1 : "");
    struct docker__event_line parsed;
    struct err e;
    ck_assert_msg(docker__event_parse(line, strlen(line), &parsed, &e), "%s", line);
    s->asks = watch__member_event(s->member, &parsed.event, s->ours, s->now_ms);
    docker__event_clear(&parsed);
}

static void events(struct scene *s, const char *const *words)
{
    for (; *words; words++)
        event(s, *words);
}
#define EVENTS(s, ...) events(s, (const char *const[]){__VA_ARGS__, NULL})

static int inspected(struct scene *s, const struct make *make)
{
    struct container *container = container_of(make);
    int deaths = watch__member_inspected(s->member, container, s->ours, s->now_ms);
    container_unref(container);
    return deaths;
}

#define says(s, runs, how)                                                                         \
    do {                                                                                           \
        ck_assert_int_eq(watch__member_running((s)->member), runs);                                \
        ck_assert_int_eq(watch__member_health((s)->member), how);                                  \
    } while (0)

static const struct make healthy = {.health = "healthy"};
static const struct make always = {.health = "healthy", .policy = "always"};

/* --- health ----------------------------------------------------------------------------------- */

START_TEST(health_is_what_the_engine_says)
{
    struct scene s;
    scene_open(&s, &healthy);
    says(&s, RUNS, HEALTH_HEALTHY);
    event(&s, "health_status: unhealthy");
    says(&s, RUNS, HEALTH_UNHEALTHY);
    event(&s, "health_status: healthy");
    says(&s, RUNS, HEALTH_HEALTHY);
    scene_close(&s);
    scene_open(&s, &(struct make){0});
    says(&s, RUNS, HEALTH_NONE);
    scene_close(&s);
}
END_TEST

/* Health checks go on while the app shuts down, and fail. */
START_TEST(health_of_what_is_being_stopped_is_nobodys_trouble)
{
    struct scene s;
    scene_open(&s, &healthy);
    EVENTS(&s, "kill 15", "health_status: unhealthy");
    says(&s, SILENT, SILENT);
    ck_assert(watch__member_is_by_hand(s.member));
    EVENTS(&s, "die", "stop");
    says(&s, SILENT, SILENT);
    scene_close(&s);
}
END_TEST

START_TEST(a_started_one_is_starting_until_its_check_has_passed)
{
    struct scene s;
    scene_open(&s, &(struct make){.state = "created", .health = "starting"});
    says(&s, SILENT, SILENT); /* never started: nobody expects it to run */
    event(&s, "start");
    says(&s, RUNS, HEALTH_STARTING);
    event(&s, "health_status: healthy");
    says(&s, RUNS, HEALTH_HEALTHY);
    scene_close(&s);
}
END_TEST

/* Pausing leaves "unhealthy" behind without an event; only the next check takes it away. */
START_TEST(a_paused_one_says_nothing_until_its_next_check)
{
    struct scene s;
    scene_open(&s, &healthy);
    event(&s, "pause");
    says(&s, SILENT, SILENT);
    ck_assert(watch__member_is_by_hand(s.member));
    event(&s, "unpause");
    says(&s, RUNS, SILENT);
    inspected(&s, &(struct make){.health = "unhealthy"});
    says(&s, RUNS, SILENT); /* the leftover */
    ck_assert_int_eq(watch__member_due_ms(s.member), 1000 + 3000);
    s.now_ms = 4000;
    inspected(&s, &(struct make){.health = "unhealthy"});
    says(&s, RUNS, HEALTH_UNHEALTHY); /* by now its own check has said so */
    ck_assert_int_eq(watch__member_due_ms(s.member), INT64_MAX);
    scene_close(&s);
}
END_TEST

/* --- deaths ----------------------------------------------------------------------------------- */

START_TEST(a_crash_is_a_death_and_trouble)
{
    struct scene s;
    scene_open(&s, &healthy);
    event(&s, "die");
    ck_assert_uint_eq(s.asks, MEMBER_INSPECT);
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "exited", .exit_code = 7}), 1);
    says(&s, DOWN, SILENT);
    ck_assert(!watch__member_is_by_hand(s.member));
    scene_close(&s);
}
END_TEST

START_TEST(each_round_of_a_restart_loop_is_a_death)
{
    struct scene s;
    scene_open(&s, &always);
    EVENTS(&s, "die", "start", "die", "start", "die");
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "restarting", .policy = "always"}), 3);
    says(&s, DOWN, SILENT);
    event(&s, "start");
    says(&s, RUNS, HEALTH_STARTING);
    scene_close(&s);
}
END_TEST

/* 137 of a host's kill -9, and of the kernel's for want of memory: no `kill` event. */
START_TEST(out_of_memory_is_told_and_the_death_is_trouble)
{
    struct scene s;
    scene_open(&s, &healthy);
    event(&s, "oom");
    ck_assert_uint_eq(s.asks, MEMBER_OOM);
    event(&s, "die");
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "exited", .exit_code = 137}), 1);
    says(&s, DOWN, SILENT);
    scene_close(&s);
}
END_TEST

START_TEST(a_job_that_is_done_is_no_trouble)
{
    struct scene s;
    scene_open(&s, &(struct make){.health = "starting"}); /* of the same image as an app */
    event(&s, "die");
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "exited"}), 0);
    says(&s, SILENT, SILENT);
    ck_assert(!watch__member_is_by_hand(s.member));
    scene_close(&s);
    /* What was healthy is no job: an app that ends for no reason, though in good order. */
    scene_open(&s, &healthy);
    event(&s, "die");
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "exited"}), 1);
    says(&s, DOWN, SILENT);
    scene_close(&s);
    /* With a policy that brings it back it is no job. */
    scene_open(&s, &always);
    event(&s, "die");
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "restarting", .policy = "always"}), 1);
    says(&s, DOWN, SILENT);
    scene_close(&s);
}
END_TEST

START_TEST(a_job_that_fails_the_next_time_is_trouble)
{
    struct scene s;
    scene_open(&s, &(struct make){.state = "exited", .finished_s = 1});
    says(&s, SILENT, SILENT);
    inspected(&s, &(struct make){.state = "exited", .exit_code = 3, .finished_s = 2});
    says(&s, DOWN, SILENT);
    scene_close(&s);
}
END_TEST

/* --- by hand ---------------------------------------------------------------------------------- */

START_TEST(stopped_by_hand_is_no_trouble_until_it_is_started)
{
    static const char *const ways[][5] = {
        {"kill 15", "die", "stop"},           /* docker stop */
        {"kill 15", "kill 9", "die", "stop"}, /* … that had to kill */
        {"kill 9", "die"},                    /* docker kill */
        {"kill 15", "die"},                   /* docker kill -s TERM */
        {"pause", "kill 15", "unpause", "die"} /* docker stop of a paused one */,
    };
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        struct scene s;
        scene_open(&s, &healthy);
        for (size_t k = 0; k < 5 && ways[i][k]; k++)
            event(&s, ways[i][k]);
        ck_assert(s.asks & MEMBER_ASKED);
        ck_assert_int_eq(inspected(&s, &(struct make){.state = "exited", .exit_code = 137}), 0);
        says(&s, SILENT, SILENT);
        ck_assert(watch__member_is_by_hand(s.member));
        event(&s, "start");
        says(&s, RUNS, HEALTH_STARTING);
        ck_assert(!watch__member_is_by_hand(s.member));
        scene_close(&s);
    }
}
END_TEST

START_TEST(restarted_by_hand_is_no_death)
{
    struct scene s;
    scene_open(&s, &always);
    EVENTS(&s, "kill 15", "die", "stop", "start", "restart");
    ck_assert_int_eq(inspected(&s, &(struct make){.health = "starting", .policy = "always"}), 0);
    says(&s, RUNS, HEALTH_STARTING);
    ck_assert(!watch__member_is_by_hand(s.member));
    scene_close(&s);
}
END_TEST

START_TEST(the_stop_signal_is_the_containers_own)
{
    const struct make postgres = {.health = "healthy", .signal = "SIGINT"};
    struct scene s;
    scene_open(&s, &postgres);
    EVENTS(&s, "kill 2", "die");
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "exited", .exit_code = 1}), 0);
    says(&s, SILENT, SILENT);
    scene_close(&s);
    scene_open(&s, &postgres);
    EVENTS(&s, "kill 15", "die"); /* not its stop signal: it may be a reload */
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "exited", .exit_code = 1}), 1);
    says(&s, DOWN, SILENT);
    scene_close(&s);
}
END_TEST

START_TEST(a_reload_is_no_stop)
{
    struct scene s;
    scene_open(&s, &healthy);
    EVENTS(&s, "kill 1", "kill 10");
    ck_assert_uint_eq(s.asks, 0);
    says(&s, RUNS, HEALTH_HEALTHY);
    event(&s, "die");
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "exited", .exit_code = 1}), 1);
    says(&s, DOWN, SILENT);
    scene_close(&s);
}
END_TEST

START_TEST(a_stop_in_the_restart_policys_back_off_is_by_hand)
{
    struct scene s;
    scene_open(&s, &(struct make){.state = "restarting", .policy = "always"});
    says(&s, DOWN, SILENT);
    event(&s, "stop");
    inspected(&s, &(struct make){.state = "exited", .policy = "always", .exit_code = 1});
    says(&s, SILENT, SILENT);
    ck_assert(watch__member_is_by_hand(s.member));
    scene_close(&s);
}
END_TEST

START_TEST(a_stop_more_patient_than_the_configuration_is_still_by_hand)
{
    struct scene s;
    scene_open(&s, &healthy);
    event(&s, "kill 15");
    s.now_ms += 300 * 1000; /* docker stop -t 600 */
    EVENTS(&s, "die", "stop");
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "exited", .exit_code = 1}), 0);
    says(&s, SILENT, SILENT);
    scene_close(&s);
}
END_TEST

/* docker kill -s TERM to one that does not listen: it lives on, and is watched again. */
START_TEST(a_signal_that_is_not_heeded_is_forgotten)
{
    struct scene s;
    scene_open(&s, &healthy);
    event(&s, "kill 15");
    int64_t due_ms = watch__member_due_ms(s.member);
    ck_assert_int_eq(due_ms, 1000 + 30 * 1000);
    s.now_ms = due_ms;
    inspected(&s, &(struct make){.health = "unhealthy"});
    says(&s, RUNS, HEALTH_UNHEALTHY);
    event(&s, "die");
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "exited", .exit_code = 1}), 1);
    says(&s, DOWN, SILENT);
    scene_close(&s);
}
END_TEST

START_TEST(removed_is_by_hand)
{
    struct scene s;
    scene_open(&s, &healthy);
    EVENTS(&s, "kill 9", "die", "destroy");
    says(&s, SILENT, SILENT);
    ck_assert(watch__member_is_by_hand(s.member));
    event(&s, "start"); /* nothing comes back from there */
    says(&s, SILENT, SILENT);
    scene_close(&s);
}
END_TEST

/* A label of that name is copied over the kill event's signal: 77 for every one. */
START_TEST(a_label_cannot_hide_a_stop_nor_make_one)
{
    const struct make labelled = {.health = "healthy", .label = "signal"};
    struct scene s;
    scene_open(&s, &labelled);
    EVENTS(&s, "kill 77", "die"); /* docker kill */
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "exited", .exit_code = 137}), 0);
    says(&s, SILENT, SILENT);
    scene_close(&s);
    scene_open(&s, &labelled);
    event(&s, "kill 77"); /* a reload */
    s.now_ms += 60 * 1000;
    event(&s, "die"); /* a crash, a minute later */
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "exited", .exit_code = 1}), 1);
    says(&s, DOWN, SILENT);
    scene_close(&s);
    scene_open(&s, &(struct make){.health = "healthy", .label = "exitCode"});
    event(&s, "die");
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "exited", .exit_code = 1}), 1);
    scene_close(&s);
}
END_TEST

/* --- by us ------------------------------------------------------------------------------------ */

START_TEST(what_we_stop_is_no_trouble_while_we_are_at_it)
{
    struct scene s;
    scene_open(&s, &healthy);
    s.ours = true;
    EVENTS(&s, "kill 15", "die", "stop");
    ck_assert_uint_eq(s.asks & MEMBER_ASKED, 0);
    ck_assert_int_eq(inspected(&s, &(struct make){.state = "exited"}), 0);
    says(&s, SILENT, SILENT);
    ck_assert(!watch__member_is_by_hand(s.member));
    event(&s, "start");
    says(&s, RUNS, HEALTH_STARTING);
    scene_close(&s);
}
END_TEST

START_TEST(what_we_left_down_is_trouble)
{
    struct scene s;
    scene_open(&s, &healthy);
    s.ours = true;
    EVENTS(&s, "kill 15", "die", "stop");
    inspected(&s, &(struct make){.state = "exited"});
    s.ours = false;
    inspected(&s, &(struct make){.state = "exited"});
    says(&s, DOWN, SILENT); /* though it ended in good order */
    event(&s, "start");
    says(&s, RUNS, HEALTH_STARTING);
    scene_close(&s);
}
END_TEST

/* --- at first sight, and after a gap ---------------------------------------------------------- */

static int found(const struct make *make)
{
    struct scene s;
    struct container *container = container_of(make);
    scene_open(&s, make);
    watch__member_found(s.member, container);
    int running = watch__member_running(s.member);
    ck_assert(watch__member_is_by_hand(s.member) == (running == SILENT));
    container_unref(container);
    scene_close(&s);
    return running;
}

START_TEST(what_was_down_before_us)
{
    ck_assert_int_eq(found(&(struct make){.state = "exited", .policy = "always", .exit_code = 1}),
                     SILENT);
    ck_assert_int_eq(
        found(&(struct make){.state = "exited", .policy = "unless-stopped", .exit_code = 137}),
        SILENT);
    ck_assert_int_eq(found(&(struct make){.state = "exited"}), SILENT);
    ck_assert_int_eq(found(&(struct make){.state = "exited", .exit_code = 1}), DOWN);
    ck_assert_int_eq(
        found(&(struct make){.state = "exited", .policy = "on-failure", .exit_code = 1}), DOWN);
    ck_assert_int_eq(found(&(struct make){0}), RUNS);
}
END_TEST

START_TEST(the_mark_holds_for_one_death_only)
{
    struct scene s;
    scene_open(&s, &healthy);
    EVENTS(&s, "kill 15", "die", "stop");
    inspected(&s, &(struct make){.state = "exited", .exit_code = 1, .finished_s = 10});
    inspected(&s, &(struct make){.state = "exited", .exit_code = 1, .finished_s = 10});
    says(&s, SILENT, SILENT);
    /* Started and crashed while nobody heard. */
    inspected(&s, &(struct make){.state = "exited", .exit_code = 1, .finished_s = 20});
    says(&s, DOWN, SILENT);
    scene_close(&s);
}
END_TEST

/* An Engine that comes back from a crash stops what it finds running, and tells of it. */
START_TEST(what_an_engine_stops_at_its_start_is_trouble)
{
    struct scene s;
    scene_open(&s, &(struct make){0});
    watch__member_lost(s.member);
    struct docker_event stop = {.action = "stop", .detail = "", .id = "aaaa", .name = "x"};
    watch__member_replayed(s.member, &stop);
    inspected(&s, &(struct make){.state = "exited"});
    says(&s, DOWN, SILENT);
    ck_assert(!watch__member_is_by_hand(s.member));
    scene_close(&s);
}
END_TEST

START_TEST(a_container_that_cannot_be_inspected)
{
    struct scene s;
    scene_open(&s, &healthy);
    event(&s, "die");
    ck_assert_int_eq(watch__member_not_inspected(s.member, false, s.now_ms), 1);
    says(&s, DOWN, SILENT); /* what the event said is all there is */
    ck_assert_int_gt(watch__member_due_ms(s.member), s.now_ms);
    watch__member_not_inspected(s.member, true, s.now_ms);
    says(&s, SILENT, SILENT);
    ck_assert_int_eq(watch__member_due_ms(s.member), INT64_MAX);
    scene_close(&s);
}
END_TEST

/* --- signals ---------------------------------------------------------------------------------- */

START_TEST(signals_by_number_and_name)
{
    static const struct {
        const char *text;
        int number;
    } known[] = {
        {"15", 15},         {"TERM", 15},     {"SIGTERM", 15},    {"sigint", 2}, {"9", 9},
        {"SIGRTMIN+3", 37}, {"RTMAX", 64},    {"SIGRTMAX-1", 63}, {"RTMIN", 34}, {"", 0},
        {"SIG", 0},         {"TERMINATE", 0}, {"-1", 0},          {"99", 0},     {"SIGRTMIN+99", 0},
        {"RTMIN3", 0},      {"15x", 0},       {"RTMIN+", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        ck_assert_msg(watch__signal_number(known[i].text) == known[i].number, "%s", known[i].text);
    ck_assert_int_eq(watch__signal_number(NULL), 0);
}
END_TEST

UNIT_MAIN("watch_member", health_is_what_the_engine_says,
          health_of_what_is_being_stopped_is_nobodys_trouble,
          a_started_one_is_starting_until_its_check_has_passed,
          a_paused_one_says_nothing_until_its_next_check, a_crash_is_a_death_and_trouble,
          each_round_of_a_restart_loop_is_a_death, out_of_memory_is_told_and_the_death_is_trouble,
          a_job_that_is_done_is_no_trouble, a_job_that_fails_the_next_time_is_trouble,
          stopped_by_hand_is_no_trouble_until_it_is_started, restarted_by_hand_is_no_death,
          the_stop_signal_is_the_containers_own, a_reload_is_no_stop,
          a_stop_in_the_restart_policys_back_off_is_by_hand,
          a_stop_more_patient_than_the_configuration_is_still_by_hand,
          a_signal_that_is_not_heeded_is_forgotten, removed_is_by_hand,
          a_label_cannot_hide_a_stop_nor_make_one, what_we_stop_is_no_trouble_while_we_are_at_it,
          what_we_left_down_is_trouble, what_was_down_before_us, the_mark_holds_for_one_death_only,
          what_an_engine_stops_at_its_start_is_trouble, a_container_that_cannot_be_inspected,
          signals_by_number_and_name)

/* Reading playbooks: one reader a step kind, in a table that also gives the kinds their names and
 * defaults. See playbook.h. */
#include "playbooks/playbook.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

typedef bool (*step_reader)(const struct yaml_node *value, struct step *step,
                            struct diag_list *diags);

static bool read_who(const struct yaml_node *value, struct step *step, struct diag_list *diags);
static bool read_capture(const struct yaml_node *value, struct step *step, struct diag_list *diags);
static bool read_checkpoint(const struct yaml_node *value, struct step *step,
                            struct diag_list *diags);
static bool read_clean(const struct yaml_node *value, struct step *step, struct diag_list *diags);
static bool read_wait(const struct yaml_node *value, struct step *step, struct diag_list *diags);
static bool read_verify(const struct yaml_node *value, struct step *step, struct diag_list *diags);

static const struct {
    const char *name;
    step_reader read;
    bool goes_on;  /* unless told otherwise, its failure does not turn the run */
    bool graceful; /* takes `grace` */
} step_table[] = {
    [STEP_CAPTURE] = {"capture", read_capture, true, false},
    [STEP_STOP] = {"stop", read_who, true, true},
    [STEP_START] = {"start", read_who, false, false},
    [STEP_RESTART] = {"restart", read_who, false, true},
    [STEP_CLEAN] = {"clean", read_clean, true, false},
    [STEP_CHECKPOINT] = {"checkpoint", read_checkpoint, true, false},
    [STEP_WAIT] = {"wait", read_wait, false, false},
    [STEP_VERIFY] = {"verify", read_verify, false, false},
};
_Static_assert(ARRAY_SIZE(step_table) == STEP_KINDS, "a row for every kind");

const char *step_kind_name(enum step_kind kind)
{
    return step_table[kind].name;
}

/* --- who ---------------------------------------------------------------------------------------
 */

static void step_add_service(struct step *step, const struct yaml_node *name)
{
    size_t lines = step->service_count;
    size_t columns = step->service_count;
    *MEM_PUSH(step->service_lines, lines) = name->line;
    *MEM_PUSH(step->service_columns, columns) = name->column;
    *MEM_PUSH(step->services, step->service_count) = mem_strdup(name->text);
}

static bool read_who_word(const struct yaml_node *word, struct step *step)
{
    static const char *const groups[] = {
        [WHO_APPS] = "apps", [WHO_DATABASE] = "database", [WHO_ALL] = "all"};
    for (size_t i = WHO_APPS; i < ARRAY_SIZE(groups); i++) {
        if (strcmp(word->text, groups[i]) == 0) {
            step->who = (enum who)i;
            return true;
        }
    }
    step->who = WHO_SERVICES;
    step_add_service(step, word);
    return true;
}

/* apps | database | all | a service | a list of services */
static bool read_who(const struct yaml_node *value, struct step *step, struct diag_list *diags)
{
    const char *what = step_kind_name(step->kind);
    if (value->kind == YAML_TEXT && *value->text)
        return read_who_word(value, step);
    if (value->kind != YAML_LIST || value->count == 0)
        return yaml_error(diags, value,
                          "%s: expected apps, database, all, a service or a list of services",
                          what);
    bool fine = true;
    step->who = WHO_SERVICES;
    for (size_t i = 0; i < value->count; i++) {
        const char *name;
        if (yaml_read_text(value->items[i], what, &name, diags))
            step_add_service(step, value->items[i]);
        else
            fine = false;
    }
    return fine;
}

static bool read_capture(const struct yaml_node *value, struct step *step, struct diag_list *diags)
{
    (void)step;
    static const char *const words[] = {"evidence", NULL};
    size_t index;
    return yaml_read_choice(value, "capture", words, &index, diags);
}

static bool read_checkpoint(const struct yaml_node *value, struct step *step,
                            struct diag_list *diags)
{
    static const char *const words[] = {"database", NULL};
    size_t index;
    step->who = WHO_DATABASE;
    return yaml_read_choice(value, "checkpoint", words, &index, diags);
}

/* "database ready" | "apps healthy" | "all healthy" | "<service> healthy" */
static bool read_wait(const struct yaml_node *value, struct step *step, struct diag_list *diags)
{
    const char *text;
    if (!yaml_read_text(value, "wait", &text, diags))
        return false;
    const char *space = strrchr(text, ' ');
    bool ready = space && strcmp(space + 1, "ready") == 0;
    bool healthy = space && strcmp(space + 1, "healthy") == 0;
    if (!ready && !healthy)
        return yaml_error(diags, value,
                          "wait: '%s' is not 'database ready', 'apps healthy', 'all healthy' or "
                          "'<service> healthy'",
                          text);
    CLEANUP_FREE char *name = mem_strndup(text, (size_t)(space - text));
    struct yaml_node word = {
        .kind = YAML_TEXT, .line = value->line, .column = value->column, .text = name};
    read_who_word(&word, step);
    if (ready && step->who != WHO_DATABASE)
        return yaml_error(diags, value, "wait: only the database can be 'ready'; say '%s healthy'",
                          name);
    return true;
}

/* --- clean -------------------------------------------------------------------------------------
 */

static bool read_names(const struct yaml_node *value, const char *what, char ***ret,
                       struct diag_list *diags)
{
    bool fine = true;
    size_t count = 0;
    char **names = NULL;
    if (value->kind == YAML_TEXT)
        *MEM_PUSH(names, count) = mem_strdup(value->text);
    else if ((fine = yaml_expect_list(value, what, diags)))
        for (size_t i = 0; i < value->count; i++) {
            const char *name = "";
            fine = yaml_read_text(value->items[i], what, &name, diags) && fine;
            *MEM_PUSH(names, count) = mem_strdup(name);
        }
    *MEM_PUSH(names, count) = NULL;
    *ret = names;
    return fine;
}

/* A duration, or `never`. */
static bool read_age(const struct yaml_node *value, const char *what, int64_t *ret,
                     struct diag_list *diags)
{
    if (value->kind == YAML_TEXT && strcmp(value->text, "never") == 0) {
        *ret = -1;
        return true;
    }
    return yaml_read_duration(value, what, 0, 24 * (int64_t)HOUR, ret, diags);
}

static bool read_clean(const struct yaml_node *value, struct step *step, struct diag_list *diags)
{
    static const char *const known[] = {
        "idle",    "idle_in_transaction", "applications", "roles",      "databases",
        "clients", "containers",          "protect",      "superusers", "all",
        NULL};
    const struct {
        const char *key;
        char ***slot;
    } lists[] = {
        {"applications", &step->applications}, {"roles", &step->roles},
        {"databases", &step->databases},       {"clients", &step->clients},
        {"containers", &step->containers},     {"protect", &step->protect},
    };
    step->who = WHO_DATABASE;
    bool fine = yaml_expect_map(value, "clean", known, diags);
    const struct yaml_node *node;
    if ((node = yaml_get(value, "idle")))
        fine = read_age(node, "clean: idle", &step->idle_ms, diags) && fine;
    if ((node = yaml_get(value, "idle_in_transaction")))
        fine = read_age(node, "clean: idle_in_transaction", &step->idle_in_transaction_ms, diags) &&
               fine;
    if ((node = yaml_get(value, "superusers")))
        fine = yaml_read_bool(node, "clean: superusers", &step->superusers, diags) && fine;
    if ((node = yaml_get(value, "all")))
        fine = yaml_read_bool(node, "clean: all", &step->all_sessions, diags) && fine;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        if ((node = yaml_get(value, lists[i].key)))
            fine = read_names(node, lists[i].key, lists[i].slot, diags) && fine;
    return fine;
}

/* --- verify ------------------------------------------------------------------------------------
 */

/* "< 60%" or "< 0.6" */
static bool read_below(const struct yaml_node *value, double *ret, struct diag_list *diags)
{
    static const char *const what = "verify: connections.utilization";
    const char *text;
    if (!yaml_read_text(value, what, &text, diags))
        return false;
    char *end = NULL;
    double limit = NAN;
    if (text[0] == '<')
        limit = strtod(text + 1, &end);
    if (end && *end == '%') {
        limit /= 100;
        end++;
    }
    if (!end || *end || !(limit > 0 && limit <= 1))
        return yaml_error(diags, value, "%s: '%s' is not of the form \"< 60%%\"", what, text);
    *ret = limit;
    return true;
}

static bool read_verify(const struct yaml_node *value, struct step *step, struct diag_list *diags)
{
    static const char *const known[] = {"services", "connections.utilization", "for", NULL};
    static const char *const health[] = {"healthy", NULL};
    step->who = WHO_ALL;
    bool fine = yaml_expect_map(value, "verify", known, diags);
    const struct yaml_node *node;
    size_t index;
    if ((node = yaml_get(value, "services"))) {
        step->services_healthy = true;
        fine = yaml_read_choice(node, "verify: services", health, &index, diags) && fine;
    }
    if ((node = yaml_get(value, "connections.utilization")))
        fine = read_below(node, &step->utilization_below, diags) && fine;
    if ((node = yaml_get(value, "for")))
        fine = yaml_read_duration(node, "verify: for", 0, HOUR, &step->hold_ms, diags) && fine;
    if (fine && !step->services_healthy && step->utilization_below < 0)
        return yaml_error(diags, value,
                          "verify: nothing to verify; give services or connections.utilization");
    return fine;
}

/* --- a step ------------------------------------------------------------------------------------
 */

static bool read_common(const struct yaml_node *map, struct step *step, struct diag_list *diags)
{
    static const char *const outcomes[] = {"continue", "fail", NULL};
    const struct yaml_node *node;
    size_t index;
    bool fine = true;
    if ((node = yaml_get(map, "timeout")))
        fine = yaml_read_duration(node, "timeout", SECOND, 24 * (int64_t)HOUR, &step->timeout_ms,
                                  diags);
    if ((node = yaml_get(map, "grace"))) {
        if (!step_table[step->kind].graceful)
            fine = yaml_error(diags, node, "grace: %s stops nothing", step_kind_name(step->kind));
        else
            fine = yaml_read_duration(node, "grace", 0, HOUR, &step->grace_ms, diags) && fine;
    }
    if ((node = yaml_get(map, "on_failure"))) {
        fine = yaml_read_choice(node, "on_failure", outcomes, &index, diags) && fine;
        step->goes_on = fine && index == 0;
    }
    return fine;
}

/* The step kind that a map names; false (with the complaint made) when it names none or two. */
static bool find_kind(const struct yaml_node *map, struct step *step,
                      const struct yaml_node **ret_value, struct diag_list *diags)
{
    const struct yaml_node *found = NULL;
    for (size_t kind = 0; kind < STEP_KINDS; kind++) {
        const struct yaml_node *value = yaml_get(map, step_table[kind].name);
        if (value && found)
            return yaml_error(diags, map, "two steps in one: %s and %s; each wants its own '-'",
                              step_table[step->kind].name, step_table[kind].name);
        if (value) {
            found = value;
            step->kind = (enum step_kind)kind;
        }
    }
    *ret_value = found;
    return found || yaml_error(diags, map,
                               "not a step: expected one of capture, stop, start, "
                               "restart, clean, checkpoint, wait, verify");
}

static bool read_step(const struct yaml_node *map, struct step *step, struct diag_list *diags)
{
    static const char *const known[] = {"capture",    "stop",    "start",  "restart",
                                        "clean",      "wait",    "verify", "checkpoint",
                                        "on_failure", "timeout", "grace",  NULL};
    *step = (struct step){
        .line = map->line,
        .column = map->column,
        .grace_ms = -1,
        .idle_ms = MINUTE,
        .idle_in_transaction_ms = MINUTE,
        .utilization_below = -1,
    };
    const struct yaml_node *value = NULL;
    if (!yaml_expect_map(map, "step", known, diags) || !find_kind(map, step, &value, diags))
        return false;
    step->goes_on = step_table[step->kind].goes_on;
    bool fine = step_table[step->kind].read(value, step, diags);
    return read_common(map, step, diags) && fine;
}

/* --- a playbook --------------------------------------------------------------------------------
 */

static bool read_steps(const struct yaml_node *steps, struct playbook *playbook,
                       struct diag_list *diags)
{
    if (!yaml_expect_list(steps, "steps", diags))
        return false;
    bool fine = true;
    for (size_t i = 0; i < steps->count; i++) {
        struct step *step = MEM_PUSH(playbook->steps, playbook->step_count);
        fine = read_step(steps->items[i], step, diags) && fine;
    }
    return fine && (steps->count > 0 || yaml_error(diags, steps, "a playbook needs a step"));
}

struct playbook *playbook_read(const char *name, const struct yaml_node *node,
                               struct diag_list *diags)
{
    static const char *const known[] = {"description", "steps", NULL};
    struct playbook *playbook = mem_new(sizeof *playbook);
    playbook->references = 1;
    playbook->name = mem_strdup(name);
    playbook->source = yaml_json(node);
    const struct yaml_node *steps = node;
    const char *description = "";
    bool fine = true;
    if (node->kind == YAML_MAP) {
        const struct yaml_node *text = yaml_get(node, "description");
        fine = yaml_expect_map(node, "playbook", known, diags);
        if (text)
            fine = yaml_read_text(text, "description", &description, diags) && fine;
        steps = yaml_get(node, "steps");
        if (!steps)
            fine = yaml_error(diags, node, "playbook %s has no steps", name);
    }
    playbook->description = mem_strdup(description);
    if (steps)
        fine = read_steps(steps, playbook, diags) && fine;
    return fine ? playbook : playbook_unref(playbook);
}

struct playbook *playbook_read_json(const char *name, const json_t *source, struct diag_list *diags)
{
    CLEANUP_FREE char *text = json_dumps(source, JSON_COMPACT | JSON_ENCODE_ANY);
    struct yaml_node *node = text ? yaml_parse(text, strlen(text), diags) : NULL;
    struct playbook *playbook = node ? playbook_read(name, node, diags) : NULL;
    yaml_node_free(node);
    return playbook;
}

/* Puts `settings` in the place of each clean step's own; the number of those found. */
static int replace_clean(json_t *source, const json_t *settings)
{
    json_t *steps = json_is_object(source) ? json_object_get(source, "steps") : source;
    json_t *step;
    size_t i;
    int found = 0;
    json_array_foreach(steps, i, step)
    {
        if (!json_object_get(step, step_kind_name(STEP_CLEAN)))
            continue;
        json_object_set_new(step, step_kind_name(STEP_CLEAN), json_deep_copy(settings));
        found++;
    }
    return found;
}

struct playbook *playbook_with_clean(const struct playbook *playbook, const json_t *settings,
                                     struct err *e)
{
    json_t *source = json_deep_copy(playbook->source);
    struct playbook *changed = NULL;
    struct diag_list diags;
    diag_init(&diags, "options", NULL);
    if (replace_clean(source, settings) == 0)
        err_set(e, ERR_INVALID, "playbook %s has no clean step to take options", playbook->name);
    else if (!(changed = playbook_read_json(playbook->name, source, &diags)))
        err_set(e, ERR_INVALID, "options: %s", diags.count ? diags.items[0].text : "not settings");
    diag_free(&diags);
    json_decref(source);
    return changed;
}

struct playbook *playbook_ref(struct playbook *playbook)
{
    playbook->references++;
    return playbook;
}

static void free_names(char **names)
{
    for (size_t i = 0; names && names[i]; i++)
        free(names[i]);
    free(names);
}

static void step_done(struct step *step)
{
    for (size_t i = 0; i < step->service_count; i++)
        free(step->services[i]);
    free(step->services);
    free(step->service_lines);
    free(step->service_columns);
    free_names(step->applications);
    free_names(step->roles);
    free_names(step->databases);
    free_names(step->clients);
    free_names(step->containers);
    free_names(step->protect);
}

struct playbook *playbook_unref(struct playbook *playbook)
{
    if (!playbook || --playbook->references > 0)
        return NULL;
    for (size_t i = 0; i < playbook->step_count; i++)
        step_done(&playbook->steps[i]);
    free(playbook->steps);
    free(playbook->name);
    free(playbook->description);
    json_decref(playbook->source);
    free(playbook);
    return NULL;
}

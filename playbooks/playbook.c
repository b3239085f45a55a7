/* Reading playbooks: one reader a step kind, in a table that also gives the kinds their names and
 * defaults. See playbook.h. */
#include "playbooks/playbook.h"

#include "base/mem.h"

#include <ctype.h>
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
static bool read_pooler(const struct yaml_node *value, struct step *step, struct diag_list *diags);
static bool read_roles(const struct yaml_node *value, struct step *step, struct diag_list *diags);

static const struct {
    const char *name;
    step_reader read;
    bool goes_on;  /* unless told otherwise, its failure does not turn the run */
    bool graceful; /* takes `grace` */
    bool gated;    /* takes `gate` */
} step_table[] = {
    [STEP_CAPTURE] = {"capture", read_capture, true, false, false},
    [STEP_STOP] = {"stop", read_who, true, true, false},
    [STEP_START] = {"start", read_who, false, false, true},
    [STEP_RESTART] = {"restart", read_who, false, true, true},
    [STEP_CLEAN] = {"clean", read_clean, true, false, false},
    [STEP_CHECKPOINT] = {"checkpoint", read_checkpoint, true, false, false},
    [STEP_WAIT] = {"wait", read_wait, false, false, false},
    [STEP_VERIFY] = {"verify", read_verify, false, false, false},
    [STEP_PAUSE] = {"pause", read_pooler, false, false, false},
    [STEP_RESUME] = {"resume", read_pooler, false, false, false},
    [STEP_BLOCK] = {"block", read_roles, false, false, false},
    [STEP_UNBLOCK] = {"unblock", read_roles, false, false, false},
};
_Static_assert(ARRAY_SIZE(step_table) == STEP_KINDS, "a row for every kind");

const char *step_kind_name(enum step_kind kind)
{
    return step_table[kind].name;
}

/* --- who -------------------------------------------------------------------------------------- */

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
        [WHO_APPS] = "apps",
        [WHO_DATABASE] = "database",
        [WHO_ALL] = "all",
        [WHO_SELECTED] = "selected",
    };
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

/* apps | database | all | selected | a service | a list of services */
static bool read_who(const struct yaml_node *value, struct step *step, struct diag_list *diags)
{
    const char *what = step_kind_name(step->kind);
    if (value->kind == YAML_TEXT && *value->text)
        return read_who_word(value, step);
    if (value->kind != YAML_LIST || value->count == 0)
        return yaml_error(diags, value,
                          "%s: expected apps, database, all, selected, a service or a list of "
                          "services",
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

static bool read_pooler(const struct yaml_node *value, struct step *step, struct diag_list *diags)
{
    static const char *const words[] = {"pooler", NULL};
    size_t index;
    return yaml_read_choice(value, step_kind_name(step->kind), words, &index, diags);
}

static bool read_roles(const struct yaml_node *value, struct step *step, struct diag_list *diags)
{
    static const char *const words[] = {"apps", NULL};
    size_t index;
    return yaml_read_choice(value, step_kind_name(step->kind), words, &index, diags);
}

/* "database ready" | "apps healthy" | "all healthy" | "selected healthy" | "<service> healthy" */
static bool read_wait(const struct yaml_node *value, struct step *step, struct diag_list *diags)
{
    const char *text;
    if (!yaml_read_text(value, "wait", &text, diags))
        return false;
    const char *space = strrchr(text, ' ');
    bool named = space && space > text;
    bool ready = named && strcmp(space + 1, "ready") == 0;
    bool healthy = named && strcmp(space + 1, "healthy") == 0;
    if (!ready && !healthy)
        return yaml_error(diags, value,
                          "wait: '%s' is not 'database ready', 'apps healthy', 'all healthy', "
                          "'selected healthy' or '<service> healthy'",
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

/* --- clean ------------------------------------------------------------------------------------ */

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

/* --- verify ----------------------------------------------------------------------------------- */

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
    static const char *const known[] = {"services", "selected", "connections.utilization", "for",
                                        NULL};
    static const char *const health[] = {"healthy", NULL};
    step->who = WHO_ALL;
    bool fine = yaml_expect_map(value, "verify", known, diags);
    const struct yaml_node *node;
    size_t index;
    if ((node = yaml_get(value, "services"))) {
        step->services_healthy = true;
        fine = yaml_read_choice(node, "verify: services", health, &index, diags) && fine;
    }
    if ((node = yaml_get(value, "selected"))) {
        step->selected_healthy = true;
        fine = yaml_read_choice(node, "verify: selected", health, &index, diags) && fine;
    }
    if ((node = yaml_get(value, "connections.utilization")))
        fine = read_below(node, &step->utilization_below, diags) && fine;
    if ((node = yaml_get(value, "for")))
        fine = yaml_read_duration(node, "verify: for", 0, HOUR, &step->hold_ms, diags) && fine;
    if (fine && !step->services_healthy && !step->selected_healthy && step->utilization_below < 0)
        return yaml_error(diags, value,
                          "verify: nothing to verify; give services, selected or "
                          "connections.utilization");
    return fine;
}

/* --- a step ----------------------------------------------------------------------------------- */

/* "20%" of the usable slots, or a number of slots */
static bool read_gate(const struct yaml_node *value, struct step *step, struct diag_list *diags)
{
    const char *text;
    char *end = NULL;
    if (!step_table[step->kind].gated)
        return yaml_error(diags, value, "gate: %s starts nothing", step_kind_name(step->kind));
    if (!yaml_read_text(value, "gate", &text, diags))
        return false;
    double number = NAN;
    if (isdigit((unsigned char)text[0]) && !strpbrk(text, "xX"))
        number = strtod(text, &end);
    bool share = end && strcmp(end, "%") == 0;
    if (share && number > 0 && number < 100) {
        step->gate_share = number / 100;
        return true;
    }
    if (!end || *end || !(number >= 1 && number <= 10000 && number == floor(number)))
        return yaml_error(diags, value,
                          "gate: '%s' is neither a share such as 20%% nor a number "
                          "of free slots",
                          text);
    step->gate_slots = (int)number;
    return true;
}

static bool read_common(const struct yaml_node *map, struct step *step, struct diag_list *diags)
{
    static const char *const outcomes[] = {"continue", "fail", NULL};
    static const char *const whens[] = {
        [WHEN_ALWAYS] = "always", [WHEN_POOLER] = "pooler", [WHEN_NO_POOLER] = "no pooler", NULL};
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
    if ((node = yaml_get(map, "when"))) {
        fine = yaml_read_choice(node, "when", whens, &index, diags) && fine;
        step->when = fine ? (enum when)index : WHEN_ALWAYS;
    }
    if ((node = yaml_get(map, "gate")))
        fine = read_gate(node, step, diags) && fine;
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
                               "restart, clean, checkpoint, wait, verify, pause, resume, block, "
                               "unblock");
}

static bool read_step(const struct yaml_node *map, struct step *step, struct diag_list *diags)
{
    static const char *const known[] = {"capture", "stop",    "start",      "restart", "clean",
                                        "wait",    "verify",  "checkpoint", "pause",   "resume",
                                        "block",   "unblock", "on_failure", "timeout", "grace",
                                        "when",    "gate",    NULL};
    *step = (struct step){
        .line = map->line,
        .column = map->column,
        .grace_ms = -1,
        .idle_ms = MINUTE,
        .idle_in_transaction_ms = MINUTE,
        .utilization_below = -1,
        .gate_share = -1,
        .gate_slots = -1,
    };
    const struct yaml_node *value = NULL;
    if (!yaml_expect_map(map, "step", known, diags) || !find_kind(map, step, &value, diags))
        return false;
    step->goes_on = step_table[step->kind].goes_on;
    bool fine = step_table[step->kind].read(value, step, diags);
    return read_common(map, step, diags) && fine;
}

/* --- a playbook ------------------------------------------------------------------------------- */

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

/* selected: {containers: [shop_worker_2], services: [web]} */
static bool read_selected(const struct yaml_node *value, struct playbook *playbook,
                          struct diag_list *diags)
{
    static const char *const known[] = {"containers", "services", NULL};
    const struct yaml_node *node;
    bool fine = yaml_expect_map(value, "selected", known, diags);
    if ((node = yaml_get(value, "containers")))
        fine =
            read_names(node, "selected: containers", &playbook->selected_containers, diags) && fine;
    if ((node = yaml_get(value, "services")))
        fine = read_names(node, "selected: services", &playbook->selected_services, diags) && fine;
    return fine;
}

struct playbook *playbook_read(const char *name, const struct yaml_node *node,
                               struct diag_list *diags)
{
    static const char *const known[] = {"description", "selected", "steps", NULL};
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
        const struct yaml_node *selected = yaml_get(node, "selected");
        if (selected)
            fine = read_selected(selected, playbook, diags) && fine;
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

bool playbook_is_disruptive(const struct playbook *playbook)
{
    static const enum step_kind kinds[] = {STEP_STOP, STEP_RESTART, STEP_PAUSE, STEP_BLOCK};
    for (size_t i = 0; i < playbook->step_count; i++)
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
            if (playbook->steps[i].kind == kinds[k])
                return true;
    return false;
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
    free_names(playbook->selected_containers);
    free_names(playbook->selected_services);
    free(playbook->name);
    free(playbook->description);
    json_decref(playbook->source);
    free(playbook);
    return NULL;
}

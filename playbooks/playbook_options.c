/* A run's options put into its playbook, so that they are part of what is planned, stored and told.
 * See playbook_with_options() in playbook.h. */
#include "base/mem.h"
#include "playbooks/playbook.h"

#include <string.h>

static bool selects(const struct step *step)
{
    return step->who == WHO_SELECTED || step->selected_healthy;
}

bool playbook_selects(const struct playbook *playbook)
{
    for (size_t i = 0; i < playbook->step_count; i++)
        if (selects(&playbook->steps[i]))
            return true;
    return false;
}

/* --- names ------------------------------------------------------------------------------------ */

static void add_words(json_t *names, const char *text)
{
    static const char blanks[] = " \t";
    while (*text) {
        size_t len = strcspn(text, ",");
        const char *word = text;
        text += len + (text[len] == ',');
        while (len > 0 && strchr(blanks, *word)) {
            word++;
            len--;
        }
        while (len > 0 && strchr(blanks, word[len - 1]))
            len--;
        if (len > 0)
            json_array_append_new(names, json_lossy_string(word, len));
    }
}

/* Adds the names under `key` (a list, or a text with commas: names hold none) to `names`. */
static int add_names(json_t *names, const json_t *options, const char *key, struct err *e)
{
    const json_t *value = json_object_get(options, key);
    if (json_is_string(value))
        add_words(names, json_string_value(value));
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *name = json_array_get(value, i);
        if (!json_is_string(name))
            return err_set(e, ERR_INVALID, "options: %s: expected a list of names", key);
        json_array_append(names, name);
    }
    if (value && !json_is_string(value) && !json_is_array(value))
        return err_set(e, ERR_INVALID, "options: %s: expected a list of names", key);
    return 0;
}

json_t *playbook_option_names(const json_t *options, const char *key, struct err *e)
{
    json_t *names = json_array();
    if (add_names(names, options, key, e) == 0)
        return names;
    json_decref(names);
    return NULL;
}

/* --- into the source -------------------------------------------------------------------------- */

/* The source in its long form, in which there is room for more than steps; takes `source`. */
static json_t *long_form(json_t *source)
{
    return json_is_object(source) ? source : json_pack("{s:o}", "steps", source);
}

static int put_selection(json_t *source, const json_t *options, struct err *e)
{
    json_t *selected = json_object();
    json_t *containers = json_array();
    json_t *services = json_array();
    json_object_set_new(selected, "containers", containers);
    json_object_set_new(selected, "services", services);
    json_object_set_new(source, "selected", selected);
    int status = add_names(containers, options, "containers", e);
    return status ? status : add_names(services, options, "services", e);
}

static bool names_an_age(const json_t *settings)
{
    return json_object_get(settings, "idle") || json_object_get(settings, "idle_in_transaction");
}

/* A step's own settings with those of the run above them, key by key: whom the step protects stays
 * protected. "All, whatever they do" and an age exclude one another: the run's word counts. */
static json_t *merged(const json_t *own, const json_t *settings)
{
    json_t *both = json_is_object(own) ? json_deep_copy(own) : json_object();
    if (names_an_age(settings))
        json_object_del(both, "all");
    if (json_object_get(settings, "all") && !json_is_false(json_object_get(settings, "all"))) {
        json_object_del(both, "idle");
        json_object_del(both, "idle_in_transaction");
    }
    json_t *above = json_deep_copy(settings);
    json_object_update(both, above);
    json_decref(above);
    return both;
}

/* Puts `settings` above each clean step's own; the number of those found. */
static int settle_clean(json_t *source, const json_t *settings)
{
    const char *const kind = step_kind_name(STEP_CLEAN);
    json_t *step;
    size_t i;
    int found = 0;
    json_array_foreach(json_object_get(source, "steps"), i, step)
    {
        if (!json_object_get(step, kind))
            continue;
        json_object_set_new(step, kind, merged(json_object_get(step, kind), settings));
        found++;
    }
    return found;
}

static int put_settings(const struct playbook *playbook, json_t *source, const json_t *settings,
                        struct err *e)
{
    if (settle_clean(source, settings) > 0)
        return 0;
    if (json_object_get(settings, "containers"))
        return err_set(e, ERR_INVALID,
                       "playbook %s has no step that takes containers or services: neither a "
                       "selected one nor clean",
                       playbook->name);
    return err_set(e, ERR_INVALID, "playbook %s has no clean step to take options", playbook->name);
}

/* What of the options is a clean step's. Where nobody else takes them, services are containers by
 * another name: the step knows both. The caller owns it; NULL with e set. */
static json_t *clean_settings(const json_t *options, bool selection_taken, struct err *e)
{
    json_t *settings = json_deep_copy(options);
    json_t *names = json_array();
    int status = 0;
    if (!selection_taken) {
        status = add_names(names, options, "containers", e);
        status = status ? status : add_names(names, options, "services", e);
    }
    json_object_del(settings, "containers");
    json_object_del(settings, "services");
    if (json_array_size(names) > 0)
        json_object_set(settings, "containers", names);
    json_decref(names);
    if (status == 0)
        return settings;
    json_decref(settings);
    return NULL;
}

static bool moves(const struct playbook *playbook)
{
    static const enum step_kind kinds[] = {STEP_STOP, STEP_START, STEP_RESTART};
    for (size_t i = 0; i < playbook->step_count; i++)
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
            if (playbook->steps[i].kind == kinds[k])
                return true;
    return false;
}

/* Whoever names a container expects that no other is stopped. A clean step that took the names
 * would narrow the cleaning alone. */
static int refuse_selection(const struct playbook *playbook, struct err *e)
{
    err_set(
        e, ERR_INVALID,
        "playbook %s has no step that takes containers or services: whom it stops is not selected",
        playbook->name);
    err_hint(e, "restart-leaker and restart-unhealthy restart only those who are named; clean ends "
                "only their sessions");
    return -(int)ERR_INVALID;
}

static int put_options(const struct playbook *playbook, json_t *source, const json_t *options,
                       struct err *e)
{
    bool selection = json_object_get(options, "containers") || json_object_get(options, "services");
    bool taken = selection && playbook_selects(playbook);
    if (selection && !taken && moves(playbook))
        return refuse_selection(playbook, e);
    if (taken && put_selection(source, options, e) != 0)
        return -(int)ERR_INVALID;
    json_t *settings = clean_settings(options, taken, e);
    if (!settings)
        return -(int)ERR_INVALID;
    bool nothing_left = json_object_size(settings) == 0 && taken;
    int status = nothing_left ? 0 : put_settings(playbook, source, settings, e);
    json_decref(settings);
    return status;
}

struct playbook *playbook_with_options(const struct playbook *playbook, const json_t *options,
                                       struct err *e)
{
    struct diag_list diags;
    struct playbook *changed = NULL;
    if (!json_is_object(options)) {
        err_set(e, ERR_INVALID, "options: expected an object");
        return NULL;
    }
    json_t *source = long_form(json_deep_copy(playbook->source));
    diag_init(&diags, "options", NULL);
    if (put_options(playbook, source, options, e) == 0 &&
        !(changed = playbook_read_json(playbook->name, source, &diags)))
        err_set(e, ERR_INVALID, "options: %s", diags.count ? diags.items[0].text : "not settings");
    diag_free(&diags);
    json_decref(source);
    return changed;
}

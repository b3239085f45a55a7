/* The playbooks that can be asked for by name: built-in ones under the user's own. */
#include "base/diag.h"
#include "base/mem.h"
#include "playbooks/playbook.h"

#include "builtin_playbooks.h"

#include <assert.h>
#include <string.h>

struct playbook_set {
    struct playbook **items;
    size_t count;
};

bool playbook_builtin(size_t index, const char **ret_name, const char **ret_text)
{
    if (index >= ARRAY_SIZE(builtin_playbooks))
        return false;
    *ret_name = builtin_playbooks[index].name;
    *ret_text = builtin_playbooks[index].text;
    return true;
}

static struct playbook *read_builtin(const char *name, const char *text)
{
    struct diag_list diags;
    diag_init(&diags, name, text);
    struct yaml_node *node = yaml_parse(text, strlen(text), &diags);
    struct playbook *playbook = node ? playbook_read(name, node, &diags) : NULL;
    if (!playbook)
        diag_print(&diags, stderr);
    assert(playbook && "a built-in playbook does not load");
    yaml_node_free(node);
    diag_free(&diags);
    return playbook;
}

struct playbook_set *playbook_set_empty(void)
{
    return mem_new(sizeof(struct playbook_set));
}

struct playbook_set *playbook_set_new(void)
{
    struct playbook_set *set = playbook_set_empty();
    const char *name;
    const char *text;
    for (size_t i = 0; playbook_builtin(i, &name, &text); i++)
        *MEM_PUSH(set->items, set->count) = read_builtin(name, text);
    return set;
}

struct playbook_set *playbook_set_free(struct playbook_set *set)
{
    for (size_t i = 0; set && i < set->count; i++)
        playbook_unref(set->items[i]);
    if (set)
        free(set->items);
    free(set);
    return NULL;
}

void playbook_set_put(struct playbook_set *set, struct playbook *playbook)
{
    playbook_ref(playbook);
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->items[i]->name, playbook->name) == 0) {
            playbook_unref(set->items[i]);
            set->items[i] = playbook;
            return;
        }
    }
    *MEM_PUSH(set->items, set->count) = playbook;
}

struct playbook *playbook_set_find(const struct playbook_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i]->name, name) == 0)
            return set->items[i];
    return NULL;
}

json_t *playbook_set_json(const struct playbook_set *set)
{
    json_t *array = json_array();
    for (size_t i = 0; i < set->count; i++) {
        json_t *item = json_object();
        json_set_text(item, "name", set->items[i]->name);
        json_set_text(item, "description", set->items[i]->description);
        json_array_append_new(array, item);
    }
    return array;
}

const char *playbook_set_nearest(const struct playbook_set *set, const char *typed)
{
    CLEANUP_FREE const char **names = mem_new((set->count + 1) * sizeof *names);
    for (size_t i = 0; i < set->count; i++)
        names[i] = set->items[i]->name;
    return diag_nearest(typed, names);
}

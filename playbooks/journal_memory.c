/* See journal_memory.h. */
#include "playbooks/journal_memory.h"

#include "base/mem.h"

#include <string.h>

enum { RECENT_MAX = 20 };

struct memory {
    json_t *recent; /* runs, the oldest first: summary + plan + entries */
    json_t *kept;   /* values by name */
};

struct memory *memory_new(void)
{
    struct memory *memory = mem_new(sizeof *memory);
    memory->recent = json_array();
    memory->kept = json_object();
    return memory;
}

struct memory *memory_free(struct memory *memory)
{
    if (memory) {
        json_decref(memory->recent);
        json_decref(memory->kept);
        free(memory);
    }
    return NULL;
}

/* --- runs ------------------------------------------------------------------------------------- */

json_t *memory_find(const struct memory *memory, int64_t run)
{
    json_t *record;
    size_t i;
    json_array_foreach(memory->recent, i, record)
    {
        if (json_int_at(record, "run", 0) == run)
            return record;
    }
    return NULL;
}

void memory_take(struct memory *memory, json_t *record)
{
    int64_t run = json_int_at(record, "run", 0);
    size_t at = json_array_size(memory->recent);
    while (at > 0 && json_int_at(json_array_get(memory->recent, at - 1), "run", 0) >= run)
        at--;
    if (memory_find(memory, run))
        json_decref(record);
    else
        json_array_insert_new(memory->recent, at, record);
    if (json_array_size(memory->recent) > RECENT_MAX)
        json_array_remove(memory->recent, 0);
}

/* A copy without plan and entries. */
static json_t *record_summary(const json_t *record)
{
    json_t *summary = json_copy(mem_unconst(record));
    json_object_del(summary, "plan");
    json_object_del(summary, "entries");
    return summary;
}

json_t *memory_begin(struct memory *memory, int64_t run, const json_t *summary, const json_t *plan)
{
    json_t *record = json_deep_copy(summary);
    json_set_int(record, "run", run);
    json_object_set_new(record, "plan", json_deep_copy(plan));
    json_object_set_new(record, "entries", json_array());
    memory_take(memory, record);
    return record_summary(record);
}

void memory_add(struct memory *memory, int64_t run, const json_t *entry)
{
    json_t *record = memory_find(memory, run);
    if (record)
        json_array_append_new(json_object_get(record, "entries"), json_deep_copy(entry));
}

void memory_end(struct memory *memory, int64_t run, const json_t *summary)
{
    json_t *record = memory_find(memory, run);
    if (record)
        json_object_update(record, mem_unconst(summary));
}

json_t *memory_newest(const struct memory *memory, const json_t *stored, int limit)
{
    json_t *list = json_array();
    size_t at = 0;
    for (size_t i = json_array_size(memory->recent); i-- > 0;) {
        const json_t *record = json_array_get(memory->recent, i);
        int64_t run = json_int_at(record, "run", 0);
        for (; json_int_at(json_array_get(stored, at), "run", 0) > run; at++)
            json_array_append(list, json_array_get(stored, at));
        at += json_int_at(json_array_get(stored, at), "run", 0) == run;
        json_array_append_new(list, record_summary(record));
    }
    for (; at < json_array_size(stored); at++)
        json_array_append(list, json_array_get(stored, at));
    while ((int)json_array_size(list) > limit)
        json_array_remove(list, json_array_size(list) - 1);
    return list;
}

/* --- values ----------------------------------------------------------------------------------- */

void memory_keep(struct memory *memory, const char *key, const json_t *value)
{
    if (value)
        json_object_set_new(memory->kept, key, json_deep_copy(value));
    else
        json_object_del(memory->kept, key);
}

json_t *memory_recall(const struct memory *memory, const json_t *stored, const char *prefix)
{
    json_t *found = stored ? json_copy(mem_unconst(stored)) : json_object();
    const char *key;
    json_t *value;
    json_object_foreach(memory->kept, key, value)
    {
        if (strncmp(key, prefix, strlen(prefix)) == 0)
            json_object_set(found, key, value);
    }
    return found;
}

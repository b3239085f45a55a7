/* See followers.h. One who is removed in the middle of a telling is only marked, and swept later.
 */
#include "playbooks/followers.h"

#include "base/mem.h"

#include <string.h>

struct follower {
    struct follower *next;
    uint64_t handle; /* 0: gone, to be swept */
    runner_entry_fn on_entry;
    void *data;
    size_t sent;
};

struct followers {
    struct loop *loop;
    struct follower *first;
    int telling; /* nested: an entry may lead to another */
};

static void sweep(struct followers *followers)
{
    struct follower **at = &followers->first;
    while (*at && followers->telling == 0) {
        struct follower *follower = *at;
        if (follower->handle) {
            at = &follower->next;
            continue;
        }
        *at = follower->next;
        free(follower);
    }
}

struct followers *followers_new(struct loop *loop)
{
    struct followers *followers = mem_new(sizeof *followers);
    followers->loop = loop;
    return followers;
}

struct followers *followers_free(struct followers *followers)
{
    if (!followers)
        return NULL;
    for (struct follower *f = followers->first; f; f = f->next)
        f->handle = 0;
    sweep(followers);
    free(followers);
    return NULL;
}

uint64_t followers_add(struct followers *followers, runner_entry_fn on_entry, void *data)
{
    struct follower *follower = mem_new(sizeof *follower);
    *follower = (struct follower){.next = followers->first,
                                  .handle = loop_next_id(followers->loop),
                                  .on_entry = on_entry,
                                  .data = data};
    followers->first = follower;
    return follower->handle;
}

bool followers_remove(struct followers *followers, uint64_t handle)
{
    struct follower *f = followers->first;
    while (f && f->handle != handle)
        f = f->next;
    if (!f || handle == 0)
        return false;
    f->handle = 0;
    sweep(followers);
    return true;
}

static bool is_end(const json_t *entry)
{
    return strcmp(json_text_at(entry, "type", ""), "end") == 0;
}

/* What the follower has not had; after the end nothing comes any more. */
static void catch_up(struct follower *follower, const json_t *entries)
{
    while (follower->handle && follower->sent < json_array_size(entries)) {
        const json_t *entry = json_array_get(entries, follower->sent++);
        bool last = is_end(entry);
        follower->on_entry(follower->data, entry, last);
        if (last)
            follower->handle = 0;
    }
}

void followers_tell(struct followers *followers, const json_t *entries, const json_t *live_entry)
{
    followers->telling++;
    for (struct follower *f = followers->first; f; f = f->next) {
        catch_up(f, entries);
        if (live_entry && f->handle)
            f->on_entry(f->data, live_entry, false);
    }
    followers->telling--;
    sweep(followers);
}

void followers_end(struct followers *followers, bool goes_on)
{
    followers->telling++;
    for (struct follower *f = followers->first; f; f = f->next) {
        if (f->handle && goes_on)
            f->on_entry(f->data, NULL, true);
        f->handle = 0;
    }
    followers->telling--;
    sweep(followers);
}

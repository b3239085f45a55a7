/* See stack_graph.h. Depth first over service indices; a project has tens of services. */
#include "docker/stack_graph.h"

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

enum mark { NEW, ON_PATH, DONE };

struct walk {
    const struct stack *stack;
    enum mark *marks; /* one a service */
    size_t *path;     /* indices from the start to here */
    size_t depth;
};

static struct walk walk_new(const struct stack *stack)
{
    size_t count = stack->service_count ? stack->service_count : 1;
    return (struct walk){.stack = stack,
                         .marks = mem_new(count * sizeof(enum mark)),
                         .path = mem_new(count * sizeof(size_t))};
}

static void walk_free(struct walk *walk)
{
    free(walk->marks);
    free(walk->path);
}

static size_t index_of(const struct stack *stack, const struct stack_service *service)
{
    return (size_t)(service - stack->services);
}

/* Follows everything from `at`. True when it came back to a service on the path, which then stands
 * at path[depth] as the second mention. */
static bool visit(struct walk *walk, size_t at, size_t *ret_again)
{
    const struct stack_service *service = &walk->stack->services[at];
    walk->marks[at] = ON_PATH;
    walk->path[walk->depth++] = at;
    for (size_t i = 0; i < service->dependency_count; i++) {
        const struct stack_service *next =
            stack_service(walk->stack, service->dependencies[i].service);
        if (!next)
            continue;
        *ret_again = index_of(walk->stack, next);
        if (walk->marks[*ret_again] == ON_PATH)
            return true;
        if (walk->marks[*ret_again] == NEW && visit(walk, *ret_again, ret_again))
            return true;
    }
    walk->marks[at] = DONE;
    walk->depth--;
    return false;
}

bool stack__reaches(const struct stack *stack, const struct stack_service *from,
                    const struct stack_service *to)
{
    struct walk walk = walk_new(stack);
    size_t again = 0;
    bool is_circle = visit(&walk, index_of(stack, from), &again);
    /* A circle is found and named later; until then everything counts as reached. */
    bool reached = is_circle || walk.marks[index_of(stack, to)] != NEW;
    walk_free(&walk);
    return reached;
}

static char *cycle_text(const struct walk *walk, size_t again)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    size_t start = 0;
    while (walk->path[start] != again)
        start++;
    for (size_t i = start; i < walk->depth; i++)
        buf_printf(&text, "%s → ", walk->stack->services[walk->path[i]].name);
    buf_puts(&text, walk->stack->services[again].name);
    return buf_take(&text);
}

char *stack__find_cycle(const struct stack *stack)
{
    struct walk walk = walk_new(stack);
    char *text = NULL;
    for (size_t i = 0; i < stack->service_count && !text; i++) {
        size_t again = 0;
        if (walk.marks[i] == NEW && visit(&walk, i, &again))
            text = cycle_text(&walk, again);
    }
    walk_free(&walk);
    return text;
}

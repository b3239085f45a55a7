/* The decisions of stack_load, apart from its waiting: which project, which files. Pure.
 *
 * May use: base, stack.h, files.h (a file's shape only).
 */
#ifndef DOCKER_STACK_PICK_H
#define DOCKER_STACK_PICK_H

#include "base/files.h"
#include "docker/stack.h"

/* A selector that owns its texts, as the loading outlives the asker's. */
struct stack__choice;
struct stack__choice *stack__choice_new(const struct stack_selector *selector);
struct stack__choice *stack__choice_free(struct stack__choice *choice);
const struct stack_selector *stack__choice_selector(const struct stack__choice *choice);

/* The project that was named, or the only one with a PostgreSQL. The caller frees *ret. */
int stack__choose_project(const struct stack__choice *choice, struct container *const *containers,
                          size_t count, char **ret, struct err *e);

/* The compose files that have to be read because no label tells the order; 0 when none. The caller
 * frees the paths and their array. */
char **stack__compose_paths(const struct stack__choice *choice, struct container *const *containers,
                            size_t count, size_t *ret_count);

/* All files as one, or NULL with a note in *ret_problem (the caller frees it) when one cannot be
 * read: half of the order would look like the whole. */
struct stack_file *stack__merge_files(const struct file *files, size_t count, char **ret_problem);

#endif

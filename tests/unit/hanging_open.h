/* Files whose file system does not answer: open() of a path that has this word in it waits until it
 * is let go. It takes the place of libc's in the whole test program. */
#ifndef TESTS_HANGING_OPEN_H
#define TESTS_HANGING_OPEN_H

void opens_hang(const char *word); /* NULL: all that wait go on, and nothing hangs any more */
int opens_hanging(void);           /* how many wait now */

#endif

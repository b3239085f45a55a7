/* Room on the disk that is kept for the journal: a file beside it that is given up when the disk is
 * full, so that the story of a run, and above all its end, is on disk all the same. Blocking;
 * called from the journal's worker only. Private to playbooks/.
 *
 * May use: base.
 */
#ifndef PLAYBOOKS_JOURNAL_RESERVE_H
#define PLAYBOOKS_JOURNAL_RESERVE_H

#include <stdbool.h>

struct reserve;

/* The file is made, or filled up again, as far as there is room: at once, and by reserve_fill(). */
struct reserve *reserve_open(const char *journal_path);
void reserve_fill(struct reserve *reserve);

/* Gives room to whoever is refused for want of it; false: there is none left. The last part of it
 * is for the end of a run. */
bool reserve_give(struct reserve *reserve, bool to_an_end);

/* The file stays for the next life. Accepts NULL; returns NULL. */
struct reserve *reserve_close(struct reserve *reserve);

#endif

/* The status page: what is known, for people with a browser. It changes nothing, asks nobody, runs
 * no script and loads itself anew every few seconds.
 *
 * May use: base. Pure.
 */
#ifndef SUPERVISOR_PAGE_H
#define SUPERVISOR_PAGE_H

#include "base/json.h"

/* What is shown; all borrowed. The lists are those of the API under the same names. */
struct page {
    const char *project; /* or NULL */
    const char *sentence;
    const char *at;           /* the time of the page */
    const json_t *containers; /* lookout_containers */
    const json_t *observations;
    const json_t *policies;
    const json_t *decisions;
    const json_t *runs;
};

/* The whole document; the caller frees it. Every text in it is anybody's and is escaped. */
char *page_html(const struct page *page);

const char *page_style(void);

#endif

/* The news: what the policies decide, and what a run leaves to a person, told to those who asked to
 * hear it (notify/), with the queue of what could not be delivered yet in the journal.
 *
 * May use: base, notify/, playbooks/journal.h and runner.h, policies/decision.h.
 */
#ifndef SUPERVISOR_NEWS_H
#define SUPERVISOR_NEWS_H

#include "notify/notify.h"
#include "playbooks/journal.h"
#include "playbooks/runner.h"
#include "policies/decision.h"

struct news;

/* Reads from the journal what another life did not deliver. Make it before whatever decides: what
 * the journal is asked first it answers first. */
struct news *news_new(struct loop *loop, struct journal *journal, struct notify_config *config);

/* Deliveries under way are given up and stay in the journal; close that after it. Accepts NULL;
 * returns NULL. */
struct news *news_free(struct news *news);

void news_configure(struct news *news, struct notify_config *config);

/* A decision, if it is one that people are told of. project may be NULL; run is the last one of its
 * incident, or 0. */
void news_decision(struct news *news, const struct decision *decision, const char *project,
                   int64_t run);

/* The end of a run, whoever asked for it, if a person is needed: something was left stopped, or a
 * run of an earlier life, whose asker hears nothing any more, failed. (A policy's failure is told
 * by what the policy decides next; that something was left stopped is not, as its trouble may be
 * over by it.)
 */
void news_run_ended(struct news *news, const struct run_end *end);

/* The receivers and how they do (notify_json); the caller owns it. */
json_t *news_json(const struct news *news);

struct notify *news_notify(struct news *news); /* for a test of a receiver */

#endif

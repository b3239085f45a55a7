/* The service manager's view of the daemon. Does nothing when systemd did not start it.
 *
 * Source: sd_notify(3), sd_watchdog_enabled(3). May use: libsystemd. */
#ifndef SUPERVISOR_SD_H
#define SUPERVISOR_SD_H

#include <stdint.h>

void sd_ready(const char *status);
void sd_reloading(void);
void sd_stopping(void);
void sd_status(const char *status); /* one line, for `systemctl status` */

/* How long it may hear nothing before it kills us; 0: it does not watch. */
int64_t sd_watchdog_ms(void);
void sd_alive(void);

/* What is under way (a stop) ends within so long from now, or says so again. */
void sd_extend(int64_t ms);

#endif

/* systemd's view of the daemon. Does nothing when systemd did not start it. May use: libsystemd. */
#ifndef SUPERVISOR_SD_H
#define SUPERVISOR_SD_H

void sd_ready(const char *status);
void sd_reloading(void);
void sd_stopping(void);

#endif

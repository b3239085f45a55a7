/* See sd.h. */
#include "supervisor/sd.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>
#include <time.h>

void sd_ready(const char *status)
{
    sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void sd_reloading(void)
{
    /* MONOTONIC_USEC is what Type=notify-reload wants; older systemd ignores it. */
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
               (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void sd_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

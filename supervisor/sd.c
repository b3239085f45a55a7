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

void sd_status(const char *status)
{
    sd_notifyf(0, "STATUS=%s", status);
}

int64_t sd_watchdog_ms(void)
{
    uint64_t usec = 0;
    return sd_watchdog_enabled(0, &usec) > 0 ? (int64_t)(usec / 1000) : 0;
}

void sd_alive(void)
{
    sd_notify(0, "WATCHDOG=1");
}

void sd_extend(int64_t ms)
{
    sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRId64, ms * 1000);
}

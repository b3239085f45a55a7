/* The process about itself, under the names that every exporter uses. From the kernel's own books:
 * nothing here reads a disk. See metrics.h. */
#include "supervisor/metrics.h"

#include "base/mem.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec * 1e-6;
}

static void expose_cpu(struct exposition *out)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        exposition_single(out, "process_cpu_seconds_total", METRIC_COUNTER,
                          "User and system time of the processor.",
                          seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime));
}

static void expose_memory(struct exposition *out)
{
    int64_t pages;
    int64_t resident;
    double page = (double)sysconf(_SC_PAGESIZE);
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return;
    if (fscanf(file, "%" SCNd64 " %" SCNd64, &pages, &resident) == 2) {
        exposition_single(out, "process_virtual_memory_bytes", METRIC_GAUGE, "Address space.",
                          (double)pages * page);
        exposition_single(out, "process_resident_memory_bytes", METRIC_GAUGE, "Memory in use.",
                          (double)resident * page);
    }
    fclose(file);
}

static void expose_descriptors(struct exposition *out)
{
    struct rlimit limit;
    int count = -3; /* ".", "..", and the one that looks */
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder))
        count++;
    if (folder && closedir(folder) == 0)
        exposition_single(out, "process_open_fds", METRIC_GAUGE, "Open descriptors.", count);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        exposition_single(out, "process_max_fds", METRIC_GAUGE, "Descriptors that may be open.",
                          (double)limit.rlim_cur);
}

void metrics_process(int64_t started_wall_ms, struct exposition *out)
{
    exposition_single(out, "process_start_time_seconds", METRIC_GAUGE,
                      "When the process started, since 1970.", (double)started_wall_ms * 1e-3);
    expose_cpu(out);
    expose_memory(out);
    expose_descriptors(out);
}

/*
 * The door's view of this process itself: what it may use and what it uses. Read from
 * limits and from /proc; where those say nothing, the answer is "as much as you like".
 */
#include "io/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

unsigned sys_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    return CPU_COUNT(&set) > 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

/* The number in a file of one line; UINT64_MAX where there is none ("max" too). */
static uint64_t number_in(const char *path)
{
    char text[32];
    uint64_t value;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);

    if (fd >= 0)
        close(fd);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    return n > 0 && str_to_u64((str){text, (size_t)n}, &value) ? value : UINT64_MAX;
}

/* The limit of the control group that we are in (version 2; 1 at its usual place). */
static uint64_t group_limit(void)
{
    char text[4096], path[4352];
    int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    char *own;

    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    own = strstr(text, "0::");
    if (!own)
        return number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    own[strcspn(own, "\n")] = '\0';
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", own + 3);
    return number_in(path);
}

uint64_t sys_memory_limit(void)
{
    uint64_t limit = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t group = group_limit();
    struct rlimit own;

    if (group < limit)
        limit = group;
    if (!getrlimit(RLIMIT_AS, &own) && own.rlim_cur < limit)
        limit = own.rlim_cur;
    return limit;
}

static void read_memory(struct sys_usage *out)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (!file)
        return;
    if (fscanf(file, "%lu %lu", &size, &resident) == 2) {
        out->virtual_size = size * page;
        out->resident = resident * page;
    }
    fclose(file);
}

static uint64_t ns_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

static unsigned count_open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    if (!directory)
        return 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count > 3 ? count - 3 : 0; /* without ".", ".." and this one */
}

void sys_usage(struct sys_usage *out)
{
    struct rusage usage = {0};

    *out = (struct sys_usage){.open_files = count_open_files(),
                              .open_files_most = sys_file_limit()};
    getrusage(RUSAGE_SELF, &usage);
    out->cpu_ns = ns_of(usage.ru_utime) + ns_of(usage.ru_stime);
    read_memory(out);
}

unsigned sys_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > 10000000)
        return 10000000;
    return (unsigned)limit.rlim_cur;
}

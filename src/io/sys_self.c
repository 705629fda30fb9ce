/*
 * The door's view of this process itself: what it may use and what it uses. Read from
 * limits and from /proc; where those say nothing, the answer is "as much as you like".
 */
#include "io/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

unsigned sys_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    return CPU_COUNT(&set) > 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

enum { HEAP_ROOM_MOST = 64 << 20, HEAP_MORE = 1 << 20, HEAP_PIECE = 256 << 10 };

void sys_heap_prepare(size_t size)
{
    char *p, *end, *page;
    uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);

    size = size < HEAP_ROOM_MOST ? size : HEAP_ROOM_MOST;
    /* What is large comes from the same room, and nothing of it goes back. */
    mallopt(M_MMAP_THRESHOLD, HEAP_ROOM_MOST / 2);
    mallopt(M_TRIM_THRESHOLD, 2 * HEAP_ROOM_MOST);
    mallopt(M_TOP_PAD, (int)size);
    p = malloc(HEAP_PIECE);
    end = sbrk(0);
    mallopt(M_TOP_PAD, HEAP_MORE);
    page = (char *)(((uintptr_t)p + page_size - 1) & ~(page_size - 1));
    if (p && page < end && (size_t)(end - page) <= size + 2 * HEAP_PIECE) {
        madvise(page, (size_t)(end - page), MADV_HUGEPAGE);
        madvise(page, (size_t)(end - page), MADV_POPULATE_WRITE);
    }
    free(p);
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

/* The least of the limits along a group's path, from `folder`/path up to `folder`: a
 * container may see its own group there, and none of the path. */
static uint64_t limit_along(const char *folder, char *path, const char *file)
{
    char name[4352];
    uint64_t least = UINT64_MAX;

    for (;;) {
        char *end = strrchr(path, '/');
        uint64_t limit;

        snprintf(name, sizeof name, "%s%s/%s", folder, path, file);
        limit = number_in(name);
        least = limit < least ? limit : least;
        if (!end)
            return least;
        *end = '\0';
    }
}

/* The limit of the control groups that the file `list` says we are in, of version 1, 2 or
 * both; they are mounted at `root`. */
static uint64_t group_limit(const char *list, const char *root)
{
    char line[4096], folder[256];
    uint64_t least = UINT64_MAX, limit = UINT64_MAX;
    FILE *file = fopen(list, "re");

    snprintf(folder, sizeof folder, "%s/memory", root);
    while (file && fgets(line, sizeof line, file)) {
        char *first = strstr(line, "memory:"), *second = strstr(line, "0::");

        line[strcspn(line, "\n")] = '\0';
        if (second == line)
            limit = limit_along(root, line + strlen("0::"), "memory.max");
        else if (first)
            limit =
                limit_along(folder, first + strlen("memory:"), "memory.limit_in_bytes");
        least = limit < least ? limit : least;
    }
    if (file)
        fclose(file);
    return least;
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

/* Of addresses half at most is for us: threads and the allocator reserve many. */
static uint64_t address_limit(void)
{
    struct sys_usage now = {0};
    struct rlimit own;

    if (getrlimit(RLIMIT_AS, &own) || own.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    read_memory(&now);
    return now.virtual_size < own.rlim_cur ? (own.rlim_cur - now.virtual_size) / 2 : 0;
}

uint64_t sys_memory_limit(void)
{
    uint64_t limit = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t group = group_limit("/proc/self/cgroup", "/sys/fs/cgroup"),
             addresses = address_limit();

    limit = group < limit ? group : limit;
    return addresses < limit ? addresses : limit;
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

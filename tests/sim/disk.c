/* A handful of names with texts. What is written is only counted in the trace. */
#include "disk.h"

#include "world.h"

enum { PATHS_MOST = 8 };

static struct {
    const char *paths[PATHS_MOST];
    str texts[PATHS_MOST];
    unsigned count;
} disk;

void disk_begin(void)
{
    disk.count = 0;
}

static unsigned find(const char *path)
{
    unsigned i = 0;

    while (i < disk.count && strcmp(disk.paths[i], path) != 0)
        i++;
    return i;
}

void disk_put(const char *path, str text)
{
    unsigned i = find(path);

    if (i == PATHS_MOST)
        return;
    if (i == disk.count) {
        disk.count++;
        disk.paths[i] = disk_name(path);
    }
    disk.texts[i] = text;
}

void disk_remove(const char *path)
{
    unsigned i = find(path);

    if (i < disk.count)
        disk.texts[i] = STR_NONE;
}

str disk_text(const char *path)
{
    unsigned i = find(path);

    return i < disk.count ? disk.texts[i] : STR_NONE;
}

const char *disk_name_of(str path)
{
    return arena_copy(&world.arena, path).p;
}

const char *disk_name(const char *path)
{
    return disk_name_of(str_of(path));
}

void disk_append(const char *path, str text)
{
    (void)path;
    trace("writes", text.n, 0);
}

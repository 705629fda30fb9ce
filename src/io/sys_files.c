/* Looking into directories and at links. */
#include "io/sys_files.h"

#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <unistd.h>

enum err sys_directory_list(const char *path, struct arena *arena, str **names,
                            unsigned *count)
{
    struct vec_of(str) found = {0};
    DIR *directory = opendir(path);
    struct dirent *entry;

    if (!directory)
        return err_from_errno(errno);
    while ((entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            *vec_add(&found, arena) = arena_copy(arena, str_of(entry->d_name));
    }
    closedir(directory);
    *names = found.items;
    *count = (unsigned)found.count;
    return ERR_OK;
}

enum err sys_link_read(const char *path, struct arena *arena, str *out)
{
    char text[PATH_MAX];
    ssize_t n = readlink(path, text, sizeof text);

    if (n < 0)
        return err_from_errno(errno);
    *out = arena_copy(arena, (str){text, (size_t)n});
    return ERR_OK;
}

/*
 * The files and the environment of this process. Who holds an address is looked up in
 * /proc, so that `weir check` can name the program, and so that it stays silent about a
 * weir that runs already: a check before a reload must not fail because of itself. Where
 * the holder can not be seen nothing is said; `weir run` will find out.
 */
#include "main/world.h"

#include "control/conf/textual.h"
#include "io/sys.h"
#include "io/sys_files.h"

#include <stdio.h>
#include <stdlib.h>

static enum err read_file(void *owner, str path, struct arena *arena, str *out)
{
    if (str_eq(path, STR(WORLD_STDIN)))
        path = STR("/dev/stdin");
    return sys_file_read(arena_copy(arena, path).p, SOURCE_MOST, arena, out);
}

enum { LONG_FILE = 64 << 10, MEMORY_PER_BYTE = 16 };

/* A check that ends soon needs no thrift: its memory is taken in one piece. */
static enum err read_file_at_once(void *owner, str path, struct arena *arena, str *out)
{
    enum err e = read_file(owner, path, arena, out);

    if (e == ERR_OK && out->n >= LONG_FILE)
        sys_heap_prepare(out->n * MEMORY_PER_BYTE);
    return e;
}

static enum err list_directory(void *owner, str path, struct arena *arena, str **names,
                               unsigned *count)
{
    return sys_directory_list(arena_copy(arena, path).p, arena, names, count);
}

static bool get_variable(void *owner, str name, str *out)
{
    struct arena scratch;
    const char *value;

    arena_init(&scratch, 0);
    value = getenv(arena_copy(&scratch, name).p);
    arena_reset(&scratch);
    if (value)
        *out = str_of(value);
    return value != NULL;
}

enum { PROC_FILE_MOST = 1 << 20 };

/* The inode of a socket that listens on the port, from /proc/net/tcp and tcp6. Listening
 * sockets come first there, so the beginning of a long file will do. */
static bool find_inode(const char *path, uint16_t port, struct arena *arena, str *inode)
{
    char wanted[8];
    str rest, line;
    enum err e = sys_file_read(path, PROC_FILE_MOST, arena, &rest);

    if (e && e != ERR_TOO_LARGE)
        return false;
    snprintf(wanted, sizeof wanted, ":%04X", port);
    while (str_next(&rest, '\n', &line)) {
        str field = STR_NONE, local = STR_NONE, state = STR_NONE;

        for (unsigned i = 0; str_next(&line, ' ', &field);) {
            if (field.n == 0)
                continue;
            if (i == 1)
                local = field;
            if (i == 3)
                state = field;
            if (i++ == 9)
                break;
        }
        if (field.n && str_ends(local, str_of(wanted)) && str_eq(state, STR("0A"))) {
            *inode = field;
            return true;
        }
    }
    return false;
}

static bool has_socket(str process, str link, struct arena *arena)
{
    str *fds = NULL;
    unsigned count = 0;
    const char *directory =
        arena_printf(arena, "/proc/" STR_FMT "/fd", STR_ARG(process)).p;

    if (sys_directory_list(directory, arena, &fds, &count))
        return false;
    for (unsigned i = 0; i < count; i++) {
        str target;

        if (sys_link_read(
                arena_printf(arena, "%s/" STR_FMT, directory, STR_ARG(fds[i])).p, arena,
                &target) == ERR_OK &&
            str_eq(target, link))
            return true;
    }
    return false;
}

static bool find_process(str inode, struct arena *arena, str *process, str *name)
{
    str link = arena_printf(arena, "socket:[" STR_FMT "]", STR_ARG(inode));
    str *entries = NULL;
    unsigned count = 0;

    if (sys_directory_list("/proc", arena, &entries, &count))
        return false;
    for (unsigned i = 0; i < count; i++) {
        uint64_t number;

        if (!str_to_u64(entries[i], &number) || !has_socket(entries[i], link, arena))
            continue;
        *process = entries[i];
        return sys_file_read(
                   arena_printf(arena, "/proc/" STR_FMT "/comm", STR_ARG(entries[i])).p,
                   256, arena, name) == ERR_OK;
    }
    return false;
}

static bool is_taken(const struct addr *addr)
{
    int fd;
    enum err e;

    if (addr->family == ADDR_UNIX || sys_socket((enum addr_family)addr->family, &fd))
        return false;
    e = sys_set(fd, SOCK_REUSE_ADDRESS, 1);
    if (!e)
        e = sys_bind(fd, addr);
    sys_close(fd);
    return e == ERR_IN_USE;
}

static bool find_holder(void *owner, const struct addr *addr, struct arena *arena,
                        str *holder)
{
    str inode, process, name;

    if (!is_taken(addr))
        return false;
    if (!find_inode("/proc/net/tcp", addr->port, arena, &inode) &&
        !find_inode("/proc/net/tcp6", addr->port, arena, &inode))
        return false;
    if (!find_process(inode, arena, &process, &name))
        return false;
    while (name.n && name.p[name.n - 1] == '\n')
        name.n--;
    if (str_eq(name, STR("weir")))
        return false;
    *holder = arena_printf(arena, "process " STR_FMT " (" STR_FMT ")", STR_ARG(process),
                           STR_ARG(name));
    return true;
}

const struct conf_world world_of_process = {
    .read_file = read_file,
    .list_directory = list_directory,
    .get_variable = get_variable,
};

const struct conf_world world_of_checker = {
    .read_file = read_file_at_once,
    .list_directory = list_directory,
    .get_variable = get_variable,
    .find_holder = find_holder,
};

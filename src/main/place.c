/* The two places of the admin socket, and ports that know of them. */
#include "main/place.h"

#include "io/sys_host.h"

#include <stdio.h>
#include <stdlib.h>

const char *place_admin_socket(void)
{
    static char path[ADDR_PATH_MOST + 1];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int n;

    if (sys_user_is_root() || !runtime || *runtime != '/')
        return PLACE_ADMIN_SOCKET;
    n = snprintf(path, sizeof path, "%s/weir/admin.sock", runtime);
    return n > 0 && (size_t)n < sizeof path ? path : PLACE_ADMIN_SOCKET;
}

str place_own_socket(const char *what, char *memory, size_t room)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    const char *directory = runtime && *runtime == '/' ? runtime : "/tmp";
    int n, process = sys_process_self();

    n = snprintf(memory, room, "%s/weir-%s-%d.sock", directory, what, process);
    if (n < 0 || (size_t)n >= room)
        n = snprintf(memory, room, "/tmp/weir-%s-%d.sock", what, process);
    return (str){memory, (size_t)n};
}

struct placed_ports {
    struct ports ports;
    struct ports *below;
};

/* The address as it is to be opened here. */
static struct addr placed(const struct addr *addr)
{
    struct addr own;

    if (addr->family == ADDR_UNIX && strcmp(addr->path, PLACE_ADMIN_SOCKET) == 0 &&
        !addr_from_path(str_of(place_admin_socket()), &own))
        return own;
    return *addr;
}

static enum err placed_open(struct ports *ports, const struct addr *addr, unsigned count,
                            int *fds)
{
    struct placed_ports *here = container_of(ports, struct placed_ports, ports);
    struct addr own = placed(addr);

    if (own.family == ADDR_UNIX)
        sys_directory_make_above(own.path, NULL);
    return here->below->open(here->below, &own, count, fds);
}

static void placed_close(struct ports *ports, const struct addr *addr)
{
    struct placed_ports *here = container_of(ports, struct placed_ports, ports);
    struct addr own = placed(addr);

    here->below->close(here->below, &own);
}

struct ports *place_ports(struct ports *below)
{
    static struct placed_ports here;

    here = (struct placed_ports){{placed_open, placed_close}, below};
    return &here.ports;
}

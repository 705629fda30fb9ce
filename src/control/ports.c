/*
 * Ports without a supervisor: a list of what we hold. A copy of each socket stays here
 * for as long as the address is wanted, so that a listener that is removed and added
 * again, or a worker that is late, finds the queue with what waits in it.
 */
#include "control/ports.h"

#include "base/check.h"
#include "base/list.h"
#include "io/sys.h"
#include "net/listen.h"

#include <stdlib.h>

struct held_port {
    struct list node; /* direct_ports->held */
    struct addr addr;
    unsigned count, room;
    int *fds;
};

struct direct_ports {
    struct ports ports;
    struct list held;
};

static struct held_port *held_find(struct direct_ports *direct, const struct addr *addr)
{
    list_each(node, &direct->held) {
        struct held_port *held = list_entry(node, struct held_port, node);

        if (addr_eq(&held->addr, addr))
            return held;
    }
    return NULL;
}

/*
 * Do we hold this port under another address? When ":80" becomes "127.0.0.1:80" in a
 * reload both are ours for a while, and the probe would find ourselves. A foreign socket
 * without SO_REUSEPORT is still found by bind.
 */
static bool port_is_ours(const struct direct_ports *direct, const struct addr *addr)
{
    list_each(node, &direct->held) {
        struct held_port *held = list_entry(node, struct held_port, node);

        if (held->addr.family != ADDR_UNIX && addr->family != ADDR_UNIX &&
            held->addr.port == addr->port)
            return true;
    }
    return false;
}

/* One that nobody accepts from would swallow its share of the connections. */
static void held_cut(struct held_port *held, unsigned count)
{
    while (held->count > count)
        sys_close(held->fds[--held->count]);
}

static void held_free(struct held_port *held)
{
    list_remove(&held->node);
    free(held->fds);
    free(held);
}

static struct held_port *held_new(struct direct_ports *direct, const struct addr *addr)
{
    struct held_port *held = calloc(1, sizeof *held);

    CHECK(held);
    held->addr = *addr;
    list_add(&direct->held, &held->node);
    return held;
}

static enum err held_grow(struct held_port *held, unsigned count)
{
    enum err e;

    if (held->room < count) {
        held->fds = realloc(held->fds, count * sizeof *held->fds);
        CHECK(held->fds);
        held->room = count;
    }
    while (held->count < count) {
        if ((e = listen_socket_open(&held->addr, &held->fds[held->count])))
            return e;
        held->count++;
    }
    return ERR_OK;
}

static enum err copy_all(const struct held_port *held, unsigned count, int *fds)
{
    for (unsigned i = 0; i < count; i++) {
        enum err e = sys_dup(held->fds[i % held->count], &fds[i]);

        if (e) {
            while (i)
                sys_close(fds[--i]);
            return e;
        }
    }
    return ERR_OK;
}

static enum err direct_open(struct ports *ports, const struct addr *addr, unsigned count,
                            int *fds)
{
    struct direct_ports *direct = container_of(ports, struct direct_ports, ports);
    struct held_port *held = held_find(direct, addr);
    unsigned sockets = addr->family == ADDR_UNIX ? 1 : count;
    unsigned before = held ? held->count : 0;
    enum err e;

    CHECK(count > 0);
    if (!held) {
        if (!port_is_ours(direct, addr) && (e = listen_probe(addr)))
            return e;
        held = held_new(direct, addr);
    }
    if ((e = held_grow(held, sockets)) || (e = copy_all(held, count, fds))) {
        held_cut(held, before);
        if (!before)
            held_free(held);
        return e;
    }
    held_cut(held, sockets);
    return ERR_OK;
}

/* Ends it all: the sockets, and the file of a unix one. */
static void held_drop(struct held_port *held)
{
    held_cut(held, 0);
    if (held->addr.family == ADDR_UNIX) {
        enum err e = sys_socket_remove(held->addr.path);

        (void)e; /* somebody has tidied up before us */
    }
    held_free(held);
}

static void direct_close(struct ports *ports, const struct addr *addr)
{
    struct direct_ports *direct = container_of(ports, struct direct_ports, ports);
    struct held_port *held = held_find(direct, addr);

    if (held)
        held_drop(held);
}

struct ports *ports_direct(void)
{
    struct direct_ports *direct = calloc(1, sizeof *direct);

    CHECK(direct);
    direct->ports = (struct ports){.open = direct_open, .close = direct_close};
    list_init(&direct->held);
    return &direct->ports;
}

void ports_direct_free(struct ports *ports)
{
    struct direct_ports *direct = container_of(ports, struct direct_ports, ports);

    list_each_safe(node, &direct->held)
        held_drop(list_entry(node, struct held_port, node));
    free(direct);
}

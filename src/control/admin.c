/* The gates: opening and closing them as the settings say, and letting clients in. */
#include "control/admin.h"

#include "base/check.h"
#include "control/admin_client.h"
#include "control/conf/address.h"

#include <stdlib.h>

enum { ACCEPT_A_TURN = 64 };

#define ACCEPT_PAUSE ((uint64_t)1000000000) /* out of descriptors: try again later */

static void admit(struct gate *gate, int fd)
{
    if (gate->client_count < ADMIN_CLIENTS || clients_make_room(gate))
        client_begin(gate, fd);
    else
        sys_close(fd);
}

static void gate_accept(struct gate *gate)
{
    struct loop *loop = &gate->admin->engine->loop;
    enum err e = ERR_OK;

    for (int i = 0; i < ACCEPT_A_TURN; i++) {
        struct addr peer;
        int fd;

        if ((e = sys_accept(gate->watch.fd, &fd, &peer)) == ERR_OK)
            admit(gate, fd);
        else if (e != ERR_RESET) /* else it was gone before we came */
            break;
    }
    if (e != ERR_AGAIN) /* the edge will not be told again */
        timer_set(&loop->timers, &gate->retry, loop->now + (e ? ACCEPT_PAUSE : 0));
}

static void gate_ready(struct watch *watch, unsigned ready)
{
    (void)ready;
    gate_accept(container_of(watch, struct gate, watch));
}

static void gate_retry(struct timer *timer)
{
    gate_accept(container_of(timer, struct gate, retry));
}

static void gate_close(struct gate *gate)
{
    struct admin *admin = gate->admin;

    if (!gate->is_open)
        return;
    gate->is_open = false;
    timer_remove(&admin->engine->loop.timers, &gate->retry);
    loop_unwatch(&admin->engine->loop, &gate->watch);
    sys_close(gate->watch.fd);
    admin->ports->close(admin->ports, &gate->addr);
    clients_retire(gate);
}

static const char *words_for(enum err e, const struct addr *addr)
{
    if (addr->family != ADDR_UNIX)
        return err_text(e);
    switch (e) {
    case ERR_NOT_FOUND:
        return "its directory does not exist";
    case ERR_DENIED:
        return "no permission to make a socket there";
    case ERR_IN_USE:
        return "a living process listens there, or the file is not a socket";
    default:
        return err_text(e);
    }
}

/* Both gates may have something to say. */
static void next_reason(struct scroll *why)
{
    if (why->n)
        scroll_add(why, STR("; "));
}

static void warn(const struct gate *gate, const struct addr *wanted, enum err e,
                 struct scroll *why)
{
    char memory[ADDR_TEXT_MOST];
    str name = addr_print(wanted, memory, sizeof memory);

    next_reason(why);
    scroll_format(why, "cannot listen at " STR_FMT ": %s", STR_ARG(name),
                  words_for(e, wanted));
    if (gate->is_open) {
        name = addr_print(&gate->addr, memory, sizeof memory);
        scroll_format(why, ", still listening at " STR_FMT, STR_ARG(name));
    }
}

/* What cannot be had does not cost what we have: the old gate stays until the new one
 * is open. */
static void gate_apply(struct gate *gate, const struct addr *wanted, struct scroll *why)
{
    struct admin *admin = gate->admin;
    enum err e;
    int fd;

    if (gate->is_open && addr_eq(&gate->addr, wanted))
        return;
    if (wanted->family == ADDR_NONE) {
        gate_close(gate);
        return;
    }
    if ((e = admin->ports->open(admin->ports, wanted, 1, &fd))) {
        warn(gate, wanted, e, why);
        return;
    }
    gate_close(gate);
    watch_init(&gate->watch, fd, gate_ready);
    if ((e = loop_watch(&admin->engine->loop, &gate->watch))) {
        sys_close(fd);
        admin->ports->close(admin->ports, wanted);
        warn(gate, wanted, e, why);
        return;
    }
    gate->addr = *wanted;
    gate->is_open = true;
}

static enum err read_socket(str path, struct addr *out)
{
    *out = (struct addr){0};
    return path.n ? addr_from_path(path, out) : ERR_OK;
}

void admin_apply(struct admin *admin, const struct admin_settings *settings,
                 const struct metrics_settings *metrics, struct scroll *why)
{
    struct addr addr;
    enum err e;

    scroll_close(&admin->metrics_path);
    if (metrics->is_enabled)
        scroll_add(&admin->metrics_path, metrics->path);
    if ((e = read_socket(settings->socket, &addr))) {
        next_reason(why);
        scroll_format(why, "'" STR_FMT "' is no path for a socket: %s",
                      STR_ARG(settings->socket), err_text(e));
    } else {
        gate_apply(&admin->gates[GATE_SOCKET], &addr, why);
    }
    if (address_parse_listen(settings->address, &addr)) {
        next_reason(why);
        scroll_format(why, "'" STR_FMT "' is no address to listen on",
                      STR_ARG(settings->address));
    } else {
        gate_apply(&admin->gates[GATE_ADDRESS], &addr, why);
    }
}

enum err admin_new(struct admin **made, struct engine *engine, struct ports *ports,
                   const struct admin_house *house)
{
    struct admin *admin = calloc(1, sizeof *admin);

    if (!admin)
        return ERR_NO_MEMORY;
    admin->engine = engine;
    admin->ports = ports;
    admin->house = *house;
    sys_own_user(&admin->uid, &admin->gid);
    for (unsigned kind = 0; kind < GATE_COUNT; kind++) {
        struct gate *gate = &admin->gates[kind];

        gate->kind = kind;
        gate->admin = admin;
        timer_init(&gate->retry, gate_retry);
        list_init(&gate->clients);
    }
    *made = admin;
    return ERR_OK;
}

void admin_free(struct admin *admin)
{
    for (unsigned kind = 0; kind < GATE_COUNT; kind++) {
        struct gate *gate = &admin->gates[kind];

        gate_close(gate);
        list_each_safe(node, &gate->clients)
            client_end(list_entry(node, struct client, node));
    }
    scroll_close(&admin->metrics_path);
    free(admin);
}

/*
 * Accepting. A bounded number at a time, so that a flood does not starve those who are
 * in; a refused one is closed at once. Who is idle makes room for who comes; where nobody
 * is and no descriptor is left, the door waits a moment: the kernel would say "readable"
 * for ever.
 */
#include "proxy/door.h"

#include "proxy/session.h"
#include "proxy/tcp_session.h"

#include <stdlib.h>

enum { ACCEPT_A_TURN = 64, TURNS_TO_EMPTY = 64, DEFER_SECONDS = 1 };

static void reject(struct door *door, int fd, enum reject_reason why)
{
    counter_add(&door->live->shards[door->worker->index].rejected[why], 1);
    sys_close(fd);
}

/* Of a full process those leave who only wait for what they may ask next. */
static bool let_in(struct door *door, const struct addr *peer, struct conn_permit *permit,
                   enum reject_reason *why)
{
    struct worker *worker = door->worker;

    if (conn_limit_take(worker->conn_limit, door->listener, peer, permit, why))
        return true;
    return *why == REJECT_PROCESS_FULL && worker_end_idle_client(worker) &&
           conn_limit_take(worker->conn_limit, door->listener, peer, permit, why);
}

static void admit(struct door *door, int fd, const struct addr *peer)
{
    struct conn_permit permit;
    enum reject_reason why;

    if (engine_is_full(&door->worker->engine)) {
        reject(door, fd, REJECT_PROCESS_FULL);
        return;
    }
    if (!let_in(door, peer, &permit, &why)) {
        reject(door, fd, why);
        return;
    }
    counter_add(&door->live->shards[door->worker->index].accepted, 1);
    if (door->listener->kind == LISTENER_HTTP)
        session_begin(door, fd, peer, &permit);
    else
        tcp_session_begin(door, fd, peer, &permit);
}

/* Out of descriptors. A shared door is told of again and again until somebody accepts, so
 * it does not listen meanwhile. */
static void door_pause(struct door *door)
{
    door->can_accept = true;
    if (door->is_shared)
        loop_unwatch(&door->worker->engine.loop, &door->watch);
    worker_pause_accept(door->worker);
}

/* False: no memory to listen on; once more after a pause. */
static bool is_watched(struct door *door)
{
    if (door->watch.is_added ||
        !loop_watch_shared(&door->worker->engine.loop, &door->watch))
        return true;
    door_pause(door);
    return false;
}

void door_accept(struct door *door)
{
    if (!door->is_open || !is_watched(door))
        return;
    for (int i = 0; i < ACCEPT_A_TURN && door->is_open; i++) {
        struct addr peer;
        int fd;
        enum err e = sys_accept(door->watch.fd, &fd, &peer);

        if (e == ERR_OK) {
            admit(door, fd, &peer);
            continue;
        }
        if (e == ERR_RESET) /* it was gone before we came */
            continue;
        if (e == ERR_NO_FDS && worker_free_descriptors(door->worker))
            continue;
        door->can_accept = false;
        if (e != ERR_AGAIN)
            door_pause(door);
        return;
    }
    if (door->can_accept && door->is_open)
        loop_defer(&door->worker->engine.loop, &door->worker->accept_again);
}

void door_empty(struct door *door)
{
    door->can_accept = true;
    for (int i = 0; i < TURNS_TO_EMPTY && door->can_accept; i++)
        door_accept(door);
}

static void door_ready(struct watch *watch, unsigned ready)
{
    struct door *door = container_of(watch, struct door, watch);

    (void)ready;
    door->can_accept = true;
    door_accept(door);
}

/* Where the client speaks first the kernel keeps a connection to itself until it has, or
 * a second has gone by: accepted with its request it needs no wait for it. */
void door_use(struct door *door, const struct listener *listener)
{
    bool client_first = listener && listener->kind == LISTENER_HTTP;

    door->listener = listener;
    if (listener && door->is_open && door->addr.family != ADDR_UNIX) {
        enum err e =
            sys_set(door->watch.fd, SOCK_DEFER_ACCEPT, client_first ? DEFER_SECONDS : 0);

        (void)e; /* then they are told of earlier, that is all */
    }
}

enum err door_open(struct worker *worker, const struct listener *listener,
                   const struct addr *addr, int fd, bool is_shared)
{
    struct door *door = calloc(1, sizeof *door);
    enum err e;

    if (!door)
        return ERR_NO_MEMORY;
    *door = (struct door){.worker = worker,
                          .live = listener->live,
                          .addr = *addr,
                          .is_shared = is_shared,
                          .is_open = true};
    list_init(&door->node);
    watch_init(&door->watch, fd, door_ready);
    e = is_shared ? loop_watch_shared(&worker->engine.loop, &door->watch)
                  : loop_watch(&worker->engine.loop, &door->watch);
    if (e) {
        free(door);
        return e;
    }
    door_use(door, listener);
    atomic_fetch_add_explicit(&listener->live->holds, 1, memory_order_relaxed);
    list_add(&worker->doors, &door->node);
    return ERR_OK;
}

static void free_if_empty(struct door *door)
{
    if (door->is_open || door->sessions)
        return;
    list_remove(&door->node);
    atomic_fetch_sub_explicit(&door->live->holds, 1, memory_order_release);
    free(door);
}

void door_shut(struct door *door)
{
    if (!door->is_open)
        return;
    door->is_open = false;
    loop_unwatch(&door->worker->engine.loop, &door->watch);
    sys_close(door->watch.fd);
    free_if_empty(door);
}

void door_left(struct door *door)
{
    door->sessions--;
    free_if_empty(door);
}

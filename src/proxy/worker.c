/*
 * The worker's own affairs: snapshots adopted and left, doors, drains. Requests are the
 * exchange's business. Pins are plain counters: this thread alone writes them, and the
 * steward is told by mail when an old snapshot's count has come to zero.
 */
#include "proxy/worker.h"

#include "base/check.h"
#include "proxy/cookie_jar.h"
#include "proxy/door.h"
#include "proxy/exchange.h"
#include "proxy/facts.h"
#include "proxy/link.h"
#include "proxy/relay.h"
#include "proxy/session.h"
#include "proxy/tcp_session.h"

enum { ACCEPT_PAUSE_MS = 100, IDLE_LOOKS = 64, WALL_EVERY_NS = 1000000000 };

/* ---- accepting ---- */

static void accept_on(struct worker *worker)
{
    list_each_safe(node, &worker->doors) {
        struct door *door = list_entry(node, struct door, node);

        if (door->is_open && door->can_accept)
            door_accept(door);
    }
}

static void accept_again(struct deferred *deferred)
{
    accept_on(container_of(deferred, struct worker, accept_again));
}

static void pause_over(struct timer *timer)
{
    accept_on(container_of(timer, struct worker, accept_pause));
}

/* Links that lie idle are only a hoard: others need their descriptors more. */
static bool close_idle_links(struct worker *worker)
{
    bool has_closed = false;

    list_each_safe(node, &worker->links) {
        struct link *link = list_entry(node, struct link, of_worker);

        if (link->exchange)
            continue;
        link_close(link);
        has_closed = true;
    }
    return has_closed;
}

/* Who was looked at goes to the list's end, so that all have their turn in the end and
 * no look costs more than a little. Those of a closed door go by themselves. */
bool worker_end_idle_client(struct worker *worker)
{
    struct session *longest = NULL;

    for (unsigned i = 0;
         i < IDLE_LOOKS && i < worker->session_count && !list_is_empty(&worker->sessions);
         i++) {
        struct list *node = list_take(&worker->sessions);
        struct guest *guest = list_entry(node, struct guest, node);
        struct session *session = container_of(guest, struct session, guest);

        list_add(&worker->sessions, node);
        if (guest->kind == SESSION_HTTP && guest->door->is_open &&
            session_is_idle(session) &&
            (!longest || session->timer.due < longest->timer.due))
            longest = session;
    }
    if (longest)
        session_cut(longest);
    return longest != NULL;
}

bool worker_free_descriptors(struct worker *worker)
{
    return close_idle_links(worker) || worker_end_idle_client(worker);
}

void worker_pause_accept(struct worker *worker)
{
    struct loop *loop = &worker->engine.loop;

    timer_set(&loop->timers, &worker->accept_pause,
              loop->now + (uint64_t)ACCEPT_PAUSE_MS * 1000000);
}

/* ---- life ---- */

enum err worker_init(struct worker *worker, unsigned index, struct snapshot *snapshot,
                     struct conn_limit *conn_limit, struct steward_desk *steward)
{
    enum err e;

    memset(worker, 0, sizeof *worker);
    worker->magic = WORKER_MAGIC;
    worker->index = index;
    worker->snapshot = snapshot;
    worker->conn_limit = conn_limit;
    worker->steward = steward;
    list_init(&worker->doors);
    list_init(&worker->sessions);
    list_init(&worker->links);
    slab_init(&worker->session_slab, "sessions", sizeof(struct session));
    slab_init(&worker->exchange_slab, "exchanges", sizeof(struct exchange));
    slab_init(&worker->link_slab, "links", sizeof(struct link));
    slab_init(&worker->relay_slab, "relays", sizeof(struct relay));
    slab_init(&worker->tcp_slab, "tcp_sessions", sizeof(struct tcp_session));
    pattern_scratch_init(&worker->patterns);
    if ((e = engine_init(&worker->engine, index)))
        return e;
    id_source_init(&worker->ids, &worker->engine.rand);
    deferred_init(&worker->accept_again, accept_again);
    timer_init(&worker->accept_pause, pause_over);
    pressure_init(worker);
    worker->wall_read = worker->engine.loop.now;
    worker->wall_offset = sys_wall() - worker->wall_read;
    return ERR_OK;
}

void worker_close(struct worker *worker)
{
    CHECK(list_is_empty(&worker->sessions));
    list_each_safe(node, &worker->doors) {
        door_shut(list_entry(node, struct door, node));
    }
    timer_remove(&worker->engine.loop.timers, &worker->accept_pause);
    pressure_close(worker);
    deferred_cancel(&worker->accept_again);
    slab_close(&worker->session_slab);
    slab_close(&worker->exchange_slab);
    slab_close(&worker->link_slab);
    slab_close(&worker->relay_slab);
    slab_close(&worker->tcp_slab);
    pattern_scratch_close(&worker->patterns);
    cookie_jar_free(worker->jar);
    engine_close(&worker->engine);
}

static NEVER_INLINE void read_wall(struct worker *worker)
{
    worker->wall_read = worker->engine.loop.now;
    worker->wall_offset = sys_wall() - worker->wall_read;
}

bool worker_turn(void *owner)
{
    struct worker *worker = owner;
    struct loop *loop = &worker->engine.loop;
    bool goes_on;

    if (worker->engine.loop.now - worker->wall_read > WALL_EVERY_NS)
        read_wall(worker); /* it may have been set */
    goes_on = loop_turn(loop);
    if (loop->told >= PRESSURE_EVENTS || loop->now >= worker->pressure.look_at)
        pressure_look(worker);
    return goes_on;
}

/* ---- snapshots ---- */

struct snapshot *worker_pin(struct worker *worker)
{
    worker->snapshot->pins[worker->index].count++;
    return worker->snapshot;
}

void worker_unpin(struct worker *worker, struct snapshot *snapshot)
{
    uint64_t *count = &snapshot->pins[worker->index].count;

    CHECK(*count > 0);
    if (--*count == 0 && snapshot != worker->snapshot)
        worker->steward->snapshot_left(worker->steward, snapshot, worker->index);
}

static const struct listener *find_listener(const struct snapshot *snapshot,
                                            const struct listener_live *live)
{
    for (unsigned i = 0; i < snapshot->listener_count; i++)
        if (snapshot->listeners[i].live == live)
            return &snapshot->listeners[i];
    return NULL;
}

/* Idle sessions of listeners that are gone end; others after their exchange. */
static void drain_sessions(struct worker *worker, bool of_removed_only)
{
    struct list all; /* apart, because what one still answers may end others */
    struct list *node;

    list_init(&all);
    while ((node = list_take(&worker->sessions)))
        list_add(&all, node);
    while ((node = list_take(&all))) {
        struct guest *guest = list_entry(node, struct guest, node);

        list_add(&worker->sessions, node);
        if (guest->kind == SESSION_HTTP && (!of_removed_only || !guest->door->listener))
            session_drain(container_of(guest, struct session, guest));
    }
}

static bool has_address(const struct listener *listener, const struct addr *addr)
{
    for (unsigned i = 0; i < listener->address_count; i++)
        if (addr_eq(&listener->addresses[i], addr))
            return true;
    return false;
}

static bool stays_open(const struct door *door, const struct snapshot *snapshot)
{
    const struct listener *listener = find_listener(snapshot, door->live);

    return listener && has_address(listener, &door->addr);
}

void worker_adopt(struct worker *worker, struct snapshot *snapshot)
{
    struct snapshot *old = worker->snapshot;

    list_each_safe(node, &worker->doors) {
        struct door *door = list_entry(node, struct door, node);

        if (!stays_open(door, snapshot))
            door_accept(door); /* whoever waits in the queue would be reset */
    }
    worker->snapshot = snapshot;
    list_each_safe(node, &worker->doors) {
        struct door *door = list_entry(node, struct door, node);
        bool stays = stays_open(door, snapshot);

        door_use(door, find_listener(snapshot, door->live));
        if (!stays)
            door_shut(door);
    }
    drain_sessions(worker, true);
    if (old->pins[worker->index].count == 0)
        worker->steward->snapshot_left(worker->steward, old, worker->index);
}

/* ---- the end ---- */

void worker_drain(struct worker *worker)
{
    worker->is_draining = true;
    worker->session_count++; /* ours: it is empty once, when all is done here */
    list_each_safe(node, &worker->doors) {
        struct door *door = list_entry(node, struct door, node);

        door_empty(door);
        door_shut(door);
    }
    drain_sessions(worker, false);
    if (--worker->session_count == 0)
        worker->steward->worker_empty(worker->steward, worker->index);
}

static void cut_guest(struct guest *guest)
{
    if (guest->kind == SESSION_HTTP)
        session_cut(container_of(guest, struct session, guest));
    else
        tcp_session_cut(container_of(guest, struct tcp_session, guest), CAUSE_INTERNAL);
}

/* All of them to an empty list of their own: ending one may begin or end others. */
static void set_apart(struct list *all, struct list *doomed)
{
    struct list *node;

    list_init(doomed);
    while ((node = list_take(all)))
        list_add(doomed, node);
}

void worker_cut_server(struct worker *worker, struct server_live *server)
{
    struct server_desk *desk = &server->desks[worker->index];
    struct list doomed;
    struct list *node;

    set_apart(&desk->links, &doomed);
    while ((node = list_take(&doomed))) {
        struct link *link = list_entry(node, struct link, of_server);

        list_add(&desk->links, node);
        if (link->exchange)
            exchange_lose_server(link->exchange, link);
        else
            link_close(link);
    }
    set_apart(&desk->tcp, &doomed);
    while ((node = list_take(&doomed))) {
        list_add(&desk->tcp, node);
        tcp_session_cut(list_entry(node, struct tcp_session, of_target),
                        CAUSE_SERVER_CLOSED);
    }
}

void worker_cut_listener(struct worker *worker, const struct listener_live *listener)
{
    list_each_safe(node, &worker->sessions) {
        struct guest *guest = list_entry(node, struct guest, node);

        if (guest->door->live == listener && !guest->door->listener)
            cut_guest(guest);
    }
}

void worker_cut(struct worker *worker)
{
    while (!list_is_empty(&worker->sessions))
        cut_guest(list_entry(worker->sessions.next, struct guest, node));
    while (!list_is_empty(&worker->links))
        link_close(list_entry(worker->links.next, struct link, of_worker));
}

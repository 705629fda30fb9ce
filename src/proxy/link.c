/* Links: dialled, used, laid aside, used again, closed. */
#include "proxy/link.h"

#include "base/check.h"
#include "proxy/exchange.h"

static struct server_desk *desk_of(const struct link *link)
{
    return &link->server->desks[link->worker->index];
}

static void take_off_desk(struct link *link)
{
    list_remove(&link->node);
    desk_of(link)->idle_count--;
}

void link_close(struct link *link)
{
    struct worker *worker = link->worker;

    CHECK_MAGIC(link, LINK_MAGIC);
    if (!link->exchange)
        take_off_desk(link);
    timer_remove(&worker->engine.loop.timers, &link->timer);
    h1_end_close(&link->back);
    list_remove(&link->of_worker);
    list_remove(&link->of_server);
    atomic_fetch_sub_explicit(&link->server->holds, 1, memory_order_release);
    link->magic = 0;
    slab_give(&worker->link_slab, link);
}

/* An idle server has nothing to say: whatever comes (its FIN, most often) ends the link. */
static void link_ready(struct conn *conn)
{
    struct link *link = container_of(conn, struct link, back.conn);

    CHECK_MAGIC(link, LINK_MAGIC);
    if (link->exchange)
        exchange_wake(link->exchange);
    else if (conn->can_read || conn->has_ended)
        link_close(link);
}

static void idle_too_long(struct timer *timer)
{
    struct link *link = container_of(timer, struct link, timer);

    if (!link->exchange)
        link_close(link);
}

struct link *link_reuse(struct worker *worker, struct server_live *server,
                        struct exchange *exchange)
{
    struct server_desk *desk = &server->desks[worker->index];
    struct link *link;

    if (list_is_empty(&desk->idle))
        return NULL;
    link = list_entry(desk->idle.next, struct link, node);
    CHECK_MAGIC(link, LINK_MAGIC);
    take_off_desk(link);
    link->exchange = exchange;
    link->uses++;
    return link;
}

struct link *link_dial(struct worker *worker, struct server_live *server,
                       struct exchange *exchange, enum err *why)
{
    struct link *link = slab_take(&worker->link_slab);

    *link = (struct link){.magic = LINK_MAGIC,
                          .worker = worker,
                          .server = server,
                          .exchange = exchange,
                          .uses = 1};
    list_init(&link->node);
    timer_init(&link->timer, idle_too_long);
    *why = conn_dial(&link->back.conn, &worker->engine, &server->addr, link_ready);
    if (*why) {
        slab_give(&worker->link_slab, link);
        return NULL;
    }
    h1_end_init(&link->back);
    list_add(&worker->links, &link->of_worker);
    list_add(&desk_of(link)->links, &link->of_server);
    atomic_fetch_add_explicit(&server->holds, 1, memory_order_relaxed);
    return link;
}

/* Has the server nothing more to say? After a read that came full, or a splice, only the
 * kernel knows. */
static bool is_silent(struct link *link)
{
    char byte;
    size_t got;

    return !h1_end_has_input(&link->back) &&
           conn_read(&link->back.conn, &byte, 1, &got) == ERR_AGAIN;
}

/* Drained or removed: nobody will use the link again. */
static bool is_leaving(const struct server_live *server)
{
    return atomic_load_explicit(&server->is_leaving, memory_order_relaxed);
}

void link_release(struct link *link, const struct keepalive *keepalive)
{
    struct server_desk *desk = desk_of(link);
    struct loop *loop = &link->worker->engine.loop;

    h1_end_drop_head(&link->back);
    if (link->uses >= keepalive->max_requests || keepalive->connections == 0 ||
        link->worker->is_draining || is_leaving(link->server) ||
        link->back.conn.has_ended || !is_silent(link)) {
        link_close(link);
        return;
    }
    link->exchange = NULL;
    list_push(&desk->idle, &link->node);
    timer_set(&loop->timers, &link->timer,
              loop->now + (uint64_t)keepalive->idle * 1000000);
    if (++desk->idle_count > keepalive->connections)
        link_close(list_entry(desk->idle.prev, struct link, node));
}

void link_close_idle(struct worker *worker, struct server_live *server)
{
    struct server_desk *desk = &server->desks[worker->index];

    while (!list_is_empty(&desk->idle))
        link_close(list_entry(desk->idle.next, struct link, node));
}

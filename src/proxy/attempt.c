/*
 * What a try at a server does on its own, be it the first, a retry or a hedge: it connects
 * and hands the request over. What follows from a failure is the steps' business.
 */
#include "proto/proxy_header.h"
#include "proxy/exchange.h"

static void send_proxy_header(struct exchange *x, struct link *link)
{
    char memory[PROXY_HEADER_MOST];
    struct text text = text_in(memory, sizeof memory);
    struct addr to = {0};

    if (sys_local_addr(x->session->front.conn.watch.fd, &to))
        proxy_header_write_local(&text);
    else
        proxy_header_write(&text, &x->client, &to);
    h1_end_send_raw(&link->back, text_str(&text));
}

enum err attempt_connect(struct exchange *x, struct attempt *attempt, enum due due)
{
    struct server_live *server = attempt->server;
    bool is_proxied = x->pool->proxy_protocol != PROXY_PROTOCOL_OFF;
    enum err e;

    if (!attempt->link && !is_proxied &&
        (attempt->link = link_reuse(x->worker, server, x))) {
        attempt->is_reused = true;
        attempt->connected = attempt->began;
        return ERR_OK;
    }
    if (!attempt->link) {
        attempt->link = link_dial(x->worker, server, x, &e);
        if (!attempt->link && e == ERR_NO_FDS && worker_free_descriptors(x->worker))
            attempt->link = link_dial(x->worker, server, x, &e);
        if (!attempt->link)
            return e;
        exchange_due(x, due, x->route->timeouts.connect);
    }
    e = conn_connected(&attempt->link->back.conn);
    if (e == ERR_AGAIN)
        return e;
    exchange_done_with(x, due);
    if (e)
        return e;
    attempt->connected = exchange_now(x);
    histogram_add(&server->shards[x->worker->index].connect,
                  attempt->connected - attempt->began);
    if (atomic_load_explicit(&server->connect_failures, memory_order_relaxed))
        atomic_store_explicit(&server->connect_failures, 0, memory_order_relaxed);
    if (is_proxied)
        send_proxy_header(x, attempt->link);
    return ERR_OK;
}

static void choose_authority(struct exchange *x, const struct server_live *server)
{
    struct head *head = &x->request;

    if (x->route->host_header == HOST_FIXED)
        head->authority = x->route->host_name;
    else if (x->route->host_header == HOST_SERVER || !head->authority.n)
        head->authority = arena_copy(
            &x->arena, addr_print(&server->addr, arena_alloc(&x->arena, ADDR_TEXT_MOST),
                                  ADDR_TEXT_MOST));
}

void attempt_send(struct exchange *x, struct attempt *attempt)
{
    struct http_end *back = &attempt->link->back.end;
    struct head_send what = {.head = &x->request,
                             .target = x->target,
                             .upgrades = x->request.flags & HEAD_UPGRADE};

    if (x->route->host_header != HOST_KEEP || !x->request.authority.n)
        choose_authority(x, attempt->server);
    attempt->sent_before = back->conn->sent;
    attempt->is_head_sent = true;
    back->ops->send_head(back, &what);
    attempt->sent = attempt->asked = exchange_now(x);
}

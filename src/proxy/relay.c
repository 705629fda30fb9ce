/*
 * Short pieces are copied, bulk is spliced: a way switches to a pipe when two reads in a
 * row have filled a whole chunk, and back when a splice brings little.
 */
#include "proxy/relay.h"

#include "base/check.h"

enum { PIECES_A_TURN = 16, BULK_AFTER = 2, BULK_LEAST = 16 * 1024 };

/* One side has ended. Whether it still hears, nobody can tell. */
static bool is_half(const struct relay *relay)
{
    return relay->ways[RELAY_CLIENT].is_over || relay->ways[RELAY_SERVER].is_over;
}

static void restart_timer(struct relay *relay)
{
    struct loop *loop = &relay->worker->engine.loop;
    uint64_t most = relay->idle;

    if (is_half(relay) && relay->half_closed && (!most || relay->half_closed < most))
        most = relay->half_closed;
    if (most)
        timer_set(&loop->timers, &relay->timer, loop->now + most);
}

/* Is a socket still taking what we have handed to the kernel? That may be megabytes, for
 * somebody who reads slowly. */
static bool kernel_moves(struct relay *relay)
{
    size_t before = relay->unsent;

    relay->unsent = 0;
    for (int i = 0; i < 2; i++)
        relay->unsent += sys_unsent(relay->ways[i].to->watch.fd);
    return relay->unsent && relay->unsent != before;
}

/* A server that has ended has said all that it had to say. */
static void timer_fired(struct timer *timer)
{
    struct relay *relay = container_of(timer, struct relay, timer);

    if (is_half(relay) && kernel_moves(relay))
        restart_timer(relay);
    else if (relay->ways[RELAY_SERVER].is_over)
        relay_cut(relay, CAUSE_OK);
    else
        relay_cut(relay, relay->ways[RELAY_CLIENT].is_over ? CAUSE_SERVER_TIMEOUT
                                                           : CAUSE_CLIENT_TIMEOUT);
}

static void turn_again(struct deferred *deferred)
{
    relay_wake(container_of(deferred, struct relay, again));
}

struct relay *relay_new(struct worker *worker, struct conn *client, struct conn *server,
                        const struct timeouts *timeouts, relay_done_fn *done, void *owner)
{
    struct relay *relay = slab_take(&worker->relay_slab);

    memset(relay, 0, sizeof *relay);
    relay->worker = worker;
    relay->ways[RELAY_CLIENT] = (struct relay_way){.from = client, .to = server};
    relay->ways[RELAY_SERVER] = (struct relay_way){.from = server, .to = client};
    relay->idle = (uint64_t)timeouts->tunnel * 1000000;
    relay->half_closed = (uint64_t)timeouts->half_closed * 1000000;
    relay->done = done;
    relay->owner = owner;
    timer_init(&relay->timer, timer_fired);
    deferred_init(&relay->again, turn_again);
    return relay;
}

void relay_begin(struct relay *relay, struct chunk *from_client,
                 struct chunk *from_server)
{
    relay->ways[RELAY_CLIENT].chunk = from_client;
    relay->ways[RELAY_SERVER].chunk = from_server;
    restart_timer(relay);
    loop_defer(&relay->worker->engine.loop, &relay->again);
}

static void drop_chunk(struct relay_way *way)
{
    if (way->chunk)
        chunk_free(way->from->engine, way->chunk);
    way->chunk = NULL;
}

static void drop_pipe(struct relay_way *way)
{
    if (way->pipe)
        pipe_give(way->from->engine, way->pipe);
    way->pipe = NULL;
}

static void relay_end(struct relay *relay)
{
    struct worker *worker = relay->worker;

    for (int i = 0; i < 2; i++) {
        drop_chunk(&relay->ways[i]);
        drop_pipe(&relay->ways[i]);
    }
    timer_remove(&worker->engine.loop.timers, &relay->timer);
    deferred_cancel(&relay->again);
    relay->done(relay);
    slab_give(&worker->relay_slab, relay);
}

void relay_cut(struct relay *relay, enum cause cause)
{
    relay->cause = cause;
    relay_end(relay);
}

/* ERR_OK: all that was held has gone. */
static enum err send_held(struct relay_way *way)
{
    enum err e;

    while (way->pipe && way->pipe->held)
        if ((e = conn_drain_pipe(way->to, way->pipe)))
            return e;
    while (way->chunk && way->chunk->at < way->chunk->end) {
        str bytes = chunk_bytes(way->chunk);
        struct iovec part = {(void *)(uintptr_t)bytes.p, bytes.n};
        size_t sent;

        if ((e = conn_send(way->to, &part, 1, false, &sent)))
            return e;
        way->chunk->at += (unsigned)sent;
    }
    return ERR_OK;
}

static enum err receive_by_copy(struct relay_way *way)
{
    size_t got;
    enum err e;

    if (!way->from->can_read)
        return ERR_AGAIN;
    if (!way->chunk)
        way->chunk =
            chunk_new(way->from->engine, engine_room(way->from->engine, CHUNK_LARGE));
    way->chunk->at = way->chunk->end = 0;
    e = conn_read(way->from, way->chunk->bytes, way->chunk->room, &got);
    if (e)
        return e;
    way->chunk->end = (unsigned)got;
    way->passed += got;
    way->full_reads = got == way->chunk->room ? way->full_reads + 1 : 0;
    return ERR_OK;
}

static enum err receive_by_pipe(struct relay_way *way)
{
    enum err e = conn_fill_pipe(way->from, way->pipe, PIPE_SIZE);

    if (e)
        return e;
    way->passed += way->pipe->held;
    if (way->pipe->held < BULK_LEAST)
        way->full_reads = 0;
    return ERR_OK;
}

static enum err receive(struct relay_way *way)
{
    if (way->full_reads >= BULK_AFTER) {
        drop_chunk(way);
        if (!way->pipe)
            way->pipe = pipe_take(way->from->engine);
        if (way->pipe)
            return receive_by_pipe(way);
    }
    drop_pipe(way);
    return receive_by_copy(way);
}

/* Moves what it can. ERR_OK: its turn is over, there may be more. */
static enum err way_run(struct relay *relay, struct relay_way *way)
{
    const struct relay_way *back = &relay->ways[way == relay->ways];
    enum err e = ERR_OK;

    for (int i = 0; i < PIECES_A_TURN && !e; i++) {
        if ((e = send_held(way)))
            break;
        e = receive(way);
    }
    if (e == ERR_EOF) {
        way->is_over = true;
        if (!back->is_over) /* else both are closed at once */
            conn_shutdown(way->to);
    }
    if ((e == ERR_EOF || e == ERR_AGAIN) &&
        !(way->chunk && way->chunk->at < way->chunk->end)) {
        drop_chunk(way);
        if (way->pipe && !way->pipe->held)
            drop_pipe(way);
    }
    return e;
}

/* Changes with every byte that came or went. */
static uint64_t progress(const struct relay *relay)
{
    const struct conn *client = relay->ways[RELAY_CLIENT].from;
    const struct conn *server = relay->ways[RELAY_SERVER].from;

    return client->received + client->sent + server->received + server->sent;
}

void relay_wake(struct relay *relay)
{
    uint64_t before = progress(relay);
    bool was_half = is_half(relay), goes_on = false;

    for (int i = 0; i < 2; i++) {
        struct relay_way *way = &relay->ways[i];
        enum err e = way->is_over ? ERR_AGAIN : way_run(relay, way);

        if (e == ERR_OK)
            goes_on = true;
        else if (e != ERR_AGAIN && e != ERR_EOF) {
            relay_cut(relay, way->from->is_broken == (i == RELAY_CLIENT)
                                 ? CAUSE_CLIENT_CLOSED
                                 : CAUSE_SERVER_CLOSED);
            return;
        }
    }
    if (relay->ways[RELAY_SERVER].is_over && !relay->ways[RELAY_CLIENT].is_over)
        relay->server_was_first = true;
    if (relay->ways[0].is_over && relay->ways[1].is_over) {
        relay_cut(relay, CAUSE_OK);
        return;
    }
    if (progress(relay) != before || is_half(relay) != was_half)
        restart_timer(relay);
    if (goes_on)
        loop_defer(&relay->worker->engine.loop, &relay->again);
}

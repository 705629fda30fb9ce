/* Queues of bytes and the happenings that move them. */
#include "stream.h"

#include "base/check.h"
#include "files.h"
#include "io/sys.h"

#include <stdlib.h>

static struct {
    struct stream *all;
    uint64_t count;
} net;

struct stream *stream_new(const struct addr *client, const struct addr *server)
{
    static const size_t sizes[] = {2048, 16384, 65536, 262144};
    struct stream *stream = ARENA_NEW(&world.arena, struct stream);

    stream->next = net.all;
    net.all = stream;
    stream->number = ++net.count;
    stream->client = *client;
    stream->server = *server;
    stream->latency = draw_percent(70) ? draw(200000) : draw(20 * MS);
    for (int i = 0; i < 2; i++) {
        stream->sides[i].stream = stream;
        stream->sides[i].in.most = sizes[draw(array_len(sizes))];
    }
    return stream;
}

void streams_free(void)
{
    for (struct stream *stream = net.all; stream; stream = stream->next)
        for (int i = 0; i < 2; i++)
            free(stream->sides[i].in.p);
    net.all = NULL;
    net.count = 0;
}

static uint64_t delay_of(const struct side *side)
{
    return 1000 + draw(side->stream->latency + 1);
}

static void tell(struct side *side)
{
    if (!side->is_open)
        return;
    if (side->file)
        file_wake(side->file);
    else if (side->player)
        side->player->news(side->player);
}

/* ---- what happens ---- */

static void lane_drop(struct lane *lane)
{
    lane->end = lane->arrived;
    lane->has_fin = false;
}

static void reset_arrives(void *who, uint64_t what)
{
    struct side *side = who;

    (void)what;
    if (!side->is_open || side->is_reset || side->stream->is_lost)
        return;
    trace("reset", side->stream->number, (uint64_t)(side == side->stream->sides));
    lane_drop(&side->in);
    side->is_reset = true;
    side->error = ERR_RESET;
    tell(side);
}

static void send_reset(struct side *from)
{
    world_after(delay_of(from), reset_arrives, side_peer(from), 0);
}

static void move(void *who, uint64_t what);

static void start_moving(struct side *to)
{
    struct lane *lane = &to->in;

    if (lane->is_moving || lane->is_corked || to->stream->is_lost ||
        (lane->arrived == lane->end && (!lane->has_fin || lane->fin_arrived)))
        return;
    lane->is_moving = true;
    world_after(delay_of(to), move, to, 0);
}

/* Some of what is under way arrives. */
static void move(void *who, uint64_t what)
{
    struct side *side = who;
    struct lane *lane = &side->in;
    size_t rest = lane->end - lane->arrived;

    (void)what;
    lane->is_moving = false;
    if (side->stream->is_lost || side->is_reset)
        return;
    if (!side->is_open) {
        lane->at = lane->arrived = lane->end = 0;
        if (rest)
            send_reset(side);
        return;
    }
    if (rest) {
        size_t part = side->stream->is_brisk || draw_percent(60) ? rest : 1 + draw(rest);

        lane->arrived += part;
        rest -= part;
    }
    if (!rest && lane->has_fin && (lane->arrived == lane->at || draw_percent(70)))
        lane->fin_arrived = true;
    trace(side == side->stream->sides ? "arrives 0" : "arrives 1", side->stream->number,
          lane->arrived - lane->at);
    tell(side);
    start_moving(side);
}

/* The sender learns that there is room again. */
static void room_arrives(void *who, uint64_t what)
{
    struct side *side = who;
    struct lane *lane = &side_peer(side)->in;

    (void)what;
    if (!side->is_open || !lane->is_wanted || side->stream->is_lost)
        return;
    if (lane->most - (lane->end - lane->at) < lane->most / 3)
        return;
    lane->is_wanted = false;
    tell(side);
}

/* ---- what a side does ---- */

enum err side_recv(struct side *side, char *p, size_t n, size_t *got)
{
    struct lane *lane = &side->in;
    size_t take = side_available(side);

    if (take) {
        take = take < n ? take : n;
        memcpy(p, lane->p + lane->at, take);
        lane->at += take;
        *got = take;
        if (lane->is_wanted)
            world_after(delay_of(side), room_arrives, side_peer(side), 0);
        return ERR_OK;
    }
    if (side->error) {
        enum err e = side->error;

        side->error = ERR_OK;
        return e;
    }
    return side_has_ended(side) ? ERR_EOF : ERR_AGAIN;
}

static void append(struct lane *lane, const char *p, size_t n)
{
    if (lane->at) {
        memmove(lane->p, lane->p + lane->at, lane->end - lane->at);
        lane->arrived -= lane->at;
        lane->end -= lane->at;
        lane->at = 0;
    }
    if (lane->end + n > lane->room) {
        lane->room = (lane->end + n) * 2;
        lane->p = realloc(lane->p, lane->room);
        CHECK(lane->p != NULL);
    }
    memcpy(lane->p + lane->end, p, n);
    lane->end += n;
}

enum err side_send(struct side *side, const char *p, size_t n, bool more, size_t *sent)
{
    struct side *to = side_peer(side);
    struct lane *lane = &to->in;
    size_t held = lane->end - lane->at;
    size_t take = held < lane->most ? lane->most - held : 0;

    lane->is_corked = false; /* a call that is not taken whole pushes */
    if (side->error) {
        enum err e = side->error;

        side->error = ERR_OK;
        return e;
    }
    if (side->is_reset || side->is_shut)
        return ERR_RESET;
    if (side->is_connecting || !take) {
        lane->is_wanted = true;
        start_moving(to);
        return ERR_AGAIN;
    }
    if (take < n) {
        lane->is_wanted = true;
        more = false;
    } else {
        take = n;
    }
    if (take > 1 && !side->stream->is_brisk &&
        draw_percent(5)) { /* the kernel has little memory just now */
        take = 1 + draw(take - 1);
        if (!lane->is_wanted)
            world_after(delay_of(side), room_arrives, side, 0);
        lane->is_wanted = true;
        more = false;
    }
    append(lane, p, take);
    *sent = take;
    lane->is_corked = more;
    start_moving(to);
    return ERR_OK;
}

void side_shutdown(struct side *side)
{
    if (side->is_shut || side->is_reset)
        return;
    side->is_shut = true;
    side_peer(side)->in.has_fin = true;
    side_peer(side)->in.is_corked = false;
    start_moving(side_peer(side));
}

void side_close(struct side *side, bool resets)
{
    struct side *peer = side_peer(side);

    if (!side->is_open)
        return;
    if (side->is_connecting || side->is_reset) {
        lane_drop(&peer->in);
    } else if (resets || side_available(side)) {
        lane_drop(&peer->in);
        send_reset(side);
    } else {
        side_shutdown(side);
    }
    side->is_open = false;
    side->file = NULL;
    side->player = NULL;
    start_moving(side); /* what comes too late is answered by a RST */
}

void side_connected(struct side *side, enum err how)
{
    if (!side->is_open || !side->is_connecting)
        return;
    side->is_connecting = false;
    side->error = how;
    side->is_reset = how != ERR_OK;
    tell(side);
}

unsigned side_ready(const struct side *side)
{
    const struct lane *out = &side_peer(side)->in;
    unsigned ready = 0;

    if (side->is_connecting)
        return 0;
    if (side_available(side) || side_has_ended(side))
        ready |= READY_IN;
    if (side->is_reset || out->most - (out->end - out->at) >= out->most / 3)
        ready |= READY_OUT;
    if (side_has_ended(side))
        ready |= READY_HUP;
    if (side->error)
        ready |= READY_ERROR;
    return ready;
}

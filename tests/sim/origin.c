/* Reading requests, sending answers, dying on time. */
#include "origin.h"

#include "io/sys.h"
#include "rules.h"

#include <stdlib.h>

enum {
    ECHO_ROOM = 4096,
    TCP_NAME = 16
}; /* hexadecimal digits of an id at the start of a TCP stream */

static void news(struct player *player);

static void over(struct serving *serving, bool resets)
{
    if (!serving->side)
        return;
    trace("hangs up", serving->side->stream->number, resets);
    serving->origin->connections--;
    side_close(serving->side, resets);
    serving->side = NULL;
}

/* ---- hanging ---- */

static void must_be_closed(void *who, uint64_t what)
{
    const struct serving *serving = who;

    if (serving->side && !side_has_ended(serving->side))
        violation("a silent server (stream %llu) is still connected after %llu ms",
                  (unsigned long long)serving->side->stream->number,
                  (unsigned long long)(what / MS));
}

void serving_hang(struct serving *serving, uint64_t within)
{
    trace("hangs", serving->side->stream->number, within);
    serving->is_hung = true;
    world_after(within + SLACK, must_be_closed, serving, within);
}

static void die(struct serving *serving)
{
    const struct timeouts *t = &rules.timeouts;

    trace("dies", serving->side->stream->number, serving->death);
    if (serving->death != DEATH_HANG)
        over(serving, serving->death == DEATH_RESET);
    else if (serving->wire.state != WIRE_DONE)
        serving_hang(serving, rules_all_deadlines());
    else if (serving->out_at == 0)
        serving_hang(serving, ns_of(t->response) + 20 * MS);
    else
        serving_hang(serving,
                     ns_of(t->response + t->response_body + t->client_write) + 20 * MS);
}

/* ---- sending ---- */

static void go_on(void *who, uint64_t what)
{
    struct serving *serving = who;

    (void)what;
    serving->is_paused = false;
    if (serving->side)
        news(&serving->player);
}

static void pause_for(struct serving *serving, uint64_t gap)
{
    serving->is_paused = true;
    world_after(gap, go_on, serving, 0);
}

static void next_request(struct serving *serving)
{
    serving->has_begun = false;
    wire_begin(&serving->wire, false, false);
}

/* The answer is out: what now? */
static void answered(struct serving *serving)
{
    serving->is_answering = false;
    if (serving->is_echo)
        return;
    if (serving->closes) {
        if (serving->query && serving->wire.state != WIRE_DONE)
            serving->query->is_broken = true; /* a RST may eat what is under way */
        over(serving, false);
    } else if (serving->wire.state == WIRE_DONE) {
        next_request(serving);
    }
}

static void send_some(struct serving *serving)
{
    while (serving->side && serving->is_answering && !serving->is_paused) {
        size_t end = serving->out.n, n;
        enum err e;

        if (serving->dies_at < end)
            end = serving->dies_at;
        if (serving->out_at == end) {
            if (serving->death && end == serving->dies_at)
                die(serving);
            else
                answered(serving);
            return;
        }
        n = end - serving->out_at;
        if (serving->piece && serving->piece < n)
            n = serving->piece;
        e = side_send(serving->side, serving->out.p + serving->out_at, n, false, &n);
        if (e == ERR_AGAIN)
            return;
        if (e) {
            over(serving, false);
            return;
        }
        serving->out_at += n;
        if (serving->piece && serving->out_at < end)
            pause_for(serving, serving->gap);
    }
}

static void begin_answer(struct serving *serving)
{
    answer_draw(serving);
    serving->has_begun = serving->is_answering = true;
    if (draw_percent(70))
        pause_for(serving, draw(2 * MS));
    else if (draw_percent(80))
        pause_for(serving,
                  draw(rules.is_calm ? 100 * MS : ns_of(rules.timeouts.response)));
}

/* ---- reading ---- */

static void continue_at_last(struct serving *serving)
{
    str text = STR("HTTP/1.1 100 Continue\r\n\r\n");
    size_t n;

    while (text.n && !side_send(serving->side, text.p, text.n, false, &n))
        text = str_from(text, n);
    if (text.n)
        over(serving, true);
}

static void head_read(struct serving *serving)
{
    struct wire *wire = &serving->wire;

    serving->query = wire->id ? query_reached(wire->id, wire->method) : NULL;
    if (wire->state == WIRE_BODY && !rules.is_calm && draw_percent(10)) {
        begin_answer(serving); /* before the request is read */
        return;
    }
    if (wire->expects && wire->state == WIRE_BODY && draw_percent(80))
        continue_at_last(serving);
}

static void request_read(struct serving *serving)
{
    if (serving->query)
        query_read(serving->query, &serving->wire);
    if (!serving->has_begun)
        begin_answer(serving);
    else if (!serving->is_answering)
        next_request(serving);
}

static void feed(struct serving *serving, const char *p, size_t n)
{
    struct wire *wire = &serving->wire;

    while (n && serving->side) {
        enum wire_state before = wire->state;
        size_t used;

        if (before == WIRE_DONE) {
            violation("a server got %zu bytes behind its request", n);
            return;
        }
        used = wire_feed(wire, p, n);
        p += used;
        n -= used;
        if (before == WIRE_HEAD && wire->state != WIRE_HEAD && wire->state != WIRE_BAD) {
            serving->out_at = serving->out.n = 0;
            head_read(serving);
        }
        if (wire->state == WIRE_BAD) {
            violation("a server got what is no HTTP");
            over(serving, true);
        } else if (wire->state == WIRE_DONE && serving->side) {
            request_read(serving);
        }
    }
}

/* ---- sending back what comes ---- */

static void name_echo(struct serving *serving)
{
    char name[TCP_NAME + 1] = "";
    size_t got;

    if (side_available(serving->side) < TCP_NAME)
        return;
    if (side_recv(serving->side, name, TCP_NAME, &got))
        return;
    serving->echo_is_named = true;
    serving->query = query_reached(strtoull(name, NULL, 16), "TCP");
}

static void echo(struct serving *serving)
{
    struct side *side = serving->side;

    if (!serving->echo_is_named) {
        name_echo(serving);
        if (!serving->echo_is_named && !side_has_ended(side))
            return;
    }
    if (draw_percent(serving->origin->trouble / 8)) {
        if (serving->query)
            serving->query->is_broken = true;
        over(serving, draw_percent(50));
        return;
    }
    for (;;) {
        struct text *held = &serving->out;
        size_t n;
        enum err e;

        while (serving->out_at < held->n) {
            if ((e = side_send(side, held->p + serving->out_at, held->n - serving->out_at,
                               false, &n))) {
                if (e != ERR_AGAIN)
                    over(serving, true);
                return;
            }
            serving->out_at += n;
        }
        if (held->room < ECHO_ROOM)
            *held = text_in(arena_alloc(&world.arena, ECHO_ROOM), ECHO_ROOM);
        serving->out_at = held->n = 0;
        e = side_recv(side, held->p, ECHO_ROOM, &n);
        if (e == ERR_AGAIN)
            return;
        if (e) { /* our FIN goes behind what was sent back */
            over(serving, false);
            return;
        }
        held->n = n;
        if (serving->query &&
            !pattern_holds(serving->query->id, serving->echoed, held->p, n))
            violation("tunnel %llu: foreign bytes reached the server",
                      (unsigned long long)serving->query->id);
        serving->echoed += n;
    }
}

/* ---- life ---- */

static void receive(struct serving *serving)
{
    char bytes[8192];

    while (serving->side && !serving->is_hung) {
        size_t got;
        enum err e = side_recv(serving->side, bytes, sizeof bytes, &got);

        if (e == ERR_AGAIN)
            return;
        if (e) {
            over(serving, false);
            return;
        }
        feed(serving, bytes, got);
    }
}

static void news(struct player *player)
{
    struct serving *serving = container_of(player, struct serving, player);

    if (serving->is_hung) {
        if (side_has_ended(serving->side))
            over(serving, false);
        return;
    }
    if (serving->is_echo && !serving->is_answering) {
        echo(serving);
        return;
    }
    if (!serving->is_echo)
        receive(serving);
    send_some(serving);
    if (serving->side && serving->is_echo && !serving->is_answering)
        echo(serving);
}

static void arrive(struct host *host, struct side *side)
{
    struct origin *origin = container_of(host, struct origin, host);
    struct serving *serving = ARENA_NEW(&world.arena, struct serving);

    trace("serves", side->stream->number, origin->index);
    origin->connections++;
    serving->origin = origin;
    serving->side = side;
    serving->player.news = news;
    serving->is_echo = origin->is_echo;
    side->player = &serving->player;
    wire_begin(&serving->wire, false, false);
    if (origin->is_hanging)
        serving_hang(serving, rules_all_deadlines());
    else if (draw_percent(origin->trouble / 10))
        world_after(draw(SECOND), go_on, serving, 0);
}

struct origin *origin_new(unsigned index, bool is_echo)
{
    struct origin *origin = ARENA_NEW(&world.arena, struct origin);

    origin->index = index;
    origin->is_echo = is_echo;
    origin->host.arrive = arrive;
    origin->host.addr = (struct addr){
        .family = ADDR_IP4, .port = 8000, .ip = {10, 0, 1, (unsigned char)(index + 1)}};
    if (!rules.is_calm && draw_percent(60))
        origin->trouble = (unsigned)draw(60);
    host_add(&origin->host);
    return origin;
}

/* ---- moods ---- */

static void change_mood(void *who, uint64_t until)
{
    struct origin *origin = who;
    uint64_t mood = draw(10);

    origin->host.mood = mood < 7 ? HOST_UP : mood == 7 ? HOST_SILENT : HOST_REFUSES;
    origin->is_hanging = mood == 6;
    if (world.now > until) {
        origin->host.mood = HOST_UP;
        origin->is_hanging = false;
        return;
    }
    trace("mood", origin->index, mood);
    world_after(draw(SECOND), change_mood, origin, until);
}

void origin_live(struct origin *origin)
{
    if (!rules.is_calm && draw_percent(50))
        world_after(draw(2 * SECOND), change_mood, origin, world.now + rules.lasts);
}

/* Coming, sending, reading, leaving. */
#include "visitor.h"

#include "files.h"
#include "rules.h"

enum leaving { LEAVES_BY_FIN, LEAVES_BY_RESET, LEAVES_SILENTLY };

static unsigned present;

static void news(struct player *player);

void visitors_begin(void)
{
    present = 0;
}

unsigned visitors_present(void)
{
    return present;
}

/* ---- the end ---- */

static void go(struct visitor *visitor, bool resets)
{
    trace("goes", visitor->number, resets);
    side_close(visitor->side, resets);
    visitor->side = NULL;
    present--;
}

/* An idle client makes room when descriptors run out. Its end may be a while on its way. */
static bool may_have_made_room(const struct visitor *visitor)
{
    return visitor->answered && files_refused_at() &&
           world.now < files_refused_at() + SECOND;
}

static bool may_be_untaken(const struct visitor *visitor)
{
    uint64_t idle = ns_of(rules.timeouts.idle) - SLACK;

    return visitor->was_told_close || may_have_made_room(visitor) ||
           visitor->is_guest_of_other || world.now >= rules.drain_begins ||
           rules_are_tight() ||
           (visitor->answered && visitor->asked_at >= visitor->idle_since + idle);
}

/* The daemon has ended the connection. */
static void ended(struct visitor *visitor)
{
    bool is_first = true;

    if (rules.memory < (uint64_t)1 << 30 || world.now >= rules_cut() ||
        world.now >= visitor->asked_at + ns_of(rules.drain_timeout))
        for (unsigned i = visitor->answered; i < visitor->written; i++)
            visitor->asks[i]->is_excused = true;
    /* One that waits in a queue when its turn comes has left, as far as can be seen. */
    if (visitor->shut_at &&
        (rules.queues || world.now >= visitor->shut_at + ns_of(rules.half_closed)))
        for (unsigned i = visitor->answered; i < visitor->written; i++)
            visitor->asks[i]->is_excused = true;
    trace("ended", visitor->number, visitor->side->is_reset);
    if (visitor->is_tunnel && visitor->answered < visitor->written) {
        struct query *query = visitor->asks[visitor->answered++];

        query->is_excused |= !query->reached && !rules.is_calm;
        if (visitor->tunnel_read == visitor->tunnel_size && !visitor->side->is_reset)
            query_tunnelled(query);
        else
            query_cut(query, true);
    } else if (visitor->wire.state == WIRE_BODY && !visitor->side->is_reset &&
               wire_ended(&visitor->wire)) {
        query_answered(visitor->asks[visitor->answered++], &visitor->wire);
        is_first = false;
    }
    while (visitor->answered < visitor->written) {
        struct query *query = visitor->asks[visitor->answered++];

        if (is_first && visitor->wire.head_n)
            query_cut(query, true);
        else if (!is_first || (may_be_untaken(visitor) && !query->reached))
            query_untaken(query);
        else
            query_cut(query, false);
        is_first = false;
    }
    go(visitor, false);
}

static void leave(void *who, uint64_t how)
{
    struct visitor *visitor = who;

    if (!visitor->side)
        return;
    trace("leaves", visitor->number, how);
    while (visitor->answered < visitor->written)
        query_left(visitor->asks[visitor->answered++]);
    if (how == LEAVES_SILENTLY)
        visitor->side->stream->is_lost = true;
    go(visitor, how == LEAVES_BY_RESET);
}

static void expect_end(struct visitor *visitor, uint64_t within);

/* As long as a server that drips still answers it, nothing is late. */
static void must_be_ended(void *who, uint64_t within)
{
    struct visitor *visitor = who;

    if (!visitor->side)
        return;
    if (!side_has_ended(visitor->side) && visitor->read > visitor->read_before) {
        expect_end(visitor, within);
        return;
    }
    if (!side_has_ended(visitor->side))
        violation("visitor %u waits in vain for the end of its connection (%llu ms)",
                  visitor->number, (unsigned long long)(within / MS));
    leave(visitor, LEAVES_BY_RESET);
}

static void expect_end(struct visitor *visitor, uint64_t within)
{
    visitor->read_before = visitor->read;
    world_after(within + SLACK, must_be_ended, visitor, within);
}

/* ---- pauses ---- */

static void send_again(void *who, uint64_t what)
{
    struct visitor *visitor = who;

    (void)what;
    visitor->is_send_paused = false;
    if (visitor->side)
        news(&visitor->player);
}

static void read_again(void *who, uint64_t what)
{
    struct visitor *visitor = who;

    (void)what;
    visitor->is_read_paused = false;
    if (visitor->side)
        news(&visitor->player);
}

static void continue_anyway(void *who, uint64_t what)
{
    struct visitor *visitor = who;

    if (!visitor->side || visitor->hold_at != what)
        return;
    visitor->hold_at = SIZE_MAX;
    news(&visitor->player);
}

/* ---- sending ---- */

/* Does nothing more: the daemon must end it. */
static void get_stuck(struct visitor *visitor)
{
    const struct timeouts *t = &rules.timeouts;

    visitor->is_stuck = true;
    trace("stuck", visitor->number, visitor->sent);
    for (unsigned i = visitor->answered; i < visitor->written; i++)
        visitor->asks[i]->is_excused = true;
    if (visitor->sent == 0 && !visitor->is_tunnel)
        expect_end(visitor, ns_of(t->request_header) + 50 * MS);
    else if (visitor->is_tunnel && visitor->tunnel_sent)
        expect_end(visitor, ns_of(t->tunnel) + rules_all_deadlines() / 2);
    else
        expect_end(visitor, rules_all_deadlines() * (visitor->written + 1));
}

static size_t next_piece(const struct visitor *visitor)
{
    size_t end = visitor->out.n, n;

    if (visitor->hold_at < end)
        end = visitor->hold_at;
    n = end - visitor->out_at;
    if (visitor->piece && visitor->piece + visitor->out.n / 200 < n)
        n = visitor->piece + visitor->out.n / 200;
    if (visitor->stuck_at - visitor->sent < n)
        n = visitor->stuck_at - visitor->sent;
    return n;
}

static void fill_tunnel(struct visitor *visitor)
{
    uint64_t n = visitor->tunnel_size - visitor->tunnel_sent;

    if (!visitor->is_tunnel || visitor->out_at < visitor->out.n || !n)
        return;
    n = n < 4096 ? n : 4096;
    visitor->out.n = visitor->out_at = 0;
    visitor_room(visitor, n);
    pattern_fill(visitor->asks[0]->id, visitor->tunnel_sent, visitor->out.p, n);
    visitor->out.n = n;
    visitor->tunnel_sent += n;
    if (visitor->tunnel_sent == visitor->tunnel_size)
        visitor->is_half_closing = true;
}

static bool all_is_written(const struct visitor *visitor)
{
    return visitor->written >= visitor->planned;
}

static void all_sent(struct visitor *visitor)
{
    if (visitor->is_half_closing && all_is_written(visitor) && !visitor->side->is_shut &&
        visitor->hold_at == SIZE_MAX &&
        (visitor->visit < VISIT_WEBSOCKET ||
         visitor->tunnel_sent == visitor->tunnel_size)) {
        visitor->shut_at = world.now;
        side_shutdown(visitor->side);
    }
}

static void send_some(struct visitor *visitor)
{
    for (;;) {
        size_t n;
        enum err e;

        if (visitor->is_send_paused || visitor->is_stuck)
            return;
        fill_tunnel(visitor);
        n = next_piece(visitor);
        if (visitor->sent == visitor->stuck_at) {
            get_stuck(visitor);
            return;
        }
        if (!n) {
            if (visitor->out_at == visitor->out.n)
                all_sent(visitor);
            return;
        }
        e = side_send(visitor->side, visitor->out.p + visitor->out_at, n, false, &n);
        if (e)
            return; /* a broken one is seen by reading */
        visitor->out_at += n;
        visitor->sent += n;
        if (visitor->piece) {
            visitor->is_send_paused = true;
            world_after(visitor->gap, send_again, visitor, 0);
        }
    }
}

static bool is_patient(const struct visitor *visitor)
{
    return !visitor->piece && !visitor->sip && visitor->stuck_at == SIZE_MAX &&
           visitor->deaf_at == SIZE_MAX && visitor->visit < VISIT_WEBSOCKET;
}

static void write_one(struct visitor *visitor)
{
    if (visitor->visit == VISIT_HOSTILE && visitor->written + 1 == visitor->planned)
        hostile_write(visitor);
    else
        request_write(visitor);
    if (visitor->hold_at != SIZE_MAX)
        world_after(500 * MS, continue_anyway, visitor, visitor->hold_at);
    if (is_patient(visitor))
        query_must_end(visitor->asks[visitor->written - 1],
                       world.now + rules_all_deadlines() * (visitor->planned + 2));
}

static void begin_next_answer(struct visitor *visitor)
{
    bool is_head = visitor->answered < visitor->written &&
                   strcmp(visitor->asks[visitor->answered]->method, "HEAD") == 0;

    wire_begin(&visitor->wire, true, is_head);
}

static void ask_on(void *who, uint64_t what)
{
    struct visitor *visitor = who;

    (void)what;
    if (!visitor->side || visitor->is_stuck)
        return;
    do
        write_one(visitor);
    while (visitor->is_piped && visitor->written < visitor->planned);
    begin_next_answer(visitor);
    news(&visitor->player);
}

/* ---- reading ---- */

static void had_enough(struct visitor *visitor)
{
    if (visitor->waits_for_end) {
        visitor->is_stuck = true;
        expect_end(visitor, ns_of(rules.timeouts.idle) + 100 * MS);
    } else {
        go(visitor, draw_percent(10));
    }
}

/* Some leave at once, some wait for the FIN. */
static void told_close(struct visitor *visitor)
{
    if (draw_percent(50)) {
        go(visitor, false);
        return;
    }
    visitor->is_stuck = true;
    expect_end(visitor, 2 * SECOND + ns_of(rules.timeouts.client_write));
}

static void open_tunnel(struct visitor *visitor)
{
    visitor->is_tunnel = true;
    visitor->out.n = visitor->out_at = 0;
}

static void answer_read(struct visitor *visitor)
{
    struct wire *wire = &visitor->wire;

    if (wire->status == 100)
        visitor->hold_at = SIZE_MAX;
    if (wire->status == 101 && visitor->visit == VISIT_WEBSOCKET) {
        open_tunnel(visitor);
        return;
    }
    if (wire->status >= 200) {
        query_answered(visitor->asks[visitor->answered++], wire);
        visitor->was_told_close |= wire->closes;
        visitor->idle_since = world.now;
        visitor->hold_at = SIZE_MAX;
        if (visitor->was_told_close) {
            while (visitor->answered < visitor->written)
                query_untaken(visitor->asks[visitor->answered++]);
            told_close(visitor);
            return;
        }
    }
    begin_next_answer(visitor);
    if (visitor->answered < visitor->written)
        return;
    if (visitor->written < visitor->planned)
        world_after(draw_percent(70) ? draw(MS)
                                     : draw(ns_of(rules.timeouts.idle) * 5 / 4),
                    ask_on, visitor, 0);
    else
        had_enough(visitor);
}

static void tunnel_bytes(struct visitor *visitor, const char *p, size_t n)
{
    const struct query *query = visitor->asks[0];

    if (!pattern_holds(query->id, visitor->tunnel_read, p, n))
        violation("tunnel %llu: foreign bytes reached the client",
                  (unsigned long long)query->id);
    visitor->tunnel_read += n;
    if (visitor->tunnel_read > visitor->tunnel_size)
        violation("tunnel %llu: more came back than was sent",
                  (unsigned long long)query->id);
}

/* The daemon has refused the last one it took before it had read that it was a HEAD. */
static bool last_is_unread(const struct visitor *visitor)
{
    const struct query *query = NULL;

    for (unsigned i = 0; i < visitor->answered; i++)
        if (visitor->asks[i]->outcome != OUTCOME_UNTAKEN)
            query = visitor->asks[i];
    return query && query->outcome == OUTCOME_OWN &&
           (!query->reached || query->is_excused) && strcmp(query->method, "HEAD") == 0;
}

static void feed(struct visitor *visitor, const char *p, size_t n)
{
    while (n && visitor->side) {
        size_t used;

        if (visitor->is_tunnel) {
            tunnel_bytes(visitor, p, n);
            return;
        }
        if (visitor->was_told_close && visitor->answered == visitor->written &&
            last_is_unread(visitor))
            return; /* a page behind the head: it knows nothing of the HEAD it refuses */
        if (visitor->answered == visitor->written) {
            violation("visitor %u got bytes that answer nothing", visitor->number);
            go(visitor, true);
            return;
        }
        used = wire_feed(&visitor->wire, p, n);
        p += used;
        n -= used;
        if (visitor->wire.state == WIRE_BAD) {
            violation("visitor %u got what is no HTTP", visitor->number);
            leave(visitor, LEAVES_BY_RESET);
        } else if (visitor->wire.state == WIRE_DONE) {
            answer_read(visitor);
        }
    }
}

static void go_deaf(struct visitor *visitor)
{
    trace("deaf", visitor->number, visitor->read);
    visitor->is_read_paused = visitor->is_stuck = true;
    for (unsigned i = visitor->answered; i < visitor->written; i++)
        visitor->asks[i]->is_excused = true;
    expect_end(visitor,
               rules_all_deadlines() * (visitor->is_tunnel ? 15 : visitor->written + 1));
}

static void read_some(struct visitor *visitor)
{
    char bytes[16384];

    while (visitor->side && !visitor->is_read_paused) {
        size_t n = sizeof bytes, sip = visitor->sip + visitor->read / 100;
        enum err e;

        if (visitor->sip && sip < n)
            n = sip;
        if (visitor->deaf_at - visitor->read < n)
            n = visitor->deaf_at - visitor->read;
        if (!n) {
            go_deaf(visitor);
            return;
        }
        e = side_recv(visitor->side, bytes, n, &n);
        if (e == ERR_AGAIN)
            return;
        if (e) {
            ended(visitor);
            return;
        }
        visitor->read += n;
        if (visitor->sip) {
            visitor->is_read_paused = true;
            world_after(visitor->sip_gap, read_again, visitor, 0);
        }
        feed(visitor, bytes, n);
    }
}

static void news(struct player *player)
{
    struct visitor *visitor = container_of(player, struct visitor, player);

    if (visitor->side->is_connecting)
        return;
    if (!visitor->written && !visitor->side->is_reset)
        ask_on(visitor, 0);
    if (visitor->side)
        read_some(visitor);
    if (visitor->side)
        send_some(visitor);
}

/* ---- coming ---- */

static void draw_manners(struct visitor *visitor)
{
    visitor->stuck_at = visitor->deaf_at = visitor->hold_at = SIZE_MAX;
    visitor->is_piped = visitor->visit == VISIT_HTTP && draw_percent(25);
    visitor->waits_for_end = draw_percent(30);
    if (draw_percent(10)) {
        visitor->piece = 1 + draw(rules.is_calm ? 2000 : 200);
        visitor->gap = 1 + draw(5 * MS);
    }
    if (draw_percent(10)) {
        visitor->sip = 1000 + draw(4000);
        visitor->sip_gap = 1 + draw(5 * MS);
    }
    if (rules.is_calm)
        return;
    visitor->is_half_closing = draw_percent(10);
    if (draw_percent(10))
        visitor->stuck_at = draw(draw_percent(50) ? 300 : 30000);
    else if (draw_percent(10))
        visitor->deaf_at = draw(draw_percent(50) ? 300 : 200000);
    else if (draw_percent(15))
        world_after(draw_percent(50) ? draw(50 * MS) : draw(3 * SECOND), leave, visitor,
                    draw(3));
}

static void draw_visit(struct visitor *visitor)
{
    uint64_t kind = draw(100);

    visitor->planned = 1 + (unsigned)draw(ASKS_MOST - 1);
    visitor->visit = VISIT_HTTP;
    if (kind < 8 && !rules.is_calm)
        visitor->visit = VISIT_HOSTILE;
    else if (kind < 16)
        visitor->visit = VISIT_WEBSOCKET;
    else if (kind < 26)
        visitor->visit = VISIT_TCP;
    if (visitor->visit == VISIT_WEBSOCKET || visitor->visit == VISIT_TCP) {
        visitor->planned = 1;
        visitor->tunnel_size = 1 + (draw_percent(80) ? draw(20000) : draw(500000));
        visitor->is_tunnel = visitor->visit == VISIT_TCP;
    }
    if (visitor->visit == VISIT_HOSTILE && visitor->planned > ASKS_MOST - 1)
        visitor->planned = ASKS_MOST - 1;
}

void visitor_come(unsigned number)
{
    struct visitor *visitor = ARENA_NEW(&world.arena, struct visitor);
    struct addr from = {.family = ADDR_IP4, .ip = {192, 0, 2, (unsigned char)draw(50)}};
    struct addr to = {.family = ADDR_IP4, .ip = {10, 0, 0, 1}, .port = 80};

    visitor->number = number;
    visitor->player.news = news;
    draw_visit(visitor);
    from.port = (uint16_t)(1024 + number);
    visitor->is_guest_of_other = visitor->visit != VISIT_TCP && draw_percent(15);
    if (visitor->visit == VISIT_TCP)
        to.port = 9000;
    else if (visitor->is_guest_of_other)
        to.port = 81;
    if (!file_dial(&visitor->player, &from, &to, &visitor->side))
        return;
    present++;
    trace("comes", number, visitor->visit);
    draw_manners(visitor);
    wire_begin(&visitor->wire, true, false);
}

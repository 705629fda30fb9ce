/* What an origin answers: mostly what it should. */
#include "origin.h"
#include "rules.h"

enum lie {
    LIE_NONE,
    LIE_GARBAGE,
    LIE_TWO_LENGTHS,
    LIE_LENGTH_AND_CHUNKED,
    LIE_BAD_CHUNK,
    LIE_HUGE_HEAD,
    LIE_MANY_INTERIMS,
    LIE_UNASKED_UPGRADE,
    LIE_BARE_LF,
    LIE_SHORT, /* says a longer body than it sends, then FIN */
    LIE_COUNT
};

struct shape {
    enum wire_framing framing;
    uint64_t size;
    unsigned status;
    bool has_body;
};

static uint64_t draw_size(void)
{
    uint64_t kind = draw(100);

    if (kind < 15)
        return 0;
    if (kind < 70)
        return 1 + draw(2000);
    if (kind < 95)
        return draw_between(10000, 100000);
    return draw_between(150000, 500000);
}

static struct shape draw_shape(const struct serving *serving)
{
    static const unsigned statuses[] = {200, 200, 200, 200, 404, 500, 302, 204, 304};
    struct shape shape = {.status = statuses[draw(array_len(statuses))],
                          .size = draw_size(),
                          .framing = WIRE_LENGTH};
    bool is_head = strcmp(serving->wire.method, "HEAD") == 0;

    if (draw_percent(35))
        shape.framing = draw_percent(70) ? WIRE_CHUNKED : WIRE_CLOSE;
    if (shape.status == 204 || shape.status == 304) {
        shape.framing = WIRE_NONE;
        shape.size = 0;
    }
    shape.has_body = !is_head && shape.framing != WIRE_NONE;
    if (is_head && shape.framing == WIRE_CLOSE)
        shape.framing = WIRE_LENGTH;
    return shape;
}

static void add_chunks(struct text *out, uint64_t key, uint64_t size)
{
    for (uint64_t at = 0; at < size;) {
        uint64_t n = draw_percent(50) ? size - at : 1 + draw(size - at);

        if (n > 60000)
            n = 60000;
        text_format(out, "%llx\r\n", (unsigned long long)n);
        pattern_fill(key, at, out->p + out->n, n);
        out->n += n;
        text_add(out, STR("\r\n"));
        at += n;
    }
    text_add(out, STR("0\r\n"));
    if (draw_percent(20))
        text_add(out, STR("Server-Timing: sim\r\n"));
    text_add(out, STR("\r\n"));
}

static void add_body(struct text *out, const struct shape *shape, uint64_t key,
                     uint64_t size)
{
    if (!shape->has_body)
        return;
    if (shape->framing == WIRE_CHUNKED) {
        add_chunks(out, key, size);
        return;
    }
    pattern_fill(key, 0, out->p + out->n, size);
    out->n += size;
}

/* In a calm world nothing that would keep a request from being served. */
static void add_load(struct text *out)
{
    static const char *const words[] = {
        "up 50%",    "100%",  "what?", "1%",
        "maxconn:1", "drain", "down",  "up ready maxconn:0"};

    text_format(out, "X-Sim-Load: %s\r\n",
                words[draw(rules.is_calm ? 4 : array_len(words))]);
}

static void add_head(struct text *out, const struct shape *shape,
                     const struct answer *answer)
{
    text_format(out, "HTTP/1.1 %u Simulated\r\nX-Sim-Id: %llu\r\nX-Sim-Serial: %llu\r\n",
                shape->status, (unsigned long long)answer->query->id,
                (unsigned long long)answer->serial);
    if (shape->status == 500 && draw_percent(30))
        text_format(out, "Retry-After: %u\r\n", (unsigned)draw(4));
    if (draw_percent(20))
        add_load(out);
    if (shape->framing == WIRE_CHUNKED)
        text_add(out, STR("Transfer-Encoding: chunked\r\n"));
    if (shape->framing == WIRE_LENGTH)
        text_format(out, "Content-Length: %llu\r\n", (unsigned long long)shape->size);
}

static struct text room_for(uint64_t size)
{
    size_t room = size * 2 + 64 * 1024;

    return text_in(arena_alloc(&world.arena, room), room);
}

static void add_interims(struct text *out, unsigned count)
{
    while (count--)
        text_add(out, STR("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"));
}

/* An honest answer, and perhaps an end that is not. */
static void tell_truth(struct serving *serving, struct answer *answer)
{
    struct shape shape = draw_shape(serving);
    struct text *out = &serving->out;
    size_t head_end;

    answer->size = shape.size;
    answer->is_whole = true;
    *out = room_for(shape.size);
    if (draw_percent(10))
        add_interims(out, 1 + (unsigned)draw(3));
    add_head(out, &shape, answer);
    serving->closes = shape.framing == WIRE_CLOSE || draw_percent(10);
    if (serving->closes && (rules.is_calm || draw_percent(70)))
        text_add(out, STR("Connection: close\r\n"));
    text_add(out, STR("\r\n"));
    head_end = out->n;
    add_body(out, &shape, answer->serial, shape.size);
    if (!draw_percent(serving->origin->trouble))
        return;
    serving->dies_at = draw(out->n);
    serving->death = DEATH_FIN + (enum death)draw(3);
    if (shape.framing == WIRE_CLOSE && serving->death == DEATH_FIN)
        serving->death = DEATH_RESET;
    answer->is_whole = false;
    if (serving->dies_at >= head_end)
        answer->query->is_broken = true;
}

static void add_lie(struct text *out, enum lie lie, const struct answer *answer)
{
    unsigned long long id = answer->query->id, serial = answer->serial;

    switch (lie) {
    case LIE_GARBAGE:
        text_add(out, STR("220 mail.example ESMTP ready\r\n\r\n"));
        return;
    case LIE_UNASKED_UPGRADE:
        text_add(out, STR("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\n"
                          "Upgrade: websocket\r\n\r\n"));
        return;
    case LIE_MANY_INTERIMS:
        add_interims(out, 200);
        return;
    case LIE_BARE_LF:
        text_format(out, "HTTP/1.1 200 OK\nX-Sim-Id: %llu\nContent-Length: 0\n\n", id);
        return;
    default:
        break;
    }
    text_format(out, "HTTP/1.1 200 OK\r\nX-Sim-Id: %llu\r\nX-Sim-Serial: %llu\r\n", id,
                serial);
    if (lie == LIE_HUGE_HEAD)
        while (out->n < 40000)
            text_add(out, STR("X-Padding: 0123456789012345678901234567890123456789\r\n"));
    if (lie == LIE_TWO_LENGTHS)
        text_add(out, STR("Content-Length: 3\r\nContent-Length: 4\r\n"));
    if (lie == LIE_LENGTH_AND_CHUNKED)
        text_add(out, STR("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"));
    if (lie == LIE_SHORT)
        text_add(out, STR("Content-Length: 1000\r\n"));
    if (lie == LIE_BAD_CHUNK)
        text_add(out, STR("Transfer-Encoding: chunked\r\n\r\n5\r\n12345xx3\r\nabc\r\n"));
    else
        text_add(out, STR("\r\n3\r\nabc\r\n0\r\n\r\n"));
}

static void tell_lie(struct serving *serving, struct answer *answer)
{
    enum lie lie = LIE_GARBAGE + (enum lie)draw(LIE_COUNT - 1);
    bool is_head = strcmp(serving->wire.method, "HEAD") == 0;

    if (is_head && (lie == LIE_SHORT || lie == LIE_BAD_CHUNK))
        lie = LIE_GARBAGE; /* without a body there is no lie in it */
    trace("lie", answer->query->id, lie);
    serving->out = room_for(0);
    add_lie(&serving->out, lie, answer);
    answer->is_whole = false;
    if (lie == LIE_SHORT || lie == LIE_BAD_CHUNK)
        answer->query->is_broken = true;
    serving->closes = true;
}

/* Bytes behind an answer, looking like one: nobody may ever get them. They come in one
 * piece with it, or no proxy could tell. */
static void add_extra(struct serving *serving)
{
    serving->side->stream->is_brisk = true;
    text_add(&serving->out, STR("HTTP/1.1 200 OK\r\nX-Sim-Id: 1\r\n"
                                "X-Sim-Serial: 999\r\nContent-Length: 4\r\n\r\nevil"));
}

static void draw_pace(struct serving *serving)
{
    serving->piece = 0;
    if (!draw_percent(15))
        return;
    serving->gap = 1 + draw(rules.is_calm ? 5 * MS : 50 * MS);
    serving->piece = serving->out.n / 100 + 1 + draw(serving->out.n / 8 + 1);
}

static void answer_upgrade(struct serving *serving)
{
    serving->out = room_for(0);
    if (serving->query->outcome == OUTCOME_NONE && !draw_percent(15)) {
        text_add(&serving->out,
                 STR("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                     "Upgrade: websocket\r\n"
                     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"));
        serving->is_echo = serving->echo_is_named = true;
        return;
    }
    tell_truth(serving, answer_new(serving->query, 0));
}

void answer_draw(struct serving *serving)
{
    unsigned trouble = serving->origin->trouble;
    struct answer *answer;

    serving->dies_at = SIZE_MAX;
    serving->death = DEATH_NONE;
    serving->closes = false;
    serving->out_at = 0;
    if (!serving->query) { /* a health check, most likely */
        serving->out = room_for(0);
        text_add(&serving->out, STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        return;
    }
    if (serving->wire.upgrades) {
        answer_upgrade(serving);
        return;
    }
    answer = answer_new(serving->query, 0);
    if (draw_percent(trouble / 3)) { /* not even the start of an answer */
        serving->out = room_for(0);
        serving->death = DEATH_FIN + (enum death)draw(3);
        serving->dies_at = 0;
        return;
    }
    if (draw_percent(trouble / 3))
        tell_lie(serving, answer);
    else
        tell_truth(serving, answer);
    draw_pace(serving);
    if (!serving->closes && !serving->death && serving->out.n < 1500 && !serving->piece &&
        draw_percent(trouble / 4))
        add_extra(serving);
}

/* What visitors query. */
#include "rules.h"
#include "visitor.h"

static struct query *add_query(struct visitor *visitor, const char *method, uint64_t size)
{
    struct query *query = query_new(method, size);

    visitor->asks[visitor->written++] = query;
    if (visitor->is_stuck)
        query->is_excused = true;
    return query;
}

void visitor_room(struct visitor *visitor, size_t n)
{
    struct text *out = &visitor->out;
    struct text larger;

    if (out->room - out->n >= n)
        return;
    larger = text_in(arena_alloc(&world.arena, out->n + n + 4096), out->n + n + 4096);
    text_add(&larger, text_str(out));
    *out = larger;
}

static const char *draw_method(void)
{
    static const char *const methods[] = {"GET",  "GET", "GET",    "POST",   "POST",
                                          "HEAD", "PUT", "DELETE", "OPTIONS"};

    return methods[draw(array_len(methods))];
}

static uint64_t draw_body_size(const char *method)
{
    uint64_t kind = draw(100);

    if (strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0 && kind < 95)
        return 0;
    if (kind < 10)
        return 0;
    if (kind < 75)
        return 1 + draw(3000);
    return kind < 95 ? draw_between(5000, 60000) : draw_between(70000, 300000);
}

static void add_chunked(struct text *out, uint64_t key, uint64_t size)
{
    for (uint64_t at = 0; at < size;) {
        uint64_t n = draw_percent(50) ? size - at : 1 + draw(size - at);

        text_format(out, "%llx%s\r\n", (unsigned long long)n,
                    draw_percent(10) ? ";name=value" : "");
        pattern_fill(key, at, out->p + out->n, n);
        out->n += n;
        text_add(out, STR("\r\n"));
        at += n;
    }
    text_add(out, STR("0\r\n\r\n"));
}

static const char *draw_target(struct query *query)
{
    static const char *const targets[] = {"/",        "/",        "/a/b?c=d",
                                          "/split/x", "/spare/y", "/named/z"};

    if (draw_percent(5)) {
        query->is_for_us = query->is_forbidden = true;
        return draw_percent(50) ? "/redirect/me" : "/respond";
    }
    return targets[draw(array_len(targets))];
}

static void write_body(struct visitor *visitor, struct query *query)
{
    struct text *out = &visitor->out;
    bool is_chunked = query->body_size ? draw_percent(40) : draw_percent(3);
    bool expects = query->body_size && draw_percent(10);

    if (is_chunked)
        text_add(out, STR("Transfer-Encoding: chunked\r\n"));
    else if (query->body_size || draw_percent(10))
        text_format(out, "Content-Length: %llu\r\n",
                    (unsigned long long)query->body_size);
    if (expects)
        text_add(out, STR("Expect: 100-continue\r\n"));
    text_add(out, STR("\r\n"));
    if (query->body_size > rules.sizes.body) {
        query->is_excused = true;
        query->is_forbidden |= !is_chunked;
    }
    if (expects && !visitor->is_piped)
        visitor->hold_at = out->n;
    if (is_chunked) {
        add_chunked(out, query->id, query->body_size);
        return;
    }
    pattern_fill(query->id, 0, out->p + out->n, query->body_size);
    out->n += query->body_size;
}

static void write_upgrade(struct visitor *visitor)
{
    struct query *query = add_query(visitor, "GET", 0);

    text_format(&visitor->out,
                "GET /chat HTTP/1.1\r\nHost: sim\r\nX-Sim-Id: %llu\r\n"
                "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                (unsigned long long)query->id);
}

static void write_tcp(struct visitor *visitor)
{
    struct query *query = add_query(visitor, "TCP", 0);

    text_format(&visitor->out, "%016llx", (unsigned long long)query->id);
}

void request_write(struct visitor *visitor)
{
    const char *method = draw_method();
    uint64_t size = draw_body_size(method);
    struct query *query;

    visitor_room(visitor, size * 2 + 4096);
    visitor->asked_at = world.now;
    if (visitor->visit == VISIT_WEBSOCKET) {
        write_upgrade(visitor);
        return;
    }
    if (visitor->visit == VISIT_TCP) {
        write_tcp(visitor);
        return;
    }
    query = add_query(visitor, method, size);
    text_format(&visitor->out,
                "%s %s HTTP/1.1\r\nHost: sim.example\r\nX-Sim-Id: %llu\r\n", method,
                draw_target(query), (unsigned long long)query->id);
    if (draw_percent(10))
        text_add(&visitor->out, STR("Cookie: a=b; c=d\r\nX-Forwarded-For: 1.2.3.4\r\n"));
    write_body(visitor, query);
}

/* Each stands before "X-Sim-Id: n", an empty line and a body of five bytes. */
static const struct {
    const char *start;
    enum { HEAD_IS_WRONG, HEAD_IS_ENDLESS, PATH_IS_WRONG } how;
} hostile[] = {
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", HEAD_IS_WRONG},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
     HEAD_IS_WRONG},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
     HEAD_IS_WRONG},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n", HEAD_IS_WRONG},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n", HEAD_IS_WRONG},
    {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", HEAD_IS_WRONG},
    {"GET  / HTTP/1.1\r\nHost: a\r\n", HEAD_IS_WRONG},
    {"GET / HTTP/1.1\nHost: a\n", HEAD_IS_WRONG},
    {"GET / HTTP/1.1\r\nHost: a\r\nX-Fold: a\r\n b\r\n", HEAD_IS_WRONG},
    {"GET / HTTP/1.1\r\nHost : a\r\n", HEAD_IS_WRONG},
    {"GET / HTTP/1.1\r\n", HEAD_IS_WRONG},
    {"GET /%00 HTTP/1.1\r\nHost: a\r\n", PATH_IS_WRONG},
    {"GET /../../etc HTTP/1.1\r\nHost: a\r\n", PATH_IS_WRONG},
    {"GET / HTTP/9.9\r\nHost: a\r\n", HEAD_IS_WRONG},
    {"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n", HEAD_IS_WRONG},
    {"TRACE / HTTP/1.1\r\nHost: a\r\n", HEAD_IS_WRONG},
    {"GET / HTTP/1.1\r\nHost: a\r\nExpect: the-unexpected\r\n", HEAD_IS_WRONG},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HEAD_IS_WRONG},
    {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", HEAD_IS_WRONG},
    {"GET / HTTP/1.1\r\nHost: a\r\n", HEAD_IS_ENDLESS},
};

void hostile_write(struct visitor *visitor)
{
    unsigned which = (unsigned)draw(array_len(hostile));
    struct query *query;

    visitor_room(visitor, 80000);
    query = add_query(visitor, "GET", 0);
    query->is_forbidden = query->is_excused = true;
    text_add(&visitor->out, str_of(hostile[which].start));
    if (hostile[which].how == HEAD_IS_ENDLESS)
        for (int i = 0; i < 1500; i++)
            text_add(&visitor->out, STR("X-More: and more and more and more\r\n"));
    text_format(&visitor->out, "X-Sim-Id: %llu\r\n\r\n%s", (unsigned long long)query->id,
                hostile[which].how == PATH_IS_WRONG ? "" : "abcde");
    query = add_query(visitor, "GET", 0);
    query->is_forbidden = hostile[which].how != PATH_IS_WRONG;
    query->is_excused = query->is_forbidden;
    text_format(&visitor->out, "GET / HTTP/1.1\r\nHost: a\r\nX-Sim-Id: %llu\r\n\r\n",
                (unsigned long long)query->id);
}

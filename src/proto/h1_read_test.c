/*
 * Requests and responses by table: each is read whole, byte by byte from memory that
 * moves, and cut in two at every place, and must come out the same. Then what the fields
 * mean, and the same properties for random damage.
 */
#include "h1_read.c"

#include "proto/test_help.h"

enum { ROOM = 24 };

static const struct h1_limits limits = {.head_most = 2048, .target_most = 256};

struct outcome {
    enum h1_verdict verdict;
    struct h1_reader reader;
    struct head head;
    struct field fields[ROOM];
};

/* Reads bytes of an answer to `asked`, or of a request with HTTP_METHOD_OTHER. */
static void read_once(struct outcome *o, str bytes, bool is_response,
                      enum http_method asked)
{
    o->head = (struct head){.fields = o->fields, .field_room = ROOM};
    o->verdict = is_response
                     ? h1_read_response(&o->reader, bytes, &limits, asked, &o->head)
                     : h1_read_request(&o->reader, bytes, &limits, &o->head);
}

/* In steps: first `first` bytes, then `step` more each time, in new memory each time. */
static struct outcome read_cut(str all, size_t first, size_t step, bool is_response,
                               enum http_method asked)
{
    struct outcome o = {.verdict = H1_MORE};

    for (size_t n = first; o.verdict == H1_MORE; n += step) {
        str bytes = exact(str_upto(all, n));

        memset(o.fields, 0xee, sizeof o.fields);
        read_once(&o, bytes, is_response, asked);
        exact_free(bytes);
        if (n >= all.n)
            break;
    }
    return o;
}

static void same_outcome(const struct outcome *a, const struct outcome *b, str bytes)
{
    if (a->verdict != b->verdict || a->reader.status != b->reader.status ||
        a->reader.why != b->reader.why)
        print_error("\"" STR_FMT "\": %d %u %s, or %d %u %s\n", STR_ARG(bytes),
                    a->verdict, a->reader.status, a->reader.why ? a->reader.why : "-",
                    b->verdict, b->reader.status, b->reader.why ? b->reader.why : "-");
    assert_int_equal(a->verdict, b->verdict);
    assert_int_equal(a->reader.status, b->reader.status);
    assert_ptr_equal(a->reader.why, b->reader.why);
    if (a->verdict != H1_DONE)
        return;
    assert_int_equal(a->head.bytes, b->head.bytes);
    assert_int_equal(a->head.field_count, b->head.field_count);
    assert_int_equal(a->head.flags, b->head.flags);
    assert_int_equal(a->head.framing, b->head.framing);
}

/* Whole, and the same in all pieces. */
static struct outcome read_all(str all, bool is_response, enum http_method asked)
{
    struct outcome whole = read_cut(all, all.n, 1, is_response, asked);
    struct outcome bytewise = read_cut(all, 1, 1, is_response, asked);

    same_outcome(&whole, &bytewise, all);
    for (size_t first = 0; first < all.n; first++) {
        struct outcome two = read_cut(all, first, all.n, is_response, asked);

        same_outcome(&whole, &two, all);
    }
    return whole;
}

struct bad {
    str bytes;
    unsigned status; /* 0: H1_DONE, 1: H1_MORE */
};

#define S(literal)                   \
    {                                \
        literal, sizeof(literal) - 1 \
    }
#define G "GET /c HTTP/1.1\r\nHost: a\r\n"
#define P "POST /c HTTP/1.1\r\nHost: a\r\n"
#define E "\r\n"
#define CL5 "Content-Length: 5\r\n"
#define TE "Transfer-Encoding: chunked\r\n"

static const struct bad requests[] = {
    {S(G E), 0},
    {S("\r\n" G E), 0},
    {S("\r\n\r\n" G E), 0},
    {S("\r\n\r\n\r\n" G E), 400},
    {S("\n" G E), 400},
    {S("\r" G E), 400},
    {S("\r\n\r"), 1},
    {S(" " G E), 400},
    {S(" /c HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("\x16\x03\x01\x02"), 400},
    {S(""), 1},
    {S("G"), 1},
    {S(G), 1},
    {S(G "\r"), 1},
    {S("GET /c HTTP/1.0\r\n\r\n"), 0},
    {S("GET /c HTTP/1.1\r\n\r\n"), 400},
    {S("GET /c HTTP/1.1\nHost: a\n\n"), 400},
    {S(G "\n"), 400},
    {S(G "X: y\n" E), 400},
    {S(G "X: y\r\r\n" E), 400},
    {S(G "\r\r\n"), 400},
    {S("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {S("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("BREW /c HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {S("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), 405},
    {S("CONNECT /c HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("TRACE /c HTTP/1.1\r\nHost: a\r\n\r\n"), 405},
    {S("G(T /c HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("GET  /c HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("GET /c  HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("GET\t/c HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("GET c HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("GET /c\r\n\r\n"), 400},
    {S("GET\r\n\r\n"), 400},
    {S("GET /c HTTP/1.1 \r\nHost: a\r\n\r\n"), 400},
    {S("GET /c#f HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("GET /c\0 HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("GET /c HTTP/0.9\r\n\r\n"), 505},
    {S("GET /c HTTP/9.9\r\n\r\n"), 505},
    {S("GET /c HTTP/1.2\r\n\r\n"), 505},
    {S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505},
    {S("GET /c HTTP/1.10\r\n\r\n"), 400},
    {S("GET /c HTTP/11.1\r\n\r\n"), 400},
    {S("GET /c HTTP/1\r\n\r\n"), 400},
    {S("GET /c http/1.1\r\n\r\n"), 400},
    {S("GET /c HTTP/1.x\r\n\r\n"), 400},
    {S("GET http://a/c HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {S("GET HTTP://a:80?x HTTP/1.1\r\nHost: A:80\r\n\r\n"), 0},
    {S("GET http://b/c HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("GET http://b/c HTTP/1.1\r\n\r\n"), 400},
    {S("GET http://u@a/c HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("GET http:///c HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S("GET ftp://a/c HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {S(G "Host: a\r\n" E), 400},
    {S("GET /c HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), 400},
    {S("GET /c HTTP/1.1\r\nHost:\r\n\r\n"), 400},
    {S("GET /c HTTP/1.1\r\nHost: a b\r\n\r\n"), 400},
    {S("GET /c HTTP/1.1\r\nHost: a,b\r\n\r\n"), 400},
    {S("GET /c HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400},
    {S("GET /c HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400},
    {S("GET /c HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), 0},
    {S("GET /c HTTP/1.1\r\nHost: [::1\r\n\r\n"), 400},
    {S(P CL5 TE E), 400},
    {S(P TE CL5 E), 400},
    {S(P CL5 CL5 E), 400},
    {S(P "Content-Length: 5, 5\r\n" E), 400},
    {S(P "Content-Length: +5\r\n" E), 400},
    {S(P "Content-Length: -5\r\n" E), 400},
    {S(P "Content-Length: 0x5\r\n" E), 400},
    {S(P "Content-Length: 5 5\r\n" E), 400},
    {S(P "Content-Length:\r\n" E), 400},
    {S(P "Content-Length: 9223372036854775807\r\n" E), 0},
    {S(P "Content-Length: 9223372036854775808\r\n" E), 400},
    {S(P "Content-Length: 18446744073709551616\r\n" E), 400},
    {S(P "Content-Length: 10000000000000000000000000\r\n" E), 400},
    {S(P "Transfer-Encoding: CHUNKED \r\n" E), 0},
    {S(P "Transfer-Encoding: gzip, chunked\r\n" E), 501},
    {S(P "Transfer-Encoding: xchunked\r\n" E), 501},
    {S(P "Transfer-Encoding: chunked, chunked\r\n" E), 501},
    {S(P "Transfer-Encoding: \"chunked\"\r\n" E), 501},
    {S(P "Transfer-Encoding: identity\r\n" E), 501},
    {S(P "Transfer-Encoding: \x0b"
         "chunked\r\n" E),
     400},
    {S(P "Transfer-Encoding:\r\n" E), 400},
    {S(P TE TE E), 400},
    {S("POST /c HTTP/1.0\r\n" TE E), 400},
    {S(G "X : y\r\n" E), 400},
    {S(G ": y\r\n" E), 400},
    {S(G "X\r\n" E), 400},
    {S(G "X y: z\r\n" E), 400},
    {S(G "X\x80: y\r\n" E), 400},
    {S(G "X-a-long-name-with-@: y\r\n" E), 400},
    {S(G "X: a\r\n b\r\n" E), 400},
    {S("GET /c HTTP/1.1\r\n Host: a\r\n\r\n"), 400},
    {S(G "X: a\rb\r\n" E), 400},
    {S(G "X: a\0b\r\n" E), 400},
    {S(G "X: a\x7f\r\n" E), 400},
    {S(G "X: a value that is longer than a vector \x01 has a control\r\n" E), 400},
    {S(G "X: \xe4\xff\tok\r\n" E), 0},
    {S(G "!#$%&'*+-.^`|~09azAZ_: y\r\n" E), 0},
    {S(G "Expect: 100-continue\r\n" CL5 E), 0},
    {S(G "Expect: 200-ok\r\n" E), 417},
    {S(G "Connection: a b\r\n" E), 400},
    {S(G "Connection: 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16\r\n" E), 0},
    {S(G "Connection: 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\r\n" E), 400},
    {S("OPTIONS /c HTTP/1.1\r\nHost: a\r\nMax-Forwards: x\r\n\r\n"), 400},
    {S(G "Max-Forwards: x\r\n" E), 0},
    {S("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 501},
    {S("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA /c HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
    {S("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA /c HTTP/1.1\r\nHost: a\r\n\r\n"), 501},
};

static void check_table(const struct bad *rows, size_t count, bool is_response)
{
    for (size_t i = 0; i < count; i++) {
        struct outcome o = read_all(rows[i].bytes, is_response, HTTP_GET);
        unsigned status = o.verdict == H1_BAD ? o.reader.status : o.verdict == H1_MORE;

        if (status != rows[i].status)
            print_error("row %zu \"" STR_FMT "\": %u %s\n", i, STR_ARG(rows[i].bytes),
                        status, o.reader.why ? o.reader.why : "");
        assert_int_equal(status, rows[i].status);
        if (o.verdict == H1_BAD)
            assert_non_null(o.reader.why);
    }
}

static void test_requests(void **state)
{
    (void)state;
    check_table(requests, array_len(requests), false);
}

#define OK "HTTP/1.1 200 OK\r\n"

static const struct bad responses[] = {
    {S(OK E), 0},
    {S(OK CL5 E), 0},
    {S("HTTP/1.1 200\r\n" E), 0},
    {S("HTTP/1.1 200 \r\n" E), 0},
    {S("HTTP/1.0 404 Not \xe4 there\r\n" E), 0},
    {S("H"), 1},
    {S("h"), 502},
    {S("\r\n" OK E), 502},
    {S("HTTP/1.1 99 x\r\n" E), 502},
    {S("HTTP/1.1 2000 x\r\n" E), 502},
    {S("HTTP/1.1 600 x\r\n" E), 502},
    {S("HTTP/1.1 000 x\r\n" E), 502},
    {S("HTTP/1.1 +20 x\r\n" E), 502},
    {S("HTTP/1.1  200 x\r\n" E), 502},
    {S("HTTP/1.1 200x\r\n" E), 502},
    {S("HTTP/1.1 200 a\0b\r\n" E), 502},
    {S("HTTP/1.1 200 a\rb\r\n" E), 502},
    {S("HTTP/1.1 200 a\nb\r\n" E), 502},
    {S("HTTP/1.2 200 OK\r\n" E), 502},
    {S("HTTP/2.0 200 OK\r\n" E), 502},
    {S("ICY 200 OK\r\n" E), 502},
    {S(OK CL5 TE E), 502},
    {S(OK CL5 CL5 E), 502},
    {S(OK "Content-Length: 5, 5\r\n" E), 502},
    {S(OK "Transfer-Encoding: gzip, chunked\r\n" E), 502},
    {S("HTTP/1.0 200 OK\r\n" TE E), 502},
    {S(OK "X : y\r\n" E), 502},
    {S(OK "X: a\r\n b\r\n" E), 502},
    {S("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n" E), 0},
    {S("HTTP/1.1 103 Early Hints\r\n" TE E), 502},
    {S("HTTP/1.1 103 Early Hints\r\n" CL5 E), 502},
    {S("HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n" E), 0},
};

static void test_responses(void **state)
{
    (void)state;
    check_table(responses, array_len(responses), true);
}

static struct outcome request(const char *text)
{
    struct outcome o = {0};

    read_once(&o, str_of(text), false, HTTP_METHOD_OTHER);
    if (o.verdict != H1_DONE)
        print_error("%s: %s\n", text, o.reader.why);
    assert_int_equal(o.verdict, H1_DONE);
    o.head.fields = NULL; /* is of the copy */
    return o;
}

static struct outcome response(const char *text, enum http_method asked)
{
    struct outcome o = {0};

    read_once(&o, str_of(text), true, asked);
    if (o.verdict != H1_DONE)
        print_error("%s: %s\n", text, o.reader.why);
    assert_int_equal(o.verdict, H1_DONE);
    o.head.fields = NULL;
    return o;
}

static void test_slices(void **state)
{
    struct outcome o = request("\r\nPUT /a/b?c=d HTTP/1.1\r\nHost:a:8080\r\nEmpty:\r\n"
                               "Blanks: \t x y \t\r\nCookie: a=b\r\n\r\nbody");

    (void)state;
    assert_int_equal(o.head.method, HTTP_PUT);
    assert_str(o.head.method_text, "PUT");
    assert_str(o.head.target, "/a/b?c=d");
    assert_str(o.head.path, "/a/b");
    assert_str(o.head.query, "c=d");
    assert_str(o.head.authority, "a:8080");
    assert_str(o.head.host, "a");
    assert_int_equal(o.head.field_count, 4);
    assert_str(o.fields[0].name, "Host");
    assert_str(o.fields[0].value, "a:8080");
    assert_int_equal(o.fields[0].known, NAME_HOST);
    assert_false(o.fields[0].dropped);
    assert_str(o.fields[1].value, "");
    assert_str(o.fields[2].value, "x y");
    assert_int_equal(o.fields[2].known, NAME_OTHER);
    assert_int_equal(o.head.flags, HEAD_KEEP_ALIVE | HEAD_HAS_COOKIE | HEAD_PATH_NORMAL |
                                       HEAD_HOST_FOLDED);
    assert_int_equal(o.head.bytes, strlen("\r\nPUT /a/b?c=d HTTP/1.1\r\nHost:a:8080\r\n"
                                          "Empty:\r\nBlanks: \t x y \t\r\n"
                                          "Cookie: a=b\r\n\r\n"));
}

static void test_targets(void **state)
{
    struct outcome o = request("GET http://B.c:81/x?y HTTP/1.1\r\nHost: b.C:81\r\n\r\n");

    (void)state;
    assert_str(o.head.authority, "B.c:81");
    assert_str(o.head.host, "B.c");
    assert_str(o.head.path, "/x");
    assert_str(o.head.query, "y");
    assert_true(o.head.flags & HEAD_ABSOLUTE);
    o = request("GET http://b HTTP/1.1\r\nHost: b\r\n\r\n");
    assert_str(o.head.path, "/");
    assert_null(o.head.query.p);
    o = request("OPTIONS http://b HTTP/1.1\r\nHost: b\r\n\r\n");
    assert_str(o.head.path, "*");
    o = request("OPTIONS http://b/b HTTP/1.1\r\nHost: b\r\n\r\n");
    assert_str(o.head.path, "/b");
    o = request("OPTIONS http://b/ HTTP/1.1\r\nHost: b\r\n\r\n");
    assert_str(o.head.path, "/");
    o = request("GET /a//b HTTP/1.1\r\nHost: A\r\n\r\n");
    assert_int_equal(o.head.flags, HEAD_KEEP_ALIVE);
    o = request("GET /? HTTP/1.0\r\n\r\n");
    assert_non_null(o.head.query.p);
    assert_int_equal(o.head.query.n, 0);
    assert_null(o.head.authority.p);
    assert_null(o.head.host.p);
}

static bool is_dropped(const struct outcome *o, const char *name)
{
    for (unsigned i = 0; i < o->head.field_count; i++)
        if (str_eq(o->fields[i].name, str_of(name)))
            return o->fields[i].dropped;
    fail_msg("no field %s", name);
    return false;
}

static void test_connection(void **state)
{
    static const char *const stay[] = {
        "Host",      "Authorization",   "Cookie",       "Via",
        "Forwarded", "X-Forwarded-For", "X-Request-Id", "X-Forwarded-Port"};
    static const char *const go[] = {"Connection",       "Content-Length",      "X-Own",
                                     "Keep-Alive",       "HTTP2-Settings",      "Upgrade",
                                     "Proxy-Connection", "Proxy-Authorization", "TE"};
    struct outcome o = request(
        "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nCookie: x\r\nVia: x\r\n"
        "Forwarded: x\r\nX-Forwarded-For: x\r\nX-Request-Id: x\r\nX-Forwarded-Port: x\r\n"
        "Connection: close, HOST , authorization,cookie,,via, forwarded, "
        "x-forwarded-for,x-request-id, x-forwarded-port,upgrade, te, x-OWN\r\n"
        "Content-Length: 0\r\nX-Own: x\r\nKeep-Alive: 5\r\nHTTP2-Settings: x\r\n"
        "Upgrade: h2c\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\n"
        "TE: trailers, gzip;q=0.5\r\n\r\n");

    (void)state;
    for (unsigned i = 0; i < array_len(stay); i++)
        assert_false(is_dropped(&o, stay[i]));
    for (unsigned i = 0; i < array_len(go); i++)
        assert_true(is_dropped(&o, go[i]));
    assert_int_equal(o.head.flags, HEAD_HAS_COOKIE | HEAD_TE_TRAILERS | HEAD_PATH_NORMAL |
                                       HEAD_HOST_FOLDED);
}

static void test_keep_alive(void **state)
{
    static const struct {
        const char *text;
        bool keeps;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n",
         false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };

    (void)state;
    for (unsigned i = 0; i < array_len(rows); i++)
        assert_int_equal((request(rows[i].text).head.flags & HEAD_KEEP_ALIVE) != 0,
                         rows[i].keeps);
}

static void test_upgrade(void **state)
{
    static const struct {
        const char *text;
        bool upgrades;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
         "Upgrade: WebSocket\r\n\r\n",
         true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
         false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
         "Upgrade: websocket, h2c\r\n\r\n",
         false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
         "Upgrade: websocket\r\n\r\n",
         false},
        {"GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\n"
         "Upgrade: websocket\r\n\r\n",
         false},
    };

    (void)state;
    for (unsigned i = 0; i < array_len(rows); i++)
        assert_int_equal((request(rows[i].text).head.flags & HEAD_UPGRADE) != 0,
                         rows[i].upgrades);
}

static void test_request_framing(void **state)
{
    struct outcome o = request(P CL5 "Trailer: x\r\n" E);

    (void)state;
    assert_int_equal(o.head.framing, FRAMING_LENGTH);
    assert_int_equal(o.head.content_length, 5);
    assert_true(is_dropped(&o, "Trailer"));
    o = request(P TE "Trailer: x\r\n" E);
    assert_int_equal(o.head.framing, FRAMING_CHUNKED);
    assert_false(is_dropped(&o, "Trailer"));
    o = request(P E);
    assert_int_equal(o.head.framing, FRAMING_NONE);
    o = request("GET / HTTP/1.1\r\nhOsT: a\r\ncOnTeNt-lEnGtH: \t007 \r\n\r\n");
    assert_int_equal(o.head.content_length, 7);
}

static void test_expect(void **state)
{
    struct outcome o = request(P CL5 "Expect: 100-Continue\r\n" E);

    (void)state;
    assert_true(o.head.flags & HEAD_EXPECT_CONTINUE);
    assert_false(is_dropped(&o, "Expect"));
    o = request(P "Expect: 100-continue\r\n" E);
    assert_false(o.head.flags & HEAD_EXPECT_CONTINUE);
    assert_true(is_dropped(&o, "Expect"));
    o = request("POST / HTTP/1.0\r\n" CL5 "Expect: 100-continue\r\n" E);
    assert_false(o.head.flags & HEAD_EXPECT_CONTINUE);
}

static void test_response_framing(void **state)
{
    struct outcome o = response(OK E, HTTP_GET);

    (void)state;
    assert_int_equal(o.head.framing, FRAMING_CLOSE);
    assert_false(o.head.flags & HEAD_KEEP_ALIVE);
    assert_int_equal(o.head.status, 200);
    assert_str(o.head.reason, "OK");
    o = response(OK CL5 E, HTTP_GET);
    assert_int_equal(o.head.framing, FRAMING_LENGTH);
    assert_int_equal(o.head.content_length, 5);
    assert_true(o.head.flags & HEAD_KEEP_ALIVE);
    o = response(OK TE E, HTTP_GET);
    assert_int_equal(o.head.framing, FRAMING_CHUNKED);
    o = response("HTTP/1.0 200 OK\r\n" CL5 E, HTTP_GET);
    assert_int_equal(o.head.flags, HEAD_HTTP10);
}

static void test_bodiless(void **state)
{
    struct outcome o = response(OK CL5 E, HTTP_HEAD);

    (void)state;
    assert_int_equal(o.head.framing, FRAMING_NONE);
    assert_int_equal(o.head.content_length, 5);
    assert_int_equal(o.head.flags, HEAD_KEEP_ALIVE | HEAD_LENGTH_SAID);
    o = response(OK TE E, HTTP_HEAD);
    assert_int_equal(o.head.framing, FRAMING_NONE);
    assert_int_equal(o.head.flags, HEAD_KEEP_ALIVE | HEAD_NO_LENGTH);
    o = response("HTTP/1.1 304 Not Modified\r\n" CL5 E, HTTP_GET);
    assert_int_equal(o.head.framing, FRAMING_NONE);
    assert_int_equal(o.head.flags, HEAD_KEEP_ALIVE | HEAD_LENGTH_SAID);
    o = response("HTTP/1.1 204 No Content\r\n" E, HTTP_GET);
    assert_int_equal(o.head.framing, FRAMING_NONE);
    assert_int_equal(o.head.flags, HEAD_KEEP_ALIVE);
    o = response("HTTP/1.1 204 No Content\r\n" CL5 E, HTTP_GET);
    assert_int_equal(o.head.framing, FRAMING_NONE);
    assert_int_equal(o.head.flags, 0);
    o = response("HTTP/1.1 204 No Content\r\n" TE E, HTTP_GET);
    assert_int_equal(o.head.flags, 0);
    o = response("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                 "Upgrade: websocket\r\n\r\n",
                 HTTP_GET);
    assert_int_equal(o.head.framing, FRAMING_NONE);
    assert_true(o.head.flags & HEAD_UPGRADE);
}

/* `n` times the byte c between two texts; the verdict in all pieces of some sizes. */
static void check_limit(const char *before, char c, size_t n, const char *after,
                        unsigned status)
{
    size_t head = strlen(before), tail = strlen(after);
    char *all = malloc(head + n + tail);
    struct outcome o, bytewise;

    assert_non_null(all);
    memcpy(all, before, head);
    memset(all + head, c, n);
    memcpy(all + head + n, after, tail);
    o = read_cut((str){all, head + n + tail}, head + n + tail, 1, false, HTTP_GET);
    bytewise = read_cut((str){all, head + n + tail}, 1, 1, false, HTTP_GET);
    same_outcome(&o, &bytewise, str_of(before));
    assert_int_equal(o.verdict == H1_BAD ? o.reader.status : 0, status);
    free(all);
}

static void test_limits(void **state)
{
    const size_t target = limits.target_most;
    const size_t head = limits.head_most;

    (void)state;
    check_limit("GET /", 'a', target - 1, " HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    check_limit("GET /", 'a', target, " HTTP/1.1\r\nHost: a\r\n\r\n", 414);
    check_limit("GET /", 'a', target + 100, "", 414);
    check_limit("GET /", 'a', 5000, " HTTP/1.1\r\nHost: a\r\n\r\n", 414);
    check_limit("A", 'A', 5000, " HTTP/1.1\r\nHost: a\r\n\r\n", 501);
    check_limit(G "X: ", 'a', head - strlen(G "X: \r\n\r\n"), "\r\n\r\n", 0);
    check_limit(G "X: ", 'a', head - strlen(G "X: \r\n\r\n") + 1, "\r\n\r\n", 431);
    check_limit(G "X: ", 'a', 5000, "\r\n\r\n", 431);
    check_limit(G, 'X', 5000, ": a\r\n\r\n", 431);
    check_limit(G "X: ", '\0', 5000, "", 431);
}

static void test_field_count(void **state)
{
    char all[1024];
    struct h1_limits few = limits;
    struct outcome o = {0};
    int n = snprintf(all, sizeof all, "GET / HTTP/1.1\r\nHost: a\r\n");

    (void)state;
    for (unsigned i = 1; i < ROOM; i++)
        n += snprintf(all + n, sizeof all - (size_t)n, "X-%u: y\r\n", i);
    memcpy(all + n, "\r\n", 3);
    o = read_all((str){all, (size_t)n + 2}, false, HTTP_GET);
    assert_int_equal(o.verdict, H1_DONE);
    assert_int_equal(o.head.field_count, ROOM);
    few.fields_most = ROOM - 1;
    o = (struct outcome){.head = {.fields = o.fields, .field_room = ROOM}};
    o.verdict = h1_read_request(&o.reader, str_of(all), &few, &o.head);
    assert_int_equal(o.verdict, H1_BAD);
    assert_int_equal(o.reader.status, 431);
    memcpy(all + n, "Z: y\r\n\r\n", 9);
    o = read_all(str_of(all), false, HTTP_GET);
    assert_int_equal(o.verdict, H1_BAD);
    assert_int_equal(o.reader.status, 431);
}

/* Damaged heads: no way of cutting changes the verdict, and slices stay inside. */
static void test_damage(void **state)
{
    static const str seeds[] = {
        S("POST /a?b HTTP/1.1\r\nHost: a.b:80\r\nContent-Length: 5\r\n"
          "Connection: keep-alive, x\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n\r\n"),
        S("\r\nGET http://a/ HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
        S("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
    };
    static const char spice[] = "\r\n\t :,\0\x7f\x80\xffHaA0/";
    struct rand rand;

    (void)state;
    rand_seed(&rand, 7);
    for (unsigned round = 0; round < 4000; round++) {
        unsigned which = (unsigned)rand_below(&rand, array_len(seeds));
        str seed = seeds[which];
        char bytes[256];
        struct outcome whole, cut;
        size_t step = 1 + rand_below(&rand, 9);

        memcpy(bytes, seed.p, seed.n);
        for (unsigned i = 0; i < 1 + rand_below(&rand, 3); i++)
            bytes[rand_below(&rand, seed.n)] = spice[rand_below(&rand, sizeof spice)];
        whole = read_cut((str){bytes, seed.n}, seed.n, 1, which == 2, HTTP_GET);
        cut = read_cut((str){bytes, seed.n}, step, step, which == 2, HTTP_GET);
        same_outcome(&whole, &cut, (str){bytes, seed.n});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),    cmocka_unit_test(test_responses),
        cmocka_unit_test(test_slices),      cmocka_unit_test(test_targets),
        cmocka_unit_test(test_connection),  cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_upgrade),     cmocka_unit_test(test_request_framing),
        cmocka_unit_test(test_expect),      cmocka_unit_test(test_response_framing),
        cmocka_unit_test(test_bodiless),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_field_count), cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

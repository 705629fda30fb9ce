/*
 * What is written for which head; and that a head that was read, written and read again
 * means the same.
 */
#include "h1_write.c"

#include "proto/h1_read.h"
#include "proto/test_help.h"

enum { ROOM = 16 };

static const struct h1_limits limits = {.head_most = 4096, .target_most = 256};

static char written[4096];
static struct field fields[ROOM];

static struct head read_request(str bytes)
{
    struct head head = {.fields = fields, .field_room = ROOM};
    struct h1_reader reader = {0};

    assert_int_equal(h1_read_request(&reader, bytes, &limits, &head), H1_DONE);
    return head;
}

static struct head read_response(str bytes, enum http_method asked)
{
    struct head head = {.fields = fields, .field_room = ROOM};
    struct h1_reader reader = {0};

    assert_int_equal(h1_read_response(&reader, bytes, &limits, asked, &head), H1_DONE);
    return head;
}

static void test_request(void **state)
{
    static const struct {
        const char *in, *out;
        enum h1_after after;
    } rows[] = {
        {"GET /a?b HTTP/1.1\r\nHost: a\r\nX-A:  b \r\nEmpty:\r\n\r\n",
         "GET /t HTTP/1.1\r\nHost: a\r\nX-A: b\r\nEmpty: \r\n\r\n", H1_KEEP},
        {"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close, x-b\r\nX-A: b\r\nX-B: c\r\n\r\n",
         "GET /t HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n", H1_KEEP},
        {"POST /a HTTP/1.1\r\nContent-Length: 007\r\nHost: a\r\n\r\n",
         "POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nConnection: close\r\n\r\n",
         H1_CLOSE},
        {"POST /a HTTP/1.1\r\nTransfer-Encoding: CHUNKED\r\nHost: a\r\n\r\n",
         "POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", H1_KEEP},
        {"POST /a HTTP/1.1\r\nHost: a\r\n\r\n",
         "POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", H1_KEEP},
        {"GET /a HTTP/1.1\r\nX-A: 1\r\nX-B: 2\r\nHost: a\r\nKeep-Alive: 3\r\nX-C: 4\r\n"
         "X-D:5\r\nX-E: 6\r\nX-F: \r\nX-G: 7\t\r\nX-H: 8\r\n\r\n",
         "GET /t HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-B: 2\r\nX-C: 4\r\n"
         "X-D: 5\r\nX-E: 6\r\nX-F: \r\nX-G: 7\r\nX-H: 8\r\n\r\n",
         H1_KEEP},
        {"DELETE /a HTTP/1.0\r\n\r\n", "DELETE /t HTTP/1.1\r\n\r\n", H1_KEEP},
        {"GET /a HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te\r\n\r\n",
         "GET /t HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n", H1_KEEP},
        {"GET /a HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te\r\n\r\n",
         "GET /t HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n",
         H1_CLOSE},
        {"GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
         "GET /t HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
         H1_UPGRADE},
        {"GET http://b/a HTTP/1.1\r\nHost: b\r\nMax-Forwards: 3\r\n\r\n",
         "GET /t HTTP/1.1\r\nHost: b\r\nMax-Forwards: 3\r\n\r\n", H1_KEEP},
    };

    (void)state;
    for (unsigned i = 0; i < array_len(rows); i++) {
        struct text out = text_in(written, sizeof written);
        struct head head = read_request(str_of(rows[i].in));

        h1_write_request(&out, &head, STR("/t"), rows[i].after);
        assert_false(out.overflow);
        assert_str(text_str(&out), rows[i].out);
    }
}

static void test_response(void **state)
{
    static const struct {
        const char *in, *out;
        enum http_method asked;
        enum h1_after after;
    } rows[] = {
        {"HTTP/1.0 200 Fine\r\nContent-Length: 5\r\nX: y\r\nConnection: keep-alive\r\n\r\n",
         "HTTP/1.1 200 Fine\r\nX: y\r\nContent-Length: 5\r\n\r\n", HTTP_GET, H1_KEEP},
        {"HTTP/1.1 200\r\nX: y\r\nTransfer-Encoding: chunked\r\nKeep-Alive: 5\r\n\r\n",
         "HTTP/1.1 200 \r\nX: y\r\nTransfer-Encoding: chunked\r\nConnection: "
         "keep-alive\r\n\r\n",
         HTTP_GET, H1_KEEP_SAID},
        {"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
         HTTP_GET, H1_CLOSE},
        {"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", HTTP_HEAD, H1_KEEP},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
         "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", HTTP_HEAD, H1_KEEP},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
         "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", HTTP_GET, H1_KEEP},
        {"HTTP/1.1 304 Not Modified\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n\r\n",
         HTTP_GET, H1_KEEP},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n",
         "HTTP/1.1 204 No Content\r\n\r\n", HTTP_GET, H1_KEEP},
        {"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n",
         "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n", HTTP_GET, H1_KEEP},
        {"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
         "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", HTTP_GET,
         H1_UPGRADE},
    };

    (void)state;
    for (unsigned i = 0; i < array_len(rows); i++) {
        struct text out = text_in(written, sizeof written);
        struct head head = read_response(str_of(rows[i].in), rows[i].asked);

        h1_write_response(&out, &head, rows[i].after);
        assert_str(text_str(&out), rows[i].out);
    }
}

/* A page of our own without a body says so. */
static void test_own_empty_answer(void **state)
{
    struct head head = {.status = 302, .reason = STR("Found")};
    struct text out = text_in(written, sizeof written);

    (void)state;
    h1_write_response(&out, &head, H1_KEEP);
    assert_str(text_str(&out), "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n");
}

/* A field that was put there by hand cannot bring framing in. */
static void test_framing_is_ours(void **state)
{
    struct head head = read_request(STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    struct text out = text_in(written, sizeof written);

    (void)state;
    assert_true(head_add(&head, NAME_TRANSFER_ENCODING, STR("Transfer-Encoding"),
                         STR("chunked")));
    assert_true(head_add(&head, NAME_HOST, STR("Host"), STR("b")));
    assert_true(head_add(&head, NAME_OTHER, STR("X"), STR("y")));
    head.authority = STR("c");
    h1_write_request(&out, &head, STR("/"), H1_KEEP);
    assert_str(text_str(&out), "GET / HTTP/1.1\r\nHost: c\r\nX: y\r\n\r\n");
}

static void test_overflow(void **state)
{
    struct head head = read_request(
        STR("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nLonger: yyyyyyyyyyy\r\n\r\n"));

    (void)state;
    for (size_t room = 0; room < 80; room++) {
        char *memory = malloc(room + 1);
        struct text out = text_in(memory, room);

        assert_non_null(memory);
        h1_write_request(&out, &head, STR("/"), H1_KEEP);
        assert_int_equal(out.overflow, room < 54);
        free(memory);
    }
}

static void test_chunks(void **state)
{
    struct field trailers[] = {{.name = STR("ETag"), .value = STR("a")},
                               {.name = STR("X"), .value = STR("b"), .dropped = 1}};
    struct text out = text_in(written, sizeof written);

    (void)state;
    h1_write_chunk_size(&out, 0x1a2b);
    assert_str(text_str(&out), "1a2b\r\n");
    out.n = 0;
    h1_write_chunk_size(&out, UINT64_MAX);
    assert_int_equal(out.n, H1_CHUNK_SIZE_MOST);
    out.n = 0;
    h1_write_last_chunk(&out, NULL, 0);
    assert_str(text_str(&out), "0\r\n\r\n");
    out.n = 0;
    h1_write_last_chunk(&out, trailers, 2);
    assert_str(text_str(&out), "0\r\nETag: a\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),          cmocka_unit_test(test_response),
        cmocka_unit_test(test_own_empty_answer), cmocka_unit_test(test_framing_is_ours),
        cmocka_unit_test(test_overflow),         cmocka_unit_test(test_chunks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

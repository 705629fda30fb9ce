/* A good handshake, and each way of spoiling it. */
#include "websocket.c"

#include "proto/h1_read.h"
#include "proto/test_help.h"

static const struct h1_limits limits = {.head_most = 1024, .target_most = 256};

#define START "GET / HTTP/1.1\r\nHost: a\r\n"
#define UP "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"

static void test_requests(void **state)
{
    static const struct {
        const char *text;
        unsigned status;
    } rows[] = {
        {START UP KEY V13 "\r\n", 0},
        {START KEY V13 "\r\n", 400},
        {START UP V13 "\r\n", 400},
        {START UP KEY "\r\n", 400},
        {START UP KEY KEY V13 "\r\n", 400},
        {START UP KEY V13 V13 "\r\n", 400},
        {START UP KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426},
        {START UP V13 "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=\r\n\r\n", 400},
        {START UP V13 "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2Rl=g==\r\n\r\n", 400},
        {START UP V13 "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZgAA\r\n\r\n", 400},
        {START UP KEY V13 "Content-Length: 5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\n" UP KEY V13 "\r\n", 400},
        {"GET / HTTP/1.0\r\nHost: a\r\n" UP KEY V13 "\r\n", 400},
    };

    (void)state;
    for (unsigned i = 0; i < array_len(rows); i++) {
        struct field fields[8];
        struct head head = {.fields = fields, .field_room = 8};
        struct h1_reader reader = {0};

        assert_int_equal(h1_read_request(&reader, str_of(rows[i].text), &limits, &head),
                         H1_DONE);
        assert_int_equal(websocket_check_request(&head), rows[i].status);
    }
}

#define ACCEPT "Sec-WebSocket-Accept: MDEyMzQ1Njc4OWFiY2RlZmdoaWo=\r\n"

static void test_answers(void **state)
{
    static const struct {
        const char *text;
        bool opens;
    } rows[] = {
        {"HTTP/1.1 101 S\r\n" UP ACCEPT "\r\n", true},
        {"HTTP/1.1 200 S\r\n" UP ACCEPT "\r\n", false},
        {"HTTP/1.0 101 S\r\n" UP ACCEPT "\r\n", false},
        {"HTTP/1.1 101 S\r\n" UP "\r\n", false},
        {"HTTP/1.1 101 S\r\n" ACCEPT "\r\n", false},
        {"HTTP/1.1 101 S\r\n" UP ACCEPT ACCEPT "\r\n", false},
        {"HTTP/1.1 101 S\r\nUpgrade: h2c\r\nConnection: upgrade\r\n" ACCEPT "\r\n",
         false},
        {"HTTP/1.1 101 S\r\n" UP "Sec-WebSocket-Accept: x\r\n\r\n", false},
    };

    (void)state;
    for (unsigned i = 0; i < array_len(rows); i++) {
        struct field fields[8];
        struct head head = {.fields = fields, .field_room = 8};
        struct h1_reader reader = {0};

        assert_int_equal(
            h1_read_response(&reader, str_of(rows[i].text), &limits, HTTP_GET, &head),
            H1_DONE);
        assert_int_equal(websocket_check_answer(&head), rows[i].opens);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

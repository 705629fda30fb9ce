/*
 * The line of an exchange: its fields, what is left out, that nothing a client says can
 * tear or forge it, and both forms. The ring is read without a writer's thread.
 */
#include "proxy/access_log.c"

#include "base/rand.h"
#include "lb/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* A worker with everything an exchange's line is made of. */
struct stage {
    struct log_writer writer;
    struct access_log log;
    struct worker worker;
    struct snapshot snapshot;
    struct listener listener;
    struct listener_live listener_live;
    struct route route;
    struct route_live route_live;
    struct pool pool;
    struct door door;
    struct session session;
    struct server_live server;
    struct exchange x;
    struct field fields[8];
};

enum { MS = 1000000 };

/* As control/carry does it. */
static str laid(struct text *text)
{
    size_t room = (text->n + PEN_READY - 1) / PEN_READY * PEN_READY;
    char *p = calloc(1, room);

    assert_false(text->overflow);
    memcpy(p, text->p, text->n);
    return (str){p, text->n};
}

static str name_laid(const char *key, str name)
{
    char memory[ACCESS_LOG_WORDS_MOST];
    struct text text = text_in(memory, sizeof memory);

    access_log_lay_name(&text, key, name);
    return laid(&text);
}

static str server_laid(const struct server_live *server)
{
    char memory[ACCESS_LOG_WORDS_MOST];
    struct text text = text_in(memory, sizeof memory);

    access_log_lay_server(&text, server);
    return laid(&text);
}

static void begin(struct stage *s)
{
    struct exchange *x = &s->x;
    static const char peer[] = "192.0.2.7";

    memset(s, 0, sizeof *s);
    assert_int_equal(log_writer_init(&s->writer), ERR_OK);
    access_log_init(&s->log, log_ring_new(&s->writer, LOG_ACCESS, LOG_RING_EVENTS));
    s->snapshot.access_log =
        (struct log_settings){.is_enabled = true, .format = LOG_JSON};
    s->worker.snapshot = &s->snapshot;
    s->worker.access_log = &s->log;
    s->worker.engine.loop.now = 5000 * (uint64_t)MS;
    s->worker.wall_offset = UINT64_C(1709210091000000000) + 42000;
    s->listener.name = s->listener_live.name = STR("web");
    s->route.name = STR("all");
    s->pool.name = STR("app");
    s->listener.to = &s->pool;
    s->door.listener = &s->listener;
    s->door.live = &s->listener_live;
    s->session.guest.door = &s->door;
    memcpy(s->session.told + PEER_TEXT_AT, peer, sizeof peer);
    s->session.peer_text_n = sizeof peer - 1;
    s->session.peer_port = 4711;
    s->session.requests = 3;
    s->server.name = STR("app1");
    s->server.pool_name = STR("app");
    s->server.addr_text = STR("10.0.0.1:8080");
    s->route.live = &s->route_live;
    s->listener_live.log_words = name_laid("listener", STR("web"));
    s->route_live.log_words = name_laid("route", STR("all"));
    s->server.log_words = server_laid(&s->server);
    s->fields[0] =
        (struct field){STR("Authorization"), STR("hush"), NAME_AUTHORIZATION, 0};
    s->fields[1] =
        (struct field){STR("User-Agent"), STR("play \"1\""), NAME_USER_AGENT, 1};
    s->fields[2] = (struct field){STR("Referer"), STR("http://r/"), NAME_REFERER, 0};
    s->fields[3] = (struct field){STR("user-agent"), STR("edited"), NAME_USER_AGENT, 0};
    x->worker = &s->worker;
    x->session = &s->session;
    x->snapshot = &s->snapshot;
    x->listener = &s->listener;
    x->route = &s->route;
    x->pool = &s->pool;
    x->request = (struct head){.fields = s->fields,
                               .field_count = 4,
                               .known = UINT64_MAX,
                               .method = HTTP_GET,
                               .method_text = STR("GET"),
                               .path = STR("/a/../c"),
                               .query = STR("x=1"),
                               .authority = STR("Shop.Example:80")};
    x->facts = (struct request_facts){
        .head = &x->request, .host = STR("shop.example"), .path = STR("/c")};
    x->request_id = STR("00112233445566778899aabbccddeeff");
    x->client_text = session_peer_text(&s->session);
    x->response.status = 200;
    x->flags = EXCHANGE_HEAD_SENT;
    x->began = 4700 * (uint64_t)MS;
    x->attempt = (struct attempt){.server = &s->server,
                                  .began = 4701 * (uint64_t)MS,
                                  .connected = 4703 * (uint64_t)MS,
                                  .sent = 4703 * (uint64_t)MS};
    x->served.by = &s->server;
    x->tries = 1;
    x->first_byte = 4950 * (uint64_t)MS;
}

static void end(struct stage *s)
{
    free((void *)(uintptr_t)s->listener_live.log_words.p);
    free((void *)(uintptr_t)s->route_live.log_words.p);
    free((void *)(uintptr_t)s->server.log_words.p);
    log_writer_stop(&s->writer);
}

/* What has been written to the ring so far. */
static str said(const struct stage *s)
{
    return (str){s->log.ring->bytes, s->log.ring->at};
}

static void assert_said(const struct stage *s, const char *wanted)
{
    str line = said(s);

    if (line.n != strlen(wanted) || memcmp(line.p, wanted, line.n) != 0)
        fail_msg("said   " STR_FMT "wanted %s", STR_ARG(line), wanted);
}

static void test_json(void **state)
{
    struct stage s;

    begin(&s);
    access_log_exchange(&s.worker, &s.x, 123, 4567);
    assert_said(
        &s,
        "{\"time\":\"2024-02-29T12:34:56.000042Z\",\"id\":\"00112233445566778899aabbccddeeff\","
        "\"listener\":\"web\",\"route\":\"all\",\"pool\":\"app\",\"server\":\"app1\","
        "\"server_addr\":\"10.0.0.1:8080\",\"client_ip\":\"192.0.2.7\",\"client_port\":4711,"
        "\"method\":\"GET\",\"scheme\":\"http\",\"host\":\"shop.example\",\"path\":\"/c\","
        "\"query\":\"x=1\",\"protocol\":\"HTTP/1.1\",\"status\":200,\"cause\":\"ok\","
        "\"bytes_in\":123,\"bytes_out\":4567,\"referer\":\"http://r/\","
        "\"user_agent\":\"play \\\"1\\\"\",\"t_total\":0.300000,\"t_connect\":0.002000,"
        "\"t_first_byte\":0.250000,\"t_transfer\":0.050000,\"conn_requests\":3,"
        "\"upstream_reused\":false}\n");
    end(&s);
}

static void test_combined(void **state)
{
    struct stage s;

    begin(&s);
    s.snapshot.access_log.format = LOG_COMBINED;
    access_log_exchange(&s.worker, &s.x, 123, 4567);
    assert_said(&s,
                "192.0.2.7 - - [29/Feb/2024:12:34:56 +0000] \"GET /c?x=1 HTTP/1.1\" 200 "
                "4567 \"http://r/\" \"play \\\"1\\\"\"\n");
    end(&s);
}

/* The end of a JSON string, number or word that begins at p; NULL when it is none. */
static const char *skip_value(const char *p, const char *end)
{
    if (p < end && *p != '"') {
        const char *from = p;

        while (p < end && strchr("0123456789.truefals", *p))
            p++;
        return p > from ? p : NULL;
    }
    for (p++; p < end && *p != '"'; p++) {
        if ((unsigned char)*p < 0x20)
            return NULL;
        if (*p != '\\')
            continue;
        p++;
        if (p < end && *p == 'u')
            p += 4;
        else if (p >= end || !strchr("\"\\bfnrt", *p))
            return NULL;
    }
    return p < end ? p + 1 : NULL;
}

/* Is it one flat JSON object and its newline? */
static bool is_json_line(str line)
{
    const char *p = line.p, *end = line.p + line.n - 1;

    if (line.n < 3 || *p++ != '{' || *end != '\n')
        return false;
    while (p < end) {
        if (*p != '"' || !(p = skip_value(p, end)) || p >= end || *p++ != ':' ||
            !(p = skip_value(p, end)) || p >= end)
            return false;
        if (*p == '}')
            return p + 1 == end;
        if (*p++ != ',')
            return false;
    }
    return false;
}

/* As it stands in the only line: "\"x\"" or "12"; empty when the key is not there. */
static str value_of(const struct stage *s, const char *key)
{
    char sought[64];
    str line = said(s);
    const char *from;
    long at;

    assert_true(is_json_line(line));
    snprintf(sought, sizeof sought, "\"%s\":", key);
    at = str_find(line, str_of(sought));
    if (at < 0)
        return STR("");
    from = line.p + at + strlen(sought);
    return str_slice(from, skip_value(from, line.p + line.n));
}

static void assert_value(const struct stage *s, const char *key, const char *wanted)
{
    str value = value_of(s, key);

    if (!str_eq(value, str_of(wanted)))
        fail_msg("%s is " STR_FMT ", wanted %s", key, STR_ARG(value), wanted);
}

/* Each level of a ladder by its name; full is not worth a word. */
static void test_degrade(void **state)
{
    static const char *const words[DEGRADE_COUNT] = {
        [DEGRADE_FULL] = "",
        [DEGRADE_REDUCED] = "\"reduced\"",
        [DEGRADE_CRITICAL] = "\"critical\"",
        [DEGRADE_MAINTENANCE] = "\"maintenance\"",
    };

    (void)state;
    for (unsigned level = 0; level < DEGRADE_COUNT; level++) {
        struct stage s;

        begin(&s);
        s.x.level = (enum degrade_level)level;
        access_log_exchange(&s.worker, &s.x, 1, 2);
        assert_value(&s, "degrade", words[level]);
        assert_value(&s, "upstream_reused", "false");
        end(&s);
    }
}

/* A reused link: no connect; a retry; behind a proxy that is trusted; a long time. */
static void test_json_of_other_exchanges(void **state)
{
    struct stage s;

    begin(&s);
    s.x.attempt.is_reused = true;
    s.x.tries = 2;
    s.x.client_text = STR("2001:db8::1");
    s.x.request.flags = HEAD_HTTP10;
    s.x.began = 0;
    access_log_exchange(&s.worker, &s.x, 0, 0);
    assert_value(&s, "t_connect", "");
    assert_value(&s, "upstream_reused", "true");
    assert_value(&s, "retries", "1");
    assert_value(&s, "client_ip", "\"2001:db8::1\"");
    assert_value(&s, "peer_ip", "\"192.0.2.7\"");
    assert_value(&s, "client_port", "");
    assert_value(&s, "protocol", "\"HTTP/1.0\"");
    assert_value(&s, "t_total", "5.000000");
    end(&s);
}

/* No server answered: the one tried last is named, with its connection; status and the
 * times of an answer are left out. */
static void test_failed(void **state)
{
    struct stage s;

    begin(&s);
    s.x.attempt = (struct attempt){0};
    s.x.first_byte = 0;
    s.x.flags = 0;
    s.x.cause = CAUSE_CLIENT_CLOSED;
    s.x.served.is_reused = true;
    s.x.served.began = s.x.served.connected = 4701 * (uint64_t)MS;
    access_log_exchange(&s.worker, &s.x, 0, 0);
    assert_value(&s, "server", "\"app1\"");
    assert_value(&s, "cause", "\"client_closed\"");
    assert_value(&s, "status", "");
    assert_value(&s, "t_first_byte", "");
    assert_value(&s, "t_connect", "");
    assert_value(&s, "upstream_reused", "true");
    s.log.ring->at = 0;
    s.x.served.is_reused = false;
    s.x.served.connected += 2 * (uint64_t)MS;
    access_log_exchange(&s.worker, &s.x, 0, 0);
    assert_value(&s, "t_connect", "0.002000");
    assert_value(&s, "upstream_reused", "false");
    s.log.ring->at = 0;
    s.x.served.connected = 0; /* it was refused */
    access_log_exchange(&s.worker, &s.x, 0, 0);
    assert_value(&s, "t_connect", "");
    end(&s);
}

/* Refused before the head was whole: what there is of it is not looked at. */
static void test_refused(void **state)
{
    struct stage s;

    begin(&s);
    s.x.facts = (struct request_facts){0};
    s.x.client_text = STR_NONE;
    s.x.route = NULL;
    s.x.pool = NULL;
    s.x.attempt = (struct attempt){0};
    s.x.served.by = NULL;
    s.x.response.status = 400;
    s.x.cause = CAUSE_BAD_REQUEST;
    s.x.request.method_text = s.x.request.path = (str){(char *)8, 1 << 20}; /* gone */
    access_log_exchange(&s.worker, &s.x, 0, 0);
    assert_value(&s, "status", "400");
    assert_value(&s, "client_ip", "\"192.0.2.7\"");
    assert_value(&s, "path", "");
    assert_value(&s, "server", "");
    s.log.ring->at = 0;
    s.snapshot.access_log.format = LOG_COMBINED;
    access_log_exchange(&s.worker, &s.x, 0, 9);
    assert_said(&s,
                "192.0.2.7 - - [29/Feb/2024:12:34:56 +0000] \"-\" 400 9 \"-\" \"-\"\n");
    end(&s);
}

/* Whatever the bytes and however many: one valid line, in both forms, without secrets. */
static void test_hostile_bytes(void **state)
{
    static char raw[40000];
    struct stage s;
    struct rand rand;

    begin(&s);
    rand_seed(&rand, 3);
    for (int i = 0; i < 400; i++) {
        uint64_t mask = rand_u64(&rand);
        size_t longest = i % 4 ? 200 : sizeof raw;

        for (size_t k = 0; k < sizeof raw; k++)
            raw[k] = (char)(i % 3 == 0   ? '\x01'
                            : i % 3 == 1 ? '"'
                                         : rand_u64(&rand) & mask);
        s.x.facts.path = (str){raw, rand_below(&rand, longest)};
        s.x.facts.host = (str){raw, rand_below(&rand, longest)};
        s.x.request.query = (str){raw, rand_below(&rand, longest)};
        s.fields[1].value = (str){raw, rand_below(&rand, longest)};
        s.fields[2].value = (str){raw, rand_below(&rand, longest)};
        s.log.ring->at = 0;
        s.snapshot.access_log.format = i % 2 ? LOG_JSON : LOG_COMBINED;
        access_log_exchange(&s.worker, &s.x, 1, 2);
        assert_true(s.log.ring->at > 0);
        if (i % 2) {
            assert_true(is_json_line(said(&s)));
        } else {
            str line = said(&s);

            for (size_t k = 0; k + 1 < line.n; k++)
                assert_in_range((unsigned char)line.p[k], 0x20, 0x7e);
            assert_int_equal(line.p[line.n - 1], '\n');
        }
        assert_true(str_find(said(&s), STR("hush")) < 0);
    }
    end(&s);
}

static void test_off(void **state)
{
    struct stage s;

    begin(&s);
    s.snapshot.access_log.is_enabled = false;
    access_log_exchange(&s.worker, &s.x, 0, 0);
    s.worker.access_log = NULL;
    s.snapshot.access_log.is_enabled = true;
    access_log_exchange(&s.worker, &s.x, 0, 0);
    assert_int_equal(said(&s).n, 0);
    end(&s);
}

static void test_drops_are_counted(void **state)
{
    struct stage s;
    uint64_t before = 0;

    begin(&s);
    while (log_writer_dropped(&s.writer, LOG_ACCESS) == 0) {
        before = s.log.ring->at;
        access_log_exchange(&s.worker, &s.x, 0, 0);
    }
    assert_int_equal(s.log.ring->at, before);
    assert_true(before > LOG_RING_EVENTS - LINE_FRAME - 1000);
    end(&s);
}

static void test_the_second_moves_on(void **state)
{
    struct stage s;

    begin(&s);
    access_log_exchange(&s.worker, &s.x, 0, 0);
    s.log.ring->at = 0;
    s.worker.engine.loop.now += 1000 * (uint64_t)MS;
    access_log_exchange(&s.worker, &s.x, 0, 0);
    assert_value(&s, "time", "\"2024-02-29T12:34:57.000042Z\"");
    end(&s);
}

static void test_tcp(void **state)
{
    struct stage s;
    struct tcp_session tcp = {0};

    begin(&s);
    tcp.guest.door = &s.door;
    tcp.target = &s.server;
    tcp.tried[0] = &s.server;
    tcp.tries = 1;
    assert_int_equal(addr_parse_ip(STR("192.0.2.9"), &tcp.peer), ERR_OK);
    tcp.peer.port = 99;
    tcp.client.received = 10;
    tcp.client.sent = 20;
    tcp.began = 4000 * (uint64_t)MS;
    tcp.connect_began = 4000 * (uint64_t)MS;
    tcp.connected = 4001 * (uint64_t)MS;
    access_log_tcp(&s.worker, &tcp);
    assert_said(&s,
                "{\"time\":\"2024-02-29T12:34:56.000042Z\",\"kind\":\"tcp\","
                "\"listener\":\"web\",\"pool\":\"app\",\"server\":\"app1\","
                "\"server_addr\":\"10.0.0.1:8080\",\"client_ip\":\"192.0.2.9\","
                "\"client_port\":99,\"cause\":\"ok\",\"bytes_in\":10,\"bytes_out\":20,"
                "\"t_total\":1.000000,\"t_connect\":0.001000}\n");
    s.log.ring->at = 0;
    s.snapshot.access_log.format = LOG_COMBINED;
    access_log_tcp(&s.worker, &tcp);
    assert_said(&s, "192.0.2.9 - - [29/Feb/2024:12:34:56 +0000] \"TCP web\" 200 20 \"-\" "
                    "\"-\"\n");
    s.log.ring->at = 0;
    s.snapshot.access_log.format = LOG_JSON;
    tcp.target = NULL;
    tcp.cause = CAUSE_CONNECT_REFUSED;
    tcp.connected = 0;
    s.door.listener = NULL; /* removed by a reload */
    access_log_tcp(&s.worker, &tcp);
    assert_said(&s, "{\"time\":\"2024-02-29T12:34:56.000042Z\",\"kind\":\"tcp\","
                    "\"listener\":\"web\",\"pool\":\"app\",\"server\":\"app1\","
                    "\"server_addr\":\"10.0.0.1:8080\",\"client_ip\":\"192.0.2.9\","
                    "\"client_port\":99,\"cause\":\"connect_refused\",\"bytes_in\":10,"
                    "\"bytes_out\":20,\"t_total\":1.000000}\n");
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_combined),
        cmocka_unit_test(test_degrade),
        cmocka_unit_test(test_json_of_other_exchanges),
        cmocka_unit_test(test_failed),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_drops_are_counted),
        cmocka_unit_test(test_the_second_moves_on),
        cmocka_unit_test(test_tcp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

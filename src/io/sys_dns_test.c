/*
 * c-ares on our loop against a DNS server that the test plays itself, in the same thread,
 * on a loopback port: what answers mean, what silence means, and what a hostile server may
 * try by UDP and TCP.
 */
#include "sys_dns.c"

#include "base/rand.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

enum { A = 1, CNAME = 5, AAAA = 28 };
enum { NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NAME_ERROR, NOT_KNOWN, REFUSED };

/* ---- messages ---- */

struct message {
    unsigned char bytes[65536];
    size_t n;
};

static void put8(struct message *m, unsigned x)
{
    assert_true(m->n < sizeof m->bytes);
    m->bytes[m->n++] = (unsigned char)x;
}

static void put16(struct message *m, unsigned x)
{
    put8(m, x >> 8);
    put8(m, x);
}

static void put32(struct message *m, uint32_t x)
{
    put16(m, x >> 16);
    put16(m, x & 0xffff);
}

static void put_name(struct message *m, const char *name)
{
    while (*name) {
        size_t n = strcspn(name, ".");

        put8(m, (unsigned)n);
        while (n--)
            put8(m, (unsigned char)*name++);
        name += *name == '.';
    }
    put8(m, 0);
}

struct question {
    struct message raw;
    unsigned id, type;
    struct sockaddr_in from;
    int tcp; /* -1: it came by UDP */
};

/* The header and the question again; records are appended. */
static void reply_begin(struct message *m, const struct question *question, unsigned code,
                        unsigned answers, bool is_cut)
{
    m->n = 0;
    put16(m, question->id);
    put16(m, 0x8580 | code | (is_cut ? 0x0200 : 0));
    put16(m, 1);
    put16(m, answers);
    put32(m, 0);
    for (size_t i = 12; i < question->raw.n; i++)
        put8(m, question->raw.bytes[i]);
}

static void put_record(struct message *m, unsigned type, uint32_t ttl, unsigned size)
{
    put16(m, 0xc00c); /* the name that was asked for */
    put16(m, type);
    put16(m, 1);
    put32(m, ttl);
    put16(m, size);
}

static void put_a(struct message *m, uint32_t ip, uint32_t ttl)
{
    put_record(m, A, ttl, 4);
    put32(m, ip);
}

static void put_aaaa(struct message *m, unsigned last, uint32_t ttl)
{
    put_record(m, AAAA, ttl, 16);
    put32(m, 0x20010db8);
    put32(m, 0);
    put32(m, 0);
    put32(m, last);
}

/* ---- the server ---- */

struct server {
    int udp, tcp;
    struct addr addr;
    unsigned heard; /* questions */
    void (*serve)(struct server *server, const struct question *question);
};

static bool is_readable(int fd)
{
    struct pollfd ask = {.fd = fd, .events = POLLIN};

    return poll(&ask, 1, 0) == 1;
}

static void server_open(struct server *server)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int tries = 0;

    *server = (struct server){.addr.family = ADDR_IP4, .addr.ip = {127, 0, 0, 1}};
    for (;;) {
        name.sin_port = 0;
        server->udp = socket(AF_INET, SOCK_DGRAM, 0);
        server->tcp = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(bind(server->udp, (struct sockaddr *)&name, size), 0);
        assert_int_equal(getsockname(server->udp, (struct sockaddr *)&name, &size), 0);
        if (bind(server->tcp, (struct sockaddr *)&name, size) == 0)
            break;
        close(server->udp);
        close(server->tcp);
        assert_true(++tries < 100);
    }
    assert_int_equal(listen(server->tcp, 16), 0);
    server->addr.port = ntohs(name.sin_port);
}

static void server_close(struct server *server)
{
    close(server->udp);
    close(server->tcp);
}

static void parse(struct question *question)
{
    const unsigned char *p = question->raw.bytes;

    assert_true(question->raw.n > 16);
    question->id = p[0] << 8 | p[1];
    question->type = p[question->raw.n - 4] << 8 | p[question->raw.n - 3];
}

static void send_udp(struct server *server, const struct question *to,
                     const struct message *m)
{
    sendto(server->udp, m->bytes, m->n, 0, (const struct sockaddr *)&to->from,
           sizeof to->from);
}

/* By the way it came. */
static void reply(struct server *server, const struct question *to,
                  const struct message *m)
{
    unsigned char length[2] = {(unsigned char)(m->n >> 8), (unsigned char)m->n};

    if (to->tcp < 0) {
        send_udp(server, to, m);
        return;
    }
    assert_int_equal(send(to->tcp, length, 2, MSG_NOSIGNAL), 2);
    assert_int_equal(send(to->tcp, m->bytes, m->n, MSG_NOSIGNAL), m->n);
}

static int tcp_client = -1;

static void serve_udp(struct server *server)
{
    static struct question question;
    socklen_t size = sizeof question.from;
    ssize_t r = recvfrom(server->udp, question.raw.bytes, sizeof question.raw.bytes, 0,
                         (struct sockaddr *)&question.from, &size);

    assert_true(r > 0);
    question.raw.n = (size_t)r;
    question.tcp = -1;
    parse(&question);
    server->heard++;
    server->serve(server, &question);
}

static void serve_tcp(struct server *server)
{
    static struct question question;
    unsigned char length[2];

    if (recv(tcp_client, length, 2, MSG_WAITALL) != 2) {
        close(tcp_client);
        tcp_client = -1;
        return;
    }
    question.raw.n = (size_t)(length[0] << 8 | length[1]);
    assert_int_equal(recv(tcp_client, question.raw.bytes, question.raw.n, MSG_WAITALL),
                     question.raw.n);
    question.tcp = tcp_client;
    parse(&question);
    server->heard++;
    server->serve(server, &question);
}

static void serve_all(struct server *server)
{
    while (is_readable(server->udp))
        serve_udp(server);
    if (tcp_client < 0 && is_readable(server->tcp)) {
        tcp_client = accept(server->tcp, NULL, NULL);
        setsockopt(tcp_client, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    }
    while (tcp_client >= 0 && is_readable(tcp_client))
        serve_tcp(server);
}

/* ---- the asker ---- */

static struct loop loop;
static struct server server;
static struct sys_dns *dns;

struct heard {
    unsigned times;
    enum err e;
    unsigned count;
    uint32_t ttl;
    struct addr first, last;
};

static void hear(void *owner, enum err e, const struct addr *addrs, unsigned count,
                 uint32_t ttl)
{
    struct heard *heard = owner;

    *heard = (struct heard){heard->times + 1, e, count, ttl, {0}, {0}};
    assert_int_equal(e == ERR_OK, count > 0);
    if (count) {
        heard->first = addrs[0];
        heard->last = addrs[count - 1];
    }
}

static void wait_for(struct heard *heard)
{
    while (!heard->times) {
        serve_all(&server);
        if (!heard->times)
            loop_turn(&loop);
    }
    assert_int_equal(heard->times, 1);
}

static struct heard ask(enum addr_family family)
{
    struct heard heard = {0};

    sys_dns_ask(dns, STR("app.test"), family, hear, &heard);
    assert_int_equal(heard.times, 0);
    wait_for(&heard);
    return heard;
}

static void open_dns(uint32_t timeout_ms)
{
    assert_int_equal(sys_dns_new(&dns, &loop, &server.addr, 1, timeout_ms), ERR_OK);
}

static int begin(void **state)
{
    if (loop_init(&loop))
        return 1;
    server_open(&server);
    return 0;
}

static int end(void **state)
{
    sys_dns_free(dns);
    assert_true(list_is_empty(&loop.deferred));
    server_close(&server);
    if (tcp_client >= 0)
        close(tcp_client);
    tcp_client = -1;
    loop_close(&loop);
    return 0;
}

/* ---- what answers mean ---- */

static void serve_both(struct server *at, const struct question *question)
{
    struct message m;

    if (question->type == A) {
        reply_begin(&m, question, NO_ERROR, 3, false);
        put_a(&m, 0x0a000001, 300);
        put_a(&m, 0x0a000002, 60);
        put_a(&m, 0x0a000003, 600);
    } else {
        assert_int_equal(question->type, AAAA);
        reply_begin(&m, question, NO_ERROR, 1, false);
        put_aaaa(&m, 7, 90);
    }
    reply(at, question, &m);
}

static void test_addresses(void **state)
{
    struct heard heard;
    char text[ADDR_TEXT_MOST];

    open_dns(2000);
    server.serve = serve_both;
    heard = ask(ADDR_IP4);
    assert_int_equal(heard.e, ERR_OK);
    assert_int_equal(heard.count, 3);
    assert_int_equal(heard.ttl, 60);
    assert_int_equal(heard.first.family, ADDR_IP4);
    assert_int_equal(heard.first.port, 0);
    assert_true(str_eq(addr_print_ip(&heard.first, text, sizeof text), STR("10.0.0.1")));
    assert_true(str_eq(addr_print_ip(&heard.last, text, sizeof text), STR("10.0.0.3")));
    heard = ask(ADDR_IP6);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.ttl, 90);
    assert_true(
        str_eq(addr_print_ip(&heard.first, text, sizeof text), STR("2001:db8::7")));
    assert_int_equal(server.heard, 2); /* the name as it stands, no search list */
}

static void serve_alias(struct server *at, const struct question *question)
{
    struct message m;

    reply_begin(&m, question, NO_ERROR, 2, false);
    put_record(&m, CNAME, 20, 10);
    put_name(&m, "real.tes"); /* 4 + 1 + 3 + 1 + 1 */
    put_name(&m, "real.tes");
    put16(&m, A);
    put16(&m, 1);
    put32(&m, 3600);
    put16(&m, 4);
    put32(&m, 0x0a000009);
    reply(at, question, &m);
}

static void test_an_alias_counts_for_the_ttl(void **state)
{
    struct heard heard;

    open_dns(2000);
    server.serve = serve_alias;
    heard = ask(ADDR_IP4);
    assert_int_equal(heard.e, ERR_OK);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.ttl, 20);
}

static unsigned code_to_say;

static void serve_code(struct server *at, const struct question *question)
{
    struct message m;

    reply_begin(&m, question, code_to_say, 0, false);
    reply(at, question, &m);
}

static void test_codes(void **state)
{
    static const struct {
        unsigned code;
        enum err e;
    } codes[] = {
        {NO_ERROR, ERR_NOT_FOUND}, {NAME_ERROR, ERR_NOT_FOUND},
        {SERVER_FAILURE, ERR_IO},  {REFUSED, ERR_IO},
        {NOT_KNOWN, ERR_IO},       {FORMAT_ERROR, ERR_INVALID},
    };

    open_dns(2000);
    server.serve = serve_code;
    for (unsigned i = 0; i < array_len(codes); i++) {
        struct heard heard;

        code_to_say = codes[i].code;
        heard = ask(i % 2 ? ADDR_IP4 : ADDR_IP6);
        if (heard.e != codes[i].e)
            fail_msg("code %u: %s", codes[i].code, err_text(heard.e));
    }
}

/* Servers that were named are not asked for a search list's names. */
static void test_no_search_list(void **state)
{
    assert_int_equal(setenv("LOCALDOMAIN", "search.test", 1), 0);
    open_dns(2000);
    assert_int_equal(unsetenv("LOCALDOMAIN"), 0);
    server.serve = serve_code;
    code_to_say = NAME_ERROR;
    assert_int_equal(ask(ADDR_IP4).e, ERR_NOT_FOUND);
    assert_int_equal(server.heard, 1);
}

static uint32_t ttl_to_say;

static void serve_ttl(struct server *at, const struct question *question)
{
    struct message m;

    reply_begin(&m, question, NO_ERROR, 1, false);
    put_a(&m, 0x0a000001, ttl_to_say);
    reply(at, question, &m);
}

static void test_ttls(void **state)
{
    static const uint32_t ttls[][2] = {
        {0, 0}, {1, 1}, {0x7fffffff, 0x7fffffff}, {0x80000000, 0}, {0xffffffff, 0}};

    open_dns(2000);
    server.serve = serve_ttl;
    for (unsigned i = 0; i < array_len(ttls); i++) {
        ttl_to_say = ttls[i][0];
        assert_int_equal(ask(ADDR_IP4).ttl, ttls[i][1]);
    }
}

/* ---- silence ---- */

static void serve_nothing(struct server *at, const struct question *question)
{
}

static void test_silence(void **state)
{
    uint64_t began = sys_now();

    open_dns(40);
    server.serve = serve_nothing;
    assert_int_equal(ask(ADDR_IP4).e, ERR_TIMEOUT);
    assert_int_equal(server.heard, TRIES);
    assert_true(sys_now() - began >= 80 * UINT64_C(1000000));
}

static void serve_second_time(struct server *at, const struct question *question)
{
    if (at->heard == 2)
        serve_both(at, question);
}

static void test_a_lost_packet(void **state)
{
    open_dns(40);
    server.serve = serve_second_time;
    assert_int_equal(ask(ADDR_IP4).e, ERR_OK);
}

static void test_nobody_listens(void **state)
{
    struct heard heard = {0};

    open_dns(5000);
    server_close(&server);
    sys_dns_ask(dns, STR("a.test"), ADDR_IP4, hear, &heard);
    while (!heard.times)
        loop_turn(&loop);
    assert_int_equal(heard.e, ERR_IO);
    server_open(&server);
}

/* The first server is silent, the next one is asked. */
static void test_two_servers(void **state)
{
    struct server dead;
    struct addr both[2];

    server_open(&dead);
    both[0] = dead.addr;
    both[1] = server.addr;
    assert_int_equal(sys_dns_new(&dns, &loop, both, 2, 40), ERR_OK);
    server.serve = serve_both;
    assert_int_equal(ask(ADDR_IP4).count, 3);
    assert_true(is_readable(dead.udp));
    assert_int_equal(server.heard, 1);
    server_close(&dead);
}

/* ---- hostile answers ---- */

static void serve_lies_first(struct server *at, const struct question *question)
{
    struct question other = *question;
    struct message m;
    struct server liar;

    other.id ^= 1; /* a wrong id */
    reply_begin(&m, &other, NO_ERROR, 1, false);
    put_a(&m, 0x06060606, 60);
    reply(at, question, &m);
    other = *question;
    other.raw.bytes[13] ^= 1; /* another name */
    reply_begin(&m, &other, NO_ERROR, 1, false);
    put_a(&m, 0x06060606, 60);
    reply(at, question, &m);
    server_open(&liar); /* from another port */
    reply_begin(&m, question, NO_ERROR, 1, false);
    put_a(&m, 0x06060606, 60);
    send_udp(&liar, question, &m);
    server_close(&liar);
    serve_both(at, question);
}

static void test_lies(void **state)
{
    open_dns(2000);
    server.serve = serve_lies_first;
    assert_int_equal(ask(ADDR_IP4).count, 3);
    assert_int_equal(server.heard, 1);
}

static struct message to_say; /* as it stands, but for the id */

static void serve_as_it_stands(struct server *at, const struct question *question)
{
    if (to_say.n >= 2) {
        to_say.bytes[0] = (unsigned char)(question->id >> 8);
        to_say.bytes[1] = (unsigned char)question->id;
    }
    reply(at, question, &to_say);
}

static void learn_answer(struct server *at, const struct question *question)
{
    reply_begin(&to_say, question, NO_ERROR, 3, false);
    put_record(&to_say, CNAME, 20, 2);
    put16(&to_say, 0xc00c); /* an alias of itself */
    put_a(&to_say, 0x0a000001, 60);
    put_a(&to_say, 0x0a000002, 60);
    reply(at, question, &to_say);
}

static void test_cut_at_every_byte(void **state)
{
    size_t whole;

    open_dns(4);
    server.serve = learn_answer;
    ask(ADDR_IP4);
    server.serve = serve_as_it_stands;
    for (whole = to_say.n - 1; whole > 0; whole--) {
        to_say.n = whole;
        assert_int_not_equal(ask(ADDR_IP4).e, ERR_OK);
    }
}

/* Names that point at themselves and at each other, and past the end. */
static void test_pointers(void **state)
{
    static const unsigned targets[] = {0xc00c, 0xc02a, 0xffff};
    struct message usual;

    open_dns(4);
    server.serve = learn_answer;
    ask(ADDR_IP4);
    usual = to_say;
    server.serve = serve_as_it_stands;
    for (size_t at = 12; at + 1 < usual.n; at++)
        for (unsigned i = 0; i < array_len(targets); i++) {
            struct heard heard = {0};

            to_say = usual;
            to_say.bytes[at] = (unsigned char)(targets[i] >> 8);
            to_say.bytes[at + 1] = (unsigned char)targets[i];
            sys_dns_ask(dns, STR("app.test"), ADDR_IP4, hear, &heard);
            wait_for(&heard);
        }
}

static void test_garbage(void **state)
{
    struct message usual;
    struct rand rand;

    open_dns(2);
    server.serve = learn_answer;
    ask(ADDR_IP4);
    usual = to_say;
    server.serve = serve_as_it_stands;
    rand_seed(&rand, 53);
    for (unsigned i = 0; i < 400; i++) {
        struct heard heard = {0};

        to_say = usual;
        for (unsigned k = (unsigned)rand_below(&rand, 6); k < 6; k++)
            to_say.bytes[2 + rand_below(&rand, to_say.n - 2)] =
                (unsigned char)rand_u64(&rand);
        if (rand_below(&rand, 4) == 0)
            to_say.n = 1 + (size_t)rand_below(&rand, 2 * usual.n);
        sys_dns_ask(dns, STR("app.test"), i % 2 ? ADDR_IP4 : ADDR_IP6, hear, &heard);
        wait_for(&heard);
    }
}

/* ---- TCP ---- */

enum { MANY = 3000 };

static void serve_many(struct server *at, const struct question *question)
{
    struct message m;

    if (question->tcp < 0) {
        reply_begin(&m, question, NO_ERROR, 0, true);
        reply(at, question, &m);
        return;
    }
    reply_begin(&m, question, NO_ERROR, MANY, false);
    for (unsigned i = 0; i < MANY; i++)
        put_a(&m, 0x0a000000 + i, 60);
    reply(at, question, &m);
}

static void test_a_large_answer_by_tcp(void **state)
{
    open_dns(5000);
    server.serve = serve_many;
    for (unsigned i = 0; i < 3; i++) {
        struct heard heard = ask(ADDR_IP4);

        assert_int_equal(heard.e, ERR_OK);
        assert_int_equal(heard.count, MANY);
        assert_int_equal(heard.last.ip[3], (MANY - 1) & 0xff);
    }
}

/* Byte by byte, so that no edge may be lost. */
static void serve_slowly(struct server *at, const struct question *question)
{
    struct message m;

    if (question->tcp < 0) {
        serve_many(at, question);
        return;
    }
    reply_begin(&m, question, NO_ERROR, 2, false);
    put_a(&m, 0x0a000001, 60);
    put_a(&m, 0x0a000002, 60);
    for (size_t i = 0; i < m.n + 2; i++) {
        unsigned char byte = i < 2 ? (unsigned char)(m.n >> (8 - 8 * i)) : m.bytes[i - 2];

        assert_int_equal(send(question->tcp, &byte, 1, MSG_NOSIGNAL), 1);
        if (i % 3)
            loop_turn(&loop);
    }
}

static void test_a_slow_answer_by_tcp(void **state)
{
    open_dns(5000);
    server.serve = serve_slowly;
    assert_int_equal(ask(ADDR_IP4).count, 2);
    assert_int_equal(ask(ADDR_IP4).count, 2);
}

static unsigned evil;

static void serve_evil(struct server *at, const struct question *question)
{
    static const unsigned char nothing[2] = {0, 0}, too_much[4] = {0xff, 0xff, 1, 2};
    static unsigned char noise[100000];

    if (question->tcp < 0) {
        serve_many(at, question);
        return;
    }
    if (evil == 0)
        shutdown(question->tcp, SHUT_WR);
    else if (evil == 1)
        send(question->tcp, too_much, sizeof too_much, MSG_NOSIGNAL);
    else if (evil == 2)
        for (unsigned i = 0; i < 20000; i++)
            send(question->tcp, nothing, sizeof nothing, MSG_NOSIGNAL | MSG_DONTWAIT);
    else
        send(question->tcp, noise + evil, sizeof noise - evil,
             MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void test_evil_by_tcp(void **state)
{
    open_dns(30);
    server.serve = serve_evil;
    for (evil = 0; evil < 4; evil++)
        assert_int_not_equal(ask(ADDR_IP4).e, ERR_OK);
    server.serve = serve_both;
    assert_int_equal(ask(ADDR_IP4).count, 3); /* and it lives */
}

/* ---- questions ---- */

static void test_names_that_are_none(void **state)
{
    static char longest[300];
    const str names[] = {
        STR(""),          {longest, sizeof longest}, STR("a..b"),
        {"a.test\0b", 8}, {longest, 64 + 0}, /* one label, too long */
    };

    memset(longest, 'a', sizeof longest);
    open_dns(2000);
    server.serve = serve_both;
    for (unsigned i = 0; i < array_len(names); i++) {
        struct heard heard = {0};

        sys_dns_ask(dns, names[i], ADDR_IP4, hear, &heard);
        assert_int_equal(heard.times, 0); /* later, from the loop */
        wait_for(&heard);
        assert_int_equal(heard.e, ERR_NOT_FOUND);
    }
    assert_int_equal(server.heard, 0);
}

static void test_the_system_knows_localhost(void **state)
{
    struct heard heard;

    assert_int_equal(sys_dns_new(&dns, &loop, NULL, 0, 1000), ERR_OK);
    sys_dns_ask(dns, STR("localhost"), ADDR_IP4, hear, memset(&heard, 0, sizeof heard));
    while (!heard.times)
        loop_turn(&loop);
    assert_int_equal(heard.e, ERR_OK);
    assert_int_equal(heard.first.ip[0], 127);
    dns->opened -= 2 * SYSTEM_SETTINGS_HOLD_NS; /* the settings are read anew */
    memset(&heard, 0, sizeof heard);
    sys_dns_ask(dns, STR("localhost"), ADDR_IP4, hear, &heard);
    assert_true(sys_now() - dns->opened < SYSTEM_SETTINGS_HOLD_NS);
    while (!heard.times)
        loop_turn(&loop);
    assert_int_equal(heard.e, ERR_OK);
    memset(&heard, 0, sizeof heard);
    sys_dns_ask(dns, STR("LocalHost"), ADDR_IP6, hear, &heard);
    assert_int_equal(heard.times, 0); /* from the loop, as ever */
    while (!heard.times)
        loop_turn(&loop);
    assert_int_equal(heard.e, ERR_OK);
    assert_int_equal(heard.first.family, ADDR_IP6);
    assert_int_equal(heard.first.ip[15], 1);
    sys_dns_cancel(sys_dns_ask(dns, STR("localhost"), ADDR_IP6, hear,
                               memset(&heard, 0, sizeof heard)));
    assert_int_equal(heard.times, 0);
    assert_true(list_is_empty(&dns->questions));
}

static void test_cancelled(void **state)
{
    struct sys_dns_question *questions[3];
    struct heard heard[3] = {0}, after;

    open_dns(2000);
    server.serve = serve_both;
    for (unsigned i = 0; i < 3; i++)
        questions[i] = sys_dns_ask(dns, STR("app.test"), ADDR_IP4, hear, &heard[i]);
    sys_dns_cancel(questions[1]); /* c-ares still waits for it */
    serve_all(&server);
    while (!questions[2]->is_answered)
        process(dns);
    sys_dns_cancel(questions[2]); /* answered, and not yet handed out */
    wait_for(&heard[0]);
    after = ask(ADDR_IP6);
    assert_int_equal(after.count, 1);
    assert_int_equal(heard[1].times + heard[2].times, 0);
    assert_true(list_is_empty(&dns->questions));
    sys_dns_ask(dns, STR("app.test"), ADDR_IP4, hear, &heard[1]);
    sys_dns_cancel(sys_dns_ask(dns, STR("app.test"), ADDR_IP4, hear, &heard[1]));
    /* sys_dns_free finds one open and one cancelled */
}

static void test_hundreds_at_once(void **state)
{
    enum { QUESTIONS = 200 };
    static struct heard heard[QUESTIONS];

    open_dns(5000);
    server.serve = serve_both;
    for (unsigned i = 0; i < QUESTIONS; i++) {
        char host[32];

        snprintf(host, sizeof host, "h%u.test", i);
        sys_dns_ask(dns, str_of(host), i % 2 ? ADDR_IP6 : ADDR_IP4, hear, &heard[i]);
    }
    for (unsigned i = 0; i < QUESTIONS; i++) {
        wait_for(&heard[i]);
        assert_int_equal(heard[i].count, i % 2 ? 1 : 3);
    }
    assert_int_equal(server.heard, QUESTIONS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_addresses),
        TEST(test_an_alias_counts_for_the_ttl),
        TEST(test_codes),
        TEST(test_no_search_list),
        TEST(test_ttls),
        TEST(test_silence),
        TEST(test_a_lost_packet),
        TEST(test_nobody_listens),
        TEST(test_two_servers),
        TEST(test_lies),
        TEST(test_cut_at_every_byte),
        TEST(test_pointers),
        TEST(test_garbage),
        TEST(test_a_large_answer_by_tcp),
        TEST(test_a_slow_answer_by_tcp),
        TEST(test_evil_by_tcp),
        TEST(test_names_that_are_none),
        TEST(test_the_system_knows_localhost),
        TEST(test_cancelled),
        TEST(test_hundreds_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

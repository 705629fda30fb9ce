/*
 * The admin server as clients see it: real sockets on loopback and in a directory of the
 * test's own, the server on a thread. Strict with the hostile, patient with the slow,
 * and nobody's trouble is another's.
 */
#include "control/admin.c"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- the stage: a server on its thread ---- */

static struct stage {
    char directory[64], path[100], address[64];
    uint16_t port;
    struct engine engine;
    struct ports *ports;
    struct admin *admin;
    struct admin_settings settings;
    struct metrics_settings metrics;
    pthread_t thread;
    struct scroll why;
    /* the house */
    _Atomic(size_t) metrics_size;
    _Atomic(bool) is_ready;
    _Atomic(bool) answers_at_once;
    _Atomic(bool) moves_while_reloading;
    _Atomic(struct admin_request *) asked;
    _Atomic(unsigned) reloads;
} stage;

static void write_metrics(void *owner, struct scroll *out)
{
    scroll_add(out, STR("# metrics\n"));
    scroll_repeat(out, 'm', stage.metrics_size);
}

static void write_status(void *owner, struct scroll *out)
{
    scroll_add(out, STR("{\"version\":\"x\"}"));
}

static bool is_ready(void *owner, struct scroll *why_not)
{
    if (!stage.is_ready)
        scroll_add(why_not, STR("no listener is open"));
    return stage.is_ready;
}

static void apply(void)
{
    scroll_close(&stage.why);
    admin_apply(stage.admin, &stage.settings, &stage.metrics, &stage.why);
}

static void reload(void *owner, struct admin_request *request)
{
    stage.reloads++;
    if (stage.moves_while_reloading)
        apply();
    if (stage.answers_at_once)
        admin_answer(request, 200, STR("{\"ok\":true}"));
    else
        stage.asked = request;
}

static void *serve(void *owner)
{
    while (loop_turn(&stage.engine.loop))
        ;
    return NULL;
}

static uint16_t free_port(void)
{
    struct addr any = {.family = ADDR_IP4, .ip = {127, 0, 0, 1}}, got;
    int fd;

    assert_int_equal(sys_socket(ADDR_IP4, &fd), ERR_OK);
    assert_int_equal(sys_bind(fd, &any), ERR_OK);
    assert_int_equal(sys_local_addr(fd, &got), ERR_OK);
    sys_close(fd);
    return got.port;
}

static int begin(void **state)
{
    struct admin_house house = {NULL, write_metrics, write_status, is_ready, reload};

    memset(&stage, 0, sizeof stage);
    strcpy(stage.directory, "/tmp/admin_test.XXXXXX");
    if (!mkdtemp(stage.directory) || chmod(stage.directory, 0755))
        return 1;
    stage.port = free_port();
    snprintf(stage.path, sizeof stage.path, "%s/admin.sock", stage.directory);
    snprintf(stage.address, sizeof stage.address, "127.0.0.1:%u", stage.port);
    stage.settings = (struct admin_settings){str_of(stage.path), str_of(stage.address)};
    stage.metrics = (struct metrics_settings){true, STR("/metrics"), PER_SERVER_AUTO};
    stage.is_ready = stage.answers_at_once = true;
    assert_int_equal(engine_init(&stage.engine, 0), ERR_OK);
    stage.ports = ports_direct();
    assert_int_equal(admin_new(&stage.admin, &stage.engine, stage.ports, &house), ERR_OK);
    apply();
    assert_int_equal(stage.why.n, 0);
    return pthread_create(&stage.thread, NULL, serve, NULL);
}

/* Runs f on the server's thread and waits for its end. */
struct errand {
    struct mail mail;
    void (*f)(void);
    sem_t done;
};

static void errand_open(struct mail *mail)
{
    struct errand *errand = container_of(mail, struct errand, mail);

    errand->f();
    sem_post(&errand->done);
}

static void on_thread(void (*f)(void))
{
    struct errand errand = {.mail = {.open = errand_open}, .f = f};

    sem_init(&errand.done, 0, 0);
    mailbox_post(&stage.engine.loop.mailbox, &errand.mail);
    while (sem_wait(&errand.done))
        ;
    sem_destroy(&errand.done);
}

static void stop(void)
{
    loop_stop(&stage.engine.loop);
}

static int end(void **state)
{
    on_thread(stop);
    pthread_join(stage.thread, NULL);
    admin_free(stage.admin);
    if (stage.asked)
        admin_answer(stage.asked, 200, STR("{}")); /* whom it may concern */
    engine_close(&stage.engine);
    if (access(stage.path, F_OK) == 0)
        return 1; /* the socket's file should be gone */
    ports_direct_free(stage.ports);
    scroll_close(&stage.why);
    return rmdir(stage.directory);
}

/* As if so much time had passed: all deadlines until then fire. */
static void two_seconds_later(void)
{
    timer_wheel_run(&stage.engine.loop.timers, stage.engine.loop.now + 2000000000u);
}

static void eleven_seconds_later(void)
{
    timer_wheel_run(&stage.engine.loop.timers, stage.engine.loop.now + 11000000000u);
}

static void many_minutes_later(void)
{
    timer_wheel_run(&stage.engine.loop.timers, stage.engine.loop.now + 1200000000000u);
}

static unsigned clients_now;
static size_t waiting_now;

static void look(void)
{
    clients_now = stage.admin->gates[GATE_SOCKET].client_count +
                  stage.admin->gates[GATE_ADDRESS].client_count;
    waiting_now = stage.admin->waiting;
}

static void wait_for_clients(unsigned count)
{
    for (int i = 0; i < 5000; i++) {
        on_thread(look);
        if (clients_now == count)
            return;
        usleep(1000);
    }
    fail_msg("%u clients, not %u", clients_now, count);
}

static void wait_for_reload(void)
{
    for (int i = 0; i < 5000 && !stage.asked; i++) {
        on_thread(look);
        usleep(1000);
    }
    assert_non_null(stage.asked);
}

/* ---- a client ---- */

static int dial_tcp(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(stage.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int dial_path(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(to.sun_path, sizeof to.sun_path, "%.100s", path);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static int dial_unix(void)
{
    int fd = dial_path(stage.path);

    assert_true(fd >= 0);
    return fd;
}

static void say_bytes(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t r = send(fd, p, n, MSG_NOSIGNAL);

        if (r < 0 && errno == EINTR)
            continue;
        assert_true(r > 0);
        p += r;
        n -= (size_t)r;
    }
}

static void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

struct answer {
    unsigned status;
    char head[1024];
    char *body;
    size_t n;
};

static size_t take(int fd, char *p, size_t n)
{
    struct pollfd ask = {.fd = fd, .events = POLLIN};
    ssize_t r;

    if (poll(&ask, 1, 20000) != 1)
        fail_msg("nothing came for 20 s");
    do
        r = recv(fd, p, n, 0);
    while (r < 0 && errno == EINTR);
    return r > 0 ? (size_t)r : 0;
}

static const char *value_of(const struct answer *answer, const char *name)
{
    static char value[256];
    char line[64];
    const char *at;

    snprintf(line, sizeof line, "\n%s:", name);
    at = strcasestr(answer->head, line);
    value[0] = '\0';
    if (at)
        sscanf(at + strlen(line), " %255[^\r]", value);
    return value;
}

/* One answer, byte for byte no more. The body lives until the next call. */
static struct answer hear_of(int fd, bool is_head)
{
    static char *memory;
    struct answer answer = {0};
    size_t n = 0;

    while (n < 4 || memcmp(answer.head + n - 4, "\r\n\r\n", 4) != 0) {
        assert_true(n < sizeof answer.head - 1);
        if (!take(fd, answer.head + n, 1))
            fail_msg("ended within a head: '%s'", answer.head);
        n++;
    }
    assert_int_equal(sscanf(answer.head, "HTTP/1.1 %u ", &answer.status), 1);
    answer.n = is_head ? 0 : strtoul(value_of(&answer, "Content-Length"), NULL, 10);
    free(memory);
    memory = answer.body = calloc(1, answer.n + 1);
    for (n = 0; n < answer.n;) {
        size_t got = take(fd, answer.body + n, answer.n - n);

        if (!got)
            fail_msg("ended within a body: %zu of %zu", n, answer.n);
        n += got;
    }
    return answer;
}

static struct answer hear(int fd)
{
    return hear_of(fd, false);
}

static struct answer ask(int fd, const char *request)
{
    say(fd, request);
    return hear(fd);
}

static struct answer ask_once(int fd, const char *request)
{
    struct answer answer = ask(fd, request);

    close(fd);
    return answer;
}

static void expect_end(int fd)
{
    char rest[4096];

    while (take(fd, rest, sizeof rest))
        ;
    close(fd);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: w\r\n\r\n"

/* ---- what there is ---- */

static void test_pages_at_the_address(void **state)
{
    int fd = dial_tcp();
    struct answer answer = ask(fd, GET("/healthz"));

    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "ok\n");
    assert_int_equal(strlen(value_of(&answer, "Date")), 29);
    answer = ask(fd, GET("/metrics?x=1"));
    assert_int_equal(answer.status, 200);
    assert_string_equal(value_of(&answer, "Content-Type"), "text/plain; version=0.0.4");
    assert_string_equal(answer.body, "# metrics\n");
    assert_string_equal(ask(fd, GET("/readyz")).body, "ready\n");
    stage.is_ready = false;
    answer = ask(fd, GET("/readyz"));
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer.body, "not ready: no listener is open\n");
    close(fd);
}

static void test_head(void **state)
{
    int fd = dial_tcp();
    struct answer answer;

    stage.metrics_size = 5000;
    say(fd, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    answer = hear_of(fd, true);
    assert_int_equal(answer.status, 200);
    assert_string_equal(value_of(&answer, "Content-Length"), "5010");
    assert_int_equal(ask_once(fd, GET("/healthz")).status, 200); /* still in step */
}

static void test_private_pages(void **state)
{
    static const char *const asked[] = {
        GET("/v1/status"), GET("/v1/reload"),
        "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\n\r\n"};
    struct answer answer;

    for (size_t i = 0; i < array_len(asked); i++) {
        answer = ask_once(dial_tcp(), asked[i]);
        assert_int_equal(answer.status, 403);
        assert_string_equal(value_of(&answer, "Content-Type"),
                            "application/problem+json");
        assert_non_null(strstr(answer.body, "at the unix socket only"));
    }
    assert_int_equal(stage.reloads, 0);
    answer = ask_once(dial_unix(), GET("/v1/status"));
    assert_int_equal(answer.status, 200);
    assert_string_equal(value_of(&answer, "Content-Type"), "application/json");
    assert_string_equal(answer.body, "{\"version\":\"x\"}");
    assert_int_equal(ask_once(dial_unix(), GET("/metrics")).status, 200);
}

static void test_problems(void **state)
{
    int fd = dial_unix();
    struct answer answer = ask(fd, GET("/nothing"));

    assert_int_equal(answer.status, 404);
    assert_string_equal(value_of(&answer, "Content-Type"), "application/problem+json");
    assert_string_equal(answer.body,
                        "{\"type\":\"about:blank\",\"title\":\"Not Found\","
                        "\"status\":404,\"detail\":\"there is nothing here\"}\n");
    answer = ask(fd, GET("/v1/reload"));
    assert_int_equal(answer.status, 405);
    assert_string_equal(value_of(&answer, "Allow"), "POST");
    answer = ask(fd, POST("/metrics"));
    assert_int_equal(answer.status, 405);
    assert_string_equal(value_of(&answer, "Allow"), "GET, HEAD");
    answer = ask(fd, "DELETE /v1/status HTTP/1.1\r\nHost: w\r\n\r\n");
    assert_int_equal(answer.status, 405);
    answer = ask(fd, "TRACE /metrics HTTP/1.1\r\nHost: w\r\n\r\n");
    assert_int_equal(answer.status, 405);
    assert_true(strlen(value_of(&answer, "Allow")) > 0);
    expect_end(fd);
}

static void test_metrics_elsewhere(void **state)
{
    int fd = dial_tcp();

    stage.metrics.path = STR("/numbers");
    on_thread(apply);
    assert_int_equal(ask(fd, GET("/numbers")).status, 200);
    assert_int_equal(ask(fd, GET("/metrics")).status, 404);
    stage.metrics.is_enabled = false;
    on_thread(apply);
    assert_int_equal(ask_once(fd, GET("/numbers")).status, 404);
}

static void test_host(void **state)
{
    static const struct {
        const char *host;
        unsigned status;
    } cases[] = {
        {"localhost", 200},
        {"LocalHost:9900", 200},
        {"localhost.", 200},
        {"127.0.0.1", 200},
        {"127.9.9.9:80", 200},
        {"[::1]:9900", 200},
        {"[::ffff:127.0.0.1]", 200},
        {"evil.example", 421},
        {"localhost.evil", 421},
        {"10.1.2.3", 421},
        {"[2001:db8::1]:80", 421},
        {"127.0.0.1.nip.io", 421},
        {"127.1", 421},
        {"xlocalhost", 421},
        {"", 400},
        {"a b", 400},
        {"user@localhost", 400},
    };
    char request[256];

    for (size_t i = 0; i < array_len(cases); i++) {
        unsigned status;

        snprintf(request, sizeof request, "GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n",
                 cases[i].host);
        status = ask_once(dial_tcp(), request).status;
        if (status != cases[i].status)
            fail_msg("Host '%s' is answered %u", cases[i].host, status);
        status = ask_once(dial_unix(), request).status;
        assert_int_equal(status, cases[i].status == 400 ? 400 : 200);
    }
    assert_int_equal(ask_once(dial_tcp(), "GET /metrics HTTP/1.1\r\n\r\n").status, 400);
    assert_int_equal(ask_once(dial_tcp(), "GET /metrics HTTP/1.0\r\n\r\n").status, 200);
    assert_int_equal(ask_once(dial_tcp(), "GET http://evil.example/metrics HTTP/1.1\r\n"
                                          "Host: evil.example\r\n\r\n")
                         .status,
                     421);
}

static void test_everywhere_takes_any_address_but_no_name(void **state)
{
    char text[32];

    snprintf(text, sizeof text, ":%u", stage.port);
    stage.settings.address = str_of(text);
    on_thread(apply);
    assert_int_equal(stage.why.n, 0);
    assert_int_equal(
        ask_once(dial_tcp(), "GET /metrics HTTP/1.1\r\nHost: 10.1.2.3\r\n\r\n").status,
        200);
    assert_int_equal(
        ask_once(dial_tcp(), "GET /metrics HTTP/1.1\r\nHost: a.example\r\n\r\n").status,
        421);
}

/* ---- reload ---- */

static void test_reload_answered_at_once(void **state)
{
    int fd = dial_unix();
    struct answer answer = ask(fd, POST("/v1/reload"));

    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "{\"ok\":true}");
    assert_string_equal(value_of(&answer, "Content-Type"), "application/json");
    assert_int_equal(ask_once(fd, POST("/v1/reload")).status, 200);
    assert_int_equal(stage.reloads, 2);
}

static void answer_it(void)
{
    admin_answer(stage.asked, 422, STR("{\"errors\":1}"));
    stage.asked = NULL;
}

static void test_reload_answered_later(void **state)
{
    int fd = dial_unix(), other = dial_unix();
    struct answer answer;

    stage.answers_at_once = false;
    say(fd, POST("/v1/reload") GET("/healthz")); /* the second one has to wait */
    wait_for_reload();
    assert_int_equal(ask_once(other, GET("/healthz")).status, 200);
    on_thread(many_minutes_later); /* a reload takes as long as it takes */
    on_thread(answer_it);
    answer = hear(fd);
    assert_int_equal(answer.status, 422);
    assert_string_equal(answer.body, "{\"errors\":1}");
    assert_string_equal(hear(fd).body, "ok\n");
    close(fd);
}

static void test_client_that_half_closes_gets_its_answer(void **state)
{
    int fd = dial_unix();

    stage.answers_at_once = false;
    say(fd, POST("/v1/reload"));
    shutdown(fd, SHUT_WR);
    wait_for_reload();
    on_thread(answer_it);
    assert_int_equal(hear(fd).status, 422);
    expect_end(fd);
}

static void test_client_that_leaves(void **state)
{
    int fd = dial_unix();

    stage.answers_at_once = false;
    say(fd, POST("/v1/reload"));
    wait_for_reload();
    close(fd);
    on_thread(answer_it);
    wait_for_clients(0);
    fd = dial_unix();
    say(fd, POST("/v1/reload") GET("/healthz"));
    wait_for_reload();
    say(fd, GET("/healthz"));
    close(fd);
    /* end() answers when the server is freed already */
}

static void test_reload_that_moves_the_socket(void **state)
{
    char moved[100];
    int fd = dial_unix(), idle = dial_unix();

    assert_int_equal(ask(idle, GET("/healthz")).status, 200);
    snprintf(moved, sizeof moved, "%s/moved.sock", stage.directory);
    stage.settings.socket = str_of(moved);
    stage.moves_while_reloading = true;
    assert_int_equal(ask(fd, POST("/v1/reload")).status, 200);
    expect_end(fd);
    expect_end(idle);
    assert_int_equal(dial_path(stage.path), -1);
    fd = dial_path(moved);
    assert_true(fd >= 0);
    assert_int_equal(ask_once(fd, GET("/v1/status")).status, 200);
}

static void be_somebody_else(void)
{
    stage.admin->uid = geteuid() + 1;
    stage.admin->gid = getegid() + 1;
}

/* What a user without rights hears: as root by being one, else by a daemon of others. */
static unsigned status_for_stranger(const char *request)
{
    int status;
    pid_t child;

    if (geteuid() != 0) {
        on_thread(be_somebody_else);
        return ask_once(dial_unix(), request).status;
    }
    assert_int_equal(chmod(stage.path, 0666),
                     0); /* so that only the look at it is left */
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char head[64] = "";
        int fd;

        if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
            _exit(1);
        fd = dial_path(stage.path);
        if (fd < 0 || send(fd, request, strlen(request), 0) < 0 ||
            recv(fd, head, sizeof head - 1, 0) < 12)
            _exit(2);
        _exit(atoi(head + 9) / 100 * 10 + atoi(head + 9) % 10);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return (unsigned)WEXITSTATUS(status) / 10 * 100 + (unsigned)WEXITSTATUS(status) % 10;
}

static void test_stranger(void **state)
{
    assert_int_equal(status_for_stranger(POST("/v1/reload")), 403);
    assert_int_equal(status_for_stranger(GET("/v1/status")), 403);
    assert_int_equal(status_for_stranger(GET("/healthz")), 200);
    assert_int_equal(stage.reloads, 0);
}

/* ---- bodies ---- */

static void test_bodies(void **state)
{
    int fd = dial_unix();

    assert_int_equal(
        ask(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\n\r\n"
                "hello")
            .status,
        200);
    assert_int_equal(ask(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
                         .status,
                     200);
    assert_int_equal(
        ask(fd, "GET /healthz HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\n\r\nGET")
            .status,
        200); /* a body on GET is no next request */
    assert_int_equal(ask(fd, GET("/healthz")).status, 200);
    assert_int_equal(
        ask(fd, "POST /nothing HTTP/1.1\r\nHost: w\r\nContent-Length: 4\r\n\r\n1234")
            .status,
        404);
    assert_int_equal(ask(fd, GET("/healthz")).status, 200);
    say(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET("/healthz"));
    assert_int_equal(hear(fd).status, 200);
    assert_string_equal(hear(fd).body, "ok\n");
    assert_int_equal(stage.reloads, 3);
    close(fd);
}

static void test_expect(void **state)
{
    int fd = dial_unix();
    struct answer answer;

    answer = ask(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\nExpect: 100-continue\r\n"
                     "Content-Length: 2\r\n\r\n");
    assert_int_equal(answer.status, 100);
    assert_int_equal(ask(fd, "{}").status, 200);
    answer = ask(fd, "POST /nothing HTTP/1.1\r\nHost: w\r\nExpect: 100-continue\r\n"
                     "Content-Length: 2\r\n\r\n");
    assert_int_equal(answer.status, 404);
    expect_end(fd);
}

static void test_large_bodies(void **state)
{
    static char junk[256 * 1024];
    int fd = dial_unix();

    memset(junk, 'x', sizeof junk);
    say(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\nContent-Length: 65536\r\n\r\n");
    say_bytes(fd, junk, 65536);
    assert_int_equal(hear(fd).status, 200);
    say(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\nContent-Length: 262144\r\n\r\n");
    say_bytes(fd, junk, sizeof junk); /* the answer is heard all the same */
    assert_int_equal(hear(fd).status, 413);
    expect_end(fd);
    fd = dial_unix();
    say(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\n"
            "Transfer-Encoding: chunked\r\n\r\n40000\r\n");
    say_bytes(fd, junk, sizeof junk);
    assert_int_equal(hear(fd).status, 413);
    expect_end(fd);
    fd = dial_unix();
    assert_int_equal(ask(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\n"
                             "Transfer-Encoding: chunked\r\n\r\nxyz\r\n")
                         .status,
                     400);
    expect_end(fd);
    assert_int_equal(stage.reloads, 1);
}

/* ---- the hostile and the slow ---- */

static void test_byte_by_byte(void **state)
{
    static const char request[] = GET("/healthz");
    int fd = dial_tcp();

    for (size_t i = 0; i < sizeof request - 1; i++) {
        say_bytes(fd, request + i, 1);
        if (i % 8 == 0)
            on_thread(look); /* so that it comes in pieces */
    }
    assert_string_equal(hear(fd).body, "ok\n");
    close(fd);
}

static void test_pipelining(void **state)
{
    enum { COUNT = 500 };
    static char requests[COUNT * 64];
    int fd = dial_tcp();

    for (int i = 0; i < COUNT; i++)
        strcat(requests, i % 2 ? GET("/healthz") : GET("/readyz"));
    say(fd, requests);
    for (int i = 0; i < COUNT; i++)
        assert_string_equal(hear(fd).body, i % 2 ? "ok\n" : "ready\n");
    say(fd, GET("/healthz") "GET /readyz HTTP/1.1\r\nHost: localhost\r\n"
                            "Connection: close\r\n\r\n" GET("/healthz"));
    assert_string_equal(hear(fd).body, "ok\n");
    assert_string_equal(hear(fd).body, "ready\n");
    assert_int_equal(take(fd, requests, sizeof requests),
                     0); /* "close" is the last word */
    close(fd);
}

static void test_old_clients(void **state)
{
    int fd = dial_tcp();
    struct answer answer;
    char byte;

    answer = ask(fd, "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_string_equal(value_of(&answer, "Connection"), "keep-alive");
    answer = ask(fd, "GET /healthz HTTP/1.0\r\n\r\n");
    assert_string_equal(value_of(&answer, "Connection"), "close");
    assert_int_equal(take(fd, &byte, 1), 0); /* hears the end before we are through */
    on_thread(look);
    assert_int_equal(clients_now, 1);
    expect_end(fd);
}

static void test_giant_heads(void **state)
{
    static char junk[700 * 1024];
    int fd = dial_tcp();

    memset(junk, 'a', sizeof junk);
    say(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-A: ");
    say_bytes(fd, junk, sizeof junk);
    assert_int_equal(hear(fd).status, 431);
    expect_end(fd);
    fd = dial_tcp();
    say(fd, "GET /");
    say_bytes(fd, junk, sizeof junk);
    assert_int_equal(hear(fd).status, 414);
    expect_end(fd);
    fd = dial_tcp();
    say(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n");
    for (int i = 0; i < 100; i++)
        say(fd, "a: b\r\n");
    assert_int_equal(ask(fd, "\r\n").status, 431);
    expect_end(fd);
}

static void test_garbage(void **state)
{
    static const char *const bytes[] = {
        "GET / HTTP/1.1\r\nX : y\r\n\r\n",
        "\x16\x03\x01\x01hello\r\n\r\n",
        "GET /metrics HTTP/9.9\r\nHost: a\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "GET  /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    };

    for (size_t i = 0; i < array_len(bytes); i++) {
        int fd = dial_tcp();

        assert_true(ask(fd, bytes[i]).status >= 400);
        expect_end(fd);
    }
    assert_int_equal(ask_once(dial_tcp(), GET("/healthz")).status, 200);
    wait_for_clients(0);
}

/* Seeded rubbish near to what is right; whatever it answers, it goes on serving. */
static void test_random_bytes(void **state)
{
    static const char *const seeds[] = {
        GET("/metrics"), POST("/v1/reload"),
        "POST /v1/reload HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n0\r\n\r\n",
        "GET /readyz HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab"};
    struct rand rand;

    rand_seed(&rand, 20261123);
    for (int i = 0; i < 400; i++) {
        const char *seed = seeds[rand_below(&rand, array_len(seeds))];
        char bytes[256], answer[4096];
        size_t n = strlen(seed), cuts = 1 + rand_below(&rand, 3);
        int fd = i % 2 ? dial_tcp() : dial_unix();

        memcpy(bytes, seed, n);
        for (size_t k = rand_below(&rand, 4); k > 0; k--)
            bytes[rand_below(&rand, (uint32_t)n)] = (char)rand_below(&rand, 256);
        for (size_t k = 0; k < cuts; k++)
            say_bytes(fd, bytes + n * k / cuts, n * (k + 1) / cuts - n * k / cuts);
        shutdown(fd, SHUT_WR);
        while (i % 3 && take(fd, answer, sizeof answer))
            ;
        close(fd);
    }
    assert_int_equal(ask_once(dial_unix(), GET("/healthz")).status, 200);
    wait_for_clients(0);
}

static void test_large_answer_to_a_slow_reader(void **state)
{
    int fd = dial_tcp();
    char piece[3000];
    size_t n = 0, got;

    stage.metrics_size = 8 * 1024 * 1024;
    say(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    for (int i = 0; (got = take(fd, piece, sizeof piece)); i++) {
        n += got;
        if (i % 500 == 0) /* others are served meanwhile */
            assert_int_equal(ask_once(dial_tcp(), GET("/healthz")).status, 200);
    }
    assert_true(n > stage.metrics_size && n < stage.metrics_size + 1024);
    close(fd);
    on_thread(look);
    assert_int_equal(waiting_now, 0);
}

static void wait_for_waiting(size_t bytes)
{
    for (int i = 0; i < 5000; i++) {
        on_thread(look);
        if (waiting_now >= bytes)
            return;
        usleep(1000);
    }
    fail_msg("%zu bytes wait, not %zu", waiting_now, bytes);
}

static void test_readers_that_never_read(void **state)
{
    int fd[2];

    stage.metrics_size = 40 * 1024 * 1024;
    for (int i = 0; i < 2; i++) {
        fd[i] = dial_tcp();
        say(fd[i], GET("/metrics"));
        wait_for_waiting(stage.metrics_size * (size_t)(i + 1));
    }
    assert_int_equal(ask_once(dial_tcp(), GET("/metrics")).status, 503);
    assert_int_equal(ask_once(dial_tcp(), GET("/healthz")).status, 200);
    on_thread(eleven_seconds_later); /* so many bytes may take longer */
    on_thread(look);
    assert_int_equal(waiting_now, 2 * (stage.metrics_size + 10));
    close(fd[0]);
    close(fd[1]);
    wait_for_clients(0);
    on_thread(look);
    assert_int_equal(waiting_now, 0);
}

static void test_reader_that_never_reads_is_cut(void **state)
{
    int fd = dial_tcp();

    stage.metrics_size = 20 * 1024 * 1024;
    say(fd, GET("/metrics"));
    wait_for_waiting(stage.metrics_size);
    on_thread(many_minutes_later);
    on_thread(look);
    assert_int_equal(clients_now, 0);
    assert_int_equal(waiting_now, 0);
    close(fd);
}

static void test_deadlines(void **state)
{
    int half = dial_tcp(), body = dial_unix(), idle = dial_tcp();
    char byte;

    say(half, "GET /healthz HT");
    assert_int_equal(ask(idle, GET("/healthz")).status, 200);
    say(body, "POST /v1/reload HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\n\r\nhel");
    wait_for_clients(3);
    on_thread(eleven_seconds_later);
    assert_int_equal(hear(half).status, 408);
    assert_int_equal(hear(body).status, 408);
    expect_end(half);
    expect_end(body);
    wait_for_clients(1); /* keep-alive lasts longer */
    assert_int_equal(ask(idle, GET("/healthz")).status, 200);
    on_thread(many_minutes_later);
    assert_int_equal(take(idle, &byte, 1), 0);
    close(idle);
    assert_int_equal(stage.reloads, 0);
}

static void test_deadline_of_a_later_request(void **state)
{
    int fd = dial_tcp();

    assert_int_equal(ask(fd, GET("/healthz")).status, 200);
    say(fd, "G"); /* from here on it has as long as any, not as long as an idle one */
    on_thread(look);
    on_thread(look);
    on_thread(eleven_seconds_later);
    assert_int_equal(hear(fd).status, 408);
    expect_end(fd);
}

static void test_many_clients(void **state)
{
    int busy[ADMIN_CLIENTS], idle, late;
    char byte;

    idle = dial_tcp();
    assert_int_equal(ask(idle, GET("/healthz")).status, 200);
    for (int i = 0; i < ADMIN_CLIENTS - 1; i++) {
        busy[i] = dial_tcp();
        say(busy[i], "GET /");
    }
    wait_for_clients(ADMIN_CLIENTS);
    busy[ADMIN_CLIENTS - 1] = dial_tcp(); /* the idle one makes room */
    say(busy[ADMIN_CLIENTS - 1], "GET /");
    assert_int_equal(take(idle, &byte, 1), 0);
    close(idle);
    wait_for_clients(ADMIN_CLIENTS);
    on_thread(look);
    late = dial_tcp(); /* and nobody for this one */
    assert_int_equal(take(late, &byte, 1), 0);
    close(late);
    assert_int_equal(ask_once(dial_unix(), POST("/v1/reload")).status,
                     200); /* another gate */
    for (int i = 0; i < ADMIN_CLIENTS; i++)
        close(busy[i]);
    wait_for_clients(0);
    assert_int_equal(ask_once(dial_tcp(), GET("/healthz")).status, 200);
}

static void test_out_of_descriptors(void **state)
{
    struct rlimit usual, tight;
    int next = dup(0), fd;

    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    tight = (struct rlimit){(rlim_t)next + 1, usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    fd = dial_tcp(); /* takes the last one, so the server gets none */
    say(fd, GET("/healthz"));
    on_thread(look);
    on_thread(look);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_int_equal(clients_now, 0);
    on_thread(two_seconds_later); /* no new edge comes; it tries by itself */
    assert_string_equal(hear(fd).body, "ok\n");
    close(fd);
}

/* ---- settings ---- */

static void test_what_is_unchanged_stays(void **state)
{
    int fd = dial_tcp();
    int before = stage.admin->gates[GATE_ADDRESS].watch.fd;

    assert_int_equal(ask(fd, GET("/healthz")).status, 200);
    on_thread(apply);
    assert_int_equal(stage.admin->gates[GATE_ADDRESS].watch.fd, before);
    assert_int_equal(ask_once(fd, GET("/healthz")).status, 200);
}

static void test_off(void **state)
{
    int idle = dial_unix(), busy = dial_unix();
    struct answer answer;

    assert_int_equal(ask(idle, GET("/healthz")).status, 200);
    say(busy, "GET /healthz ");
    wait_for_clients(2);
    on_thread(look); /* so that it has been read */
    stage.settings.socket = STR("");
    on_thread(apply);
    expect_end(idle);
    answer = ask(busy, "HTTP/1.1\r\nHost: w\r\n\r\n"); /* may end, but no more */
    assert_int_equal(answer.status, 200);
    assert_string_equal(value_of(&answer, "Connection"), "close");
    expect_end(busy);
    assert_int_equal(dial_path(stage.path), -1);
    assert_int_not_equal(access(stage.path, F_OK), 0);
    assert_int_equal(ask_once(dial_tcp(), GET("/healthz")).status, 200);
    stage.settings.socket = str_of(stage.path);
    on_thread(apply);
    assert_int_equal(ask_once(dial_unix(), GET("/healthz")).status, 200);
}

static void expect_why(const char *words)
{
    str why = scroll_str(&stage.why);

    if (str_find(why, str_of(words)) < 0)
        fail_msg("'" STR_FMT "' does not say '%s'", STR_ARG(why), words);
}

static void test_what_cannot_be_opened(void **state)
{
    struct addr taken = {.family = ADDR_IP4, .ip = {127, 0, 0, 1}};
    char address[64], lost[128];
    int squatter;

    assert_int_equal(sys_socket(ADDR_IP4, &squatter), ERR_OK);
    assert_int_equal(sys_bind(squatter, &taken), ERR_OK);
    assert_int_equal(sys_listen(squatter, 1), ERR_OK);
    assert_int_equal(sys_local_addr(squatter, &taken), ERR_OK);
    snprintf(address, sizeof address, "127.0.0.1:%u", taken.port);
    snprintf(lost, sizeof lost, "%s/none/s", stage.directory);
    stage.settings = (struct admin_settings){str_of(lost), str_of(address)};
    on_thread(apply);
    expect_why(address);
    expect_why("address already in use");
    expect_why("its directory does not exist");
    expect_why("still listening at 127.0.0.1");
    assert_int_equal(ask_once(dial_tcp(), GET("/healthz")).status, 200);
    assert_int_equal(ask_once(dial_unix(), GET("/healthz")).status, 200);
    close(squatter);
    stage.settings.socket = str_of(stage.path);
    on_thread(apply); /* tries again */
    assert_int_equal(stage.why.n, 0);
    stage.port = taken.port;
    assert_int_equal(ask_once(dial_tcp(), GET("/healthz")).status, 200);
}

static void test_mode_of_the_socket(void **state)
{
    struct stat file;

    assert_int_equal(stat(stage.path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0660);
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(test_pages_at_the_address),
        STAGED(test_head),
        STAGED(test_private_pages),
        STAGED(test_problems),
        STAGED(test_metrics_elsewhere),
        STAGED(test_host),
        STAGED(test_everywhere_takes_any_address_but_no_name),
        STAGED(test_reload_answered_at_once),
        STAGED(test_reload_answered_later),
        STAGED(test_client_that_half_closes_gets_its_answer),
        STAGED(test_client_that_leaves),
        STAGED(test_reload_that_moves_the_socket),
        STAGED(test_stranger),
        STAGED(test_bodies),
        STAGED(test_expect),
        STAGED(test_large_bodies),
        STAGED(test_byte_by_byte),
        STAGED(test_pipelining),
        STAGED(test_old_clients),
        STAGED(test_giant_heads),
        STAGED(test_garbage),
        STAGED(test_random_bytes),
        STAGED(test_large_answer_to_a_slow_reader),
        STAGED(test_readers_that_never_read),
        STAGED(test_reader_that_never_reads_is_cut),
        STAGED(test_deadlines),
        STAGED(test_deadline_of_a_later_request),
        STAGED(test_many_clients),
        STAGED(test_out_of_descriptors),
        STAGED(test_what_is_unchanged_stays),
        STAGED(test_off),
        STAGED(test_what_cannot_be_opened),
        STAGED(test_mode_of_the_socket),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

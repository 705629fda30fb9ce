/*
 * The admin server as clients see it, for the tests of it: real sockets on loopback and in
 * a directory of the test's own, the server on a thread.
 */
#ifndef CONTROL_ADMIN_STAGE_TEST_H
#define CONTROL_ADMIN_STAGE_TEST_H

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

static inline void write_metrics(void *owner, struct scroll *out)
{
    scroll_add(out, STR("# metrics\n"));
    scroll_repeat(out, 'm', stage.metrics_size);
}

static inline void write_status(void *owner, struct scroll *out)
{
    scroll_add(out, STR("{\"version\":\"x\"}"));
}

static inline bool is_ready(void *owner, struct scroll *why_not)
{
    if (!stage.is_ready)
        scroll_add(why_not, STR("no listener is open"));
    return stage.is_ready;
}

static inline void apply(void)
{
    scroll_close(&stage.why);
    admin_apply(stage.admin, &stage.settings, &stage.metrics, &stage.why);
}

static inline void reload(void *owner, struct admin_request *request)
{
    stage.reloads++;
    if (stage.moves_while_reloading)
        apply();
    if (stage.answers_at_once)
        admin_answer(request, 200, STR("{\"ok\":true}"));
    else
        stage.asked = request;
}

static inline void *serve(void *owner)
{
    while (loop_turn(&stage.engine.loop))
        ;
    return NULL;
}

static inline uint16_t free_port(void)
{
    struct addr any = {.family = ADDR_IP4, .ip = {127, 0, 0, 1}}, got;
    int fd;

    assert_int_equal(sys_socket(ADDR_IP4, &fd), ERR_OK);
    assert_int_equal(sys_bind(fd, &any), ERR_OK);
    assert_int_equal(sys_local_addr(fd, &got), ERR_OK);
    sys_close(fd);
    return got.port;
}

static inline int begin(void **state)
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

static inline void errand_open(struct mail *mail)
{
    struct errand *errand = container_of(mail, struct errand, mail);

    errand->f();
    sem_post(&errand->done);
}

static inline void on_thread(void (*f)(void))
{
    struct errand errand = {.mail = {.open = errand_open}, .f = f};

    sem_init(&errand.done, 0, 0);
    mailbox_post(&stage.engine.loop.mailbox, &errand.mail);
    while (sem_wait(&errand.done))
        ;
    sem_destroy(&errand.done);
}

static inline void stop(void)
{
    loop_stop(&stage.engine.loop);
}

static inline int end(void **state)
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
static inline void two_seconds_later(void)
{
    timer_wheel_run(&stage.engine.loop.timers, stage.engine.loop.now + 2000000000u);
}

static inline void eleven_seconds_later(void)
{
    timer_wheel_run(&stage.engine.loop.timers, stage.engine.loop.now + 11000000000u);
}

static inline void many_minutes_later(void)
{
    timer_wheel_run(&stage.engine.loop.timers, stage.engine.loop.now + 1200000000000u);
}

static unsigned clients_now;
static size_t waiting_now;

static inline void look(void)
{
    clients_now = stage.admin->gates[GATE_SOCKET].client_count +
                  stage.admin->gates[GATE_ADDRESS].client_count;
    waiting_now = stage.admin->waiting;
}

static inline void wait_for_clients(unsigned count)
{
    for (int i = 0; i < 5000; i++) {
        on_thread(look);
        if (clients_now == count)
            return;
        usleep(1000);
    }
    fail_msg("%u clients, not %u", clients_now, count);
}

static inline void wait_for_reload(void)
{
    for (int i = 0; i < 5000 && !stage.asked; i++) {
        on_thread(look);
        usleep(1000);
    }
    assert_non_null(stage.asked);
}

/* ---- a client ---- */

static inline int dial_tcp(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(stage.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static inline int dial_path(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(to.sun_path, sizeof to.sun_path, "%.100s", path);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static inline int dial_unix(void)
{
    int fd = dial_path(stage.path);

    assert_true(fd >= 0);
    return fd;
}

static inline void say_bytes(int fd, const char *p, size_t n)
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

static inline void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

struct answer {
    unsigned status;
    char head[1024];
    char *body;
    size_t n;
};

static inline size_t take(int fd, char *p, size_t n)
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

static inline const char *value_of(const struct answer *answer, const char *name)
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
static inline struct answer hear_of(int fd, bool is_head)
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

static inline struct answer hear(int fd)
{
    return hear_of(fd, false);
}

static inline struct answer ask(int fd, const char *request)
{
    say(fd, request);
    return hear(fd);
}

static inline struct answer ask_once(int fd, const char *request)
{
    struct answer answer = ask(fd, request);

    close(fd);
    return answer;
}

static inline void expect_end(int fd)
{
    char rest[4096];

    while (take(fd, rest, sizeof rest))
        ;
    close(fd);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: w\r\n\r\n"

#define STAGED(test) cmocka_unit_test_setup_teardown(test, begin, end)

#endif

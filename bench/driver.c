/*
 * The load driver for what wrk does not do: TCP exchanges through a relay, one request
 * at a time (lock-step), thousands of idle connections, and an exact account of lost
 * requests while a proxy reloads. One thread, one edge-triggered epoll; every connection
 * has at most one request outstanding, so nothing is pipelined.
 *
 *   --kind http|echo|feed   an HTTP GET; SIZE bytes and their echo; a line "SIZE\n" and
 *                           SIZE bytes
 *   --port P  --conns C     127.0.0.1:P, C connections
 *   --path /1k --size N     what is asked for
 *   --header "Name: value"  one more field in each request
 *   --fresh                 a new connection for every request
 *   --rate R                so many requests a second, whether answers come or not: one that
 *                           finds all connections busy waits, and that counts as its time
 *   --seconds S             how long to start new requests, SIGTERM ends it earlier,
 *                           without those that are late; or
 *   --requests N            how many to make in all
 *   --hold                  one request on each connection, print "held", keep all open
 *                           until standard input ends
 *
 * It prints one line of JSON. A request is lost when it was not answered in full with
 * what was asked for: refused, reset, closed before the end of the answer, a status that
 * is not 2xx, silence. A connection that the proxy ends with "Connection: close" after a
 * full answer is counted as polite and is no loss. HTTP answers need a Content-Length.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 4096, SCRATCH = 1 << 18, BATCH = 256, OPENING = 32 };
#define SECOND 1000000000ULL
#define GRACE (20 * SECOND) /* how long an answer may take after the last request began */

enum kind { KIND_HTTP, KIND_ECHO, KIND_FEED };
enum loss { LOSS_REFUSED, LOSS_RESET, LOSS_CLOSED, LOSS_STATUS, LOSS_SILENT, LOSS_COUNT };
static const char *const loss_names[LOSS_COUNT] = {"refused", "reset", "closed", "status",
                                                   "silent"};

struct plan {
    enum kind kind;
    int port;
    int conns;
    const char *path, *header;
    size_t size;
    bool is_fresh;
    bool is_hold;
    double seconds, rate; /* rate 0: the next when the last is answered */
    unsigned long requests;
};

struct conn {
    int fd;         /* -1: closed */
    bool is_busy;   /* a request is outstanding */
    bool is_polite; /* the answer said that the connection ends */
    size_t unsent;
    size_t left; /* bytes of the answer's body still to come */
    size_t head_len;
    bool has_head;
    unsigned long long began;
    char head[HEAD_MAX];
};

static struct plan plan = {.conns = 1, .path = "/1k", .size = 1024, .requests = -1UL};
static struct conn *conns;
static char *request; /* the same bytes each time */
static size_t request_len;
static char scratch[SCRATCH];
static int epoll_fd;

static unsigned long started, completed, polite, dropped;
static unsigned long losses[LOSS_COUNT];
static unsigned *times; /* microseconds of each completed request */
static size_t times_room;
static unsigned long long first_start, last_start; /* none is due after that */
static volatile sig_atomic_t is_told_to_end;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static unsigned long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (unsigned long long)time.tv_sec * SECOND + (unsigned long long)time.tv_nsec;
}

/* When the request of that number is due at the rate. */
static unsigned long long due_at(unsigned long number)
{
    return first_start + (unsigned long long)((double)number / plan.rate * SECOND);
}

static bool may_start(void)
{
    unsigned long long due = plan.rate > 0 ? due_at(started) : 0, time = now();
    if (started >= plan.requests || time < due)
        return false;
    return plan.seconds <= 0 || (due ? due : time) < last_start;
}

/* Nothing will be due any more. */
static bool is_over(void)
{
    if (plan.rate > 0 && started < plan.requests)
        return plan.seconds > 0 && due_at(started) >= last_start;
    return !may_start();
}

static void time_note(unsigned long long began)
{
    if (completed == times_room) {
        times_room = times_room ? times_room * 2 : 1 << 16;
        times = realloc(times, times_room * sizeof(*times));
        if (!times)
            die("realloc");
    }
    times[completed++] = (unsigned)((now() - began) / 1000);
}

static void conn_close(struct conn *conn)
{
    close(conn->fd);
    conn->fd = -1;
    conn->is_busy = false;
}

static void conn_lose(struct conn *conn, enum loss loss)
{
    losses[loss]++;
    conn_close(conn);
}

static bool conn_open(struct conn *conn)
{
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)plan.port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = conn};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0)
        die("socket");
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(conn->fd, (struct sockaddr *)&address, sizeof(address)) < 0 &&
        errno != EINPROGRESS)
        return false;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) < 0)
        die("epoll_ctl");
    return true;
}

static enum loss loss_of_errno(void)
{
    return errno == ECONNREFUSED || errno == ETIMEDOUT || errno == EADDRNOTAVAIL
               ? LOSS_REFUSED
               : LOSS_RESET;
}

/* Sends what is left of the request. False: the connection was lost. */
static bool conn_send(struct conn *conn)
{
    while (conn->unsent > 0) {
        const char *from = request + request_len - conn->unsent;
        ssize_t sent = send(conn->fd, from, conn->unsent, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR || errno == EPIPE))
            return true; /* a broken pipe may still have an answer to read */
        if (sent < 0) {
            conn_lose(conn, loss_of_errno());
            return false;
        }
        conn->unsent -= (size_t)sent;
    }
    return true;
}

static void conn_start(struct conn *conn)
{
    started++;
    conn->is_busy = true;
    conn->is_polite = false;
    conn->has_head = plan.kind != KIND_HTTP;
    conn->head_len = 0;
    conn->left = plan.kind == KIND_HTTP ? 0 : plan.size;
    conn->unsent = request_len;
    conn->began = plan.rate > 0 ? due_at(started - 1) : now();
    if (conn->fd < 0 && !conn_open(conn))
        conn_lose(conn, loss_of_errno());
    else
        conn_send(conn);
}

static void conn_complete(struct conn *conn)
{
    time_note(conn->began);
    conn->is_busy = false;
    if (conn->is_polite && !plan.is_fresh)
        polite++;
    if (conn->is_polite || plan.is_fresh)
        conn_close(conn);
}

static const char *header_value(const char *head, const char *name)
{
    size_t length = strlen(name);
    const char *line = head;
    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (!strncasecmp(line, name, length) && line[length] == ':')
            return line + length + 1 + strspn(line + length + 1, " ");
    }
    return NULL;
}

/* Reads head; extra is how many body bytes lie behind it. False: the request was lost. */
static bool conn_head(struct conn *conn, size_t extra)
{
    const char *length = header_value(conn->head, "content-length");
    const char *option = header_value(conn->head, "connection");
    if (strncmp(conn->head, "HTTP/1.1 2", 10) != 0 || !length ||
        strtoull(length, NULL, 10) < extra) {
        conn_lose(conn, LOSS_STATUS);
        return false;
    }
    conn->has_head = true;
    conn->left = strtoull(length, NULL, 10) - extra;
    conn->is_polite = option && !strncasecmp(option, "close", 5);
    return true;
}

/* Takes length bytes of answer. False: the request was lost. */
static bool conn_take(struct conn *conn, const char *bytes, size_t length)
{
    if (conn->has_head) {
        if (length > conn->left) {
            conn_lose(conn, LOSS_STATUS);
            return false;
        }
        conn->left -= length;
        return true;
    }
    size_t before = conn->head_len;
    size_t copy = HEAD_MAX - 1 - before < length ? HEAD_MAX - 1 - before : length;
    memcpy(conn->head + before, bytes, copy);
    conn->head_len += copy;
    conn->head[conn->head_len] = 0;
    char *end = strstr(conn->head, "\r\n\r\n");
    if (end) {
        size_t head_size = (size_t)(end + 4 - conn->head);
        end[2] = 0;
        return conn_head(conn, before + length - head_size);
    }
    if (conn->head_len == HEAD_MAX - 1) {
        conn_lose(conn, LOSS_STATUS);
        return false;
    }
    return true;
}

/* Reads until the answer is whole or the socket has no more. */
static void conn_read(struct conn *conn)
{
    while (conn->is_busy) {
        ssize_t got = recv(conn->fd, scratch, SCRATCH, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got < 0) {
            conn_lose(conn, loss_of_errno());
            return;
        }
        if (got == 0) {
            conn_lose(conn, LOSS_CLOSED);
            return;
        }
        if (!conn_take(conn, scratch, (size_t)got))
            return;
        if (conn->has_head && conn->left == 0)
            conn_complete(conn);
    }
}

static void conn_run(struct conn *conn, unsigned events)
{
    if (conn->fd < 0)
        return;
    if (!conn->is_busy) {
        if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
            dropped++;
            conn_close(conn);
        }
        return;
    }
    if (!conn_send(conn))
        return;
    conn_read(conn);
    if (!conn->is_busy && conn->fd >= 0 && !plan.is_hold && may_start())
        conn_start(conn);
}

/* Starts requests on resting connections. Returns how many are outstanding. */
static int round_start(void)
{
    int busy = 0;
    int limit = plan.is_hold ? OPENING : plan.conns;
    for (int i = 0; i < plan.conns; i++)
        busy += conns[i].is_busy;
    for (int i = 0; i < plan.conns && busy < limit; i++) {
        bool is_done = plan.is_hold && conns[i].fd >= 0;
        if (!conns[i].is_busy && !is_done && may_start()) {
            conn_start(&conns[i]);
            busy += conns[i].is_busy;
        }
    }
    return busy;
}

static struct timespec time_to_wait(void)
{
    unsigned long long most = SECOND / 100, time = now(), due;
    due = plan.rate > 0 ? due_at(started) : time + most;
    if (due < time)
        due = time + SECOND / 1000; /* late: all are busy */
    return (struct timespec){.tv_nsec = (long)(due - time < most ? due - time : most)};
}

static void events_handle(void)
{
    struct epoll_event events[BATCH];
    struct timespec wait = time_to_wait();
    int count = epoll_pwait2(epoll_fd, events, BATCH, &wait, NULL);
    if (count < 0 && errno != EINTR)
        die("epoll_wait");
    for (int i = 0; i < count; i++)
        conn_run(events[i].data.ptr, events[i].events);
}

/* Drives until no request may start and none is outstanding. Returns the seconds. */
static double drive(void)
{
    unsigned long long last_done = now();
    unsigned long done = 0;
    first_start = last_done;
    last_start = first_start + (unsigned long long)(plan.seconds * (double)SECOND);
    while (round_start() > 0 || !is_over()) {
        events_handle();
        if (is_told_to_end)
            plan.requests = started;
        if (completed != done)
            last_done = now();
        done = completed;
        if (now() > last_done + GRACE)
            break;
    }
    for (int i = 0; i < plan.conns; i++) {
        if (conns[i].is_busy)
            conn_lose(&conns[i], LOSS_SILENT);
    }
    return (double)(now() - first_start) / (double)SECOND;
}

static void hold(void)
{
    char byte;
    struct epoll_event event = {.events = EPOLLIN};
    printf("held\n");
    fflush(stdout);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &event) < 0)
        die("epoll_ctl: standard input");
    for (;;) {
        struct epoll_event events[BATCH];
        int count = epoll_wait(epoll_fd, events, BATCH, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                conn_run(events[i].data.ptr, events[i].events);
            else if (read(0, &byte, 1) <= 0)
                return;
        }
    }
}

static void request_make(void)
{
    size_t room = plan.kind == KIND_ECHO ? plan.size : HEAD_MAX;
    request = malloc(room + 1);
    if (!request)
        die("malloc");
    if (plan.kind == KIND_ECHO) {
        memset(request, 'e', room);
        request_len = room;
    } else if (plan.kind == KIND_FEED) {
        request_len = (size_t)snprintf(request, room, "%zu\n", plan.size);
    } else {
        request_len = (size_t)snprintf(
            request, room, "GET %s HTTP/1.1\r\nHost: bench.test\r\n%s%s%s\r\n", plan.path,
            plan.is_fresh ? "Connection: close\r\n" : "", plan.header ? plan.header : "",
            plan.header ? "\r\n" : "");
        if (request_len >= room)
            die("--path and --header are too long");
    }
}

static int time_compare(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

/* The time of the slowest but one in so many; 0: the slowest. */
static unsigned time_of(unsigned long one_in)
{
    return completed ? times[completed - 1 - (one_in ? completed / one_in : 0)] : 0;
}

static void report(double seconds)
{
    unsigned long lost = 0;
    qsort(times, completed, sizeof(*times), time_compare);
    for (int i = 0; i < LOSS_COUNT; i++)
        lost += losses[i];
    printf("{\"completed\": %lu, \"lost\": %lu, \"polite\": %lu, \"dropped\": %lu, "
           "\"seconds\": %.4f, \"p50_us\": %u, \"p99_us\": %u, \"p999_us\": %u, "
           "\"most_us\": %u",
           completed, lost, polite, dropped, seconds, time_of(2), time_of(100),
           time_of(1000), time_of(0));
    for (int i = 0; i < LOSS_COUNT; i++)
        printf(", \"%s\": %lu", loss_names[i], losses[i]);
    printf("}\n");
}

static enum kind kind_parse(const char *text)
{
    if (!strcmp(text, "http"))
        return KIND_HTTP;
    if (!strcmp(text, "echo"))
        return KIND_ECHO;
    if (!strcmp(text, "feed"))
        return KIND_FEED;
    fprintf(stderr, "bench-driver: unknown kind %s\n", text);
    exit(2);
}

static void plan_parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"kind", 1, NULL, 'k'},    {"port", 1, NULL, 'p'},     {"conns", 1, NULL, 'c'},
        {"path", 1, NULL, 'u'},    {"size", 1, NULL, 's'},     {"fresh", 0, NULL, 'f'},
        {"seconds", 1, NULL, 't'}, {"requests", 1, NULL, 'n'}, {"hold", 0, NULL, 'h'},
        {"header", 1, NULL, 'H'},  {"rate", 1, NULL, 'r'},     {NULL, 0, NULL, 0},
    };
    int letter;
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (letter) {
        case 'k':
            plan.kind = kind_parse(optarg);
            break;
        case 'p':
            plan.port = atoi(optarg);
            break;
        case 'c':
            plan.conns = atoi(optarg);
            break;
        case 'u':
            plan.path = optarg;
            break;
        case 's':
            plan.size = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            plan.is_fresh = true;
            break;
        case 't':
            plan.seconds = atof(optarg);
            break;
        case 'n':
            plan.requests = strtoul(optarg, NULL, 10);
            break;
        case 'H':
            plan.header = optarg;
            break;
        case 'r':
            plan.rate = atof(optarg);
            break;
        case 'h':
            plan.is_hold = true;
            break;
        default:
            exit(2);
        }
    }
    if (plan.is_hold)
        plan.requests = (unsigned long)plan.conns;
    if (plan.port == 0 || plan.conns < 1 ||
        (plan.seconds <= 0 && plan.requests == -1UL)) {
        fprintf(stderr, "bench-driver: --port, and --seconds, --requests or --hold\n");
        exit(2);
    }
}

static void told_to_end(int number)
{
    (void)number;
    is_told_to_end = true;
}

int main(int argc, char **argv)
{
    plan_parse(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, told_to_end);
    request_make();
    conns = calloc((size_t)plan.conns, sizeof(*conns));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!conns || epoll_fd < 0)
        die("start");
    for (int i = 0; i < plan.conns; i++)
        conns[i].fd = -1;
    double seconds = drive();
    if (plan.is_hold)
        hold();
    report(seconds);
    return 0;
}

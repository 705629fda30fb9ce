/*
 * A stream of requests as a town of people sends it: they come when they come (an open
 * loop with exponential gaps from a seed, so that every proxy gets the same stream), and
 * whoever waits has waited since the moment he wanted to ask, not since a connection was
 * free for him (no coordinated omission).
 *
 *   bench-stream --port P --rate R --seconds S --seed N [--path /]
 *
 * GETs on keep-alive connections, taken up again when they are idle, opened as needed. A
 * request has failed when its connection breaks, when the answer is no 2xx, or when it has
 * none after ten seconds. Prints one line of JSON: how many, how many failed and how, the
 * p50, p99 and the longest in microseconds, and how often each X-Server has answered.
 */
#include "chance.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_SIZE = 4096, BATCH = 256, SERVERS_MOST = 16, CONNS_MOST = 8192 };
#define PATIENCE UINT64_C(10000000000)

struct conn {
    int fd;
    bool is_idle, is_open;
    uint64_t wanted; /* when its request was wanted */
    size_t n;
    char in[IN_SIZE];
    struct conn *next; /* idle or unused ones */
};

static struct conn conns[CONNS_MOST];
static struct conn *idle, *unused;
static unsigned in_use;
static int epoll_fd, port;
static uint64_t sent, broken, refused_status, late;
static uint64_t by_server[SERVERS_MOST];
static uint64_t *times; /* ns, of those that were answered */
static size_t time_count, time_room;
static char request[512];

static void drop(struct conn *conn)
{
    if (!conn->is_open)
        return;
    if (!conn->is_idle)
        in_use--;
    close(conn->fd);
    conn->is_open = false;
}

static void fail(struct conn *conn, uint64_t *counter)
{
    ++*counter;
    drop(conn);
    conn->next = unused;
    unused = conn;
}

static void send_on(struct conn *conn)
{
    ssize_t n = (ssize_t)strlen(request);

    conn->is_idle = false;
    conn->n = 0;
    in_use++;
    if (write(conn->fd, request, (size_t)n) != n && errno != ENOTCONN &&
        errno != EINPROGRESS && errno != EAGAIN)
        fail(conn, &broken);
}

static struct conn *conn_idle(void)
{
    while (idle) {
        struct conn *conn = idle;

        idle = conn->next;
        if (conn->is_open)
            return conn;
        conn->next = unused; /* it was closed while idle */
        unused = conn;
    }
    return NULL;
}

/* Blocking: on loopback a connection stands at once. */
static struct conn *conn_new(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct conn *conn = unused;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = conn};
    int one = 1;

    if (!conn)
        return NULL;
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(conn->fd, (struct sockaddr *)&addr, sizeof addr)) {
        close(conn->fd);
        return NULL;
    }
    unused = conn->next;
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event);
    conn->is_open = true;
    return conn;
}

static void ask(uint64_t wanted)
{
    struct conn *conn = conn_idle();

    sent++;
    if (!conn)
        conn = conn_new();
    if (!conn) {
        broken++;
        return;
    }
    conn->wanted = wanted;
    send_on(conn);
}

static void answered(struct conn *conn)
{
    const char *server = strcasestr(conn->in, "X-Server: ");
    bool closes = strcasestr(conn->in, "connection: close") != NULL;

    if (server && atoi(server + 10) < SERVERS_MOST)
        by_server[atoi(server + 10)]++;
    if (conn->in[9] != '2') {
        refused_status++;
    } else {
        if (time_count == time_room) {
            time_room = time_room ? time_room * 2 : 65536;
            times = realloc(times, time_room * sizeof *times);
        }
        times[time_count++] = now() - conn->wanted;
    }
    if (closes) {
        drop(conn);
        conn->next = unused;
        unused = conn;
        return;
    }
    in_use--;
    conn->is_idle = true;
    conn->next = idle;
    idle = conn;
}

/* Answers are small: a head with its length, and so many bytes. */
static bool is_whole(const struct conn *conn)
{
    const char *end = strstr(conn->in, "\r\n\r\n");
    const char *length = strcasestr(conn->in, "content-length: ");

    return end && length && length < end &&
           conn->n >= (size_t)(end + 4 - conn->in) + (size_t)atol(length + 16);
}

static void readable(struct conn *conn)
{
    ssize_t got;

    if (!conn->is_open)
        return;
    got = read(conn->fd, conn->in + conn->n, IN_SIZE - 1 - conn->n);
    if (got <= 0) {
        if (conn->is_idle)
            drop(conn); /* found closed when it is taken up */
        else
            fail(conn, &broken);
        return;
    }
    conn->n += (size_t)got;
    conn->in[conn->n] = 0;
    if (!conn->is_idle && is_whole(conn))
        answered(conn);
}

static void give_up_late(uint64_t time)
{
    for (unsigned i = 0; i < CONNS_MOST; i++)
        if (conns[i].is_open && !conns[i].is_idle && time - conns[i].wanted > PATIENCE)
            fail(&conns[i], &late);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static double at(double share)
{
    size_t i = (size_t)(share * (double)time_count);

    return time_count ? (double)times[i < time_count ? i : time_count - 1] / 1000 : 0;
}

static void report(void)
{
    qsort(times, time_count, sizeof *times, by_value);
    printf("{\"sent\":%lu,\"broken\":%lu,\"status\":%lu,\"late\":%lu,\"p50\":%.0f,"
           "\"p99\":%.0f,\"max\":%.0f,\"servers\":[",
           (unsigned long)sent, (unsigned long)broken, (unsigned long)refused_status,
           (unsigned long)late, at(0.5), at(0.99), at(1));
    for (unsigned i = 0; i < SERVERS_MOST; i++)
        printf("%s%lu", i ? "," : "", (unsigned long)by_server[i]);
    printf("]}\n");
}

static void run(double rate, double seconds)
{
    uint64_t begin = now(), end = begin + (uint64_t)(seconds * 1e9), next = begin,
             looked = begin;

    for (;;) {
        struct epoll_event events[BATCH];
        uint64_t time = now();
        struct timespec wait = {0, 10000000};
        int count;

        for (; next <= time && next < end;
             next += (uint64_t)(-log(1 - draw()) / rate * 1e9))
            ask(next);
        if (time >= end && (!in_use || time > end + PATIENCE + 1000000000u))
            return;
        if (next < end && next > time && next - time < 10000000)
            wait.tv_nsec = (long)(next - time);
        count = epoll_pwait2(epoll_fd, events, BATCH, &wait, NULL);
        for (int i = 0; i < count; i++)
            readable(events[i].data.ptr);
        if (time - looked > 100000000u) {
            give_up_late(time);
            looked = time;
        }
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", 1, NULL, 'p'}, {"rate", 1, NULL, 'r'}, {"seconds", 1, NULL, 's'},
        {"seed", 1, NULL, 'n'}, {"path", 1, NULL, 'u'}, {NULL, 0, NULL, 0}};
    const char *path = "/";
    double rate = 100, seconds = 1;
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter == 'p')
            port = atoi(optarg);
        else if (letter == 'r')
            rate = atof(optarg);
        else if (letter == 's')
            seconds = atof(optarg);
        else if (letter == 'n')
            chance = strtoull(optarg, NULL, 10);
        else if (letter == 'u')
            path = optarg;
        else
            return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench.test\r\n\r\n",
             path);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < CONNS_MOST; i++) {
        conns[i].next = unused;
        unused = &conns[i];
    }
    run(rate, seconds);
    report();
    return 0;
}

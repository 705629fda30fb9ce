/*
 * Servers as a queueing theorist draws them, for benchmarks of choosing: each has a number
 * of slots, a mean service time drawn anew for every request, and a queue in front of the
 * slots. One process plays them all, each on a port of its own, so that what is measured
 * is how work was shared out, not how fast anybody computes.
 *
 *   bench-crew SEED SLOTS:MEAN_US[:fail] ...
 *
 * prints "ports P P ..." when it is ready. A server with `fail` answers 500 at once. Lines on
 * standard input change things while it runs: "kill N" (its port closes, its connections
 * are reset), "start N" (again, on the same port), "mean N US". HTTP/1.1 with keep-alive,
 * one request at a time on a connection, heads without bodies; answers carry
 * "X-Server: N". It trusts its caller.
 */
#include "chance.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SERVERS_MOST = 16, IN_SIZE = 8192, BATCH = 256, JOBS_MOST = 65536 };

struct peer;

struct server {
    unsigned slots, busy;
    double mean; /* ns */
    bool fails;
    int listener; /* -1: killed */
    int port;
    struct peer *queue, *queue_end; /* waits for a slot */
    struct peer *conns;
};

/* One connection; at most one request of it is in work. */
struct peer {
    int fd;
    struct server *server;
    struct peer *next, *previous; /* server->conns */
    struct peer *behind;          /* in the queue */
    bool is_queued, is_served, is_gone;
    size_t n;
    char in[IN_SIZE];
};

struct job {
    uint64_t due;
    struct peer *peer;
};

static struct server servers[SERVERS_MOST];
static unsigned server_count;
static struct job jobs[JOBS_MOST]; /* a heap by due */
static unsigned job_count;
static int epoll_fd;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- the heap of what is being served ---- */

static void job_add(uint64_t due, struct peer *peer)
{
    unsigned at = job_count++;

    if (job_count == JOBS_MOST) {
        fprintf(stderr, "bench-crew: too much at once\n");
        exit(1);
    }
    for (; at && jobs[(at - 1) / 2].due > due; at = (at - 1) / 2)
        jobs[at] = jobs[(at - 1) / 2];
    jobs[at] = (struct job){due, peer};
}

static struct job job_take(void)
{
    struct job first = jobs[0], last = jobs[--job_count];
    unsigned at = 0;

    for (;;) {
        unsigned child = 2 * at + 1;

        if (child >= job_count)
            break;
        if (child + 1 < job_count && jobs[child + 1].due < jobs[child].due)
            child++;
        if (jobs[child].due >= last.due)
            break;
        jobs[at] = jobs[child];
        at = child;
    }
    jobs[at] = last;
    return first;
}

/* ---- serving ---- */

static void serve(struct peer *peer)
{
    struct server *server = peer->server;

    peer->is_served = true;
    server->busy++;
    job_add(now() + (uint64_t)(-log(1 - draw()) * server->mean), peer);
}

static void free_if_idle(struct peer *peer)
{
    if (peer->is_gone && !peer->is_queued && !peer->is_served)
        free(peer);
}

static void end(struct peer *peer)
{
    struct server *server = peer->server;

    if (peer->is_gone)
        return;
    peer->is_gone = true;
    close(peer->fd);
    if (peer->previous)
        peer->previous->next = peer->next;
    else
        server->conns = peer->next;
    if (peer->next)
        peer->next->previous = peer->previous;
    free_if_idle(peer);
}

static void answer(struct peer *peer, int status)
{
    char out[160];
    int n = snprintf(out, sizeof out,
                     "HTTP/1.1 %d Said\r\nX-Server: %d\r\nContent-Length: 2\r\n\r\nok",
                     status, (int)(peer->server - servers));

    if (write(peer->fd, out, (size_t)n) != n)
        end(peer);
}

static void take_request(struct peer *peer)
{
    struct server *server = peer->server;

    if (server->fails) {
        answer(peer, 500);
    } else if (server->busy < server->slots) {
        serve(peer);
    } else {
        peer->is_queued = true;
        peer->behind = NULL;
        if (server->queue)
            server->queue_end->behind = peer;
        else
            server->queue = peer;
        server->queue_end = peer;
    }
}

static void next_of_queue(struct server *server)
{
    while (server->queue && server->busy < server->slots) {
        struct peer *peer = server->queue;

        server->queue = peer->behind;
        peer->is_queued = false;
        if (peer->is_gone)
            free_if_idle(peer);
        else
            serve(peer);
    }
}

static void job_done(struct peer *peer)
{
    struct server *server = peer->server;

    server->busy--;
    peer->is_served = false;
    if (peer->is_gone)
        free_if_idle(peer);
    else
        answer(peer, 200);
    next_of_queue(server);
}

static void readable(struct peer *peer)
{
    for (;;) {
        ssize_t got = read(peer->fd, peer->in + peer->n, IN_SIZE - peer->n);

        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            end(peer);
            return;
        }
        peer->n += (size_t)got;
        if (peer->n >= 4 && memcmp(peer->in + peer->n - 4, "\r\n\r\n", 4) == 0) {
            peer->n = 0;
            take_request(peer);
            if (peer->is_gone)
                return;
        }
    }
}

/* ---- coming and going ---- */

static void watch(int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = what};

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
}

static void server_start(struct server *server)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)server->port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof addr;
    int one = 1;

    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server->listener, (struct sockaddr *)&addr, sizeof addr) ||
        listen(server->listener, 4096) ||
        getsockname(server->listener, (struct sockaddr *)&addr, &length))
        die("listen");
    server->port = ntohs(addr.sin_port);
    watch(server->listener, server);
}

static void server_kill(struct server *server)
{
    struct linger now_gone = {1, 0};

    if (server->listener < 0)
        return;
    close(server->listener);
    server->listener = -1;
    while (server->conns) {
        setsockopt(server->conns->fd, SOL_SOCKET, SO_LINGER, &now_gone, sizeof now_gone);
        end(server->conns);
    }
}

static void server_accept(struct server *server)
{
    int fd, one = 1;

    while ((fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >=
           0) {
        struct peer *peer = calloc(1, sizeof *peer);

        if (!peer)
            die("calloc");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        *peer = (struct peer){.fd = fd, .server = server, .next = server->conns};
        if (server->conns)
            server->conns->previous = peer;
        server->conns = peer;
        watch(fd, peer);
    }
}

static bool command(void)
{
    char line[80], word[16];
    double value = 0;
    unsigned which;

    if (!fgets(line, sizeof line, stdin))
        return false;
    if (sscanf(line, "%15s %u %lf", word, &which, &value) < 2 || which >= server_count)
        return true;
    if (strcmp(word, "kill") == 0)
        server_kill(&servers[which]);
    else if (strcmp(word, "start") == 0 && servers[which].listener < 0)
        server_start(&servers[which]);
    else if (strcmp(word, "mean") == 0)
        servers[which].mean = value * 1000;
    return true;
}

static bool is_server(const void *what)
{
    return what >= (void *)servers && what < (void *)(servers + SERVERS_MOST);
}

static bool turn(void)
{
    struct epoll_event events[BATCH];
    struct timespec wait = {1, 0}, *patience = &wait;
    uint64_t time = now();
    int count;

    if (job_count) {
        uint64_t left = jobs[0].due > time ? jobs[0].due - time : 0;

        wait =
            (struct timespec){(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    }
    count = epoll_pwait2(epoll_fd, events, BATCH, patience, NULL);
    for (int i = 0; i < count; i++) {
        void *what = events[i].data.ptr;

        if (!what && !command())
            return false;
        if (is_server(what))
            server_accept(what);
        else if (what)
            readable(what);
    }
    for (time = now(); job_count && jobs[0].due <= time;)
        job_done(job_take().peer);
    return true;
}

int main(int argc, char **argv)
{
    struct epoll_event input = {.events = EPOLLIN};

    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdin, NULL, _IONBF, 0);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (argc < 3 || argc > 2 + SERVERS_MOST) {
        fprintf(stderr, "usage: bench-crew SEED SLOTS:MEAN_US[:fail] ...\n");
        return 2;
    }
    chance = strtoull(argv[1], NULL, 10);
    for (int i = 2; i < argc; i++) {
        struct server *server = &servers[server_count++];

        if (sscanf(argv[i], "%u:%lf", &server->slots, &server->mean) != 2) {
            fprintf(stderr, "bench-crew: '%s' is not SLOTS:MEAN_US\n", argv[i]);
            return 2;
        }
        server->mean *= 1000;
        server->fails = strstr(argv[i], ":fail") != NULL;
        server_start(server);
    }
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &input))
        die("stdin");
    printf("ports");
    for (unsigned i = 0; i < server_count; i++)
        printf(" %d", servers[i].port);
    printf("\n");
    fflush(stdout);
    while (turn())
        ;
    return 0;
}

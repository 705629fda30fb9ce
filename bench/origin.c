/*
 * A server that costs as little as a server can, so that a benchmark of a proxy
 * measures the proxy: one thread, one edge-triggered epoll, one recv and one send for
 * a small request. It speaks three things on three ports of 127.0.0.1 (or ADDRESS):
 *
 *   http   GET /1k, /16k, /1m, /bytes/N; anything else answers 1 KB. Keep-alive,
 *          pipelined requests are answered in order; "Connection: close" is honoured.
 *   echo   sends back every byte it gets.
 *   feed   a line "N\n" is answered by N bytes, as often as it is asked.
 *
 * Usage: bench-origin [HTTP-PORT [ECHO-PORT [FEED-PORT [ADDRESS]]]]; port 0 or nothing
 * picks a free one. The ports are printed as "http P echo P feed P" when it is ready.
 * It trusts its caller: request bodies, chunked coding and bad input are not its matter.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { IN_SIZE = 16384, BODY_SIZE = 1 << 20, BATCH = 256, HEAD_SIZE = 128 };
enum kind { KIND_HTTP, KIND_ECHO, KIND_FEED, KIND_COUNT };
static const char *const kind_names[KIND_COUNT] = {"http", "echo", "feed"};

/* One accepted connection, or a listener (is_listener). */
struct peer {
    int fd;
    enum kind kind;
    bool is_listener;
    bool close_after;
    size_t in_len;
    size_t head_len; /* unsent bytes of head, which ends at head + HEAD_SIZE */
    size_t body_left;
    char head[HEAD_SIZE];
    char in[IN_SIZE];
};

static char body[BODY_SIZE];
static int epoll_fd;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct peer *peer_new(int fd, enum kind kind, bool is_listener)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    if (!peer)
        die("calloc");
    peer->fd = fd;
    peer->kind = kind;
    peer->is_listener = is_listener;
    event.data.ptr = peer;
    if (is_listener)
        event.events = EPOLLIN;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
    return peer;
}

static void peer_close(struct peer *peer)
{
    close(peer->fd);
    free(peer);
}

/* Returns false when the peer is gone; head_len and body_left tell what still waits. */
static bool peer_flush(struct peer *peer)
{
    while (peer->head_len + peer->body_left > 0) {
        size_t chunk = peer->body_left < BODY_SIZE ? peer->body_left : BODY_SIZE;
        struct iovec parts[2] = {
            {peer->head + HEAD_SIZE - peer->head_len, peer->head_len},
            {body, chunk},
        };
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t sent = sendmsg(peer->fd, &message, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        size_t from_head = (size_t)sent < peer->head_len ? (size_t)sent : peer->head_len;
        peer->head_len -= from_head;
        peer->body_left -= (size_t)sent - from_head;
    }
    return true;
}

static size_t path_size(const char *path)
{
    if (!strncmp(path, "/16k ", 5))
        return 16384;
    if (!strncmp(path, "/1m ", 4))
        return 1 << 20;
    if (!strncmp(path, "/bytes/", 7))
        return strtoull(path + 7, NULL, 10);
    return 1024;
}

static void http_answer(struct peer *peer, const char *request, size_t length)
{
    char text[HEAD_SIZE];
    const char *path = memchr(request, ' ', length);
    bool has_body = strncmp(request, "HEAD ", 5) != 0;
    size_t size = path_size(path ? path + 1 : "");
    peer->close_after = memmem(request, length, "onnection: close", 16) != NULL;
    int written = snprintf(text, sizeof(text),
                           "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                           "Content-Length: %zu\r\n%s%s\r\n",
                           size, peer->close_after ? "Connection: close\r\n" : "",
                           memmem(request, length, "?load ", 6) ? "X-Load: up\r\n" : "");
    peer->head_len = (size_t)written;
    memcpy(peer->head + HEAD_SIZE - written, text, (size_t)written);
    peer->body_left = has_body ? size : 0;
}

/* Takes one request off the front of in. Returns its length, 0 if it is not all there. */
static size_t peer_take(struct peer *peer, const char *at, size_t length)
{
    const char *end;
    switch (peer->kind) {
    case KIND_HTTP:
        end = memmem(at, length, "\r\n\r\n", 4);
        if (!end)
            return 0;
        http_answer(peer, at, (size_t)(end + 4 - at));
        return (size_t)(end + 4 - at);
    case KIND_FEED:
        end = memchr(at, '\n', length);
        if (!end)
            return 0;
        peer->body_left = strtoull(at, NULL, 10);
        return (size_t)(end + 1 - at);
    default:
        return 0;
    }
}

/* Answers what is in the buffer until an answer has to wait. False: close the peer. */
static bool peer_answer(struct peer *peer)
{
    size_t used = 0;
    while (used < peer->in_len) {
        size_t took = peer_take(peer, peer->in + used, peer->in_len - used);
        if (took == 0)
            break;
        used += took;
        if (!peer_flush(peer))
            return false;
        if (peer->head_len + peer->body_left > 0)
            break;
        if (peer->close_after)
            return false;
    }
    if (used > 0 && used < peer->in_len)
        memmove(peer->in, peer->in + used, peer->in_len - used);
    peer->in_len -= used;
    return true;
}

/* Sends back what came; what the socket does not take stays in the buffer. */
static bool peer_echo(struct peer *peer)
{
    ssize_t sent = send(peer->fd, peer->in, peer->in_len, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    peer->in_len -= (size_t)sent;
    if (peer->in_len > 0)
        memmove(peer->in, peer->in + sent, peer->in_len);
    return true;
}

/* One edge: finish what waits, then read until the socket has no more. */
static bool peer_run(struct peer *peer)
{
    for (;;) {
        if (!peer_flush(peer))
            return false;
        if (peer->head_len + peer->body_left > 0)
            return true;
        if (peer->close_after)
            return false;
        if (peer->in_len > 0) {
            size_t before = peer->in_len;
            if (!(peer->kind == KIND_ECHO ? peer_echo(peer) : peer_answer(peer)))
                return false;
            if (peer->in_len < before)
                continue;
        }
        if (peer->in_len == IN_SIZE)
            return peer->kind == KIND_ECHO;
        size_t room = IN_SIZE - peer->in_len;
        ssize_t got = recv(peer->fd, peer->in + peer->in_len, room, 0);
        if (got == 0)
            return false;
        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
        peer->in_len += (size_t)got;
    }
}

static void listener_accept(struct peer *listener)
{
    for (;;) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct peer *peer = peer_new(fd, listener->kind, false);
        if (!peer_run(peer))
            peer_close(peer);
    }
}

static int listener_open(enum kind kind, int port, const char *host)
{
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    address.sin_addr.s_addr = inet_addr(host);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("bind");
    if (listen(fd, 4096) < 0)
        die("listen");
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        die("getsockname");
    peer_new(fd, kind, true);
    return ntohs(address.sin_port);
}

int main(int argc, char **argv)
{
    struct epoll_event events[BATCH];
    signal(SIGPIPE, SIG_IGN);
    memset(body, 'w', sizeof(body));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        die("epoll_create1");
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        int port = argc > kind + 1 ? atoi(argv[kind + 1]) : 0;
        port = listener_open((enum kind)kind, port, argc > 4 ? argv[4] : "127.0.0.1");
        printf("%s %d%c", kind_names[kind], port, kind + 1 < KIND_COUNT ? ' ' : '\n');
    }
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, BATCH, -1);
        if (count < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer->is_listener)
                listener_accept(peer);
            else if (!peer_run(peer))
                peer_close(peer);
        }
    }
}

/* For tests: a server on a loopback port, played by hand from the test's own thread. */
#ifndef CONTROL_PROBE_TEST_SERVER_H
#define CONTROL_PROBE_TEST_SERVER_H

#include "lb/live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

struct test_server {
    int listening;
    struct server_live live; /* as much of it as checks look at */
};

static inline void test_server_open(struct test_server *server)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;

    memset(server, 0, sizeof *server);
    server->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listening >= 0);
    assert_int_equal(bind(server->listening, (struct sockaddr *)&name, size), 0);
    assert_int_equal(listen(server->listening, 4096), 0);
    assert_int_equal(getsockname(server->listening, (struct sockaddr *)&name, &size), 0);
    server->live.addr.family = ADDR_IP4;
    memcpy(server->live.addr.ip, &name.sin_addr, 4);
    server->live.addr.port = ntohs(name.sin_port);
}

/* Nobody listens there any more; most likely nobody will for a while. */
static inline void test_server_close(struct test_server *server)
{
    close(server->listening);
    server->listening = -1;
}

static inline bool test_is_readable(int fd, int ms)
{
    struct pollfd ask = {.fd = fd, .events = POLLIN};

    return poll(&ask, 1, ms) == 1;
}

/* The next client; -1: none came in time. */
static inline int test_server_accept(struct test_server *server, int ms)
{
    if (!test_is_readable(server->listening, ms))
        return -1;
    return accept4(server->listening, NULL, NULL, SOCK_CLOEXEC);
}

/* What the client says up to the end of its head. */
static inline const char *test_read_head(int fd)
{
    static char memory[32768];
    size_t n = 0;

    memory[0] = '\0';
    while (n < sizeof memory - 1 && !strstr(memory, "\r\n\r\n") &&
           test_is_readable(fd, 5000)) {
        ssize_t r = recv(fd, memory + n, sizeof memory - 1 - n, 0);

        if (r <= 0)
            break;
        n += (size_t)r;
        memory[n] = '\0';
    }
    return memory;
}

static inline void test_say(int fd, const char *words, size_t n)
{
    while (n) {
        ssize_t r = send(fd, words, n, MSG_NOSIGNAL);

        if (r <= 0)
            return; /* it has heard enough */
        words += r;
        n -= (size_t)r;
    }
}

#endif

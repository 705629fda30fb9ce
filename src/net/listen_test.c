/* Sockets that listen, on real loopback ports and in a directory of the test's own. */
#include "net/listen.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[] = "/tmp/listen_test.XXXXXX";

static struct addr path_addr(const char *name)
{
    char path[128];
    struct addr addr;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_int_equal(addr_from_path(str_of(path), &addr), ERR_OK);
    return addr;
}

static struct addr loopback(const char *ip, uint16_t port)
{
    struct addr addr;

    assert_int_equal(addr_parse_ip(str_of(ip), &addr), ERR_OK);
    addr.port = port;
    return addr;
}

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    struct addr any = loopback("127.0.0.1", 0), got;
    int fd;

    assert_int_equal(sys_socket(ADDR_IP4, &fd), ERR_OK);
    assert_int_equal(sys_bind(fd, &any), ERR_OK);
    assert_int_equal(sys_local_addr(fd, &got), ERR_OK);
    sys_close(fd);
    return got.port;
}

static int option_of(int fd, int level, int option)
{
    int value = 0;
    socklen_t size = sizeof value;

    assert_int_equal(getsockopt(fd, level, option, &value, &size), 0);
    return value;
}

/* A blocking connection to `to`; -1: refused. */
static int connect_to(const struct addr *to)
{
    int fd;
    enum err e;

    assert_int_equal(sys_socket(to->family, &fd), ERR_OK);
    for (int i = 0; (e = sys_connect(fd, to)) == ERR_AGAIN && i < 100; i++)
        usleep(1000);
    if (!e || (e == ERR_IO && sys_socket_error(fd) == ERR_OK)) /* EISCONN */
        return fd;
    sys_close(fd);
    return -1;
}

static void test_tcp(void **state)
{
    struct addr addr = loopback("127.0.0.1", free_port()), peer;
    int a, b, client, served;

    assert_int_equal(listen_probe(&addr), ERR_OK);
    assert_int_equal(listen_socket_open(&addr, &a), ERR_OK);
    assert_int_equal(listen_probe(&addr), ERR_IN_USE);
    assert_int_equal(listen_socket_open(&addr, &b), ERR_OK); /* shared on purpose */
    sys_close(b);
    client = connect_to(&addr);
    assert_true(client >= 0);
    assert_int_equal(sys_accept(a, &served, &peer), ERR_OK);
    assert_true(option_of(served, IPPROTO_TCP, TCP_NODELAY));
    assert_true(option_of(served, SOL_SOCKET, SO_KEEPALIVE));
    assert_int_equal(option_of(served, IPPROTO_TCP, TCP_KEEPIDLE), LISTEN_KEEP_ALIVE);
    sys_close(served); /* ours first: its TIME_WAIT must not keep the port */
    sys_close(client);
    sys_close(a);
    assert_int_equal(listen_probe(&addr), ERR_OK);
}

static void test_everywhere(void **state)
{
    struct addr all = {.family = ADDR_IP6, .port = free_port()};
    struct addr four = loopback("127.0.0.1", all.port), six = loopback("::1", all.port);
    int fd, client;

    assert_int_equal(listen_socket_open(&all, &fd), ERR_OK);
    client = connect_to(&four);
    assert_true(client >= 0);
    sys_close(client);
    if (option_of(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET6) {
        client = connect_to(&six);
        assert_true(client >= 0);
        sys_close(client);
    }
    assert_int_equal(listen_probe(&four), ERR_IN_USE);
    sys_close(fd);
}

static void test_unix(void **state)
{
    struct addr addr = path_addr("s");
    struct stat file;
    int fd, client;

    assert_int_equal(listen_probe(&addr), ERR_OK);
    assert_int_equal(listen_socket_open(&addr, &fd), ERR_OK);
    assert_int_equal(stat(addr.path, &file), 0);
    assert_true(S_ISSOCK(file.st_mode));
    assert_int_equal(file.st_mode & 07777, 0660);
    client = connect_to(&addr);
    assert_true(client >= 0);
    sys_close(client);
    assert_int_equal(listen_probe(&addr), ERR_IN_USE);
    assert_int_equal(stat(addr.path, &file), 0); /* the living one keeps its file */
    sys_close(fd);                               /* as when a process dies */
    assert_int_equal(listen_probe(&addr), ERR_OK);
    assert_int_not_equal(stat(addr.path, &file), 0);
    assert_int_equal(listen_socket_open(&addr, &fd), ERR_OK);
    sys_close(fd);
    unlink(addr.path);
}

static void test_a_file_is_not_removed(void **state)
{
    struct addr addr = path_addr("precious"), link = path_addr("link");
    FILE *file = fopen(addr.path, "w");

    assert_non_null(file);
    fclose(file);
    assert_int_equal(symlink(addr.path, link.path), 0);
    assert_int_equal(listen_probe(&addr), ERR_IN_USE);
    assert_int_equal(listen_probe(&link), ERR_IN_USE);
    assert_int_equal(access(addr.path, F_OK), 0);
    assert_int_equal(access(link.path, F_OK), 0);
    unlink(link.path);
    unlink(addr.path);
}

static void test_no_directory(void **state)
{
    struct addr addr = path_addr("none/s");
    int fd;

    assert_int_equal(listen_probe(&addr), ERR_OK);
    assert_int_equal(listen_socket_open(&addr, &fd), ERR_NOT_FOUND);
}

static void test_not_our_address(void **state)
{
    struct addr addr = loopback("192.0.2.77", free_port()); /* nobody's (RFC 5737) */
    int fd;

    assert_int_equal(listen_probe(&addr), ERR_UNREACHABLE);
    assert_int_equal(listen_socket_open(&addr, &fd), ERR_UNREACHABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),          cmocka_unit_test(test_everywhere),
        cmocka_unit_test(test_unix),         cmocka_unit_test(test_a_file_is_not_removed),
        cmocka_unit_test(test_no_directory), cmocka_unit_test(test_not_our_address),
    };
    int failed;

    if (!mkdtemp(directory))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(directory);
    return failed;
}

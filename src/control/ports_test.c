/* The same address gives the same sockets, a stranger's is refused, the end is clean. */
#include "control/ports.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[] = "/tmp/ports_test.XXXXXX";

static struct addr loopback(const char *ip, uint16_t port)
{
    struct addr addr;

    assert_int_equal(addr_parse_ip(str_of(ip), &addr), ERR_OK);
    addr.port = port;
    return addr;
}

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

static struct addr path_addr(const char *name)
{
    char path[128];
    struct addr addr;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_int_equal(addr_from_path(str_of(path), &addr), ERR_OK);
    return addr;
}

static unsigned long socket_of(int fd)
{
    struct stat about;

    assert_int_equal(fstat(fd, &about), 0);
    return about.st_ino;
}

static bool listens(int fd)
{
    int value = 0;
    socklen_t size = sizeof value;

    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size), 0);
    return value;
}

static void close_all(int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        sys_close(fds[i]);
}

static bool file_exists(const struct addr *addr)
{
    return access(addr->path, F_OK) == 0;
}

static void test_one_socket_a_worker(void **state)
{
    struct ports *ports = ports_direct();
    struct addr addr = loopback("127.0.0.1", free_port());
    int fds[3], again[3];

    assert_int_equal(ports->open(ports, &addr, 3, fds), ERR_OK);
    assert_int_equal(ports->open(ports, &addr, 3, again), ERR_OK);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(listens(fds[i]));
        assert_int_not_equal(fds[i], again[i]);
        assert_int_equal(socket_of(fds[i]), socket_of(again[i]));
        assert_int_not_equal(socket_of(fds[i]), socket_of(fds[(i + 1) % 3]));
    }
    close_all(fds, 3);
    close_all(again, 3);
    ports_direct_free(ports);
}

static void test_sockets_outlive_the_caller_s(void **state)
{
    struct ports *ports = ports_direct();
    struct addr addr = loopback("127.0.0.1", free_port());
    unsigned long socket;
    int fd;

    assert_int_equal(ports->open(ports, &addr, 1, &fd), ERR_OK);
    socket = socket_of(fd);
    sys_close(fd);
    assert_int_equal(listen_probe(&addr), ERR_IN_USE);
    assert_int_equal(ports->open(ports, &addr, 1, &fd), ERR_OK);
    assert_int_equal(socket_of(fd), socket);
    sys_close(fd);
    ports->close(ports, &addr);
    assert_int_equal(listen_probe(&addr), ERR_OK);
    ports->close(ports, &addr); /* nobody minds */
    ports_direct_free(ports);
}

static void test_count_changes(void **state)
{
    struct ports *ports = ports_direct();
    struct addr addr = loopback("127.0.0.1", free_port());
    struct held_port *held;
    int one, four[4], two[2];

    assert_int_equal(ports->open(ports, &addr, 1, &one), ERR_OK);
    assert_int_equal(ports->open(ports, &addr, 4, four), ERR_OK);
    assert_int_equal(socket_of(one), socket_of(four[0]));
    assert_int_equal(ports->open(ports, &addr, 2, two), ERR_OK);
    assert_int_equal(socket_of(two[1]), socket_of(four[1]));
    held = held_find(container_of(ports, struct direct_ports, ports), &addr);
    assert_int_equal(held->count, 2); /* no spare that nobody reads */
    sys_close(one);
    close_all(four, 4);
    close_all(two, 2);
    ports_direct_free(ports);
}

static void test_a_second_one_is_refused(void **state)
{
    struct ports *mine = ports_direct(), *yours = ports_direct();
    struct addr tcp = loopback("127.0.0.1", free_port()), path = path_addr("s");
    int fd, none = -1;

    assert_int_equal(mine->open(mine, &tcp, 1, &fd), ERR_OK);
    assert_int_equal(yours->open(yours, &tcp, 1, &none), ERR_IN_USE);
    sys_close(fd);
    assert_int_equal(mine->open(mine, &path, 1, &fd), ERR_OK);
    assert_int_equal(yours->open(yours, &path, 1, &none), ERR_IN_USE);
    sys_close(fd);
    assert_int_equal(none, -1);
    yours->close(yours, &path); /* not theirs: nothing happens */
    assert_true(file_exists(&path));
    ports_direct_free(yours);
    assert_true(file_exists(&path));
    ports_direct_free(mine);
    assert_false(file_exists(&path));
}

static void test_from_everywhere_to_one_address(void **state)
{
    struct ports *ports = ports_direct();
    struct addr all = {.family = ADDR_IP6, .port = free_port()};
    struct addr one = loopback("127.0.0.1", all.port);
    int a, b;

    assert_int_equal(ports->open(ports, &all, 1, &a), ERR_OK);
    assert_int_equal(ports->open(ports, &one, 1, &b), ERR_OK); /* as in a reload */
    assert_int_not_equal(socket_of(a), socket_of(b));
    sys_close(a);
    sys_close(b);
    ports_direct_free(ports);
}

static void test_unix_is_one_socket(void **state)
{
    struct ports *ports = ports_direct();
    struct addr path = path_addr("shared"), lost = path_addr("no/such/s");
    int fds[2];

    assert_int_equal(ports->open(ports, &path, 2, fds), ERR_OK);
    assert_int_not_equal(fds[0], fds[1]);
    assert_int_equal(socket_of(fds[0]), socket_of(fds[1]));
    close_all(fds, 2);
    ports->close(ports, &path);
    assert_false(file_exists(&path));
    assert_int_equal(ports->open(ports, &lost, 2, fds), ERR_NOT_FOUND);
    assert_int_equal(ports->open(ports, &path, 2, fds), ERR_OK);
    close_all(fds, 2);
    ports_direct_free(ports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_socket_a_worker),
        cmocka_unit_test(test_sockets_outlive_the_caller_s),
        cmocka_unit_test(test_count_changes),
        cmocka_unit_test(test_a_second_one_is_refused),
        cmocka_unit_test(test_from_everywhere_to_one_address),
        cmocka_unit_test(test_unix_is_one_socket),
    };
    int failed;

    if (!mkdtemp(directory))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(directory);
    return failed;
}

/* Connections on real loopback sockets: what an edge says, what a break leaves behind. */
#include "net/conn.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct engine engine;
static struct conn conn;
static int peer;
static unsigned told;

static void was_told(struct conn *c)
{
    assert_ptr_equal(c, &conn);
    told++;
}

static void alarm_rings(struct timer *timer)
{
    (void)timer;
}

/* One turn that waits for at most 20 ms. */
static void turn(void)
{
    struct timer alarm;

    timer_init(&alarm, alarm_rings);
    timer_set(&engine.loop.timers, &alarm, sys_now() + 20 * 1000000);
    loop_turn(&engine.loop);
    timer_remove(&engine.loop.timers, &alarm);
}

static int listener(struct addr *addr)
{
    int fd;

    assert_int_equal(addr_parse_ip(STR("127.0.0.1"), addr), ERR_OK);
    addr->port = 0;
    assert_int_equal(sys_socket(ADDR_IP4, &fd), ERR_OK);
    assert_int_equal(sys_bind(fd, addr), ERR_OK);
    assert_int_equal(sys_listen(fd, 8), ERR_OK);
    assert_int_equal(sys_local_addr(fd, addr), ERR_OK);
    return fd;
}

static int set_up(void **state)
{
    struct addr addr, from;
    int listening = listener(&addr), fd;

    (void)state;
    assert_int_equal(engine_init(&engine, 0), ERR_OK);
    assert_int_equal(sys_socket(ADDR_IP4, &fd), ERR_OK);
    assert_int_equal(sys_connect(fd, &addr), ERR_AGAIN);
    while (sys_accept(listening, &peer, &from))
        ;
    sys_close(listening);
    conn_init(&conn, &engine, fd, was_told);
    told = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    conn_close(&conn);
    if (peer >= 0)
        close(peer);
    engine_close(&engine);
    return 0;
}

static void peer_resets(void)
{
    assert_int_equal(sys_set(peer, SOCK_RESET_ON_CLOSE, 1), ERR_OK);
    close(peer);
    peer = -1;
}

static enum err send_some(size_t *sent)
{
    char byte = 0;
    struct iovec part = {&byte, 1};

    return conn_send(&conn, &part, 1, false, sent);
}

static void test_tries_before_it_waits(void **state)
{
    char memory[16];
    size_t got;

    (void)state;
    assert_int_equal(write(peer, "abc", 3), 3);
    usleep(2000);
    assert_int_equal(conn_read(&conn, memory, sizeof memory, &got), ERR_OK);
    assert_int_equal(got, 3);
    assert_false(conn.can_read);
    assert_false(conn.watch.is_added);

    /* What came before it was armed is told afterwards. */
    assert_int_equal(write(peer, "d", 1), 1);
    usleep(2000);
    assert_int_equal(conn_arm(&conn), ERR_OK);
    turn();
    assert_int_equal(told, 1);
    assert_int_equal(conn_read(&conn, memory, sizeof memory, &got), ERR_OK);
    assert_int_equal(got, 1);
    assert_int_equal(conn_read(&conn, memory, sizeof memory, &got), ERR_AGAIN);
    assert_int_equal(conn.received, 4);
}

static void test_full_read_may_have_left_more(void **state)
{
    char memory[4];
    size_t got;

    (void)state;
    assert_int_equal(write(peer, "abcdef", 6), 6);
    usleep(2000);
    assert_int_equal(conn_read(&conn, memory, 4, &got), ERR_OK);
    assert_true(conn.can_read);
    assert_int_equal(conn_read(&conn, memory, 4, &got), ERR_OK);
    assert_int_equal(got, 2);
}

static void test_fin_with_last_bytes(void **state)
{
    char memory[16];
    size_t got;

    (void)state;
    assert_int_equal(conn_arm(&conn), ERR_OK);
    turn();
    assert_int_equal(write(peer, "abc", 3), 3);
    shutdown(peer, SHUT_WR);
    usleep(2000);
    turn();
    assert_true(conn.has_ended);
    assert_int_equal(conn_read(&conn, memory, sizeof memory, &got), ERR_OK);
    assert_int_equal(conn_read(&conn, memory, sizeof memory, &got), ERR_EOF);
    assert_false(conn.is_broken);
}

/* The kernel tells of a reset once. When sending has heard of it, reading must not take
 * the "end of file" that follows for an orderly end: a body without a length would be
 * cut short in silence. */
static void test_reset_stays_a_reset(void **state)
{
    char memory[16];
    size_t n;
    enum err e;

    (void)state;
    peer_resets();
    usleep(2000);
    e = send_some(&n);
    assert_true(e != ERR_OK && e != ERR_AGAIN);
    assert_true(conn.is_broken);
    assert_int_equal(conn_read(&conn, memory, sizeof memory, &n), ERR_RESET);
    assert_int_equal(conn_read(&conn, memory, sizeof memory, &n), ERR_RESET);
}

static void test_reset_is_told(void **state)
{
    (void)state;
    assert_int_equal(conn_arm(&conn), ERR_OK);
    turn();
    peer_resets();
    usleep(2000);
    turn();
    assert_true(conn.is_broken);
    assert_true(conn.can_read);
}

static void test_abort_resets_close_does_not(void **state)
{
    char c;

    (void)state;
    conn_abort(&conn);
    assert_false(conn_is_open(&conn));
    usleep(2000);
    assert_int_equal(read(peer, &c, 1), -1);
    conn_close(&conn); /* harmless */
}

static void test_room_is_told(void **state)
{
    static char block[65536];
    struct iovec part = {block, sizeof block};
    size_t sent, in = 0, out = 0;

    (void)state;
    while (conn_send(&conn, &part, 1, false, &sent) == ERR_OK)
        in += sent;
    assert_false(conn.can_write);
    assert_int_equal(conn_arm(&conn), ERR_OK);
    turn();
    while (out < in) {
        ssize_t n = read(peer, block, sizeof block);

        if (n > 0)
            out += (size_t)n;
        else
            turn();
    }
    turn();
    assert_true(conn.can_write);
}

static void test_splice(void **state)
{
    struct pipe *pipe = pipe_take(&engine);
    char memory[16];

    (void)state;
    assert_non_null(pipe);
    assert_int_equal(conn_fill_pipe(&conn, pipe, 10), ERR_AGAIN);
    assert_int_equal(conn_arm(&conn), ERR_OK);
    assert_int_equal(write(peer, "0123456789abc", 13), 13);
    usleep(2000);
    turn();
    assert_int_equal(conn_fill_pipe(&conn, pipe, 10), ERR_OK);
    assert_int_equal(pipe->held, 10);
    assert_int_equal(conn.received, 10);
    assert_int_equal(conn_drain_pipe(&conn, pipe), ERR_OK);
    assert_int_equal(pipe->held, 0);
    usleep(2000);
    assert_int_equal(read(peer, memory, sizeof memory), 10);
    assert_memory_equal(memory, "0123456789", 10);
    pipe_give(&engine, pipe);
    assert_int_equal(engine.pipe_count, 1);
}

static enum err how_it_goes(const struct addr *addr)
{
    enum err e;

    conn_close(&conn);
    assert_int_equal(conn_dial(&conn, &engine, addr, was_told), ERR_OK);
    while ((e = conn_connected(&conn)) == ERR_AGAIN)
        turn();
    return e;
}

static void test_dial(void **state)
{
    struct addr addr;
    int listening = listener(&addr);

    (void)state;
    assert_int_equal(how_it_goes(&addr), ERR_OK);
    assert_true(conn.can_write);
    sys_close(listening);
    assert_int_equal(how_it_goes(&addr), ERR_REFUSED);
}

static void test_full_unix_queue_refuses(void **state)
{
    char path[] = "/tmp/conn_test.XXXXXX";
    struct conn dialled[8];
    struct addr addr;
    unsigned count = 0;
    int listening;
    enum err e = ERR_OK;

    (void)state;
    close(mkstemp(path));
    unlink(path);
    assert_int_equal(addr_from_path(str_of(path), &addr), ERR_OK);
    assert_int_equal(sys_socket(ADDR_UNIX, &listening), ERR_OK);
    assert_int_equal(sys_bind(listening, &addr), ERR_OK);
    assert_int_equal(sys_listen(listening, 1), ERR_OK);
    while (count < 8 && !(e = conn_dial(&dialled[count], &engine, &addr, was_told)))
        assert_false(dialled[count++].is_connecting);
    assert_int_equal(e, ERR_REFUSED);
    while (count)
        conn_close(&dialled[--count]);
    sys_close(listening);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tries_before_it_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_read_may_have_left_more, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_fin_with_last_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reset_stays_a_reset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reset_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_abort_resets_close_does_not, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_room_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_splice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dial, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_unix_queue_refuses, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a child gets, and what it does not get once it has seen clients. */
#include "services.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Ports that hand out copies of one descriptor and count. */
static unsigned opened, closed;
static struct addr last_closed;
static int spare;

static enum err fake_open(struct ports *ports, const struct addr *addr, unsigned count,
                          int *fds)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(sys_dup(spare, &fds[i]), ERR_OK);
    opened++;
    return ERR_OK;
}

static void fake_close(struct ports *ports, const struct addr *addr)
{
    closed++;
    last_closed = *addr;
}

static struct ports fake = {.open = fake_open, .close = fake_close};
static struct services services;
static int channel[2];

static int begin(void **state)
{
    opened = closed = 0;
    assert_int_equal(sys_event_new(&spare), ERR_OK);
    assert_int_equal(sys_pair_new(channel), ERR_OK);
    services_init(&services, &fake);
    services_begin(&services);
    return 0;
}

static int finish(void **state)
{
    services_close(&services);
    sys_close(channel[0]);
    sys_close(channel[1]);
    sys_close(spare);
    return 0;
}

static struct addr port(uint16_t number)
{
    return (struct addr){.family = ADDR_IP4, .port = number, .ip = {127, 0, 0, 1}};
}

/* Sends the plea, has it served, takes the answer; *fds: how many descriptors came. */
static enum err plead(const struct plea *plea, int fd, unsigned *fds)
{
    struct plea_answer answer;
    unsigned none = 0, have = 0;
    size_t got;
    int taken[SYS_PASSED_MOST];

    assert_int_equal(
        sys_pair_send(channel[1], (str){(const char *)plea, sizeof *plea}, &fd, fd >= 0),
        ERR_OK);
    services_serve(&services, channel[0]);
    assert_int_equal(
        sys_pair_take(channel[1], false, &answer, sizeof answer, &got, NULL, &none),
        ERR_OK);
    assert_int_equal(got, sizeof answer);
    while (have < answer.fds) {
        unsigned count = SYS_PASSED_MOST;
        char mark;

        assert_int_equal(sys_pair_take(channel[1], false, &mark, 1, &got, taken, &count),
                         ERR_OK);
        assert_true(count > 0);
        have += count;
        while (count)
            sys_close(taken[--count]);
    }
    if (fds)
        *fds = have;
    return answer.error;
}

static enum err open_one(struct addr addr, unsigned count, unsigned *fds)
{
    struct plea plea = {.kind = PLEA_OPEN, .count = count, .addr = addr};

    return plead(&plea, -1, fds);
}

static enum err plain(enum plea_kind kind)
{
    struct plea plea = {.kind = kind};

    return plead(&plea, -1, NULL);
}

static enum err accept_one(void)
{
    struct plea plea = {.kind = PLEA_ACCEPTED};
    enum err e;
    int fd;

    assert_int_equal(sys_memory_file(STR("configuration"), &fd), ERR_OK);
    e = plead(&plea, fd, NULL);
    sys_close(fd);
    return e;
}

static void test_ports_come_as_many_as_asked_for(void **state)
{
    unsigned fds;

    assert_int_equal(open_one(port(1), 1, &fds), ERR_OK);
    assert_int_equal(fds, 1);
    assert_int_equal(open_one(port(2), 150, &fds), ERR_OK); /* several parcels */
    assert_int_equal(fds, 150);
}

static void test_rubbish_is_refused(void **state)
{
    struct addr unterminated = {.family = ADDR_UNIX, .path_length = 5};
    struct addr relative = {.family = ADDR_UNIX, .path_length = 1, .path = "x"};
    struct addr nothing = {0}, no_port = port(0);
    struct plea unknown = {.kind = 77};

    memset(unterminated.path, '/', sizeof unterminated.path);
    assert_int_equal(open_one(unterminated, 1, NULL), ERR_INVALID);
    assert_int_equal(open_one(relative, 1, NULL), ERR_INVALID);
    assert_int_equal(open_one(nothing, 1, NULL), ERR_INVALID);
    assert_int_equal(open_one(no_port, 1, NULL), ERR_INVALID);
    assert_int_equal(open_one(port(1), 0, NULL), ERR_INVALID);
    assert_int_equal(open_one(port(1), WORKERS_MOST + 1, NULL), ERR_INVALID);
    assert_int_equal(plead(&unknown, -1, NULL), ERR_INVALID);
    assert_int_equal(plain(PLEA_ACCEPTED), ERR_INVALID); /* without a descriptor */
    assert_int_equal(opened, 0);

    /* Too short to be a plea: passed over without an answer. */
    assert_int_equal(sys_pair_send(channel[1], STR("?"), &spare, 1), ERR_OK);
    assert_int_equal(open_one(port(1), 1, NULL), ERR_OK);
}

static void test_a_number_of_ports_is_enough(void **state)
{
    for (unsigned i = 1; i <= PORTS_MOST; i++)
        assert_int_equal(open_one(port((uint16_t)i), 1, NULL), ERR_OK);
    assert_int_equal(open_one(port(PORTS_MOST + 1), 1, NULL), ERR_NO_FDS);
    assert_int_equal(open_one(port(7), 1, NULL), ERR_OK); /* has it already */
    assert_int_equal(opened, PORTS_MOST + 1);
}

static void test_the_next_child_leaves_what_it_does_not_want(void **state)
{
    struct plea unwanted = {.kind = PLEA_CLOSE, .addr = port(9)};
    struct addr old = port(2);

    assert_int_equal(open_one(port(1), 2, NULL), ERR_OK);
    assert_int_equal(open_one(old, 2, NULL), ERR_OK);
    assert_int_equal(plain(PLEA_READY), ERR_OK);
    assert_true(services.is_ready);
    assert_int_equal(closed, 0);

    services_begin(&services);
    assert_false(services.is_ready);
    assert_int_equal(open_one(port(1), 2, NULL), ERR_OK);
    assert_int_equal(closed, 0); /* not before the new one is ready */
    assert_int_equal(plain(PLEA_READY), ERR_OK);
    assert_int_equal(closed, 1);
    assert_true(addr_eq(&last_closed, &old));

    assert_int_equal(plead(&unwanted, -1, NULL), ERR_OK); /* never was there */
    assert_int_equal(closed, 1);
}

static void test_the_last_accepted_is_kept(void **state)
{
    struct arena arena;
    str text;

    assert_int_equal(accept_one(), ERR_OK);
    assert_int_equal(accept_one(), ERR_OK);
    arena_init(&arena, 0);
    assert_int_equal(sys_memory_read(services.record, 100, &arena, &text), ERR_OK);
    assert_true(str_eq(text, STR("configuration")));
    assert_int_equal(sys_memory_read(services.record, 5, &arena, &text), ERR_TOO_LARGE);
    arena_reset(&arena);
}

static void test_trust_ends_with_the_first_clients(void **state)
{
    struct plea user = {.kind = PLEA_USER, .text = "nobody"};
    struct plea log = {.kind = PLEA_LOG, .text = "/nonexistent/x.log"};

    assert_int_equal(plead(&log, -1, NULL), ERR_DENIED); /* whose would it be? */
    assert_int_equal(accept_one(), ERR_OK);
    assert_int_equal(plead(&user, -1, NULL), ERR_DENIED);
    assert_int_equal(plead(&log, -1, NULL), ERR_DENIED);
    assert_false(services.has_user);
    assert_int_equal(services.log_count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(test_ports_come_as_many_as_asked_for),
        TEST(test_rubbish_is_refused),
        TEST(test_a_number_of_ports_is_enough),
        TEST(test_the_next_child_leaves_what_it_does_not_want),
        TEST(test_the_last_accepted_is_kept),
        TEST(test_trust_ends_with_the_first_clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

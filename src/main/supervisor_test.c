/*
 * The supervisor with children of our own making in place of child_run: they are born,
 * ask, die and come back as a script says. It runs in a process of its own; the test
 * looks at it from outside.
 */
#include "supervisor.c"

#include "base/check.h"
#include "main/plea.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* What children leave for the test to see. */
struct notes {
    int born;
    int has_record[8];
    struct addr addr;
    int (*live)(int number, int channel, const struct services *services);
};

static struct notes *notes;

int child_run(str file, int channel, int parent, const struct services *services)
{
    int number = notes->born;

    notes->has_record[number] = services->record >= 0;
    notes->born++;
    return notes->live(number, channel, services);
}

static void make_plea(int channel, enum plea_kind kind, int fd)
{
    struct plea plea = {.kind = kind};
    enum err e = plea_make(channel, &plea, fd, NULL);

    CHECK(e == ERR_OK);
}

static void serve_port(int channel)
{
    struct ports *ports = plea_ports(channel);
    int fd, memory;

    CHECK(ports->open(ports, &notes->addr, 1, &fd) == ERR_OK);
    CHECK(sys_memory_file(STR("text"), &memory) == ERR_OK);
    make_plea(channel, PLEA_ACCEPTED, memory);
    make_plea(channel, PLEA_READY, -1);
}

static void wait_for_stop(void)
{
    int signals, poll;
    struct sys_event event;

    CHECK(sys_signals_open(&signals) == ERR_OK && sys_poll_new(&poll) == ERR_OK);
    CHECK(sys_poll_add(poll, signals, READY_IN, false, NULL) == ERR_OK);
    while (sys_signal_take(signals) != SYS_SIGNAL_STOP)
        sys_poll_wait(poll, &event, 1, UINT64_MAX);
}

static int set_up(void **state)
{
    int fd;

    notes = mmap(NULL, sizeof *notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                 -1, 0);
    assert_true(notes != MAP_FAILED);
    notes->addr = (struct addr){.family = ADDR_IP4, .ip = {127, 0, 0, 1}};
    assert_int_equal(sys_socket(ADDR_IP4, &fd), ERR_OK);
    assert_int_equal(sys_bind(fd, &notes->addr), ERR_OK);
    assert_int_equal(sys_local_addr(fd, &notes->addr), ERR_OK);
    sys_close(fd);
    return 0;
}

static int tear_down(void **state)
{
    munmap(notes, sizeof *notes);
    return 0;
}

static int start(int (*live)(int, int, const struct services *))
{
    int pid;

    notes->live = live;
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        _exit(supervisor_run(STR("file")));
    assert_true(pid > 0);
    return pid;
}

static int status_of(int pid)
{
    int how;

    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how));
    return WEXITSTATUS(how);
}

/* True as soon as there is a connection. */
static bool connects(void)
{
    for (unsigned i = 0; i < 1000; i++) {
        enum err e;
        int fd;

        assert_int_equal(sys_socket(ADDR_IP4, &fd), ERR_OK);
        e = sys_connect(fd, &notes->addr);
        if (e == ERR_AGAIN) { /* decided at once on loopback */
            usleep(1000);
            e = sys_socket_error(fd);
        }
        sys_close(fd);
        if (!e)
            return true;
        usleep(5000);
    }
    return false;
}

static void wait_born(int count)
{
    for (unsigned i = 0; i < 2000 && *(volatile int *)&notes->born < count; i++)
        usleep(5000);
    assert_true(*(volatile int *)&notes->born >= count);
}

static int die_twice(int number, int channel, const struct services *services)
{
    serve_port(channel);
    if (number < 2)
        kill(getpid(), SIGKILL);
    wait_for_stop();
    return 0;
}

static void test_comes_back_with_what_was_accepted(void **state)
{
    int pid = start(die_twice);

    wait_born(3);
    assert_true(connects());
    assert_false(notes->has_record[0]);
    assert_true(notes->has_record[1]);
    assert_true(notes->has_record[2]);
    kill(pid, SIGTERM);
    assert_int_equal(status_of(pid), 0);
    assert_int_equal(notes->born, 3);
}

/* The second child takes its time: connections must wait, not fail. */
static int come_back_late(int number, int channel, const struct services *services)
{
    if (number == 0) {
        serve_port(channel);
        kill(getpid(), SIGKILL);
    }
    wait_for_stop();
    return 0;
}

static void test_nobody_is_refused_meanwhile(void **state)
{
    int pid = start(come_back_late);

    wait_born(2);
    assert_true(connects());
    kill(pid, SIGTERM);
    assert_int_equal(status_of(pid), 0);
}

static int fail_at_once(int number, int channel, const struct services *services)
{
    return 3;
}

static void test_first_failure_is_the_end(void **state)
{
    assert_int_equal(status_of(start(fail_at_once)), 3);
    assert_int_equal(notes->born, 1);
}

static int end_by_itself(int number, int channel, const struct services *services)
{
    serve_port(channel);
    return 0;
}

static void test_a_good_end_is_no_death(void **state)
{
    assert_int_equal(status_of(start(end_by_itself)), 0);
    assert_int_equal(notes->born, 1);
}

static int deaf(int number, int channel, const struct services *services)
{
    serve_port(channel);
    for (;;)
        pause();
    return 0;
}

static void test_second_stop_kills(void **state)
{
    int pid = start(deaf);

    assert_true(connects());
    kill(pid, SIGTERM);
    usleep(100000);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0); /* still patient */
    kill(pid, SIGTERM);
    assert_int_equal(status_of(pid), 128 + SIGKILL);
}

static int obey_orphans(int number, int channel, const struct services *services)
{
    serve_port(channel);
    if (fork() == 0)
        _exit(0); /* somebody else's end must not be taken for ours */
    wait_for_stop();
    return 5;
}

static void test_status_of_a_wanted_end(void **state)
{
    int pid = start(obey_orphans);

    assert_true(connects());
    kill(pid, SIGINT);
    assert_int_equal(status_of(pid), 5);
    assert_int_equal(notes->born, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_comes_back_with_what_was_accepted),
        TEST(test_nobody_is_refused_meanwhile),
        TEST(test_first_failure_is_the_end),
        TEST(test_a_good_end_is_no_death),
        TEST(test_second_stop_kills),
        TEST(test_status_of_a_wanted_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

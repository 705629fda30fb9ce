/* Accepting when there is no descriptor left, and when the process is full. */
#include "proxy/door.c"

#include "proxy/test_house.h"

#include <sys/resource.h>

static struct rlimit usual;

/* From now on no descriptor can be opened. */
static void use_up_descriptors(void)
{
    struct rlimit none;
    int first_free = dup(0);

    assert_true(first_free >= 0);
    close(first_free);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none = usual;
    none.rlim_cur = (rlim_t)first_free;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void allow_descriptors(void)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
}

static struct door *the_door(void)
{
    return list_entry(house->worker.doors.next, struct door, node);
}

static uint64_t count_of_accepted(void)
{
    return house->listener_shards[0].accepted;
}

static void test_door_waits_for_a_descriptor(void **state)
{
    int client;

    (void)state;
    house_build(1);
    house_open();
    client = client_new();
    use_up_descriptors();
    for (int i = 0; i < PATIENCE && !the_door()->can_accept; i++)
        turn();
    assert_true(the_door()->can_accept);
    turns(3);
    assert_int_equal(count_of_accepted(), 0);
    assert_int_not_equal(house->worker.accept_pause.due, TIMER_NEVER);
    allow_descriptors();
    for (int i = 0; i < PATIENCE && !count_of_accepted(); i++)
        turn();
    assert_int_equal(count_of_accepted(), 1);
    assert_false(the_door()->can_accept); /* the queue is empty, and it listens again */
    close(client);
    client = client_new();
    for (int i = 0; i < PATIENCE && count_of_accepted() < 2; i++)
        turn();
    assert_int_equal(count_of_accepted(), 2);
    close(client);
    house_close();
}

/* A client that has been answered and waits for what it may ask next. */
static int idle_client(int *server)
{
    int client = client_new();

    say(client, GET);
    if (*server < 0)
        *server = server_take_one(0);
    hear(*server, "\r\n\r\n");
    say(*server, ANSWER(2, "hi"));
    hear(client, "\r\n\r\nhi");
    turns(1);
    return client;
}

/* First the link that lies idle goes, then clients: one more than came, because accept
 * fails before it looks whether anybody waits. */
static void test_idle_make_room(void **state)
{
    int server = -1, idle[3], fresh[2];

    (void)state;
    house_build(1);
    house_open();
    for (unsigned i = 0; i < array_len(idle); i++) {
        idle[i] = idle_client(&server);
        usleep(20000);
    }
    for (unsigned i = 0; i < array_len(fresh); i++)
        fresh[i] = client_new();
    use_up_descriptors();
    for (int i = 0; i < PATIENCE && count_of_accepted() < 5; i++)
        turn();
    assert_int_equal(count_of_accepted(), 5);
    assert_int_equal(hear_end(server), ERR_EOF);
    assert_int_equal(hear_end(idle[0]), ERR_EOF);
    assert_int_equal(hear_end(idle[1]), ERR_EOF);
    assert_int_equal(house->worker.session_count, 3);
    allow_descriptors();
    close(server);
    say(idle[2], GET);
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    say(server, ANSWER(3, "too"));
    hear(idle[2], "\r\n\r\ntoo");
    close(server);
    for (unsigned i = 0; i < array_len(idle); i++)
        close(idle[i]);
    for (unsigned i = 0; i < array_len(fresh); i++)
        close(fresh[i]);
    house_close();
}

static void test_full_process(void **state)
{
    int server = -1, idle, busy, fresh, last;

    (void)state;
    house_build(1);
    house_open();
    atomic_store(&house->conn_limit.most, 2);
    idle = idle_client(&server);
    busy = client_new();
    say(busy, "GET / HT");
    turns(2);
    fresh = client_new();
    assert_int_equal(hear_end(idle), ERR_EOF);
    assert_int_equal(count_of_accepted(), 3);
    last = client_new(); /* nobody is idle any more */
    assert_int_equal(hear_end(last), ERR_EOF);
    assert_int_equal(count_of_accepted(), 3);
    assert_int_equal(house->listener_shards[0].rejected[REJECT_PROCESS_FULL], 1);
    assert_int_equal(house->worker.session_count, 2);
    close(server);
    close(idle);
    close(busy);
    close(fresh);
    close(last);
    house_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_door_waits_for_a_descriptor),
        cmocka_unit_test(test_idle_make_room),
        cmocka_unit_test(test_full_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

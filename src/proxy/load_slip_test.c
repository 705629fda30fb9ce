/* What an answer says of its server's load: what the client sees, what the steward hears. */
#include "proxy/load_slip.c"

#include "proxy/test_house.h"

#define LOADED(value) \
    "HTTP/1.1 200 OK\r\nX-Load: " value "\r\nContent-Length: 2\r\n\r\nok"

static struct load_slip *slips[8];
static unsigned slip_count;

static void keep_slip(struct steward_desk *desk, struct load_slip *slip)
{
    (void)desk;
    assert_true(slip_count < array_len(slips));
    slips[slip_count++] = slip;
}

static int client, server;

/* One server, and a first answer of it. */
static void begin(const char *answer)
{
    slip_count = 0;
    house_build(1);
    house->pool.load_header = STR("x-load");
    house->steward.load_said = keep_slip;
    house_open();
    client = exchange_once(GET, answer, &server);
    hear(client, "\r\n\r\nok");
}

static void again(const char *answer)
{
    say(client, GET);
    hear(server, "\r\n\r\n");
    say(server, answer);
    hear(client, "\r\n\r\nok");
    assert_false(has_heard("X-Load"));
}

/* As the steward does it; what he has taken he has taken. */
static void give_back(struct load_slip *slip)
{
    slip_count = 0;
    load_slip_returned(&slip->mail);
}

static void take(const struct load_slip *slip)
{
    atomic_store(&house->servers[0].load_said, slip->told.hash);
}

static void end(void)
{
    if (slip_count)
        give_back(slips[0]);
    assert_int_equal(slip_count, 0);
    assert_int_equal(house->servers[0].holds, 1); /* the link's */
    free(house->server_desks[0][0].slip);
    close(client);
    house_close();
    close(server);
}

static void must_say(const struct load_slip *slip, const char *words)
{
    assert_int_equal(slip->told.length, strlen(words));
    assert_memory_equal(slip->told.words, words, strlen(words));
}

static void test_news_once(void **state)
{
    (void)state;
    begin(LOADED("50%"));
    assert_false(has_heard("X-Load"));
    assert_int_equal(slip_count, 1);
    must_say(slips[0], "50%");
    take(slips[0]);
    give_back(slips[0]);
    again(LOADED("50%"));
    again(ANSWER(2, "ok"));
    assert_int_equal(slip_count, 0);
    assert_true(house->server_desks[0][0].load_heard_at > 0);
    again(LOADED("drain"));
    assert_int_equal(slip_count, 1);
    must_say(slips[0], "drain");
    take(slips[0]);
    end();
}

/* Something else in each answer: one slip is under way, the newest is on the next one. */
static void test_never_two(void **state)
{
    struct load_slip *first;

    (void)state;
    begin(LOADED("1%"));
    first = slips[0];
    again(LOADED("2%"));
    again(LOADED("3%"));
    again(LOADED("4%"));
    assert_int_equal(slip_count, 1);
    must_say(first, "1%");
    take(first);
    give_back(first);
    assert_int_equal(slip_count, 1);
    assert_ptr_equal(slips[0], first);
    must_say(first, "4%");
    take(first);
    again(LOADED("5%"));
    again(LOADED("4%")); /* as the steward has it: there is no news any more */
    end();
}

/* The steward has it from another worker already. */
static void test_overtaken(void **state)
{
    struct load_slip *first;

    (void)state;
    begin(LOADED("1%"));
    first = slips[0];
    again(LOADED("2%"));
    atomic_store(&house->servers[0].load_said, first->next.hash);
    give_back(first);
    assert_int_equal(slip_count, 0);
    again(LOADED("1%")); /* news, though it is what this worker said last */
    assert_int_equal(slip_count, 1);
    end();
}

static void test_several_and_long(void **state)
{
    char longer[LOAD_SLIP_MOST + 100], answer[1024];

    (void)state;
    begin("HTTP/1.1 200 OK\r\nX-Load: 50%\r\nx-loader: 1\r\nx-LOAD: maxconn:2\r\n"
          "Content-Length: 2\r\n\r\nok");
    assert_true(has_heard("x-loader: 1"));
    assert_false(has_heard("x-LOAD:"));
    must_say(slips[0], "50%,maxconn:2");
    assert_false(slips[0]->told.is_cut);
    take(slips[0]);
    give_back(slips[0]);
    for (unsigned i = 0; i < 4; i++) {
        memset(longer, 'a', sizeof longer);
        longer[LOAD_SLIP_MOST + i - 1] = '\0';
        snprintf(answer, sizeof answer,
                 "HTTP/1.1 200 OK\r\nX-Load: %s\r\nContent-Length: 2\r\n\r\nok", longer);
        again(answer);
        if (i == 3) { /* as far as anybody looks it is the same */
            assert_int_equal(slip_count, 0);
            break;
        }
        assert_int_equal(slip_count, 1);
        assert_int_equal(slips[0]->told.is_cut, i == 2);
        assert_true(slips[0]->told.length <= LOAD_SLIP_MOST);
        take(slips[0]);
        give_back(slips[0]);
    }
    end();
}

/* Not the final answer, but an answer of the server. */
static void test_interim(void **state)
{
    (void)state;
    begin("HTTP/1.1 103 Early\r\nX-Load: 10%\r\nLink: </a>\r\n\r\n" ANSWER(2, "ok"));
    assert_true(has_heard("Link: </a>"));
    assert_false(has_heard("X-Load"));
    must_say(slips[0], "10%");
    end();
}

static void test_off(void **state)
{
    (void)state;
    slip_count = 0;
    house_build(1);
    house->steward.load_said = keep_slip;
    house_open();
    client = exchange_once(GET, LOADED("50%"), &server);
    hear(client, "\r\n\r\nok");
    assert_true(has_heard("X-Load: 50%"));
    assert_int_equal(slip_count, 0);
    close(client);
    house_close();
    close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_news_once), cmocka_unit_test(test_never_two),
        cmocka_unit_test(test_overtaken), cmocka_unit_test(test_several_and_long),
        cmocka_unit_test(test_interim),   cmocka_unit_test(test_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

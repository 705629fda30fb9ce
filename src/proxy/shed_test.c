/* Who is turned away, with which page, between real sockets. */
#include "proxy/shed.c"

#include "proxy/test_house.h"

static struct page pages[2];
static const struct page *errors[ERROR_COUNT];
static struct closure closure;

static void open_with_pages(void)
{
    house_build(1);
    pages[0] = (struct page){.name = STR("down"),
                             .status = 503,
                             .retry_after = 60,
                             .body = STR("<p>down</p>"),
                             .content_type = STR("text/html; charset=utf-8")};
    pages[1] = (struct page){.name = STR("bare"), .status = 500};
    memset(errors, 0, sizeof errors);
    house->snapshot.pages = (struct page_book){pages, 2, errors};
    house_open();
}

static void close_for(const char *page, const char *except)
{
    static struct prefix prefix;

    closure = (struct closure){.page = str_of(page)};
    if (except) {
        assert_int_equal(prefix_parse(str_of(except), &prefix), ERR_OK);
        closure.except = (struct prefixes){&prefix, 1};
    }
    house->worker.closure = &closure;
    house->worker.curbs = CURB_CLOSED;
}

static void ask_hear(const char *request, const char *end)
{
    int client = client_new();

    say(client, request);
    hear(client, end);
    assert_false(is_waiting(house->listening[0]));
    close(client);
}

static void test_closed(void **state)
{
    (void)state;
    open_with_pages();
    close_for("down", NULL);
    ask_hear(GET, "<p>down</p>");
    assert_true(has_heard("HTTP/1.1 503 "));
    assert_true(has_heard("Weir-Cause: maintenance\r\n"));
    assert_true(has_heard("Retry-After: 60\r\n"));
    assert_true(has_heard("Content-Type: text/html; charset=utf-8\r\n"));
    assert_true(has_heard("Content-Length: 11\r\n"));
    ask_hear("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n");
    assert_true(has_heard("Content-Length: 11\r\n"));
    ask_hear("GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n", "}\n");
    assert_true(has_heard("\"cause\":\"maintenance\""));
    assert_true(has_heard("Retry-After: 60\r\n"));
    house_close();
}

static void test_pages_that_say_less(void **state)
{
    (void)state;
    open_with_pages();
    close_for("bare", NULL); /* no text of its own, another status */
    ask_hear(GET, "closed for maintenance");
    assert_true(has_heard("HTTP/1.1 500 "));
    assert_false(has_heard("Retry-After"));
    close_for("lost", NULL); /* gone with a reload */
    ask_hear(GET, "closed for maintenance");
    assert_true(has_heard("HTTP/1.1 503 "));
    assert_true(has_heard("Retry-After: 5\r\n"));
    errors[503 - ERROR_FIRST] = &pages[0];
    ask_hear(GET, "<p>down</p>"); /* the page for 503 */
    house_close();
}

static void test_exceptions(void **state)
{
    int server;

    (void)state;
    open_with_pages();
    close_for("down", "127.0.0.0/8");
    close(exchange_once(GET, ANSWER(2, "ok"), &server));
    close(server);
    turns(2);
    close_for("down", "10.0.0.0/8");
    ask_hear(GET, "<p>down</p>");
    house->route.action = ROUTE_RESPOND;
    house->route.respond = (struct respond){200, STR("alive"), STR("text/plain")};
    ask_hear(GET, "alive");
    house_close();
}

static void test_error_pages(void **state)
{
    (void)state;
    open_with_pages();
    errors[404 - ERROR_FIRST] = errors[400 - ERROR_FIRST] = &pages[0];
    house->listener.router = router_new(&house->snapshot.arena, NULL, 0, 0);
    ask_hear(GET, "<p>down</p>");
    assert_true(has_heard("HTTP/1.1 404 ") && has_heard("Weir-Cause: no_route"));
    assert_false(has_heard("Retry-After")); /* the page's, not the status's */
    ask_hear("GET / HTTP/1.1\r\nHo st: a\r\n\r\n", "<p>down</p>");
    assert_true(has_heard("HTTP/1.1 400 ") && has_heard("Connection: close"));
    house_close();
}

static void test_ladder(void **state)
{
    static struct ladder_live live;
    static struct ladder ladder;
    int server, client;

    (void)state;
    open_with_pages();
    ladder = (struct ladder){.name = STR("shop"), .live = &live};
    ladder.rules[DEGRADE_REDUCED] =
        (struct degrade_rule){.is_there = true, .drops = 1u << PRIORITY_LOW};
    ladder.rules[DEGRADE_MAINTENANCE] =
        (struct degrade_rule){.is_there = true, .drops = 7, .page = STR("down")};
    house->route.ladder = &ladder;
    atomic_store(&live.level, DEGRADE_REDUCED);
    client = client_new();
    say(client, "GET / HTTP/1.1\r\nHost: a\r\nweir-degrade: full\r\n\r\n");
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    assert_true(has_heard("Weir-Degrade: reduced\r\n"));
    assert_false(has_heard("weir-degrade"));
    say(server, "HTTP/1.1 200 OK\r\nWeir-Degrade: x\r\nContent-Length: 2\r\n\r\nok");
    hear(client, "ok");
    assert_true(has_heard("Weir-Degrade: reduced\r\n"));
    assert_false(has_heard("Weir-Degrade: x"));
    close(client);
    close(server);
    turns(2);
    house->route.priority = PRIORITY_LOW;
    ask_hear(GET, "too few servers are well");
    assert_true(has_heard("Weir-Cause: degraded\r\n"));
    assert_true(has_heard("Weir-Degrade: reduced\r\n"));
    assert_int_equal(house->worker.shed[PRIORITY_LOW], 1);
    house->route.priority = PRIORITY_CRITICAL;
    atomic_store(&live.level, DEGRADE_MAINTENANCE);
    ask_hear(GET, "<p>down</p>");
    assert_int_equal(house->worker.shed[PRIORITY_CRITICAL], 1);
    atomic_store(&live.level, DEGRADE_REDUCED);
    close_for("down", NULL);
    ask_hear(GET,
             "<p>down</p>"); /* closed, and the ladder's level is told all the same */
    assert_true(has_heard("Weir-Cause: maintenance\r\n"));
    assert_true(has_heard("Weir-Degrade: reduced\r\n"));
    house->worker.curbs = 0;
    atomic_store(&live.level, DEGRADE_FULL);
    close(exchange_once(GET, ANSWER(2, "ok"), &server));
    assert_false(has_heard("Weir-Degrade"));
    close(server);
    turns(2);
    house_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed),     cmocka_unit_test(test_pages_that_say_less),
        cmocka_unit_test(test_exceptions), cmocka_unit_test(test_error_pages),
        cmocka_unit_test(test_ladder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

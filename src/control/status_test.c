/* The whole document for a small house, to the letter; and what changes in it. */
#include "control/status.c"

#include "control/stage_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct scroll written(const struct stage *stage)
{
    struct scroll out = {0};

    status_write(&stage->view, &out);
    scroll_char(&out, '\0');
    return out;
}

static void assert_holds(const struct scroll *out, const char *text)
{
    if (!strstr(out->p, text))
        fail_msg("no %s in %s", text, out->p);
}

static void test_at_the_start(void **state)
{
    struct stage *s = stage_new();
    struct scroll out;

    s->servers[0].live.addr_text = STR("10.0.0.1:80");
    s->servers[1].live.addr_text = STR("10.0.0.2:80");
    s->servers[1].changed_at = s->view.wall - UINT64_C(120000000000);
    out = written(s);
    assert_string_equal(
        out.p,
        "{\"version\":\"1.2.3\",\"uptime\":3661,\"draining\":false,\"config\":{\"number\":42,"
        "\"ok\":true,\"reloads\":0,\"refused\":0},\"workers\":2,\"maintenance\":{\"on\":false},\"listeners\":[{\"name\":"
        "\"web\",\"kind\":\"http\",\"addresses\":[],\"connections\":0,\"requests\":0}],"
        "\"pools\":[{\"name\":\"app\",\"balance\":\"least_connections\",\"up\":1,\"all\":2,"
        "\"state\":\"ok\",\"is_checked\":true,\"in_flight\":0,\"requests\":0,\"servers\":["
        "{\"name\":\"one\",\"address\":\"10.0.0.1:80\",\"state\":\"up\",\"reason\":"
        "\"HTTP 200 in 2ms\",\"weight\":1,\"ordered\":false,\"backup\":false,\"connections\":0,\"requests\":0,"
        "\"failures\":0,\"fails\":0},{\"name\":\"two\",\"address\":\"10.0.0.2:80\",\"state\":"
        "\"down\",\"reason\":\"connection refused\",\"since\":120,\"weight\":1,\"ordered\":false,\"backup\":"
        "false,\"connections\":0,\"requests\":0,\"failures\":0,\"fails\":0}]}]}\n");
    scroll_close(&out);
    stage_free(s);
}

static void test_rates(void **state)
{
    struct stage *s = stage_new();
    struct scroll out;

    overview_take(&s->view);
    s->view.now += UINT64_C(2000000000);
    for (int i = 0; i < 100; i++) {
        s->listener_shards[i % 2].requests[i < 10 ? 5 : 2]++;
        histogram_add(&s->route_shards[i % 2].duration[2], 1000000);
        s->pool_shards[0].requests++;
        s->server_shards[0][1].requests[2]++;
        histogram_add(&s->server_shards[0][1].response, 1000000);
    }
    s->server_shards[1][0].failures[FAILURE_CONNECT_REFUSED] = 3;
    out = written(s);
    assert_holds(&out,
                 "\"connections\":0,\"requests\":100,\"rate\":50,\"error_share\":0.1,"
                 "\"p50\":0.0025,\"p95\":0.00475}");
    assert_holds(&out, "\"in_flight\":0,\"requests\":100,\"rate\":50,\"error_share\":0,");
    assert_holds(&out, "\"failures\":3,");
    scroll_close(&out);
    stage_free(s);
}

enum { DOORS = 66 }; /* more than a word of a match's listeners holds */

static uint64_t timed_at(const struct listener_record *record)
{
    return histogram_count(&record->sample.latency);
}

static void test_a_listener_has_the_times_of_its_routes(void **state)
{
    static struct listener_record records[DOORS];
    struct stage *s = stage_new();
    struct listener doors[DOORS];
    struct route routes[3];
    struct route_record route_records[3] = {0};
    struct route_shard route_shards[3][STAGE_WORKERS] = {0};
    const uint64_t last[2] = {0, 2}, ends[2] = {1, 2};
    struct match matches[3] = {
        {0},
        {.listeners = last, .listener_words = 2},
        {.listeners = ends, .listener_words = 2},
    };

    for (unsigned i = 0; i < DOORS; i++) {
        doors[i] = s->listener;
        doors[i].index = i;
        doors[i].live = &records[i].live;
        records[i].live.shards = s->listener_shards;
    }
    doors[3].kind = LISTENER_TCP;
    for (unsigned i = 0; i < 3; i++) {
        routes[i] = s->route;
        routes[i].match = &matches[i];
        routes[i].live = &route_records[i].live;
        route_records[i].live.shards = route_shards[i];
        for (unsigned k = 0; k < 1u << i; k++)
            histogram_add(&route_shards[i][k % STAGE_WORKERS].duration[k], 1000000);
    }
    s->snapshot.listeners = doors;
    s->snapshot.listener_count = DOORS;
    s->snapshot.routes = routes;
    s->snapshot.route_count = 3;
    for (int twice = 0; twice < 2; twice++) { /* sums, not sums of sums */
        overview_listeners(&s->view);
        assert_int_equal(timed_at(&records[0]), 1 + 4);
        assert_int_equal(timed_at(&records[3]), 0);
        assert_int_equal(timed_at(&records[64]), 1);
        assert_int_equal(timed_at(&records[65]), 1 + 2 + 4);
    }
    stage_free(s);
}

static void test_checks(void **state)
{
    struct stage *s = stage_new();
    struct server_record *server = &s->servers[0];
    struct scroll out;

    server->checked_at = s->view.wall - 1000000000;
    server->last_check = (struct check_outcome){.status = 200, .duration_ms = 2};
    server->good_at = server->checked_at;
    s->servers[1].checked_at = s->view.wall - 2000000000;
    s->servers[1].health.failed = 3;
    s->servers[1].last_check = (struct check_outcome){
        .result = CHECK_CONNECT_FAILED, .error = ERR_REFUSED, .duration_ms = 0};
    out = written(s);
    assert_holds(&out,
                 "\"last_check\":{\"passed\":true,\"result\":\"200 in 2ms\",\"ago\":1,"
                 "\"good_ago\":1}");
    assert_holds(&out, "\"fails\":3,\"last_check\":{\"passed\":false,\"result\":"
                       "\"connection refused in 0ms\",\"ago\":2}");
    scroll_close(&out);
    stage_free(s);
}

static void test_a_pool_that_is_down(void **state)
{
    struct stage *s = stage_new();
    struct scroll out;

    stage_health(s, 0, HEALTH_DOWN, "2 of 3 checks: no answer");
    s->servers[0].changed_at = s->view.wall - UINT64_C(60000000000);
    s->servers[1].changed_at = s->view.wall - UINT64_C(90000000000);
    s->view.is_draining = true;
    s->view.last_reload_was_good = false;
    out = written(s);
    assert_holds(&out, "\"up\":0,\"all\":2,\"state\":\"down\",\"reason\":"
                       "\"2 of 3 checks: no answer\",\"since\":60");
    assert_holds(&out, "\"draining\":true");
    assert_holds(&out, "\"ok\":false");
    scroll_close(&out);
    stage_free(s);
}

/* A removed one is not shown; one without an address by its name. */
static void test_members(void **state)
{
    struct stage *s = stage_new();
    struct name_record name = {.host = STR("app.example")};
    struct scroll out;

    stage_name(s, &name);
    s->servers[0].entry = NULL;
    s->servers[1].live.addr = (struct addr){0};
    s->entries[1].host = STR("app.example");
    stage_health(s, 1, HEALTH_UNRESOLVED, "its name has no address");
    out = written(s);
    assert_null(strstr(out.p, "\"one\""));
    assert_holds(&out, "\"address\":\"app.example\",\"state\":\"unresolved\"");
    assert_holds(&out, "\"all\":1");
    scroll_close(&out);
    stage_free(s);
}

/* The reason is the name's own, and what the policy refuses is told beside it. */
static void test_refused_addresses(void **state)
{
    struct stage *s = stage_new();
    struct name_record name = {.host = STR("app.example"), .why = STR("nobody knows it")};
    struct scroll out;

    s->servers[0].live.addr = s->servers[1].live.addr = (struct addr){0};
    s->entries[0].host = s->entries[1].host = STR("app.example");
    stage_health(s, 0, HEALTH_UNRESOLVED, "its name has no address");
    stage_health(s, 1, HEALTH_UNRESOLVED, "its name has no address");
    stage_name(s, &name);
    out = written(s);
    assert_holds(&out, "\"state\":\"down\",\"reason\":\"nobody knows it\"");
    assert_null(strstr(out.p, "refused_addresses"));
    scroll_close(&out);
    name.refused = STR("169.254.0.1 is refused");
    out = written(s);
    assert_holds(&out, "\"refused_addresses\":[{\"name\":\"app.example\",\"reason\":"
                       "\"169.254.0.1 is refused\"}],\"servers\":[");
    scroll_close(&out);
    name.cut = STR("64 of 65");
    out = written(s);
    assert_holds(&out, "\"cut_addresses\":[{\"name\":\"app.example\",\"reason\":"
                       "\"64 of 65\"}],\"servers\":[");
    scroll_close(&out);
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_the_start),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_a_listener_has_the_times_of_its_routes),
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_a_pool_that_is_down),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_refused_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What Prometheus reads: right sums over workers, escaping, cumulative buckets, and which
 * series there are. tests/scenarios lets promtool look at a living daemon's.
 */
#include "control/metrics/metrics.c"

#include "control/stage_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct scroll written(const struct stage *stage)
{
    struct scroll out = {0};

    metrics_write(&stage->view, &out);
    scroll_char(&out, '\0');
    return out;
}

static void assert_has(const struct scroll *out, const char *line)
{
    char sought[512];

    snprintf(sought, sizeof sought, "\n%s\n", line);
    if (!strstr(out->p, sought))
        fail_msg("no line %s in\n%s", line, out->p);
}

static void test_counts(void **state)
{
    struct stage *s = stage_new();
    struct scroll out;

    s->listener_shards[0].accepted = 3;
    s->listener_shards[1].accepted = 4;
    s->listener_shards[1].rejected[REJECT_IP_FULL] = 2;
    s->listener_shards[0].requests[2] = 1;
    s->listener_shards[1].causes[CAUSE_NO_ROUTE] = 6;
    histogram_add(&s->route_shards[0].duration[2], 7000000);
    histogram_add(&s->route_shards[1].duration[2], 30000000);
    s->route_shards[1].causes[CAUSE_SERVER_TIMEOUT] = 5;
    s->route_shards[0].in_flight = -1;
    s->route_shards[1].in_flight = 3;
    s->pool_shards[0].requests = 10;
    s->pool_shards[1].requests = 20;
    s->view.log_dropped[LOG_ACCESS] = 9;
    out = written(s);
    assert_has(&out, "weir_build_info{version=\"1.2.3\"} 1");
    assert_has(&out, "weir_listener_connections_total{listener=\"web\"} 7");
    assert_has(&out, "weir_listener_connections_rejected_total{listener=\"web\","
                     "reason=\"ip_full\"} 2");
    assert_has(&out, "weir_listener_requests_total{listener=\"web\",code=\"2xx\"} 1");
    assert_has(&out, "weir_requests_total{listener=\"web\",route=\"all\",code=\"2xx\","
                     "protocol=\"http1\"} 2");
    assert_has(&out, "weir_request_duration_seconds_bucket{route=\"all\",code=\"2xx\","
                     "le=\"0.005\"} 0");
    assert_has(&out, "weir_request_duration_seconds_bucket{route=\"all\",code=\"2xx\","
                     "le=\"0.01\"} 1");
    assert_has(&out, "weir_request_duration_seconds_bucket{route=\"all\",code=\"2xx\","
                     "le=\"10\"} 2");
    assert_has(&out, "weir_request_duration_seconds_bucket{route=\"all\",code=\"2xx\","
                     "le=\"+Inf\"} 2");
    assert_has(&out,
               "weir_request_duration_seconds_sum{route=\"all\",code=\"2xx\"} 0.037000");
    assert_has(&out, "weir_request_duration_seconds_count{route=\"all\",code=\"2xx\"} 2");
    assert_has(&out, "weir_requests_in_flight{route=\"all\"} 2");
    assert_has(&out, "weir_errors_total{route=\"all\",cause=\"server_timeout\"} 5");
    assert_has(&out, "weir_errors_total{route=\"\",cause=\"no_route\"} 6");
    assert_has(&out, "weir_pool_requests_total{pool=\"app\"} 30");
    assert_has(&out, "weir_log_dropped_total{log=\"access\"} 9");
    assert_has(&out, "weir_memory_bytes{area=\"sessions\"} 4096");
    assert_null(strstr(out.p, "code=\"5xx\"")); /* has not happened */
    scroll_close(&out);
    stage_free(s);
}

static void test_servers(void **state)
{
    struct stage *s = stage_new();
    struct scroll out;

    s->servers[0].live.shards[1].requests[2] = 8;
    s->servers[0].live.shards[0].failures[FAILURE_TIMEOUT] = 1;
    s->servers[0].checks[CHECK_PASSED] = 4;
    s->servers[1].checks[CHECK_NO_ANSWER] = 3;
    s->servers[1].transitions[HEALTH_DOWN] = 1;
    out = written(s);
    assert_has(&out, "weir_pool_servers{pool=\"app\",state=\"up\"} 1");
    assert_has(&out, "weir_pool_servers{pool=\"app\",state=\"down\"} 1");
    assert_has(&out, "weir_pool_healthy_ratio{pool=\"app\"} 0.5");
    assert_has(&out,
               "weir_server_up{pool=\"app\",server=\"one\",address=\"10.0.0.1:80\"} 1");
    assert_has(&out,
               "weir_server_up{pool=\"app\",server=\"two\",address=\"10.0.0.2:80\"} 0");
    assert_has(&out, "weir_server_state{pool=\"app\",server=\"two\","
                     "address=\"10.0.0.2:80\",state=\"down\"} 1");
    assert_has(&out, "weir_server_requests_total{pool=\"app\",server=\"one\","
                     "address=\"10.0.0.1:80\",code=\"2xx\"} 8");
    assert_has(&out, "weir_server_failures_total{pool=\"app\",server=\"one\","
                     "address=\"10.0.0.1:80\",reason=\"timeout\"} 1");
    assert_has(&out, "weir_health_checks_total{pool=\"app\",server=\"one\","
                     "address=\"10.0.0.1:80\",result=\"passed\",reason=\"ok\"} 4");
    assert_has(&out, "weir_health_checks_total{pool=\"app\",server=\"two\","
                     "address=\"10.0.0.2:80\",result=\"failed\",reason=\"timeout\"} 3");
    assert_has(&out, "weir_health_transitions_total{pool=\"app\",server=\"two\","
                     "address=\"10.0.0.2:80\",to=\"down\"} 1");
    scroll_close(&out);
    stage_free(s);
}

static void test_servers_left_out(void **state)
{
    struct stage *s = stage_new();
    struct scroll out;

    assert_true(metrics_has_servers(&s->view));
    s->snapshot.metrics.per_server = PER_SERVER_OFF;
    out = written(s);
    assert_null(strstr(out.p, "weir_server_"));
    assert_has(&out, "weir_pool_servers{pool=\"app\",state=\"up\"} 1");
    scroll_close(&out);
    s->snapshot.metrics.per_server = PER_SERVER_AUTO;
    s->servers[0].entry = s->servers[1].entry = NULL; /* removed by a reload */
    out = written(s);
    assert_null(strstr(out.p, "server=\"one\""));
    scroll_close(&out);
    stage_free(s);
}

static void test_auto_beyond_a_thousand(void **state)
{
    struct stage *s = stage_new();
    struct server_record *more = calloc(PER_SERVER_MOST, sizeof *more);

    for (unsigned i = 0; i < PER_SERVER_MOST - 2; i++) {
        more[i].entry = s->servers[0].entry;
        more[i].pool = &s->pool_record;
        list_add(&s->pool_record.servers, &more[i].node);
    }
    assert_true(metrics_has_servers(&s->view));
    more[PER_SERVER_MOST - 1].entry = s->servers[0].entry;
    more[PER_SERVER_MOST - 1].pool = &s->pool_record;
    list_add(&s->pool_record.servers, &more[PER_SERVER_MOST - 1].node);
    assert_false(metrics_has_servers(&s->view));
    s->snapshot.metrics.per_server = PER_SERVER_ON;
    assert_true(metrics_has_servers(&s->view));
    free(more);
    stage_free(s);
}

/* Each family once, with HELP and TYPE before its samples, and its samples together. */
static void test_families(void **state)
{
    struct stage *s = stage_new();
    struct scroll out;
    char families[100][64], current[64] = "";
    unsigned count = 0;

    for (unsigned class = 0; class < CODE_CLASSES; class ++)
        histogram_add(&s->route_shards[0].duration[class], 1);
    s->servers[1].live.name = STR("odd \"name\"\\\n");
    out = written(s);
    assert_non_null(strstr(out.p, "server=\"odd \\\"name\\\"\\\\\\n\""));
    for (char *line = strtok(out.p, "\n"); line; line = strtok(NULL, "\n")) {
        char name[64];

        if (sscanf(line, "# HELP %63s", name) == 1) {
            for (unsigned i = 0; i < count; i++)
                assert_string_not_equal(families[i], name);
            assert_in_range(count, 0, 98);
            snprintf(families[count++], sizeof *families, "%s", name);
            snprintf(current, sizeof current, "%s", name);
            line = strtok(NULL, "\n");
            assert_int_equal(sscanf(line, "# TYPE %63s", name), 1);
            assert_string_equal(name, current);
        } else {
            assert_memory_equal(line, current, strlen(current));
        }
    }
    assert_true(count > 30);
    scroll_close(&out);
    stage_free(s);
}

static void test_a_route_of_several_listeners(void **state)
{
    struct stage *s = stage_new();
    struct listener two[2] = {s->listener, s->listener};
    struct scroll out;

    two[1].name = STR("second");
    two[1].index = 1;
    s->snapshot.listeners = two;
    s->snapshot.listener_count = 2;
    histogram_add(&s->route_shards[0].duration[2], 1);
    out = written(s);
    assert_has(&out, "weir_requests_total{listener=\"\",route=\"all\",code=\"2xx\","
                     "protocol=\"http1\"} 1");
    scroll_close(&out);
    stage_free(s);
}

static void expect_listener(struct stage *s, const char *listener)
{
    struct scroll out = written(s);
    char line[200];

    snprintf(line, sizeof line,
             "weir_requests_total{listener=\"%s\",route=\"all\",code=\"2xx\","
             "protocol=\"http1\"} 1",
             listener);
    assert_has(&out, line);
    scroll_close(&out);
}

static void test_a_route_that_names_its_listener(void **state)
{
    static const uint64_t second[] = {0, 2}, both[] = {1, 2}, first[] = {1};
    struct stage *s = stage_new();
    struct listener listeners[66];
    struct match match = {.listeners = second, .listener_words = 2};

    for (unsigned i = 0; i < array_len(listeners); i++)
        listeners[i] = s->listener;
    listeners[65].name = STR("last");
    s->snapshot.listeners = listeners;
    s->snapshot.listener_count = array_len(listeners);
    s->route.match = &match;
    histogram_add(&s->route_shards[0].duration[2], 7000000);
    expect_listener(s, "last");
    match.listeners = both;
    expect_listener(s, "");
    match = (struct match){.listeners = first, .listener_words = 1};
    expect_listener(s, "web");
    s->route.match = NULL;
    expect_listener(s, "");
    for (unsigned i = 0; i < 65; i++)
        listeners[i].kind = LISTENER_TCP;
    expect_listener(s, "last"); /* no other one is for requests */
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_servers_left_out),
        cmocka_unit_test(test_auto_beyond_a_thousand),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_a_route_of_several_listeners),
        cmocka_unit_test(test_a_route_that_names_its_listener),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Rates over a moving window, and nothing before there is one. */
#include "control/meter.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { MS = 1000000 };

static void test_nothing_is_known_at_first(void **state)
{
    struct meter meter = {0};
    struct meter_sample now = {.at = 10, .count = 7};

    assert_false(meter_read(&meter, &now).is_known);
    meter_take(&meter, &now);
    now.at += 100 * MS;
    assert_false(meter_read(&meter, &now).is_known);
}

static void test_rate_and_errors(void **state)
{
    struct meter meter = {0};
    struct meter_sample now = {.at = 1, .count = 1000, .errors = 500};
    struct meter_reading reading;

    meter_take(&meter, &now);
    now.at += (uint64_t)2000 * MS;
    now.count += 200;
    now.errors += 20;
    for (int i = 0; i < 200; i++)
        histogram_add(&now.latency, (uint64_t)(i < 180 ? 1 : 60) * MS);
    reading = meter_read(&meter, &now);
    assert_true(reading.is_known && reading.has_latency);
    assert_true(reading.rate > 99.9 && reading.rate < 100.1);
    assert_true(reading.errors > 0.0999 && reading.errors < 0.1001);
    assert_in_range(reading.p50, 1, 5000);
    assert_in_range(reading.p95, 50000, 75000);
}

/* What was long ago is forgotten. */
static void test_the_window_moves(void **state)
{
    struct meter meter = {0};
    struct meter_sample now = {.at = 1};
    struct meter_reading reading;

    for (int second = 0; second < 100; second++) {
        meter_take(&meter, &now);
        now.at += (uint64_t)1000 * MS;
        now.count += second < 50 ? 1000 : 10;
        if (second < 50)
            histogram_add(&now.latency, (uint64_t)9000 * MS);
    }
    reading = meter_read(&meter, &now);
    assert_true(reading.rate > 9.9 && reading.rate < 10.1);
    assert_false(reading.has_latency);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_known_at_first),
        cmocka_unit_test(test_rate_and_errors),
        cmocka_unit_test(test_the_window_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

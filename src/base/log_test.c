/* Calendar, event lines that nobody can forge, and repeats. */
#include "base/log.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

static void test_calendar_is_that_of_libc(void **state)
{
    struct rand rand;

    rand_seed(&rand, 7);
    for (int i = 0; i < 20000; i++) {
        uint64_t at = rand_below(&rand, UINT64_C(253402300800)); /* year 10000 */
        struct log_date date = log_date_of(at);
        time_t given = (time_t)at;
        struct tm tm;

        gmtime_r(&given, &tm);
        assert_int_equal(date.year, tm.tm_year + 1900);
        assert_int_equal(date.month, tm.tm_mon + 1);
        assert_int_equal(date.day, tm.tm_mday);
        assert_int_equal(date.hour, tm.tm_hour);
        assert_int_equal(date.minute, tm.tm_min);
        assert_int_equal(date.second, tm.tm_sec);
    }
}

static void assert_text(const struct text *text, const char *wanted)
{
    assert_false(text->overflow);
    assert_int_equal(text->n, strlen(wanted));
    assert_memory_equal(text->p, wanted, text->n);
}

static void test_time(void **state)
{
    char memory[64];
    struct text text = text_in(memory, sizeof memory);

    log_add_time(&text, UINT64_C(1709210096000042999));
    assert_text(&text, "2024-02-29T12:34:56.000042Z");
    text.n = 0;
    log_add_time(&text, 0);
    assert_text(&text, "1970-01-01T00:00:00.000000Z");
    assert_true(str_eq(log_month_text(1), STR("Jan")));
    assert_true(str_eq(log_month_text(12), STR("Dec")));
}

static const struct log_field fields[] = {
    {"server", STR("app/one")},
    {"reason", STR("a \"b\"\n\x1b[31m\xc3\xa9")},
    {"path", STR("")},
    {NULL, {NULL, 0}},
};

static const struct log_event event = {
    .wall = UINT64_C(1709210096000042000),
    .level = LOG_WARN,
    .message = "server is down",
    .fields = fields,
};

static void test_event_as_text(void **state)
{
    char memory[512];
    struct text text = text_in(memory, sizeof memory);

    log_add_event(&text, &event, LOG_TEXT);
    assert_text(&text, "2024-02-29T12:34:56.000042Z warn  server is down server=app/one "
                       "reason=\"a \\\"b\\\"\\x0a\\x1b[31m\\xc3\\xa9\" path=\"\"\n");
}

static void test_event_as_json(void **state)
{
    char memory[512];
    struct text text = text_in(memory, sizeof memory);
    struct log_event again = event;

    again.repeated = 3;
    log_add_event(&text, &again, LOG_JSON);
    assert_text(
        &text, "{\"time\":\"2024-02-29T12:34:56.000042Z\",\"level\":\"warn\",\"message\":"
               "\"server is down\",\"server\":\"app/one\",\"reason\":\"a \\\"b\\\"\\n"
               "\\u001b[31m\xc3\xa9\",\"path\":\"\",\"repeated\":3}\n");
}

static void test_event_without_fields(void **state)
{
    char memory[128];
    struct text text = text_in(memory, sizeof memory);
    struct log_event bare = {.level = LOG_INFO, .message = "started"};

    log_add_event(&text, &bare, LOG_TEXT);
    assert_text(&text, "1970-01-01T00:00:00.000000Z info  started\n");
    text = text_in(memory, 20);
    log_add_event(&text, &bare, LOG_TEXT);
    assert_true(text.overflow);
}

/* Whatever bytes come in: one line comes out, of printable ASCII in the text form. */
static void test_no_bytes_break_a_line(void **state)
{
    struct rand rand;

    rand_seed(&rand, 11);
    for (int i = 0; i < 2000; i++) {
        char raw[64], memory[1024];
        struct log_field any[] = {{"x", {raw, rand_below(&rand, sizeof raw)}},
                                  {NULL, {0}}};
        struct log_event e = {.message = "m", .fields = any};
        struct text text = text_in(memory, sizeof memory);

        for (size_t k = 0; k < sizeof raw; k++)
            raw[k] = (char)rand_u64(&rand);
        log_add_event(&text, &e, i % 2 ? LOG_TEXT : LOG_JSON);
        assert_false(text.overflow);
        assert_int_equal(str_find_char(text_str(&text), '\n'), (long)text.n - 1);
        for (size_t k = 0; k + 1 < text.n; k++)
            assert_true((unsigned char)text.p[k] >= 0x20);
    }
}

static void test_repeats(void **state)
{
    struct log_repeats repeats = {0};
    uint64_t repeated, now = 5;
    struct log_event other = {.message = "something else"};

    for (int i = 0; i < REPEATS_ALLOWED; i++)
        assert_true(log_repeat_allows(&repeats, &event, now, &repeated));
    for (int i = 0; i < 7; i++)
        assert_false(log_repeat_allows(&repeats, &event, now + 1, &repeated));
    assert_true(log_repeat_allows(&repeats, &other, now, &repeated));
    assert_int_equal(repeated, 0);
    assert_true(log_repeat_allows(&repeats, &event, now + REPEAT_WINDOW_NS, &repeated));
    assert_int_equal(repeated, 7);
    assert_true(log_repeat_allows(&repeats, &event, now + REPEAT_WINDOW_NS, &repeated));
    assert_int_equal(repeated, 0);
}

static void test_other_fields_are_another_event(void **state)
{
    struct log_repeats repeats = {0};
    uint64_t repeated;

    for (int i = 0; i < 50; i++) {
        char name = (char)('0' + i);
        struct log_field one[] = {{"server", {&name, 1}}, {NULL, {0}}};
        struct log_event e = {.message = "down", .fields = one};

        assert_true(log_repeat_allows(&repeats, &e, 0, &repeated));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calendar_is_that_of_libc),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_event_as_text),
        cmocka_unit_test(test_event_as_json),
        cmocka_unit_test(test_event_without_fields),
        cmocka_unit_test(test_no_bytes_break_a_line),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_other_fields_are_another_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

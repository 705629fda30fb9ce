/* Complaints: their order, their look, and that no word makes them long. */
#include "complaint.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct complaints complaints;
static struct scroll out;

static int begin(void **state)
{
    complaints_init(&complaints, false);
    return 0;
}

static int end(void **state)
{
    scroll_close(&out);
    complaints_close(&complaints);
    return 0;
}

static const char *printed(void)
{
    out.n = 0;
    complaints_print(&complaints, &out);
    scroll_char(&out, '\0');
    return out.p;
}

static void looks_like_the_catalogue(void **state)
{
    uint32_t file = complaints_add_source(&complaints, STR("w.yaml"),
                                          STR("pools:\n  app:\n    balnce: x\n"));
    struct complaint *complaint =
        complain(&complaints, "C011", (struct place){file, 3, 5, 6},
                 "unknown setting '%s' in 'pools'", "balnce");

    complaint_choice(complaint, "settings here", STR("servers"));
    complaint_choice(complaint, "settings here", STR("balance"));
    complaint_sort_choices(complaint);
    complaint_suggest(complaint, STR("balnce"));
    assert_string_equal(printed(), "error[C011]: unknown setting 'balnce' in 'pools'\n"
                                   "  --> w.yaml:3:5\n"
                                   "    3 |     balnce: x\n"
                                   "      |     ^^^^^^\n"
                                   "      = help: did you mean 'balance'?\n"
                                   "      = settings here: balance, servers\n"
                                   "\n"
                                   "w.yaml: 1 error\n");
}

static void are_sorted_by_place(void **state)
{
    static const struct place places[] = {
        {1, 1, 1, 1}, {0, 9, 1, 1}, {0, 2, 7, 1},
        {0, 2, 3, 1}, {0, 2, 3, 1}, {0, 0, 0, 0},
    };

    complaints_add_source(&complaints, STR("a"), STR("\n\n"));
    complaints_add_source(&complaints, STR("b"), STR(""));
    for (unsigned i = 0; i < array_len(places); i++)
        complain(&complaints, "C010", places[i], "%u", i);
    complaints_sort(&complaints);
    for (unsigned i = 0; i < array_len(places); i++)
        assert_int_equal(complaints.items.items[i]->message.p[0], "534210"[i]);
}

static void warnings_become_errors_when_strict(void **state)
{
    complaints_add_source(&complaints, STR("a"), STR(""));
    complain(&complaints, "W103", (struct place){0}, "x");
    complain(&complaints, "C040", (struct place){0}, "x");
    assert_int_equal(complaints.warnings, 2);
    assert_int_equal(complaints.errors, 0);
    complaints.is_strict = true;
    complain(&complaints, "W103", (struct place){0}, "x");
    assert_int_equal(complaints.errors, 1);
}

static void long_words_and_lines_are_cut(void **state)
{
    static char text[100000];
    struct place place = {0, 1, 50001, 20000};

    memset(text, 'x', sizeof text);
    complaints_add_source(&complaints, STR("a"), (str){text, sizeof text});
    complain(&complaints, "C011", place, "'%s'",
             complaint_word(&complaints, (str){text, sizeof text}));
    assert_true(strlen(printed()) < 1000);
    assert_non_null(strstr(out.p, "…"));
    assert_non_null(strstr(out.p, "^^^"));
}

static void tabs_keep_the_caret_in_its_column(void **state)
{
    complaints_add_source(&complaints, STR("a"), STR("x:\t\"\xc3\xa4\" y\n"));
    complain(&complaints, "C003", (struct place){0, 1, 8, 1}, "m");
    assert_non_null(strstr(printed(), "    1 | x:\t\"\xc3\xa4\" y\n      |   \t    ^\n"));
}

static void places_outside_have_no_source_line(void **state)
{
    complaints_add_source(&complaints, STR("a"), STR("x\n"));
    complain(&complaints, "C032", (struct place){0, 0, 0, 0}, "m");
    complain(&complaints, "C050", (struct place){0, 7, 1, 1}, "m");
    assert_string_equal(printed(), "error[C032]: m\n  --> a:0:0\n"
                                   "error[C050]: m\n  --> a:7:1\n\na: 2 errors\n");
}

static bool suggests(const char *given, const char *known)
{
    struct complaint *complaint = complain(&complaints, "C030", (struct place){0}, "m");

    complaint_choice(complaint, "pools", str_of(known));
    complaint_suggest(complaint, str_of(given));
    return complaint->help.count > 0;
}

static void suggests_only_what_is_near(void **state)
{
    complaints_add_source(&complaints, STR("a"), STR(""));
    assert_true(suggests("ap", "app"));
    assert_true(suggests("APP", "app"));
    assert_true(suggests("max_conections", "max_connections"));
    assert_false(suggests("jobs", "img"));
    assert_false(suggests("a", "b"));
    assert_false(suggests("udp", "http"));
}

/* Else a word that is near enough would be passed over. */
static void the_least_distance_is_never_too_large(void **state)
{
    static const char letters[] = "abcA!0\xc3";
    struct rand rand;
    unsigned hits = 0;

    rand_seed(&rand, 7);
    for (unsigned i = 0; i < 20000; i++) {
        char memory[2][8];
        str a = {memory[0], rand_below(&rand, 8)}, b = {memory[1], rand_below(&rand, 8)};
        unsigned least;

        for (size_t j = 0; j < sizeof memory; j++)
            memory[j / 8][j % 8] = letters[rand_below(&rand, sizeof letters - 1)];
        least = least_distance(a, b, kinds_of(a));
        assert_true(least <= str_distance(a, b));
        hits += least > 0;
    }
    assert_true(hits > 10000); /* it is not 0 for all */
}

static void json_is_escaped(void **state)
{
    complaints_add_source(&complaints, STR("a\"b"), STR(""));
    complain(&complaints, "C003", (struct place){0, 1, 1, 1},
             "tab\t quote\" bad\xff c1\xc2\x82");
    complaints_print_json(&complaints, &out);
    scroll_char(&out, '\0');
    assert_non_null(strstr(out.p, "\"file\": \"a\\\"b\""));
    assert_non_null(strstr(out.p, "tab\\u0009 quote\\\" bad\xef\xbf\xbd c1\\u0082"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(looks_like_the_catalogue, begin, end),
        cmocka_unit_test_setup_teardown(are_sorted_by_place, begin, end),
        cmocka_unit_test_setup_teardown(warnings_become_errors_when_strict, begin, end),
        cmocka_unit_test_setup_teardown(long_words_and_lines_are_cut, begin, end),
        cmocka_unit_test_setup_teardown(tabs_keep_the_caret_in_its_column, begin, end),
        cmocka_unit_test_setup_teardown(places_outside_have_no_source_line, begin, end),
        cmocka_unit_test_setup_teardown(suggests_only_what_is_near, begin, end),
        cmocka_unit_test_setup_teardown(the_least_distance_is_never_too_large, begin,
                                        end),
        cmocka_unit_test_setup_teardown(json_is_escaped, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

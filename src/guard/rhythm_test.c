/* When the next check is due: jitter, doubt, calm. */
#include "guard/rhythm.c"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct health_check usual = {
    .is_enabled = true,
    .interval = 5000,
    .fast_interval = 1000,
    .unhealthy_after = 3,
    .healthy_after = 2,
};

static uint32_t next_after(struct rhythm *rhythm, const struct health_check *check,
                           const char *results)
{
    struct rand rand;

    rand_seed(&rand, 1);
    for (; *results; results++)
        rhythm_note(rhythm, check, *results == '+');
    return rhythm_next(rhythm, check, &rand);
}

static void test_jitter(void **state)
{
    struct health_check check = usual;
    struct rhythm rhythm = {0};
    uint32_t least = UINT32_MAX, most = 0;
    struct rand rand;

    rand_seed(&rand, 1);
    check.jitter = 20;
    for (int i = 0; i < 10000; i++) {
        uint32_t next = rhythm_next(&rhythm, &check, &rand);

        least = next < least ? next : least;
        most = next > most ? next : most;
    }
    assert_in_range(least, 4000, 4020);
    assert_in_range(most, 5980, 6000);
    check.jitter = 0;
    assert_int_equal(rhythm_next(&rhythm, &check, &rand), 5000);
    check.jitter = 100;
    check.interval = 1;
    for (int i = 0; i < 100; i++)
        assert_in_range(rhythm_next(&rhythm, &check, &rand), 1, 2);
}

static void test_fast_while_in_doubt(void **state)
{
    static const struct {
        const char *results;
        uint32_t next;
    } cases[] = {
        {"", 5000},       {"+", 5000},       {"-", 5000},   {"+-", 1000},
        {"+--", 1000},    {"+---", 5000},    {"+-+", 5000}, {"+--+-", 1000},
        {"-+", 1000},     {"-++", 5000},     {"-+-", 5000}, {"+---+", 1000},
        {"+---++", 5000}, {"+---++-", 1000},
    };
    struct health_check check = usual;

    for (size_t i = 0; i < array_len(cases); i++) {
        struct rhythm rhythm = {0};

        if (next_after(&rhythm, &check, cases[i].results) != cases[i].next)
            fail_msg("after '%s'", cases[i].results);
    }
    for (uint32_t fast = 0; fast <= 6000; fast += 6000) { /* off, or slower than usual */
        struct rhythm rhythm = {0};

        check.fast_interval = fast;
        assert_int_equal(next_after(&rhythm, &check, "+-"), 5000);
    }
}

static void test_stretched_when_calm(void **state)
{
    struct health_check check = usual;
    struct rhythm rhythm = {0};

    check.max_interval = 30000;
    assert_int_equal(next_after(&rhythm, &check, "+++++++++"), 5000);
    assert_int_equal(next_after(&rhythm, &check, "+"), 10000);
    assert_int_equal(next_after(&rhythm, &check, "++++++++++"), 20000);
    assert_int_equal(next_after(&rhythm, &check, "++++++++++"), 30000);
    assert_int_equal(next_after(&rhythm, &check, "++++++++++++++++++++"), 30000);
    assert_int_equal(next_after(&rhythm, &check, "-"), 1000);
    assert_int_equal(next_after(&rhythm, &check, "+"), 5000);
    assert_int_equal(next_after(&rhythm, &check, "-----------------------"), 5000);
    rhythm = (struct rhythm){.passed = UINT32_MAX, .is_known = true};
    check.max_interval = UINT32_MAX;
    assert_int_equal(next_after(&rhythm, &check, "+"), UINT32_MAX);
    check.max_interval = 10; /* shorter than the interval: means nothing */
    assert_int_equal(next_after(&rhythm, &check, "+"), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_fast_while_in_doubt),
        cmocka_unit_test(test_stretched_when_calm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

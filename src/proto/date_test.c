/* Known dates, and every day from 1970 to 9999 counted on by hand. */
#include "date.c"

#include "proto/test_help.h"

static void check(int64_t seconds, const char *want)
{
    char out[DATE_LENGTH];

    date_write(out, seconds);
    assert_str(str_slice(out, out + sizeof out), want);
}

static void test_known(void **state)
{
    (void)state;
    check(0, "Thu, 01 Jan 1970 00:00:00 GMT");
    check(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
    check(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
    check(4107542399, "Sun, 28 Feb 2100 23:59:59 GMT");
    check(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT");
    check(last_second, "Fri, 31 Dec 9999 23:59:59 GMT");
    check(last_second + 1, "Fri, 31 Dec 9999 23:59:59 GMT");
    check(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
    check(-1, "Thu, 01 Jan 1970 00:00:00 GMT");
    check(INT64_MIN, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static void test_every_day(void **state)
{
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint32_t days = 0;

    (void)state;
    for (unsigned year = 1970; year <= 9999; year++)
        for (unsigned month = 0; month < 12; month++)
            for (unsigned day = 1; day <= lengths[month] + (month == 1 && is_leap(year));
                 day++) {
                struct day got = day_of(days++);

                assert_true(got.year == year && got.month == month && got.day == day);
            }
    assert_int_equal((int64_t)days * DAY_SECONDS - 1, last_second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_every_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The calendar is counted from 1 March of the year 0, so that the leap day is the last
 * of a year: then months and years are plain divisions (400 years are 146,097 days).
 */
#include "proto/date.h"

enum {
    DAY_SECONDS = 86400,
    ERA_DAYS = 146097,     /* 400 years */
    DAYS_TO_1970 = 719468, /* from 0000-03-01 */
};

static const int64_t last_second = 253402300799; /* 9999-12-31 23:59:59 */

struct day {
    unsigned year, month, day; /* month from 0, day from 1 */
};

static struct day day_of(uint32_t days)
{
    uint32_t since = days + DAYS_TO_1970;
    uint32_t era = since / ERA_DAYS, in_era = since % ERA_DAYS;
    uint32_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    uint32_t in_year = in_era - (365 * year + year / 4 - year / 100);
    uint32_t month = (5 * in_year + 2) / 153; /* from March */
    struct day day = {
        .year = era * 400 + year + (month >= 10),
        .month = (month + 2) % 12,
        .day = in_year - (153 * month + 2) / 5 + 1,
    };

    return day;
}

static void put_two(char *out, unsigned value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
}

void date_write(char out[DATE_LENGTH], int64_t unix_seconds)
{
    int64_t at = unix_seconds < 0             ? 0
                 : unix_seconds > last_second ? last_second
                                              : unix_seconds;
    uint32_t days = (uint32_t)(at / DAY_SECONDS), rest = (uint32_t)(at % DAY_SECONDS);
    struct day day = day_of(days);

    memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", DATE_LENGTH);
    memcpy(out, &"ThuFriSatSunMonTueWed"[days % 7 * 3], 3);
    put_two(out + 5, day.day);
    memcpy(out + 8, &"JanFebMarAprMayJunJulAugSepOctNovDec"[(size_t)day.month * 3], 3);
    put_two(out + 12, day.year / 100);
    put_two(out + 14, day.year % 100);
    put_two(out + 17, rest / 3600);
    put_two(out + 20, rest / 60 % 60);
    put_two(out + 23, rest % 60);
}

/* Slices of bytes: compare, find, split, to number. Nothing but str_own allocates. */
#include "base/str.h"

#include "base/check.h"

#include <stdlib.h>

bool str_eq_nocase(str a, str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (char_lower(a.p[i]) != char_lower(b.p[i]))
            return false;
    return true;
}

int str_compare(str a, str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;

    if (order)
        return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

long str_find_char(str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

    return at ? at - s.p : -1;
}

long str_find(str s, str needle)
{
    const char *at;

    if (needle.n == 0)
        return 0;
    if (s.n < needle.n)
        return -1;
    at = memmem(s.p, s.n, needle.p, needle.n);
    return at ? at - s.p : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

str str_trim(str s)
{
    while (s.n && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_next(str *rest, char separator, str *piece)
{
    long at;

    if (!rest->p)
        return false;
    at = str_find_char(*rest, separator);
    if (at < 0) {
        *piece = *rest;
        *rest = STR_NONE;
        return true;
    }
    *piece = str_upto(*rest, (size_t)at);
    *rest = str_from(*rest, (size_t)at + 1);
    return true;
}

bool str_to_u64(str s, uint64_t *out)
{
    const char *last;
    uint64_t value = 0;
    unsigned digit;

    if (s.n == 0 || s.n > 20)
        return false;
    last = s.p + s.n - 1;
    for (const char *p = s.p; p < last; p++) { /* 19 digits at most: no overflow */
        digit = (unsigned)(unsigned char)*p - '0';
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    digit = (unsigned)(unsigned char)*last - '0';
    if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, digit, &value))
        return false;
    *out = value;
    return true;
}

enum { DISTANCE_MOST = 63 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned str_distance(str given, str known)
{
    unsigned row[3][DISTANCE_MOST + 1];
    unsigned *before = row[0], *last = row[1], *now = row[2];

    if (given.n > DISTANCE_MOST || known.n > DISTANCE_MOST)
        return DISTANCE_MOST + 1;
    for (unsigned j = 0; j <= known.n; j++)
        last[j] = before[j] = j;
    for (unsigned i = 1; i <= given.n; i++) {
        unsigned *spare = before;

        now[0] = i;
        for (unsigned j = 1; j <= known.n; j++) {
            bool same = given.p[i - 1] == known.p[j - 1];

            now[j] = least(least(last[j] + 1, now[j - 1] + 1), last[j - 1] + !same);
            if (i > 1 && j > 1 && given.p[i - 1] == known.p[j - 2] &&
                given.p[i - 2] == known.p[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        before = last;
        last = now;
        now = spare;
    }
    return last[known.n];
}

str str_own(str s)
{
    char *copy = malloc(s.n + 1);

    CHECK(copy != NULL);
    memcpy(copy, s.n ? s.p : "", s.n);
    copy[s.n] = '\0';
    return (str){copy, s.n};
}

void str_disown(str owned)
{
    free((void *)(uintptr_t)owned.p);
}

/*
 * str: a slice of bytes that somebody else owns. Not terminated by NUL, may hold any
 * byte. Passed by value. {NULL, 0} is "not there", {non-NULL, 0} is "there and empty".
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct str {
    const char *p;
    size_t n;
} str;

#define STR(literal) ((str){"" literal "", sizeof(literal) - 1})
#define STR_NONE ((str){NULL, 0})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p

static inline str str_of(const char *z)
{
    return (str){z, strlen(z)};
}

static inline str str_slice(const char *from, const char *to)
{
    return (str){from, (size_t)(to - from)};
}

static inline bool str_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_starts(str s, str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends(str s, str suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

static inline str str_from(str s, size_t at)
{
    if (s.n == 0)
        return s; /* perhaps STR_NONE: NULL + 0 is undefined in C17 */
    return at >= s.n ? (str){s.p + s.n, 0} : (str){s.p + at, s.n - at};
}

static inline str str_upto(str s, size_t n)
{
    return (str){s.p, n < s.n ? n : s.n};
}

static inline char char_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* ASCII case folded comparison. */
bool str_eq_nocase(str a, str b);

/* memcmp order, the shorter first where one is a prefix of the other. */
int str_compare(str a, str b);

/* Index of the first c, or -1. */
long str_find_char(str s, char c);

/* Index of the first occurrence of needle, or -1. The empty needle is at 0. */
long str_find(str s, str needle);

/* Without the blanks (SP, HTAB) at both ends. */
str str_trim(str s);

/*
 * Cuts the next piece up to `separator` off `*rest`; false when nothing is left, which
 * STR_NONE says. "a,,b" gives "a", "", "b"; "" gives one empty piece.
 */
bool str_next(str *rest, char separator, str *piece);

/*
 * 1 to 20 digits: no sign, no blanks, no empty text. False when it is not a number or does
 * not fit; *out is then untouched.
 */
bool str_to_u64(str s, uint64_t *out);

/*
 * How far `given` is from `known` (Damerau-Levenshtein, optimal string alignment): for
 * "did you mean". Texts longer than 63 bytes are at distance 64.
 */
unsigned str_distance(str given, str known);

/* A copy on the heap with a NUL behind it, for what outlasts every arena; and its end. */
str str_own(str s);
void str_disown(str owned);

#endif

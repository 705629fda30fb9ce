/*
 * Character classes of HTTP and URIs, and scanning over runs of them sixteen bytes at a
 * time with the compiler's vectors (SSE2 on x86-64, whatever the machine has elsewhere).
 * The scanners never read at or behind `end`.
 */
#ifndef PROTO_CHARS_H
#define PROTO_CHARS_H

#include "base/str.h"

enum char_class {
    CHAR_TOKEN = 1 << 0,      /* tchar, RFC 9110 5.6.2 */
    CHAR_TARGET = 1 << 1,     /* visible ASCII but '#' */
    CHAR_PATH = 1 << 2,       /* pchar without '%', and '/', RFC 3986 3.3 */
    CHAR_HOST = 1 << 3,       /* letters, digits, '-', '.', '_' */
    CHAR_HEX = 1 << 4,        /* hexadecimal digits */
    CHAR_UNRESERVED = 1 << 5, /* RFC 3986 2.3 */
};

extern const unsigned char char_classes[256];

static inline bool char_is(char c, unsigned class)
{
    return (char_classes[(unsigned char)c] & class) != 0;
}

/* The value of a hexadecimal digit; only for characters of CHAR_HEX. */
static inline unsigned char_hex(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

typedef unsigned char chars16 __attribute__((vector_size(16)));
typedef uint64_t words2 __attribute__((vector_size(16)));

static inline chars16 chars_load(const char *p)
{
    chars16 v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* The index of the first byte that is not zero in a comparison's result; 16 when none. */
static inline unsigned chars_first(chars16 hits)
{
    words2 words = (words2)hits;

    if (words[0])
        return (unsigned)__builtin_ctzll(words[0]) / 8;
    if (words[1])
        return 8 + (unsigned)__builtin_ctzll(words[1]) / 8;
    return 16;
}

/* The first byte that is not of `class`, or end. */
static inline const char *scan_class(const char *p, const char *end, unsigned class)
{
    while (p < end && char_is(*p, class))
        p++;
    return p;
}

/* The first byte that is no tchar, or end. Made for field names: letters and '-'. */
static inline const char *scan_token(const char *p, const char *end)
{
    while (end - p >= 16) {
        chars16 v = chars_load(p);
        unsigned n = chars_first((chars16)(((v | 0x20) - 'a' > 25) & (v != '-')));

        p += n;
        if (n < 16)
            break;
    }
    return scan_class(p, end, CHAR_TOKEN);
}

/* The first byte up to 0x20 (blank and controls), or end. */
static inline const char *scan_to_blank(const char *p, const char *end)
{
    while (end - p >= 16) {
        unsigned n = chars_first((chars16)(chars_load(p) <= 0x20));

        p += n;
        if (n < 16)
            return p;
    }
    while (p < end && (unsigned char)*p > 0x20)
        p++;
    return p;
}

/* The first byte that may not stand in a field value (controls but HTAB), or end. */
static inline const char *scan_value(const char *p, const char *end)
{
    while (end - p >= 16) {
        chars16 v = chars_load(p);
        unsigned n = chars_first((chars16)(((v < 0x20) & (v != '\t')) | (v == 0x7f)));

        p += n;
        if (n < 16)
            return p;
    }
    while (p < end && (((unsigned char)*p >= 0x20 && *p != 0x7f) || *p == '\t'))
        p++;
    return p;
}

/* Are all bytes of CHAR_TARGET? */
static inline bool chars_are_target(str s)
{
    const char *p = s.p, *end = s.p + s.n;

    while (end - p >= 16) {
        chars16 v = chars_load(p);

        if (chars_first((chars16)((v - 0x21 > 0x7e - 0x21) | (v == '#'))) < 16)
            return false;
        p += 16;
    }
    return scan_class(p, end, CHAR_TARGET) == end;
}

#endif

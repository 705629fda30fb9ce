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

/* The first byte that is not of `class`, or end. */
static inline const char *scan_class(const char *p, const char *end, unsigned class)
{
    while (p < end && char_is(*p, class))
        p++;
    return p;
}

/*
 * The scanners below: for sixteen bytes each, a number with a bit for each byte that
 * ends the run.
 */
static ALWAYS_INLINE chars16 chars_load(const char *p)
{
    chars16 v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* Neither letter nor '-'. */
static ALWAYS_INLINE unsigned ends_word(const char *p)
{
    chars16 v = chars_load(p);

    return VECTOR_MASK(((v | 0x20) - 'a' <= 25) | (v == '-')) ^ 0xffff;
}

/* Blank and controls. */
static ALWAYS_INLINE unsigned ends_at_blank(const char *p)
{
    return VECTOR_MASK(chars_load(p) <= 0x20);
}

/* Controls, HTAB too. */
static ALWAYS_INLINE unsigned ends_at_control(const char *p)
{
    chars16 v = chars_load(p);

    return VECTOR_MASK((v < 0x20) | (v == 0x7f));
}

/* Not of CHAR_TARGET. */
static ALWAYS_INLINE unsigned ends_target(const char *p)
{
    chars16 v = chars_load(p);

    return VECTOR_MASK((v - 0x21 > 0x7e - 0x21) | (v == '#'));
}

/* Fewer than sixteen bytes in all: the same over a copy that is filled up with zeros. */
static NEVER_INLINE unsigned ends_in_few(const char *p, size_t n,
                                         unsigned (*ends)(const char *))
{
    char copy[16] = {0};

    memcpy(copy, p, n);
    return ends(copy) | 1u << n;
}

/*
 * The first byte of [p, end) that `ends` marks, or end. `low` <= p is where readable
 * bytes begin: the last piece is read so that it ends at `end`.
 */
static ALWAYS_INLINE const char *scan_run(const char *p, const char *end, const char *low,
                                          unsigned (*ends)(const char *))
{
    unsigned hits;

    while (likely(end - p >= 16)) {
        hits = ends(p);
        if (hits)
            return p + __builtin_ctz(hits);
        p += 16;
    }
    if (likely(end - low >= 16))
        hits = (ends(end - 16) | 1u << 16) >> (16 - (end - p));
    else
        hits = ends_in_few(p, (size_t)(end - p), ends);
    return p + __builtin_ctz(hits);
}

/* The first byte that is no tchar, or end. Fastest with letters and '-'. */
static ALWAYS_INLINE const char *scan_token(const char *p, const char *end,
                                            const char *low)
{
    p = scan_run(p, end, low, ends_word);
    return p < end && *p != ':' ? scan_class(p, end, CHAR_TOKEN) : p;
}

/* The first byte up to 0x20 (blank and controls), or end. */
static ALWAYS_INLINE const char *scan_to_blank(const char *p, const char *end,
                                               const char *low)
{
    return scan_run(p, end, low, ends_at_blank);
}

/* The first byte that may not stand in a field value (controls but HTAB), or end. */
static ALWAYS_INLINE const char *scan_value(const char *p, const char *end,
                                            const char *low)
{
    for (;; p++) {
        p = scan_run(p, end, low, ends_at_control);
        if (likely(p == end || *p != '\t'))
            return p;
    }
}

/* Are all bytes of CHAR_TARGET? */
static ALWAYS_INLINE bool chars_are_target(str s)
{
    return scan_run(s.p, s.p + s.n, s.p, ends_target) == s.p + s.n;
}

#endif

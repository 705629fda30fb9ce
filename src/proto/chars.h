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

static ALWAYS_INLINE uint64_t load_u64(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static ALWAYS_INLINE uint32_t load_u32(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/*
 * As chars_load for n < 16 bytes, the rest zeros: from pieces that may overlap, which is
 * cheaper than a copy of unknown length. Little-endian, as every machine this runs on.
 */
static ALWAYS_INLINE chars16 chars_load_few(const char *p, size_t n)
{
    uint64_t words[2] = {0, 0};
    chars16 v;

    if (n > 8) {
        words[0] = load_u64(p);
        words[1] = load_u64(p + n - 8) >> (128 - 8 * n);
    } else if (n >= 4) {
        words[0] = load_u32(p) | (uint64_t)load_u32(p + n - 4) << (8 * n - 32);
    } else {
        for (size_t i = 0; i < n; i++)
            words[0] |= (uint64_t)(unsigned char)p[i] << (8 * i);
    }
    memcpy(&v, words, sizeof v);
    return v;
}

/* Neither letter nor '-'. */
static ALWAYS_INLINE unsigned ends_word(chars16 v)
{
    return VECTOR_MASK(((v | 0x20) - 'a' <= 25) | (v == '-')) ^ 0xffff;
}

/* Controls, HTAB too. */
static ALWAYS_INLINE unsigned ends_at_control(chars16 v)
{
    return VECTOR_MASK((v < 0x20) | (v == 0x7f));
}

/* Not of CHAR_TARGET. */
static ALWAYS_INLINE unsigned ends_target(chars16 v)
{
    return VECTOR_MASK((v - 0x21 > 0x7e - 0x21) | (v == '#'));
}

/* Not of CHAR_TARGET, or '?'. */
static ALWAYS_INLINE unsigned ends_path(chars16 v)
{
    return VECTOR_MASK((v - 0x21 > 0x7e - 0x21) | (v == '#') | (v == '?'));
}

/*
 * The first byte of [p, end) that `ends` marks, or end. `low` <= p is where readable
 * bytes begin: the last piece is read so that it ends at `end`.
 */
static ALWAYS_INLINE const char *scan_run(const char *p, const char *end, const char *low,
                                          unsigned (*ends)(chars16))
{
    unsigned hits;

    while (likely(end - p >= 16)) {
        hits = ends(chars_load(p));
        if (hits)
            return p + __builtin_ctz(hits);
        p += 16;
    }
    if (likely(end - low >= 16))
        hits = (ends(chars_load(end - 16)) | 1u << 16) >> (16 - (end - p));
    else
        hits = ends(chars_load_few(p, (size_t)(end - p))) | 1u << (end - p);
    return p + __builtin_ctz(hits);
}

/* The first byte that is no tchar, or end. Fastest with letters and '-'. */
static ALWAYS_INLINE const char *scan_token(const char *p, const char *end,
                                            const char *low)
{
    p = scan_run(p, end, low, ends_word);
    return p < end && *p != ':' ? scan_class(p, end, CHAR_TOKEN) : p;
}

/* The first byte that is not of CHAR_TARGET, or end. */
static ALWAYS_INLINE const char *scan_target(const char *p, const char *end,
                                             const char *low)
{
    return scan_run(p, end, low, ends_target);
}

/* The same, or the first '?'. */
static ALWAYS_INLINE const char *scan_path(const char *p, const char *end,
                                           const char *low)
{
    return scan_run(p, end, low, ends_path);
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
static inline bool chars_are_target(str s)
{
    return scan_target(s.p, s.p + s.n, s.p) == s.p + s.n;
}

#endif

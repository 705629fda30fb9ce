/*
 * Most texts have nothing to escape: they are copied sixteen bytes at a time and looked at
 * on the way; only where something odd came by is the text done again, slowly.
 */
#include "proxy/line_pen.h"

#include "base/json.h"
#include "base/log.h"

char *pen_large(char *p, uint64_t n)
{
    uint64_t upper = n / 10000;

    p = upper < 10000 ? pen_u64(p, upper) : pen_large(p, upper);
    return pen_four(p, (unsigned)(n - upper * 10000));
}

char *pen_long_time(char *p, uint64_t ns)
{
    uint64_t seconds = ns / PEN_SECOND;

    p = pen_char(pen_u64(p, seconds), '.');
    return pen_micros(p, ns - seconds * PEN_SECOND);
}

/* Sixteen bytes at once; signed, so that what is not ASCII is below all that is. */
typedef signed char lanes __attribute__((vector_size(16)));
typedef uint64_t words __attribute__((vector_size(16)));

static const uint64_t spaces = 0x2020202020202020u;

/* All bits of a lane: JSON has that byte as it is. */
static ALWAYS_INLINE lanes plain_lanes(lanes bytes)
{
    return (lanes)(bytes >= ' ') & ~((lanes)(bytes == '"') | (lanes)(bytes == '\\'));
}

static ALWAYS_INLINE bool are_plain(lanes plain)
{
    return VECTOR_MASK(plain) == 0xffff;
}

static ALWAYS_INLINE bool are_plain_words(uint64_t a, uint64_t b)
{
    return are_plain(plain_lanes((lanes)(words){a, b}));
}

/* These copy n bytes, in pieces that may overlap; true: all are plain. */

static ALWAYS_INLINE bool copy_long(char *to, const char *from, size_t n)
{
    lanes bytes, plain = ~(lanes){0};

    for (size_t at = 0; at + sizeof bytes < n; at += sizeof bytes) {
        memcpy(&bytes, from + at, sizeof bytes);
        memcpy(to + at, &bytes, sizeof bytes);
        plain &= plain_lanes(bytes);
    }
    memcpy(&bytes, from + n - sizeof bytes, sizeof bytes);
    memcpy(to + n - sizeof bytes, &bytes, sizeof bytes);
    return are_plain(plain & plain_lanes(bytes));
}

static ALWAYS_INLINE bool copy_eight(char *to, const char *from, size_t n)
{
    uint64_t a, b;

    memcpy(&a, from, 8);
    memcpy(&b, from + n - 8, 8);
    memcpy(to, &a, 8);
    memcpy(to + n - 8, &b, 8);
    return are_plain_words(a, b);
}

static ALWAYS_INLINE bool copy_four(char *to, const char *from, size_t n)
{
    uint32_t a, b;

    memcpy(&a, from, 4);
    memcpy(&b, from + n - 4, 4);
    memcpy(to, &a, 4);
    memcpy(to + n - 4, &b, 4);
    return are_plain_words(a | (uint64_t)b << 32, spaces);
}

static ALWAYS_INLINE bool copy_few(char *to, const char *from, size_t n)
{
    unsigned char a = (unsigned char)from[0], b = (unsigned char)from[n / 2],
                  c = (unsigned char)from[n - 1];

    to[0] = (char)a;
    to[n / 2] = (char)b;
    to[n - 1] = (char)c;
    return are_plain_words(
        (uint64_t)a | (uint64_t)b << 8 | (uint64_t)c << 16 | spaces << 24, spaces);
}

static ALWAYS_INLINE bool copy_plain(char *to, const char *from, size_t n)
{
    if (n >= 16)
        return copy_long(to, from, n);
    if (n >= 8)
        return copy_eight(to, from, n);
    if (n >= 4)
        return copy_four(to, from, n);
    return n == 0 || copy_few(to, from, n);
}

/* Slowly, for a text that has something odd in it. */
static NEVER_INLINE char *quote(char *p, str s)
{
    struct text text = text_in(p, s.n * PEN_ESCAPED + 2);

    json_quote(&text, s);
    return p + text.n;
}

char *pen_json_bytes(char *p, const char *from, size_t n)
{
    *p = '"';
    if (unlikely(!copy_plain(p + 1, from, n)))
        return quote(p, (str){from, n});
    p[1 + n] = '"';
    return p + n + 2;
}

char *pen_quoted(char *p, str s)
{
    struct text text = text_in(p, s.n * PEN_ESCAPED + 2);

    log_add_quoted(&text, s);
    return p + text.n;
}

char *pen_escaped(char *p, str s)
{
    struct text text = text_in(p, s.n * PEN_ESCAPED + 2);

    log_add_quoted(&text, s);
    memmove(p, p + 1, text.n - 2);
    return p + text.n - 2;
}

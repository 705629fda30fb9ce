/*
 * Writes a log line into memory that is known to be large enough, so that nothing is asked
 * twice: every request pays for its line, and with checked appenders (base/text) that was
 * four times as much. Whoever uses it reserves PEN_ESCAPED bytes for each byte of
 * foreign text, and PEN_SLACK at the end.
 */
#ifndef PROXY_LINE_PEN_H
#define PROXY_LINE_PEN_H

#include "base/str.h"

enum {
    PEN_ESCAPED = 6, /* bytes that one byte may become: \u001f */
    PEN_SLACK = 64,  /* may be scribbled on behind the line */
};

/* All take the place to write at and return the place behind what they wrote. */

/* Meant for literals: a few moves. */
#define pen_text(p, literal) \
    ((char *)memcpy((p), "" literal "", sizeof(literal) - 1) + sizeof(literal) - 1)

/* As it is. */
static inline char *pen_str(char *p, str s)
{
    if (s.n)
        memcpy(p, s.p, s.n);
    return p + s.n;
}

/* In quotes, with JSON's escapes. */
char *pen_json(char *p, str s);

/* In quotes, with the escapes of log_add_quoted: printable ASCII comes out. */
char *pen_quoted(char *p, str s);

/* The same without the quotes. */
char *pen_escaped(char *p, str s);

extern const char pen_pairs[200]; /* "00" to "99" */

static ALWAYS_INLINE char *pen_char(char *p, char c)
{
    *p = c;
    return p + 1;
}

static ALWAYS_INLINE char *pen_two(char *p, unsigned n)
{
    memcpy(p, pen_pairs + n * 2, 2);
    return p + 2;
}

/* n below a million, as six digits. */
static inline char *pen_six(char *p, unsigned n)
{
    unsigned upper = n / 100;

    pen_two(p, upper / 100);
    pen_two(p + 2, upper % 100);
    return pen_two(p + 4, n - upper * 100);
}

char *pen_large(char *p, uint64_t n);

static inline char *pen_u64(char *p, uint64_t n)
{
    unsigned small = (unsigned)n;

    if (unlikely(n >= 10000))
        return pen_large(p, n);
    if (small >= 1000)
        return pen_two(pen_two(p, small / 100), small % 100);
    if (small >= 100)
        return pen_two(pen_char(p, (char)('0' + small / 100)), small % 100);
    if (small >= 10)
        return pen_two(p, small);
    return pen_char(p, (char)('0' + small));
}

/* Nanoseconds as seconds: 0.000123. */
static inline char *pen_seconds(char *p, uint64_t ns)
{
    uint64_t us = ns / 1000;

    if (likely(us < 1000000)) {
        p = pen_text(p, "0.");
    } else {
        p = pen_char(pen_u64(p, us / 1000000), '.');
        us %= 1000000;
    }
    return pen_six(p, (unsigned)us);
}

#endif

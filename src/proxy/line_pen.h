/*
 * Writes a log line into memory that is known to be large enough, so that nothing is asked
 * twice: every request pays for its line, and with checked appenders (base/text) that was
 * four times as much. Whoever uses it reserves PEN_ESCAPED bytes for each byte of
 * foreign text, and PEN_SLACK at the end.
 */
#ifndef PROXY_LINE_PEN_H
#define PROXY_LINE_PEN_H

#include "base/text.h"

enum {
    PEN_ESCAPED = 6, /* bytes that one byte may become: \u001f */
    PEN_SLACK = 64,  /* may be scribbled on behind the line */
    PEN_READY = 32,  /* see pen_ready */
    PEN_SECOND = 1000000000,
};

/* All take the place to write at and return the place behind what they wrote; some copy in
 * pieces of a fixed size and leave rubbish behind that place. */

/* So many bytes are moved for a literal of n: one move each. */
#define PEN_PIECE(n) ((n) <= 4 ? 4 : ((n) + 7) & ~(size_t)7)

/* For literals. */
#define pen_text(p, literal)                                                            \
    ((char *)memcpy((p), "" literal "\0\0\0\0\0\0\0", PEN_PIECE(sizeof(literal) - 1)) + \
     sizeof(literal) - 1)

/* A text that was laid down once to be copied often: readable up to the next multiple of
 * PEN_READY bytes. */
static ALWAYS_INLINE char *pen_ready(char *p, str s)
{
    char *end = p + s.n;

    memcpy(p, s.p, PEN_READY);
    while (unlikely((p += PEN_READY) < end))
        memcpy(p, s.p += PEN_READY, PEN_READY);
    return end;
}

/* As it is. */
static inline char *pen_str(char *p, str s)
{
    if (s.n)
        memcpy(p, s.p, s.n);
    return p + s.n;
}

/* In quotes, with JSON's escapes. */
char *pen_json_bytes(char *p, const char *from, size_t n);
static ALWAYS_INLINE char *pen_json(char *p, str s)
{
    return pen_json_bytes(p, s.p, s.n);
}

/* In quotes, with the escapes of log_add_quoted: printable ASCII comes out. */
char *pen_quoted(char *p, str s);

/* The same without the quotes. */
char *pen_escaped(char *p, str s);

static ALWAYS_INLINE char *pen_char(char *p, char c)
{
    *p = c;
    return p + 1;
}

static ALWAYS_INLINE char *pen_two(char *p, size_t n)
{
    memcpy(p, text_pairs + n * 2, 2);
    return p + 2;
}

/* Two digits that stand before the point of *rest * factor, in units of 2^-64; what stands
 * behind it is the new rest. */
static ALWAYS_INLINE char *pen_next_two(char *p, uint64_t *rest, uint64_t factor)
{
    unsigned __int128 product = (unsigned __int128)*rest * factor;

    *rest = (uint64_t)product;
    return pen_two(p, (size_t)(product >> 64));
}

/*
 * Nanoseconds below a second as six digits of microseconds, cut off. They become hundredths
 * of a second; a hundred times what is behind the point are the next two digits, and so on.
 * The factor is 2^64 / 10^7 rounded up, wrong by 0.05: the last two digits come from a
 * number that is too great by less than 10^12, and it would have to be 10^16, a nanosecond.
 */
static ALWAYS_INLINE char *pen_micros(char *p, uint64_t ns)
{
    p = pen_next_two(p, &ns, UINT64_C(1844674407371));
    p = pen_next_two(p, &ns, 100);
    return pen_next_two(p, &ns, 100);
}

/* n below ten thousand, as four digits. */
static ALWAYS_INLINE char *pen_four(char *p, unsigned n)
{
    pen_two(p, n / 100);
    return pen_two(p + 2, n % 100);
}

/* From ten thousand on. */
char *pen_large(char *p, uint64_t n);

static ALWAYS_INLINE char *pen_u64(char *p, uint64_t n)
{
    unsigned small = (unsigned)n;

    if (n < 100)
        return n < 10 ? pen_char(p, (char)('0' + small)) : pen_two(p, small);
    if (unlikely(n >= 10000))
        return pen_large(p, n);
    if (small >= 1000)
        return pen_four(p, small);
    return pen_two(pen_char(p, (char)('0' + small / 100)), small % 100);
}

/* The same for a client's port: most have five digits. */
static ALWAYS_INLINE char *pen_port(char *p, unsigned port)
{
    if (unlikely(port < 10000))
        return pen_u64(p, port);
    return pen_four(pen_char(p, (char)('0' + port / 10000)), port % 10000);
}

/* Of a second or more. */
char *pen_long_time(char *p, uint64_t ns);

/* Nanoseconds as seconds: 0.000123. */
static ALWAYS_INLINE char *pen_seconds(char *p, uint64_t ns)
{
    if (unlikely(ns >= PEN_SECOND))
        return pen_long_time(p, ns);
    return pen_micros(pen_text(p, "0."), ns);
}

#endif

/*
 * Builds text in memory that the caller owns. It never writes past the end: a piece
 * that does not fit is left out whole and sets `overflow`. Smaller pieces may still come
 * behind it, so an overflown text is worth nothing; whoever builds one looks at the flag
 * once, at the end. Used for response heads, log lines and metrics, so the appenders are
 * small and inline.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/str.h"

struct text {
    char *p;
    size_t n;
    size_t room; /* capacity in bytes */
    bool overflow;
};

static inline struct text text_in(char *memory, size_t room)
{
    return (struct text){memory, 0, room, false};
}

static inline str text_str(const struct text *text)
{
    return (str){text->p, text->n};
}

static inline void text_add(struct text *text, str s)
{
    if (unlikely(s.n > text->room - text->n)) {
        text->overflow = true;
        return;
    }
    if (s.n)
        memcpy(text->p + text->n, s.p, s.n);
    text->n += s.n;
}

static inline void text_char(struct text *text, char c)
{
    if (unlikely(text->n == text->room)) {
        text->overflow = true;
        return;
    }
    text->p[text->n++] = c;
}

extern const char text_pairs[200]; /* "00" to "99" */

/* Decimal digits. */
void text_u64(struct text *text, uint64_t value);

/* Lower-case hexadecimal without prefix, at least `width` digits. */
void text_hex(struct text *text, uint64_t value, unsigned width);

/* Nanoseconds as seconds with six decimals ("0.000123"). */
void text_seconds(struct text *text, uint64_t ns);

/* "500ms", "90s", "5m", "2h": the largest unit in which it is whole. */
void text_duration(struct text *text, uint64_t ms);

/* As printf. Needs room for one byte more than it adds. */
void text_format(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);

#endif

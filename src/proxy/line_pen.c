/*
 * Most texts have nothing to escape: they are copied sixteen bytes at a time and looked at
 * on the way; only where something odd came by is the text done again, slowly.
 */
#include "proxy/line_pen.h"

#include "base/json.h"
#include "base/log.h"

const char pen_pairs[200] =
    "00010203040506070809101112131415161718192021222324252627282930"
    "31323334353637383940414243444546474849505152535455565758596061"
    "62636465666768697071727374757677787980818283848586878889909192"
    "93949596979899";

char *pen_large(char *p, uint64_t n)
{
    char digits[20];
    unsigned at = sizeof digits;

    while (n >= 100) {
        uint64_t rest = n / 100;

        at -= 2;
        pen_two(digits + at, (unsigned)(n - rest * 100));
        n = rest;
    }
    p = n >= 10 ? pen_two(p, (unsigned)n) : pen_char(p, (char)('0' + n));
    return pen_str(p, (str){digits + at, sizeof digits - at});
}

/* Sixteen bytes at once. */
typedef unsigned char lanes __attribute__((vector_size(16)));

/* What was seen on the way: the high bit of a lane of `high` says that a byte there was no
 * ASCII or, with 0x20 taken away, a control byte; `equal` that it was a quote or a
 * backslash. */
struct sight {
    lanes high, equal;
};

static ALWAYS_INLINE void see(struct sight *sight, lanes bytes)
{
    sight->high |= bytes | (bytes - 0x20);
    sight->equal |= (lanes)(bytes == '"') | (lanes)(bytes == '\\');
}

static ALWAYS_INLINE bool is_plain(const struct sight *sight)
{
    lanes odd = (sight->high & 0x80) | sight->equal;
    uint64_t halves[2];

    memcpy(halves, &odd, sizeof halves);
    return (halves[0] | halves[1]) == 0;
}

/* Fewer than sixteen bytes: two pieces that may overlap, or three single ones. */
static ALWAYS_INLINE void copy_short(char *to, const char *from, size_t n,
                                     struct sight *sight)
{
    uint64_t words[2] = {0x2020202020202020u, 0x2020202020202020u};
    lanes bytes;

    if (n >= 8) {
        memcpy(&words[0], from, 8);
        memcpy(&words[1], from + n - 8, 8);
        memcpy(to, &words[0], 8);
        memcpy(to + n - 8, &words[1], 8);
    } else if (n >= 4) {
        memcpy(&words[0], from, 4);
        memcpy(&words[1], from + n - 4, 4);
        memcpy(to, &words[0], 4);
        memcpy(to + n - 4, &words[1], 4);
    } else if (n) {
        char *word = (char *)words;

        to[0] = word[0] = from[0];
        to[n / 2] = word[1] = from[n / 2];
        to[n - 1] = word[2] = from[n - 1];
    }
    memcpy(&bytes, words, sizeof bytes);
    see(sight, bytes);
}

/* Copies; true: nothing in it needs an escape. */
static ALWAYS_INLINE bool copy_plain(char *to, const char *from, size_t n)
{
    struct sight sight = {0};
    lanes bytes;
    size_t at;

    if (n < sizeof bytes) {
        copy_short(to, from, n, &sight);
        return is_plain(&sight);
    }
    for (at = 0; at + sizeof bytes < n; at += sizeof bytes) {
        memcpy(&bytes, from + at, sizeof bytes);
        memcpy(to + at, &bytes, sizeof bytes);
        see(&sight, bytes);
    }
    at = n - sizeof bytes; /* the last sixteen, some of them again */
    memcpy(&bytes, from + at, sizeof bytes);
    memcpy(to + at, &bytes, sizeof bytes);
    see(&sight, bytes);
    return is_plain(&sight);
}

char *pen_json(char *p, str s)
{
    struct text text;

    *p = '"';
    if (likely(copy_plain(p + 1, s.p, s.n))) {
        p[1 + s.n] = '"';
        return p + s.n + 2;
    }
    text = text_in(p, s.n * PEN_ESCAPED + 2);
    json_quote(&text, s);
    return p + text.n;
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

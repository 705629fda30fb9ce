/* The appenders that are too long to be inline. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

const char text_pairs[200] =
    "00010203040506070809101112131415161718192021222324252627282930"
    "31323334353637383940414243444546474849505152535455565758596061"
    "62636465666768697071727374757677787980818283848586878889909192"
    "93949596979899";

static unsigned digits_of(uint64_t value)
{
    unsigned count = 1;

    for (; value >= 100; value /= 100)
        count += 2;
    return count + (value >= 10);
}

void text_u64(struct text *text, uint64_t value)
{
    unsigned count = digits_of(value);
    char *p;

    if (unlikely(count > text->room - text->n)) {
        text->overflow = true;
        return;
    }
    text->n += count;
    p = text->p + text->n; /* from the last digit to the first */
    for (; value >= 100; value /= 100)
        memcpy(p -= 2, text_pairs + value % 100 * 2, 2);
    if (value >= 10)
        memcpy(p - 2, text_pairs + value * 2, 2);
    else
        p[-1] = (char)('0' + value);
}

void text_hex(struct text *text, uint64_t value, unsigned width)
{
    char digits[16];
    unsigned at = sizeof digits;

    if (width > sizeof digits)
        width = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value || sizeof digits - at < width);
    text_add(text, (str){digits + at, sizeof digits - at});
}

void text_seconds(struct text *text, uint64_t ns)
{
    uint64_t us = ns / 1000;
    char decimals[7] = ".";

    for (unsigned i = 6, rest = (unsigned)(us % 1000000); i > 0; i--, rest /= 10)
        decimals[i] = (char)('0' + rest % 10);
    text_u64(text, us / 1000000);
    text_add(text, (str){decimals, sizeof decimals});
}

void text_duration(struct text *text, uint64_t ms)
{
    static const struct {
        uint64_t ms;
        const char *unit;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    unsigned at = 0;

    while (units[at].ms > 1 && (ms == 0 || ms % units[at].ms))
        at++;
    text_u64(text, ms / units[at].ms);
    text_add(text, str_of(units[at].unit));
}

void text_format(struct text *text, const char *format, ...)
{
    va_list args;
    size_t room = text->room - text->n;
    int n;

    va_start(args, format);
    n = vsnprintf(room ? text->p + text->n : NULL, room, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room) {
        text->overflow = true;
        return;
    }
    text->n += (size_t)n;
}

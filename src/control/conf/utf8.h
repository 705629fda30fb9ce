/* UTF-8 as far as a configuration needs it: is it right, and how wide is it in characters. */
#ifndef CONTROL_CONF_UTF8_H
#define CONTROL_CONF_UTF8_H

#include "base/str.h"

/* Bytes of the character at the front of s (RFC 3629: no surrogates, no overlong forms);
 * 0 when there is none or it is wrong. */
static inline size_t utf8_size(str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t size;

    if (s.n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    size = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || s.n < size)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return size;
}

/* The code point of one character that utf8_size took. */
static inline uint32_t utf8_code(str c)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (unsigned char)c.p[0] & masks[c.n];

    for (size_t i = 1; i < c.n; i++)
        code = code << 6 | ((unsigned char)c.p[i] & 0x3f);
    return code;
}

/*
 * Beyond ASCII: C1 controls, the line ends of other worlds (U+0085, U+2028, U+2029), a
 * byte order mark inside a text, and what is no character at all. YAML takes some of them
 * for ends of lines, and nobody sees them.
 */
static inline bool utf8_is_unseen(str c)
{
    uint32_t code = c.n > 1 ? utf8_code(c) : ' ';

    return (code >= 0x80 && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
           code == 0xfeff || (code & 0xfffe) == 0xfffe;
}

/* Looks like a space and is none: no-break spaces and their like, as copied from web pages. */
static inline bool utf8_is_blank(str c)
{
    uint32_t code = c.n > 1 ? utf8_code(c) : 'x';

    return code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200b) ||
           code == 0x202f || code == 0x205f || code == 0x3000;
}

/* How many characters s is wide; a wrong byte counts as one. */
static inline uint32_t utf8_width(str s)
{
    uint32_t width = 0;

    for (size_t at = 0; at < s.n; width++) {
        size_t size = utf8_size(str_from(s, at));

        at += size ? size : 1;
    }
    return width;
}

#endif

/* Three bytes at a time become four characters, and back. */
#include "base/base64.h"

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64_write(struct text *text, const void *from, size_t n)
{
    const unsigned char *bytes = from;

    for (size_t i = 0; i < n; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;
        unsigned left = n - i < 3 ? (unsigned)(n - i) : 3;

        if (left > 1)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (left > 2)
            group |= bytes[i + 2];
        for (unsigned j = 0; j <= left; j++)
            text_char(text, digits[group >> (18 - 6 * j) & 63]);
    }
}

/* -1: not a digit. */
static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64_read(str text, void *into, size_t n)
{
    unsigned char *bytes = into;
    uint32_t group = 0;
    unsigned bits = 0;

    if (text.n != BASE64_SIZE(n))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        int digit = digit_of(text.p[i]);

        if (digit < 0)
            return false;
        group = group << 6 | (uint32_t)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *bytes++ = (unsigned char)(group >> bits);
        }
    }
    return (group & ((1u << bits) - 1)) == 0;
}

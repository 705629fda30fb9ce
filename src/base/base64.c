/* Three bytes at a time become four characters, and back. */
#include "base/base64.h"

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The last group, of one or two bytes. */
static void write_rest(char *p, const unsigned char *bytes, size_t left)
{
    uint32_t group = (uint32_t)bytes[0] << 16;

    if (left > 1)
        group |= (uint32_t)bytes[1] << 8;
    for (size_t j = 0; j <= left; j++)
        p[j] = digits[group >> (18 - 6 * j) & 63];
}

void base64_write(struct text *text, const void *from, size_t n)
{
    const unsigned char *bytes = from;
    char *p = text->p + text->n;
    size_t i = 0;

    if (BASE64_SIZE(n) > text->room - text->n) {
        text->overflow = true;
        return;
    }
    text->n += BASE64_SIZE(n);
    for (; i + 3 <= n; i += 3, p += 4) {
        uint32_t group =
            (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];

        p[0] = digits[group >> 18];
        p[1] = digits[group >> 12 & 63];
        p[2] = digits[group >> 6 & 63];
        p[3] = digits[group & 63];
    }
    if (i < n)
        write_rest(p, bytes + i, n - i);
}

/* What a character stands for, and one more; 0: it is foreign. */
static const unsigned char values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
    ['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
    ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
    ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
    ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
    ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
    ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
    ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63,
    ['_'] = 64};

bool base64_read(str text, void *into, size_t n)
{
    unsigned char *bytes = into;
    uint32_t group = 0;
    unsigned bits = 0;

    if (text.n != BASE64_SIZE(n))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        unsigned value = values[(unsigned char)text.p[i]];

        if (!value)
            return false;
        group = group << 6 | (value - 1);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *bytes++ = (unsigned char)(group >> bits);
        }
    }
    return (group & ((1u << bits) - 1)) == 0;
}

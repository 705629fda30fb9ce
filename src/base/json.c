/*
 * The string writer looks for the first byte that cannot stand as it is, copies all before
 * it at once, writes the odd one and goes on. Most values in a log have no odd byte: they
 * cost one scan, eight bytes at a time, and one copy. Well-formed UTF-8 stays in the run.
 */
#include "base/json.h"

static const uint64_t ones = 0x0101010101010101u;
static const uint64_t highs = 0x8080808080808080u;

/* Not zero when a byte of the word is a control byte, a quote, a backslash or not ASCII.
 * (x - n) & ~x & 0x80 per byte finds bytes below n; a borrow only travels upwards from a
 * byte that is itself found, so the answer for the whole word is right. */
static bool is_odd_word(uint64_t word)
{
    uint64_t quote = word ^ ones * '"', slash = word ^ ones * '\\';
    uint64_t below = (word - ones * 0x20) & ~word;
    uint64_t equal = ((quote - ones) & ~quote) | ((slash - ones) & ~slash);

    return ((below | equal | word) & highs) != 0;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/*
 * The length of the UTF-8 sequence at p (RFC 3629: no surrogates, no overlong forms, not
 * beyond U+10FFFF), or 0. *bad is then how many bytes to replace by one U+FFFD: the part
 * that could have begun a sequence, at least one (Unicode 15, section 3.9).
 */
static size_t sequence_length(const unsigned char *p, size_t n, size_t *bad)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    *bad = 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < length; i++) {
        if (i >= n || p[i] < low || p[i] > high)
            return 0;
        *bad = i + 1;
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

/* How many bytes from p on may stand as they are. */
static size_t clean_run(const char *p, size_t n)
{
    size_t at = 0, bad;

    for (;;) {
        uint64_t word;
        size_t length;

        for (; n - at >= sizeof word; at += sizeof word) {
            memcpy(&word, p + at, sizeof word);
            if (is_odd_word(word))
                break;
        }
        while (at < n && is_plain((unsigned char)p[at]))
            at++;
        if (at == n || (unsigned char)p[at] < 0x80)
            return at;
        length = sequence_length((const unsigned char *)p + at, n - at, &bad);
        if (length == 0)
            return at;
        at += length;
    }
}

static void add_escape(struct text *text, unsigned char c)
{
    static const char letters[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    char letter = c < 0x20 ? letters[c] : (char)c;

    if (letter) {
        text_add(text, (str){(char[2]){'\\', letter}, 2});
        return;
    }
    text_add(text, STR("\\u"));
    text_hex(text, c, 4);
}

void json_quote(struct text *text, str s)
{
    text_char(text, '"');
    for (;;) {
        size_t clean = clean_run(s.p, s.n), odd = 1;

        text_add(text, str_upto(s, clean));
        if (clean == s.n)
            break;
        s = str_from(s, clean);
        if ((unsigned char)s.p[0] < 0x80) {
            add_escape(text, (unsigned char)s.p[0]);
        } else {
            sequence_length((const unsigned char *)s.p, s.n, &odd);
            text_add(text, STR("\xef\xbf\xbd")); /* U+FFFD */
        }
        s = str_from(s, odd);
    }
    text_char(text, '"');
}

void json_i64(struct json *json, int64_t value)
{
    json_comma(json);
    if (value < 0)
        text_char(json->text, '-');
    text_u64(json->text, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

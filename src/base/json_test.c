/*
 * Commas and shapes by example; strings against a slow version of the same rules, which
 * goes byte by byte and finds out by trying what is UTF-8.
 */
#include "base/json.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void assert_text(const struct text *text, const char *want)
{
    assert_false(text->overflow);
    assert_int_equal(text->n, strlen(want));
    assert_memory_equal(text->p, want, text->n);
}

static void test_shapes(void **state)
{
    char memory[512];
    struct text text = text_in(memory, sizeof memory);
    struct json json = json_on(&text);

    json_object(&json);
    json_key(&json, STR("a"));
    json_u64(&json, UINT64_MAX);
    json_key(&json, STR("b"));
    json_array(&json);
    json_i64(&json, INT64_MIN);
    json_i64(&json, 7);
    json_bool(&json, true);
    json_bool(&json, false);
    json_null(&json);
    json_array(&json);
    json_array_end(&json);
    json_object(&json);
    json_object_end(&json);
    json_object(&json);
    json_key(&json, STR("\"k"));
    json_string(&json, STR("v"));
    json_object_end(&json);
    json_array_end(&json);
    json_key(&json, STR("t"));
    json_seconds(&json, 1500000000);
    json_object_end(&json);
    assert_text(&text, "{\"a\":18446744073709551615,\"b\":[-9223372036854775808,7,true,"
                       "false,null,[],{},{\"\\\"k\":\"v\"}],\"t\":1.500000}");
}

static void test_scalar_alone(void **state)
{
    char memory[16];
    struct text text = text_in(memory, sizeof memory);
    struct json json = json_on(&text);

    json_string(&json, STR_NONE);
    assert_text(&text, "\"\"");
}

static void test_overflow_is_flagged(void **state)
{
    char memory[16];

    for (size_t room = 0; room < 10; room++) {
        struct text text = text_in(memory, room);

        json_quote(&text, STR("12\n456")); /* nine bytes */
        assert_int_equal(text.overflow, room < 9);
    }
}

/* Is p[0..n) one whole character, by the arithmetic of RFC 3629? */
static bool is_character(const unsigned char *p, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t code;

    if (n < 2 || n > 4)
        return n == 1 && p[0] < 0x80;
    if (p[0] >> (7 - n) != ((0xff >> (7 - n)) & ~1))
        return false;
    code = p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2)
            return false;
        code = code << 6 | (p[i] & 0x3f);
    }
    return code >= least[n] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/* Can p[0..n) be made a whole character by putting more bytes behind it? */
static bool begins_character(const unsigned char *p, size_t n)
{
    static const unsigned char more[] = {0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf};
    unsigned char whole[4];

    if (n >= 4)
        return false;
    memcpy(whole, p, n);
    for (size_t i = 0; i < array_len(more); i++) {
        whole[n] = more[i];
        if (is_character(whole, n + 1) || begins_character(whole, n + 1))
            return true;
    }
    return false;
}

/* Appends what stands for the bytes at p; returns how many of them that was. */
static size_t slow_step(struct text *text, const unsigned char *p, size_t n)
{
    static const char *const escapes[0x20] = {
        "\\u0000", "\\u0001", "\\u0002", "\\u0003", "\\u0004", "\\u0005", "\\u0006",
        "\\u0007", "\\b",     "\\t",     "\\n",     "\\u000b", "\\f",     "\\r"};
    size_t length = 4;

    if (p[0] == '"' || p[0] == '\\')
        text_char(text, '\\');
    if (p[0] < 0x20 && escapes[p[0]]) {
        text_add(text, str_of(escapes[p[0]]));
        return 1;
    }
    if (p[0] < 0x20) {
        text_format(text, "\\u%04x", p[0]);
        return 1;
    }
    while (length && (length > n || !is_character(p, length)))
        length--;
    if (length) {
        text_add(text, (str){(const char *)p, length});
        return length;
    }
    text_add(text, STR("\xef\xbf\xbd"));
    for (length = 1; length < n && length < 3; length++)
        if (!begins_character(p, length + 1))
            break;
    return length;
}

static void assert_quoted(str s)
{
    char fast[4096], slow[4096];
    struct text a = text_in(fast, sizeof fast), b = text_in(slow, sizeof slow);

    json_quote(&a, s);
    text_char(&b, '"');
    for (size_t at = 0; at < s.n;)
        at += slow_step(&b, (const unsigned char *)s.p + at, s.n - at);
    text_char(&b, '"');
    assert_false(a.overflow || b.overflow);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.p, b.p, a.n);
}

static void test_every_byte_in_every_place(void **state)
{
    char s[20];

    for (int c = 0; c < 256; c++)
        for (size_t at = 0; at < sizeof s; at++) {
            memset(s, 'x', sizeof s);
            s[at] = (char)c;
            assert_quoted((str){s, sizeof s});
        }
}

static void test_every_short_sequence(void **state)
{
    for (unsigned a = 0xbe; a < 256; a++)
        for (unsigned b = 0x7e; b < 0xc3; b++)
            for (unsigned c = 0x7f; c < 0xc2; c++) {
                char s[] = {(char)a, (char)b, (char)c, (char)0xbf, 'x'};

                for (size_t n = 1; n <= sizeof s; n += 2)
                    assert_quoted((str){s, n});
            }
}

static void test_random_strings(void **state)
{
    static const char *const parts[] = {"\xc3\xa4",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80",
                                        "\"",
                                        "\\",
                                        "\n",
                                        "\xed\xa0",
                                        "\xf4\x90",
                                        "\xff",
                                        "plain text of some length",
                                        "\xe2\x82"};
    char s[256];
    struct rand rand;

    rand_seed(&rand, 1);
    for (int i = 0; i < 30000; i++) {
        struct text text = text_in(s, rand_below(&rand, sizeof s));

        while (!text.overflow) {
            uint64_t what = rand_below(&rand, 2 * array_len(parts));

            if (what < array_len(parts))
                text_add(&text, str_of(parts[what]));
            else
                text_char(&text, (char)rand_u64(&rand));
        }
        assert_quoted(text_str(&text));
    }
}

static void test_known_replacements(void **state)
{
    static const struct {
        const char *bytes, *quoted;
    } cases[] = {
        /* The example of Unicode 15, table 3-8. */
        {"\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64",
         "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
         "b\xef\xbf\xbd"
         "c\xef\xbf\xbd\xef\xbf\xbd"
         "d\""},
        {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\x7f\x01", "\"\x7f\\u0001\""},
    };
    char memory[64];

    for (size_t i = 0; i < array_len(cases); i++) {
        struct text text = text_in(memory, sizeof memory);

        json_quote(&text, str_of(cases[i].bytes));
        assert_text(&text, cases[i].quoted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_scalar_alone),
        cmocka_unit_test(test_overflow_is_flagged),
        cmocka_unit_test(test_every_byte_in_every_place),
        cmocka_unit_test(test_every_short_sequence),
        cmocka_unit_test(test_random_strings),
        cmocka_unit_test(test_known_replacements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

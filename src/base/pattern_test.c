/* The plain kinds against each other and a naive search; regexes by what they promise. */
#include "base/pattern.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct pattern_scratch scratch;

static int open_scratch(void **state)
{
    pattern_scratch_init(&scratch);
    return 0;
}

static int close_scratch(void **state)
{
    pattern_scratch_close(&scratch);
    return 0;
}

static bool matches(enum pattern_kind kind, bool is_nocase, str text, str subject)
{
    struct pattern pattern;
    bool is_match;

    assert_int_equal(pattern_compile(&pattern, kind, is_nocase, text, NULL), ERR_OK);
    is_match = pattern_match(&pattern, subject, kind == PATTERN_REGEX ? &scratch : NULL);
    pattern_close(&pattern);
    return is_match;
}

static bool regex(const char *text, const char *subject)
{
    bool is_match = matches(PATTERN_REGEX, false, str_of(text), str_of(subject));

    assert_false(scratch.is_over_limit);
    return is_match;
}

static str random_str(struct rand *rand, char *memory, size_t most)
{
    str s = {memory, rand_below(rand, most + 1)};

    for (size_t i = 0; i < s.n; i++)
        memory[i] = "aAbB"[rand_below(rand, 4)];
    return s;
}

static bool slow_at(str subject, size_t at, str text, bool is_nocase)
{
    if (at + text.n > subject.n)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char a = subject.p[at + i], b = text.p[i];

        if (a != b && !(is_nocase && (a | 0x20) == (b | 0x20)))
            return false;
    }
    return true;
}

static void test_plain_kinds(void **state)
{
    char a[8], b[4];
    struct rand rand;

    rand_seed(&rand, 1);
    for (int i = 0; i < 30000; i++) {
        str subject = random_str(&rand, a, sizeof a), text = random_str(&rand, b, 4);
        bool nocase = rand_below(&rand, 2), is_inside = false;

        for (size_t at = 0; at <= subject.n; at++)
            is_inside |= slow_at(subject, at, text, nocase);
        assert_int_equal(matches(PATTERN_SUBSTRING, nocase, text, subject), is_inside);
        assert_int_equal(matches(PATTERN_PREFIX, nocase, text, subject),
                         slow_at(subject, 0, text, nocase));
        assert_int_equal(matches(PATTERN_EXACT, nocase, text, subject),
                         subject.n == text.n && slow_at(subject, 0, text, nocase));
        assert_int_equal(matches(PATTERN_SUFFIX, nocase, text, subject),
                         subject.n >= text.n &&
                             slow_at(subject, subject.n - text.n, text, nocase));
    }
}

static void test_bytes_that_are_no_text(void **state)
{
    assert_true(matches(PATTERN_EXACT, false, STR("a\0b"), STR("a\0b")));
    assert_false(matches(PATTERN_EXACT, false, STR("a\0b"), STR("a\0c")));
    assert_true(matches(PATTERN_EXACT, false, STR_NONE, STR("")));
    assert_true(matches(PATTERN_SUBSTRING, true, STR(""), STR_NONE));
    assert_true(matches(PATTERN_REGEX, false, STR("^a.\xff$"), STR("a\0\xff")));
    assert_true(matches(PATTERN_REGEX, false, STR("^$"), STR_NONE));
    assert_true(matches(PATTERN_REGEX, false, STR_NONE, STR("x")));
}

static void test_regex(void **state)
{
    assert_true(regex("^/v[0-9]+/", "/v12/users"));
    assert_false(regex("^/v[0-9]+/", "/vx/users"));
    assert_true(regex("v1", "/api/v1/x")); /* not anchored */
    assert_false(regex("end$", "end\n"));  /* the very end */
    assert_true(regex("^(a+)-\\1$", "aa-aa"));
    assert_false(regex("^(a+)-\\1$", "aa-a"));
    assert_true(regex("(a)(b)(c)(d)", "abcd")); /* more groups than we keep */
    assert_false(regex("Abc", "aBC"));
    assert_true(matches(PATTERN_REGEX, true, STR("Abc"), STR("xaBCx")));
}

static void test_no_utf_mode(void **state)
{
    struct pattern pattern;
    struct pattern_error error;

    assert_int_equal(
        pattern_compile(&pattern, PATTERN_REGEX, false, STR("(*UTF)a"), &error),
        ERR_INVALID);
    assert_true(regex("^..$", "\xc3\xa4")); /* two bytes, one letter */
    assert_true(regex("a", "\xff"
                           "a"));
}

static void test_errors_say_where(void **state)
{
    static const struct {
        const char *text;
        size_t offset;
    } bad[] = {{"a(b", 3}, {"abc)", 3}, {"[a-", 3}, {"[z-a]", 3}};
    char longer[PATTERN_LENGTH_MOST + 1];
    struct pattern pattern;

    for (size_t i = 0; i < array_len(bad); i++) {
        struct pattern_error error = {.offset = 99};

        assert_int_equal(
            pattern_compile(&pattern, PATTERN_REGEX, false, str_of(bad[i].text), &error),
            ERR_INVALID);
        assert_int_equal(error.offset, bad[i].offset);
        assert_in_range(strlen(error.message), 5, PATTERN_MESSAGE_MOST - 1);
        pattern_close(&pattern); /* harmless */
    }
    memset(longer, 'a', sizeof longer);
    assert_int_equal(pattern_compile(&pattern, PATTERN_REGEX, false,
                                     (str){longer, sizeof longer}, NULL),
                     ERR_TOO_LARGE);
    assert_int_equal(pattern_compile(&pattern, PATTERN_REGEX, false,
                                     (str){longer, PATTERN_LENGTH_MOST}, NULL),
                     ERR_OK);
    pattern_close(&pattern);
}

/* Any bytes compile or are refused with a place inside the text, and never crash a match. */
static void test_random_patterns(void **state)
{
    static const char alphabet[] = "ab()[]{}*+?|\\^$.-:<>=!,12RPCk\xff";
    struct rand rand;

    rand_seed(&rand, 2);
    for (int i = 0; i < 20000; i++) {
        struct pattern_error error;
        struct pattern pattern;
        char text[16];
        size_t n = rand_below(&rand, sizeof text + 1);

        for (size_t j = 0; j < n; j++)
            text[j] = alphabet[rand_below(&rand, sizeof alphabet)]; /* NUL too */
        if (pattern_compile(&pattern, PATTERN_REGEX, false, (str){text, n}, &error)) {
            assert_true(error.offset <= n);
            continue;
        }
        pattern_match(&pattern, STR("aabb<12>ab\0ab"), &scratch);
        pattern_close(&pattern);
    }
}

/* Patterns that would run for years are cut off, with the JIT and without, and say so;
 * the next run says nothing of it. */
static void test_limits(void **state)
{
    static const char *const evil[] = {
        "(a+)+$",
        "(a|aa)+$",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(?:.*a){12}[bc]",
        "(*LIMIT_MATCH=4000000000)(a+)+$", /* limits can be lowered there, not raised */
        "(*NO_JIT)(a+)+$",
        "(*NO_JIT)(?:.*a){12}[bc]",
        "(*NO_JIT)^(a|(?1)b)*c",
        "^((?:a(?1))|!)\\1", /* recursion as deep as the subject is long */
    };
    size_t n = 30000;
    char *subject = malloc(n);

    memset(subject, 'a', n);
    subject[n - 1] = '!';
    for (size_t i = 0; i < array_len(evil); i++) {
        assert_false(matches(PATTERN_REGEX, false, str_of(evil[i]), (str){subject, n}));
        assert_true(scratch.is_over_limit);
        assert_true(regex("^a+$", "aaa"));
        assert_false(regex("^a+$", "b"));
    }
    free(subject);
    /* A million steps, which PCRE2 would take if it were not told otherwise. */
    assert_false(
        matches(PATTERN_REGEX, false, STR("(a+)+$"), STR("aaaaaaaaaaaaaaaaaaaa!")));
    assert_true(scratch.is_over_limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_kinds),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_regex),
        cmocka_unit_test(test_no_utf_mode),
        cmocka_unit_test(test_errors_say_where),
        cmocka_unit_test(test_random_patterns),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}

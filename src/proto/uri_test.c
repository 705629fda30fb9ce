/*
 * Targets by table; then properties of the normal form for random paths: it is its own
 * normal form, it holds nothing that anybody could take for a dot segment, and writing a
 * character as an escape does not change it.
 */
#include "uri.c"

#include "proto/test_help.h"

static const struct {
    const char *path, *normal; /* NULL: refused; "=": itself, not copied */
} paths[] = {
    {"/", "="},
    {"*", "="},
    {"/c", "="},
    {"/a/b.c/d;e=f/~g", "="},
    {"/.well-known/x", "="},
    {"/...", "="},
    {"/c..", "="},
    {"/a%2Fc", "="},
    {"/a%20b", "="},
    {"/c%25d", "="},
    {"/c+d", "="},
    {"/%63", "/c"},
    {"/%7Ec", "/~c"},
    {"/a%2fc", "/a%2Fc"},
    {"/%c3%a4", "/%C3%A4"},
    {"/%e9", "/%E9"},
    {"/%C0", "="},
    {"/%C0x", "="},
    {"//c", "/c"},
    {"/a//c", "/a/c"},
    {"/a/", "="},
    {"/a//", "/a/"},
    {"/./c", "/c"},
    {"/a/./c", "/a/c"},
    {"/a/.", "/a/"},
    {"/a/../c", "/c"},
    {"/a/b/../c", "/a/c"},
    {"/a/..", "/"},
    {"/a//../c", "/c"},
    {"/a/%2e%2E/c", "/c"},
    {"/a/.%2e/c", "/c"},
    {"/%2e/c", "/c"},
    {"/c;/../d", "/d"},
    {"/c/%2e%2ed", "/c/..d"},
    {"/c\\d", "/c%5Cd"},
    {"/c%5cd", "/c%5Cd"},
    {"/c\"<>^`{|}", "/c%22%3C%3E%5E%60%7B%7C%7D"},
    {"/c%0ad", "/c%0Ad"},
    {"/c%3bd", "/c%3Bd"},
    {"/%25%32%65", "/%252e"},
    {"", NULL},
    {"c", NULL},
    {"*/", NULL},
    {"/..", NULL},
    {"/../c", NULL},
    {"/a/../../c", NULL},
    {"/%2e%2e", NULL},
    {"//..", NULL},
    {"/c%", NULL},
    {"/c%2", NULL},
    {"/c%zz", NULL},
    {"/c%2g", NULL},
    {"/%u0041", NULL},
    {"/%00", NULL},
    {"/c%00d", NULL},
    {"/%c0%af", NULL},
    {"/%c0%ae%c0%ae/c", NULL},
    {"/%c1%81", NULL},
    {"/%e0%80%af", NULL},
    {"/%f0%80%80%af", NULL},
    {"/a/..;/c", NULL},
    {"/a/..;x=y/c", NULL},
    {"/a/.;/c", NULL},
    {"/a/%2e%2e;/c", NULL},
    {"/a/..%3b/c", NULL},
    {"/a/..%2fc", NULL},
    {"/a%2f..%2fc", NULL},
    {"/a%2f..", NULL},
    {"/a/..%5cc", NULL},
    {"/a/..\\c", NULL},
    {"/a%5c..;x", NULL},
    {"/a%2f.%2fc", NULL},
};

static void test_normalise(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    for (unsigned i = 0; i < array_len(paths); i++) {
        str path = exact(str_of(paths[i].path)), normal = STR_NONE;
        enum err e = uri_normalise(path, &arena, &normal);

        if ((e == ERR_OK) != (paths[i].normal != NULL))
            print_error("%s\n", paths[i].path);
        assert_int_equal(e, paths[i].normal ? ERR_OK : ERR_INVALID);
        if (e == ERR_OK && strcmp(paths[i].normal, "=") == 0)
            assert_ptr_equal(normal.p, path.p);
        else if (e == ERR_OK)
            assert_str(normal, paths[i].normal);
        exact_free(path);
    }
    arena_reset(&arena);
}

/* No segment is empty but the last, none is a dot segment, with or without trimmings. */
static void check_is_normal(str normal)
{
    str rest = str_from(normal, 1), segment;

    assert_int_equal(normal.p[0], '/');
    while (str_next(&rest, '/', &segment)) {
        assert_false(segment.n == 0 && rest.p);
        assert_false(is_dots(segment));
        assert_false(hides_dots(segment));
    }
}

/* Who needs no normalising: the same whatever stands behind it, and the slow way agrees.
 * Returns whether it is plain. */
static bool check_plain(str path)
{
    char padded[128], memory[256];
    struct text slow = text_in(memory, sizeof memory);
    bool is_plain = uri_is_plain(path, path.p + path.n);

    for (unsigned i = 0; i < 4; i++) {
        memset(padded, " %/."[i], sizeof padded);
        memcpy(padded, path.p, path.n);
        assert_int_equal(uri_is_plain((str){padded, path.n}, padded + sizeof padded),
                         is_plain);
    }
    if (is_plain) {
        assert_true(normalise_into(path, &slow));
        assert_true(str_eq(text_str(&slow), path));
    }
    return is_plain;
}

static void test_properties(void **state)
{
    static const char *const parts[] = {"/",   ".",   "..",  "%2e", "%2F", "%5c", "a",
                                        "%61", "\\",  ";",   "%3B", "%e9", "%c3", "%a4",
                                        "//",  "/./", "%25", "2e",  "|",   "~"};
    struct rand rand;
    struct arena arena;
    unsigned accepted = 0, plain = 0;

    (void)state;
    rand_seed(&rand, 11);
    for (unsigned round = 0; round < 50000; round++) {
        char memory[64] = "/", other[256];
        size_t n = 1, m = 0;
        str normal, again;

        arena_init(&arena, 0);
        for (unsigned i = (unsigned)rand_below(&rand, 9); i > 0; i--) {
            const char *part = parts[rand_below(&rand, array_len(parts))];

            memcpy(memory + n, part, strlen(part));
            n += strlen(part);
        }
        plain += check_plain((str){memory, n});
        if (uri_normalise((str){memory, n}, &arena, &normal) == ERR_OK) {
            accepted++;
            check_is_normal(normal);
            assert_int_equal(uri_normalise(normal, &arena, &again), ERR_OK);
            assert_true(str_eq(normal, again));
            assert_ptr_equal(normal.p, again.p);
            /* every unreserved character as an escape: the same normal form */
            for (size_t i = 0; i < normal.n; i++) {
                bool in_escape = (i > 0 && normal.p[i - 1] == '%') ||
                                 (i > 1 && normal.p[i - 2] == '%');

                if (char_is(normal.p[i], CHAR_UNRESERVED) && !in_escape)
                    m += (size_t)sprintf(other + m, "%%%02x", (unsigned)normal.p[i]);
                else
                    other[m++] = normal.p[i];
            }
            assert_int_equal(uri_normalise((str){other, m}, &arena, &again), ERR_OK);
            assert_true(str_eq(normal, again));
        }
        arena_reset(&arena);
    }
    assert_true(accepted > 5000 && plain > 1000);
}

static void test_split(void **state)
{
    static const char *const bad[] = {
        "",        "c",     "?x",        "**",      "*?",      "/a b",     "/a\tb",
        "/a#b",    "/\x7f", "/\x80",     "http:/c", "http://", "http:///", "http://?x",
        "ftp://a", "://a",  "http//a/c", "http:a",  "//\x01",  "a:b",
    };
    struct uri uri;

    (void)state;
    for (unsigned i = 0; i < array_len(bad); i++)
        assert_int_equal(uri_split(str_of(bad[i]), &uri), ERR_INVALID);
    assert_int_equal(uri_split(STR("/a?b?c"), &uri), ERR_OK);
    assert_null(uri.scheme.p);
    assert_str(uri.path, "/a");
    assert_str(uri.query, "b?c");
    assert_int_equal(uri_split(STR("//a"), &uri), ERR_OK);
    assert_null(uri.query.p);
    assert_int_equal(uri_split(STR("*"), &uri), ERR_OK);
    assert_str(uri.path, "*");
    assert_int_equal(uri_split(STR("hTTps://a:1?b"), &uri), ERR_OK);
    assert_str(uri.scheme, "hTTps");
    assert_str(uri.authority, "a:1");
    assert_str(uri.path, "/");
    assert_str(uri.query, "b");
    assert_int_equal(uri_split(STR("http://a/b/c"), &uri), ERR_OK);
    assert_str(uri.path, "/b/c");
    /* long enough for the vector scan */
    assert_int_equal(uri_split(STR("/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa#"), &uri),
                     ERR_INVALID);
    assert_int_equal(uri_split(STR("/aaaaaaaaaaa#aaaaaaaaaaaaaaaaaaa"), &uri),
                     ERR_INVALID);
    assert_int_equal(uri_split(STR("/aaaaaaaaaa\xc3\xa4"
                                   "aaaaaaaaaaa"),
                               &uri),
                     ERR_INVALID);
}

static void test_host(void **state)
{
    static const char *const bad[] = {
        "",         ":80",      "a b",     "a,b",  "a/b",       "u@a",
        "u:p@a",    "a:b",      "a:99999", "a:-1", "a:",        "a:0",
        "[::1",     "::1",      "a:8:8",   "a#b",  "a?b",       "a\\b",
        "<a>",      "\"a\"",    "[::1]x",  "[]",   "[zz]",      "a%41",
        ".",        ".a",       "a..b",    "a~b",  "[1.2.3.4]", "[fe80::1%eth0]",
        "\xc3\xa4", "a:000080",
    };
    static const struct {
        const char *authority, *host;
        unsigned port;
        bool is_folded;
    } good[] = {
        {"a", "a", 0, true},
        {"a:80", "a", 80, true},
        {"A.Example:80", "a.example", 80, false},
        {"a.name.of-more-than-sixteen.Bytes", "a.name.of-more-than-sixteen.bytes", 0,
         false},
        {"a.name.of-more-than-sixteen.bytes", "a.name.of-more-than-sixteen.bytes", 0,
         true},
        {"a-b.c_d.", "a-b.c_d", 0, false},
        {"127.0.0.1:65535", "127.0.0.1", 65535, true},
        {"[::1]", "[::1]", 0, false},
        {"[2001:DB8::1]:8080", "[2001:db8::1]", 8080, false},
    };
    struct uri_authority cut;
    struct arena arena;
    uint16_t port;
    str host;

    (void)state;
    arena_init(&arena, 0);
    for (unsigned i = 0; i < array_len(bad); i++) {
        str authority = exact(str_of(bad[i]));

        if (uri_check_authority(authority))
            print_error("%s\n", bad[i]);
        assert_false(uri_check_authority(authority));
        assert_int_equal(uri_host(authority, &arena, &host, &port), ERR_INVALID);
        exact_free(authority);
    }
    for (unsigned i = 0; i < array_len(good); i++) {
        assert_true(uri_check_authority(str_of(good[i].authority)));
        assert_int_equal(uri_host(str_of(good[i].authority), &arena, &host, &port),
                         ERR_OK);
        assert_str(host, good[i].host);
        assert_int_equal(port, good[i].port);
        assert_true(uri_cut_authority(str_of(good[i].authority), &cut));
        assert_int_equal(cut.is_folded, good[i].is_folded);
    }
    arena_reset(&arena);
}

static void test_query(void **state)
{
    static const struct {
        const char *query, *name, *value; /* NULL: not there */
    } rows[] = {
        {"a=1&b=2", "a", "1"},  {"a=1&b=2", "b", "2"}, {"a=1&b=2", "c", NULL},
        {"a", "a", ""},         {"a=", "a", ""},       {"a=1&a=2", "a", "1"},
        {"ab=1&b=2", "b", "2"}, {"a=b=c", "a", "b=c"}, {"", "a", NULL},
        {"&&a=1", "a", "1"},    {"A=1", "a", NULL},    {"%61=1", "a", NULL},
    };

    (void)state;
    for (unsigned i = 0; i < array_len(rows); i++) {
        str value = STR_NONE;
        bool found = query_find(str_of(rows[i].query), str_of(rows[i].name), &value);

        assert_int_equal(found, rows[i].value != NULL);
        if (found)
            assert_str(value, rows[i].value);
    }
    assert_false(query_find(STR_NONE, STR("a"), &(str){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normalise), cmocka_unit_test(test_properties),
        cmocka_unit_test(test_split),     cmocka_unit_test(test_host),
        cmocka_unit_test(test_query),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

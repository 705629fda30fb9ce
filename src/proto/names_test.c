/* Every name finds itself in any case and nothing else finds it; the trailer list. */
#include "names.c"

#include "proto/chars.h"
#include "proto/test_help.h"

static void test_every_name(void **state)
{
    (void)state;
    assert_int_equal(name_find(STR_NONE), NAME_OTHER);
    assert_str(name_text(NAME_OTHER), "");
    for (unsigned i = NAME_OTHER + 1; i < NAME_LOOKALIKE; i++) {
        str text = exact(name_text((enum field_name)i));
        char *p = (char *)(uintptr_t)text.p;

        assert_true(text.n > 0 && text.n == strlen(names[i].text));
        assert_int_equal(name_find(text), i);
        for (size_t at = 0; at < text.n; at++) {
            char c = p[at];

            p[at] = (char)(c >= 'a' && c <= 'z' ? c - 0x20 : c);
            assert_int_equal(name_find(text), i);
            p[at] = c == 'x' ? 'y' : 'x';
            assert_int_not_equal(name_find(text), i);
            p[at] = c;
        }
        assert_int_not_equal(name_find(str_upto(text, text.n - 1)), i);
        exact_free(text);
    }
}

static bool looks_like(str token, enum field_name name)
{
    char memory[NAME_MOST];

    for (size_t i = 0; i < token.n; i++)
        memory[i] = token.p[i] == '_' ? '-' : token.p[i];
    return names[name].facts & ALONE &&
           str_eq_nocase((str){memory, token.n}, name_text(name));
}

static void test_lookalikes(void **state)
{
    static const char *const alike[] = {
        "X_Forwarded_For",  "x-forwarded_for",    "X_FORWARDED_HOST",
        "X_Forwarded-Port", "X_Forwarded_Prefix", "X-Forwarded_Proto",
        "Content_Length",   "Transfer_Encoding",  "X_Real-Ip"};
    static const char *const others[] = {"X_Request_Id", "User_Agent", "X_Forwarded_Fox",
                                         "X.Forwarded.For"};

    (void)state;
    for (unsigned i = 0; i < array_len(alike); i++)
        assert_int_equal(name_find(str_of(alike[i])), NAME_LOOKALIKE);
    for (unsigned i = 0; i < array_len(others); i++)
        assert_int_equal(name_find(str_of(others[i])), NAME_OTHER);
    assert_true(name_is_hop_by_hop(NAME_LOOKALIKE));
}

/* Against a walk over the texts, for random tokens near the names. */
static void test_random_tokens(void **state)
{
    struct rand rand;
    unsigned found = 0;

    (void)state;
    rand_seed(&rand, 1);
    for (unsigned round = 0; round < 200000; round++) {
        str known =
            name_text((enum field_name)(1 + rand_below(&rand, NAME_LOOKALIKE - 1)));
        char memory[NAME_MOST];
        str token = {memory, known.n};
        enum field_name want = NAME_OTHER;

        memcpy(memory, known.p, known.n);
        for (unsigned i = 0; i < rand_below(&rand, 3); i++) {
            char c = (char)rand_below(&rand, 128);

            if (char_is(c, CHAR_TOKEN))
                memory[rand_below(&rand, known.n)] = c;
        }
        for (unsigned i = 1; i < NAME_LOOKALIKE; i++) {
            if (want == NAME_OTHER && looks_like(token, (enum field_name)i))
                want = NAME_LOOKALIKE;
            if (str_eq_nocase(token, name_text((enum field_name)i)))
                want = (enum field_name)i;
        }
        found += want != NAME_OTHER;
        assert_int_equal(name_find(token), want);
    }
    assert_true(found > 1000);
}

static void test_facts(void **state)
{
    (void)state;
    assert_true(name_is_hop_by_hop(NAME_CONNECTION));
    assert_true(name_is_hop_by_hop(NAME_HTTP2_SETTINGS));
    assert_false(name_is_hop_by_hop(NAME_HOST));
    assert_false(name_is_hop_by_hop(NAME_OTHER));
    assert_true(name_is_protected(STR("Content-length")));
    assert_true(name_is_protected(STR("X-forwarded-Prefix")));
    assert_false(name_is_protected(STR("X-Own")));
    assert_false(name_is_protected(STR("Accept")));
}

static void test_trailers(void **state)
{
    static const char *const allowed[] = {"ETag", "Digest", "content-digest",
                                          "Grpc-Status", "Server-Timing"};
    static const char *const refused[] = {"Content-Length",
                                          "Transfer-Encoding",
                                          "Host",
                                          "Authorization",
                                          "Connection",
                                          "Cookie",
                                          "Set-Cookie",
                                          "Trailer",
                                          "Content-Encoding",
                                          "Content-Type",
                                          "Expect",
                                          "X-Request-Id",
                                          "X-Forwarded-For",
                                          "X-Real-IP",
                                          "X-",
                                          "X-Checksum",
                                          "Age",
                                          "Grpc",
                                          "Date"};

    (void)state;
    for (unsigned i = 0; i < array_len(allowed); i++)
        assert_true(trailer_is_allowed(str_of(allowed[i])));
    for (unsigned i = 0; i < array_len(refused); i++)
        assert_false(trailer_is_allowed(str_of(refused[i])));
}

static void test_methods(void **state)
{
    (void)state;
    for (unsigned i = HTTP_GET; i <= HTTP_PATCH; i++)
        assert_int_equal(method_find(method_text((enum http_method)i)), i);
    assert_int_equal(method_find(STR("get")), HTTP_METHOD_OTHER);
    assert_int_equal(method_find(STR("")), HTTP_METHOD_OTHER);
    assert_str(method_text(HTTP_METHOD_OTHER), "");
    assert_true(method_is_idempotent(HTTP_DELETE));
    assert_false(method_is_idempotent(HTTP_POST));
    assert_false(method_is_idempotent(HTTP_METHOD_OTHER));
}

static void test_reasons(void **state)
{
    (void)state;
    assert_str(status_reason(404), "Not Found");
    assert_str(status_reason(299), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_name),    cmocka_unit_test(test_lookalikes),
        cmocka_unit_test(test_random_tokens), cmocka_unit_test(test_facts),
        cmocka_unit_test(test_trailers),      cmocka_unit_test(test_methods),
        cmocka_unit_test(test_reasons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

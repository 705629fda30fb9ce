/* Templates: what they say, what they refuse, and that nothing gets out of a line. */
#include "lb/template.c"

#include "lb/test_request.h"

#include "base/rand.h"

static struct arena arena;
static struct test_request request;
static struct template_facts facts;

static int setup(void **state)
{
    arena_init(&arena, 0);
    request_init(&request, "GET", "shop.example.com", "/a%20b/c");
    request.facts.query = STR("x=1&y=%0d2");
    request_set_client(&request, "192.0.2.7");
    request.client.port = 5555;
    facts = (struct template_facts){
        .request = &request.facts,
        .client = &request.client,
        .peer = &request.client,
        .scheme = STR("http"),
        .listener = STR("web"),
        .route = STR("shop"),
        .pool = STR("app"),
        .server = STR("app1"),
        .server_ip = STR("10.0.0.1"),
        .request_id = STR("abc123"),
    };
    return 0;
}

static int teardown(void **state)
{
    request_close(&request);
    arena_reset(&arena);
    return 0;
}

static str render(const char *source, enum template_use use)
{
    struct template_error error;
    const struct template *tmpl = template_compile(&arena, str_of(source), use, &error);
    struct text text = text_in(arena_alloc(&arena, 1024), 1024);

    if (!tmpl)
        fail_msg("%s: %s", source, error.reason);
    template_render(tmpl, &facts, &text);
    assert_false(text.overflow);
    return text_str(&text);
}

static void assert_renders(const char *source, enum template_use use,
                           const char *expected)
{
    str seen = render(source, use);

    if (!str_eq(seen, str_of(expected)))
        fail_msg("%s: '" STR_FMT "', expected '%s'", source, STR_ARG(seen), expected);
}

static void test_facts(void **state)
{
    request_add(&request, "X-Tier", "gold");
    request_add(&request, "Cookie", "sid=77");
    assert_renders("https://shop.example.com{path}", TEMPLATE_URL,
                   "https://shop.example.com/a%20b/c");
    assert_renders("{scheme}://{host}{path}?{query}", TEMPLATE_URL,
                   "http://shop.example.com/a%20b/c?x=1&y=%0d2");
    assert_renders("{uri}", TEMPLATE_URL, "/a%20b/c?x=1&y=%0d2");
    assert_renders("{client.ip} {client.port} {peer.ip}", TEMPLATE_REQUEST,
                   "192.0.2.7 5555 192.0.2.7");
    assert_renders("{listener}/{route}/{pool}/{server}/{server.ip}", TEMPLATE_REQUEST,
                   "web/shop/app/app1/10.0.0.1");
    assert_renders("{req.method} {req.scheme} {req.host}", TEMPLATE_REQUEST,
                   "GET http shop.example.com");
    assert_renders("{req.header.x-tier};{req.cookie.sid};{req.query.x};{request.id}",
                   TEMPLATE_REQUEST, "gold;77;1;abc123");
    assert_renders("[{req.header.none}{req.cookie.none}{req.query.none}]",
                   TEMPLATE_REQUEST, "[]");
    request.facts.query = STR_NONE;
    assert_renders("{uri}", TEMPLATE_URL, "/a%20b/c");
    request.facts.query = STR("");
    assert_renders("{uri}", TEMPLATE_URL, "/a%20b/c?");
}

static void test_response_facts(void **state)
{
    struct field field = {.name = STR("ETag"), .value = STR("\"1\"")};
    struct head response = {.status = 404, .fields = &field, .field_count = 1};

    facts.response = &response;
    assert_renders("{res.status} {res.header.etag}", TEMPLATE_RESPONSE, "404 \"1\"");
    facts = (struct template_facts){0}; /* nothing known is nothing said */
    assert_renders("<{res.status}{res.header.etag}{path}{client.ip}{pool}{uri}>",
                   TEMPLATE_RESPONSE, "<>");
}

static void test_every_fact_compiles(void **state)
{
    char source[64];

    for (unsigned i = 0; template_fact_name(i); i++) {
        struct template_error error;
        struct text text = text_in(source, sizeof source);
        str name = str_of(template_fact_name(i));

        text_format(&text, "{" STR_FMT "%s}", STR_ARG(name),
                    str_ends(name, STR(".")) ? "x" : "");
        assert_non_null(
            template_compile(&arena, text_str(&text), TEMPLATE_RESPONSE, &error));
        if (str_starts(name, STR("res.")))
            assert_null(
                template_compile(&arena, text_str(&text), TEMPLATE_REQUEST, &error));
    }
}

static void test_braces(void **state)
{
    assert_renders("{{\"a\": {{}}, {route}}}", TEMPLATE_REQUEST, "{\"a\": {}, shop}");
    assert_renders("", TEMPLATE_REQUEST, "");
    assert_renders("{{", TEMPLATE_REQUEST, "{");
}

static void test_mistakes_have_a_place(void **state)
{
    static const struct {
        const char *source;
        size_t at;
        const char *piece;
    } cases[] = {
        {"a{paht}", 2, "paht"},
        {"{path}{", 6, "{"},
        {"a}b", 1, "}"},
        {"{}", 1, ""},
        {"{req.header.}", 1, "req.header."},
        {"{res.status}", 1, "res.status"},
        {"{path", 0, "{path"},
        {"x{{{route", 3, "{route"},
        {"{ path}", 1, " path"},
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        struct template_error error;

        assert_null(
            template_compile(&arena, str_of(cases[i].source), TEMPLATE_REQUEST, &error));
        assert_int_equal(error.at, cases[i].at);
        assert_true(str_eq(error.piece, str_of(cases[i].piece)));
        assert_true(strlen(error.reason) > 5);
    }
}

static void test_control_characters_are_refused_in_the_source(void **state)
{
    struct template_error error;

    assert_null(template_compile(&arena, STR("a\r\nb"), TEMPLATE_REQUEST, &error));
    assert_null(template_compile(&arena, ((str){"a\0b", 3}), TEMPLATE_URL, &error));
}

static void test_values_cannot_break_the_line(void **state)
{
    request_add(&request, "X-Evil", "a\r\nSet-Cookie: x=1\tb\x7f \xc3\xbc\"");
    assert_renders("{req.header.x-evil}", TEMPLATE_REQUEST,
                   "a%0D%0ASet-Cookie: x=1\tb%7F \xc3\xbc\"");
    assert_renders("/{req.header.x-evil}", TEMPLATE_URL,
                   "/a%0D%0ASet-Cookie:%20x=1%09b%7F%20%C3%BC%22");
}

/* Any bytes as any value: what comes out is one line, and of a URL only its letters. */
static void test_random_values(void **state)
{
    struct rand rand;
    char bytes[32];

    rand_seed(&rand, 31);
    for (int run = 0; run < 5000; run++) {
        size_t n = (size_t)rand_below(&rand, sizeof bytes + 1);
        bool is_url = run % 2;
        str out;

        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)rand_u64(&rand);
        request.facts.path = request.facts.query = request.facts.host = (str){bytes, n};
        facts.server = facts.request_id = (str){bytes, n};
        out = render("{host}{uri}{query}{path}{server}{request.id}",
                     is_url ? TEMPLATE_URL : TEMPLATE_RESPONSE);
        for (size_t i = 0; i < out.n; i++) {
            unsigned char c = (unsigned char)out.p[i];

            assert_true(c == '\t' || c >= 0x20);
            assert_true(c != 0x7f);
            assert_false(is_url && (c <= ' ' || c > '~' || c == '"' || c == '\\'));
        }
        arena_reset(&arena);
    }
}

static void test_fixed(void **state)
{
    struct template_error error;

    assert_true(str_eq(
        template_fixed(template_compile(&arena, STR("no{{ne"), TEMPLATE_REQUEST, &error)),
        STR("no{ne")));
    assert_null(
        template_fixed(template_compile(&arena, STR("{path}"), TEMPLATE_REQUEST, &error))
            .p);
    assert_non_null(
        template_fixed(template_compile(&arena, STR(""), TEMPLATE_REQUEST, &error)).p);
}

static void test_too_long_is_said(void **state)
{
    struct template_error error;
    const struct template *tmpl =
        template_compile(&arena, STR("{path}{path}"), TEMPLATE_URL, &error);
    char memory[10];
    struct text text = text_in(memory, sizeof memory);

    template_render(tmpl, &facts, &text);
    assert_true(text.overflow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_facts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_response_facts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_fact_compiles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_braces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mistakes_have_a_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_control_characters_are_refused_in_the_source,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_values_cannot_break_the_line, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_random_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fixed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_long_is_said, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

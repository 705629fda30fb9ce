/*
 * Bodies by table, each whole, byte by byte and cut in two at every place; the bounds;
 * and random bodies written and read again.
 */
#include "chunked.c"

#include "proto/test_help.h"

enum { ROOM = 4096 };

struct outcome {
    enum chunked_verdict verdict;
    const char *why;
    size_t consumed;
    size_t n;
    char data[ROOM];
    char trailer_memory[256];
    struct chunked chunked;
};

static enum chunked_verdict feed(struct outcome *o, str bytes)
{
    str in = exact(bytes), rest = in, data;

    while ((o->verdict = chunked_read(&o->chunked, &rest, &data)) == CHUNKED_DATA) {
        assert_true(data.n > 0 && o->n + data.n <= sizeof o->data);
        assert_true(data.p >= in.p && data.p + data.n <= in.p + in.n);
        memcpy(o->data + o->n, data.p, data.n);
        o->n += data.n;
    }
    o->consumed += in.n - rest.n;
    o->why = o->chunked.why;
    exact_free(in);
    return o->verdict;
}

static void read_cut(struct outcome *o, str all, size_t first, size_t step)
{
    *o = (struct outcome){0};
    chunked_init(&o->chunked, o->trailer_memory, sizeof o->trailer_memory);
    if (feed(o, str_upto(all, first)) != CHUNKED_MORE)
        return;
    for (size_t at = first; at < all.n; at += step)
        if (feed(o, str_upto(str_from(all, at), step)) != CHUNKED_MORE)
            return;
}

static void same_outcome(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->verdict, b->verdict);
    assert_ptr_equal(a->why, b->why);
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->data, b->data, a->n);
    if (a->verdict != CHUNKED_BAD)
        assert_int_equal(a->consumed, b->consumed);
    assert_true(str_eq(text_str(&a->chunked.trailers), text_str(&b->chunked.trailers)) ||
                a->verdict == CHUNKED_BAD);
}

static void read_all(struct outcome *o, str all)
{
    static struct outcome cut;

    read_cut(o, all, all.n, 1);
    read_cut(&cut, all, 1, 1);
    same_outcome(o, &cut);
    for (size_t first = 0; first < all.n; first++) {
        read_cut(&cut, all, first, all.n);
        same_outcome(o, &cut);
    }
}

#define S(literal)                   \
    {                                \
        literal, sizeof(literal) - 1 \
    }
#define D CHUNKED_DONE
#define B CHUNKED_BAD
#define M CHUNKED_MORE

static const struct {
    str bytes;
    enum chunked_verdict verdict;
    const char *data;
    size_t left; /* bytes that belong to the next message */
} rows[] = {
    {S("5\r\nhello\r\n0\r\n\r\n"), D, "hello", 0},
    {S("5\r\nhello\r\n0\r\n\r\nGET"), D, "hello", 3},
    {S("0\r\n\r\n"), D, "", 0},
    {S("000\r\n\r\n"), D, "", 0},
    {S("0000000000000005\r\nhello\r\n0\r\n\r\n"), D, "hello", 0},
    {S("00000000000000005\r\nhello\r\n0\r\n\r\n"), B, "", 0},
    {S("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), D, "01234567890123456789", 0},
    {S("5;a=b\r\nhello\r\n0\r\n\r\n"), D, "hello", 0},
    {S("5;a;b=c;d=\"e\\\"; f\t\x80\"\r\nhello\r\n0;x\r\n\r\n"), D, "hello", 0},
    {S("5"), M, "", 0},
    {S("5\r\nhel"), M, "hel", 0},
    {S("5\r\nhello\r\n0\r\n"), M, "hello", 0},
    {S("5\r\nhello\r\n0\r\n\r"), M, "hello", 0},
    {S("0x5\r\nhello"), B, "", 0},
    {S("-5\r\nhello"), B, "", 0},
    {S("+5\r\nhello"), B, "", 0},
    {S(" 5\r\nhello"), B, "", 0},
    {S("5 \r\nhello"), B, "", 0},
    {S("\r\nhello"), B, "", 0},
    {S("g\r\n"), B, "", 0},
    {S("5 ;a\r\nhello"), B, "", 0},
    {S("5;\r\nhello"), B, "", 0},
    {S("5; a\r\nhello"), B, "", 0},
    {S("5;a \r\nhello"), B, "", 0},
    {S("5;a=\r\nhello"), B, "", 0},
    {S("5;a=b c\r\nhello"), B, "", 0},
    {S("5;a=\"b\r\nhello"), B, "", 0},
    {S("5;a=\"b\"c\r\nhello"), B, "", 0},
    {S("5;a=\"\\\x01\"\r\nhello"), B, "", 0},
    {S("5;a\rb\r\nhello"), B, "", 0},
    {S("5;a\nb\r\nhello"), B, "", 0},
    {S("5;\nhello"), B, "", 0},
    {S("5;a\0b\r\nhello"), B, "", 0},
    {S("5\nhello\r\n0\r\n\r\n"), B, "", 0},
    {S("5\r\rhello"), B, "", 0},
    {S("5\r\nhello\n0\r\n\r\n"), B, "hello", 0},
    {S("5\r\nhello\r0\r\n\r\n"), B, "hello", 0},
    {S("5\r\nhello0\r\n\r\n"), B, "hello", 0},
    {S("3\r\nhello\r\n0\r\n\r\n"), B, "hel", 0},
    {S("6\r\nhello\r\n0\r\n\r\n"), B, "hello\r", 0},
    {S("5\r\nhello\r\n\r\n"), B, "hello", 0},
    {S("5\r\nhello\r\n0\n\r\n"), B, "hello", 0},
    {S("5\r\nhello\r\n0\r\n\n"), B, "hello", 0},
    {S("7fffffffffffffff\r\nx"), M, "x", 0},
    {S("8000000000000000\r\n"), B, "", 0},
    {S("ffffffffffffffff\r\n"), B, "", 0},
    {S("10000000000000005\r\n"), B, "", 0},
    {S("0\r\nX: y\r\n\r\n"), D, "", 0},
    {S("0\r\nX:\r\nYy:\tz\r\n\r\nG"), D, "", 1},
    {S("0\r\nX : y\r\n\r\n"), B, "", 0},
    {S("0\r\nnothing\r\n\r\n"), B, "", 0},
    {S("0\r\n: y\r\n\r\n"), B, "", 0},
    {S("0\r\n X: y\r\n\r\n"), B, "", 0},
    {S("0\r\nX: y\r\n z\r\n\r\n"), B, "", 0},
    {S("0\r\nX: a\rb\r\n\r\n"), B, "", 0},
    {S("0\r\nX: a\nb\r\n\r\n"), B, "", 0},
    {S("0\r\nX: a\0\r\n\r\n"), B, "", 0},
    {S("0\r\nX: a\x7f\r\n\r\n"), B, "", 0},
    {S("0\r\nX\0: a\r\n\r\n"), B, "", 0},
};

static void test_table(void **state)
{
    static struct outcome o;

    (void)state;
    for (unsigned i = 0; i < array_len(rows); i++) {
        read_all(&o, rows[i].bytes);
        if (o.verdict != rows[i].verdict)
            print_error("row %u \"" STR_FMT "\": %s\n", i, STR_ARG(rows[i].bytes),
                        o.why ? o.why : "-");
        assert_int_equal(o.verdict, rows[i].verdict);
        assert_str(str_slice(o.data, o.data + o.n), rows[i].data);
        assert_true((o.why != NULL) == (o.verdict == CHUNKED_BAD));
        if (o.verdict == CHUNKED_DONE)
            assert_int_equal(rows[i].bytes.n - o.consumed, rows[i].left);
    }
}

static void test_trailers(void **state)
{
    static struct outcome o;
    struct field field;
    str rest;

    (void)state;
    read_all(&o,
             STR("0\r\nHost: x\r\nETag:  a \r\nContent-Length: 5\r\nX-Sum:b\r\n"
                 "X-Forwarded-For: c\r\nServer-Timing:\r\nCookie: d\r\n\r\nEtag: z\r\n"));
    assert_int_equal(o.verdict, CHUNKED_DONE);
    rest = text_str(&o.chunked.trailers);
    assert_true(trailer_next(&rest, &field));
    assert_str(field.name, "ETag");
    assert_str(field.value, "a");
    assert_true(trailer_next(&rest, &field));
    assert_str(field.name, "Server-Timing");
    assert_str(field.value, "");
    assert_false(trailer_next(&rest, &field));
    assert_false(trailer_next(&rest, &field));
    rest = STR_NONE;
    assert_false(trailer_next(&rest, &field));
}

/* `many` times `piece`, between two texts, without room for trailers. */
static enum chunked_verdict repeat(const char *first, const char *piece, size_t many,
                                   const char *last, size_t trailer_room)
{
    static char memory[CHUNKED_TRAILERS_MOST * 2];
    struct chunked chunked;
    enum chunked_verdict verdict = CHUNKED_MORE;

    chunked_init(&chunked, trailer_room ? memory : NULL, trailer_room);
    for (size_t i = 0; i < many + 2 && verdict == CHUNKED_MORE; i++) {
        str in = str_of(i == 0 ? first : i <= many ? piece : last), data;

        do
            verdict = chunked_read(&chunked, &in, &data);
        while (verdict == CHUNKED_DATA);
    }
    return verdict;
}

static void test_bounds(void **state)
{
    const size_t extensions = CHUNKED_EXTENSIONS_MOST, trailers = CHUNKED_TRAILERS_MOST;
    const char *end = "\r\nx\r\n0\r\n\r\n";

    (void)state;
    /* the line's CR counts as well: it is what ends the extension */
    assert_int_equal(repeat("1;", "a", extensions - 1, end, 0), CHUNKED_DONE);
    assert_int_equal(repeat("1;", "a", extensions, end, 0), CHUNKED_BAD);
    assert_int_equal(repeat("", "1;abc\r\nx\r\n", extensions / 4, "0\r\n\r\n", 0),
                     CHUNKED_DONE);
    assert_int_equal(repeat("", "1;abc\r\nx\r\n", extensions / 4 + 1, "0\r\n\r\n", 0),
                     CHUNKED_BAD);
    assert_int_equal(repeat("0\r\n", "X:12\r\n", (trailers - 2) / 6, "\r\n", 0),
                     CHUNKED_DONE);
    assert_int_equal(repeat("0\r\n", "X:12\r\n", (trailers - 2) / 6 + 1, "\r\n", 0),
                     CHUNKED_BAD);
    assert_int_equal(repeat("0\r\nX:", "a", 24, "\r\n\r\n", 30), CHUNKED_DONE);
    assert_int_equal(repeat("0\r\nX:", "a", 25, "\r\n\r\n", 30), CHUNKED_BAD);
    assert_int_equal(repeat("", "1\r\nx\r\n", 100000, "0\r\n\r\n", 0), CHUNKED_DONE);
}

static void test_skip(void **state)
{
    static struct outcome o;

    (void)state;
    o = (struct outcome){0};
    chunked_init(&o.chunked, NULL, 0);
    feed(&o, STR("ff\r\nab"));
    assert_int_equal(o.chunked.left, 253);
    chunked_skip(&o.chunked, 250);
    chunked_skip(&o.chunked, 3);
    assert_int_equal(feed(&o, STR("\r\n0\r\n\r\n")), CHUNKED_DONE);
    assert_str(str_slice(o.data, o.data + o.n), "ab");
}

/* Payload in random chunks, read in random pieces. */
static void test_round_trip(void **state)
{
    static struct outcome o;
    static char payload[2000], wire[60000];
    struct rand rand;

    (void)state;
    rand_seed(&rand, 3);
    for (unsigned round = 0; round < 200; round++) {
        struct text out = text_in(wire, sizeof wire);
        size_t n = rand_below(&rand, sizeof payload);

        for (size_t i = 0; i < n; i++)
            payload[i] = (char)rand_u64(&rand);
        for (size_t at = 0; at < n;) {
            size_t piece = 1 + rand_below(&rand, rand_below(&rand, 2) ? 5 : 500);

            piece = piece < n - at ? piece : n - at;
            text_hex(&out, piece, (unsigned)rand_below(&rand, 5));
            text_add(&out, rand_below(&rand, 2) ? STR(";q=\"1\"\r\n") : STR("\r\n"));
            text_add(&out, (str){payload + at, piece});
            text_add(&out, STR("\r\n"));
            at += piece;
        }
        text_add(&out, STR("0\r\n\r\n"));
        assert_false(out.overflow);
        read_cut(&o, text_str(&out), rand_below(&rand, out.n), 1 + rand_below(&rand, 99));
        assert_int_equal(o.verdict, CHUNKED_DONE);
        assert_int_equal(o.n, n);
        assert_memory_equal(o.data, payload, n);
        assert_int_equal(o.consumed, out.n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),      cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_bounds),     cmocka_unit_test(test_skip),
        cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What a jar keeps is what opening says, and nothing else gets in. Whether a place was
 * used is seen by spoiling it: a hit tells the spoilt token, an opening the true one.
 */
#include "proxy/cookie_jar.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct seal_ring *ring;
static struct cookie_jar *jar;
static char texts[4][COOKIE_TEXT];

static const struct sticky_token token = {
    .server = 11, .pool = 22, .issued = 33, .seen = 44};

static str sealed(unsigned which, const struct seal_ring *with)
{
    struct text text = text_in(texts[which], COOKIE_TEXT);

    assert_int_equal(cookie_jar_seal(jar, with, &token, &text), ERR_OK);
    assert_false(text.overflow);
    assert_int_equal(text.n, COOKIE_TEXT);
    return text_str(&text);
}

static unsigned kept(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < COOKIE_JAR_PLACES; i++)
        count += jar->places[i].state != 0;
    return count;
}

static void assert_says(const struct opened_cookie *cookie, uint64_t server)
{
    assert_non_null(cookie);
    assert_int_equal(cookie->token.server, server);
    assert_int_equal(cookie->token.pool, token.pool);
    assert_int_equal(cookie->token.issued, token.issued);
    assert_int_equal(cookie->token.seen, token.seen);
}

static struct opened_cookie *place_of(str text)
{
    return &jar->places[siphash13(jar->secret, text) % COOKIE_JAR_PLACES];
}

static int begin(void **state)
{
    (void)state;
    ring = calloc(1, sizeof *ring);
    assert_non_null(ring);
    seal_ring_add_secret(ring, STR("one"));
    jar = cookie_jar_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    cookie_jar_free(jar);
    free(ring);
    return 0;
}

static void test_hit(void **state)
{
    str text = sealed(0, ring);

    (void)state;
    assert_int_equal(kept(), 0); /* what was only sealed may never come back */
    assert_says(cookie_jar_open(jar, ring, text), 11);
    assert_int_equal(kept(), 1);
    assert_says(cookie_jar_open(jar, ring, text), 11);
    place_of(text)->token.server = 99;
    assert_says(cookie_jar_open(jar, ring, text), 99); /* it was not opened again */
    assert_false(cookie_jar_open(jar, ring, text)->is_old);
}

/* Another text at the same place, even with the same hash, is not that cookie. */
static void test_same_place(void **state)
{
    str one = sealed(0, ring), two = sealed(1, ring);
    struct opened_cookie *place;

    (void)state;
    assert_says(cookie_jar_open(jar, ring, one), 11);
    *(place = place_of(two)) = *place_of(one);
    place->hash = siphash13(jar->secret, two);
    place->token.server = 99;
    assert_says(cookie_jar_open(jar, ring, two), 11);
    assert_memory_equal(place->text, two.p, COOKIE_TEXT); /* and has taken the place */
    place->token.server = 99;
    assert_says(cookie_jar_open(jar, ring, two), 99);
    texts[1][3] = texts[1][3] == 'A' ? 'B' : 'A'; /* neither open nor kept */
    *place_of(two) = *place;
    place_of(two)->hash = siphash13(jar->secret, two);
    assert_null(cookie_jar_open(jar, ring, two));
}

/* What does not open leaves the jar as it was, whoever has the place. */
static void test_forged(void **state)
{
    static struct opened_cookie before[COOKIE_JAR_PLACES];
    str good = sealed(0, ring);
    struct rand rand;

    (void)state;
    assert_says(cookie_jar_open(jar, ring, good), 11);
    memcpy(before, jar->places, sizeof before);
    rand_seed(&rand, 1);
    for (unsigned i = 0; i < 20000; i++) {
        char *forged = texts[1];

        memcpy(forged, good.p, COOKIE_TEXT);
        forged[rand_below(&rand, COOKIE_TEXT)] ^= (char)(1 + rand_below(&rand, 255));
        assert_null(cookie_jar_open(jar, ring, (str){forged, COOKIE_TEXT}));
    }
    for (size_t n = 0; n < COOKIE_TEXT; n++)
        assert_null(cookie_jar_open(jar, ring, str_upto(good, n)));
    assert_memory_equal(before, jar->places, sizeof before);
}

static void test_keys(void **state)
{
    struct seal_ring *other = calloc(1, sizeof *other);
    str text = sealed(0, ring);

    (void)state;
    assert_non_null(other);
    assert_says(cookie_jar_open(jar, ring, text), 11);
    place_of(text)->token.server = 99;
    seal_ring_add_secret(ring, STR("two"));
    assert_says(cookie_jar_open(jar, ring, text), 11); /* opened again */
    assert_true(cookie_jar_open(jar, ring, text)->is_old);
    seal_ring_add_secret(other, STR("three")); /* as after a reload: the key is gone */
    assert_null(cookie_jar_open(jar, other, text));
    assert_says(cookie_jar_open(jar, ring, text), 11);
    seal_ring_add_secret(other, STR("one")); /* the same secret, but a ring of its own */
    place_of(text)->token.server = 99;
    assert_says(cookie_jar_open(jar, other, text), 11);
    memset(ring, 0, sizeof *ring); /* the memory of a ring that is gone, used anew */
    place_of(text)->token.server = 99;
    seal_ring_add_secret(ring, STR("four"));
    assert_null(cookie_jar_open(jar, ring, text));
    free(other);
}

/* Far more cookies than places: each opens as it should, and the jar does not grow. */
static void test_many(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3 * COOKIE_JAR_PLACES; i++) {
        str text = sealed(i % 4, ring);

        assert_says(cookie_jar_open(jar, ring, text), 11);
        assert_says(cookie_jar_open(jar, ring, text), 11);
    }
    assert_in_range(kept(), COOKIE_JAR_PLACES / 2, COOKIE_JAR_PLACES);
}

/* Where a cookie lies is another matter in each jar. */
static void test_secret(void **state)
{
    struct cookie_jar *other = cookie_jar_new();

    (void)state;
    assert_memory_not_equal(jar->secret, other->secret, sizeof jar->secret);
    cookie_jar_free(other);
    cookie_jar_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hit, begin, end),
        cmocka_unit_test_setup_teardown(test_same_place, begin, end),
        cmocka_unit_test_setup_teardown(test_forged, begin, end),
        cmocka_unit_test_setup_teardown(test_keys, begin, end),
        cmocka_unit_test_setup_teardown(test_many, begin, end),
        cmocka_unit_test_setup_teardown(test_secret, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

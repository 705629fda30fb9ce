/* Alignment, no overlap, blocks, lent memory, reset; and printing into it. */
#include "base/arena.c"

#include "base/rand.h"

#include <setjmp.h>
#include <cmocka.h>

enum { PIECES = 2000 };

struct piece {
    unsigned char *p;
    size_t n;
};

/* Many allocations of all sizes: aligned, and none writes into another. */
static void fill_and_look(struct arena *arena, struct rand *rand, size_t most)
{
    static struct piece pieces[PIECES];

    for (size_t i = 0; i < PIECES; i++) {
        struct piece *piece = &pieces[i];

        piece->n = rand_below(rand, most);
        piece->p = arena_alloc(arena, piece->n);
        assert_non_null(piece->p);
        assert_int_equal((uintptr_t)piece->p & 15, 0);
        memset(piece->p, (int)(i & 255), piece->n);
    }
    for (size_t i = 0; i < PIECES; i++)
        for (size_t j = 0; j < pieces[i].n; j++)
            assert_int_equal(pieces[i].p[j], i & 255);
}

static void test_pieces_do_not_overlap(void **state)
{
    static const size_t blocks[] = {0, 16, 100, 1000, 65536};
    struct rand rand;

    rand_seed(&rand, 1);
    for (size_t i = 0; i < array_len(blocks); i++) {
        struct arena arena;

        arena_init(&arena, blocks[i]);
        fill_and_look(&arena, &rand, 50);
        fill_and_look(&arena, &rand, 5000);
        arena_reset(&arena);
        fill_and_look(&arena, &rand, 300);
        arena_reset(&arena);
    }
}

static void test_lent_memory_comes_first(void **state)
{
    _Alignas(16) char lent[105];
    struct arena arena;
    char *a, *b, *c;

    arena_init_in(&arena, lent, sizeof lent, 256);
    a = arena_alloc(&arena, 1);
    b = arena_alloc(&arena, 80);
    assert_ptr_equal(a, lent);
    assert_ptr_equal(b, lent + 16);
    assert_int_equal(arena.total, 0);
    c = arena_alloc(&arena, 1); /* nine bytes are left, and 16 would be needed */
    assert_true(c < lent || c >= lent + sizeof lent);
    assert_int_equal(arena.total, 256);
    arena_reset(&arena);
    assert_int_equal(arena.total, 0);
    assert_ptr_equal(arena_alloc(&arena, 1), lent);
    arena_reset(&arena);
}

/* A large piece gets its own block, and the current one goes on being used. */
static void test_large_piece_wastes_nothing(void **state)
{
    struct arena arena;
    char *before, *after;

    arena_init(&arena, 4096);
    before = arena_alloc(&arena, 16);
    memset(arena_alloc(&arena, 100000), 1, 100000);
    after = arena_alloc(&arena, 16);
    assert_ptr_equal(after, before + 16);
    assert_int_equal(arena.total, 4096 + 100000);
    arena_reset(&arena);
}

static void test_nothing_is_still_a_place(void **state)
{
    struct arena arena;
    char *a, *b;

    arena_init(&arena, 0);
    a = arena_alloc(&arena, 0);
    b = arena_alloc(&arena, 0);
    assert_non_null(a);
    assert_ptr_not_equal(a, b);
    assert_non_null(ARENA_ARRAY(&arena, int, 0));
    arena_reset(&arena);
}

static void test_zalloc_clears(void **state)
{
    _Alignas(16) char lent[64];
    struct arena arena;
    char zeros[48] = {0};

    memset(lent, 0xff, sizeof lent);
    arena_init_in(&arena, lent, sizeof lent, 0);
    assert_memory_equal(arena_zalloc(&arena, sizeof zeros), zeros, sizeof zeros);
    arena_reset(&arena);
}

static void test_copy_and_printf(void **state)
{
    struct arena arena;
    char source[] = "a\0b";
    str copy, text;

    arena_init(&arena, 0);
    copy = arena_copy(&arena, (str){source, 3});
    source[0] = 'x';
    assert_int_equal(copy.n, 3);
    assert_memory_equal(copy.p, "a\0b", 4);
    copy = arena_copy(&arena, STR_NONE);
    assert_int_equal(copy.n, 0);
    assert_non_null(copy.p);
    text = arena_printf(&arena, "%d " STR_FMT, 42, STR_ARG(STR("what")));
    assert_true(str_eq(text, STR("42 what")));
    assert_int_equal(text.p[text.n], '\0');
    text = arena_printf(&arena, "%20000d", 1);
    assert_int_equal(text.n, 20000);
    assert_int_equal(text.p[19999], '1');
    arena_reset(&arena);
}

static void test_wipe(void **state)
{
    static _Alignas(16) char lent[64];
    struct arena arena;
    str secret;

    arena_init_in(&arena, lent, sizeof lent, 0);
    secret = arena_copy(&arena, STR("a secret"));
    assert_ptr_equal(secret.p, lent);
    arena_alloc(&arena, 5000); /* a block of its own */
    arena_wipe(&arena);
    for (size_t i = 0; i < sizeof lent; i++)
        assert_int_equal(lent[i], 0);
    assert_int_equal(arena.total, 0);
    assert_ptr_equal(arena_alloc(&arena, 1), lent);
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_do_not_overlap),
        cmocka_unit_test(test_lent_memory_comes_first),
        cmocka_unit_test(test_large_piece_wastes_nothing),
        cmocka_unit_test(test_nothing_is_still_a_place),
        cmocka_unit_test(test_zalloc_clears),
        cmocka_unit_test(test_copy_and_printf),
        cmocka_unit_test(test_wipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

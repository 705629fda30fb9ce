/* The table: full, exact by weight, the same in any order, little moved by a change. */
#include "lb/maglev.c"

#include "lb/test_crew.h"

struct field_of_slots {
    struct arena arena;
    struct server servers[CREW_MOST];
    uint64_t ids[CREW_MOST];
    struct tier tier;
    const struct maglev *maglev;
};

static void slots_make(struct field_of_slots *field, const unsigned *weights,
                       unsigned count)
{
    arena_init(&field->arena, 0);
    for (unsigned i = 0; i < count; i++) {
        field->servers[i] = (struct server){.weight = weights ? weights[i] : 1};
        field->ids[i] = hash_u64(i + 1);
    }
    field->tier = (struct tier){.servers = field->servers, .count = count};
    field->maglev = maglev_new(&field->arena, &field->tier, field->ids);
}

static void count_slots(const struct maglev *maglev, unsigned *counts, unsigned count)
{
    memset(counts, 0, count * sizeof *counts);
    for (uint32_t i = 0; i < maglev->size; i++) {
        assert_true(maglev->slots[i] < count);
        counts[maglev->slots[i]]++;
    }
}

static void test_sizes_are_prime(void **state)
{
    static const unsigned servers[] = {1,    655,   656,   2000,  3000,
                                       9000, 15000, 40000, 50000, 10000000};

    for (size_t i = 0; i < array_len(servers); i++) {
        uint32_t size = size_for(servers[i]);

        assert_true(size >= 65537);
        assert_true(servers[i] > 80000 || size / SLOTS_A_SERVER >= servers[i]);
        for (uint32_t d = 2; d * d <= size; d++)
            assert_int_not_equal(size % d, 0);
    }
}

static void test_shares_are_whole_slots(void **state)
{
    static struct field_of_slots field;
    static unsigned counts[CREW_MOST];

    for (unsigned count = 1; count < 900; count = count * 3 + 1) {
        slots_make(&field, NULL, count);
        count_slots(field.maglev, counts, count);
        for (unsigned i = 0; i < count; i++)
            assert_in_range(counts[i], field.maglev->size / count,
                            field.maglev->size / count + 1);
        arena_reset(&field.arena);
    }
}

static void test_shares_by_weight(void **state)
{
    static const unsigned weights[] = {3, 0, 2, 1, 1000000, 77};
    static struct field_of_slots field;
    unsigned counts[6], total = 0;

    for (unsigned i = 0; i < 6; i++)
        total += weights[i];
    slots_make(&field, weights, 6);
    count_slots(field.maglev, counts, 6);
    for (unsigned i = 0; i < 6; i++) {
        double exact = 65537.0 * weights[i] / total;

        assert_true(counts[i] >= exact - 1 && counts[i] <= exact + 1);
    }
    arena_reset(&field.arena);
}

/* Where a key goes does not depend on the place in the file. */
static void test_order_does_not_matter(void **state)
{
    static struct field_of_slots one, other;
    struct tier *tier = &other.tier;

    slots_make(&one, NULL, 50);
    slots_make(&other, NULL, 50);
    for (unsigned i = 0; i < 50; i++)
        other.ids[i] = one.ids[49 - i];
    other.maglev = maglev_new(&other.arena, tier, other.ids);
    for (uint32_t i = 0; i < one.maglev->size; i++)
        assert_int_equal(one.maglev->slots[i], 49 - other.maglev->slots[i]);
    arena_reset(&one.arena);
    arena_reset(&other.arena);
}

/* The newcomer's slots, and besides them fewer than 1 in 50 of all. */
static void test_few_slots_move(void **state)
{
    static const unsigned counts[] = {2, 5, 10, 100, 600};
    static struct field_of_slots before, after;

    for (size_t i = 0; i < array_len(counts); i++) {
        unsigned moved = 0;

        slots_make(&before, NULL, counts[i]);
        slots_make(&after, NULL, counts[i] + 1);
        for (uint32_t slot = 0; slot < before.maglev->size; slot++)
            moved += after.maglev->slots[slot] != counts[i] &&
                     after.maglev->slots[slot] != before.maglev->slots[slot];
        assert_true(moved < before.maglev->size / 50);
        arena_reset(&before.arena);
        arena_reset(&after.arena);
    }
}

static void test_find(void **state)
{
    static struct field_of_slots field;

    slots_make(&field, NULL, 3);
    assert_int_equal(maglev_find(field.maglev, 0), field.maglev->slots[0]);
    assert_int_equal(maglev_find(field.maglev, UINT64_MAX), field.maglev->slots[65536]);
    assert_int_equal(maglev_find(field.maglev, (uint64_t)1 << 63),
                     field.maglev->slots[32768]);
    arena_reset(&field.arena);
}

static void test_nobody_weighs_anything(void **state)
{
    static const unsigned weights[] = {0, 0};
    static struct field_of_slots field;

    slots_make(&field, weights, 2);
    assert_null(field.maglev);
    arena_reset(&field.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_are_prime),
        cmocka_unit_test(test_shares_are_whole_slots),
        cmocka_unit_test(test_shares_by_weight),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_few_slots_move),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_nobody_weighs_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Who stands aside: together or apart, in which order, and how many kinds there may be. */
#include "guard/aside.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = 40 };

static struct aside aside;
static struct waiter people[MOST];

/* Told apart by their addresses and by nothing else. */
static const struct server_live *server(unsigned i)
{
    static char places[MOST];

    return (const struct server_live *)(const void *)&places[i];
}

static struct aside_kind kind_of(enum queue_rank rank, unsigned one, unsigned other)
{
    return (struct aside_kind){
        .rank = rank, .tried_count = 2, .tried = {server(one), server(other)}};
}

static void come(unsigned who, struct aside_kind kind)
{
    people[who].rank = (uint8_t)kind.rank;
    list_init(&people[who].by_age);
    assert_true(aside_has_room(&aside, &kind));
    aside_join(&aside, &people[who], &kind);
}

static unsigned groups(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < ASIDE_GROUPS; i++)
        count += aside_oldest(&aside, i) != NULL;
    return count;
}

static void test_the_same_servers_stand_together(void **state)
{
    (void)state;
    aside_init(&aside);
    come(0, kind_of(RANK_NORMAL, 1, 2));
    come(1, kind_of(RANK_NORMAL, 2, 1));
    assert_int_equal(groups(), 1);
    assert_ptr_equal(aside_oldest(&aside, 0), &people[0]);
    come(2, kind_of(RANK_NORMAL, 1, 3));
    come(3, kind_of(RANK_NORMAL, 1, 1)); /* fewer than the others */
    come(4, kind_of(RANK_LOW, 1, 2));
    assert_int_equal(groups(), 4);
    aside_leave(&aside, &people[0]);
    assert_ptr_equal(aside_oldest(&aside, 0), &people[1]);
    aside_leave(&aside, &people[1]);
    assert_int_equal(groups(), 3);
}

static void test_classes(void **state)
{
    (void)state;
    aside_init(&aside);
    assert_int_equal(aside_first_class(&aside), RANK_COUNT);
    come(0, kind_of(RANK_LOW, 1, 2));
    assert_int_equal(aside_first_class(&aside), RANK_LOW);
    come(1, kind_of(RANK_CRITICAL, 1, 2));
    assert_int_equal(aside_first_class(&aside), RANK_CRITICAL);
    aside_leave(&aside, &people[1]);
    assert_int_equal(aside_first_class(&aside), RANK_LOW);
    aside_leave(&aside, &people[0]);
    assert_int_equal(aside_first_class(&aside), RANK_COUNT);
}

static void must_be_common(unsigned count, unsigned one, unsigned other)
{
    const struct server_live *common[TRIED_MOST];

    assert_int_equal(aside_common(&aside, common), count);
    assert_true(count < 1 || common[0] == server(one));
    assert_true(count < 2 || common[1] == server(other));
}

static void test_what_all_have_tried(void **state)
{
    (void)state;
    aside_init(&aside);
    must_be_common(0, 0, 0);
    come(0, kind_of(RANK_NORMAL, 1, 2));
    must_be_common(2, 1, 2);
    come(1, kind_of(RANK_LOW, 2, 1));
    must_be_common(2, 1, 2);
    come(2, kind_of(RANK_NORMAL, 3, 2));
    must_be_common(1, 2, 0);
    come(3, kind_of(RANK_NORMAL, 1, 4));
    must_be_common(0, 0, 0);
    aside_leave(&aside, &people[2]);
    must_be_common(1, 1, 0);
    aside_leave(&aside, &people[3]);
    must_be_common(2, 1, 2);
}

static void test_only_so_many_kinds(void **state)
{
    struct aside_kind late = kind_of(RANK_NORMAL, 0, ASIDE_GROUPS + 1);
    struct aside_kind known = kind_of(RANK_NORMAL, 0, 3);

    (void)state;
    aside_init(&aside);
    for (unsigned i = 0; i < ASIDE_GROUPS; i++) {
        assert_true(aside_has_room(&aside, &late));
        come(i, kind_of(RANK_NORMAL, 0, i + 1));
    }
    assert_false(aside_has_room(&aside, &late));
    assert_true(aside_has_room(&aside, &known));
    aside_leave(&aside, &people[5]);
    come(20, late);
    assert_int_equal(groups(), ASIDE_GROUPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_servers_stand_together),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_what_all_have_tried),
        cmocka_unit_test(test_only_so_many_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The list against an array that does the same slowly. */
#include "base/list.h"

#include "base/rand.h"

#include <stdarg.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

enum { NODES = 12, STEPS = 20000 };

struct thing {
    int number;
    struct list node;
};

struct model {
    int numbers[NODES];
    size_t count;
};

static void model_insert(struct model *model, size_t at, int number)
{
    memmove(model->numbers + at + 1, model->numbers + at,
            (model->count - at) * sizeof *model->numbers);
    model->numbers[at] = number;
    model->count++;
}

static void model_remove(struct model *model, int number)
{
    size_t at = 0;

    while (model->numbers[at] != number)
        at++;
    model->count--;
    memmove(model->numbers + at, model->numbers + at + 1,
            (model->count - at) * sizeof *model->numbers);
}

static void assert_same(struct list *head, const struct model *model)
{
    size_t at = 0;
    struct list *back = head->prev;

    list_each(node, head) {
        assert_true(at < model->count);
        assert_int_equal(list_entry(node, struct thing, node)->number,
                         model->numbers[at++]);
    }
    assert_int_equal(at, model->count);
    for (; back != head; back = back->prev)
        assert_int_equal(list_entry(back, struct thing, node)->number,
                         model->numbers[--at]);
    assert_int_equal(at, 0);
    assert_int_equal(list_is_empty(head), model->count == 0);
}

static void test_against_an_array(void **state)
{
    struct thing things[NODES];
    struct model model = {.count = 0};
    struct list head;
    struct rand rand;

    rand_seed(&rand, 1);
    list_init(&head);
    for (int i = 0; i < NODES; i++) {
        things[i].number = i;
        list_init(&things[i].node);
    }
    for (int step = 0; step < STEPS; step++) {
        struct thing *thing = &things[rand_below(&rand, NODES)];

        if (!list_is_empty(&thing->node)) {
            list_remove(&thing->node);
            assert_true(list_is_empty(&thing->node));
            model_remove(&model, thing->number);
        } else if (rand_below(&rand, 2)) {
            list_add(&head, &thing->node);
            model_insert(&model, model.count, thing->number);
        } else {
            list_push(&head, &thing->node);
            model_insert(&model, 0, thing->number);
        }
        if (rand_below(&rand, 8) == 0) {
            struct list *first = list_take(&head);

            assert_int_equal(first == NULL, model.count == 0);
            if (first) {
                assert_int_equal(list_entry(first, struct thing, node)->number,
                                 model.numbers[0]);
                assert_true(list_is_empty(first));
                model_remove(&model, model.numbers[0]);
            }
        }
        assert_same(&head, &model);
    }
}

static void test_each_safe_lets_the_body_unlink(void **state)
{
    struct thing things[NODES];
    struct list head;
    int seen = 0;

    list_init(&head);
    for (int i = 0; i < NODES; i++) {
        things[i].number = i;
        list_add(&head, &things[i].node);
    }
    list_each_safe(node, &head) {
        struct thing *thing = list_entry(node, struct thing, node);

        assert_int_equal(thing->number, seen++);
        list_remove(node);
        memset(thing, 0xee, sizeof *thing);
    }
    assert_int_equal(seen, NODES);
    assert_true(list_is_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_an_array),
        cmocka_unit_test(test_each_safe_lets_the_body_unlink),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Text to tree: places, styles, doubles; and what the scan of the text refuses. */
#include "yaml.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct complaints complaints;

static int begin(void **state)
{
    complaints_init(&complaints, false);
    return 0;
}

static int end(void **state)
{
    complaints_close(&complaints);
    return 0;
}

static struct node *read_text(const char *text)
{
    return tree_read(&complaints,
                     complaints_add_source(&complaints, STR("t.yaml"), str_of(text)));
}

static void assert_place(const struct node *node, unsigned line, unsigned column,
                         unsigned length)
{
    assert_int_equal(node->place.line, line);
    assert_int_equal(node->place.column, column);
    assert_int_equal(node->place.length, length);
}

static void every_node_knows_its_place(void **state)
{
    struct node *root =
        read_text("a:\n  \"b\xc3\xa4\": [x, 'y z']\n  c: |\n    text\nd:\n");
    struct node *a, *list;

    assert_non_null(root);
    assert_int_equal(root->count, 2);
    a = root->pairs[0].value;
    assert_place(root->pairs[0].key, 1, 1, 1);
    assert_place(a, 2, 3, 4); /* a block map is where its first key is */
    list = a->pairs[0].value;
    assert_place(list, 2, 9, 1);
    assert_place(list->items[0], 2, 10, 1);
    assert_place(list->items[1], 2, 13, 5);
    assert_int_equal(list->items[1]->style, STYLE_QUOTED);
    assert_int_equal(a->pairs[1].value->style, STYLE_BLOCK);
    assert_true(str_eq(a->pairs[1].value->text, STR("text\n")));
    assert_int_equal(root->pairs[1].value->kind, NODE_NONE);
}

static void parts_of_words_have_places(void **state)
{
    struct node *root =
        read_text("a: 10.0.0.1:90000\nb: \"10.0.0.1:0\"\nc: \"\\x41:9\"\n");
    struct place place = node_part(root->pairs[0].value, 9, 5);

    assert_int_equal(place.column, 13);
    assert_int_equal(place.length, 5);
    assert_int_equal(node_part(root->pairs[1].value, 9, 1).column, 14);
    /* an escape hides where the part stands: the whole word is meant */
    assert_int_equal(node_part(root->pairs[2].value, 2, 1).column, 4);
}

static void words_are_only_text(void **state)
{
    struct node *root = read_text("a: NO\nb: 010\nc: 12:30:45\nd: ~\ne: ''\n");

    assert_true(str_eq(root->pairs[0].value->text, STR("NO")));
    assert_true(str_eq(root->pairs[1].value->text, STR("010")));
    assert_true(str_eq(root->pairs[2].value->text, STR("12:30:45")));
    assert_int_equal(root->pairs[3].value->kind, NODE_WORD);
    assert_int_equal(root->pairs[4].value->kind, NODE_WORD);
}

/* libyaml counts characters: behind one of two bytes its numbers fit no byte. */
static void words_are_right_behind_any_character(void **state)
{
    struct node *root = read_text("# \xc3\xa4\xc3\xb6\na: one\nb: 'it''s'\nc: \"\\x41\"\n"
                                  "d: f\xc3\xbcr\ne: aaaa\nf: one\n  two\ng:\nh: ''");
    static const char *const words[] = {"one",  "it's",    "A", "f\xc3\xbcr",
                                        "aaaa", "one two", "",  ""};

    assert_int_equal(root->count, array_len(words));
    for (unsigned i = 0; i < root->count; i++) {
        assert_true(str_eq(root->pairs[i].value->text, str_of(words[i])));
        assert_int_equal(root->pairs[i].key->text.p[0], 'a' + (int)i);
    }
}

static void doubles_leave_the_map(void **state)
{
    struct node *root = read_text("a: 1\nb: 2\n\"a\": 3\na: 4\n");

    assert_int_equal(root->count, 2);
    assert_true(root->has_doubles);
    assert_int_equal(complaints.errors, 2);
    assert_string_equal(complaints.items.items[1]->notes.items[0].p,
                        "first given at t.yaml:1:1");
}

static void doubles_in_a_large_map_are_found(void **state)
{
    struct scroll text = {0};
    struct node *root;

    for (int i = 0; i < 500; i++)
        scroll_format(&text, "k%d: 1\n", i == 499 ? 7 : i);
    scroll_char(&text, '\0');
    root = read_text(text.p);
    assert_int_equal(root->count, 499);
    assert_int_equal(complaints.errors, 1);
    assert_int_equal(complaints.items.items[0]->place.line, 500);
    scroll_close(&text);
}

static void nothing_is_nothing(void **state)
{
    assert_int_equal(read_text("")->kind, NODE_NONE);
    assert_int_equal(read_text("# only a comment")->kind, NODE_NONE);
    assert_int_equal(read_text("---\n")->kind, NODE_NONE);
}

static void takes_yaml_as_people_write_it(void **state)
{
    static const char *const texts[] = {
        "{\"a\":1,\"b\":[1,2],\"c\":{\"d\":\"x\"}}",
        "a:\n- x\n- y\nb: z\n",
        "a: 'it''s'\nb: \"q\\\"\\u00e9\"\n",
        "- - a\n  - b\n- c: d\n  e: f\n",
        "a: one\n  two\n  three\nb: x\n",
        "a: >-\n   folded\n\n   text\nb: |2\n    more\n",
        "a: [\n  x,\n  y,   # why\n]\n",
        "a: http://x/#y\nb: c#d\n",
        "a: -1\nb: ?x\nc: :y\n",
    };

    for (size_t i = 0; i < array_len(texts); i++) {
        assert_non_null(read_text(texts[i]));
        assert_int_equal(complaints.errors, 0);
    }
}

struct wrong {
    const char *text, *code;
    unsigned line, column;
};

static void tells_what_is_no_yaml(void **state)
{
    static const struct wrong wrongs[] = {
        {"a:\n\tb: c\n", "C001", 2, 1},
        {"a: b\tc\n", "C001", 1, 5},
        {"a: |\n  x\n\ty\n", "C001", 3, 1},
        {"a:\n  b:c\n  d: e\n", "C002", 2, 3},
        {"a: {b:[c]}\n", "C002", 1, 5},
        {"a: {b c}\n", "C002", 1, 5},
        {"a: b: c\n", "C003", 1, 4},
        {"a: \"b\nc: d\n", "C003", 1, 4},
        {"a: 'b\n", "C003", 1, 4},
        {"a: \"\\q\"\n", "C003", 1, 5},
        {"a: \"b\" c\n", "C003", 1, 8},
        {"a: [b]]\n", "C003", 1, 7},
        {"a: [b,,c]\n", "C003", 1, 7},
        {"a: - b\n", "C003", 1, 4},
        {"a: @b\n", "C003", 1, 4},
        {"? a\n: b\n", "C003", 1, 1},
        {": a\n", "C003", 1, 1},
        {"a:\n  - b\n  c: d\n", "C003", 3, 3},
        {"a: b\n- c\n", "C003", 2, 1},
        {"a: [b\nc: d\n", "C004", 1, 4},
        {"a: {b: [c}\n", "C004", 1, 8},
        {"a: &b c\n", "C005", 1, 4},
        {"a: *b\n", "C005", 1, 4},
        {"a: !b c\n", "C005", 1, 4},
        {"<<: a\n", "C005", 1, 1},
        {"a: {<<: b}\n", "C005", 1, 5},
        {"%YAML 1.1\n---\na: b\n", "C005", 1, 1},
        {"a: b\n---\nc: d\n", "C006", 2, 1},
        {"a: b\n...\nc: d\n", "C006", 3, 1},
        {"a: \xff\n", "C007", 1, 4},
        {"a: \x01\n", "C007", 1, 4},
        {"a: b\rc: d\n", "C007", 1, 5},
        {"a: \xc2\x85\n", "C007", 1, 4},
        {"a:\n  b: c\n   d: e\n", "C008", 3, 1},
        {"a:\n    b: c\n  d: e\n", "C008", 3, 1},
        {"a: {b: c d: e}\n", "C009", 1, 10},
        {"a: [\"b\" \"c\"]\n", "C009", 1, 9},
    };

    for (size_t i = 0; i < array_len(wrongs); i++) {
        struct complaint *complaint;

        complaints_close(&complaints);
        complaints_init(&complaints, false);
        assert_null(read_text(wrongs[i].text));
        assert_int_equal(complaints.errors, 1);
        complaint = complaints.items.items[0];
        assert_string_equal(complaint->code, wrongs[i].code);
        assert_int_equal(complaint->place.line, wrongs[i].line);
        assert_int_equal(complaint->place.column, wrongs[i].column);
    }
}

static void a_forgotten_comma_in_a_list_spoils_the_word_alone(void **state)
{
    struct node *root = read_text("a: [x y, z]\nb: c\n");

    assert_int_equal(complaints.errors, 1);
    assert_string_equal(complaints.items.items[0]->code, "C009");
    assert_true(root->pairs[0].value->items[0]->is_bad);
    assert_false(root->pairs[0].value->items[1]->is_bad);
    assert_int_equal(root->count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_node_knows_its_place, begin, end),
        cmocka_unit_test_setup_teardown(parts_of_words_have_places, begin, end),
        cmocka_unit_test_setup_teardown(words_are_right_behind_any_character, begin, end),
        cmocka_unit_test_setup_teardown(words_are_only_text, begin, end),
        cmocka_unit_test_setup_teardown(doubles_leave_the_map, begin, end),
        cmocka_unit_test_setup_teardown(doubles_in_a_large_map_are_found, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_nothing, begin, end),
        cmocka_unit_test_setup_teardown(takes_yaml_as_people_write_it, begin, end),
        cmocka_unit_test_setup_teardown(tells_what_is_no_yaml, begin, end),
        cmocka_unit_test_setup_teardown(a_forgotten_comma_in_a_list_spoils_the_word_alone,
                                        begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The rows of what a good answer to an HTTP check is: its status, its body, its JSON. */
#include "base/pattern.h"
#include "control/conf/draft.h"

static bool parse_status(str text, uint16_t *out)
{
    uint64_t number;

    if (text.n != 3 || !str_to_u64(text, &number) || number < 100 || number > 599)
        return false;
    *out = (uint16_t)number;
    return true;
}

/* "204" or "200-299". */
static bool parse_range(str text, struct status_range *out)
{
    long dash = str_find_char(text, '-');
    str from = dash < 0 ? text : str_upto(text, (size_t)dash);
    str to = dash < 0 ? text : str_from(text, (size_t)dash + 1);

    return parse_status(from, &out->from) && parse_status(to, &out->to) &&
           out->from <= out->to;
}

static void read_status(struct reader *reader, const struct conf_row *row,
                        const struct pair *pair, void *object)
{
    struct check_expect *expect = object;
    struct vec_of(struct status_range) ranges = {0};
    unsigned at = 0;
    const struct node *word;

    while ((word = words_next(reader, pair, &at))) {
        struct status_range range;

        if (parse_range(word->text, &range))
            *vec_add(&ranges, reader->arena) = range;
        else
            complaint_help(complain_value(reader, "C029", word,
                                          "is not a status or a range of statuses"),
                           "write 200, 200-299 or a list of them");
    }
    expect->status = ranges.items;
    expect->status_count = (unsigned)ranges.count;
}

static const struct conf_form status_form = {
    .words = "a status, a range (200-299), or a list of them",
    .schema = "{\"$ref\": \"#/definitions/statuses\"}",
    .read = read_status,
};

static void read_regex(struct reader *reader, const struct conf_row *row,
                       const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);
    struct pattern_error error;
    struct pattern pattern;

    if (!node)
        return;
    if (pattern_compile(&pattern, PATTERN_REGEX, false, node->text, &error)) {
        struct place place = node_part(node, error.offset, 1);

        if (node->is_exact)
            place.length = 1;
        complain(reader->complaints, "C028", place, "regular expression: %s",
                 error.message);
        return;
    }
    pattern_close(&pattern); /* whoever checks makes one of its own */
    *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
}

static const struct conf_form regex_form = {
    .words = "a regular expression (PCRE2)",
    .schema = "{\"type\": \"string\"}",
    .read = read_regex,
};

const struct conf_row expect_rows[] = {
    {.name = "status",
     .type = CONF_OWN,
     .offset = 0,
     .form = &status_form,
     .flags = CONF_LEAD,
     .fallback = "200-299",
     .doc = "Statuses that are well."},
    {.name = "body",
     .type = CONF_OWN,
     CONF_AT(struct check_expect, body),
     .form = &text_form,
     .doc = "A text that must be somewhere in the first 64 KiB of the body."},
    {.name = "body_regex",
     .type = CONF_OWN,
     CONF_AT(struct check_expect, body_regex),
     .form = &regex_form,
     .doc = "What must match somewhere in the first 64 KiB of the body."},
    {.name = NULL},
};

static bool is_dotted(str text)
{
    str rest = text, piece;

    while (str_next(&rest, '.', &piece))
        if (!piece.n)
            return false;
    return true;
}

static void read_dotted(struct reader *reader, const struct conf_row *row,
                        const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);

    if (!node)
        return;
    if (is_dotted(node->text))
        *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
    else
        complaint_help(complain_value(reader, "C029", node, "is not a path of names"),
                       "write the names from the outside in, with dots between: "
                       "data.status");
}

static const struct conf_form dotted_form = {
    .words =
        "names with dots between them (`data.status`); a number is a place in a list",
    .schema = "{\"$ref\": \"#/definitions/word\"}",
    .read = read_dotted,
};

static void read_equals(struct reader *reader, const struct conf_row *row,
                        const struct pair *pair, void *object)
{
    struct check_json *json = object;
    struct vec_of(str) words = {0};
    unsigned at = 0;
    const struct node *word;

    while ((word = words_next(reader, pair, &at)))
        *vec_add(&words, reader->arena) = str_keep(reader, word->text);
    json->equals = words.items;
    json->equal_count = (unsigned)words.count;
}

static const struct conf_form equals_form = {
    .words = "a word, or a list of them",
    .schema = "{\"$ref\": \"#/definitions/words\"}",
    .read = read_equals,
};

const struct conf_row json_rows[] = {
    {.name = "field",
     .type = CONF_OWN,
     .flags = CONF_REQUIRED,
     CONF_AT(struct check_json, field),
     .form = &dotted_form,
     .doc = "Which field says whether all is well."},
    {.name = "equals",
     .type = CONF_OWN,
     .offset = 0,
     .form = &equals_form,
     .fallback = "[ok, up, pass, healthy, true]",
     .doc = "What it must be; the case of letters does not matter."},
    {.name = "reason",
     .type = CONF_OWN,
     CONF_AT(struct check_json, reason),
     .form = &dotted_form,
     .doc = "A field with words for people, shown as the server's reason."},
    {.name = "dependencies",
     .type = CONF_OWN,
     CONF_AT(struct check_json, dependencies),
     .form = &dotted_form,
     .doc = "Where the states of what the application needs are; those that are not well "
            "are named in the server's reason. Without it: checks, components, "
            "dependencies, entries, results or services."},
    {.name = NULL},
};

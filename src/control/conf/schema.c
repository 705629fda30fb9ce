/*
 * Reading by rows. A section is read in the order of its rows, not of the file: defaults
 * come before what they are for, wherever they stand; the complaints are sorted by place
 * at the end anyway.
 */
#include "control/conf/schema.h"

#include "base/check.h"
#include "control/conf/foreign.h"
#include "control/conf/value.h"

#include <stdio.h>

enum { ROWS_MOST = 40, SHORT_WORDS_MOST = 4 };

const struct conf_row *rows_find(const struct conf_row *rows, str name)
{
    /* The first letter decides mostly. */
    for (; name.n && rows->name; rows++) {
        if (rows->name[0] == name.p[0] && str_eq(name, str_of(rows->name)))
            return rows;
    }
    return NULL;
}

const char *word_of(struct reader *reader, const struct node *node)
{
    return complaint_word(reader->complaints, node->text);
}

struct complaint *complain_value(struct reader *reader, const char *code,
                                 const struct node *node, const char *what)
{
    return complain(reader->complaints, code, node->place, "'%s' %s",
                    word_of(reader, node), what);
}

static const char *key_of(struct reader *reader, const struct pair *pair)
{
    return pair->key ? complaint_word(reader->complaints, pair->key->text) : "item";
}

/* C014 for a value that is not there. */
static bool is_there(struct reader *reader, const struct pair *pair)
{
    if (pair->value->is_bad)
        return false;
    if (pair->value->kind != NODE_NONE)
        return true;
    if (pair->key && pair->key->place.line)
        complain(reader->complaints, "C014", pair->key->place, "'%s' has no value",
                 key_of(reader, pair));
    else
        complain(reader->complaints, "C014", pair->value->place,
                 "this item has no value");
    pair->value->is_bad = true;
    return false;
}

const struct node *word_wanted(struct reader *reader, const struct pair *pair)
{
    if (!is_there(reader, pair))
        return NULL;
    if (pair->value->kind == NODE_WORD)
        return pair->value;
    if (pair->key)
        complain(reader->complaints, "C014", pair->value->place,
                 "'%s' must be a single value", key_of(reader, pair));
    else
        complain(reader->complaints, "C014", pair->value->place,
                 "this item must be a single value");
    pair->value->is_bad = true;
    return NULL;
}

bool list_wanted(struct reader *reader, const struct pair *pair)
{
    struct complaint *complaint;
    str piece;

    if (!is_there(reader, pair))
        return false;
    if (pair->value->kind == NODE_LIST)
        return true;
    complaint = complain(reader->complaints, "C014", pair->value->place,
                         "'%s' must be a list", key_of(reader, pair));
    if (pair->value->kind == NODE_WORD) {
        str rest = pair->value->text;

        if (str_next(&rest, ' ', &piece) && piece.n > 1 && piece.p[0] == '-')
            piece = str_from(piece, 1);
        if (str_ends(piece, STR(",")))
            piece.n--;
        complaint_help(complaint, "write one item per line: '- %s'",
                       complaint_word(reader->complaints, piece));
    } else {
        complaint_help(complaint, "write one item per line, each behind '- '");
    }
    return false;
}

static const struct conf_row *needed_row(const struct conf_row *rows)
{
    for (; rows && rows->name; rows++) {
        if (rows->flags & CONF_REQUIRED)
            return rows;
    }
    return NULL;
}

bool map_wanted(struct reader *reader, const struct pair *pair,
                const struct conf_row *rows)
{
    const struct node *node = pair->value;
    const struct conf_row *needed = needed_row(rows);
    struct complaint *complaint;

    if (!is_there(reader, pair))
        return false;
    if (node->kind == NODE_MAP)
        return true;
    if (!pair->key)
        complaint = complain(reader->complaints, "C014", node->place,
                             "this item must be a map of settings");
    else
        complaint = complain(reader->complaints, "C014", node->place,
                             rows ? "'%s' must be a map of settings"
                                  : "'%s' must be a map of names",
                             key_of(reader, pair));
    if (node->kind == NODE_WORD && node->text.n && node->text.p[0] == '/' && rows &&
        rows_find(rows, STR("path")))
        complaint_help(complaint, "write '%s: {path: %s}'", key_of(reader, pair),
                       word_of(reader, node));
    else if (node->kind == NODE_LIST && !pair->key)
        complaint_help(complaint, "write each of them behind a '- ' of its own");
    else if (needed && pair->key)
        complaint_help(complaint, "write '%s: {%s: ...}'", key_of(reader, pair),
                       needed->name);
    else if (rows)
        complaint_help(complaint, "write 'setting: value' below it, one per line");
    else
        complaint_help(complaint, "write 'name:' below it, and what belongs to the name "
                                  "behind that or below");
    return false;
}

const struct node *words_next(struct reader *reader, const struct pair *pair,
                              unsigned *at)
{
    const struct node *list = pair->value;

    if (list->kind != NODE_LIST)
        return (*at)++ == 0 ? word_wanted(reader, pair) : NULL;
    while (*at < list->count) {
        const struct node *word =
            word_wanted(reader, &(struct pair){NULL, list->items[(*at)++]});

        if (word)
            return word;
    }
    return NULL;
}

struct complaint *complain_choice(struct reader *reader, const char *name,
                                  const struct node *node,
                                  const struct conf_choice *choices)
{
    struct complaint *complaint =
        complain(reader->complaints, "C024", node->place, "'%s' is not a value of '%s'",
                 word_of(reader, node), name);

    for (; choices->name; choices++)
        complaint_choice(complaint, "values", str_of(choices->name));
    if (!foreign_suggest(complaint, name, node->text))
        complaint_suggest(complaint, node->text);
    return complaint;
}

static const struct conf_choice flag_choices[] = {{"true", 1}, {"false", 0}, {NULL, 0}};

/* *value is untouched and false is given when it is none of them. */
static bool find_choice(const struct conf_choice *choices, str text, int *value)
{
    for (; choices->name; choices++) {
        bool is_off = strcmp(choices->name, "off") == 0 && word_is_off(text);

        if (is_off || str_eq(text, str_of(choices->name))) {
            *value = choices->value;
            return true;
        }
    }
    return false;
}

static void print_bound(const struct conf_row *row, uint64_t value,
                        char out[VALUE_TEXT_MOST])
{
    char size[VALUE_TEXT_MOST];

    switch (row->type) {
    case CONF_DURATION:
        value_print_duration(value, out);
        break;
    case CONF_SIZE:
    case CONF_SIZE64:
        value_print_size(value, out);
        break;
    case CONF_RATE:
        value_print_size(value, size);
        snprintf(out, VALUE_TEXT_MOST, "%.*s/s", VALUE_TEXT_MOST - 3, size);
        break;
    case CONF_FACTOR:
        value_print_factor(value, out);
        break;
    default:
        snprintf(out, VALUE_TEXT_MOST, "%llu%s", (unsigned long long)value,
                 row->type == CONF_PERCENT ? "%" : "");
        break;
    }
}

static void complain_range(struct reader *reader, const struct conf_row *row,
                           const char *code, const struct node *node)
{
    char from[VALUE_TEXT_MOST], to[VALUE_TEXT_MOST];

    print_bound(row, row->min, from);
    print_bound(row, row->max, to);
    complain(reader->complaints, code, node->place, "'%s' must be %s to %s, got '%s'",
             row->name, from, to, word_of(reader, node));
}

static void complain_count(struct reader *reader, const struct conf_row *row,
                           const struct node *node, enum value_fault fault)
{
    struct complaint *complaint;

    if (fault == VALUE_NEGATIVE || fault == VALUE_TOO_LARGE) {
        complain_range(reader, row, "C020", node);
        return;
    }
    complaint = complain(reader->complaints, "C020", node->place,
                         fault == VALUE_FRACTION ? "'%s' is not a whole number"
                                                 : "'%s' is not a number",
                         word_of(reader, node));
    if (row->flags & CONF_AUTO)
        complaint_help(complaint, "write a whole number or 'auto'");
    else
        complaint_help(complaint, "write a whole number");
}

static void complain_factor(struct reader *reader, const struct conf_row *row,
                            const struct node *node, enum value_fault fault)
{
    char example[VALUE_TEXT_MOST];

    if (fault == VALUE_NEGATIVE || fault == VALUE_TOO_LARGE) {
        complain_range(reader, row, "C020", node);
        return;
    }
    value_print_factor(row->min + 250, example);
    complaint_help(complain(reader->complaints, "C020", node->place,
                            "'%s' is not a number", word_of(reader, node)),
                   "write a number with up to three decimals: %s", example);
}

static void complain_duration(struct reader *reader, const struct node *node)
{
    char guess[VALUE_TEXT_MOST];
    struct complaint *complaint =
        complain(reader->complaints, "C023", node->place, "'%s' is not a duration",
                 word_of(reader, node));

    if (!value_guess_duration(node->text, guess))
        value_print_duration(5000, guess);
    complaint_help(complaint, "write a number and a unit: %s  (units: ms, s, m, h)",
                   guess);
}

static void complain_size(struct reader *reader, const struct node *node, bool is_rate)
{
    char guess[VALUE_TEXT_MOST];
    str text = node->text;
    struct complaint *complaint = complain(
        reader->complaints, is_rate ? "C022" : "C021", node->place,
        is_rate ? "'%s' is not a rate" : "'%s' is not a size", word_of(reader, node));

    if (is_rate && str_ends(text, STR("/s")))
        text.n -= 2;
    if (!value_guess_size(text, guess))
        value_print_size(is_rate ? 500 : 64 << 10, guess);
    complaint_help(complaint,
                   is_rate ? "write bytes a second: %s/s  (units: B, KiB, MiB, GiB)"
                           : "write a number and a unit: %s  (units: B, KiB, MiB, GiB)",
                   guess);
}

static void complain_percent(struct reader *reader, const struct conf_row *row,
                             const struct node *node, enum value_fault fault)
{
    struct complaint *complaint;
    uint64_t number;

    if (fault == VALUE_NEGATIVE || fault == VALUE_TOO_LARGE) {
        complain_range(reader, row, "C027", node);
        return;
    }
    complaint = complain(reader->complaints, "C027", node->place,
                         "'%s' is not a percentage", word_of(reader, node));
    if (value_count(node->text, &number) == VALUE_FINE)
        complaint_help(complaint, "write '%s%%'", word_of(reader, node));
    else
        complaint_help(complaint, "write a whole number and %%: 20%%");
}

static const char *const type_codes[] = {
    [CONF_COUNT] = "C020",  [CONF_DURATION] = "C023", [CONF_SIZE] = "C021",
    [CONF_SIZE64] = "C021", [CONF_RATE] = "C022",     [CONF_PERCENT] = "C027",
    [CONF_FACTOR] = "C020",
};

static void complain_type(struct reader *reader, const struct conf_row *row,
                          const struct node *node, enum value_fault fault)
{
    switch (row->type) {
    case CONF_COUNT:
        complain_count(reader, row, node, fault);
        break;
    case CONF_FACTOR:
        complain_factor(reader, row, node, fault);
        break;
    case CONF_PERCENT:
        complain_percent(reader, row, node, fault);
        break;
    case CONF_DURATION:
        if (fault == VALUE_TOO_LARGE)
            complain_range(reader, row, "C023", node);
        else
            complain_duration(reader, node);
        break;
    default:
        if (fault == VALUE_TOO_LARGE)
            complain_range(reader, row, type_codes[row->type], node);
        else
            complain_size(reader, node, row->type == CONF_RATE);
        break;
    }
}

static enum value_fault parse_number(const struct conf_row *row, str text, uint64_t *out)
{
    switch (row->type) {
    case CONF_DURATION:
        return value_duration(text, out);
    case CONF_SIZE:
    case CONF_SIZE64:
        return value_size(text, out);
    case CONF_RATE:
        return value_rate(text, out);
    case CONF_PERCENT:
        return value_percent(text, out);
    case CONF_FACTOR:
        return value_factor(text, out);
    default:
        return value_count(text, out);
    }
}

static void read_number(struct reader *reader, const struct conf_row *row,
                        const struct node *node, void *object)
{
    uint64_t value = 0;
    enum value_fault fault = VALUE_FINE;

    if ((row->flags & CONF_OFF) && word_is_off(node->text)) {
        value = row->type == CONF_SIZE64 ? UINT64_MAX : 0;
    } else if (!((row->flags & CONF_AUTO) && str_eq(node->text, STR("auto")))) {
        fault = parse_number(row, node->text, &value);
        if (fault != VALUE_FINE) {
            complain_type(reader, row, node, fault);
            return;
        }
        if (value < row->min || value > row->max) {
            complain_range(reader, row, type_codes[row->type], node);
            return;
        }
    }
    if (row->type == CONF_SIZE64)
        *CONF_FIELD(object, row, uint64_t) = value;
    else
        *CONF_FIELD(object, row, uint32_t) = (uint32_t)value;
}

static void read_choice(struct reader *reader, const struct conf_row *row,
                        const struct node *node, void *object)
{
    const struct conf_choice *choices =
        row->type == CONF_FLAG ? flag_choices : row->choices;
    int value;

    if (!find_choice(choices, node->text, &value)) {
        complain_choice(reader, row->name, node, choices);
        return;
    }
    if (row->type == CONF_FLAG)
        *CONF_FIELD(object, row, bool) = value;
    else if (row->offset != CONF_NO_FIELD)
        *CONF_FIELD(object, row, int) = value;
}

static bool is_the_word(const struct conf_row *row, const struct node *node)
{
    return row->word && node->kind == NODE_WORD &&
           (str_eq(node->text, str_of(row->word)) ||
            (strcmp(row->word, "off") == 0 && word_is_off(node->text)));
}

/* A word that does not stand for this section: what may stand there. */
static void complain_word(struct reader *reader, const struct conf_row *row,
                          const struct node *node)
{
    struct conf_choice words[SHORT_WORDS_MOST + 2] = {{row->word, 0}};
    const struct conf_choice *one = row->choices;

    for (unsigned i = 1; one && one->name; i++, one++) {
        CHECK(i <= SHORT_WORDS_MOST);
        words[i] = *one;
    }
    complaint_help(complain_choice(reader, row->name, node, words),
                   "or write a map of its settings");
}

static void read_section(struct reader *reader, const struct conf_row *row,
                         const struct pair *pair, void *object)
{
    bool is_word = is_the_word(row, pair->value);
    struct section section = {row->name, NULL, pair->key};

    if (row->word_offset != CONF_NO_FIELD && row->word)
        *(bool *)((char *)object + row->word_offset) = !is_word;
    if (is_word)
        return;
    if (row->word && pair->value->kind == NODE_WORD && !pair->value->is_bad) {
        complain_word(reader, row, pair->value);
        return;
    }
    if (map_wanted(reader, pair, row->rows))
        section_read(reader, &section, row->rows, pair->value,
                     (char *)object + row->offset);
}

void row_read(struct reader *reader, const struct conf_row *row, const struct pair *pair,
              void *object)
{
    const struct node *node;

    if (pair->value->is_bad)
        return;
    if (row->form) {
        row->form->read(reader, row, pair, object);
        return;
    }
    if (row->type == CONF_SECTION) {
        read_section(reader, row, pair, object);
        return;
    }
    node = word_wanted(reader, pair);
    if (!node)
        return;
    if (row->type == CONF_FLAG || row->type == CONF_CHOICE)
        read_choice(reader, row, node, object);
    else
        read_number(reader, row, node, object);
}

/* Settings that may stand here: those of the rows, and of sections read in line. */
static void add_settings(struct complaint *complaint, const struct conf_row *rows)
{
    for (; rows->name; rows++) {
        complaint_choice(complaint, "settings here", str_of(rows->name));
        if (rows->flags & CONF_INLINE)
            add_settings(complaint, rows->rows);
    }
}

static void complain_unknown(struct reader *reader, const struct section *section,
                             const struct conf_row *rows, const struct node *key)
{
    struct complaint *complaint =
        complain(reader->complaints, "C011", key->place, "unknown setting '%s' in '%s'",
                 complaint_word(reader->complaints, key->text), section->name);

    add_settings(complaint, rows);
    complaint_sort_choices(complaint);
    for (const struct conf_row *row = rows; row->name; row++) {
        if (row->type == CONF_SECTION && rows_find(row->rows, key->text)) {
            complaint_help(complaint, "'%s' belongs in '%s'",
                           complaint_word(reader->complaints, key->text), row->name);
            return;
        }
    }
    if (!foreign_suggest(complaint, section->name, key->text))
        complaint_suggest(complaint, key->text);
    if (!complaint->help.count)
        elsewhere_suggest(complaint, rows, key->text);
}

static void complain_missing(struct reader *reader, const struct section *section,
                             const struct conf_row *row, const struct node *node)
{
    const struct node *owner = section->owner;
    struct place place = owner ? owner->place : node->place;

    if (section->what && owner)
        complain(reader->complaints, "C013", place, "'%s' is missing in %s '%s'",
                 row->name, section->what,
                 complaint_word(reader->complaints, owner->text));
    else
        complain(reader->complaints, "C013", place, "'%s' is missing in '%s'", row->name,
                 section->what ? section->what : section->name);
}

/* A setting that has nothing to say without another. */
static void check_needs(struct reader *reader, const struct conf_row *rows,
                        const struct conf_row *row, const struct pair *const *given,
                        const struct pair *pair)
{
    const struct conf_row *needed = rows_find(rows, str_of(row->needs));

    if (!given[needed - rows])
        complaint_help(complain(reader->complaints, "C012", pair->key->place,
                                "'%s' means nothing without '%s'", row->name, row->needs),
                       "add a '%s'", row->needs);
}

bool section_read(struct reader *reader, const struct section *section,
                  const struct conf_row *rows, struct node *node, void *object)
{
    const struct pair *given[ROWS_MOST] = {NULL};
    bool is_right = true;

    for (unsigned i = 0; i < node->count; i++) {
        const struct pair *pair = &node->pairs[i];
        const struct conf_row *row = rows_find(rows, pair->key->text);

        if (!row) {
            complain_unknown(reader, section, rows, pair->key);
            is_right = false;
            continue;
        }
        CHECK(row - rows < ROWS_MOST);
        given[row - rows] = pair;
    }
    for (const struct conf_row *row = rows; row->name; row++) {
        const struct pair *pair = given[row - rows];

        if (pair && row->needs)
            check_needs(reader, rows, row, given, pair);
        if (pair)
            row_read(reader, row, pair, object);
        else if ((row->flags & CONF_REQUIRED) && is_right) {
            complain_missing(reader, section, row, node);
            is_right = false;
        }
    }
    return is_right;
}

enum { FALLBACK_ITEMS_MOST = 8 };

/* "[a, b]" as a list of words. */
static void make_list(struct node *list, struct node *words, struct node **items,
                      str text)
{
    str rest = str_slice(text.p + 1, text.p + text.n - 1), piece;

    list->kind = NODE_LIST;
    list->items = items;
    list->count = 0;
    while (rest.n && str_next(&rest, ',', &piece)) {
        CHECK(list->count < FALLBACK_ITEMS_MOST);
        words[list->count] = (struct node){.kind = NODE_WORD, .text = str_trim(piece)};
        items[list->count] = &words[list->count];
        list->count++;
    }
}

void rows_fill(struct reader *reader, const struct conf_row *rows, void *object)
{
    struct node words[FALLBACK_ITEMS_MOST], *items[FALLBACK_ITEMS_MOST];

    for (const struct conf_row *row = rows; row->name; row++) {
        struct node node = {.kind = NODE_WORD, .is_made = true};
        struct node key = {.kind = NODE_WORD, .text = str_of(row->name)};
        struct pair pair = {&key, &node};

        if (row->type == CONF_SECTION) {
            if (row->word && row->word_offset != CONF_NO_FIELD)
                *(bool *)((char *)object + row->word_offset) =
                    !row->fallback || strcmp(row->fallback, row->word) != 0;
            rows_fill(reader, row->rows, (char *)object + row->offset);
        }
        if (row->type == CONF_SECTION && !row->form)
            continue;
        if (row->fallback && row->offset != CONF_NO_FIELD) {
            node.text = str_of(row->fallback);
            if (row->fallback[0] == '[')
                make_list(&node, words, items, node.text);
            row_read(reader, row, &pair, object);
        }
    }
}

/*
 * Reading by rows. A section is read in the order of its rows, not of the file: defaults
 * come before what they are for, wherever they stand; the complaints are sorted by place
 * at the end anyway.
 */
#include "control/conf/schema.h"

#include "base/check.h"
#include "control/conf/foreign.h"

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

/* The quotes of a word processor, which YAML takes for letters. */
static void help_quotes(struct complaint *complaint, str text)
{
    static const char *const quotes[] = {"\u201c", "\u201d", "\u201e", "\u2018",
                                         "\u2019"};

    for (size_t i = 0; i < array_len(quotes); i++) {
        if (str_starts(text, str_of(quotes[i])))
            complaint_help(complaint,
                           "%s is a letter of the value: use \" or ' for quotes",
                           quotes[i]);
    }
}

struct complaint *complain_value(struct reader *reader, const char *code,
                                 const struct node *node, const char *what)
{
    struct complaint *complaint = complain(reader->complaints, code, node->place,
                                           "'%s' %s", word_of(reader, node), what);

    help_quotes(complaint, node->text);
    return complaint;
}

static const char *key_of(struct reader *reader, const struct pair *pair)
{
    return pair->key ? complaint_word(reader->complaints, pair->key->text) : "item";
}

static void help_row(struct complaint *complaint, const struct conf_row *row)
{
    struct scroll words = {0};

    row_words(&words, row);
    complaint_help(complaint, "'%s' is " STR_FMT, row->name, STR_ARG(scroll_str(&words)));
    scroll_close(&words);
}

/* What would be right, where it is known which setting that is. */
static void help_value(struct reader *reader, struct complaint *complaint,
                       const struct pair *pair)
{
    if (reader->row && pair->key && str_eq(pair->key->text, str_of(reader->row->name)))
        help_row(complaint, reader->row);
    else if (pair->value->kind == NODE_NONE)
        complaint_help(complaint,
                       "what belongs to it stands below it, two spaces further in");
}

/* C014 for a value that is not there. */
static bool is_there(struct reader *reader, const struct pair *pair)
{
    if (pair->value->is_bad)
        return false;
    if (pair->value->kind != NODE_NONE)
        return true;
    if (pair->key && pair->key->place.line)
        help_value(reader,
                   complain(reader->complaints, "C014", pair->key->place,
                            "'%s' has no value", key_of(reader, pair)),
                   pair);
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
        help_value(reader,
                   complain(reader->complaints, "C014", pair->value->place,
                            "'%s' must be a single value", key_of(reader, pair)),
                   pair);
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

static bool text_has_only(str text, str chars)
{
    for (size_t i = 0; i < text.n; i++) {
        if (str_find_char(chars, text.p[i]) < 0)
            return false;
    }
    return true;
}

/* The setting that a single value in a section's place was most likely meant for. */
static const struct conf_row *lead_row(const struct conf_row *rows,
                                       const struct node *node)
{
    bool is_number;

    if (node->kind != NODE_WORD || !node->text.n)
        return NULL;
    is_number = text_has_only(node->text, STR("0123456789-"));
    for (; rows && rows->name; rows++) {
        bool wants_number =
            rows->fallback && rows->fallback[0] >= '0' && rows->fallback[0] <= '9';

        if ((rows->flags & CONF_LEAD) && wants_number == is_number &&
            (is_number || node->text.p[0] == '/' || str_starts(node->text, STR("std"))))
            return rows;
    }
    return NULL;
}

bool map_wanted(struct reader *reader, const struct pair *pair,
                const struct conf_row *rows)
{
    const struct node *node = pair->value;
    const struct conf_row *needed = needed_row(rows), *lead = lead_row(rows, node);
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
    else if (lead && pair->key)
        complaint_help(complaint, "write '%s: {%s: %s}'", key_of(reader, pair),
                       lead->name, word_of(reader, node));
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
    if (str_find_char(node->text, '#') > 0)
        complaint_help(complaint, "a comment needs a space before its '#'");
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
    const struct conf_row *lead = lead_row(row->rows, node);
    struct complaint *complaint;

    for (unsigned i = 1; one && one->name; i++, one++) {
        CHECK(i <= SHORT_WORDS_MOST);
        words[i] = *one;
    }
    complaint = complain_choice(reader, row->name, node, words);
    if (lead)
        complaint_help(complaint, "or a map of its settings: '%s: {%s: %s}'", row->name,
                       lead->name, word_of(reader, node));
    else
        complaint_help(complaint, "or write a map of its settings");
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

static void read_row(struct reader *reader, const struct conf_row *row,
                     const struct pair *pair, void *object)
{
    const struct node *node;

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
        amount_read(reader, row, node, object);
}

void row_read(struct reader *reader, const struct conf_row *row, const struct pair *pair,
              void *object)
{
    const struct conf_row *above = reader->row;

    if (pair->value->is_bad)
        return;
    reader->row = row;
    read_row(reader, row, pair, object);
    reader->row = above;
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
    struct complaint *complaint;

    if (section->what && owner)
        complaint = complain(reader->complaints, "C013", place,
                             "'%s' is missing in %s '%s'", row->name, section->what,
                             complaint_word(reader->complaints, owner->text));
    else
        complaint = complain(reader->complaints, "C013", place, "'%s' is missing in '%s'",
                             row->name, section->what ? section->what : section->name);
    help_row(complaint, row);
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

/*
 * `weir expand`: the rows walked once more, each with the value that counts and where it
 * came from. It works on the tree, not on the structs, so that what is printed is what
 * was written, and a default is what its row says.
 */
#include "control/conf/expand.h"

#include "control/conf/schema.h"

#include "control/conf/utf8.h"

enum { COMMENT_COLUMN = 44, LINE_MOST = 78, STEP = 2 };

struct expansion {
    struct complaints *complaints;
    struct scroll *out;
    const struct node *defaults; /* the section of that name, or NULL */
    size_t line;                 /* where the line at hand begins */
};

static bool is_plain_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("_./+-%~^", c);
}

/* Would it be read back as it is, by us and by any other reader of YAML? */
static bool is_plain(str text, bool is_typed)
{
    static const char *const taken[] = {"true", "false", "yes", "no", "on",
                                        "off",  "null",  "y",   "n",  "~"};
    uint64_t number;

    if (!text.n || strchr("+-%~^", text.p[0]))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        bool is_inner_colon = text.p[i] == ':' && i > 0 && i + 1 < text.n;

        if (!text.p[i] || (!is_plain_char(text.p[i]) && !is_inner_colon))
            return false;
    }
    if (is_typed)
        return true;
    for (size_t i = 0; i < array_len(taken); i++) {
        if (str_eq_nocase(text, str_of(taken[i])))
            return false;
    }
    return !str_to_u64(text, &number);
}

static void print_text(struct expansion *expansion, str text, bool is_typed)
{
    if (is_plain(text, is_typed))
        scroll_add(expansion->out, text);
    else
        scroll_json(expansion->out, text);
}

static void begin_line(struct expansion *expansion, unsigned indent)
{
    expansion->line = expansion->out->n;
    scroll_repeat(expansion->out, ' ', indent);
}

static void end_line(struct expansion *expansion, const char *comment)
{
    struct scroll *out = expansion->out;
    uint32_t width =
        utf8_width((str){out->p + expansion->line, out->n - expansion->line});

    if (comment) {
        scroll_repeat(out, ' ', width < COMMENT_COLUMN ? COMMENT_COLUMN - width : 2);
        scroll_format(out, "# %s", comment);
    }
    scroll_char(out, '\n');
}

/* "weir.yaml:12" */
static const char *where(const struct expansion *expansion, const struct node *node,
                         bool is_inherited)
{
    const struct source *source = &expansion->complaints->sources.items[node->place.file];

    return arena_printf(&expansion->complaints->arena, "%s" STR_FMT ":%u",
                        is_inherited ? "defaults, " : "", STR_ARG(source->name),
                        node->place.line)
        .p;
}

/* A list of words on one line; false when it is none, or would be too long. */
static bool print_flat_list(struct expansion *expansion, const struct node *list)
{
    size_t before = expansion->out->n;

    for (unsigned i = 0; i < list->count; i++) {
        if (list->items[i]->kind != NODE_WORD)
            return false;
    }
    scroll_char(expansion->out, '[');
    for (unsigned i = 0; i < list->count; i++) {
        const struct node *item = list->items[i];
        bool is_safe = is_plain(item->text, false) && str_find_char(item->text, ':') < 0;

        if (i)
            scroll_add(expansion->out, STR(", "));
        if (is_safe)
            scroll_add(expansion->out, item->text);
        else
            scroll_json(expansion->out, item->text);
    }
    scroll_char(expansion->out, ']');
    if (list->count <= 1 || expansion->out->n - expansion->line <= LINE_MOST)
        return true;
    expansion->out->n = before;
    return false;
}

static void print_value(struct expansion *expansion, const struct node *value,
                        unsigned indent, bool is_typed, const char *comment);

static void print_map(struct expansion *expansion, const struct node *map,
                      unsigned indent, bool is_typed)
{
    for (unsigned i = 0; i < map->count; i++) {
        const struct pair *pair = &map->pairs[i];

        begin_line(expansion, indent);
        print_text(expansion, pair->key->text, false);
        scroll_char(expansion->out, ':');
        print_value(expansion, pair->value, indent + STEP, is_typed,
                    where(expansion, pair->value, false));
    }
}

static void print_list(struct expansion *expansion, const struct node *list,
                       unsigned indent)
{
    for (unsigned i = 0; i < list->count; i++) {
        begin_line(expansion, indent);
        scroll_char(expansion->out, '-');
        print_value(expansion, list->items[i], indent + STEP, false,
                    where(expansion, list->items[i], false));
    }
}

/* Behind "key:" or "-": a value of any shape, to the end of its last line. */
static void print_value(struct expansion *expansion, const struct node *value,
                        unsigned indent, bool is_typed, const char *comment)
{
    if (value->kind == NODE_WORD) {
        scroll_char(expansion->out, ' ');
        print_text(expansion, value->text, is_typed);
        end_line(expansion, comment);
        return;
    }
    if (value->kind == NODE_LIST) {
        scroll_char(expansion->out, ' ');
        if (print_flat_list(expansion, value)) {
            end_line(expansion, comment);
            return;
        }
        expansion->out->n--;
    }
    if (value->count == 0) {
        scroll_add(expansion->out, STR(" {}"));
        end_line(expansion, comment);
        return;
    }
    end_line(expansion, NULL);
    if (value->kind == NODE_LIST)
        print_list(expansion, value, indent);
    else
        print_map(expansion, value, indent, is_typed);
}

static const struct node *value_of(const struct node *map, const char *name)
{
    const struct pair *pair = map ? node_find(map, str_of(name)) : NULL;

    return pair ? pair->value : NULL;
}

/* What is printed below a section: what is written in it, and what it inherits. */
struct level {
    const struct node *map;       /* or NULL */
    const struct node *inherited; /* the same section of `defaults`, or NULL */
    unsigned indent;
    bool is_first; /* the line has been begun: "- " stands before it */
};

static void print_rows(struct expansion *expansion, const struct conf_row *rows,
                       struct level level);

static void begin_setting(struct expansion *expansion, struct level *level,
                          const char *name)
{
    if (!level->is_first)
        begin_line(expansion, level->indent);
    level->is_first = false;
    scroll_format(expansion->out, "%s:", name);
}

static void print_named(struct expansion *expansion, const struct conf_row *row,
                        const struct node *map, unsigned indent)
{
    for (unsigned i = 0; i < map->count; i++) {
        const struct pair *pair = &map->pairs[i];

        begin_line(expansion, indent);
        print_text(expansion, pair->key->text, false);
        scroll_char(expansion->out, ':');
        if (row->beside && rows_find(row->beside, pair->key->text)) {
            print_value(expansion, pair->value, indent + STEP, false,
                        where(expansion, pair->value, false));
            continue;
        }
        end_line(expansion, where(expansion, pair->key, false));
        print_rows(expansion, row->rows,
                   (struct level){pair->value, NULL, indent + STEP, false});
    }
}

static void print_items(struct expansion *expansion, const struct conf_row *row,
                        const struct node *list, unsigned indent)
{
    for (unsigned i = 0; i < list->count; i++) {
        begin_line(expansion, indent);
        scroll_add(expansion->out, STR("- "));
        print_rows(expansion, row->rows,
                   (struct level){list->items[i], NULL, indent + STEP, true});
    }
}

static void print_section(struct expansion *expansion, const struct conf_row *row,
                          const struct node *value, struct level *level)
{
    struct level below = {value, NULL, level->indent + STEP, false};

    begin_setting(expansion, level, row->name);
    if (value && value->kind == NODE_WORD) {
        print_value(expansion, value, level->indent, true,
                    where(expansion, value, false));
        return;
    }
    if (!value && row->fallback &&
        (row->form || (row->word && strcmp(row->word, row->fallback) == 0))) {
        scroll_format(expansion->out, " %s", row->fallback);
        end_line(expansion, "default");
        return;
    }
    end_line(expansion, NULL);
    if (row->flags & CONF_DEFAULTS)
        below.inherited = value_of(expansion->defaults, row->name);
    else
        below.inherited = value_of(level->inherited, row->name);
    print_rows(expansion, row->rows, below);
}

static bool is_typed(const struct conf_row *row)
{
    return row->type != CONF_OWN;
}

static void print_leaf(struct expansion *expansion, const struct conf_row *row,
                       const struct node *value, struct level *level)
{
    const struct node *inherited = value_of(level->inherited, row->name);

    if (value) {
        begin_setting(expansion, level, row->name);
        print_value(expansion, value, level->indent + STEP, is_typed(row),
                    where(expansion, value, false));
    } else if (inherited) {
        begin_setting(expansion, level, row->name);
        print_value(expansion, inherited, level->indent + STEP, is_typed(row),
                    where(expansion, inherited, true));
    } else if (row->fallback) {
        begin_setting(expansion, level, row->name);
        scroll_char(expansion->out, ' ');
        if (row->fallback[0] == '[')
            scroll_add(expansion->out, str_of(row->fallback));
        else
            print_text(expansion, str_of(row->fallback), is_typed(row));
        end_line(expansion, "default");
    }
}

static bool is_left_out(const struct conf_row *row, const struct node *value,
                        const struct level *level)
{
    if (value)
        return row->flags & CONF_SECRET ||
               (row->offset == CONF_NO_FIELD && strcmp(row->name, "include") == 0);
    return (row->flags & (CONF_SHORT | CONF_OPTIONAL)) ||
           (row->needs && !value_of(level->map, row->needs));
}

static void print_rows(struct expansion *expansion, const struct conf_row *rows,
                       struct level level)
{
    for (const struct conf_row *row = rows; row->name; row++) {
        const struct node *value = value_of(level.map, row->name);

        if (is_left_out(row, value, &level))
            continue;
        if (row->type == CONF_SECTION) {
            print_section(expansion, row, value, &level);
        } else if (row->type == CONF_NAMED || row->type == CONF_LIST) {
            if (!value)
                continue;
            begin_setting(expansion, &level, row->name);
            end_line(expansion, NULL);
            if (row->type == CONF_NAMED)
                print_named(expansion, row, value, level.indent + STEP);
            else
                print_items(expansion, row, value, level.indent + STEP);
        } else {
            print_leaf(expansion, row, value, &level);
        }
    }
}

void expand(struct complaints *complaints, const struct conf_row *rows,
            const struct node *root, struct scroll *out)
{
    struct expansion expansion = {complaints, out, value_of(root, "defaults"), 0};

    print_rows(&expansion, rows, (struct level){root, NULL, 0, false});
}

/* The rows of degradation ladders, which routes name. */
#include "control/conf/draft.h"
#include "proto/chars.h"

/* ---- when ---- */

static str skip_spaces(str s)
{
    while (s.n && s.p[0] == ' ')
        s = str_from(s, 1);
    return s;
}

/* "healthy >= 75%", "healthy > 0": false: it is something else. */
static bool parse_when(str text, struct degrade_rule *rule)
{
    str rest = skip_spaces(text), number;
    uint64_t least;

    if (!str_starts(rest, STR("healthy")))
        return false;
    rest = skip_spaces(str_from(rest, sizeof "healthy" - 1));
    if (!str_starts(rest, STR(">")))
        return false;
    rest = str_from(rest, 1);
    rule->is_beyond = !str_starts(rest, STR("="));
    number = str_trim(rule->is_beyond ? rest : str_from(rest, 1));
    rule->is_share = str_ends(number, STR("%"));
    if (rule->is_share)
        number.n--;
    if (!str_to_u64(number, &least) || least > (rule->is_share ? 100 : 1000000))
        return false;
    rule->least = (uint32_t)least;
    return true;
}

static void read_when(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    struct draft_step *step = object;
    const struct node *node = word_wanted(reader, pair);

    if (!node)
        return;
    step->when = node;
    if (!parse_when(node->text, &step->rule))
        complaint_help(complain_value(reader, "C029", node, "is not a condition"),
                       "write \"healthy >= 75%%\", or \"healthy >= 2\" for a count");
}

static const struct conf_form when_form = {
    .words = "\"healthy >= 75%\" or \"healthy >= 2\"; also with >",
    .schema = "{\"type\": \"string\", \"pattern\": \"^ *healthy *>=? *[0-9]+%? *$\"}",
    .read = read_when,
};

/* ---- drop ---- */

static bool find_priority(str text, enum priority *priority)
{
    for (unsigned i = 0; i < PRIORITY_COUNT; i++) {
        *priority = i;
        if (str_eq(text, str_of(priority_text(i))))
            return true;
    }
    return false;
}

static void read_drop(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    struct draft_step *step = object;
    unsigned at = 0;
    const struct node *word;

    while ((word = words_next(reader, pair, &at))) {
        enum priority priority;

        if (find_priority(word->text, &priority))
            step->rule.drops |= 1u << priority;
        else
            *vec_add(&step->routes, &reader->complaints->arena) = word;
    }
}

static const struct conf_form drop_form = {
    .words = "a list of priorities (low, normal) and of routes by name",
    .schema = "{\"$ref\": \"#/definitions/words\"}",
    .read = read_drop,
};

/* ---- levels ---- */

#define WHEN_ROW                                                                 \
    {                                                                            \
        .name = "when", .type = CONF_OWN, .offset = 0, .flags = CONF_REQUIRED,   \
        .form = &when_form,                                                      \
        .doc = "Servers that must be well, as a share of the pool's or a count." \
    }

#define PAGE_ROW                                                                   \
    {                                                                              \
        .name = "page", .type = CONF_OWN, CONF_AT(struct draft_step, page),        \
        .form = &page_name_form,                                                   \
        .doc = "One of 'pages', for whom it drops; without it, the built-in text." \
    }

static const struct conf_row full_rows[] = {WHEN_ROW, {.name = NULL}};

static const struct conf_row step_rows[] = {
    WHEN_ROW,
    {.name = "drop",
     .type = CONF_OWN,
     .offset = 0,
     .form = &drop_form,
     .doc = "Who is answered with 503 at once: routes of these priorities, or by name."},
    PAGE_ROW,
    {.name = NULL},
};

static const struct conf_choice otherwise_choices[] = {{"true", 1}, {NULL, 0}};

static const struct conf_row last_rows[] = {
    {.name = "otherwise",
     .type = CONF_CHOICE,
     .offset = CONF_NO_FIELD,
     .choices = otherwise_choices,
     .fallback = "true",
     .doc = "It is what remains when no other level holds."},
    PAGE_ROW,
    {.name = NULL},
};

static void read_pool(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    *CONF_FIELD(object, row, const struct node *) = word_wanted(reader, pair);
}

static const struct conf_form pool_form = {
    .words = "the name of a pool",
    .schema = "{\"$ref\": \"#/definitions/name\"}",
    .read = read_pool,
};

const struct conf_row ladder_rows[] = {
    {.name = "pool",
     .type = CONF_OWN,
     CONF_AT(struct draft_ladder, pool),
     .flags = CONF_REQUIRED,
     .form = &pool_form,
     .doc = "Whose servers are counted."},
    {.name = "full",
     .type = CONF_SECTION,
     CONF_AT(struct draft_ladder, steps[DEGRADE_FULL]),
     .flags = CONF_OPTIONAL,
     .rows = full_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Everything; without it, as long as every server is well."},
    {.name = "reduced",
     .type = CONF_SECTION,
     CONF_AT(struct draft_ladder, steps[DEGRADE_REDUCED]),
     .flags = CONF_OPTIONAL,
     .rows = step_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "What can be spared is."},
    {.name = "critical",
     .type = CONF_SECTION,
     CONF_AT(struct draft_ladder, steps[DEGRADE_CRITICAL]),
     .flags = CONF_OPTIONAL,
     .rows = step_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Only what must go on."},
    {.name = "maintenance",
     .type = CONF_SECTION,
     CONF_AT(struct draft_ladder, steps[DEGRADE_MAINTENANCE]),
     .flags = CONF_OPTIONAL,
     .rows = last_rows,
     .word_offset = CONF_NO_FIELD,
     .doc =
         "Nothing: everybody gets the page. Without it, the level before is the last."},
    {.name = "hold",
     .type = CONF_DURATION,
     CONF_AT(struct draft_ladder, spec.hold),
     .fallback = "30s",
     .max = DURATION_MOST,
     .doc = "Down at once; up when it has been better for so long."},
    {.name = NULL},
};

static void begin_steps(struct draft_ladder *ladder, const struct node *map)
{
    for (unsigned level = 0; level < DEGRADE_COUNT; level++)
        ladder->steps[level].rule.is_there =
            level == DEGRADE_FULL ||
            node_find(map, str_of(degrade_level_text(level))) != NULL;
    ladder->steps[DEGRADE_FULL].rule.is_share = true;
    ladder->steps[DEGRADE_FULL].rule.least = 100;
    ladder->steps[DEGRADE_MAINTENANCE].rule.drops = (1u << PRIORITY_COUNT) - 1;
}

static void read_ladders(struct reader *reader, const struct conf_row *row,
                         const struct pair *pair, void *object)
{
    struct draft_ladders *ladders = &reader->draft->ladders;
    struct draft_ladder fresh = {0};
    struct node *map = pair->value;

    ladders->has_all = map_wanted(reader, pair, NULL);
    if (!ladders->has_all)
        return;
    rows_fill(reader, row->rows, &fresh);
    ladders->items =
        ARENA_ARRAY(&reader->complaints->arena, struct draft_ladder, map->count);
    ladders->count = map->count;
    for (unsigned i = 0; i < map->count; i++) {
        const struct pair *one = &map->pairs[i];
        struct section section = {row->name, "ladder", one->key};
        struct draft_ladder *ladder = &ladders->items[i];

        *ladder = fresh;
        ladder->key = one->key;
        name_check(reader, one->key);
        ladder->spec.name = str_keep(reader, one->key->text);
        if (!map_wanted(reader, one, row->rows))
            continue;
        begin_steps(ladder, one->value);
        section_read(reader, &section, row->rows, one->value, ladder);
    }
}

const struct conf_form ladders_form = {
    .words = "a map of names to ladders",
    .read = read_ladders,
};

const struct conf_form ladder_name_form = {
    .words = "the name of a ladder of 'degrade'",
    .schema = "{\"$ref\": \"#/definitions/name\"}",
    .read = read_pool,
};

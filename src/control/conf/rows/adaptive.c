/* The rows of a pool's adaptive concurrency. Its short form, true, is made long in
 * shorthand.c. */
#include "control/conf/draft.h"

const struct conf_choice adaptive_choices[] = {{"true", 0}, {NULL, 0}};

const struct conf_row adaptive_rows[] = {
    {.name = "enabled",
     .type = CONF_FLAG,
     CONF_AT(struct draft_adaptive, spec.is_enabled),
     .fallback = "true",
     .doc = "False turns it off and keeps what is written beside it."},
    {.name = "min",
     .type = CONF_COUNT,
     CONF_AT(struct draft_adaptive, spec.min),
     .fallback = "4",
     .min = 1,
     .max = 1000000,
     .doc = "No server's limit is ever lower."},
    {.name = "max",
     .type = CONF_COUNT,
     CONF_AT(struct draft_adaptive, spec.max),
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .doc = "Nor higher; a server's `max_connections` holds beside it."},
    {.name = NULL},
};

static const struct node *value_at(const struct node *map, str name)
{
    const struct pair *pair = node_find(map, name);

    return pair && pair->value->kind == NODE_WORD ? pair->value : NULL;
}

void adaptive_settle(struct reader *reader, const struct pair *given,
                     struct draft_pool *pool)
{
    const struct adaptive_concurrency *spec = &pool->adaptive.spec;
    const struct node *min, *max;

    pool->spec.adaptive = *spec;
    pool->spec.adaptive.is_enabled &= pool->adaptive.is_on;
    pool->adaptive_at = given ? given->key : NULL;
    if (!given || given->value->kind != NODE_MAP || spec->min <= spec->max)
        return;
    min = value_at(given->value, STR("min"));
    max = value_at(given->value, STR("max"));
    complaint_help(complain(reader->complaints, "C020",
                            max   ? max->place
                            : min ? min->place
                                  : given->key->place,
                            "'min' (%u) is more than 'max' (%u)", spec->min, spec->max),
                   "the defaults are 4 and 1000");
}

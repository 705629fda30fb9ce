/* The rows of circuit breakers, which pools and routes name. */
#include "control/conf/draft.h"

enum { COUNT_MOST = 1000 };

const struct conf_row breaker_rows[] = {
    {.name = "failures",
     .type = CONF_COUNT,
     CONF_AT(struct breaker, failures),
     .fallback = "5",
     .min = 1,
     .max = COUNT_MOST,
     .doc = "So many within 'window' open it. A failure is: no connection, a broken one, "
            "silence, an answer that is not HTTP, or status 500, 502, 503 or 504."},
    {.name = "window",
     .type = CONF_DURATION,
     CONF_AT(struct breaker, window),
     .fallback = "10s",
     .min = 100,
     .max = HOUR,
     .doc = "How far back failures count; it moves on in tenths of itself."},
    {.name = "open",
     .type = CONF_DURATION,
     CONF_AT(struct breaker, open),
     .fallback = "60s",
     .min = 100,
     .max = 24 * (uint64_t)HOUR,
     .doc = "How long nothing is let through; then it is half open."},
    {.name = "open_max",
     .type = CONF_DURATION,
     CONF_AT(struct breaker, open_max),
     .fallback = "off",
     .flags = CONF_OFF,
     .min = 100,
     .max = 24 * (uint64_t)HOUR,
     .doc =
         "While probes keep failing, 'open' is twice as long each time up to this, and "
         "up to a tenth more by chance; off: it stays as it is."},
    {.name = "half_open",
     .type = CONF_COUNT,
     CONF_AT(struct breaker, half_open),
     .fallback = "1",
     .min = 1,
     .max = COUNT_MOST,
     .doc = "Requests that are let through at once while it is half open."},
    {.name = "close_after",
     .type = CONF_COUNT,
     CONF_AT(struct breaker, close_after),
     .fallback = "1",
     .min = 1,
     .max = COUNT_MOST,
     .doc =
         "So many of them must go well to close it; one that does not opens it again."},
    {.name = NULL},
};

static void check_open_max(struct reader *reader, const struct node *map,
                           const struct breaker *breaker)
{
    const struct pair *pair = node_find(map, STR("open_max"));

    if (pair && breaker->open_max && breaker->open_max < breaker->open)
        complaint_help(
            complain(reader->complaints, "C012", pair->value->place,
                     "'open_max' is shorter than 'open'"),
            "it is what 'open' may grow to; leave it out if it is not to grow");
}

static void read_breakers(struct reader *reader, const struct conf_row *row,
                          const struct pair *pair, void *object)
{
    struct draft *draft = reader->draft;
    struct draft_breaker fresh = {0};
    struct node *map = pair->value;

    draft->has_all_breakers = map_wanted(reader, pair, NULL);
    if (!draft->has_all_breakers)
        return;
    rows_fill(reader, row->rows, &fresh.spec);
    draft->breakers =
        ARENA_ARRAY(&reader->complaints->arena, struct draft_breaker, map->count);
    draft->breaker_count = map->count;
    for (unsigned i = 0; i < map->count; i++) {
        const struct pair *one = &map->pairs[i];
        struct section section = {row->name, "breaker", one->key};

        draft->breakers[i] = fresh;
        draft->breakers[i].key = one->key;
        name_check(reader, one->key);
        draft->breakers[i].spec.name = str_keep(reader, one->key->text);
        if (!map_wanted(reader, one, row->rows))
            continue;
        section_read(reader, &section, row->rows, one->value, &draft->breakers[i].spec);
        check_open_max(reader, one->value, &draft->breakers[i].spec);
    }
}

const struct conf_form breakers_form = {
    .words = "a map of names to breakers",
    .read = read_breakers,
};

static void read_name(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    *CONF_FIELD(object, row, const struct node *) = word_wanted(reader, pair);
}

const struct conf_form breaker_name_form = {
    .words = "the name of a breaker",
    .schema = "{\"$ref\": \"#/definitions/name\"}",
    .read = read_name,
};

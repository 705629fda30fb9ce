/* The rows of listeners. */
#include "control/conf/address.h"
#include "control/conf/draft.h"

static const struct conf_choice kind_choices[] = {
    {"http", LISTENER_HTTP}, {"tcp", LISTENER_TCP}, {NULL, 0}};

static void read_address(struct reader *reader, const struct conf_row *row,
                         const struct pair *pair, void *object)
{
    struct draft_listener *listener = object;
    struct vec_of(struct addr) addresses = {0};
    struct vec_of(const struct node *) nodes = {0};
    unsigned at = 0;
    const struct node *word;

    while ((word = words_next(reader, pair, &at))) {
        struct addr addr;

        if (!address_read_listen(reader, word, &addr))
            continue;
        *vec_add(&addresses, reader->arena) = addr;
        *vec_add(&nodes, &reader->complaints->arena) = word;
    }
    if (pair->value->kind == NODE_LIST && pair->value->count == 0)
        complain(reader->complaints, "C013", pair->key->place,
                 "'address' of listener '%s' is an empty list",
                 word_of(reader, listener->key));
    listener->spec.addresses = addresses.items;
    listener->spec.address_count = (unsigned)addresses.count;
    listener->addresses = nodes.items;
}

static const struct conf_form address_form = {
    .words = "IP:PORT, [IPV6]:PORT, :PORT (all addresses), unix:/path, or a list of them",
    .schema = "{\"$ref\": \"#/definitions/words\"}",
    .read = read_address,
};

static void read_to(struct reader *reader, const struct conf_row *row,
                    const struct pair *pair, void *object)
{
    struct draft_listener *listener = object;

    listener->to = word_wanted(reader, pair);
}

static const struct conf_form to_form = {
    .words = "the name of a pool",
    .schema = "{\"$ref\": \"#/definitions/name\"}",
    .read = read_to,
};

const struct conf_row listener_rows[] = {
    {.name = "kind",
     .type = CONF_CHOICE,
     CONF_AT(struct draft_listener, spec.kind),
     .choices = kind_choices,
     .fallback = "http",
     .doc = "What is spoken: HTTP, which routes decide about, or any bytes over TCP."},
    {.name = "address",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .flags = CONF_REQUIRED,
     .form = &address_form,
     .doc = "Where it listens."},
    {.name = "to",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &to_form,
     .doc = "The pool behind it: needed with kind tcp; with kind http it takes what no "
            "route has taken."},
    {.name = "max_connections",
     .type = CONF_COUNT,
     CONF_AT(struct draft_listener, spec.max_connections),
     .fallback = "0",
     .max = UINT32_MAX,
     .doc = "Connections at once; 0 is only the process's limit."},
    {.name = "max_connections_per_ip",
     .type = CONF_COUNT,
     CONF_AT(struct draft_listener, spec.max_connections_per_ip),
     .fallback = "0",
     .max = UINT32_MAX,
     .doc = "Connections at once of one client; 0 is no limit."},
    {.name = NULL},
};

static void read_one(struct reader *reader, const struct conf_row *row,
                     const struct pair *pair, struct draft_listener *listener)
{
    struct section section = {row->name, "listener", pair->key};

    listener->key = pair->key;
    name_check(reader, pair->key);
    listener->spec.name = str_keep(reader, pair->key->text);
    if (!map_wanted(reader, pair, row->rows) ||
        !section_read(reader, &section, row->rows, pair->value, listener))
        return;
    if (listener->spec.kind == LISTENER_TCP && !node_find(pair->value, STR("to")))
        complaint_help(complain(reader->complaints, "C013", pair->key->place,
                                "'to' is missing in listener '%s'",
                                word_of(reader, pair->key)),
                       "name the pool that a tcp listener sends to");
}

static void read_listeners(struct reader *reader, const struct conf_row *row,
                           const struct pair *pair, void *object)
{
    struct draft *draft = reader->draft;
    struct draft_listener fresh = {0};
    struct node *map = pair->value;

    draft->has_all_listeners = map_wanted(reader, pair, NULL);
    if (!draft->has_all_listeners)
        return;
    rows_fill(reader, listener_rows, &fresh);
    draft->listeners =
        ARENA_ARRAY(&reader->complaints->arena, struct draft_listener, map->count);
    draft->listener_count = map->count;
    for (unsigned i = 0; i < map->count; i++) {
        draft->listeners[i] = fresh;
        draft->listeners[i].spec.index = i;
        read_one(reader, row, &map->pairs[i], &draft->listeners[i]);
    }
}

const struct conf_form listeners_form = {
    .words = "a map of names to listeners",
    .read = read_listeners,
};

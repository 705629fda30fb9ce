/*
 * The rows of `balance`: one word, or a map of one word to its settings. Which words there
 * are the table of balancers says (lb/balance.c); one that can be told something has a
 * section here and a function that makes of it what the pool needs.
 */
#include "base/check.h"
#include "control/conf/draft.h"
#include "control/conf/template_read.h"
#include "lb/balance.h"
#include "lb/key.h"

enum { BALANCERS_MOST = 32, VIRTUAL_NODES = 150 };

/* ---- ip_hash ---- */

static const struct conf_row ip_hash_rows[] = {
    {.name = "prefix_v4",
     .type = CONF_COUNT,
     CONF_AT(struct draft_pool, balance.prefix_ip4),
     .fallback = "32",
     .min = 1,
     .max = 32,
     .doc = "Bits of an IPv4 address that count: 32 tells all addresses apart, 24 is for "
            "clients that change theirs within a network."},
    {.name = "prefix_v6",
     .type = CONF_COUNT,
     CONF_AT(struct draft_pool, balance.prefix_ip6),
     .fallback = "64",
     .min = 1,
     .max = 128,
     .doc =
         "Bits of an IPv6 address that count; hosts change the last 64 by themselves."},
    {.name = NULL},
};

/* No bound: the same client is to be at the same server, always. */
static void ip_hash_settle(struct reader *reader, struct draft_pool *pool)
{
    pool->spec.key =
        key_of_client(reader->arena, pool->balance.prefix_ip4, pool->balance.prefix_ip6);
    pool->spec.balance =
        (struct balance_settings){.table = TABLE_RING, .virtual_nodes = VIRTUAL_NODES};
}

/* ---- consistent_hash ---- */

static void read_key(struct reader *reader, const struct conf_row *row,
                     const struct pair *pair, void *object)
{
    struct draft_pool *pool = object;
    const struct node *node = word_wanted(reader, pair);
    struct template_error error;
    struct complaint *complaint;

    if (!node)
        return;
    pool->balance.key = key_of_fact(reader->arena, node->text, &error);
    pool->balance.key_node = node->is_made ? NULL : node; /* a default has no place */
    if (pool->balance.key)
        return;
    complaint = complain(reader->complaints, "C029", node->place, "'%s' is no key: %s",
                         word_of(reader, node), error.reason);
    if (!fact_suggest(complaint, node->text))
        complaint_help(complaint,
                       "write a fact of the request: client.ip, client.subnet, "
                       "req.header.NAME, req.cookie.NAME, req.path, ...");
}

static const struct conf_form key_form = {
    .words = "a fact: client.ip, client.subnet, peer.ip, req.header.NAME, "
             "req.cookie.NAME, req.query.NAME, req.host, req.path, req.uri, ...",
    .schema = "{\"type\": \"string\"}",
    .read = read_key,
};

static const struct conf_choice table_choices[] = {{"ring", TABLE_RING},
                                                   {"maglev", TABLE_MAGLEV},
                                                   {"rendezvous", TABLE_RENDEZVOUS},
                                                   {NULL, 0}};

static const struct conf_row consistent_hash_rows[] = {
    {.name = "key",
     .type = CONF_OWN,
     CONF_AT(struct draft_pool, balance.key),
     .form = &key_form,
     .fallback = "client.ip",
     .doc = "What is hashed. A request without it goes anywhere, as the weights say."},
    {.name = "table",
     .type = CONF_CHOICE,
     CONF_AT(struct draft_pool, balance.settings.table),
     .choices = table_choices,
     .fallback = "ring",
     .doc = "How keys are given to servers: ring moves the fewest keys, maglev has the "
            "evenest shares, rendezvous both, but looks at every server."},
    {.name = "virtual_nodes",
     .type = CONF_COUNT,
     CONF_AT(struct draft_pool, balance.settings.virtual_nodes),
     .fallback = "150",
     .min = 1,
     .max = 10000,
     .doc = "Points on the ring for a unit of weight; maglev and rendezvous have none."},
    {.name = "bound",
     .type = CONF_FACTOR,
     CONF_AT(struct draft_pool, balance.settings.bound),
     .flags = CONF_OFF,
     .fallback = "1.25",
     .min = 1050,
     .max = 100000,
     .doc = "A server with more than this many times its fair share of the requests in "
            "flight passes keys on to others."},
    {.name = NULL},
};

static void consistent_hash_settle(struct reader *reader, struct draft_pool *pool)
{
    (void)reader;
    pool->spec.key = pool->balance.key;
    pool->spec.balance = pool->balance.settings;
}

/* ---- prequal ---- */

static const struct conf_row prequal_rows[] = {
    {.name = "q_rif",
     .type = CONF_FACTOR,
     CONF_AT(struct draft_pool, balance.settings.q_rif),
     .fallback = "0.84",
     .max = 1000,
     .doc =
         "A server with more requests in flight than this part of what was seen of late "
         "is hot: 0 looks at requests in flight alone, 1 at times alone."},
    {.name = NULL},
};

static void prequal_settle(struct reader *reader, struct draft_pool *pool)
{
    (void)reader;
    pool->spec.balance = pool->balance.settings;
}

/* ---- the setting ---- */

const struct conf_row balance_rows[] = {
    {.name = "prequal",
     .type = CONF_SECTION,
     .flags = CONF_OPTIONAL,
     .rows = prequal_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "The fastest of those that are not among the busiest."},
    {.name = "ip_hash",
     .type = CONF_SECTION,
     .flags = CONF_OPTIONAL,
     .rows = ip_hash_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "The same client address always to the same server."},
    {.name = "consistent_hash",
     .type = CONF_SECTION,
     .flags = CONF_OPTIONAL,
     .rows = consistent_hash_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "The same key, any fact of a request, to the same server, as long as that is "
            "not overloaded."},
    {.name = NULL},
};

static const struct settler {
    const struct balancer *balancer;
    void (*settle)(struct reader *reader, struct draft_pool *pool);
} settlers[] = {
    {&balancer_prequal, prequal_settle},
    {&balancer_ip_hash, ip_hash_settle},
    {&balancer_consistent_hash, consistent_hash_settle},
};

static void settle(struct reader *reader, struct draft_pool *pool,
                   const struct balancer *balancer)
{
    pool->spec.balancer = balancer;
    for (size_t i = 0; i < array_len(settlers); i++)
        if (settlers[i].balancer == balancer)
            settlers[i].settle(reader, pool);
}

static void complain_unknown(struct reader *reader, const struct conf_row *row,
                             const struct node *word)
{
    struct conf_choice choices[BALANCERS_MOST + 1] = {{NULL, 0}};

    for (unsigned i = 0; balancers[i]; i++) {
        CHECK(i < BALANCERS_MOST);
        choices[i].name = balancers[i]->name;
    }
    complain_choice(reader, row->name, word, choices);
}

/* The balancer that a map of one name to its settings names, after reading those. */
static const struct balancer *read_map(struct reader *reader, const struct conf_row *row,
                                       const struct pair *pair, struct draft_pool *pool)
{
    const struct node *map = pair->value;
    const struct pair *first = &map->pairs[0];
    const struct balancer *balancer;
    const struct conf_row *section;

    if (map->count == 0) {
        complain(reader->complaints, "C013", pair->key->place,
                 "'%s' names no way to choose", row->name);
        return NULL;
    }
    for (unsigned i = 1; i < map->count; i++)
        complaint_help(complain(reader->complaints, "C012", map->pairs[i].key->place,
                                "'%s' can not stand beside '%s'",
                                word_of(reader, map->pairs[i].key),
                                word_of(reader, first->key)),
                       "a pool has one way to choose");
    balancer = balancer_find(first->key->text);
    section = rows_find(row->rows, first->key->text);
    if (!balancer)
        complain_unknown(reader, row, first->key);
    else if (section)
        row_read(reader, section, first, pool);
    else
        complaint_help(complain(reader->complaints, "C014", first->key->place,
                                "'%s' has no settings", balancer->name),
                       "write '%s: %s'", row->name, balancer->name);
    return balancer;
}

static void read_balance(struct reader *reader, const struct conf_row *row,
                         const struct pair *pair, void *object)
{
    const struct balancer *balancer = NULL;
    const struct node *word;

    if (pair->value->kind == NODE_MAP) {
        balancer = read_map(reader, row, pair, object);
    } else if ((word = word_wanted(reader, pair))) {
        balancer = balancer_find(word->text);
        if (!balancer)
            complain_unknown(reader, row, word);
    }
    if (balancer)
        settle(reader, object, balancer);
}

static const char *balance_word(unsigned i, const char **doc)
{
    if (balancers[i])
        *doc = balancers[i]->doc;
    return balancers[i] ? balancers[i]->name : NULL;
}

const struct conf_form balance_form = {
    .word = balance_word,
    .read = read_balance,
};

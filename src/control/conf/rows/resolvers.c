/*
 * The rows of `resolvers`: who is asked for the names of servers, and which addresses may
 * be an answer. Networks that everybody means have words, because nobody knows all of
 * them by heart in both families.
 */
#include "control/conf/address.h"
#include "control/conf/draft.h"

static void read_servers(struct reader *reader, const struct conf_row *row,
                         const struct pair *pair, void *object)
{
    struct resolver_settings *resolvers = &((struct draft_resolvers *)object)->spec;
    struct vec_of(struct addr) servers = {0};
    unsigned at = 0;
    const struct node *word;

    while ((word = words_next(reader, pair, &at))) {
        struct addr addr;

        if (address_read_resolver(reader, word, &addr))
            *vec_add(&servers, reader->arena) = addr;
    }
    resolvers->servers = servers.items;
    resolvers->server_count = (unsigned)servers.count;
}

static const struct conf_form servers_form = {
    .words = "IP addresses, with or without a port",
    .schema = "{\"$ref\": \"#/definitions/words\"}",
    .read = read_servers,
};

/* ---- networks of answers ---- */

#define IP4(bits_, ...)                                                  \
    {                                                                    \
        .addr = {.family = ADDR_IP4, .ip = {__VA_ARGS__}}, .bits = bits_ \
    }
#define IP6(bits_, ...)                                                  \
    {                                                                    \
        .addr = {.family = ADDR_IP6, .ip = {__VA_ARGS__}}, .bits = bits_ \
    }
#define KIND(list)            \
    {                         \
        list, array_len(list) \
    }

static const struct prefix link_local[] = {IP4(16, 169, 254), IP6(10, 0xfe, 0x80)};
static const struct prefix loopback[] = {IP4(8, 127), IP6(128, [15] = 1)};
static const struct prefix private_use[] = {
    IP4(8, 10), IP4(12, 172, 16), IP4(16, 192, 168), IP4(10, 100, 64), IP6(7, 0xfc),
};
static const struct prefix special[] = {
    IP4(8, 0),   IP6(128, 0),  IP4(16, 169, 254),           IP6(10, 0xfe, 0x80),
    IP4(4, 224), IP6(8, 0xff), IP4(32, 255, 255, 255, 255),
};

static const struct address_kind {
    const char *word;
    struct prefixes networks;
} kinds[] = {
    {"link_local", KIND(link_local)},
    {"loopback", KIND(loopback)},
    {"private", KIND(private_use)},
    {"special", KIND(special)},
};

const struct prefixes *address_kind_find(str word)
{
    for (unsigned i = 0; i < array_len(kinds); i++)
        if (str_eq(word, str_of(kinds[i].word)))
            return &kinds[i].networks;
    return NULL;
}

/* Rather a word than the beginning of an address. */
static bool is_wordlike(str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!(text.p[i] >= 'a' && text.p[i] <= 'z') && text.p[i] != '_' &&
            text.p[i] != '-')
            return false;
    return text.n > 0;
}

static void complain_kind(struct reader *reader, const struct node *word)
{
    struct complaint *complaint = complain_value(
        reader, "C026", word, "is not an IP address, a network or a word for some");

    for (unsigned i = 0; i < array_len(kinds); i++)
        complaint_choice(complaint, "words", str_of(kinds[i].word));
    complaint_suggest(complaint, word->text);
}

static void read_networks(struct reader *reader, const struct conf_row *row,
                          const struct pair *pair, void *object)
{
    struct vec_of(struct prefix) prefixes = {0};
    unsigned at = 0;
    const struct node *word;

    while ((word = words_next(reader, pair, &at))) {
        const struct prefixes *kind = address_kind_find(word->text);
        struct prefix prefix;

        for (unsigned i = 0; kind && i < kind->count; i++)
            *vec_add(&prefixes, reader->arena) = kind->items[i];
        if (!kind && is_wordlike(word->text))
            complain_kind(reader, word);
        else if (!kind && address_read_prefix(reader, word, &prefix))
            *vec_add(&prefixes, reader->arena) = prefix;
    }
    *CONF_FIELD(object, row, struct prefixes) =
        (struct prefixes){prefixes.items, (unsigned)prefixes.count};
}

static void read_allow(struct reader *reader, const struct conf_row *row,
                       const struct pair *pair, void *object)
{
    read_networks(reader, row, pair, object);
    if (!pair->value->is_made)
        ((struct draft_resolvers *)object)->allow = pair;
}

static void read_deny(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    read_networks(reader, row, pair, object);
    if (!pair->value->is_made)
        ((struct draft_resolvers *)object)->deny = pair;
}

#define ANSWER_WORDS                                                                     \
    "a list of IP addresses, networks (10.0.0.0/8) and the words link_local, loopback, " \
    "private, special"

static const struct conf_form allow_form = {
    .words = ANSWER_WORDS,
    .schema = "{\"$ref\": \"#/definitions/words\"}",
    .read = read_allow,
};

static const struct conf_form deny_form = {
    .words = ANSWER_WORDS,
    .schema = "{\"$ref\": \"#/definitions/words\"}",
    .read = read_deny,
};

const struct conf_row resolvers_rows[] = {
    {.name = "servers",
     .type = CONF_OWN,
     CONF_AT(struct draft_resolvers, spec.servers),
     .form = &servers_form,
     .doc = "DNS servers to ask, in this order; without it, those of the system."},
    {.name = "timeout",
     .type = CONF_DURATION,
     CONF_AT(struct draft_resolvers, spec.timeout),
     .fallback = "1s",
     .min = 1,
     .max = HOUR,
     .doc = "For one answer."},
    {.name = "min_ttl",
     .type = CONF_DURATION,
     CONF_AT(struct draft_resolvers, spec.min_ttl),
     .fallback = "1s",
     .min = 1,
     .max = DURATION_MOST,
     .doc = "An answer is kept at least so long."},
    {.name = "max_ttl",
     .type = CONF_DURATION,
     CONF_AT(struct draft_resolvers, spec.max_ttl),
     .fallback = "5m",
     .min = 1,
     .max = DURATION_MOST,
     .doc = "An answer is kept at most so long."},
    {.name = "allow",
     .type = CONF_OWN,
     CONF_AT(struct draft_resolvers, spec.allow),
     .form = &allow_form,
     .fallback = "[]",
     .doc = "Addresses that a name may have; all others are dropped from its answers. "
            "Empty: any that is not denied."},
    {.name = "deny",
     .type = CONF_OWN,
     CONF_AT(struct draft_resolvers, spec.deny),
     .form = &deny_form,
     .fallback = "[special]",
     .doc = "Addresses that no name may have, whatever `allow` says. A list of your own "
            "replaces the default: write special beside what you add."},
    {.name = NULL},
};

/*
 * The rows of what stands once in a configuration: the top level, the process, trusted
 * proxies and protection. Defaults, resolvers, and what is seen from outside, have files
 * of their own (defaults.c, resolvers.c, logs.c).
 */
#include "control/conf/address.h"
#include "control/conf/draft.h"

static const struct conf_choice version_choices[] = {{"1", 1}, {NULL, 0}};

/* include was followed before any row is read (include.c). */
static void read_include(struct reader *reader, const struct conf_row *row,
                         const struct pair *pair, void *object)
{
}

static const struct conf_form include_form = {
    .words = "a path, or a list of paths; * and ? stand for any letters of a name",
    .schema = "{\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"array\", \"items\": "
              "{\"type\": \"string\"}}]}",
    .read = read_include,
};

static void read_directory(struct reader *reader, const struct conf_row *row,
                           const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);

    if (!node)
        return;
    if (node->text.n == 0)
        complain_value(reader, "C029", node, "is not a path");
    else
        *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
}

static const struct conf_form directory_form = {
    .words = "the path of a directory",
    .schema = "{\"type\": \"string\", \"minLength\": 1}",
    .read = read_directory,
};

static const struct conf_row runtime_rows[] = {
    {.name = "workers",
     .type = CONF_COUNT,
     CONF_AT(struct runtime, workers),
     .flags = CONF_AUTO,
     .fallback = "auto",
     .min = 1,
     .max = 256,
     .doc = "Threads that move data; auto is one for each CPU the process may use. "
            "Needs a restart."},
    {.name = "user",
     .type = CONF_OWN,
     CONF_AT(struct runtime, user),
     .form = &text_form,
     .fallback = "weir",
     .doc = "The user to become after binding, when started as root. Needs a restart."},
    {.name = "max_connections",
     .type = CONF_COUNT,
     CONF_AT(struct runtime, max_connections),
     .flags = CONF_AUTO,
     .fallback = "auto",
     .min = 1,
     .max = 10000000,
     .doc =
         "Client connections at once, over all listeners; auto comes from the limit of "
         "open files."},
    {.name = "shutdown_grace",
     .type = CONF_DURATION,
     CONF_AT(struct runtime, shutdown_grace),
     .fallback = "30s",
     .max = DURATION_MOST,
     .doc = "After SIGTERM, how long what is under way may take to end."},
    {.name = "state_dir",
     .type = CONF_OWN,
     CONF_AT(struct runtime, state_dir),
     .form = &directory_form,
     .fallback = "/var/lib/weir",
     .doc = "Where weir keeps what must survive a restart. Needs a restart."},
    {.name = "zone",
     .type = CONF_OWN,
     CONF_AT(struct runtime, zone),
     .form = &text_form,
     .doc = "Where this weir stands; pools with `locality` prefer servers of the same "
            "zone."},
    {.name = "include",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &include_form,
     .doc = "More files, by paths from this file's directory; their settings are merged "
            "by key, their routes appended in the order of their names."},
    {.name = NULL},
};

static const struct conf_row slow_client_rows[] = {
    {.name = "min_rate",
     .type = CONF_RATE,
     CONF_AT(struct slow_client, min_rate),
     .fallback = "500B/s",
     .flags = CONF_OFF,
     .max = 1 << 30,
     .doc = "A request's body that comes slower is refused (408)."},
    {.name = "grace",
     .type = CONF_DURATION,
     CONF_AT(struct slow_client, grace),
     .fallback = "10s",
     .max = HOUR,
     .doc = "So long a body may be slower."},
    {.name = NULL},
};

static const struct conf_row protect_rows[] = {
    {.name = "slow_client",
     .type = CONF_SECTION,
     CONF_AT(struct protect, slow_client),
     .rows = slow_client_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Clients that send a body by drops."},
    {.name = NULL},
};

/* Rewritten in shorthand.c before any row is read. */
static void read_short(struct reader *reader, const struct conf_row *row,
                       const struct pair *pair, void *object)
{
}

static const struct conf_form short_listen_form = {
    .words = "an address, or a list of them",
    .schema = "{\"$ref\": \"#/definitions/words\"}",
    .read = read_short,
};

static const struct conf_form short_to_form = {
    .words = "HOST:PORT, or a list of servers as in pools",
    .schema = "{\"type\": [\"string\", \"array\"]}",
    .read = read_short,
};

static const struct conf_form short_pool_form = {
    .words = "as in pools",
    .schema = "{\"type\": [\"string\", \"boolean\", \"object\"]}",
    .read = read_short,
};

const struct conf_row top_rows[] = {
    {.name = "version",
     .type = CONF_CHOICE,
     .offset = CONF_NO_FIELD,
     .choices = version_choices,
     .fallback = "1",
     .doc = "The format of the configuration; another one is refused."},
    {.name = "runtime",
     .type = CONF_SECTION,
     CONF_AT(struct settings, runtime),
     .rows = runtime_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "The process."},
    {.name = "defaults",
     .type = CONF_SECTION,
     CONF_AT(struct settings, defaults),
     .rows = defaults_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Values that routes and pools start from."},
    {.name = "resolvers",
     .type = CONF_SECTION,
     CONF_AT(struct settings, resolvers),
     .rows = resolvers_rows,
     .word = "system",
     .word_offset = CONF_NO_FIELD,
     .fallback = "system",
     .doc = "Who turns names of servers into addresses."},
    {.name = "trusted_proxies",
     .type = CONF_OWN,
     CONF_AT(struct settings, trusted),
     .form = &networks_form,
     .fallback = "[]",
     .doc = "Whose X-Forwarded headers are believed; nobody's by default."},
    {.name = "listeners",
     .type = CONF_NAMED,
     .offset = CONF_NO_FIELD,
     .rows = listener_rows,
     .form = &listeners_form,
     .doc = "Where traffic comes in."},
    {.name = "routes",
     .type = CONF_LIST,
     .offset = CONF_NO_FIELD,
     .rows = route_rows,
     .form = &routes_form,
     .doc = "Which request goes where; the first that matches takes it."},
    {.name = "pools",
     .type = CONF_NAMED,
     .offset = CONF_NO_FIELD,
     .rows = pool_rows,
     .form = &pools_form,
     .doc = "Groups of servers that can stand for each other."},
    {.name = "breakers",
     .type = CONF_NAMED,
     .offset = CONF_NO_FIELD,
     .rows = breaker_rows,
     .form = &breakers_form,
     .doc = "Circuit breakers, named by pools (each server has its own) and routes."},
    {.name = "degrade",
     .type = CONF_NAMED,
     .offset = CONF_NO_FIELD,
     .rows = ladder_rows,
     .form = &ladders_form,
     .doc = "What is given up, step by step, as the servers of a pool fail."},
    {.name = "pages",
     .type = CONF_NAMED,
     .offset = CONF_NO_FIELD,
     .rows = page_rows,
     .beside = pages_beside_rows,
     .form = &pages_form,
     .doc = "What weir itself says to clients, in your words."},
    {.name = "maintenance",
     .type = CONF_SECTION,
     CONF_AT(struct settings, maintenance),
     .rows = maintenance_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Closed for now: who asks gets a page. Also by `weir maintenance on`."},
    {.name = "protect",
     .type = CONF_SECTION,
     CONF_AT(struct settings, protect),
     .rows = protect_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Against abuse."},
    {.name = "logs",
     .type = CONF_SECTION,
     CONF_AT(struct settings, logs),
     .rows = logs_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "What is written down."},
    {.name = "metrics",
     .type = CONF_SECTION,
     CONF_AT(struct settings, metrics),
     .rows = metrics_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Numbers for Prometheus."},
    {.name = "admin",
     .type = CONF_SECTION,
     CONF_AT(struct settings, admin),
     .rows = admin_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Where the daemon is asked and told."},
    {.name = "listen",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .flags = CONF_SHORT,
     .form = &short_listen_form,
     .doc = "Short form: an address to listen on; the listener is named main."},
    {.name = "to",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .flags = CONF_SHORT,
     .form = &short_to_form,
     .doc = "Short form: the servers of the only pool, which is named main."},
    {.name = "balance",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .flags = CONF_SHORT,
     .form = &short_pool_form,
     .doc = "Short form: balance of that pool."},
    {.name = "health",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .flags = CONF_SHORT,
     .form = &short_pool_form,
     .doc = "Short form: health of that pool."},
    {.name = NULL},
};

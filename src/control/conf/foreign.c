/*
 * What nginx, HAProxy, Caddy, Traefik and Envoy say, and what it is here. Only words that
 * are too far away for the comparison of letters. And words of ours at a wrong place.
 */
#include "control/conf/foreign.h"

#include "control/conf/draft.h"

enum { HOMES_MOST = 2, DEPTH_MOST = 5 };

static const struct foreign {
    const char *place, *theirs, *ours;
} foreign_words[] = {
    {"top level", "upstream", "pools"},
    {"top level", "upstreams", "pools"},
    {"top level", "backend", "pools"},
    {"top level", "backends", "pools"},
    {"top level", "cluster", "pools"},
    {"top level", "clusters", "pools"},
    {"top level", "services", "pools"},
    {"top level", "frontend", "listeners"},
    {"top level", "frontends", "listeners"},
    {"top level", "server", "pools"},
    {"top level", "servers", "pools"},
    {"top level", "bind", "listeners"},
    {"top level", "entrypoints", "listeners"},
    {"top level", "locations", "routes"},
    {"top level", "global", "runtime"},
    {"listeners", "bind", "address"},
    {"listeners", "listen", "address"},
    {"listeners", "port", "address"},
    {"listeners", "default_backend", "to"},
    {"listeners", "backend", "to"},
    {"listeners", "pool", "to"},
    {"listeners", "maxconn", "max_connections"},
    {"listeners", "mode", "kind"},
    {"routes", "proxy_pass", "to"},
    {"routes", "use_backend", "to"},
    {"routes", "backend", "to"},
    {"routes", "upstream", "to"},
    {"routes", "pool", "to"},
    {"routes", "service", "to"},
    {"routes", "location", "match"},
    {"routes", "return", "respond"},
    {"pools", "backends", "servers"},
    {"pools", "hosts", "servers"},
    {"pools", "algorithm", "balance"},
    {"pools", "lb_policy", "balance"},
    {"pools", "check", "health"},
    {"pools", "health_check", "health"},
    {"servers", "maxconn", "max_connections"},
    {"servers", "max_conns", "max_connections"},
    {"servers", "host", "address"},
    {"servers", "ip", "address"},
    {"servers", "port", "address"},
    {"servers", "url", "address"},
    {"active", "rise", "healthy_after"},
    {"active", "fall", "unhealthy_after"},
    {"health", "rise", "healthy_after"},
    {"health", "fall", "unhealthy_after"},
    {"match", "uri", "path"},
    {"match", "domain", "host"},
    {"balance", "leastconn", "least_connections"},
    {"balance", "least_conn", "least_connections"},
    {"balance", "least_request", "least_connections"},
    {"balance", "roundrobin", "round_robin"},
    {"balance", "rr", "round_robin"},
    {"balance", "wrr", "weighted_round_robin"},
    {"balance", "p2c", "random_two"},
    {"balance", "source", "ip_hash"},
    {"balance", "hash", "consistent_hash"},
    {"balance", "ring_hash", "consistent_hash"},
    {"balance", "maglev", "consistent_hash"},
    {"balance", "hrw", "consistent_hash"},
    {"consistent_hash", "hash_key", "key"},
    {"consistent_hash", "replicas", "virtual_nodes"},
    {"consistent_hash", "balance_factor", "bound"},
    {"retries", "attempts", "count"},
    {"retries", "num_retries", "count"},
    {"retries", "on", "on_errors"},
    {"on_errors", "error", "connect_error"},
    {"on_errors", "timeout", "response_timeout"},
    {"level", "warning", "warn"},
    {"proxy_protocol", "on", "v2"},
    {"proxy_protocol", "true", "v2"},
};

bool foreign_suggest(struct complaint *complaint, const char *place, str word)
{
    for (size_t i = 0; i < array_len(foreign_words); i++) {
        const struct foreign *foreign = &foreign_words[i];

        if (strcmp(foreign->place, place) == 0 &&
            str_eq_nocase(word, str_of(foreign->theirs))) {
            complaint_help(complaint, "did you mean '%s'?", foreign->ours);
            return true;
        }
    }
    return false;
}

/* ---- our own words ---- */

/* Sections that have the setting. */
struct homes {
    const char *names[HOMES_MOST];
    unsigned count; /* more than HOMES_MOST: it could be anywhere */
};

static bool holds(const struct conf_row *rows, str key)
{
    for (; rows->name; rows++) {
        if (!(rows->flags & CONF_SHORT) && str_eq(key, str_of(rows->name)))
            return true;
        if ((rows->flags & CONF_INLINE) && holds(rows->rows, key))
            return true;
    }
    return false;
}

static void add_home(struct homes *homes, const char *name)
{
    for (unsigned i = 0; i < homes->count && i < HOMES_MOST; i++) {
        if (strcmp(homes->names[i], name) == 0)
            return;
    }
    if (homes->count < HOMES_MOST)
        homes->names[homes->count] = name;
    homes->count++;
}

/* Sections so many levels below `rows`. */
static void find_homes(const struct conf_row *rows, unsigned depth, str key,
                       struct homes *homes)
{
    for (; rows->name; rows++) {
        if (!rows->rows)
            continue;
        if (rows->flags & CONF_INLINE)
            find_homes(rows->rows, depth, key, homes);
        else if (depth)
            find_homes(rows->rows, depth - 1, key, homes);
        else if (holds(rows->rows, key))
            add_home(homes, rows->name);
    }
}

void elsewhere_suggest(struct complaint *complaint, const struct conf_row *rows, str key)
{
    const char *word = complaint_word(complaint->owner, key);
    struct homes homes = {0};

    for (unsigned depth = 0; depth < DEPTH_MOST && !homes.count; depth++)
        find_homes(rows, depth, key, &homes);
    if (!homes.count && holds(top_rows, key)) {
        complaint_help(complaint, "'%s' belongs at the top level", word);
        return;
    }
    if (!homes.count) {
        for (unsigned depth = 0; depth < DEPTH_MOST; depth++)
            find_homes(top_rows, depth, key, &homes);
    }
    if (homes.count == 1)
        complaint_help(complaint, "'%s' belongs in '%s'", word, homes.names[0]);
    else if (homes.count == 2)
        complaint_help(complaint, "'%s' belongs in '%s' or '%s'", word, homes.names[0],
                       homes.names[1]);
}

/*
 * What nginx, HAProxy, Caddy, Traefik and Envoy say, and what it is here. Only words that
 * are too far away for the comparison of letters.
 */
#include "control/conf/foreign.h"

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

/*
 * A configuration that was read but not resolved: each object as it will stand in the
 * snapshot, with the places in the file that later complaints point at, and names where
 * there will be pointers. Lives in the arena of the complaints; what is inside the specs
 * lives in the snapshot's.
 */
#ifndef CONTROL_CONF_DRAFT_H
#define CONTROL_CONF_DRAFT_H

#include "base/map.h"
#include "control/conf/schema.h"
#include "lb/match.h"
#include "lb/model.h"

struct defaults {
    struct timeouts timeouts;
    struct retries retries;
    struct sizes sizes;
    struct forwarded forwarded;
};

struct draft_maintenance {
    struct maintenance spec;
    const struct node *page; /* its name; NULL: none */
};

struct protect {
    struct slow_client slow_client;
};

struct logs {
    struct log_settings access, error;
};

struct draft_resolvers {
    struct resolver_settings spec;
    const struct pair *allow, *deny; /* NULL: not written */
};

/* What the top level says but for listeners, routes and pools. */
struct settings {
    struct runtime runtime;
    struct defaults defaults;
    struct draft_resolvers resolvers;
    struct prefixes trusted;
    struct protect protect;
    struct logs logs;
    struct metrics_settings metrics;
    struct admin_settings admin;
    struct draft_maintenance maintenance;
};

struct draft_listener {
    struct listener spec;
    const struct node *key;
    const struct node **addresses; /* beside spec.addresses */
    const struct node *to;
};

/* A pool named by a route. */
struct use {
    const struct node *name;
    uint32_t share;
};

struct draft_route {
    struct route spec;
    struct match match;
    const struct node *item; /* the whole route: its place is its first word */
    const struct node *name;
    const struct node *breaker; /* its name; NULL: none */
    const struct node *ladder;  /* in the same manner */
    const struct node *hedge;   /* the key; NULL: as the pool has it */
    struct vec_of(struct use) uses;
    struct vec_of(const struct node *) listeners;
    bool has_match;
};

struct draft_breaker {
    struct breaker spec;
    const struct node *key;
};

/* What `balance` says, until it is settled which way it is. */
struct draft_balance {
    uint32_t prefix_ip4, prefix_ip6; /* ip_hash */
    const struct key *key;           /* consistent_hash, and the others */
    const struct node *key_node;
    struct balance_settings settings;
};

struct draft_page {
    struct page spec;
    const struct node *key;
    const struct node *file; /* NULL: none */
};

/* A line of pages.errors. */
struct draft_error_page {
    unsigned first, last;    /* statuses */
    const struct node *file; /* NULL: built in */
};

struct draft_pages {
    struct draft_page *items;
    unsigned count;
    struct vec_of(struct draft_error_page) errors;
    const struct page **by_status; /* of errors, when their files are read; NULL: none */
    bool has_all;                  /* the section was readable */
};

/* A level of a ladder. */
struct draft_step {
    struct degrade_rule rule;
    const struct node *when;                   /* its place; NULL: not written */
    const struct node *page;                   /* its name; NULL: none */
    struct vec_of(const struct node *) routes; /* dropped by name */
};

struct draft_ladder {
    struct ladder spec;
    const struct node *key, *pool;
    struct draft_step steps[DEGRADE_COUNT];
};

struct draft_ladders {
    struct draft_ladder *items;
    unsigned count;
    bool has_all; /* the section was readable */
};

/* What is written, and whether it is more than "off". */
struct draft_adaptive {
    struct adaptive_concurrency spec;
    bool is_on;
};

struct draft_pool {
    struct pool spec;
    struct draft_adaptive adaptive; /* settled into the spec */
    const struct node *adaptive_at; /* its key; NULL: not written */
    struct draft_balance balance;
    struct sticky sticky; /* settled into the spec, where it is on */
    const struct node *sticky_by;
    const struct node *key;
    const struct node *settings; /* all that is written */
    const struct node *breaker;  /* its name; NULL: none */
    bool has_balance;            /* it is written down */
    const struct node *first_weight;
    const struct pair *locality; /* where it is written */
};

struct draft {
    struct settings settings;
    struct draft_listener *listeners;
    struct draft_route *routes;
    struct draft_pool *pools;
    struct draft_breaker *breakers;
    struct draft_pages pages;
    struct draft_ladders ladders;
    unsigned listener_count, route_count, pool_count, breaker_count;
    bool has_all_listeners, has_all_routes, has_all_pools,
        has_all_breakers; /* their sections were readable */
};

extern const struct conf_row top_rows[];
extern const struct conf_row defaults_rows[], logs_rows[], metrics_rows[], admin_rows[];
extern const struct conf_row match_rows[], headers_rows[];
extern const struct conf_row timeouts_rows[], retries_rows[], sizes_rows[];
extern const struct conf_row listener_rows[], route_rows[], pool_rows[], server_rows[];
extern const struct conf_row health_rows[], active_rows[], slow_start_rows[];
extern const struct conf_row hedge_rows[];
extern const struct conf_row expect_rows[], json_rows[];
extern const struct conf_row balance_rows[];
extern const struct conf_row sticky_rows[];
extern const struct conf_choice check_kind_choices[];
/* Words that stand for a section: one of its settings. */
extern const struct conf_choice sticky_by_choices[], adaptive_choices[];
extern const struct conf_row adaptive_rows[];
extern const struct conf_row tiers_rows[], locality_rows[], queue_rows[];

extern const struct conf_row breaker_rows[];
extern const struct conf_row resolvers_rows[];
extern const struct conf_row page_rows[], pages_beside_rows[], maintenance_rows[];
extern const struct conf_form pages_form, page_name_form;
extern const struct conf_row ladder_rows[];
extern const struct conf_form ladders_form, ladder_name_form;

extern const struct conf_form listeners_form, routes_form, pools_form, breakers_form;
/* The name of a breaker, kept as a node at the row's offset. */
extern const struct conf_form breaker_name_form;
extern const struct conf_form listeners_form, routes_form, pools_form, balance_form;

/* Shared by the tables (words.c). */
extern const struct conf_form text_form, header_name_form, networks_form;

/* The networks that a word means in lists of the DNS's answers: "private"; NULL: none.
 * (rows/resolvers.c) */
const struct prefixes *address_kind_find(str word);

/* When all rows of `active` are read: which kind of check that is, and what they say
 * together (C012, C040, W110). */
void health_check_settle(struct reader *reader, const struct node *active,
                         struct health_check *check);

/* When all rows of `sticky` are read: what belongs to its kind, and what is missing. */
void sticky_settle(struct reader *reader, const struct pair *given,
                   struct draft_pool *pool);

/* When all rows of `adaptive_concurrency` are read: what they say together (C020). */
void adaptive_settle(struct reader *reader, const struct pair *given,
                     struct draft_pool *pool);

/* Letters, digits, '-', '_', '.', at most 128; complains (C039) and says false. */
bool name_check(struct reader *reader, const struct node *name);

/* How a path is written, for a complaint about a text that is none. */
void help_path(struct reader *reader, struct complaint *complaint, str text);

/* A token of RFC 9110 5.6.2, at most 256 letters: the name of a header, a cookie or a
 * method. */
bool text_is_token(str text);

/* Holds a byte that no field value may hold: a control byte, but not a tab. */
bool text_has_control(str text);

/* A copy in the snapshot. */
static inline str str_keep(struct reader *reader, str s)
{
    return arena_copy(reader->arena, s);
}

#define CONF_AT(type, field) .offset = offsetof(type, field)

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define DURATION_MOST ((uint64_t)720 * HOUR)

#endif

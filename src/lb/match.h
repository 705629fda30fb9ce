/*
 * The conditions of one route, and the view of a request that they look at. Between kinds
 * (hosts, paths, methods, ...) all must hold; inside a list of hosts, paths or methods
 * one is enough; of headers, cookies and query parameters each must hold. What a text in
 * the file means ("*.example.com", "~^/v[0-9]+/", "absent") is decided here, by
 * the _parse functions, and nowhere else.
 */
#ifndef LB_MATCH_H
#define LB_MATCH_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/pattern.h"
#include "proto/head.h"

/* A request as routes and templates see it; all slices outlive the look. */
struct request_facts {
    const struct head *head;
    str host;  /* lower case, no port, no dot at the end (uri_host); empty: none */
    str path;  /* normal form (uri_normalise): "/...", or "*" */
    str query; /* behind the '?', as it came; STR_NONE without one */
    const struct addr *client;
    unsigned listener;               /* listener->index */
    struct pattern_scratch *scratch; /* this worker's; may be NULL without regexes */
};

/* "example.com", or "*.example.com": any depth below it, but not itself. */
struct host_match {
    bool is_wildcard;
    str name; /* lower case; of a wildcard with its dot: ".example.com" */
};

enum path_kind {
    PATH_EXACT,
    PATH_PREFIX, /* of whole segments: "/api" takes "/api" and "/api/x", not "/apix" */
    PATH_REGEX,  /* sees the path in its normal form */
};

struct path_match {
    enum path_kind kind;
    str text; /* of a prefix without its slash and star; empty: all of "/..." */
    struct pattern *regex; /* with PATH_REGEX */
};

enum value_kind { VALUE_EXACT, VALUE_REGEX, VALUE_PRESENT, VALUE_ABSENT };

/*
 * A header, cookie or query parameter. Where a name comes more than once, one that fits
 * is enough (and VALUE_ABSENT wants none); of cookies the first of each field counts. Header names have no case, cookies and
 * parameters do. Parameters are compared decoded (%xx and '+'), so that nobody passes a
 * condition by writing a letter in another way; a regex sees their first 4,096 bytes.
 */
struct value_match {
    str name;
    enum value_kind kind;
    enum field_name known;
    str text;              /* of a regex its source, without '~' */
    struct pattern *regex; /* with VALUE_REGEX */
};

struct value_matches {
    const struct value_match *items;
    unsigned count;
};

struct match {
    const uint64_t *listeners; /* bit i: listener with index i; NULL: every http one */
    unsigned listener_words;
    const struct host_match *hosts; /* none: any */
    unsigned host_count;
    const struct path_match *paths; /* none: any, "*" too */
    unsigned path_count;
    uint32_t methods;         /* bit 1 << enum http_method; see match_add_method */
    const str *other_methods; /* those without an enum; with methods 0 and none: any */
    unsigned other_method_count;
    struct value_matches headers, cookies, queries;
    struct prefixes client_in, client_not; /* client_in empty: any */
};

/* "example.com", "*.example.com", an IP address ("[::1]" for IPv6). The text is copied.
 * ERR_INVALID: empty, a port, a star elsewhere, bytes that no host has. */
MUST_CHECK enum err host_match_parse(struct arena *arena, str text,
                                     struct host_match *out);

/*
 * "/x" exact, "/x/" and a star: prefix, "~..." regex. Exact and prefix are brought into
 * the normal form. ERR_INVALID: not from the root, a star elsewhere, a path that
 * uri_normalise refuses, a regex that does not compile (then *error says why, else its
 * message is empty). A regex must be given back with match_close.
 * A path with '?' or '#' is invalid too.
 */
MUST_CHECK enum err path_match_parse(struct arena *arena, str text,
                                     struct path_match *out, struct pattern_error *error);

/* "absent", "present", "~regex", else exact. As path_match_parse on errors. */
MUST_CHECK enum err value_match_parse(struct arena *arena, str name, str text,
                                      struct value_match *out,
                                      struct pattern_error *error);

/* Adds a method; GET brings HEAD with it. Copied. ERR_INVALID: not a token, or a known
 * method in lower case, which no request would ever bear. */
MUST_CHECK enum err match_add_method(struct arena *arena, struct match *match, str text);

/* Limits the match to this listener too. */
void match_add_listener(struct arena *arena, struct match *match, unsigned index);

/* Gives compiled regexes back, which no arena does. NULL and zeroed ones are fine. */
void match_close(const struct match *match);

/* Does every condition hold? NULL takes everything. */
bool match_holds(const struct match *match, const struct request_facts *facts);

/*
 * The first field of that name that routes and templates may see: one that was dropped
 * because it belongs to the hop is seen, one that an untrusted client had no right to
 * send is not. NULL: none. `after`: the one found before, or NULL.
 */
const struct field *field_find_seen(const struct head *head, enum field_name known,
                                    str name, const struct field *after);

/* The parts of match_holds, for the router, which knows the host and path already. */
bool match_has_listener(const struct match *match, unsigned index);
bool match_rest_holds(const struct match *match, const struct request_facts *facts);
bool host_match_holds(const struct host_match *host, str name);
bool path_match_holds(const struct path_match *path, str text,
                      struct pattern_scratch *scratch);

/*
 * Does `wide` certainly hold for every request that `narrow` holds for? Says no where it
 * cannot know (regexes are compared as texts).
 */
bool match_covers(const struct match *wide, const struct match *narrow);

#endif

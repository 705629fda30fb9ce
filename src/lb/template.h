/*
 * Small texts with facts in braces, for redirect targets and header values:
 * "https://shop.example.com{path}", "{req.header.x-tier}". "{{" and "}}" are the braces
 * themselves. Compiled once with the configuration. A fact without a value renders as
 * nothing. Whatever a client sent, a rendered text holds no CR, LF or other control
 * byte: they come out as %0D and so on (RFC 9110 5.5: no response splitting).
 */
#ifndef LB_TEMPLATE_H
#define LB_TEMPLATE_H

#include "base/text.h"
#include "lb/match.h"

struct template;

/* What client.subnet keeps of an address: what one client is thought to change. */
enum { SUBNET_BITS_IP4 = 24, SUBNET_BITS_IP6 = 56 };

/* What a template will be used for; decides how bytes are escaped and which facts exist. */
enum template_use {
    TEMPLATE_URL,      /* redirect.to: bytes that no URI may hold are escaped */
    TEMPLATE_REQUEST,  /* a header to the server */
    TEMPLATE_RESPONSE, /* a header to the client: res.* too */
};

/* When a fact comes to be known; what is known earlier is known later, too. */
enum template_moment {
    TEMPLATE_AT_ACCEPT,   /* there is a connection: client, peer, listener */
    TEMPLATE_AT_REQUEST,  /* a request was read and has found its route */
    TEMPLATE_AT_CHOICE,   /* a server was chosen */
    TEMPLATE_AT_RESPONSE, /* it has answered */
};

/* Where and why it does not compile; texts are static or slices of the source. */
struct template_error {
    size_t at;          /* offset of the piece at fault in the source */
    str piece;          /* the unknown fact, without braces */
    const char *reason; /* "unknown fact", "'{' is never closed", ... */
};

/* The facts as they stand now. Strings may be STR_NONE, pointers NULL: no value. */
struct template_facts {
    const struct request_facts *request;
    const struct addr *client, *peer; /* after trusted_proxies; of the socket */
    const struct head *response;      /* TEMPLATE_RESPONSE */
    str scheme;                       /* "http" */
    str listener, route, pool, server, server_ip;
    str request_id;
};

/*
 * Copies what it needs into the arena. NULL and *error when it is wrong. Facts:
 * client.ip client.subnet client.port peer.ip listener route pool server server.ip request.id
 * req.method req.scheme req.host req.path req.query req.uri (path and query)
 * req.query.NAME req.header.NAME req.cookie.NAME, res.status res.header.NAME; short:
 * path query host uri scheme method.
 */
const struct template *template_compile(struct arena *arena, str source,
                                        enum template_use use,
                                        struct template_error *error);

/* A template without facts is this text; STR_NONE when it has some. */
str template_fixed(const struct template *tmpl);

/* When all of its facts are known. */
enum template_moment template_known_at(const struct template *tmpl);

/*
 * What a template that is one fact ("{req.path}") stands for, bytes as they are: a slice of
 * the facts, or printed into `memory`, where what does not fit is cut off. STR_NONE: the
 * fact has no value.
 */
str template_value(const struct template *tmpl, const struct template_facts *facts,
                   struct text *memory);

/* Appends to `out`; out->overflow says that it did not fit. */
void template_render(const struct template *tmpl, const struct template_facts *facts,
                     struct text *out);

/* The whole of it, in the arena; STR_NONE when it has more than `most` bytes. */
str template_render_in(const struct template *tmpl, const struct template_facts *facts,
                       struct arena *arena, size_t most);

/* The i-th name of a fact, for "did you mean"; NULL behind the last. Where it ends in a
 * dot ("req.header."), a name follows. */
const char *template_fact_name(unsigned i);

#endif

/*
 * A worker's sticky cookies: it seals them, opens them, and keeps those that it opened last,
 * for the same client comes again with the same text, on this connection or another one, and
 * to find and compare it costs a sixth of what it costs to open it. A fixed number of places,
 * each for any text that falls on it, so a jar does not grow and nothing is ever searched.
 *
 * What is kept is what a cookie says, never whether it still counts: that is for whoever
 * asks, each time. A cookie that does not open is not kept, so nobody can put into a jar
 * what was not sealed by us, and after a change of keys nothing that is kept is found.
 */
#ifndef PROXY_COOKIE_JAR_H
#define PROXY_COOKIE_JAR_H

#include "base/base64.h"
#include "lb/sticky.h"
#include "net/seal.h"

enum {
    COOKIE_SEALED = STICKY_TOKEN_SIZE + SEAL_OVERHEAD,
    COOKIE_TEXT = BASE64_SIZE(COOKIE_SEALED),
    COOKIE_JAR_PLACES = 1024,
};

struct opened_cookie {
    uint64_t hash;
    uint64_t state; /* seal_ring_state when it was opened; 0: an empty place */
    struct sticky_token token;
    bool is_old; /* not sealed with the newest key */
    char text[COOKIE_TEXT];
};

struct cookie_jar {
    uint64_t secret[2]; /* of the hash, so that nobody can aim at a place */
    struct sealer sealer;
    struct opened_cookie places[COOKIE_JAR_PLACES];
};

/* Of about 130 KiB, which are touched as cookies come. */
struct cookie_jar *cookie_jar_new(void);
void cookie_jar_free(struct cookie_jar *jar); /* NULL: there is none */

/* What a cookie says, until the next call. NULL: it was not sealed with a key of the ring. */
const struct opened_cookie *cookie_jar_open(struct cookie_jar *jar,
                                            const struct seal_ring *ring, str text);

/* Adds COOKIE_TEXT characters to the text. ERR_NO_MEMORY. */
MUST_CHECK enum err cookie_jar_seal(struct cookie_jar *jar, const struct seal_ring *ring,
                                    const struct sticky_token *token, struct text *text);

#endif

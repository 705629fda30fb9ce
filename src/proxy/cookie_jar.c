/*
 * Can somebody learn another client's cookie by timing a jar? No: texts are compared only
 * where their keyed hashes of 64 bits are equal, so a guess that is right in part is as
 * far from the place as one that is all wrong. And the hash only says where to look: all
 * the bytes must be the same.
 */
#include "proxy/cookie_jar.h"

#include "base/check.h"
#include "base/hash.h"
#include "io/sys.h"

#include <stdlib.h>

#define PURPOSE STR("weir sticky cookie 1")

struct cookie_jar *cookie_jar_new(void)
{
    struct cookie_jar *jar = calloc(1, sizeof *jar);

    CHECK(jar != NULL);
    sys_random(jar->secret, sizeof jar->secret);
    return jar;
}

void cookie_jar_free(struct cookie_jar *jar)
{
    if (jar)
        sealer_close(&jar->sealer);
    free(jar);
}

/* Nothing is written to the place before the cookie has opened. */
static NEVER_INLINE bool open_anew(struct cookie_jar *jar, const struct seal_ring *ring,
                                   str text, struct opened_cookie *place)
{
    unsigned char sealed[COOKIE_SEALED], opened[STICKY_TOKEN_SIZE];
    bool is_old;

    if (!base64_read(text, sealed, sizeof sealed) ||
        seal_open(&jar->sealer, ring, PURPOSE, (str){(char *)sealed, sizeof sealed},
                  opened, &is_old))
        return false;
    sticky_token_read(opened, &place->token);
    place->is_old = is_old;
    memcpy(place->text, text.p, COOKIE_TEXT);
    return true;
}

const struct opened_cookie *cookie_jar_open(struct cookie_jar *jar,
                                            const struct seal_ring *ring, str text)
{
    /* Read first: a key that is added meanwhile makes what is kept now count no more. */
    uint64_t state = seal_ring_state(ring), hash;
    struct opened_cookie *place;

    if (text.n != COOKIE_TEXT)
        return NULL;
    hash = siphash13(jar->secret, text);
    place = &jar->places[hash % COOKIE_JAR_PLACES];
    if (place->hash == hash && place->state == state &&
        memcmp(place->text, text.p, COOKIE_TEXT) == 0)
        return place;
    if (!open_anew(jar, ring, text, place))
        return NULL;
    place->hash = hash;
    place->state = state;
    return place;
}

enum err cookie_jar_seal(struct cookie_jar *jar, const struct seal_ring *ring,
                         const struct sticky_token *token, struct text *text)
{
    unsigned char opened[STICKY_TOKEN_SIZE], sealed[COOKIE_SEALED];
    enum err e;

    sticky_token_write(token, opened);
    e = seal_close(&jar->sealer, ring, PURPOSE, (str){(char *)opened, sizeof opened},
                   sealed);
    if (!e)
        base64_write(text, sealed, sizeof sealed);
    return e;
}

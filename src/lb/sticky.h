/*
 * Keeping a client where it was: what is remembered of it, and for how long that counts.
 * The token is what an inserted cookie holds once it was opened (the sealing itself is
 * net/seal's); what weir remembers itself lies in lb/sticky_table.
 */
#ifndef LB_STICKY_H
#define LB_STICKY_H

#include "lb/model.h"

enum { STICKY_TOKEN_SIZE = 24 };

struct sticky_token {
    uint64_t server;       /* server_live->id */
    uint64_t pool;         /* sticky->pool_id */
    uint32_t issued, seen; /* seconds since 1970 */
};

void sticky_token_write(const struct sticky_token *token,
                        unsigned char bytes[STICKY_TOKEN_SIZE]);
void sticky_token_read(const unsigned char bytes[STICKY_TOKEN_SIZE],
                       struct sticky_token *token);

/* What a pool is to its cookies: the same name is the same pool, in every process. */
uint64_t sticky_pool_id(str name);

/*
 * Does it still count, so many milliseconds after it was issued and after it was seen
 * last? That a client was seen is noted only from time to time (sticky_is_due), so the
 * idle time is never cut short but may last an eighth longer.
 */
bool sticky_is_alive(const struct sticky *sticky, uint64_t issued_ms, uint64_t seen_ms);

/* Has so much of the idle time gone by that it is worth to note that it was seen? */
bool sticky_is_due(const struct sticky *sticky, uint64_t seen_ms);

/* Seconds that a browser is to keep the cookie; 0: as long as it runs. */
uint32_t sticky_max_age(const struct sticky *sticky, uint64_t issued_ms);

/* Does weir remember for itself, in the pool's table? */
static inline bool sticky_uses_table(const struct sticky *sticky)
{
    return sticky->by != STICKY_COOKIE;
}

#endif

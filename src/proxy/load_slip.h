/*
 * What servers say of their load in a header of their answers (pool->load_header). The
 * header is taken out, as it is no client's business; a value that the steward does not
 * know yet goes to him on a slip. There is one slip for each server and worker, and it
 * comes back about a second later: who says something else in each answer is heard once in
 * that time, with what was said last.
 */
#ifndef PROXY_LOAD_SLIP_H
#define PROXY_LOAD_SLIP_H

#include "guard/health.h"
#include "io/mailbox.h"
#include "proxy/exchange.h"

enum { LOAD_SLIP_MOST = CHECK_DETAIL_MOST };

/* A value of the header, as it stood in an answer. */
struct load_note {
    uint64_t hash; /* never 0 */
    uint64_t at;   /* monotonic ns */
    uint32_t length;
    bool is_cut; /* there is more of it than words need: it is not understood */
    char words[LOAD_SLIP_MOST];
};

struct load_slip {
    struct mail mail;
    struct list node; /* the steward's, while it is there */
    struct worker *worker;
    struct server_live *server; /* held while the slip is under way */
    struct load_note told;      /* not changed while it is under way */
    struct load_note next;      /* what has come since; the worker's own */
    bool is_under_way, has_next;
};

/* Takes the header out of x->response, which x->attempt has got, and looks at it. */
void load_slip_look_always(struct exchange *x);
static inline void load_slip_look(struct exchange *x)
{
    if (unlikely(x->pool->load_header.n != 0))
        load_slip_look_always(x);
}

/* Mail from the steward: he has done with it. */
void load_slip_returned(struct mail *mail);

#endif

/*
 * One client's HTTP/1 connection: reads requests one after the other, begins an exchange
 * for each, and decides with it whether the connection goes on. An idle session holds
 * nothing but itself.
 */
#ifndef PROXY_SESSION_H
#define PROXY_SESSION_H

#include "proxy/door.h"
#include "proxy/h1_end.h"

struct exchange;

enum {
    SESSION_MAGIC = 0x53455353,
    PEER_TEXT_MOST = 46,
    PEER_TEXT_AT = 17, /* behind "X-Forwarded-For: " */
    TOLD_MOST = PEER_TEXT_AT + PEER_TEXT_MOST + 25,
};

enum session_kind { SESSION_HTTP, SESSION_TCP };

/* What HTTP and TCP sessions have in common; the first member of both. */
struct guest {
    struct list node; /* worker->sessions */
    enum session_kind kind;
    struct worker *worker;
    struct door *door;
    struct conn_permit permit;
};

struct session {
    struct guest guest;
    unsigned magic;
    struct h1_end front;
    struct exchange *exchange; /* the one that runs; NULL between requests */
    struct timer timer;        /* head as a whole, idle, lingering; or the exchange's */
    struct deferred again;     /* look for the next request */
    uint64_t head_began;       /* when the first byte of the request came */
    uint64_t linger_most;      /* conn.received at which lingering ends */
    uint32_t requests;
    bool is_lingering; /* the answer is out, we only wait for the peer's FIN */
    uint8_t peer_text_n;
    uint8_t peer_family;
    uint16_t peer_port;
    unsigned char peer_ip[16];
    /* What servers are told of every request, as it is sent: "X-Forwarded-For: ADDRESS",
     * a line end, "X-Forwarded-Proto: http". */
    char told[TOLD_MOST];
};

/* Takes the accepted descriptor and the permit over. */
void session_begin(struct door *door, int fd, const struct addr *peer,
                   const struct conn_permit *permit);

/* The peer's address without port; empty for a unix socket. */
static inline str session_peer_text(const struct session *session)
{
    return (str){session->told + PEER_TEXT_AT, session->peer_text_n};
}

/* The parts of what servers are told: names, and the scheme. */
static inline str session_told_for(const struct session *session)
{
    return (str){session->told, PEER_TEXT_AT - 2};
}

static inline str session_told_proto(const struct session *session)
{
    return (str){session->told + PEER_TEXT_AT + session->peer_text_n + 2, 17};
}

static inline str session_told_scheme(const struct session *session)
{
    return (str){session->told + PEER_TEXT_AT + session->peer_text_n + 21, 4};
}

/* The peer's address, put together again; what it has not is not written. */
void session_peer(const struct session *session, struct addr *out);

/* What becomes of a client's connection after an exchange. */
enum session_after {
    SESSION_KEEP,   /* the next request may come */
    SESSION_CLOSE,  /* all was read and answered */
    SESSION_LINGER, /* the client may still be sending: do not let a RST eat the answer */
    SESSION_ABORT,  /* the answer is not whole: the client must see that */
};

/* An exchange of this session has ended. */
void session_exchange_done(struct session *session, enum session_after after);

/* Closes it as soon as nothing runs on it. A request that has come already is answered
 * first, unless its listener was removed. */
void session_drain(struct session *session);

/* Has it been answered, and is nothing under way or begun on it? */
bool session_is_idle(const struct session *session);

/* Ends at once with all that runs on it. */
void session_cut(struct session *session);

/* Bookkeeping that both kinds of session share. */
void guest_enter(struct guest *guest, enum session_kind kind, struct door *door,
                 const struct conn_permit *permit);
void guest_leave(struct guest *guest);

#endif

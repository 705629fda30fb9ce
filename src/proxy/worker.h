/*
 * A data thread: everything it touches is its own. It learns of new snapshots, endpoint
 * sets and drains by mail, and speaks to the steward by mail.
 */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include "base/pattern.h"
#include "guard/conn_limit.h"
#include "io/engine.h"
#include "lb/model.h"
#include "proxy/pressure.h"

struct access_log;
struct circuit_news; /* proxy/outcome.h */
struct cookie_jar;
struct load_slip; /* proxy/load_slip.h */
struct server_outcome;
struct door;
struct endpoint_set;

/* Whom the workers tell things: the steward. */
struct steward_desk {
    struct mailbox *mailbox;
    /* Called on a worker's thread: posts that a server refuses connections. */
    void (*server_fails)(struct steward_desk *desk, struct server_live *server,
                         enum err why);
    /* So many tries in a row went wrong as make a server an outlier. */
    void (*server_errs)(struct steward_desk *desk, struct server_live *server,
                        const struct server_outcome *last);
    /* A circuit breaker has moved. */
    void (*circuit_moved)(struct steward_desk *desk, const struct circuit_news *news);
    /* An answer says something new of its server's load. */
    void (*load_said)(struct steward_desk *desk, struct load_slip *slip);
    /* A worker has no exchange on this old snapshot any more. */
    void (*snapshot_left)(struct steward_desk *desk, struct snapshot *snapshot,
                          unsigned worker);
    /* A draining worker's last session has ended. */
    void (*worker_empty)(struct steward_desk *desk, unsigned worker);
};

enum { WORKER_MAGIC = 0x574f524b, REQUEST_ID_SIZE = 32 };

/*
 * Where request ids come from: a half that this worker drew when it began, so that no two
 * workers, machines or lives share one, and a count from a place that was drawn too, mixed
 * so that neighbours look nothing alike. The mixing loses nothing, so none comes twice.
 * They tell requests apart; who knows one may work others out, so they open no doors.
 */
struct id_source {
    char half[REQUEST_ID_SIZE / 2]; /* hexadecimal digits */
    uint64_t count;
};

/* What is closed for now, as the steward last said; the file's word or people's. */
struct closure {
    str page; /* a name among the snapshot's pages; empty: the built-in text */
    struct prefixes except;
};

/* Why a request may be turned away at all; none of them: nobody looks. */
enum curb {
    CURB_CLOSED = 1 << 0, /* worker->closure says for whom */
    CURB_LOADED = 1 << 1, /* worker->pressure says who is shed */
};

struct worker {
    unsigned magic;
    unsigned index;
    unsigned curbs; /* enum curb */
    const struct closure *closure;
    uint64_t shed[PRIORITY_COUNT]; /* requests turned away by level or load */
    struct engine engine;
    struct sys_thread thread;
    struct snapshot *snapshot; /* what new work starts under */
    struct list doors;         /* struct door */
    struct list sessions;      /* struct session, tcp ones too */
    struct list links;         /* every struct link, idle or not */
    struct slab session_slab, exchange_slab, link_slab, relay_slab, tcp_slab;
    struct pattern_scratch patterns;
    struct conn_limit *conn_limit; /* the process's */
    struct steward_desk *steward;
    struct access_log *access_log; /* this worker's end of it; NULL: off */
    struct deferred accept_again;
    struct timer accept_pause; /* out of descriptors: try again then */
    uint64_t wall_offset;      /* wall clock minus monotonic ... */
    uint64_t wall_read;        /* ... as of this monotonic time */
    struct id_source ids;
    bool is_draining; /* no keep-alive, no new connections */
    unsigned session_count;
    struct pressure pressure;
    struct cookie_jar *jar; /* NULL: no sticky cookie was opened or sealed yet */
};

/* Before its thread starts. snapshot: the first one. */
MUST_CHECK enum err worker_init(struct worker *worker, unsigned index,
                                struct snapshot *snapshot, struct conn_limit *conn_limit,
                                struct steward_desk *steward);

/* After its thread has ended. */
void worker_close(struct worker *worker);

/* One turn of its loop; sys_turn_fn. */
bool worker_turn(void *worker);

/* ---- on the worker's own thread, called from mail ---- */

/* From now on new exchanges start under `snapshot`; doors of listeners that are gone
 * stop, those that stay learn their new settings. */
void worker_adopt(struct worker *worker, struct snapshot *snapshot);

/* No new connections; those that are idle end, the others after their exchange. */
void worker_drain(struct worker *worker);

/* Ends what still runs on a removed server: a request that has no answer yet may go to
 * another one; what is being answered, tunnels and TCP are cut. */
void worker_cut_server(struct worker *worker, struct server_live *server);

/* Ends what still runs on connections that came by a removed listener. */
void worker_cut_listener(struct worker *worker, const struct listener_live *listener);

/* Ends everything that still runs, at once. */
void worker_cut(struct worker *worker);

/*
 * Somebody new wants in and the process is full: ends one client's connection that waits
 * for its next request, the one that has been idle for longest among a few of those that
 * came first. False: none of them is idle.
 */
bool worker_end_idle_client(struct worker *worker);

/* No descriptor is left: gives up what is only kept in store. False: nothing was. */
bool worker_free_descriptors(struct worker *worker);

/* No descriptor is left: doors try again in a moment. */
void worker_pause_accept(struct worker *worker);

/* ---- pins ---- */

struct snapshot *worker_pin(struct worker *worker);
void worker_unpin(struct worker *worker, struct snapshot *snapshot);

/* Unix time in nanoseconds for people to read; costs no clock call. */
static inline uint64_t worker_wall(const struct worker *worker)
{
    return worker->engine.loop.now + worker->wall_offset;
}

#endif

/*
 * One thread writes all logs, so that no disk, pipe or syslog can hold traffic up. Each
 * thread that has something to say owns rings, one for each sink it speaks to; whoever
 * speaks formats whole lines straight into its ring and never waits: a line that does not
 * fit is dropped and counted. The writer takes what is there in large pieces.
 *
 * To speak costs two stores and two loads; the writer is woken only when it sleeps or
 * when a ring is half full, and lingers after work, so that a busy ring is emptied about
 * a hundred times a second without any wake-up.
 *
 * A sink that fails (disk full, nobody at syslog) is tried again with back-off; what
 * waits is kept until the second try has failed too, and is then dropped and counted.
 */
#ifndef IO_LOG_WRITER_H
#define IO_LOG_WRITER_H

#include "base/counter.h"
#include "base/list.h"
#include "base/log.h"
#include "io/mailbox.h"

enum log_sink { LOG_ACCESS, LOG_EVENTS, LOG_SINK_COUNT };

/* "access" or "error": the label of weir_log_dropped_total. */
const char *log_sink_text(enum log_sink sink);

enum {
    LOG_LINE_MOST = 64 * 1024,   /* bytes of one line */
    LOG_RING_EVENTS = 64 * 1024, /* sizes that fit what rings are used for */
    LOG_RING_ACCESS = 1024 * 1024,
};

struct log_writer;

/*
 * Bytes from one thread to the writer. Lines lie in it one behind the other; one that runs
 * over the end has room to do so (LOG_LINE_MOST more bytes) and is then folded to the
 * start. Positions count up for ever.
 */
struct log_ring {
    CACHE_ALIGNED uint64_t at; /* the speaker's: where the next line begins */
    uint64_t limit;            /* how far there was room when it last looked */
    uint64_t wake_at;          /* half full */
    char *bytes;
    size_t size; /* a power of two */
    struct log_writer *writer;
    struct log_ring *next;
    uint64_t dropped; /* lines; see base/counter.h */
    enum log_sink sink;
    CACHE_ALIGNED _Atomic(uint64_t) written; /* the speaker says: so far */
    CACHE_ALIGNED _Atomic(uint64_t) read;    /* the writer says: so far */
};

/* Where a sink's lines go now; the writer's own. */
struct log_outlet {
    enum { OUTLET_NONE, OUTLET_FILE, OUTLET_INHERITED, OUTLET_SYSLOG } kind;
    enum log_sink sink;
    int fd;
    bool is_failing;             /* and the error log was told */
    bool is_stalled;             /* takes no more just now */
    bool is_torn;                /* the last line there was cut off */
    enum err error;              /* why it fails */
    char to[256];                /* as the settings name it */
    struct log_ring *unfinished; /* the rest of a line must come from there first */
    uint64_t retry_at, back_off; /* monotonic ns */
    uint64_t discarded;          /* lines; see base/counter.h */
    uint64_t lost_before;        /* all losses that were reported */
    uint64_t report_at;          /* the next report of losses, not before */
};

struct log_writer {
    CACHE_ALIGNED _Atomic(bool) is_asleep; /* whoever speaks next wakes it */
    CACHE_ALIGNED struct sys_thread thread;
    struct mailbox box;
    int poll;
    bool is_started, is_stopping;
    enum log_format format; /* of its own events */
    uint64_t wait;          /* ns until the next turn without a wake-up */
    uint64_t stop_by;
    struct log_outlet outlets[LOG_SINK_COUNT];
    struct log_ring *rings;
    struct log_ring *own; /* for its own events */
};

MUST_CHECK enum err log_writer_init(struct log_writer *writer);

/* A ring for one speaking thread; only before the start. size: a power of two, at least
 * LOG_RING_EVENTS. It belongs to the writer. */
struct log_ring *log_ring_new(struct log_writer *writer, enum log_sink sink, size_t size);

/*
 * Says where a sink's lines go from now on; before the start or later. `to`: a path, which
 * is made with mode 0640; "stdout", "stderr"; "syslog" or "syslog:PATH", a unix datagram
 * socket, /dev/log by default; empty: nowhere. It is opened here, so that the caller
 * learns what is wrong; then the old place stays. format: of what the writer itself has
 * to say on LOG_EVENTS.
 */
MUST_CHECK enum err log_writer_open(struct log_writer *writer, enum log_sink sink, str to,
                                    enum log_format format);

MUST_CHECK enum err log_writer_start(struct log_writer *writer);

/* Opens all files anew by their paths (they have been moved away). Any thread. */
void log_writer_reopen(struct log_writer *writer);

/* Lines lost so far. Any thread. */
uint64_t log_writer_dropped(const struct log_writer *writer, enum log_sink sink);

/* Writes what is there, for one second at most; ends the thread and frees the rings, which
 * nobody may use any more. Also after an init without start. */
void log_writer_stop(struct log_writer *writer);

/* ---- for the thread that owns the ring ---- */

bool log_ring_find_room(struct log_ring *ring, size_t most);
void log_ring_fold(struct log_ring *ring, size_t n);
void log_ring_wake(struct log_ring *ring);

/* Room for a line of up to `most` bytes; NULL: there is none, and the drop is counted. */
static inline char *log_ring_reserve(struct log_ring *ring, size_t most)
{
    if (unlikely(ring->limit - ring->at < most) && !log_ring_find_room(ring, most))
        return NULL;
    return ring->bytes + (ring->at & (ring->size - 1));
}

/* The n bytes at what log_ring_reserve gave are lines, each with its newline. */
static inline void log_ring_commit(struct log_ring *ring, size_t n)
{
    if (unlikely((ring->at & (ring->size - 1)) + n > ring->size))
        log_ring_fold(ring, n);
    ring->at += n;
    atomic_store_explicit(&ring->written, ring->at, memory_order_release);
    if (unlikely(ring->at >= ring->wake_at ||
                 atomic_load_explicit(&ring->writer->is_asleep, memory_order_relaxed)))
        log_ring_wake(ring);
}

#endif

/*
 * The rings and the thread that empties them; what becomes of the bytes at a file, pipe or
 * syslog is log_outlet.c. The writer's day: it takes what is there, lingers for a moment
 * without being woken (whoever speaks much is read in large pieces), and when nothing
 * came, says that it sleeps and does. A line may be spoken just while it lies down, and
 * both sides see the other's word too late; so the first sleep is short, and looks again.
 */
#include "io/log_writer.h"

#include "base/check.h"
#include "io/event_log.h"
#include "io/log_outlet.h"

#include <stdlib.h>

#define LINGER_NS UINT64_C(10000000)
#define DOZE_NS UINT64_C(100000000)
#define STOP_NS UINT64_C(1000000000)

const char *log_sink_text(enum log_sink sink)
{
    return sink == LOG_ACCESS ? "access" : "error";
}

/* ---- rings: the speaker's side ---- */

struct log_ring *log_ring_new(struct log_writer *writer, enum log_sink sink, size_t size)
{
    struct log_ring *ring = aligned_alloc(CACHE_LINE, sizeof *ring);

    CHECK(!writer->is_started);
    CHECK(ring && size >= LOG_RING_EVENTS && (size & (size - 1)) == 0);
    *ring = (struct log_ring){.sink = sink, .size = size, .writer = writer};
    ring->bytes = malloc(size + LOG_LINE_MOST);
    CHECK(ring->bytes != NULL);
    ring->limit = size;
    ring->wake_at = size / 2;
    ring->next = writer->rings;
    writer->rings = ring;
    return ring;
}

bool log_ring_find_room(struct log_ring *ring, size_t most)
{
    ring->limit = atomic_load_explicit(&ring->read, memory_order_acquire) + ring->size;
    if (most <= LOG_LINE_MOST && ring->limit - ring->at >= most)
        return true;
    counter_add(&ring->dropped, 1);
    return false;
}

void log_ring_fold(struct log_ring *ring, size_t n)
{
    size_t over = (ring->at & (ring->size - 1)) + n - ring->size;

    memcpy(ring->bytes, ring->bytes + ring->size, over);
}

void log_ring_wake(struct log_ring *ring)
{
    struct log_writer *writer = ring->writer;
    uint64_t half = ring->size / 2;
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    bool is_full = ring->at - read >= half;

    if (ring->at >= ring->wake_at) /* when it does not help: again a quarter later */
        ring->wake_at = is_full ? ring->at + half / 2 : read + half;
    if (atomic_exchange_explicit(&writer->is_asleep, false, memory_order_relaxed) ||
        is_full)
        sys_event_post(writer->box.event);
}

/* ---- the writer ---- */

/* True: something was there. */
static bool drain(struct log_writer *writer, uint64_t now)
{
    bool is_busy = false;

    for (unsigned i = 0; i < LOG_SINK_COUNT; i++)
        is_busy |= log_outlet_drain(&writer->outlets[i], writer->rings, now);
    for (unsigned i = 0; i < LOG_SINK_COUNT; i++)
        log_outlet_report(&writer->outlets[i], writer, now);
    return is_busy;
}

static bool is_anything_there(const struct log_writer *writer)
{
    for (struct log_ring *ring = writer->rings; ring; ring = ring->next)
        if (atomic_load_explicit(&ring->written, memory_order_acquire) !=
            atomic_load_explicit(&ring->read, memory_order_relaxed))
            return true;
    return false;
}

/* How long to wait, after a turn that found something or nothing. */
static uint64_t lie_down(struct log_writer *writer, bool is_busy)
{
    if (is_busy || is_anything_there(writer)) {
        atomic_store_explicit(&writer->is_asleep, false, memory_order_relaxed);
        return LINGER_NS;
    }
    if (atomic_exchange_explicit(&writer->is_asleep, true, memory_order_relaxed))
        return UINT64_MAX; /* this was the second look */
    return is_anything_there(writer) ? 0 : DOZE_NS;
}

static bool turn(void *owner)
{
    struct log_writer *writer = owner;
    struct sys_event event;
    uint64_t now;
    bool is_busy;

    if (sys_poll_wait(writer->poll, &event, 1, writer->wait))
        mailbox_open(&writer->box);
    now = sys_now();
    is_busy = drain(writer, now);
    writer->wait = lie_down(writer, is_busy);
    if (!writer->is_stopping)
        return true;
    if (writer->stop_by == 0)
        writer->stop_by = now + STOP_NS;
    writer->wait = LINGER_NS;
    return is_anything_there(writer) && now < writer->stop_by;
}

/* ---- orders from other threads ---- */

struct order {
    struct mail mail;
    struct log_writer *writer;
    struct log_outlet outlet; /* where to write from now on; of no use to a reopening */
    enum log_format format;
};

static struct order *order_new(struct log_writer *writer, mail_fn *open)
{
    struct order *order = calloc(1, sizeof *order);

    CHECK(order != NULL);
    order->mail.open = open;
    order->writer = writer;
    return order;
}

static void take_outlet(struct log_writer *writer, const struct log_outlet *new,
                        enum log_format format)
{
    struct log_outlet *old = &writer->outlets[new->sink];

    log_outlet_drain(old, writer->rings, sys_now()); /* these lines were meant for it */
    log_outlet_replace(old, new);
    if (new->sink == LOG_EVENTS)
        writer->format = format;
}

static void open_order(struct mail *mail)
{
    struct order *order = container_of(mail, struct order, mail);

    take_outlet(order->writer, &order->outlet, order->format);
    free(order);
}

enum err log_writer_open(struct log_writer *writer, enum log_sink sink, str to,
                         enum log_format format)
{
    struct log_outlet outlet;
    struct order *order;
    enum err e = log_outlet_open(&outlet, sink, to);

    if (e)
        return e;
    if (!writer->is_started) {
        take_outlet(writer, &outlet, format);
        return ERR_OK;
    }
    order = order_new(writer, open_order);
    order->outlet = outlet;
    order->format = format;
    mailbox_post(&writer->box, &order->mail);
    return ERR_OK;
}

static void reopen(struct log_writer *writer, struct log_outlet *outlet)
{
    struct event_log log = {.ring = writer->own, .format = writer->format};
    struct log_outlet again;
    enum err e;

    if (outlet->kind != OUTLET_FILE)
        return;
    log_outlet_drain(outlet, writer->rings, sys_now());
    e = log_outlet_open(&again, outlet->sink, str_of(outlet->to));
    if (e)
        EVENT(&log, LOG_ERROR, "cannot reopen a log, going on with the old file",
              {"log", str_of(log_sink_text(outlet->sink))}, {"to", str_of(outlet->to)},
              {"reason", str_of(err_text(e))});
    else
        log_outlet_replace(outlet, &again);
}

static void reopen_order(struct mail *mail)
{
    struct order *order = container_of(mail, struct order, mail);

    for (unsigned i = 0; i < LOG_SINK_COUNT; i++)
        reopen(order->writer, &order->writer->outlets[i]);
    free(order);
}

void log_writer_reopen(struct log_writer *writer)
{
    mailbox_post(&writer->box, &order_new(writer, reopen_order)->mail);
}

static void stop_order(struct mail *mail)
{
    struct order *order = container_of(mail, struct order, mail);

    order->writer->is_stopping = true;
    free(order);
}

/* ---- life ---- */

enum err log_writer_init(struct log_writer *writer)
{
    enum err e;

    *writer = (struct log_writer){.poll = -1, .format = LOG_TEXT, .wait = LINGER_NS};
    for (unsigned i = 0; i < LOG_SINK_COUNT; i++)
        writer->outlets[i] = (struct log_outlet){.sink = i, .fd = -1};
    if ((e = mailbox_init(&writer->box)))
        return e;
    if ((e = sys_poll_new(&writer->poll)))
        goto fail;
    if ((e = sys_poll_add(writer->poll, writer->box.event, READY_IN, false, writer)))
        goto fail;
    writer->own = log_ring_new(writer, LOG_EVENTS, LOG_RING_EVENTS);
    return ERR_OK;

fail:
    if (writer->poll >= 0)
        sys_close(writer->poll);
    mailbox_close(&writer->box);
    return e;
}

enum err log_writer_start(struct log_writer *writer)
{
    enum err e = sys_thread_start(&writer->thread, "weir-log", turn, writer);

    writer->is_started = e == ERR_OK;
    return e;
}

uint64_t log_writer_dropped(const struct log_writer *writer, enum log_sink sink)
{
    return log_outlet_lost(&writer->outlets[sink], writer->rings);
}

void log_writer_stop(struct log_writer *writer)
{
    struct log_ring *ring;

    if (writer->is_started) {
        mailbox_post(&writer->box, &order_new(writer, stop_order)->mail);
        sys_thread_join(&writer->thread);
        mailbox_open(&writer->box); /* what came too late */
    } else {
        drain(writer, sys_now());
    }
    for (unsigned i = 0; i < LOG_SINK_COUNT; i++)
        log_outlet_close(&writer->outlets[i]);
    while ((ring = writer->rings)) {
        writer->rings = ring->next;
        free(ring->bytes);
        free(ring);
    }
    sys_close(writer->poll);
    mailbox_close(&writer->box);
}

/*
 * Writing, failing and trying again. A pipe may take half a line; the other half then comes
 * first, before any line of another ring. Syslog is told line by line in the form of
 * RFC 3164 (which every daemon on /dev/log understands), with UTC in place of local time,
 * facility "daemon"; its own stamp is what most of them keep.
 */
#include "io/log_outlet.h"

#include "io/event_log.h"

#define BACK_OFF_FIRST_NS UINT64_C(100000000)
#define BACK_OFF_MOST_NS UINT64_C(1000000000)
#define REPORT_EVERY_NS UINT64_C(10000000000)

enum { FILE_MODE = 0640, SYSLOG_NOTICE = 3 * 8 + 5, SYSLOG_INFO = 3 * 8 + 6 };

/* ---- opening ---- */

static enum err open_syslog(struct log_outlet *outlet, str path)
{
    struct addr addr;
    enum err e = addr_from_path(path.n ? path : STR("/dev/log"), &addr);

    return e ? e : sys_datagram(&addr, &outlet->fd);
}

/* The descriptor for what outlet->to names. */
static enum err open_fd(struct log_outlet *outlet)
{
    str to = str_of(outlet->to);

    outlet->fd = -1;
    switch (outlet->kind) {
    case OUTLET_NONE:
        return ERR_OK;
    case OUTLET_FILE:
        return sys_file_append(outlet->to, FILE_MODE, &outlet->fd);
    case OUTLET_INHERITED:
        outlet->fd = str_eq(to, STR("stdout")) ? 1 : 2;
        return ERR_OK;
    case OUTLET_SYSLOG:
        return open_syslog(outlet, str_from(to, sizeof "syslog:" - 1));
    }
    return ERR_UNSUPPORTED;
}

enum err log_outlet_open(struct log_outlet *outlet, enum log_sink sink, str to)
{
    *outlet = (struct log_outlet){.sink = sink, .fd = -1};
    if (to.n >= sizeof outlet->to)
        return ERR_TOO_LARGE;
    if (to.n)
        memcpy(outlet->to, to.p, to.n);
    if (to.n == 0)
        outlet->kind = OUTLET_NONE;
    else if (str_eq(to, STR("stdout")) || str_eq(to, STR("stderr")))
        outlet->kind = OUTLET_INHERITED;
    else if (str_eq(to, STR("syslog")) || str_starts(to, STR("syslog:")))
        outlet->kind = OUTLET_SYSLOG;
    else
        outlet->kind = OUTLET_FILE;
    return open_fd(outlet);
}

void log_outlet_close(struct log_outlet *outlet)
{
    if (outlet->fd >= 0 && outlet->kind != OUTLET_INHERITED)
        sys_close(outlet->fd);
    outlet->fd = -1;
}

/* After a failure: what the name stands for may be another thing by now. */
static void open_again(struct log_outlet *outlet)
{
    struct log_outlet again;

    if (log_outlet_open(&again, outlet->sink, str_of(outlet->to)))
        return;
    log_outlet_close(outlet);
    outlet->fd = again.fd;
}

/* ---- what is in the rings ---- */

static uint64_t read_position(const struct log_ring *ring)
{
    return atomic_load_explicit(&ring->read, memory_order_relaxed);
}

/* What has been spoken and not been read, up to where the ring begins anew. */
static str ring_piece(const struct log_ring *ring)
{
    uint64_t read = read_position(ring);
    uint64_t n = atomic_load_explicit(&ring->written, memory_order_acquire) - read;
    size_t at = read & (ring->size - 1), to_end = ring->size - at;

    return (str){ring->bytes + at, n < to_end ? n : to_end};
}

static void ring_pass(struct log_ring *ring, size_t n)
{
    atomic_store_explicit(&ring->read, read_position(ring) + n, memory_order_release);
}

/* Gives up what is there, at most to the end of the line if `one_line`; counts lines. */
static void ring_discard(struct log_outlet *outlet, struct log_ring *ring, bool one_line)
{
    uint64_t lines = 0;
    str piece;

    while ((piece = ring_piece(ring)).n && !(one_line && lines)) {
        long end = one_line ? str_find_char(piece, '\n') : -1;

        piece = end < 0 ? piece : str_upto(piece, (size_t)end + 1);
        for (size_t i = 0; i < piece.n; i++)
            lines += piece.p[i] == '\n';
        ring_pass(ring, piece.n);
    }
    counter_add(&outlet->discarded, lines);
}

void log_outlet_replace(struct log_outlet *outlet, const struct log_outlet *with)
{
    if (outlet->unfinished)
        ring_discard(outlet, outlet->unfinished, true);
    log_outlet_close(outlet);
    outlet->kind = with->kind;
    outlet->fd = with->fd;
    memcpy(outlet->to, with->to, sizeof outlet->to);
    outlet->unfinished = NULL;
    outlet->is_failing = outlet->is_stalled = outlet->is_torn = false;
    outlet->retry_at = outlet->back_off = 0;
}

/* ---- writing ---- */

static enum err write_bytes(struct log_outlet *outlet, struct log_ring *ring, str piece)
{
    size_t n;
    enum err e;

    if (outlet->is_torn) {
        if ((e = sys_file_write_some(outlet->fd, STR("\n"), &n)))
            return e;
        outlet->is_torn = false;
    }
    if ((e = sys_file_write_some(outlet->fd, piece, &n)))
        return e;
    outlet->unfinished = piece.p[n - 1] == '\n' ? NULL : ring;
    ring_pass(ring, n);
    return ERR_OK;
}

/* "<30>Nov 23 07:51:15 weir: ", stamped with the time of writing. */
static void add_syslog_head(struct text *text, enum log_sink sink)
{
    struct log_date date = log_date_of(sys_wall() / 1000000000);
    str month = log_month_text(date.month);

    text_format(text, "<%d>" STR_FMT " %2u %02u:%02u:%02u weir: ",
                sink == LOG_EVENTS ? SYSLOG_NOTICE : SYSLOG_INFO, STR_ARG(month),
                date.day, date.hour, date.minute, date.second);
}

/* One line, which may lie in two pieces. */
static enum err write_syslog(struct log_outlet *outlet, struct log_ring *ring, str piece)
{
    char memory[64];
    struct text head = text_in(memory, sizeof memory);
    long end = str_find_char(piece, '\n');
    str first = end < 0 ? piece : str_upto(piece, (size_t)end);
    str second = STR_NONE;
    struct iovec parts[3];
    size_t sent;
    enum err e;

    if (end < 0) {
        second = (str){ring->bytes, LOG_LINE_MOST};
        second = str_upto(second, (size_t)str_find_char(second, '\n'));
    }
    add_syslog_head(&head, outlet->sink);
    parts[0] = (struct iovec){head.p, head.n};
    parts[1] = (struct iovec){(char *)(uintptr_t)first.p, first.n};
    parts[2] = (struct iovec){(char *)(uintptr_t)second.p, second.n};
    e = sys_send(outlet->fd, parts, 3, false, &sent);
    if (!e)
        ring_pass(ring, first.n + second.n + 1);
    return e;
}

/* Writes all of a ring that goes. */
static enum err write_ring(struct log_outlet *outlet, struct log_ring *ring)
{
    enum err e = ERR_OK;
    str piece;

    while (!e && (piece = ring_piece(ring)).n) {
        if (outlet->kind == OUTLET_NONE)
            ring_pass(ring, piece.n);
        else if (outlet->kind == OUTLET_SYSLOG)
            e = write_syslog(outlet, ring, piece);
        else
            e = write_bytes(outlet, ring, piece);
    }
    return e;
}

/* ---- failing and trying again ---- */

static void discard_all(struct log_outlet *outlet, struct log_ring *rings)
{
    for (struct log_ring *ring = rings; ring; ring = ring->next)
        if (ring->sink == outlet->sink)
            ring_discard(outlet, ring, false);
    outlet->is_torn |= outlet->unfinished != NULL;
    outlet->unfinished = NULL;
}

static void fail(struct log_outlet *outlet, struct log_ring *rings, uint64_t now,
                 enum err e)
{
    if (e == ERR_AGAIN) /* stalled: the rings take what they can */
        return;
    if (outlet->back_off) {
        discard_all(outlet, rings);
        outlet->back_off = outlet->back_off * 2 < BACK_OFF_MOST_NS ? outlet->back_off * 2
                                                                   : BACK_OFF_MOST_NS;
    } else {
        outlet->back_off = BACK_OFF_FIRST_NS;
    }
    outlet->retry_at = now + outlet->back_off;
    outlet->error = e;
}

bool log_outlet_drain(struct log_outlet *outlet, struct log_ring *rings, uint64_t now)
{
    bool is_busy = false;
    enum err e = ERR_OK;

    if (now < outlet->retry_at)
        return false;
    for (struct log_ring *ring = rings; ring && !is_busy; ring = ring->next)
        is_busy = ring->sink == outlet->sink && ring_piece(ring).n;
    if (!is_busy)
        return false;
    if (outlet->back_off)
        open_again(outlet);
    if (outlet->unfinished)
        e = write_ring(outlet, outlet->unfinished);
    for (struct log_ring *ring = rings; ring && !e; ring = ring->next)
        if (ring->sink == outlet->sink)
            e = write_ring(outlet, ring);
    outlet->is_stalled = e == ERR_AGAIN;
    if (e)
        fail(outlet, rings, now, e);
    else
        outlet->back_off = outlet->retry_at = 0;
    return true;
}

uint64_t log_outlet_lost(const struct log_outlet *outlet, const struct log_ring *rings)
{
    uint64_t lost = counter_read(&outlet->discarded);

    for (const struct log_ring *ring = rings; ring; ring = ring->next)
        if (ring->sink == outlet->sink)
            lost += counter_read(&ring->dropped);
    return lost;
}

static void report_failure(const struct log_outlet *outlet, struct event_log *log)
{
    EVENT(log, LOG_ERROR, "cannot write a log, trying again",
          {"log", str_of(log_sink_text(outlet->sink))}, {"to", str_of(outlet->to)},
          {"reason", str_of(err_text(outlet->error))});
}

static void report_losses(const struct log_outlet *outlet, struct event_log *log,
                          uint64_t lost)
{
    char memory[24];
    struct text text = text_in(memory, sizeof memory);

    text_u64(&text, lost - outlet->lost_before);
    EVENT(log, LOG_WARN, "a log is written again, lines were lost",
          {"log", str_of(log_sink_text(outlet->sink))}, {"to", str_of(outlet->to)},
          {"lost", text_str(&text)});
}

/* lost: 0 says that it fails. Apart, for an event log is large to lay out. */
static NEVER_INLINE void report(const struct log_outlet *outlet,
                                const struct log_writer *writer, uint64_t lost)
{
    struct event_log log = {
        .ring = writer->own, .format = writer->format, .level = LOG_INFO};

    if (lost)
        report_losses(outlet, &log, lost);
    else
        report_failure(outlet, &log);
}

void log_outlet_report(struct log_outlet *outlet, struct log_writer *writer, uint64_t now)
{
    bool is_failing = outlet->back_off != 0;
    uint64_t lost;

    if (is_failing && !outlet->is_failing)
        report(outlet, writer, 0);
    outlet->is_failing = is_failing;
    if (is_failing || outlet->is_stalled)
        return;
    lost = log_outlet_lost(outlet, writer->rings);
    if (lost == outlet->lost_before || now < outlet->report_at)
        return;
    report(outlet, writer, lost);
    outlet->lost_before = lost;
    outlet->report_at = now + REPORT_EVERY_NS;
}

/*
 * A slip that comes a second or more after the last one of its server is looked at as it
 * arrives; all go back at the next look, so that a worker sends one a second and server at
 * most. When weir ends none is sent any more, for its worker might not open it.
 */
#include "control/load_header.h"

#include "control/publish.h"
#include "proxy/load_slip.h"

enum { GAP_NS = 1000000000 };

static void give_up(struct load_slip *slip)
{
    atomic_fetch_sub_explicit(&slip->server->holds, 1, memory_order_release);
}

/* ---- taking ---- */

static void take(struct steward *steward, struct server_record *record,
                 const struct load_note *note)
{
    struct header_voice *header = &record->header;
    const struct pool *pool = record->pool->pool;

    header->waits = NULL;
    if (!record->entry || !pool || !pool->load_header.n ||
        note->at < header->voice.heard_at)
        return;
    header->taken_at = steward->engine.loop.now;
    atomic_store_explicit(&record->live.load_said, note->hash, memory_order_relaxed);
    voices_header_says(steward, record,
                       note->is_cut ? STR("") : (str){note->words, note->length},
                       note->at);
}

static void arrived(struct mail *mail)
{
    struct load_slip *slip = container_of(mail, struct load_slip, mail);
    struct steward *steward = container_of(slip->worker->steward, struct steward, desk);
    struct server_record *record = record_of(slip->server);
    const struct load_slip *waits = record->header.waits;

    if (steward->is_stopped) {
        give_up(slip);
        return;
    }
    list_add(&steward->slips, &slip->node);
    if (!waits && steward->engine.loop.now - record->header.taken_at >= GAP_NS)
        take(steward, record, &slip->told);
    else if (!waits || slip->told.at >= waits->told.at)
        record->header.waits = slip;
}

void load_header_said(struct steward_desk *desk, struct load_slip *slip)
{
    slip->mail.open = arrived;
    mailbox_post(desk->mailbox, &slip->mail);
}

/* ---- once a second ---- */

static void look_at(struct steward *steward, struct server_record *record)
{
    struct voice *voice = &record->header.voice;

    if (!voice->heard_at)
        return;
    for (unsigned i = 0; !voice->failed && i < steward->worker_count; i++) {
        uint64_t at = atomic_load_explicit(&record->live.desks[i].load_heard_at,
                                           memory_order_relaxed);

        if (at > voice->heard_at)
            voice->heard_at = at;
    }
    voices_silent(steward, record, voice);
    if (!voice->heard_at && !voice->failed) /* the same words would be news now */
        atomic_store_explicit(&record->live.load_said, 0, memory_order_relaxed);
}

static void send_back(struct load_slip *slip)
{
    slip->mail.open = load_slip_returned;
    mailbox_post(&slip->worker->engine.loop.mailbox, &slip->mail);
}

void load_header_look(struct steward *steward)
{
    if (steward->is_stopped)
        return;
    while (!list_is_empty(&steward->slips)) {
        struct load_slip *slip =
            list_entry(list_take(&steward->slips), struct load_slip, node);
        struct server_record *record = record_of(slip->server);

        if (record->header.waits == slip)
            take(steward, record, &slip->told);
        send_back(slip);
    }
    list_each(node, &steward->registry.pools) {
        struct pool_record *pool = list_entry(node, struct pool_record, node);

        if (!pool->pool || !pool->pool->load_header.n)
            continue;
        list_each(at, &pool->servers) {
            look_at(steward, list_entry(at, struct server_record, node));
        }
    }
}

void load_header_close(struct steward *steward)
{
    while (!list_is_empty(&steward->slips))
        give_up(list_entry(list_take(&steward->slips), struct load_slip, node));
}

/*
 * What was said before costs a hash of a short text and a look at a word that seldom
 * changes. That word is the steward's (server->load_said), not this worker's, so that a
 * value which another worker has overtaken is news again.
 */
#include "proxy/load_slip.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/text.h"

#include <stdlib.h>

/* Several headers of that name are one list (RFC 9110 5.3). False: there is none. */
static bool take_out(struct head *head, str name, struct text *value)
{
    bool is_there = false;

    for (unsigned i = 0; i < head->field_count; i++) {
        struct field *field = &head->fields[i];
        size_t room;

        if (field->name.n != name.n || field->dropped ||
            !str_eq_nocase(field->name, name))
            continue;
        field->dropped = true;
        if (is_there)
            text_char(value, ',');
        room = value->room - value->n;
        text_add(value, str_upto(field->value, room));
        value->overflow |= field->value.n > room;
        is_there = true;
    }
    return is_there;
}

static void post(struct load_slip *slip)
{
    slip->worker->steward->load_said(slip->worker->steward, slip);
}

static struct load_slip *slip_of(struct worker *worker, struct server_live *server)
{
    struct server_desk *desk = &server->desks[worker->index];

    if (!desk->slip) {
        desk->slip = calloc(1, sizeof *desk->slip);
        CHECK(desk->slip != NULL);
        desk->slip->worker = worker;
        desk->slip->server = server;
    }
    return desk->slip;
}

static void tell(struct worker *worker, struct server_live *server,
                 const struct load_note *note)
{
    struct load_slip *slip = slip_of(worker, server);

    if (slip->is_under_way) {
        slip->next = *note;
        slip->has_next = true;
        return;
    }
    slip->told = *note;
    slip->is_under_way = true;
    atomic_fetch_add_explicit(&server->holds, 1, memory_order_relaxed);
    post(slip);
}

static bool is_known(const struct server_live *server, const struct load_note *note)
{
    return atomic_load_explicit(&server->load_said, memory_order_relaxed) == note->hash;
}

void load_slip_look_always(struct exchange *x)
{
    struct worker *worker = x->worker;
    struct server_live *server = x->attempt.server;
    struct server_desk *desk = &server->desks[worker->index];
    struct load_note note;
    struct text value = text_in(note.words, sizeof note.words);

    if (!take_out(&x->response, x->pool->load_header, &value))
        return;
    note.length = (uint32_t)value.n;
    note.is_cut = value.overflow;
    note.hash = hash_fast(text_str(&value), value.overflow) | 1;
    note.at = exchange_now(x);
    if (!is_known(server, &note)) {
        tell(worker, server, &note);
        return;
    }
    atomic_store_explicit(&desk->load_heard_at, note.at, memory_order_relaxed);
    if (desk->slip)
        desk->slip->has_next = false; /* older than this answer */
}

void load_slip_returned(struct mail *mail)
{
    struct load_slip *slip = container_of(mail, struct load_slip, mail);

    if (slip->has_next && !is_known(slip->server, &slip->next)) {
        slip->has_next = false;
        slip->told = slip->next;
        post(slip);
        return;
    }
    slip->has_next = slip->is_under_way = false;
    atomic_fetch_sub_explicit(&slip->server->holds, 1, memory_order_release);
}

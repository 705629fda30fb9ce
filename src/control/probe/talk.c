/* The turns of a talk. The buffer is taken when the server first says something, for
 * silent servers shall cost no memory. */
#include "control/probe/talk.h"

#include "base/check.h"

#include <stdlib.h>

static struct talk *talk_begin(struct probe *probe)
{
    struct talk *talk = calloc(1, sizeof *talk);

    CHECK(talk != NULL);
    probe->answer = talk;
    return talk;
}

/* False: it does not fit. */
static bool make_room(struct talk *talk)
{
    str heard = chunk_bytes(talk->in);

    if (talk->in->end < talk->in->room)
        return true;
    if (!talk->in->at)
        return false;
    memmove(talk->in->bytes, heard.p, heard.n);
    talk->in->at = 0;
    talk->in->end = (unsigned)heard.n;
    return true;
}

static enum err hear_more(struct probe *probe, struct talk *talk)
{
    size_t got = 0;
    enum err e;

    if (!probe->conn.can_read)
        return ERR_AGAIN;
    if (!talk->in)
        talk->in = chunk_new(probe->engine, CHUNK_SMALL);
    if (!make_room(talk))
        return ERR_TOO_LARGE;
    e = conn_read(&probe->conn, talk->in->bytes + talk->in->end,
                  talk->in->room - talk->in->end, &got);
    if (!e)
        talk->in->end += (unsigned)got;
    return e;
}

static void part(struct probe *probe, struct talk *talk)
{
    struct iovec words = {(char *)talk->farewell.p, talk->farewell.n};
    enum check_result result = talk->result;
    size_t sent;

    if (words.iov_len && conn_send(&probe->conn, &words, 1, false, &sent))
        talk->farewell.n = 0; /* it hears nothing any more: we close without a word */
    probe_finish(probe, result, 0);
}

void talk_proceed(struct probe *probe)
{
    const struct probe_kind *kind = probe->question->kind;
    struct talk *talk = probe->answer ? probe->answer : talk_begin(probe);
    enum err e = ERR_OK;

    while (!e) {
        if (kind->hear(probe, talk)) {
            part(probe, talk);
            return;
        }
        if (!probe->unsent.n)
            e = hear_more(probe, talk);
        else if (!probe_send(probe))
            return;
    }
    if (e == ERR_TOO_LARGE)
        probe_finish(probe, CHECK_INVALID, 0);
    else if (e != ERR_AGAIN)
        probe_finish(probe, kind->late ? kind->late(probe, CHECK_CLOSED) : CHECK_CLOSED,
                     0);
}

void talk_drop(struct probe *probe)
{
    struct talk *talk = probe->answer;

    if (talk && talk->in)
        chunk_free(probe->engine, talk->in);
    free(talk);
}

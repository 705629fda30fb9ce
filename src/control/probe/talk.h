/*
 * Checks that are a talk: bytes go there and back until the verdict is clear. What all of
 * them share is here: one small buffer (a server that says more than fits is wrong), saying
 * and hearing in turns, a last word before the end. A language judges what was heard.
 */
#ifndef CONTROL_PROBE_TALK_H
#define CONTROL_PROBE_TALK_H

#include "control/probe/probe.h"

enum { TALK_REPLY_MOST = 128 };

struct talk {
    struct chunk *in;            /* heard and not yet used up; NULL: nothing so far */
    unsigned step;               /* the language's own count */
    enum check_result result;    /* with the verdict */
    str farewell;                /* said at the end, if it goes at once; static */
    char reply[TALK_REPLY_MOST]; /* for a language that makes up what it says */
};

/* For probe_kind: proceed and drop of every talk; its `hear` is called in between. */
void talk_proceed(struct probe *probe);
void talk_drop(struct probe *probe);

/* What is there to be judged. */
static inline str talk_heard(const struct talk *talk)
{
    return talk->in ? chunk_bytes(talk->in) : STR_NONE;
}

/* The first n bytes of it are done with. */
static inline void talk_use(struct talk *talk, size_t n)
{
    talk->in->at += (unsigned)n;
}

static inline bool talk_decide(struct talk *talk, enum check_result result)
{
    talk->result = result;
    return true;
}

extern const struct probe_kind probe_agent, probe_script, probe_postgres, probe_mysql,
    probe_redis, probe_smtp;

#endif

/*
 * One check of one server, from the dial to its outcome. What all kinds share is here:
 * connect, the words to send, the deadline over the whole. A kind says what to send and
 * judges what comes back; TCP sends nothing and is content. When the next check is made,
 * and who hears of it, is the prober's.
 */
#ifndef CONTROL_PROBE_PROBE_H
#define CONTROL_PROBE_PROBE_H

#include "base/pattern.h"
#include "base/text.h"
#include "control/probe/prober.h"
#include "net/conn.h"

struct probe;
struct probe_question;
struct program_list;
struct talk;

struct probe_kind {
    const char *name;

    /* What is done instead of dialling; NULL: the server is dialled. On error there is
     * nothing to drop. */
    enum err (*begin)(struct probe *probe);

    /* Appends what is sent as soon as the connection stands; NULL: nothing. */
    void (*compose)(struct text *out, const struct probe_question *question);

    /* That was sent, or something may have come: reads on, and calls probe_finish when
     * the verdict is clear. */
    void (*proceed)(struct probe *probe);

    /* Gives back what hangs on probe->answer; NULL: nothing ever does. */
    void (*drop)(struct probe *probe);

    /* Of talks (talk.h): looks at what was heard. True: talk->result is the verdict.
     * Otherwise it may have set probe->unsent to say something. */
    bool (*hear)(struct probe *probe, struct talk *talk);

    /* It is too late for a verdict, for which `otherwise` would stand; NULL: it does. */
    enum check_result (*late)(struct probe *probe, enum check_result otherwise);
};

extern const struct probe_kind probe_tcp, probe_http;

/* What to ask of a server. All that it points to is its own. */
struct probe_question {
    struct arena arena;
    const struct probe_kind *kind;
    struct health_check check;
    struct addr addr;         /* whom to ask: the server, at the check's port */
    struct pattern regex;     /* compiled, where check.expect.body_regex says one */
    const char **argv, **env; /* of a program; each ends with NULL */
    str request; /* to send; begins with a PROXY header where the server wants one */
    str key;     /* two questions are the same when their keys are */
};

struct probe_question *probe_question_new(const struct probe_target *target);
void probe_question_free(struct probe_question *question);

static inline bool probe_question_eq(const struct probe_question *a,
                                     const struct probe_question *b)
{
    return str_eq(a->key, b->key);
}

typedef void probe_fn(struct probe *probe, const struct check_outcome *outcome);

struct probe {
    struct engine *engine;
    struct probe_question *question; /* its own; changes only between two checks */
    probe_fn *finished;
    struct program_list *programs; /* set by the owner, where programs are run */
    bool is_running;
    struct conn conn;
    struct timer deadline;
    uint64_t begun;               /* monotonic ns */
    str unsent;                   /* of what is to be sent before the kind proceeds */
    void *answer;                 /* the kind's, while a check runs */
    struct check_outcome outcome; /* in the making */
};

/* Takes the question over. */
void probe_init(struct probe *probe, struct engine *engine,
                struct probe_question *question, probe_fn *finished);
void probe_close(struct probe *probe);

/*
 * Begins a check; `finished` is called when it is decided, perhaps at once. ERR_NO_FDS or
 * ERR_NO_MEMORY: we ourselves lack the means, which says nothing about the server; no
 * check was made.
 */
MUST_CHECK enum err probe_begin(struct probe *probe);

/* Ends a running check without a word; harmless when none runs. */
void probe_abandon(struct probe *probe);

/* For kinds: sends probe->unsent. False: the kernel takes no more just now (proceed is
 * called when all has gone), or the check is over. */
bool probe_send(struct probe *probe);

/* For kinds: what the server said of it, any bytes; shown to people beside the verdict. */
void outcome_tell(struct check_outcome *outcome, str words);

/* For kinds: the verdict. The probe may be gone when this returns. */
void probe_finish(struct probe *probe, enum check_result result, unsigned status);

#endif

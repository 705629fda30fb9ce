/*
 * Simulated TCP: a stream is two sides with a bounded queue of bytes towards each. Bytes
 * come in pieces and later than they were sent; a FIN may come with the last of them; a
 * RST drops what was under way. A side belongs to a descriptor of the daemon or to a
 * player (a simulated client or server). Nothing a side does is seen by the other one
 * before the world has moved on, so no call ever nests into the other party.
 */
#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include "base/addr.h"
#include "world.h"

struct file;
struct player;
struct stream;

/* Hears that something has changed at its side: connected, bytes, room, FIN, RST. */
struct player {
    void (*news)(struct player *player);
};

/* Bytes on the way to a side: [at, arrived) can be read, [arrived, end) is under way. */
struct lane {
    char *p;
    size_t at, arrived, end, room;
    size_t most; /* of bytes sent and not read */
    bool has_fin, fin_arrived;
    bool is_moving; /* a happening will bring more */
    bool is_wanted; /* the sender has heard "would block" */
    bool is_corked; /* more is promised; till then what is unsent stays */
};

struct side {
    struct stream *stream;
    struct lane in;
    struct file *file; /* of the daemon */
    struct player *player;
    enum err error; /* to be told once */
    bool is_open, is_connecting, is_shut, is_reset;
};

/* sides[0] has connected, sides[1] has accepted. */
struct stream {
    struct stream *next; /* all of this world */
    uint64_t number;
    uint64_t latency; /* ns, at most, for one piece */
    struct addr client, server;
    bool is_brisk; /* what was sent at once arrives at once */
    bool is_lost;  /* nothing arrives any more, in neither direction */
    struct side sides[2];
};

static inline struct side *side_peer(const struct side *side)
{
    struct stream *stream = side->stream;

    return side == &stream->sides[0] ? &stream->sides[1] : &stream->sides[0];
}

/* A stream that is not connected yet; neither side belongs to anybody. */
struct stream *stream_new(const struct addr *client, const struct addr *server);

/* Gives the memory of all streams back. */
void streams_free(void);

/* As sys_recv and sys_send; but a kernel does not wait for ever for the "more". */
MUST_CHECK enum err side_recv(struct side *side, char *p, size_t n, size_t *got);
MUST_CHECK enum err side_send(struct side *side, const char *p, size_t n, bool more,
                              size_t *sent);
void side_shutdown(struct side *side);

/* With bytes unread, or when asked to, a close is a RST. */
void side_close(struct side *side, bool resets);

/* Tells the side's owner that its connect has come to an end. */
void side_connected(struct side *side, enum err how);

/* Bytes that can be read now. */
static inline size_t side_available(const struct side *side)
{
    return side->in.arrived - side->in.at;
}

/* Has the other party ended or broken the stream, as far as we can see? */
static inline bool side_has_ended(const struct side *side)
{
    return side->in.fin_arrived || side->is_reset;
}

/* enum ready as epoll would say it. */
unsigned side_ready(const struct side *side);

#endif

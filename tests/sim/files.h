/*
 * The daemon's descriptors in the simulated world, and readiness with the real
 * semantics of epoll: an edge is told once after something new has happened, with all
 * that is true by then; a level is told as long as it holds; of several pollers that
 * share a descriptor one is woken.
 */
#ifndef SIM_FILES_H
#define SIM_FILES_H

#include "base/list.h"
#include "io/sys.h"
#include "stream.h"

enum file_kind {
    FILE_SOCKET, /* not connected, not listening */
    FILE_STREAM,
    FILE_LISTENER,
    FILE_PIPE_OUT, /* the end to read */
    FILE_PIPE_IN,
    FILE_EVENT,
    FILE_POLL,
    FILE_PLAIN, /* on disk */
    FILE_SIGNALS,
};

struct pipe_bytes {
    char *p;
    size_t at, end, room;
    unsigned ends; /* open ones */
};

/* One descriptor registered at one poll. */
struct interest {
    struct list of_file, of_poll, ready;
    struct file *file, *poll;
    void *data;
    bool is_shared;
};

struct file {
    enum file_kind kind;
    unsigned descriptors; /* that stand for it */
    struct addr addr;     /* bound to */
    bool is_bound, shares_address, resets_on_close;
    struct side *side;
    struct pipe_bytes *pipe;
    uint64_t count; /* of an event */
    struct list interests;
    struct list pollees;   /* of a poll: what is registered there */
    struct list ready;     /* of a poll: interests that have something to say */
    struct side **waiting; /* of a listener: not accepted yet */
    unsigned waiting_count;
    const char *path;
};

/* limit: how many descriptors there may be. */
void files_begin(unsigned limit);
void files_end(void);

/* When the daemon was last told that none is left; 0: never. */
uint64_t files_refused_at(void);

/* How many are open, of that kind. */
unsigned files_open(void);
unsigned files_limit(void);
void files_print(void);

/* NULL: no descriptor is left. */
struct file *file_new(enum file_kind kind, int *fd);

/* The open file behind a descriptor; a wrong one is a violation and ends the run. */
struct file *file_get(int fd);

/* The last descriptor of a file closes it; only then do polls forget it. */
void file_close(int fd);
MUST_CHECK enum err file_dup(int fd, int *copy);

/* ERR_IN_USE: another socket is bound there and one of the two will not share. */
MUST_CHECK enum err file_bind(struct file *file, const struct addr *addr);

/* Something has happened there that a poller may want to know. */
void file_wake(struct file *file);

MUST_CHECK enum err file_watch(struct file *poll, struct file *file, bool is_shared,
                               void *data);
void file_unwatch(struct file *poll, struct file *file);

/* What there is to tell, at most `most`. */
unsigned file_poll(struct file *poll, struct sys_event *events, unsigned most);
bool file_poll_is_ready(const struct file *poll);

/* A stream from a player to whoever of the daemon listens at `to`: true if somebody
 * does. The player hears when it is connected. */
bool file_dial(struct player *player, const struct addr *from, const struct addr *to,
               struct side **side);

#endif

/*
 * The keys that seal the cookies of pools which name none: made by the first start, kept in
 * `state_dir`/sticky.keys, readable by weir alone, so that they outlast restarts. A new key
 * comes every day; those of the last 33 days still open. Where the file cannot be kept the
 * keys are this process's only, which is told once.
 */
#ifndef CONTROL_STICKY_KEYS_H
#define CONTROL_STICKY_KEYS_H

#include "io/event_log.h"
#include "lb/model.h"
#include "net/seal.h"

struct sticky_keys {
    struct seal_ring ring;
    bool is_begun;    /* somebody has needed them */
    uint64_t made_at; /* unix seconds: the newest key */
};

/* Gives every sticky pool of a snapshot that no worker has yet the ring it is to seal with. */
void sticky_keys_attach(struct sticky_keys *keys, struct event_log *events,
                        struct snapshot *snapshot);

/* Makes a new key when it is time; once a second is often enough. */
void sticky_keys_look(struct sticky_keys *keys, struct event_log *events,
                      const struct snapshot *snapshot);

#endif

/*
 * The steward as its own files see it: steward.c (life), reload.c (from text to a
 * published snapshot), publish.c (mail to workers), wellness.c, voices.c and warming.c
 * (who is well, and how much of its weight a server counts for), and the
 * house that the admin server looks into (house.c). Nobody else includes this.
 */
#ifndef CONTROL_STEWARD_INSIDE_H
#define CONTROL_STEWARD_INSIDE_H

#include "control/admin.h"
#include "control/carry.h"
#include "control/discovery/dns.h"
#include "control/probe/prober.h"
#include "control/steward.h"
#include "control/sticky_keys.h"
#include "io/event_log.h"
#include "proxy/access_log.h"
#include "proxy/worker.h"

struct new_port; /* control/publish.h */

/* A snapshot in use. Only the newest is given to new work. */
struct generation {
    struct list node; /* steward->generations, oldest first */
    struct snapshot *snapshot;
    unsigned adopted, left; /* by how many workers */
    unsigned failed_doors;
    struct admin_request *asked; /* who waits for it to be adopted */
    struct new_port *ports;      /* being opened */
    unsigned port_count;
};

/* What came of the reloads. */
struct reload_account {
    uint64_t succeeded, failed;
    bool last_was_good;
    uint64_t last_at; /* wall ns */
};

/* Servers in their slow start. */
struct warming {
    struct list servers; /* struct server_record */
    struct timer timer;  /* runs while there are any */
};

/* What somebody has ordered of maintenance. All on the heap. */
struct maintenance_order {
    bool is_enabled;
    bool has_page, has_except; /* else as the file says */
    str page;
    struct prefixes except;
    str reason;
    unsigned by;             /* their user id */
    struct maintenance file; /* what the file said when it was given */
};

struct upkeep {
    struct maintenance_order *order; /* NULL: none */
    struct closure *published;       /* what workers use or will use next; NULL: open */
    uint64_t since;                  /* wall ns; of how it is now */
};

/* What was last said of the workers' load. */
struct load_account {
    struct busy_board board;
    enum overload_level level;
    enum overload_cause cause;
    unsigned episodes;
};

/* Pools whose set is due: reload_members_soon. */
struct member_changes {
    struct timer timer;
    uint64_t made_at; /* monotonic ns: the latest of them */
};

/* Pools whose tiers are to be weighed: wellness.c. */
struct weighing {
    struct list pools; /* struct pool_record */
    struct timer timer;
    uint64_t weighed_at; /* monotonic ns: the latest of them */
};

/* Degradation: control/degrade.h */
struct ladders {
    struct list records; /* struct ladder_record */
    struct map by_name;  /* the same */
    struct deferred look;
};

enum { STEWARD_MAGIC = 0x53545744 };

/* Rule zero: the steward joins all parts of the control side, each a struct of its own. */
struct steward {
    unsigned magic;
    struct engine engine;
    struct steward_desk desk; /* what workers call */
    struct steward_options options;
    struct registry registry;
    struct worker *workers;
    struct access_log *access_logs; /* [worker] */
    unsigned worker_count;
    unsigned empty_count; /* workers that have drained */
    bool is_running;      /* the workers' threads are */
    bool is_draining;
    bool is_stopped;
    struct list generations;
    struct snapshot *current;
    uint64_t next_number;
    struct conn_limit conn_limit;
    struct log_writer log_writer;
    struct event_log events;
    struct prober *prober;
    struct dns_watch *names;
    struct admin *admin;
    struct watch signals;
    struct timer housekeeping, drain_end;
    struct warming warming;
    struct member_changes changes;
    struct weighing weighing;
    struct timer adapting; /* control/adapting.h; runs while a pool has it on */
    struct timer trials;   /* control/circuits.h; an open breaker may be tried then */
    unsigned housekept;    /* how often */
    struct reload_account reloads;
    struct sticky_keys sticky_keys;
    struct upkeep upkeep;
    struct ladders ladders;
    struct load_account load;
    struct list slips; /* struct load_slip: control/load_header.h */
    uint64_t started;  /* wall ns */
};

/* ---- steward.c ---- */

/* Before the workers' threads run: gives them their first snapshot. Then nothing. */
void steward_give_workers(struct steward *steward, struct snapshot *snapshot);

/* Frees snapshots, endpoint sets and live objects that nobody uses any more. */
void steward_sweep(struct steward *steward);

/* ---- reload.c ---- */

/* Publishes what conf_load gave. ERR_OK: it is being adopted. Otherwise nothing has
 * changed, the snapshot is freed, and `why` says what is in the way. */
MUST_CHECK enum err reload_publish(struct steward *steward, struct snapshot *snapshot,
                                   struct admin_request *asked, struct scroll *why);

/* Reads the configuration anew; answers `asked` (NULL: a signal) now or when adopted. */
void reload_run(struct steward *steward, struct admin_request *asked);

/* Called by publish.c when all workers have adopted; by mail when they have left. */
void steward_all_adopted(struct steward *steward, struct generation *generation);
void steward_snapshot_left(struct steward_desk *desk, struct snapshot *snapshot,
                           unsigned worker);

/* A pool's members may have changed: builds and publishes its set, watches its servers. */
void reload_members(struct steward *steward, struct pool_record *pool);

/* The same, where thousands of members may change one after the other: at once, and for what
 * comes less than a tenth of a second later, together. */
void reload_members_soon(struct steward *steward, struct pool_record *pool);
void members_init(struct member_changes *changes);

/* ---- wellness.c ---- */

void wellness_init(struct weighing *weighing);

/* Mail from the prober: struct probe_report. */
void wellness_report(struct mail *mail);

/* Called on a worker's thread. */
void wellness_server_fails(struct steward_desk *desk, struct server_live *server,
                           enum err why);

/* The shares of the pool's tiers anew, after health or members changed; a beginning or an
 * end of spilling and of panic is an event. */
void wellness_weigh(struct steward *steward, struct pool_record *pool);

/* The record's health may have changed (record_health): workers see it, and it is told. */
void wellness_publish(struct steward *steward, struct server_record *record);

/* Begins or changes or ends the watching of all servers of a pool. */
void wellness_watch(struct steward *steward, struct pool_record *pool);

/* dns_changed_fn. */
void wellness_names_changed(void *owner, const struct dns_news *news);

/* ---- voices.c ---- */

/* An agent has answered, or has not. */
void voices_agent_report(struct steward *steward, struct server_record *record,
                         const struct check_outcome *outcome);

/* Answers to requests have said this since. */
void voices_header_says(struct steward *steward, struct server_record *record, str line,
                        uint64_t at);

/* Nothing was heard since voice->heard_at: what it has said may be void. */
void voices_silent(struct steward *steward, struct server_record *record,
                   struct voice *voice);

/* Before a set is built: where the pool has no agents or no load header any more, what they
 * have said is void. */
void voices_look(struct steward *steward, struct pool_record *pool);

/* ---- warming.c ---- */

void warming_init(struct warming *warming);

/* Its health may have changed: a slow start begins or is given up. */
void warming_look(struct steward *steward, struct server_record *record);

/* Tells workers which part of its weight the server counts for, from all who have a say in
 * it: its slow start and what it says itself. */
void wellness_apply(struct steward *steward, struct server_record *record);

/* ---- house.c ---- */

struct admin_house steward_house(struct steward *steward);

/* Lets rates and quantiles take their samples; every five seconds. */
void house_sample(const struct steward *steward);

#endif

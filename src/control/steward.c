/*
 * The steward's life: begins everything, turns, and ends everything in the right order.
 * What it does between lies in reload.c, wellness.c, publish.c and house.c.
 */
#include "base/check.h"
#include "control/adapting.h"
#include "control/circuits.h"
#include "control/degrade.h"
#include "control/drain.h"
#include "control/ejection.h"
#include "control/load.h"
#include "control/load_header.h"
#include "control/maintenance.h"
#include "control/publish.h"

#include <stdlib.h>

enum {
    HOUSEKEEPING_MS = 1000,
    SAMPLE_EVERY = 5, /* housekeepings: counters of thousands of servers are summed */
    MEMORY_SHARE = 4, /* bytes in flight may take a quarter of what the process may use */
};

static void set_timer(struct steward *steward, struct timer *timer, uint64_t ms)
{
    struct loop *loop = &steward->engine.loop;

    timer_set(&loop->timers, timer, loop->now + ms * 1000000);
}

/* ---- sweeping ---- */

static void free_generation(struct generation *generation)
{
    list_remove(&generation->node);
    free(generation->snapshot->pins);
    conf_release(generation->snapshot);
    free(generation);
}

/* Pools that are in no snapshot any more: no worker looks at their sets now. */
static void end_removed_sets(struct steward *steward)
{
    list_each(node, &steward->registry.pools) {
        struct pool_record *pool = list_entry(node, struct pool_record, node);

        if (pool->pool || !pool->published)
            continue;
        registry_free_set(pool->published);
        pool->published = NULL;
    }
}

void steward_sweep(struct steward *steward)
{
    struct generation *newest =
        list_entry(steward->generations.prev, struct generation, node);

    list_each_safe(node, &steward->generations) {
        struct generation *generation = list_entry(node, struct generation, node);

        if (generation != newest && generation->left == steward->worker_count &&
            newest->adopted == steward->worker_count)
            free_generation(generation);
    }
    if (steward->generations.next == &newest->node &&
        newest->adopted == steward->worker_count) {
        end_removed_sets(steward);
        registry_sweep(&steward->registry);
        degrade_sweep(steward);
    }
}

static void housekeeping(struct timer *timer)
{
    struct steward *steward = container_of(timer, struct steward, housekeeping);

    drain_look(steward);
    ejection_look(steward);
    degrade_look_all(steward);
    load_look(steward);
    load_header_look(steward);
    steward_sweep(steward);
    sticky_keys_look(&steward->sticky_keys, &steward->events, steward->current);
    if (steward->housekept++ % SAMPLE_EVERY == 0)
        house_sample(steward);
    set_timer(steward, timer, HOUSEKEEPING_MS);
}

/* ---- the end ---- */

static void stop_now(struct steward *steward)
{
    if (steward->is_stopped)
        return;
    steward->is_stopped = true;
    publish_stop(steward);
    loop_stop(&steward->engine.loop);
}

static void grace_over(struct timer *timer)
{
    struct steward *steward = container_of(timer, struct steward, drain_end);

    EVENT(&steward->events, LOG_WARN, "shutdown_grace is over, what is left is cut", );
    stop_now(steward);
}

struct empty_mail {
    struct mail mail;
    struct steward *steward;
};

static void worker_was_empty(struct mail *mail)
{
    struct empty_mail *empty = container_of(mail, struct empty_mail, mail);
    struct steward *steward = empty->steward;

    free(empty);
    if (++steward->empty_count == steward->worker_count)
        stop_now(steward);
}

static void worker_empty(struct steward_desk *desk, unsigned worker)
{
    struct empty_mail *mail = calloc(1, sizeof *mail);

    (void)worker;
    CHECK(mail != NULL);
    mail->mail.open = worker_was_empty;
    mail->steward = container_of(desk, struct steward, desk);
    mailbox_post(desk->mailbox, &mail->mail);
}

/* New clients are to be refused from now on, not left waiting for nobody. */
static void give_ports_back(struct steward *steward)
{
    struct ports *ports = steward->options.ports;
    const struct snapshot *snapshot = steward->current;

    for (unsigned i = 0; i < snapshot->listener_count; i++)
        for (unsigned a = 0; a < snapshot->listeners[i].address_count; a++)
            ports->close(ports, &snapshot->listeners[i].addresses[a]);
}

static void drain(struct steward *steward)
{
    uint32_t grace = steward->current->runtime.shutdown_grace;

    if (steward->is_draining) {
        stop_now(steward);
        return;
    }
    steward->is_draining = true;
    EVENT(&steward->events, LOG_INFO, "draining", );
    give_ports_back(steward);
    publish_drain(steward);
    set_timer(steward, &steward->drain_end, grace);
}

/* ---- signals ---- */

void steward_signal(struct steward *steward, enum sys_signal which)
{
    CHECK_MAGIC(steward, STEWARD_MAGIC);
    switch (which) {
    case SYS_SIGNAL_RELOAD:
        reload_run(steward, NULL);
        break;
    case SYS_SIGNAL_STOP:
        drain(steward);
        break;
    case SYS_SIGNAL_REOPEN:
        log_writer_reopen(&steward->log_writer);
        break;
    case SYS_SIGNAL_CHILD:
    case SYS_SIGNAL_NONE:
        break;
    }
}

static void signals_ready(struct watch *watch, unsigned ready)
{
    struct steward *steward = container_of(watch, struct steward, signals);
    enum sys_signal which;

    (void)ready;
    while ((which = sys_signal_take(watch->fd)) != SYS_SIGNAL_NONE)
        steward_signal(steward, which);
}

/* ---- the beginning ---- */

static unsigned most_connections(const struct runtime *runtime)
{
    /* Each client may need a server's connection, and some are for ourselves. */
    return runtime->max_connections ? runtime->max_connections
                                    : (unsigned)((uint64_t)sys_file_limit() * 9 / 20);
}

void steward_give_workers(struct steward *steward, struct snapshot *snapshot)
{
    for (unsigned i = 0; !steward->is_running && i < steward->worker_count; i++)
        steward->workers[i].snapshot = snapshot;
}

static enum err init_workers(struct steward *steward)
{
    steward->workers = calloc(steward->worker_count, sizeof *steward->workers);
    steward->access_logs = calloc(steward->worker_count, sizeof *steward->access_logs);
    CHECK(steward->workers != NULL && steward->access_logs != NULL);
    for (unsigned i = 0; i < steward->worker_count; i++) {
        struct worker *worker = &steward->workers[i];
        enum err e = worker_init(worker, i, NULL, &steward->conn_limit, &steward->desk);

        if (e)
            return e;
        worker->engine.memory_most =
            sys_memory_limit() / MEMORY_SHARE / steward->worker_count + 1;
        access_log_init(&steward->access_logs[i],
                        log_ring_new(&steward->log_writer, LOG_ACCESS, LOG_RING_ACCESS));
        worker->access_log = &steward->access_logs[i];
    }
    return ERR_OK;
}

static enum err start_threads(struct steward *steward)
{
    enum err e = log_writer_start(&steward->log_writer);

    if (!e)
        e = prober_start(steward->prober);
    for (unsigned i = 0; !e && i < steward->worker_count; i++)
        e = sys_thread_start(&steward->workers[i].thread, "weir-worker", worker_turn,
                             &steward->workers[i]);
    steward->is_running = !e;
    return e;
}

/* The parts that need no configuration. */
static enum err init_parts(struct steward *steward, const struct snapshot *first)
{
    struct admin_house house = steward_house(steward);
    uint64_t seed[2];
    enum err e;

    sys_random(seed, sizeof seed);
    steward->worker_count = steward->options.workers ? steward->options.workers
                            : first->runtime.workers ? first->runtime.workers
                                                     : sys_cpus();
    conn_limit_init(&steward->conn_limit, most_connections(&first->runtime), seed);
    registry_init(&steward->registry, steward->worker_count, seed);
    if ((e = engine_init(&steward->engine, steward->worker_count)))
        return e;
    steward->desk = (struct steward_desk){
        .mailbox = &steward->engine.loop.mailbox,
        .server_fails = wellness_server_fails,
        .server_errs = ejection_server_errs,
        .circuit_moved = circuits_moved,
        .load_said = load_header_said,
        .snapshot_left = steward_snapshot_left,
        .worker_empty = worker_empty,
    };
    if ((e = log_writer_init(&steward->log_writer)))
        return e;
    steward->events.ring =
        log_ring_new(&steward->log_writer, LOG_EVENTS, LOG_RING_EVENTS);
    if ((e = init_workers(steward)))
        return e;
    load_begin(steward, most_connections(&first->runtime));
    if ((e = prober_new(&steward->prober, &steward->engine.loop.mailbox, wellness_report,
                        steward)))
        return e;
    if ((e = dns_watch_new(&steward->names, &steward->engine, wellness_names_changed,
                           steward)))
        return e;
    return admin_new(&steward->admin, &steward->engine, steward->options.ports, &house);
}

static enum err begin(struct steward *steward, struct snapshot *first, struct scroll *why)
{
    enum err e;

    list_init(&steward->generations);
    timer_init(&steward->housekeeping, housekeeping);
    timer_init(&steward->drain_end, grace_over);
    warming_init(&steward->warming);
    members_init(&steward->changes);
    wellness_init(&steward->weighing);
    adapting_init(&steward->adapting);
    circuits_init(&steward->trials);
    degrade_init(&steward->ladders);
    list_init(&steward->slips);
    steward->started = sys_wall();
    if ((e = init_parts(steward, first))) {
        scroll_format(why, "error: weir cannot begin: %s\n", err_text(e));
        return e;
    }
    if ((e = reload_publish(steward, first, NULL, why)))
        return e;
    steward->reloads.last_was_good = true;
    steward->reloads.last_at = steward->started;
    watch_init(&steward->signals, steward->options.signals, signals_ready);
    if (steward->options.signals >= 0)
        e = loop_watch(&steward->engine.loop, &steward->signals);
    if (!e)
        e = start_threads(steward);
    if (e)
        scroll_format(why, "error: weir cannot start its threads: %s\n", err_text(e));
    set_timer(steward, &steward->housekeeping, HOUSEKEEPING_MS);
    return e;
}

enum err steward_new(struct steward **out, const struct steward_options *options,
                     struct complaints *complaints, struct scroll *why)
{
    struct steward *steward;
    struct snapshot *first;
    enum err e;

    e = options->text.p ? conf_load_text(options->world, options->file, options->text,
                                         complaints, &first)
                        : conf_load(options->world, options->file, complaints, &first);
    if (e)
        return e;
    steward = aligned_alloc(CACHE_LINE, (sizeof *steward + CACHE_LINE - 1) &
                                            ~(size_t)(CACHE_LINE - 1));
    CHECK(steward != NULL);
    memset(steward, 0, sizeof *steward);
    steward->magic = STEWARD_MAGIC;
    steward->options = *options;
    *out = steward;
    return begin(steward, first, why);
}

bool steward_turn(void *owner)
{
    struct steward *steward = owner;

    CHECK_MAGIC(steward, STEWARD_MAGIC);
    return loop_turn(&steward->engine.loop);
}

/* Opens what workers have still sent, so that nothing of it is lost or leaks. */
static void open_last_mail(struct steward *steward)
{
    mailbox_open(&steward->engine.loop.mailbox);
}

void steward_free(struct steward *steward)
{
    for (unsigned i = 0; steward->is_running && i < steward->worker_count; i++)
        sys_thread_join(&steward->workers[i].thread);
    prober_stop(steward->prober);
    open_last_mail(steward);
    admin_free(steward->admin);
    dns_watch_free(steward->names);
    for (unsigned i = 0; i < steward->worker_count; i++)
        worker_close(&steward->workers[i]);
    open_last_mail(steward);
    load_header_close(steward);
    registry_close(&steward->registry);
    maintenance_close(steward);
    degrade_close(steward);
    while (!list_is_empty(&steward->generations))
        free_generation(list_entry(steward->generations.next, struct generation, node));
    conn_limit_close(&steward->conn_limit);
    log_writer_stop(&steward->log_writer);
    loop_forget(&steward->engine.loop, &steward->signals);
    timer_remove(&steward->engine.loop.timers, &steward->housekeeping);
    timer_remove(&steward->engine.loop.timers, &steward->drain_end);
    timer_remove(&steward->engine.loop.timers, &steward->warming.timer);
    timer_remove(&steward->engine.loop.timers, &steward->changes.timer);
    timer_remove(&steward->engine.loop.timers, &steward->weighing.timer);
    timer_remove(&steward->engine.loop.timers, &steward->adapting);
    timer_remove(&steward->engine.loop.timers, &steward->trials);
    engine_close(&steward->engine);
    free(steward->workers);
    free(steward->access_logs);
    steward->magic = 0;
    free(steward);
}

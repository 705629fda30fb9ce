/*
 * From text to a published snapshot. Everything that can fail comes first (reading,
 * checking, ports), so that a refused configuration changes nothing; after that nothing
 * fails any more.
 */
#include "base/check.h"
#include "base/text.h"
#include "control/adapting.h"
#include "control/circuits.h"
#include "control/degrade.h"
#include "control/drain.h"
#include "control/maintenance.h"
#include "control/orders.h"
#include "control/publish.h"
#include "lb/sticky_table.h"
#include "proxy/waiting.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- ports ---- */

struct port_list {
    struct new_port *items;
    unsigned count;
};

static const struct listener *find_listener(const struct snapshot *snapshot, str name)
{
    for (unsigned i = 0; snapshot && i < snapshot->listener_count; i++)
        if (str_eq(snapshot->listeners[i].name, name))
            return &snapshot->listeners[i];
    return NULL;
}

static bool has_address(const struct listener *listener, const struct addr *addr)
{
    for (unsigned i = 0; listener && i < listener->address_count; i++)
        if (addr_eq(&listener->addresses[i], addr))
            return true;
    return false;
}

static bool is_listened_on(const struct snapshot *snapshot, const struct addr *addr)
{
    for (unsigned i = 0; i < snapshot->listener_count; i++)
        if (has_address(&snapshot->listeners[i], addr))
            return true;
    return false;
}

static void drop_ports(struct steward *steward, struct port_list *list)
{
    for (unsigned i = 0; i < list->count; i++) {
        struct new_port *port = &list->items[i];

        for (unsigned w = 0; w < steward->worker_count; w++)
            sys_close(port->fds[w]);
        if (!steward->current || !is_listened_on(steward->current, &port->addr))
            steward->options.ports->close(steward->options.ports, &port->addr);
    }
}

static void free_ports(struct port_list *list)
{
    for (unsigned i = 0; i < list->count; i++)
        free(list->items[i].fds);
    free(list->items);
}

static enum err open_port(struct steward *steward, const struct listener *listener,
                          const struct addr *addr, struct port_list *list,
                          struct scroll *why)
{
    struct ports *ports = steward->options.ports;
    char memory[ADDR_TEXT_MOST];
    int *fds = calloc(steward->worker_count, sizeof *fds);
    enum err e;

    CHECK(fds != NULL);
    e = ports->open(ports, addr, steward->worker_count, fds);
    if (e) {
        str text = addr_print(addr, memory, sizeof memory);

        scroll_format(why,
                      "error[C033]: cannot listen on " STR_FMT " (listener '" STR_FMT
                      "'): %s\n",
                      STR_ARG(text), STR_ARG(listener->name), err_text(e));
        free(fds);
        return e;
    }
    list->items[list->count++] =
        (struct new_port){.listener = listener, .addr = *addr, .fds = fds};
    return ERR_OK;
}

/* Opens what the new snapshot listens on and the current one does not. */
static enum err open_ports(struct steward *steward, const struct snapshot *snapshot,
                           struct port_list *list, struct scroll *why)
{
    unsigned most = 0;
    enum err failed = ERR_OK;

    for (unsigned i = 0; i < snapshot->listener_count; i++)
        most += snapshot->listeners[i].address_count;
    list->items = calloc(most + 1, sizeof *list->items);
    CHECK(list->items != NULL);
    for (unsigned i = 0; i < snapshot->listener_count; i++) {
        const struct listener *listener = &snapshot->listeners[i];
        const struct listener *before = find_listener(steward->current, listener->name);

        for (unsigned a = 0; a < listener->address_count; a++) {
            const struct addr *addr = &listener->addresses[a];
            enum err e = has_address(before, addr)
                             ? ERR_OK
                             : open_port(steward, listener, addr, list, why);

            failed = failed ? failed : e;
        }
    }
    if (failed)
        drop_ports(steward, list);
    return failed;
}

static void close_old_ports(struct steward *steward, const struct snapshot *old)
{
    struct ports *ports = steward->options.ports;

    for (unsigned i = 0; i < old->listener_count; i++)
        for (unsigned a = 0; a < old->listeners[i].address_count; a++)
            if (!is_listened_on(steward->current, &old->listeners[i].addresses[a]))
                ports->close(ports, &old->listeners[i].addresses[a]);
}

/* ---- members ---- */

void reload_members(struct steward *steward, struct pool_record *pool)
{
    struct endpoint_set *set;

    pool->is_stale = false;
    voices_look(steward, pool);
    orders_review(steward, pool);
    set = registry_build_set(&steward->registry, pool, sys_wall());
    adapting_look(steward, pool);
    publish_set(steward, pool, set);
    wellness_weigh(steward, pool);
    wellness_watch(steward, pool);
}

/* A set costs as much as it has members: one for each name of thousands, or for each word
 * of their agents, would cost the square of that. */
enum { CHANGES_GAP_NS = 100000000 };

static void reload_stale(struct steward *steward)
{
    list_each(node, &steward->registry.pools) {
        struct pool_record *pool = list_entry(node, struct pool_record, node);

        if (!pool->is_stale || !pool->pool)
            continue;
        reload_members(steward, pool);
        steward->changes.made_at = sys_now();
    }
}

static void changes_due(struct timer *timer)
{
    reload_stale(container_of(timer, struct steward, changes.timer));
}

void members_init(struct member_changes *changes)
{
    timer_init(&changes->timer, changes_due);
}

void reload_members_soon(struct steward *steward, struct pool_record *pool)
{
    struct loop *loop = &steward->engine.loop;
    uint64_t due = steward->changes.made_at + CHANGES_GAP_NS;

    pool->is_stale = true;
    if (steward->changes.timer.due == TIMER_NEVER)
        timer_set(&loop->timers, &steward->changes.timer,
                  due > loop->now ? due : loop->now);
}

static void reload_all_members(struct steward *steward)
{
    list_each(node, &steward->registry.pools) {
        struct pool_record *pool = list_entry(node, struct pool_record, node);

        names_sweep(pool);
        if (pool->pool)
            reload_members(steward, pool);
        else
            wellness_watch(steward, pool);
    }
}

/* ---- publishing ---- */

static void give_pins(struct steward *steward, struct snapshot *snapshot)
{
    size_t size = steward->worker_count * sizeof(struct snapshot_pin);

    snapshot->pins = aligned_alloc(CACHE_LINE, size);
    CHECK(snapshot->pins != NULL);
    memset(snapshot->pins, 0, size);
    snapshot->number = ++steward->next_number;
}

static void warn_restart(struct steward *steward, const char *setting)
{
    EVENT(&steward->events, LOG_WARN, "a changed setting needs a restart",
          {"setting", str_of(setting)});
}

/* Its table was made by an earlier configuration, for another number of entries. */
static bool has_other_table(const struct pool *pool)
{
    return pool->sticky && sticky_uses_table(pool->sticky) &&
           pool->live->sticky->entries != pool->sticky->entries;
}

static void apply_settings(struct steward *steward, const struct snapshot *old,
                           const struct snapshot *now)
{
    struct scroll why = {0};
    enum err e;

    if (old && old->runtime.workers != now->runtime.workers)
        warn_restart(steward, "runtime.workers");
    if (old && !str_eq(old->runtime.user, now->runtime.user))
        warn_restart(steward, "runtime.user");
    if (old && !str_eq(old->runtime.state_dir, now->runtime.state_dir))
        warn_restart(steward, "runtime.state_dir");
    for (unsigned i = 0; old && i < now->pool_count; i++)
        if (has_other_table(&now->pools[i]))
            warn_restart(steward, "sticky.entries");
    steward->events.level = now->error_log.level;
    steward->events.format = now->error_log.format;
    e = log_writer_open(&steward->log_writer, LOG_EVENTS,
                        now->error_log.is_enabled ? now->error_log.to : STR(""),
                        now->error_log.format);
    if (!e)
        e = log_writer_open(&steward->log_writer, LOG_ACCESS,
                            now->access_log.is_enabled ? now->access_log.to : STR(""),
                            now->error_log.format);
    if (e)
        EVENT(&steward->events, LOG_ERROR, "a log cannot be opened",
              {"to", now->access_log.to}, {"reason", str_of(err_text(e))});
    admin_apply(steward->admin, &now->admin, &now->metrics, &why);
    if (why.n)
        EVENT(&steward->events, LOG_WARN, "the admin server is not complete",
              {"reason", scroll_str(&why)});
    scroll_close(&why);
    dns_watch_apply(steward->names, now);
}

/* Before a worker sees a snapshot with a queue. One that is there stays. */
static void make_queues(struct steward *steward, const struct snapshot *snapshot)
{
    for (unsigned i = 0; i < snapshot->pool_count; i++)
        if (snapshot->pools[i].queue.is_on)
            waiting_desks_new(snapshot->pools[i].live, steward->workers,
                              steward->worker_count);
}

enum err reload_publish(struct steward *steward, struct snapshot *snapshot,
                        struct admin_request *asked, struct scroll *why)
{
    struct generation *generation;
    struct snapshot *old = steward->current;
    struct port_list ports = {0};
    enum err e = open_ports(steward, snapshot, &ports, why);

    if (e) {
        free_ports(&ports);
        conf_release(snapshot);
        return e;
    }
    generation = calloc(1, sizeof *generation);
    CHECK(generation != NULL);
    generation->snapshot = snapshot;
    generation->asked = asked;
    generation->ports = ports.items;
    generation->port_count = ports.count;
    give_pins(steward, snapshot);
    list_add(&steward->generations, &generation->node);
    drain_look(steward);
    registry_attach(&steward->registry, snapshot);
    degrade_attach(steward, snapshot);
    steward->current = snapshot;
    circuits_apply(steward);
    make_queues(steward, snapshot);
    steward_give_workers(steward, snapshot);
    reload_all_members(steward);
    degrade_look_all(steward);
    steward->registry.has_begun = true;
    apply_settings(steward, old, snapshot);
    reload_stale(
        steward); /* what a new policy takes away is gone before its snapshot comes */
    sticky_keys_attach(&steward->sticky_keys, &steward->events, snapshot);
    publish_snapshot(steward, generation, ports.items, ports.count);
    maintenance_apply(steward); /* behind the snapshot, whose pages it names */
    if (steward->options.accepted)
        steward->options.accepted(steward->options.owner, snapshot);
    return ERR_OK;
}

void steward_all_adopted(struct steward *steward, struct generation *generation)
{
    struct port_list ports = {generation->ports, generation->port_count};
    char number[32];
    int n = snprintf(number, sizeof number, "%lu",
                     (unsigned long)generation->snapshot->number);

    free_ports(&ports);
    generation->ports = NULL;
    if (generation->node.prev != &steward->generations)
        close_old_ports(
            steward,
            list_entry(generation->node.prev, struct generation, node)->snapshot);
    EVENT(&steward->events, LOG_INFO, "configuration is in use",
          {"number", {number, (size_t)n}});
    if (generation->asked) {
        char memory[64];
        struct text json = text_in(memory, sizeof memory);

        text_format(&json, "{\"ok\":true,\"number\":%s}\n", number);
        admin_answer(generation->asked, 200, text_str(&json));
    }
    generation->asked = NULL;
    steward_sweep(steward);
}

struct left_mail {
    struct mail mail;
    struct steward *steward;
    struct snapshot *snapshot;
};

static void snapshot_was_left(struct mail *mail)
{
    struct left_mail *left = container_of(mail, struct left_mail, mail);
    struct steward *steward = left->steward;

    list_each_safe(node, &steward->generations) {
        struct generation *generation = list_entry(node, struct generation, node);

        if (generation->snapshot == left->snapshot)
            generation->left++;
    }
    free(left);
    steward_sweep(steward);
}

void steward_snapshot_left(struct steward_desk *desk, struct snapshot *snapshot,
                           unsigned worker)
{
    struct left_mail *mail = calloc(1, sizeof *mail);

    (void)worker;
    CHECK(mail != NULL);
    mail->mail.open = snapshot_was_left;
    mail->steward = container_of(desk, struct steward, desk);
    mail->snapshot = snapshot;
    mailbox_post(desk->mailbox, &mail->mail);
}

/* ---- reading anew ---- */

static void account(struct steward *steward, bool is_good)
{
    struct reload_account *reloads = &steward->reloads;

    reloads->succeeded += is_good;
    reloads->failed += !is_good;
    reloads->last_was_good = is_good;
    if (is_good)
        reloads->last_at = sys_wall();
}

static void refuse(struct steward *steward, struct admin_request *asked, str json,
                   str why)
{
    account(steward, false);
    EVENT(&steward->events, LOG_ERROR, "configuration was refused, nothing has changed",
          {"reason", why});
    if (asked)
        admin_answer(asked, 422, json);
}

static enum err load(struct steward *steward, struct complaints *complaints,
                     struct snapshot **out)
{
    const struct steward_options *options = &steward->options;

    if (options->text.p)
        return conf_load_text(options->world, options->file, options->text, complaints,
                              out);
    return conf_load(options->world, options->file, complaints, out);
}

void reload_run(struct steward *steward, struct admin_request *asked)
{
    struct complaints complaints;
    struct snapshot *snapshot;
    struct scroll text = {0}, json = {0};

    complaints_init(&complaints, false);
    complaints.wants_errors_only =
        true; /* nobody is told more, and requests wait for us */
    if (load(steward, &complaints, &snapshot)) {
        complaints_print(&complaints, &text);
        scroll_add(&json, STR("{\"ok\":false,\"text\":"));
        scroll_json(&json, scroll_str(&text));
        scroll_add(&json, STR(",\"check\":"));
        complaints_print_json(&complaints, &json);
        scroll_add(&json, STR("}\n"));
        refuse(steward, asked, scroll_str(&json), scroll_str(&text));
    } else if (reload_publish(steward, snapshot, asked, &text)) {
        scroll_add(&json, STR("{\"ok\":false,\"text\":"));
        scroll_json(&json, scroll_str(&text));
        scroll_add(&json, STR("}\n"));
        refuse(steward, asked, scroll_str(&json), scroll_str(&text));
    } else {
        account(steward, true);
    }
    scroll_close(&text);
    scroll_close(&json);
    complaints_close(&complaints);
}

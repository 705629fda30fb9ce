/*
 * {"version", "uptime", "config": {...}, "workers", "listeners": [...], "pools": [{...,
 * "servers": [...]}]}. Times are seconds, as far as they go as "how long ago", so that the
 * reader's clock does not matter.
 */
#include "control/status.h"

#include "control/adapting.h"
#include "control/degrade.h"
#include "control/orders.h"
#include "lb/balance.h"
#include "proxy/waiting.h"

/* ---- JSON that grows ---- */

static void key(struct scroll *out, const char *name)
{
    char last = out->n ? out->p[out->n - 1] : '{';

    if (last != '{' && last != '[')
        scroll_char(out, ',');
    scroll_format(out, "\"%s\":", name);
}

static void add_str(struct scroll *out, const char *name, str value)
{
    key(out, name);
    scroll_json(out, value);
}

static void add_u64(struct scroll *out, const char *name, uint64_t value)
{
    key(out, name);
    scroll_format(out, "%llu", (unsigned long long)value);
}

static void add_bool(struct scroll *out, const char *name, bool value)
{
    key(out, name);
    scroll_add(out, value ? STR("true") : STR("false"));
}

static void add_double(struct scroll *out, const char *name, double value)
{
    key(out, name);
    scroll_format(out, "%.6g", value);
}

/* Seconds since then; left out where it never was. */
static void add_ago(struct scroll *out, const char *name, uint64_t then, uint64_t now)
{
    if (then)
        add_double(out, name, now > then ? (double)(now - then) / 1e9 : 0);
}

static void next_item(struct scroll *out)
{
    if (out->p[out->n - 1] != '[')
        scroll_char(out, ',');
    scroll_char(out, '{');
}

static void add_reading(struct scroll *out, const struct meter_reading *reading)
{
    if (!reading->is_known)
        return;
    add_double(out, "rate", reading->rate);
    add_double(out, "error_share", reading->errors);
    if (!reading->has_latency)
        return;
    add_double(out, "p50", (double)reading->p50 / 1e6);
    add_double(out, "p95", (double)reading->p95 / 1e6);
}

/* ---- the parts ---- */

static void add_config(struct scroll *out, const struct overview *view)
{
    key(out, "config");
    scroll_char(out, '{');
    add_u64(out, "number", view->snapshot->number);
    add_bool(out, "ok", view->last_reload_was_good);
    add_ago(out, "accepted_ago", view->last_reload_at, view->wall);
    add_u64(out, "reloads", view->reloads_succeeded);
    add_u64(out, "refused", view->reloads_failed);
    scroll_char(out, '}');
}

static void add_addresses(struct scroll *out, const struct listener *listener)
{
    char memory[ADDR_TEXT_MOST];

    key(out, "addresses");
    scroll_char(out, '[');
    for (unsigned i = 0; i < listener->address_count; i++) {
        if (i)
            scroll_char(out, ',');
        scroll_json(out, addr_print(&listener->addresses[i], memory, sizeof memory));
    }
    scroll_char(out, ']');
}

static void add_listener(struct scroll *out, const struct listener *listener)
{
    const struct listener_record *record = record_of_listener(listener);
    struct meter_reading reading = meter_read(&record->meter, &record->sample);

    next_item(out);
    add_str(out, "name", listener->name);
    add_str(out, "kind", listener->kind == LISTENER_HTTP ? STR("http") : STR("tcp"));
    add_addresses(out, listener);
    add_u64(out, "connections",
            atomic_load_explicit(&listener->live->connections, memory_order_relaxed));
    if (listener->kind == LISTENER_HTTP) {
        add_u64(out, "requests", record->sample.count);
        add_reading(out, &reading);
    }
    scroll_char(out, '}');
}

/* "200 in 2ms", "timeout", "refused": what the last check saw. */
static void add_check_result(struct scroll *out, const struct check_outcome *outcome)
{
    static const char *const words[] = {
        [CHECK_PASSED] = "passed",          [CHECK_CONNECT_FAILED] = "no connection",
        [CHECK_NO_ANSWER] = "timeout",      [CHECK_CLOSED] = "closed early",
        [CHECK_INVALID] = "not understood", [CHECK_BAD_STATUS] = "status",
        [CHECK_BAD_BODY] = "body differs",  [CHECK_NO_MATCH] = "body differs",
        [CHECK_BAD_JSON] = "json",          [CHECK_BAD_ANSWER] = "said no",
        [CHECK_FAILED] = "failed",
    };
    struct scroll text = {0};

    if (outcome->result == CHECK_CONNECT_FAILED)
        scroll_add(&text, str_of(err_text(outcome->error)));
    else if (outcome->status)
        scroll_format(&text, "%u", outcome->status);
    else
        scroll_add(&text, str_of(words[outcome->result]));
    if ((outcome->result == CHECK_BAD_BODY || outcome->result == CHECK_NO_MATCH ||
         outcome->result == CHECK_BAD_JSON) &&
        outcome->status)
        scroll_add(&text, STR(" but body differs"));
    scroll_format(&text, " in %ums", outcome->duration_ms);
    add_str(out, "result", scroll_str(&text));
    scroll_close(&text);
}

static void add_check(struct scroll *out, const struct overview *view,
                      const struct server_record *server)
{
    if (!server->checked_at)
        return;
    key(out, "last_check");
    scroll_char(out, '{');
    add_bool(out, "passed", server->last_check.result == CHECK_PASSED);
    add_check_result(out, &server->last_check);
    add_ago(out, "ago", server->checked_at, view->wall);
    add_ago(out, "good_ago", server->good_at, view->wall);
    scroll_char(out, '}');
}

/* Of a name without an address: the name is all there is. */
static str address_text(const struct server_record *server)
{
    if (server->live.addr.family == ADDR_NONE)
        return server->entry->host;
    return server->live.addr_text;
}

static void add_warming(struct scroll *out, const struct overview *view,
                        const struct server_record *server)
{
    if (!server->warm_since)
        return;
    key(out, "slow_start");
    scroll_char(out, '{');
    add_double(out, "elapsed", (double)(view->now - server->warm_since) / 1e9);
    add_double(out, "window", server->pool->pool->slow_start.window / 1e3);
    add_double(out, "share",
               (double)atomic_load_explicit(&server->live.ramp, memory_order_relaxed) /
                   RAMP_FULL);
    scroll_char(out, '}');
}

/* Of a breaker that has never moved only that it is closed. */
static void add_breaker(struct scroll *out, const struct overview *view,
                        const struct circuit *circuit, const struct circuit_note *note)
{
    struct circuit_view now =
        circuit_unpack(atomic_load_explicit(&circuit->word, memory_order_relaxed));
    uint64_t wait = circuit_wait(circuit, view->now);

    key(out, "breaker");
    scroll_char(out, '{');
    add_str(out, "state", str_of(circuit_state_text(now.state)));
    if (note->since) {
        add_str(out, "reason", (str){note->words, note->length});
        add_ago(out, "since", note->since, view->wall);
    }
    if (now.is_forced)
        add_bool(out, "by_hand", true);
    if (now.state == CIRCUIT_OPEN && !now.is_forced)
        add_double(out, "tries_in", (double)wait / 1000);
    scroll_char(out, '}');
}

/* What was ordered, and what its checks say where they are not content. */
static void add_reason(struct scroll *out, const struct overview *view,
                       const struct server_record *server)
{
    struct scroll reason = {0};

    if (orders_reason(server, view->now, &reason) &&
        !health_is_usable(record_health(server)))
        scroll_add(&reason, STR("; "));
    if (!reason.n || !health_is_usable(record_health(server)))
        scroll_add(&reason, record_reason(server));
    add_str(out, "reason", scroll_str(&reason));
    scroll_close(&reason);
}

static void add_voice(struct scroll *out, const char *name, const struct voice *voice)
{
    if (!voice->heard_at && !voice->failed)
        return;
    key(out, name);
    scroll_char(out, '{');
    add_str(out, "said", (str){voice->said, voice->said_length});
    add_double(out, "share", (double)voice->wish.share / RAMP_FULL);
    add_bool(out, "draining", load_wish_drains(&voice->wish));
    add_u64(out, "max_connections", voice->wish.max_connections);
    add_u64(out, "fails", voice->failed);
    scroll_char(out, '}');
}

/* Seconds, as all times here. */
static void add_seconds(struct scroll *out, const char *name, uint64_t ns)
{
    if (ns)
        add_double(out, name, (double)ns / 1e9);
}

/* How many requests it bears, and why that is thought. */
static void add_limit(struct scroll *out, const struct server_record *server)
{
    unsigned limit = atomic_load_explicit(&server->live.limit, memory_order_relaxed);
    struct scroll reason = {0};

    if (!limit)
        return;
    key(out, "concurrency");
    scroll_char(out, '{');
    add_u64(out, "limit", limit);
    add_str(out, "state", str_of(capacity_state_text(server->capacity.state)));
    adapting_reason(server, &reason);
    add_str(out, "reason", scroll_str(&reason));
    add_seconds(out, "time", capacity_time(&server->capacity));
    add_seconds(out, "time_without_load", capacity_calm_time(&server->capacity));
    scroll_char(out, '}');
    scroll_close(&reason);
}

static void add_server(struct scroll *out, const struct overview *view,
                       const struct server_record *server)
{
    struct meter_sample sample = overview_server(view, &server->live);
    struct meter_reading reading = meter_read(&server->meter, &sample);
    const struct order *order = order_of(server->pool, server->live.name);
    uint64_t failures = 0;

    for (unsigned i = 0; i < view->worker_count; i++)
        for (unsigned failure = 0; failure < FAILURE_COUNT; failure++)
            failures += counter_read(&server->live.shards[i].failures[failure]);
    next_item(out);
    add_str(out, "name", server->live.name);
    add_str(out, "address", address_text(server));
    add_str(out, "state",
            str_of(health_text(record_state(server, record_health(server)))));
    add_reason(out, view, server);
    add_ago(out, "since", server->changed_at, view->wall);
    add_u64(out, "weight", record_weight(server));
    if (order && order->has_weight)
        add_u64(out, "file_weight", server->entry->weight);
    add_bool(out, "ordered", order != NULL);
    add_bool(out, "backup", server->entry->is_backup);
    add_u64(out, "connections",
            atomic_load_explicit(&server->live.in_flight, memory_order_relaxed));
    add_u64(out, "requests", sample.count);
    add_reading(out, &reading);
    add_u64(out, "failures", failures);
    add_u64(out, "fails", server->health.failed);
    add_limit(out, server);
    add_warming(out, view, server);
    add_voice(out, "agent", &server->agent);
    add_voice(out, "load_header", &server->header.voice);
    add_check(out, view, server);
    if (record_health(server) == HEALTH_EJECTED)
        add_double(out, "returns_in",
                   server->outlier->until > view->now
                       ? (double)(server->outlier->until - view->now) / 1e9
                       : 0);
    if (server->pool->pool->breaker)
        add_breaker(out, view, &server->live.circuit, &server->circuit);
    scroll_char(out, '}');
}

static bool is_open(const struct server_record *server)
{
    uint64_t word =
        atomic_load_explicit(&server->live.circuit.word, memory_order_relaxed);

    return server->pool->pool->breaker && circuit_state_of(word) == CIRCUIT_OPEN;
}

/* Why nobody in the pool may be chosen: the reason of the server that went last. */
static void add_pool_state(struct scroll *out, const struct overview *view,
                           struct pool_record *record)
{
    const struct server_record *last = NULL;
    unsigned all = 0, usable = 0, broken = 0;

    list_each(node, &record->servers) {
        struct server_record *server = list_entry(node, struct server_record, node);

        if (!server_is_shown(server))
            continue;
        all++;
        usable += health_is_usable(record_health(server));
        broken += health_is_usable(record_health(server)) && is_open(server);
        if (!last || server->changed_at > last->changed_at)
            last = server;
    }
    add_u64(out, "up", usable);
    add_u64(out, "all", all);
    add_str(out, "state", usable > broken ? STR("ok") : STR("down"));
    if (usable && usable == broken)
        add_str(out, "reason", STR("the circuit breakers of all servers are open"));
    if (usable || !last)
        return;
    add_str(out, "reason", record_reason(last));
    add_ago(out, "since", last->changed_at, view->wall);
}

/* Names of servers of whose last answer not all is used: what the name's record says of
 * it, a str at `offset`. */
static void add_names(struct scroll *out, const struct pool_record *record,
                      const char *what, size_t offset)
{
    bool is_begun = false;

    list_each(node, &record->names) {
        const struct name_record *name = list_entry(node, struct name_record, node);
        const str *words = (const void *)((const char *)name + offset);

        if (!words->n)
            continue;
        if (!is_begun) {
            key(out, what);
            scroll_char(out, '[');
            is_begun = true;
        }
        next_item(out);
        add_str(out, "name", name->host);
        add_str(out, "reason", *words);
        scroll_char(out, '}');
    }
    if (is_begun)
        scroll_char(out, ']');
}

static void add_queue(struct scroll *out, const struct pool *pool)
{
    unsigned all = atomic_load_explicit(&pool->live->waiting, memory_order_relaxed);
    unsigned queued = waiting_in_queue(pool->live, all);

    if (!pool->queue.is_on && !all)
        return;
    key(out, "queue");
    scroll_char(out, '{');
    add_u64(out, "waiting", queued);
    add_u64(out, "aside", all - queued);
    add_u64(out, "size", pool->queue.size);
    scroll_char(out, '}');
}

static void add_pool(struct scroll *out, const struct overview *view,
                     const struct pool *pool)
{
    struct pool_record *record = record_of_pool(pool);
    struct meter_sample sample = overview_pool(view, pool);
    struct meter_reading reading = meter_read(&record->meter, &sample);

    next_item(out);
    add_str(out, "name", pool->name);
    add_str(out, "balance", str_of(pool->balancer->name));
    add_pool_state(out, view, record);
    add_bool(out, "is_checked", pool->check.is_enabled);
    add_u64(out, "in_flight",
            atomic_load_explicit(&pool->live->in_flight, memory_order_relaxed));
    add_u64(out, "requests", sample.count);
    add_reading(out, &reading);
    add_queue(out, pool);
    add_names(out, record, "refused_addresses", offsetof(struct name_record, refused));
    add_names(out, record, "cut_addresses", offsetof(struct name_record, cut));
    key(out, "servers");
    scroll_char(out, '[');
    list_each(node, &record->servers) {
        struct server_record *server = list_entry(node, struct server_record, node);

        if (server_is_shown(server))
            add_server(out, view, server);
    }
    scroll_add(out, STR("]}"));
}

/* Routes have little to say but this. */
static void add_routes(struct scroll *out, const struct overview *view)
{
    const struct snapshot *snapshot = view->snapshot;
    bool is_begun = false;

    for (unsigned i = 0; i < snapshot->route_count; i++) {
        const struct route *route = &snapshot->routes[i];

        if (!route->breaker)
            continue;
        if (!is_begun) {
            key(out, "routes");
            scroll_char(out, '[');
            is_begun = true;
        }
        next_item(out);
        add_str(out, "name", route->name);
        add_breaker(out, view, &route->live->circuit,
                    &container_of(route->live, struct route_record, live)->circuit);
        scroll_char(out, '}');
    }
    if (is_begun)
        scroll_char(out, ']');
}

/* "by uid 0 \"new database\"", "by the file". */
static void add_maintenance(struct scroll *out, const struct overview *view)
{
    const struct maintenance_view *now = &view->maintenance;
    struct scroll why = {0};

    key(out, "maintenance");
    scroll_char(out, '{');
    add_bool(out, "on", now->is_on);
    if (now->is_ordered)
        scroll_format(&why, "by uid %u", now->by);
    else
        scroll_add(&why, STR("by the file"));
    if (now->reason.n)
        scroll_format(&why, " \"" STR_FMT "\"", STR_ARG(now->reason));
    if (now->is_on || now->is_ordered) {
        add_str(out, "reason", scroll_str(&why));
        add_bool(out, "ordered", now->is_ordered);
    }
    if (now->is_on) {
        add_str(out, "page", now->page);
        add_u64(out, "exceptions", now->except_count);
        add_ago(out, "since", now->since, view->wall);
    }
    scroll_char(out, '}');
    scroll_close(&why);
}

static void add_ladders(struct scroll *out, const struct overview *view)
{
    if (!view->ladders || list_is_empty(view->ladders))
        return;
    key(out, "degrade");
    scroll_char(out, '[');
    list_each(node, view->ladders) {
        const struct ladder_record *record = list_entry(node, struct ladder_record, node);
        struct scroll why = {0};

        if (!record->ladder)
            continue;
        next_item(out);
        add_str(out, "name", record->live.name);
        add_str(out, "pool", record->ladder->pool->name);
        add_str(out, "level", str_of(degrade_level_text(record->state.level)));
        degrade_reason(record, &why);
        add_str(out, "reason", scroll_str(&why));
        add_bool(out, "forced", record->state.is_forced);
        add_ago(out, "since", record->since, view->wall);
        scroll_char(out, '}');
        scroll_close(&why);
    }
    scroll_char(out, ']');
}

void status_write(const struct overview *view, struct scroll *out)
{
    scroll_char(out, '{');
    add_str(out, "version", str_of(view->version));
    add_ago(out, "uptime", view->started, view->wall);
    add_bool(out, "draining", view->is_draining);
    add_config(out, view);
    add_u64(out, "workers", view->worker_count);
    if (view->load.level != OVERLOAD_NONE) {
        key(out, "overload");
        scroll_char(out, '{');
        add_str(out, "shed",
                view->load.level >= OVERLOAD_NORMAL ? STR("all but critical")
                                                    : STR("low"));
        add_str(out, "reason", str_of(overload_cause_text(view->load.cause)));
        scroll_char(out, '}');
    }
    add_maintenance(out, view);
    add_ladders(out, view);
    key(out, "listeners");
    scroll_char(out, '[');
    overview_listeners(view);
    for (unsigned i = 0; i < view->snapshot->listener_count; i++)
        add_listener(out, &view->snapshot->listeners[i]);
    scroll_char(out, ']');
    add_routes(out, view);
    key(out, "pools");
    scroll_char(out, '[');
    for (unsigned i = 0; i < view->snapshot->pool_count; i++)
        add_pool(out, view, &view->snapshot->pools[i]);
    scroll_add(out, STR("]}\n"));
}

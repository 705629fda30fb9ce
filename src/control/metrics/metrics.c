/* The process, the configuration, listeners, routes, logs; pools are in metrics_pool.c. */
#include "control/metrics/metrics.h"

#include "control/metrics/exposition.h"
#include "lb/match.h"

str metrics_code_text(unsigned class)
{
    static const char *const texts[CODE_CLASSES] = {"none", "1xx", "2xx",
                                                    "3xx",  "4xx", "5xx"};

    return str_of(texts[class]);
}

static void one_u64(struct scroll *out, const char *name, const char *type,
                    const char *help, uint64_t value)
{
    exposition_family(out, name, type, help);
    exposition_u64(out, name, NO_LABELS, value);
}

static void one_seconds(struct scroll *out, const char *name, const char *type,
                        const char *help, uint64_t ns)
{
    exposition_family(out, name, type, help);
    exposition_seconds(out, name, NO_LABELS, ns);
}

/* ---- the process ---- */

static void write_process(const struct overview *view, struct scroll *out)
{
    const struct sys_usage *usage = &view->usage;

    exposition_family(out, "weir_build_info", "gauge",
                      "Always 1; the version runs here.");
    exposition_u64(out, "weir_build_info", LABELS({"version", str_of(view->version)}), 1);
    one_seconds(out, "weir_start_time_seconds", "gauge",
                "When this process began to serve.", view->started);
    one_u64(out, "weir_workers", "gauge", "Threads that serve clients.",
            view->worker_count);
    one_seconds(out, "process_cpu_seconds_total", "counter",
                "User and system time of all threads.", usage->cpu_ns);
    one_u64(out, "process_resident_memory_bytes", "gauge", "Memory in use.",
            usage->resident);
    one_u64(out, "process_virtual_memory_bytes", "gauge", "Address space in use.",
            usage->virtual_size);
    one_u64(out, "process_open_fds", "gauge", "Descriptors in use.", usage->open_files);
    one_u64(out, "process_max_fds", "gauge", "Descriptors that may be in use.",
            usage->open_files_most);
    one_seconds(out, "process_start_time_seconds", "gauge", "When this process began.",
                view->started);
}

static void write_memory(const struct overview *view, struct scroll *out)
{
    if (!view->areas)
        return;
    exposition_family(
        out, "weir_memory_bytes", "gauge",
        "Memory held, in use or ready to be used again, by what it is for.");
    for (const struct memory_area *area = view->areas; area->name; area++)
        exposition_u64(out, "weir_memory_bytes", LABELS({"area", str_of(area->name)}),
                       area->bytes);
}

static void write_reloads(const struct overview *view, struct scroll *out)
{
    exposition_family(out, "weir_config_reloads_total", "counter",
                      "Configurations read anew, by what came of it.");
    exposition_u64(out, "weir_config_reloads_total", LABELS({"result", STR("success")}),
                   view->reloads_succeeded);
    exposition_u64(out, "weir_config_reloads_total", LABELS({"result", STR("failure")}),
                   view->reloads_failed);
    one_u64(out, "weir_config_last_reload_successful", "gauge",
            "Was the last configuration accepted?", view->last_reload_was_good);
    one_seconds(out, "weir_config_last_reload_timestamp_seconds", "gauge",
                "When the configuration in use was accepted.", view->last_reload_at);
    one_u64(out, "weir_config_number", "gauge",
            "Which accepted configuration is in use, counted from the start.",
            view->snapshot->number);
}

static void write_logs(const struct overview *view, struct scroll *out)
{
    exposition_family(
        out, "weir_log_dropped_total", "counter",
        "Log lines lost because a log was too slow or could not be written.");
    for (unsigned i = 0; i < LOG_SINK_COUNT; i++)
        exposition_u64(out, "weir_log_dropped_total",
                       LABELS({"log", str_of(log_sink_text(i))}), view->log_dropped[i]);
}

/* ---- listeners ---- */

/* The shards' words at `offset`, summed. */
static uint64_t listener_sum(const struct overview *view, const struct listener *listener,
                             size_t offset)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < view->worker_count; i++) {
        const char *shard = (const char *)&listener->live->shards[i];

        sum += counter_read((const uint64_t *)(const void *)(shard + offset));
    }
    return sum;
}

static void write_listener_counter(const struct overview *view, struct scroll *out,
                                   const char *name, const char *help, size_t offset)
{
    exposition_family(out, name, "counter", help);
    for (unsigned i = 0; i < view->snapshot->listener_count; i++) {
        const struct listener *listener = &view->snapshot->listeners[i];

        exposition_u64(out, name, LABELS({"listener", listener->name}),
                       listener_sum(view, listener, offset));
    }
}

static void write_rejected(const struct overview *view, struct scroll *out)
{
    static const char name[] = "weir_listener_connections_rejected_total";

    exposition_family(out, name, "counter", "Connections closed at once, by why.");
    for (unsigned i = 0; i < view->snapshot->listener_count; i++)
        for (unsigned reason = 0; reason < REJECT_COUNT; reason++)
            exposition_u64(out, name,
                           LABELS({"listener", view->snapshot->listeners[i].name},
                                  {"reason", str_of(reject_reason_text(reason))}),
                           listener_sum(view, &view->snapshot->listeners[i],
                                        offsetof(struct listener_shard, rejected[0]) +
                                            reason * sizeof(uint64_t)));
}

static void write_listener_requests(const struct overview *view, struct scroll *out)
{
    static const char name[] = "weir_listener_requests_total";

    exposition_family(out, name, "counter",
                      "Requests by listener, those without a route too.");
    for (unsigned i = 0; i < view->snapshot->listener_count; i++) {
        const struct listener *listener = &view->snapshot->listeners[i];

        for (unsigned class = 0; class < CODE_CLASSES; class ++) {
            uint64_t sum = listener_sum(view, listener,
                                        offsetof(struct listener_shard, requests[0]) +
                                            class * sizeof(uint64_t));

            if (sum)
                exposition_u64(out, name,
                               LABELS({"listener", listener->name},
                                      {"code", metrics_code_text(class)}),
                               sum);
        }
    }
}

static void write_listeners(const struct overview *view, struct scroll *out)
{
    static const char active[] = "weir_listener_connections_active";

    write_listener_counter(view, out, "weir_listener_connections_total",
                           "Connections accepted.",
                           offsetof(struct listener_shard, accepted));
    exposition_family(out, active, "gauge", "Connections open now.");
    for (unsigned i = 0; i < view->snapshot->listener_count; i++)
        exposition_u64(
            out, active, LABELS({"listener", view->snapshot->listeners[i].name}),
            atomic_load_explicit(&view->snapshot->listeners[i].live->connections,
                                 memory_order_relaxed));
    write_rejected(view, out);
    write_listener_counter(view, out, "weir_listener_received_bytes_total",
                           "Bytes from clients.",
                           offsetof(struct listener_shard, bytes_received));
    write_listener_counter(view, out, "weir_listener_sent_bytes_total",
                           "Bytes to clients.",
                           offsetof(struct listener_shard, bytes_sent));
    write_listener_requests(view, out);
}

/* ---- routes ---- */

/* The listener for http; empty where there are several. */
static str only_listener(const struct snapshot *snapshot)
{
    str found = STR("");

    for (unsigned i = 0; i < snapshot->listener_count; i++) {
        if (snapshot->listeners[i].kind != LISTENER_HTTP)
            continue;
        if (found.n)
            return STR("");
        found = snapshot->listeners[i].name;
    }
    return found;
}

/* The listener that a route names; empty where there are several. */
static str named_listener(const struct snapshot *snapshot, const struct match *match)
{
    str found = STR("");

    for (unsigned word = 0; word < match->listener_words; word++) {
        uint64_t bits = match->listeners[word];

        if (!bits)
            continue;
        if (found.n || bits & (bits - 1))
            return STR("");
        found = snapshot->listeners[word * 64 + (unsigned)__builtin_ctzll(bits)].name;
    }
    return found;
}

static void route_times(const struct overview *view, const struct route *route,
                        unsigned class, struct histogram *out)
{
    *out = (struct histogram){0};
    for (unsigned i = 0; i < view->worker_count; i++)
        histogram_sum(out, &route->live->shards[i].duration[class]);
}

static void write_requests(const struct overview *view, struct scroll *out)
{
    static const char name[] = "weir_requests_total";
    str everywhere = only_listener(view->snapshot);
    struct histogram times;

    exposition_family(out, name, "counter",
                      "Requests answered or given up; listener is empty where a route "
                      "serves several.");
    for (unsigned i = 0; i < view->snapshot->route_count; i++) {
        const struct route *route = &view->snapshot->routes[i];
        str listener = route->match && route->match->listeners
                           ? named_listener(view->snapshot, route->match)
                           : everywhere;

        for (unsigned class = 0; class < CODE_CLASSES; class ++) {
            route_times(view, route, class, &times);
            if (histogram_count(&times))
                exposition_u64(out, name,
                               LABELS({"listener", listener}, {"route", route->name},
                                      {"code", metrics_code_text(class)},
                                      {"protocol", STR("http1")}),
                               histogram_count(&times));
        }
    }
}

static void write_durations(const struct overview *view, struct scroll *out)
{
    static const char name[] = "weir_request_duration_seconds";
    struct histogram times;

    exposition_family(out, name, "histogram",
                      "From the first byte of a request to the end of its answer.");
    for (unsigned i = 0; i < view->snapshot->route_count; i++)
        for (unsigned class = 0; class < CODE_CLASSES; class ++) {
            route_times(view, &view->snapshot->routes[i], class, &times);
            if (histogram_count(&times))
                exposition_histogram(out, name,
                                     LABELS({"route", view->snapshot->routes[i].name},
                                            {"code", metrics_code_text(class)}),
                                     &times);
        }
}

static void write_in_flight(const struct overview *view, struct scroll *out)
{
    static const char name[] = "weir_requests_in_flight";

    exposition_family(out, name, "gauge", "Requests that are being answered.");
    for (unsigned i = 0; i < view->snapshot->route_count; i++) {
        const struct route *route = &view->snapshot->routes[i];
        int64_t sum = 0;

        for (unsigned w = 0; w < view->worker_count; w++)
            sum += (int64_t)counter_read(
                (const uint64_t *)(const void *)&route->live->shards[w].in_flight);
        exposition_u64(out, name, LABELS({"route", route->name}),
                       sum > 0 ? (uint64_t)sum : 0);
    }
}

static void write_route_errors(const struct overview *view, struct scroll *out,
                               const struct route *route)
{
    for (unsigned cause = CAUSE_OK + 1; cause < CAUSE_COUNT; cause++) {
        uint64_t sum = 0;

        for (unsigned w = 0; w < view->worker_count; w++)
            sum += counter_read(&route->live->shards[w].causes[cause]);
        if (sum)
            exposition_u64(
                out, "weir_errors_total",
                LABELS({"route", route->name}, {"cause", str_of(cause_text(cause))}),
                sum);
    }
}

static void write_errors(const struct overview *view, struct scroll *out)
{
    const struct snapshot *snapshot = view->snapshot;

    exposition_family(out, "weir_errors_total", "counter",
                      "Requests that did not end well, by the cause of the access log; "
                      "route is empty where none was found.");
    for (unsigned i = 0; i < snapshot->route_count; i++)
        write_route_errors(view, out, &snapshot->routes[i]);
    for (unsigned cause = CAUSE_OK + 1; cause < CAUSE_COUNT; cause++) {
        uint64_t sum = 0;

        for (unsigned i = 0; i < snapshot->listener_count; i++)
            sum += listener_sum(view, &snapshot->listeners[i],
                                offsetof(struct listener_shard, causes[0]) +
                                    cause * sizeof(uint64_t));
        if (sum)
            exposition_u64(
                out, "weir_errors_total",
                LABELS({"route", STR("")}, {"cause", str_of(cause_text(cause))}), sum);
    }
}

void metrics_write(const struct overview *view, struct scroll *out)
{
    write_process(view, out);
    write_memory(view, out);
    write_reloads(view, out);
    write_logs(view, out);
    write_listeners(view, out);
    write_requests(view, out);
    write_durations(view, out);
    write_in_flight(view, out);
    write_errors(view, out);
    metrics_write_pools(view, out);
    metrics_write_breakers(view, out);
    metrics_write_shed(view, out);
}

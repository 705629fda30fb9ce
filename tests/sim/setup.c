/* Writes YAML. What players must know of it lies in the rules and never changes. */
#include "setup.h"

#include "base/text.h"
#include "disk.h"
#include "names.h"
#include "rules.h"

#include <stdio.h>

enum { ROOM = 16 * 1024, FIRST_SPARE = SETUP_POOL_MAIN };
enum { FIRST_TCP = FIRST_SPARE + SETUP_POOL_SPARE };
enum { FIRST_NAMED = FIRST_TCP + SETUP_POOL_TCP };

bool setup_is_echo(unsigned origin)
{
    return origin >= FIRST_TCP && origin < FIRST_NAMED;
}

static void add_defaults(struct text *out)
{
    const struct timeouts *t = &rules.timeouts;
    char backoff[32] = "";

    if (rules.retries.backoff)
        snprintf(backoff, sizeof backoff, ", backoff: %ums", rules.retries.backoff);

    text_format(out,
                "version: 1\n"
                "runtime: {workers: %u, shutdown_grace: %ums, state_dir: /state}\n"
                "admin: {socket: /run/weir.sock}\n"
                "logs: {access: {to: /log/access}, error: {to: /log/error}}\n"
                "protect: {slow_client: {min_rate: %uB/s, grace: %ums}}\n",
                rules.workers, rules.grace, rules.slow_client.min_rate,
                rules.slow_client.grace);
    text_format(out,
                "defaults:\n"
                "  timeouts: {connect: %ums, request_header: %ums, request_body: %ums,"
                " response: %ums, response_body: %ums, client_write: %ums, idle: %ums,"
                " tunnel: %ums, half_closed: %ums}\n",
                t->connect, t->request_header, t->request_body, t->response,
                t->response_body, t->client_write, t->idle, t->tunnel, t->half_closed);
    text_format(out,
                "  retries: {count: %u, on_errors: [connect_error, "
                "reset_before_response%s%s]%s}\n"
                "  sizes: {header_size: 16KiB, headers: 100, uri: 8KiB, body: 8MiB}\n",
                rules.retries.count,
                rules.retries.on_errors & RETRY_RESPONSE_TIMEOUT ? ", response_timeout"
                                                                 : "",
                rules.retries.on_errors & RETRY_500 ? ", 500" : "", backoff);
}

static void add_listeners(struct text *out)
{
    text_add(out, STR("listeners:\n  web: {address: \"10.0.0.1:80\""));
    if (rules.connections)
        text_format(out, ", max_connections: %u, max_connections_per_ip: 1",
                    rules.connections);
    text_add(out, STR("}\n"
                      "  db: {kind: tcp, address: \"10.0.0.1:9000\", to: db}\n"));
    if (draw_percent(50))
        text_add(out, STR("  other: {address: \"10.0.0.1:81\"}\n"));
}

/* Of servers and of routes; a calm world has none, for they refuse what could be served. */
static void add_breaker(struct text *out, const char *before, const char *behind)
{
    if (!rules.is_calm && !rules.is_crowded && draw_percent(30))
        text_format(out, "%sbreaker: shared%s", before, behind);
}

static void add_breakers(struct text *out)
{
    text_format(
        out,
        "breakers: {shared: {failures: %u, window: 1s, open: %ums, half_open: %u, "
        "close_after: %u}}\n",
        1 + (unsigned)draw(4), (unsigned)draw_between(100, 3000), 1 + (unsigned)draw(3),
        1 + (unsigned)draw(3));
}

/* The route's own word, where pools have one. */
static void add_hedge(struct text *out)
{
    if (!rules.hedge_after || draw_percent(50))
        return;
    if (draw_percent(30))
        text_add(out, STR(", hedge: off"));
    else
        text_format(out, ", hedge: {after: %ums, max_share: 100%%}",
                    (unsigned)draw_between(1, 50));
}

static void add_routes(struct text *out)
{
    text_add(out, STR("routes:\n"
                      "  - {name: split, match: {path: /split/*}, split: {main: 90%, "
                      "spare: 10%}}\n"
                      "  - {name: spare, match: {path: /spare/*}, strip_prefix: /spare, "
                      "to: spare}\n"
                      "  - {name: named, match: {path: /named/*}, to: named}\n"
                      "  - {name: redirect, match: {path: /redirect/*}, redirect: {to: "
                      "\"https://sim{uri}\", status: 301}}\n"
                      "  - {name: respond, match: {path: /respond}, respond: {status: "
                      "200, body: hello}}\n"));
    text_format(out, "  - {name: %s, to: main", draw_percent(70) ? "rest" : "all");
    add_breaker(out, ", ", "");
    add_hedge(out);
    text_add(out, STR("}\n"));
}

static const char *draw_balance(void)
{
    static const char *const all[] = {
        "round_robin",
        "weighted_round_robin",
        "least_connections",
        "weighted_least_connections",
        "random",
        "random_two",
        "least_response_time",
        "prequal",
        "ip_hash",
        "{consistent_hash: {bound: 1.05}}",
        "{consistent_hash: {table: maglev}}",
        "{consistent_hash: {key: client.port, table: rendezvous}}",
    };

    return all[draw(array_len(all))];
}

/* Without a path a connect decides. */
static void add_health(struct text *out, bool is_http)
{
    bool is_passive = !rules.is_calm && draw_percent(30);

    if (draw_percent(30))
        text_add(out, STR("    health: {active: off"));
    else
        text_format(out,
                    "    health: {active: {%sinterval: %ums, timeout: %ums, "
                    "unhealthy_after: 3, healthy_after: 2}",
                    is_http && draw_percent(60) ? "path: /health, " : "",
                    (unsigned)draw_between(300, 1500), (unsigned)draw_between(200, 300));
    if (is_passive)
        text_format(out,
                    ", passive: {failures: %u, error_rate: 30%%, %swithin: 1s, "
                    "samples: 5, eject: %ums, max_ejected: %u%%}",
                    1 + (unsigned)draw(5), is_http ? "latency: 3, " : "",
                    (unsigned)draw_between(100, 3000), (unsigned)draw(101));
    if (is_http && draw_percent(30))
        text_add(out, STR(", load_header: X-Sim-Load"));
    text_add(out, STR("}\n"));
}

/* Low limits, for there are few clients. A reload draws anew and takes it away again. */
static void add_adaptive(struct text *out)
{
    unsigned min = 1 + (unsigned)draw(4);

    if (draw_percent(rules.adaptive))
        text_format(out, "    adaptive_concurrency: {min: %u, max: %u}\n", min,
                    min + (unsigned)draw(20));
}

/* What only requests can use; a pool of connections must not have it. */
static void add_for_requests(struct text *out)
{
    text_format(out, "    keepalive: {connections: %u, idle: %ums, max_requests: %u}\n",
                rules.keepalive.connections, rules.keepalive.idle,
                rules.keepalive.max_requests);
    if (rules.hedge_after)
        text_format(out, "    hedge: {after: %ums, max_share: 100%%}\n",
                    rules.hedge_after);
    add_adaptive(out);
}

static void begin_pool(struct text *out, const char *name)
{
    bool is_http = strcmp(name, "db") != 0;

    text_format(out,
                "  %s:\n"
                "    balance: %s\n"
                "    drain: {timeout: %ums}\n",
                name, draw_balance(), rules.drain_timeout);
    if (draw_percent(25))
        text_format(out, "    slow_start: %ums\n", (unsigned)draw_between(200, 5000));
    add_health(out, is_http);
    add_breaker(out, "    ", "\n");
    if (draw_percent(rules.queues))
        text_format(out, "    queue: {size: %u, timeout: %ums, slo: %ums}\n",
                    (unsigned)draw_between(rules.is_calm ? 500 : 1, 500),
                    rules.queue_timeout, (unsigned)draw_between(10, 2000));
    if (is_http)
        add_for_requests(out);
    text_add(out, STR("    servers:\n"));
}

/* With queues caps are low, or nobody would ever wait. */
static const char *draw_cap(void)
{
    if (rules.is_calm || rules.is_crowded)
        return "";
    if (rules.queues)
        return draw_percent(50) ? ", max_connections: 1" : ", max_connections: 2";
    return draw_percent(80) ? "" : ", max_connections: 5";
}

static void add_server(struct text *out, unsigned origin, bool is_backup)
{
    text_format(out, "      - {address: \"10.0.1.%u:8000\", weight: %u%s%s}\n",
                origin + 1, 1 + (unsigned)draw(3), is_backup ? ", backup: true" : "",
                draw_cap());
}

static void add_pools(struct text *out)
{
    text_add(out, STR("pools:\n"));
    begin_pool(out, "main");
    add_server(out, 0, false);
    for (unsigned i = 1; i < SETUP_POOL_MAIN; i++)
        if (draw(SETUP_POOL_MAIN) < rules.servers)
            add_server(out, i, false);
    begin_pool(out, "spare");
    add_server(out, FIRST_SPARE, false);
    for (unsigned i = 1; i < SETUP_POOL_SPARE; i++)
        if (draw_percent(50))
            add_server(out, FIRST_SPARE + i, i == 1);
    begin_pool(out, "db");
    add_server(out, FIRST_TCP, false);
    for (unsigned i = 1; i < SETUP_POOL_TCP; i++)
        if (draw_percent(50))
            add_server(out, FIRST_TCP + i, false);
    begin_pool(out, "named");
    text_add(out, STR("      - {address: \"web.sim:8000\"}\n"));
}

static struct text begin(void)
{
    return text_in(arena_alloc(&world.arena, ROOM), ROOM);
}

void setup_write(void)
{
    struct text out = begin();

    add_defaults(&out);
    add_listeners(&out);
    add_routes(&out);
    add_pools(&out);
    add_breakers(&out);
    disk_put(SETUP_FILE, text_str(&out));
}

void setup_write_wrong(void)
{
    struct text out = begin();

    add_defaults(&out);
    text_add(&out, STR("listeners: {web: {address: \"10.0.0.1:80\", too: main}}\n"));
    disk_put(SETUP_FILE, text_str(&out));
}

/* ---- names ---- */

static void set_names(void)
{
    struct addr addrs[SETUP_POOL_NAMED];
    unsigned count = 0;

    for (unsigned i = 0; i < SETUP_POOL_NAMED; i++)
        if (i == 0 || draw_percent(50))
            addrs[count++] =
                (struct addr){.family = ADDR_IP4,
                              .ip = {10, 0, 1, (unsigned char)(FIRST_NAMED + i + 1)}};
    name_set("web.sim", addrs, count, 1 + (uint32_t)draw(2));
}

static void names_change(void *who, uint64_t until)
{
    (void)who;
    set_names();
    if (!rules.is_calm)
        name_set_mood("web.sim", draw_percent(70)
                                     ? NAME_WELL
                                     : NAME_SILENT + (enum name_mood)draw(2));
    if (world.now < until)
        world_after(draw(2 * SECOND), names_change, NULL, until);
}

void setup_live_names(void)
{
    set_names();
    world_after(draw(2 * SECOND), names_change, NULL, world.now + rules.lasts);
}

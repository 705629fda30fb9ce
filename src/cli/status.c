/*
 * weir status: the daemon's own words and numbers in two tables side by side, or one pool
 * with its servers. What is not known yet (rates need a second or two) is a dash.
 */
#include "cli/cli.h"
#include "cli/table.h"

#include <jansson.h>

enum { STATUS_SECONDS = 10 };

static const str dash = {"–", sizeof "–" - 1};

/* ---- what stands in the answer ---- */

static str text_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return (str){json_string_value(value) ? json_string_value(value) : "",
                 json_string_length(value)};
}

static long long number_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static bool has(const json_t *object, const char *name)
{
    return json_object_get(object, name) != NULL;
}

static double real_of(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

/* ---- how it is said ---- */

/* "12d 4h", "2m", "5s". */
static str say_duration(struct arena *arena, double seconds)
{
    unsigned long s = (unsigned long)seconds;

    if (s >= 86400)
        return arena_printf(arena, "%lud %luh", s / 86400, s / 3600 % 24);
    if (s >= 36000)
        return arena_printf(arena, "%luh", s / 3600);
    if (s >= 3600)
        return arena_printf(arena, "%luh %lum", s / 3600, s / 60 % 60);
    if (s >= 60)
        return arena_printf(arena, "%lum", s / 60);
    return arena_printf(arena, "%lus", s);
}

static str say_count(struct arena *arena, const json_t *object, const char *name)
{
    return has(object, name) ? arena_printf(arena, "%lld", number_of(object, name))
                             : dash;
}

/* "812", "0.4". */
static str say_rate(struct arena *arena, const json_t *object)
{
    double rate = real_of(object, "rate");

    if (!has(object, "rate"))
        return dash;
    return arena_printf(arena, rate > 0 && rate < 9.95 ? "%.1f" : "%.0f", rate);
}

static str say_share(struct arena *arena, const json_t *object, const char *name)
{
    if (!has(object, name))
        return dash;
    return arena_printf(arena, "%.2f%%", real_of(object, name) * 100);
}

/* "41ms", "1.2s". */
static str say_time(struct arena *arena, const json_t *object, const char *name)
{
    double ms = real_of(object, name) * 1000;

    if (!has(object, name))
        return dash;
    if (ms >= 999.5)
        return arena_printf(arena, "%.1fs", ms / 1000);
    return ms < 1 ? STR("<1ms") : arena_printf(arena, "%.0fms", ms);
}

/* ---- circuit breakers ---- */

/* STR_NONE: there is none, or it is closed and nobody holds it so. */
static str breaker_state(const json_t *breaker)
{
    str state = text_of(breaker, "state");

    if (!breaker || (str_eq(state, STR("closed")) &&
                     !json_is_true(json_object_get(breaker, "by_hand"))))
        return STR_NONE;
    return str_eq(state, STR("half_open")) ? STR("half open") : state;
}

/* "41s: 5 failures in 10s, the last: HTTP 503; is tried again in 19s". */
static str say_breaker_why(struct arena *arena, const json_t *breaker)
{
    str since = say_duration(arena, real_of(breaker, "since"));
    str reason = text_of(breaker, "reason"), wait = STR("");
    bool waits = real_of(breaker, "tries_in") > 0;

    if (!has(breaker, "tries_in"))
        return arena_printf(arena, STR_FMT ": " STR_FMT, STR_ARG(since), STR_ARG(reason));
    if (waits)
        wait = say_duration(arena, real_of(breaker, "tries_in") + 0.999);
    return arena_printf(arena, STR_FMT ": " STR_FMT "; is tried again %s" STR_FMT,
                        STR_ARG(since), STR_ARG(reason),
                        waits ? "in " : "by the next request", STR_ARG(wait));
}

/* ---- everything ---- */

static void print_headline(const struct cli *cli, struct arena *arena, const json_t *all)
{
    const json_t *config = json_object_get(all, "config");
    str uptime = say_duration(arena, real_of(all, "uptime"));
    str version = text_of(all, "version");

    fprintf(
        cli->out, "weir " STR_FMT "  up " STR_FMT "  config #%lld %s  workers %lld%s\n",
        STR_ARG(version), STR_ARG(uptime), number_of(config, "number"),
        json_is_true(json_object_get(config, "ok")) ? "ok"
                                                    : "in use, a newer one was refused",
        number_of(all, "workers"),
        json_is_true(json_object_get(all, "draining")) ? "  draining" : "");
}

static void add_listeners(struct table *table, const json_t *all)
{
    struct arena *arena = table->arena;
    json_t *listener;
    size_t i;

    *table_row(table) = (struct table_row){{STR("listener"), STR("req/s"), STR("conns"),
                                            STR("errors"), STR("p50"), STR("p95")}};
    json_array_foreach(json_object_get(all, "listeners"), i, listener) *
        table_row(table) = (struct table_row){{
        text_of(listener, "name"),
        say_rate(arena, listener),
        say_count(arena, listener, "connections"),
        say_share(arena, listener, "error_share"),
        say_time(arena, listener, "p50"),
        say_time(arena, listener, "p95"),
    }};
}

/* "ok", "ok, queue 12/1000", "ok, queue 12/1000 and 3 aside". */
static str say_queue(struct arena *arena, const json_t *queue)
{
    long long waiting = number_of(queue, "waiting"), aside = number_of(queue, "aside");
    str text = STR("ok");

    if (waiting > 0 || aside > 0)
        text =
            arena_printf(arena, "ok, queue %lld/%lld", waiting, number_of(queue, "size"));
    if (aside > 0)
        text = arena_printf(arena, STR_FMT " and %lld aside", STR_ARG(text), aside);
    return text;
}

/* "ok", "DOWN: connection refused (2m)". */
static str say_pool_state(struct arena *arena, const json_t *pool)
{
    str reason = text_of(pool, "reason"), since;

    bool is_up =
        number_of(pool, "up") > 0 && !str_eq(text_of(pool, "state"), STR("down"));

    if (is_up)
        return say_queue(arena, json_object_get(pool, "queue"));
    if (!has(pool, "since"))
        return arena_printf(arena, "DOWN: " STR_FMT, STR_ARG(reason));
    since = say_duration(arena, real_of(pool, "since"));
    return arena_printf(arena, "DOWN: " STR_FMT " (" STR_FMT ")", STR_ARG(reason),
                        STR_ARG(since));
}

static void add_pools(struct table *table, const json_t *all)
{
    struct arena *arena = table->arena;
    json_t *pool;
    size_t i;

    *table_row(table) = (struct table_row){{STR("pool"), STR("up/all"), STR("balance"),
                                            STR("req/s"), STR("p95"), STR("state")}};
    json_array_foreach(json_object_get(all, "pools"), i, pool) *
        table_row(table) = (struct table_row){{
        text_of(pool, "name"),
        arena_printf(arena, "%lld/%lld", number_of(pool, "up"), number_of(pool, "all")),
        text_of(pool, "balance"),
        say_rate(arena, pool),
        say_time(arena, pool, "p95"),
        say_pool_state(arena, pool),
    }};
}

/* Only routes with a breaker are told of. */
static void print_routes(const struct cli *cli, struct arena *arena, const json_t *all)
{
    struct table table = {.arena = arena, .columns = 3, .right = "lll"};
    json_t *route;
    size_t i;

    if (!has(all, "routes"))
        return;
    *table_row(&table) = (struct table_row){{STR("route"), STR("breaker"), STR("why")}};
    json_array_foreach(json_object_get(all, "routes"), i, route)
    {
        const json_t *breaker = json_object_get(route, "breaker");
        bool is_told = breaker_state(breaker).p != NULL;

        *table_row(&table) = (struct table_row){
            {text_of(route, "name"), is_told ? breaker_state(breaker) : STR("closed"),
             is_told ? say_breaker_why(arena, breaker) : STR("")}};
    }
    table_print(cli->out, &table);
}

/* "! maintenance on* (2m): page shop-down, 1 exception; by uid 0 "new database"" */
static void print_maintenance(const struct cli *cli, struct arena *arena,
                              const json_t *all)
{
    const json_t *now = json_object_get(all, "maintenance");
    str page = text_of(now, "page"), why = text_of(now, "reason"), since;
    long long exceptions = number_of(now, "exceptions");

    if (!json_is_true(json_object_get(now, "on")))
        return;
    since = say_duration(arena, real_of(now, "since"));
    if (!page.n)
        page = STR("built-in");
    fprintf(cli->out,
            "! maintenance on%s (" STR_FMT "): page " STR_FMT
            ", %lld exception%s; " STR_FMT "\n",
            json_is_true(json_object_get(now, "ordered")) ? "*" : "", STR_ARG(since),
            STR_ARG(page), exceptions, exceptions == 1 ? "" : "s", STR_ARG(why));
}

/* "! name app.internal of pool app: 169.254.169.254 is refused: ..." */
static void print_unused(const struct cli *cli, const json_t *pool, const char *which)
{
    json_t *name;
    size_t i;

    json_array_foreach(json_object_get(pool, which), i, name)
    {
        str host = text_of(name, "name"), owner = text_of(pool, "name");
        str why = text_of(name, "reason");

        fprintf(cli->out, "! name " STR_FMT " of pool " STR_FMT ": " STR_FMT "\n",
                STR_ARG(host), STR_ARG(owner), STR_ARG(why));
    }
}

static void print_names(const struct cli *cli, const json_t *pool)
{
    print_unused(cli, pool, "refused_addresses");
    print_unused(cli, pool, "cut_addresses");
}

/* "! degrade shop-levels: reduced (2m): 2 of 4 healthy (50%)"; nothing at full. */
static void print_ladders(const struct cli *cli, struct arena *arena, const json_t *all)
{
    json_t *ladder;
    size_t i;

    json_array_foreach(json_object_get(all, "degrade"), i, ladder)
    {
        str name = text_of(ladder, "name"), level = text_of(ladder, "level");
        str why = text_of(ladder, "reason"), since;
        bool is_forced = json_is_true(json_object_get(ladder, "forced"));

        if (str_eq(level, STR("full")) && !is_forced)
            continue;
        since = say_duration(arena, real_of(ladder, "since"));
        fprintf(cli->out,
                "! degrade " STR_FMT ": " STR_FMT "%s (" STR_FMT "): " STR_FMT "\n",
                STR_ARG(name), STR_ARG(level), is_forced ? "*" : "", STR_ARG(since),
                STR_ARG(why));
    }
}

static void print_all(const struct cli *cli, struct arena *arena, const json_t *all)
{
    struct table listeners = {.arena = arena, .columns = 6, .right = "lrrrrr"};
    struct table pools = {.arena = arena, .columns = 6, .right = "lrlrrl"};
    json_t *pool;
    size_t i;

    print_headline(cli, arena, all);
    add_listeners(&listeners, all);
    add_pools(&pools, all);
    table_print_beside(cli->out, &listeners, &pools);
    print_routes(cli, arena, all);
    if (has(all, "overload")) {
        const json_t *load = json_object_get(all, "overload");
        str shed = text_of(load, "shed"), why = text_of(load, "reason");

        fprintf(cli->out, "! overloaded: " STR_FMT "; turned away: " STR_FMT "\n",
                STR_ARG(why), STR_ARG(shed));
    }
    print_maintenance(cli, arena, all);
    print_ladders(cli, arena, all);
    json_array_foreach(json_object_get(all, "pools"), i, pool) print_names(cli, pool);
}

/* ---- one pool ---- */

static void add_note(struct arena *arena, str *notes, str note)
{
    if (!note.n)
        return;
    *notes = notes->n ? arena_printf(arena, STR_FMT ", " STR_FMT, STR_ARG(*notes),
                                     STR_ARG(note))
                      : note;
}

static str say_agent(struct arena *arena, const json_t *agent)
{
    double share = real_of(agent, "share");

    if (json_is_true(json_object_get(agent, "draining")))
        return STR("drains");
    return agent && share < 1 ? arena_printf(arena, "%.0f%%", share * 100) : STR_NONE;
}

/* In the server's own words, where they ask for less than it could get. */
static str say_header(struct arena *arena, const json_t *header)
{
    bool is_less = json_is_true(json_object_get(header, "draining")) ||
                   number_of(header, "max_connections") || real_of(header, "share") < 1;
    str said = text_of(header, "said");

    return header && is_less ? arena_printf(arena, "load header: " STR_FMT, STR_ARG(said))
                             : STR_NONE;
}

static str say_server_state(struct arena *arena, const json_t *server)
{
    str state = text_of(server, "state");
    str breaker = breaker_state(json_object_get(server, "breaker"));
    str note = STR_NONE;

    if (str_eq(state, STR("draining")))
        state = STR("draining*"); /* somebody's order */
    add_note(arena, &note,
             json_is_true(json_object_get(server, "backup")) ? STR("backup") : STR_NONE);
    add_note(arena, &note, has(server, "slow_start") ? STR("warm") : STR_NONE);
    add_note(arena, &note, say_agent(arena, json_object_get(server, "agent")));
    add_note(arena, &note, say_header(arena, json_object_get(server, "load_header")));
    if (breaker.p)
        breaker = arena_printf(arena, "breaker " STR_FMT, STR_ARG(breaker));
    add_note(arena, &note, breaker);
    if (!note.n)
        return state;
    return arena_printf(arena, STR_FMT " (" STR_FMT ")", STR_ARG(state), STR_ARG(note));
}

/* With a star where it is not the file's. */
static str say_weight(struct arena *arena, const json_t *server)
{
    if (!has(server, "file_weight"))
        return say_count(arena, server, "weight");
    return arena_printf(arena, "%lld*", number_of(server, "weight"));
}

static str say_check(struct arena *arena, const json_t *server, bool is_checked)
{
    const json_t *check = json_object_get(server, "last_check");
    str result = text_of(check, "result"), ago;

    if (!check)
        return is_checked ? STR("not yet") : STR("off");
    ago = say_duration(arena, real_of(check, "ago"));
    return arena_printf(arena, STR_FMT "  " STR_FMT " ago", STR_ARG(result),
                        STR_ARG(ago));
}

/* "slow_start 12s of 30s" */
static str say_slow_start(struct arena *arena, const json_t *slow)
{
    str elapsed = say_duration(arena, real_of(slow, "elapsed"));
    str window = say_duration(arena, real_of(slow, "window"));

    return arena_printf(arena, "slow_start " STR_FMT " of " STR_FMT, STR_ARG(elapsed),
                        STR_ARG(window));
}

/* "12", or "12/23": of so many that it bears. */
static str say_in_flight(struct arena *arena, const json_t *server)
{
    const json_t *limit = json_object_get(server, "concurrency");

    if (!limit)
        return say_count(arena, server, "connections");
    return arena_printf(arena, "%lld/%lld", number_of(server, "connections"),
                        number_of(limit, "limit"));
}

/* "limit 23: answers take 31ms, 12ms without load"; nothing while it is not used up. */
static str say_limit(struct arena *arena, const json_t *server)
{
    const json_t *limit = json_object_get(server, "concurrency");
    str state = text_of(limit, "state"), reason = text_of(limit, "reason");

    if (!limit || str_eq(state, STR("new")) || str_eq(state, STR("unused")))
        return STR("");
    return arena_printf(arena, "limit %lld: " STR_FMT, number_of(limit, "limit"),
                        STR_ARG(reason));
}

/* Nothing for a server that is simply up. */
static str say_why(struct arena *arena, const json_t *server)
{
    const json_t *check = json_object_get(server, "last_check");
    const json_t *breaker = json_object_get(server, "breaker");
    str reason = text_of(server, "reason"), ago;

    if (json_is_true(json_object_get(server, "ordered")))
        return reason;
    if (breaker_state(breaker).p && str_eq(text_of(server, "state"), STR("up")))
        return arena_printf(arena, "breaker " STR_FMT " " STR_FMT,
                            STR_ARG(breaker_state(breaker)),
                            STR_ARG(say_breaker_why(arena, breaker)));
    if (has(server, "slow_start"))
        return say_slow_start(arena, json_object_get(server, "slow_start"));
    if (str_eq(text_of(server, "state"), STR("up")))
        return say_limit(arena, server);
    if (!has(check, "good_ago"))
        return reason;
    ago = say_duration(arena, real_of(check, "good_ago"));
    return arena_printf(arena, STR_FMT "; last good " STR_FMT " ago", STR_ARG(reason),
                        STR_ARG(ago));
}

static void print_pool(const struct cli *cli, struct arena *arena, const json_t *pool)
{
    struct table table = {.arena = arena, .columns = 10, .right = "lllrrrrrll"};
    bool is_checked = json_is_true(json_object_get(pool, "is_checked"));
    json_t *server;
    size_t i;

    *table_row(&table) = (struct table_row){
        {STR("server"), STR("address"), STR("state"), STR("weight"), STR("conns"),
         STR("req/s"), STR("p95"), STR("fails"), STR("last check"), STR("why")}};
    json_array_foreach(json_object_get(pool, "servers"), i, server) * table_row(&table) =
        (struct table_row){{
            text_of(server, "name"),
            text_of(server, "address"),
            say_server_state(arena, server),
            say_weight(arena, server),
            say_in_flight(arena, server),
            say_rate(arena, server),
            say_time(arena, server, "p95"),
            say_count(arena, server, "fails"),
            say_check(arena, server, is_checked),
            say_why(arena, server),
        }};
    table_print(cli->out, &table);
    print_names(cli, pool);
}

static const json_t *find_pool(const struct cli *cli, const json_t *all, str name)
{
    const char *before = "";
    json_t *pool;
    size_t i;

    json_array_foreach(json_object_get(all, "pools"), i, pool)
    {
        if (str_eq(text_of(pool, "name"), name))
            return pool;
    }
    fprintf(cli->error,
            "weir: there is no pool '" STR_FMT "'; there are: ", STR_ARG(name));
    json_array_foreach(json_object_get(all, "pools"), i, pool)
    {
        fprintf(cli->error, "%s%s", before,
                json_string_value(json_object_get(pool, "name")));
        before = ", ";
    }
    fputc('\n', cli->error);
    return NULL;
}

/* ---- the verb ---- */

static void print_json(const struct cli *cli, const json_t *json)
{
    json_dumpf(json, cli->out, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    fputc('\n', cli->out);
}

static enum cli_exit show(const struct cli *cli, const json_t *all, str name,
                          bool as_json)
{
    const json_t *pool = name.p ? find_pool(cli, all, name) : NULL;
    struct arena arena;

    if (name.p && !pool)
        return CLI_WRONG;
    arena_init(&arena, 0);
    if (as_json)
        print_json(cli, pool ? pool : all);
    else if (pool)
        print_pool(cli, &arena, pool);
    else
        print_all(cli, &arena, all);
    arena_reset(&arena);
    return CLI_GOOD;
}

enum cli_exit cli_status(const struct cli *cli, str pool, bool as_json)
{
    const struct question question = {
        .method = "GET", .target = STR("/v1/status"), .seconds = STATUS_SECONDS};
    enum cli_exit end;
    unsigned status;
    json_t *all;
    str body;

    if (cli_ask(cli, &question, &status, &body))
        return CLI_UNREACHABLE;
    if (status != 200)
        return cli_refused(cli, status, body);
    all = json_loadb(body.p, body.n, 0, NULL);
    if (!json_is_object(all)) {
        fprintf(cli->error, "weir: the daemon at %s does not speak as expected\n",
                cli->socket);
        json_decref(all);
        return CLI_WRONG;
    }
    end = show(cli, all, pool, as_json);
    json_decref(all);
    return end;
}

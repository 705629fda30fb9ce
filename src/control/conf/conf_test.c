/* From text to snapshot: what the fields hold, what is a mistake, what a warning. */
#include "conf.c"

#include "lb/balance.h"
#include "lb/router.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct one_file {
    const char *name, *text;
};

static struct complaints complaints;
static struct snapshot *snapshot;
static const struct one_file *files;

static enum err read_file(void *owner, str path, struct arena *arena, str *out)
{
    for (const struct one_file *file = files; file && file->name; file++) {
        if (str_eq(path, str_of(file->name))) {
            *out = str_of(file->text);
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

static enum err list_directory(void *owner, str path, struct arena *arena, str **names,
                               unsigned *count)
{
    *names = ARENA_ARRAY(arena, str, 2000);
    *count = 0;
    for (const struct one_file *file = files; file && file->name; file++) {
        if (str_starts(str_of(file->name), path))
            (*names)[(*count)++] = str_from(str_of(file->name), path.n);
    }
    return ERR_OK;
}

static bool get_variable(void *owner, str name, str *out)
{
    *out = str_eq(name, STR("EMPTY")) ? STR("") : STR("10.0.0.7");
    return str_eq(name, STR("HOST")) || str_eq(name, STR("EMPTY"));
}

static const struct conf_world world = {NULL, read_file, list_directory, get_variable,
                                        NULL};

static int begin(void **state)
{
    complaints_init(&complaints, false);
    snapshot = NULL;
    files = NULL;
    return 0;
}

static int end(void **state)
{
    conf_release(snapshot);
    complaints_close(&complaints);
    return 0;
}

static void load_good(const char *text)
{
    enum err e =
        conf_load_text(&world, STR("t.yaml"), str_of(text), &complaints, &snapshot);

    for (size_t i = 0; i < complaints.items.count; i++)
        print_message("%s\n", complaints.items.items[i]->message.p);
    assert_int_equal(e, ERR_OK);
    assert_int_equal(complaints.errors + complaints.warnings, 0);
}

/* The complaints' codes in their order: "C011 C030". */
static void load_bad(const char *text, const char *codes)
{
    struct scroll got = {0};
    enum err e =
        conf_load_text(&world, STR("t.yaml"), str_of(text), &complaints, &snapshot);

    complaints_sort(&complaints);
    for (size_t i = 0; i < complaints.items.count; i++)
        scroll_format(&got, "%s%s", i ? " " : "", complaints.items.items[i]->code);
    scroll_char(&got, '\0');
    assert_string_equal(got.p, codes);
    assert_int_equal(e == ERR_OK, complaints.errors == 0);
    scroll_close(&got);
}

/* Hundreds of listeners and thousands of routes are not their product. */
static void listeners_share_what_is_the_same(void **state)
{
    const struct listener *listeners;

    load_good("listeners:\n"
              "  a: {address: ':8080'}\n"
              "  b: {address: ':8081'}\n"
              "  named: {address: ':8082'}\n"
              "  rest: {address: ':8083', to: p}\n"
              "  also: {address: ':8084', to: p}\n"
              "routes:\n"
              "  - {match: {path: /a}, to: p}\n"
              "  - {match: {path: /b, listener: named}, to: p}\n"
              "  - {match: {path: /c}, to: p}\n"
              "pools: {p: {servers: [127.0.0.1:9001]}}\n");
    listeners = snapshot->listeners;
    assert_ptr_equal(listeners[0].router, listeners[1].router);
    assert_ptr_not_equal(listeners[0].router, listeners[2].router);
    assert_ptr_not_equal(listeners[0].router, listeners[3].router);
    assert_int_equal(snapshot->route_count, 5);
    for (unsigned i = 0; i < 5; i++) {
        static const char *const paths[] = {"/a", "/b", "/c", "/d"};

        for (unsigned j = 0; j < array_len(paths); j++) {
            struct request_facts facts = {.listener = i, .path = str_of(paths[j])};
            const struct route *route = router_find(listeners[i].router, &facts);
            bool is_taken = j == 0 || j == 2 || (j == 1 && i == 2);

            assert_ptr_equal(route, is_taken ? &snapshot->routes[j]
                                    : i > 2  ? &snapshot->routes[i]
                                             : NULL);
        }
    }
}

static void a_breaker_is_one_for_all_who_name_it(void **state)
{
    load_good("listeners: {a: {address: ':8080'}}\n"
              "breakers: {b: {failures: 3}, c: {failures: 4}}\n"
              "routes:\n"
              "  - {match: {path: /a}, to: p, breaker: b}\n"
              "  - {match: {path: /b}, to: p, breaker: c}\n"
              "pools: {p: {servers: [127.0.0.1:9001], breaker: b}}\n");
    assert_ptr_equal(snapshot->pools[0].breaker, snapshot->routes[0].breaker);
    assert_int_equal(snapshot->pools[0].breaker->failures, 3);
    assert_int_equal(snapshot->routes[1].breaker->failures, 4);
}

static void the_shortest_file_has_all_defaults(void **state)
{
    const struct route *route;
    const struct pool *pool;

    load_good("listen: ':8080'\nto: [127.0.0.1:9001, 127.0.0.1:9002]\n");
    assert_int_equal(snapshot->listener_count, 1);
    assert_int_equal(snapshot->listeners[0].addresses[0].family, ADDR_IP6);
    assert_int_equal(snapshot->listeners[0].addresses[0].port, 8080);
    route = &snapshot->routes[0];
    assert_null(route->match);
    assert_int_equal(route->timeouts.connect, 3000);
    assert_int_equal(route->timeouts.tunnel, 3600000);
    assert_int_equal(route->timeouts.half_closed, 30000);
    assert_int_equal(route->retries.count, 2);
    assert_int_equal(route->retries.on_errors,
                     RETRY_CONNECT_ERROR | RETRY_RESET_BEFORE_RESPONSE);
    assert_false(route->retries.all_methods);
    assert_int_equal(route->sizes.header_size, 32768);
    assert_true(route->sizes.body == 100 << 20);
    assert_true(route->forwarded.x_forwarded);
    assert_true(str_eq(route->forwarded.request_id, STR("X-Request-Id")));
    assert_int_equal(route->slow_client.min_rate, 500);
    pool = &snapshot->pools[0];
    assert_ptr_equal(route->shares[0].pool, pool);
    assert_true(str_eq(pool->name, STR("main")));
    assert_ptr_equal(pool->balancer, &balancer_weighted_round_robin);
    assert_int_equal(pool->server_count, 2);
    assert_int_equal(pool->servers[1].port, 9002);
    assert_int_equal(pool->servers[1].weight, 1);
    assert_true(pool->check.is_enabled);
    assert_int_equal(pool->check.kind, CHECK_BY_CONNECT);
    assert_int_equal(pool->check.interval, 5000);
    assert_int_equal(pool->check.timeout, 2000);
    assert_int_equal(pool->check.jitter, 20);
    assert_int_equal(pool->drain_timeout, 300000);
    assert_int_equal(snapshot->runtime.workers, 0);
    assert_int_equal(snapshot->runtime.shutdown_grace, 30000);
    assert_true(snapshot->metrics.is_enabled);
    assert_true(snapshot->access_log.is_enabled);
}

static void an_object_overrides_key_by_key(void **state)
{
    load_good(
        "listeners: {web: {address: '127.0.0.1:80'}}\n"
        "routes:\n"
        "  - {to: a, timeouts: {response: 15s}}\n"
        "pools: {a: {servers: [x.example:80]}}\n"
        "defaults: {timeouts: {connect: 1s, response: 2s}, retries: {budget: {floor: 9}}}\n");
    assert_int_equal(snapshot->routes[0].timeouts.connect, 1000);
    assert_int_equal(snapshot->routes[0].timeouts.response, 15000);
    assert_int_equal(snapshot->routes[0].timeouts.idle, 75000);
    assert_int_equal(snapshot->routes[0].retries.budget_floor, 9);
    assert_int_equal(snapshot->pools[0].retries.budget_floor, 9);
    assert_int_equal(snapshot->listeners[0].timeouts.response, 2000);
    assert_int_equal(snapshot->pools[0].servers[0].addr.family, ADDR_NONE);
    assert_true(str_eq(snapshot->pools[0].servers[0].host, STR("x.example")));
}

/* Only where somebody goes by the times of attempts are they taken. */
static void times_are_taken_where_they_are_wanted(void **state)
{
    load_good("listeners: {web: {address: '127.0.0.1:80'}}\n"
              "routes: [{split: {plain: 25%, learns: 25%, adapts: 25%, does_not: 25%}}]\n"
              "pools:\n"
              "  plain: {servers: [10.0.0.1:80]}\n"
              "  learns: {servers: [10.0.0.2:80], balance: prequal}\n"
              "  adapts: {servers: [10.0.0.3:80], adaptive_concurrency: true}\n"
              "  does_not: {servers: [10.0.0.4:80], adaptive_concurrency: "
              "{enabled: false}}\n");
    assert_false(snapshot->pools[0].is_timed);
    assert_true(snapshot->pools[1].is_timed);
    assert_true(snapshot->pools[2].is_timed);
    assert_false(snapshot->pools[3].is_timed);
}

static void off_is_off(void **state)
{
    load_good("listeners: {web: {address: '127.0.0.1:80'}}\n"
              "routes: [{to: a}]\n"
              "pools: {a: {servers: [10.0.0.1:80], health: off}}\n"
              "defaults: {timeouts: {tunnel: off, half_closed: off}, sizes: {body: off}, "
              "forwarded: {request_id: off}}\n"
              "logs: {access: off}\n"
              "admin: {socket: off, address: ''}\n"
              "metrics: {per_server: off}\n");
    assert_false(snapshot->pools[0].check.is_enabled);
    assert_int_equal(snapshot->routes[0].timeouts.tunnel, DURATION_NONE);
    assert_int_equal(snapshot->routes[0].timeouts.half_closed, DURATION_NONE);
    assert_true(snapshot->routes[0].sizes.body == UINT64_MAX);
    assert_int_equal(snapshot->routes[0].forwarded.request_id.n, 0);
    assert_false(snapshot->access_log.is_enabled);
    assert_true(snapshot->error_log.is_enabled);
    assert_int_equal(snapshot->admin.socket.n + snapshot->admin.address.n, 0);
    assert_int_equal(snapshot->metrics.per_server, PER_SERVER_OFF);
}

/* The keys' names tell their places; both parts of a route's edits are one list. */
static void header_edits_stay_in_order(void **state)
{
    struct scroll text = {0};
    const struct header_edits *edits;

    scroll_format(&text, "listeners: {web: {address: '127.0.0.1:80'}}\n"
                         "pools: {a: {servers: [10.0.0.1:80]}}\n"
                         "routes:\n"
                         "  - to: a\n"
                         "    headers:\n"
                         "      request:\n"
                         "        set:\n");
    for (unsigned i = 0; i < 40; i++)
        scroll_format(&text, "          X-%02u: v%u\n", i, i);
    scroll_format(&text, "        add: {X-40: v40, X-41: v41}\n%c", '\0');
    load_good(text.p);
    scroll_close(&text);
    edits = &snapshot->routes[0].request_headers;
    assert_int_equal(edits->count, 42);
    for (unsigned i = 0; i < 42; i++) {
        str name = edits->items[i].name;

        assert_int_equal((name.p[2] - '0') * 10 + (name.p[3] - '0'), i);
        assert_int_equal(edits->items[i].verb, i < 40 ? HEADER_SET : HEADER_ADD);
    }
}

static void routes_are_built(void **state)
{
    load_good(
        "listeners:\n"
        "  web: {address: '127.0.0.1:80'}\n"
        "  api: {address: '127.0.0.1:81', to: b}\n"
        "  db: {kind: tcp, address: '127.0.0.1:82', to: b}\n"
        "routes:\n"
        "  - {name: old, match: {path: /old/*}, redirect: {to: 'https://x{path}'}}\n"
        "  - {match: {path: /h}, respond: {status: 204}}\n"
        "  - {match: {listener: web}, split: {a: 95%, b: 5%}, strip_prefix: /api,\n"
        "     host_header: server, headers: {request: {set: {X-A: '{client.ip}'}}}}\n"
        "pools: {a: {servers: [10.0.0.1:80]}, b: {servers: ['unix:/run/b']}}\n");
    assert_int_equal(snapshot->route_count, 4); /* the last: what api sends to b */
    assert_int_equal(snapshot->routes[0].action, ROUTE_REDIRECT);
    assert_int_equal(snapshot->routes[0].redirect.status, 308);
    assert_non_null(snapshot->routes[0].redirect.compiled);
    assert_int_equal(snapshot->routes[1].action, ROUTE_RESPOND);
    assert_int_equal(snapshot->routes[1].respond.status, 204);
    assert_true(str_eq(snapshot->routes[1].name, STR("route-2")));
    assert_int_equal(snapshot->routes[2].action, ROUTE_SPLIT);
    assert_int_equal(snapshot->routes[2].share_total, 100);
    assert_int_equal(snapshot->routes[2].host_header, HOST_SERVER);
    assert_int_equal(snapshot->routes[2].request_headers.count, 1);
    assert_true(match_has_listener(snapshot->routes[2].match, 0));
    assert_false(match_has_listener(snapshot->routes[2].match, 1));
    assert_true(str_eq(snapshot->routes[3].name, STR("api")));
    assert_true(match_has_listener(snapshot->routes[3].match, 1));
    assert_non_null(snapshot->listeners[0].router);
    assert_null(snapshot->listeners[2].router);
    assert_ptr_equal(snapshot->listeners[2].to, &snapshot->pools[1]);
    assert_int_equal(snapshot->pools[1].servers[0].addr.family, ADDR_UNIX);
}

static void variables_and_files_are_substituted_in_values(void **state)
{
    static const struct one_file secret[] = {{"/run/secret", "hush\n"}, {NULL, NULL}};

    files = secret;
    load_good("listen: '127.0.0.1:${PORT:-8080}'\n"
              "to: ['${HOST}:80', '${EMPTY:-10.0.0.8}:80']\n");
    assert_int_equal(snapshot->listeners[0].addresses[0].port, 8080);
    assert_true(str_eq(snapshot->pools[0].servers[0].host, STR("10.0.0.7")));
    assert_true(str_eq(snapshot->pools[0].servers[1].host, STR("10.0.0.8")));
    conf_release(snapshot);
    load_good("listeners: {web: {address: '127.0.0.1:80'}}\n"
              "routes: [{respond: {body: '${file:/run/secret}!'}}]\n");
    assert_true(str_eq(snapshot->routes[0].respond.body, STR("hush!")));
}

static void what_can_not_be_substituted_is_told_once(void **state)
{
    load_bad("listen: ':${NOTHING}'\nto: ['${HOST', '${1a}:80', '${file:/no}']\n",
             "C036 C036 C036 C032");
}

static void included_files_are_merged(void **state)
{
    static const struct one_file parts[] = {
        {"dir/20.yaml", "routes: [{to: b}]\n"},
        {"dir/10.yaml",
         "routes: [{match: {path: /a}, to: a}]\npools: {b: {servers: [h:2]}}\n"},
        {"dir/other.txt", "nonsense"},
        {"t.yaml", "runtime: {include: [dir/*.yaml]}\n"
                   "listeners: {web: {address: '127.0.0.1:80'}}\n"
                   "pools: {a: {servers: [h:1]}}\n"},
        {NULL, NULL},
    };

    files = parts;
    assert_int_equal(conf_load(&world, STR("t.yaml"), &complaints, &snapshot), ERR_OK);
    assert_int_equal(complaints.warnings, 0);
    assert_int_equal(snapshot->route_count, 2);
    assert_ptr_equal(snapshot->routes[0].shares[0].pool, &snapshot->pools[0]);
    assert_ptr_equal(snapshot->routes[1].shares[0].pool, &snapshot->pools[1]);
}

enum { MANY = 1600 };

/* So much memory it takes to read so many of them. */
static size_t taken_by_files(struct one_file *parts, unsigned count)
{
    size_t taken;

    complaints_close(&complaints);
    complaints_init(&complaints, false);
    files = parts + MANY - count;
    assert_int_equal(conf_load(&world, STR("t.yaml"), &complaints, &snapshot), ERR_OK);
    assert_int_equal(complaints.warnings, 0);
    assert_int_equal(snapshot->pool_count, count);
    assert_int_equal(snapshot->route_count, count);
    taken = complaints.arena.total;
    conf_release(snapshot);
    snapshot = NULL;
    return taken;
}

/* What each adds is not copied with all that the others gave. */
static void many_included_files_cost_their_number(void **state)
{
    static struct one_file parts[MANY + 2];
    struct arena arena;

    arena_init(&arena, 0);
    for (unsigned i = 0; i < MANY; i++) {
        parts[i].name = arena_printf(&arena, "dir/%04u.yaml", i).p;
        parts[i].text = arena_printf(&arena,
                                     "pools: {p%u: {servers: [h:1]}}\n"
                                     "routes: [{match: {path: /%u}, to: p%u}]\n",
                                     i, i, i)
                            .p;
    }
    parts[MANY] = (struct one_file){"t.yaml", "runtime: {include: [dir/*.yaml]}\n"
                                              "listeners: {a: {address: ':80'}}\n"};
    assert_true(taken_by_files(parts, MANY) < 6 * taken_by_files(parts, MANY / 4));
    files = NULL;
    arena_reset(&arena);
}

static void a_missing_file_is_told(void **state)
{
    assert_int_equal(conf_load(&world, STR("no.yaml"), &complaints, &snapshot),
                     ERR_INVALID);
    assert_string_equal(complaints.items.items[0]->code, "C032");
}

static void one_mistake_is_told_once(void **state)
{
    load_bad("pools: [x]\nlisteners: {w: {address: ':80'}}\nroutes: [{to: a}]\n", "C014");
}

static void names_are_not_missed_below_an_unknown_section(void **state)
{
    load_bad("pool: {a: {}}\nlisteners: {w: {address: ':80'}}\nroutes: [{to: a}]\n",
             "C011");
}

static void warnings_need_a_file_without_errors(void **state)
{
    load_bad("listeners: {w: {address: ':80'}}\nroutes: [{to: a}]\n"
             "pools: {a: {servers: [h:1]}, b: {servers: [h:2]}}\n",
             "W103");
    assert_non_null(snapshot);
}

/* W101 compares routes with each other: a reload, which tells nobody, does without. */
static void warnings_are_not_looked_for_where_nobody_hears_them(void **state)
{
    static const char text[] =
        "listeners: {w: {address: ':80'}}\n"
        "routes: [{to: p}, {match: {path: /a}, to: p}]\n"
        "pools: {p: {servers: [127.0.0.1:1]}, q: {servers: [127.0.0.1:2]}}\n";

    load_bad(text, "W101 W103");
    conf_release(snapshot);
    complaints_close(&complaints);
    complaints_init(&complaints, false);
    complaints.wants_errors_only = true;
    load_bad(text, "");
}

static void strict_refuses_what_it_warns_of(void **state)
{
    complaints.is_strict = true;
    load_bad("listeners: {w: {address: ':80'}}\nroutes: [{to: a}]\n"
             "pools: {a: {servers: [h:1]}, b: {servers: [h:2]}}\n",
             "W103");
    assert_null(snapshot);
}

/* Regexes are not the arena's: a refused configuration must give them back all the same
 * (the sanitizer looks). */
static void refused_regexes_are_given_back(void **state)
{
    load_bad(
        "listeners: {w: {address: ':80'}}\n"
        "routes: [{match: {path: '~^/a', header: {X: '~b'}}, to: nobody}]\npools: {}\n",
        "C030");
}

/* A choice that is not in the table of the reference would be a setting nobody knows of. */
static void every_balancer_can_be_named(void **state)
{
    for (const struct balancer *const *row = balancers; *row; row++) {
        struct scroll text = {0};

        scroll_format(&text, "listen: '127.0.0.1:1'\nto: [h:1]\nbalance: %s\n",
                      (*row)->name);
        scroll_char(&text, '\0');
        load_good(text.p);
        assert_ptr_equal(snapshot->pools[0].balancer, *row);
        text.n = 0;
        conf_reference(&text);
        scroll_char(&text, '\0');
        assert_non_null(strstr(text.p, (*row)->name));
        scroll_close(&text);
        conf_release(snapshot);
        snapshot = NULL;
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(listeners_share_what_is_the_same),
        TEST(a_breaker_is_one_for_all_who_name_it),
        TEST(the_shortest_file_has_all_defaults),
        TEST(an_object_overrides_key_by_key),
        TEST(times_are_taken_where_they_are_wanted),
        TEST(off_is_off),
        TEST(header_edits_stay_in_order),
        TEST(routes_are_built),
        TEST(variables_and_files_are_substituted_in_values),
        TEST(what_can_not_be_substituted_is_told_once),
        TEST(included_files_are_merged),
        TEST(many_included_files_cost_their_number),
        TEST(a_missing_file_is_told),
        TEST(one_mistake_is_told_once),
        TEST(names_are_not_missed_below_an_unknown_section),
        TEST(warnings_need_a_file_without_errors),
        TEST(warnings_are_not_looked_for_where_nobody_hears_them),
        TEST(strict_refuses_what_it_warns_of),
        TEST(refused_regexes_are_given_back),
        TEST(every_balancer_can_be_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

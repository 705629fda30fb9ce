/*
 * What the admin server has: one table of paths, who may have them, and how each is
 * answered. What is in an answer only the house knows; here is who may ask.
 */
#include "control/admin_client.h"

#include "base/check.h"
#include "control/admin_patch.h"
#include "proto/chars.h"

#include <stdlib.h>

struct admin_request {
    struct client *client; /* NULL: it has left */
};

struct endpoint {
    const char *path; /* a star stands for a name; NULL: where the settings want it */
    bool is_private;  /* only at the unix socket, only for those who may */
    enum http_method method; /* GET: HEAD too */
    bool takes_body;
    void (*run)(struct client *client);
};

bool endpoint_takes_body(const struct endpoint *endpoint)
{
    return endpoint && endpoint->takes_body;
}

static struct admin *admin_of(struct client *client)
{
    return client->gate->admin;
}

/* Clients that ask for much and read nothing must not eat the memory. */
static bool has_room(struct client *client)
{
    if (admin_of(client)->waiting < ADMIN_WAITING_MOST)
        return true;
    client_refuse(client, 503, "other answers wait to be read first");
    return false;
}

static void run_health(struct client *client)
{
    scroll_add(&client->answer, STR("ok\n"));
    client_answer(client, 200, STR("text/plain; charset=utf-8"));
}

static void run_ready(struct client *client)
{
    const struct admin_house *house = &admin_of(client)->house;
    struct scroll why_not = {0};
    bool is_ready = house->is_ready(house->owner, &why_not);

    scroll_add(&client->answer, is_ready ? STR("ready") : STR("not ready"));
    if (why_not.n) {
        scroll_add(&client->answer, STR(": "));
        scroll_add(&client->answer, scroll_str(&why_not));
    }
    scroll_char(&client->answer, '\n');
    scroll_close(&why_not);
    client_answer(client, is_ready ? 200 : 503, STR("text/plain; charset=utf-8"));
}

static void run_metrics(struct client *client)
{
    const struct admin_house *house = &admin_of(client)->house;

    if (!has_room(client))
        return;
    house->write_metrics(house->owner, &client->answer);
    client_answer(client, 200, STR("text/plain; version=0.0.4"));
}

static void run_status(struct client *client)
{
    const struct admin_house *house = &admin_of(client)->house;

    if (!has_room(client))
        return;
    house->write_status(house->owner, &client->answer);
    client_answer(client, 200, STR("application/json"));
}

static void run_reload(struct client *client)
{
    const struct admin_house *house = &admin_of(client)->house;
    struct admin_request *request = calloc(1, sizeof *request);

    CHECK(request);
    request->client = client;
    client->request = request;
    client->state = CLIENT_WAIT; /* before the call: it may answer at once */
    house->reload(house->owner, request);
}

/* What the house has put into client->answer: JSON, or words of refusal. */
static void answer_done(struct client *client, unsigned status)
{
    struct scroll words;

    if (status == 200) {
        client_answer(client, status, STR("application/json"));
        return;
    }
    words = client->answer;
    client->answer = (struct scroll){0};
    scroll_char(&words, 0);
    client_refuse(client, status, words.p);
    scroll_close(&words);
}

static void run_patch_server(struct client *client)
{
    const struct admin_house *house = &admin_of(client)->house;
    const struct demand *demand = &client->demand;
    struct patch_text text;
    struct server_patch patch;

    if (!patch_read_server(scroll_str(&client->body), &patch, &text)) {
        client_refuse(client, 400, text.why);
        return;
    }
    patch.by = client->user;
    answer_done(client, house->patch_server(house->owner, demand->names[0],
                                            demand->names[1], &patch, &client->answer));
}

static void force_breaker(struct client *client, struct breaker_order *order)
{
    const struct admin_house *house = &admin_of(client)->house;
    struct patch_text text;

    if (!patch_read_breaker(scroll_str(&client->body), order, &text)) {
        client_refuse(client, 400, text.why);
        return;
    }
    answer_done(client, house->force_breaker(house->owner, order, &client->answer));
}

static void run_server_breaker(struct client *client)
{
    force_breaker(client, &(struct breaker_order){.pool = client->demand.names[0],
                                                  .server = client->demand.names[1]});
}

static void run_route_breaker(struct client *client)
{
    force_breaker(client, &(struct breaker_order){.route = client->demand.names[0]});
}

static void run_put_maintenance(struct client *client)
{
    const struct admin_house *house = &admin_of(client)->house;
    struct patch_text text;
    struct maintenance_patch patch;

    if (!patch_read_maintenance(scroll_str(&client->body), &patch, &text)) {
        client_refuse(client, 400, text.why);
        return;
    }
    patch.by = client->user;
    answer_done(client, house->put_maintenance(house->owner, &patch, &client->answer));
}

static void run_put_degrade(struct client *client)
{
    const struct admin_house *house = &admin_of(client)->house;
    struct patch_text text;
    struct degrade_patch patch;

    if (!patch_read_degrade(scroll_str(&client->body), &patch, &text)) {
        client_refuse(client, 400, text.why);
        return;
    }
    patch.by = client->user;
    answer_done(client, house->put_degrade(house->owner, client->demand.names[0], &patch,
                                           &client->answer));
}

static const struct endpoint endpoints[] = {
    {.path = "/healthz", .method = HTTP_GET, .run = run_health},
    {.path = "/readyz", .method = HTTP_GET, .run = run_ready},
    {.path = "/v1/status", .is_private = true, .method = HTTP_GET, .run = run_status},
    {.path = "/v1/reload", .is_private = true, .method = HTTP_POST, .run = run_reload},
    {.path = "/v1/pools/*/servers/*",
     .is_private = true,
     .method = HTTP_PATCH,
     .takes_body = true,
     .run = run_patch_server},
    {.path = "/v1/pools/*/servers/*/breaker",
     .is_private = true,
     .method = HTTP_POST,
     .takes_body = true,
     .run = run_server_breaker},
    {.path = "/v1/routes/*/breaker",
     .is_private = true,
     .method = HTTP_POST,
     .takes_body = true,
     .run = run_route_breaker},
    {.path = "/v1/maintenance",
     .is_private = true,
     .method = HTTP_PUT,
     .takes_body = true,
     .run = run_put_maintenance},
    {.path = "/v1/degrade/*",
     .is_private = true,
     .method = HTTP_PUT,
     .takes_body = true,
     .run = run_put_degrade},
    {.method = HTTP_GET, .run = run_metrics},
};

/* A name as a path may hold it, percent-encoding undone; false: it is none. */
static bool read_name(str piece, struct demand *demand, size_t *used, str *name)
{
    size_t at = *used;

    for (size_t i = 0; i < piece.n; i++) {
        char c = piece.p[i];

        if (*used == ADMIN_NAME_MOST)
            return false;
        if (c == '%') {
            if (i + 2 >= piece.n || !char_is(piece.p[i + 1], CHAR_HEX) ||
                !char_is(piece.p[i + 2], CHAR_HEX))
                return false;
            c = (char)(char_hex(piece.p[i + 1]) * 16 + char_hex(piece.p[i + 2]));
            i += 2;
        }
        demand->name_memory[(*used)++] = c;
    }
    *name = (str){demand->name_memory + at, *used - at};
    return name->n > 0;
}

/* Does the path fit, and what stands for its stars? */
static bool path_fits(const char *pattern, str path, struct demand *demand)
{
    str rest = str_of(pattern), want, have;
    size_t used = 0;
    unsigned names = 0;

    while (rest.p || path.p) {
        if (!str_next(&rest, '/', &want) || !str_next(&path, '/', &have))
            return false;
        if (str_eq(want, STR("*"))
                ? !read_name(have, demand, &used, &demand->names[names++])
                : !str_eq(want, have))
            return false;
    }
    return true;
}

static const struct endpoint *find_path(struct client *client, str path)
{
    str metrics = scroll_str(&admin_of(client)->metrics_path);

    for (size_t i = 0; i < array_len(endpoints); i++) {
        const char *is_at = endpoints[i].path;

        if (is_at ? path_fits(is_at, path, &client->demand)
                  : metrics.n && str_eq(path, metrics))
            return &endpoints[i];
    }
    return NULL;
}

static bool is_loopback(const struct addr *addr)
{
    static const unsigned char one[16] = {[15] = 1};

    return addr->family == ADDR_IP4 ? addr->ip[0] == 127
                                    : memcmp(addr->ip, one, sizeof one) == 0;
}

static bool is_everywhere(const struct addr *addr)
{
    static const unsigned char zero[16];

    return memcmp(addr->ip, zero, sizeof zero) == 0;
}

/*
 * A page in somebody's browser can make its own name point to 127.0.0.1 ("DNS
 * rebinding") and then read what we say. So a name is answered only if it is localhost;
 * an address only if it is ours, where any may be when we listen at all of them.
 * HTTP/1.0 without Host is no browser.
 */
static bool host_is_ours(struct client *client, const struct head *head)
{
    const struct addr *bound = &client->gate->addr;
    str host, port;
    struct addr named;

    if (bound->family == ADDR_UNIX || head->authority.n == 0)
        return true;
    if (addr_cut_host_port(head->authority, &host, &port))
        return false;
    if (str_eq_nocase(host, STR("localhost")) || str_eq_nocase(host, STR("localhost.")))
        return true;
    if (addr_parse_ip(host, &named))
        return false;
    addr_unmap(&named);
    return is_loopback(&named) || is_everywhere(bound) ||
           (named.family == bound->family &&
            memcmp(named.ip, bound->ip, sizeof named.ip) == 0);
}

static bool method_fits(const struct endpoint *endpoint, enum http_method method)
{
    return method == endpoint->method ||
           (method == HTTP_HEAD && endpoint->method == HTTP_GET);
}

void endpoint_find(struct client *client, const struct head *head)
{
    struct demand *demand = &client->demand;
    const struct endpoint *endpoint = find_path(client, head->path);

    demand->endpoint = NULL;
    if (!host_is_ours(client, head)) {
        demand->status = 421;
        demand->why = "this name is not ours: ask for localhost or for the address";
    } else if (!endpoint) {
        demand->status = 404;
        demand->why = "there is nothing here";
    } else if (endpoint->is_private && client->gate->kind != GATE_SOCKET) {
        demand->status = 403;
        demand->why = "this is found at the unix socket only";
    } else if (endpoint->is_private && !client->may_rule) {
        demand->status = 403;
        demand->why = "only root, the daemon's own user and its group may do this";
    } else if (!method_fits(endpoint, head->method)) {
        demand->status = 405;
        demand->why = "this is not done by that method";
        demand->allow = endpoint->method == HTTP_POST    ? "POST"
                        : endpoint->method == HTTP_PATCH ? "PATCH"
                        : endpoint->method == HTTP_PUT   ? "PUT"
                                                         : "GET, HEAD";
    } else {
        demand->endpoint = endpoint;
    }
}

void endpoint_run(struct client *client)
{
    if (client->demand.endpoint)
        client->demand.endpoint->run(client);
    else
        client_refuse(client, client->demand.status, client->demand.why);
}

void endpoint_abandon(struct client *client)
{
    if (client->request)
        client->request->client = NULL;
    client->request = NULL;
}

void admin_answer(struct admin_request *request, unsigned status, str json)
{
    struct client *client = request->client;

    free(request);
    if (!client)
        return;
    client->request = NULL;
    scroll_add(&client->answer, json);
    client_answer(client, status, STR("application/json"));
}

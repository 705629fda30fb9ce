/* weir drain, enable and weight: an order for one server, and waiting for a drain's end. */
#include "base/arena.h"
#include "cli/cli.h"
#include "cli/target.h"

#include <jansson.h>

enum { ORDER_SECONDS = 10, LOOK_MS = 500 };

static str target_of(const struct named *named, struct arena *arena)
{
    size_t room = 3 * (named->pool.n + named->server.n) + 32;
    struct text text = text_in(arena_alloc(arena, room), room);

    target_add_server(&text, named);
    return text_str(&text);
}

static json_t *patch_of(const struct server_wish *wish)
{
    json_t *patch = json_object();
    uint64_t weight;

    if (wish->state.n)
        json_object_set_new(patch, "state", json_stringn(wish->state.p, wish->state.n));
    if (wish->weight.n && str_to_u64(wish->weight, &weight))
        json_object_set_new(patch, "weight", json_integer((json_int_t)weight));
    if (wish->reason.n)
        json_object_set_new(patch, "reason",
                            json_stringn(wish->reason.p, wish->reason.n));
    return patch;
}

/* ---- waiting ---- */

/* Requests that still run on it, over all addresses of the name; -1: it drains no more. */
static long long count_left(const json_t *all, const struct named *named)
{
    json_t *pool, *server;
    long long left = -1;
    size_t i, j;

    json_array_foreach(json_object_get(all, "pools"), i, pool)
    {
        const char *name = json_string_value(json_object_get(pool, "name"));

        if (!name || !str_eq(str_of(name), named->pool))
            continue;
        json_array_foreach(json_object_get(pool, "servers"), j, server)
        {
            name = json_string_value(json_object_get(server, "name"));
            if (!name || !str_eq(str_of(name), named->server) ||
                !json_is_true(json_object_get(server, "ordered")))
                continue;
            left = (left < 0 ? 0 : left) +
                   json_integer_value(json_object_get(server, "connections"));
        }
    }
    return left;
}

static enum cli_exit look(const struct cli *cli, const struct named *named,
                          long long *left)
{
    const struct question question = {
        .method = "GET", .target = STR("/v1/status"), .seconds = ORDER_SECONDS};
    unsigned status;
    json_t *all;
    str body;

    if (cli_ask(cli, &question, &status, &body))
        return CLI_UNREACHABLE;
    if (status != 200)
        return cli_refused(cli, status, body);
    all = json_loadb(body.p, body.n, 0, NULL);
    *left = count_left(all, named);
    json_decref(all);
    return CLI_GOOD;
}

static enum cli_exit wait_until_empty(const struct cli *cli, const struct named *named)
{
    unsigned long waited = 0;
    long long left = 0, told = -1;

    for (;; waited += LOOK_MS) {
        enum cli_exit end = look(cli, named, &left);

        if (end != CLI_GOOD)
            return end;
        if (left <= 0)
            break;
        if (left != told)
            fprintf(cli->out, "%s%lld", told < 0 ? "" : " … ", left);
        fflush(cli->out);
        told = left;
        cli->sleep(cli->owner, LOOK_MS);
    }
    if (left < 0) {
        fprintf(cli->error, "%sweir: somebody has ended the drain\n",
                told < 0 ? "" : "\n");
        return CLI_WRONG;
    }
    fprintf(cli->out, "%sdrained in %lu s. Safe to stop. ", told < 0 ? "" : " … 0.  ",
            waited / 1000);
    return CLI_GOOD;
}

/* ---- the verbs ---- */

static enum cli_exit tell(const struct cli *cli, const struct server_wish *wish,
                          const struct named *named, str body)
{
    json_t *now = json_loadb(body.p, body.n, 0, NULL);
    long long weight = json_integer_value(json_object_get(now, "weight"));
    enum cli_exit end = CLI_GOOD;

    if (!str_eq(wish->state, STR("drain"))) {
        fprintf(cli->out, STR_FMT ": %s, weight %lld\n", STR_ARG(wish->server),
                json_is_true(json_object_get(now, "draining")) ? "draining" : "in use",
                weight);
        json_decref(now);
        return CLI_GOOD;
    }
    fprintf(cli->out, STR_FMT ": ", STR_ARG(wish->server));
    if (wish->waits)
        end = wait_until_empty(cli, named);
    else
        fprintf(cli->out, "draining, %lld left. ",
                (long long)json_integer_value(json_object_get(now, "connections")));
    if (end == CLI_GOOD)
        fprintf(cli->out, "Undo: weir enable " STR_FMT "\n", STR_ARG(wish->server));
    json_decref(now);
    return end;
}

enum cli_exit cli_order(const struct cli *cli, const struct server_wish *wish)
{
    struct question question = {.method = "PATCH", .seconds = ORDER_SECONDS};
    enum cli_exit end = CLI_UNREACHABLE;
    struct named named;
    struct arena arena;
    unsigned status;
    json_t *patch;
    char *text;
    str body;

    if (!target_cut(wish->server, &named)) {
        fprintf(cli->error, "weir: '" STR_FMT "' is not POOL/SERVER\n",
                STR_ARG(wish->server));
        return CLI_USAGE;
    }
    arena_init(&arena, 0);
    patch = patch_of(wish);
    text = json_dumps(patch, JSON_COMPACT);
    question.target = target_of(&named, &arena);
    question.body = text ? str_of(text) : STR("");
    if (!cli_ask(cli, &question, &status, &body))
        end = status == 200 ? tell(cli, wish, &named, body)
                            : cli_refused(cli, status, body);
    free(text);
    json_decref(patch);
    arena_reset(&arena);
    return end;
}

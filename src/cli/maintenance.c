/* weir maintenance on and off: an order, and what holds then. */
#include "cli/cli.h"

#include <jansson.h>
#include <stdlib.h>

enum { ORDER_SECONDS = 10 };

static char *body_of(const struct maintenance_wish *wish)
{
    json_t *body = json_object(), *except;
    char *text;

    json_object_set_new(body, "enabled", json_boolean(wish->is_on));
    if (wish->page.n)
        json_object_set_new(body, "page", json_stringn(wish->page.p, wish->page.n));
    if (wish->except_count) {
        except = json_array();
        for (unsigned i = 0; i < wish->except_count; i++)
            json_array_append_new(except,
                                  json_stringn(wish->except[i].p, wish->except[i].n));
        json_object_set_new(body, "except", except);
    }
    if (wish->reason.n)
        json_object_set_new(body, "reason", json_stringn(wish->reason.p, wish->reason.n));
    text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}

static void tell(const struct cli *cli, str body)
{
    json_t *now = json_loadb(body.p, body.n, 0, NULL);
    const char *page = json_string_value(json_object_get(now, "page"));
    long long exceptions = json_integer_value(json_object_get(now, "exceptions"));

    if (!json_is_true(json_object_get(now, "enabled")))
        fprintf(cli->out, "maintenance is off\n");
    else
        fprintf(cli->out,
                "maintenance is on: page %s, %lld exception%s. Undo: weir maintenance "
                "off\n",
                page && *page ? page : "built-in", exceptions,
                exceptions == 1 ? "" : "s");
    json_decref(now);
}

enum cli_exit cli_maintenance(const struct cli *cli, const struct maintenance_wish *wish)
{
    struct question question = {
        .method = "PUT", .target = STR("/v1/maintenance"), .seconds = ORDER_SECONDS};
    char *text = body_of(wish);
    enum cli_exit end = CLI_UNREACHABLE;
    unsigned status;
    str body;

    question.body = text ? str_of(text) : STR("");
    if (!cli_ask(cli, &question, &status, &body)) {
        end = status == 200 ? CLI_GOOD : cli_refused(cli, status, body);
        if (end == CLI_GOOD)
            tell(cli, body);
    }
    free(text);
    return end;
}

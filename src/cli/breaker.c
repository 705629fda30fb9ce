/* weir breaker: a circuit breaker is forced by hand. */
#include "cli/cli.h"
#include "cli/target.h"

enum { BREAKER_SECONDS = 10, TARGET_ROOM = 2048 };

/* False: it is neither POOL/SERVER nor route:NAME. */
static bool add_target(struct text *target, str whose)
{
    str route = STR("route:");
    struct named named;

    if (str_starts(whose, route) && whose.n > route.n) {
        text_add(target, STR("/v1/routes/"));
        target_add_part(target, str_from(whose, route.n));
    } else if (target_cut(whose, &named)) {
        target_add_server(target, &named);
    } else {
        return false;
    }
    text_add(target, STR("/breaker"));
    return !target->overflow;
}

static enum cli_exit tell(const struct cli *cli, str whose, str action)
{
    if (str_eq(action, STR("reset")))
        fprintf(cli->out, "the breaker of " STR_FMT " is closed and left to itself\n",
                STR_ARG(whose));
    else
        fprintf(cli->out,
                "the breaker of " STR_FMT " is held %s until it is reset, or weir "
                "restarted\n",
                STR_ARG(whose), str_eq(action, STR("open")) ? "open" : "closed");
    return CLI_GOOD;
}

enum cli_exit cli_breaker(const struct cli *cli, str whose, str action)
{
    char path[TARGET_ROOM], content[64];
    struct text target = text_in(path, sizeof path);
    struct text order = text_in(content, sizeof content);
    struct question question = {.method = "POST", .seconds = BREAKER_SECONDS};
    unsigned status;
    str body;

    if (!str_eq(action, STR("open")) && !str_eq(action, STR("close")) &&
        !str_eq(action, STR("reset"))) {
        fprintf(cli->error, "weir: a breaker can be told open, close or reset\n");
        return CLI_USAGE;
    }
    if (!add_target(&target, whose)) {
        fprintf(cli->error, "weir: whose breaker? Write POOL/SERVER or route:NAME\n");
        return CLI_USAGE;
    }
    text_format(&order, "{\"action\":\"" STR_FMT "\"}", STR_ARG(action));
    question.target = text_str(&target);
    question.body = text_str(&order);
    if (cli_ask(cli, &question, &status, &body))
        return CLI_UNREACHABLE;
    return status == 200 ? tell(cli, whose, action) : cli_refused(cli, status, body);
}

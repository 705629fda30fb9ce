/* weir breaker: a circuit breaker is forced by hand. Whose it is goes into a path, so every
 * byte that means something there is written as %XX. */
#include "cli/cli.h"

#include "base/text.h"

enum { BREAKER_SECONDS = 10, TARGET_ROOM = 2048 };

static void add_segment(struct text *target, str name)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';

        if (is_plain)
            text_char(target, (char)c);
        else
            text_format(target, "%%%02X", c);
    }
}

/* False: it is neither POOL/SERVER nor route:NAME. */
static bool add_target(struct text *target, str whose)
{
    str route = STR("route:");
    long slash = str_find_char(whose, '/');

    if (str_starts(whose, route) && whose.n > route.n) {
        text_add(target, STR("/v1/routes/"));
        add_segment(target, str_from(whose, route.n));
    } else if (slash > 0 && (size_t)slash + 1 < whose.n) {
        text_add(target, STR("/v1/pools/"));
        add_segment(target, str_upto(whose, (size_t)slash));
        text_add(target, STR("/servers/"));
        add_segment(target, str_from(whose, (size_t)slash + 1));
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
        return CLI_WRONG;
    }
    if (!add_target(&target, whose)) {
        fprintf(cli->error, "weir: whose breaker? Write POOL/SERVER or route:NAME\n");
        return CLI_WRONG;
    }
    text_format(&order, "{\"action\":\"" STR_FMT "\"}", STR_ARG(action));
    question.target = text_str(&target);
    question.body = text_str(&order);
    if (cli_ask(cli, &question, &status, &body))
        return CLI_UNREACHABLE;
    return status == 200 ? tell(cli, whose, action) : cli_refused(cli, status, body);
}

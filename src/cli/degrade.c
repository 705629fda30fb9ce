/* weir degrade: a ladder's level by hand, or by its servers again. */
#include "base/arena.h"
#include "cli/cli.h"

#include <jansson.h>
#include <stdlib.h>

enum { ORDER_SECONDS = 10, NAME_MOST = 128 };

/* Names of the configuration need no escapes in a path; others are none. */
static bool is_name(str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return false;
    }
    return name.n > 0 && name.n <= NAME_MOST;
}

static void tell(const struct cli *cli, str ladder, str body)
{
    json_t *now = json_loadb(body.p, body.n, 0, NULL);
    const char *level = json_string_value(json_object_get(now, "level"));

    fprintf(cli->out, STR_FMT ": %s", STR_ARG(ladder), level ? level : "?");
    if (json_is_true(json_object_get(now, "forced")))
        fprintf(cli->out, " by hand. Undo: weir degrade " STR_FMT " auto",
                STR_ARG(ladder));
    fputc('\n', cli->out);
    json_decref(now);
}

static char *body_of(str level, str reason)
{
    json_t *body = json_object();
    char *text;

    json_object_set_new(body, "level", json_stringn(level.p, level.n));
    if (reason.n)
        json_object_set_new(body, "reason", json_stringn(reason.p, reason.n));
    text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}

enum cli_exit cli_degrade(const struct cli *cli, str ladder, str level, str reason)
{
    struct question question = {.method = "PUT", .seconds = ORDER_SECONDS};
    enum cli_exit end = CLI_UNREACHABLE;
    struct arena arena;
    unsigned status;
    char *text;
    str answer;

    if (!is_name(ladder)) {
        fprintf(cli->error, "weir: '" STR_FMT "' is not the name of a ladder\n",
                STR_ARG(ladder));
        return CLI_WRONG;
    }
    arena_init(&arena, 0);
    text = body_of(level, reason);
    question.target = arena_printf(&arena, "/v1/degrade/" STR_FMT, STR_ARG(ladder));
    question.body = text ? str_of(text) : STR("");
    if (!cli_ask(cli, &question, &status, &answer)) {
        end = status == 200 ? CLI_GOOD : cli_refused(cli, status, answer);
        if (end == CLI_GOOD)
            tell(cli, ladder, answer);
    }
    free(text);
    arena_reset(&arena);
    return end;
}

/* Asking, and saying why it did not work. */
#include "cli/cli.h"

#include <jansson.h>

static const char *what_to_do(enum err e)
{
    switch (e) {
    case ERR_NOT_FOUND:
    case ERR_REFUSED:
        return "is weir running? Another socket is named by --socket PATH";
    case ERR_DENIED:
        return "ask as root, or as the user that weir runs as";
    case ERR_TIMEOUT:
        return "weir is there but does not answer";
    case ERR_INVALID:
        return "what listens there is not weir";
    default:
        return NULL;
    }
}

enum err cli_ask(const struct cli *cli, const struct question *question, unsigned *status,
                 str *body)
{
    enum err e = cli->ask(cli->owner, question, status, body);

    if (!e)
        return ERR_OK;
    fprintf(cli->error, "weir: cannot ask at %s: %s\n", cli->socket, err_text(e));
    if (what_to_do(e))
        fprintf(cli->error, "  %s\n", what_to_do(e));
    return e;
}

enum cli_exit cli_refused(const struct cli *cli, unsigned status, str body)
{
    json_t *json = json_loadb(body.p, body.n, 0, NULL);
    const char *detail = json_string_value(json_object_get(json, "detail"));

    if (status == 401 || status == 403)
        fprintf(cli->error, "weir: not allowed: %s\n",
                detail ? detail : "ask as root, or as the user that weir runs as");
    else
        fprintf(cli->error, "weir: the daemon answered %u%s%s\n", status,
                detail ? ": " : "", detail ? detail : "");
    json_decref(json);
    return CLI_WRONG;
}

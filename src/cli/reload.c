/* weir reload: the daemon reads its configuration anew and says what came of it. */
#include "cli/cli.h"

#include <jansson.h>

enum { RELOAD_SECONDS = 60 };

/* As weir check says it. */
static void tell_why(const struct cli *cli, const json_t *answer)
{
    const char *text = json_string_value(json_object_get(answer, "text"));
    size_t n = text ? strlen(text) : 0;

    if (n)
        fprintf(cli->error, "%s%s", text, text[n - 1] == '\n' ? "" : "\n");
    fprintf(cli->error, "refused: the configuration in use has not changed\n");
}

enum cli_exit cli_reload(const struct cli *cli)
{
    const struct question question = {
        .method = "POST", .target = STR("/v1/reload"), .seconds = RELOAD_SECONDS};
    unsigned status;
    json_t *answer;
    str body;

    if (cli_ask(cli, &question, &status, &body))
        return CLI_UNREACHABLE;
    answer = json_loadb(body.p, body.n, 0, NULL);
    if (status == 200) {
        const json_t *number = json_object_get(answer, "number");

        if (number)
            fprintf(cli->out, "configuration #%lld is in use\n",
                    (long long)json_integer_value(number));
        else
            fprintf(cli->out, "the configuration is in use\n");
    } else if (status == 422) {
        tell_why(cli, answer);
    }
    json_decref(answer);
    if (status == 200)
        return CLI_GOOD;
    return status == 422 ? CLI_WRONG : cli_refused(cli, status, body);
}

/* weir reload: the daemon reads its configuration anew and says what came of it. */
#include "cli/cli.h"

#include <jansson.h>

enum { RELOAD_SECONDS = 60 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static void tell_complaint(const struct cli *cli, const json_t *complaint)
{
    json_t *help;
    size_t i;

    fprintf(cli->error, "%s[%s]: %s\n  --> %s:%lld:%lld\n",
            text_of(complaint, "severity"), text_of(complaint, "code"),
            text_of(complaint, "message"), text_of(complaint, "file"),
            (long long)json_integer_value(json_object_get(complaint, "line")),
            (long long)json_integer_value(json_object_get(complaint, "column")));
    json_array_foreach(json_object_get(complaint, "help"), i, help)
        fprintf(cli->error, "      = help: %s\n", json_string_value(help));
}

static void tell_why(const struct cli *cli, const json_t *answer)
{
    const char *text = json_string_value(json_object_get(answer, "text"));
    json_t *complaint;
    size_t i;

    if (!text)
        text = json_string_value(json_object_get(answer, "message"));
    if (text) {
        size_t n = strlen(text);

        fprintf(cli->error, "%s%s", text, n && text[n - 1] == '\n' ? "" : "\n");
        return;
    }
    json_array_foreach(json_object_get(answer, "diagnostics"), i, complaint)
        tell_complaint(cli, complaint);
}

enum cli_exit cli_reload(const struct cli *cli)
{
    unsigned status;
    json_t *answer;
    str body;

    if (cli_ask(cli, "POST", "/v1/reload", RELOAD_SECONDS, &status, &body))
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
        fprintf(cli->error, "refused: the configuration in use has not changed\n");
    }
    json_decref(answer);
    if (status == 200)
        return CLI_GOOD;
    return status == 422 ? CLI_WRONG : cli_refused(cli, status, body);
}

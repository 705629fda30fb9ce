/* The verbs that ask a running daemon: cli/ with a way to ask. */
#include "cli/cli.h"
#include "main/ask.h"
#include "main/place.h"
#include "main/verbs.h"

struct line {
    struct arena arena;
    const char *socket;
};

static enum err ask_line(void *owner, const char *method, const char *target,
                         unsigned seconds, unsigned *status, str *body)
{
    struct line *line = owner;

    return ask(line->socket, method, target, seconds, &line->arena, status, body);
}

/* Values of options end with a NUL: they are the ends of words of argv. */
static struct cli line_open(const struct given *given, struct line *line)
{
    str socket = option_value(given, "--socket");

    line->socket = socket.p ? socket.p : place_admin_socket();
    arena_init(&line->arena, 0);
    return (struct cli){.ask = ask_line,
                        .owner = line,
                        .socket = line->socket,
                        .out = stdout,
                        .error = stderr};
}

int reload_verb(const struct given *given)
{
    struct line line;
    struct cli cli = line_open(given, &line);
    enum cli_exit status = cli_reload(&cli);

    arena_reset(&line.arena);
    return status;
}

int status_verb(const struct given *given)
{
    struct line line;
    struct cli cli = line_open(given, &line);
    enum cli_exit status =
        cli_status(&cli, option_word(given, 0), option_is_given(given, "--json"));

    arena_reset(&line.arena);
    return status;
}

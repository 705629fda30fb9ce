/* The verbs that ask a running daemon: cli/ with a way to ask. */
#include "cli/cli.h"
#include "main/ask.h"
#include "io/sys.h"
#include "main/place.h"
#include "main/verbs.h"

struct line {
    struct arena arena;
    const char *socket;
};

static enum err ask_line(void *owner, const struct question *question, unsigned *status,
                         str *body)
{
    struct line *line = owner;

    return ask(line->socket, question, &line->arena, status, body);
}

/* Nothing is in the poll: it only waits. */
static void sleep_on_line(void *owner, unsigned milliseconds)
{
    struct sys_event event;
    int poll;

    (void)owner;
    if (sys_poll_new(&poll))
        return;
    (void)sys_poll_wait(poll, &event, 1, (int64_t)milliseconds * 1000000);
    sys_close(poll);
}

/* Values of options end with a NUL: they are the ends of words of argv. */
static struct cli line_open(const struct given *given, struct line *line)
{
    str socket = option_value(given, "--socket");

    line->socket = socket.p ? socket.p : place_admin_socket();
    arena_init(&line->arena, 0);
    return (struct cli){.ask = ask_line,
                        .sleep = sleep_on_line,
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

static int order(const struct given *given, const struct server_wish *wish)
{
    struct line line;
    struct cli cli;
    enum cli_exit status;

    if (!wish->server.p)
        return usage_error(given->verb, "which server? Name it as POOL/SERVER");
    cli = line_open(given, &line);
    status = cli_order(&cli, wish);
    arena_reset(&line.arena);
    return status;
}

int drain_verb(const struct given *given)
{
    return order(given, &(struct server_wish){
                            .server = option_word(given, 0),
                            .state = STR("drain"),
                            .reason = option_value(given, "--reason"),
                            .waits = option_is_given(given, "--wait"),
                        });
}

int enable_verb(const struct given *given)
{
    return order(given, &(struct server_wish){
                            .server = option_word(given, 0),
                            .state = STR("up"),
                            .reason = option_value(given, "--reason"),
                        });
}

int weight_verb(const struct given *given)
{
    uint64_t weight;

    if (!option_word(given, 1).p)
        return usage_error(given->verb, "which weight? Write: weir weight POOL/SERVER N");
    if (!str_to_u64(option_word(given, 1), &weight))
        return usage_error(given->verb,
                           "'" STR_FMT "' is no weight: write a whole number",
                           STR_ARG(option_word(given, 1)));
    return order(given, &(struct server_wish){
                            .server = option_word(given, 0),
                            .weight = option_word(given, 1),
                            .reason = option_value(given, "--reason"),
                        });
}

int breaker_verb(const struct given *given)
{
    str whose = option_word(given, 0), action = option_word(given, 1);
    struct line line;
    enum cli_exit status;
    struct cli cli;

    if (!action.p)
        return usage_error(given->verb, "whose breaker, and what is it to do?");
    cli = line_open(given, &line);
    status = cli_breaker(&cli, whose, action);
    arena_reset(&line.arena);
    return status;
}

enum { EXCEPT_MOST = 64 };

int maintenance_verb(const struct given *given)
{
    str word = option_word(given, 0), except[EXCEPT_MOST];
    struct maintenance_wish wish = {
        .is_on = str_eq(word, STR("on")),
        .page = option_value(given, "--page"),
        .except = except,
        .reason = option_value(given, "--reason"),
    };
    struct line line;
    struct cli cli;
    enum cli_exit status;

    if (!wish.is_on && !str_eq(word, STR("off")))
        return usage_error(given->verb, "on or off? Write: weir maintenance on");
    for (int at = 0; wish.except_count < EXCEPT_MOST &&
                     option_next(given, "--except", &at, &except[wish.except_count]);)
        wish.except_count++;
    if (wish.except_count == EXCEPT_MOST)
        return usage_error(given->verb, "that is too many exceptions for one order");
    cli = line_open(given, &line);
    status = cli_maintenance(&cli, &wish);
    arena_reset(&line.arena);
    return status;
}

int degrade_verb(const struct given *given)
{
    str ladder = option_word(given, 0), level = option_word(given, 1);
    struct line line;
    struct cli cli;
    enum cli_exit status;

    if (!level.p)
        return usage_error(given->verb, "which ladder, and which level?");
    cli = line_open(given, &line);
    status = cli_degrade(&cli, ladder, level, option_value(given, "--reason"));
    arena_reset(&line.arena);
    return status;
}

/*
 * The verbs that talk to a running daemon: a thin client of its admin socket. Nothing is
 * decided here; the daemon's answers are laid out for people. Main gives the way to ask,
 * because only the door may touch a socket.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/err.h"
#include "base/str.h"

#include <stdio.h>

/* What a verb ends with, as interface and scripts expect it. */
enum cli_exit {
    CLI_GOOD = 0,
    CLI_WRONG = 1,       /* refused, or not found */
    CLI_USAGE = 2,       /* the words are wrong: nobody was asked */
    CLI_UNREACHABLE = 3, /* nobody answers */
};

/* One question to the daemon. */
struct question {
    const char *method; /* "GET" */
    str target;         /* "/v1/status" */
    str body;           /* JSON; empty: none */
    unsigned seconds;   /* to wait for the answer */
};

struct cli {
    /* ERR_OK: *status and *body, which lives until the verb is done. */
    enum err (*ask)(void *owner, const struct question *question, unsigned *status,
                    str *body);
    void (*sleep)(void *owner, unsigned milliseconds);
    void *owner;
    const char *socket; /* where it asks, for words */
    FILE *out, *error;
};

/* Shows everything, or one pool with its servers (STR_NONE: everything). As JSON: what the
 * daemon says, of one pool its object. */
enum cli_exit cli_status(const struct cli *cli, str pool, bool as_json);

/* Reads the configuration anew; says why where it was refused. */
enum cli_exit cli_reload(const struct cli *cli);

/* What is wanted of a server, by name as POOL/SERVER. */
struct server_wish {
    str server;
    str state;  /* "drain", "up"; empty: as it is */
    str weight; /* a number; empty: as it is */
    str reason; /* in one's own words; may be empty */
    bool waits; /* with drain: until nothing is left */
};

/* weir drain, enable, weight. */
enum cli_exit cli_order(const struct cli *cli, const struct server_wish *wish);

/* weir breaker: whose is "POOL/SERVER" or "route:NAME", action is open, close or reset. */
enum cli_exit cli_breaker(const struct cli *cli, str whose, str action);

/* What is wanted of maintenance. */
struct maintenance_wish {
    bool is_on;
    str page;          /* empty: as the file says */
    const str *except; /* networks; none: as the file says */
    unsigned except_count;
    str reason;
};

/* weir maintenance. */
enum cli_exit cli_maintenance(const struct cli *cli, const struct maintenance_wish *wish);

/* weir degrade: the level of a ladder, or auto. */
enum cli_exit cli_degrade(const struct cli *cli, str ladder, str level, str reason);

/* ---- shared by the verbs ---- */

/*
 * Asks; ERR_OK with any status. What cannot be asked is told on cli->error, with what may
 * be done about it.
 */
MUST_CHECK enum err cli_ask(const struct cli *cli, const struct question *question,
                            unsigned *status, str *body);

/* Tells of an answer that was not expected (RFC 9457's detail, or the status). */
enum cli_exit cli_refused(const struct cli *cli, unsigned status, str body);

#endif

/*
 * What came of a try at a server, or of a request on a route: told once, here, to all who
 * learn from it, and from here to the steward when that changes something.
 *
 * A failure is: no connection, a broken one, silence, an answer that is not HTTP, or one
 * with status 500, 502, 503 or 504. Other statuses of 5xx say something of the request
 * (501 Not Implemented, 505 HTTP Version Not Supported), not of the server.
 */
#ifndef PROXY_OUTCOME_H
#define PROXY_OUTCOME_H

#include "base/text.h"
#include "guard/breaker.h"
#include "proxy/worker.h"

struct server_outcome {
    enum breaker_says says;
    unsigned status;  /* that the server answered; 0: none */
    const char *what; /* with BREAKER_BAD and no status: static words */
};

/* A breaker has moved: mail for the steward. One of server and route is set. */
struct circuit_news {
    struct server_live *server;
    struct route_live *route;
    enum breaker_change change;
    bool by_probe; /* what decided was a probe */
    struct server_outcome last;
};

/* "HTTP 503", "connect refused": what went wrong. */
void outcome_say(struct text *text, const struct server_outcome *outcome);

/* GOOD or BAD, by an answer's status. */
struct server_outcome outcome_of_status(unsigned status);

/* Tells of a try at that server, and takes the permit back (*permit becomes 0). */
void outcome_report(struct worker *worker, const struct pool *pool,
                    struct server_live *server, breaker_permit *permit,
                    const struct server_outcome *outcome);

/* Tells of a request on that route, which has a breaker, and takes the permit back. */
void outcome_report_route(struct worker *worker, const struct route *route,
                          breaker_permit *permit, const struct server_outcome *outcome);

/* As the two others, for breaker_enter. */
breaker_permit outcome_enter_server(struct worker *worker, const struct pool *pool,
                                    struct server_live *server);
breaker_permit outcome_enter_route(struct worker *worker, const struct route *route);

#endif

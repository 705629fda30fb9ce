/*
 * Is a server well? A pure rise and fall machine: results of checks and runs of connect
 * failures go in, a state with its reason in words comes out. It knows no clock and sends
 * nothing; the prober keeps one for each server and writes the state into server_live.
 */
#ifndef GUARD_HEALTH_H
#define GUARD_HEALTH_H

#include "base/err.h"
#include "lb/live.h"
#include "lb/model.h"

enum { HEALTH_REASON_MOST = 256, CHECK_DETAIL_MOST = 160 };

enum check_result {
    CHECK_PASSED,
    CHECK_CONNECT_FAILED, /* error says how: ERR_REFUSED, ERR_TIMEOUT, ... */
    CHECK_NO_ANSWER,      /* silent, or not done within the timeout */
    CHECK_CLOSED,         /* closed or reset before the answer was whole */
    CHECK_INVALID,        /* answered in another protocol */
    CHECK_BAD_STATUS,
    CHECK_BAD_BODY, /* expect.body is not in it */
    CHECK_NO_MATCH, /* nor anything that expect.body_regex matches */
    CHECK_BAD_JSON,
    CHECK_BAD_ANSWER, /* spoke the protocol, and said no */
    CHECK_FAILED,     /* the program says no, or can not be run */
    CHECK_RESULT_COUNT,
};

/* How one check went. */
struct check_outcome {
    enum check_result result;
    enum err error;  /* with CHECK_CONNECT_FAILED */
    unsigned status; /* where there was one */
    uint32_t duration_ms;
    uint32_t detail_length;
    char detail[CHECK_DETAIL_MOST]; /* what the server said of it, fit for any terminal */
};

struct health_state {
    enum health health;      /* what counts: down while it is barred */
    enum health checked;     /* what the checks alone say */
    uint32_t passed, failed; /* checks in a row; one of them is 0 */
    uint32_t reason_length;
    char reason[HEALTH_REASON_MOST];
    bool is_barred;
    uint32_t bar_length;
    char bar_reason[CHECK_DETAIL_MOST];
};

/*
 * first: HEALTH_UNKNOWN when weir starts, HEALTH_STARTING for a server added later,
 * HEALTH_UNRESOLVED for one without an address. Without checks (`off`) it is up at once.
 */
void health_begin(struct health_state *state, enum health first,
                  const struct health_check *check);

/*
 * After a reload: the same server under a check that may be another one. Keeps what is
 * known, but a server is up when it is no longer checked. True: the state changed.
 */
bool health_check_changed(struct health_state *state, const struct health_check *check);

/* Takes a result in. True: the state changed, and the reason with it. */
bool health_record(struct health_state *state, const struct health_check *check,
                   const struct check_outcome *outcome);

/*
 * Connect failures in a row seen by requests (server_live.connect_failures), the last of
 * them being `error`: `unhealthy_after` of them mark a usable server down at once. True:
 * it changed, and the caller sets the counter back to 0. Never without checks, for
 * nothing would bring the server back.
 */
bool health_record_connects(struct health_state *state, const struct health_check *check,
                            uint32_t failures, enum err error);

/*
 * The server itself says that it is down, whatever checks say (its agent); or no longer
 * (STR_NONE). True: the state changed, or its reason while it is barred.
 */
bool health_bar(struct health_state *state, str reason);

/* Its name has no address (any more). True: changed. */
bool health_record_unresolved(struct health_state *state);

/* Why the state is what it is: "connection refused", "2 of 3 checks: ...". */
str health_reason(const struct health_state *state);

/* Is this one of the statuses that the check expects? */
bool health_expects_status(const struct health_check *check, unsigned status);

#endif

/*
 * How servers are asked whether they are well, as a configuration says it. Data only:
 * what an answer means is judged in guard/health and control/probe. Durations are
 * milliseconds.
 */
#ifndef LB_HEALTH_CHECK_H
#define LB_HEALTH_CHECK_H

#include "base/str.h"

enum check_kind {
    CHECK_BY_CONNECT, /* a TCP connection that stands is enough */
    CHECK_BY_HTTP,
    CHECK_BY_SCRIPT, /* send this, expect that */
    CHECK_BY_POSTGRES,
    CHECK_BY_MYSQL,
    CHECK_BY_REDIS,
    CHECK_BY_SMTP,
    CHECK_BY_PROGRAM,
    CHECK_BY_AGENT, /* not a check: the server tells how much it wants (guard/load_report) */
    CHECK_KIND_COUNT,
};

struct status_range {
    uint16_t from, to;
};

struct check_header {
    str name, value;
};

/* With CHECK_BY_HTTP: what is asked. */
struct check_request {
    str method; /* "GET" */
    str path, host;
    const struct check_header *headers;
    unsigned header_count;
};

/* What a JSON body must say; an empty `field` means: it is not looked at. */
struct check_json {
    str field;         /* a dotted path: "status", "data.state", "checks.0.status" */
    const str *equals; /* one of these, the case of letters aside */
    unsigned equal_count;
    str reason;       /* a dotted path to words for people; empty: none */
    str dependencies; /* a dotted path to their states; empty: the usual names */
};

/* With CHECK_BY_HTTP: what a good answer is. */
struct check_expect {
    const struct status_range *status;
    unsigned status_count;
    str body;       /* somewhere in the body; empty: not asked for */
    str body_regex; /* PCRE2; empty: not asked for */
    struct check_json json;
};

/* With CHECK_BY_SCRIPT: one turn of the talk. Either may be empty, not both. */
struct check_step {
    str send, expect;
};

struct agent_check {
    uint32_t port; /* 0: there is no agent */
    uint32_t interval, timeout;
    str send; /* once connected; mostly nothing */
};

struct health_check {
    bool is_enabled;
    enum check_kind kind;
    uint32_t port; /* 0: the server's own */
    struct check_request request;
    struct check_expect expect;
    const struct check_step *steps;
    unsigned step_count;
    const str *program; /* with CHECK_BY_PROGRAM: path and arguments */
    unsigned program_count;
    uint32_t interval, timeout;
    uint32_t fast_interval; /* while the state is in doubt; 0: as ever */
    uint32_t max_interval;  /* where all has long been well; 0: as ever */
    uint32_t unhealthy_after, healthy_after;
    uint32_t jitter; /* percent of the interval */
    struct agent_check agent;
};

#endif

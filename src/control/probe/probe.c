/*
 * Dial, send, judge. A connection to ourselves does not count: on this host a dial to a
 * port where nobody listens can be given that very port as its own and then meets itself
 * (a simultaneous open), and a dead server would look alive.
 */
#include "control/probe/probe.h"

#include "base/check.h"
#include "proto/proxy_header.h"

#include <stdlib.h>

#define NS_PER_MS UINT64_C(1000000)

/* ---- questions ---- */

static str keep(char **at, str s)
{
    str kept = {*at, s.n};

    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return kept;
}

enum { REQUEST_FRAME = 512 }; /* all of a request but what the check itself says */

struct probe_question *probe_question_new(const struct probe_target *target)
{
    const struct health_check *check = &target->check;
    size_t ranges = check->expect_status_count * sizeof *check->expect_status;
    size_t words = check->path.n + check->host.n + check->expect_body.n;
    size_t room = PROXY_HEADER_MOST + REQUEST_FRAME + check->path.n + check->host.n;
    struct probe_question *question = malloc(sizeof *question + ranges + words + room);
    struct health_check *kept;
    struct text request;
    char *at;

    CHECK(question != NULL);
    at = (char *)(question + 1);
    *question = (struct probe_question){.target = *target};
    kept = &question->target.check;
    if (ranges)
        memcpy(at, check->expect_status, ranges);
    kept->expect_status = (const void *)at;
    at += ranges;
    kept->path = keep(&at, check->path);
    kept->host = keep(&at, check->host);
    kept->expect_body = keep(&at, check->expect_body);
    question->kind = check->is_http ? &probe_http : &probe_tcp;
    request = text_in(at, room);
    if (target->proxy_protocol == PROXY_PROTOCOL_V2)
        proxy_header_write_local(&request);
    if (question->kind->compose)
        question->kind->compose(&request, &question->target);
    CHECK(!request.overflow);
    question->request = text_str(&request);
    return question;
}

static bool ranges_eq(const struct health_check *a, const struct health_check *b)
{
    if (a->expect_status_count != b->expect_status_count)
        return false;
    for (unsigned i = 0; i < a->expect_status_count; i++)
        if (a->expect_status[i].from != b->expect_status[i].from ||
            a->expect_status[i].to != b->expect_status[i].to)
            return false;
    return true;
}

bool probe_question_eq(const struct probe_question *a, const struct probe_question *b)
{
    const struct health_check *one = &a->target.check, *two = &b->target.check;

    return a->kind == b->kind && str_eq(a->request, b->request) &&
           one->is_enabled == two->is_enabled && ranges_eq(one, two) &&
           str_eq(one->expect_body, two->expect_body) && one->interval == two->interval &&
           one->timeout == two->timeout && one->jitter == two->jitter;
}

/* ---- checks ---- */

static void end_check(struct probe *probe)
{
    conn_close(&probe->conn);
    timer_remove(&probe->engine->loop.timers, &probe->deadline);
    if (probe->question->kind->drop)
        probe->question->kind->drop(probe);
    probe->answer = NULL;
    probe->is_running = false;
}

static void finish(struct probe *probe, struct check_outcome outcome)
{
    uint64_t now = probe->engine->loop.now;

    if (now > probe->begun)
        outcome.duration_ms = (uint32_t)((now - probe->begun) / NS_PER_MS);
    end_check(probe);
    probe->finished(probe, &outcome);
}

void probe_finish(struct probe *probe, enum check_result result, unsigned status)
{
    finish(probe, (struct check_outcome){.result = result, .status = status});
}

static void finish_connect(struct probe *probe, enum err error)
{
    finish(probe, (struct check_outcome){.result = CHECK_CONNECT_FAILED, .error = error});
}

static void deadline_passed(struct timer *timer)
{
    struct probe *probe = container_of(timer, struct probe, deadline);

    if (probe->conn.is_connecting)
        finish_connect(probe, ERR_TIMEOUT);
    else
        probe_finish(probe, CHECK_NO_ANSWER, 0);
}

static bool is_own_echo(const struct conn *conn, const struct addr *server)
{
    struct addr local;

    return server->family != ADDR_UNIX && sys_local_addr(conn->watch.fd, &local) == 0 &&
           addr_eq(&local, server);
}

/* Has the connection just been decided? False: not yet, or the check is over. */
static bool is_connected(struct probe *probe)
{
    bool was_connecting = probe->conn.is_connecting;
    enum err e = conn_connected(&probe->conn);

    if (e == ERR_AGAIN)
        return false;
    if (!e && was_connecting &&
        is_own_echo(&probe->conn, &probe->question->target.server->addr))
        e = ERR_REFUSED;
    if (e)
        finish_connect(probe, e);
    return !e;
}

/* False: the kernel takes no more just now, or the check is over. */
static bool is_sent(struct probe *probe)
{
    while (probe->sent < probe->question->request.n) {
        str rest = str_from(probe->question->request, probe->sent);
        struct iovec part = {(char *)rest.p, rest.n};
        size_t n = 0;
        enum err e = conn_send(&probe->conn, &part, 1, false, &n);

        if (e == ERR_AGAIN)
            return false;
        if (e) {
            probe_finish(probe, CHECK_CLOSED, 0);
            return false;
        }
        probe->sent += n;
    }
    return true;
}

static void go_on(struct conn *conn)
{
    struct probe *probe = container_of(conn, struct probe, conn);

    if (is_connected(probe) && is_sent(probe))
        probe->question->kind->proceed(probe);
}

enum err probe_begin(struct probe *probe)
{
    const struct probe_target *target = &probe->question->target;
    struct loop *loop = &probe->engine->loop;
    enum err e;

    CHECK(!probe->is_running);
    probe->begun = sys_now();
    probe->sent = 0;
    e = conn_dial(&probe->conn, probe->engine, &target->server->addr, go_on);
    if (e == ERR_NO_FDS || e == ERR_NO_MEMORY)
        return e;
    probe->is_running = true;
    timer_set(&loop->timers, &probe->deadline,
              probe->begun + target->check.timeout * NS_PER_MS);
    if (e)
        finish_connect(probe, e);
    else
        go_on(&probe->conn);
    return ERR_OK;
}

void probe_abandon(struct probe *probe)
{
    if (probe->is_running)
        end_check(probe);
}

/* ---- life ---- */

void probe_init(struct probe *probe, struct engine *engine,
                struct probe_question *question, probe_fn *finished)
{
    *probe = (struct probe){.engine = engine, .question = question, .finished = finished};
    conn_init_closed(&probe->conn, engine, go_on);
    timer_init(&probe->deadline, deadline_passed);
}

void probe_close(struct probe *probe)
{
    probe_abandon(probe);
    free(probe->question);
}

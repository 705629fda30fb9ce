/*
 * Dial, send, judge. A connection to ourselves does not count: on this host a dial to a
 * port where nobody listens can be given that very port as its own and then meets itself
 * (a simultaneous open), and a dead server would look alive.
 */
#include "control/probe/probe.h"

#include "base/check.h"
#include "control/conf/utf8.h"

#define NS_PER_MS UINT64_C(1000000)

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

static void finish(struct probe *probe, enum check_result result)
{
    uint64_t now = probe->engine->loop.now;

    probe->outcome.result = result;
    if (now > probe->begun)
        probe->outcome.duration_ms = (uint32_t)((now - probe->begun) / NS_PER_MS);
    end_check(probe);
    probe->finished(probe, &probe->outcome);
}

void probe_finish(struct probe *probe, enum check_result result, unsigned status)
{
    probe->outcome.status = status;
    finish(probe, result);
}

static void finish_connect(struct probe *probe, enum err error)
{
    probe->outcome.error = error;
    finish(probe, CHECK_CONNECT_FAILED);
}

/* No control bytes, no wrong UTF-8, no blanks in a row; as much as there is room for. */
void outcome_tell(struct check_outcome *outcome, str words)
{
    struct text text = text_in(outcome->detail, CHECK_DETAIL_MOST);
    bool wants_blank = false;

    while (words.n && !text.overflow) {
        size_t n = utf8_size(words);
        str c = str_upto(words, n ? n : 1);
        bool is_blank = n == 1 && ((unsigned char)c.p[0] <= ' ' || c.p[0] == 0x7f);

        words = str_from(words, c.n);
        if (is_blank) {
            wants_blank = text.n > 0;
            continue;
        }
        if (wants_blank)
            text_char(&text, ' ');
        wants_blank = false;
        text_add(&text, n && !utf8_is_unseen(c) ? c : STR("?"));
    }
    outcome->detail_length = (uint32_t)text.n;
}

static void deadline_passed(struct timer *timer)
{
    struct probe *probe = container_of(timer, struct probe, deadline);
    const struct probe_kind *kind = probe->question->kind;

    if (probe->conn.is_connecting)
        finish_connect(probe, ERR_TIMEOUT);
    else
        probe_finish(
            probe, kind->late ? kind->late(probe, CHECK_NO_ANSWER) : CHECK_NO_ANSWER, 0);
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
    if (!e && was_connecting && is_own_echo(&probe->conn, &probe->question->addr))
        e = ERR_REFUSED;
    if (e)
        finish_connect(probe, e);
    return !e;
}

bool probe_send(struct probe *probe)
{
    while (probe->unsent.n) {
        struct iovec part = {(char *)probe->unsent.p, probe->unsent.n};
        size_t n = 0;
        enum err e = conn_send(&probe->conn, &part, 1, false, &n);

        if (e == ERR_AGAIN)
            return false;
        if (e) {
            probe_finish(probe, CHECK_CLOSED, 0);
            return false;
        }
        probe->unsent = str_from(probe->unsent, n);
    }
    return true;
}

static void go_on(struct conn *conn)
{
    struct probe *probe = container_of(conn, struct probe, conn);

    if (is_connected(probe) && probe_send(probe))
        probe->question->kind->proceed(probe);
}

/* The program is not there, or must not be run. */
static void finish_unable(struct probe *probe, enum err error)
{
    char memory[64];
    struct text text = text_in(memory, sizeof memory);

    text_format(&text, "it can not be run: %s", err_text(error));
    outcome_tell(&probe->outcome, text_str(&text));
    finish(probe, CHECK_FAILED);
}

enum err probe_begin(struct probe *probe)
{
    const struct probe_question *question = probe->question;
    const struct probe_kind *kind = question->kind;
    struct loop *loop = &probe->engine->loop;
    enum err e;

    CHECK(!probe->is_running);
    probe->begun = sys_now();
    probe->unsent = question->request;
    probe->outcome = (struct check_outcome){0};
    e = kind->begin ? kind->begin(probe)
                    : conn_dial(&probe->conn, probe->engine, &question->addr, go_on);
    if (e == ERR_NO_FDS || e == ERR_NO_MEMORY || e == ERR_AGAIN)
        return e;
    probe->is_running = true;
    timer_set(&loop->timers, &probe->deadline,
              probe->begun + question->check.timeout * NS_PER_MS);
    if (e && kind->begin)
        finish_unable(probe, e);
    else if (e)
        finish_connect(probe, e);
    else if (!kind->begin)
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
    probe_question_free(probe->question);
    probe->question = NULL;
}

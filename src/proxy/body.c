/*
 * The pump. Small bodies are copied through one chunk; a body that is long and not
 * framed on either side is spliced once its first bytes, which came with the head, are
 * gone. A pump works for a bounded time, so that a bulk transfer does not starve its
 * neighbours.
 */
#include "proxy/body.h"

enum { PIECES_A_TURN = 16, SPLICE_LEAST = 64 * 1024, SPLICE_A_TURN = 4 * 1024 * 1024 };

void body_init(struct body *body, struct http_end *from, const struct head *head,
               uint64_t most, char *trailer_memory)
{
    body_init_none(body);
    body->from = from;
    body->most = most;
    body->framing = body->to_framing = head->framing;
    if (head->framing == FRAMING_NONE)
        return;
    if (head->framing == FRAMING_CHUNKED)
        chunked_init(&body->chunked, trailer_memory,
                     trailer_memory ? BODY_TRAILER_ROOM : 0);
    body->left = head->framing == FRAMING_LENGTH ? head->content_length : 0;
    body->is_read = body->is_sent = head->framing == FRAMING_LENGTH && body->left == 0;
}

void body_close(struct body *body)
{
    if (body->pipe)
        pipe_give(body->from->conn->engine, body->pipe);
    body->pipe = NULL;
}

static bool may_splice(const struct body *body)
{
    return body->to_framing != FRAMING_CHUNKED &&
           ((body->framing == FRAMING_LENGTH && body->left >= SPLICE_LEAST) ||
            (body->framing == FRAMING_CLOSE && body->passed >= SPLICE_LEAST));
}

/* With a pipe at hand; where the system gives none the body is copied. */
static bool wants_splice(struct body *body)
{
    if (body->pipe)
        return true;
    if (!may_splice(body) || body->from->ops->has_input(body->from))
        return false;
    body->pipe = pipe_take(body->from->conn->engine);
    return body->pipe != NULL;
}

/* One filling and emptying of the pipe. BODY_GOES_ON: there may be more. */
static enum body_state splice_once(struct body *body)
{
    struct conn *from = body->from->conn, *to = body->to->conn;
    enum err e;

    if (!body->pipe->held) {
        size_t want = body->framing == FRAMING_LENGTH && body->left < PIPE_SIZE
                          ? (size_t)body->left
                          : PIPE_SIZE;

        e = conn_fill_pipe(from, body->pipe, want);
        if (e == ERR_AGAIN)
            return BODY_WAITS_FROM;
        if (e == ERR_EOF && body->framing == FRAMING_CLOSE) {
            body->is_read = body->is_sent = true;
            return BODY_DONE;
        }
        if (e)
            return BODY_FROM_BROKEN;
        body->passed += body->pipe->held;
        if (body->framing == FRAMING_LENGTH) {
            body->left -= body->pipe->held;
            body->is_read = body->left == 0;
        }
    }
    while (body->pipe->held) {
        e = conn_drain_pipe(to, body->pipe);
        if (e)
            return e == ERR_AGAIN ? BODY_WAITS_TO : BODY_TO_BROKEN;
    }
    body->is_sent = body->is_read;
    return body->is_sent ? BODY_DONE : BODY_GOES_ON;
}

static enum body_state splice_on(struct body *body)
{
    uint64_t until = body->passed + SPLICE_A_TURN;
    enum body_state state;
    enum err e = body->to->ops->flush(body->to, body->from->conn->can_read);

    if (e)
        return e == ERR_AGAIN ? BODY_WAITS_TO : BODY_TO_BROKEN;
    do
        state = splice_once(body);
    while (state == BODY_GOES_ON && body->passed < until);
    if (body->pipe && !body->pipe->held)
        body_close(body);
    return state;
}

/* One piece by copying. */
static enum body_state copy_once(struct body *body)
{
    str data = STR_NONE;
    enum err e;

    if (!body->to->ops->has_room(body->to) && (e = body->to->ops->flush(body->to, false)))
        return e == ERR_AGAIN ? BODY_WAITS_TO : BODY_TO_BROKEN;
    e = body->from->ops->read_body(body->from, body, &data);
    if (e == ERR_AGAIN)
        return BODY_WAITS_FROM;
    if (e && e != ERR_EOF)
        return e == ERR_INVALID ? BODY_FROM_INVALID : BODY_FROM_BROKEN;
    body->passed += data.n;
    if (body->passed > body->most || (body->framing == FRAMING_CHUNKED &&
                                      body->chunked.left > body->most - body->passed))
        return BODY_TOO_LARGE; /* a chunk's size is a promise: no need to wait for it */
    if (data.n || body->is_read)
        body->to->ops->send_body(body->to, body, data, body->is_read);
    body->is_sent = body->is_read;
    return body->is_sent ? BODY_DONE : BODY_GOES_ON;
}

enum body_state body_pump(struct body *body)
{
    enum body_state state = body->is_sent ? BODY_DONE : BODY_GOES_ON;
    enum err e;

    for (int i = 0; i < PIECES_A_TURN && state == BODY_GOES_ON; i++) {
        if (wants_splice(body)) {
            state = splice_on(body);
            break;
        }
        state = copy_once(body);
    }
    if (state >= BODY_FROM_BROKEN)
        return state;
    e = body->to->ops->flush(body->to, false);
    if (e && e != ERR_AGAIN)
        return BODY_TO_BROKEN;
    if (e == ERR_AGAIN && state != BODY_GOES_ON)
        state = BODY_WAITS_TO;
    if (state == BODY_WAITS_TO) /* a receiver that is slow must not hold two buffers */
        body->from->ops->rest(body->from);
    return state;
}

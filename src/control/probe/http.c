/*
 * The HTTP check: a GET, and a look at the status and, where the configuration asks for
 * words in the body, at its first 64 KiB in any framing. Without such words the head
 * decides and the body is not waited for. All that a server can make us read is bounded:
 * one head, as much again of interim answers, and the body's beginning.
 */
#include "control/probe/probe.h"

#include "base/check.h"
#include "proto/chunked.h"
#include "proto/h1_read.h"
#include "proto/h1_write.h"
#include "proto/names.h"

#include <stdlib.h>

enum { FIELDS_MOST = 256 };

struct http_answer {
    struct chunk *in;   /* bytes as they come */
    struct chunk *body; /* payload; NULL while no body is looked at */
    struct h1_reader reader;
    struct chunked chunked;
    enum framing framing;
    uint64_t left;  /* with FRAMING_LENGTH */
    size_t interim; /* bytes of 1xx heads */
    unsigned status;
    enum check_result result; /* once decided */
};

/* ---- asking ---- */

static void http_compose(struct text *out, const struct probe_target *target)
{
    const struct health_check *check = &target->check;
    char memory[ADDR_TEXT_MOST];
    struct field agent = {STR("User-Agent"), STR("weir/health"), NAME_USER_AGENT, false};
    struct head head = {
        .fields = &agent,
        .field_count = 1,
        .method = HTTP_GET,
        .method_text = STR("GET"),
        .authority = check->host,
    };

    if (!head.authority.n && target->server->addr.family == ADDR_UNIX)
        head.authority = STR("localhost");
    else if (!head.authority.n)
        head.authority = addr_print(&target->server->addr, memory, sizeof memory);
    h1_write_request(out, &head, check->path, H1_CLOSE);
}

/* ---- judging; each function says whether the verdict is clear ---- */

static bool decide(struct http_answer *answer, enum check_result result)
{
    answer->result = result;
    return true;
}

static bool judge_head(struct probe *probe, const struct head *head)
{
    const struct health_check *check = &probe->question->target.check;
    struct http_answer *answer = probe->answer;

    answer->status = head->status;
    if (!health_expects_status(check, head->status))
        return decide(answer, CHECK_BAD_STATUS);
    if (check->expect_body.n == 0)
        return decide(answer, CHECK_PASSED);
    answer->framing = head->framing;
    answer->left = head->content_length;
    chunked_init(&answer->chunked, NULL, 0);
    answer->body = chunk_new(probe->engine, CHUNK_LARGE);
    return false;
}

static bool take_head(struct probe *probe)
{
    static const struct h1_limits limits = {.head_most = CHUNK_LARGE};
    struct http_answer *answer = probe->answer;
    struct field fields[FIELDS_MOST];

    while (answer->interim <= CHUNK_LARGE) {
        struct head head = {.fields = fields, .field_room = FIELDS_MOST};
        enum h1_verdict verdict = h1_read_response(
            &answer->reader, chunk_bytes(answer->in), &limits, HTTP_GET, &head);

        if (verdict == H1_MORE)
            return false;
        if (verdict == H1_BAD)
            return decide(answer, CHECK_INVALID);
        answer->in->at += (unsigned)head.bytes;
        answer->reader = (struct h1_reader){0};
        if (head.status >= 200 || head.status == 101)
            return judge_head(probe, &head);
        answer->interim += head.bytes;
    }
    return decide(answer, CHECK_INVALID);
}

/* Looks for the words in what is new, and for those that began before it. */
static bool take_payload(struct probe *probe, str piece)
{
    str words = probe->question->target.check.expect_body;
    struct http_answer *answer = probe->answer;
    struct chunk *body = answer->body;
    size_t before = body->end > words.n ? body->end - words.n : 0;

    piece = str_upto(piece, body->room - body->end);
    memcpy(body->bytes + body->end, piece.p, piece.n);
    body->end += (unsigned)piece.n;
    if (str_find(str_from(chunk_bytes(body), before), words) >= 0)
        return decide(answer, CHECK_PASSED);
    return body->end == body->room && decide(answer, CHECK_BAD_BODY);
}

static bool take_chunks(struct probe *probe, str in)
{
    struct http_answer *answer = probe->answer;

    for (;;) {
        str data;

        switch (chunked_read(&answer->chunked, &in, &data)) {
        case CHUNKED_MORE:
            return false;
        case CHUNKED_DATA:
            if (take_payload(probe, data))
                return true;
            break;
        case CHUNKED_DONE:
            return decide(answer, CHECK_BAD_BODY);
        case CHUNKED_BAD:
            return decide(answer, CHECK_INVALID);
        }
    }
}

static bool take_body(struct probe *probe)
{
    struct http_answer *answer = probe->answer;
    str in = chunk_bytes(answer->in);

    answer->in->at = answer->in->end = 0; /* this is the last look at them */
    switch (answer->framing) {
    case FRAMING_NONE:
        break;
    case FRAMING_LENGTH:
        in = str_upto(in, answer->left < in.n ? (size_t)answer->left : in.n);
        answer->left -= in.n;
        if (in.n && take_payload(probe, in))
            return true;
        if (answer->left)
            return false;
        break;
    case FRAMING_CHUNKED:
        return in.n && take_chunks(probe, in);
    case FRAMING_CLOSE:
        return in.n && take_payload(probe, in);
    }
    return decide(answer, CHECK_BAD_BODY);
}

static bool take(struct probe *probe)
{
    struct http_answer *answer = probe->answer;

    if (!answer->body && take_head(probe))
        return true;
    return answer->body && take_body(probe);
}

/* ---- reading ---- */

/* Room behind what is there. False: a head that fills a large chunk is none. */
static bool make_room(struct probe *probe)
{
    struct http_answer *answer = probe->answer;
    struct chunk *in = answer->in, *large;
    str bytes = chunk_bytes(in);

    if (in->end < in->room)
        return true;
    if (in->at) {
        memmove(in->bytes, bytes.p, bytes.n);
        in->at = 0;
        in->end = (unsigned)bytes.n;
        return true;
    }
    if (in->room == CHUNK_LARGE)
        return false;
    large = chunk_new(probe->engine, CHUNK_LARGE);
    memcpy(large->bytes, bytes.p, bytes.n);
    large->end = (unsigned)bytes.n;
    chunk_free(probe->engine, in);
    answer->in = large;
    return true;
}

/* The stream is over before the verdict was clear. */
static enum check_result result_of_end(const struct http_answer *answer, enum err e)
{
    if (answer->body && answer->framing == FRAMING_CLOSE && e == ERR_EOF)
        return CHECK_BAD_BODY;
    return CHECK_CLOSED;
}

static enum err read_some(struct probe *probe)
{
    struct http_answer *answer = probe->answer;
    size_t got = 0;
    enum err e;

    if (!make_room(probe))
        return ERR_TOO_LARGE;
    e = conn_read(&probe->conn, answer->in->bytes + answer->in->end,
                  answer->in->room - answer->in->end, &got);
    if (!e)
        answer->in->end += (unsigned)got;
    return e;
}

static void answer_begin(struct probe *probe)
{
    struct http_answer *answer = calloc(1, sizeof *answer);

    CHECK(answer != NULL);
    answer->in = chunk_new(probe->engine, CHUNK_SMALL);
    probe->answer = answer;
}

static void http_proceed(struct probe *probe)
{
    struct http_answer *answer;
    enum err e = ERR_OK;

    if (!probe->conn.can_read)
        return; /* silent servers cost no memory */
    if (!probe->answer)
        answer_begin(probe);
    answer = probe->answer;
    while (!(e = read_some(probe)))
        if (take(probe)) {
            probe_finish(probe, answer->result, answer->status);
            return;
        }
    if (e == ERR_TOO_LARGE)
        probe_finish(probe, CHECK_INVALID, 0);
    else if (e != ERR_AGAIN)
        probe_finish(probe, result_of_end(answer, e), answer->status);
}

static void http_drop(struct probe *probe)
{
    struct http_answer *answer = probe->answer;

    if (!answer)
        return;
    chunk_free(probe->engine, answer->in);
    if (answer->body)
        chunk_free(probe->engine, answer->body);
    free(answer);
}

const struct probe_kind probe_http = {"http", http_compose, http_proceed, http_drop};

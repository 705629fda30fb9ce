/*
 * The HTTP check: a request, and a look at the status and, where the configuration asks
 * for something in the body, at its first 64 KiB in any framing. Without such a wish the
 * head decides and the body is not waited for. All that a server can make us read is
 * bounded: one head, as much again of interim answers, and the body's beginning.
 */
#include "control/probe/probe.h"

#include "base/check.h"
#include "control/probe/json_state.h"
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
    bool has_bad_status;      /* and yet its body is read, for what it says */
    enum check_result result; /* once decided */
};

/* ---- asking ---- */

static bool names_itself(const struct check_request *request)
{
    for (unsigned i = 0; i < request->header_count; i++)
        if (name_find(request->headers[i].name) == NAME_USER_AGENT)
            return true;
    return false;
}

static void http_compose(struct text *out, const struct probe_question *question)
{
    const struct check_request *request = &question->check.request;
    struct field *fields = calloc(request->header_count + 1, sizeof *fields);
    char memory[ADDR_TEXT_MOST];
    struct head head = {
        .fields = fields,
        .method = method_find(request->method),
        .method_text = request->method,
        .authority = request->host,
    };

    CHECK(fields != NULL);
    if (!names_itself(request))
        fields[head.field_count++] =
            (struct field){STR("User-Agent"), STR("weir/health"), NAME_USER_AGENT, false};
    for (unsigned i = 0; i < request->header_count; i++)
        fields[head.field_count++] =
            (struct field){request->headers[i].name, request->headers[i].value,
                           (unsigned char)name_find(request->headers[i].name), false};
    if (!head.authority.n && question->addr.family == ADDR_UNIX)
        head.authority = STR("localhost");
    else if (!head.authority.n)
        head.authority = addr_print(&question->addr, memory, sizeof memory);
    h1_write_request(out, &head, request->path, H1_CLOSE);
    free(fields);
}

/* ---- judging; each function says whether the verdict is clear ---- */

static bool decide(struct http_answer *answer, enum check_result result)
{
    answer->result = result;
    return true;
}

/* Nothing but words in the body: they are looked for as it comes. */
static bool only_words(const struct check_expect *expect)
{
    return expect->body.n && !expect->body_regex.n && !expect->json.field.n;
}

static bool judge_head(struct probe *probe, const struct head *head)
{
    const struct check_expect *expect = &probe->question->check.expect;
    struct http_answer *answer = probe->answer;

    answer->status = head->status;
    answer->has_bad_status =
        !health_expects_status(&probe->question->check, head->status);
    if (answer->has_bad_status &&
        (!expect->json.field.n || head->framing == FRAMING_NONE))
        return decide(answer, CHECK_BAD_STATUS);
    if (!expect->body.n && !expect->body_regex.n && !expect->json.field.n)
        return decide(answer, CHECK_PASSED);
    answer->framing = head->framing;
    answer->left = head->content_length;
    chunked_init(&answer->chunked, NULL, 0);
    answer->body = chunk_new(probe->engine, CHUNK_LARGE);
    return false;
}

static bool is_matched(const struct pattern *regex, str body)
{
    struct pattern_scratch scratch;
    bool is_found;

    pattern_scratch_init(&scratch);
    is_found = pattern_match(regex, body, &scratch);
    pattern_scratch_close(&scratch);
    return is_found;
}

/* The body is whole, or as much of it is there as we look at. */
static bool judge_body(struct probe *probe)
{
    const struct probe_question *question = probe->question;
    const struct check_expect *expect = &question->check.expect;
    struct http_answer *answer = probe->answer;
    str body = {answer->body->bytes, answer->body->end};
    bool is_well = true;

    if (expect->json.field.n)
        is_well = json_state_judge(&probe->outcome, &expect->json, body,
                                   answer->has_bad_status);
    if (answer->has_bad_status)
        return decide(answer, CHECK_BAD_STATUS);
    if (expect->body.n && str_find(body, expect->body) < 0)
        return decide(answer, CHECK_BAD_BODY);
    if (expect->body_regex.n && !is_matched(&question->regex, body))
        return decide(answer, CHECK_NO_MATCH);
    return decide(answer, is_well ? CHECK_PASSED : CHECK_BAD_JSON);
}

static bool take_head(struct probe *probe)
{
    static const struct h1_limits limits = {.head_most = CHUNK_LARGE};
    enum http_method asked = method_find(probe->question->check.request.method);
    struct http_answer *answer = probe->answer;
    struct field fields[FIELDS_MOST];

    while (answer->interim <= CHUNK_LARGE) {
        struct head head = {.fields = fields, .field_room = FIELDS_MOST};
        enum h1_verdict verdict = h1_read_response(
            &answer->reader, chunk_bytes(answer->in), &limits, asked, &head);

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
    const struct check_expect *expect = &probe->question->check.expect;
    struct http_answer *answer = probe->answer;
    struct chunk *body = answer->body;
    size_t before = body->end > expect->body.n ? body->end - expect->body.n : 0;

    piece = str_upto(piece, body->room - body->end);
    memcpy(body->bytes + body->end, piece.p, piece.n);
    body->end += (unsigned)piece.n;
    if (only_words(expect) &&
        str_find(str_from(chunk_bytes(body), before), expect->body) >= 0)
        return decide(answer, CHECK_PASSED);
    return body->end == body->room && judge_body(probe);
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
            return judge_body(probe);
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
    return judge_body(probe);
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
static enum check_result result_of_end(struct probe *probe, enum err e)
{
    struct http_answer *answer = probe->answer;

    if (answer->body && answer->framing == FRAMING_CLOSE && e == ERR_EOF) {
        judge_body(probe);
        return answer->result;
    }
    return answer->has_bad_status ? CHECK_BAD_STATUS : CHECK_CLOSED;
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
        probe_finish(probe, result_of_end(probe, e), answer->status);
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

const struct probe_kind probe_http = {
    .name = "http", .compose = http_compose, .proceed = http_proceed, .drop = http_drop};

/*
 * Writes heads. Fields that stand in their source as they are to be written, one behind the
 * other, are copied in one piece; that is a matter of speed only, the bytes are the same.
 */
#include "proto/h1_write.h"

#include "proto/names.h"

static const str line_end = {"\r\n", 2};

static inline void put(char **p, str s)
{
    memcpy(*p, s.p, s.n);
    *p += s.n;
}

/* Does it stand in its source as "name: value"? */
static inline bool is_whole(const struct field *field)
{
    const char *colon = field->name.p + field->name.n;

    return field->value.p == colon + 2 && memcmp(colon, ": ", 2) == 0;
}

/* Does it stand behind that run of fields, with a line end between? */
static inline bool follows(const struct field *field, str run)
{
    return run.n && field->name.p == run.p + run.n + 2 &&
           memcmp(run.p + run.n, "\r\n", 2) == 0;
}

static inline void write_run(struct text *out, str run)
{
    char *p;

    if (!run.n)
        return;
    if (unlikely(run.n + line_end.n > out->room - out->n)) {
        out->overflow = true;
        return;
    }
    p = out->p + out->n;
    out->n += run.n + line_end.n;
    put(&p, run);
    put(&p, line_end);
}

static inline void write_parts(struct text *out, const struct field *field)
{
    size_t n = field->name.n + 2 + field->value.n + line_end.n;
    char *p = out->p + out->n;

    if (unlikely(n > out->room - out->n)) {
        out->overflow = true;
        return;
    }
    out->n += n;
    put(&p, field->name);
    put(&p, STR(": "));
    if (field->value.n)
        put(&p, field->value);
    put(&p, line_end);
}

/* Fields that are dropped or whose bit is in `not_written` (NAME_BIT) are passed over. */
static void write_fields(struct text *out, const struct field *fields, unsigned count,
                         uint64_t not_written)
{
    str run = STR_NONE; /* whole fields that are still to be written */

    for (const struct field *field = fields; field < fields + count; field++) {
        if (field->dropped || not_written >> field->known & 1)
            continue;
        if (!is_whole(field)) {
            write_run(out, run);
            run = STR_NONE;
            write_parts(out, field);
            continue;
        }
        if (!follows(field, run)) {
            write_run(out, run);
            run.p = field->name.p;
        }
        run.n = (size_t)(field->value.p + field->value.n - run.p);
    }
    write_run(out, run);
}

static void write_length(struct text *out, uint64_t length)
{
    text_add(out, STR("Content-Length: "));
    text_u64(out, length);
    text_add(out, line_end);
}

static void write_connection(struct text *out, enum h1_after after)
{
    switch (after) {
    case H1_KEEP:
        break;
    case H1_KEEP_SAID:
        text_add(out, STR("Connection: keep-alive\r\n"));
        break;
    case H1_CLOSE:
        text_add(out, STR("Connection: close\r\n"));
        break;
    case H1_UPGRADE:
        text_add(out, STR("Connection: upgrade\r\nUpgrade: websocket\r\n"));
        break;
    }
}

/* The connection fields of a request that takes trailers. */
static void write_connection_te(struct text *out, enum h1_after after)
{
    text_add(out, STR("TE: trailers\r\n"));
    text_add(out, after == H1_CLOSE ? STR("Connection: close, TE\r\n")
                                    : STR("Connection: TE\r\n"));
}

/* And Host, which stands first because servers look for it first. */
static void write_request_line(struct text *out, const struct head *head, str target)
{
    static const str version = {" HTTP/1.1\r\n", 11}, host = {"Host: ", 6};
    size_t n = head->method_text.n + 1 + target.n + version.n;
    char *p = out->p + out->n;

    if (head->authority.n)
        n += host.n + head->authority.n + line_end.n;
    if (unlikely(n > out->room - out->n)) {
        out->overflow = true;
        return;
    }
    out->n += n;
    put(&p, head->method_text);
    *p++ = ' ';
    put(&p, target);
    put(&p, version);
    if (head->authority.n) {
        put(&p, host);
        put(&p, head->authority);
        put(&p, line_end);
    }
}

void h1_write_request(struct text *out, const struct head *head, str target,
                      enum h1_after after)
{
    bool wants_body = head->method == HTTP_POST || head->method == HTTP_PUT ||
                      head->method == HTTP_PATCH;

    write_request_line(out, head, target);
    write_fields(out, head->fields, head->field_count,
                 NAMES_HOP_BY_HOP | NAME_BIT(NAME_HOST));
    if (head->framing == FRAMING_CHUNKED)
        text_add(out, STR("Transfer-Encoding: chunked\r\n"));
    else if (head->framing == FRAMING_LENGTH)
        write_length(out, head->content_length);
    else if (wants_body)
        write_length(out, 0);
    if (head->flags & HEAD_TE_TRAILERS && after != H1_UPGRADE)
        write_connection_te(out, after);
    else
        write_connection(out, after);
    text_add(out, line_end);
}

static void write_response_framing(struct text *out, const struct head *head)
{
    switch (head->framing) {
    case FRAMING_CHUNKED:
        text_add(out, STR("Transfer-Encoding: chunked\r\n"));
        break;
    case FRAMING_LENGTH:
        write_length(out, head->content_length);
        break;
    case FRAMING_CLOSE:
        break;
    case FRAMING_NONE:
        if (head->status < 200 || head->status == 204)
            break;
        if (head->flags & HEAD_LENGTH_SAID)
            write_length(out, head->content_length);
        else if (!(head->flags & HEAD_NO_LENGTH) && head->status != 304)
            write_length(out, 0);
        break;
    }
}

static void write_status_line(struct text *out, const struct head *head)
{
    static const str version = {"HTTP/1.1 ", 9};
    size_t n = version.n + 4 + head->reason.n + line_end.n;
    char *p = out->p + out->n;

    if (unlikely(n > out->room - out->n)) {
        out->overflow = true;
        return;
    }
    out->n += n;
    put(&p, version);
    *p++ = (char)('0' + head->status / 100 % 10);
    memcpy(p, text_pairs + head->status % 100 * 2, 2);
    p[2] = ' ';
    p += 3;
    if (head->reason.n)
        put(&p, head->reason);
    put(&p, line_end);
}

void h1_write_response(struct text *out, const struct head *head, enum h1_after after)
{
    write_status_line(out, head);
    write_fields(out, head->fields, head->field_count, NAMES_HOP_BY_HOP);
    write_response_framing(out, head);
    write_connection(out, after);
    text_add(out, line_end);
}

void h1_write_chunk_size(struct text *out, uint64_t n)
{
    text_hex(out, n, 1);
    text_add(out, line_end);
}

void h1_write_last_chunk(struct text *out, const struct field *trailers, unsigned count)
{
    text_add(out, STR("0\r\n"));
    write_fields(out, trailers, count, 0);
    text_add(out, line_end);
}

/*
 * HTTP/1 as an end. Receiving goes into a slab chunk that is given back at once when
 * nothing came; a head's slices hold their chunk until h1_end_drop_head. A head to send
 * is built in the engine's scratch and leaves together with the first bytes of the body
 * in one call; nothing points there after a flush.
 */
#include "proxy/h1_end.h"

#include "base/check.h"
#include "proto/h1_write.h"
#include "proxy/body.h"

enum { MOST_PARTS = 5 }; /* head, chunk size, data, line end, last chunk */

static struct h1_end *h1_of(struct http_end *end)
{
    return container_of(end, struct h1_end, end);
}

/* ---- receiving ---- */

static void free_in(struct h1_end *h1)
{
    if (h1->in && h1->in != h1->head)
        chunk_free(h1->conn.engine, h1->in);
    h1->in = NULL;
}

void h1_end_drop_head(struct h1_end *h1)
{
    if (h1->head && h1->head != h1->in)
        chunk_free(h1->conn.engine, h1->head);
    h1->head = NULL;
    if (h1->in && !h1_end_has_input(h1))
        free_in(h1);
}

/* h1->in is full to its end: moves its bytes to the front or into a larger chunk. */
static enum err make_room(struct h1_end *h1)
{
    struct chunk *in = h1->in, *large;
    unsigned n = in->end - in->at;

    if (in->at > 0 && n < in->room) {
        memmove(in->bytes, in->bytes + in->at, n);
        in->at = 0;
        in->end = n;
        return ERR_OK;
    }
    if (in->room == CHUNK_LARGE)
        return ERR_TOO_LARGE;
    if (engine_is_full(h1->conn.engine))
        return ERR_NO_MEMORY;
    large = chunk_new(h1->conn.engine, CHUNK_LARGE);
    memcpy(large->bytes, in->bytes + in->at, n);
    large->end = n;
    chunk_free(h1->conn.engine, in);
    h1->in = large;
    return ERR_OK;
}

/* Receives behind what is there. An empty chunk does not stay when nothing came. */
static enum err receive(struct h1_end *h1, unsigned size)
{
    struct chunk *in;
    size_t got;
    enum err e;

    if (!h1->conn.can_read)
        return ERR_AGAIN;
    if (!h1->in) {
        h1->in = chunk_new(h1->conn.engine, engine_room(h1->conn.engine, size));
        h1->is_past_head = h1->head != NULL;
    }
    if (h1->in->end == h1->in->room && (e = make_room(h1)))
        return e;
    in = h1->in;
    e = conn_read(&h1->conn, in->bytes + in->end, in->room - in->end, &got);
    if (e == ERR_OK)
        in->end += (unsigned)got;
    else if (in->at == in->end && in != h1->head)
        free_in(h1);
    return e;
}

static void keep_head(struct h1_end *h1, const struct head *head)
{
    h1->head = h1->in;
    h1->in->at += (unsigned)head->bytes;
    h1->body_at = h1->in->at;
    h1->is_past_head = false;
    h1->reader = (struct h1_reader){0};
}

/* No memory for a request: ERR_NO_MEMORY if one has come (its bytes are thrown away, for
 * the connection ends), else as nothing came. Silence must not be answered. */
static enum err turn_away(struct h1_end *h1)
{
    size_t got;
    enum err e = conn_read(&h1->conn, h1->conn.engine->scratch, SCRATCH_SIZE, &got);

    return e ? e : ERR_NO_MEMORY;
}

enum err h1_end_read_request(struct h1_end *h1, const struct h1_limits *limits,
                             struct head *head, enum h1_verdict *verdict)
{
    for (;;) {
        enum err e;

        if (h1_end_has_input(h1)) {
            *verdict = h1_read_request(&h1->reader, chunk_bytes(h1->in), limits, head);
            if (*verdict == H1_DONE)
                keep_head(h1, head);
            if (*verdict != H1_MORE)
                return ERR_OK;
        }
        if (!h1->in && engine_is_full(h1->conn.engine))
            return turn_away(h1);
        if ((e = receive(h1, CHUNK_SMALL)))
            return e;
    }
}

enum err h1_end_read_response(struct h1_end *h1, const struct h1_limits *limits,
                              enum http_method asked, struct head *head,
                              enum h1_verdict *verdict)
{
    for (;;) {
        enum err e;

        if (h1_end_has_input(h1)) {
            *verdict =
                h1_read_response(&h1->reader, chunk_bytes(h1->in), limits, asked, head);
            if (*verdict == H1_DONE)
                keep_head(h1, head);
            if (*verdict != H1_MORE)
                return ERR_OK;
        }
        if ((e = receive(h1, CHUNK_LARGE)))
            return e;
    }
}

/* Takes the next payload out of h1->in. ERR_AGAIN: all of it is used up. */
static enum err take_payload(struct h1_end *h1, struct body *body, str *data)
{
    str bytes = chunk_bytes(h1->in);

    switch (body->framing) {
    case FRAMING_LENGTH:
        *data = str_upto(bytes, body->left);
        body->left -= data->n;
        body->is_read = body->left == 0;
        break;
    case FRAMING_CHUNKED: {
        str rest = bytes;
        enum chunked_verdict verdict = chunked_read(&body->chunked, &rest, data);

        h1->in->at += (unsigned)(bytes.n - rest.n);
        if (verdict == CHUNKED_DATA)
            return ERR_OK;
        body->is_read = verdict == CHUNKED_DONE;
        return verdict == CHUNKED_DONE  ? ERR_EOF
               : verdict == CHUNKED_BAD ? ERR_INVALID
                                        : ERR_AGAIN;
    }
    case FRAMING_CLOSE:
        *data = bytes;
        break;
    case FRAMING_NONE:
        return ERR_EOF;
    }
    h1->in->at += (unsigned)data->n;
    return ERR_OK;
}

static enum err h1_read_body(struct http_end *end, struct body *body, str *data)
{
    struct h1_end *h1 = h1_of(end);
    enum err e;

    if (body->is_read)
        return ERR_EOF;
    for (;;) {
        if (h1_end_has_input(h1)) {
            e = take_payload(h1, body, data);
            if (e != ERR_AGAIN)
                return e;
        }
        if (h1->in && (h1->in != h1->head || h1->in->end == h1->in->room))
            free_in(h1); /* in the head's chunk a short body can be read once more */
        e = receive(h1, CHUNK_LARGE);
        if (e == ERR_EOF && body->framing == FRAMING_CLOSE) {
            body->is_read = true;
            return ERR_EOF;
        }
        if (e)
            return e == ERR_EOF ? ERR_RESET : e;
    }
}

static void h1_rest(struct http_end *end)
{
    struct h1_end *h1 = h1_of(end);

    if (h1->in && h1->in != h1->head && !h1_end_has_input(h1))
        free_in(h1);
}

bool h1_end_can_rewind(const struct h1_end *h1, uint64_t passed)
{
    return h1->head && !h1->is_past_head && passed <= h1->head->at - h1->body_at;
}

bool h1_end_rewind(struct h1_end *h1, uint64_t passed)
{
    if (!h1_end_can_rewind(h1, passed))
        return false;
    h1->in = h1->head;
    h1->in->at = h1->body_at;
    return true;
}

enum err h1_end_discard(struct h1_end *h1, uint64_t most)
{
    enum err e;

    do {
        free_in(h1);
        if ((e = receive(h1, CHUNK_LARGE)))
            return e;
    } while (h1->conn.received < most);
    return ERR_TOO_LARGE;
}

/* ---- sending ---- */

static void keep_rest(struct h1_end *h1, const char *p, size_t n)
{
    struct chunk **last = &h1->out;

    while (*last)
        last = &(*last)->next;
    while (n) {
        struct chunk *chunk =
            chunk_new(h1->conn.engine, n > CHUNK_SMALL ? CHUNK_LARGE : CHUNK_SMALL);
        size_t take = n < chunk->room ? n : chunk->room;

        memcpy(chunk->bytes, p, take);
        chunk->end = (unsigned)take;
        *last = chunk;
        last = &chunk->next;
        p += take;
        n -= take;
    }
}

/* What leaves in one call. */
struct parcel {
    struct iovec parts[MOST_PARTS];
    unsigned count;
    size_t size; /* bytes in all of them */
};

static void parcel_add(struct parcel *parcel, str bytes)
{
    if (!bytes.n)
        return;
    parcel->parts[parcel->count++] = (struct iovec){(void *)(uintptr_t)bytes.p, bytes.n};
    parcel->size += bytes.n;
}

/* Begins with the head that is pending. */
static void parcel_begin(struct parcel *parcel, struct h1_end *h1)
{
    parcel->count = 0;
    parcel->size = 0;
    parcel_add(parcel, (str){h1->conn.engine->scratch, h1->pending});
    h1->pending = 0;
}

/* What the socket has not taken: all but the first `sent` bytes. */
static NEVER_INLINE void keep_unsent(const struct parcel *parcel, struct h1_end *h1,
                                     size_t sent)
{
    for (unsigned i = 0; i < parcel->count; i++) {
        const struct iovec *part = &parcel->parts[i];
        size_t gone = sent < part->iov_len ? sent : part->iov_len;

        keep_rest(h1, (char *)part->iov_base + gone, part->iov_len - gone);
        sent -= gone;
    }
}

/* Keeps what the socket does not take. A broken one is noticed by the next flush. */
static ALWAYS_INLINE void parcel_send(const struct parcel *parcel, struct h1_end *h1,
                                      bool more)
{
    size_t sent = 0;

    if (!parcel->count)
        return;
    if (h1->out || conn_send(&h1->conn, parcel->parts, parcel->count, more, &sent))
        sent = 0;
    if (unlikely(sent != parcel->size))
        keep_unsent(parcel, h1, sent);
}

static void h1_send_head(struct http_end *end, const struct head_send *what)
{
    struct h1_end *h1 = h1_of(end);
    struct text text = text_in(h1->conn.engine->scratch, SCRATCH_SIZE);
    enum h1_after after = what->upgrades      ? H1_UPGRADE
                          : what->closes      ? H1_CLOSE
                          : what->is_old_peer ? H1_KEEP_SAID
                                              : H1_KEEP;

    CHECK(h1->pending == 0);
    if (what->is_response)
        h1_write_response(&text, what->head, after);
    else
        h1_write_request(&text, what->head, what->target, after);
    CHECK(!text.overflow); /* heads are bounded by CHUNK_LARGE, edits by configuration */
    h1->pending = (unsigned)text.n;
    h1->is_last_answer = what->is_response && what->closes;
}

static str last_chunk(struct body *body, char *memory, size_t room)
{
    struct text text = text_in(memory, room);
    struct field trailers[16];
    str rest = text_str(&body->chunked.trailers);
    unsigned count = 0;

    if (body->framing == FRAMING_CHUNKED)
        while (count < array_len(trailers) && trailer_next(&rest, &trailers[count]))
            count++;
    h1_write_last_chunk(&text, trailers, count);
    return text_str(&text);
}

/* By itself because of the room that it needs. */
static NEVER_INLINE void send_chunk(struct h1_end *h1, struct parcel *parcel,
                                    struct body *body, str data, bool last)
{
    bool with_fin = last && h1->is_last_answer;
    char size_line[H1_CHUNK_SIZE_MOST];
    char tail[BODY_TRAILER_ROOM + 64];

    if (data.n) {
        struct text text = text_in(size_line, sizeof size_line);

        h1_write_chunk_size(&text, data.n);
        parcel_add(parcel, text_str(&text));
        parcel_add(parcel, data);
        parcel_add(parcel, STR("\r\n"));
    }
    if (last)
        parcel_add(parcel, last_chunk(body, tail, sizeof tail));
    parcel_send(parcel, h1, with_fin);
}

static void h1_send_body(struct http_end *end, struct body *body, str data, bool last)
{
    struct h1_end *h1 = h1_of(end);
    struct parcel parcel;

    parcel_begin(&parcel, h1);
    if (body->to_framing == FRAMING_CHUNKED) {
        send_chunk(h1, &parcel, body, data, last);
        return;
    }
    parcel_add(&parcel, data);
    parcel_send(&parcel, h1, last && h1->is_last_answer);
}

void h1_end_send_raw(struct h1_end *h1, str bytes)
{
    struct parcel parcel;

    parcel_begin(&parcel, h1);
    parcel_add(&parcel, bytes);
    parcel_send(&parcel, h1, false);
}

static bool h1_has_input(const struct http_end *end)
{
    return h1_end_has_input(container_of(end, struct h1_end, end));
}

static bool h1_has_room(const struct http_end *end)
{
    return container_of(end, struct h1_end, end)->out == NULL;
}

static NEVER_INLINE enum err flush_kept(struct h1_end *h1, bool more)
{
    while (h1->out) {
        struct chunk *chunk = h1->out;
        struct iovec part = {chunk->bytes + chunk->at, chunk->end - chunk->at};
        size_t sent;
        enum err e = conn_send(&h1->conn, &part, 1, more || chunk->next, &sent);

        if (e)
            return e;
        chunk->at += (unsigned)sent;
        if (chunk->at < chunk->end)
            continue;
        h1->out = chunk->next;
        chunk_free(h1->conn.engine, chunk);
    }
    return ERR_OK;
}

/* A head without a body. */
static NEVER_INLINE void send_pending(struct h1_end *h1, bool more)
{
    struct parcel parcel;

    parcel_begin(&parcel, h1);
    parcel_send(&parcel, h1, more);
}

static enum err h1_flush(struct http_end *end, bool more)
{
    struct h1_end *h1 = h1_of(end);

    if (h1->pending)
        send_pending(h1, more);
    return unlikely(h1->out != NULL) ? flush_kept(h1, more) : ERR_OK;
}

/* ---- life ---- */

static const struct http_end_ops h1_ops = {
    .send_head = h1_send_head,
    .read_body = h1_read_body,
    .rest = h1_rest,
    .has_input = h1_has_input,
    .send_body = h1_send_body,
    .has_room = h1_has_room,
    .flush = h1_flush,
};

void h1_end_init(struct h1_end *h1)
{
    h1->end = (struct http_end){&h1_ops, &h1->conn};
    h1->in = h1->head = h1->out = NULL;
    h1->reader = (struct h1_reader){0};
    h1->pending = 0;
}

void h1_end_close(struct h1_end *h1)
{
    if (h1->in)
        h1->in->at = h1->in->end;
    h1_end_drop_head(h1);
    free_in(h1);
    while (h1->out) {
        struct chunk *chunk = h1->out;

        h1->out = chunk->next;
        chunk_free(h1->conn.engine, chunk);
    }
    h1->pending = 0;
    conn_close(&h1->conn);
}

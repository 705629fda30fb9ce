/*
 * A blocking HTTP/1.1 client of one request, made of the door's non-blocking calls and a
 * wait between them. It reads answers as strictly as the daemon reads its servers'.
 */
#include "main/ask.h"

#include "io/sys.h"
#include "proto/h1_read.h"

#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_MOST = 256 << 20, FIELDS_MOST = 32 };

struct asking {
    int fd, poll;
    uint64_t end; /* monotonic ns */
    char *bytes;  /* what came so far */
    size_t n, room;
};

static enum err wait_ready(struct asking *asking)
{
    struct sys_event event;
    uint64_t now = sys_now();

    if (now >= asking->end)
        return ERR_TIMEOUT;
    sys_poll_wait(asking->poll, &event, 1, asking->end - now);
    return ERR_OK;
}

static enum err open_socket(struct asking *asking, const char *path)
{
    struct addr addr;
    enum err e;

    asking->fd = asking->poll = -1;
    if ((e = addr_from_path(str_of(path), &addr)))
        return e;
    if ((e = sys_socket(ADDR_UNIX, &asking->fd)) || (e = sys_poll_new(&asking->poll)))
        return e;
    while ((e = sys_connect(asking->fd, &addr)) == ERR_AGAIN) {
        /* Its queue is full; a unix socket gives no event when there is room. */
        struct sys_event event;

        if (sys_now() >= asking->end)
            return ERR_TIMEOUT;
        sys_poll_wait(asking->poll, &event, 1, 20000000);
    }
    if (e)
        return e;
    return sys_poll_add(asking->poll, asking->fd, READY_IN | READY_OUT, false, NULL);
}

static void close_socket(struct asking *asking)
{
    if (asking->poll >= 0)
        sys_close(asking->poll);
    if (asking->fd >= 0)
        sys_close(asking->fd);
}

static enum err send_all(struct asking *asking, str text)
{
    enum err e = ERR_OK;

    while (!e && text.n) {
        struct iovec part = {(void *)(uintptr_t)text.p, text.n};
        size_t sent = 0;

        e = sys_send(asking->fd, &part, 1, false, &sent);
        text = str_from(text, sent);
        if (e == ERR_AGAIN)
            e = wait_ready(asking);
    }
    return e;
}

/* More of the answer behind what is there. */
static enum err read_more(struct asking *asking, struct arena *arena)
{
    size_t got;
    enum err e;

    if (asking->n == asking->room) {
        char *grown;

        if (asking->room >= ANSWER_MOST)
            return ERR_TOO_LARGE;
        grown = arena_alloc(arena, asking->room * 2);
        memcpy(grown, asking->bytes, asking->n);
        asking->bytes = grown;
        asking->room *= 2;
    }
    while ((e = sys_recv(asking->fd, asking->bytes + asking->n, asking->room - asking->n,
                         &got)) == ERR_AGAIN) {
        if ((e = wait_ready(asking)))
            return e;
    }
    asking->n += e ? 0 : got;
    return e;
}

static enum err read_head(struct asking *asking, struct arena *arena,
                          enum http_method method, struct head *head)
{
    const struct h1_limits limits = {.head_most = 16384, .fields_most = FIELDS_MOST};
    struct h1_reader reader = {0};
    enum h1_verdict verdict;
    enum err e;

    do {
        if ((e = read_more(asking, arena)))
            return e == ERR_EOF ? ERR_INVALID : e;
        verdict = h1_read_response(&reader, (str){asking->bytes, asking->n}, &limits,
                                   method, head);
    } while (verdict == H1_MORE);
    return verdict == H1_DONE ? ERR_OK : ERR_INVALID;
}

static enum err read_answer(struct asking *asking, struct arena *arena,
                            enum http_method method, unsigned *status, str *body)
{
    struct field fields[FIELDS_MOST];
    struct head head = {.fields = fields, .field_room = FIELDS_MOST};
    enum err e = read_head(asking, arena, method, &head);
    size_t whole;

    if (e)
        return e;
    if (head.framing == FRAMING_CHUNKED || head.framing == FRAMING_CLOSE ||
        head.content_length > ANSWER_MOST)
        return ERR_INVALID; /* the admin server says a length */
    whole = head.bytes + (head.framing == FRAMING_LENGTH ? head.content_length : 0);
    while (asking->n < whole) {
        if ((e = read_more(asking, arena)))
            return e == ERR_EOF ? ERR_INVALID : e;
    }
    *status = head.status;
    *body = (str){asking->bytes + head.bytes, whole - head.bytes};
    return ERR_OK;
}

enum err ask(const char *path, const struct question *question, struct arena *arena,
             unsigned *status, str *body)
{
    struct asking asking = {.end = sys_now() + question->seconds * UINT64_C(1000000000),
                            .room = 16384};
    bool is_get = strcmp(question->method, "GET") == 0;
    str length = is_get
                     ? STR("")
                     : arena_printf(arena, "Content-Length: %zu\r\n", question->body.n);
    str request = arena_printf(
        arena,
        "%s " STR_FMT " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" STR_FMT
        "\r\n" STR_FMT,
        question->method, STR_ARG(question->target), STR_ARG(length),
        STR_ARG(question->body));
    enum err e = open_socket(&asking, path);

    asking.bytes = arena_alloc(arena, asking.room);
    if (!e)
        e = send_all(&asking, request);
    if (!e)
        e = read_answer(&asking, arena, is_get ? HTTP_GET : HTTP_POST, status, body);
    close_socket(&asking);
    return e;
}

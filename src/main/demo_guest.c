/*
 * One connection to a server of the demo: a buffer for what it asks and one for what it is
 * told; one answer must be out before the next request is read.
 */
#include "main/demo_guest.h"

#include "base/check.h"
#include "proto/h1_read.h"
#include "proto/h1_write.h"
#include "proto/names.h"
#include "proto/uri.h"

#include <stdlib.h>

enum { FIELDS_MOST = 64, AWAY_MOST = 3600 };

void demo_guest_free(struct demo_guest *guest)
{
    struct demo_origins *origins = guest->door->origins;

    loop_forget(&origins->loop, &guest->watch);
    sys_close(guest->watch.fd);
    list_remove(&guest->node);
    origins->guests--;
    free(guest);
}

/* ---- answering ---- */

static void answer(struct demo_guest *guest, unsigned status, str type, str body,
                   bool is_head)
{
    struct text out = text_in(guest->tell, sizeof guest->tell);
    struct field fields[3];
    struct head head = {
        .fields = fields,
        .field_room = array_len(fields),
        .status = status,
        .reason = status_reason(status),
        .framing = is_head ? FRAMING_NONE : FRAMING_LENGTH,
        .flags = is_head ? HEAD_LENGTH_SAID : 0,
        .content_length = body.n,
    };
    const char *name = guest->door->name ? guest->door->name : "control";
    bool fits = head_add(&head, NAME_CONTENT_TYPE, STR("Content-Type"), type) &&
                head_add(&head, NAME_OTHER, STR("X-Origin"), str_of(name)) &&
                head_add(&head, NAME_OTHER, STR("Cache-Control"), STR("no-store"));

    h1_write_response(&out, &head, guest->is_leaving ? H1_CLOSE : H1_KEEP);
    if (!is_head)
        text_add(&out, body);
    CHECK(fits && !out.overflow);
    guest->told = out.n;
    guest->told_at = 0;
}

static void answer_plain(struct demo_guest *guest, unsigned status, str body,
                         bool is_head)
{
    answer(guest, status, STR("text/plain; charset=utf-8"), body, is_head);
}

static void refuse(struct demo_guest *guest, unsigned status)
{
    guest->is_leaving = true;
    answer_plain(guest, status, STR("this small server does not do that\n"), false);
}

/* For browsers a page in the origin's colour, for curl a line. */
static void greet(struct demo_guest *guest, const struct head *head)
{
    const struct field *id = head_find_name(head, STR("x-request-id"));
    const struct field *accept = head_find(head, NAME_ACCEPT);
    bool is_page = accept && str_find(accept->value, STR("text/html")) >= 0;
    const char *name = guest->door->name;
    char memory[1024], addr[ADDR_TEXT_MOST];
    struct text body = text_in(memory, sizeof memory);

    if (is_page)
        text_format(&body,
                    "<!doctype html><title>%s</title><body style=\"background:%s;"
                    "color:white;font:2em sans-serif;padding:2em\">",
                    name, name);
    text_format(&body, "I am %s, at " STR_FMT ". This is my answer no. %lu.", name,
                STR_ARG(addr_print(&guest->door->addr, addr, sizeof addr)),
                (unsigned long)++guest->door->answers);
    if (id && id->value.n <= 64)
        text_format(&body, " Request " STR_FMT ".", STR_ARG(id->value));
    text_char(&body, '\n');
    if (is_page)
        answer(guest, 200, STR("text/html; charset=utf-8"), text_str(&body),
               head->method == HTTP_HEAD);
    else
        answer_plain(guest, 200, text_str(&body), head->method == HTTP_HEAD);
}

/* "20s" or "20"; 0: it is neither. */
static unsigned seconds_of(str text)
{
    uint64_t seconds;

    if (str_ends(text, STR("s")))
        text.n--;
    return str_to_u64(text, &seconds) && seconds <= AWAY_MOST ? (unsigned)seconds : 0;
}

static struct demo_door *find_origin(struct demo_origins *origins, str path)
{
    if (!str_starts(path, STR("/stop/")))
        return NULL;
    for (unsigned i = 0; i < DEMO_ORIGINS; i++) {
        if (str_eq(str_from(path, 6), str_of(origins->doors[i].name)))
            return &origins->doors[i];
    }
    return NULL;
}

/* /stop/green?for=20s */
static void control(struct demo_guest *guest, const struct head *head)
{
    struct demo_origins *origins = guest->door->origins;
    struct demo_door *door = find_origin(origins, head->path);
    bool is_head = head->method == HTTP_HEAD;
    unsigned seconds = 20;
    char memory[128];
    struct text body = text_in(memory, sizeof memory);
    str value;

    if (head->query.p && query_find(head->query, STR("for"), &value))
        seconds = seconds_of(value);
    if (!door || seconds == 0) {
        answer_plain(guest, 404, STR("try /stop/green?for=20s (red, green, blue)\n"),
                     is_head);
        return;
    }
    demo_door_leave(door, seconds);
    text_format(&body, "%s is away for %u s\n", door->name, seconds);
    answer_plain(guest, 200, text_str(&body), is_head);
}

/* ---- a guest's turn ---- */

/* False: the request is not complete yet. */
static bool serve_one(struct demo_guest *guest)
{
    static const struct h1_limits limits = {ASK_MOST, 4096, FIELDS_MOST};
    struct field fields[FIELDS_MOST];
    struct head head = {.fields = fields, .field_room = FIELDS_MOST};
    struct h1_reader reader = {0};
    enum h1_verdict verdict =
        h1_read_request(&reader, (str){guest->ask, guest->asked}, &limits, &head);

    if (verdict == H1_MORE && guest->asked < ASK_MOST)
        return false;
    if (verdict != H1_DONE) {
        refuse(guest, verdict == H1_BAD ? reader.status : 431);
        return true;
    }
    guest->is_leaving = !(head.flags & HEAD_KEEP_ALIVE);
    if (head.framing == FRAMING_CHUNKED || head.content_length > 0)
        refuse(guest, 413);
    else if (head.method != HTTP_GET && head.method != HTTP_HEAD)
        refuse(guest, 405);
    else if (guest->door->name)
        greet(guest, &head);
    else
        control(guest, &head);
    guest->asked -= head.bytes;
    memmove(guest->ask, guest->ask + head.bytes, guest->asked);
    return true;
}

static enum err tell(struct demo_guest *guest)
{
    while (guest->told_at < guest->told) {
        struct iovec part = {guest->tell + guest->told_at, guest->told - guest->told_at};
        size_t sent;
        enum err e = sys_send(guest->watch.fd, &part, 1, false, &sent);

        if (e)
            return e;
        guest->told_at += sent;
    }
    return guest->is_leaving ? ERR_EOF : ERR_OK;
}

static enum err hear(struct demo_guest *guest)
{
    size_t got = 0;
    enum err e = sys_recv(guest->watch.fd, guest->ask + guest->asked,
                          ASK_MOST - guest->asked, &got);

    guest->asked += e ? 0 : got;
    return e;
}

static void guest_ready(struct watch *watch, unsigned ready)
{
    struct demo_guest *guest = container_of(watch, struct demo_guest, watch);
    enum err e;

    do {
        e = tell(guest);
        if (!e && !serve_one(guest))
            e = hear(guest);
    } while (!e);
    if (e != ERR_AGAIN)
        demo_guest_free(guest);
}

void demo_guest_begin(struct demo_door *door, int fd)
{
    struct demo_origins *origins = door->origins;
    struct demo_guest *guest =
        origins->guests < DEMO_GUESTS_MOST ? calloc(1, sizeof *guest) : NULL;

    if (!guest) {
        sys_close(fd);
        return;
    }
    guest->door = door;
    watch_init(&guest->watch, fd, guest_ready);
    list_add(&door->guests, &guest->node);
    origins->guests++;
    if (loop_watch(&origins->loop, &guest->watch))
        demo_guest_free(guest);
}

/*
 * The servers of the demo. A guest is one connection with a buffer for what it asks and
 * one for what it is told; one answer must be out before the next request is read.
 */
#include "main/demo_origin.h"

#include "base/check.h"
#include "net/listen.h"
#include "proto/h1_read.h"
#include "proto/h1_write.h"
#include "proto/names.h"
#include "proto/uri.h"

#include <stdlib.h>

#define SECOND UINT64_C(1000000000)

enum { ASK_MOST = 8192, TOLD_MOST = 4096, FIELDS_MOST = 64, AWAY_MOST = 3600 };

struct demo_guest {
    struct list node; /* door->guests */
    struct watch watch;
    struct demo_door *door;
    size_t asked, told, told_at; /* bytes in the two buffers */
    bool is_leaving;             /* after what is told */
    char ask[ASK_MOST], tell[TOLD_MOST];
};

static const char *const names[DEMO_ORIGINS] = {"red", "green", "blue"};

static void guest_free(struct demo_guest *guest)
{
    struct demo_origins *origins = guest->door->origins;

    loop_forget(&origins->loop, &guest->watch);
    sys_close(guest->watch.fd);
    list_remove(&guest->node);
    origins->guests--;
    free(guest);
}

/* ---- coming and going ---- */

static void door_ready(struct watch *watch, unsigned ready);

static enum err door_open(struct demo_door *door)
{
    int fd;
    enum err e = listen_socket_open(&door->addr, &fd);

    if (e)
        return e;
    watch_init(&door->watch, fd, door_ready);
    if ((e = sys_local_addr(fd, &door->addr)) ||
        (e = loop_watch(&door->origins->loop, &door->watch))) {
        sys_close(fd);
        door->watch.fd = -1;
    }
    return e;
}

static void door_close(struct demo_door *door)
{
    list_each_safe(node, &door->guests)
        guest_free(list_entry(node, struct demo_guest, node));
    if (door->watch.fd < 0)
        return;
    loop_forget(&door->origins->loop, &door->watch);
    sys_close(door->watch.fd);
    door->watch.fd = -1;
}

static void door_back(struct timer *timer)
{
    struct demo_door *door = container_of(timer, struct demo_door, back);
    struct loop *loop = &door->origins->loop;

    if (door->watch.fd < 0 && door_open(door))
        timer_set(&loop->timers, timer, loop->now + SECOND);
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
    door_close(door);
    timer_set(&origins->loop.timers, &door->back, origins->loop.now + seconds * SECOND);
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
        guest_free(guest);
}

static void door_ready(struct watch *watch, unsigned ready)
{
    struct demo_door *door = container_of(watch, struct demo_door, watch);
    struct demo_origins *origins = door->origins;
    struct addr peer;
    int fd;

    while (sys_accept(watch->fd, &fd, &peer) == ERR_OK) {
        struct demo_guest *guest =
            origins->guests < DEMO_GUESTS_MOST ? calloc(1, sizeof *guest) : NULL;

        if (!guest) {
            sys_close(fd);
            continue;
        }
        guest->door = door;
        watch_init(&guest->watch, fd, guest_ready);
        list_add(&door->guests, &guest->node);
        origins->guests++;
        if (loop_watch(&origins->loop, &guest->watch))
            guest_free(guest);
    }
}

/* ---- life ---- */

static bool origins_turn(void *owner)
{
    return loop_turn(owner);
}

static void told_to_stop(struct mail *mail)
{
    struct demo_origins *origins = container_of(mail, struct demo_origins, stop);

    loop_stop(&origins->loop);
}

static void close_all(struct demo_origins *origins)
{
    for (unsigned i = 0; i <= DEMO_ORIGINS; i++) {
        door_close(&origins->doors[i]);
        timer_remove(&origins->loop.timers, &origins->doors[i].back);
    }
    loop_close(&origins->loop);
}

enum err demo_origins_start(struct demo_origins *origins)
{
    enum err e;

    *origins = (struct demo_origins){.stop.open = told_to_stop};
    if ((e = loop_init(&origins->loop)))
        return e;
    for (unsigned i = 0; i <= DEMO_ORIGINS; i++) {
        struct demo_door *door = &origins->doors[i];

        door->name = i < DEMO_ORIGINS ? names[i] : NULL;
        door->addr = (struct addr){.family = ADDR_IP4, .ip = {127, 0, 0, 1}};
        door->origins = origins;
        door->watch.fd = -1;
        list_init(&door->guests);
        timer_init(&door->back, door_back);
        if (!e)
            e = door_open(door);
    }
    if (!e)
        e = sys_thread_start(&origins->thread, "weir-origins", origins_turn,
                             &origins->loop);
    if (e)
        close_all(origins);
    return e;
}

void demo_origins_stop(struct demo_origins *origins)
{
    mailbox_post(&origins->loop.mailbox, &origins->stop);
    sys_thread_join(&origins->thread);
    close_all(origins);
}

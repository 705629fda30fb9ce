/*
 * One client of the admin server: a small machine of states, turned by readiness, by its
 * deadline and by the deferred call. A turn ends after each answer, so that a client that
 * sends a thousand requests at once has no more of the thread than any other.
 *
 * Every answer ends well: whoever is hung up on hears the answer first, because the
 * connection stays half open for a moment while what he still sends is thrown away; the
 * kernel would otherwise reset it under the answer (RFC 9112 9.6).
 */
#include "control/admin_client.h"

#include "base/check.h"
#include "proto/date.h"
#include "proto/h1_write.h"
#include "proto/names.h"

#include <stdlib.h>

#define SECOND ((uint64_t)1000000000)
#define TIME_TO_ASK (10 * SECOND)  /* for a head, and for a body */
#define TIME_TO_IDLE (60 * SECOND) /* longer than people scrape apart */
#define TIME_TO_LINGER (2 * SECOND)
#define TIME_TO_HEAR (10 * SECOND) /* and a second for each HEARD_A_SECOND bytes */

enum { HEARD_A_SECOND = 64 * 1024, LINGER_MOST = 1024 * 1024 };

/* What to do next. */
enum step { STEP_ON, STEP_REST, STEP_END };

static void deadline_in(struct client *client, uint64_t ns)
{
    struct loop *loop = &client->conn.engine->loop;

    timer_set(&loop->timers, &client->deadline, loop->now + ns);
}

static void run_again(struct client *client)
{
    loop_defer(&client->conn.engine->loop, &client->again);
}

/* ---- answering ---- */

static void write_head(struct client *client, unsigned status, str type)
{
    const struct demand *demand = &client->demand;
    struct field fields[5];
    struct head head = {.fields = fields,
                        .field_room = array_len(fields),
                        .status = status,
                        .reason = status_reason(status),
                        .framing = FRAMING_LENGTH,
                        .content_length = client->answer.n};
    enum h1_after after = demand->is_http10 ? H1_KEEP_SAID : H1_KEEP;
    char date[DATE_LENGTH];
    bool fits = true;

    date_write(date, (int64_t)(sys_wall() / SECOND));
    fits &= head_add(&head, NAME_DATE, STR("Date"), (str){date, sizeof date});
    fits &= head_add(&head, NAME_CONTENT_TYPE, STR("Content-Type"), type);
    fits &= head_add(&head, NAME_OTHER, STR("Cache-Control"), STR("no-store"));
    fits &= head_add(&head, NAME_OTHER, STR("X-Content-Type-Options"), STR("nosniff"));
    if (demand->allow)
        fits &= head_add(&head, NAME_OTHER, STR("Allow"), str_of(demand->allow));
    if (demand->is_head) {
        head.framing = FRAMING_NONE;
        head.flags = HEAD_LENGTH_SAID;
    }
    client->answer_head = text_in(client->head_memory, sizeof client->head_memory);
    h1_write_response(&client->answer_head, &head, demand->keeps ? after : H1_CLOSE);
    CHECK(fits && !client->answer_head.overflow);
}

void client_answer(struct client *client, unsigned status, str type)
{
    CHECK(client->state != CLIENT_ANSWER);
    write_head(client, status, type);
    if (client->demand.is_head)
        scroll_close(&client->answer);
    client->gate->admin->waiting += client->answer.n;
    client->sent = 0;
    client->state = CLIENT_ANSWER;
    deadline_in(client, TIME_TO_HEAR + client->answer.n / HEARD_A_SECOND * SECOND);
    run_again(client);
}

void client_refuse(struct client *client, unsigned status, const char *why)
{
    struct scroll *out = &client->answer;

    scroll_add(out, STR("{\"type\":\"about:blank\",\"title\":"));
    scroll_json(out, status_reason(status));
    scroll_format(out, ",\"status\":%u,\"detail\":", status);
    scroll_json(out, str_of(why));
    scroll_add(out, STR("}\n"));
    client_answer(client, status, STR("application/problem+json"));
}

/* As client_refuse, when what the client still sends need not be understood. */
static enum step give_up(struct client *client, unsigned status, const char *why)
{
    client->demand =
        (struct demand){.allow = status == 405 ? "GET, HEAD, POST, PATCH" : NULL};
    scroll_close(&client->body);
    client_refuse(client, status, why);
    return STEP_ON;
}

static void answer_drop(struct client *client)
{
    if (client->state == CLIENT_ANSWER)
        client->gate->admin->waiting -= client->answer.n;
    scroll_close(&client->answer);
}

static enum step next_request(struct client *client)
{
    struct list *clients = &client->gate->clients;

    client->state = CLIENT_IDLE;
    client->reader = (struct h1_reader){0};
    list_remove(&client->node);
    list_add(clients, &client->node);
    deadline_in(client, TIME_TO_IDLE);
    run_again(client); /* perhaps the next request is here already */
    return STEP_REST;
}

static enum step send_answer(struct client *client)
{
    str head = text_str(&client->answer_head), body = scroll_str(&client->answer);

    while (client->sent < head.n + body.n) {
        bool in_head = client->sent < head.n;
        str rest = str_from(body, in_head ? 0 : client->sent - head.n);
        str first = str_from(head, client->sent);
        struct iovec parts[2] = {
            {.iov_base = (void *)(uintptr_t)first.p, .iov_len = first.n},
            {.iov_base = (void *)(uintptr_t)rest.p, .iov_len = rest.n},
        };
        size_t sent;
        enum err e = conn_send(&client->conn, in_head ? parts : parts + 1,
                               in_head && rest.n ? 2 : 1, false, &sent);

        if (e)
            return e == ERR_AGAIN ? STEP_REST : STEP_END;
        client->sent += sent;
    }
    answer_drop(client);
    if (client->demand.keeps)
        return next_request(client);
    client->state = CLIENT_LINGER;
    client->discarded = 0;
    conn_shutdown(&client->conn);
    deadline_in(client, TIME_TO_LINGER);
    return STEP_ON;
}

/* ---- asking ---- */

/* Reads what comes behind what is there. */
static enum err fetch(struct client *client)
{
    struct chunk *chunk = client->chunk;
    size_t got;
    enum err e;

    if (chunk->at) {
        memmove(chunk->bytes, chunk->bytes + chunk->at, chunk->end - chunk->at);
        chunk->end -= chunk->at;
        chunk->at = 0;
    }
    CHECK(chunk->end < chunk->room);
    e = conn_read(&client->conn, chunk->bytes + chunk->end, chunk->room - chunk->end,
                  &got);
    if (e == ERR_OK)
        chunk->end += (unsigned)got;
    return e;
}

static enum step fetch_step(struct client *client)
{
    enum err e = fetch(client);

    if (e)
        return e == ERR_AGAIN ? STEP_REST : STEP_END;
    return STEP_ON;
}

static enum step run_demand(struct client *client)
{
    timer_remove(&client->conn.engine->loop.timers, &client->deadline);
    endpoint_run(client);
    scroll_close(&client->body);
    return STEP_ON;
}

/* A piece of the body. */
static void take_body(struct client *client, str data)
{
    client->discarded += data.n;
    if (endpoint_takes_body(client->demand.endpoint))
        scroll_add(&client->body, data);
}

/* The client wants to hear that its body is welcome before it sends it. */
static enum step say_continue(struct client *client)
{
    static char words[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec part = {.iov_base = words, .iov_len = sizeof words - 1};
    size_t sent;

    if (conn_send(&client->conn, &part, 1, false, &sent) || sent != part.iov_len)
        return STEP_END; /* so little goes through at once, or nothing will */
    return STEP_ON;
}

static enum step begin_body(struct client *client, const struct head *head)
{
    bool has_length = head->framing == FRAMING_LENGTH;

    client->is_chunked = head->framing == FRAMING_CHUNKED;
    client->body_left = has_length ? head->content_length : 0;
    client->discarded = 0;
    chunked_init(&client->chunked, NULL, 0);
    client->state = CLIENT_BODY;
    deadline_in(client, TIME_TO_ASK);
    if (client->body_left > ADMIN_BODY_MOST)
        return give_up(client, 413, "the body is too large");
    if (!(head->flags & HEAD_EXPECT_CONTINUE))
        return STEP_ON;
    if (client->demand.endpoint)
        return say_continue(client);
    client->demand.keeps = false; /* the body will not come, or will not be wanted */
    return run_demand(client);
}

static enum step read_head(struct client *client)
{
    static const struct h1_limits limits = {.head_most = ADMIN_HEAD_MOST,
                                            .target_most = ADMIN_TARGET_MOST,
                                            .fields_most = ADMIN_FIELDS};
    struct field fields[ADMIN_FIELDS];
    struct head head = {.fields = fields, .field_room = array_len(fields)};

    if (client->state == CLIENT_IDLE) {
        if (client->chunk->at == client->chunk->end)
            return fetch_step(client);
        client->state = CLIENT_HEAD;
        deadline_in(client, TIME_TO_ASK);
    }
    switch (
        h1_read_request(&client->reader, chunk_bytes(client->chunk), &limits, &head)) {
    case H1_MORE:
        return fetch_step(client);
    case H1_BAD:
        return give_up(client, client->reader.status, client->reader.why);
    case H1_DONE:
        break;
    }
    client->demand = (struct demand){
        .is_head = head.method == HTTP_HEAD,
        .is_http10 = (head.flags & HEAD_HTTP10) != 0,
        .keeps = (head.flags & HEAD_KEEP_ALIVE) != 0 && !client->is_retired,
    };
    endpoint_find(client, &head);
    client->chunk->at += (unsigned)head.bytes;
    return begin_body(client, &head);
}

static enum step read_chunked(struct client *client)
{
    struct chunk *chunk = client->chunk;
    str in = chunk_bytes(chunk), data;

    for (;;) {
        switch (chunked_read(&client->chunked, &in, &data)) {
        case CHUNKED_DATA:
            take_body(client, data);
            if (client->discarded > ADMIN_BODY_MOST)
                return give_up(client, 413, "the body is too large");
            break;
        case CHUNKED_MORE:
            chunk->at = chunk->end;
            return fetch_step(client);
        case CHUNKED_DONE:
            chunk->at = chunk->end - (unsigned)in.n;
            return run_demand(client);
        case CHUNKED_BAD:
            return give_up(client, 400, client->chunked.why);
        }
    }
}

static enum step read_body(struct client *client)
{
    struct chunk *chunk = client->chunk;
    unsigned here = chunk->end - chunk->at;

    if (client->is_chunked)
        return read_chunked(client);
    if (here > client->body_left)
        here = (unsigned)client->body_left;
    take_body(client, (str){chunk->bytes + chunk->at, here});
    chunk->at += here;
    client->body_left -= here;
    return client->body_left ? fetch_step(client) : run_demand(client);
}

/* ---- the turn ---- */

static enum step linger(struct client *client)
{
    struct chunk *chunk = client->chunk;
    enum step step;

    client->discarded += chunk->end - chunk->at;
    chunk->at = chunk->end = 0;
    step = fetch_step(client);
    return client->discarded > LINGER_MOST ? STEP_END : step;
}

static enum step step_of(struct client *client)
{
    switch (client->state) {
    case CLIENT_IDLE:
    case CLIENT_HEAD:
        return read_head(client);
    case CLIENT_BODY:
        return read_body(client);
    case CLIENT_WAIT:
        return client->conn.is_broken ? STEP_END : STEP_REST;
    case CLIENT_ANSWER:
        return send_answer(client);
    case CLIENT_LINGER:
        return linger(client);
    }
    return STEP_END;
}

static void client_run(struct client *client)
{
    enum step step;

    do
        step = step_of(client);
    while (step == STEP_ON);
    if (step == STEP_END)
        client_end(client);
}

static void client_ready(struct conn *conn)
{
    client_run(container_of(conn, struct client, conn));
}

static void client_again(struct deferred *deferred)
{
    client_run(container_of(deferred, struct client, again));
}

static void client_late(struct timer *timer)
{
    struct client *client = container_of(timer, struct client, deadline);

    if (client->state != CLIENT_HEAD && client->state != CLIENT_BODY) {
        client_end(client);
        return;
    }
    give_up(client, 408, "the request took too long");
    client_run(client);
}

/* ---- coming and going ---- */

static bool may_rule(const struct gate *gate, int fd, unsigned *uid)
{
    const struct admin *admin = gate->admin;
    unsigned gid;

    *uid = 0;
    if (gate->kind != GATE_SOCKET || sys_peer_user(fd, uid, &gid))
        return false;
    return *uid == 0 || *uid == admin->uid || gid == admin->gid;
}

void client_begin(struct gate *gate, int fd)
{
    struct engine *engine = gate->admin->engine;
    struct client *client = calloc(1, sizeof *client);

    CHECK(client);
    client->gate = gate;
    client->may_rule = may_rule(gate, fd, &client->user);
    client->chunk = chunk_new(engine, CHUNK_SMALL);
    client->state = CLIENT_IDLE;
    conn_init(&client->conn, engine, fd, client_ready);
    timer_init(&client->deadline, client_late);
    deferred_init(&client->again, client_again);
    list_add(&gate->clients, &client->node);
    gate->client_count++;
    deadline_in(client, TIME_TO_ASK);
    if (conn_arm(&client->conn))
        client_end(client);
    else
        run_again(client);
}

void client_end(struct client *client)
{
    struct engine *engine = client->conn.engine;

    endpoint_abandon(client);
    answer_drop(client);
    scroll_close(&client->body);
    timer_remove(&engine->loop.timers, &client->deadline);
    deferred_cancel(&client->again);
    conn_close(&client->conn);
    chunk_free(engine, client->chunk);
    list_remove(&client->node);
    client->gate->client_count--;
    free(client);
}

/* Between requests, with nothing of the next one here. */
static bool is_idle(const struct client *client)
{
    return client->state == CLIENT_IDLE && client->chunk->at == client->chunk->end;
}

void clients_retire(struct gate *gate)
{
    list_each_safe(node, &gate->clients) {
        struct client *client = list_entry(node, struct client, node);

        client->is_retired = true;
        client->demand.keeps = false;
        if (is_idle(client))
            client_end(client);
    }
}

bool clients_make_room(struct gate *gate)
{
    list_each(node, &gate->clients) {
        struct client *client = list_entry(node, struct client, node);

        if (is_idle(client)) {
            client_end(client);
            return true;
        }
    }
    return false;
}

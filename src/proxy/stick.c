/*
 * One way for each kind of stickiness to learn where a client belongs (before the choice)
 * and to remember it (with the answer). An attempt that fails changes nothing but who may
 * be chosen next, so a retry is a rebalancing like any other.
 */
#include "proxy/stick.h"

#include "base/base64.h"
#include "net/seal.h"
#include "proto/cookie.h"

#define COOKIE_PURPOSE STR("weir sticky cookie 1")

enum {
    SEALED_SIZE = STICKY_TOKEN_SIZE + SEAL_OVERHEAD,
    COOKIE_ROOM = 192, /* of a Set-Cookie field, beside its name and path */
};

const char *stick_text(enum stick_says says)
{
    static const char *const texts[] = {
        [STICK_NOTHING] = "",
        [STICK_HIT] = "hit",
        [STICK_MISS] = "miss",
        [STICK_NEW] = "new",
        [STICK_REBALANCED] = "rebalanced",
    };

    return texts[says];
}

static uint64_t unix_now(const struct exchange *x)
{
    return worker_wall(x->worker) / 1000000000;
}

/* Of a moment that another clock has written, which may be ahead of ours. */
static uint64_t age_ms(uint64_t then, uint64_t now)
{
    return then < now ? (now - then) * 1000 : 0;
}

/* ---- by cookie ---- */

static bool open_cookie(struct exchange *x, str value)
{
    const struct sticky *sticky = x->pool->sticky;
    unsigned char sealed[SEALED_SIZE], opened[STICKY_TOKEN_SIZE];
    struct stick *stick = x->stick;
    struct sticky_token token;
    uint64_t now = unix_now(x);

    if (!base64_read(value, sealed, sizeof sealed) ||
        seal_open(sticky->ring, COOKIE_PURPOSE, (str){(char *)sealed, sizeof sealed},
                  opened, &stick->is_old))
        return false;
    sticky_token_read(opened, &token);
    if (token.pool != sticky->pool_id ||
        !sticky_is_alive(sticky, age_ms(token.issued, now), age_ms(token.seen, now)))
        return false;
    stick->server = token.server;
    stick->issued = token.issued;
    stick->seen = token.seen;
    return true;
}

static void look_at_cookies(struct exchange *x)
{
    const struct head *head = &x->request;
    str value;

    for (unsigned i = 0; i < head->field_count; i++) {
        const struct field *field = &head->fields[i];

        if (field->known != NAME_COOKIE ||
            !cookie_find(field->value, x->pool->sticky->name, &value))
            continue;
        x->stick->has_shown = true;
        if (open_cookie(x, value))
            return;
    }
}

static void add_lifetime(struct text *text, const struct sticky *sticky,
                         uint64_t issued_ms)
{
    uint32_t seconds = sticky_max_age(sticky, issued_ms);

    if (seconds)
        text_format(text, "; Max-Age=%u", seconds);
}

static void give_cookie(struct exchange *x, const struct sticky_token *token)
{
    static const char *const sites[] = {[SAME_SITE_LAX] = "; SameSite=Lax",
                                        [SAME_SITE_STRICT] = "; SameSite=Strict",
                                        [SAME_SITE_NONE] = "; SameSite=None"};
    const struct sticky *sticky = x->pool->sticky;
    unsigned char opened[STICKY_TOKEN_SIZE], sealed[SEALED_SIZE];
    size_t room = COOKIE_ROOM + sticky->name.n + sticky->path.n;
    struct text text = text_in(arena_alloc(&x->arena, room), room);
    bool fits;

    sticky_token_write(token, opened);
    if (seal_close(sticky->ring, COOKIE_PURPOSE, (str){(char *)opened, sizeof opened},
                   sealed))
        return; /* no memory: the next answer will bring it */
    text_add(&text, sticky->name);
    text_char(&text, '=');
    base64_write(&text, sealed, sizeof sealed);
    text_add(&text, STR("; Path="));
    text_add(&text, sticky->path);
    add_lifetime(&text, sticky, age_ms(token->issued, token->seen));
    if (sticky->http_only)
        text_add(&text, STR("; HttpOnly"));
    text_add(&text, str_of(sites[sticky->same_site]));
    if (sticky->secure)
        text_add(&text, STR("; Secure"));
    fits = head_add(&x->response, NAME_SET_COOKIE, STR("Set-Cookie"), text_str(&text));
    (void)fits; /* a head full of the server's fields takes no more of ours */
}

static void renew_cookie(struct exchange *x)
{
    struct stick *stick = x->stick;
    uint64_t now = unix_now(x);
    struct sticky_token token = {.server = x->attempt.server->id,
                                 .pool = x->pool->sticky->pool_id,
                                 .issued = (uint32_t)now,
                                 .seen = (uint32_t)now};

    if (stick->says == STICK_HIT) {
        if (!stick->is_old && !sticky_is_due(x->pool->sticky, age_ms(stick->seen, now)))
            return;
        token.issued = (uint32_t)stick->issued;
    }
    give_cookie(x, &token);
}

/* ---- the choice ---- */

static void look(struct exchange *x)
{
    x->stick = ARENA_NEW(&x->arena, struct stick);
    if (x->request.flags & HEAD_HAS_COOKIE)
        look_at_cookies(x);
}

void stick_wish(struct exchange *x, const struct endpoint_set *set, struct ask *ask)
{
    struct stick *stick;

    if (!x->stick)
        look(x);
    stick = x->stick;
    if (stick->server)
        ask->wish = endpoint_set_find(set, stick->server);
    if (!ask->wish) /* its server is gone for good */
        stick->server = 0;
    stick->is_wish_all = ask->wish && x->pool->sticky->on_down == ON_DOWN_FAIL;
    ask->is_wish_all = stick->is_wish_all;
}

/* ---- the answer ---- */

static enum stick_says judge(const struct exchange *x)
{
    const struct stick *stick = x->stick;

    if (stick->server)
        return stick->server == x->attempt.server->id ? STICK_HIT : STICK_REBALANCED;
    return stick->has_shown ? STICK_MISS : STICK_NEW;
}

static void count(struct exchange *x)
{
    struct pool_shard *shard = &x->pool->live->shards[x->worker->index];

    switch (x->stick->says) {
    case STICK_HIT:
        counter_add(&shard->sticky_hits, 1);
        break;
    case STICK_REBALANCED:
        counter_add(&shard->sticky_rebalanced, 1);
        break;
    case STICK_MISS:
    case STICK_NEW:
        counter_add(&shard->sticky_misses, 1);
        break;
    case STICK_NOTHING:
        break;
    }
}

void stick_answer(struct exchange *x)
{
    x->stick->says = judge(x);
    count(x);
    renew_cookie(x);
}

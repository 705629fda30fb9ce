/*
 * One way for each kind of stickiness to learn where a client belongs (before the choice)
 * and to remember it (with the answer). An attempt that fails changes nothing but who may
 * be chosen next, so a retry is a rebalancing like any other.
 */
#include "proxy/stick.h"

#include "base/hash.h"
#include "lb/key.h"
#include "lb/sticky_table.h"
#include "proto/cookie.h"
#include "proxy/cookie_jar.h"
#include "proxy/exchange.h"
#include "proxy/facts.h"

enum { COOKIE_ROOM = 192 }; /* of a Set-Cookie field, beside its name and path */

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

static struct cookie_jar *jar_of(struct worker *worker)
{
    if (unlikely(!worker->jar))
        worker->jar = cookie_jar_new();
    return worker->jar;
}

static bool open_cookie(struct exchange *x, str value)
{
    const struct sticky *sticky = x->pool->sticky;
    const struct opened_cookie *cookie =
        cookie_jar_open(jar_of(x->worker), sticky->ring, value);
    struct stick *stick = x->stick;
    uint64_t now = unix_now(x);

    if (!cookie || cookie->token.pool != sticky->pool_id ||
        !sticky_is_alive(sticky, age_ms(cookie->token.issued, now),
                         age_ms(cookie->token.seen, now)))
        return false;
    stick->server = cookie->token.server;
    stick->issued = cookie->token.issued;
    stick->seen = cookie->token.seen;
    stick->is_old = cookie->is_old;
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

    if (!seconds)
        return;
    text_add(text, STR("; Max-Age="));
    text_u64(text, seconds);
}

static void give_cookie(struct exchange *x, const struct sticky_token *token)
{
    static const char *const sites[] = {[SAME_SITE_LAX] = "; SameSite=Lax",
                                        [SAME_SITE_STRICT] = "; SameSite=Strict",
                                        [SAME_SITE_NONE] = "; SameSite=None"};
    const struct sticky *sticky = x->pool->sticky;
    size_t room = COOKIE_ROOM + sticky->name.n + sticky->path.n;
    struct text text = text_in(arena_alloc(&x->arena, room), room);
    bool fits;

    text_add(&text, sticky->name);
    text_char(&text, '=');
    if (cookie_jar_seal(jar_of(x->worker), sticky->ring, token, &text))
        return; /* no memory: the next answer will bring it */
    text_add(&text, STR("; Path="));
    text_add(&text, sticky->path);
    add_lifetime(&text, sticky, age_ms(token->issued, token->seen));
    if (sticky->http_only)
        text_add(&text, STR("; HttpOnly"));
    text_add(&text, str_of(sites[sticky->same_site]));
    if (sticky->secure)
        text_add(&text, STR("; Secure"));
    fits = head_add(&x->response, NAME_SET_COOKIE, STR("Set-Cookie"), text_str(&text));
    (void)fits; /* EXTRA_FIELDS leaves room for it */
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

/* ---- by a key in the pool's table ---- */

static void look_up(struct stick *stick, struct worker *worker, const struct pool *pool)
{
    stick->server = sticky_table_find(pool->live->sticky, pool->sticky, stick->key,
                                      worker->engine.loop.now);
}

static void remember(struct worker *worker, const struct pool *pool, uint64_t key,
                     uint64_t server)
{
    sticky_table_put(pool->live->sticky, pool->sticky, key, server,
                     worker->engine.loop.now);
}

/* ---- by session ---- */

static uint64_t session_key(str id)
{
    return hash_fast(id, 0x73657373696f6e);
}

static str find_in_query(str query, str name)
{
    str piece;

    while (str_next(&query, '&', &piece))
        if (str_starts(piece, name) && piece.n > name.n && piece.p[name.n] == '=')
            return str_from(piece, name.n + 1);
    return STR_NONE;
}

static str find_in_cookies(const struct head *head, enum field_name which, str name)
{
    str value;

    for (unsigned i = 0; i < head->field_count; i++) {
        const struct field *field = &head->fields[i];
        str pairs = field->value;
        long end = str_find_char(pairs, ';');

        if (field->known != which)
            continue;
        if (which == NAME_SET_COOKIE && end >= 0) /* behind it are attributes */
            pairs = str_upto(pairs, (size_t)end);
        if (cookie_find(pairs, name, &value) && value.n)
            return value;
    }
    return STR_NONE;
}

/* The session that a head bears, in a cookie or a header. */
static str find_session(const struct sticky *sticky, const struct head *head,
                        enum field_name cookies)
{
    const struct field *field;
    str id = STR_NONE;

    if (sticky->cookie.n)
        id = find_in_cookies(head, cookies, sticky->cookie);
    if (!id.n && sticky->header.n && (field = head_find_name(head, sticky->header)))
        id = field->value;
    return id;
}

static void look_for_session(struct exchange *x)
{
    const struct sticky *sticky = x->pool->sticky;
    str id = find_session(sticky, &x->request, NAME_COOKIE);

    if (!id.n && sticky->query.n)
        id = find_in_query(x->facts.query, sticky->query);
    if (!id.n)
        return;
    x->stick->has_shown = x->stick->has_key = true;
    x->stick->key = session_key(id);
    look_up(x->stick, x->worker, x->pool);
}

/* ---- the choice ---- */

static void look_at_ip(struct stick *stick, struct worker *worker,
                       const struct pool *pool, const struct template_facts *facts)
{
    stick->has_key = key_hash(pool->sticky->key, facts, &stick->key);
    if (stick->has_key)
        look_up(stick, worker, pool);
}

static void look(struct exchange *x)
{
    struct template_facts facts;

    x->stick = ARENA_NEW(&x->arena, struct stick);
    switch (x->pool->sticky->by) {
    case STICKY_COOKIE:
        if (x->request.flags & HEAD_HAS_COOKIE)
            look_at_cookies(x);
        break;
    case STICKY_IP:
        facts = exchange_facts(x);
        look_at_ip(x->stick, x->worker, x->pool, &facts);
        break;
    case STICKY_SESSION_ID:
        look_for_session(x);
        break;
    }
}

static void wish(struct stick *stick, struct worker *worker, const struct pool *pool,
                 struct ask *ask)
{
    const struct endpoint_set *set = pool->live->desks[worker->index].set;

    if (stick->server)
        ask->wish = endpoint_set_find(set, stick->server);
    if (!ask->wish) /* its server is gone for good */
        stick->server = 0;
    stick->is_wish_all = ask->wish && pool->sticky->on_down == ON_DOWN_FAIL;
    ask->is_wish_all = stick->is_wish_all;
    if (!stick->has_key)
        return;
    ask->key = stick->key;
    ask->has_key = ask->is_by_rendezvous = true;
}

void stick_wish(struct exchange *x, struct ask *ask)
{
    if (!x->stick)
        look(x);
    wish(x->stick, x->worker, x->pool, ask);
}

void stick_wish_by_ip(struct stick *stick, struct worker *worker, const struct pool *pool,
                      const struct template_facts *facts, struct ask *ask)
{
    if (!stick->has_key)
        look_at_ip(stick, worker, pool, facts);
    wish(stick, worker, pool, ask);
}

/* ---- the answer ---- */

static void count(const struct stick *stick, struct pool_shard *shard)
{
    switch (stick->says) {
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

/* What to say of it, and what it showed is remembered. `is_known`: it will be, next time. */
static void settle(struct stick *stick, struct worker *worker, const struct pool *pool,
                   uint64_t server, bool is_known)
{
    if (stick->server)
        stick->says = stick->server == server ? STICK_HIT : STICK_REBALANCED;
    else if (stick->has_shown)
        stick->says = STICK_MISS;
    else if (is_known)
        stick->says = STICK_NEW;
    count(stick, &pool->live->shards[worker->index]);
    if (stick->has_key && stick->says != STICK_HIT)
        remember(worker, pool, stick->key, server);
}

void stick_connected(struct stick *stick, struct worker *worker, const struct pool *pool,
                     const struct server_live *server)
{
    settle(stick, worker, pool, server->id, stick->has_key);
}

void stick_answer(struct exchange *x)
{
    const struct sticky *sticky = x->pool->sticky;
    uint64_t server = x->attempt.server->id;
    bool is_known = sticky->by == STICKY_COOKIE || x->stick->has_key;
    str id = STR_NONE;

    if (sticky->by == STICKY_SESSION_ID)
        id = find_session(sticky, &x->response, NAME_SET_COOKIE);
    settle(x->stick, x->worker, x->pool, server, is_known || id.n);
    if (sticky->by == STICKY_COOKIE)
        renew_cookie(x);
    else if (id.n)
        remember(x->worker, x->pool, session_key(id), server);
}

/* One kind of mail, and the words for what it says. */
#include "control/circuits.h"

#include "base/check.h"
#include "base/text.h"
#include "control/overview.h"
#include "proxy/outcome.h"
#include "proxy/waiting.h"

#include <stdlib.h>

/* ---- words ---- */

static struct text note_begin(struct circuit_note *note)
{
    note->since = sys_wall();
    return text_in(note->words, sizeof note->words);
}

static void note_end(struct circuit_note *note, const struct text *text)
{
    note->length = (uint32_t)text->n;
}

static void write_note(struct circuit_note *note, const struct circuit_news *news,
                       const struct breaker *breaker)
{
    struct text text = note_begin(note);

    if (news->change == BREAKER_OPENED && news->by_probe) {
        text_add(&text, STR("the probe failed: "));
        outcome_say(&text, &news->last);
    } else if (news->change == BREAKER_OPENED) {
        text_u64(&text, breaker->failures);
        text_add(&text,
                 breaker->failures == 1 ? STR(" failure in ") : STR(" failures in "));
        text_duration(&text, breaker->window);
        text_add(&text, STR(", the last: "));
        outcome_say(&text, &news->last);
    } else if (news->change == BREAKER_HALF_OPENED) {
        text_u64(&text, breaker->half_open);
        text_add(&text, breaker->half_open == 1 ? STR(" request at a time tries")
                                                : STR(" requests at a time try"));
    } else {
        text_u64(&text, breaker->close_after);
        text_add(&text, breaker->close_after == 1 ? STR(" probe went well")
                                                  : STR(" probes went well"));
    }
    note_end(note, &text);
}

/* ---- events ---- */

static void tell_server(struct steward *steward, const struct server_record *server,
                        enum circuit_state state)
{
    EVENT(&steward->events, state == CIRCUIT_OPEN ? LOG_WARN : LOG_INFO,
          "circuit breaker of a server changed its state",
          {"pool", server->live.pool_name}, {"server", server->live.name},
          {"address", server->live.addr_text},
          {"state", str_of(circuit_state_text(state))},
          {"reason", {server->circuit.words, server->circuit.length}});
}

static void tell_route(struct steward *steward, const struct route_record *route,
                       enum circuit_state state)
{
    EVENT(&steward->events, state == CIRCUIT_OPEN ? LOG_WARN : LOG_INFO,
          "circuit breaker of a route changed its state", {"route", route->live.name},
          {"state", str_of(circuit_state_text(state))},
          {"reason", {route->circuit.words, route->circuit.length}});
}

/* ---- those who wait ---- */

enum { TRIAL_GAP_MS = 10 }; /* thousands of breakers that open together end together */

/* In ms, until the next breaker of that pool's servers may be tried; UINT64_MAX: never. */
static uint64_t next_trial(const struct pool_record *pool, uint64_t now)
{
    uint64_t next = UINT64_MAX;

    list_each(node, &pool->servers) {
        const struct server_record *server = list_entry(node, struct server_record, node);
        uint64_t wait = circuit_wait(&server->live.circuit, now);

        if (wait && wait < next)
            next = wait;
    }
    return next;
}

/* An open breaker may be tried again because time goes by: no place comes free and no
 * worker sees it, so those who wait are told here. */
static void tell_who_waits(struct steward *steward)
{
    struct loop *loop = &steward->engine.loop;
    uint64_t next = UINT64_MAX;

    list_each(node, &steward->registry.pools) {
        struct pool_record *pool = list_entry(node, struct pool_record, node);
        uint64_t wait;

        if (!pool->pool || !pool->pool->breaker || !pool->pool->queue.is_on)
            continue;
        waiting_tell_all(&pool->live);
        wait = next_trial(pool, loop->now);
        next = wait < next ? wait : next;
    }
    if (next < TRIAL_GAP_MS)
        next = TRIAL_GAP_MS;
    if (next != UINT64_MAX)
        timer_set(&loop->timers, &steward->trials, loop->now + next * 1000000);
}

static void trials_due(struct timer *timer)
{
    tell_who_waits(container_of(timer, struct steward, trials));
}

/* Once for all of whom this turn brings news: each look goes through all servers. */
static void tell_soon(struct steward *steward)
{
    struct loop *loop = &steward->engine.loop;

    timer_set(&loop->timers, &steward->trials, loop->now);
}

void circuits_init(struct timer *trials)
{
    timer_init(trials, trials_due);
}

/* ---- news ---- */

struct news_mail {
    struct mail mail;
    struct steward *steward;
    struct circuit_news news; /* server or route held */
};

static enum circuit_state state_after(enum breaker_change change)
{
    return change == BREAKER_OPENED        ? CIRCUIT_OPEN
           : change == BREAKER_HALF_OPENED ? CIRCUIT_HALF_OPEN
                                           : CIRCUIT_CLOSED;
}

static void server_moved(struct steward *steward, const struct circuit_news *news)
{
    struct server_record *server = record_of(news->server);
    const struct pool *pool = server->pool->pool;

    if (server->entry && pool && pool->breaker) {
        write_note(&server->circuit, news, pool->breaker);
        tell_server(steward, server, state_after(news->change));
        tell_soon(steward);
    }
    atomic_fetch_sub_explicit(&news->server->holds, 1, memory_order_release);
}

static const struct route *find_route(const struct steward *steward,
                                      const struct route_live *live)
{
    for (unsigned i = 0; i < steward->current->route_count; i++)
        if (steward->current->routes[i].live == live)
            return &steward->current->routes[i];
    return NULL;
}

static void route_moved(struct steward *steward, const struct circuit_news *news)
{
    struct route_record *record = container_of(news->route, struct route_record, live);
    const struct route *route = find_route(steward, news->route);

    if (route && route->breaker) {
        write_note(&record->circuit, news, route->breaker);
        tell_route(steward, record, state_after(news->change));
    }
    atomic_fetch_sub_explicit(&news->route->holds, 1, memory_order_release);
}

static void news_arrived(struct mail *mail)
{
    struct news_mail *arrived = container_of(mail, struct news_mail, mail);

    if (arrived->news.server)
        server_moved(arrived->steward, &arrived->news);
    else
        route_moved(arrived->steward, &arrived->news);
    free(arrived);
}

void circuits_moved(struct steward_desk *desk, const struct circuit_news *news)
{
    struct news_mail *mail = calloc(1, sizeof *mail);

    CHECK(mail != NULL);
    mail->mail.open = news_arrived;
    mail->steward = container_of(desk, struct steward, desk);
    mail->news = *news;
    atomic_fetch_add_explicit(news->server ? &news->server->holds : &news->route->holds,
                              1, memory_order_relaxed);
    mailbox_post(desk->mailbox, &mail->mail);
}

/* ---- by hand ---- */

static enum circuit_state force(struct circuit *circuit, struct circuit_note *note,
                                enum breaker_action action)
{
    static const char *const words[] = {
        [BREAKER_HOLD_OPEN] = "held open by hand",
        [BREAKER_HOLD_CLOSED] = "held closed by hand",
        [BREAKER_RESET] = "reset by hand",
    };
    struct text text = note_begin(note);

    text_add(&text, str_of(words[action]));
    note_end(note, &text);
    breaker_force(circuit, action);
    return action == BREAKER_HOLD_OPEN ? CIRCUIT_OPEN : CIRCUIT_CLOSED;
}

static bool find_action(str word, enum breaker_action *action)
{
    static const struct {
        const char *word;
        enum breaker_action action;
    } known[] = {{"open", BREAKER_HOLD_OPEN},
                 {"close", BREAKER_HOLD_CLOSED},
                 {"reset", BREAKER_RESET}};

    for (unsigned i = 0; i < array_len(known); i++) {
        if (!str_eq(word, str_of(known[i].word)))
            continue;
        *action = known[i].action;
        return true;
    }
    return false;
}

/* "there is no pool 'x'" */
static unsigned refuse(struct scroll *words, unsigned status, const char *before,
                       str name, const char *behind)
{
    scroll_format(words, "%s '" STR_FMT "'%s", before, STR_ARG(name), behind);
    return status;
}

static unsigned force_servers(struct steward *steward, const struct breaker_order *order,
                              enum breaker_action action, struct scroll *words)
{
    struct pool_record *pool = registry_pool(&steward->registry, order->pool);
    unsigned count = 0;

    if (!pool || !pool->pool)
        return refuse(words, 404, "there is no pool", order->pool, "");
    if (!pool->pool->breaker)
        return refuse(words, 409, "pool", order->pool, " has no breaker");
    list_each(node, &pool->servers) {
        struct server_record *server = list_entry(node, struct server_record, node);

        if (!server->entry || (!str_eq(server->live.name, order->server) &&
                               !str_eq(server->live.addr_text, order->server)))
            continue;
        tell_server(steward, server,
                    force(&server->live.circuit, &server->circuit, action));
        count++;
    }
    if (!count)
        return refuse(words, 404, "that pool has no server", order->server, "");
    tell_who_waits(steward);
    scroll_format(words, "{\"ok\":true,\"servers\":%u}\n", count);
    return 200;
}

static unsigned force_route(struct steward *steward, const struct breaker_order *order,
                            enum breaker_action action, struct scroll *words)
{
    const struct snapshot *snapshot = steward->current;

    for (unsigned i = 0; i < snapshot->route_count; i++) {
        const struct route *route = &snapshot->routes[i];
        struct route_record *record;

        if (!str_eq(route->name, order->route))
            continue;
        if (!route->breaker)
            return refuse(words, 409, "route", order->route, " has no breaker");
        record = container_of(route->live, struct route_record, live);
        tell_route(steward, record,
                   force(&record->live.circuit, &record->circuit, action));
        scroll_add(words, STR("{\"ok\":true}\n"));
        return 200;
    }
    return refuse(words, 404, "there is no route", order->route, "");
}

unsigned circuits_carry_out(struct steward *steward, const struct breaker_order *order,
                            struct scroll *words)
{
    enum breaker_action action;

    if (!find_action(order->action, &action))
        return refuse(words, 422, "a breaker can be told open, close or reset, not",
                      order->action, "");
    return order->route.p ? force_route(steward, order, action, words)
                          : force_servers(steward, order, action, words);
}

/* ---- after a reload ---- */

static void forget(struct circuit *circuit, struct circuit_note *note)
{
    struct circuit_view view =
        circuit_unpack(atomic_load_explicit(&circuit->word, memory_order_relaxed));

    *note = (struct circuit_note){0};
    if (view.state != CIRCUIT_CLOSED || view.is_forced)
        breaker_force(circuit, BREAKER_RESET);
}

void circuits_apply(struct steward *steward)
{
    const struct snapshot *snapshot = steward->current;

    for (unsigned i = 0; i < snapshot->pool_count; i++) {
        struct pool_record *pool = record_of_pool(&snapshot->pools[i]);

        if (snapshot->pools[i].breaker)
            continue;
        list_each(node, &pool->servers) {
            struct server_record *server = list_entry(node, struct server_record, node);

            forget(&server->live.circuit, &server->circuit);
        }
    }
    for (unsigned i = 0; i < snapshot->route_count; i++) {
        struct route_live *live = snapshot->routes[i].live;

        if (!snapshot->routes[i].breaker)
            forget(&live->circuit,
                   &container_of(live, struct route_record, live)->circuit);
    }
    tell_who_waits(steward);
}

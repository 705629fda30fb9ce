/*
 * The timetable of checks. Each server has a timer for its next check; when it comes up
 * the server joins a line, from which as many are checked at once as the limit of open
 * files allows without taking descriptors from the traffic. Usually nobody waits there.
 * A check that we had no descriptor for is no verdict: it is made a little later.
 */
#include "control/probe/prober.h"

#include "base/check.h"
#include "base/map.h"
#include "control/probe/probe.h"

#include <stdlib.h>

enum {
    SHARE_OF_FILES = 20, /* checks at once: one for so many files we may open */
    AT_ONCE_LEAST = 4,
    STARTS_A_TURN = 128,  /* so that answers are read in between */
    SHORTAGE_RETRY = 500, /* ms, and as much again by chance */
};

#define NS_PER_MS UINT64_C(1000000)

struct prober {
    struct engine engine;
    struct sys_thread thread;
    bool is_started, is_stopping;
    struct mailbox *home;
    mail_fn *report;
    void *owner;
    struct map watched; /* server_live's address -> struct watched */
    struct list all;    /* the same in an order that no address decides */
    struct list line;   /* those whose time has come */
    struct deferred serve_line;
    unsigned running, at_once;
};

/* A server on the timetable. */
struct watched {
    struct list node; /* prober->all */
    struct prober *prober;
    struct server_live *server; /* the map's key */
    struct probe probe;
    struct timer next;
    struct list in_line;
    bool is_due; /* its time came while the last check still ran */
};

/* Mail to the prober. */
struct order {
    struct mail mail;
    struct prober *prober;
    enum { ORDER_WATCH, ORDER_FORGET, ORDER_STOP } kind;
    struct server_live *server;
    struct probe_question *question; /* with ORDER_WATCH */
};

static str key_of(struct server_live *const *server)
{
    return (str){(const char *)server, sizeof *server};
}

static uint64_t in_ms(const struct prober *prober, uint64_t ms)
{
    return prober->engine.loop.now + ms * NS_PER_MS;
}

/* ---- reports ---- */

static void send_report(struct prober *prober, struct server_live *server,
                        const struct check_outcome *outcome)
{
    struct probe_report *report = calloc(1, sizeof *report);

    CHECK(report != NULL);
    report->mail.open = prober->report;
    report->owner = prober->owner;
    report->server = server;
    report->is_farewell = outcome == NULL;
    if (outcome)
        report->outcome = *outcome;
    mailbox_post(prober->home, &report->mail);
}

/* ---- the timetable ---- */

static void join_line(struct watched *watched)
{
    struct prober *prober = watched->prober;

    watched->is_due = false;
    if (!list_is_empty(&watched->in_line))
        return;
    list_add(&prober->line, &watched->in_line);
    loop_defer(&prober->engine.loop, &prober->serve_line);
}

static void time_came(struct timer *next)
{
    struct watched *watched = container_of(next, struct watched, next);

    if (watched->probe.is_running)
        watched->is_due = true; /* never two at once */
    else
        join_line(watched);
}

static void set_next(struct watched *watched, uint64_t ms)
{
    struct prober *prober = watched->prober;

    timer_set(&prober->engine.loop.timers, &watched->next, in_ms(prober, ms));
}

static void check_finished(struct probe *probe, const struct check_outcome *outcome)
{
    struct watched *watched = container_of(probe, struct watched, probe);
    struct prober *prober = watched->prober;

    prober->running--;
    send_report(prober, watched->server, outcome);
    if (watched->is_due)
        join_line(watched);
    if (!list_is_empty(&prober->line))
        loop_defer(&prober->engine.loop, &prober->serve_line);
}

static void begin_check(struct watched *watched)
{
    struct prober *prober = watched->prober;
    struct rand *rand = &prober->engine.rand;
    const struct health_check *check = &watched->probe.question->target.check;

    set_next(watched, health_next_check(check, rand));
    prober->running++;
    if (probe_begin(&watched->probe) == ERR_OK)
        return;
    prober->running--;
    set_next(watched, SHORTAGE_RETRY + rand_below(rand, SHORTAGE_RETRY));
}

static void serve_line(struct deferred *deferred)
{
    struct prober *prober = container_of(deferred, struct prober, serve_line);
    struct list *node;

    for (unsigned i = 0; i < STARTS_A_TURN && prober->running < prober->at_once; i++) {
        node = list_take(&prober->line);
        if (!node)
            return;
        begin_check(list_entry(node, struct watched, in_line));
    }
    if (prober->running < prober->at_once && !list_is_empty(&prober->line))
        loop_defer(&prober->engine.loop, &prober->serve_line);
}

/* ---- orders ---- */

static void leave_timetable(struct watched *watched)
{
    struct prober *prober = watched->prober;

    if (watched->probe.is_running)
        prober->running--;
    probe_abandon(&watched->probe);
    timer_remove(&prober->engine.loop.timers, &watched->next);
    list_remove(&watched->in_line);
    if (!list_is_empty(&prober->line))
        loop_defer(&prober->engine.loop, &prober->serve_line);
}

static void watched_free(struct watched *watched)
{
    list_remove(&watched->node);
    leave_timetable(watched);
    probe_close(&watched->probe);
    free(watched);
}

static struct watched *watched_new(struct prober *prober, struct server_live *server,
                                   struct probe_question *question)
{
    struct watched *watched = calloc(1, sizeof *watched);

    CHECK(watched != NULL);
    watched->prober = prober;
    watched->server = server;
    probe_init(&watched->probe, &prober->engine, question, check_finished);
    timer_init(&watched->next, time_came);
    list_init(&watched->in_line);
    list_add(&prober->all, &watched->node);
    map_put(&prober->watched, key_of(&watched->server), watched);
    return watched;
}

static void take_question(struct prober *prober, struct server_live *server,
                          struct probe_question *question)
{
    struct watched *watched = map_get(&prober->watched, key_of(&server));

    if (watched && probe_question_eq(watched->probe.question, question)) {
        free(question);
        return;
    }
    if (watched) {
        leave_timetable(watched);
        free(watched->probe.question);
        watched->probe.question = question;
    } else {
        watched = watched_new(prober, server, question);
    }
    join_line(watched);
}

static void forget(struct prober *prober, struct server_live *server)
{
    struct watched *watched = map_remove(&prober->watched, key_of(&server));

    if (watched)
        watched_free(watched);
    send_report(prober, server, NULL);
}

static void open_order(struct mail *mail)
{
    struct order *order = container_of(mail, struct order, mail);
    struct prober *prober = order->prober;

    if (prober->is_stopping) {
        free(order->question);
    } else if (order->kind == ORDER_WATCH) {
        take_question(prober, order->server, order->question);
    } else if (order->kind == ORDER_FORGET) {
        forget(prober, order->server);
    } else {
        prober->is_stopping = true;
        loop_stop(&prober->engine.loop);
    }
    free(order);
}

static void post_order(struct prober *prober, const struct order *order)
{
    struct order *posted = malloc(sizeof *posted);

    CHECK(posted != NULL);
    *posted = *order;
    posted->mail.open = open_order;
    posted->prober = prober;
    mailbox_post(&prober->engine.loop.mailbox, &posted->mail);
}

void prober_watch(struct prober *prober, const struct probe_target *target)
{
    CHECK(target->check.is_enabled);
    post_order(prober, &(struct order){.kind = ORDER_WATCH,
                                       .server = target->server,
                                       .question = probe_question_new(target)});
}

void prober_forget(struct prober *prober, struct server_live *server)
{
    post_order(prober, &(struct order){.kind = ORDER_FORGET, .server = server});
}

/* ---- life ---- */

static bool turn(void *owner)
{
    struct prober *prober = owner;

    return loop_turn(&prober->engine.loop);
}

enum err prober_new(struct prober **out, struct mailbox *home, mail_fn *report,
                    void *owner)
{
    struct prober *prober = calloc(1, sizeof *prober);
    uint64_t seed[2];
    enum err e;

    CHECK(prober != NULL);
    if ((e = engine_init(&prober->engine, 0))) {
        free(prober);
        return e;
    }
    prober->home = home;
    prober->report = report;
    prober->owner = owner;
    prober->at_once = sys_file_limit() / SHARE_OF_FILES;
    if (prober->at_once < AT_ONCE_LEAST)
        prober->at_once = AT_ONCE_LEAST;
    sys_random(seed, sizeof seed);
    map_init(&prober->watched, seed);
    list_init(&prober->all);
    list_init(&prober->line);
    deferred_init(&prober->serve_line, serve_line);
    *out = prober;
    return ERR_OK;
}

enum err prober_start(struct prober *prober)
{
    enum err e = sys_thread_start(&prober->thread, "weir-prober", turn, prober);

    prober->is_started = e == ERR_OK;
    return e;
}

void prober_stop(struct prober *prober)
{
    struct loop *loop = &prober->engine.loop;

    if (prober->is_started) {
        post_order(prober, &(struct order){.kind = ORDER_STOP});
        sys_thread_join(&prober->thread);
    }
    prober->is_stopping = true;
    mailbox_open(&loop->mailbox); /* what came too late */
    list_each_safe(node, &prober->all)
        watched_free(list_entry(node, struct watched, node));
    map_close(&prober->watched);
    deferred_cancel(&prober->serve_line);
    engine_close(&prober->engine);
    free(prober);
}

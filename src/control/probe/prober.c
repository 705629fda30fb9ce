/*
 * The timetable of checks. What is to be asked of an address stands there once, however
 * many servers of however many pools wish to hear the answer (they are its listeners).
 * Each has a timer for its next check; when it comes up it joins a line, from which as
 * many are made at once as the limit of open files allows without taking descriptors from
 * the traffic, and no more than a few at one instant. A check that we had no descriptor
 * for is no verdict: it is made a little later.
 */
#include "control/probe/prober.h"

#include "base/check.h"
#include "base/map.h"
#include "control/probe/program.h"
#include "guard/rhythm.h"

#include <stdlib.h>

enum {
    SHARE_OF_FILES = 20, /* checks at once: one for so many files we may open */
    AT_ONCE_LEAST = 4,
    STARTS_A_TICK = 64,   /* so that answers are read in between, and loads are spread */
    TICK = 5,             /* ms */
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
    struct map by_question;   /* question->key -> struct watched */
    struct map by_role;       /* struct role -> struct listening */
    struct list all;          /* struct watched, in an order that no address decides */
    struct list line;         /* those whose time has come */
    struct list program_line; /* the same, of checks that are programs */
    struct program_list programs;
    struct deferred serve_line;
    struct timer tick;
    unsigned running, at_once, begun_this_tick;
};

/* A question on the timetable. */
struct watched {
    struct list node; /* prober->all */
    struct prober *prober;
    struct list listeners; /* struct listening; never empty */
    struct probe probe;
    struct rhythm rhythm;
    struct timer next;
    struct list in_line;
};

/* What of a server is asked: itself, or its agent. */
struct role {
    struct server_live *server;
    uintptr_t is_agent; /* as wide as the pointer: a key has no holes */
};

/* A server that waits for the outcomes of a question. */
struct listening {
    struct list node; /* watched->listeners */
    struct watched *watched;
    struct role role; /* the map's key */
};

/* Mail to the prober. */
struct order {
    struct mail mail;
    struct prober *prober;
    enum { ORDER_WATCH, ORDER_FORGET, ORDER_STOP } kind;
    struct server_live *server;
    struct probe_question *question; /* with ORDER_WATCH */
    struct probe_question *agent;    /* the same; NULL: it has none */
};

static str key_of(const struct role *role)
{
    return (str){(const char *)role, sizeof *role};
}

static uint64_t in_ms(const struct prober *prober, uint64_t ms)
{
    return prober->engine.loop.now + ms * NS_PER_MS;
}

/* ---- reports ---- */

/* outcome NULL: the farewell. */
static void send_report(struct prober *prober, const struct role *role,
                        const struct check_outcome *outcome)
{
    struct probe_report *report = calloc(1, sizeof *report);

    CHECK(report != NULL);
    report->mail.open = prober->report;
    report->owner = prober->owner;
    report->server = role->server;
    report->is_agent = role->is_agent;
    report->is_farewell = outcome == NULL;
    if (outcome)
        report->outcome = *outcome;
    mailbox_post(prober->home, &report->mail);
}

/* ---- the timetable ---- */

static bool has_line(const struct prober *prober)
{
    return !list_is_empty(&prober->line) || !list_is_empty(&prober->program_line);
}

static void join_line(struct watched *watched)
{
    struct prober *prober = watched->prober;
    bool is_program = watched->probe.question->kind == &probe_program;

    timer_remove(&prober->engine.loop.timers, &watched->next);
    if (watched->probe.is_running || !list_is_empty(&watched->in_line))
        return; /* never two at once */
    list_add(is_program ? &prober->program_line : &prober->line, &watched->in_line);
    loop_defer(&prober->engine.loop, &prober->serve_line);
}

static void time_came(struct timer *next)
{
    join_line(container_of(next, struct watched, next));
}

static void set_next(struct watched *watched, uint64_t due)
{
    struct loop *loop = &watched->prober->engine.loop;

    if (due <= loop->now)
        join_line(watched);
    else
        timer_set(&loop->timers, &watched->next, due);
}

static void check_finished(struct probe *probe, const struct check_outcome *outcome)
{
    struct watched *watched = container_of(probe, struct watched, probe);
    struct prober *prober = watched->prober;
    const struct health_check *check = &probe->question->check;

    prober->running--;
    rhythm_note(&watched->rhythm, check, outcome->result == CHECK_PASSED);
    list_each(node, &watched->listeners) {
        struct listening *listening = list_entry(node, struct listening, node);

        send_report(prober, &listening->role, outcome);
    }
    set_next(watched,
             probe->begun +
                 rhythm_next(&watched->rhythm, check, &prober->engine.rand) * NS_PER_MS);
    if (has_line(prober))
        loop_defer(&prober->engine.loop, &prober->serve_line);
}

static void begin_check(struct watched *watched)
{
    struct prober *prober = watched->prober;

    prober->running++;
    prober->begun_this_tick++;
    if (probe_begin(&watched->probe) == ERR_OK)
        return;
    prober->running--;
    set_next(watched, in_ms(prober, SHORTAGE_RETRY + rand_below(&prober->engine.rand,
                                                                SHORTAGE_RETRY)));
}

/* The next tick clears the count of this one; without work there are no ticks. */
static void tick_came(struct timer *tick)
{
    struct prober *prober = container_of(tick, struct prober, tick);

    prober->begun_this_tick = 0;
    if (has_line(prober))
        loop_defer(&prober->engine.loop, &prober->serve_line);
}

static void serve_line(struct deferred *deferred)
{
    struct prober *prober = container_of(deferred, struct prober, serve_line);
    struct list *node;

    while (prober->begun_this_tick < STARTS_A_TICK && prober->running < prober->at_once &&
           (node = list_take(&prober->line)))
        begin_check(list_entry(node, struct watched, in_line));
    while (prober->begun_this_tick < STARTS_A_TICK &&
           prober->programs.count < PROGRAMS_AT_ONCE &&
           (node = list_take(&prober->program_line)))
        begin_check(list_entry(node, struct watched, in_line));
    if ((prober->begun_this_tick || has_line(prober)) && prober->tick.due == TIMER_NEVER)
        timer_set(&prober->engine.loop.timers, &prober->tick, in_ms(prober, TICK));
}

/* ---- who is watched, and by whom ---- */

static void watched_free(struct watched *watched)
{
    struct prober *prober = watched->prober;

    if (watched->probe.is_running)
        prober->running--;
    probe_abandon(&watched->probe);
    timer_remove(&prober->engine.loop.timers, &watched->next);
    list_remove(&watched->in_line);
    list_remove(&watched->node);
    map_remove(&prober->by_question, watched->probe.question->key);
    probe_close(&watched->probe);
    free(watched);
    if (has_line(prober))
        loop_defer(&prober->engine.loop, &prober->serve_line);
}

/* Takes the question over. */
static struct watched *watched_of(struct prober *prober, struct probe_question *question)
{
    struct watched *watched = map_get(&prober->by_question, question->key);

    if (watched) {
        probe_question_free(question);
        return watched;
    }
    watched = calloc(1, sizeof *watched);
    CHECK(watched != NULL);
    watched->prober = prober;
    list_init(&watched->listeners);
    probe_init(&watched->probe, &prober->engine, question, check_finished);
    watched->probe.programs = &prober->programs;
    timer_init(&watched->next, time_came);
    list_init(&watched->in_line);
    list_add(&prober->all, &watched->node);
    map_put(&prober->by_question, question->key, watched);
    return watched;
}

static void leave(struct listening *listening)
{
    struct watched *watched = listening->watched;

    list_remove(&listening->node);
    if (list_is_empty(&watched->listeners))
        watched_free(watched);
}

static void take_question(struct prober *prober, struct role role,
                          struct probe_question *question)
{
    struct listening *listening = map_get(&prober->by_role, key_of(&role));

    if (listening && probe_question_eq(listening->watched->probe.question, question)) {
        probe_question_free(question);
        return;
    }
    if (listening) {
        leave(listening);
    } else {
        listening = calloc(1, sizeof *listening);
        CHECK(listening != NULL);
        listening->role = role;
        list_init(&listening->node);
        map_put(&prober->by_role, key_of(&listening->role), listening);
    }
    listening->watched = watched_of(prober, question);
    list_add(&listening->watched->listeners, &listening->node);
    join_line(listening->watched); /* who is new hears at once */
}

static void end_role(struct prober *prober, struct role role)
{
    struct listening *listening = map_remove(&prober->by_role, key_of(&role));

    if (listening)
        leave(listening);
    free(listening);
}

static void watch(struct prober *prober, struct order *order)
{
    struct role role = {order->server, false}, agent = {order->server, true};

    take_question(prober, role, order->question);
    if (order->agent)
        take_question(prober, agent, order->agent);
    else
        end_role(prober, agent);
}

static void forget(struct prober *prober, struct server_live *server)
{
    struct role role = {server, false}, agent = {server, true};

    end_role(prober, role);
    end_role(prober, agent);
    send_report(prober, &role, NULL);
}

static void open_order(struct mail *mail)
{
    struct order *order = container_of(mail, struct order, mail);
    struct prober *prober = order->prober;

    if (prober->is_stopping) {
        probe_question_free(order->question);
        probe_question_free(order->agent);
    } else if (order->kind == ORDER_WATCH) {
        watch(prober, order);
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

/* The agent is asked like a check that has a rhythm of its own and no thresholds. */
static struct probe_question *agent_question(const struct probe_target *target)
{
    const struct agent_check *agent = &target->check.agent;
    struct probe_target asked = {
        .server = target->server,
        .check = {.is_enabled = true,
                  .kind = CHECK_BY_AGENT,
                  .port = agent->port,
                  .interval = agent->interval,
                  .timeout = agent->timeout,
                  .unhealthy_after = 1,
                  .healthy_after = 1,
                  .jitter = target->check.jitter,
                  .agent = *agent},
    };

    return agent->port && target->server->addr.family != ADDR_UNIX
               ? probe_question_new(&asked)
               : NULL;
}

void prober_watch(struct prober *prober, const struct probe_target *target)
{
    CHECK(target->check.is_enabled);
    post_order(prober, &(struct order){.kind = ORDER_WATCH,
                                       .server = target->server,
                                       .question = probe_question_new(target),
                                       .agent = agent_question(target)});
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
    map_init(&prober->by_question, seed);
    map_init(&prober->by_role, seed);
    timer_init(&prober->tick, tick_came);
    list_init(&prober->all);
    list_init(&prober->line);
    list_init(&prober->program_line);
    program_list_init(&prober->programs);
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

/* A question with all who listen to it. */
static void free_watching(struct watched *watched)
{
    list_each_safe(node, &watched->listeners) {
        free(list_entry(node, struct listening, node));
    }
    list_init(&watched->listeners);
    watched_free(watched);
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
    list_each_safe(node, &prober->all) {
        free_watching(list_entry(node, struct watched, node));
    }
    program_list_close(&prober->programs);
    map_close(&prober->by_question);
    map_close(&prober->by_role);
    timer_remove(&loop->timers, &prober->tick);
    deferred_cancel(&prober->serve_line);
    engine_close(&prober->engine);
    free(prober);
}

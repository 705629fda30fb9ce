/* The turn. See loop.h for its order and why. */
#include "io/loop.h"

#include "base/check.h"

/* A reload of thousands of servers comes as thousands of letters, each of which closes a
 * connection; those whose bytes have come meanwhile must not wait for all of them. */
static void open_mail(struct deferred *deferred)
{
    struct loop *loop = container_of(deferred, struct loop, mail_left);

    if (mailbox_open_some(&loop->mailbox, LOOP_MAIL))
        loop_defer(loop, deferred);
}

static void mail_ready(struct watch *watch, unsigned ready)
{
    struct loop *loop = container_of(watch, struct loop, mail_watch);

    (void)ready;
    sys_event_take(loop->mailbox.event);
    if (list_is_empty(&loop->mail_left.node))
        open_mail(&loop->mail_left);
}

enum err loop_init(struct loop *loop)
{
    enum err e;

    *loop = (struct loop){.poll = -1};
    list_init(&loop->deferred);
    deferred_init(&loop->mail_left, open_mail);
    loop->now = sys_now();
    timer_wheel_init(&loop->timers, loop->now);
    if ((e = mailbox_init(&loop->mailbox)))
        return e;
    if ((e = sys_poll_new(&loop->poll)))
        goto fail;
    watch_init(&loop->mail_watch, loop->mailbox.event, mail_ready);
    if ((e = loop_watch(loop, &loop->mail_watch)))
        goto fail;
    return ERR_OK;

fail:
    if (loop->poll >= 0)
        sys_close(loop->poll);
    mailbox_close(&loop->mailbox);
    return e;
}

void loop_close(struct loop *loop)
{
    loop_forget(loop, &loop->mail_watch);
    deferred_cancel(&loop->mail_left);
    mailbox_close(&loop->mailbox);
    sys_close(loop->poll);
}

void loop_stop(struct loop *loop)
{
    loop->is_stopping = true;
}

static uint64_t time_to_wait(const struct loop *loop)
{
    uint64_t next, now;

    if (!list_is_empty(&loop->deferred))
        return 0;
    next = timer_wheel_next(&loop->timers);
    if (next == TIMER_NEVER)
        return UINT64_MAX;
    now = loop->now;
    return next > now ? next - now : 0;
}

static NEVER_INLINE void run_deferred(struct loop *loop)
{
    struct list batch, *node;

    list_add(&loop->deferred, &batch);
    list_remove(&loop->deferred);
    while ((node = list_take(&batch))) {
        struct deferred *deferred = list_entry(node, struct deferred, node);

        deferred->run(deferred);
    }
}

bool loop_turn(struct loop *loop)
{
    loop->event_count =
        sys_poll_wait(loop->poll, loop->events, LOOP_EVENTS, time_to_wait(loop));
    loop->now = sys_now();
    loop->told = loop->event_count;
    for (loop->event_at = 0; loop->event_at < loop->event_count; loop->event_at++) {
        struct sys_event *event = &loop->events[loop->event_at];
        struct watch *watch = event->data;

        if (watch)
            watch->ready(watch, event->ready);
    }
    loop->event_count = 0;
    if (!list_is_empty(&loop->deferred))
        run_deferred(loop);
    timer_wheel_run(&loop->timers, loop->now);
    return !loop->is_stopping;
}

static enum err add(struct loop *loop, struct watch *watch, bool shared)
{
    enum err e;

    CHECK(!watch->is_added);
    e = sys_poll_add(loop->poll, watch->fd, READY_IN | READY_OUT, shared, watch);
    watch->is_added = !e;
    return e;
}

enum err loop_watch(struct loop *loop, struct watch *watch)
{
    return add(loop, watch, false);
}

enum err loop_watch_shared(struct loop *loop, struct watch *watch)
{
    return add(loop, watch, true);
}

void loop_forget(struct loop *loop, struct watch *watch)
{
    if (!watch->is_added)
        return;
    watch->is_added = false;
    for (unsigned i = loop->event_at; i < loop->event_count; i++)
        if (loop->events[i].data == watch)
            loop->events[i].data = NULL;
}

void deferred_init(struct deferred *deferred, void (*run)(struct deferred *))
{
    list_init(&deferred->node);
    deferred->run = run;
}

void loop_defer(struct loop *loop, struct deferred *deferred)
{
    if (list_is_empty(&deferred->node))
        list_add(&loop->deferred, &deferred->node);
}

void deferred_cancel(struct deferred *deferred)
{
    list_remove(&deferred->node);
}

void loop_unwatch(struct loop *loop, struct watch *watch)
{
    if (watch->is_added)
        sys_poll_remove(loop->poll, watch->fd);
    loop_forget(loop, watch);
}

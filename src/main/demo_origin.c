/*
 * The doors of the demo's servers: open, closed for a while, open again. What is said
 * behind them is demo_guest's.
 */
#include "main/demo_guest.h"

#include "net/listen.h"

#define SECOND UINT64_C(1000000000)

static const char *const names[DEMO_ORIGINS] = {"red", "green", "blue"};

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
        demo_guest_free(list_entry(node, struct demo_guest, node));
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

void demo_door_leave(struct demo_door *door, unsigned seconds)
{
    struct loop *loop = &door->origins->loop;

    door_close(door);
    timer_set(&loop->timers, &door->back, loop->now + seconds * SECOND);
}

static void door_ready(struct watch *watch, unsigned ready)
{
    struct demo_door *door = container_of(watch, struct demo_door, watch);
    struct addr peer;
    int fd;

    while (sys_accept(watch->fd, &fd, &peer) == ERR_OK)
        demo_guest_begin(door, fd);
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

/*
 * The scheduler. A turn that heard nothing, ran nothing and looked at a clock that has
 * not moved since its last turn is a rest; any other turn is followed by another one,
 * since it may have put things off or set timers.
 */
#include "threads.h"

enum { THREADS_MOST = 16, HOT = 20000 };

struct thread {
    struct sys_thread *thread;
    sys_turn_fn *turn;
    void *owner;
    struct file *poll; /* where it rests */
    uint64_t wake_at;
    uint64_t seen;                       /* the clock at its last rest */
    bool is_resting, is_idle, has_ended; /* idle: heard nothing in this turn */
};

static struct {
    struct thread at[THREADS_MOST];
    unsigned count;
    struct thread *running;
    unsigned turns; /* since something happened in the world */
} threads;

void threads_begin(void)
{
    memset(&threads, 0, sizeof threads);
}

enum err thread_add(struct sys_thread *thread, const char *name, sys_turn_fn *turn,
                    void *owner)
{
    (void)name;
    if (threads.count == THREADS_MOST)
        return ERR_NO_MEMORY;
    thread->id = threads.count;
    thread->turn = turn;
    thread->owner = owner;
    threads.at[threads.count++] =
        (struct thread){.thread = thread, .turn = turn, .owner = owner};
    return ERR_OK;
}

unsigned thread_rest(struct file *poll, struct sys_event *events, unsigned most,
                     uint64_t timeout)
{
    struct thread *thread = threads.running;
    unsigned n = file_poll(poll, events, most);

    if (!thread)
        return n;
    thread->poll = poll;
    thread->is_idle = n == 0 && timeout > 0;
    thread->is_resting = thread->is_idle && thread->seen == world.now;
    thread->seen = world.now;
    thread->wake_at = timeout > UINT64_MAX - world.now ? UINT64_MAX : world.now + timeout;
    if (n)
        trace("turn", (uint64_t)(thread - threads.at), n);
    return n;
}

static bool has_work(const struct thread *thread)
{
    if (thread->has_ended)
        return false;
    return !thread->is_resting || thread->wake_at <= world.now ||
           file_poll_is_ready(thread->poll);
}

static void run(struct thread *thread)
{
    threads.running = thread;
    thread->is_resting = thread->is_idle = false;
    thread->has_ended = !thread->turn(thread->owner);
    threads.running = NULL;
    if (thread->is_idle)
        return;
    world.now += 1000 + draw(20000);
    if (draw_percent(1) && draw_percent(10)) /* the machine has other things to do */
        world.now += draw(30 * MS);
    if (++threads.turns == HOT)
        violation("thread %u runs hot", (unsigned)(thread - threads.at));
}

/* False: nothing will happen any more, or not before `until`. */
static bool advance(uint64_t until)
{
    uint64_t next = world_next();

    for (unsigned i = 0; i < threads.count; i++)
        if (!threads.at[i].has_ended && threads.at[i].wake_at < next)
            next = threads.at[i].wake_at;
    if (next > until) {
        if (until > world.now)
            world.now = until;
        return false;
    }
    if (next > world.now)
        world.now = next;
    threads.turns = 0;
    return true;
}

static struct thread *choose(void)
{
    struct thread *chosen = NULL;
    unsigned count = 0;

    for (unsigned i = 0; i < threads.count; i++)
        if (has_work(&threads.at[i]) && draw(++count) == 0)
            chosen = &threads.at[i];
    return chosen;
}

/* One happening, one turn or one jump of the clock. */
static bool step(uint64_t until)
{
    struct thread *thread;

    if (threads.turns >= HOT)
        return false;
    if (world_next() <= world.now && (threads.turns % 64 == 63 || draw_percent(70))) {
        threads.turns += threads.turns % 64 == 63;
        world_happen();
        return true;
    }
    thread = choose();
    if (thread) {
        run(thread);
        return true;
    }
    if (world_next() <= world.now) {
        world_happen();
        return true;
    }
    return advance(until);
}

void world_run(uint64_t until)
{
    while (world.now < until && step(until))
        ;
}

bool thread_has_ended(const struct sys_thread *thread)
{
    return threads.at[thread->id].has_ended;
}

bool thread_join(const struct sys_thread *thread)
{
    uint64_t until = world.now + 24 * 3600 * SECOND;

    while (!threads.at[thread->id].has_ended && step(until))
        ;
    return threads.at[thread->id].has_ended;
}

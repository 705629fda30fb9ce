/*
 * One loop over two descriptors: the channel to the child and the signals. A dead child
 * is followed by the next at once; only when children die young is there a pause, which
 * doubles up to a second.
 */
#include "main/supervisor.h"

#include "base/log.h"
#include "main/child.h"
#include "main/place.h"
#include "main/serve.h"

#include <stdio.h>
#include <stdlib.h>

#define MILLISECOND UINT64_C(1000000)
#define YOUNG (10000 * MILLISECOND) /* who dies before has not lived */
#define PAUSE_FIRST (100 * MILLISECOND)
#define PAUSE_MOST (1000 * MILLISECOND)
#define PATIENCE (2000 * MILLISECOND) /* after the second SIGTERM */

struct supervisor {
    str file;
    struct services services;
    int poll, signals;
    int channel; /* to the child */
    int child;   /* 0: none just now */
    int status;  /* our exit status, when has_ended */
    uint64_t born;
    uint64_t pause;    /* before the next child; 0: none */
    uint64_t start_at; /* no child: when to start one */
    uint64_t kill_at;  /* UINT64_MAX: not at all */
    unsigned stops;    /* how often we were told to */
    bool has_ended;
    bool is_reload_owed; /* it came while there was no child */
};

#define SAY(level, message, ...) \
    say((level), (message),      \
        (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){NULL, {NULL, 0}}})

static void end(struct supervisor *supervisor, int status)
{
    supervisor->has_ended = true;
    supervisor->status = status;
}

/* ---- birth ---- */

/* The child lives in one call, and exits from here. */
static void live_as_child(struct supervisor *supervisor, int channel, int parent)
{
    int status;

    sys_process_shed(channel, supervisor->services.record);
    sys_process_leave_terminal();
    status = child_run(supervisor->file, channel, parent, &supervisor->services);
    exit(status);
}

static enum err fork_child(struct supervisor *supervisor)
{
    int pair[2], parent = sys_process_self();
    enum err e = sys_pair_new(pair);

    if (e)
        return e;
    fflush(NULL);
    e = sys_process_fork(&supervisor->child);
    if (!e && supervisor->child == 0)
        live_as_child(supervisor, pair[1], parent);
    sys_close(pair[1]);
    if (!e)
        e = sys_poll_add(supervisor->poll, pair[0], READY_IN, false,
                         &supervisor->channel);
    if (e)
        sys_close(pair[0]);
    else
        supervisor->channel = pair[0];
    return e;
}

static void start_child(struct supervisor *supervisor)
{
    enum err e;

    supervisor->born = sys_now();
    supervisor->start_at = UINT64_MAX;
    services_begin(&supervisor->services);
    if ((e = fork_child(supervisor))) {
        SAY(LOG_ERROR, "the serving process cannot be started",
            {"reason", str_of(err_text(e))});
        if (supervisor->child)
            sys_process_kill(supervisor->child); /* it has no channel: useless */
        else
            supervisor->start_at = supervisor->born + PAUSE_MOST;
        return;
    }
    if (supervisor->is_reload_owed)
        sys_process_tell(supervisor->child, SYS_SIGNAL_RELOAD);
    supervisor->is_reload_owed = false;
}

/* ---- death ---- */

static void say_death(const struct supervisor *supervisor, const struct sys_end *how)
{
    char pid[16], lived[32], reason[96], pause[32];

    snprintf(pid, sizeof pid, "%d", how->pid);
    snprintf(lived, sizeof lived, "%.1fs", (double)(sys_now() - supervisor->born) / 1e9);
    snprintf(pause, sizeof pause, "%ums", (unsigned)(supervisor->pause / MILLISECOND));
    if (how->status >= 0)
        snprintf(reason, sizeof reason, "exit status %d", how->status);
    else
        snprintf(reason, sizeof reason, "signal %d (%s)", how->signal,
                 sys_process_signal_text(how->signal));
    SAY(LOG_ERROR, "the serving process died, starting another", {"pid", str_of(pid)},
        {"reason", str_of(reason)}, {"lived", str_of(lived)}, {"in", str_of(pause)});
}

/* Its last pleas first: it may have had a configuration accepted just before. */
static void close_channel(struct supervisor *supervisor)
{
    if (supervisor->channel < 0)
        return;
    services_serve(&supervisor->services, supervisor->channel);
    sys_close(supervisor->channel);
    supervisor->channel = -1;
}

static void child_ended(struct supervisor *supervisor, const struct sys_end *how)
{
    uint64_t now = sys_now();
    bool has_served = supervisor->services.record >= 0;
    bool was_young = now - supervisor->born < YOUNG;

    close_channel(supervisor);
    supervisor->child = 0;
    supervisor->kill_at = UINT64_MAX;
    if (supervisor->stops || how->status == 0 || !has_served) {
        end(supervisor, how->status >= 0 ? how->status : 128 + how->signal);
        return;
    }
    if (!was_young)
        supervisor->pause = 0;
    say_death(supervisor, how);
    supervisor->start_at = now + supervisor->pause;
    supervisor->pause = supervisor->pause == 0 ? PAUSE_FIRST : supervisor->pause * 2;
    if (supervisor->pause > PAUSE_MOST)
        supervisor->pause = PAUSE_MOST;
}

/* As process 1 we inherit orphans: they are taken away without a word. */
static void reap(struct supervisor *supervisor)
{
    struct sys_end how;

    while (sys_process_reap(&how)) {
        if (how.pid == supervisor->child)
            child_ended(supervisor, &how);
    }
}

/* ---- signals ---- */

static void stop(struct supervisor *supervisor)
{
    supervisor->stops++;
    sys_service_tell("STOPPING=1");
    if (!supervisor->child) {
        end(supervisor, 0);
        return;
    }
    sys_process_tell(supervisor->child, SYS_SIGNAL_STOP);
    if (supervisor->stops == 2)
        supervisor->kill_at = sys_now() + PATIENCE;
}

static void reload(struct supervisor *supervisor)
{
    char state[64];

    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)(sys_now() / 1000));
    sys_service_tell(state);
    if (supervisor->child)
        sys_process_tell(supervisor->child, SYS_SIGNAL_RELOAD);
    else
        supervisor->is_reload_owed = true;
}

static void take_signals(struct supervisor *supervisor)
{
    enum sys_signal which;

    while ((which = sys_signal_take(supervisor->signals)) != SYS_SIGNAL_NONE) {
        switch (which) {
        case SYS_SIGNAL_STOP:
            stop(supervisor);
            break;
        case SYS_SIGNAL_RELOAD:
            reload(supervisor);
            break;
        case SYS_SIGNAL_REOPEN:
            services_prepare_logs(&supervisor->services);
            if (supervisor->child)
                sys_process_tell(supervisor->child, SYS_SIGNAL_REOPEN);
            break;
        case SYS_SIGNAL_CHILD:
        case SYS_SIGNAL_NONE:
            break; /* children are looked after in each turn */
        }
    }
}

/* ---- the loop ---- */

static void serve_child(struct supervisor *supervisor)
{
    if (supervisor->channel < 0)
        return;
    services_serve(&supervisor->services, supervisor->channel);
    if (supervisor->services.is_ready) {
        supervisor->services.is_ready = false;
        sys_service_tell("READY=1");
    }
}

static uint64_t until(uint64_t due, uint64_t now)
{
    return due == UINT64_MAX ? UINT64_MAX : due > now ? due - now : 0;
}

static void turn(struct supervisor *supervisor)
{
    struct sys_event events[4];
    uint64_t now = sys_now();
    uint64_t next = supervisor->child ? until(supervisor->kill_at, now)
                                      : until(supervisor->start_at, now);

    sys_poll_wait(supervisor->poll, events, array_len(events), next);
    serve_child(supervisor);
    take_signals(supervisor);
    reap(supervisor);
    now = sys_now();
    if (supervisor->child && now >= supervisor->kill_at) {
        supervisor->kill_at = UINT64_MAX;
        sys_process_kill(supervisor->child);
    }
    if (!supervisor->child && !supervisor->has_ended && now >= supervisor->start_at)
        start_child(supervisor);
}

static enum err begin(struct supervisor *supervisor)
{
    enum err e = sys_signals_open(&supervisor->signals);

    if (!e)
        e = sys_poll_new(&supervisor->poll);
    if (!e)
        e = sys_poll_add(supervisor->poll, supervisor->signals, READY_IN, false,
                         &supervisor->signals);
    return e;
}

int supervisor_run(str file)
{
    /* Static, so that a leak checker sees in the child what belongs to the parent. */
    static struct supervisor supervisor;
    static struct ports *direct;
    enum err e;

    supervisor = (struct supervisor){
        .file = file, .channel = -1, .start_at = 0, .kill_at = UINT64_MAX};
    if ((e = begin(&supervisor))) {
        SAY(LOG_ERROR, "the supervisor cannot begin", {"reason", str_of(err_text(e))});
        return 1;
    }
    direct = ports_direct();
    services_init(&supervisor.services, place_ports(direct));
    while (!supervisor.has_ended)
        turn(&supervisor);
    services_close(&supervisor.services);
    ports_direct_free(direct);
    sys_close(supervisor.poll);
    sys_close(supervisor.signals);
    return supervisor.status;
}

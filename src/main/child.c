/*
 * The serving process: becomes the configured user before any thread starts or any client
 * is heard, then serves, with ports from its supervisor. The first child reads the files;
 * one that follows a dead one reads the record of what was accepted last.
 */
#include "main/child.h"

#include "base/log.h"
#include "main/plea.h"
#include "main/record.h"
#include "main/serve.h"

struct child {
    struct service service;
    struct record record;
    int channel;
};

#define SAY(level, message, ...) \
    say((level), (message),      \
        (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){NULL, {NULL, 0}}})

static void ask_plain(int channel, const struct plea *plea, int fd)
{
    if (plea_make(channel, plea, fd, NULL)) {
        /* The supervisor has gone, and SIGTERM is on its way. */
    }
}

/* ---- who we are ---- */

static void become(const struct sys_user *user)
{
    enum err e = sys_user_become(user);

    if (e)
        SAY(LOG_WARN, "stays root: the user cannot be changed",
            {"user", str_of(user->name)}, {"reason", str_of(err_text(e))});
}

static void ask_for_log(int channel, const struct log_settings *log)
{
    struct plea plea;

    bool is_file = str_find_char(log->to, '/') >= 0 &&
                   !str_starts(log->to, STR("syslog:")) &&
                   !str_starts(log->to, STR("/dev/"));

    if (log->is_enabled && is_file && plea_of_text(&plea, PLEA_LOG, log->to))
        ask_plain(channel, &plea, -1);
}

static void settle(struct child *child, const struct snapshot *snapshot)
{
    str name = snapshot->runtime.user;
    struct sys_user user;
    struct plea plea;

    if (!plea_of_text(&plea, PLEA_USER, name) || sys_user_find(name, &user)) {
        SAY(LOG_WARN, "stays root: there is no such user", {"runtime.user", name});
        return;
    }
    if (user.uid == 0)
        return;
    ask_plain(child->channel, &plea, -1);
    ask_for_log(child->channel, &snapshot->access_log);
    ask_for_log(child->channel, &snapshot->error_log);
    become(&user);
}

/* Reads the configuration for the name of the user, so that nothing else is done as root.
 * What is wrong with it is told when it is read to be used. */
static void settle_first(struct child *child)
{
    struct complaints complaints;
    struct snapshot *snapshot;

    complaints_init(&complaints, false);
    complaints.wants_errors_only = true;
    if (conf_load(&child->record.world, child->record.file, &complaints, &snapshot) ==
        ERR_OK) {
        settle(child, snapshot);
        conf_release(snapshot);
        child->record.is_played = true;
    }
    complaints_close(&complaints);
}

static void warn_unreadable(str file)
{
    struct arena arena;
    str text;

    arena_init(&arena, 0);
    if (sys_file_read(arena_copy(&arena, file).p, RECORD_MOST, &arena, &text))
        SAY(LOG_WARN, "a reload will fail: the file cannot be read by the user",
            {"file", file});
    arena_wipe(&arena);
}

/* ---- what the supervisor is told ---- */

static void tell_ready(struct child *child)
{
    struct plea plea = {.kind = PLEA_READY};

    ask_plain(child->channel, &plea, -1);
    child->record.was_read = false;
}

static void accepted(void *owner, const struct snapshot *snapshot)
{
    struct child *child = owner;
    struct plea plea = {.kind = PLEA_ACCEPTED};
    struct arena arena;
    int fd;

    arena_init(&arena, 0);
    if (sys_memory_file(record_write(&child->record, &arena), &fd) == ERR_OK) {
        ask_plain(child->channel, &plea, fd);
        sys_close(fd);
    }
    arena_wipe(&arena);
    record_forget(&child->record);
}

static void started(struct service *service)
{
    struct child *child = container_of(service, struct child, service);

    child->record.is_played = false;
    tell_ready(child);
}

/* A reload is one turn long: if files were read in this one, it is over. */
static void turned(struct service *service)
{
    struct child *child = container_of(service, struct child, service);

    if (child->record.was_read)
        tell_ready(child);
}

/* ---- life ---- */

static bool recall(struct child *child, int fd)
{
    struct arena arena;
    str bytes;
    bool is_good;

    arena_init(&arena, 0);
    is_good = sys_memory_read(fd, RECORD_MOST, &arena, &bytes) == ERR_OK &&
              record_read(&child->record, bytes);
    arena_wipe(&arena);
    child->record.is_played = is_good;
    return is_good;
}

static void dress(struct child *child, const struct services *services)
{
    bool was_root = sys_user_is_root();

    if (services->has_user)
        become(&services->user);
    else if (was_root && services->record < 0)
        settle_first(child);
    else if (!was_root && services->record < 0)
        SAY(LOG_INFO, "started by an ordinary user: runtime.user is left aside", );
    if (was_root && !sys_user_is_root())
        warn_unreadable(child->record.file);
    sys_process_harden();
}

int child_run(str file, int channel, int parent, const struct services *services)
{
    /* Static, so that a leak checker sees what a failed start leaves to the exit. */
    static struct child child;
    int status;

    child.channel = channel;
    record_init(&child.record, file);
    if (services->record >= 0 && !recall(&child, services->record))
        SAY(LOG_ERROR, "the accepted configuration is lost, the files are read", );
    dress(&child, services);
    if (!sys_process_follow(parent))
        return 0;
    child.service = (struct service){
        .options = {.world = &child.record.world,
                    .file = file,
                    .ports = plea_ports(channel),
                    .accepted = accepted,
                    .owner = &child},
        .started = started,
        .turned = turned,
    };
    status = serve(&child.service);
    record_close(&child.record);
    sys_process_unveil();
    return status;
}

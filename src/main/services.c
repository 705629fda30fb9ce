/*
 * One function for each plea. Nothing of what the child says is used before it was looked
 * at: it may be broken, or no longer ours.
 */
#include "main/services.h"

#include "base/check.h"
#include "main/plea.h"

#include <stdlib.h>

void services_init(struct services *services, struct ports *ports)
{
    *services = (struct services){.ports = ports, .record = -1};
    services->served = calloc(PORTS_MOST, sizeof *services->served);
    CHECK(services->served);
}

void services_begin(struct services *services)
{
    for (unsigned i = 0; i < services->served_count; i++)
        services->served[i].is_wanted = false;
    services->is_ready = false;
}

static bool is_trusted(const struct services *services)
{
    return services->record < 0;
}

/* ---- ports ---- */

static struct served_port *find_port(struct services *services, const struct addr *addr)
{
    for (unsigned i = 0; i < services->served_count; i++) {
        if (addr_eq(&services->served[i].addr, addr))
            return &services->served[i];
    }
    return NULL;
}

static bool addr_is_whole(const struct addr *addr)
{
    if (addr->family == ADDR_UNIX)
        return addr->path_length > 0 && addr->path_length <= ADDR_PATH_MOST &&
               memchr(addr->path, '\0', sizeof addr->path) ==
                   addr->path + addr->path_length &&
               *addr->path == '/';
    return (addr->family == ADDR_IP4 || addr->family == ADDR_IP6) && addr->port > 0;
}

/*
 * Unix sockets: first with the rights of the child's user. Where that is not enough, a
 * child that is still trusted gets it by ours, as a gift to its user.
 */
static enum err open_unix(struct services *services, const struct addr *addr,
                          unsigned count, int *fds, bool *is_users)
{
    enum err e = sys_user_act_as(&services->user), back;

    if (!e)
        e = services->ports->open(services->ports, addr, count, fds);
    back = sys_user_act_as(NULL);
    CHECK(back == ERR_OK);
    *is_users = (e != ERR_DENIED && e != ERR_NOT_FOUND) || !is_trusted(services);
    if (*is_users)
        return e;
    sys_directory_make_above(addr->path, &services->user);
    e = services->ports->open(services->ports, addr, count, fds);
    if (!e && sys_file_give(addr->path, &services->user)) {
        /* Serves all the same; whoever may not connect will say so. */
    }
    return e;
}

static enum err open_port(struct services *services, const struct plea *plea, int *fds)
{
    struct served_port *port = find_port(services, &plea->addr);
    bool is_users = false;
    enum err e;

    if (!addr_is_whole(&plea->addr) || plea->count == 0 || plea->count > WORKERS_MOST)
        return ERR_INVALID;
    if (!port && services->served_count == PORTS_MOST)
        return ERR_NO_FDS;
    if (!port && plea->addr.family == ADDR_UNIX && services->has_user)
        e = open_unix(services, &plea->addr, plea->count, fds, &is_users);
    else
        e = services->ports->open(services->ports, &plea->addr, plea->count, fds);
    if (e)
        return e;
    if (!port) {
        port = &services->served[services->served_count++];
        CHECK(port != NULL);
        *port = (struct served_port){.addr = plea->addr, .is_users = is_users};
    }
    port->is_wanted = true;
    return ERR_OK;
}

static void serve_open(struct services *services, int channel, const struct plea *plea)
{
    int fds[WORKERS_MOST];
    enum err e = open_port(services, plea, fds);
    unsigned count = e ? 0 : plea->count;

    if (plea_answer(channel, e, fds, count)) {
        /* It died meanwhile; its end is told elsewhere. */
    }
    while (count)
        sys_close(fds[--count]);
}

/* Closing removes a unix socket's file: by the rights that made it, because its user can
 * have made the path lead elsewhere since. */
static void drop_port(struct services *services, struct served_port *port)
{
    enum err e = port->is_users ? sys_user_act_as(&services->user) : ERR_OK, back;

    if (!e)
        services->ports->close(services->ports, &port->addr);
    back = sys_user_act_as(NULL);
    CHECK(back == ERR_OK);
    *port = services->served[--services->served_count];
}

static void serve_close(struct services *services, const struct plea *plea)
{
    struct served_port *port = find_port(services, &plea->addr);

    if (port)
        drop_port(services, port);
}

/* What a dead child had opened and its successor does not want. */
static void serve_ready(struct services *services)
{
    for (unsigned i = services->served_count; i-- > 0;) {
        if (!services->served[i].is_wanted)
            drop_port(services, &services->served[i]);
    }
    services->is_ready = true;
}

/* ---- user, logs, configuration ---- */

static enum err serve_user(struct services *services, str name)
{
    enum err e;

    if (!is_trusted(services) || services->has_user || !sys_user_is_root())
        return ERR_DENIED;
    e = sys_user_find(name, &services->user);
    services->has_user = !e;
    return e;
}

/* Where the user may not make the file itself, nobody else but root may move it either:
 * so it is safe to make it by our rights and to give it away. */
static enum err prepare_log(const struct sys_user *user, const char *path)
{
    enum err e = sys_user_act_as(user), back;
    int fd;

    if (!e)
        e = sys_file_append(path, 0640, &fd);
    back = sys_user_act_as(NULL);
    CHECK(back == ERR_OK);
    if (e == ERR_DENIED) {
        if ((e = sys_file_append(path, 0640, &fd)))
            return e;
        e = sys_file_give(path, user);
    }
    if (!e)
        sys_close(fd);
    return e;
}

static enum err serve_log(struct services *services, str path)
{
    if (!is_trusted(services) || !services->has_user || services->log_count == LOGS_MOST)
        return ERR_DENIED;
    memcpy(services->logs[services->log_count], path.p, path.n);
    services->logs[services->log_count][path.n] = '\0';
    services->log_count++;
    return prepare_log(&services->user, services->logs[services->log_count - 1]);
}

void services_prepare_logs(const struct services *services)
{
    for (unsigned i = 0; i < services->log_count; i++) {
        if (prepare_log(&services->user, services->logs[i])) {
            /* The child will say what is wrong when it opens the file. */
        }
    }
}

static enum err serve_accepted(struct services *services, int fd)
{
    if (fd < 0)
        return ERR_INVALID;
    if (services->record >= 0)
        sys_close(services->record);
    services->record = fd;
    return ERR_OK;
}

/* ---- all of them ---- */

static void serve_one(struct services *services, int channel, struct plea *plea, int fd)
{
    str text;
    enum err e = ERR_OK;

    plea->text[PLEA_TEXT_MOST] = '\0';
    text = str_of(plea->text);
    if (plea->kind == PLEA_ACCEPTED) {
        e = serve_accepted(services, fd);
        fd = e ? fd : -1;
    }
    if (fd >= 0)
        sys_close(fd); /* sent without need */
    switch ((enum plea_kind)plea->kind) {
    case PLEA_OPEN:
        serve_open(services, channel, plea);
        return;
    case PLEA_CLOSE:
        serve_close(services, plea);
        break;
    case PLEA_USER:
        e = serve_user(services, text);
        break;
    case PLEA_LOG:
        e = serve_log(services, text);
        break;
    case PLEA_READY:
        serve_ready(services);
        break;
    case PLEA_ACCEPTED:
        break;
    case PLEA_KINDS:
    default:
        e = ERR_INVALID;
    }
    if (plea_answer(channel, e, NULL, 0)) {
        /* It died meanwhile; its end is told elsewhere. */
    }
}

void services_serve(struct services *services, int channel)
{
    struct plea plea;
    enum err e;

    do {
        int fd = -1;
        unsigned count = 1;
        size_t got;

        e = sys_pair_take(channel, false, &plea, sizeof plea, &got, &fd, &count);
        if (!e && got == sizeof plea)
            serve_one(services, channel, &plea, count ? fd : -1);
        else if (count)
            sys_close(fd);
    } while (!e);
}

void services_close(struct services *services)
{
    while (services->served_count)
        drop_port(services, &services->served[services->served_count - 1]);
    if (services->record >= 0)
        sys_close(services->record);
    free(services->served);
}

/*
 * The twin of src/io/sys.c: the same functions over the simulated world. What the real
 * door gets from the kernel, this one draws from the seed.
 */
#include "io/sys.h"

#include "io/sys_child.h"

#include "disk.h"
#include "files.h"
#include "host.h"
#include "rules.h"
#include "threads.h"

#include <stdlib.h>

/* ---- sockets ---- */

enum err sys_socket(enum addr_family family, int *fd)
{
    struct file *file = file_new(FILE_SOCKET, fd);

    if (!file)
        return ERR_NO_FDS;
    file->addr.family = (unsigned char)family;
    return ERR_OK;
}

enum err sys_bind(int fd, const struct addr *addr)
{
    return file_bind(file_get(fd), addr);
}

enum err sys_listen(int fd, int backlog)
{
    (void)backlog;
    file_get(fd)->kind = FILE_LISTENER;
    return ERR_OK;
}

static struct side *take_waiting(struct file *listener)
{
    struct side *side = listener->waiting[0];

    listener->waiting_count--;
    memmove(listener->waiting, listener->waiting + 1,
            listener->waiting_count * sizeof(struct side *));
    return side;
}

enum err sys_accept(int listen_fd, int *fd, struct addr *peer)
{
    struct file *listener = file_get(listen_fd), *file;
    struct side *side;

    if (!listener->waiting_count)
        return ERR_AGAIN;
    file = file_new(FILE_STREAM, fd);
    if (!file)
        return ERR_NO_FDS;
    side = take_waiting(listener);
    if (side->is_reset && draw_percent(50)) {
        side_close(side, false);
        file_close(*fd);
        return ERR_RESET; /* ECONNABORTED */
    }
    file->side = side;
    side->file = file;
    *peer = side->stream->client;
    trace("accept", (uint64_t)*fd, side->stream->number);
    return ERR_OK;
}

enum err sys_connect(int fd, const struct addr *addr)
{
    struct file *file = file_get(fd);
    enum err e = host_connect(file, addr);

    trace("connect", file->side->stream->number, e);
    return e;
}

enum err sys_socket_error(int fd)
{
    struct side *side = file_get(fd)->side;
    enum err e = side->error;

    side->error = ERR_OK;
    return e;
}

enum err sys_local_addr(int fd, struct addr *out)
{
    struct file *file = file_get(fd);

    if (file->side)
        *out = file->side == file->side->stream->sides ? file->side->stream->client
                                                       : file->side->stream->server;
    else
        *out = file->addr;
    return ERR_OK;
}

enum err sys_datagram(const struct addr *to, int *fd)
{
    (void)to;
    (void)fd;
    return ERR_NOT_FOUND; /* there is no syslog in this world */
}

enum err sys_peer_user(int fd, unsigned *uid, unsigned *gid)
{
    (void)fd;
    *uid = *gid = 1000;
    return ERR_OK;
}

void sys_own_user(unsigned *uid, unsigned *gid)
{
    *uid = *gid = 1000;
}

enum err sys_set(int fd, enum sock_option option, int value)
{
    struct file *file = file_get(fd);

    if (option == SOCK_RESET_ON_CLOSE)
        file->resets_on_close = value != 0;
    if (option == SOCK_REUSE_PORT)
        file->shares_address = value != 0;
    return ERR_OK;
}

static struct side *side_of(int fd)
{
    struct file *file = file_get(fd);

    if (file->side)
        return file->side;
    violation("descriptor %d is no stream", fd);
    abort();
}

enum err sys_recv(int fd, void *p, size_t n, size_t *got)
{
    struct side *side = side_of(fd);
    enum err e = side_recv(side, p, n, got);

    trace("recv", side->stream->number, e ? (uint64_t)e << 32 : *got);
    return e;
}

enum err sys_send(int fd, const struct iovec *parts, unsigned count, bool more,
                  size_t *sent)
{
    struct side *side = side_of(fd);
    enum err e = ERR_OK;
    size_t total = 0;

    for (unsigned i = 0; i < count; i++) {
        size_t n = 0;

        e = side_send(side, parts[i].iov_base, parts[i].iov_len, more, &n);
        if (e)
            break;
        total += n;
        if (n < parts[i].iov_len)
            break;
    }
    trace("send", side->stream->number, total ? total : (uint64_t)e << 32);
    if (!total)
        return e;
    *sent = total;
    return ERR_OK;
}

size_t sys_unsent(int fd)
{
    const struct lane *lane = &side_peer(side_of(fd))->in;

    return lane->end - lane->arrived;
}

void sys_shutdown(int fd)
{
    struct side *side = side_of(fd);

    trace("shutdown", side->stream->number, 0);
    side_shutdown(side);
}

void sys_close(int fd)
{
    struct file *file = file_get(fd);

    trace("close", (uint64_t)fd, file->side ? file->side->stream->number : 0);
    file_close(fd);
}

enum err sys_dup(int fd, int *copy)
{
    return file_dup(fd, copy);
}

/* ---- pipes ---- */

enum err sys_pipe(int fds[2], size_t size)
{
    struct pipe_bytes *pipe;
    struct file *out, *in;

    if (draw_percent(5) || !(out = file_new(FILE_PIPE_OUT, &fds[0])))
        return ERR_NO_FDS;
    in = file_new(FILE_PIPE_IN, &fds[1]);
    pipe = calloc(1, sizeof *pipe);
    if (!in || !pipe) {
        free(pipe);
        file_close(fds[0]);
        return ERR_NO_FDS;
    }
    pipe->room = size < 65536 ? size : 65536;
    pipe->ends = 2;
    out->pipe = in->pipe = pipe;
    return ERR_OK;
}

static enum err fill(struct side *from, struct pipe_bytes *pipe, size_t n, size_t *moved)
{
    size_t room = pipe->room - pipe->end, available = side_available(from);

    if (!pipe->p)
        pipe->p = malloc(pipe->room);
    if (pipe->at == pipe->end) {
        pipe->at = pipe->end = 0;
        room = pipe->room;
    }
    if (!room || !pipe->p)
        return ERR_AGAIN;
    n = n < room ? n : room;
    if (available > 1 && draw_percent(30)) {
        size_t less = 1 + draw(available);

        n = n < less ? n : less;
    }
    if (side_recv(from, pipe->p + pipe->end, n, moved) == ERR_OK) {
        pipe->end += *moved;
        return ERR_OK;
    }
    return side_has_ended(from) ? from->is_reset ? ERR_RESET : ERR_EOF : ERR_AGAIN;
}

static enum err drain(struct pipe_bytes *pipe, struct side *to, size_t n, bool more,
                      size_t *moved)
{
    size_t held = pipe->end - pipe->at;
    enum err e;

    if (!held)
        return ERR_AGAIN;
    e = side_send(to, pipe->p + pipe->at, n < held ? n : held, more, moved);
    if (!e)
        pipe->at += *moved;
    return e;
}

enum err sys_splice(int from, int to, size_t n, bool more, size_t *moved)
{
    struct file *source = file_get(from), *sink = file_get(to);
    enum err e = source->pipe ? drain(source->pipe, sink->side, n, more, moved)
                              : fill(source->side, sink->pipe, n, moved);

    trace(source->pipe ? "splice out" : "splice in",
          (source->pipe ? sink : source)->side->stream->number,
          e ? (uint64_t)e << 32 : *moved);
    return e;
}

/* ---- readiness ---- */

enum err sys_poll_new(int *poll)
{
    return file_new(FILE_POLL, poll) ? ERR_OK : ERR_NO_FDS;
}

enum err sys_poll_add(int poll, int fd, unsigned ready, bool shared, void *data)
{
    (void)ready;
    return file_watch(file_get(poll), file_get(fd), shared, data);
}

void sys_poll_remove(int poll, int fd)
{
    file_unwatch(file_get(poll), file_get(fd));
}

unsigned sys_poll_wait(int poll, struct sys_event *events, unsigned most,
                       uint64_t timeout_ns)
{
    return thread_rest(file_get(poll), events, most, timeout_ns);
}

enum err sys_event_new(int *fd)
{
    return file_new(FILE_EVENT, fd) ? ERR_OK : ERR_NO_FDS;
}

void sys_event_post(int fd)
{
    struct file *file = file_get(fd);

    file->count++;
    file_wake(file);
}

void sys_event_take(int fd)
{
    file_get(fd)->count = 0;
}

/* ---- time and chance ---- */

uint64_t sys_now(void)
{
    return world.now;
}

uint64_t sys_wall(void)
{
    return world.now + world.wall_offset;
}

void sys_random(void *p, size_t n)
{
    unsigned char *at = p;

    while (n--)
        *at++ = (unsigned char)draw(256);
}

/* ---- threads ---- */

enum err sys_thread_start(struct sys_thread *thread, const char *name, sys_turn_fn *turn,
                          void *owner)
{
    return thread_add(thread, name, turn, owner);
}

void sys_thread_join(struct sys_thread *thread)
{
    if (!thread_join(thread))
        violation("thread %lu does not end", thread->id);
}

unsigned sys_cpus(void)
{
    return 2;
}

uint64_t sys_memory_limit(void)
{
    return rules.memory;
}

void sys_usage(struct sys_usage *out)
{
    *out = (struct sys_usage){.cpu_ns = world.now / 100,
                              .resident = 1 << 20,
                              .virtual_size = 1 << 20,
                              .open_files = files_open(),
                              .open_files_most = files_limit()};
}

/* ---- signals ---- */

enum err sys_signals_open(int *fd)
{
    return file_new(FILE_SIGNALS, fd) ? ERR_OK : ERR_NO_FDS;
}

/* One at a time: the count says which. */
enum sys_signal sys_signal_take(int fd)
{
    struct file *file = file_get(fd);
    enum sys_signal which = (enum sys_signal)file->count;

    file->count = 0;
    return which;
}

/* ---- files ---- */

enum err sys_file_read(const char *path, size_t most, struct arena *arena, str *out)
{
    str text = disk_text(path);

    if (!text.p)
        return ERR_NOT_FOUND;
    *out = arena_copy(arena, (str){text.p, text.n < most ? text.n : most});
    return text.n > most ? ERR_TOO_LARGE : ERR_OK;
}

enum err sys_file_append(const char *path, unsigned mode, int *fd)
{
    struct file *file = file_new(FILE_PLAIN, fd);

    (void)mode;
    if (!file)
        return ERR_NO_FDS;
    file->path = disk_name(path);
    return ERR_OK;
}

enum err sys_file_write(int fd, str bytes)
{
    disk_append(fd <= 2 ? "stderr" : file_get(fd)->path, bytes);
    return ERR_OK;
}

enum err sys_file_write_some(int fd, str bytes, size_t *written)
{
    *written = bytes.n > 1 && draw_percent(10) ? 1 + draw(bytes.n - 1) : bytes.n;
    return sys_file_write(fd, str_upto(bytes, *written));
}

void sys_file_remove(const char *path)
{
    disk_remove(path);
}

enum err sys_file_mode(const char *path, unsigned mode)
{
    (void)path;
    (void)mode;
    return ERR_OK;
}

enum err sys_socket_remove(const char *path)
{
    (void)path;
    return ERR_OK;
}

unsigned sys_file_limit(void)
{
    return files_limit();
}

/* ---- programs: there are none in this world ---- */

enum err sys_child_start(const char *const *argv, const char *const *env,
                         struct sys_child *child)
{
    (void)argv;
    (void)env;
    (void)child;
    return ERR_NOT_FOUND;
}

enum err sys_child_read(const struct sys_child *child, void *p, size_t n, size_t *got)
{
    (void)child;
    (void)p;
    (void)n;
    (void)got;
    return ERR_EOF;
}

bool sys_child_ended(const struct sys_child *child, unsigned *status)
{
    (void)child;
    (void)status;
    return false;
}

void sys_child_kill(const struct sys_child *child)
{
    (void)child;
}

void sys_child_close(struct sys_child *child)
{
    (void)child;
}

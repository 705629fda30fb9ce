/* A table of descriptors, each with the polls that want to hear of it. */
#include "files.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILES_MOST = 4096, FIRST_FD = 3, BACKLOG = 64 };

static struct {
    struct file *at[FILES_MOST];
    unsigned limit, open;
    uint64_t refused_at; /* when none was left */
} files;

void files_begin(unsigned limit)
{
    memset(&files, 0, sizeof files);
    files.limit = limit < FILES_MOST ? limit : FILES_MOST;
}

void files_end(void)
{
    for (unsigned fd = 0; fd < FILES_MOST; fd++)
        if (files.at[fd])
            file_close((int)fd);
}

unsigned files_open(void)
{
    return files.open;
}

unsigned files_limit(void)
{
    return files.limit;
}

void files_print(void)
{
    static const char *const kinds[] = {"socket",   "stream",  "listener",
                                        "pipe out", "pipe in", "event",
                                        "poll",     "plain",   "signals"};

    for (unsigned fd = 0; fd < FILES_MOST; fd++)
        if (files.at[fd])
            printf("  descriptor %u: %s %llu\n", fd, kinds[files.at[fd]->kind],
                   files.at[fd]->side
                       ? (unsigned long long)files.at[fd]->side->stream->number
                       : 0);
}

/* The lowest that is free; -1: none. */
static int free_descriptor(void)
{
    unsigned fd = FIRST_FD;

    while (fd < files.limit && files.at[fd])
        fd++;
    if (fd < files.limit)
        return (int)fd;
    files.refused_at = world.now;
    return -1;
}

uint64_t files_refused_at(void)
{
    return files.refused_at;
}

static void put(struct file *file, int fd)
{
    files.at[fd] = file;
    files.open++;
    file->descriptors++;
}

struct file *file_new(enum file_kind kind, int *fd)
{
    struct file *file;

    *fd = free_descriptor();
    if (*fd < 0)
        return NULL;
    file = calloc(1, sizeof *file);
    CHECK(file != NULL);
    file->kind = kind;
    list_init(&file->interests);
    list_init(&file->pollees);
    list_init(&file->ready);
    put(file, *fd);
    return file;
}

enum err file_dup(int fd, int *copy)
{
    *copy = free_descriptor();
    if (*copy < 0)
        return ERR_NO_FDS;
    put(file_get(fd), *copy);
    return ERR_OK;
}

enum err file_bind(struct file *file, const struct addr *addr)
{
    for (unsigned fd = 0; fd < files.limit; fd++) {
        const struct file *other = files.at[fd];

        if (other && other != file && other->is_bound && addr_eq(&other->addr, addr) &&
            !(other->shares_address && file->shares_address))
            return ERR_IN_USE;
    }
    file->addr = *addr;
    file->is_bound = true;
    return ERR_OK;
}

struct file *file_get(int fd)
{
    if (fd >= 0 && fd < FILES_MOST && files.at[fd])
        return files.at[fd];
    violation("descriptor %d is used but not open", fd);
    abort();
}

static void forget_interest(struct interest *interest)
{
    list_remove(&interest->of_file);
    list_remove(&interest->of_poll);
    list_remove(&interest->ready);
    free(interest);
}

static void drop_pipe_end(struct pipe_bytes *pipe)
{
    if (--pipe->ends)
        return;
    free(pipe->p);
    free(pipe);
}

void file_close(int fd)
{
    struct file *file = file_get(fd);
    struct list *node;

    files.at[fd] = NULL;
    files.open--;
    if (--file->descriptors)
        return;
    while ((node = list_take(&file->interests)))
        forget_interest(list_entry(node, struct interest, of_file));
    while ((node = list_take(&file->pollees)))
        forget_interest(list_entry(node, struct interest, of_poll));
    if (file->side)
        side_close(file->side, file->resets_on_close);
    for (unsigned i = 0; i < file->waiting_count; i++)
        side_close(file->waiting[i], true);
    free(file->waiting);
    if (file->pipe)
        drop_pipe_end(file->pipe);
    free(file);
}

/* ---- readiness ---- */

static unsigned ready_of(const struct file *file)
{
    switch (file->kind) {
    case FILE_STREAM:
        return side_ready(file->side);
    case FILE_LISTENER:
        return file->waiting_count ? READY_IN : 0;
    case FILE_SIGNALS:
    case FILE_EVENT:
        return READY_OUT | (file->count ? READY_IN : 0);
    case FILE_SOCKET:
        return READY_OUT | READY_HUP;
    default:
        return 0;
    }
}

static void queue(struct interest *interest)
{
    if (list_is_empty(&interest->ready))
        list_add(&interest->poll->ready, &interest->ready);
}

void file_wake(struct file *file)
{
    unsigned sharing = 0, chosen;

    list_each(node, &file->interests) {
        struct interest *interest = list_entry(node, struct interest, of_file);

        if (interest->is_shared)
            sharing++;
        else
            queue(interest);
    }
    chosen = sharing ? (unsigned)draw(sharing) : 0;
    list_each(node, &file->interests) {
        struct interest *interest = list_entry(node, struct interest, of_file);

        if (interest->is_shared && chosen-- == 0)
            queue(interest);
    }
}

enum err file_watch(struct file *poll, struct file *file, bool is_shared, void *data)
{
    struct interest *interest;

    list_each(node, &file->interests) {
        if (list_entry(node, struct interest, of_file)->poll == poll) {
            violation("a descriptor is registered twice");
            return ERR_IO;
        }
    }
    interest = calloc(1, sizeof *interest);
    CHECK(interest != NULL);
    *interest = (struct interest){
        .file = file, .poll = poll, .data = data, .is_shared = is_shared};
    list_init(&interest->ready);
    list_add(&file->interests, &interest->of_file);
    list_add(&poll->pollees, &interest->of_poll);
    if (ready_of(file))
        queue(interest);
    return ERR_OK;
}

void file_unwatch(struct file *poll, struct file *file)
{
    list_each_safe(node, &file->interests) {
        struct interest *interest = list_entry(node, struct interest, of_file);

        if (interest->poll == poll)
            forget_interest(interest);
    }
}

/* An edge that is told is off the list until something new happens. */
unsigned file_poll(struct file *poll, struct sys_event *events, unsigned most)
{
    struct list batch, *node;
    unsigned n = 0;

    if (list_is_empty(&poll->ready))
        return 0;
    if (most > 1 && draw_percent(20)) /* the rest came a little later */
        most = 1 + (unsigned)draw(most < 8 ? most : 8);
    list_add(&poll->ready, &batch);
    list_remove(&poll->ready);
    while (n < most && (node = list_take(&batch))) {
        struct interest *interest = list_entry(node, struct interest, ready);
        unsigned ready = ready_of(interest->file);

        if (interest->is_shared)
            ready &= READY_IN;
        if (!ready)
            continue;
        events[n++] = (struct sys_event){ready, interest->data};
        if (interest->is_shared)
            list_add(&poll->ready, &interest->ready);
    }
    while ((node = list_take(&batch)))
        list_add(&poll->ready, node);
    return n;
}

bool file_poll_is_ready(const struct file *poll)
{
    list_each(node, &poll->ready) {
        const struct interest *interest = list_entry(node, struct interest, ready);

        if (ready_of(interest->file) & (interest->is_shared ? READY_IN : ~0u))
            return true;
    }
    return false;
}

/* ---- players come in ---- */

static bool listens_at(const struct file *file, const struct addr *to)
{
    static const unsigned char any[16];
    struct addr same = *to;

    if (!file || file->kind != FILE_LISTENER)
        return false;
    if (addr_eq(&file->addr, to))
        return true;
    memset(same.ip, 0, sizeof same.ip);
    return file->addr.family == to->family && to->family != ADDR_UNIX &&
           file->addr.port == to->port && !memcmp(file->addr.ip, any, sizeof any);
}

/* One of those who listen there, as the kernel spreads a group of sockets. */
static struct file *find_listener(const struct addr *to)
{
    struct file *found = NULL;
    unsigned count = 0;

    for (unsigned fd = 0; fd < files.limit; fd++)
        if (listens_at(files.at[fd], to) && draw(++count) == 0)
            found = files.at[fd];
    return found;
}

static void handshake_over(void *who, uint64_t what)
{
    (void)what;
    side_connected(who, ERR_OK);
}

bool file_dial(struct player *player, const struct addr *from, const struct addr *to,
               struct side **side)
{
    struct file *listener = find_listener(to);
    struct stream *stream;

    if (!listener)
        return false;
    if (!listener->waiting)
        listener->waiting = calloc(BACKLOG, sizeof *listener->waiting);
    if (!listener->waiting || listener->waiting_count == BACKLOG)
        return false;
    stream = stream_new(from, to);
    *side = &stream->sides[0];
    (*side)->player = player;
    (*side)->is_open = (*side)->is_connecting = true;
    stream->sides[1].is_open = true;
    world_after(stream->latency, handshake_over, *side, 0);
    listener->waiting[listener->waiting_count++] = &stream->sides[1];
    trace("dials", stream->number, to->port);
    file_wake(listener);
    return true;
}

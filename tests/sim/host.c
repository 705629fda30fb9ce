/* SYN, SYN-ACK and what may go wrong between them. */
#include "host.h"

#include "files.h"
#include "rules.h"

static struct {
    struct host *all;
    uint64_t connect_most;
} hosts;

void hosts_begin(uint64_t connect_most)
{
    hosts.all = NULL;
    hosts.connect_most = connect_most;
}

void host_add(struct host *host)
{
    host->next = hosts.all;
    hosts.all = host;
}

static struct host *host_find(const struct addr *addr)
{
    struct host *host = hosts.all;

    while (host && !addr_eq(&host->addr, addr))
        host = host->next;
    return host;
}

static void refused(void *who, uint64_t what)
{
    side_connected(who, (enum err)what);
}

static void syn_arrives(void *who, uint64_t what)
{
    struct stream *stream = who;
    struct host *host = host_find(&stream->server);

    (void)what;
    if (!stream->sides[0].is_open)
        return;
    if (host->mood != HOST_UP) {
        side_connected(&stream->sides[0], ERR_REFUSED);
        return;
    }
    stream->sides[1].is_open = true;
    side_connected(&stream->sides[0], ERR_OK);
    host->arrive(host, &stream->sides[1]);
}

static void must_have_given_up(void *who, uint64_t what)
{
    struct side *side = who;

    (void)what;
    if (side->is_open && side->is_connecting)
        violation("a connect was not given up in time (stream %llu)",
                  (unsigned long long)side->stream->number);
}

static enum err not_reached(struct side *side, enum err why)
{
    if (draw_percent(30)) {
        side->is_connecting = false;
        side->is_reset = true;
        return why;
    }
    world_after(1000 + draw(side->stream->latency + 1), refused, side, why);
    return ERR_AGAIN;
}

enum err host_connect(struct file *file, const struct addr *to)
{
    struct addr from = {.family = to->family, .ip = {10, 0, 0, 1}, .port = 40000};
    struct host *host = host_find(to);
    struct stream *stream = stream_new(&from, to);
    struct side *side = &stream->sides[0];

    file->kind = FILE_STREAM;
    file->side = side;
    side->file = file;
    side->is_open = side->is_connecting = true;
    if (!host || host->mood == HOST_REFUSES)
        return not_reached(side, ERR_REFUSED);
    if (!rules.is_calm && draw_percent(1))
        return not_reached(side, ERR_UNREACHABLE);
    if (host->mood == HOST_SILENT) {
        world_after(hosts.connect_most + SLACK, must_have_given_up, side, 0);
        return ERR_AGAIN;
    }
    if (draw_percent(20)) {
        side->is_connecting = false;
        stream->sides[1].is_open = true;
        host->arrive(host, &stream->sides[1]);
        return ERR_OK;
    }
    world_after(1000 + draw(stream->latency + 1), syn_arrives, stream, 0);
    return ERR_AGAIN;
}

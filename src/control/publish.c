/* One struct for each kind of mail; each frees itself where it ends. */
#include "control/publish.h"

#include "base/check.h"
#include "control/maintenance.h"
#include "proxy/door.h"
#include "proxy/link.h"
#include "proxy/waiting.h"

#include <stdlib.h>

static void *new_mail(size_t size)
{
    void *mail = calloc(1, size);

    CHECK(mail != NULL);
    return mail;
}

static void post_home(struct steward *steward, struct mail *mail, mail_fn *open)
{
    mail->open = open;
    mailbox_post(&steward->engine.loop.mailbox, mail);
}

static void post_to(struct worker *worker, struct mail *mail, mail_fn *open)
{
    mail->open = open;
    mailbox_post(&worker->engine.loop.mailbox, mail);
}

/* ---- endpoint sets ---- */

/* A set on its way out: freed when the last worker has left it. */
struct old_set {
    struct endpoint_set *set;
    unsigned left;
};

struct set_mail {
    struct mail mail;
    struct steward *steward;
    struct worker *worker;
    struct pool_live *pool;
    struct endpoint_set *set;
    char *scratch;
    struct old_set *old; /* NULL: there was none */
    char *old_scratch;
};

static char *new_scratch(const struct endpoint_set *set)
{
    size_t size = (set->scratch_size + 2 * CACHE_LINE) & ~(size_t)(CACHE_LINE - 1);
    char *scratch = aligned_alloc(CACHE_LINE, size);

    CHECK(scratch != NULL);
    return scratch;
}

static void set_was_left(struct mail *mail)
{
    struct set_mail *left = container_of(mail, struct set_mail, mail);
    struct old_set *old = left->old;

    if (old && ++old->left == left->steward->worker_count) {
        registry_free_set(old->set);
        free(old);
    }
    free(left->old_scratch);
    free(left);
}

static void use_set(struct set_mail *mail)
{
    struct pool_desk *desk = &mail->pool->desks[mail->worker->index];

    mail->old_scratch = desk->scratch;
    desk->set = mail->set;
    desk->scratch = mail->scratch;
    endpoint_set_scratch_start(mail->set, mail->scratch, &mail->worker->engine.rand);
    if (atomic_load_explicit(&mail->pool->waiting, memory_order_seq_cst))
        waiting_place_is_free(mail->worker, mail->pool, NULL); /* perhaps */
}

static void set_arrived(struct mail *mail)
{
    struct set_mail *arrived = container_of(mail, struct set_mail, mail);

    use_set(arrived);
    post_home(arrived->steward, mail, set_was_left);
}

void publish_set(struct steward *steward, struct pool_record *pool,
                 struct endpoint_set *set)
{
    struct old_set *old = NULL;

    if (pool->published) {
        old = new_mail(sizeof *old);
        old->set = pool->published;
    }
    pool->published = set;
    for (unsigned i = 0; i < steward->worker_count; i++) {
        struct set_mail *mail = new_mail(sizeof *mail);

        *mail = (struct set_mail){.steward = steward,
                                  .worker = &steward->workers[i],
                                  .pool = &pool->live,
                                  .set = set,
                                  .scratch = new_scratch(set),
                                  .old = old};
        if (steward->is_running) {
            post_to(mail->worker, &mail->mail, set_arrived);
        } else {
            use_set(mail);
            set_was_left(&mail->mail);
        }
    }
}

/* ---- closures ---- */

struct closure_mail {
    struct mail mail;
    struct steward *steward;
    struct worker *worker;
    struct closure *closure, *old;
    unsigned *left; /* shared by the workers' mails; counted on the steward's thread */
};

static void use_closure(struct closure_mail *mail)
{
    struct worker *worker = mail->worker;

    worker->closure = mail->closure;
    if (mail->closure)
        worker->curbs |= CURB_CLOSED;
    else
        worker->curbs &= ~(unsigned)CURB_CLOSED;
}

static void closure_was_left(struct mail *mail)
{
    struct closure_mail *left = container_of(mail, struct closure_mail, mail);

    if (++*left->left == left->steward->worker_count) {
        closure_free(left->old);
        free(left->left);
    }
    free(left);
}

static void closure_arrived(struct mail *mail)
{
    struct closure_mail *arrived = container_of(mail, struct closure_mail, mail);

    use_closure(arrived);
    post_home(arrived->steward, mail, closure_was_left);
}

void publish_closure(struct steward *steward, struct closure *closure)
{
    unsigned *left = new_mail(sizeof *left);
    struct closure *old = steward->upkeep.published;

    steward->upkeep.published = closure;
    for (unsigned i = 0; i < steward->worker_count; i++) {
        struct closure_mail *mail = new_mail(sizeof *mail);

        *mail = (struct closure_mail){.steward = steward,
                                      .worker = &steward->workers[i],
                                      .closure = closure,
                                      .old = old,
                                      .left = left};
        if (steward->is_running) {
            post_to(mail->worker, &mail->mail, closure_arrived);
        } else {
            use_closure(mail);
            closure_was_left(&mail->mail);
        }
    }
}

/* ---- snapshots ---- */

struct adopt_mail {
    struct mail mail;
    struct steward *steward;
    struct worker *worker;
    struct generation *generation;
    unsigned failed; /* doors that would not open */
    unsigned port_count;
    struct new_port ports[];
};

static void was_adopted(struct mail *mail)
{
    struct adopt_mail *adopted = container_of(mail, struct adopt_mail, mail);
    struct generation *generation = adopted->generation;

    generation->failed_doors += adopted->failed;
    if (++generation->adopted == adopted->steward->worker_count)
        steward_all_adopted(adopted->steward, generation);
    free(adopted);
}

static void open_doors(struct adopt_mail *mail)
{
    for (unsigned i = 0; i < mail->port_count; i++) {
        const struct new_port *port = &mail->ports[i];
        int fd = port->fds[mail->worker->index];

        if (door_open(mail->worker, port->listener, &port->addr, fd,
                      port->addr.family == ADDR_UNIX)) {
            sys_close(fd);
            mail->failed++;
        }
    }
}

static void snapshot_arrived(struct mail *mail)
{
    struct adopt_mail *arrived = container_of(mail, struct adopt_mail, mail);

    if (arrived->worker->snapshot != arrived->generation->snapshot)
        worker_adopt(arrived->worker, arrived->generation->snapshot);
    open_doors(arrived);
    post_home(arrived->steward, mail, was_adopted);
}

void publish_snapshot(struct steward *steward, struct generation *generation,
                      const struct new_port *ports, unsigned port_count)
{
    for (unsigned i = 0; i < steward->worker_count; i++) {
        struct adopt_mail *mail =
            new_mail(sizeof *mail + port_count * sizeof(struct new_port));

        mail->steward = steward;
        mail->worker = &steward->workers[i];
        mail->generation = generation;
        mail->port_count = port_count;
        if (port_count)
            memcpy(mail->ports, ports, port_count * sizeof *ports);
        post_to(mail->worker, &mail->mail, snapshot_arrived);
    }
}

/* ---- removed servers and listeners ---- */

struct server_mail {
    struct mail mail;
    struct worker *worker;
    struct server_live *server; /* held */
};

static void free_server_mail(struct server_mail *mail)
{
    atomic_fetch_sub_explicit(&mail->server->holds, 1, memory_order_release);
    free(mail);
}

static void close_idle_links(struct mail *mail)
{
    struct server_mail *idle = container_of(mail, struct server_mail, mail);

    link_close_idle(idle->worker, idle->server);
    free_server_mail(idle);
}

static void cut_server(struct mail *mail)
{
    struct server_mail *cut = container_of(mail, struct server_mail, mail);

    worker_cut_server(cut->worker, cut->server);
    free_server_mail(cut);
}

static void post_of_server(struct steward *steward, struct server_record *server,
                           mail_fn *open)
{
    for (unsigned i = 0; i < steward->worker_count; i++) {
        struct server_mail *mail = new_mail(sizeof *mail);

        mail->worker = &steward->workers[i];
        mail->server = &server->live;
        atomic_fetch_add_explicit(&server->live.holds, 1, memory_order_relaxed);
        post_to(mail->worker, &mail->mail, open);
    }
}

void publish_idle_links_end(struct steward *steward, struct server_record *server)
{
    post_of_server(steward, server, close_idle_links);
}

void publish_server_cut(struct steward *steward, struct server_record *server)
{
    post_of_server(steward, server, cut_server);
}

struct listener_mail {
    struct mail mail;
    struct worker *worker;
    struct listener_live *listener; /* held */
};

static void cut_listener(struct mail *mail)
{
    struct listener_mail *cut = container_of(mail, struct listener_mail, mail);

    worker_cut_listener(cut->worker, cut->listener);
    atomic_fetch_sub_explicit(&cut->listener->holds, 1, memory_order_release);
    free(cut);
}

void publish_listener_cut(struct steward *steward, struct listener_record *listener)
{
    for (unsigned i = 0; i < steward->worker_count; i++) {
        struct listener_mail *mail = new_mail(sizeof *mail);

        mail->worker = &steward->workers[i];
        mail->listener = &listener->live;
        atomic_fetch_add_explicit(&listener->live.holds, 1, memory_order_relaxed);
        post_to(mail->worker, &mail->mail, cut_listener);
    }
}

/* ---- the end ---- */

struct end_mail {
    struct mail mail;
    struct worker *worker;
    bool stops;
};

static void end_arrived(struct mail *mail)
{
    struct end_mail *end = container_of(mail, struct end_mail, mail);
    struct worker *worker = end->worker;

    if (!end->stops) {
        worker_drain(worker);
    } else {
        worker_cut(worker);
        loop_stop(&worker->engine.loop);
    }
    free(end);
}

static void publish_end(struct steward *steward, bool stops)
{
    for (unsigned i = 0; i < steward->worker_count; i++) {
        struct end_mail *mail = new_mail(sizeof *mail);

        mail->worker = &steward->workers[i];
        mail->stops = stops;
        post_to(mail->worker, &mail->mail, end_arrived);
    }
}

void publish_drain(struct steward *steward)
{
    publish_end(steward, false);
}

void publish_stop(struct steward *steward)
{
    publish_end(steward, true);
}

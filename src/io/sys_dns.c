/*
 * Questions by c-ares. Its sockets live in a little epoll of our own, level-triggered,
 * because c-ares reads a piece at a time and would lose edges; the loop watches that
 * epoll, and each time it stirs we go on until it is still. Answers are handed out from
 * the loop's deferred calls, never from inside c-ares, so whoever hears one may ask and
 * cancel as he likes.
 */
#include "io/sys_dns.h"

#include "base/check.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/time.h>

enum {
    NAME_MOST = 255,
    TRIES = 2,
    RECEIVE_BUFFER = 1024 * 1024,
    EVENTS_AT_ONCE = 16,
    ROUNDS_AT_ONCE = 64, /* a server that never stops talking must not hold the loop */
};

#define SYSTEM_SETTINGS_HOLD_NS UINT64_C(30000000000)

struct sys_dns {
    struct loop *loop;
    ares_channel channel;
    bool has_channel;
    struct watch watch; /* of the little epoll */
    struct timer timer; /* c-ares' time-outs */
    struct deferred again;
    struct list questions;
    struct addr *servers; /* none: the system's */
    unsigned server_count;
    uint32_t timeout_ms;
    uint64_t opened; /* when the channel was, monotonic ns */
};

struct sys_dns_question {
    struct list node;
    struct sys_dns *dns;
    struct deferred answer; /* runs once c-ares has said how it went */
    sys_dns_fn *done;       /* NULL: cancelled */
    void *owner;
    struct addr *addrs;
    unsigned count;
    uint32_t ttl;
    enum err error;
    bool is_answered;
};

/* ---- sockets and time for c-ares ---- */

static void set_timer(struct sys_dns *dns)
{
    struct timeval wait, *next = ares_timeout(dns->channel, NULL, &wait);
    uint64_t ns;

    if (!next) {
        timer_set(&dns->loop->timers, &dns->timer, TIMER_NEVER);
        return;
    }
    ns = (uint64_t)next->tv_sec * 1000000000u + (uint64_t)next->tv_usec * 1000u;
    timer_set(&dns->loop->timers, &dns->timer, sys_now() + ns);
}

static void timer_fired(struct timer *timer)
{
    struct sys_dns *dns = container_of(timer, struct sys_dns, timer);

    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(dns);
}

static void socket_wanted(void *owner, ares_socket_t fd, int readable, int writable)
{
    struct sys_dns *dns = owner;
    struct epoll_event event = {.data.fd = fd};

    event.events =
        (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
    if (event.events == 0) /* about to be closed */
        epoll_ctl(dns->watch.fd, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl(dns->watch.fd, EPOLL_CTL_MOD, fd, &event))
        epoll_ctl(dns->watch.fd, EPOLL_CTL_ADD, fd, &event);
}

/* False: nothing stirs. */
static bool process_some(struct sys_dns *dns)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int n = epoll_wait(dns->watch.fd, events, EVENTS_AT_ONCE, 0);

    for (int i = 0; i < n; i++) {
        uint32_t ready = events[i].events;
        bool is_broken = ready & (EPOLLERR | EPOLLHUP);
        ares_socket_t fd = events[i].data.fd;

        ares_process_fd(dns->channel, ready & EPOLLIN || is_broken ? fd : ARES_SOCKET_BAD,
                        ready & EPOLLOUT || is_broken ? fd : ARES_SOCKET_BAD);
    }
    return n > 0;
}

static void process(struct sys_dns *dns)
{
    unsigned rounds = 0;

    while (process_some(dns))
        if (++rounds == ROUNDS_AT_ONCE) {
            loop_defer(dns->loop, &dns->again);
            break;
        }
    set_timer(dns);
}

static void process_again(struct deferred *again)
{
    process(container_of(again, struct sys_dns, again));
}

static void sockets_ready(struct watch *watch, unsigned ready)
{
    (void)ready;
    process(container_of(watch, struct sys_dns, watch));
}

/* ---- the channel ---- */

static enum err error_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return ERR_OK;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
        return ERR_NOT_FOUND;
    case ARES_ETIMEOUT:
        return ERR_TIMEOUT;
    case ARES_EBADRESP:
    case ARES_EFORMERR:
        return ERR_INVALID;
    case ARES_ENOMEM:
        return ERR_NO_MEMORY;
    default: /* a server's failure comes out as ARES_ECONNREFUSED, like its absence */
        return ERR_IO;
    }
}

static enum err use_servers(struct sys_dns *dns)
{
    struct ares_addr_port_node *nodes = calloc(dns->server_count, sizeof *nodes);
    enum err e;

    CHECK(nodes != NULL);
    for (unsigned i = 0; i < dns->server_count; i++) {
        const struct addr *server = &dns->servers[i];
        struct ares_addr_port_node *node = &nodes[i];

        node->next = i + 1 < dns->server_count ? node + 1 : NULL;
        node->family = server->family == ADDR_IP6 ? AF_INET6 : AF_INET;
        memcpy(&node->addr, server->ip, server->family == ADDR_IP6 ? 16 : 4);
        node->udp_port = node->tcp_port = server->port ? server->port : 53;
    }
    e = error_of(ares_set_servers_ports(dns->channel, nodes));
    free(nodes);
    return e;
}

/* Servers that were named are asked for the name as it stands: no search list, no hosts
 * file. */
static enum err channel_open(struct sys_dns *dns)
{
    static char dns_only[] = "b", files_first[] = "fb";
    struct ares_options options = {
        .timeout = (int)dns->timeout_ms,
        .tries = TRIES,
        .lookups = dns->server_count ? dns_only : files_first,
        .sock_state_cb = socket_wanted,
        .sock_state_cb_data = dns,
        .socket_receive_buffer_size = RECEIVE_BUFFER,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
               ARES_OPT_SOCK_STATE_CB | ARES_OPT_SOCK_RCVBUF;
    enum err e;

    if (dns->server_count)
        mask |= ARES_OPT_DOMAINS;
    e = error_of(ares_init_options(&dns->channel, &options, mask));
    if (e)
        return e;
    dns->has_channel = true;
    dns->opened = sys_now();
    if (!dns->server_count || !(e = use_servers(dns)))
        return ERR_OK;
    ares_destroy(dns->channel);
    dns->has_channel = false;
    return e;
}

static void channel_close(struct sys_dns *dns)
{
    if (dns->has_channel)
        ares_destroy(dns->channel);
    dns->has_channel = false;
}

/* The system's settings may have changed since; looked at while nobody waits. */
static enum err channel_renew(struct sys_dns *dns)
{
    bool is_old = !dns->server_count && sys_now() - dns->opened > SYSTEM_SETTINGS_HOLD_NS;

    if (dns->has_channel && !(is_old && list_is_empty(&dns->questions)))
        return ERR_OK;
    channel_close(dns);
    return channel_open(dns);
}

enum err sys_dns_new(struct sys_dns **out, struct loop *loop, const struct addr *servers,
                     unsigned server_count, uint32_t timeout_ms)
{
    struct sys_dns *dns = calloc(1, sizeof *dns);
    int fd = epoll_create1(EPOLL_CLOEXEC);
    enum err e;

    CHECK(dns != NULL);
    dns->loop = loop;
    dns->server_count = server_count;
    dns->timeout_ms = timeout_ms;
    dns->servers = calloc(server_count ? server_count : 1, sizeof *servers);
    CHECK(dns->servers != NULL);
    if (server_count)
        memcpy(dns->servers, servers, server_count * sizeof *servers);
    list_init(&dns->questions);
    timer_init(&dns->timer, timer_fired);
    deferred_init(&dns->again, process_again);
    watch_init(&dns->watch, fd, sockets_ready);
    ares_library_init(ARES_LIB_INIT_ALL);
    e = ERR_NO_FDS;
    if (fd < 0 || (e = channel_open(dns)) || (e = loop_watch(loop, &dns->watch)))
        goto fail;
    *out = dns;
    return ERR_OK;

fail:
    sys_dns_free(dns);
    return e;
}

/* ---- questions ---- */

static void question_free(struct sys_dns_question *question)
{
    deferred_cancel(&question->answer);
    list_remove(&question->node);
    free(question->addrs);
    free(question);
}

void sys_dns_free(struct sys_dns *dns)
{
    channel_close(dns); /* all that is open is answered thereby */
    list_each_safe(node, &dns->questions)
        question_free(list_entry(node, struct sys_dns_question, node));
    deferred_cancel(&dns->again);
    timer_remove(&dns->loop->timers, &dns->timer);
    if (dns->watch.fd >= 0) {
        loop_forget(dns->loop, &dns->watch);
        sys_close(dns->watch.fd);
    }
    ares_library_cleanup();
    free(dns->servers);
    free(dns);
}

/* A TTL with the top bit set means 0 (RFC 2181 8). */
static void lower_ttl(struct sys_dns_question *question, int ttl)
{
    uint32_t seconds = ttl > 0 ? (uint32_t)ttl : 0;

    if (seconds < question->ttl)
        question->ttl = seconds;
}

static bool addr_of(const struct ares_addrinfo_node *node, struct addr *out)
{
    *out = (struct addr){0};
    if (node->ai_family == AF_INET) {
        const struct sockaddr_in *ip4 = (const void *)node->ai_addr;

        out->family = ADDR_IP4;
        memcpy(out->ip, &ip4->sin_addr, 4);
        return true;
    }
    if (node->ai_family == AF_INET6) {
        const struct sockaddr_in6 *ip6 = (const void *)node->ai_addr;

        out->family = ADDR_IP6;
        memcpy(out->ip, &ip6->sin6_addr, 16);
        return true;
    }
    return false;
}

static void take_addrs(struct sys_dns_question *question,
                       const struct ares_addrinfo *info)
{
    unsigned room = 0;

    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        room++;
    question->addrs = calloc(room ? room : 1, sizeof *question->addrs);
    CHECK(question->addrs != NULL);
    question->ttl = UINT32_MAX;
    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        if (addr_of(node, &question->addrs[question->count])) {
            question->count++;
            lower_ttl(question, node->ai_ttl);
        }
    for (const struct ares_addrinfo_cname *cname = info->cnames; cname;
         cname = cname->next)
        lower_ttl(question, cname->ttl);
}

static void answered(void *owner, int status, int timeouts, struct ares_addrinfo *info)
{
    struct sys_dns_question *question = owner;

    (void)timeouts;
    question->error = error_of(status);
    question->is_answered = true;
    if (question->error == ERR_OK && question->done) {
        take_addrs(question, info);
        if (question->count == 0)
            question->error = ERR_NOT_FOUND;
    }
    if (info)
        ares_freeaddrinfo(info);
    loop_defer(question->dns->loop, &question->answer);
}

/*
 * RFC 6761 6.3 lets us know ::1 without asking, and c-ares 1.18 loses a little memory with
 * each such question where the hosts file has localhost for IPv4 only.
 */
static bool is_local_ip6(str host, enum addr_family family)
{
    return family == ADDR_IP6 && str_eq_nocase(host, STR("localhost"));
}

static void answer_local_ip6(struct sys_dns_question *question)
{
    question->addrs = calloc(1, sizeof *question->addrs);
    CHECK(question->addrs != NULL);
    question->addrs[0] = (struct addr){.family = ADDR_IP6, .ip = {[15] = 1}};
    question->count = 1;
    question->is_answered = true;
    loop_defer(question->dns->loop, &question->answer);
}

static void hand_out(struct deferred *answer)
{
    struct sys_dns_question *question =
        container_of(answer, struct sys_dns_question, answer);

    if (question->done)
        question->done(question->owner, question->error, question->addrs, question->count,
                       question->ttl);
    question_free(question);
}

struct sys_dns_question *sys_dns_ask(struct sys_dns *dns, str host,
                                     enum addr_family family, sys_dns_fn *done,
                                     void *owner)
{
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT, .ai_family = family == ADDR_IP6 ? AF_INET6 : AF_INET};
    struct sys_dns_question *question = calloc(1, sizeof *question);
    char name[NAME_MOST + 1] = "";
    enum err e = channel_renew(dns);

    CHECK(question != NULL);
    *question = (struct sys_dns_question){.dns = dns, .done = done, .owner = owner};
    deferred_init(&question->answer, hand_out);
    list_add(&dns->questions, &question->node);
    if (host.n == 0 || host.n > NAME_MOST || str_find_char(host, '\0') >= 0) {
        answered(question, ARES_EBADNAME, 0, NULL);
    } else if (e) {
        answered(question, ARES_ENOMEM, 0, NULL);
    } else if (is_local_ip6(host, family)) {
        answer_local_ip6(question);
    } else {
        memcpy(name, host.p, host.n);
        ares_getaddrinfo(dns->channel, name, NULL, &hints, answered, question);
        set_timer(dns);
    }
    return question;
}

void sys_dns_cancel(struct sys_dns_question *question)
{
    question->done = NULL; /* c-ares takes no single question back */
    if (question->is_answered)
        question_free(question);
}

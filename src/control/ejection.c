/* Who rests, and why, in words. */
#include "control/ejection.h"

#include "base/check.h"
#include "base/text.h"
#include "proxy/outcome.h"

#include <stdlib.h>

static bool is_member(const struct server_record *server)
{
    return server->entry && server->live.addr.family != ADDR_NONE &&
           server->entry->weight;
}

static void census_add(struct census *census, enum health health, int count)
{
    census->usable += (unsigned)(health_is_usable(health) ? count : 0);
    census->ejected += (unsigned)(health == HEALTH_EJECTED ? count : 0);
}

/* Gone through once; then it follows each move. Asked for each server that is bad. */
static const struct census *census_of(struct pool_record *pool)
{
    if (pool->census.is_known)
        return &pool->census;
    pool->census = (struct census){.is_known = true};
    list_each(node, &pool->servers) {
        const struct server_record *server = list_entry(node, struct server_record, node);

        if (!is_member(server))
            continue;
        pool->census.all++;
        census_add(
            &pool->census,
            (enum health)atomic_load_explicit(&server->live.health, memory_order_relaxed),
            1);
    }
    return &pool->census;
}

void ejection_moved(struct server_record *server, enum health before, enum health now)
{
    struct census *census = &server->pool->census;

    if (!census->is_known || !is_member(server))
        return;
    census_add(census, before, -1);
    census_add(census, now, 1);
}

static struct outlier *outlier_of(struct server_record *server)
{
    if (!server->outlier) {
        server->outlier = calloc(1, sizeof *server->outlier);
        CHECK(server->outlier != NULL);
        server->pool->has_outliers = true;
    }
    return server->outlier;
}

/* ---- out and back ---- */

static struct text reason_begin(struct server_record *server)
{
    return text_in(server->ejected.words, sizeof server->ejected.words);
}

static void eject(struct steward *steward, struct server_record *server,
                  struct text *reason)
{
    struct outlier *outlier = outlier_of(server);
    uint64_t ms = outlier_eject(outlier, &server->pool->pool->passive,
                                steward->engine.loop.now, &steward->engine.rand);

    text_add(reason, STR("; rests for "));
    text_duration(reason, ms < 1000 ? ms : ms / 1000 * 1000);
    server->ejected.length = (uint32_t)reason->n;
    atomic_store_explicit(&server->live.bad_in_a_row, 0, memory_order_relaxed);
    wellness_publish(steward, server);
}

static bool may_eject(const struct server_record *server)
{
    const struct pool *pool = server->pool->pool;
    const struct census *census;

    if (!pool || !pool->passive.is_enabled || !is_member(server) ||
        !health_is_usable(record_health(server)))
        return false;
    census = census_of(server->pool);
    return outlier_may_eject(&pool->passive, census->all, census->ejected,
                             census->usable);
}

static void bring_back(struct steward *steward, struct server_record *server)
{
    outlier_return(server->outlier, steward->engine.loop.now);
    wellness_publish(steward, server);
}

void ejection_rescue(struct steward *steward, struct pool_record *pool)
{
    const struct census *census;

    if (!pool->has_outliers)
        return;
    census = census_of(pool);
    if (census->usable || !census->ejected)
        return;
    EVENT(&steward->events, LOG_WARN, "ejected servers come back: no other one is left",
          {"pool", pool->live.name});
    list_each(node, &pool->servers) {
        struct server_record *server = list_entry(node, struct server_record, node);

        if (record_health(server) == HEALTH_EJECTED)
            bring_back(steward, server);
    }
}

/* ---- failures in a row ---- */

struct errs_mail {
    struct mail mail;
    struct steward *steward;
    struct server_live *server; /* held */
    struct server_outcome last;
};

static void eject_for_failures(struct steward *steward, struct server_record *server,
                               const struct server_outcome *last)
{
    struct text reason = reason_begin(server);

    text_u64(&reason, server->pool->pool->passive.failures);
    text_add(&reason, STR(" failures in a row, the last: "));
    outcome_say(&reason, last);
    eject(steward, server, &reason);
}

static void errs_arrived(struct mail *mail)
{
    struct errs_mail *errs = container_of(mail, struct errs_mail, mail);
    struct server_record *server = record_of(errs->server);
    unsigned bad =
        atomic_load_explicit(&errs->server->bad_in_a_row, memory_order_relaxed);

    if (may_eject(server) && bad >= server->pool->pool->passive.failures)
        eject_for_failures(errs->steward, server, &errs->last);
    atomic_fetch_sub_explicit(&errs->server->holds, 1, memory_order_release);
    free(errs);
}

void ejection_server_errs(struct steward_desk *desk, struct server_live *server,
                          const struct server_outcome *last)
{
    struct errs_mail *mail = calloc(1, sizeof *mail);

    CHECK(mail != NULL);
    mail->mail.open = errs_arrived;
    mail->steward = container_of(desk, struct steward, desk);
    mail->server = server;
    mail->last = *last;
    atomic_fetch_add_explicit(&server->holds, 1, memory_order_relaxed);
    mailbox_post(desk->mailbox, &mail->mail);
}

/* ---- once a second ---- */

static struct outlier_counts counts_of(const struct steward *steward,
                                       const struct server_live *server)
{
    struct outlier_counts counts = {0};

    for (unsigned i = 0; i < steward->worker_count; i++) {
        const struct server_shard *shard = &server->shards[i];

        for (unsigned class = 0; class < CODE_CLASSES; class ++)
            counts.total += counter_read(&shard->requests[class]);
        for (unsigned failure = 0; failure < FAILURE_COUNT; failure++)
            counts.total += counter_read(&shard->failures[failure]);
        counts.total += counter_read(&shard->joined);
        counts.failed += counter_read(&shard->bad);
        counts.timed += histogram_count(&shard->response);
        counts.time_us += counter_read(&shard->response.sum_us);
    }
    return counts;
}

static void eject_for_rate(struct steward *steward, struct server_record *server,
                           const struct outlier_counts *window)
{
    struct text reason = reason_begin(server);

    text_u64(&reason, window->failed);
    text_add(&reason, STR(" of "));
    text_u64(&reason, window->total);
    text_add(&reason, STR(" requests failed within "));
    text_duration(&reason, server->pool->pool->passive.within);
    eject(steward, server, &reason);
}

static void eject_for_time(struct steward *steward, struct server_record *server,
                           uint64_t mean, uint64_t bound)
{
    struct text reason = reason_begin(server);

    text_add(&reason, STR("answers after "));
    text_duration(&reason, mean / 1000);
    text_add(&reason, STR(", its fellows let it have "));
    text_duration(&reason, bound / 1000);
    eject(steward, server, &reason);
}

/* One server's part of a look. Gives its mean time, or 0. */
static uint64_t look_at_server(struct steward *steward, struct server_record *server)
{
    const struct passive *passive = &server->pool->pool->passive;
    struct outlier *outlier = outlier_of(server);
    uint64_t now = steward->engine.loop.now;
    struct outlier_counts counts = counts_of(steward, &server->live), window;

    if (outlier->until && now >= outlier->until)
        bring_back(steward, server);
    if (outlier->until)
        return 0;
    outlier_ease(outlier, passive, now);
    outlier_sample(outlier, passive, &counts, now);
    window = outlier_window(outlier, passive, &counts, now);
    if (!health_is_usable(record_health(server)))
        return 0;
    if (outlier_fails_often(passive, &window) && may_eject(server)) {
        eject_for_rate(steward, server, &window);
        return 0;
    }
    return passive->latency ? outlier_mean(passive, &window) : 0;
}

static unsigned count_members(struct pool_record *pool)
{
    unsigned count = 0;

    list_each(node, &pool->servers) {
        count += is_member(list_entry(node, struct server_record, node));
    }
    return count;
}

static void look_at_pool(struct steward *steward, struct pool_record *pool)
{
    const struct passive *passive = &pool->pool->passive;
    unsigned all = count_members(pool), fellows = 0, at = 0;
    uint64_t *means = calloc(2 * (all + 1), sizeof *means), *kept = means + all + 1,
             bound;

    CHECK(means != NULL);
    list_each(node, &pool->servers) {
        struct server_record *server = list_entry(node, struct server_record, node);

        if (!is_member(server))
            continue;
        kept[at] = look_at_server(steward, server);
        if (kept[at])
            means[fellows++] = kept[at];
        at++;
    }
    bound = outlier_slow_bound(passive, means, fellows);
    at = 0;
    list_each(node, &pool->servers) {
        struct server_record *server = list_entry(node, struct server_record, node);

        if (!is_member(server))
            continue;
        if (kept[at] > bound && may_eject(server))
            eject_for_time(steward, server, kept[at], bound);
        at++;
    }
    free(means);
}

/* Its configuration has passive health no more. */
static void forget_pool(struct steward *steward, struct pool_record *pool)
{
    list_each(node, &pool->servers) {
        struct server_record *server = list_entry(node, struct server_record, node);

        if (server->outlier && server->outlier->until)
            bring_back(steward, server);
        free(server->outlier);
        server->outlier = NULL;
    }
    pool->has_outliers = false;
}

void ejection_look(struct steward *steward)
{
    list_each(node, &steward->registry.pools) {
        struct pool_record *pool = list_entry(node, struct pool_record, node);

        if (pool->pool && pool->pool->passive.is_enabled)
            look_at_pool(steward, pool);
        else if (pool->has_outliers)
            forget_pool(steward, pool);
    }
}

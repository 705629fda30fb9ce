/*
 * Who is well: outcomes of checks, runs of connect failures and changed names come in
 * here, on the steward's thread; states go out as one atomic word per server, and as
 * events with their reason in words.
 */
#include "base/check.h"
#include "control/degrade.h"
#include "control/ejection.h"
#include "control/publish.h"
#include "proxy/waiting.h"

#include <stdlib.h>

static void tell(struct steward *steward, const struct server_record *record)
{
    enum health health = record_health(record);
    char memory[ADDR_TEXT_MOST];
    enum log_level level = health_is_usable(health) ? LOG_INFO : LOG_WARN;

    EVENT(&steward->events, level, "server changed its state",
          {"pool", record->live.pool_name}, {"server", record->live.name},
          {"address", addr_print(&record->live.addr, memory, sizeof memory)},
          {"state", str_of(health_text(health))}, {"reason", record_reason(record)});
}

/* ---- tiers ---- */

static void tell_panic(struct steward *steward, const struct pool_record *pool)
{
    static const char *const words[] = {
        [TIER_CALM] = "health counts again",
        [TIER_OPEN] = "in panic: health is ignored, for too few servers are well",
        [TIER_REFUSES] = "in panic: requests are refused, for too few servers are well",
    };
    enum tier_panic panic = pool->standing.panic;

    EVENT(&steward->events, panic == TIER_CALM ? LOG_INFO : LOG_WARN,
          "pool changed its state", {"pool", pool->live.name},
          {"reason", str_of(words[panic])});
}

void wellness_weigh(struct steward *steward, struct pool_record *pool)
{
    struct tiers_standing before = pool->standing;

    if (!pool->published)
        return;
    pool->standing = tiers_weigh(&pool->published->tiers);
    if (pool->standing.panic != before.panic)
        tell_panic(steward, pool);
    if (pool->standing.is_spilling != before.is_spilling)
        EVENT(&steward->events, before.is_spilling ? LOG_INFO : LOG_WARN,
              "pool changed its state", {"pool", pool->live.name},
              {"reason", before.is_spilling
                             ? STR("the first tier takes everything again")
                             : STR("requests spill over to the next tier")});
}

/* Each weighing goes through all members of a pool: of a large one that becomes ill, not for
 * each of them. */
enum { WEIGHED_AT_ONCE = 100, WEIGH_GAP_NS = 20000000 };

static void weigh_due(struct timer *timer)
{
    struct steward *steward = container_of(timer, struct steward, weighing.timer);
    struct list *node;

    while ((node = list_take(&steward->weighing.pools)))
        wellness_weigh(steward, list_entry(node, struct pool_record, weigh_node));
    steward->weighing.weighed_at = sys_now();
}

void wellness_init(struct weighing *weighing)
{
    list_init(&weighing->pools);
    timer_init(&weighing->timer, weigh_due);
}

static void weigh_soon(struct steward *steward, struct pool_record *pool)
{
    struct loop *loop = &steward->engine.loop;
    uint64_t due = steward->weighing.weighed_at + WEIGH_GAP_NS;

    if (!pool->published || pool->published->count <= WEIGHED_AT_ONCE) {
        wellness_weigh(steward, pool);
        return;
    }
    list_remove(&pool->weigh_node);
    list_add(&steward->weighing.pools, &pool->weigh_node);
    if (steward->weighing.timer.due == TIMER_NEVER)
        timer_set(&loop->timers, &steward->weighing.timer,
                  due > loop->now ? due : loop->now);
}

/* Workers see the new state from now on. */
void wellness_publish(struct steward *steward, struct server_record *record)
{
    enum health health = record_health(record);
    enum health before =
        (enum health)atomic_load_explicit(&record->live.health, memory_order_relaxed);

    if (before == health)
        return;                    /* an ejected one whose checks pass again */
    warming_look(steward, record); /* before anybody can choose it */
    atomic_store_explicit(&record->live.health, health,
                          memory_order_seq_cst); /* before those who wait hear of it */
    record->changed_at = sys_wall();
    record->transitions[health]++;
    degrade_look_soon(steward);
    ejection_moved(record, before, health);
    tell(steward, record);
    weigh_soon(steward, record->pool);
    if (!health_is_usable(health))
        ejection_rescue(steward, record->pool);
    waiting_tell_all(&record->pool->live);
}

/* ---- checks ---- */

static void record_outcome(struct steward *steward, struct server_record *record,
                           const struct check_outcome *outcome)
{
    const struct health_check *check = &record->pool->pool->check;
    bool has_passed = outcome->result == CHECK_PASSED;

    record->last_check = *outcome;
    record->checked_at = sys_wall();
    record->checks[outcome->result]++;
    histogram_add(&record->check_time, (uint64_t)outcome->duration_ms * 1000000);
    if (has_passed)
        record->good_at = record->checked_at;
    if (health_record(&record->health, check, outcome))
        wellness_publish(steward, record);
}

void wellness_report(struct mail *mail)
{
    struct probe_report *report = container_of(mail, struct probe_report, mail);
    struct steward *steward = report->owner;
    struct server_record *record = record_of(report->server);

    CHECK_MAGIC(steward, STEWARD_MAGIC);
    if (report->is_farewell)
        record->farewells--;
    else if (!record->entry || !record->pool->pool)
        ; /* removed in the meantime */
    else if (report->is_agent)
        voices_agent_report(steward, record, &report->outcome);
    else
        record_outcome(steward, record, &report->outcome);
    free(report);
}

static void watch_server(struct steward *steward, struct server_record *record)
{
    const struct pool *pool = record->pool->pool;
    struct probe_target target;
    bool is_wanted = record->entry && pool && pool->check.is_enabled &&
                     record->live.addr.family != ADDR_NONE;

    if (is_wanted && record->is_watched &&
        record->watched_by == steward->current->number) {
        return; /* it was told the same */
    } else if (is_wanted) {
        target = (struct probe_target){
            .server = &record->live,
            .check = pool->check,
            .proxy_protocol = pool->proxy_protocol,
        };
        record->is_watched = true;
        record->watched_by = steward->current->number;
        prober_watch(steward->prober, &target);
    } else if (record->is_watched) {
        record->is_watched = false;
        record->farewells++; /* until then the prober may point to it */
        prober_forget(steward->prober, &record->live);
    }
}

void wellness_watch(struct steward *steward, struct pool_record *pool)
{
    list_each(node, &pool->servers) {
        struct server_record *record = list_entry(node, struct server_record, node);

        if (pool->pool && record->entry && record->live.addr.family != ADDR_NONE &&
            health_check_changed(&record->health, &pool->pool->check))
            wellness_publish(steward, record);
        if (record->is_cold)
            warming_look(steward, record);
        watch_server(steward, record);
        record->is_cold |= !record->entry; /* should it be named again */
        if (!record->entry)
            publish_idle_links_end(steward, record);
    }
}

/* ---- connect failures ---- */

struct failure_mail {
    struct mail mail;
    struct steward *steward;
    struct server_live *server; /* held */
    enum err why;
};

static void failure_arrived(struct mail *mail)
{
    struct failure_mail *failure = container_of(mail, struct failure_mail, mail);
    struct server_record *record = record_of(failure->server);
    unsigned failures =
        atomic_load_explicit(&record->live.connect_failures, memory_order_relaxed);

    if (record->entry && record->pool->pool &&
        health_record_connects(&record->health, &record->pool->pool->check, failures,
                               failure->why)) {
        atomic_store_explicit(&record->live.connect_failures, 0, memory_order_relaxed);
        wellness_publish(failure->steward, record);
    }
    atomic_fetch_sub_explicit(&failure->server->holds, 1, memory_order_release);
    free(failure);
}

void wellness_server_fails(struct steward_desk *desk, struct server_live *server,
                           enum err why)
{
    struct steward *steward = container_of(desk, struct steward, desk);
    struct failure_mail *mail = calloc(1, sizeof *mail);

    CHECK(mail != NULL);
    mail->mail.open = failure_arrived;
    mail->steward = steward;
    mail->server = server;
    mail->why = why;
    atomic_fetch_add_explicit(&server->holds, 1, memory_order_relaxed);
    mailbox_post(desk->mailbox, &mail->mail);
}

/* ---- names ---- */

static void tell_addresses(struct steward *steward, const struct dns_news *news)
{
    if (news->count == 0)
        EVENT(&steward->events, LOG_WARN, "name has no address", {"pool", news->pool},
              {"host", news->host}, {"reason", news->why});
    else
        EVENT(&steward->events, LOG_INFO, "name has changed its addresses",
              {"pool", news->pool}, {"host", news->host});
}

static void tell_refused(struct steward *steward, const struct dns_news *news)
{
    if (news->refused.n)
        EVENT(&steward->events, LOG_WARN, "addresses of a name are refused",
              {"pool", news->pool}, {"host", news->host}, {"reason", news->refused});
    else
        EVENT(&steward->events, LOG_INFO, "addresses of a name are no longer refused",
              {"pool", news->pool}, {"host", news->host});
}

static void tell_cut(struct steward *steward, const struct dns_news *news)
{
    if (news->cut.n)
        EVENT(&steward->events, LOG_WARN, "a name has too many addresses",
              {"pool", news->pool}, {"host", news->host}, {"reason", news->cut});
    else
        EVENT(&steward->events, LOG_INFO, "a name has no longer too many addresses",
              {"pool", news->pool}, {"host", news->host});
}

void wellness_names_changed(void *owner, const struct dns_news *news)
{
    struct steward *steward = owner;
    struct pool_record *pool = registry_pool(&steward->registry, news->pool);
    struct name_record *name;

    CHECK_MAGIC(steward, STEWARD_MAGIC);
    if (!pool || !pool->pool)
        return;
    name = pool_name(pool, news->host);
    if (!str_eq(name->refused, news->refused))
        tell_refused(steward, news);
    if (!str_eq(name->cut, news->cut))
        tell_cut(steward, news);
    name_explain(name, news->why, news->refused, news->cut);
    if (!news->is_changed)
        return;
    name_learn(name, news->addrs, news->count);
    tell_addresses(steward, news);
    reload_members_soon(steward, pool);
}

/* Looked at on each change of health and once a second, for the sake of the hold. */
#include "control/degrade.h"

#include "base/check.h"
#include "lb/circuit.h"

#include <stdlib.h>

static void look_now(struct deferred *deferred)
{
    degrade_look_all(container_of(deferred, struct steward, ladders.look));
}

void degrade_init(struct ladders *ladders)
{
    const uint64_t seed[2] = {0, 0};

    list_init(&ladders->records);
    map_init(&ladders->by_name, seed);
    deferred_init(&ladders->look, look_now);
}

void degrade_look_soon(struct steward *steward)
{
    if (!list_is_empty(&steward->ladders.records))
        loop_defer(&steward->engine.loop, &steward->ladders.look);
}

/* ---- records ---- */

static struct ladder_record *record_find(const struct steward *steward, str name)
{
    return map_get(&steward->ladders.by_name, name);
}

static struct ladder_record *record_new(struct steward *steward, str name)
{
    struct ladder_record *record = aligned_alloc(
        CACHE_LINE, (sizeof *record + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));

    CHECK(record != NULL);
    memset(record, 0, sizeof *record);
    record->live.name = str_own(name);
    record->reason = str_own(STR(""));
    record->since = sys_wall();
    list_add(&steward->ladders.records, &record->node);
    map_put(&steward->ladders.by_name, record->live.name, record);
    return record;
}

static void record_free(struct ladders *ladders, struct ladder_record *record)
{
    list_remove(&record->node);
    map_remove(&ladders->by_name, record->live.name);
    str_disown(record->live.name);
    str_disown(record->reason);
    free(record);
}

void degrade_attach(struct steward *steward, struct snapshot *snapshot)
{
    list_each(node, &steward->ladders.records) {
        list_entry(node, struct ladder_record, node)->ladder = NULL;
    }
    for (unsigned i = 0; i < snapshot->ladder_count; i++) {
        struct ladder *ladder = &snapshot->ladders[i];
        struct ladder_record *record = record_find(steward, ladder->name);

        if (!record)
            record = record_new(steward, ladder->name);
        record->ladder = ladder;
        ladder->live = &record->live;
    }
}

void degrade_sweep(struct steward *steward)
{
    list_each_safe(node, &steward->ladders.records) {
        struct ladder_record *record = list_entry(node, struct ladder_record, node);

        if (!record->ladder)
            record_free(&steward->ladders, record);
    }
}

void degrade_close(struct steward *steward)
{
    deferred_cancel(&steward->ladders.look);
    while (!list_is_empty(&steward->ladders.records))
        record_free(&steward->ladders, list_entry(steward->ladders.records.next,
                                                  struct ladder_record, node));
    map_close(&steward->ladders.by_name);
}

/* ---- looking ---- */

/* May it be chosen for new requests, as far as checks, people and its breaker say? A
 * breaker that may be tried again counts as well: only a request can show that it is. */
static bool is_healthy(const struct server_record *server, uint64_t now)
{
    const struct circuit *circuit = &server->live.circuit;
    uint64_t word = atomic_load_explicit(&circuit->word, memory_order_relaxed);

    if (!health_is_usable(record_state(server, record_health(server))))
        return false;
    return !server->pool->pool->breaker || circuit_state_of(word) != CIRCUIT_OPEN ||
           circuit_wait(circuit, now) == 0;
}

static void count(struct ladder_record *record, uint64_t now)
{
    const struct pool_record *pool = record_of_pool(record->ladder->pool);

    record->healthy = record->all = 0;
    list_each(node, &pool->servers) {
        const struct server_record *server = list_entry(node, struct server_record, node);

        if (!server_is_shown(server))
            continue;
        record->all++;
        record->healthy += is_healthy(server, now);
    }
}

void degrade_reason(const struct ladder_record *record, struct scroll *out)
{
    scroll_format(out, "%u of %u healthy", record->healthy, record->all);
    if (record->all)
        scroll_format(out, " (%u%%)",
                      (unsigned)((uint64_t)record->healthy * 100 / record->all));
    if (record->state.is_forced)
        scroll_format(out, "; by uid %u", record->by);
    if (record->state.is_forced && record->reason.n)
        scroll_format(out, " \"" STR_FMT "\"", STR_ARG(record->reason));
    if (record->rises_in)
        scroll_format(out, "; rises in %lus",
                      (unsigned long)((record->rises_in + 999999999) / 1000000000));
}

static void publish(struct steward *steward, struct ladder_record *record,
                    enum degrade_level was)
{
    struct scroll why = {0};

    atomic_store_explicit(&record->live.level, record->state.level, memory_order_relaxed);
    record->since = sys_wall();
    degrade_reason(record, &why);
    EVENT(&steward->events, record->state.level > was ? LOG_WARN : LOG_INFO,
          "degradation has changed its level", {"ladder", record->live.name},
          {"level", str_of(degrade_level_text(record->state.level))},
          {"was", str_of(degrade_level_text(was))}, {"reason", scroll_str(&why)});
    scroll_close(&why);
}

static void look(struct steward *steward, struct ladder_record *record)
{
    enum degrade_level was = record->state.level;
    uint64_t now = steward->engine.loop.now;
    bool has_changed;

    count(record, now);
    has_changed =
        degrade_look(&record->state, record->ladder, record->healthy, record->all, now);
    record->rises_in = degrade_rises_in(&record->state, record->ladder, now);
    if (has_changed)
        publish(steward, record, was);
}

void degrade_look_all(struct steward *steward)
{
    list_each(node, &steward->ladders.records) {
        struct ladder_record *record = list_entry(node, struct ladder_record, node);

        if (record->ladder)
            look(steward, record);
    }
}

/* ---- by hand ---- */

static bool find_level(str word, enum degrade_level *level)
{
    for (unsigned i = 0; i < DEGRADE_COUNT; i++) {
        *level = i;
        if (str_eq(word, str_of(degrade_level_text(i))))
            return true;
    }
    return false;
}

static unsigned refuse_name(const struct steward *steward, str name,
                            struct scroll *answer)
{
    bool is_first = true;

    scroll_format(answer, "there is no ladder '" STR_FMT "'", STR_ARG(name));
    list_each(node, &steward->ladders.records) {
        struct ladder_record *record = list_entry(node, struct ladder_record, node);

        if (!record->ladder)
            continue;
        scroll_format(answer, "%s" STR_FMT, is_first ? "; there are: " : ", ",
                      STR_ARG(record->live.name));
        is_first = false;
    }
    return 404;
}

static void carry_out(struct steward *steward, struct ladder_record *record,
                      const struct degrade_patch *patch, enum degrade_level level)
{
    enum degrade_level was = record->state.level;

    str_disown(record->reason);
    record->reason = str_own(patch->reason);
    record->by = patch->by;
    if (str_eq(patch->level, STR("auto"))) {
        degrade_release(&record->state);
        look(steward, record);
    } else if (degrade_force(&record->state, level)) {
        record->rises_in = 0;
        publish(steward, record, was);
    }
}

unsigned degrade_put(struct steward *steward, str name, const struct degrade_patch *patch,
                     struct scroll *answer)
{
    struct ladder_record *record = record_find(steward, name);
    enum degrade_level level = DEGRADE_FULL;

    if (!record || !record->ladder)
        return refuse_name(steward, name, answer);
    if (!str_eq(patch->level, STR("auto")) && !find_level(patch->level, &level)) {
        scroll_add(answer, STR("'level' must be full, reduced, critical, maintenance or "
                               "auto"));
        return 400;
    }
    if (!record->ladder->rules[level].is_there) {
        scroll_format(answer, "ladder '" STR_FMT "' has no level '%s'", STR_ARG(name),
                      degrade_level_text(level));
        return 400;
    }
    carry_out(steward, record, patch, level);
    scroll_add(answer, STR("{\"name\":"));
    scroll_json(answer, name);
    scroll_format(answer, ",\"level\":\"%s\",\"forced\":%s}\n",
                  degrade_level_text(record->state.level),
                  record->state.is_forced ? "true" : "false");
    return 200;
}

/*
 * What servers say they can take, by their agents. A share goes into the ramp that
 * workers see; a drain and a cap are facts of the endpoint set, which is built anew when
 * they change; "down" bars the server whatever its checks say. An agent that is silent
 * changes nothing, for it is no check; but what it said three minutes ago is void.
 */
#include "control/publish.h"

enum { FORGOTTEN_AFTER = 180 }; /* s */

static str said(const struct agent_record *agent)
{
    return (str){agent->said, agent->said_length};
}

static void tell(struct steward *steward, const struct server_record *record,
                 const char *what)
{
    EVENT(&steward->events, record->agent.wish.is_down ? LOG_WARN : LOG_INFO, what,
          {"pool", record->live.pool_name}, {"server", record->live.name},
          {"address", record->live.addr_text}, {"agent", said(&record->agent)});
}

/* The words that workers look at. */
static void apply_words(struct steward *steward, struct server_record *record)
{
    bool is_down = record->agent.wish.is_down;
    char memory[CHECK_DETAIL_MOST];
    struct text reason = text_in(memory, sizeof memory);

    text_add(&reason, STR("agent: "));
    text_add(&reason, str_upto(said(&record->agent), reason.room - reason.n));
    if (health_bar(&record->health, is_down ? text_str(&reason) : STR_NONE))
        wellness_publish(steward, record);
    wellness_apply(steward, record);
}

/* All that those who choose must know: from `before` to what is wished now. */
static void apply(struct steward *steward, struct server_record *record,
                  const struct load_wish *before)
{
    const struct load_wish *now = &record->agent.wish;
    struct pool_record *pool = record->pool;

    apply_words(steward, record);
    if (load_wish_drains(before) == load_wish_drains(now) &&
        before->max_connections == now->max_connections)
        return;
    publish_set(steward, pool, registry_build_set(&steward->registry, pool, sys_wall()));
    wellness_weigh(steward, pool);
}

static void forget(struct agent_record *agent)
{
    *agent = (struct agent_record){.wish = LOAD_WISH_NONE, .failed = agent->failed};
}

static void no_answer(struct steward *steward, struct server_record *record)
{
    struct agent_record *agent = &record->agent;
    struct load_wish before = agent->wish;
    uint64_t silence = steward->engine.loop.now - agent->heard_at;

    if (++agent->failed == 1)
        tell(steward, record, "agent of the server can not be understood");
    if (!agent->heard_at || silence < FORGOTTEN_AFTER * UINT64_C(1000000000))
        return;
    tell(steward, record, "agent of the server is silent, what it said is void");
    forget(agent);
    apply(steward, record, &before);
}

void agents_report(struct steward *steward, struct server_record *record,
                   const struct check_outcome *outcome)
{
    struct agent_record *agent = &record->agent;
    struct load_wish before = agent->wish;
    str line = {outcome->detail, outcome->detail_length};
    struct load_report report;

    if (outcome->result != CHECK_PASSED || load_report_parse(line, &report)) {
        no_answer(steward, record);
        return;
    }
    agent->failed = 0;
    agent->heard_at = steward->engine.loop.now;
    memcpy(agent->said, line.p, line.n);
    agent->said_length = (uint32_t)line.n;
    if (!load_wish_take(&agent->wish, &report))
        return;
    tell(steward, record, "agent changed what the server takes");
    apply(steward, record, &before);
}

void agents_look(struct steward *steward, struct pool_record *pool)
{
    const struct health_check *check = &pool->pool->check;

    if (check->is_enabled && check->agent.port)
        return;
    list_each(node, &pool->servers) {
        struct server_record *record = list_entry(node, struct server_record, node);

        if (!record->agent.heard_at)
            continue;
        forget(&record->agent);
        apply_words(steward, record);
    }
}

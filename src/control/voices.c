/*
 * What servers say they can take: by their agents, and in a header of their answers
 * (load_header.c). Of both the more careful word counts. A share goes into the ramp that
 * workers see; a drain and a cap are facts of the endpoint set, which is built anew when
 * they change; "down" bars the server whatever its checks say. A voice that is silent
 * changes nothing, for it is no check; but what it said three minutes ago is void.
 */
#include "control/probe/probe.h"
#include "control/publish.h"

static str said(const struct voice *voice)
{
    return (str){voice->said, voice->said_length};
}

static str name_of(const struct server_record *record, const struct voice *voice)
{
    return voice == &record->agent ? STR("agent") : STR("load header");
}

static void tell(struct steward *steward, const struct server_record *record,
                 const struct voice *voice, const char *what)
{
    EVENT(&steward->events, voice->wish.is_down ? LOG_WARN : LOG_INFO, what,
          {"by", name_of(record, voice)}, {"pool", record->live.pool_name},
          {"server", record->live.name}, {"address", record->live.addr_text},
          {"said", said(voice)});
}

/* By which voice it is down; NULL: by none. */
static const struct voice *downer(const struct server_record *record)
{
    if (record->agent.wish.is_down)
        return &record->agent;
    return record->header.voice.wish.is_down ? &record->header.voice : NULL;
}

/* The words that workers look at. */
static void apply_words(struct steward *steward, struct server_record *record)
{
    const struct voice *voice = downer(record);
    char memory[CHECK_DETAIL_MOST];
    struct text reason = text_in(memory, sizeof memory);

    if (voice) {
        text_add(&reason, name_of(record, voice));
        text_add(&reason, STR(": "));
        text_add(&reason, str_upto(said(voice), reason.room - reason.n));
    }
    if (health_bar(&record->health, voice ? text_str(&reason) : STR_NONE))
        wellness_publish(steward, record);
    wellness_apply(steward, record);
}

/* All that those who choose must know: from `before` to what is wished now. */
static void apply(struct steward *steward, struct server_record *record,
                  const struct load_wish *before)
{
    struct load_wish now = record_wish(record);

    apply_words(steward, record);
    if (load_wish_drains(before) == load_wish_drains(&now) &&
        before->max_connections == now.max_connections)
        return;
    reload_members_soon(steward, record->pool);
}

/* ---- one voice ---- */

static void forget(struct voice *voice)
{
    *voice = (struct voice){.wish = LOAD_WISH_NONE, .failed = voice->failed};
}

static void take(struct steward *steward, struct server_record *record,
                 struct voice *voice, str line, uint64_t at)
{
    struct load_wish before = record_wish(record);
    struct load_report report;

    if (load_report_parse(line, &report)) {
        if (++voice->failed == 1)
            tell(steward, record, voice,
                 "what a server says of its load can not be understood");
        return;
    }
    voice->failed = 0;
    voice->heard_at = at;
    memcpy(voice->said, line.p, line.n);
    voice->said_length = (uint32_t)line.n;
    if (!load_wish_take(&voice->wish, &report))
        return;
    tell(steward, record, voice, "server changed what it takes");
    apply(steward, record, &before);
}

void voices_silent(struct steward *steward, struct server_record *record,
                   struct voice *voice)
{
    struct load_wish before = record_wish(record);

    if (!voice->heard_at ||
        !load_report_is_void(voice->heard_at, steward->engine.loop.now))
        return;
    tell(steward, record, voice, "server is silent, what it said of its load is void");
    forget(voice);
    apply(steward, record, &before);
}

/* ---- each of them ---- */

void voices_agent_report(struct steward *steward, struct server_record *record,
                         const struct check_outcome *outcome)
{
    struct voice *agent = &record->agent;
    bool has_answered = outcome->result == CHECK_PASSED;

    take(steward, record, agent,
         has_answered ? (str){outcome->detail, outcome->detail_length} : STR(""),
         steward->engine.loop.now);
    if (agent->failed)
        voices_silent(steward, record, agent);
}

void voices_header_says(struct steward *steward, struct server_record *record, str line,
                        uint64_t at)
{
    struct check_outcome shown = {.detail_length = 0};

    outcome_tell(&shown, line);
    take(steward, record, &record->header.voice, (str){shown.detail, shown.detail_length},
         at);
}

static bool has_spoken(const struct voice *voice)
{
    return voice->heard_at || voice->failed;
}

void voices_look(struct steward *steward, struct pool_record *pool)
{
    const struct health_check *check = &pool->pool->check;
    bool has_agents = check->is_enabled && check->agent.port;

    list_each(node, &pool->servers) {
        struct server_record *record = list_entry(node, struct server_record, node);
        struct voice *header = &record->header.voice;
        bool drops_agent = !has_agents && has_spoken(&record->agent);
        bool drops_header = !pool->pool->load_header.n && has_spoken(header);

        if (drops_agent)
            record->agent = (struct voice){.wish = LOAD_WISH_NONE};
        if (drops_header) {
            *header = (struct voice){.wish = LOAD_WISH_NONE};
            atomic_store_explicit(&record->live.load_said, 0, memory_order_relaxed);
        }
        if (drops_agent || drops_header)
            apply_words(steward, record);
    }
}

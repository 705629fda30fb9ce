/* The list of all requests, and the rules. */
#include "judge.h"

#include "base/addr.h"
#include "rules.h"
#include "slack.h"

enum { ANSWERS_MOST = 8192 };

static struct {
    struct query *asks;
    uint64_t count;
    struct answer *answers[ANSWERS_MOST];
    unsigned answer_count;
    unsigned retries;
    bool is_calm;
} judge;

void judge_begin(unsigned retries, bool is_calm)
{
    judge.asks = NULL;
    judge.count = judge.answer_count = 0;
    judge.retries = retries;
    judge.is_calm = is_calm;
}

static unsigned long long name(const struct query *query)
{
    return (unsigned long long)query->id;
}

struct query *query_new(const char *method, uint64_t body_size)
{
    struct query *query = ARENA_NEW(&world.arena, struct query);

    query->next = judge.asks;
    judge.asks = query;
    query->id = ++judge.count;
    query->method = method;
    query->body_size = body_size;
    trace("query", query->id, body_size);
    return query;
}

static struct query *find(uint64_t id)
{
    struct query *query = judge.asks;

    while (query && query->id != id)
        query = query->next;
    return query;
}

static bool is_idempotent(const struct query *query)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};

    for (unsigned i = 0; i < array_len(methods); i++)
        if (strcmp(query->method, methods[i]) == 0)
            return true;
    return false;
}

struct query *query_reached(uint64_t id, const char *method)
{
    struct query *query = find(id);

    if (!query) {
        violation("a server got a request that nobody made (%llu)",
                  (unsigned long long)id);
        return NULL;
    }
    trace("reached", query->id, ++query->reached);
    if (strcmp(method, query->method) != 0)
        violation("request %llu reached a server as %s, not %s", name(query), method,
                  query->method);
    if (query->is_forbidden)
        violation("request %llu reached a server although it had to be refused",
                  name(query));
    if (query->outcome != OUTCOME_NONE && query->outcome != OUTCOME_LEFT &&
        world.now > query->settled_at + SLACK)
        violation("request %llu reached a server after it was over", name(query));
    if (query->reached > 1 && !is_idempotent(query))
        violation("request %llu (%s) reached two servers", name(query), query->method);
    if (query->reached > 1 + judge.retries)
        violation("request %llu reached %u servers", name(query), query->reached);
    return query;
}

void query_read(const struct query *query, const struct wire *wire)
{
    if (wire->is_foreign)
        violation("request %llu has bytes in its body that are not its own", name(query));
    if (wire->body_n != query->body_size)
        violation("request %llu reached a server with %llu bytes of body, not %llu",
                  name(query), (unsigned long long)wire->body_n,
                  (unsigned long long)query->body_size);
}

struct answer *answer_new(struct query *query, uint64_t size)
{
    struct answer *answer = ARENA_NEW(&world.arena, struct answer);

    *answer = (struct answer){
        .serial = 1000000 + judge.answer_count, .query = query, .size = size};
    if (judge.answer_count == ANSWERS_MOST)
        violation("too many answers for one world");
    else
        judge.answers[judge.answer_count++] = answer;
    return answer;
}

static void settle(struct query *query, enum fate outcome)
{
    trace("outcome", query->id, outcome);
    if (query->outcome != OUTCOME_NONE)
        violation("request %llu has two outcomes", name(query));
    query->outcome = outcome;
    query->settled_at = world.now;
}

static void answered_by_server(struct query *query, const struct wire *wire)
{
    uint64_t at = wire->serial - 1000000;
    const struct answer *answer = at < judge.answer_count ? judge.answers[at] : NULL;

    if (!answer || answer->query != query || wire->id != query->id) {
        violation("request %llu got the answer to request %llu", name(query),
                  (unsigned long long)wire->id);
        return;
    }
    if (!answer->is_whole)
        violation("request %llu got as whole an answer that was not", name(query));
    if (wire->is_foreign)
        violation("request %llu got an answer with foreign bytes", name(query));
    if (wire->body_n != (wire->framing == WIRE_NONE ? 0 : answer->size))
        violation("request %llu got %llu bytes of an answer of %llu", name(query),
                  (unsigned long long)wire->body_n, (unsigned long long)answer->size);
    if (query->is_forbidden)
        violation("request %llu was answered but had to be refused", name(query));
}

void query_answered(struct query *query, const struct wire *wire)
{
    if (wire->serial) {
        settle(query, OUTCOME_ANSWERED);
        answered_by_server(query, wire);
        return;
    }
    settle(query, OUTCOME_OWN);
    if (!wire->cause[0] && !query->is_for_us)
        violation("request %llu got an answer (%u) without a cause", name(query),
                  wire->status);
    if (judge.is_calm && !query->is_forbidden && !query->is_excused && !query->is_for_us)
        violation("request %llu got %u %s in a calm world", name(query), wire->status,
                  wire->cause);
}

void query_tunnelled(struct query *query)
{
    settle(query, OUTCOME_ANSWERED);
    if (!query->reached)
        violation("tunnel %llu was answered by nobody", name(query));
}

void query_cut(struct query *query, bool had_bytes)
{
    settle(query, OUTCOME_CUT);
    if (!query->is_broken && !query->is_excused)
        violation("request %llu was cut %s", name(query),
                  had_bytes ? "in the middle of its answer" : "without an answer");
}

void query_untaken(struct query *query)
{
    settle(query, OUTCOME_UNTAKEN);
    if (query->reached)
        violation("request %llu reached a server on a connection that was over",
                  name(query));
    /* When all is cut, or with queues, it may have been sent on that
     * very moment, and still arrives. */
    query->is_forbidden = !rules.queues && world.now < rules.drain_begins;
}

void query_left(struct query *query)
{
    settle(query, OUTCOME_LEFT);
}

static void must_have_ended(void *who, uint64_t what)
{
    struct query *query = who;

    (void)what;
    if (query->outcome == OUTCOME_NONE)
        violation("request %llu is without an answer after all deadlines", name(query));
}

void query_must_end(struct query *query, uint64_t by)
{
    world_at(by, must_have_ended, query, 0);
}

void judge_end(void)
{
    for (const struct query *query = judge.asks; query; query = query->next)
        if (query->outcome == OUTCOME_NONE)
            violation("request %llu has no outcome at the end", name(query));
}

void judge_count(unsigned counts[OUTCOME_LEFT + 1])
{
    for (const struct query *query = judge.asks; query; query = query->next)
        counts[query->outcome]++;
}

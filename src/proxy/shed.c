/* Looks at what stands ready in the worker; nothing here waits or decides for later. */
#include "proxy/shed.h"

#include "proxy/reply.h"

/* Answers that need no server go on: redirects, and what load balancers before us ask to
 * know whether weir itself is there. */
static bool needs_server(const struct exchange *x)
{
    return x->route->action == ROUTE_TO_POOL || x->route->action == ROUTE_SPLIT;
}

/* ---- the ladder ---- */

#define LEVEL_FIELD STR("Weir-Degrade")

static void tell(struct exchange *x, struct head *head)
{
    bool fits;

    head_drop_name(head, LEVEL_FIELD); /* whoever else may have said it */
    if (x->level == DEGRADE_FULL)
        return;
    fits = head_add(head, NAME_OTHER, LEVEL_FIELD, str_of(degrade_level_text(x->level)));
    (void)fits; /* EXTRA_FIELDS, or a page of ours, leaves room for it */
}

void shed_tell_client(struct exchange *x)
{
    tell(x, &x->response);
}

static enum flow go_by_level(struct exchange *x)
{
    const struct route *route = x->route;
    const struct degrade_rule *rule = &route->ladder->rules[x->level];

    if (rule->drops >> route->priority & 1 || route->dropped_at >> x->level & 1) {
        counter_add(&x->worker->shed[route->priority], 1);
        return reply_page(x, rule->page, CAUSE_DEGRADED,
                          "too few servers are well: this can not be served for now");
    }
    tell(x, &x->request);
    return FLOW_NEXT;
}

enum flow shed_look(struct exchange *x)
{
    const struct worker *worker = x->worker;
    const struct ladder *ladder = x->route->ladder;

    if (ladder) /* told and logged, whoever turns the request away */
        x->level = atomic_load_explicit(&ladder->live->level, memory_order_relaxed);
    if (worker->curbs & CURB_CLOSED && needs_server(x) &&
        !prefixes_have(&worker->closure->except, &x->client))
        return reply_page(x, worker->closure->page, CAUSE_MAINTENANCE,
                          "closed for maintenance");
    if (worker->curbs & CURB_LOADED && needs_server(x) &&
        overload_sheds(worker->pressure.state.level, x->route->priority)) {
        counter_add(&x->worker->shed[x->route->priority], 1);
        return reply_error(x, 503, CAUSE_OVERLOADED,
                           "there is more to do than can be done: this request waits "
                           "its turn");
    }
    return ladder ? go_by_level(x) : FLOW_NEXT;
}

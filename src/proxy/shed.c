/* Looks at what stands ready in the worker; nothing here waits or decides for later. */
#include "proxy/shed.h"

#include "proxy/reply.h"

/* Answers that need no server go on: redirects, and what load balancers before us ask to
 * know whether weir itself is there. */
static bool needs_server(const struct exchange *x)
{
    return x->route->action == ROUTE_TO_POOL || x->route->action == ROUTE_SPLIT;
}

static bool is_excepted(const struct exchange *x, const struct closure *closure)
{
    for (unsigned i = 0; i < closure->except_count; i++)
        if (prefix_has(&closure->except[i], &x->client))
            return true;
    return false;
}

enum flow shed_look(struct exchange *x)
{
    const struct worker *worker = x->worker;

    if (worker->curbs & CURB_CLOSED && needs_server(x) &&
        !is_excepted(x, worker->closure))
        return reply_page(x, worker->closure->page, CAUSE_MAINTENANCE,
                          "closed for maintenance");
    return FLOW_NEXT;
}

/* What the admin server sees of the steward: metrics, status, readiness, reload. */
#include "control/metrics.h"
#include "control/status.h"
#include "control/steward_inside.h"

static bool is_ready(void *owner, struct scroll *why_not)
{
    const struct steward *steward = owner;

    if (steward->is_draining) {
        scroll_add(why_not, STR("draining\n"));
        return false;
    }
    if (!steward->is_running) {
        scroll_add(why_not, STR("starting\n"));
        return false;
    }
    return true;
}

static void reload(void *owner, struct admin_request *request)
{
    reload_run(owner, request);
}

struct admin_house steward_house(struct steward *steward)
{
    return (struct admin_house){
        .owner = steward,
        .write_metrics = write_metrics,
        .write_status = write_status,
        .is_ready = is_ready,
        .reload = reload,
    };
}

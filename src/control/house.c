/* What the admin server sees of the steward: metrics, status, readiness, reload. */
#include "base/version.h"
#include "control/circuits.h"
#include "control/degrade.h"
#include "control/load.h"
#include "control/maintenance.h"
#include "control/metrics/metrics.h"
#include "control/orders.h"
#include "control/status.h"
#include "control/steward_inside.h"

static struct overview look(const struct steward *steward)
{
    struct overview view = {
        .version = weir_version,
        .snapshot = steward->current,
        .worker_count = steward->worker_count,
        .started = steward->started,
        .wall = sys_wall(),
        .now = sys_now(),
        .reloads_succeeded = steward->reloads.succeeded,
        .reloads_failed = steward->reloads.failed,
        .last_reload_was_good = steward->reloads.last_was_good,
        .is_draining = steward->is_draining,
        .last_reload_at = steward->reloads.last_at,
        .maintenance = maintenance_view(steward),
        .load = load_view(steward),
        .ladders = &steward->ladders.records,
    };

    for (unsigned i = 0; i < steward->worker_count; i++)
        for (unsigned j = 0; j < PRIORITY_COUNT; j++)
            view.shed[j] += counter_read(&steward->workers[i].shed[j]);
    for (unsigned i = 0; i < LOG_SINK_COUNT; i++)
        view.log_dropped[i] = log_writer_dropped(&steward->log_writer, i);
    return view;
}

void house_sample(const struct steward *steward)
{
    struct overview view = look(steward);

    overview_take(&view);
}

static void add_area(struct memory_area *areas, const struct slab *slab)
{
    while (areas->name && strcmp(areas->name, slab->name) != 0)
        areas++;
    areas->name = slab->name;
    areas->bytes += slab_held(slab);
}

enum { AREAS_MOST = 16 };

/* All slabs of the workers, by what they are for. */
static void find_areas(const struct steward *steward, struct memory_area *areas)
{
    for (unsigned i = 0; i < steward->worker_count; i++) {
        const struct worker *worker = &steward->workers[i];

        add_area(areas, &worker->session_slab);
        add_area(areas, &worker->exchange_slab);
        add_area(areas, &worker->link_slab);
        add_area(areas, &worker->relay_slab);
        add_area(areas, &worker->tcp_slab);
        add_area(areas, &worker->engine.small);
        add_area(areas, &worker->engine.large);
    }
}

static void write_metrics(void *owner, struct scroll *out)
{
    struct memory_area areas[AREAS_MOST] = {{NULL, 0}};
    struct overview view = look(owner);

    sys_usage(&view.usage);
    find_areas(owner, areas);
    view.areas = areas;
    metrics_write(&view, out);
}

static void write_status(void *owner, struct scroll *out)
{
    struct overview view = look(owner);

    status_write(&view, out);
}

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

static unsigned patch_server(void *owner, str pool, str server,
                             const struct server_patch *patch, struct scroll *answer)
{
    return orders_patch(owner, pool, server, patch, answer);
}

static unsigned force_breaker(void *owner, const struct breaker_order *order,
                              struct scroll *answer)
{
    return circuits_carry_out(owner, order, answer);
}

static unsigned put_maintenance(void *owner, const struct maintenance_patch *patch,
                                struct scroll *answer)
{
    return maintenance_put(owner, patch, answer);
}

static unsigned put_degrade(void *owner, str name, const struct degrade_patch *patch,
                            struct scroll *answer)
{
    return degrade_put(owner, name, patch, answer);
}

struct admin_house steward_house(struct steward *steward)
{
    return (struct admin_house){
        .owner = steward,
        .write_metrics = write_metrics,
        .write_status = write_status,
        .is_ready = is_ready,
        .reload = reload,
        .patch_server = patch_server,
        .force_breaker = force_breaker,
        .put_maintenance = put_maintenance,
        .put_degrade = put_degrade,
    };
}

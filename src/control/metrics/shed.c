/* Who is turned away, and why: maintenance, degradation. */
#include "control/metrics/exposition.h"
#include "control/degrade.h"
#include "control/metrics/metrics.h"

static void write_ladders(const struct overview *view, struct scroll *out)
{
    if (!view->ladders || list_is_empty(view->ladders))
        return;
    exposition_family(out, "weir_degrade_level", "gauge",
                      "0 full, 1 reduced, 2 critical, 3 maintenance.");
    list_each(node, view->ladders) {
        const struct ladder_record *record = list_entry(node, struct ladder_record, node);

        if (record->ladder)
            exposition_u64(out, "weir_degrade_level",
                           LABELS({"ladder", record->live.name}), record->state.level);
    }
}

static void write_shed(const struct overview *view, struct scroll *out)
{
    exposition_family(out, "weir_shed_requests_total", "counter",
                      "Requests turned away by a ladder or by overload, by their "
                      "route's priority.");
    for (unsigned i = 0; i < PRIORITY_COUNT; i++)
        exposition_u64(out, "weir_shed_requests_total",
                       LABELS({"priority", str_of(priority_text(i))}), view->shed[i]);
}

void metrics_write_shed(const struct overview *view, struct scroll *out)
{
    exposition_family(out, "weir_maintenance", "gauge", "Is it closed for maintenance?");
    exposition_u64(out, "weir_maintenance", NO_LABELS, view->maintenance.is_on);
    write_ladders(view, out);
    write_shed(view, out);
    exposition_family(out, "weir_overload_level", "gauge",
                      "0 none, 1 low priority is shed, 2 all but critical.");
    exposition_u64(out, "weir_overload_level", NO_LABELS, view->load.level);
    exposition_family(out, "weir_worker_loop_seconds", "histogram",
                      "How long turns with many events took.");
    exposition_histogram(out, "weir_worker_loop_seconds", NO_LABELS,
                         &view->load.loop_time);
}

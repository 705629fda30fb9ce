/* Who is turned away, and why: maintenance. */
#include "control/exposition.h"
#include "control/metrics.h"

void metrics_write_shed(const struct overview *view, struct scroll *out)
{
    exposition_family(out, "weir_maintenance", "gauge", "Is it closed for maintenance?");
    exposition_u64(out, "weir_maintenance", NO_LABELS, view->maintenance.is_on);
}

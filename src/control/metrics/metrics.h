/*
 * Everything that weir counts, as Prometheus reads it: docs/reference/metrics.md names
 * each. Labels come from the configuration only, never from what clients say. A code class
 * or a cause appears once it has happened; what a reload removed goes with it.
 */
#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

#include "control/overview.h"

enum { PER_SERVER_MOST = 1000 }; /* servers; with more, auto leaves them out */

/* May be many megabytes. */
void metrics_write(const struct overview *view, struct scroll *out);

/* metrics_pool.c: pools, servers, checks. */
void metrics_write_pools(const struct overview *view, struct scroll *out);

/* metrics_breaker.c */
void metrics_write_breakers(const struct overview *view, struct scroll *out);

/* metrics_shed.c */
void metrics_write_shed(const struct overview *view, struct scroll *out);

/* Do servers have series of their own? */
bool metrics_has_servers(const struct overview *view);

/* "1xx" to "5xx"; "none" for 0, where no answer was given. */
str metrics_code_text(unsigned class);

#endif

/* The rows of a pool's queue. */
#include "control/conf/draft.h"

const struct conf_row queue_rows[] = {
    {.name = "size",
     .type = CONF_COUNT,
     CONF_AT(struct queueing, size),
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .doc = "How many may wait, over all workers; as many retries may stand aside."},
    {.name = "timeout",
     .type = CONF_DURATION,
     CONF_AT(struct queueing, timeout),
     .fallback = "10s",
     .min = 1,
     .max = HOUR,
     .doc = "How long one may wait."},
    {.name = "slo",
     .type = CONF_DURATION,
     .flags = CONF_OFF,
     CONF_AT(struct queueing, slo),
     .fallback = "off",
     .min = 1,
     .max = HOUR,
     .doc = "Once somebody has waited for so long the newest are served first."},
    {.name = NULL},
};

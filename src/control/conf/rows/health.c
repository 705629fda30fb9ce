/* The rows of `health`: what decides whether a server is well. How servers are asked is in
 * health_check.c. */
#include "control/conf/draft.h"

static const struct conf_choice down_choices[] = {
    {"fail", ALL_DOWN_FAIL}, {"open", ALL_DOWN_OPEN}, {NULL, 0}};

const struct conf_row health_rows[] = {
    {.name = "active",
     .type = CONF_SECTION,
     CONF_AT(struct draft_pool, spec.check),
     .flags = CONF_INLINE,
     .rows = active_rows,
     .word = "off",
     .word_offset = offsetof(struct draft_pool, spec.check.is_enabled),
     .doc = "Checks that weir makes by itself; off for none. Its settings may stand in "
            "'health' directly."},
    {.name = "when_all_down",
     .type = CONF_CHOICE,
     CONF_AT(struct draft_pool, spec.when_all_down),
     .choices = down_choices,
     .fallback = "fail",
     .doc = "Answer 503, or try the servers all the same (open)."},
    {.name = NULL},
};

/* The rows of tiers and zones: who is asked first. */
#include "control/conf/draft.h"

static const struct conf_choice panic_choices[] = {
    {"open", PANIC_OPEN}, {"fail", PANIC_FAIL}, {NULL, 0}};

const struct conf_row tiers_rows[] = {
    {.name = "overprovision",
     .type = CONF_FACTOR,
     CONF_AT(struct tiering, overprovision),
     .fallback = "1.4",
     .min = 1000,
     .max = 100000,
     .doc =
         "A tier keeps all requests as long as the part of it that is well, times this, "
         "is not below one."},
    {.name = "panic_below",
     .type = CONF_PERCENT,
     CONF_AT(struct tiering, panic_below),
     .fallback = "0%",
     .max = 100,
     .doc = "When all tiers together cannot take everything, a tier of which less than "
            "this is well is in panic; 0% is never."},
    {.name = "in_panic",
     .type = CONF_CHOICE,
     CONF_AT(struct tiering, in_panic),
     .choices = panic_choices,
     .fallback = "open",
     .doc = "Send to all of its servers, well or not (open), or to none of them (fail)."},
    {.name = NULL},
};

static const struct conf_choice prefer_choices[] = {{"zone", 0}, {NULL, 0}};

const struct conf_row locality_rows[] = {
    {.name = "prefer",
     .type = CONF_CHOICE,
     .offset = CONF_NO_FIELD,
     .choices = prefer_choices,
     .fallback = "zone",
     .doc = "What counts as near."},
    {.name = "spill_at",
     .type = CONF_PERCENT,
     CONF_AT(struct locality, spill_at),
     .fallback = "80%",
     .min = 1,
     .max = 100,
     .doc =
         "As long as this much of the near servers is well they take everything; below "
         "that, in proportion."},
    {.name = NULL},
};

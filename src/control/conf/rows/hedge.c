/* The rows of hedging, a pool's and a route's. Its short form, p95 or a duration, is made long in
 * shorthand.c. */
#include "control/conf/draft.h"
#include "control/conf/value.h"

enum { QUANTILE_LEAST = 50, QUANTILE_MOST = 99, AFTER_MOST = 60000 };

static bool is_quantile(str text, uint64_t *percent)
{
    return text.n == 3 && text.p[0] == 'p' && str_to_u64(str_from(text, 1), percent) &&
           *percent >= QUANTILE_LEAST && *percent <= QUANTILE_MOST;
}

static void read_after(struct reader *reader, const struct conf_row *row,
                       const struct pair *pair, void *object)
{
    struct hedging *hedging = object;
    const struct node *node = word_wanted(reader, pair);
    uint64_t value;

    (void)row;
    if (!node)
        return;
    if (is_quantile(node->text, &value)) {
        hedging->quantile = (uint32_t)value;
    } else if (value_duration(node->text, &value) == VALUE_FINE && value >= 1 &&
               value <= AFTER_MOST) {
        hedging->quantile = 0;
        hedging->after = (uint32_t)value;
    } else {
        complain_value(reader, "C023", node, "is neither p50 to p99 nor 1ms to 1m");
    }
}

static const struct conf_form after_form = {
    .words = "p50 to p99, or a duration",
    .schema = "{\"type\": \"string\", \"pattern\": "
              "\"^(p[5-9][0-9]|[0-9]+(ms|s|m))$\"}",
    .read = read_after,
};

const struct conf_row hedge_rows[] = {
    {.name = "after",
     .type = CONF_OWN,
     .form = &after_form,
     .fallback = "p95",
     .doc = "Without the head of an answer for so long: p95 is the time within which 95 "
            "of 100 answers of this pool, or this route, have come lately."},
    {.name = "max_share",
     .type = CONF_PERCENT,
     CONF_AT(struct hedging, max_share),
     .fallback = "5%",
     .max = 100,
     .doc = "Of the requests that could be, at most."},
    {.name = NULL},
};

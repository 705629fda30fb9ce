/* What the two targets over HTTP/1 heads share: comparing what was read. */
#ifndef FUZZ_HEADS_H
#define FUZZ_HEADS_H

#include "fuzz.h"

#include "proto/h1_read.h"
#include "proto/h1_write.h"

enum { FIELDS_MOST = 24, FIELDS_AGAIN = FIELDS_MOST + 8, WRITTEN_MOST = 64 * 1024 };

static const struct h1_limits limits = {.head_most = 4096, .target_most = 512};
static const struct h1_limits wider = {.head_most = WRITTEN_MOST,
                                       .target_most = WRITTEN_MOST};

struct outcome {
    enum h1_verdict verdict;
    struct h1_reader reader;
    struct head head;
    struct field fields[FIELDS_MOST];
};

static inline void same_outcome(const struct outcome *a, const struct outcome *b)
{
    HOLDS(a->verdict == b->verdict);
    if (a->verdict == H1_BAD) {
        HOLDS(a->reader.status == b->reader.status);
        HOLDS(a->reader.why && a->reader.why == b->reader.why);
    }
    if (a->verdict != H1_DONE)
        return;
    HOLDS(a->head.bytes == b->head.bytes);
    HOLDS(a->head.field_count == b->head.field_count);
    HOLDS(a->head.flags == b->head.flags);
    HOLDS(a->head.framing == b->head.framing);
    HOLDS(a->head.content_length == b->head.content_length);
}

static inline void slices_are_inside(const struct head *head, str bytes)
{
    HOLDS(head->bytes <= bytes.n);
    HOLDS(fuzz_is_inside(bytes, head->target));
    HOLDS(fuzz_is_inside(bytes, head->authority));
    HOLDS(fuzz_is_inside(bytes, head->query));
    HOLDS(fuzz_is_inside(bytes, head->reason));
    for (unsigned i = 0; i < head->field_count; i++) {
        HOLDS(fuzz_is_inside(bytes, head->fields[i].name));
        HOLDS(fuzz_is_inside(bytes, head->fields[i].value));
    }
}

/* The next field from *at on that is not dropped and not Host; NULL when none. */
static inline const struct field *next_field(const struct head *head, unsigned *at)
{
    while (*at < head->field_count) {
        const struct field *field = &head->fields[(*at)++];

        if (!field->dropped && field->known != NAME_HOST)
            return field;
    }
    return NULL;
}

/* The fields that are passed on are the same, and in the same order. */
static inline void same_fields(const struct head *a, const struct head *b)
{
    unsigned at_a = 0, at_b = 0;
    const struct field *x, *y;

    do {
        x = next_field(a, &at_a);
        y = next_field(b, &at_b);
        HOLDS(!x == !y);
        if (x)
            HOLDS(str_eq(x->name, y->name) && str_eq(x->value, y->value));
    } while (x);
}

#endif

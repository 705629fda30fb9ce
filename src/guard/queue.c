/*
 * Two orders over the same waiters: by age in each class, which says whether the class is
 * late, and by client, which says whose turn it is. New lines stand at the back of the
 * turns. First in, first out serves the front and sends it to the back; newest first
 * serves the back and sends it to the front: in both a client that was served stands
 * behind all others.
 */
#include "guard/queue.h"

#include "base/check.h"

void queue_init(struct queue *queue)
{
    queue->count = 0;
    queue->slo = UINT64_MAX;
    for (unsigned i = 0; i < RANK_COUNT; i++) {
        struct queue_class *class = &queue->classes[i];

        class->count = 0;
        list_init(&class->by_age);
        list_init(&class->turns);
        for (unsigned k = 0; k < QUEUE_LINES; k++) {
            list_init(&class->lines[k].waiters);
            list_init(&class->lines[k].turn);
            class->lines[k].count = 0;
        }
    }
}

static unsigned line_of(uint64_t client)
{
    return (unsigned)(client % QUEUE_LINES);
}

void queue_join(struct queue *queue, struct waiter *waiter, const struct arrival *arrival)
{
    struct queue_class *class = &queue->classes[arrival->rank];
    struct queue_line *line = &class->lines[line_of(arrival->client)];

    waiter->since = arrival->now;
    waiter->line = (uint16_t)line_of(arrival->client);
    waiter->rank = (uint8_t)arrival->rank;
    list_add(&class->by_age, &waiter->by_age);
    list_add(&line->waiters, &waiter->in_line);
    if (line->count++ == 0)
        list_add(&class->turns, &line->turn);
    class->count++;
    queue->count++;
}

void queue_leave(struct queue *queue, struct waiter *waiter)
{
    struct queue_class *class = &queue->classes[waiter->rank];
    struct queue_line *line = &class->lines[waiter->line];

    CHECK(line->count > 0);
    list_remove(&waiter->by_age);
    list_remove(&waiter->in_line);
    if (--line->count == 0)
        list_remove(&line->turn);
    class->count--;
    queue->count--;
}

static struct waiter *oldest_of(const struct queue_class *class)
{
    return list_entry(class->by_age.next, struct waiter, by_age);
}

static bool is_newest_first(const struct queue *queue, const struct queue_class *class,
                            uint64_t now)
{
    return now - oldest_of(class)->since >= queue->slo;
}

enum queue_rank queue_first_class(const struct queue *queue)
{
    unsigned i = 0;

    while (i < RANK_COUNT && !queue->classes[i].count)
        i++;
    return (enum queue_rank)i;
}

struct waiter *queue_next(const struct queue *queue, uint64_t now)
{
    enum queue_rank first = queue_first_class(queue);
    const struct queue_class *class = &queue->classes[first];
    const struct queue_line *line;

    if (first == RANK_COUNT)
        return NULL;
    if (is_newest_first(queue, class, now)) {
        line = list_entry(class->turns.prev, struct queue_line, turn);
        return list_entry(line->waiters.prev, struct waiter, in_line);
    }
    line = list_entry(class->turns.next, struct queue_line, turn);
    return list_entry(line->waiters.next, struct waiter, in_line);
}

void queue_serve(struct queue *queue, struct waiter *waiter, uint64_t now)
{
    struct queue_class *class = &queue->classes[waiter->rank];
    struct queue_line *line = &class->lines[waiter->line];
    bool is_late = is_newest_first(queue, class, now);

    queue_leave(queue, waiter);
    if (!line->count)
        return;
    list_remove(&line->turn);
    if (is_late)
        list_push(&class->turns, &line->turn);
    else
        list_add(&class->turns, &line->turn);
}

/* A constant number of steps, and only when the queue is full. */
static const struct queue_line *longest_of(const struct queue_class *class)
{
    const struct queue_line *longest = &class->lines[0];

    for (unsigned i = 1; i < QUEUE_LINES; i++)
        if (class->lines[i].count > longest->count)
            longest = &class->lines[i];
    return longest;
}

/* Whoever of the longest line would be served last. */
static struct waiter *last_of(const struct queue *queue, const struct queue_class *class,
                              const struct queue_line *line, uint64_t now)
{
    return is_newest_first(queue, class, now)
               ? list_entry(line->waiters.next, struct waiter, in_line)
               : list_entry(line->waiters.prev, struct waiter, in_line);
}

struct waiter *queue_spare(const struct queue *queue, const struct arrival *arrival)
{
    const struct queue_class *class;
    const struct queue_line *longest;
    unsigned lowest = RANK_COUNT;

    while (lowest-- > (unsigned)arrival->rank) {
        class = &queue->classes[lowest];
        if (!class->count)
            continue;
        longest = longest_of(class);
        if (lowest == (unsigned)arrival->rank &&
            longest->count <= class->lines[line_of(arrival->client)].count + 1)
            return NULL;
        return last_of(queue, class, longest, arrival->now);
    }
    return NULL;
}

/*
 * Places are evenly spread, so the ring is sorted by dealing the points out to about as
 * many parts as there are points, in order of the parts, and putting the one or two of each
 * in order: O(n), and the beginnings of the parts are the index besides. They are dealt
 * twice, coarsely first, because a million points dealt at once would each miss the cache.
 */
#include "lb/ring.h"

#include "base/check.h"
#include "base/hash.h"

enum { POINTS_MOST = 1 << 22, CHUNKS = 256, CHUNK_LENGTH = 1 << 24 };

static const uint64_t golden = 0x9e3779b97f4a7c15u;

/* The places of one identity, as of a generator seeded with it. */
static uint32_t place(uint64_t id, unsigned i)
{
    return (uint32_t)(hash_u64(id + golden * (i + 1)) >> 32);
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* How many points each server has. */
struct portions {
    uint32_t divisor, virtual_nodes;
    unsigned shift;
};

static unsigned portion(const struct portions *portions, const struct server *server)
{
    uint64_t weight = server_weight(server, true), points;

    if (!weight)
        return 0;
    points = weight / portions->divisor * portions->virtual_nodes >> portions->shift;
    return points ? (unsigned)points : 1;
}

static uint64_t portions_total(const struct portions *portions, const struct tier *tier)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < tier->count; i++)
        total += portion(portions, &tier->servers[i]);
    return total;
}

static struct portions portions_of(const struct tier *tier, uint32_t virtual_nodes)
{
    struct portions portions = {.virtual_nodes = virtual_nodes};

    for (unsigned i = 0; i < tier->count; i++)
        portions.divisor =
            common_divisor(server_weight(&tier->servers[i], true), portions.divisor);
    while (portions.shift < 63 && portions_total(&portions, tier) > POINTS_MOST)
        portions.shift++;
    return portions;
}

/* Puts the few points of one part in order; at the same place the identity decides, so
 * that the order of servers in the file does not. */
static void part_sort(struct point *points, unsigned count, const uint64_t *ids)
{
    for (unsigned i = 1; i < count; i++) {
        struct point moved = points[i];
        unsigned at = i;

        for (; at > 0; at--) {
            const struct point *before = &points[at - 1];

            if (before->at < moved.at ||
                (before->at == moved.at && ids[before->server] <= ids[moved.server]))
                break;
            points[at] = *before;
        }
        points[at] = moved;
    }
}

/* The first round: points are in order as far as their first bits go. chunks[i] is where
 * those begin whose first bits are i. */
static void points_deal(struct point *points, unsigned chunks[CHUNKS + 1],
                        const struct tier *tier, const uint64_t *ids,
                        const struct portions *portions)
{
    memset(chunks, 0, (CHUNKS + 1) * sizeof *chunks);
    for (unsigned i = 0; i < tier->count; i++)
        for (unsigned j = portion(portions, &tier->servers[i]); j-- > 0;)
            chunks[place(ids[i], j) / CHUNK_LENGTH]++;
    for (size_t i = 1; i <= CHUNKS; i++) /* ends, for now */
        chunks[i] += chunks[i - 1];
    for (unsigned i = 0; i < tier->count; i++)
        for (unsigned j = portion(portions, &tier->servers[i]); j-- > 0;) {
            uint32_t at = place(ids[i], j);

            points[--chunks[at / CHUNK_LENGTH]] = (struct point){at, i};
        }
}

static unsigned largest(const unsigned chunks[CHUNKS + 1])
{
    unsigned most = 0;

    for (size_t i = 0; i < CHUNKS; i++)
        if (chunks[i + 1] - chunks[i] > most)
            most = chunks[i + 1] - chunks[i];
    return most;
}

/* The second round: each chunk into its parts, and those in order. A part of a small ring
 * may be several chunks long; they come one after the other, as they lie. */
static void chunks_deal(const struct ring *ring, struct point *points, uint32_t *starts,
                        const unsigned chunks[CHUNKS + 1], struct point *hand)
{
    size_t parts = (size_t)1 << (32 - ring->shift);

    for (unsigned i = 0; i < ring->count; i++)
        starts[points[i].at >> ring->shift]++;
    for (size_t i = 1; i <= parts; i++) /* ends, for now */
        starts[i] += starts[i - 1];
    for (size_t i = CHUNKS; i-- > 0;) {
        unsigned count = chunks[i + 1] - chunks[i];

        memcpy(hand, points + chunks[i], count * sizeof *hand);
        for (unsigned j = 0; j < count; j++)
            points[--starts[hand[j].at >> ring->shift]] = hand[j];
    }
}

static void ring_fill(struct ring *ring, struct arena *arena, const struct tier *tier,
                      const uint64_t *ids, const struct portions *portions)
{
    size_t parts = (size_t)1 << (32 - ring->shift);
    struct point *points = arena_alloc(arena, ring->count * sizeof *points);
    uint32_t *starts = ARENA_ARRAY(arena, uint32_t, parts + 1);
    unsigned chunks[CHUNKS + 1];
    struct arena scratch;

    arena_init(&scratch, 0);
    points_deal(points, chunks, tier, ids, portions);
    chunks_deal(ring, points, starts, chunks,
                arena_alloc(&scratch, largest(chunks) * sizeof *points));
    arena_reset(&scratch);
    for (size_t i = 0; i < parts; i++)
        part_sort(points + starts[i], starts[i + 1] - starts[i], ids);
    ring->points = points;
    ring->starts = starts;
}

const struct ring *ring_new(struct arena *arena, const struct tier *tier,
                            const uint64_t *ids, uint32_t virtual_nodes)
{
    struct ring *ring = ARENA_NEW(arena, struct ring);
    struct portions portions;

    CHECK(virtual_nodes > 0);
    portions = portions_of(tier, virtual_nodes);
    ring->count = (unsigned)portions_total(&portions, tier);
    if (!ring->count)
        return NULL;
    ring->shift = 31; /* two parts at least: a shift by 32 is none */
    while ((uint64_t)1 << (32 - ring->shift) < ring->count)
        ring->shift--;
    ring_fill(ring, arena, tier, ids, &portions);
    return ring;
}

unsigned ring_find(const struct ring *ring, uint64_t key)
{
    uint32_t at = (uint32_t)(key >> 32);
    unsigned i = ring->starts[at >> ring->shift];

    while (i < ring->count && ring->points[i].at < at)
        i++;
    return i < ring->count ? i : 0;
}

/* Slips at the steward: when they are looked at, which of them, and what is void. The
 * clock is set by hand; the words are shares, which need no new endpoint set. */
#include "control/load_header.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { WORKERS = 2 };
static const uint64_t SECOND = 1000000000;

struct stage {
    struct steward steward;
    struct worker workers[WORKERS];
    struct load_slip slips[WORKERS];
    struct server_desk desks[WORKERS];
    struct server_record server;
    struct pool_record pool_record;
    struct pool pool;
    struct server_entry entry;
};

static struct stage *s;

static void begin(void)
{
    size_t size = (sizeof *s + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
    const uint64_t seed[2] = {1, 2};

    s = memset(aligned_alloc(CACHE_LINE, size), 0, size);
    s->steward.worker_count = WORKERS;
    s->steward.engine.loop.now = 1000 * SECOND;
    list_init(&s->steward.slips);
    registry_init(&s->steward.registry, WORKERS, seed);
    s->pool.load_header = STR("X-Load");
    s->pool_record.pool = &s->pool;
    list_init(&s->pool_record.servers);
    list_add(&s->steward.registry.pools, &s->pool_record.node);
    s->server.pool = &s->pool_record;
    s->server.entry = &s->entry;
    s->server.live.desks = s->desks;
    s->server.agent.wish = s->server.header.voice.wish = LOAD_WISH_NONE;
    list_add(&s->pool_record.servers, &s->server.node);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(mailbox_init(&s->workers[i].engine.loop.mailbox), ERR_OK);
        s->workers[i].steward = &s->steward.desk;
        s->slips[i].worker = &s->workers[i];
        s->slips[i].server = &s->server.live;
    }
}

static void end(void)
{
    for (unsigned i = 0; i < WORKERS; i++)
        mailbox_close(&s->workers[i].engine.loop.mailbox);
    assert_int_equal(s->server.live.holds, 0);
    registry_init(&s->steward.registry, WORKERS, (const uint64_t[2]){1, 2});
    registry_close(&s->steward.registry);
    free(s);
}

/* A worker has read this, at a time before now. */
static void say(unsigned worker, const char *words, uint64_t ago)
{
    struct load_slip *slip = &s->slips[worker];

    assert_false(slip->is_under_way);
    slip->told = (struct load_note){.length = (uint32_t)strlen(words),
                                    .hash = strlen(words) * 256 + (unsigned char)*words,
                                    .at = s->steward.engine.loop.now - ago};
    memcpy(slip->told.words, words, slip->told.length);
    slip->is_under_way = true;
    atomic_fetch_add(&s->server.live.holds, 1);
    arrived(&slip->mail);
}

/* So much later the steward has looked, and the workers have opened their mail. */
static void later(uint64_t ns)
{
    s->steward.engine.loop.now += ns;
    load_header_look(&s->steward);
    for (unsigned i = 0; i < WORKERS; i++)
        mailbox_open(&s->workers[i].engine.loop.mailbox);
    assert_true(list_is_empty(&s->steward.slips));
}

static void must_be(unsigned percent)
{
    assert_int_equal(s->server.header.voice.wish.share, percent * RAMP_FULL / 100);
    assert_int_equal(atomic_load(&s->server.live.ramp), percent * RAMP_FULL / 100);
}

static void test_at_once_and_then_by_the_second(void **state)
{
    (void)state;
    begin();
    say(0, "50%", 0);
    must_be(50);
    say(1, "75%", 0);
    must_be(50);
    later(SECOND / 2);
    must_be(75);
    assert_false(s->slips[0].is_under_way || s->slips[1].is_under_way);
    later(SECOND);
    say(1, "25%", 0);
    must_be(25);
    later(SECOND);
    end();
}

/* Whichever order the slips come in. */
static void test_the_newest_counts(void **state)
{
    (void)state;
    for (unsigned first = 0; first < WORKERS; first++) {
        begin();
        say(0, "100%", 100);
        later(SECOND / 10);
        say(0, "75%", 10);
        later(SECOND / 10);
        say(first, first ? "50%" : "25%", first ? 2 : 1);
        say(1 - first, first ? "25%" : "50%", first ? 1 : 2);
        later(SECOND / 10);
        must_be(25);
        later(SECOND * 2);
        say(0, "10%", SECOND * 10); /* has been long on its way */
        must_be(25);
        later(SECOND);
        must_be(25);
        end();
    }
}

static void test_void(void **state)
{
    (void)state;
    begin();
    say(0, "50%", 0);
    later(100 * SECOND);
    atomic_store(&s->desks[1].load_heard_at, s->steward.engine.loop.now);
    later(179 * SECOND);
    must_be(50);
    assert_int_not_equal(s->server.live.load_said, 0);
    later(SECOND);
    must_be(100);
    assert_int_equal(s->server.live.load_said, 0); /* the same is news again */
    say(1, "50%", 0);
    must_be(50);
    later(SECOND);
    end();
}

/* Nonsense that is said again and again keeps nothing alive, and is told once. */
static void test_nonsense_confirms_nothing(void **state)
{
    (void)state;
    begin();
    say(0, "50%", 0);
    later(2 * SECOND);
    say(0, "what", 0);
    must_be(50);
    assert_int_equal(s->server.header.voice.failed, 1);
    later(SECOND);
    for (unsigned i = 0; i < 200; i++) {
        atomic_store(&s->desks[0].load_heard_at, s->steward.engine.loop.now);
        later(SECOND);
    }
    must_be(100);
    assert_int_not_equal(s->server.live.load_said, 0);
    end();
}

static void test_removed_and_stopped(void **state)
{
    (void)state;
    begin();
    s->server.entry = NULL;
    say(0, "50%", 0);
    later(SECOND);
    s->server.entry = &s->entry;
    s->pool.load_header = STR("");
    say(0, "25%", 0);
    later(SECOND);
    assert_int_equal(s->server.header.taken_at, 0);
    s->pool.load_header = STR("X-Load");
    say(0, "25%", 0); /* is there when all ends */
    s->steward.is_stopped = true;
    say(1, "75%", 0); /* comes after the end */
    load_header_look(&s->steward);
    mailbox_open(&s->workers[0].engine.loop.mailbox);
    assert_true(s->slips[0].is_under_way);
    load_header_close(&s->steward);
    must_be(25);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_once_and_then_by_the_second),
        cmocka_unit_test(test_the_newest_counts),
        cmocka_unit_test(test_void),
        cmocka_unit_test(test_nonsense_confirms_nothing),
        cmocka_unit_test(test_removed_and_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

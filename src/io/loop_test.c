/* The turn, the mailbox and the engine's pipes, on real descriptors and threads. */
#include "io/loop.c"

#include "io/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { SENDERS = 4, LETTERS = 5000 };

static struct loop loop;
static char told[16]; /* what was called, in order */
static unsigned told_n;

static void tell(char what)
{
    assert_true(told_n + 1 < sizeof told);
    told[told_n++] = what;
    told[told_n] = '\0';
}

static int set_up(void **state)
{
    (void)state;
    told_n = 0;
    told[0] = '\0';
    return loop_init(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    loop_close(&loop);
    return 0;
}

/* ---- the turn ---- */

static struct deferred first, second;
static struct timer timer;

static void run_first(struct deferred *deferred)
{
    tell('1');
    loop_defer(&loop, deferred); /* the next turn, not this one for ever */
}

static void run_second(struct deferred *deferred)
{
    (void)deferred;
    tell('2');
}

static void fire(struct timer *t)
{
    (void)t;
    tell('t');
}

static void test_deferred_once_a_turn(void **state)
{
    (void)state;
    deferred_init(&first, run_first);
    deferred_init(&second, run_second);
    loop_defer(&loop, &first);
    loop_defer(&loop, &second);
    loop_defer(&loop, &second);
    assert_true(loop_turn(&loop));
    assert_string_equal(told, "12");
    assert_true(loop_turn(&loop)); /* does not wait */
    assert_string_equal(told, "121");
    deferred_cancel(&first);
    deferred_cancel(&first);
    loop_stop(&loop);
}

static struct watch watches[2];
static int pipes[2][2];

static void watch_told(struct watch *watch, unsigned ready)
{
    assert_true(ready & READY_IN);
    tell(watch == &watches[0] ? 'a' : 'b');
    loop_forget(&loop, &watches[watch == &watches[0]]); /* the other one */
}

static void open_pipe(unsigned i)
{
    assert_int_equal(pipe(pipes[i]), 0);
    watch_init(&watches[i], pipes[i][0], watch_told);
    assert_int_equal(loop_watch(&loop, &watches[i]), ERR_OK);
    assert_int_equal(write(pipes[i][1], "x", 1), 1);
}

static void open_pipes(void)
{
    open_pipe(0);
    open_pipe(1);
}

static void close_pipe(unsigned i)
{
    loop_unwatch(&loop, &watches[i]);
    close(pipes[i][0]);
    close(pipes[i][1]);
}

static void close_pipes(void)
{
    close_pipe(0);
    close_pipe(1);
}

/* Both have news in one batch; who is told first makes the other one go. */
static void test_forgotten_within_a_batch(void **state)
{
    (void)state;
    open_pipes();
    assert_true(loop_turn(&loop));
    assert_int_equal(told_n, 1);
    close_pipes();
}

static void test_io_before_timers(void **state)
{
    (void)state;
    timer_init(&timer, fire);
    timer_set(&loop.timers, &timer, loop.now + 1);
    open_pipes();
    usleep(5000); /* stalled: the timer is overdue, and bytes have come meanwhile */
    assert_true(loop_turn(&loop));
    assert_int_equal(told_n, 2);
    assert_int_equal(told[1], 't');
    close_pipes();
}

static void test_stop(void **state)
{
    (void)state;
    loop_stop(&loop);
    timer_init(&timer, fire);
    timer_set(&loop.timers, &timer, loop.now + 1);
    assert_false(loop_turn(&loop));
}

/* ---- the mailbox ---- */

struct letter {
    struct mail mail;
    unsigned sender, number;
};

static unsigned next[SENDERS], opened;

static void open_letter(struct mail *mail)
{
    struct letter *letter = container_of(mail, struct letter, mail);

    assert_int_equal(letter->number, next[letter->sender]++);
    opened++;
    free(letter);
}

struct sender {
    struct sys_thread thread;
    unsigned index, number;
};

static bool send_next(void *owner)
{
    struct sender *sender = owner;
    struct letter *letter = malloc(sizeof *letter);

    CHECK(letter != NULL);
    *letter = (struct letter){{.open = open_letter}, sender->index, sender->number++};
    mailbox_post(&loop.mailbox, &letter->mail);
    return sender->number < LETTERS;
}

/* A loop that sleeps is woken for each, and those of one sender come in order. */
static void test_mail_of_many_threads(void **state)
{
    struct sender senders[SENDERS] = {0};

    (void)state;
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i].index = i;
        assert_int_equal(
            sys_thread_start(&senders[i].thread, "sender", send_next, &senders[i]),
            ERR_OK);
    }
    while (opened < SENDERS * LETTERS) /* sleeps without a limit: hangs if one is lost */
        loop_turn(&loop);
    for (unsigned i = 0; i < SENDERS; i++)
        sys_thread_join(&senders[i].thread);
    for (unsigned i = 0; i < SENDERS; i++)
        assert_int_equal(next[i], LETTERS);
}

/* However much mail comes at once, a turn opens a bounded part of it and then looks who else
 * has news; the rest needs no further event. */
static void test_mail_does_not_hold_up_io(void **state)
{
    struct sender sender = {.index = 0};
    unsigned turns = 0;

    (void)state;
    opened = next[0] = 0;
    open_pipe(0);
    while (send_next(&sender))
        ;
    for (; opened < LETTERS; turns++) {
        unsigned before = opened;

        if (turns == 3)
            assert_int_equal(write(pipes[0][1], "y", 1), 1);
        assert_true(loop_turn(&loop)); /* hangs if the rest is forgotten */
        assert_true(opened > before && opened - before <= 2 * LOOP_MAIL);
        if (turns == 3)
            assert_string_equal(told, "aa");
    }
    assert_true(turns >= LETTERS / (2 * LOOP_MAIL));
    close_pipe(0);
}

/* ---- the engine ---- */

static void test_chunks_and_pipes(void **state)
{
    struct engine engine;
    struct chunk *small, *large;
    struct pipe *pipe;

    (void)state;
    assert_int_equal(engine_init(&engine, 0), ERR_OK);
    small = chunk_new(&engine, CHUNK_SMALL);
    large = chunk_new(&engine, CHUNK_SMALL + 1);
    assert_int_equal(small->room, CHUNK_SMALL);
    assert_int_equal(large->room, CHUNK_LARGE);
    assert_false(engine_is_full(&engine));
    engine.memory_most = CHUNK_LARGE;
    assert_true(engine_is_full(&engine));
    chunk_free(&engine, small);
    chunk_free(&engine, large);
    assert_false(engine_is_full(&engine));

    pipe = pipe_take(&engine);
    assert_non_null(pipe);
    pipe_give(&engine, pipe);
    assert_ptr_equal(pipe_take(&engine), pipe); /* an empty one is kept */
    assert_int_equal(write(pipe->fds[1], "secret", 6), 6);
    pipe->held = 6;
    pipe_give(&engine, pipe); /* bytes of one exchange never meet another */
    assert_int_equal(engine.pipe_count, 0);
    engine_close(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_deferred_once_a_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forgotten_within_a_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_io_before_timers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mail_of_many_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mail_does_not_hold_up_io, set_up, tear_down),
        cmocka_unit_test(test_chunks_and_pipes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

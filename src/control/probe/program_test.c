/* Checks by programs: verdicts and reasons, what they are told, deadlines, the end. */
#include "program.c"

#include "control/probe/test_server.h"

#include <signal.h>

static struct engine engine;
static struct program_list programs;
static struct server_live live;
static struct check_outcome outcome;
static bool is_finished;

static void finished(struct probe *probe, const struct check_outcome *how)
{
    assert_false(is_finished);
    is_finished = true;
    outcome = *how;
}

static void trial_begin(struct probe *probe, const char *script, uint32_t timeout)
{
    const str words[] = {STR("/bin/sh"), STR("-c"),     str_of(script),
                         STR("sh"),      STR("{port}"), STR("x{server}/{pool}{y}")};
    struct probe_target target = {
        .server = &live,
        .check = {.is_enabled = true,
                  .kind = CHECK_BY_PROGRAM,
                  .program = words,
                  .program_count = array_len(words),
                  .interval = 5000,
                  .timeout = timeout},
    };

    is_finished = false;
    probe_init(probe, &engine, probe_question_new(&target), finished);
    probe->programs = &programs;
    assert_int_equal(probe_begin(probe), ERR_OK);
}

static enum check_result judged(const char *script, uint32_t timeout)
{
    struct probe probe;

    trial_begin(&probe, script, timeout);
    while (!is_finished)
        loop_turn(&engine.loop);
    probe_close(&probe);
    return outcome.result;
}

static void told(const char *words)
{
    if (!str_eq((str){outcome.detail, outcome.detail_length}, str_of(words)))
        fail_msg("'%.*s', expected '%s'", (int)outcome.detail_length, outcome.detail,
                 words);
}

static void test_verdicts(void **state)
{
    assert_int_equal(judged("exit 0", 5000), CHECK_PASSED);
    told("");
    assert_int_equal(judged("echo first; echo; echo ' the last '; echo", 5000),
                     CHECK_PASSED);
    told("the last");
    assert_int_equal(judged("printf 'no end' >&2; exit 2", 5000), CHECK_FAILED);
    told("exit status 2: no end");
    assert_int_equal(judged("exit 255", 5000), CHECK_FAILED);
    told("exit status 255");
    assert_int_equal(judged("kill -TERM $$", 5000), CHECK_FAILED);
    told("ended by signal 15");
    assert_int_equal(
        judged("i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done", 5000),
        CHECK_PASSED);
    told("line 3000");
    assert_int_equal(programs.count, 0);
}

static void test_what_it_is_told(void **state)
{
    assert_int_equal(
        judged("echo $1 $2 $WEIR_ADDRESS $WEIR_PORT $WEIR_POOL $WEIR_SERVER", 5000),
        CHECK_PASSED);
    told("8080 xone/app{y} 192.0.2.7 8080 app one");
    assert_int_equal(judged("env | grep -v -e WEIR_ -e PWD= -e _= -e SHLVL= | sort | "
                            "tr '\\n' ' '",
                            5000),
                     CHECK_PASSED);
    told("PATH=/usr/local/bin:/usr/bin:/bin");
}

/* Killed at the deadline with all that it has started, and reaped a little later. */
static void test_deadline(void **state)
{
    struct sys_child child;

    assert_int_equal(judged("sleep 100 & sleep 100", 100), CHECK_NO_ANSWER);
    assert_true(outcome.duration_ms >= 100 && outcome.duration_ms < 50000);
    assert_int_equal(programs.count, 1);
    child = list_entry(programs.all.next, struct run, node)->child;
    while (programs.count)
        loop_turn(&engine.loop);
    assert_int_equal(kill(child.pid, 0), -1);
    assert_int_equal(judged("yes", 200),
                     CHECK_NO_ANSWER); /* and who never stops talking */
    while (programs.count)
        loop_turn(&engine.loop);
}

static void test_abandoned(void **state)
{
    struct probe probe;

    trial_begin(&probe, "sleep 100", 5000);
    probe_abandon(&probe);
    probe_close(&probe);
    while (programs.count)
        loop_turn(&engine.loop);
    assert_false(is_finished);
    trial_begin(&probe, "sleep 100", 5000);
    probe_close(&probe);
    program_list_close(&programs); /* as when weir stops */
    assert_int_equal(programs.count, 0);
}

static void test_what_can_not_run(void **state)
{
    const str words[] = {STR("/nowhere/check")};
    struct probe_target target = {.server = &live,
                                  .check = {.is_enabled = true,
                                            .kind = CHECK_BY_PROGRAM,
                                            .program = words,
                                            .program_count = 1,
                                            .interval = 5000,
                                            .timeout = 1000}};
    struct probe probe;

    is_finished = false;
    probe_init(&probe, &engine, probe_question_new(&target), finished);
    probe.programs = &programs;
    assert_int_equal(probe_begin(&probe), ERR_OK);
    assert_true(is_finished);
    assert_int_equal(outcome.result, CHECK_FAILED);
    assert_true(str_starts((str){outcome.detail, outcome.detail_length},
                           STR("it can not be run: ")));
    probe_close(&probe);
}

static int begin_all(void **state)
{
    if (addr_parse_ip(STR("192.0.2.7"), &live.addr))
        return 1;
    live.addr.port = 8080;
    live.name = STR("one");
    live.pool_name = STR("app");
    program_list_init(&programs);
    return engine_init(&engine, 0);
}

static int end_all(void **state)
{
    engine_close(&engine);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),         cmocka_unit_test(test_what_it_is_told),
        cmocka_unit_test(test_deadline),         cmocka_unit_test(test_abandoned),
        cmocka_unit_test(test_what_can_not_run),
    };

    return cmocka_run_group_tests(tests, begin_all, end_all);
}

/* Talks with servers that the test plays: scripts, and the first words of each protocol, in
 * every cut, and what such a server may try. */
#include "talk.c"

#include "control/probe/test_server.h"

static struct engine engine;
static struct test_server server;
static struct check_outcome outcome;
static bool is_finished;

static void finished(struct probe *probe, const struct check_outcome *how)
{
    assert_false(is_finished);
    is_finished = true;
    outcome = *how;
}

static void settle(void)
{
    while (!is_finished && test_is_readable(engine.loop.poll, 0))
        loop_turn(&engine.loop);
}

struct trial {
    struct probe probe;
    int fd;
    char asked[4096];
    size_t asked_n;
};

static void trial_begin(struct trial *trial, const struct health_check *check)
{
    struct probe_target target = {.server = &server.live, .check = *check};

    is_finished = false;
    trial->asked_n = 0;
    probe_init(&trial->probe, &engine, probe_question_new(&target), finished);
    assert_int_equal(probe_begin(&trial->probe), ERR_OK);
    trial->fd = test_server_accept(&server, 5000);
    assert_true(trial->fd >= 0);
    settle();
}

static void hear(struct trial *trial)
{
    ssize_t n;

    settle();
    n = recv(trial->fd, trial->asked + trial->asked_n,
             sizeof trial->asked - 1 - trial->asked_n, MSG_DONTWAIT);
    if (n > 0)
        trial->asked_n += (size_t)n;
    trial->asked[trial->asked_n] = '\0';
}

static enum check_result trial_end(struct trial *trial)
{
    while (!is_finished)
        loop_turn(&engine.loop);
    hear(trial);
    close(trial->fd);
    probe_close(&trial->probe);
    return outcome.result;
}

static bool was_told(const char *words)
{
    return str_eq((str){outcome.detail, outcome.detail_length}, str_of(words));
}

/* ---- one answer, in every cut ---- */

struct greeting_case {
    enum check_kind kind;
    str says; /* the first thing, or the answer to our first words */
    enum check_result result;
    const char *told;
    const char *farewell;
};

#define PG_ERROR(n, code, words) \
    STR("E\0\0\0" n "SFATAL\0VFATAL\0C" code "\0M" words "\0\0")

static const struct greeting_case cases[] = {
    {CHECK_BY_REDIS, STR("+PONG\r\n"), CHECK_PASSED, "", ""},
    {CHECK_BY_REDIS, STR("-NOAUTH Authentication required.\r\n"), CHECK_PASSED,
     "NOAUTH Authentication required.", ""},
    {CHECK_BY_REDIS, STR("-LOADING Redis is loading the dataset in memory\r\n"),
     CHECK_BAD_ANSWER, "LOADING Redis is loading the dataset in memory", ""},
    {CHECK_BY_REDIS, STR("-ERR max number of clients reached\r\n"), CHECK_BAD_ANSWER,
     "ERR max number of clients reached", ""},
    {CHECK_BY_REDIS, STR("HTTP/1.1 400 Bad Request\r\n"), CHECK_INVALID, "", ""},
    {CHECK_BY_REDIS, STR("+PON"), CHECK_CLOSED, "", ""},
    {CHECK_BY_REDIS, STR(""), CHECK_CLOSED, "", ""},
    {CHECK_BY_SMTP, STR("220 mail.example ESMTP\r\n"), CHECK_PASSED, "", "QUIT\r\n"},
    {CHECK_BY_SMTP, STR("220-mail.example\r\n220-waits\r\n220 now\r\n"), CHECK_PASSED, "",
     "QUIT\r\n"},
    {CHECK_BY_SMTP, STR("220\r\n"), CHECK_PASSED, "", "QUIT\r\n"},
    {CHECK_BY_SMTP, STR("421 too many connections\r\n"), CHECK_BAD_ANSWER,
     "421 too many connections", "QUIT\r\n"},
    {CHECK_BY_SMTP, STR("554-no\r\n554 really not\r\n"), CHECK_BAD_ANSWER,
     "554 really not", "QUIT\r\n"},
    {CHECK_BY_SMTP, STR("SSH-2.0-OpenSSH_9.2\r\n"), CHECK_INVALID, "", ""},
    {CHECK_BY_SMTP, STR("220-half\r\n"), CHECK_CLOSED, "", ""},
    {CHECK_BY_POSTGRES, STR("R\0\0\0\x8\0\0\0\0S\0\0\0\x9x\0y\0\0"), CHECK_PASSED, "",
     "X"},
    {CHECK_BY_POSTGRES, STR("R\0\0\0\x17\0\0\0\nSCRAM-SHA-256\0\0"), CHECK_PASSED, "",
     ""},
    {CHECK_BY_POSTGRES, PG_ERROR("\x2b", "28000", "no pg_hba entry"), CHECK_PASSED,
     "no pg_hba entry", ""},
    {CHECK_BY_POSTGRES, PG_ERROR("\x28", "57P03", "starting up."), CHECK_BAD_ANSWER,
     "starting up.", ""},
    {CHECK_BY_POSTGRES, PG_ERROR("\x28", "53300", "too many...."), CHECK_BAD_ANSWER,
     "too many....", ""},
    {CHECK_BY_POSTGRES,
     STR("E\0\0\0\x8"
         "C53x"),
     CHECK_PASSED, "", ""},
    {CHECK_BY_POSTGRES, STR("Sorry\n"), CHECK_INVALID, "", ""},
    {CHECK_BY_POSTGRES, STR("R\0\0\0\1"), CHECK_INVALID, "", ""},
    {CHECK_BY_POSTGRES, STR("E\xff\xff\xff\xffx"), CHECK_INVALID, "", ""},
    {CHECK_BY_POSTGRES, STR("R\0\0"), CHECK_CLOSED, "", ""},
    {CHECK_BY_MYSQL, STR("\x17\0\0\0\xff\x10\x04Too many connections"), CHECK_BAD_ANSWER,
     "Too many connections", ""},
    {CHECK_BY_MYSQL, STR("\x10\0\0\0\xff\x69\x04#HY000blocked"), CHECK_BAD_ANSWER,
     "blocked", ""},
    {CHECK_BY_MYSQL, STR("\x01\0\0\0\xff"), CHECK_BAD_ANSWER, "", ""},
    {CHECK_BY_MYSQL,
     STR("\x04\0\0\0\x09"
         "3.2"),
     CHECK_INVALID, "", ""},
    {CHECK_BY_MYSQL, STR("\0\0\0\0"), CHECK_INVALID, "", ""},
    {CHECK_BY_MYSQL, STR("\xff\xff\xff\0"), CHECK_INVALID, "", ""},
    {CHECK_BY_MYSQL, STR("\x4a\0\0\0\n"), CHECK_CLOSED, "", ""},
};

/* One line, with an end or without one. */
static const struct greeting_case agent_cases[] = {
    {CHECK_BY_AGENT, STR("up 75%\n"), CHECK_PASSED, "up 75%", ""},
    {CHECK_BY_AGENT, STR("drain # \x1b[31m now\r\nmore"), CHECK_PASSED,
     "drain # [31m now", ""},
    {CHECK_BY_AGENT, STR("maxconn:5"), CHECK_PASSED, "maxconn:5", ""},
    {CHECK_BY_AGENT, STR("\n"), CHECK_PASSED, "", ""},
    {CHECK_BY_AGENT, STR(""), CHECK_CLOSED, "", ""},
};

static const struct health_check usual = {
    .is_enabled = true, .interval = 5000, .timeout = 5000};

static void answered(const struct greeting_case *c, size_t cut)
{
    struct health_check check = usual;
    struct trial trial;

    check.kind = c->kind;
    trial_begin(&trial, &check);
    hear(&trial);
    trial.asked_n = 0;
    test_say(trial.fd, c->says.p, cut);
    settle();
    test_say(trial.fd, c->says.p + cut, c->says.n - cut);
    shutdown(trial.fd, SHUT_WR);
    trial_end(&trial);
}

static void test_greetings(void **state)
{
    for (unsigned i = 0; i < array_len(cases); i++)
        for (size_t cut = 0; cut < (cases[i].says.n ? cases[i].says.n : 1); cut++) {
            answered(&cases[i], cut);
            if (outcome.result != cases[i].result || !was_told(cases[i].told))
                fail_msg("case %u cut at %zu: %d, '%.*s'", i, cut, outcome.result,
                         (int)outcome.detail_length, outcome.detail);
        }
}

static void test_agents(void **state)
{
    for (unsigned i = 0; i < array_len(agent_cases); i++)
        for (size_t cut = 0; cut < agent_cases[i].says.n; cut++) {
            answered(&agent_cases[i], cut);
            if (outcome.result != agent_cases[i].result || !was_told(agent_cases[i].told))
                fail_msg("case %u cut at %zu: %d, '%.*s'", i, cut, outcome.result,
                         (int)outcome.detail_length, outcome.detail);
        }
}

static void test_farewells(void **state)
{
    for (unsigned i = 0; i < array_len(cases); i++) {
        struct health_check check = usual;
        struct trial trial;

        check.kind = cases[i].kind;
        trial_begin(&trial, &check);
        hear(&trial);
        trial.asked_n = 0;
        test_say(trial.fd, cases[i].says.p, cases[i].says.n);
        shutdown(trial.fd, SHUT_WR);
        while (!is_finished)
            loop_turn(&engine.loop);
        hear(&trial);
        assert_string_equal(trial.asked, cases[i].farewell);
        trial_end(&trial);
    }
}

static void test_what_is_asked(void **state)
{
    static const struct {
        enum check_kind kind;
        str asked;
    } asked[] = {
        {CHECK_BY_REDIS, STR("*1\r\n$4\r\nPING\r\n")},
        {CHECK_BY_SMTP, STR("")},
        {CHECK_BY_MYSQL, STR("")},
        {CHECK_BY_POSTGRES, STR("\0\0\0\x30\0\3\0\0user\0weir\0application_name\0weir-"
                                "health\0\0")},
    };

    for (unsigned i = 0; i < array_len(asked); i++) {
        struct health_check check = usual;
        struct trial trial;

        check.kind = asked[i].kind;
        trial_begin(&trial, &check);
        hear(&trial);
        assert_int_equal(trial.asked_n, asked[i].asked.n);
        assert_memory_equal(trial.asked, asked[i].asked.p, trial.asked_n);
        test_say(trial.fd, "?", 1);
        shutdown(trial.fd, SHUT_WR);
        trial_end(&trial);
    }
}

/* The whole handshake: greeting, our answer, and each way it may go on. */
static void test_mysql_handshake(void **state)
{
    static const char greeting[] =
        "\x4a\0\0\0\n8.0.36\0\x08\0\0\0aaaaaaaa\0\xff\xff\xff\2\0\xff\xdf\x15\0\0\0\0\0\0\0"
        "\0\0\0bbbbbbbbbbbb\0caching_sha2_password";
    static const struct {
        str then;
        enum check_result result;
        const char *told, *farewell;
    } ends[] = {
        {STR("\7\0\0\2\0\0\0\2\0\0\0"), CHECK_PASSED, "", "\1"},
        {STR("\x0f\0\0\2\xff\x15\4#28000denied"), CHECK_PASSED, "", ""},
        {STR("\x0d\0\0\2\xff\x10\4#08004full"), CHECK_BAD_ANSWER, "full", ""},
        {STR("\1\0\0\2\xfe"), CHECK_CLOSED, "", ""},
        {STR("\1\0\0\2\xfe\x0f\0\0\4\xff\x15\4#28000denied"), CHECK_PASSED, "", ""},
        {STR("\1\0\0\2\xfe\2\0\0\4\1\3\1\0\0\6\xfe\1\0\0\x8\xfe"), CHECK_PASSED, "", ""},
    };

    for (unsigned i = 0; i < array_len(ends); i++) {
        struct health_check check = usual;
        struct trial trial;

        check.kind = CHECK_BY_MYSQL;
        trial_begin(&trial, &check);
        test_say(trial.fd, greeting, sizeof greeting);
        hear(&trial);
        assert_int_equal(trial.asked_n, 64);
        assert_memory_equal(trial.asked + 36, "weir\0\0mysql_native_password", 28);
        trial.asked_n = 0;
        for (size_t at = 0; at < ends[i].then.n; at++) {
            test_say(trial.fd, ends[i].then.p + at, 1);
            hear(&trial);
        }
        shutdown(trial.fd, SHUT_WR);
        if (trial_end(&trial) != ends[i].result || !was_told(ends[i].told))
            fail_msg("end %u: %d, '%.*s'", i, outcome.result, (int)outcome.detail_length,
                     outcome.detail);
        assert_string_equal(ends[i].then.n > 20 ? "" : trial.asked, ends[i].farewell);
    }
}

/* ---- scripts ---- */

static enum check_result scripted(const struct check_step *steps, unsigned count,
                                  const char *const *says, uint32_t timeout)
{
    struct health_check check = usual;
    struct trial trial;

    check.kind = CHECK_BY_SCRIPT;
    check.steps = steps;
    check.step_count = count;
    check.timeout = timeout;
    trial_begin(&trial, &check);
    for (; *says && !is_finished; says++) {
        hear(&trial);
        test_say(trial.fd, *says, strlen(*says));
        hear(&trial);
    }
    if (timeout == 5000)
        shutdown(trial.fd, SHUT_WR);
    return trial_end(&trial);
}

#define SAYS(...)         \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

static void test_scripts(void **state)
{
    static const struct check_step ping[] = {{STR("PING\r\n"), STR("+PONG")}};
    static const struct check_step banner[] = {{STR_NONE, STR("ready")}};
    static const struct check_step silent[] = {{STR("hello\n"), STR_NONE}};
    static const struct check_step talk[] = {{STR_NONE, STR("* OK")},
                                             {STR("a LOGIN\r\n"), STR("a NO")},
                                             {STR("b LOGOUT\r\n"), STR_NONE},
                                             {STR("\r\n"), STR("BYE")}};

    assert_int_equal(scripted(ping, 1, SAYS("+PO", "NG\r\n"), 5000), CHECK_PASSED);
    assert_int_equal(scripted(ping, 1, SAYS("-ERR no\r\n"), 5000), CHECK_BAD_ANSWER);
    assert_true(was_told("no \"+PONG\" in \"-ERR no\""));
    assert_int_equal(scripted(ping, 1, SAYS("-ERR no\r\n"), 60), CHECK_BAD_ANSWER);
    assert_true(outcome.duration_ms >= 60);
    assert_int_equal(scripted(ping, 1, SAYS(""), 5000), CHECK_CLOSED);
    assert_int_equal(scripted(ping, 1, SAYS(""), 60), CHECK_NO_ANSWER);
    assert_int_equal(scripted(banner, 1, SAYS("all is ready"), 5000), CHECK_PASSED);
    assert_int_equal(scripted(silent, 1, SAYS(""), 5000), CHECK_PASSED);
    assert_int_equal(scripted(talk, 4, SAYS("* OK x\r\n", "a NO\r\n", "* BYE"), 5000),
                     CHECK_PASSED);
    assert_int_equal(scripted(talk, 4, SAYS("* OK a NO BYE\r\n"), 5000), CHECK_PASSED);
    assert_int_equal(scripted(talk, 4, SAYS("* OK x\r\n", "a OK\r\n"), 5000),
                     CHECK_BAD_ANSWER);
    assert_true(was_told("no \"a NO\" in \"x a OK\" (step 2)"));
}

/* A server that never stops talking. */
static void test_floods(void **state)
{
    static const struct check_step ping[] = {{STR("PING\r\n"), STR("+PONG")}};
    static char block[32768];

    memset(block, 'x', sizeof block);
    for (enum check_kind kind = CHECK_BY_SCRIPT; kind < CHECK_BY_PROGRAM; kind++) {
        struct health_check check = usual;
        struct trial trial;

        check.kind = kind;
        check.steps = ping;
        check.step_count = 1;
        trial_begin(&trial, &check);
        while (!is_finished) {
            send(trial.fd, block, sizeof block, MSG_NOSIGNAL | MSG_DONTWAIT);
            loop_turn(&engine.loop);
        }
        assert_int_equal(trial_end(&trial), CHECK_INVALID);
    }
}

/* Garbage of every kind ends in some verdict, and all memory comes back. */
static void test_garbage(void **state)
{
    struct rand rand;

    rand_seed(&rand, 21);
    for (unsigned i = 0; i < 1500; i++) {
        struct greeting_case c = cases[rand_below(&rand, array_len(cases))];
        char says[256];

        memcpy(says, c.says.p, c.says.n);
        for (unsigned k = 0; k < 4 && c.says.n; k++)
            says[rand_below(&rand, c.says.n)] = (char)rand_u64(&rand);
        c.says.p = says;
        answered(&c, 0);
    }
    assert_int_equal(engine.small.in_use, 0);
}

static int begin(void **state)
{
    test_server_open(&server);
    return engine_init(&engine, 0);
}

static int end(void **state)
{
    test_server_close(&server);
    engine_close(&engine);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greetings),       cmocka_unit_test(test_farewells),
        cmocka_unit_test(test_agents),          cmocka_unit_test(test_what_is_asked),
        cmocka_unit_test(test_mysql_handshake), cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_floods),          cmocka_unit_test(test_garbage),
    };

    return cmocka_run_group_tests(tests, begin, end);
}

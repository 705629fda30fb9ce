/* What a server may answer to a check, in every framing and in every cut, and what it may
 * try: over a real connection, the test playing the server in the same thread. */
#include "http.c"

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

/* What the checks of some tests ask for besides. */
static str method = {"GET", 3}, expect_regex;
static struct check_json expect_json;

static const struct status_range expected[] = {{200, 299}, {401, 401}};

/* Runs the loop until nothing stirs any more. */
static void settle(void)
{
    while (!is_finished && test_is_readable(engine.loop.poll, 0))
        loop_turn(&engine.loop);
}

struct trial {
    struct probe probe;
    int fd; /* the server's end */
};

static void trial_begin(struct trial *trial, str expect_body, uint32_t timeout)
{
    struct probe_target target = {
        .server = &server.live,
        .check = {.is_enabled = true,
                  .kind = CHECK_BY_HTTP,
                  .request = {.method = method, .path = STR("/")},
                  .expect = {.status = expected,
                             .status_count = array_len(expected),
                             .body = expect_body,
                             .body_regex = expect_regex,
                             .json = expect_json},
                  .interval = 5000,
                  .timeout = timeout},
    };

    is_finished = false;
    probe_init(&trial->probe, &engine, probe_question_new(&target), finished);
    assert_int_equal(probe_begin(&trial->probe), ERR_OK);
    trial->fd = test_server_accept(&server, 5000);
    assert_true(trial->fd >= 0);
    settle();
    assert_false(is_finished);
    assert_non_null(strstr(test_read_head(trial->fd), "\r\n\r\n"));
}

static enum check_result trial_end(struct trial *trial)
{
    while (!is_finished)
        loop_turn(&engine.loop);
    if (trial->fd >= 0)
        close(trial->fd);
    probe_close(&trial->probe);
    return outcome.result;
}

/* The server says this and closes; cut: where it pauses, 0: nowhere. */
static enum check_result judged(str answer, str expect_body, size_t cut)
{
    struct trial trial;

    trial_begin(&trial, expect_body, 5000);
    test_say(trial.fd, answer.p, cut);
    if (cut)
        settle();
    if (!is_finished)
        test_say(trial.fd, answer.p + cut, answer.n - cut);
    close(trial.fd);
    trial.fd = -1;
    return trial_end(&trial);
}

struct answer_case {
    enum check_result result;
    unsigned status;
    str expect_body, answer;
};

#define HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKS HEAD "Transfer-Encoding: chunked\r\n\r\n"

static const struct answer_case cases[] = {
    {CHECK_PASSED, 200, {0}, STR(HEAD "Content-Length: 0\r\n\r\n")},
    {CHECK_PASSED, 204, {0}, STR("HTTP/1.1 204 No Content\r\n\r\n")},
    {CHECK_PASSED, 401, {0}, STR("HTTP/1.1 401 Who\r\nContent-Length: 9\r\n\r\n")},
    {CHECK_PASSED, 200, {0}, STR("HTTP/1.0 200 OK\r\n\r\nwell")},
    {CHECK_BAD_STATUS, 503, {0}, STR("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")},
    {CHECK_BAD_STATUS, 302, {0}, STR("HTTP/1.1 302 There\r\nContent-Length: 0\r\n\r\n")},
    {CHECK_BAD_STATUS, 503, STR("well"),
     STR("HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nwell")},
    /* interim answers */
    {CHECK_PASSED,
     200,
     {0},
     STR("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" HEAD
         "Content-Length: 0\r\n\r\n")},
    {CHECK_CLOSED, 0, {0}, STR("HTTP/1.1 100 Continue\r\n\r\n")},
    {CHECK_BAD_STATUS,
     101,
     {0},
     STR("HTTP/1.1 101 Other\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")},
    /* words in the body, in every framing */
    {CHECK_PASSED, 200, STR("well"), STR(HEAD "Content-Length: 9\r\n\r\nall wells")},
    {CHECK_PASSED, 200, STR("well"), STR(HEAD "\r\nall well")},
    {CHECK_PASSED, 200, STR("well"),
     STR(CHUNKS "4\r\nalwe\r\n3;x=y\r\nll!\r\n0\r\n\r\n")},
    {CHECK_PASSED, 200, STR("well"), STR(CHUNKS "1\r\nw\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl")},
    {CHECK_BAD_BODY, 200, STR("well"), STR(HEAD "Content-Length: 3\r\n\r\nwelly")},
    {CHECK_BAD_BODY, 200, STR("well"), STR(HEAD "Content-Length: 0\r\n\r\nwell")},
    {CHECK_BAD_BODY, 204, STR("well"), STR("HTTP/1.1 204 None\r\n\r\nwell")},
    {CHECK_BAD_BODY, 200, STR("well"), STR(HEAD "\r\nWELL wel")},
    {CHECK_BAD_BODY, 200, STR("well"), STR(HEAD "\r\n")},
    {CHECK_BAD_BODY, 200, STR("well"), STR(CHUNKS "3\r\nwel\r\n0\r\n\r\nl")},
    {CHECK_BAD_BODY, 200, STR("well"), STR(CHUNKS "3\r\nwel\r\n0\r\nX: well\r\n\r\n")},
    /* cut off */
    {CHECK_CLOSED, 0, {0}, STR("")},
    {CHECK_CLOSED, 0, {0}, STR("HTTP/1.1 20")},
    {CHECK_CLOSED, 0, {0}, STR(HEAD "Content-Length: 0\r\n")},
    {CHECK_CLOSED, 200, STR("well"), STR(HEAD "Content-Length: 9\r\n\r\nall wel")},
    {CHECK_CLOSED, 200, STR("well"), STR(CHUNKS "3\r\nwel\r\n")},
    {CHECK_CLOSED, 200, STR("well"), STR(CHUNKS)},
    /* not HTTP */
    {CHECK_INVALID, 0, {0}, STR("SSH-2.0-OpenSSH_9.2\r\n")},
    {CHECK_INVALID, 0, {0}, STR("220 mail ESMTP\r\n")},
    {CHECK_INVALID, 0, {0}, STR("\x15\x03\x01\x00\x02\x02\x46\r\n\r\n")},
    {CHECK_INVALID, 0, {0}, STR("HTTP/2.0 200 OK\r\n\r\n")},
    {CHECK_INVALID, 0, {0}, STR("HTTP/1.1 99 No\r\n\r\n")},
    {CHECK_INVALID, 0, {0}, STR("HTTP/1.1 200 OK\nContent-Length: 0\n\n")},
    {CHECK_INVALID, 0, {0}, STR(HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\n")},
    {CHECK_INVALID, 0, {0}, STR(HEAD "Content-Length: 99999999999999999999999\r\n\r\n")},
    {CHECK_INVALID, 200, STR("well"), STR(CHUNKS "zz\r\nwell")},
    {CHECK_INVALID, 200, STR("well"), STR(CHUNKS "ffffffffffffffffff\r\nwell")},
    {CHECK_INVALID, 200, STR("well"), STR(CHUNKS "3\r\nwelXX")},
};

static void test_answers(void **state)
{
    for (unsigned i = 0; i < array_len(cases); i++) {
        const struct answer_case *a = &cases[i];

        for (size_t cut = 0; cut < (a->answer.n ? a->answer.n : 1); cut++)
            if (judged(a->answer, a->expect_body, cut) != a->result ||
                (a->status && outcome.status != a->status))
                fail_msg("case %u cut at %zu: %d, status %u", i, cut, outcome.result,
                         outcome.status);
    }
}

/* A healthy server need not wait for us: what comes after the verdict is not read. */
static void test_a_head_is_enough(void **state)
{
    struct trial trial;

    trial_begin(&trial, STR_NONE, 5000);
    test_say(trial.fd, HEAD "Content-Length: 1000000\r\n\r\n", 44);
    assert_int_equal(trial_end(&trial), CHECK_PASSED);
    assert_true(outcome.duration_ms < 5000);
}

static void test_silence(void **state)
{
    static const str begun[] = {STR(""),
                                STR("HTTP/1.1 2"),
                                STR("HTTP/1.1 100 C\r\n\r\n"),
                                STR(HEAD "Content-Length: 9\r\n\r\nall wel"),
                                STR(CHUNKS "3\r\nwel\r\n"),
                                STR(HEAD "\r\nwel")};

    for (unsigned i = 0; i < array_len(begun); i++) {
        struct trial trial;

        trial_begin(&trial, STR("well"), 60);
        test_say(trial.fd, begun[i].p, begun[i].n);
        assert_int_equal(trial_end(&trial), CHECK_NO_ANSWER);
        assert_true(outcome.duration_ms >= 60);
    }
}

/* A byte now and then: the deadline is over the whole, not over the silence. */
static void test_trickle(void **state)
{
    struct trial trial;

    trial_begin(&trial, STR_NONE, 150);
    test_say(trial.fd, HEAD "X: ", 20);
    for (unsigned i = 0; i < 500 && !is_finished; i++) {
        test_say(trial.fd, "x", 1);
        usleep(5000);
        loop_turn(&engine.loop);
    }
    assert_int_equal(trial_end(&trial), CHECK_NO_ANSWER);
}

static void test_reset(void **state)
{
    struct linger linger = {1, 0};
    struct trial trial;

    trial_begin(&trial, STR("well"), 5000);
    test_say(trial.fd, HEAD "\r\nwel", 22);
    settle();
    setsockopt(trial.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(trial.fd);
    trial.fd = -1;
    assert_int_equal(trial_end(&trial), CHECK_CLOSED);
}

/* Says `piece` again and again while anybody listens. */
static enum check_result flood(str begin, str piece, str expect_body)
{
    size_t said = 0, n = 0;
    static char block[65536];
    struct trial trial;

    while (n + piece.n <= sizeof block) {
        memcpy(block + n, piece.p, piece.n);
        n += piece.n;
    }
    trial_begin(&trial, expect_body, 20000);
    test_say(trial.fd, begin.p, begin.n);
    while (!is_finished) {
        ssize_t r = send(trial.fd, block, n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (r > 0)
            said += (size_t)r;
        loop_turn(&engine.loop);
        assert_true(said < 32 * 1024 * 1024);
    }
    return trial_end(&trial);
}

static void test_floods(void **state)
{
    str well = STR("well");

    assert_int_equal(flood(STR(""), STR("x"), STR_NONE), CHECK_INVALID);
    assert_int_equal(flood(STR(HEAD), STR("X-Again: and again\r\n"), STR_NONE),
                     CHECK_INVALID);
    assert_int_equal(flood(STR(HEAD "X: "), STR("y"), STR_NONE), CHECK_INVALID);
    assert_int_equal(flood(STR(""), STR("HTTP/1.1 100 C\r\n\r\n"), STR_NONE),
                     CHECK_INVALID);
    assert_int_equal(flood(STR(HEAD "\r\n"), STR("wel"), well), CHECK_BAD_BODY);
    assert_int_equal(flood(STR(HEAD "Content-Length: 99999999\r\n\r\n"), STR("x"), well),
                     CHECK_BAD_BODY);
    assert_int_equal(flood(STR(CHUNKS), STR("1\r\nx\r\n"), well), CHECK_BAD_BODY);
    assert_int_equal(flood(STR(CHUNKS), STR("1;x=yyyyyyyyyyyyyyyyyyyy\r\nx\r\n"), well),
                     CHECK_INVALID);
    assert_int_equal(flood(STR(CHUNKS "0\r\n"), STR("X: y\r\n"), well), CHECK_INVALID);
}

/* The words count where they end within the first 64 KiB. */
static void test_far_words(void **state)
{
    static char answer[200 * 1024];
    static const size_t places[] = {
        0,           16380, 40000, CHUNK_LARGE - 5, CHUNK_LARGE - 4, CHUNK_LARGE - 3,
        CHUNK_LARGE, 80000};

    for (unsigned i = 0; i < array_len(places); i++) {
        size_t begin = (size_t)sprintf(answer, HEAD "Content-Length: 100000\r\n\r\n");
        bool is_near = places[i] + 4 <= CHUNK_LARGE;

        memset(answer + begin, '.', 100000);
        memcpy(answer + begin + places[i], "well", 4);
        for (size_t cut = 0; cut < 3; cut++)
            assert_int_equal(judged((str){answer, begin + 100000}, STR("well"),
                                    cut ? begin + places[i] + cut : 0),
                             is_near ? CHECK_PASSED : CHECK_BAD_BODY);
    }
}

/* A head larger than the usual buffer, and one just too large. */
static void test_large_heads(void **state)
{
    static char answer[80 * 1024];
    static const size_t sizes[] = {8000, 16384, 30000, 60000, 65536, 70000};

    for (unsigned i = 0; i < array_len(sizes); i++) {
        size_t n = (size_t)sprintf(answer, HEAD "Content-Length: 4\r\n");

        while (n < sizes[i] - 810)
            n += (size_t)sprintf(answer + n, "X-Pad: %0790d\r\n", 7);
        n += (size_t)sprintf(answer + n, "X-Pad: %0*d\r\n", (int)(sizes[i] - 11 - n), 7);
        n += (size_t)sprintf(answer + n, "\r\nwell");
        assert_int_equal(n - 4, sizes[i]);
        assert_int_equal(judged((str){answer, n}, STR("well"), 0),
                         sizes[i] <= CHUNK_LARGE ? CHECK_PASSED : CHECK_INVALID);
        assert_int_equal(judged((str){answer, n}, STR("well"), 9000 < n ? 9000 : 100),
                         sizes[i] <= CHUNK_LARGE ? CHECK_PASSED : CHECK_INVALID);
    }
}

/* Garbage of every kind ends in some verdict, and all memory comes back. */
static void test_garbage(void **state)
{
    struct rand rand;

    rand_seed(&rand, 20);
    for (unsigned i = 0; i < 1500; i++) {
        const struct answer_case *a = &cases[rand_below(&rand, array_len(cases))];
        char answer[256];

        assert_true(a->answer.n <= sizeof answer);
        memcpy(answer, a->answer.p, a->answer.n);
        for (unsigned k = 0; k < 4 && a->answer.n; k++)
            answer[rand_below(&rand, a->answer.n)] =
                (char)(rand_below(&rand, 2) ? rand_u64(&rand) : '\r' + k);
        judged((str){answer, a->answer.n}, a->expect_body, 0);
    }
    assert_int_equal(engine.small.in_use, 0);
    assert_int_equal(engine.large.in_use, 0);
}

static const str good[] = {STR("ok")};

struct wish_case {
    const char *words, *regex, *field;
    str answer;
    enum check_result result;
    const char *told;
};

#define SAYS(body) STR(HEAD "\r\n" body)
#define JSON_DOWN "{\"status\":\"no\",\"checks\":{\"db\":\"down\"}}"

/* More than words asked of a body: all must hold, and what it says is told. */
static const struct wish_case wishes[] = {
    {"", "^o.$", "", SAYS("ok"), CHECK_PASSED, ""},
    {"", "^o$", "", SAYS("ok"), CHECK_NO_MATCH, ""},
    {"", "well", "", STR(CHUNKS "4\r\nalwe\r\n2\r\nll\r\n0\r\n\r\n"), CHECK_PASSED, ""},
    {"", "well", "", STR(HEAD "Content-Length: 4\r\n\r\nweIl"), CHECK_NO_MATCH, ""},
    {"", "well", "", STR(HEAD "Content-Length: 9\r\n\r\nwell"), CHECK_CLOSED, ""},
    {"", "(a+)+$", "", SAYS("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"),
     CHECK_NO_MATCH, ""},
    {"a", "b", "", SAYS("ab"), CHECK_PASSED, ""},
    {"a", "b", "", SAYS("b"), CHECK_BAD_BODY, ""},
    {"a", "b", "", SAYS("a"), CHECK_NO_MATCH, ""},
    {"", "", "status", SAYS("{\"status\": \"ok\"}"), CHECK_PASSED, ""},
    {"", "", "status", SAYS(JSON_DOWN), CHECK_BAD_JSON, "status is 'no' (db: down)"},
    {"x", "", "status", SAYS("{\"status\": \"ok\"}"), CHECK_BAD_BODY, ""},
    {"", "", "status", STR("HTTP/1.1 503 X\r\n\r\n" JSON_DOWN), CHECK_BAD_STATUS,
     "db: down"},
    {"", "", "status", STR("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"),
     CHECK_BAD_STATUS, ""},
    {"", "", "status", STR("HTTP/1.1 503 X\r\nContent-Length: 99\r\n\r\n{"),
     CHECK_BAD_STATUS, ""},
    {"", "", "status", STR("HTTP/1.1 204 X\r\n\r\n"), CHECK_BAD_JSON,
     "the body is empty"},
};

static void test_wishes(void **state)
{
    for (unsigned i = 0; i < array_len(wishes); i++) {
        const struct wish_case *wish = &wishes[i];

        expect_regex = str_of(wish->regex);
        expect_json = (struct check_json){
            .field = str_of(wish->field), .equals = good, .equal_count = 1};
        for (size_t cut = 0; cut < wish->answer.n; cut++)
            if (judged(wish->answer, str_of(wish->words), cut) != wish->result ||
                !str_eq((str){outcome.detail, outcome.detail_length}, str_of(wish->told)))
                fail_msg("wish %u cut at %zu: %d, '%.*s'", i, cut, outcome.result,
                         (int)outcome.detail_length, outcome.detail);
    }
    expect_regex = STR_NONE;
    expect_json = (struct check_json){0};
}

/* The answer to HEAD has a length and no body. */
static void test_head(void **state)
{
    method = STR("HEAD");
    assert_int_equal(judged(STR(HEAD "Content-Length: 9\r\n\r\n"), STR_NONE, 0),
                     CHECK_PASSED);
    method = STR("GET");
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
        cmocka_unit_test(test_answers),   cmocka_unit_test(test_a_head_is_enough),
        cmocka_unit_test(test_silence),   cmocka_unit_test(test_trickle),
        cmocka_unit_test(test_reset),     cmocka_unit_test(test_floods),
        cmocka_unit_test(test_far_words), cmocka_unit_test(test_large_heads),
        cmocka_unit_test(test_garbage),   cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_head),
    };

    return cmocka_run_group_tests(tests, begin, end);
}

/*
 * Lines come out whole and in order, whatever the ring, the pipe or the disk do; what is
 * lost is counted. Real files and pipes in a directory of their own.
 */
#include "io/log_writer.c"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[] = "/tmp/log_writer_test.XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static unsigned at;
    char *path = paths[at++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static char *contents(const char *path, size_t *n)
{
    static char memory[8 * 1024 * 1024];
    int fd = open(path, O_RDONLY);
    ssize_t r;

    *n = 0;
    if (fd < 0)
        return memory;
    while ((r = read(fd, memory + *n, sizeof memory - 1 - *n)) > 0)
        *n += (size_t)r;
    close(fd);
    memory[*n] = '\0';
    return memory;
}

static bool say(struct log_ring *ring, str line)
{
    char *p = log_ring_reserve(ring, line.n);

    if (!p)
        return false;
    memcpy(p, line.p, line.n);
    log_ring_commit(ring, line.n);
    return true;
}

static void begin(struct log_writer *writer, enum log_sink sink, const char *to)
{
    assert_int_equal(log_writer_init(writer), ERR_OK);
    assert_int_equal(log_writer_open(writer, sink, str_of(to), LOG_TEXT), ERR_OK);
}

static void wait_for(const char *path, const char *text)
{
    for (int i = 0; i < 5000; i++) {
        size_t n;

        if (strstr(contents(path, &n), text))
            return;
        usleep(1000);
    }
    fail_msg("%s never came to %s", text, path);
}

static void test_lines_arrive(void **state)
{
    struct log_writer writer;
    struct log_ring *ring;
    const char *path = path_of("plain");
    struct stat stat_of;

    begin(&writer, LOG_ACCESS, path);
    ring = log_ring_new(&writer, LOG_ACCESS, LOG_RING_EVENTS);
    assert_int_equal(log_writer_start(&writer), ERR_OK);
    assert_true(say(ring, STR("one\n")));
    wait_for(path, "one\n");
    usleep(250000); /* by now it sleeps for good */
    assert_true(atomic_load(&writer.is_asleep));
    assert_true(say(ring, STR("two\n")));
    wait_for(path, "one\ntwo\n");
    assert_int_equal(stat(path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777 & ~0640u, 0);
    assert_true(say(ring, STR("three\n")));
    log_writer_stop(&writer); /* writes what is there */
    wait_for(path, "one\ntwo\nthree\n");
}

struct speaker {
    struct log_ring *ring;
    int id;
    unsigned long said;
};

enum { SPEAKERS = 3, LINES = 60000 };

static void *speak(void *given)
{
    struct speaker *speaker = given;

    for (int i = 0; i < LINES; i++) {
        char *p = log_ring_reserve(speaker->ring, 300);

        if (p) {
            int n = sprintf(p, "%d %d %0*d\n", speaker->id, i, 1 + i * 7 % 200, i);

            log_ring_commit(speaker->ring, (size_t)n);
            speaker->said++;
        }
        if (i % 512 == 0)
            usleep(500);
    }
    return NULL;
}

/* Several threads, rings that fold often: each line is whole, in its speaker's order, and
 * what is missing was counted. */
static void test_many_speakers(void **state)
{
    struct log_writer writer;
    struct speaker speakers[SPEAKERS];
    pthread_t threads[SPEAKERS];
    const char *path = path_of("many");
    unsigned long said = 0, seen = 0, dropped;
    int last[SPEAKERS] = {-1, -1, -1};
    char line[512];
    FILE *file;

    begin(&writer, LOG_ACCESS, path);
    for (int i = 0; i < SPEAKERS; i++)
        speakers[i] =
            (struct speaker){log_ring_new(&writer, LOG_ACCESS, LOG_RING_EVENTS), i, 0};
    assert_int_equal(log_writer_start(&writer), ERR_OK);
    for (int i = 0; i < SPEAKERS; i++)
        pthread_create(&threads[i], NULL, speak, &speakers[i]);
    for (int i = 0; i < SPEAKERS; i++) {
        pthread_join(threads[i], NULL);
        said += speakers[i].said;
    }
    dropped = log_writer_dropped(&writer, LOG_ACCESS);
    log_writer_stop(&writer);
    assert_int_equal(said + dropped, SPEAKERS * LINES);
    assert_true(said > LINES);
    file = fopen(path, "r");
    while (fgets(line, sizeof line, file)) {
        int id, number, again;

        assert_int_equal(sscanf(line, "%d %d %d\n", &id, &number, &again), 3);
        assert_in_range(id, 0, SPEAKERS - 1);
        assert_int_equal(number, again);
        assert_true(number > last[id]);
        last[id] = number;
        seen++;
    }
    fclose(file);
    assert_int_equal(seen, said);
}

/* Until the writer runs nothing is taken: the ring fills to the brim, folds, and drops. */
static void test_ring_drops_what_does_not_fit(void **state)
{
    struct log_writer writer;
    struct log_ring *ring;
    char line[1000];
    unsigned fit = 0;
    size_t n;

    begin(&writer, LOG_ACCESS, path_of("brim"));
    ring = log_ring_new(&writer, LOG_ACCESS, LOG_RING_EVENTS);
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    while (say(ring, (str){line, sizeof line}))
        fit++;
    assert_int_equal(fit, LOG_RING_EVENTS / sizeof line);
    assert_int_equal(log_writer_dropped(&writer, LOG_ACCESS), 1);
    assert_null(log_ring_reserve(ring, LOG_LINE_MOST + 1));
    log_writer_stop(&writer);
    contents(path_of("brim"), &n);
    assert_int_equal(n, fit * sizeof line);
}

static void test_reopen(void **state)
{
    struct log_writer writer;
    struct log_ring *ring;
    const char *path = path_of("rotated"), *moved = path_of("rotated.1");
    size_t n;

    begin(&writer, LOG_ACCESS, path);
    ring = log_ring_new(&writer, LOG_ACCESS, LOG_RING_EVENTS);
    assert_int_equal(log_writer_start(&writer), ERR_OK);
    assert_true(say(ring, STR("before\n")));
    wait_for(path, "before\n");
    assert_int_equal(rename(path, moved), 0);
    assert_true(say(ring, STR("between\n")));
    log_writer_reopen(&writer);
    for (int i = 0; i < 2000 && access(path, F_OK); i++)
        usleep(1000);
    assert_true(say(ring, STR("after\n")));
    wait_for(path, "after\n");
    log_writer_stop(&writer);
    assert_string_equal(contents(path, &n), "after\n");
    assert_string_equal(contents(moved, &n), "before\nbetween\n");
}

/* Another place by order: what was said before goes to the old one. */
static void test_open_elsewhere(void **state)
{
    struct log_writer writer;
    struct log_ring *ring;
    size_t n;

    begin(&writer, LOG_ACCESS, path_of("first"));
    ring = log_ring_new(&writer, LOG_ACCESS, LOG_RING_EVENTS);
    assert_int_equal(log_writer_start(&writer), ERR_OK);
    assert_true(say(ring, STR("old\n")));
    wait_for(path_of("first"), "old\n");
    assert_int_equal(
        log_writer_open(&writer, LOG_ACCESS, STR("/nonexistent/x"), LOG_TEXT),
        ERR_NOT_FOUND);
    assert_int_equal(
        log_writer_open(&writer, LOG_ACCESS, str_of(path_of("second")), LOG_TEXT),
        ERR_OK);
    for (int i = 0; i < 5000 && !strstr(contents(path_of("second"), &n), "new\n"); i++) {
        assert_true(say(ring, STR("new\n")));
        usleep(5000);
    }
    log_writer_stop(&writer);
    assert_non_null(strstr(contents(path_of("second"), &n), "new\n"));
    assert_memory_equal(contents(path_of("first"), &n), "old\n", 4);
}

/* Nobody reads the pipe: the speaker is never held up, losses are counted, and once
 * somebody reads every line that was taken comes whole. */
static void test_stalled_pipe(void **state)
{
    struct log_writer writer;
    struct log_ring *ring;
    const char *path = path_of("fifo");
    char line[1000], got[4096];
    unsigned long said = 0, newlines = 0;
    size_t bytes = 0;
    int reader;

    assert_int_equal(mkfifo(path, 0600), 0);
    begin(&writer, LOG_ACCESS, path);
    ring = log_ring_new(&writer, LOG_ACCESS, LOG_RING_EVENTS);
    assert_int_equal(log_writer_start(&writer), ERR_OK);
    memset(line, 'y', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 400 || log_writer_dropped(&writer, LOG_ACCESS) == 0; i++) {
        said += say(ring, (str){line, sizeof line});
        if (i % 50 == 0)
            usleep(2000);
    }
    reader = open(path, O_RDONLY | O_NONBLOCK);
    for (int i = 0; i < 3000 && newlines < said; i++) {
        ssize_t r = read(reader, got, sizeof got);

        if (r <= 0)
            usleep(1000);
        for (ssize_t k = 0; k < r; k++, bytes++) {
            newlines += got[k] == '\n';
            assert_int_equal(got[k], bytes % sizeof line == sizeof line - 1 ? '\n' : 'y');
        }
    }
    assert_int_equal(newlines, said);
    close(reader);
    log_writer_stop(&writer);
}

static void test_stop_does_not_wait_for_a_stalled_pipe(void **state)
{
    struct log_writer writer;
    struct log_ring *ring;
    const char *path = path_of("fifo2");
    char line[1000];

    assert_int_equal(mkfifo(path, 0600), 0);
    begin(&writer, LOG_ACCESS, path);
    ring = log_ring_new(&writer, LOG_ACCESS, LOG_RING_ACCESS);
    assert_int_equal(log_writer_start(&writer), ERR_OK);
    memset(line, '\n', sizeof line);
    for (int i = 0; i < 500; i++)
        say(ring, (str){line, sizeof line});
    log_writer_stop(&writer); /* comes back: that is the test */
}

/* A full disk: lines are lost and counted, the error log is told once when it begins. */
static void test_full_disk(void **state)
{
    struct log_writer writer;
    struct log_ring *ring;
    const char *events = path_of("events");
    char *told;
    size_t n;

    begin(&writer, LOG_ACCESS, "/dev/full");
    assert_int_equal(log_writer_open(&writer, LOG_EVENTS, str_of(events), LOG_TEXT),
                     ERR_OK);
    ring = log_ring_new(&writer, LOG_ACCESS, LOG_RING_EVENTS);
    assert_int_equal(log_writer_start(&writer), ERR_OK);
    for (int i = 0; i < 5000 && log_writer_dropped(&writer, LOG_ACCESS) < 10; i++) {
        assert_true(say(ring, STR("lost\n")));
        usleep(20000);
    }
    assert_true(log_writer_dropped(&writer, LOG_ACCESS) >= 10);
    wait_for(events, "reason=\"no space left\"");
    told = contents(events, &n);
    assert_ptr_equal(strstr(told, "cannot write"), strstr(told, "cannot write a log"));
    assert_null(strstr(strstr(told, "cannot write") + 1, "cannot write"));
    assert_int_equal(
        log_writer_open(&writer, LOG_ACCESS, str_of(path_of("room")), LOG_TEXT), ERR_OK);
    wait_for(events, "a log is written again, lines were lost log=access");
    log_writer_stop(&writer);
}

static void test_syslog(void **state)
{
    struct log_writer writer;
    struct log_ring *ring;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct timeval five_seconds = {5, 0};
    int sink = socket(AF_UNIX, SOCK_DGRAM, 0);
    char to[128], got[70000], line[20000];
    ssize_t r;

    snprintf(name.sun_path, sizeof name.sun_path, "%s", path_of("log.sock"));
    snprintf(to, sizeof to, "syslog:%s", name.sun_path);
    assert_int_equal(bind(sink, (struct sockaddr *)&name, sizeof name), 0);
    setsockopt(sink, SOL_SOCKET, SO_RCVTIMEO, &five_seconds, sizeof five_seconds);
    begin(&writer, LOG_EVENTS, to);
    ring = log_ring_new(&writer, LOG_EVENTS, LOG_RING_EVENTS);
    assert_int_equal(log_writer_start(&writer), ERR_OK);
    memset(line, 'z', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 12; i++) { /* over the ring's end more than once */
        assert_true(say(ring, (str){line, sizeof line}));
        r = recv(sink, got, sizeof got, 0);
        assert_int_equal(r, strlen("<29>Nov 23 07:51:15 weir: ") + sizeof line - 1);
        assert_memory_equal(got, "<29>", 4);
        assert_memory_equal(got + 19, " weir: zzz", 10);
        assert_null(memchr(got, '\n', (size_t)r));
    }
    close(sink);
    log_writer_stop(&writer);
}

static void test_places(void **state)
{
    struct log_outlet outlet;
    char long_path[300];

    memset(long_path, 'a', sizeof long_path);
    assert_int_equal(log_outlet_open(&outlet, LOG_ACCESS, (str){long_path, 300}),
                     ERR_TOO_LARGE);
    assert_int_equal(log_outlet_open(&outlet, LOG_ACCESS, STR("")), ERR_OK);
    assert_int_equal(outlet.kind, OUTLET_NONE);
    assert_int_equal(log_outlet_open(&outlet, LOG_ACCESS, STR("stdout")), ERR_OK);
    assert_int_equal(outlet.fd, 1);
    log_outlet_close(&outlet);
    assert_int_equal(log_outlet_open(&outlet, LOG_ACCESS, STR("stderr")), ERR_OK);
    assert_int_equal(outlet.fd, 2);
    assert_int_not_equal(
        log_outlet_open(&outlet, LOG_ACCESS, STR("syslog:/nonexistent/log")), ERR_OK);
    assert_string_equal(log_sink_text(LOG_ACCESS), "access");
    assert_string_equal(log_sink_text(LOG_EVENTS), "error");
}

static void test_events(void **state)
{
    struct log_writer writer;
    struct event_log log = {.format = LOG_TEXT, .level = LOG_INFO};
    const char *path = path_of("told");
    static char huge[EVENT_LINE_MOST];
    size_t n;

    memset(huge, 'h', sizeof huge);
    EVENT(&log, LOG_ERROR, "nobody is there yet");
    begin(&writer, LOG_EVENTS, path);
    log.ring = log_ring_new(&writer, LOG_EVENTS, LOG_RING_EVENTS);
    EVENT(&log, LOG_WARN, "server is down", {"server", STR("a b")}, {"by", STR("1")});
    EVENT(&log, LOG_DEBUG, "too small to tell");
    EVENT(&log, LOG_INFO, "too long", {"what", {huge, sizeof huge}});
    log_writer_stop(&writer);
    contents(path, &n);
    assert_non_null(
        strstr(contents(path, &n), " warn  server is down server=\"a b\" by=1\n"));
    assert_non_null(strstr(contents(path, &n), " info  too long\n"));
    assert_null(strstr(contents(path, &n), "small"));
    assert_null(strstr(contents(path, &n), "nobody"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_arrive),
        cmocka_unit_test(test_many_speakers),
        cmocka_unit_test(test_ring_drops_what_does_not_fit),
        cmocka_unit_test(test_reopen),
        cmocka_unit_test(test_open_elsewhere),
        cmocka_unit_test(test_stalled_pipe),
        cmocka_unit_test(test_stop_does_not_wait_for_a_stalled_pipe),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_syslog),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_events),
    };
    char command[200];
    int failed;

    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(directory))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command) ? 1 : failed;
}

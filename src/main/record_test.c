/* What is recorded is what is played, and broken records are refused. */
#include "record.c"

#include "base/rand.h"
#include "control/conf/conf.h"
#include "io/sys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64], file[96], part[96];

static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static int make_files(void **state)
{
    char parts[80];

    snprintf(directory, sizeof directory, "/tmp/weir-record-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(parts, sizeof parts, "%s/conf.d", directory);
    assert_int_equal(mkdir(parts, 0700), 0);
    snprintf(file, sizeof file, "%s/weir.yaml", directory);
    snprintf(part, sizeof part, "%s/conf.d/pool.yaml", directory);
    write_file(file, "listen: \"127.0.0.1:1\"\nto: [127.0.0.1:2]\n"
                     "runtime: {include: [conf.d/*.yaml]}\n");
    write_file(part, "metrics: {path: /first}\n");
    return 0;
}

static int remove_files(void **state)
{
    char parts[80];

    snprintf(parts, sizeof parts, "%s/conf.d", directory);
    unlink(file);
    unlink(part);
    rmdir(parts);
    rmdir(directory);
    return 0;
}

/* Loads through the record; gives the metrics' path, empty when it was refused. */
static str load(struct record *record, struct arena *arena)
{
    struct complaints complaints;
    struct snapshot *snapshot;
    str path = STR("");

    complaints_init(&complaints, false);
    if (conf_load(&record->world, record->file, &complaints, &snapshot) == ERR_OK) {
        path = arena_copy(arena, snapshot->metrics.path);
        conf_release(snapshot);
    }
    complaints_close(&complaints);
    return path;
}

static void test_played_after_the_files_are_gone(void **state)
{
    struct record record, later;
    struct arena arena;
    str bytes;

    arena_init(&arena, 0);
    record_init(&record, str_of(file));
    assert_true(str_eq(load(&record, &arena), STR("/first")));
    assert_true(record.was_read);
    bytes = record_write(&record, &arena);
    write_file(part, "metrics: {path: /second}\n");
    write_file(file, "nonsense: [");

    record_init(&later, str_of(file));
    assert_true(record_read(&later, bytes));
    later.is_played = true;
    assert_true(str_eq(load(&later, &arena), STR("/first")));
    later.is_played = false;
    assert_true(str_eq(load(&later, &arena), STR("")));
    record_close(&record);
    record_close(&later);
    arena_reset(&arena);
}

static void test_the_last_reading_counts(void **state)
{
    struct record record;
    struct arena arena;
    size_t items;

    arena_init(&arena, 0);
    record_init(&record, str_of(file));
    load(&record, &arena);
    items = record.items.count;
    assert_int_equal(items, 3); /* two files, one directory */
    load(&record, &arena);
    assert_int_equal(record.items.count, items);
    record_close(&record);
    arena_reset(&arena);
}

static void test_broken_bytes(void **state)
{
    struct record record, later;
    struct arena arena;
    struct rand rand;
    str bytes;

    arena_init(&arena, 0);
    record_init(&record, str_of(file));
    record_init(&later, str_of(file));
    load(&record, &arena);
    bytes = record_write(&record, &arena);
    for (size_t n = 1; n < bytes.n; n++) {
        bool is_good = record_read(&later, str_upto(bytes, n));
        bool is_bound = is_good && later.items.count < record.items.count;

        assert_true(!is_good || is_bound); /* good only where an item ends */
    }
    rand_seed(&rand, 7);
    for (unsigned i = 0; i < 2000; i++) {
        char *copy = malloc(bytes.n);

        memcpy(copy, bytes.p, bytes.n);
        copy[rand_below(&rand, (unsigned)bytes.n)] ^= (char)(1 << rand_below(&rand, 8));
        if (record_read(&later, (str){copy, bytes.n}))
            assert_true(later.items.count <= 3);
        free(copy);
    }
    record_close(&record);
    record_close(&later);
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_played_after_the_files_are_gone, make_files,
                                        remove_files),
        cmocka_unit_test_setup_teardown(test_the_last_reading_counts, make_files,
                                        remove_files),
        cmocka_unit_test_setup_teardown(test_broken_bytes, make_files, remove_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

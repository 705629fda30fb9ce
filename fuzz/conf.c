/*
 * Target: a configuration. Whatever the text, there is either a snapshot or a complaint;
 * both printers cope with it; and the full form of a good one is a good one that expands
 * to itself (the comments, which tell places, apart).
 */
#include "fuzz.h"

#include "control/conf/conf.h"

static enum err read_file(void *owner, str path, struct arena *arena, str *out)
{
    if (str_eq(path, STR("conf.d/a.yaml")))
        *out = STR("pools: {included: {servers: [10.9.9.9:80]}}\n");
    else if (str_eq(path, STR("weir.yaml")))
        *out = *(str *)owner;
    else
        return ERR_NOT_FOUND;
    return ERR_OK;
}

static enum err list_directory(void *owner, str path, struct arena *arena, str **names,
                               unsigned *count)
{
    static str name = {"a.yaml", 6};

    if (!str_eq(path, STR("conf.d/")))
        return ERR_NOT_FOUND;
    *names = &name;
    *count = 1;
    return ERR_OK;
}

static bool get_variable(void *owner, str name, str *out)
{
    *out = STR("10.0.0.1");
    return str_eq(name, STR("HOST"));
}

static void print_both(struct complaints *complaints)
{
    struct scroll out = {0};

    complaints_print(complaints, &out);
    complaints_print_json(complaints, &out);
    scroll_close(&out);
}

/* The text without what stands behind " # " at the end of its lines. */
static str without_comments(str text, struct arena *arena)
{
    char *p = arena_alloc(arena, text.n);
    size_t n = 0;
    str line;

    while (text.n && str_next(&text, '\n', &line)) {
        long at = -1;

        for (size_t i = 0; i + 2 < line.n; i++) {
            if (memcmp(line.p + i, " # ", 3) == 0)
                at = (long)i;
        }
        line = at < 0 ? line : str_upto(line, (size_t)at);
        while (line.n && line.p[line.n - 1] == ' ')
            line.n--;
        memcpy(p + n, line.p, line.n);
        n += line.n;
        p[n++] = '\n';
    }
    return (str){p, n};
}

static bool expand_text(str text, struct scroll *out)
{
    struct conf_world world = {&text, read_file, list_directory, get_variable, NULL};
    struct complaints complaints;
    bool is_good;

    complaints_init(&complaints, false);
    is_good = conf_expand(&world, STR("weir.yaml"), &complaints, out) == ERR_OK;
    HOLDS(is_good == (complaints.errors == 0));
    complaints_close(&complaints);
    return is_good;
}

static void check_expansion(str text)
{
    struct scroll once = {0}, twice = {0};
    struct arena arena;

    arena_init(&arena, 0);
    HOLDS(expand_text(text, &once));
    HOLDS(expand_text(scroll_str(&once), &twice));
    HOLDS(str_eq(without_comments(scroll_str(&once), &arena),
                 without_comments(scroll_str(&twice), &arena)));
    scroll_close(&once);
    scroll_close(&twice);
    arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = fuzz_exact((str){(const char *)data, size});
    struct conf_world world = {&text, read_file, list_directory, get_variable, NULL};
    struct complaints complaints;
    struct snapshot *snapshot = NULL;
    enum err e;

    complaints_init(&complaints, false);
    e = conf_load_text(&world, STR("weir.yaml"), text, &complaints, &snapshot);
    HOLDS((e == ERR_OK) == (complaints.errors == 0));
    HOLDS((e == ERR_OK) == (snapshot != NULL));
    print_both(&complaints);
    conf_release(snapshot);
    complaints_close(&complaints);
    if (e == ERR_OK)
        check_expansion(text);
    fuzz_free(text);
    return 0;
}

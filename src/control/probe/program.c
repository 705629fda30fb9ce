/*
 * A run outlives its probe: the check is over at the deadline, the process perhaps a
 * little later. Of what it writes only the end is kept; who writes without end is no longer
 * read, and so comes to its deadline.
 */
#include "control/probe/program.h"

#include "base/check.h"
#include "control/conf/scroll.h"
#include "io/sys_child.h"

#include <stdlib.h>

enum {
    TAIL = 1024,             /* of the output, kept */
    OUTPUT_MOST = 64 * 1024, /* read at all */
};

struct run {
    struct list node; /* program_list->all */
    struct program_list *list;
    struct engine *engine;
    struct probe *probe; /* NULL: nobody waits for it any more */
    struct sys_child child;
    struct watch exit, output;
    size_t heard, tail_n;
    char tail[TAIL];
};

/* ---- words ---- */

struct fact {
    str name, value;
};

static str filled(struct arena *arena, str word, const struct fact *facts, unsigned count)
{
    struct scroll out = {0};
    str text;

    while (word.n) {
        unsigned i = 0;

        while (i < count && !str_starts(word, facts[i].name))
            i++;
        scroll_add(&out, i < count ? facts[i].value : str_upto(word, 1));
        word = str_from(word, i < count ? facts[i].name.n : 1);
    }
    text = arena_copy(arena, scroll_str(&out));
    scroll_close(&out);
    return text;
}

void program_prepare(struct probe_question *question, const struct server_live *server)
{
    const struct health_check *check = &question->check;
    struct arena *arena = &question->arena;
    bool is_path = question->addr.family == ADDR_UNIX;
    char memory[ADDR_TEXT_MOST], number[8] = "";
    struct text port = text_in(number, sizeof number);
    struct fact facts[4];
    const char **argv = ARENA_ARRAY(arena, const char *, check->program_count + 1);
    const char **env = ARENA_ARRAY(arena, const char *, array_len(facts) + 2);
    static const char *const names[] = {"WEIR_ADDRESS", "WEIR_PORT", "WEIR_POOL",
                                        "WEIR_SERVER"};

    if (!is_path)
        text_u64(&port, question->addr.port);
    facts[0] =
        (struct fact){STR("{address}"),
                      is_path ? addr_print(&question->addr, memory, sizeof memory)
                              : addr_print_ip(&question->addr, memory, sizeof memory)};
    facts[1] = (struct fact){STR("{port}"), text_str(&port)};
    facts[2] = (struct fact){STR("{pool}"), server->pool_name};
    facts[3] = (struct fact){STR("{server}"), server->name};
    for (unsigned i = 0; i < check->program_count; i++)
        argv[i] = filled(arena, check->program[i], facts, array_len(facts)).p;
    for (unsigned i = 0; i < array_len(facts); i++)
        env[i] = arena_printf(arena, "%s=" STR_FMT, names[i], STR_ARG(facts[i].value)).p;
    env[array_len(facts)] = "PATH=/usr/local/bin:/usr/bin:/bin";
    question->argv = argv;
    question->env = env;
}

/* ---- the end ---- */

void program_list_init(struct program_list *list)
{
    list_init(&list->all);
    list->count = 0;
}

static void run_free(struct run *run)
{
    list_remove(&run->node);
    run->list->count--;
    loop_forget(&run->engine->loop, &run->exit);
    loop_forget(&run->engine->loop, &run->output);
    sys_child_close(&run->child);
    free(run);
}

void program_list_close(struct program_list *list)
{
    list_each_safe(node, &list->all) {
        struct run *run = list_entry(node, struct run, node);

        sys_child_kill(&run->child);
        run_free(run);
    }
}

/* "exit status 2: disk is full" */
static void tell(struct probe *probe, const struct run *run, unsigned status)
{
    str text = {run->tail, run->tail_n};
    size_t begin;
    char memory[TAIL + 64];
    struct text words = text_in(memory, sizeof memory);

    while (text.n && (unsigned char)text.p[text.n - 1] <= ' ')
        text.n--;
    for (begin = text.n; begin && text.p[begin - 1] != '\n';)
        begin--;
    text = str_from(text, begin);
    if (status >= 256)
        text_format(&words, "ended by signal %u", status - 256);
    else if (status)
        text_format(&words, "exit status %u", status);
    text_add(&words, words.n && text.n ? STR(": ") : STR(""));
    text_add(&words, text);
    outcome_tell(&probe->outcome, text_str(&words));
}

/* ---- hearing ---- */

static void keep_tail(struct run *run, const char *p, size_t n)
{
    size_t over;

    run->heard += n;
    if (n > TAIL) {
        p += n - TAIL;
        n = TAIL;
    }
    over = run->tail_n + n > TAIL ? run->tail_n + n - TAIL : 0;
    memmove(run->tail, run->tail + over, run->tail_n - over);
    memcpy(run->tail + run->tail_n - over, p, n);
    run->tail_n += n - over;
}

static void hear(struct run *run)
{
    char piece[4096];
    size_t got;

    while (run->heard < OUTPUT_MOST &&
           sys_child_read(&run->child, piece, sizeof piece, &got) == ERR_OK)
        keep_tail(run, piece, got);
}

static void output_ready(struct watch *watch, unsigned ready)
{
    (void)ready;
    hear(container_of(watch, struct run, output));
}

static void has_ended(struct watch *watch, unsigned ready)
{
    struct run *run = container_of(watch, struct run, exit);
    struct probe *probe = run->probe;
    unsigned status = 0;

    (void)ready;
    hear(run);
    if (!sys_child_ended(&run->child, &status))
        return;
    if (!probe) {
        run_free(run);
        return;
    }
    probe->answer = NULL; /* there is nothing to kill any more */
    tell(probe, run, status);
    run_free(run);
    probe_finish(probe, status ? CHECK_FAILED : CHECK_PASSED, 0);
}

/* ---- the beginning ---- */

static enum err run_watch(struct run *run)
{
    struct loop *loop = &run->engine->loop;
    enum err e;

    watch_init(&run->exit, run->child.exit_fd, has_ended);
    watch_init(&run->output, run->child.output, output_ready);
    e = loop_watch(loop, &run->output);
    return e ? e : loop_watch(loop, &run->exit);
}

static enum err begin(struct probe *probe)
{
    struct run *run = calloc(1, sizeof *run);
    enum err e;

    CHECK(run != NULL);
    run->list = probe->programs;
    run->engine = probe->engine;
    run->probe = probe;
    e = sys_child_start(probe->question->argv, probe->question->env, &run->child);
    if (e) {
        free(run);
        return e;
    }
    list_add(&run->list->all, &run->node);
    run->list->count++;
    e = run_watch(run);
    if (e) { /* no memory in the kernel: as if it had not been begun */
        sys_child_kill(&run->child);
        run_free(run);
        return e;
    }
    probe->answer = run;
    return ERR_OK;
}

/* The check is over and the program is not. */
static void drop(struct probe *probe)
{
    struct run *run = probe->answer;

    if (!run)
        return;
    run->probe = NULL;
    sys_child_kill(&run->child);
}

const struct probe_kind probe_program = {.name = "exec", .begin = begin, .drop = drop};

/*
 * A question outlives the snapshot that asked for it, and crosses to another thread: so
 * it is a deep copy. The key is everything that the question says in one text, each part
 * behind its length; what is not in the key does not make two questions different.
 */
#include "base/check.h"
#include "control/conf/scroll.h"
#include "control/probe/program.h"
#include "control/probe/talk.h"
#include "proto/proxy_header.h"

#include <stdlib.h>

enum {
    ARENA_BLOCK = 512,   /* thousands of them: no usual block of 8 KiB */
    REQUEST_FRAME = 512, /* all of a request but what the check itself says */
};

/* ---- the copy ---- */

static void keep(struct arena *arena, str *text)
{
    if (text->n)
        *text = arena_copy(arena, *text);
}

static void *keep_array(struct arena *arena, const void *items, size_t size)
{
    void *copy = arena_alloc(arena, size);

    if (size)
        memcpy(copy, items, size);
    return copy;
}

static const str *keep_words(struct arena *arena, const str *words, unsigned count)
{
    str *copy = keep_array(arena, words, count * sizeof *words);

    for (unsigned i = 0; i < count; i++)
        keep(arena, &copy[i]);
    return copy;
}

static void keep_request(struct arena *arena, struct check_request *request)
{
    struct check_header *headers =
        keep_array(arena, request->headers, request->header_count * sizeof *headers);

    keep(arena, &request->method);
    keep(arena, &request->path);
    keep(arena, &request->host);
    for (unsigned i = 0; i < request->header_count; i++) {
        keep(arena, &headers[i].name);
        keep(arena, &headers[i].value);
    }
    request->headers = headers;
}

static void keep_steps(struct arena *arena, struct health_check *check)
{
    struct check_step *steps =
        keep_array(arena, check->steps, check->step_count * sizeof *steps);

    for (unsigned i = 0; i < check->step_count; i++) {
        keep(arena, &steps[i].send);
        keep(arena, &steps[i].expect);
    }
    check->steps = steps;
}

static void keep_expect(struct arena *arena, struct check_expect *expect)
{
    expect->status =
        keep_array(arena, expect->status, expect->status_count * sizeof *expect->status);
    keep(arena, &expect->body);
    keep(arena, &expect->body_regex);
    keep(arena, &expect->json.field);
    keep(arena, &expect->json.reason);
    keep(arena, &expect->json.dependencies);
    expect->json.equals =
        keep_words(arena, expect->json.equals, expect->json.equal_count);
}

/* ---- the key ---- */

static void add_part(struct scroll *key, str part)
{
    scroll_format(key, "%zu:", part.n);
    scroll_add(key, part);
}

static void add_expect(struct scroll *key, const struct check_expect *expect)
{
    for (unsigned i = 0; i < expect->status_count; i++)
        scroll_format(key, "%u-%u,", expect->status[i].from, expect->status[i].to);
    add_part(key, expect->body);
    add_part(key, expect->body_regex);
    add_part(key, expect->json.field);
    for (unsigned i = 0; i < expect->json.equal_count; i++)
        add_part(key, expect->json.equals[i]);
    add_part(key, expect->json.reason);
    add_part(key, expect->json.dependencies);
}

static void make_key(struct probe_question *question)
{
    const struct health_check *check = &question->check;
    char memory[ADDR_TEXT_MOST];
    struct scroll key = {0};

    scroll_format(&key, "%d %u %u %u %u %u %u %u ", check->kind, check->interval,
                  check->timeout, check->fast_interval, check->max_interval,
                  check->unhealthy_after, check->healthy_after, check->jitter);
    add_part(&key, addr_print(&question->addr, memory, sizeof memory));
    add_part(&key, question->request);
    add_expect(&key, &check->expect);
    for (unsigned i = 0; i < check->step_count; i++) {
        add_part(&key, check->steps[i].send);
        add_part(&key, check->steps[i].expect);
    }
    for (unsigned i = 0; question->argv && question->argv[i]; i++)
        add_part(&key, str_of(question->argv[i]));
    for (unsigned i = 0; question->env && question->env[i]; i++)
        add_part(&key, str_of(question->env[i]));
    question->key = arena_copy(&question->arena, scroll_str(&key));
    scroll_close(&key);
}

/* ---- the request ---- */

static void make_request(struct probe_question *question, enum proxy_protocol proxy)
{
    const struct check_request *asked = &question->check.request;
    size_t room = PROXY_HEADER_MOST + REQUEST_FRAME + asked->method.n + asked->path.n +
                  asked->host.n + question->check.agent.send.n;
    struct text request;
    char *memory;

    if (question->check.step_count)
        room += question->check.steps[0].send.n;
    for (unsigned i = 0; i < asked->header_count; i++)
        room += asked->headers[i].name.n + asked->headers[i].value.n + 4;
    memory = malloc(room);
    CHECK(memory != NULL);
    request = text_in(memory, room);
    if (proxy == PROXY_PROTOCOL_V2)
        proxy_header_write_local(&request);
    if (question->kind->compose)
        question->kind->compose(&request, question);
    CHECK(!request.overflow);
    question->request = arena_copy(&question->arena, text_str(&request));
    free(memory);
}

static const struct probe_kind *const kinds[CHECK_KIND_COUNT] = {
    [CHECK_BY_CONNECT] = &probe_tcp,   [CHECK_BY_HTTP] = &probe_http,
    [CHECK_BY_SCRIPT] = &probe_script, [CHECK_BY_POSTGRES] = &probe_postgres,
    [CHECK_BY_MYSQL] = &probe_mysql,   [CHECK_BY_REDIS] = &probe_redis,
    [CHECK_BY_SMTP] = &probe_smtp,     [CHECK_BY_PROGRAM] = &probe_program,
    [CHECK_BY_AGENT] = &probe_agent,
};

struct probe_question *probe_question_new(const struct probe_target *target)
{
    struct probe_question *question = calloc(1, sizeof *question);
    struct health_check *check;
    enum err e = ERR_OK;

    CHECK(question != NULL);
    arena_init(&question->arena, ARENA_BLOCK);
    question->check = target->check;
    check = &question->check;
    keep_request(&question->arena, &check->request);
    keep_expect(&question->arena, &check->expect);
    keep_steps(&question->arena, check);
    keep(&question->arena, &check->agent.send);
    check->program = keep_words(&question->arena, check->program, check->program_count);
    question->kind = kinds[check->kind];
    question->addr = target->server->addr;
    if (check->port && question->addr.family != ADDR_UNIX)
        question->addr.port = (uint16_t)check->port;
    if (check->expect.body_regex.n)
        e = pattern_compile(&question->regex, PATTERN_REGEX, false,
                            check->expect.body_regex, NULL);
    CHECK(!e); /* the configuration's reader has done the same */
    if (check->kind == CHECK_BY_PROGRAM)
        program_prepare(question, target->server);
    make_request(question, target->proxy_protocol);
    make_key(question);
    return question;
}

void probe_question_free(struct probe_question *question)
{
    if (!question)
        return;
    pattern_close(&question->regex);
    arena_wipe(&question->arena);
    free(question);
}

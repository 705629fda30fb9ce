/*
 * Looks every few hundredths of a second until no server is without a verdict any more,
 * for some seconds at most: a name that does not resolve may have none for ever.
 */
#include "main/announce.h"

#include "control/conf/scroll.h"
#include "main/ask.h"

#include <jansson.h>

#define SECOND UINT64_C(1000000000)
#define LOOK_AGAIN (SECOND / 20)
#define PATIENCE (6 * SECOND)

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static bool is_settled(const json_t *server)
{
    const char *state = text_of(server, "state");

    return strcmp(state, "unknown") != 0 && strcmp(state, "starting") != 0 &&
           strcmp(state, "unresolved") != 0;
}

static void tell_server(const json_t *server, struct scroll *out)
{
    const char *state = text_of(server, "state");
    const char *reason = text_of(server, "reason"), *name = text_of(server, "name");
    const char *address = text_of(server, "address");
    bool has_name = strcmp(name, address) != 0;
    bool is_up = strcmp(state, "up") == 0;
    bool is_open = !is_settled(server);

    scroll_format(out, "  %s ", is_up ? "✔" : is_open ? "?" : "✖");
    if (has_name)
        scroll_format(out, "%-8s ", name);
    scroll_format(out, "%-22s %-10s %s%s\n", address, state, reason,
                  is_up || is_open ? "" : " — will keep checking");
}

static bool is_all_settled(const json_t *pools)
{
    size_t i, k;
    json_t *pool, *server;

    json_array_foreach(pools, i, pool)
    {
        json_array_foreach(json_object_get(pool, "servers"), k, server)
        {
            if (!is_settled(server))
                return false;
        }
    }
    return true;
}

static void tell_all(const json_t *pools)
{
    struct scroll out = {0};
    size_t i, k;
    json_t *pool, *server;

    json_array_foreach(pools, i, pool)
    {
        json_array_foreach(json_object_get(pool, "servers"), k, server)
            tell_server(server, &out);
    }
    if (sys_file_write(1, scroll_str(&out))) {
        /* Nobody reads it. */
    }
    scroll_close(&out);
}

/* One look; true: told, or there is nobody to ask. */
static bool look(struct announcement *announcement)
{
    const struct question question = {
        .method = "GET", .target = STR("/v1/status"), .seconds = 1};
    struct arena arena;
    unsigned status;
    str body;
    json_t *all = NULL;
    bool is_over = true;

    arena_init(&arena, 0);
    if (ask(announcement->socket, &question, &arena, &status, &body) == ERR_OK &&
        status == 200 && (all = json_loadb(body.p, body.n, 0, NULL))) {
        const json_t *pools = json_object_get(all, "pools");

        is_over = is_all_settled(pools) || sys_now() >= announcement->end;
        if (is_over)
            tell_all(pools);
    }
    json_decref(all);
    arena_reset(&arena);
    return is_over;
}

static bool announcement_turn(void *owner)
{
    struct announcement *announcement = owner;
    struct sys_event event;
    int poll;

    if (atomic_load(&announcement->is_ending))
        return false;
    if (look(announcement)) {
        if (announcement->after)
            announcement->after(announcement->owner);
        return false;
    }
    if (sys_poll_new(&poll))
        return false;
    sys_poll_wait(poll, &event, 1, LOOK_AGAIN);
    sys_close(poll);
    return true;
}

void announcement_start(struct announcement *announcement)
{
    announcement->end = sys_now() + PATIENCE;
    announcement->is_started =
        sys_thread_start(&announcement->thread, "weir-announce", announcement_turn,
                         announcement) == ERR_OK;
}

void announcement_end(struct announcement *announcement)
{
    if (!announcement->is_started)
        return;
    atomic_store(&announcement->is_ending, true);
    sys_thread_join(&announcement->thread);
    announcement->is_started = false;
}

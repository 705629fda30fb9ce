/* From a file to a snapshot, or to complaints: the order of the steps. */
#include "control/conf/conf.h"

#include "base/check.h"
#include "control/conf/expand.h"
#include "control/conf/include.h"
#include "control/conf/resolve.h"
#include "control/conf/shorthand.h"

#include <stdlib.h>

static struct snapshot *snapshot_new(void)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);

    CHECK(snapshot);
    snapshot->magic = SNAPSHOT_MAGIC;
    arena_init(&snapshot->arena, 64 << 10);
    return snapshot;
}

void conf_release(struct snapshot *snapshot)
{
    if (!snapshot)
        return;
    CHECK_MAGIC(snapshot, SNAPSHOT_MAGIC);
    for (unsigned i = 0; i < snapshot->route_count; i++)
        match_close(snapshot->routes[i].match);
    arena_wipe(&snapshot->arena); /* keys of sticky cookies */
    snapshot->magic = 0;
    free(snapshot);
}

/* What refers to a section is not looked up when that section is missing by a mistake. */
static void read_draft(struct reader *reader, struct node *root, bool is_whole)
{
    const struct section section = {"top level", NULL, NULL};
    struct draft *draft = reader->draft;
    bool is_known;

    rows_fill(reader, top_rows, &draft->settings);
    draft->has_all_listeners = draft->has_all_routes = true;
    draft->has_all_pools = draft->has_all_breakers = true;
    draft->pages.has_all = draft->ladders.has_all = true;
    is_known = section_read(reader, &section, top_rows, root, &draft->settings);
    if (is_known && is_whole)
        return;
    draft->pages.has_all = draft->ladders.has_all = false;
    draft->has_all_listeners = draft->has_all_routes = false;
    draft->has_all_pools = draft->has_all_breakers = false;
}

static void complain_nothing(struct complaints *complaints, const struct draft *draft)
{
    struct complaint *complaint =
        complain(complaints, "C050", (struct place){0, 1, 1, 1},
                 "there is nothing to do: no listener is configured");

    if (draft->pool_count)
        complaint_help(complaint, "add listeners: {main: {address: \":8080\", to: %s}}",
                       complaint_word(complaints, draft->pools[0].key->text));
    else
        complaint_help(complaint,
                       "the shortest configuration is: listen: \":8080\" and to: "
                       "[127.0.0.1:9001]");
}

/* *tree: the configuration in its long form; lives as long as the complaints. */
static enum err load(const struct conf_world *world, struct complaints *complaints,
                     uint32_t file, struct snapshot **out, struct node **tree)
{
    struct snapshot *snapshot = snapshot_new();
    struct draft draft = {0};
    struct reader reader = {complaints, &snapshot->arena, &draft};
    bool is_whole;
    struct node *root = include_read(complaints, world, file, &is_whole);

    if (root) {
        shorthand_expand(complaints, root);
        read_draft(&reader, root, is_whole);
        resolve_names(&reader);
        pages_resolve(&reader, world);
        ladders_resolve(&reader);
        resolve_try_addresses(&reader, world);
        if (complaints->errors == 0 && draft.listener_count == 0)
            complain_nothing(complaints, &draft);
    }
    if (complaints->errors) {
        for (unsigned i = 0; i < draft.route_count; i++)
            match_close(&draft.routes[i].match);
        conf_release(snapshot);
        return ERR_INVALID;
    }
    resolve_build(&reader, snapshot);
    pages_build(&reader, snapshot);
    ladders_build(&reader, snapshot);
    if (!complaints->wants_errors_only)
        lint(&reader, snapshot);
    if (complaints->wants_hints)
        advise(&reader, snapshot);
    if (complaints->errors) { /* strict */
        conf_release(snapshot);
        return ERR_INVALID;
    }
    *out = snapshot;
    *tree = root;
    return ERR_OK;
}

enum err conf_load(const struct conf_world *world, str file_name,
                   struct complaints *complaints, struct snapshot **out)
{
    uint32_t file;
    struct node *tree;

    if (!include_read_source(complaints, world, file_name, NULL, &file))
        return ERR_INVALID;
    return load(world, complaints, file, out, &tree);
}

enum err conf_load_text(const struct conf_world *world, str name, str text,
                        struct complaints *complaints, struct snapshot **out)
{
    str copy = arena_copy(&complaints->arena, text);
    struct node *tree;

    return load(world, complaints, complaints_add_source(complaints, name, copy), out,
                &tree);
}

enum err conf_expand(const struct conf_world *world, str file_name,
                     struct complaints *complaints, struct scroll *out)
{
    struct snapshot *snapshot = NULL;
    struct node *tree = NULL;
    uint32_t file;
    enum err e;

    if (!include_read_source(complaints, world, file_name, NULL, &file))
        return ERR_INVALID;
    e = load(world, complaints, file, &snapshot, &tree);
    if (e)
        return e;
    expand(complaints, top_rows, tree, out);
    conf_release(snapshot);
    return ERR_OK;
}

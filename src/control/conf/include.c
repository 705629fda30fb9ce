/*
 * Included files are merged by key, never replaced: the same key in two files is an
 * error that names both places (C037). Sections of the user's names (listeners, pools)
 * and other maps of the top level merge one level down; routes are appended.
 */
#include "control/conf/include.h"

#include "base/map.h"
#include "base/vec.h"
#include "control/conf/substitute.h"

#include <fnmatch.h>
#include <stdlib.h>

/* A section that included files add to. Kept from file to file: thousands of them do not
 * copy, and look up, what all the others gave. */
struct growing {
    struct node *node;
    unsigned room;    /* of its items or pairs */
    struct map known; /* of a map: its keys' nodes, by text */
};

struct inclusion {
    struct complaints *complaints;
    const struct conf_world *world;
    struct node *root;
    str directory; /* of the main file, with its slash; or empty */
    bool is_whole;
    struct vec_of(struct growing) growing;
};

const char *include_reason(enum err e)
{
    return e == ERR_INVALID ? "it is a directory" : err_text(e);
}

bool include_read_source(struct complaints *complaints, const struct conf_world *world,
                         str name, const struct place *place, uint32_t *file)
{
    str text = STR_NONE;
    enum err e = world->read_file(world->owner, name, &complaints->arena, &text);

    if (e == ERR_OK && text.n > SOURCE_MOST)
        e = ERR_TOO_LARGE;
    if (e == ERR_OK) {
        *file = complaints_add_source(complaints, name, text);
        return true;
    }
    if (!place)
        *file = complaints_add_source(complaints, name, STR(""));
    complain(complaints, "C032", place ? *place : (struct place){*file, 0, 0, 0},
             "can not read %s: %s", complaint_word(complaints, name), include_reason(e));
    return false;
}

static struct node *read_tree(struct complaints *complaints,
                              const struct conf_world *world, uint32_t file)
{
    struct node *root = tree_read(complaints, file);
    str text = complaints->sources.items[file].text;
    struct complaint *complaint;

    if (!root)
        return NULL;
    if (root->kind == NODE_NONE)
        return node_map(&complaints->arena, (struct place){file, 1, 1, 1}, 0);
    if (root->kind == NODE_MAP) {
        /* A backslash may write a '$', too. */
        if (str_find_char(text, '$') >= 0 || str_find_char(text, '\\') >= 0)
            substitute(complaints, world, root);
        return root;
    }
    complaint = complain(complaints, "C014", root->place,
                         "a configuration must be a map of settings");
    complaint_help(complaint, "begin with 'listen:' or 'listeners:'");
    return NULL;
}

static void complain_two_files(struct inclusion *inclusion, const struct node *key,
                               const struct node *first)
{
    struct complaints *complaints = inclusion->complaints;

    complaint_note(complain(complaints, "C037", key->place, "'%s' is given in two files",
                            complaint_word(complaints, key->text)),
                   "first given at %s", complaint_where(complaints, first->place));
}

static struct growing *growing_of(struct inclusion *inclusion, struct node *node)
{
    const uint64_t seed[2] = {0, 0};
    struct growing *growing;

    for (size_t i = 0; i < inclusion->growing.count; i++)
        if (inclusion->growing.items[i].node == node)
            return &inclusion->growing.items[i];
    growing = vec_add(&inclusion->growing, &inclusion->complaints->arena);
    growing->node = node;
    growing->room = node->count;
    map_init(&growing->known, seed);
    for (unsigned i = 0; node->kind == NODE_MAP && i < node->count; i++)
        map_put(&growing->known, node->pairs[i].key->text, node->pairs[i].key);
    return growing;
}

/* Room for so many more: a copy of what is there, of twice the size. */
static void make_room(struct arena *arena, struct growing *growing, unsigned more)
{
    struct node *node = growing->node;
    size_t size = node->kind == NODE_MAP ? sizeof *node->pairs : sizeof *node->items;
    void *old = node->kind == NODE_MAP ? (void *)node->pairs : (void *)node->items, *all;

    if (growing->room - node->count >= more)
        return;
    growing->room = 2 * (node->count + more);
    all = arena_zalloc(arena, growing->room * size);
    if (node->count)
        memcpy(all, old, node->count * size);
    if (node->kind == NODE_MAP)
        node->pairs = all;
    else
        node->items = all;
}

/* Adds the settings of one section to another's, which come from different files. */
static void merge_maps(struct inclusion *inclusion, struct node *into,
                       const struct node *from)
{
    struct growing *growing = growing_of(inclusion, into);

    make_room(&inclusion->complaints->arena, growing, from->count);
    for (unsigned i = 0; i < from->count; i++) {
        const struct pair *pair = &from->pairs[i];
        const struct node *first = map_get(&growing->known, pair->key->text);

        if (first) {
            complain_two_files(inclusion, pair->key, first);
            continue;
        }
        into->pairs[into->count++] = *pair;
        map_put(&growing->known, pair->key->text, pair->key);
    }
}

static void append(struct inclusion *inclusion, struct node *into,
                   const struct node *from)
{
    make_room(&inclusion->complaints->arena, growing_of(inclusion, into), from->count);
    for (unsigned i = 0; i < from->count; i++)
        into->items[into->count++] = from->items[i];
}

static void merge(struct inclusion *inclusion, const struct node *from)
{
    struct arena *arena = &inclusion->complaints->arena;

    for (unsigned i = 0; i < from->count; i++) {
        const struct pair *pair = &from->pairs[i];
        struct pair *known = node_find(inclusion->root, pair->key->text);

        if (!known)
            node_add(arena, inclusion->root, pair->key, pair->value);
        else if (known->value->kind == NODE_MAP && pair->value->kind == NODE_MAP)
            merge_maps(inclusion, known->value, pair->value);
        else if (str_eq(pair->key->text, STR("routes")) &&
                 known->value->kind == NODE_LIST && pair->value->kind == NODE_LIST)
            append(inclusion, known->value, pair->value);
        else
            complain_two_files(inclusion, pair->key, known->key);
    }
}

static struct pair *find_include(const struct node *root)
{
    struct pair *runtime = node_find(root, STR("runtime"));

    return runtime ? node_find(runtime->value, STR("include")) : NULL;
}

/* An included file may not include: its own `include` is taken out after the complaint. */
static void refuse_include(struct inclusion *inclusion, struct node *root)
{
    struct pair *include = find_include(root);
    struct node *runtime;

    if (!include)
        return;
    complain(inclusion->complaints, "C037", include->key->place,
             "an included file can not 'include' others");
    runtime = node_find(root, STR("runtime"))->value;
    *include = runtime->pairs[--runtime->count];
}

static void include_file(struct inclusion *inclusion, str name, const struct place *place)
{
    struct node *root;
    uint32_t file;

    if (!include_read_source(inclusion->complaints, inclusion->world, name, place,
                             &file)) {
        inclusion->is_whole = false;
        return;
    }
    root = read_tree(inclusion->complaints, inclusion->world, file);
    if (!root) {
        inclusion->is_whole = false;
        return;
    }
    refuse_include(inclusion, root);
    merge(inclusion, root);
}

static int by_name(const void *a, const void *b)
{
    return str_compare(*(const str *)a, *(const str *)b);
}

/* directory: with its slash, or empty. pattern: the last part alone. */
static void include_pattern(struct inclusion *inclusion, str directory, str pattern)
{
    struct arena *arena = &inclusion->complaints->arena;
    str *names = NULL, place = directory.n ? directory : STR(".");
    unsigned count = 0;
    enum err e = inclusion->world->list_directory(
        inclusion->world->owner, arena_copy(arena, place), arena, &names, &count);

    if (e || count == 0)
        return; /* a pattern may match nothing */
    qsort(names, count, sizeof *names, by_name);
    for (unsigned i = 0; i < count; i++) {
        const char *name = arena_copy(arena, names[i]).p;

        if (fnmatch(arena_copy(arena, pattern).p, name, FNM_PERIOD) == 0)
            include_file(inclusion,
                         arena_printf(arena, STR_FMT "%s", STR_ARG(directory), name),
                         NULL);
    }
}

static bool has_wildcard(str s)
{
    return str_find_char(s, '*') >= 0 || str_find_char(s, '?') >= 0 ||
           str_find_char(s, '[') >= 0;
}

/* Up to the last slash, with it. */
static str directory_of(str path)
{
    while (path.n && path.p[path.n - 1] != '/')
        path.n--;
    return path;
}

static void include_word(struct inclusion *inclusion, const struct node *word)
{
    struct complaints *complaints = inclusion->complaints;
    str path = word->text, directory;

    if (word->kind != NODE_WORD || word->is_bad) {
        if (!word->is_bad)
            complain(complaints, "C014", word->place, "'include' must be paths");
        return;
    }
    if (!str_starts(path, STR("/")))
        path = arena_printf(&complaints->arena, STR_FMT STR_FMT,
                            STR_ARG(inclusion->directory), STR_ARG(path));
    directory = directory_of(path);
    if (has_wildcard(directory)) {
        complain(complaints, "C032", word->place,
                 "can not read %s: wildcards may stand in the name of a file only",
                 complaint_word(complaints, word->text));
        inclusion->is_whole = false;
    } else if (has_wildcard(path)) {
        include_pattern(inclusion, directory, str_from(path, directory.n));
    } else {
        include_file(inclusion, path, &word->place);
    }
}

struct node *include_read(struct complaints *complaints, const struct conf_world *world,
                          uint32_t file, bool *is_whole)
{
    struct inclusion inclusion = {
        .complaints = complaints,
        .world = world,
        .directory = directory_of(complaints->sources.items[file].name),
        .is_whole = true,
    };
    struct pair *include;

    inclusion.root = read_tree(complaints, world, file);
    *is_whole = true;
    if (!inclusion.root)
        return NULL;
    include = find_include(inclusion.root);
    if (include && include->value->kind == NODE_LIST) {
        for (unsigned i = 0; i < include->value->count; i++)
            include_word(&inclusion, include->value->items[i]);
    } else if (include && include->value->kind != NODE_NONE) {
        include_word(&inclusion, include->value);
    }
    for (size_t i = 0; i < inclusion.growing.count; i++)
        map_close(&inclusion.growing.items[i].known);
    *is_whole = inclusion.is_whole;
    return inclusion.root;
}

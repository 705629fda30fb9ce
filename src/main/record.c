/*
 * Recording is a copy beside each read; playing is a search in the list. A file that could
 * not be read is not recorded: a configuration that was accepted did not depend on it.
 */
#include "main/record.h"

#include "main/world.h"

static const struct recorded *record_find(const struct record *record, int kind, str path)
{
    for (size_t i = 0; i < record->items.count; i++) {
        const struct recorded *item = &record->items.items[i];

        if ((int)item->kind == kind && str_eq(item->path, path))
            return item;
    }
    return NULL;
}

static void record_add(struct record *record, int kind, str path, str content)
{
    struct recorded *item = vec_add(&record->items, &record->arena);

    item->kind = kind;
    item->path = arena_copy(&record->arena, path);
    item->content = arena_copy(&record->arena, content);
}

void record_forget(struct record *record)
{
    arena_wipe(&record->arena); /* the files may hold secrets */
    memset(&record->items, 0, sizeof record->items);
}

static enum err read_file(void *owner, str path, struct arena *arena, str *out)
{
    struct record *record = owner;
    enum err e;

    record->was_read = true;
    if (record->is_played) {
        const struct recorded *item = record_find(record, RECORDED_FILE, path);

        if (!item)
            return ERR_NOT_FOUND;
        *out = arena_copy(arena, item->content);
        return ERR_OK;
    }
    if (str_eq(path, record->file))
        record_forget(record);
    e = world_of_process.read_file(world_of_process.owner, path, arena, out);
    if (!e)
        record_add(record, RECORDED_FILE, path, *out);
    return e;
}

/* The names that stand one behind the other in `content`. */
static void cut_names(str content, struct arena *arena, str **names, unsigned *count)
{
    struct vec_of(str) list = {0};

    while (content.n) {
        str name = str_upto(content, (size_t)str_find_char(content, '\0'));

        *vec_add(&list, arena) = arena_copy(arena, name);
        content = str_from(content, name.n + 1);
    }
    *names = list.items;
    *count = (unsigned)list.count;
}

static str join_names(struct arena *arena, const str *names, unsigned count)
{
    size_t n = 0;
    char *p, *at;

    for (unsigned i = 0; i < count; i++)
        n += names[i].n + 1;
    p = at = arena_alloc(arena, n + 1);
    for (unsigned i = 0; i < count; i++) {
        memcpy(at, names[i].p, names[i].n);
        at += names[i].n;
        *at++ = '\0';
    }
    return (str){p, n};
}

static enum err list_directory(void *owner, str path, struct arena *arena, str **names,
                               unsigned *count)
{
    struct record *record = owner;
    enum err e;

    if (record->is_played) {
        const struct recorded *item = record_find(record, RECORDED_DIRECTORY, path);

        if (!item)
            return ERR_NOT_FOUND;
        cut_names(item->content, arena, names, count);
        return ERR_OK;
    }
    e = world_of_process.list_directory(world_of_process.owner, path, arena, names,
                                        count);
    if (!e)
        record_add(record, RECORDED_DIRECTORY, path, join_names(arena, *names, *count));
    return e;
}

void record_init(struct record *record, str file)
{
    *record = (struct record){.world = world_of_process, .file = file};
    record->world.owner = record;
    record->world.read_file = read_file;
    record->world.list_directory = list_directory;
    arena_init(&record->arena, 64 << 10);
}

void record_close(struct record *record)
{
    record_forget(record);
}

/* ---- as bytes: for each item its kind, two lengths, path, content ---- */

struct item_head {
    uint64_t kind, path, content;
};

str record_write(const struct record *record, struct arena *arena)
{
    size_t n = 0;
    char *p, *at;

    for (size_t i = 0; i < record->items.count; i++) {
        const struct recorded *item = &record->items.items[i];

        n += sizeof(struct item_head) + item->path.n + item->content.n;
    }
    p = at = arena_alloc(arena, n);
    for (size_t i = 0; i < record->items.count; i++) {
        const struct recorded *item = &record->items.items[i];
        struct item_head head = {item->kind, item->path.n, item->content.n};

        memcpy(at, &head, sizeof head);
        memcpy(at + sizeof head, item->path.p, item->path.n);
        memcpy(at + sizeof head + item->path.n, item->content.p, item->content.n);
        at += sizeof head + item->path.n + item->content.n;
    }
    return (str){p, n};
}

bool record_read(struct record *record, str bytes)
{
    record_forget(record);
    while (bytes.n) {
        struct item_head head;
        str rest;

        if (bytes.n < sizeof head)
            return false;
        memcpy(&head, bytes.p, sizeof head);
        rest = str_from(bytes, sizeof head);
        if ((head.kind != RECORDED_FILE && head.kind != RECORDED_DIRECTORY) ||
            head.path > rest.n || head.content > rest.n - head.path)
            return false;
        record_add(record, (int)head.kind, str_upto(rest, head.path),
                   str_upto(str_from(rest, head.path), head.content));
        bytes = str_from(rest, head.path + head.content);
    }
    return true;
}

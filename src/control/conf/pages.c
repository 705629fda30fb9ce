/*
 * Own pages: their files are read with the configuration, so that an answer never waits
 * for a disk and a page that is missing is a mistake of the configuration, not of the
 * first bad night.
 */
#include "control/conf/include.h"
#include "control/conf/resolve.h"

enum { PAGE_MOST = 1 << 20 };

static const struct page_type {
    const char *end, *content_type;
    bool is_json;
} types[] = {
    {".html", "text/html; charset=utf-8", false},
    {".htm", "text/html; charset=utf-8", false},
    {".json", "application/json", true},
    {".txt", "text/plain; charset=utf-8", false},
};

static const struct page_type *find_type(str path)
{
    for (size_t i = 0; i < array_len(types); i++)
        if (str_ends(path, str_of(types[i].end)))
            return &types[i];
    return NULL;
}

/* Paths are meant from the directory of the file that names them. */
static str whole_path(struct reader *reader, const struct node *node)
{
    str directory = reader->complaints->sources.items[node->place.file].name;

    if (str_starts(node->text, STR("/")))
        return node->text;
    while (directory.n && directory.p[directory.n - 1] != '/')
        directory.n--;
    return arena_printf(&reader->complaints->arena, STR_FMT STR_FMT, STR_ARG(directory),
                        STR_ARG(node->text));
}

static void read_page(struct reader *reader, const struct conf_world *world,
                      const struct node *node, struct page *page)
{
    const struct page_type *type = find_type(node->text);
    str path, text = STR("");
    enum err e;

    if (!type) {
        complaint_help(
            complain_value(reader, "C029", node, "is not the file of a page"),
            "its name must end in .html, .json or .txt: that says what is in it");
        return;
    }
    path = whole_path(reader, node);
    e = world->read_file(world->owner, path, reader->arena, &text);
    if (e)
        complain(reader->complaints, "C032", node->place, "can not read %s: %s",
                 complaint_word(reader->complaints, path), include_reason(e));
    else if (text.n > PAGE_MOST)
        complain(reader->complaints, "C032", node->place,
                 "can not read %s: a page may have up to 1 MiB",
                 complaint_word(reader->complaints, path));
    page->body = text;
    page->content_type = str_of(type->content_type);
    page->is_json = type->is_json;
}

void page_names(struct reader *reader, struct names *pages)
{
    struct draft *draft = reader->draft;

    names_init(pages);
    for (unsigned i = 0; i < draft->pages.count; i++)
        map_put(&pages->map, draft->pages.items[i].key->text, &draft->pages.items[i]);
}

void page_name_check(struct reader *reader, struct names *pages, const struct node *name)
{
    if (name && reader->draft->pages.has_all && !map_get(&pages->map, name->text))
        complain_name(reader, pages, "page", "pages", name);
}

/* Of a status before those of its class. */
static void read_errors(struct reader *reader, const struct conf_world *world)
{
    struct draft_pages *pages = &reader->draft->pages;
    const struct page **by_status;

    if (!pages->errors.count)
        return;
    by_status = ARENA_ARRAY(reader->arena, const struct page *, ERROR_COUNT);
    for (unsigned is_exact = 0; is_exact <= 1; is_exact++) {
        for (size_t i = 0; i < pages->errors.count; i++) {
            const struct draft_error_page *line = &pages->errors.items[i];
            struct page *page = NULL;

            if ((line->first == line->last) != is_exact)
                continue;
            if (line->file) {
                page = ARENA_NEW(reader->arena, struct page);
                read_page(reader, world, line->file, page);
            }
            for (unsigned status = line->first; status <= line->last; status++)
                by_status[status - ERROR_FIRST] = page;
        }
    }
    pages->by_status = by_status;
}

void pages_resolve(struct reader *reader, const struct conf_world *world)
{
    struct draft_pages *pages = &reader->draft->pages;
    struct names names;

    for (unsigned i = 0; i < pages->count; i++) {
        struct draft_page *page = &pages->items[i];

        page->spec.retry_after = (page->spec.retry_after + SECOND - 1) / SECOND;
        if (page->file)
            read_page(reader, world, page->file, &page->spec);
    }
    read_errors(reader, world);
    page_names(reader, &names);
    page_name_check(reader, &names, reader->draft->settings.maintenance.page);
    map_close(&names.map);
}

void pages_build(struct reader *reader, struct snapshot *snapshot)
{
    const struct draft *draft = reader->draft;
    const struct draft_pages *pages = &draft->pages;
    struct page *items = ARENA_ARRAY(reader->arena, struct page, pages->count);

    for (unsigned i = 0; i < pages->count; i++)
        items[i] = pages->items[i].spec;
    snapshot->pages = (struct page_book){items, pages->count, pages->by_status};
    snapshot->maintenance = draft->settings.maintenance.spec;
    if (draft->settings.maintenance.page)
        snapshot->maintenance.page =
            str_keep(reader, draft->settings.maintenance.page->text);
}

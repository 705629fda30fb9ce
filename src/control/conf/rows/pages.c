/*
 * The rows of own pages and of maintenance. Files are read when the whole configuration is
 * known (conf/pages.c).
 */
#include "control/conf/draft.h"

/* ---- one page ---- */

static void read_status(struct reader *reader, const struct conf_row *row,
                        const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);
    uint64_t status;

    if (!node)
        return;
    if (str_to_u64(node->text, &status) && status >= 400 && status <= 599)
        *CONF_FIELD(object, row, unsigned) = (unsigned)status;
    else
        complaint_help(
            complain_value(reader, "C029", node, "is not the status of such a page"),
            "write 400 to 599; 503 tells clients and caches that it will pass");
}

static const struct conf_form status_form = {
    .words = "400 to 599",
    .schema = "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 400, \"maximum\": 599}, "
              "{\"type\": \"string\"}]}",
    .read = read_status,
};

static void read_file(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    *CONF_FIELD(object, row, const struct node *) = word_wanted(reader, pair);
}

static const struct conf_form file_form = {
    .words = "the path of a file that ends in .html, .json or .txt",
    .schema = "{\"type\": \"string\", \"minLength\": 1}",
    .read = read_file,
};

const struct conf_row page_rows[] = {
    {.name = "status",
     .type = CONF_OWN,
     CONF_AT(struct draft_page, spec.status),
     .form = &status_form,
     .fallback = "503",
     .doc = "The status it is sent with."},
    {.name = "retry_after",
     .type = CONF_DURATION,
     CONF_AT(struct draft_page, spec.retry_after),
     .flags = CONF_OFF,
     .fallback = "off",
     .min = SECOND,
     .max = DURATION_MOST,
     .doc =
         "When clients are told to come again; off: 5s with status 503, else nothing."},
    {.name = "file",
     .type = CONF_OWN,
     CONF_AT(struct draft_page, file),
     .form = &file_form,
     .doc = "What it says, by a path from this file's directory, up to 1 MiB; without "
            "it, the built-in text. Read when the configuration is."},
    {.name = NULL},
};

/* ---- all of them ---- */

/* "502", or "5xx" for all of its class. */
static bool read_statuses(struct reader *reader, const struct node *key,
                          struct draft_error_page *page)
{
    str text = key->text;
    uint64_t status;

    if (str_eq(text, STR("4xx")) || str_eq(text, STR("5xx"))) {
        page->first = text.p[0] == '4' ? 400 : 500;
        page->last = page->first + 99;
        return true;
    }
    if (str_to_u64(text, &status) && status >= 400 && status <= 599) {
        page->first = page->last = (unsigned)status;
        return true;
    }
    complaint_help(complain_value(reader, "C029", key, "is not the status of an error"),
                   "write 400 to 599, or 4xx or 5xx for all of them");
    return false;
}

static void read_errors(struct reader *reader, const struct conf_row *row,
                        const struct pair *pair, void *object)
{
    struct draft_pages *pages = object;

    if (!map_wanted(reader, pair, NULL))
        return;
    for (unsigned i = 0; i < pair->value->count; i++) {
        const struct pair *one = &pair->value->pairs[i];
        struct draft_error_page page = {0};

        if (!read_statuses(reader, one->key, &page))
            continue;
        page.file = word_wanted(reader, one);
        if (page.file && str_eq(page.file->text, STR("built-in")))
            page.file = NULL;
        *vec_add(&pages->errors, &reader->complaints->arena) = page;
    }
}

static const struct conf_form errors_form = {
    .words = "a map of statuses (502, 4xx, 5xx) to files, or built-in",
    .schema = "{\"type\": \"object\", \"propertyNames\": {\"pattern\": "
              "\"^([45][0-9][0-9]|4xx|5xx)$\"}, \"additionalProperties\": {\"type\": "
              "\"string\"}}",
    .read = read_errors,
};

const struct conf_row pages_beside_rows[] = {
    {.name = "errors",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &errors_form,
     .doc = "Pages for the errors that weir itself answers with; a status counts before "
            "its class. What servers answer is never replaced."},
    {.name = NULL},
};

static void read_pages(struct reader *reader, const struct conf_row *row,
                       const struct pair *pair, void *object)
{
    struct draft_pages *pages = &reader->draft->pages;
    struct draft_page fresh = {0};
    struct node *map = pair->value;

    pages->has_all = map_wanted(reader, pair, NULL);
    if (!pages->has_all)
        return;
    rows_fill(reader, row->rows, &fresh);
    pages->items = ARENA_ARRAY(&reader->complaints->arena, struct draft_page, map->count);
    for (unsigned i = 0; i < map->count; i++) {
        const struct pair *one = &map->pairs[i];
        struct section section = {row->name, "page", one->key};
        const struct conf_row *beside = rows_find(row->beside, one->key->text);
        struct draft_page *page;

        if (beside) {
            row_read(reader, beside, one, pages);
            continue;
        }
        page = &pages->items[pages->count++];
        *page = fresh;
        page->key = one->key;
        name_check(reader, one->key);
        page->spec.name = str_keep(reader, one->key->text);
        if (map_wanted(reader, one, row->rows))
            section_read(reader, &section, row->rows, one->value, page);
    }
}

const struct conf_form pages_form = {
    .words = "a map of names to pages",
    .read = read_pages,
};

/* ---- maintenance ---- */

static void read_page_name(struct reader *reader, const struct conf_row *row,
                           const struct pair *pair, void *object)
{
    *CONF_FIELD(object, row, const struct node *) = word_wanted(reader, pair);
}

const struct conf_form page_name_form = {
    .words = "the name of a page",
    .schema = "{\"$ref\": \"#/definitions/name\"}",
    .read = read_page_name,
};

const struct conf_row maintenance_rows[] = {
    {.name = "enabled",
     .type = CONF_FLAG,
     CONF_AT(struct draft_maintenance, spec.is_enabled),
     .fallback = "false",
     .doc = "Requests that would go to a pool are answered with the page instead."},
    {.name = "page",
     .type = CONF_OWN,
     CONF_AT(struct draft_maintenance, page),
     .form = &page_name_form,
     .doc = "One of 'pages'; without it, the built-in text."},
    {.name = "except_ip",
     .type = CONF_OWN,
     CONF_AT(struct draft_maintenance, spec.except),
     .form = &networks_form,
     .fallback = "[]",
     .doc = "Clients who are served as ever: addresses after trusted_proxies."},
    {.name = NULL},
};

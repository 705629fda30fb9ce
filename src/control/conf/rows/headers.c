/* The rows of `headers`: what is set, added and removed in the heads of both directions. */
#include "control/conf/draft.h"
#include "control/conf/template_read.h"
#include "proto/names.h"

/* Host has a setting of its own; what is about the hop or the framing is ours. So is Expect:
 * without it a server would not say the 100 that the client waits for. */
static bool check_name(struct reader *reader, const struct node *name)
{
    str text = name->text;
    enum field_name known;
    struct complaint *complaint;

    if (!text_is_token(text)) {
        complain_value(reader, "C029", name, "is not the name of a header");
        return false;
    }
    known = name_find(text);
    if (known != NAME_HOST && known != NAME_EXPECT && !name_is_hop_by_hop(known))
        return true;
    complaint =
        complain_value(reader, "C029", name, "is a header that weir itself writes");
    if (known == NAME_HOST)
        complaint_help(complaint, "use the route's setting host_header");
    return false;
}

static void add_edit(struct reader *reader, struct header_edits *edits,
                     struct header_edit edit)
{
    unsigned count = edits->count;
    struct header_edit *items = (struct header_edit *)edits->items;

    if ((count & (count - 1)) == 0) { /* there is room for 1, 2, 4, ... */
        items =
            ARENA_ARRAY(reader->arena, struct header_edit, count ? 2 * (size_t)count : 1);
        if (count)
            memcpy(items, edits->items, count * sizeof *items);
        edits->items = items;
    }
    items[edits->count++] = edit;
}

/* Bytes that it takes in every head: of a value with facts, only the name. */
static size_t edit_bytes(const struct header_edit *edit)
{
    str fixed = edit->compiled ? template_fixed(edit->compiled) : STR_NONE;

    return edit->name.n + fixed.n + strlen(": \r\n");
}

/* All that stand in one head are bounded, so that room can be kept for them in it. */
static bool has_room(struct reader *reader, const struct header_edits *edits,
                     const struct header_edit *edit, const struct node *name)
{
    size_t bytes = edit_bytes(edit);
    struct complaint *complaint;

    for (unsigned i = 0; i < edits->count; i++)
        bytes += edit_bytes(&edits->items[i]);
    if (edits->count < HEADER_EDITS_MOST && bytes <= HEADER_EDITS_BYTES)
        return true;
    complaint = complain_value(reader, "C029", name, "is a header too many");
    complaint_help(complaint,
                   "a route may set, add and remove %d headers in each direction, with "
                   "names and values of %d KiB in all",
                   HEADER_EDITS_MOST, HEADER_EDITS_BYTES / 1024);
    return false;
}

static bool check_value(struct reader *reader, const struct node *value)
{
    if (!text_has_control(value->text))
        return true;
    complain(reader->complaints, "C029", value->place,
             "the value of a header can not hold a line end or another control byte");
    return false;
}

static void read_edits(struct reader *reader, const struct pair *pair,
                       enum header_verb verb, enum template_use use,
                       struct header_edits *edits)
{
    if (!map_wanted(reader, pair, NULL))
        return;
    for (unsigned i = 0; i < pair->value->count; i++) {
        const struct pair *one = &pair->value->pairs[i];
        struct header_edit edit = {.verb = verb};
        const struct node *value;

        if (!check_name(reader, one->key))
            continue;
        value = word_wanted(reader, one);
        if (!value || !check_value(reader, value))
            continue;
        edit.name = str_keep(reader, one->key->text);
        edit.value = str_keep(reader, value->text);
        edit.compiled = template_read(reader, value, use);
        if (!edit.compiled)
            continue;
        if (!has_room(reader, edits, &edit, one->key))
            return;
        add_edit(reader, edits, edit);
    }
}

static void read_request_set(struct reader *reader, const struct conf_row *row,
                             const struct pair *pair, void *object)
{
    read_edits(reader, pair, HEADER_SET, TEMPLATE_REQUEST, object);
}

static void read_request_add(struct reader *reader, const struct conf_row *row,
                             const struct pair *pair, void *object)
{
    read_edits(reader, pair, HEADER_ADD, TEMPLATE_REQUEST, object);
}

static void read_response_set(struct reader *reader, const struct conf_row *row,
                              const struct pair *pair, void *object)
{
    read_edits(reader, pair, HEADER_SET, TEMPLATE_RESPONSE, object);
}

static void read_response_add(struct reader *reader, const struct conf_row *row,
                              const struct pair *pair, void *object)
{
    read_edits(reader, pair, HEADER_ADD, TEMPLATE_RESPONSE, object);
}

static void read_remove(struct reader *reader, const struct conf_row *row,
                        const struct pair *pair, void *object)
{
    unsigned at = 0;
    const struct node *word;

    while ((word = words_next(reader, pair, &at))) {
        struct header_edit edit = {.verb = HEADER_REMOVE};

        if (!check_name(reader, word))
            continue;
        edit.name = str_keep(reader, word->text);
        if (!has_room(reader, object, &edit, word))
            return;
        add_edit(reader, object, edit);
    }
}

#define VALUES_WORDS "a map of names to values, which may hold facts in braces"
#define VALUES_SCHEMA "{\"$ref\": \"#/definitions/values\"}"

static const struct conf_form request_set_form = {
    .words = VALUES_WORDS,
    .schema = VALUES_SCHEMA,
    .read = read_request_set,
};

static const struct conf_form request_add_form = {
    .words = VALUES_WORDS,
    .schema = VALUES_SCHEMA,
    .read = read_request_add,
};

static const struct conf_form response_set_form = {
    .words = VALUES_WORDS,
    .schema = VALUES_SCHEMA,
    .read = read_response_set,
};

static const struct conf_form response_add_form = {
    .words = VALUES_WORDS,
    .schema = VALUES_SCHEMA,
    .read = read_response_add,
};

static const struct conf_form remove_form = {
    .words = "a list of names",
    .schema = "{\"$ref\": \"#/definitions/words\"}",
    .read = read_remove,
};

static const struct conf_row request_rows[] = {
    {.name = "set",
     .type = CONF_OWN,
     .offset = 0,
     .form = &request_set_form,
     .doc = "In the place of any there are, of those with '_' for '-' too, which some "
            "servers take for the same."},
    {.name = "add",
     .type = CONF_OWN,
     .offset = 0,
     .form = &request_add_form,
     .doc = "Beside any there are."},
    {.name = "remove",
     .type = CONF_OWN,
     .offset = 0,
     .form = &remove_form,
     .doc = "All of that name, those with '_' for '-' too."},
    {.name = NULL},
};

static const struct conf_row response_rows[] = {
    {.name = "set",
     .type = CONF_OWN,
     .offset = 0,
     .form = &response_set_form,
     .doc = "In the place of any there are."},
    {.name = "add",
     .type = CONF_OWN,
     .offset = 0,
     .form = &response_add_form,
     .doc = "Beside any there are."},
    {.name = "remove",
     .type = CONF_OWN,
     .offset = 0,
     .form = &remove_form,
     .doc = "All of that name."},
    {.name = NULL},
};

const struct conf_row headers_rows[] = {
    {.name = "request",
     .type = CONF_SECTION,
     .flags = CONF_OPTIONAL,
     CONF_AT(struct draft_route, spec.request_headers),
     .rows = request_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Of what servers are sent."},
    {.name = "response",
     .type = CONF_SECTION,
     .flags = CONF_OPTIONAL,
     CONF_AT(struct draft_route, spec.response_headers),
     .rows = response_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Of what clients are sent."},
    {.name = NULL},
};

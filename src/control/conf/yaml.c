/*
 * From text to tree by way of libyaml's events. What people get wrong was found in the
 * text before (textual.h), so a complaint of libyaml itself is rare, and its words are
 * passed on as they are. Anchors, aliases, tags and further documents can not come here;
 * they are refused all the same, should the scan before ever let one through.
 */
#include "base/check.h"
#include "base/map.h"
#include "control/conf/tree.h"
#include "control/conf/utf8.h"

#include <stdlib.h>
#include <yaml.h>

/*
 * What the open lists and maps hold so far; each takes its part as an array of the right
 * size when it ends. (Growing arrays in the arena would leave three times as much.)
 */
struct stack {
    struct pair *pairs; /* of a list only the values */
    size_t count, room;
};

struct builder {
    struct complaints *complaints;
    struct arena *arena;
    uint32_t file;
    yaml_parser_t parser;
    yaml_event_t event;
    const struct textual *textual;
    size_t spoiled_at;
    struct stack stack;
    struct node *fresh; /* nodes are taken from the arena many at a time */
    unsigned fresh_count;
    unsigned depth;
    bool is_broken;
};

enum { NODES_AT_ONCE = 100 };

static struct place place_of(const struct builder *builder, yaml_mark_t mark,
                             uint32_t length)
{
    return (struct place){builder->file, (uint32_t)mark.line + 1,
                          (uint32_t)mark.column + 1, length};
}

static void complain_yaml(struct builder *builder, const char *code, yaml_mark_t mark,
                          const char *message)
{
    if (!builder->is_broken)
        complain(builder->complaints, code, place_of(builder, mark, 1), "%s", message);
    builder->is_broken = true;
}

/* Any word may be a secret. */
static void event_end(yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        explicit_bzero(event->data.scalar.value, event->data.scalar.length);
    yaml_event_delete(event);
}

static void parser_end(yaml_parser_t *parser)
{
    explicit_bzero(parser->raw_buffer.start,
                   (size_t)(parser->raw_buffer.end - parser->raw_buffer.start));
    explicit_bzero(parser->buffer.start,
                   (size_t)(parser->buffer.end - parser->buffer.start));
    yaml_parser_delete(parser);
}

/* The next event is in builder->event afterwards. */
static bool next_event(struct builder *builder)
{
    event_end(&builder->event);
    if (yaml_parser_parse(&builder->parser, &builder->event))
        return true;
    complain_yaml(builder, "C003", builder->parser.problem_mark,
                  builder->parser.problem ? builder->parser.problem : "this is not YAML");
    return false;
}

static struct node *new_node(struct builder *builder, enum node_kind kind)
{
    struct node *node;

    if (builder->fresh_count == 0) {
        builder->fresh_count = NODES_AT_ONCE;
        builder->fresh =
            arena_alloc(builder->arena, NODES_AT_ONCE * sizeof *builder->fresh);
    }
    node = &builder->fresh[--builder->fresh_count];
    *node = (struct node){
        .kind = kind,
        .place = place_of(builder, builder->event.start_mark, 1),
    };
    return node;
}

/*
 * The word that the event holds: where the text of the file has the same bytes, these.
 * libyaml counts characters, so that behind one beyond ASCII it points too far to the
 * left; then, as after escapes and folded lines, the bytes differ, and a copy is made.
 */
static str word_text(struct builder *builder)
{
    const yaml_event_t *event = &builder->event;
    str source = builder->complaints->sources.items[builder->file].text;
    str word = {(const char *)event->data.scalar.value, event->data.scalar.length};
    size_t at = event->start_mark.index;

    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        at++; /* the quote */
    if (at <= source.n && str_starts(str_from(source, at), word))
        return (str){source.p + at, word.n};
    return arena_copy(builder->arena, word);
}

/* A word over several lines is pointed at by its first. */
static uint32_t word_length(struct builder *builder, const struct node *node)
{
    yaml_mark_t start = builder->event.start_mark, end = builder->event.end_mark;
    str line;

    if (start.line == end.line)
        return end.column > start.column ? (uint32_t)(end.column - start.column) : 1;
    line = str_trim(source_line(builder->complaints, node->place));
    return utf8_width(line) > node->place.column
               ? utf8_width(line) - node->place.column + 1
               : 1;
}

static bool is_spoiled(struct builder *builder, const struct node *node)
{
    const struct textual *textual = builder->textual;
    const struct spoiled *spoiled;

    if (builder->spoiled_at == textual->spoiled.count)
        return false;
    spoiled = &textual->spoiled.items[builder->spoiled_at];
    if (spoiled->line != node->place.line || spoiled->column != node->place.column)
        return false;
    builder->spoiled_at++;
    return true;
}

static struct node *read_word(struct builder *builder)
{
    yaml_event_t *event = &builder->event;
    yaml_scalar_style_t style = event->data.scalar.style;
    struct node *node = new_node(builder, NODE_WORD);
    size_t width = event->end_mark.index - event->start_mark.index;

    if (event->data.scalar.anchor || event->data.scalar.tag) {
        complain_yaml(builder, "C005", event->start_mark,
                      "anchors and tags are not used here");
        return NULL;
    }
    node->text = word_text(builder);
    if (style == YAML_PLAIN_SCALAR_STYLE) {
        node->style = STYLE_PLAIN;
        if (node->text.n == 0)
            node->kind = NODE_NONE;
        node->is_exact = true;
    } else if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE) {
        node->style = STYLE_BLOCK;
    } else {
        node->style = STYLE_QUOTED;
        node->is_exact = width == utf8_width(node->text) + 2;
    }
    if (event->start_mark.line != event->end_mark.line)
        node->is_exact = false;
    if (node->kind == NODE_WORD && node->style != STYLE_BLOCK)
        node->place.length = word_length(builder, node);
    node->is_bad = is_spoiled(builder, node);
    return node;
}

static struct node *read_node(struct builder *builder);

static void push(struct stack *stack, struct pair pair)
{
    if (stack->count == stack->room) {
        stack->room = stack->room ? stack->room * 2 : 256;
        stack->pairs = realloc(stack->pairs, stack->room * sizeof *stack->pairs);
        CHECK(stack->pairs);
    }
    stack->pairs[stack->count++] = pair;
}

/* All from `base` on go to the node. */
static void take_items(struct builder *builder, struct node *list, size_t base)
{
    struct stack *stack = &builder->stack;

    list->count = (unsigned)(stack->count - base);
    list->items = arena_alloc(builder->arena, list->count * sizeof *list->items);
    for (unsigned i = 0; i < list->count; i++)
        list->items[i] = stack->pairs[base + i].value;
    stack->count = base;
}

static void take_pairs(struct builder *builder, struct node *map, size_t base)
{
    struct stack *stack = &builder->stack;

    map->count = (unsigned)(stack->count - base);
    map->pairs = arena_alloc(builder->arena, map->count * sizeof *map->pairs);
    if (map->count)
        memcpy(map->pairs, stack->pairs + base, map->count * sizeof *map->pairs);
    stack->count = base;
}

static struct node *read_list(struct builder *builder)
{
    struct node *node = new_node(builder, NODE_LIST);
    size_t base = builder->stack.count;

    if (builder->event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE)
        node->style = STYLE_FLOW;
    for (;;) {
        struct node *item;

        if (!next_event(builder))
            return NULL;
        if (builder->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        item = read_node(builder);
        if (!item)
            return NULL;
        if (item->kind == NODE_NONE && item->place.column > 1)
            item->place.column--; /* libyaml points behind the dash */
        push(&builder->stack, (struct pair){NULL, item});
    }
    take_items(builder, node, base);
    return node;
}

static void complain_twice(struct builder *builder, const struct node *key,
                           const struct node *first)
{
    struct complaint *complaint =
        complain(builder->complaints, "C010", key->place,
                 "key '%s' is given twice in the same block",
                 complaint_word(builder->complaints, key->text));

    complaint_label(complaint, STR("second time"));
    complaint_note(complaint, "first given at %s",
                   complaint_where(builder->complaints, first->place));
}

enum { FEW_KEYS = 12 };

static struct node *find_key(const struct node *map, unsigned count, struct map *index,
                             str key)
{
    if (map->count > FEW_KEYS)
        return map_get(index, key);
    for (unsigned i = 0; i < count; i++) {
        if (str_eq(map->pairs[i].key->text, key))
            return map->pairs[i].key;
    }
    return NULL;
}

/* Keys given twice are complained of and leave the map. */
static void drop_doubles(struct builder *builder, struct node *map)
{
    const uint64_t seed[2] = {0, 0};
    struct map index;
    unsigned kept = 0;

    map_init(&index, seed);
    for (unsigned i = 0; i < map->count; i++) {
        struct pair pair = map->pairs[i];
        struct node *first = find_key(map, kept, &index, pair.key->text);

        if (first) {
            complain_twice(builder, pair.key, first);
            continue;
        }
        if (map->count > FEW_KEYS)
            map_put(&index, pair.key->text, pair.key);
        map->pairs[kept++] = pair;
    }
    map->has_doubles = kept < map->count;
    map->count = kept;
    map_close(&index);
}

static struct node *read_map(struct builder *builder)
{
    struct node *node = new_node(builder, NODE_MAP);
    size_t base = builder->stack.count;

    if (builder->event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE)
        node->style = STYLE_FLOW;
    for (;;) {
        struct pair pair;

        if (!next_event(builder))
            return NULL;
        if (builder->event.type == YAML_MAPPING_END_EVENT)
            break;
        if (builder->event.type != YAML_SCALAR_EVENT) {
            complain_yaml(builder, "C003", builder->event.start_mark,
                          "a key must be one word");
            return NULL;
        }
        pair.key = read_word(builder);
        if (!pair.key || !next_event(builder))
            return NULL;
        pair.value = read_node(builder);
        if (!pair.value)
            return NULL;
        push(&builder->stack, pair);
    }
    take_pairs(builder, node, base);
    if (node->style != STYLE_FLOW && node->count)
        node->place = node->pairs[0].key->place;
    drop_doubles(builder, node);
    return node;
}

/* The node that the event at hand begins. */
static struct node *read_node(struct builder *builder)
{
    struct node *node = NULL;

    if (builder->depth++ == 2 * NEST_MOST) {
        complain_yaml(builder, "C003", builder->event.start_mark,
                      "this is nested too deep");
        return NULL;
    }
    switch (builder->event.type) {
    case YAML_SCALAR_EVENT:
        node = read_word(builder);
        break;
    case YAML_SEQUENCE_START_EVENT:
        node = read_list(builder);
        break;
    case YAML_MAPPING_START_EVENT:
        node = read_map(builder);
        break;
    default:
        complain_yaml(builder, "C005", builder->event.start_mark,
                      "aliases are not used here");
        break;
    }
    builder->depth--;
    return node;
}

/* A stream of one document, or of none. */
static struct node *read_stream(struct builder *builder)
{
    struct node *root;

    if (!next_event(builder) || !next_event(builder))
        return NULL;
    if (builder->event.type == YAML_STREAM_END_EVENT)
        return new_node(builder, NODE_NONE);
    if (!next_event(builder))
        return NULL;
    root = read_node(builder);
    if (!root || !next_event(builder) || !next_event(builder))
        return NULL;
    if (builder->event.type != YAML_STREAM_END_EVENT) {
        complain_yaml(builder, "C006", builder->event.start_mark,
                      "a second document begins here; a configuration is one document");
        return NULL;
    }
    return root;
}

struct node *tree_read(struct complaints *complaints, uint32_t file)
{
    struct textual textual = {0};
    struct builder builder = {
        .complaints = complaints,
        .arena = &complaints->arena,
        .file = file,
        .textual = &textual,
    };
    str text = complaints->sources.items[file].text;
    struct node *root;

    if (!textual_check(complaints, file, &textual))
        return NULL;
    if (!yaml_parser_initialize(&builder.parser))
        check_failed(__FILE__, __LINE__, "memory for libyaml");
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text.p, text.n);
    root = read_stream(&builder);
    event_end(&builder.event);
    parser_end(&builder.parser);
    free(builder.stack.pairs);
    return root;
}

/* What the reader of a tree asks of it. */
#include "control/conf/tree.h"

#include "control/conf/utf8.h"

struct pair *node_find(const struct node *map, str key)
{
    if (map->kind != NODE_MAP)
        return NULL;
    for (unsigned i = 0; i < map->count; i++) {
        if (str_eq(map->pairs[i].key->text, key))
            return &map->pairs[i];
    }
    return NULL;
}

struct node *node_word(struct arena *arena, struct place place, str text)
{
    struct node *node = ARENA_NEW(arena, struct node);

    node->kind = NODE_WORD;
    node->is_made = true;
    node->place = place;
    node->text = text;
    return node;
}

struct node *node_map(struct arena *arena, struct place place, unsigned room)
{
    struct node *node = ARENA_NEW(arena, struct node);

    node->kind = NODE_MAP;
    node->is_made = true;
    node->place = place;
    node->pairs = ARENA_ARRAY(arena, struct pair, room);
    return node;
}

void node_add(struct arena *arena, struct node *map, struct node *key, struct node *value)
{
    struct pair *pairs = ARENA_ARRAY(arena, struct pair, map->count + 1);

    if (map->count)
        memcpy(pairs, map->pairs, map->count * sizeof *pairs);
    pairs[map->count++] = (struct pair){key, value};
    map->pairs = pairs;
}

struct place node_part(const struct node *word, size_t at, size_t length)
{
    struct place place = word->place;

    if (!word->is_exact || at > word->text.n)
        return place;
    place.column += utf8_width(str_upto(word->text, at)) + (word->style == STYLE_QUOTED);
    place.length = utf8_width(str_upto(str_from(word->text, at), length));
    if (place.length == 0)
        place.length = 1;
    return place;
}

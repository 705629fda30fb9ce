/*
 * A configuration as it was written: maps, lists and words, each with its place in the
 * file. Words are raw text; the schema decides what they mean. Lives in the arena of the
 * complaints.
 */
#ifndef CONTROL_CONF_TREE_H
#define CONTROL_CONF_TREE_H

#include "control/conf/complaint.h"
#include "control/conf/textual.h"

enum node_kind {
    NODE_NONE, /* `key:` with nothing behind it */
    NODE_WORD,
    NODE_LIST,
    NODE_MAP,
};

enum node_style { STYLE_PLAIN, STYLE_QUOTED, STYLE_BLOCK, STYLE_FLOW };

/* Small, because a long configuration has very many of them. */
struct node {
    enum node_kind kind : 4;
    enum node_style style : 4;
    bool is_bad : 1;      /* complained of: counts as given, is not looked at */
    bool is_made : 1;     /* from a short form or a default, not in the file */
    bool has_doubles : 1; /* NODE_MAP: keys given twice were left out */
    bool
        is_exact : 1; /* the text stands in the file as it is: places inside can be told */
    struct place place;
    union {
        str text; /* NODE_WORD, with no NUL behind it; empty with NODE_NONE */
        struct {
            union {
                struct node **items; /* NODE_LIST */
                struct pair *pairs;  /* NODE_MAP */
            };
            unsigned count; /* of items or pairs */
        };
    };
};

struct pair {
    struct node *key;
    struct node *value;
};

/* The pair with that key, or NULL; not for large maps in loops. */
struct pair *node_find(const struct node *map, str key);

struct node *node_word(struct arena *arena, struct place place, str text);
struct node *node_map(struct arena *arena, struct place place, unsigned room);
void node_add(struct arena *arena, struct node *map, struct node *key,
              struct node *value);

/*
 * The place of `length` bytes from `at` inside a word: exact where the text stands in the
 * file as it is, else the whole word.
 */
struct place node_part(const struct node *word, size_t at, size_t length);

/*
 * Reads a source into a tree. NULL: it is no YAML that we take (one complaint was made).
 * Keys given twice are complained of and left out. An empty file gives NODE_NONE.
 */
struct node *tree_read(struct complaints *complaints, uint32_t file);

#endif

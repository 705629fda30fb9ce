/*
 * Reading a tree by rows: settings into the fields of structs, with every mistake told at
 * its place. What a row's type can not say is read by its form. Nothing here knows what
 * the settings are; the tables do (global.c, listener.c, route.c, pool.c).
 */
#ifndef CONTROL_CONF_SCHEMA_H
#define CONTROL_CONF_SCHEMA_H

#include "base/rows.h"
#include "control/conf/tree.h"

struct draft;

struct reader {
    struct complaints *complaints;
    struct arena *arena; /* the snapshot's */
    struct draft *draft;
    const struct conf_row *row; /* whose value is read; NULL: none yet */
};

/* Reads the value of `pair` into `object`, which is what the row's offset counts from. */
typedef void conf_read_fn(struct reader *reader, const struct conf_row *row,
                          const struct pair *pair, void *object);

/* A type of its own. */
struct conf_form {
    const char *words;  /* what one writes, for the reference: "a path, or ..." */
    const char *schema; /* JSON Schema of it */
    conf_read_fn *read;
    /* Instead of words and schema, where it is one of the words of a table elsewhere: the
     * i-th of them and what it means; NULL behind the last. */
    const char *(*word)(unsigned i, const char **doc);
};

/* How a map is spoken of. */
struct section {
    const char *name;         /* "pools": the nearest setting whose name is ours */
    const char *what;         /* "pool" or NULL: "'servers' is missing in pool 'app'" */
    const struct node *owner; /* its key: where a missing setting is told; may be NULL */
};

/*
 * Reads a map into an object that holds its defaults already. False: it is no map, or
 * has mistakes of its own level (unknown, missing), so that whole-object checks would
 * only repeat them.
 */
bool section_read(struct reader *reader, const struct section *section,
                  const struct conf_row *rows, struct node *node, void *object);

/* One setting of such a map. */
void row_read(struct reader *reader, const struct conf_row *row, const struct pair *pair,
              void *object);

/* The same for a value that is an amount. (amount.c) */
void amount_read(struct reader *reader, const struct conf_row *row,
                 const struct node *node, void *object);

/* Sets every field of the rows to its default, sections included. */
void rows_fill(struct reader *reader, const struct conf_row *rows, void *object);

/* What one writes: "a duration, 1ms to 720h; or off". (reference.c) */
void row_words(struct scroll *out, const struct conf_row *row);

const struct conf_row *rows_find(const struct conf_row *rows, str name);

/* Complaints that every form needs. Each gives NULL or false after complaining. */
const struct node *word_wanted(struct reader *reader, const struct pair *pair);
bool list_wanted(struct reader *reader, const struct pair *pair);
bool map_wanted(struct reader *reader, const struct pair *pair,
                const struct conf_row *rows);

/*
 * Words of a single value or of a list of them: one after the other, those that can be
 * read. `at` begins with 0.
 */
const struct node *words_next(struct reader *reader, const struct pair *pair,
                              unsigned *at);

/* "'x' is not an address": the quoted word and what is wrong with it. */
struct complaint *complain_value(struct reader *reader, const char *code,
                                 const struct node *node, const char *what);

/* The word for use in a sentence. */
const char *word_of(struct reader *reader, const struct node *node);

/* C024 with all choices. */
struct complaint *complain_choice(struct reader *reader, const char *name,
                                  const struct node *node,
                                  const struct conf_choice *choices);

/* Off, or its other spelling. */
static inline bool word_is_off(str text)
{
    return str_eq(text, STR("off")) || str_eq(text, STR("false"));
}

#define CONF_FIELD(object, row, type) ((type *)(void *)((char *)(object) + (row)->offset))

#endif

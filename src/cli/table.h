/*
 * Tables of text for a terminal: columns as wide as their widest cell, to the left or to
 * the right. Widths count characters of UTF-8, not bytes. Control bytes in cells become
 * '?', so that no server's words reach the terminal as commands.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "base/arena.h"
#include "base/vec.h"

#include <stdio.h>

enum { TABLE_COLUMNS = 12 };

struct table_row {
    str cells[TABLE_COLUMNS];
};

struct table {
    struct arena *arena;
    unsigned columns;
    const char
        *right; /* a character for each column: 'r' to the right, else to the left */
    struct vec_of(struct table_row) rows;
};

/* The next row; its cells are empty. */
struct table_row *table_row(struct table *table);

/* The lines, without spaces at their ends, as one text each. */
str *table_lines(const struct table *table);

/* Two tables side by side, the second behind the first. */
void table_print_beside(FILE *out, const struct table *left, const struct table *right);
void table_print(FILE *out, const struct table *table);

/* How many places it takes on a terminal: each character counts one. */
size_t table_width(str s);

#endif

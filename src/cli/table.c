/* Measured once, printed once. */
#include "cli/table.h"

#include "base/text.h"

enum { BETWEEN_COLUMNS = 2, BETWEEN_TABLES = 3 };

size_t table_width(str s)
{
    size_t width = 0;

    for (size_t i = 0; i < s.n; i++)
        width += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return width;
}

struct table_row *table_row(struct table *table)
{
    return vec_add(&table->rows, table->arena);
}

static void measure(const struct table *table, size_t widths[TABLE_COLUMNS])
{
    memset(widths, 0, TABLE_COLUMNS * sizeof *widths);
    for (size_t i = 0; i < table->rows.count; i++)
        for (unsigned c = 0; c < table->columns; c++) {
            size_t width = table_width(table->rows.items[i].cells[c]);

            widths[c] = width > widths[c] ? width : widths[c];
        }
}

static void add_spaces(struct text *text, size_t n)
{
    while (n-- > 0)
        text_char(text, ' ');
}

static void add_safely(struct text *text, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        text_char(text, (char)(c < 0x20 || c == 0x7f ? '?' : c));
    }
}

static str line_of(const struct table *table, const struct table_row *row,
                   const size_t widths[TABLE_COLUMNS])
{
    size_t room = 1;
    struct text text;

    for (unsigned c = 0; c < table->columns; c++)
        room += row->cells[c].n + widths[c] + BETWEEN_COLUMNS;
    text = text_in(arena_alloc(table->arena, room), room);
    for (unsigned c = 0; c < table->columns; c++) {
        size_t rest = widths[c] - table_width(row->cells[c]);
        bool is_right = table->right[c] == 'r';

        add_spaces(&text, (c ? BETWEEN_COLUMNS : 0) + (is_right ? rest : 0));
        add_safely(&text, row->cells[c]);
        add_spaces(&text, is_right ? 0 : rest);
    }
    while (text.n && text.p[text.n - 1] == ' ')
        text.n--;
    return text_str(&text);
}

str *table_lines(const struct table *table)
{
    str *lines = ARENA_ARRAY(table->arena, str, table->rows.count + 1);
    size_t widths[TABLE_COLUMNS];

    measure(table, widths);
    for (size_t i = 0; i < table->rows.count; i++)
        lines[i] = line_of(table, &table->rows.items[i], widths);
    return lines;
}

void table_print(FILE *out, const struct table *table)
{
    const str *lines = table_lines(table);

    for (size_t i = 0; i < table->rows.count; i++)
        fprintf(out, STR_FMT "\n", STR_ARG(lines[i]));
}

void table_print_beside(FILE *out, const struct table *left, const struct table *right)
{
    const str *lines = table_lines(left), *others = table_lines(right);
    size_t width = 0;

    for (size_t i = 0; i < left->rows.count; i++)
        width = table_width(lines[i]) > width ? table_width(lines[i]) : width;
    for (size_t i = 0; i < left->rows.count || i < right->rows.count; i++) {
        str line = i < left->rows.count ? lines[i] : STR("");
        str other = i < right->rows.count ? others[i] : STR("");
        size_t gap = width - table_width(line) + BETWEEN_TABLES;

        fprintf(out, STR_FMT "%*s" STR_FMT "\n", STR_ARG(line), other.n ? (int)gap : 0,
                "", STR_ARG(other));
    }
}

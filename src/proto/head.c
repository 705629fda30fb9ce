/*
 * Looking up and changing the fields of a head. Heads have few fields, so these are
 * plain walks over the array.
 */
#include "proto/head.h"

/* Most names that are asked for are not there: one look at the mask says so. */
static bool has(const struct head *head, enum field_name name)
{
    return head->known >> name & 1;
}

struct field *head_find(const struct head *head, enum field_name name)
{
    if (!has(head, name))
        return NULL;
    for (unsigned i = 0; i < head->field_count; i++) {
        struct field *field = &head->fields[i];

        if (field->known == name && !field->dropped)
            return field;
    }
    return NULL;
}

struct field *head_find_name(const struct head *head, str name)
{
    for (unsigned i = 0; i < head->field_count; i++) {
        struct field *field = &head->fields[i];

        if (field->name.n == name.n && !field->dropped &&
            str_eq_nocase(field->name, name))
            return field;
    }
    return NULL;
}

unsigned head_drop(struct head *head, enum field_name name)
{
    unsigned count = 0;

    if (!has(head, name))
        return 0;
    for (unsigned i = 0; i < head->field_count; i++) {
        struct field *field = &head->fields[i];

        if (field->known == name && !field->dropped) {
            field->dropped = true;
            count++;
        }
    }
    return count;
}

unsigned head_drop_name(struct head *head, str name)
{
    unsigned count = 0;

    for (unsigned i = 0; i < head->field_count; i++) {
        struct field *field = &head->fields[i];

        if (field->name.n == name.n && !field->dropped &&
            str_eq_nocase(field->name, name)) {
            field->dropped = true;
            count++;
        }
    }
    return count;
}

static char cgi_letter(char c)
{
    return c == '_' ? '-' : char_lower(c);
}

static bool is_alike(str a, str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (cgi_letter(a.p[i]) != cgi_letter(b.p[i]))
            return false;
    return true;
}

void head_drop_alike(struct head *head, str name)
{
    for (unsigned i = 0; i < head->field_count; i++)
        if (is_alike(head->fields[i].name, name))
            head->fields[i].dropped = true;
}

/*
 * A request head as llhttp understands it, in words of our own: llhttp's header has names
 * that ours have too, so that no file can include both.
 */
#ifndef FUZZ_LLHTTP_VIEW_H
#define FUZZ_LLHTTP_VIEW_H

#include "base/str.h"

enum { VIEW_FIELDS_MOST = 200 };

struct llhttp_view {
    bool is_done;           /* it reached the end of the head; all below is valid */
    bool is_unknown_method; /* it refused the method */
    const char *reason;     /* why it refused; "" */
    str method, target;
    str names[VIEW_FIELDS_MOST], values[VIEW_FIELDS_MOST];
    unsigned names_count, values_count;
    unsigned major, minor;
    bool is_chunked;
    uint64_t content_length;
    const char *end; /* of the head */
};

/* Reads in strict mode. Slices of `bytes`. */
void llhttp_view_read(struct llhttp_view *view, str bytes);

#endif

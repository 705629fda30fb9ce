/*
 * Request heads: the verdict does not depend on how the bytes were cut; slices stay
 * inside; what was accepted, written anew and read again is the same request.
 */
#include "heads.h"

#include "proto/uri.h"

static void read_request(struct outcome *o, str bytes)
{
    o->head = (struct head){.fields = o->fields, .field_room = FIELDS_MOST};
    o->verdict = h1_read_request(&o->reader, bytes, &limits, &o->head);
}

static void read_cut(struct outcome *o, str all, size_t step)
{
    for (size_t n = 0;; n += step) {
        str bytes = fuzz_exact(str_upto(all, n));

        read_request(o, bytes);
        fuzz_free(bytes);
        if (o->verdict != H1_MORE || n >= all.n)
            return;
    }
}

static void write_and_read_again(struct head *head, str path)
{
    static char target_memory[WRITTEN_MOST], memory[WRITTEN_MOST];
    struct text target = text_in(target_memory, sizeof target_memory);
    struct text out = text_in(memory, sizeof memory);
    struct field fields[FIELDS_AGAIN];
    struct head again = {.fields = fields, .field_room = FIELDS_AGAIN};
    struct h1_reader reader = {0};
    bool is_empty;

    if (!head->authority.p)
        head->authority = STR("fuzz");
    text_add(&target, path);
    if (head->query.p) {
        text_char(&target, '?');
        text_add(&target, head->query);
    }
    h1_write_request(&out, head, text_str(&target), H1_KEEP);
    HOLDS(!out.overflow && !target.overflow);
    HOLDS(h1_read_request(&reader, text_str(&out), &wider, &again) == H1_DONE);
    HOLDS(again.bytes == out.n);
    HOLDS(again.method == head->method && str_eq(again.method_text, head->method_text));
    HOLDS(str_eq(again.target, text_str(&target)));
    HOLDS(str_eq(again.authority, head->authority));
    is_empty = again.framing == FRAMING_LENGTH && again.content_length == 0;
    HOLDS(again.framing == head->framing || (is_empty && head->framing == FRAMING_NONE));
    HOLDS(again.content_length == head->content_length);
    HOLDS((again.flags & HEAD_EXPECT_CONTINUE) == (head->flags & HEAD_EXPECT_CONTINUE));
    same_fields(head, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str all = {(const char *)data, size}, bytes, path = STR_NONE;
    size_t step = 1 + fuzz_byte(&all) % 64;
    static struct outcome whole, cut;
    struct arena arena;

    bytes = fuzz_exact(all);
    whole = (struct outcome){0};
    cut = (struct outcome){0};
    read_request(&whole, bytes);
    read_cut(&cut, all, step);
    same_outcome(&whole, &cut);
    if (whole.verdict == H1_DONE) {
        slices_are_inside(&whole.head, bytes);
        HOLDS(whole.head.framing != FRAMING_CLOSE);
        arena_init(&arena, 0);
        if (uri_normalise(whole.head.path, &arena, &path) == ERR_OK)
            write_and_read_again(&whole.head, path);
        HOLDS(!(whole.head.flags & HEAD_PATH_NORMAL) || path.p == whole.head.path.p);
        if (whole.head.flags & HEAD_HOST_FOLDED)
            HOLDS(str_eq(uri_fold_host(whole.head.host, &arena), whole.head.host));
        arena_reset(&arena);
    }
    fuzz_free(bytes);
    return 0;
}

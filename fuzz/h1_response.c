/*
 * Response heads: the same as for requests. The first byte says how the input is cut and
 * which method was asked.
 */
#include "heads.h"

static void read_response(struct outcome *o, str bytes, enum http_method asked)
{
    o->head = (struct head){.fields = o->fields, .field_room = FIELDS_MOST};
    o->verdict = h1_read_response(&o->reader, bytes, &limits, asked, &o->head);
}

static void read_cut(struct outcome *o, str all, size_t step, enum http_method asked)
{
    for (size_t n = 0;; n += step) {
        str bytes = fuzz_exact(str_upto(all, n));

        read_response(o, bytes, asked);
        fuzz_free(bytes);
        if (o->verdict != H1_MORE || n >= all.n)
            return;
    }
}

static void write_and_read_again(const struct head *head, enum http_method asked)
{
    static char memory[WRITTEN_MOST];
    struct text out = text_in(memory, sizeof memory);
    struct field fields[FIELDS_AGAIN];
    struct head again = {.fields = fields, .field_room = FIELDS_AGAIN};
    struct h1_reader reader = {0};
    bool keeps = head->framing != FRAMING_CLOSE;

    h1_write_response(&out, head, keeps ? H1_KEEP : H1_CLOSE);
    HOLDS(!out.overflow);
    HOLDS(h1_read_response(&reader, text_str(&out), &wider, asked, &again) == H1_DONE);
    HOLDS(again.bytes == out.n);
    HOLDS(again.status == head->status && str_eq(again.reason, head->reason));
    HOLDS(again.framing == head->framing);
    if (head->framing == FRAMING_LENGTH || head->flags & HEAD_LENGTH_SAID)
        HOLDS(again.content_length == head->content_length);
    HOLDS(((again.flags & HEAD_KEEP_ALIVE) != 0) == keeps);
    same_fields(head, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str all = {(const char *)data, size}, bytes;
    unsigned steer = fuzz_byte(&all);
    enum http_method asked = steer & 64 ? HTTP_HEAD : HTTP_GET;
    static struct outcome whole, cut;

    bytes = fuzz_exact(all);
    whole = (struct outcome){0};
    cut = (struct outcome){0};
    read_response(&whole, bytes, asked);
    read_cut(&cut, all, 1 + steer % 64, asked);
    same_outcome(&whole, &cut);
    if (whole.verdict == H1_BAD)
        HOLDS(whole.reader.status == 502);
    if (whole.verdict == H1_DONE) {
        slices_are_inside(&whole.head, bytes);
        write_and_read_again(&whole.head, asked);
    }
    fuzz_free(bytes);
    return 0;
}

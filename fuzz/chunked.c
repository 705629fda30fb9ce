/*
 * Chunked bodies: cutting the input changes nothing; a body that was decoded and encoded
 * anew decodes to the same payload and the same trailers.
 */
#include "fuzz.h"

#include "proto/chunked.h"
#include "proto/h1_write.h"

enum { TRAILER_FIELDS_MOST = 64 };

struct outcome {
    enum chunked_verdict verdict;
    size_t consumed;
    struct text payload;
    struct chunked chunked;
    char trailers[CHUNKED_TRAILERS_MOST];
};

static void outcome_begin(struct outcome *o, size_t room)
{
    o->verdict = CHUNKED_MORE;
    o->consumed = 0;
    o->payload = text_in(malloc(room + 1), room);
    chunked_init(&o->chunked, o->trailers, sizeof o->trailers);
}

static void feed(struct outcome *o, str piece)
{
    str bytes = fuzz_exact(piece), in = bytes, data;

    while ((o->verdict = chunked_read(&o->chunked, &in, &data)) == CHUNKED_DATA) {
        HOLDS(data.n > 0 && fuzz_is_inside(bytes, data));
        text_add(&o->payload, data);
    }
    o->consumed += bytes.n - in.n;
    HOLDS(o->verdict != CHUNKED_MORE || in.n == 0);
    HOLDS((o->verdict == CHUNKED_BAD) == (o->chunked.why != NULL));
    fuzz_free(bytes);
}

static void read_cut(struct outcome *o, str all, size_t step)
{
    outcome_begin(o, all.n);
    for (size_t at = 0; at < all.n && o->verdict == CHUNKED_MORE; at += step)
        feed(o, str_upto(str_from(all, at), step));
    HOLDS(!o->payload.overflow);
}

static unsigned trailers_of(struct outcome *o, struct field *fields)
{
    str rest = text_str(&o->chunked.trailers);
    unsigned count = 0;

    while (count < TRAILER_FIELDS_MOST && trailer_next(&rest, &fields[count]))
        count++;
    return count;
}

static void encode(struct text *out, str payload, size_t step, struct field *trailers,
                   unsigned count)
{
    while (payload.n) {
        str piece = str_upto(payload, step);

        h1_write_chunk_size(out, piece.n);
        text_add(out, piece);
        text_add(out, STR("\r\n"));
        payload = str_from(payload, piece.n);
    }
    h1_write_last_chunk(out, trailers, count);
    HOLDS(!out->overflow);
}

static void encode_and_decode(struct outcome *o, size_t step)
{
    static struct outcome again;
    struct field trailers[TRAILER_FIELDS_MOST], others[TRAILER_FIELDS_MOST];
    unsigned count = trailers_of(o, trailers);
    size_t room = o->payload.n * 8 + CHUNKED_TRAILERS_MOST * 2;
    struct text out = text_in(malloc(room), room);

    encode(&out, text_str(&o->payload), step, trailers, count);
    if (o->chunked.trailer_bytes + count < CHUNKED_TRAILERS_MOST) {
        read_cut(&again, text_str(&out), out.n);
        HOLDS(again.verdict == CHUNKED_DONE && again.consumed == out.n);
        HOLDS(str_eq(text_str(&again.payload), text_str(&o->payload)));
        HOLDS(trailers_of(&again, others) == count);
        for (unsigned i = 0; i < count; i++)
            HOLDS(str_eq(trailers[i].name, others[i].name) &&
                  str_eq(trailers[i].value, others[i].value));
        free(again.payload.p);
    }
    free(out.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str all = {(const char *)data, size};
    size_t step = 1 + fuzz_byte(&all) % 64;
    static struct outcome whole, cut;

    read_cut(&whole, all, all.n ? all.n : 1);
    read_cut(&cut, all, step);
    HOLDS(whole.verdict == cut.verdict && whole.chunked.why == cut.chunked.why);
    HOLDS(str_eq(text_str(&whole.payload), text_str(&cut.payload)));
    if (whole.verdict == CHUNKED_DONE) {
        HOLDS(whole.consumed == cut.consumed);
        encode_and_decode(&whole, step);
    }
    free(whole.payload.p);
    free(cut.payload.p);
    return 0;
}

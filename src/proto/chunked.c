/*
 * A state machine over the bytes between the pieces of payload; the payload itself is
 * never looked at. Each state knows the few characters that may come next.
 */
#include "proto/chunked.h"

#include "base/check.h"
#include "proto/chars.h"
#include "proto/names.h"

enum { DIGITS_MOST = 16 };

enum state {
    SIZE_FIRST,
    SIZE_MORE,
    EXTENSION_FIRST, /* behind ';' */
    EXTENSION_NAME,
    EXTENSION_VALUE, /* behind '=' */
    EXTENSION_TOKEN,
    EXTENSION_QUOTED,
    EXTENSION_QUOTED_PAIR, /* behind a '\' in quotes */
    EXTENSION_END,         /* behind the closing quote */
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_FIRST,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    DONE,
    BAD,
};

void chunked_init(struct chunked *chunked, char *trailer_memory, size_t trailer_room)
{
    *chunked = (struct chunked){.trailers = text_in(trailer_memory, trailer_room)};
}

static enum state fail(struct chunked *chunked, const char *why)
{
    chunked->why = why;
    return BAD;
}

static enum state fail_line(struct chunked *chunked, char c)
{
    if (c == '\n')
        return fail(chunked, "a line of the chunk framing ends in LF alone");
    return fail(chunked, "a malformed chunk size or extension");
}

/* What may follow a whole size or extension. */
static enum state step_behind(struct chunked *chunked, char c)
{
    if (c == '\r')
        return SIZE_LF;
    return c == ';' ? EXTENSION_FIRST : fail_line(chunked, c);
}

static enum state step_size(struct chunked *chunked, char c)
{
    if (!char_is(c, CHAR_HEX))
        return chunked->state == SIZE_FIRST ? fail_line(chunked, c)
                                            : step_behind(chunked, c);
    if (++chunked->digits > DIGITS_MOST || chunked->left > INT64_MAX >> 4)
        return fail(chunked, "a chunk size that is too large");
    chunked->left = chunked->left << 4 | char_hex(c);
    return SIZE_MORE;
}

static bool is_quotable(char c)
{
    return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f);
}

static enum state step_extension(struct chunked *chunked, char c)
{
    bool is_token = char_is(c, CHAR_TOKEN);

    if (++chunked->extension_bytes > CHUNKED_EXTENSIONS_MOST)
        return fail(chunked, "too many bytes of chunk extensions");
    switch ((enum state)chunked->state) {
    case EXTENSION_FIRST:
        return is_token ? EXTENSION_NAME : fail_line(chunked, c);
    case EXTENSION_NAME:
        if (c == '=')
            return EXTENSION_VALUE;
        return is_token ? EXTENSION_NAME : step_behind(chunked, c);
    case EXTENSION_VALUE:
        if (c == '"')
            return EXTENSION_QUOTED;
        return is_token ? EXTENSION_TOKEN : fail_line(chunked, c);
    case EXTENSION_TOKEN:
        return is_token ? EXTENSION_TOKEN : step_behind(chunked, c);
    case EXTENSION_QUOTED:
        if (c == '"')
            return EXTENSION_END;
        if (c == '\\')
            return EXTENSION_QUOTED_PAIR;
        return is_quotable(c) ? EXTENSION_QUOTED : fail_line(chunked, c);
    case EXTENSION_QUOTED_PAIR:
        return is_quotable(c) ? EXTENSION_QUOTED : fail_line(chunked, c);
    default:
        return step_behind(chunked, c);
    }
}

/* Behind the whole line of a size. */
static enum state step_size_end(struct chunked *chunked, char c)
{
    if (c != '\n')
        return fail(chunked, "a CR without LF in the chunk framing");
    chunked->digits = 0;
    return chunked->left ? DATA : TRAILER_FIRST;
}

static enum state step_trailer(struct chunked *chunked, char c)
{
    if (++chunked->trailer_bytes > CHUNKED_TRAILERS_MOST)
        return fail(chunked, "the trailer section is too long");
    if (chunked->trailers.room) {
        text_char(&chunked->trailers, c);
        if (chunked->trailers.overflow)
            return fail(chunked, "the trailer section is too long");
    }
    switch ((enum state)chunked->state) {
    case TRAILER_FIRST:
        if (c == '\r')
            return LAST_LF;
        return char_is(c, CHAR_TOKEN) ? TRAILER_NAME
                                      : fail(chunked, "a malformed trailer line");
    case TRAILER_NAME:
        if (c == ':')
            return TRAILER_VALUE;
        return char_is(c, CHAR_TOKEN) ? TRAILER_NAME
                                      : fail(chunked, "a malformed trailer line");
    case TRAILER_VALUE:
        if (c == '\r')
            return TRAILER_LF;
        return is_quotable(c) ? TRAILER_VALUE
                              : fail(chunked, "a control character in a trailer");
    case TRAILER_LF:
        return c == '\n' ? TRAILER_FIRST : fail(chunked, "a CR without LF in a trailer");
    default:
        return c == '\n' ? DONE : fail(chunked, "a CR without LF in a trailer");
    }
}

static enum state step(struct chunked *chunked, char c)
{
    switch ((enum state)chunked->state) {
    case SIZE_FIRST:
    case SIZE_MORE:
        return step_size(chunked, c);
    case EXTENSION_FIRST:
    case EXTENSION_NAME:
    case EXTENSION_VALUE:
    case EXTENSION_TOKEN:
    case EXTENSION_QUOTED:
    case EXTENSION_QUOTED_PAIR:
    case EXTENSION_END:
        return step_extension(chunked, c);
    case SIZE_LF:
        return step_size_end(chunked, c);
    case DATA_CR:
        return c == '\r' ? DATA_LF : fail(chunked, "a chunk is longer than its size");
    case DATA_LF:
        return c == '\n' ? SIZE_FIRST : fail(chunked, "a chunk is longer than its size");
    case TRAILER_FIRST:
    case TRAILER_NAME:
    case TRAILER_VALUE:
    case TRAILER_LF:
    case LAST_LF:
        return step_trailer(chunked, c);
    case DATA:
    case DONE:
    case BAD:
        break;
    }
    CHECK(!"a chunked body is read beyond its end");
    return BAD;
}

/* n <= chunked->left bytes of payload have been taken. */
static void chunked_skip(struct chunked *chunked, uint64_t n)
{
    CHECK(chunked->state == DATA && n <= chunked->left);
    chunked->left -= n;
    if (chunked->left == 0)
        chunked->state = DATA_CR;
}

enum chunked_verdict chunked_read(struct chunked *chunked, str *in, str *data)
{
    while (in->n) {
        if (chunked->state == DATA) {
            *data = str_upto(*in, chunked->left < in->n ? (size_t)chunked->left : in->n);
            *in = str_from(*in, data->n);
            chunked_skip(chunked, data->n);
            return CHUNKED_DATA;
        }
        chunked->state = (unsigned char)step(chunked, *in->p);
        *in = str_from(*in, 1);
        if (chunked->state == DONE)
            return CHUNKED_DONE;
        if (chunked->state == BAD)
            return CHUNKED_BAD;
    }
    return CHUNKED_MORE;
}

bool trailer_next(str *rest, struct field *field)
{
    long end;

    while ((end = str_find(*rest, STR("\r\n"))) > 0) {
        str line = str_upto(*rest, (size_t)end), name;
        long colon = str_find_char(line, ':');

        *rest = str_from(*rest, (size_t)end + 2);
        if (colon < 0)
            return false;
        name = str_upto(line, (size_t)colon);
        if (!trailer_is_allowed(name))
            continue;
        *field = (struct field){
            .name = name,
            .value = str_trim(str_from(line, (size_t)colon + 1)),
            .known = (unsigned char)name_find(name),
        };
        return true;
    }
    return false;
}

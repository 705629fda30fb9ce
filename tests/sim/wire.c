/* Line by line for the head, byte by byte for the framing of chunks. */
#include "wire.h"

#include "base/hash.h"
#include "world.h"

enum { CHUNK_SIZE, CHUNK_SIZE_END, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER };

/* ---- patterns ---- */

char pattern_byte(uint64_t key, uint64_t i)
{
    return (char)(hash_u64(key * 1000003 + i / 8) >> (i % 8 * 8));
}

void pattern_fill(uint64_t key, uint64_t from, char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint64_t at = from + i, word = hash_u64(key * 1000003 + at / 8) >> (at % 8 * 8);

        for (unsigned k = (unsigned)(at % 8); k < 8 && i < n; k++, word >>= 8)
            p[i++] = (char)word;
    }
}

bool pattern_holds(uint64_t key, uint64_t from, const char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint64_t at = from + i, word = hash_u64(key * 1000003 + at / 8) >> (at % 8 * 8);

        for (unsigned k = (unsigned)(at % 8); k < 8 && i < n; k++, word >>= 8)
            if (p[i++] != (char)word)
                return false;
    }
    return true;
}

/* ---- heads ---- */

void wire_begin(struct wire *wire, bool is_response, bool asked_head)
{
    char *head = wire->head ? wire->head : arena_alloc(&world.arena, WIRE_HEAD_MOST + 1);

    memset(wire, 0, sizeof *wire);
    wire->head = head;
    wire->is_response = is_response;
    wire->asked_head = asked_head;
}

str wire_field(const struct wire *wire, const char *name)
{
    str rest = {wire->head, wire->head_n}, line;
    size_t n = strlen(name);

    while (str_next(&rest, '\n', &line))
        if (line.n > n && line.p[n] == ':' &&
            str_eq_nocase(str_upto(line, n), str_of(name)))
            return str_trim(str_upto(str_from(line, n + 1), line.n - n - 2));
    return STR_NONE;
}

static uint64_t number_field(const struct wire *wire, const char *name)
{
    uint64_t number = 0;

    return str_to_u64(wire_field(wire, name), &number) ? number : 0;
}

static void copy_text(char *to, size_t room, str from)
{
    size_t n = from.n < room ? from.n : room - 1;

    if (n)
        memcpy(to, from.p, n);
    to[n] = '\0';
}

static bool read_start(struct wire *wire)
{
    str line = {wire->head, wire->head_n};
    uint64_t status;

    line = str_upto(line, (size_t)str_find_char(line, '\n'));
    if (!wire->is_response) {
        long space = str_find_char(line, ' ');

        if (space <= 0 || !str_ends(line, STR(" HTTP/1.1\r")))
            return false;
        copy_text(wire->method, sizeof wire->method, str_upto(line, (size_t)space));
        return true;
    }
    if (!str_starts(line, STR("HTTP/1.1 ")) || line.n < 12 ||
        !str_to_u64(str_upto(str_from(line, 9), 3), &status))
        return false;
    wire->status = (unsigned)status;
    return true;
}

static bool read_framing(struct wire *wire)
{
    str length = wire_field(wire, "content-length");
    str coding = wire_field(wire, "transfer-encoding");

    if (length.p && coding.p)
        return false;
    wire->framing = wire->is_response ? WIRE_CLOSE : WIRE_NONE;
    if (length.p) {
        if (!str_to_u64(length, &wire->left))
            return false;
        wire->framing = WIRE_LENGTH;
    } else if (coding.p) {
        wire->framing = WIRE_CHUNKED;
    }
    if (wire->is_response && (wire->asked_head || wire->status < 200 ||
                              wire->status == 204 || wire->status == 304))
        wire->framing = WIRE_NONE;
    return true;
}

static void head_is_there(struct wire *wire)
{
    str connection;

    if (!read_start(wire) || !read_framing(wire)) {
        wire->state = WIRE_BAD;
        return;
    }
    connection = wire_field(wire, "connection");
    wire->id = number_field(wire, "x-sim-id");
    wire->serial = number_field(wire, "x-sim-serial");
    copy_text(wire->cause, sizeof wire->cause, wire_field(wire, "weir-cause"));
    wire->closes = str_eq_nocase(connection, STR("close")) || wire->framing == WIRE_CLOSE;
    wire->upgrades = str_eq_nocase(connection, STR("upgrade"));
    wire->expects = wire_field(wire, "expect").p != NULL;
    wire->state =
        wire->framing == WIRE_NONE || (wire->framing == WIRE_LENGTH && wire->left == 0)
            ? WIRE_DONE
            : WIRE_BODY;
}

static size_t feed_head(struct wire *wire, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (wire->head_n == WIRE_HEAD_MOST) {
            wire->state = WIRE_BAD;
            return i;
        }
        wire->head[wire->head_n++] = p[i];
        if (p[i] == '\n' && wire->head_n >= 4 &&
            memcmp(wire->head + wire->head_n - 4, "\r\n\r\n", 4) == 0) {
            head_is_there(wire);
            return i + 1;
        }
    }
    return n;
}

/* ---- bodies ---- */

static uint64_t key_of(const struct wire *wire)
{
    return wire->is_response ? wire->serial : wire->id;
}

/* Answers of the daemon itself have no pattern. */
static size_t take_data(struct wire *wire, const char *p, size_t n)
{
    uint64_t key = key_of(wire);

    if (wire->framing != WIRE_CLOSE) {
        n = wire->left < n ? (size_t)wire->left : n;
        wire->left -= n;
    }
    if (key && !pattern_holds(key, wire->body_n, p, n))
        wire->is_foreign = true;
    wire->body_n += n;
    return n;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of what stands between the data of chunks. */
static void chunk_byte(struct wire *wire, char c)
{
    int digit = digit_of(c);

    switch (wire->chunk_state) {
    case CHUNK_SIZE:
        if (digit >= 0 && wire->line_n++ < 12)
            wire->left = wire->left * 16 + (unsigned)digit;
        else if (c == '\r' && wire->line_n)
            wire->chunk_state = CHUNK_SIZE_END;
        else
            wire->state = WIRE_BAD;
        break;
    case CHUNK_SIZE_END:
        wire->chunk_state = wire->left ? CHUNK_DATA : CHUNK_TRAILER;
        wire->line_n = 0;
        if (c != '\n')
            wire->state = WIRE_BAD;
        break;
    case CHUNK_DATA_END:
        if (c == '\n')
            wire->chunk_state = CHUNK_SIZE;
        else if (c != '\r')
            wire->state = WIRE_BAD;
        break;
    default: /* trailer lines up to an empty one */
        if (c == '\n') {
            if (!wire->line_n)
                wire->state = WIRE_DONE;
            wire->line_n = 0;
        } else if (c != '\r') {
            wire->line_n++;
        }
        break;
    }
}

static size_t feed_chunks(struct wire *wire, const char *p, size_t n)
{
    size_t i = 0;

    while (i < n && wire->state == WIRE_BODY) {
        if (wire->chunk_state != CHUNK_DATA) {
            chunk_byte(wire, p[i++]);
            continue;
        }
        i += take_data(wire, p + i, n - i);
        if (wire->left == 0)
            wire->chunk_state = CHUNK_DATA_END;
    }
    return i;
}

size_t wire_feed(struct wire *wire, const char *p, size_t n)
{
    size_t used = 0;

    if (wire->state == WIRE_HEAD)
        used = feed_head(wire, p, n);
    if (wire->state != WIRE_BODY)
        return used;
    if (wire->framing == WIRE_CHUNKED)
        return used + feed_chunks(wire, p + used, n - used);
    used += take_data(wire, p + used, n - used);
    if (wire->framing == WIRE_LENGTH && wire->left == 0)
        wire->state = WIRE_DONE;
    return used;
}

bool wire_ended(struct wire *wire)
{
    if (wire->state != WIRE_BODY || wire->framing != WIRE_CLOSE)
        return false;
    wire->state = WIRE_DONE;
    return true;
}

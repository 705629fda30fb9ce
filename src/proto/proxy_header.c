/*
 * The PROXY protocol. Version 2 is a signature of 12 bytes, a byte of version and
 * command, one of family and transport, the length of the rest, and in it the addresses;
 * version 1 is one line of text.
 */
#include "proto/proxy_header.h"

static const str signature = {"\r\n\r\n\0\r\nQUIT\n", 12};

enum {
    HEAD_LENGTH = 16, /* before the addresses */
    LOCAL = 0x20,     /* version 2 in the upper half */
    PROXY = 0x21,
    STREAM4 = 0x11,
    STREAM6 = 0x21,
    STREAM_UNIX = 0x31,
    LENGTH4 = 12,
    LENGTH6 = 36,
    UNIX_PATH = 108,
    LENGTH_UNIX = 2 * UNIX_PATH,
    V1_MOST = 107, /* bytes of a line of version 1, with CRLF */
    TLVS_MOST = 4096,
};

static void put_u16(struct text *out, unsigned value)
{
    text_char(out, (char)(value >> 8));
    text_char(out, (char)(value & 0xff));
}

static void put_start(struct text *out, unsigned command, unsigned family,
                      unsigned length)
{
    text_add(out, signature);
    text_char(out, (char)command);
    text_char(out, (char)family);
    put_u16(out, length);
}

void proxy_header_write_local(struct text *out)
{
    put_start(out, LOCAL, 0, 0);
}

static void put_ip4(struct text *out, const struct addr *addr)
{
    text_add(out, (str){(const char *)addr->ip, 4});
}

static void put_ip6(struct text *out, const struct addr *addr)
{
    static const char mapped[12] = {[10] = (char)0xff, [11] = (char)0xff};

    if (addr->family == ADDR_IP6) {
        text_add(out, (str){(const char *)addr->ip, 16});
    } else {
        text_add(out, (str){mapped, sizeof mapped});
        put_ip4(out, addr);
    }
}

static void put_path(struct text *out, const struct addr *addr)
{
    char path[UNIX_PATH] = {0};

    memcpy(path, addr->path, addr->path_length);
    text_add(out, (str){path, sizeof path});
}

static bool is_ip(const struct addr *addr)
{
    return addr->family == ADDR_IP4 || addr->family == ADDR_IP6;
}

void proxy_header_write(struct text *out, const struct addr *from, const struct addr *to)
{
    if (from->family == ADDR_UNIX && to->family == ADDR_UNIX) {
        put_start(out, PROXY, STREAM_UNIX, LENGTH_UNIX);
        put_path(out, from);
        put_path(out, to);
    } else if (from->family == ADDR_IP4 && to->family == ADDR_IP4) {
        put_start(out, PROXY, STREAM4, LENGTH4);
        put_ip4(out, from);
        put_ip4(out, to);
        put_u16(out, from->port);
        put_u16(out, to->port);
    } else if (is_ip(from) && is_ip(to)) {
        put_start(out, PROXY, STREAM6, LENGTH6);
        put_ip6(out, from);
        put_ip6(out, to);
        put_u16(out, from->port);
        put_u16(out, to->port);
    } else {
        proxy_header_write_local(out);
    }
}

static unsigned get_u16(const char *p)
{
    return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

static struct addr get_ip(enum addr_family family, const char *bytes, const char *port)
{
    struct addr addr = {.family = (unsigned char)family, .port = (uint16_t)get_u16(port)};

    memcpy(addr.ip, bytes, family == ADDR_IP4 ? 4 : 16);
    return addr;
}

/* A path of 108 bytes, ended by NUL when shorter; an empty one is an unnamed socket. */
static bool get_path(const char *bytes, struct addr *out)
{
    size_t n = strnlen(bytes, UNIX_PATH);

    if (n == 0) {
        *out = (struct addr){.family = ADDR_UNIX};
        return true;
    }
    return addr_from_path((str){bytes, n}, out) == ERR_OK;
}

/* Type, length and value, one behind the other, must end where the header ends. */
static bool tlvs_are_whole(str tlvs)
{
    if (tlvs.n > TLVS_MOST)
        return false;
    while (tlvs.n) {
        size_t n;

        if (tlvs.n < 3)
            return false;
        n = 3 + get_u16(tlvs.p + 1);
        if (n > tlvs.n)
            return false;
        tlvs = str_from(tlvs, n);
    }
    return true;
}

/* The addresses of version 2; `rest` is what the length covers. */
static enum err read_addresses(unsigned family, str rest, struct proxy_header *out)
{
    const char *p = rest.p;
    size_t length = 0;

    if (family == STREAM4 && rest.n >= LENGTH4) {
        out->from = get_ip(ADDR_IP4, p, p + 8);
        out->to = get_ip(ADDR_IP4, p + 4, p + 10);
        length = LENGTH4;
    } else if (family == STREAM6 && rest.n >= LENGTH6) {
        out->from = get_ip(ADDR_IP6, p, p + 32);
        out->to = get_ip(ADDR_IP6, p + 16, p + 34);
        length = LENGTH6;
    } else if (family == STREAM_UNIX && rest.n >= LENGTH_UNIX) {
        if (!get_path(p, &out->from) || !get_path(p + UNIX_PATH, &out->to))
            return ERR_INVALID;
        length = LENGTH_UNIX;
    } else if (family == 0) {
        out->is_local = true;
    } else {
        return ERR_INVALID;
    }
    return tlvs_are_whole(str_from(rest, length)) ? ERR_OK : ERR_INVALID;
}

static enum err read_v2(str bytes, struct proxy_header *out)
{
    unsigned command, length;
    enum err e;

    if (bytes.n > 12 && (unsigned char)bytes.p[12] != LOCAL &&
        (unsigned char)bytes.p[12] != PROXY)
        return ERR_INVALID;
    if (bytes.n < HEAD_LENGTH)
        return ERR_AGAIN;
    command = (unsigned char)bytes.p[12];
    length = get_u16(bytes.p + 14);
    if (length > LENGTH_UNIX + TLVS_MOST)
        return ERR_INVALID;
    if (bytes.n < HEAD_LENGTH + length)
        return ERR_AGAIN;
    out->bytes = HEAD_LENGTH + length;
    out->is_local = command == LOCAL;
    if (command == LOCAL) /* whatever the length covers is passed over */
        return ERR_OK;
    e = read_addresses((unsigned char)bytes.p[13], (str){bytes.p + HEAD_LENGTH, length},
                       out);
    return e;
}

/* One word of a line of version 1: words are parted by exactly one blank. */
static str word(str *line)
{
    str piece = STR_NONE;

    return str_next(line, ' ', &piece) ? piece : STR_NONE;
}

static bool read_v1_ip(str text, enum addr_family family, struct addr *out)
{
    return addr_parse_ip(text, out) == ERR_OK && out->family == family && !out->scope;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443" without its line end. */
static enum err read_v1_line(str line, struct proxy_header *out)
{
    enum addr_family family;
    str protocol, from, to, from_port, to_port;

    if (!str_eq(word(&line), STR("PROXY")))
        return ERR_INVALID;
    protocol = word(&line);
    if (str_eq(protocol, STR("UNKNOWN"))) {
        out->is_local = true;
        return ERR_OK;
    }
    if (!str_eq(protocol, STR("TCP4")) && !str_eq(protocol, STR("TCP6")))
        return ERR_INVALID;
    family = protocol.p[3] == '4' ? ADDR_IP4 : ADDR_IP6;
    from = word(&line);
    to = word(&line);
    from_port = word(&line);
    to_port = word(&line);
    if (line.p || !read_v1_ip(from, family, &out->from) ||
        !read_v1_ip(to, family, &out->to) ||
        addr_parse_port(from_port, &out->from.port) != ERR_OK ||
        addr_parse_port(to_port, &out->to.port) != ERR_OK)
        return ERR_INVALID;
    return ERR_OK;
}

static enum err read_v1(str bytes, struct proxy_header *out)
{
    str window = str_upto(bytes, V1_MOST);
    long end = str_find_char(window, '\n');

    if (end < 0)
        return window.n == V1_MOST ? ERR_INVALID : ERR_AGAIN;
    if (end == 0 || window.p[end - 1] != '\r')
        return ERR_INVALID;
    out->bytes = (size_t)end + 1;
    return read_v1_line(str_upto(window, (size_t)end - 1), out);
}

enum err proxy_header_read(str bytes, struct proxy_header *out)
{
    const str v1 = STR("PROXY ");

    *out = (struct proxy_header){0};
    if (bytes.n == 0)
        return ERR_AGAIN;
    if (str_starts(bytes, signature))
        return read_v2(bytes, out);
    if (str_starts(bytes, v1))
        return read_v1(bytes, out);
    if (str_starts(signature, bytes) || str_starts(v1, bytes))
        return ERR_AGAIN;
    return ERR_INVALID;
}

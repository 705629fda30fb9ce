/*
 * Addresses. base/addr.h says whether a text is one; here is said what is wrong with it,
 * at the very part that is: a port is pointed at alone, and where the right spelling can
 * be guessed it is given.
 */
#include "control/conf/address.h"

#include "proto/chars.h"

enum { HOST_MOST = 253, LABEL_MOST = 63, DNS_PORT = 53 };

static bool is_digits(str s)
{
    uint64_t number;

    return str_to_u64(s, &number);
}

/* A host name by the rules of RFC 1123, with '_', which people use inside. */
static bool is_host_name(str host)
{
    str rest = host, label = STR_NONE;

    if (host.n > 1 && host.p[host.n - 1] == '.')
        rest.n--;
    if (rest.n == 0 || rest.n > HOST_MOST)
        return false;
    while (str_next(&rest, '.', &label)) {
        if (label.n == 0 || label.n > LABEL_MOST || label.p[0] == '-' ||
            label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++) {
            if (!char_is(label.p[i], CHAR_HOST))
                return false;
        }
    }
    return !is_digits(label); /* 10.0.1 and 300.1.1.1 are no names */
}

static struct complaint *complain_address(struct reader *reader, const struct node *node)
{
    return complain_value(reader, "C026", node, "is not an address");
}

static bool complain_scheme(struct reader *reader, const struct node *node)
{
    long at = str_find(node->text, STR("://"));
    str rest = str_from(node->text, (size_t)at + 3), host = rest;

    str_next(&rest, '/', &host);
    complaint_help(complain_address(reader, node),
                   "write host and port without a scheme: %s%s",
                   complaint_word(reader->complaints, host),
                   str_find_char(host, ':') < 0 ? ":80" : "");
    return false;
}

static bool complain_no_port(struct reader *reader, const struct node *node)
{
    struct complaint *complaint = complain_value(reader, "C025", node, "has no port");

    complaint_help(complaint, "write '%s:80'", word_of(reader, node));
    return false;
}

/* `10.0.0.1:80 weight=3`, `10.0.0.1:80;`: there is a port, and something behind it. */
static void help_behind(struct reader *reader, const struct node *node,
                        struct complaint *complaint, str port)
{
    size_t before = (size_t)(port.p - node->text.p), digits = 0;
    const char *word;

    while (digits < port.n && port.p[digits] >= '0' && port.p[digits] <= '9')
        digits++;
    if (digits == 0 || digits == port.n)
        return;
    word = complaint_word(reader->complaints, str_upto(node->text, before + digits));
    if (port.p[digits] == ' ' || port.p[digits] == '=')
        complaint_help(
            complaint,
            "settings of a server stand in a map: {address: \"%s\", weight: 3}", word);
    else if (!strchr(".+-_", port.p[digits]))
        complaint_help(complaint, "write '%s'", word);
}

static bool read_port(struct reader *reader, const struct node *node, str port,
                      uint16_t *out)
{
    struct complaint *complaint;

    if (port.n == 0)
        return complain_no_port(reader, node);
    if (addr_parse_port(port, out) == ERR_OK)
        return true;
    complaint = complain(reader->complaints, "C025",
                         node_part(node, (size_t)(port.p - node->text.p), port.n),
                         "port must be 1 to 65535, got '%s'",
                         complaint_word(reader->complaints, port));
    complaint_label(complaint, STR("port"));
    help_behind(reader, node, complaint, port);
    return false;
}

/* 2001:db8::1:80, which could be read in two ways. */
static bool complain_brackets(struct reader *reader, const struct node *node)
{
    struct complaint *complaint = complain_value(
        reader, "C026", node, "is not an address: IPv6 needs brackets before a port");
    size_t at = node->text.n;
    struct addr addr;

    while (at > 0 && node->text.p[at - 1] != ':')
        at--;
    if (at > 1 && addr_parse_ip(str_upto(node->text, at - 1), &addr) == ERR_OK)
        complaint_help(complaint, "write '[" STR_FMT "]:" STR_FMT "'", (int)at - 1,
                       node->text.p, STR_ARG(str_from(node->text, at)));
    else
        complaint_help(complaint, "write '[%s]:80'", word_of(reader, node));
    return false;
}

/* "10.0.0.1:80, 10.0.0.2:80" in one text. */
static void help_list(struct complaint *complaint, str text)
{
    str rest = text, first = STR_NONE;
    char between = str_find_char(text, ',') >= 0 ? ',' : ' ';

    if (str_next(&rest, between, &first) && rest.n)
        complaint_help(complaint, "several are a list: [\"" STR_FMT "\", ...]",
                       STR_ARG(str_trim(first)));
}

/* Cuts and complains; the pieces are slices of the node's text. */
static bool cut(struct reader *reader, const struct node *node, str *host, str *port)
{
    struct addr addr;

    if (str_find(node->text, STR("://")) > 0)
        return complain_scheme(reader, node);
    if (addr_parse_ip(node->text, &addr) == ERR_OK && addr.family == ADDR_IP6)
        return complain_brackets(reader, node);
    if (addr_cut_host_port(node->text, host, port) == ERR_OK)
        return true;
    if (str_find_char(node->text, '[') < 0 && str_find(node->text, STR(":")) >= 0 &&
        str_find_char(node->text, ' ') < 0)
        return complain_brackets(reader, node);
    help_list(complain_address(reader, node), node->text);
    return false;
}

bool address_read_socket(struct reader *reader, const struct node *node, str path)
{
    struct addr addr;
    struct complaint *complaint;

    if (path.n && path.p[0] == '/' && addr_from_path(path, &addr) == ERR_OK)
        return true;
    complaint = complain_value(reader, "C026", node,
                               path.n > ADDR_PATH_MOST
                                   ? "is too long for the path of a unix socket"
                                   : "is not the absolute path of a unix socket");
    if (path.n > ADDR_PATH_MOST)
        complaint_help(complaint, "a path has at most %d bytes", ADDR_PATH_MOST);
    else
        complaint_help(complaint, "write an absolute path: /run/weir/x.sock");
    return false;
}

static str unix_path(str text)
{
    return str_from(text, sizeof "unix:" - 1);
}

static bool read_host(struct reader *reader, const struct node *node, str host,
                      struct server_entry *out)
{
    struct complaint *complaint;

    out->host = arena_copy(reader->arena, host);
    if (addr_parse_ip(host, &out->addr) == ERR_OK)
        return true;
    out->addr = (struct addr){.family = ADDR_NONE};
    if (is_host_name(host))
        return true;
    complaint = host.n
                    ? complain(reader->complaints, "C026", node->place,
                               "'%s' is not an IP address or a host name",
                               complaint_word(reader->complaints, host))
                    : complain_value(reader, "C026", node, "is not an address: no host");
    complaint_help(complaint, "write 'host:port': 10.0.0.1:80, [2001:db8::1]:80, "
                              "app.example.com:80");
    return false;
}

bool address_read_server(struct reader *reader, const struct node *node,
                         struct server_entry *out)
{
    str host = STR_NONE, port = STR_NONE;

    if (str_starts(node->text, STR("unix:"))) {
        str path = unix_path(node->text);

        if (!address_read_socket(reader, node, path))
            return false;
        out->host = arena_copy(reader->arena, path);
        return addr_from_path(out->host, &out->addr) == ERR_OK;
    }
    if (!cut(reader, node, &host, &port) || !read_host(reader, node, host, out) ||
        !read_port(reader, node, port, &out->port))
        return false;
    out->addr.port = out->port;
    return true;
}

bool address_read_listen(struct reader *reader, const struct node *node, struct addr *out)
{
    str host = STR_NONE, port = STR_NONE;
    struct complaint *complaint;

    *out = (struct addr){0};
    if (str_starts(node->text, STR("unix:"))) {
        str path = unix_path(node->text);

        return address_read_socket(reader, node, path) &&
               addr_from_path(path, out) == ERR_OK;
    }
    if (is_digits(node->text)) {
        complaint_help(complain_address(reader, node), "write ':%s' for all addresses",
                       word_of(reader, node));
        return false;
    }
    if (!cut(reader, node, &host, &port))
        return false;
    if (host.n == 0) {
        out->family = ADDR_IP6;
    } else if (addr_parse_ip(host, out) != ERR_OK) {
        complaint =
            complain_value(reader, "C026", node, "is not an address to listen on");
        if (str_eq(host, STR("*")))
            complaint_help(complaint, "write ':" STR_FMT "' for all addresses",
                           STR_ARG(port));
        else
            complaint_help(complaint, "a listener's host is an IP address or empty: "
                                      "':80', '192.0.2.1:80', '[2001:db8::1]:80'");
        return false;
    }
    return read_port(reader, node, port, &out->port);
}

enum err address_parse_listen(str text, struct addr *out)
{
    str host, port;
    enum err e;

    *out = (struct addr){0};
    if (text.n == 0)
        return ERR_OK;
    if (str_starts(text, STR("unix:")))
        return addr_from_path(str_from(text, 5), out);
    if ((e = addr_cut_host_port(text, &host, &port)))
        return e;
    out->family = ADDR_IP6;
    if (host.n && (e = addr_parse_ip(host, out)))
        return e;
    return addr_parse_port(port, &out->port);
}

/* The bits of a netmask written as an address; -1 when it is none. */
static int mask_bits(str text)
{
    struct addr mask;
    uint32_t word = 0;
    int bits = 0;

    if (addr_parse_ip(text, &mask) != ERR_OK || mask.family != ADDR_IP4)
        return -1;
    for (unsigned i = 0; i < 4; i++)
        word = word << 8 | mask.ip[i];
    while (bits < 32 && (word & (1u << (31 - bits))))
        bits++;
    return bits == 32 || (word << bits) == 0 ? bits : -1;
}

/* The network that was meant, where host bits were left standing. */
static bool help_network(struct complaint *complaint, str host, uint64_t bits)
{
    struct addr addr;
    char text[ADDR_TEXT_MOST];
    unsigned width;

    if (addr_parse_ip(host, &addr) != ERR_OK)
        return false;
    width = addr.family == ADDR_IP4 ? 32 : 128;
    if (bits > width)
        return false;
    for (unsigned i = (unsigned)bits; i < width; i++)
        addr.ip[i / 8] &= (unsigned char)~(0x80 >> i % 8);
    complaint_help(complaint, "the network is " STR_FMT "/%u",
                   STR_ARG(addr_print_ip(&addr, text, sizeof text)), (unsigned)bits);
    return true;
}

bool address_read_prefix(struct reader *reader, const struct node *node,
                         struct prefix *out)
{
    long slash = str_find_char(node->text, '/');
    struct complaint *complaint;
    uint64_t bits;
    int mask;

    if (prefix_parse(node->text, out) == ERR_OK)
        return true;
    complaint = complain_value(reader, "C026", node, "is not an IP address or a network");
    mask = slash < 0 ? -1 : mask_bits(str_from(node->text, (size_t)slash + 1));
    if (mask >= 0)
        complaint_help(complaint, "write '" STR_FMT "/%d'", (int)slash, node->text.p,
                       mask);
    else if (slash < 0 || !str_to_u64(str_from(node->text, (size_t)slash + 1), &bits) ||
             !help_network(complaint, str_upto(node->text, (size_t)slash), bits))
        complaint_help(complaint, "write 10.0.0.0/8, 2001:db8::/32 or a single address");
    return false;
}

struct prefixes address_read_prefixes(struct reader *reader, const struct pair *pair)
{
    struct vec_of(struct prefix) prefixes = {0};
    unsigned at = 0;
    const struct node *word;

    while ((word = words_next(reader, pair, &at))) {
        struct prefix prefix;

        if (address_read_prefix(reader, word, &prefix))
            *vec_add(&prefixes, reader->arena) = prefix;
    }
    return (struct prefixes){prefixes.items, (unsigned)prefixes.count};
}

bool address_read_resolver(struct reader *reader, const struct node *node,
                           struct addr *out)
{
    str host = STR_NONE, port = STR_NONE;

    if (addr_parse_ip(node->text, out) == ERR_OK) {
        out->port = DNS_PORT;
        return true;
    }
    if (addr_cut_host_port(node->text, &host, &port) != ERR_OK ||
        addr_parse_ip(host, out) != ERR_OK) {
        complaint_help(complain_value(reader, "C026", node, "is not an IP address"),
                       "write 10.0.0.53 or 10.0.0.53:5353");
        return false;
    }
    return read_port(reader, node, port, &out->port);
}

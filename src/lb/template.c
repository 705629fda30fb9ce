/*
 * Compiles a template into pieces, each a fixed text or a fact, and renders them. The one
 * place where bytes of a client come into a head that weir writes: everything goes
 * through text_add_escaped.
 */
#include "lb/template.h"

#include "base/vec.h"
#include "proto/cookie.h"
#include "proto/names.h"
#include "proto/uri.h"

enum { USUAL_ROOM = 4096 }; /* of what a template becomes */

enum fact {
    FACT_NONE, /* a fixed text */
    FACT_CLIENT_IP,
    FACT_CLIENT_SUBNET,
    FACT_CLIENT_PORT,
    FACT_PEER_IP,
    FACT_LISTENER,
    FACT_ROUTE,
    FACT_POOL,
    FACT_SERVER,
    FACT_SERVER_IP,
    FACT_REQUEST_ID,
    FACT_METHOD,
    FACT_SCHEME,
    FACT_HOST,
    FACT_PATH,
    FACT_QUERY,
    FACT_URI,
    FACT_QUERY_NAME,
    FACT_HEADER_NAME,
    FACT_COOKIE_NAME,
    FACT_STATUS,
    FACT_ANSWER_HEADER_NAME,
    FACT_COUNT,
};

struct piece {
    enum fact fact;
    enum template_moment known_at;
    enum field_name known;
    str text; /* the fixed text, or the NAME */
};

struct template
{
    enum template_use use;
    unsigned count;
    const struct piece *pieces;
};

struct pieces vec_of(struct piece);

/* clang-format off */
static const struct fact_row {
    const char *name; /* with a dot at its end: a NAME follows */
    enum fact fact;
    enum template_moment known_at;
} fact_rows[] = {
    {"client.ip", FACT_CLIENT_IP, TEMPLATE_AT_ACCEPT},
    {"client.subnet", FACT_CLIENT_SUBNET, TEMPLATE_AT_ACCEPT},
    {"client.port", FACT_CLIENT_PORT, TEMPLATE_AT_ACCEPT},
    {"peer.ip", FACT_PEER_IP, TEMPLATE_AT_ACCEPT},
    {"listener", FACT_LISTENER, TEMPLATE_AT_ACCEPT},
    {"route", FACT_ROUTE, TEMPLATE_AT_REQUEST},
    {"pool", FACT_POOL, TEMPLATE_AT_ACCEPT},
    {"server", FACT_SERVER, TEMPLATE_AT_CHOICE},
    {"server.ip", FACT_SERVER_IP, TEMPLATE_AT_CHOICE},
    {"request.id", FACT_REQUEST_ID, TEMPLATE_AT_REQUEST},
    {"req.method", FACT_METHOD, TEMPLATE_AT_REQUEST},
    {"req.scheme", FACT_SCHEME, TEMPLATE_AT_REQUEST},
    {"req.host", FACT_HOST, TEMPLATE_AT_REQUEST},
    {"req.path", FACT_PATH, TEMPLATE_AT_REQUEST},
    {"req.query", FACT_QUERY, TEMPLATE_AT_REQUEST},
    {"req.uri", FACT_URI, TEMPLATE_AT_REQUEST},
    {"req.query.", FACT_QUERY_NAME, TEMPLATE_AT_REQUEST},
    {"req.header.", FACT_HEADER_NAME, TEMPLATE_AT_REQUEST},
    {"req.cookie.", FACT_COOKIE_NAME, TEMPLATE_AT_REQUEST},
    {"res.status", FACT_STATUS, TEMPLATE_AT_RESPONSE},
    {"res.header.", FACT_ANSWER_HEADER_NAME, TEMPLATE_AT_RESPONSE},
    {"method", FACT_METHOD, TEMPLATE_AT_REQUEST},
    {"scheme", FACT_SCHEME, TEMPLATE_AT_REQUEST},
    {"host", FACT_HOST, TEMPLATE_AT_REQUEST},
    {"path", FACT_PATH, TEMPLATE_AT_REQUEST},
    {"query", FACT_QUERY, TEMPLATE_AT_REQUEST},
    {"uri", FACT_URI, TEMPLATE_AT_REQUEST},
};
/* clang-format on */

const char *template_fact_name(unsigned i)
{
    return i < array_len(fact_rows) ? fact_rows[i].name : NULL;
}

/* --- escaping --- */

/* RFC 3986 2: bytes that may stand in a URI; '%' too, for escapes that are there already. */
static bool is_url_byte(unsigned char c)
{
    return c > ' ' && c < 0x7f && !strchr("\"<>\\^`{|}", c);
}

static bool is_field_byte(unsigned char c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

static void text_add_escaped(struct text *out, enum template_use use, str value)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];

        if (use == TEMPLATE_URL ? is_url_byte(c) : is_field_byte(c)) {
            text_char(out, (char)c);
            continue;
        }
        text_char(out, '%');
        text_char(out, digits[c >> 4]);
        text_char(out, digits[c & 15]);
    }
}

/* --- compiling --- */

static const struct template *compile_error(struct template_error *error, size_t at,
                                            str piece, const char *reason)
{
    *error = (struct template_error){at, piece, reason};
    return NULL;
}

static const struct fact_row *fact_find(str name)
{
    for (size_t i = 0; i < array_len(fact_rows); i++) {
        str row = str_of(fact_rows[i].name);

        if (str_ends(row, STR(".")) ? str_starts(name, row) && name.n > row.n
                                    : str_eq(name, row))
            return &fact_rows[i];
    }
    return NULL;
}

/* NULL, or why there is no such piece. */
static const char *piece_parse(struct arena *arena, enum template_use use, str name,
                               struct piece *out)
{
    const struct fact_row *row = fact_find(name);

    if (!row)
        return "unknown fact";
    if (use != TEMPLATE_RESPONSE && str_starts(name, STR("res.")))
        return "known only for response headers";
    out->fact = row->fact;
    out->known_at = row->known_at;
    out->text = arena_copy(arena, str_from(name, strlen(row->name)));
    out->known = name_find(out->text);
    return NULL;
}

/* Text without facts; its doubled braces become single ones. */
static void fixed_add(struct pieces *pieces, struct arena *arena, enum template_use use,
                      str fixed)
{
    struct text text = text_in(arena_alloc(arena, fixed.n * 3), fixed.n * 3);

    for (size_t i = 0; i < fixed.n; i++) {
        char c = fixed.p[i];

        text_add_escaped(&text, use, (str){&c, 1});
        i += c == '{' || c == '}';
    }
    if (text.n)
        *vec_add(pieces, arena) = (struct piece){.text = text_str(&text)};
}

/* Length of the fixed text at the beginning of `rest`. */
static size_t fixed_length(str rest)
{
    size_t n = 0;

    while (n < rest.n) {
        char c = rest.p[n];

        if (c != '{' && c != '}')
            n++;
        else if (n + 1 < rest.n && rest.p[n + 1] == c)
            n += 2;
        else
            break;
    }
    return n;
}

static bool has_control(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_field_byte((unsigned char)s.p[i]))
            return true;
    return false;
}

const struct template *template_compile(struct arena *arena, str source,
                                        enum template_use use,
                                        struct template_error *error)
{
    struct template *tmpl = ARENA_NEW(arena, struct template);
    struct pieces pieces = {0};
    size_t at = 0;

    if (has_control(source))
        return compile_error(error, 0, source, "holds a line end or control character");
    while (at < source.n) {
        str rest = str_from(source, at);
        size_t fixed = fixed_length(rest);
        str name = str_from(rest, fixed + 1);
        const char *reason;
        long end;

        fixed_add(&pieces, arena, use, str_upto(rest, fixed));
        at += fixed;
        if (at == source.n)
            break;
        if (source.p[at] == '}')
            return compile_error(error, at, str_upto(str_from(source, at), 1),
                                 "'}' without '{' (double it to mean itself)");
        end = str_find_char(name, '}');
        if (end < 0)
            return compile_error(error, at, str_from(source, at),
                                 "'{' is never closed (double it to mean itself)");
        name = str_upto(name, (size_t)end);
        reason = piece_parse(arena, use, name, vec_add(&pieces, arena));
        if (reason)
            return compile_error(error, at + 1, name, reason);
        at += name.n + 2;
    }
    *tmpl = (struct template){use, (unsigned)pieces.count, pieces.items};
    return tmpl;
}

str template_fixed(const struct template *tmpl)
{
    if (tmpl->count == 0)
        return STR("");
    return tmpl->count == 1 && tmpl->pieces[0].fact == FACT_NONE ? tmpl->pieces[0].text
                                                                 : STR_NONE;
}

/* --- rendering --- */

static str field_value(const struct head *head, const struct piece *piece)
{
    const struct field *field =
        head ? field_find_seen(head, piece->known, piece->text, NULL) : NULL;

    return field ? field->value : STR_NONE;
}

static str cookie_value(const struct head *head, str name)
{
    const struct field *field = NULL;
    str value;

    while ((field = field_find_seen(head, NAME_COOKIE, STR("cookie"), field)))
        if (cookie_find(field->value, name, &value))
            return value;
    return STR_NONE;
}

static str request_value(const struct piece *piece, const struct request_facts *request)
{
    str value;

    switch (piece->fact) {
    case FACT_METHOD:
        return request->head->method_text;
    case FACT_HOST:
        return request->host;
    case FACT_PATH:
        return request->path;
    case FACT_QUERY:
        return request->query;
    case FACT_HEADER_NAME:
        return field_value(request->head, piece);
    case FACT_COOKIE_NAME:
        return cookie_value(request->head, piece->text);
    case FACT_QUERY_NAME:
        return query_find(request->query, piece->text, &value) ? value : STR_NONE;
    default:
        return STR_NONE;
    }
}

static str fact_value(const struct piece *piece, const struct template_facts *facts)
{
    switch (piece->fact) {
    case FACT_LISTENER:
        return facts->listener;
    case FACT_ROUTE:
        return facts->route;
    case FACT_POOL:
        return facts->pool;
    case FACT_SERVER:
        return facts->server;
    case FACT_SERVER_IP:
        return facts->server_ip;
    case FACT_REQUEST_ID:
        return facts->request_id;
    case FACT_SCHEME:
        return facts->scheme;
    case FACT_ANSWER_HEADER_NAME:
        return field_value(facts->response, piece);
    default:
        return facts->request ? request_value(piece, facts->request) : STR_NONE;
    }
}

static void render_ip(struct text *out, enum template_use use, const struct addr *addr)
{
    char memory[ADDR_TEXT_MOST];

    if (addr)
        text_add_escaped(out, use, addr_print_ip(addr, memory, sizeof memory));
}

/* The network that the client is in: what ip_hash and limits take for one client. */
static void render_subnet(struct text *out, const struct addr *addr)
{
    unsigned bits;
    struct addr network;
    char memory[ADDR_TEXT_MOST];

    if (!addr || (addr->family != ADDR_IP4 && addr->family != ADDR_IP6))
        return;
    bits = addr->family == ADDR_IP4 ? SUBNET_BITS_IP4 : SUBNET_BITS_IP6;
    network = addr_network(addr, bits);
    text_add(out, addr_print_ip(&network, memory, sizeof memory));
    text_char(out, '/');
    text_u64(out, bits);
}

/* In a URL the target * of OPTIONS is no path at all (RFC 9112 3.2.4). */
static void render_path(struct text *out, enum template_use use, str path)
{
    if (use != TEMPLATE_URL || !str_eq(path, STR("*")))
        text_add_escaped(out, use, path);
}

static void render_piece(const struct template *tmpl, const struct piece *piece,
                         const struct template_facts *facts, struct text *out)
{
    switch (piece->fact) {
    case FACT_NONE:
        text_add(out, piece->text);
        break;
    case FACT_CLIENT_IP:
        render_ip(out, tmpl->use, facts->client);
        break;
    case FACT_CLIENT_SUBNET:
        render_subnet(out, facts->client);
        break;
    case FACT_PEER_IP:
        render_ip(out, tmpl->use, facts->peer);
        break;
    case FACT_CLIENT_PORT:
        if (facts->client)
            text_u64(out, facts->client->port);
        break;
    case FACT_STATUS:
        if (facts->response)
            text_u64(out, facts->response->status);
        break;
    case FACT_PATH:
        if (facts->request)
            render_path(out, tmpl->use, facts->request->path);
        break;
    case FACT_URI:
        if (!facts->request)
            break;
        render_path(out, tmpl->use, facts->request->path);
        if (!facts->request->query.p)
            break;
        text_char(out, '?');
        text_add_escaped(out, tmpl->use, facts->request->query);
        break;
    default:
        text_add_escaped(out, tmpl->use, fact_value(piece, facts));
    }
}

void template_render(const struct template *tmpl, const struct template_facts *facts,
                     struct text *out)
{
    for (unsigned i = 0; i < tmpl->count; i++)
        render_piece(tmpl, &tmpl->pieces[i], facts, out);
}

str template_render_in(const struct template *tmpl, const struct template_facts *facts,
                       struct arena *arena, size_t most)
{
    for (size_t room = USUAL_ROOM; room < 4 * most; room *= 4) {
        struct text out = text_in(arena_alloc(arena, room), room < most ? room : most);

        template_render(tmpl, facts, &out);
        if (!out.overflow)
            return text_str(&out);
    }
    return STR_NONE;
}

enum template_moment template_known_at(const struct template *tmpl)
{
    enum template_moment last = TEMPLATE_AT_ACCEPT;

    for (unsigned i = 0; i < tmpl->count; i++)
        if (tmpl->pieces[i].known_at > last)
            last = tmpl->pieces[i].known_at;
    return last;
}

static bool is_printed(enum fact fact)
{
    return fact == FACT_CLIENT_IP || fact == FACT_CLIENT_SUBNET ||
           fact == FACT_CLIENT_PORT || fact == FACT_PEER_IP || fact == FACT_STATUS ||
           fact == FACT_URI;
}

str template_value(const struct template *tmpl, const struct template_facts *facts,
                   struct text *memory)
{
    const struct piece *piece = tmpl->pieces;

    if (tmpl->count != 1 || piece->fact == FACT_NONE)
        return STR_NONE;
    if (!is_printed(piece->fact))
        return fact_value(piece, facts);
    render_piece(tmpl, piece, facts, memory);
    return memory->n ? text_str(memory) : STR_NONE;
}

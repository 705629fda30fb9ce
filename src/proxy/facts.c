/*
 * Who the client is and what servers are told about it. Nothing that an untrusted
 * client says about itself gets through.
 */
#include "proxy/facts.h"

#include "proto/names.h"

enum { VALUE_ROOM = 8192 }; /* of a value with facts */

/* 10.0.0.1 of 10.0.0.1:80, ::1 of [::1]:80; nothing of a path. */
static str ip_of(const struct server_live *server)
{
    str text = server->addr_text;

    switch (server->addr.family) {
    case ADDR_IP4:
        return str_upto(text, (size_t)str_find_char(text, ':'));
    case ADDR_IP6:
        return str_from(str_upto(text, (size_t)str_find_char(text, ']')), 1);
    case ADDR_NONE:
    case ADDR_UNIX:
        break;
    }
    return STR_NONE;
}

struct template_facts exchange_facts(const struct exchange *x)
{
    struct template_facts facts = {
        .request = &x->facts,
        .client = &x->client,
        .peer = &x->peer,
        .response = x->response.status ? &x->response : NULL,
        .scheme = STR("http"),
        .listener = x->listener ? x->listener->name : STR_NONE,
        .route = x->route ? x->route->name : STR_NONE,
        .pool = x->pool ? x->pool->name : STR_NONE,
        .request_id = x->request_id,
    };

    if (x->attempt.server) {
        facts.server = x->attempt.server->name;
        facts.server_ip = ip_of(x->attempt.server);
    }
    return facts;
}

typedef signed char digits16 __attribute__((vector_size(16)));
typedef uint64_t words2 __attribute__((vector_size(16)));

/* Sixteen hexadecimal digits of 64 bits at once: each nibble gets a byte of its own, then
 * those over 9 are moved on to the letters. */
static void put_hex(char *p, uint64_t word)
{
    const uint64_t nibbles = 0x0f0f0f0f0f0f0f0f;
    digits16 upper = (digits16)(words2){word >> 4 & nibbles};
    digits16 lower = (digits16)(words2){word & nibbles};
    digits16 digits = __builtin_shufflevector(upper, lower, 0, 16, 1, 17, 2, 18, 3, 19, 4,
                                              20, 5, 21, 6, 22, 7, 23);

    digits += '0' + ((digits > 9) & ('a' - '0' - 10));
    memcpy(p, &digits, sizeof digits);
}

/* The mixing of splitmix64 (Steele, Lea and Flood 2014): no two words give the same. */
static uint64_t mix(uint64_t word)
{
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
    word = (word ^ word >> 27) * 0x94d049bb133111eb;
    return word ^ word >> 31;
}

void id_source_init(struct id_source *source, struct rand *rand)
{
    put_hex(source->half, rand_u64(rand));
    source->count = rand_u64(rand);
}

void exchange_make_id(struct exchange *x)
{
    struct id_source *source = &x->worker->ids;
    char *p = arena_alloc(&x->arena, REQUEST_ID_SIZE);

    memcpy(p, source->half, sizeof source->half);
    put_hex(p + sizeof source->half, mix(source->count++));
    x->request_id = (str){p, REQUEST_ID_SIZE};
}

static bool is_trusted(const struct exchange *x, const struct addr *addr)
{
    return prefixes_have(&x->snapshot->trusted_proxies, addr);
}

/* Goes through X-Forwarded-For from its end as long as the hops are trusted. */
static void learn_from_hops(struct exchange *x)
{
    for (unsigned i = x->request.field_count; i-- > 0;) {
        const struct field *field = &x->request.fields[i];
        str rest = field->value;

        if (field->known != NAME_X_FORWARDED_FOR || field->dropped)
            continue;
        while (rest.n) {
            const char *comma = memrchr(rest.p, ',', rest.n);
            str hop = str_trim(comma ? str_slice(comma + 1, rest.p + rest.n) : rest);
            struct addr addr;

            if (addr_parse_ip(hop, &addr))
                return;
            addr_unmap(&addr);
            x->client = addr;
            x->client_text = hop;
            if (!is_trusted(x, &addr))
                return;
            rest = comma ? str_slice(rest.p, comma) : STR("");
        }
    }
}

static bool is_plain_id(str id)
{
    if (id.n == 0 || id.n > 128)
        return false;
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i] <= ' ' || id.p[i] == '"' || id.p[i] == '\\' || id.p[i] > '~')
            return false;
    return true;
}

void exchange_learn_client(struct exchange *x)
{
    const struct field *id;

    session_peer(x->session, &x->peer);
    session_peer(x->session, &x->client);
    x->client_text = session_peer_text(x->session);
    if (!is_trusted(x, &x->peer))
        return;
    x->flags |= EXCHANGE_TRUSTED;
    learn_from_hops(x);
    id = head_find(&x->request, NAME_X_REQUEST_ID);
    if (id && is_plain_id(id->value))
        x->request_id = id->value;
}

static void put(struct exchange *x, enum field_name known, str name, str value)
{
    bool fits = head_add(&x->request, known, name, value);

    (void)fits; /* EXTRA_FIELDS leaves room for all of ours */
}

/* A chain goes on: all that is said so far, in its order, and `own` behind it. There may be
 * several fields, because some proxies add one of their own in the place of going on with
 * the one that there is; what the first of them says is then the client's word alone. */
static str chain(struct exchange *x, enum field_name name, str own)
{
    const struct field *field = x->request.fields;
    const struct field *end = field + x->request.field_count;
    size_t room = own.n;
    struct text text;

    for (const struct field *f = field; f < end; f++)
        room += f->known == name ? f->value.n + 2 : 0;
    text = text_in(arena_alloc(&x->arena, room), room);
    for (; field < end; field++) {
        if (field->known != name || field->dropped || !field->value.n)
            continue;
        text_add(&text, field->value);
        text_add(&text, STR(", "));
    }
    text_add(&text, own);
    return text_str(&text);
}

/* With a trusted peer the chain is continued, else begun: with fields that stand in the
 * session as they will be sent. */
static void add_x_forwarded(struct exchange *x, str peer)
{
    const struct session *session = x->session;
    bool is_trusted_peer = x->flags & EXCHANGE_TRUSTED;

    if (is_trusted_peer && head_find(&x->request, NAME_X_FORWARDED_FOR))
        peer = chain(x, NAME_X_FORWARDED_FOR, peer);
    head_drop(&x->request, NAME_X_FORWARDED_FOR);
    put(x, NAME_X_FORWARDED_FOR, session_told_for(session), peer);
    if (!is_trusted_peer || !head_find(&x->request, NAME_X_FORWARDED_PROTO))
        put(x, NAME_X_FORWARDED_PROTO, session_told_proto(session),
            session_told_scheme(session));
    if (x->request.authority.n &&
        (!is_trusted_peer || !head_find(&x->request, NAME_X_FORWARDED_HOST)))
        put(x, NAME_X_FORWARDED_HOST, STR("X-Forwarded-Host"), x->request.authority);
}

static void add_forwarded(struct exchange *x, str peer)
{
    bool is_ip6 = x->peer.family == ADDR_IP6;
    str own;

    own = arena_printf(&x->arena, "for=%s" STR_FMT "%s;proto=http", is_ip6 ? "\"[" : "",
                       STR_ARG(peer), is_ip6 ? "]\"" : "");
    if (head_find(&x->request, NAME_FORWARDED))
        own = chain(x, NAME_FORWARDED, own);
    head_drop(&x->request, NAME_FORWARDED);
    put(x, NAME_FORWARDED, STR("Forwarded"), own);
}

/* What a client that is not trusted says of itself and others. */
static void drop_hearsay(struct head *head)
{
    const uint64_t hearsay =
        NAME_BIT(NAME_X_FORWARDED_FOR) | NAME_BIT(NAME_X_FORWARDED_HOST) |
        NAME_BIT(NAME_X_FORWARDED_PORT) | NAME_BIT(NAME_X_FORWARDED_PREFIX) |
        NAME_BIT(NAME_X_FORWARDED_PROTO) | NAME_BIT(NAME_X_FORWARDED_SCHEME) |
        NAME_BIT(NAME_X_FORWARDED_SERVER) | NAME_BIT(NAME_X_FORWARDED_SSL) |
        NAME_BIT(NAME_X_FORWARDED_URI) | NAME_BIT(NAME_X_REAL_IP) |
        NAME_BIT(NAME_FORWARDED);

    if (likely(!(head->known & hearsay)))
        return;
    for (unsigned i = 0; i < head->field_count; i++)
        if (hearsay >> head->fields[i].known & 1)
            head->fields[i].dropped = true;
}

static void add_request_id(struct exchange *x, const struct forwarded *forwarded)
{
    if (forwarded->request_id_known)
        head_drop(&x->request, forwarded->request_id_known);
    else
        head_drop_alike(&x->request, forwarded->request_id);
    put(x, forwarded->request_id_known, forwarded->request_id, x->request_id);
}

void exchange_add_forwarded(struct exchange *x)
{
    const struct forwarded *forwarded = &x->route->forwarded;
    str peer = session_peer_text(x->session);

    if (!(x->flags & EXCHANGE_TRUSTED))
        drop_hearsay(&x->request);
    if (!peer.n)
        peer = STR("unknown");
    if (forwarded->x_forwarded)
        add_x_forwarded(x, peer);
    if (forwarded->forwarded)
        add_forwarded(x, peer);
    if (forwarded->request_id.n)
        add_request_id(x, forwarded);
}

/* A value with facts, which takes of the room that is left. STR_NONE: it does not fit. */
static NEVER_INLINE str render(struct exchange *x, const struct template *value,
                               const struct template_facts *facts, size_t *room)
{
    char memory[VALUE_ROOM];
    struct text text = text_in(memory, *room < sizeof memory ? *room : sizeof memory);

    template_render(value, facts, &text);
    if (text.overflow)
        return STR_NONE;
    *room -= text.n;
    return arena_copy(&x->arena, text_str(&text));
}

static NEVER_INLINE bool edit_head(struct exchange *x, struct head *head,
                                   const struct header_edits *edits)
{
    struct template_facts facts = exchange_facts(x);
    size_t room = HEADER_EDITS_BYTES;
    bool fit = true;

    for (unsigned i = 0; i < edits->count; i++) {
        const struct header_edit *edit = &edits->items[i];
        str value;

        if (edit->verb != HEADER_ADD && head == &x->request)
            head_drop_alike(head, edit->name);
        else if (edit->verb != HEADER_ADD)
            head_drop_name(head, edit->name);
        if (edit->verb == HEADER_REMOVE)
            continue;
        value = template_fixed(edit->compiled);
        if (!value.p)
            value = render(x, edit->compiled, &facts, &room);
        fit &= value.p && head_add(head, NAME_OTHER, edit->name, value);
    }
    return fit;
}

bool exchange_edit_head(struct exchange *x, struct head *head,
                        const struct header_edits *edits)
{
    return !edits->count || edit_head(x, head, edits);
}

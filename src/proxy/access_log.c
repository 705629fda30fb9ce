/*
 * Every request pays for its line, so the writing is plain: constant keys, what is the same
 * for every line of a listener, route or server laid down once with its live object, the
 * second's date made once a second, one escaping copy of each text of the client's, and
 * one look for room.
 */
#include "proxy/access_log.h"

#include "base/json.h"
#include "proxy/line_pen.h"
#include "proxy/stick.h"

/* The most that is kept of texts of others, in bytes. */
struct cut {
    size_t id, path, query, host, referer, agent;
};

static const struct cut usual = {128, 4096, 4096, 256, 2048, 1024};
enum { CUT_LEAST = 128 }; /* texts that are shorter all together need no cut */
static const struct cut meagre = {128, 512, 512, 256, 256, 256}; /* fits in any case */

/* All that is not the client's: keys, names, numbers, addresses. */
enum { LINE_FRAME = 4096 };

void access_log_init(struct access_log *log, struct log_ring *ring)
{
    *log = (struct access_log){.ring = ring, .second = UINT64_MAX / 2};
}

/* ---- times ---- */

static NEVER_INLINE void make_second(struct access_log *log, uint64_t second)
{
    struct text front = text_in(log->front, sizeof log->front);
    struct text clf = text_in(log->clf, sizeof log->clf);
    struct log_date date = log_date_of(second);
    str month = log_month_text(date.month);

    text_add(&front, STR("{\"time\":\""));
    log_add_second(&front, second);
    text_char(&front, '.');
    text_format(&clf, "%02u/" STR_FMT "/%04u:%02u:%02u:%02u +0000", date.day,
                STR_ARG(month), date.year, date.hour, date.minute, date.second);
    log->second = second * PEN_SECOND;
}

/* The rest of the second, in nanoseconds; log->front and ->clf then hold the second. */
static uint64_t learn_time(struct access_log *log, uint64_t wall)
{
    if (unlikely(wall - log->second >= PEN_SECOND))
        make_second(log, wall / PEN_SECOND);
    return wall - log->second;
}

static uint64_t since(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0;
}

/* ---- what is laid down once ---- */

void access_log_lay_name(struct text *text, const char *key, str name)
{
    text_format(text, ",\"%s\":", key);
    json_quote(text, name);
}

void access_log_lay_server(struct text *text, const struct server_live *server)
{
    access_log_lay_name(text, "pool", server->pool_name);
    access_log_lay_name(text, "server", server->name);
    if (server->addr_text.n) /* else its name is not resolved yet */
        access_log_lay_name(text, "server_addr", server->addr_text);
}

/* ---- fields ---- */

/* ,"key":12 */
#define ADD_U64(p, key, value) pen_u64(pen_text((p), ",\"" key "\":"), (value))

/* ,"key":0.000123 */
#define ADD_SECONDS(p, key, ns) pen_seconds(pen_text((p), ",\"" key "\":"), (ns))

/* ,"key":"value" where nothing in the value needs an escape. */
#define ADD_PLAIN(p, key, value) \
    pen_char(pen_str(pen_text((p), ",\"" key "\":\""), (value)), '"')

/* The same for a text of somebody else's; left out when it is empty. */
#define ADD_FOREIGN(p, key, value) \
    ((value).n ? pen_json(pen_text((p), ",\"" key "\":"), (value)) : (p))

/* The same; is_plain: the reader found nothing in it that could need an escape. */
#define ADD_LOOKED_AT(p, key, value, is_plain) \
    (likely(is_plain) ? ADD_PLAIN((p), key, (value)) : ADD_FOREIGN((p), key, (value)))

static ALWAYS_INLINE char *add_time(char *p, struct access_log *log, uint64_t wall)
{
    uint64_t rest = learn_time(log, wall);

    memcpy(p, log->front, sizeof log->front);
    p = pen_micros(p + ACCESS_LOG_FRONT, rest);
    return pen_text(p, "Z\"");
}

static char *add_status(char *p, unsigned status)
{
    if (likely(status == 200))
        return pen_text(p, ",\"status\":200");
    return ADD_U64(p, "status", status);
}

static char *add_cause(char *p, enum cause cause)
{
    if (likely(cause == CAUSE_OK))
        p = pen_text(p, ",\"cause\":\"ok\"");
    else
        p = ADD_PLAIN(p, "cause", str_of(cause_text(cause)));
    return p;
}

/* ---- exchanges ---- */

/* What the log wants to know of an exchange and has to look for. */
struct seen {
    const struct server_live *server;
    str id, path, query, host, referer, agent;
    uint64_t bytes_in, bytes_out;
};

/* Who answered, or whom we tried last. */
static const struct server_live *server_of(const struct exchange *x)
{
    return x->attempt.server ? x->attempt.server : x->served.by;
}

/* As the client sent them, whatever was edited since. */
static void find_fields(const struct head *head, struct seen *seen)
{
    const uint64_t agent = UINT64_C(1) << NAME_USER_AGENT;
    const uint64_t referer = UINT64_C(1) << NAME_REFERER;
    uint64_t missing = head->known & (agent | referer);

    for (unsigned i = 0; missing && i < head->field_count; i++) {
        const struct field *field = &head->fields[i];
        uint64_t found = UINT64_C(1) << field->known & missing;

        if (likely(!found))
            continue;
        missing &= ~found;
        if (found == agent)
            seen->agent = field->value;
        else
            seen->referer = field->value;
    }
}

static void look(const struct exchange *x, struct seen *seen)
{
    const struct head *head = &x->request;

    seen->server = server_of(x);
    seen->id = x->request_id;
    seen->path = seen->query = seen->host = seen->referer = seen->agent = STR_NONE;
    if (unlikely(!x->facts.head)) /* refused: its head was never whole */
        return;
    seen->path = x->facts.path.n ? x->facts.path : head->path;
    seen->query = head->query;
    seen->host = x->facts.host.n ? x->facts.host : head->authority;
    find_fields(head, seen);
}

static void cut_down(struct seen *seen, const struct cut *cut)
{
    seen->id = str_upto(seen->id, cut->id);
    seen->path = str_upto(seen->path, cut->path);
    seen->query = str_upto(seen->query, cut->query);
    seen->host = str_upto(seen->host, cut->host);
    seen->referer = str_upto(seen->referer, cut->referer);
    seen->agent = str_upto(seen->agent, cut->agent);
}

/* Bytes of all texts of others. */
static size_t length_of(const struct seen *seen)
{
    return seen->id.n + seen->path.n + seen->query.n + seen->host.n + seen->referer.n +
           seen->agent.n;
}

/* Bytes that the line may take, whatever must be escaped. */
static size_t room_for(size_t length)
{
    return LINE_FRAME + PEN_SLACK + PEN_ESCAPED * length;
}

/* Cuts what is too long. Returns how much room the line needs. */
static size_t fit(struct seen *seen)
{
    size_t length = length_of(seen);

    if (likely(length <= CUT_LEAST))
        return room_for(length);
    cut_down(seen, &usual);
    if (unlikely(room_for(length_of(seen)) > LOG_LINE_MOST))
        cut_down(seen, &meagre);
    return room_for(length_of(seen));
}

/* The peer's address: an IPv4 one is done with the first move. */
static ALWAYS_INLINE char *add_peer(char *p, const struct session *session)
{
    str text = session_peer_text(session);

    memcpy(p, text.p, 16);
    if (unlikely(text.n > 16))
        memcpy(p + 16, text.p + 16, PEER_TEXT_MOST - 16);
    return p + text.n;
}

static char *add_client(char *p, const struct exchange *x)
{
    const struct session *session = x->session;

    if (likely(!x->client_text.n || x->client_text.p == session_peer_text(session).p)) {
        if (!session->peer_text_n) /* a unix socket */
            return p;
        p = add_peer(pen_text(p, ",\"client_ip\":\""), session);
        return pen_port(pen_text(p, "\",\"client_port\":"), session->peer_port);
    }
    p = ADD_FOREIGN(p, "client_ip", x->client_text);
    if (x->client.port)
        p = ADD_U64(p, "client_port", x->client.port);
    return ADD_FOREIGN(p, "peer_ip", session_peer_text(session));
}

static char *add_names(char *p, const struct exchange *x, const struct seen *seen)
{
    p = pen_ready(p, x->session->guest.door->live->log_words);
    if (likely(x->route != NULL))
        p = pen_ready(p, x->route->live->log_words);
    if (likely(seen->server != NULL))
        p = pen_ready(p, seen->server->log_words);
    else if (x->pool)
        p = ADD_PLAIN(p, "pool", x->pool->name);
    return p;
}

static char *add_connect(char *p, bool is_reused, uint64_t began, uint64_t connected)
{
    if (is_reused || !connected)
        return p;
    return ADD_SECONDS(p, "t_connect", since(began, connected));
}

static char *add_times(char *p, const struct exchange *x, uint64_t now)
{
    const struct attempt *attempt = &x->attempt;
    const struct served *served = &x->served;

    p = ADD_SECONDS(p, "t_total", since(x->began, now));
    if (unlikely(x->flags & EXCHANGE_HAS_WAITED && x->wait.waited))
        p = ADD_SECONDS(p, "t_queue", x->wait.waited);
    if (likely(attempt->server != NULL))
        p = add_connect(p, attempt->is_reused, attempt->began, attempt->connected);
    else if (served->by)
        p = add_connect(p, served->is_reused, served->began, served->connected);
    if (x->first_byte) {
        p = ADD_SECONDS(p, "t_first_byte", since(x->began, x->first_byte));
        p = ADD_SECONDS(p, "t_transfer", since(x->first_byte, now));
    }
    return p;
}

static char *add_request(char *p, const struct exchange *x, const struct seen *seen)
{
    if (unlikely(!x->facts.head))
        return p;
    if (likely(x->request.method == HTTP_GET))
        p = pen_text(p, ",\"method\":\"GET\"");
    else /* a token has nothing to escape */
        p = ADD_PLAIN(p, "method", x->request.method_text);
    p = pen_text(p, ",\"scheme\":\"http\"");
    p = ADD_LOOKED_AT(p, "host", seen->host, x->request.flags & HEAD_HOST_FOLDED);
    p = ADD_LOOKED_AT(p, "path", seen->path, x->request.flags & HEAD_PATH_NORMAL);
    p = ADD_FOREIGN(p, "query", seen->query);
    if (unlikely(x->request.flags & HEAD_HTTP10))
        p = pen_text(p, ",\"protocol\":\"HTTP/1.0\"");
    else
        p = pen_text(p, ",\"protocol\":\"HTTP/1.1\"");
    return p;
}

/* One of our own making has a length, and nothing to escape. */
static char *add_id(char *p, const struct exchange *x, str id)
{
    if (unlikely(id.n != REQUEST_ID_SIZE || x->flags & EXCHANGE_TRUSTED))
        return ADD_FOREIGN(p, "id", id);
    p = pen_text(p, ",\"id\":\"");
    memcpy(p, id.p, REQUEST_ID_SIZE);
    return pen_char(p + REQUEST_ID_SIZE, '"');
}

/* Of the connection to the server that the line names. */
static char *add_reused(char *p, const struct exchange *x)
{
    bool is_reused = x->attempt.server ? x->attempt.is_reused : x->served.is_reused;

    if (likely(is_reused))
        return pen_text(p, ",\"upstream_reused\":true");
    return pen_text(p, ",\"upstream_reused\":false");
}

static char *add_sticky(char *p, enum stick_says says)
{
    if (says == STICK_NOTHING)
        return p;
    return ADD_PLAIN(p, "sticky", str_of(stick_text(says)));
}

static char *add_hedged(char *p, enum hedge_result result)
{
    p = pen_text(p, ",\"hedged\":\"");
    p = pen_str(p, str_of(hedge_result_text(result)));
    return pen_text(p, "\"");
}

static char *add_degrade(char *p, enum degrade_level level)
{
    return ADD_PLAIN(p, "degrade", str_of(degrade_level_text(level)));
}

static char *add_json(char *p, const struct exchange *x, const struct seen *seen,
                      uint64_t now)
{
    p = add_id(p, x, seen->id);
    p = add_names(p, x, seen);
    p = add_client(p, x);
    p = add_request(p, x, seen);
    if (likely(x->flags & EXCHANGE_HEAD_SENT))
        p = add_status(p, x->response.status);
    p = add_cause(p, x->cause);
    p = ADD_U64(p, "bytes_in", seen->bytes_in);
    p = ADD_U64(p, "bytes_out", seen->bytes_out);
    p = ADD_FOREIGN(p, "referer", seen->referer);
    p = ADD_FOREIGN(p, "user_agent", seen->agent);
    p = add_times(p, x, now);
    if (x->tries > 1)
        p = ADD_U64(p, "retries", x->tries - 1);
    if (unlikely(x->hedged))
        p = add_hedged(p, x->hedged);
    if (x->stick)
        p = add_sticky(p, x->stick->says);
    p = ADD_U64(p, "conn_requests", x->session->requests);
    if (seen->server)
        p = add_reused(p, x);
    if (unlikely(x->level != DEGRADE_FULL))
        p = add_degrade(p, x->level);
    p = pen_text(p, "}\n");
    return p;
}

/* "-" where there is nothing. */
static char *add_or_dash(char *p, str value)
{
    if (value.n)
        p = pen_quoted(p, value);
    else
        p = pen_text(p, "\"-\"");
    return p;
}

static char *add_request_line(char *p, const struct exchange *x, const struct seen *seen)
{
    if (!x->facts.head) {
        p = pen_text(p, "\"-\" ");
        return p;
    }
    p = pen_char(p, '"');
    p = pen_str(p, x->request.method_text);
    p = pen_char(p, ' ');
    p = pen_escaped(p, seen->path);
    if (seen->query.n) {
        p = pen_char(p, '?');
        p = pen_escaped(p, seen->query);
    }
    p = pen_str(p, x->request.flags & HEAD_HTTP10 ? STR(" HTTP/1.0\" ")
                                                  : STR(" HTTP/1.1\" "));
    return p;
}

static char *add_combined_front(char *p, const struct access_log *log, str client)
{
    p = pen_str(p, client.n ? client : STR("-"));
    p = pen_text(p, " - - [");
    p = pen_str(p, (str){log->clf, sizeof log->clf - 1});
    p = pen_text(p, "] ");
    return p;
}

static char *add_combined(char *p, const struct access_log *log, const struct exchange *x,
                          const struct seen *seen)
{
    p = add_combined_front(
        p, log, x->client_text.n ? x->client_text : session_peer_text(x->session));
    p = add_request_line(p, x, seen);
    if (x->flags & EXCHANGE_HEAD_SENT)
        p = pen_u64(p, x->response.status);
    else /* readers of this form want a number: what nginx has for a client that left */
        p = pen_str(p, x->cause == CAUSE_CLIENT_CLOSED ? STR("499") : STR("000"));
    p = pen_char(p, ' ');
    p = pen_u64(p, seen->bytes_out);
    p = pen_char(p, ' ');
    p = add_or_dash(p, seen->referer);
    p = pen_char(p, ' ');
    p = add_or_dash(p, seen->agent);
    p = pen_char(p, '\n');
    return p;
}

void access_log_exchange(struct worker *worker, const struct exchange *x,
                         uint64_t bytes_in, uint64_t bytes_out)
{
    struct access_log *log = worker->access_log;
    const struct log_settings *settings = &worker->snapshot->access_log;
    struct seen seen;
    char *p, *memory;

    if (!log || !settings->is_enabled)
        return;
    seen.bytes_in = bytes_in;
    seen.bytes_out = bytes_out;
    look(x, &seen);
    p = memory = log_ring_reserve(log->ring, fit(&seen));
    if (unlikely(!memory))
        return;
    if (settings->format == LOG_COMBINED) {
        learn_time(log, worker_wall(worker));
        p = add_combined(p, log, x, &seen);
    } else {
        p = add_time(p, log, worker_wall(worker));
        p = add_json(p, x, &seen, worker->engine.loop.now);
    }
    log_ring_commit(log->ring, (size_t)(p - memory));
}

/* ---- TCP sessions ---- */

static char *add_tcp_json(char *p, const struct tcp_session *session, str client,
                          uint64_t now)
{
    const struct server_live *server = session->target;

    if (!server && session->tries)
        server = session->tried[session->tries - 1];
    p = pen_text(p, ",\"kind\":\"tcp\"");
    p = pen_ready(p, session->guest.door->live->log_words);
    if (server)
        p = pen_ready(p, server->log_words);
    p = ADD_FOREIGN(p, "client_ip", client);
    if (session->peer.port)
        p = ADD_U64(p, "client_port", session->peer.port);
    p = add_cause(p, session->cause);
    p = ADD_U64(p, "bytes_in", session->client.received);
    p = ADD_U64(p, "bytes_out", session->client.sent);
    p = ADD_SECONDS(p, "t_total", since(session->began, now));
    if (session->wait.waited)
        p = ADD_SECONDS(p, "t_queue", session->wait.waited);
    if (session->connected)
        p = ADD_SECONDS(p, "t_connect",
                        since(session->connect_began, session->connected));
    if (session->tries > 1)
        p = ADD_U64(p, "retries", session->tries - 1);
    p = add_sticky(p, session->stick.says);
    p = pen_text(p, "}\n");
    return p;
}

/* There is no TCP in that form; a line that its readers count as a connection. */
static char *add_tcp_combined(char *p, const struct access_log *log,
                              const struct tcp_session *session, str client)
{
    p = add_combined_front(p, log, client);
    p = pen_text(p, "\"TCP ");
    p = pen_str(p, session->guest.door->live->name);
    p = pen_str(p, session->cause == CAUSE_OK ? STR("\" 200 ") : STR("\" 000 "));
    p = pen_u64(p, session->client.sent);
    p = pen_text(p, " \"-\" \"-\"\n");
    return p;
}

void access_log_tcp(struct worker *worker, const struct tcp_session *session)
{
    struct access_log *log = worker->access_log;
    const struct log_settings *settings = &worker->snapshot->access_log;
    char *memory, client_memory[ADDR_TEXT_MOST];
    str client = STR_NONE;
    char *p;

    if (!log || !settings->is_enabled)
        return;
    p = memory = log_ring_reserve(log->ring, LINE_FRAME + PEN_SLACK);
    if (!memory)
        return;
    if (session->peer.family != ADDR_UNIX)
        client = addr_print_ip(&session->peer, client_memory, sizeof client_memory);
    if (settings->format == LOG_COMBINED) {
        learn_time(log, worker_wall(worker));
        p = add_tcp_combined(p, log, session, client);
    } else {
        p = add_time(p, log, worker_wall(worker));
        p = add_tcp_json(p, session, client, worker->engine.loop.now);
    }
    log_ring_commit(log->ring, (size_t)(p - memory));
}

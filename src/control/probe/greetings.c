/*
 * The first words of four protocols, spoken well enough that the server's log stays
 * quiet and its answer says whether it takes work: PostgreSQL's startup message (protocol
 * 3.0), MySQL's handshake (protocol 10), Redis's PING, the greeting of SMTP (RFC 5321
 * 4.2). Nobody logs in: a server that asks who we are, or says that it does not know us,
 * is alive. One that says it has no room, or is still starting, is not.
 */
#include "control/probe/talk.h"

static unsigned big32(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;

    return (unsigned)b[0] << 24 | (unsigned)b[1] << 16 | (unsigned)b[2] << 8 | b[3];
}

static unsigned little24(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;

    return (unsigned)b[2] << 16 | (unsigned)b[1] << 8 | b[0];
}

/* ---- PostgreSQL: "Message Formats" of its manual, chapter 55 ---- */

static const char postgres_startup[] = "\0\0\0\x30" /* 48 bytes, these four included */
                                       "\0\3\0\0"
                                       "user\0weir\0"
                                       "application_name\0weir-health\0";

static void postgres_compose(struct text *out, const struct probe_question *question)
{
    text_add(out, (str){postgres_startup, sizeof postgres_startup});
}

/* The field of that type in an error's list of "type text NUL". */
static str postgres_field(str fields, char type)
{
    while (fields.n > 1) {
        long end = str_find_char(str_from(fields, 1), '\0');

        if (end < 0)
            break;
        if (fields.p[0] == type)
            return str_upto(str_from(fields, 1), (size_t)end);
        fields = str_from(fields, (size_t)end + 2);
    }
    return STR_NONE;
}

/* Classes of SQLSTATE (appendix A) with which it would send anybody away. */
static bool postgres_is_unwell(str code)
{
    static const char *const classes[] = {"53", "57P", "58", "XX"};

    for (unsigned i = 0; i < array_len(classes); i++)
        if (str_starts(code, str_of(classes[i])))
            return true;
    return false;
}

static bool postgres_error(struct probe *probe, struct talk *talk, str fields)
{
    outcome_tell(&probe->outcome, postgres_field(fields, 'M'));
    return talk_decide(talk, postgres_is_unwell(postgres_field(fields, 'C'))
                                 ? CHECK_BAD_ANSWER
                                 : CHECK_PASSED);
}

static bool postgres_hear(struct probe *probe, struct talk *talk)
{
    str heard = talk_heard(talk);
    unsigned length;

    if (heard.n && !strchr("REvN", heard.p[0]))
        return talk_decide(talk, CHECK_INVALID);
    if (heard.n < 5)
        return false;
    length = big32(heard.p + 1);
    if (length < 4 || length > CHUNK_SMALL - 1)
        return talk_decide(talk, CHECK_INVALID);
    if (heard.n < 1 + (size_t)length)
        return false;
    if (heard.p[0] == 'E')
        return postgres_error(probe, talk, str_upto(str_from(heard, 5), length - 4));
    if (heard.p[0] == 'R' && length == 8 && big32(heard.p + 5) == 0)
        talk->farewell = STR("X\0\0\0\4"); /* it has let us in: Terminate */
    return talk_decide(talk, CHECK_PASSED);
}

/* ---- MySQL and MariaDB: "Connection Phase" of the client/server protocol ---- */

/* Who breaks off in the middle of the handshake is counted, and shut out in the end
 * (max_connect_errors): so it is gone through, without a password. */
static const char mysql_answer[] =
    "\x3c\0\0\1"                 /* 60 bytes, the second packet */
    "\x01\x82\x08\0\0\0\0\1\x21" /* what we can, 16 MiB, utf8 */
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "weir\0\0mysql_native_password";

enum { MYSQL_TURNS_MOST = 4 };

/* Codes with which it would send anybody away: too many connections, shutting down, host
 * blocked or not allowed, too many of one user. */
static bool mysql_is_unwell(unsigned code)
{
    static const unsigned codes[] = {1040, 1041, 1053, 1129, 1130, 1135, 1203, 1226};

    for (unsigned i = 0; i < array_len(codes); i++)
        if (code == codes[i])
            return true;
    return false;
}

static bool mysql_error(struct probe *probe, struct talk *talk, str packet)
{
    unsigned code = packet.n >= 3 ? (unsigned char)packet.p[1] |
                                        (unsigned)(unsigned char)packet.p[2] << 8
                                  : 0;
    str words = str_from(packet, 3);

    if (words.n >= 6 && words.p[0] == '#') /* and an SQLSTATE */
        words = str_from(words, 6);
    if (talk->step && !mysql_is_unwell(code))
        return talk_decide(talk, CHECK_PASSED); /* it does not know us, as expected */
    outcome_tell(&probe->outcome, words);
    return talk_decide(talk, CHECK_BAD_ANSWER);
}

/* An empty password, whatever way of asking for one it prefers. */
static void mysql_say_nothing(struct probe *probe, struct talk *talk, unsigned number)
{
    static const char empty[] = "\0\0\0";

    memcpy(talk->reply, empty, 3);
    talk->reply[3] = (char)(number + 1);
    probe->unsent = (str){talk->reply, 4};
}

static bool mysql_packet(struct probe *probe, struct talk *talk, str packet,
                         unsigned number)
{
    unsigned char first = packet.n ? (unsigned char)packet.p[0] : 0;

    if (first == 0xff)
        return mysql_error(probe, talk, packet);
    if (talk->step == 0 && first != 10)
        return talk_decide(talk, CHECK_INVALID);
    if (talk->step++ == 0) {
        probe->unsent = (str){mysql_answer, sizeof mysql_answer};
        return false;
    }
    if (first == 0) {
        talk->farewell = STR("\1\0\0\0\1"); /* it has let us in: COM_QUIT */
        return talk_decide(talk, CHECK_PASSED);
    }
    if (talk->step == MYSQL_TURNS_MOST)
        return talk_decide(talk, CHECK_PASSED);
    mysql_say_nothing(probe, talk, number);
    return false;
}

static bool mysql_hear(struct probe *probe, struct talk *talk)
{
    str heard = talk_heard(talk);
    unsigned length;

    if (heard.n < 4)
        return false;
    length = little24(heard.p);
    if (!length || length > CHUNK_SMALL - 4)
        return talk_decide(talk, CHECK_INVALID);
    if (heard.n < 4 + (size_t)length)
        return false;
    talk_use(talk, 4 + (size_t)length);
    return mysql_packet(probe, talk, str_upto(str_from(heard, 4), length),
                        (unsigned char)heard.p[3]);
}

/* ---- lines: Redis and SMTP ---- */

/* False: it is not whole yet. The line comes without its end. */
static bool next_line(struct talk *talk, str *line)
{
    str heard = talk_heard(talk);
    long end = str_find_char(heard, '\n');

    if (end < 0)
        return false;
    *line = str_trim(str_upto(heard, (size_t)end));
    if (line->n && line->p[line->n - 1] == '\r')
        line->n--;
    talk_use(talk, (size_t)end + 1);
    return true;
}

static void redis_compose(struct text *out, const struct probe_question *question)
{
    text_add(out, STR("*1\r\n$4\r\nPING\r\n"));
}

static bool redis_hear(struct probe *probe, struct talk *talk)
{
    str line;

    if (!next_line(talk, &line))
        return false;
    if (str_eq(line, STR("+PONG")))
        return talk_decide(talk, CHECK_PASSED);
    if (!str_starts(line, STR("-")))
        return talk_decide(talk, CHECK_INVALID);
    line = str_from(line, 1);
    outcome_tell(&probe->outcome, line);
    if (str_starts(line, STR("NOAUTH")) || str_starts(line, STR("NOPERM")))
        return talk_decide(talk, CHECK_PASSED); /* it only wants to know who we are */
    return talk_decide(talk, CHECK_BAD_ANSWER);
}

static bool smtp_hear(struct probe *probe, struct talk *talk)
{
    uint64_t code;
    str line;

    while (next_line(talk, &line)) {
        bool has_more = line.n > 3 && line.p[3] == '-';

        if (line.n < 3 || !str_to_u64(str_upto(line, 3), &code) ||
            (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-'))
            return talk_decide(talk, CHECK_INVALID);
        if (has_more)
            continue;
        talk->farewell = STR("QUIT\r\n");
        if (code == 220)
            return talk_decide(talk, CHECK_PASSED);
        outcome_tell(&probe->outcome, line);
        return talk_decide(talk, CHECK_BAD_ANSWER);
    }
    return false;
}

const struct probe_kind probe_postgres = {.name = "postgres",
                                          .compose = postgres_compose,
                                          .proceed = talk_proceed,
                                          .drop = talk_drop,
                                          .hear = postgres_hear};
const struct probe_kind probe_mysql = {
    .name = "mysql", .proceed = talk_proceed, .drop = talk_drop, .hear = mysql_hear};
const struct probe_kind probe_redis = {.name = "redis",
                                       .compose = redis_compose,
                                       .proceed = talk_proceed,
                                       .drop = talk_drop,
                                       .hear = redis_hear};
const struct probe_kind probe_smtp = {
    .name = "smtp", .proceed = talk_proceed, .drop = talk_drop, .hear = smtp_hear};

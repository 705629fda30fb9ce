/*
 * The calendar is counted from 1 March of year 0, so that the leap day is a year's last
 * (Hinnant, "chrono-compatible low-level date algorithms").
 */
#include "base/log.h"

#include "base/json.h"

str log_level_text(enum log_level level)
{
    static const char *const texts[] = {"error", "warn", "info", "debug"};

    return str_of(texts[level]);
}

/* ---- times ---- */

struct log_date log_date_of(uint64_t unix_seconds)
{
    uint64_t seconds = unix_seconds % 86400, days = unix_seconds / 86400 + 719468;
    uint64_t era = days / 146097, day = days % 146097; /* 400 years have 146,097 days */
    uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    unsigned march; /* months since March */
    struct log_date date;

    day -= 365 * year + year / 4 - year / 100;
    march = (unsigned)((5 * day + 2) / 153);
    date.day = (unsigned)(day - (153 * march + 2) / 5 + 1);
    date.month = march < 10 ? march + 3 : march - 9;
    date.year = (unsigned)(year + era * 400) + (date.month <= 2);
    date.hour = (unsigned)(seconds / 3600);
    date.minute = (unsigned)(seconds / 60 % 60);
    date.second = (unsigned)(seconds % 60);
    return date;
}

str log_month_text(unsigned month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    return (str){names + (month - 1) * 3, 3};
}

/* n with at least `width` digits. */
static void add_padded(struct text *text, unsigned n, unsigned width)
{
    char digits[10];
    unsigned at = sizeof digits;

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n || sizeof digits - at < width);
    text_add(text, (str){digits + at, sizeof digits - at});
}

void log_add_second(struct text *text, uint64_t unix_seconds)
{
    struct log_date date = log_date_of(unix_seconds);

    add_padded(text, date.year, 4);
    text_char(text, '-');
    add_padded(text, date.month, 2);
    text_char(text, '-');
    add_padded(text, date.day, 2);
    text_char(text, 'T');
    add_padded(text, date.hour, 2);
    text_char(text, ':');
    add_padded(text, date.minute, 2);
    text_char(text, ':');
    add_padded(text, date.second, 2);
}

void log_add_time(struct text *text, uint64_t wall_ns)
{
    log_add_second(text, wall_ns / 1000000000);
    text_char(text, '.');
    add_padded(text, (unsigned)(wall_ns / 1000 % 1000000), 6);
    text_char(text, 'Z');
}

/* ---- events ---- */

static bool is_harmless(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void log_add_quoted(struct text *text, str value)
{
    text_char(text, '"');
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];

        if (is_harmless(c)) {
            text_char(text, (char)c);
        } else if (c == '"' || c == '\\') {
            text_add(text, (str){(char[2]){'\\', (char)c}, 2});
        } else {
            text_add(text, STR("\\x"));
            text_hex(text, c, 2);
        }
    }
    text_char(text, '"');
}

static bool needs_quotes(str value)
{
    for (size_t i = 0; i < value.n; i++)
        if (!is_harmless((unsigned char)value.p[i]) || value.p[i] == ' ' ||
            value.p[i] == '=')
            return true;
    return value.n == 0;
}

static void add_as_text(struct text *text, const struct log_event *event)
{
    str level = log_level_text(event->level);

    log_add_time(text, event->wall);
    text_char(text, ' ');
    text_add(text, level);
    text_add(text, str_upto(STR("      "), 6 - level.n));
    text_add(text, str_of(event->message));
    for (const struct log_field *f = event->fields; f && f->key; f++) {
        text_char(text, ' ');
        text_add(text, str_of(f->key));
        text_char(text, '=');
        if (needs_quotes(f->value))
            log_add_quoted(text, f->value);
        else
            text_add(text, f->value);
    }
    if (event->repeated) {
        text_add(text, STR(" repeated="));
        text_u64(text, event->repeated);
    }
}

static void add_as_json(struct text *text, const struct log_event *event)
{
    struct json json = json_on(text);

    json_object(&json);
    json_key(&json, STR("time"));
    text_char(text, '"');
    log_add_time(text, event->wall);
    text_char(text, '"');
    json.wants_comma = true;
    json_key(&json, STR("level"));
    json_string(&json, log_level_text(event->level));
    json_key(&json, STR("message"));
    json_string(&json, str_of(event->message));
    for (const struct log_field *f = event->fields; f && f->key; f++) {
        json_key(&json, str_of(f->key));
        json_string(&json, f->value);
    }
    if (event->repeated) {
        json_key(&json, STR("repeated"));
        json_u64(&json, event->repeated);
    }
    json_object_end(&json);
}

void log_add_event(struct text *text, const struct log_event *event,
                   enum log_format format)
{
    if (format == LOG_JSON)
        add_as_json(text, event);
    else
        add_as_text(text, event);
    text_char(text, '\n');
}

/* ---- repeats ---- */

/* FNV-1a; only the file's author could make these collide. */
static uint64_t add_to_hash(uint64_t hash, str s)
{
    for (size_t i = 0; i < s.n; i++)
        hash = (hash ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
    return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint64_t hash_of(const struct log_event *event)
{
    uint64_t hash = add_to_hash(UINT64_C(0xcbf29ce484222325), str_of(event->message));

    for (const struct log_field *f = event->fields; f && f->key; f++)
        hash = add_to_hash(add_to_hash(hash, str_of(f->key)), f->value);
    return hash;
}

bool log_repeat_allows(struct log_repeats *repeats, const struct log_event *event,
                       uint64_t now, uint64_t *repeated)
{
    uint64_t hash = hash_of(event);
    struct log_repeat *slot = &repeats->slots[hash >> 32 & (REPEAT_SLOTS - 1)];

    *repeated = 0;
    if (slot->hash != hash)
        *slot = (struct log_repeat){.hash = hash, .began = now};
    if (now - slot->began >= REPEAT_WINDOW_NS) {
        *repeated = slot->left_out;
        *slot = (struct log_repeat){.hash = hash, .began = now};
    }
    if (slot->told >= REPEATS_ALLOWED) {
        slot->left_out++;
        return false;
    }
    slot->told++;
    return true;
}

/* One pass over the words. A share over 100% is taken for 100%: a weight in the
 * configuration is what a server can do at its best. */
#include "guard/load_report.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == ',' || c == '\r' || c == '\n';
}

static bool parse_share(str word, struct load_report *report)
{
    uint64_t percent;

    if (!str_ends(word, STR("%")) || !str_to_u64(str_upto(word, word.n - 1), &percent))
        return false;
    report->has_share = true;
    report->share = percent >= 100 ? RAMP_FULL : (uint32_t)(percent * RAMP_FULL / 100);
    return true;
}

static bool parse_cap(str word, struct load_report *report)
{
    str name = STR("maxconn:");
    uint64_t cap;

    if (!str_eq_nocase(str_upto(word, name.n), name) ||
        !str_to_u64(str_from(word, name.n), &cap))
        return false;
    report->has_cap = true;
    report->max_connections = cap > UINT32_MAX ? UINT32_MAX : (uint32_t)cap;
    return true;
}

static bool parse_state(str word, struct load_report *report)
{
    static const char *const downs[] = {"down", "fail", "failed", "stopped"};
    bool is_down = false;

    for (unsigned i = 0; i < array_len(downs); i++)
        is_down |= str_eq_nocase(word, str_of(downs[i]));
    if (!is_down && !str_eq_nocase(word, STR("up")))
        return false;
    report->says_down = is_down;
    report->says_up = !is_down;
    return true;
}

static bool parse_will(str word, struct load_report *report)
{
    bool is_ready = str_eq_nocase(word, STR("ready"));

    if (!is_ready && !str_eq_nocase(word, STR("drain")) &&
        !str_eq_nocase(word, STR("maint")))
        return false;
    report->says_ready = is_ready;
    report->says_drain = !is_ready;
    return true;
}

enum err load_report_parse(str line, struct load_report *report)
{
    long mark = str_find_char(line, '#');
    str words = mark < 0 ? line : str_upto(line, (size_t)mark);
    bool is_known = false;

    *report = (struct load_report){0};
    if (mark >= 0)
        report->reason = str_trim(str_from(line, (size_t)mark + 1));
    while (words.n) {
        size_t n = 0;
        str word;

        while (n < words.n && !is_blank(words.p[n]))
            n++;
        word = str_upto(words, n);
        words = str_from(words, n + 1);
        if (n)
            is_known |= parse_share(word, report) || parse_cap(word, report) ||
                        parse_state(word, report) || parse_will(word, report);
    }
    return is_known ? ERR_OK : ERR_INVALID;
}

bool load_wish_take(struct load_wish *wish, const struct load_report *report)
{
    struct load_wish before = *wish;

    wish->is_down = report->says_down || (wish->is_down && !report->says_up);
    wish->wants_drain = report->says_drain || (wish->wants_drain && !report->says_ready);
    if (report->has_share)
        wish->share = report->share;
    if (report->has_cap)
        wish->max_connections = report->max_connections;
    return wish->is_down != before.is_down || wish->wants_drain != before.wants_drain ||
           wish->share != before.share || wish->max_connections != before.max_connections;
}

struct load_wish load_wish_join(const struct load_wish *one,
                                const struct load_wish *other)
{
    uint32_t cap = one->max_connections;

    if (!cap || (other->max_connections && other->max_connections < cap))
        cap = other->max_connections;
    return (struct load_wish){
        .is_down = one->is_down || other->is_down,
        .wants_drain = one->wants_drain || other->wants_drain,
        .share = one->share < other->share ? one->share : other->share,
        .max_connections = cap,
    };
}

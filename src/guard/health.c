/*
 * The machine is two counters. While nothing is known of a server (unknown, starting) one
 * check decides; after that `unhealthy_after` failures in a row take it down and
 * `healthy_after` successes in a row bring it back. The reason is about the last check.
 */
#include "guard/health.h"

#include "base/text.h"

/* --- words --- */

static struct text reason_begin(struct health_state *state)
{
    return text_in(state->reason, sizeof state->reason);
}

static void reason_end(struct health_state *state, const struct text *text)
{
    state->reason_length = (uint32_t)text->n;
}

static void reason_set(struct health_state *state, str words)
{
    struct text text = reason_begin(state);

    text_add(&text, words);
    reason_end(state, &text);
}

str health_reason(const struct health_state *state)
{
    if (state->is_barred && health_is_usable(state->checked))
        return (str){state->bar_reason, state->bar_length};
    return (str){state->reason, state->reason_length};
}

/* "2s", "500ms" */
static void add_duration(struct text *text, uint32_t ms)
{
    bool is_seconds = ms >= 1000 && ms % 1000 == 0;

    text_u64(text, is_seconds ? ms / 1000 : ms);
    text_add(text, is_seconds ? STR("s") : STR("ms"));
}

/* Configured text of any length: enough of it to know it by. */
static void add_some(struct text *text, str words)
{
    enum { SOME = 48 };

    text_add(text, str_upto(words, SOME));
    if (words.n > SOME)
        text_add(text, STR("..."));
}

/* As much of it as there is room for, in whole characters; 1 byte is left for a ')'. */
static void add_detail(struct text *text, const struct check_outcome *outcome)
{
    size_t room = text->room - text->n, n = outcome->detail_length;

    if (n >= room)
        n = room ? room - 1 : 0;
    while (n && n < outcome->detail_length && (outcome->detail[n] & 0xc0) == 0x80)
        n--;
    text_add(text, (str){outcome->detail, n});
}

/* What the server said besides: " (cache: slow)" */
static void add_remark(struct text *text, const struct check_outcome *outcome)
{
    if (!outcome->detail_length || text->room - text->n < 4)
        return;
    text_add(text, STR(" ("));
    add_detail(text, outcome);
    text_char(text, ')');
}

/* What each kind speaks, and what it asks, in words. */
static const struct {
    const char *language, *question;
} kinds[CHECK_KIND_COUNT] = {
    [CHECK_BY_CONNECT] = {"TCP", "the connect"},
    [CHECK_BY_HTTP] = {"HTTP", ""},
    [CHECK_BY_SCRIPT] = {"what was expected", "the script"},
    [CHECK_BY_POSTGRES] = {"PostgreSQL", "the startup message"},
    [CHECK_BY_MYSQL] = {"MySQL", "the connect"},
    [CHECK_BY_REDIS] = {"Redis", "PING"},
    [CHECK_BY_SMTP] = {"SMTP", "the connect"},
    [CHECK_BY_PROGRAM] = {"", ""},
    [CHECK_BY_AGENT] = {"an agent's words", "the connect"},
};

static void add_question(struct text *text, const struct health_check *check)
{
    text_add(text, str_of(kinds[check->kind].question));
    if (check->kind == CHECK_BY_PROGRAM)
        add_some(text, check->program[0]);
    if (check->kind != CHECK_BY_HTTP)
        return;
    add_some(text, check->request.method);
    text_char(text, ' ');
    add_some(text, check->request.path);
}

/* timeout_ms: how long was waited; 0: not known here. */
static void add_connect_error(struct text *text, enum err error, uint32_t timeout_ms)
{
    if (error == ERR_REFUSED) {
        text_add(text, STR("connection refused"));
    } else if (error == ERR_TIMEOUT) {
        text_add(text, STR("no connection"));
        text_add(text, timeout_ms ? STR(" within ") : STR(" in time"));
        if (timeout_ms)
            add_duration(text, timeout_ms);
    } else {
        text_add(text, STR("cannot connect: "));
        text_add(text, str_of(err_text(error)));
    }
}

static void add_expected(struct text *text, const struct health_check *check)
{
    for (unsigned i = 0; i < check->expect.status_count; i++) {
        const struct status_range *range = &check->expect.status[i];

        if (i == 4) {
            text_add(text, STR(", ..."));
            break;
        }
        text_add(text, i ? STR(", ") : STR(", expected "));
        text_u64(text, range->from);
        if (range->to == range->from)
            continue;
        text_char(text, '-');
        text_u64(text, range->to);
    }
}

static void add_outcome(struct text *text, const struct health_check *check,
                        const struct check_outcome *outcome)
{
    switch (outcome->result) {
    case CHECK_PASSED:
        break;
    case CHECK_CONNECT_FAILED:
        add_connect_error(text, outcome->error, check->timeout);
        break;
    case CHECK_NO_ANSWER:
        text_add(text, check->kind == CHECK_BY_PROGRAM ? STR("no end of ")
                                                       : STR("no answer to "));
        add_question(text, check);
        text_add(text, STR(" within "));
        add_duration(text, check->timeout);
        break;
    case CHECK_CLOSED:
        text_add(text, STR("closed before the answer to "));
        add_question(text, check);
        text_add(text, STR(" was whole"));
        break;
    case CHECK_INVALID:
        text_add(text, STR("answer to "));
        add_question(text, check);
        text_add(text, STR(" is not "));
        text_add(text, str_of(kinds[check->kind].language));
        break;
    case CHECK_BAD_STATUS:
        text_add(text, STR("HTTP "));
        text_u64(text, outcome->status);
        add_expected(text, check);
        add_remark(text, outcome);
        break;
    case CHECK_BAD_BODY:
        text_add(text, STR("the answer does not contain \""));
        add_some(text, check->expect.body);
        text_char(text, '"');
        break;
    case CHECK_NO_MATCH:
        text_add(text, STR("the body has no match of /"));
        add_some(text, check->expect.body_regex);
        text_char(text, '/');
        break;
    case CHECK_BAD_JSON:
        text_add(text, STR("json: "));
        add_detail(text, outcome);
        break;
    case CHECK_BAD_ANSWER:
        if (check->kind != CHECK_BY_SCRIPT) {
            text_add(text, str_of(kinds[check->kind].language));
            text_add(text, STR(": "));
        }
        add_detail(text, outcome);
        break;
    case CHECK_FAILED:
        add_question(text, check);
        text_add(text, STR(": "));
        add_detail(text, outcome);
        break;
    case CHECK_RESULT_COUNT:
        break;
    }
}

/* "2 of 3 checks: HTTP 500, expected 200-299"; where one check decides, no count. */
static void reason_failed(struct health_state *state, const struct health_check *check,
                          const struct check_outcome *outcome, bool is_counted)
{
    struct text text = reason_begin(state);

    if (is_counted && check->unhealthy_after > 1) {
        text_u64(&text, state->failed);
        text_add(&text, STR(" of "));
        text_u64(&text, check->unhealthy_after);
        text_add(&text, STR(" checks: "));
    }
    add_outcome(&text, check, outcome);
    reason_end(state, &text);
}

/* "HTTP 200 in 3ms", "connected in 1ms"; and on the way up "1 of 2 checks passed". */
static void reason_passed(struct health_state *state, const struct health_check *check,
                          const struct check_outcome *outcome)
{
    struct text text = reason_begin(state);

    if (state->checked != HEALTH_UP) {
        text_u64(&text, state->passed);
        text_add(&text, STR(" of "));
        text_u64(&text, check->healthy_after);
        text_add(&text, STR(" checks passed"));
    } else {
        text_add(&text, outcome->status                  ? STR("HTTP ")
                        : check->kind >= CHECK_BY_SCRIPT ? STR("answered")
                                                         : STR("connected"));
        if (outcome->status)
            text_u64(&text, outcome->status);
        text_add(&text, STR(" in "));
        text_u64(&text, outcome->duration_ms);
        text_add(&text, STR("ms"));
        add_remark(&text, outcome);
    }
    reason_end(state, &text);
}

/* --- the machine --- */

/* What counts, from what the checks say and the bar. */
static bool health_settle(struct health_state *state)
{
    enum health before = state->health;

    state->health = state->is_barred && health_is_usable(state->checked) ? HEALTH_DOWN
                                                                         : state->checked;
    return state->health != before;
}

static bool health_become(struct health_state *state, enum health health)
{
    state->checked = health;
    return health_settle(state);
}

void health_begin(struct health_state *state, enum health first,
                  const struct health_check *check)
{
    *state = (struct health_state){.health = first, .checked = first};
    if (first == HEALTH_UNRESOLVED)
        reason_set(state, STR("its name has no address"));
    else if (!check->is_enabled)
        health_check_changed(state, check);
    else
        reason_set(state, STR("not checked yet"));
}

bool health_check_changed(struct health_state *state, const struct health_check *check)
{
    if (check->is_enabled || state->checked == HEALTH_UNRESOLVED)
        return false;
    state->is_barred = false; /* without checks there is no agent, either */
    state->passed = state->failed = 0;
    reason_set(state, STR("not checked"));
    return health_become(state, HEALTH_UP);
}

static bool record_passed(struct health_state *state, const struct health_check *check,
                          const struct check_outcome *outcome)
{
    bool changed = false;

    state->failed = 0;
    if (state->passed < UINT32_MAX)
        state->passed++;
    if (state->checked != HEALTH_DOWN || state->passed >= check->healthy_after)
        changed = health_become(state, HEALTH_UP);
    reason_passed(state, check, outcome);
    return changed;
}

static bool record_failed(struct health_state *state, const struct health_check *check,
                          const struct check_outcome *outcome)
{
    bool is_counted = state->checked == HEALTH_UP;

    state->passed = 0;
    if (state->failed < UINT32_MAX)
        state->failed++;
    reason_failed(state, check, outcome, is_counted);
    if (is_counted && state->failed < check->unhealthy_after)
        return false;
    return health_become(state, HEALTH_DOWN);
}

bool health_record(struct health_state *state, const struct health_check *check,
                   const struct check_outcome *outcome)
{
    return outcome->result == CHECK_PASSED ? record_passed(state, check, outcome)
                                           : record_failed(state, check, outcome);
}

bool health_record_connects(struct health_state *state, const struct health_check *check,
                            uint32_t failures, enum err error)
{
    struct text text;

    if (!check->is_enabled || !health_is_usable(state->checked) ||
        failures < check->unhealthy_after)
        return false;
    state->passed = state->failed = 0;
    text = reason_begin(state);
    text_u64(&text, failures);
    text_add(&text, STR(" requests in a row: "));
    add_connect_error(&text, error, 0);
    reason_end(state, &text);
    return health_become(state, HEALTH_DOWN);
}

bool health_bar(struct health_state *state, str reason)
{
    struct text text = text_in(state->bar_reason, sizeof state->bar_reason);
    bool was_told = str_eq((str){state->bar_reason, state->bar_length}, reason);
    bool is_new;

    state->is_barred = reason.p != NULL;
    text_add(&text, str_upto(reason, sizeof state->bar_reason));
    state->bar_length = (uint32_t)text.n;
    is_new = health_settle(state);
    return is_new || (state->is_barred && !was_told);
}

bool health_record_unresolved(struct health_state *state)
{
    state->passed = state->failed = 0;
    reason_set(state, STR("its name has no address"));
    return health_become(state, HEALTH_UNRESOLVED);
}

bool health_expects_status(const struct health_check *check, unsigned status)
{
    for (unsigned i = 0; i < check->expect.status_count; i++)
        if (status >= check->expect.status[i].from &&
            status <= check->expect.status[i].to)
            return true;
    return false;
}

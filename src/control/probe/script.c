/*
 * Send this, expect that, step by step: for protocols that weir does not speak. What is
 * expected may come in any number of pieces and after anything else; so that something
 * else has come is known for sure only at the deadline, or when the server has closed.
 */
#include "control/probe/talk.h"

static void compose(struct text *out, const struct probe_question *question)
{
    text_add(out, question->check.steps[0].send);
}

static bool hear(struct probe *probe, struct talk *talk)
{
    const struct health_check *check = &probe->question->check;

    while (talk->step < check->step_count) {
        str expect = check->steps[talk->step].expect;
        long at = expect.n ? str_find(talk_heard(talk), expect) : 0;

        if (at < 0)
            return false;
        if (expect.n)
            talk_use(talk, (size_t)at + expect.n);
        talk->step++;
        if (talk->step < check->step_count && check->steps[talk->step].send.n) {
            probe->unsent = check->steps[talk->step].send;
            return false;
        }
    }
    return talk_decide(talk, CHECK_PASSED);
}

/* 'no "+PONG" in "-ERR unknown command"' */
static enum check_result late(struct probe *probe, enum check_result otherwise)
{
    const struct health_check *check = &probe->question->check;
    const struct talk *talk = probe->answer;
    char memory[256];
    struct text text = text_in(memory, sizeof memory);
    str heard = talk ? talk_heard(talk) : STR_NONE;

    while (heard.n && strchr(" \r\n", heard.p[heard.n - 1]))
        heard.n--;
    while (heard.n && strchr(" \r\n", heard.p[0]))
        heard = str_from(heard, 1);
    if (!heard.n)
        return otherwise;
    text_add(&text, STR("no \""));
    text_add(&text, str_upto(check->steps[talk->step].expect, 48));
    text_add(&text, STR("\" in \""));
    text_add(&text, str_upto(heard, 64));
    text_char(&text, '"');
    if (check->step_count > 1)
        text_format(&text, " (step %u)", talk->step + 1);
    outcome_tell(&probe->outcome, text_str(&text));
    return CHECK_BAD_ANSWER;
}

const struct probe_kind probe_script = {
    .name = "script",
    .compose = compose,
    .proceed = talk_proceed,
    .drop = talk_drop,
    .hear = hear,
    .late = late,
};

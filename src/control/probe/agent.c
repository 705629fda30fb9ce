/*
 * The agent of a server: it is connected to, asked or not, and says one line of what the
 * server can take just now. The line goes to the steward as it is; guard/load_report knows
 * its words. Many agents close behind the line, and some leave its end out.
 */
#include "control/probe/talk.h"

static void compose(struct text *out, const struct probe_question *question)
{
    text_add(out, question->check.agent.send);
}

static bool hear(struct probe *probe, struct talk *talk)
{
    str heard = talk_heard(talk);
    long end = str_find_char(heard, '\n');

    if (end < 0)
        return false;
    outcome_tell(&probe->outcome, str_upto(heard, (size_t)end));
    return talk_decide(talk, CHECK_PASSED);
}

static enum check_result late(struct probe *probe, enum check_result otherwise)
{
    const struct talk *talk = probe->answer;

    if (otherwise != CHECK_CLOSED || !talk || !talk_heard(talk).n)
        return otherwise;
    outcome_tell(&probe->outcome, talk_heard(talk));
    return CHECK_PASSED;
}

const struct probe_kind probe_agent = {
    .name = "agent",
    .compose = compose,
    .proceed = talk_proceed,
    .drop = talk_drop,
    .hear = hear,
    .late = late,
};

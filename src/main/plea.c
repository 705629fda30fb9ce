/* The child's side of the talk with the supervisor, and the form of answers. */
#include "main/plea.h"

#include "base/check.h"
#include "io/sys_host.h"

static enum err take_fds(int channel, unsigned expected, int *fds)
{
    unsigned have = 0;
    enum err e = ERR_OK;

    while (!e && have < expected) {
        unsigned count = expected - have;
        size_t got;
        char mark;

        e = sys_pair_take(channel, true, &mark, sizeof mark, &got, fds + have, &count);
        have += count;
    }
    CHECK(have == 0 || fds != NULL);
    while (e && have)
        sys_close(fds[--have]);
    return e;
}

enum err plea_make(int channel, const struct plea *plea, int fd, int *fds)
{
    struct plea_answer answer;
    unsigned none = 0;
    size_t got;
    enum err e;

    e = sys_pair_send(channel, (str){(const char *)plea, sizeof *plea}, &fd, fd >= 0);
    if (e)
        return e;
    e = sys_pair_take(channel, true, &answer, sizeof answer, &got, NULL, &none);
    if (e)
        return e;
    if (got != sizeof answer || answer.fds > plea->count)
        return ERR_INVALID;
    e = answer.fds ? take_fds(channel, answer.fds, fds) : ERR_OK;
    return e ? e : answer.error;
}

bool plea_of_text(struct plea *plea, enum plea_kind kind, str text)
{
    *plea = (struct plea){.kind = kind};
    if (text.n > PLEA_TEXT_MOST)
        return false;
    memcpy(plea->text, text.p, text.n);
    return true;
}

enum err plea_answer(int channel, enum err error, const int *fds, unsigned count)
{
    struct plea_answer answer = {error, count};
    enum err e =
        sys_pair_send(channel, (str){(const char *)&answer, sizeof answer}, NULL, 0);

    while (!e && count) {
        unsigned n = count < SYS_PASSED_MOST ? count : SYS_PASSED_MOST;

        e = sys_pair_send(channel, STR("+"), fds, n);
        fds += n;
        count -= n;
    }
    return e;
}

/* ---- ports ---- */

struct asked_ports {
    struct ports ports;
    int channel;
};

static enum err asked_open(struct ports *ports, const struct addr *addr, unsigned count,
                           int *fds)
{
    struct asked_ports *asked = container_of(ports, struct asked_ports, ports);
    struct plea plea = {.kind = PLEA_OPEN, .count = count, .addr = *addr};

    return plea_make(asked->channel, &plea, -1, fds);
}

static void asked_close(struct ports *ports, const struct addr *addr)
{
    struct asked_ports *asked = container_of(ports, struct asked_ports, ports);
    struct plea plea = {.kind = PLEA_CLOSE, .addr = *addr};
    enum err e = plea_make(asked->channel, &plea, -1, NULL);

    (void)e; /* a supervisor that is gone has closed everything */
}

struct ports *plea_ports(int channel)
{
    static struct asked_ports asked;

    asked = (struct asked_ports){{asked_open, asked_close}, channel};
    return &asked.ports;
}

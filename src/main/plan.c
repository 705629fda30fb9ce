/* Writing YAML. Whatever came from the command line is quoted, so it stays one word. */
#include "main/plan.h"

#define TCP STR("tcp://")
#define DEFAULT_BALANCE STR("weighted_round_robin")

bool plan_is_tcp(const struct plan *plan)
{
    return plan->listen_count && str_starts(plan->listens[0], TCP);
}

bool plan_is_mixed(const struct plan *plan)
{
    for (unsigned i = 0; i < plan->listen_count; i++) {
        if (str_starts(plan->listens[i], TCP) != plan_is_tcp(plan))
            return true;
    }
    return false;
}

str plan_address(str listen)
{
    return str_starts(listen, TCP) ? str_from(listen, TCP.n) : listen;
}

static bool is_plain(str word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_.:/-";

    for (size_t i = 0; i < word.n; i++) {
        if (!memchr(plain, word.p[i], sizeof plain - 1))
            return false;
    }
    return word.n && word.p[0] != ':' && word.p[0] != '-' && word.p[word.n - 1] != ':';
}

/* JSON's strings are YAML's double-quoted ones. */
static void add_word(struct scroll *out, str word)
{
    if (is_plain(word))
        scroll_add(out, word);
    else
        scroll_json(out, word);
}

static void write_listeners(const struct plan *plan, struct scroll *out)
{
    scroll_add(out, STR("listeners:\n  main:\n"));
    if (plan_is_tcp(plan))
        scroll_add(out, STR("    kind: tcp\n"));
    scroll_add(out, STR("    address: "));
    if (plan->listen_count > 1)
        scroll_char(out, '[');
    for (unsigned i = 0; i < plan->listen_count; i++) {
        if (i)
            scroll_add(out, STR(", "));
        add_word(out, plan_address(plan->listens[i]));
    }
    if (plan->listen_count > 1)
        scroll_char(out, ']');
    if (plan_is_tcp(plan))
        scroll_add(out, STR("\n    to: main\n\n"));
    else
        scroll_add(out, STR("\n\nroutes:\n  - {name: all, to: main}\n\n"));
}

/* Cuts "=3" off. A path or a name may hold '=' too; what is no number stays. */
static str cut_weight(str *server)
{
    str whole = *server, weight;
    size_t at = whole.n;
    uint64_t number;

    while (at && whole.p[at - 1] != '=')
        at--;
    weight = str_from(whole, at);
    if (at == 0 || !str_to_u64(weight, &number))
        return STR_NONE;
    *server = str_upto(whole, at - 1);
    return weight;
}

static void write_server(struct scroll *out, const char *name, str server)
{
    str weight = cut_weight(&server);

    scroll_add(out, STR("      - "));
    if (!name && !weight.p) {
        add_word(out, server);
        scroll_char(out, '\n');
        return;
    }
    scroll_char(out, '{');
    if (name)
        scroll_format(out, "name: %s, ", name);
    scroll_add(out, STR("address: "));
    add_word(out, server);
    if (weight.p)
        scroll_format(out, ", weight: " STR_FMT, STR_ARG(weight));
    scroll_add(out, STR("}\n"));
}

static void write_health(const struct plan *plan, struct scroll *out)
{
    if (!plan->health.p && !plan->check.p)
        return;
    if (!plan->check.p) {
        scroll_add(out, STR("    health: "));
        add_word(out, plan->health);
        scroll_char(out, '\n');
        return;
    }
    scroll_format(out, "    health:\n      active: {" STR_FMT, STR_ARG(plan->check));
    if (plan->health.p) {
        scroll_add(out, STR(", path: "));
        add_word(out, plan->health);
    }
    scroll_add(out, STR("}\n"));
}

static str balance_of(const struct plan *plan)
{
    return plan->balance.p ? plan->balance : DEFAULT_BALANCE;
}

static void write_pool(const struct plan *plan, struct scroll *out)
{
    scroll_add(out, STR("pools:\n  main:\n    balance: "));
    add_word(out, balance_of(plan));
    scroll_add(out, STR("\n    servers:\n"));
    for (unsigned i = 0; i < plan->server_count; i++)
        write_server(out, plan->names ? plan->names[i] : NULL, plan->servers[i]);
    if (plan->sticky.p) {
        scroll_add(out, STR("    sticky: "));
        add_word(out, plan->sticky);
        scroll_char(out, '\n');
    }
    write_health(plan, out);
}

void plan_write(const struct plan *plan, struct scroll *out)
{
    scroll_add(out, STR("version: 1\n\n"));
    write_listeners(plan, out);
    write_pool(plan, out);
    scroll_add(out,
               STR("\nlogs:\n"
                   "  access: off         # stdout, syslog or a file; JSON lines\n"));
    if (!plan->admin_socket.p)
        return;
    scroll_add(out, STR("\nadmin:\n  address: \"\"\n  socket: "));
    add_word(out, plan->admin_socket);
    scroll_char(out, '\n');
}

void plan_describe(const struct plan *plan, struct scroll *out)
{
    for (unsigned i = 0; i < plan->listen_count; i++) {
        str address = plan_address(plan->listens[i]);

        if (i)
            scroll_char(out, ' ');
        if (!str_starts(address, STR("unix:")))
            scroll_add(out, plan_is_tcp(plan) ? TCP : STR("http://"));
        if (str_starts(address, STR(":")))
            scroll_add(out, STR("0.0.0.0"));
        scroll_add(out, address);
    }
    scroll_format(out, "  →  pool main (%u server%s, " STR_FMT ")", plan->server_count,
                  plan->server_count == 1 ? "" : "s", STR_ARG(balance_of(plan)));
}

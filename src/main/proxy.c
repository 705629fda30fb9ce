/*
 * `weir proxy`: a balancer from one line. The daemon runs in this very process and ends
 * with it; who wants more prints the configuration and goes on from there.
 */
#include "base/check.h"
#include "base/version.h"
#include "control/conf/conf.h"
#include "io/sys.h"
#include "main/announce.h"
#include "main/place.h"
#include "main/plan.h"
#include "main/serve.h"
#include "main/verbs.h"
#include "main/world.h"

#include <stdio.h>
#include <stdlib.h>

struct proxy {
    struct service service;
    const struct plan *plan;
    struct announcement announcement;
};

static void show(str text)
{
    if (sys_file_write(1, text)) {
        /* Nobody reads it. */
    }
}

static void started(struct service *service)
{
    struct proxy *proxy = container_of(service, struct proxy, service);
    struct scroll out = {0};

    scroll_format(&out, "weir %s  ", weir_version);
    plan_describe(proxy->plan, &out);
    scroll_format(&out, "\n  weir status --socket %s      stop  Ctrl-C\n",
                  proxy->announcement.socket);
    show(scroll_str(&out));
    scroll_close(&out);
    announcement_start(&proxy->announcement);
}

static int run(const struct plan *plan, str text)
{
    struct ports *ports = ports_direct();
    struct proxy proxy = {
        .service = {.options = {.world = &world_of_process,
                                .file = STR("weir proxy"),
                                .text = text,
                                .ports = ports},
                    .started = started},
        .plan = plan,
        .announcement = {.socket = plan->admin_socket.p},
    };
    int status = serve(&proxy.service);

    announcement_end(&proxy.announcement);
    ports_direct_free(ports);
    return status;
}

static unsigned collect(const struct given *given, const char *name, str *out)
{
    unsigned count = 0;
    int at = 0;

    while (option_next(given, name, &at, &out[count]))
        count++;
    return count;
}

/* What is printed must hold: who keeps it in a file would find out later. */
static int print_config(str text)
{
    struct snapshot *snapshot = NULL;
    struct complaints complaints;
    struct scroll out = {0};
    enum err e;

    complaints_init(&complaints, false);
    e = conf_load_text(&world_of_process, STR("weir proxy"), text, &complaints,
                       &snapshot);
    if (e)
        complaints_print(&complaints, &out);
    if (sys_file_write(e ? 2 : 1, e ? scroll_str(&out) : text)) {
        /* Nobody reads it. */
    }
    scroll_close(&out);
    conf_release(snapshot);
    complaints_close(&complaints);
    return e ? EXIT_WRONG : EXIT_GOOD;
}

static int run_or_print(const struct given *given, struct plan *plan)
{
    char socket[ADDR_PATH_MOST + 1];
    struct scroll text = {0};
    int status = 0;

    if (option_is_given(given, "--print-config")) {
        plan_write(plan, &text);
        status = print_config(scroll_str(&text));
    } else {
        plan->admin_socket = place_own_socket("proxy", socket, sizeof socket);
        plan_write(plan, &text);
        status = run(plan, scroll_str(&text));
    }
    scroll_close(&text);
    return status;
}

int proxy_verb(const struct given *given)
{
    str *words = calloc((size_t)given->count + 2, 2 * sizeof *words);
    str *servers = words + given->count + 1;
    struct plan plan = {.listens = words, .servers = servers};
    int status;

    CHECK(words);
    plan.listen_count = collect(given, "--listen", words);
    plan.server_count = collect(given, "--to", servers);
    plan.balance = option_value(given, "--balance");
    plan.sticky = option_value(given, "--sticky");
    plan.health = option_value(given, "--health");
    if (plan.listen_count == 0)
        status = usage_error(given->verb, "where to listen? give --listen ADDRESS");
    else if (plan.server_count == 0)
        status = usage_error(given->verb, "where to send it? give --to ADDRESS");
    else if (plan_is_mixed(&plan))
        status = usage_error(given->verb,
                             "tcp:// and http listeners need a configuration each");
    else
        status = run_or_print(given, &plan);
    free(words);
    return status;
}

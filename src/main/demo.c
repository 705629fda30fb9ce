/*
 * `weir demo`: three small servers and weir in front of them, all in this process, and
 * words about what to try. It is the shortest way to see a server leave and come back.
 */
#include "base/version.h"
#include "main/announce.h"
#include "main/demo_origin.h"
#include "main/place.h"
#include "main/plan.h"
#include "main/serve.h"
#include "main/verbs.h"
#include "main/world.h"

#include "net/listen.h"

#include <stdio.h>

enum { PORT_WANTED = 8080, LISTEN_TEXT_MOST = 32 };

struct demo {
    struct service service;
    struct announcement announcement;
    struct demo_origins origins;
    const char *program;
    char listen[LISTEN_TEXT_MOST];
};

static void tell_what_to_try(void *owner)
{
    const struct demo *demo = owner;
    unsigned control = demo->origins.doors[DEMO_ORIGINS].addr.port;
    struct scroll out = {0};

    scroll_format(&out,
                  "\nTry, from another terminal:\n"
                  "  for i in 1 2 3 4 5; do curl -s http://%s/; done\n"
                  "  curl 'http://127.0.0.1:%u/stop/green?for=20s'\n"
                  "  %s status main --socket %s\n"
                  "The second makes green leave for 20 s, the third shows it leave "
                  "and come back.\nCtrl-C ends all of it.\n\n",
                  demo->listen, control, demo->program, demo->announcement.socket);
    if (sys_file_write(1, scroll_str(&out))) {
        /* Nobody reads it. */
    }
    scroll_close(&out);
}

static void started(struct service *service)
{
    struct demo *demo = container_of(service, struct demo, service);

    printf("weir %s  http://%s  →  three small servers in this process\n", weir_version,
           demo->listen);
    fflush(stdout);
    announcement_start(&demo->announcement);
}

/* The port that was asked for; else 8080, or any other where that is taken. */
static enum err choose_port(str wanted, uint16_t *port)
{
    struct addr addr = {.family = ADDR_IP4, .port = PORT_WANTED, .ip = {127, 0, 0, 1}};
    enum err e;
    int fd;

    if (wanted.p)
        return addr_parse_port(wanted, port);
    if (listen_probe(&addr))
        addr.port = 0;
    if ((e = listen_socket_open(&addr, &fd)))
        return e;
    e = sys_local_addr(fd, &addr);
    sys_close(fd);
    *port = addr.port;
    return e;
}

static int run(struct demo *demo, uint16_t port)
{
    struct ports *ports = ports_direct();
    char servers[DEMO_ORIGINS][LISTEN_TEXT_MOST], socket[ADDR_PATH_MOST + 1];
    str server_words[DEMO_ORIGINS];
    const char *names[DEMO_ORIGINS];
    struct plan plan = {.listen_count = 1,
                        .servers = server_words,
                        .names = names,
                        .server_count = DEMO_ORIGINS,
                        .check = STR("interval: 1s, timeout: 500ms")};
    struct scroll text = {0};
    str listen;
    int status;

    snprintf(demo->listen, sizeof demo->listen, "127.0.0.1:%u", port);
    listen = str_of(demo->listen);
    plan.listens = &listen;
    for (unsigned i = 0; i < DEMO_ORIGINS; i++) {
        snprintf(servers[i], sizeof servers[i], "127.0.0.1:%u",
                 demo->origins.doors[i].addr.port);
        server_words[i] = str_of(servers[i]);
        names[i] = demo->origins.doors[i].name;
    }
    plan.admin_socket = place_own_socket("demo", socket, sizeof socket);
    plan_write(&plan, &text);
    demo->announcement.socket = socket;
    demo->service.options.text = scroll_str(&text);
    demo->service.options.ports = ports;
    status = serve(&demo->service);
    announcement_end(&demo->announcement);
    ports_direct_free(ports);
    scroll_close(&text);
    return status;
}

int demo_verb(const struct given *given)
{
    struct demo demo = {
        /* One worker, so that the servers take turns one after the other. */
        .service = {.options = {.world = &world_of_process,
                                .file = STR("weir demo"),
                                .workers = 1},
                    .started = started},
        .program = given->program,
        .announcement = {.after = tell_what_to_try, .owner = &demo},
    };
    uint16_t port;
    int status, signals;

    if (choose_port(option_value(given, "--port"), &port))
        return usage_error(given->verb, "there is no such port to listen on");
    /* Blocked before the first thread starts, so that it inherits that. */
    if (sys_signals_open(&signals) || demo_origins_start(&demo.origins)) {
        fputs("weir: the demo's servers cannot listen\n", stderr);
        return EXIT_WRONG;
    }
    sys_close(signals);
    status = run(&demo, port);
    demo_origins_stop(&demo.origins);
    return status;
}

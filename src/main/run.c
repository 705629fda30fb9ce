/*
 * `weir run`: below a supervisor, or, where something else looks after the process (a
 * debugger, a container's own restart), alone. Alone it binds by itself and therefore
 * keeps the rights that it was started with.
 */
#include "base/log.h"
#include "main/place.h"
#include "main/serve.h"
#include "main/supervisor.h"
#include "main/verbs.h"
#include "main/world.h"

#include "io/sys_host.h"

static void alone_started(struct service *service)
{
    sys_service_tell("READY=1");
}

static int run_alone(str file)
{
    struct ports *direct = ports_direct();
    struct service service = {
        .options = {.world = &world_of_process,
                    .file = file,
                    .ports = place_ports(direct)},
        .started = alone_started,
    };
    int status;

    if (sys_user_is_root())
        say(LOG_WARN, "stays root: without a supervisor no privileges are dropped", NULL);
    status = serve(&service);
    ports_direct_free(direct);
    return status;
}

int run_verb(const struct given *given)
{
    str file = option_value(given, "--config");

    if (!file.p)
        file = STR(PLACE_CONFIG);
    return option_is_given(given, "--no-supervisor") ? run_alone(file)
                                                     : supervisor_run(file);
}

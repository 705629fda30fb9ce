/*
 * How live objects begin, and the words for what they know. The words are what people see
 * in `weir status`, in labels of metrics and in the access log, so they never change.
 */
#include "lb/live.h"

#include "base/hash.h"
#include "lb/model.h"

uint64_t server_identity(str name, str addr_text)
{
    uint64_t id = hash_fast(addr_text, hash_fast(name, 0x736572766572));

    return id ? id : 1;
}

void server_desk_init(struct server_desk *desk)
{
    list_init(&desk->idle);
    list_init(&desk->links);
    list_init(&desk->tcp);
}

const char *health_text(enum health health)
{
    static const char *const texts[HEALTH_COUNT] = {
        [HEALTH_UNKNOWN] = "unknown",   [HEALTH_UP] = "up",
        [HEALTH_STARTING] = "starting", [HEALTH_DOWN] = "down",
        [HEALTH_EJECTED] = "ejected",   [HEALTH_UNRESOLVED] = "unresolved",
        [HEALTH_DRAINING] = "draining",
    };

    return texts[health];
}

const char *hedge_result_text(enum hedge_result result)
{
    static const char *const texts[HEDGE_RESULTS] = {
        [HEDGE_NONE] = "none",
        [HEDGE_WON] = "won",
        [HEDGE_LOST] = "lost",
        [HEDGE_FAILED] = "failed",
    };

    return texts[result];
}

const char *server_failure_text(enum server_failure failure)
{
    static const char *const texts[FAILURE_COUNT] = {
        [FAILURE_CONNECT_REFUSED] = "connect_refused",
        [FAILURE_CONNECT_TIMEOUT] = "connect_timeout",
        [FAILURE_CONNECT_ERROR] = "connect_error",
        [FAILURE_CLOSED] = "closed",
        [FAILURE_TIMEOUT] = "timeout",
        [FAILURE_INVALID] = "invalid",
    };

    return texts[failure];
}

const char *cause_text(enum cause cause)
{
    static const char *const texts[CAUSE_COUNT] = {
        [CAUSE_OK] = "ok",
        [CAUSE_CLIENT_CLOSED] = "client_closed",
        [CAUSE_CLIENT_TIMEOUT] = "client_timeout",
        [CAUSE_NO_ROUTE] = "no_route",
        [CAUSE_NO_SERVER] = "no_server",
        [CAUSE_QUEUE_FULL] = "queue_full",
        [CAUSE_QUEUE_TIMEOUT] = "queue_timeout",
        [CAUSE_CONNECT_REFUSED] = "connect_refused",
        [CAUSE_CONNECT_TIMEOUT] = "connect_timeout",
        [CAUSE_CONNECT_ERROR] = "connect_error",
        [CAUSE_SERVER_CLOSED] = "server_closed",
        [CAUSE_SERVER_TIMEOUT] = "server_timeout",
        [CAUSE_SERVER_INVALID] = "server_invalid",
        [CAUSE_TOO_LARGE] = "too_large",
        [CAUSE_BAD_REQUEST] = "bad_request",
        [CAUSE_BREAKER_OPEN] = "breaker_open",
        [CAUSE_DEGRADED] = "degraded",
        [CAUSE_MAINTENANCE] = "maintenance",
        [CAUSE_OVERLOADED] = "overloaded",
        [CAUSE_UNRESOLVED] = "unresolved",
        [CAUSE_UNSUPPORTED] = "unsupported",
        [CAUSE_INTERNAL] = "internal",
    };

    return texts[cause];
}

const char *reject_reason_text(enum reject_reason reason)
{
    static const char *const texts[REJECT_COUNT] = {
        [REJECT_LISTENER_FULL] = "listener_full",
        [REJECT_IP_FULL] = "ip_full",
        [REJECT_PROCESS_FULL] = "process_full",
    };

    return texts[reason];
}

const char *priority_text(enum priority priority)
{
    static const char *const texts[PRIORITY_COUNT] = {
        [PRIORITY_NORMAL] = "normal",
        [PRIORITY_LOW] = "low",
        [PRIORITY_CRITICAL] = "critical",
    };

    return texts[priority];
}

const char *degrade_level_text(enum degrade_level level)
{
    static const char *const texts[DEGRADE_COUNT] = {
        [DEGRADE_FULL] = "full",
        [DEGRADE_REDUCED] = "reduced",
        [DEGRADE_CRITICAL] = "critical",
        [DEGRADE_MAINTENANCE] = "maintenance",
    };

    return texts[level];
}

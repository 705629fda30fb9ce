"""What each capability costs a request when it is on: instructions beside the plain path's."""
import http.client

from contenders import Weir
from counting import asks_nothing_special, instructions, subject_class

SERVERS = 4  # so that there is something to choose
OFF = "health: off"
BREAKER = "breakers: {standard: {failures: 5, window: 10s, open: 10s}}"
COOKIE = OFF + "\nsticky: {by: cookie, secure: false}"


def as_known_client(port):
    """With the cookie that a first request has brought."""
    first = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    first.request("GET", "/1k")
    cookie = first.getresponse().getheader("Set-Cookie").split(";")[0]
    first.close()
    return {"header": f"Cookie: {cookie}"}


# Those of CASES whose requests are not the plain ones.
ASKS = {
    "`sticky: cookie`, a known client": as_known_client,
    "`sticky: session_id`, a known session": lambda port: {"path": "/1k?sid=8a5b1f60"},
    "`load_header`, the same in each answer": lambda port: {"path": "/1k?load"},
}

# title -> what weir_config takes beside the plain configuration
CASES = {
    "nothing": {},
    "`weighted_round_robin`": {"balance": "weighted_round_robin"},
    "`least_connections`": {"balance": "least_connections"},
    "`least_response_time`": {"balance": "least_response_time"},
    "`prequal`": {"balance": "prequal"},
    "`random_two`": {"balance": "random_two"},
    "`ip_hash`": {"balance": "ip_hash"},
    "`consistent_hash` by path, bounded": {
        "balance": "{consistent_hash: {key: req.path, bound: 1.25}}"},
    "second tier": {"pool": OFF + "\ntiers: {panic_below: 50%}"},
    "passive health": {"pool": "health: {active: off, passive: {}}"},
    "a breaker for each server": {"pool": OFF + "\nbreaker: standard", "more": BREAKER},
    "a breaker for the route": {"route": "breaker: standard", "more": BREAKER},
    "`sticky: cookie`, always a new client": {"pool": COOKIE},
    "`sticky: cookie`, a known client": {"pool": COOKIE},
    "`sticky: session_id`, a known session": {
        "pool": OFF + "\nsticky: {by: session_id, query: sid}"},
    "`sticky: ip`": {"pool": OFF + "\nsticky: ip"},
    "a queue": {"pool": OFF + "\nqueue: {size: 100}"},
    "`hedge: p95`": {"pool": OFF + "\nhedge: p95"},
    "`adaptive_concurrency`": {"pool": OFF + "\nadaptive_concurrency: {enabled: true}"},
    "`load_header`, the same in each answer": {"pool": "health: {active: off, load_header: X-Load}"},
    "retries of statuses": {"route": "retries: {on_errors: [connect_error, 502, 503]}"},
    "a ladder of degradation": {
        "route": "degrade: levels",
        "more": "degrade: {levels: {pool: origin, full: {when: \"healthy >= 2\"}, "
                "reduced: {when: \"healthy >= 1\", drop: [low]}}}"},
}


def measure(shop, binary, repeats, say):
    """title -> instructions a request."""
    found = {}
    for slot, (title, changes) in enumerate(CASES.items()):
        kind = subject_class(Weir, binary, {"servers": SERVERS, **changes},
                             ASKS.get(title, asks_nothing_special))
        found[title] = min(instructions(shop, kind, slot, repeats))
        say(f"price {title:42} {found[title]:7.0f}")
    return found


def table(found):
    plain = found["nothing"]
    lines = ["### price: what a capability costs when it is on", "",
             f"User instructions of one keep-alive request, {SERVERS} servers, metrics and access log",
             "on ([request-cost.md](request-cost.md) says how they are counted), and what is more than",
             "without the capability. What is off costs nothing but a look or two.", "",
             "| on | instructions | more |", "| --- | --: | --: |"]
    for title, value in found.items():
        more = "–" if title == "nothing" else f"{value - plain:+.0f} ({100 * (value / plain - 1):+.1f} %)"
        lines.append(f"| {title} | {value:,.0f} | {more} |")
    return lines + [""]

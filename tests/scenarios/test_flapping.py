"""Servers that are neither well nor gone: they flap, hang, or fail faster than others work."""

import collections
import itertools
import re
import threading
import time

import pytest

import stage
from stage import Load, Weir, http_config, until

NO = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"


def checked(*servers, unhealthy_after=1, healthy_after=1, interval="100ms", **more):
    health = {"active": {"path": "/healthz", "interval": interval, "timeout": "900ms",
                         "unhealthy_after": unhealthy_after, "healthy_after": healthy_after,
                         "jitter": "0%"}}
    return http_config(*servers, pool={"health": health}, **more)


def all_up(weir):
    until(lambda: all(s["state"] == "up" for s in weir.servers().values()))


def moves(weir, address):
    return weir.metrics().get("weir_health_transitions_total", address=address) or 0


@pytest.mark.parametrize("pattern, moves_at_all", [
    ([503, 200], False), ([503, 503, 200], False), ([503] * 3 + [200] * 2, True)])
def test_checks_that_flap(four, pattern, moves_at_all):
    """Down after three in a row and up after two: what is less than that moves nothing."""
    flaps = four[0]
    turns = itertools.cycle(pattern)
    with Weir(checked(*four, unhealthy_after=3, healthy_after=2)) as w:
        all_up(w)
        before = moves(w, flaps.address)
        flaps.on("/healthz", lambda conn, seen: conn.answer(next(turns), b""))
        seen = len(flaps.checks)
        with Load(w.address(), clients=2) as load:
            until(lambda: len(flaps.checks) >= seen + 5 * len(pattern), 30)
            if moves_at_all:
                until(lambda: moves(w, flaps.address) - before >= 4)
        assert not load.failed, "a check that fails costs no request"
        if not moves_at_all:
            assert moves(w, flaps.address) == before and w.state(flaps.address) == "up"


def test_one_that_flaps_rests_longer_each_time_and_starts_slowly(four):
    """It answers checks well and fails as soon as it gets requests."""
    flaps = four[0]
    flaps.say("/c", NO)
    for o in four[1:]:
        o.on("/c", lambda conn, seen: conn.answer(200, b"x"))
    config = checked(*four, runtime={"workers": 1}, defaults={"retries": {"count": 0}})
    config["pools"]["main"]["slow_start"] = f"{stage.SLOW}s"
    config["pools"]["main"]["health"]["passive"] = {"failures": 3, "eject": f"{stage.SLOW}s"}
    rests = []

    def rest():
        """Of the next ejection: what the reason says; while it lasts nothing fails."""
        with weir.client() as c:     # so fast that the last one is not forgotten meanwhile
            until(lambda: [c.ask(target="/c") for _ in range(50)] and
                  weir.state(flaps.address) == "ejected", 20, 0)
        words = weir.servers()[flaps.address]["reason"]
        flaps.forget()
        assert {weir.ask(target="/c").status for _ in range(12)} == {200}
        assert not flaps.seen("/c")
        number, unit = re.fullmatch(r"([\d.]+)(m?s)", words.rpartition("rests for ")[2]).groups()
        return float(number) / (1000 if unit == "ms" else 1)

    with Weir(config) as weir:
        all_up(weir)
        for _ in range(3):
            rests.append(rest())
            until(lambda: weir.servers()[flaps.address].get("slow_start"), 20)
        assert stage.SLOW <= rests[0] < 1.2 * stage.SLOW and rests[2] > 1.8 * rests[0], rests
        flaps.on("/c", lambda conn, seen: conn.answer(200, b"x"))
        until(lambda: weir.state(flaps.address) == "up" and
              not weir.servers()[flaps.address].get("slow_start"), 20)
        flaps.forget()
        assert {weir.ask(target="/c").status for _ in range(40)} == {200}
        assert 8 <= len(flaps.seen("/c")) <= 12


def test_one_that_accepts_and_never_answers_is_found_by_requests_alone(four):
    """No check looks: the time-outs of a few requests eject it, and the others hear nothing."""
    hangs = four[0]
    config = http_config(*four, runtime={"workers": 1}, pool={"health": {
        "active": "off", "passive": {"failures": 2, "eject": "60s"}}},
        defaults={"timeouts": {"response": "400ms"}, "retries": {"count": 0}})
    with Weir(config) as w:
        w.ask()
        hangs.accepts = False
        for client in [c for c in list(hangs.conns)]:
            stage.reset(client.sock)
        got = collections.Counter(w.ask().status for _ in range(12))
        assert got[504] + got[502] <= 3 and got[200] >= 9, got
        w.wait_state(hangs.address, "ejected")
        assert {w.ask().status for _ in range(12)} == {200}


@pytest.mark.parametrize("balance", ["least_connections", "weighted_least_connections",
                                     "least_response_time", "prequal", "random_two"])
def test_a_black_hole_does_not_keep_what_it_attracts(four, balance):
    """It fails at once, and so has always the fewest connections and the best times."""
    hole, good = four[0], four[1:]
    hole.say("/c", NO)

    def work(conn, seen):
        time.sleep(0.02)
        return conn.answer(200, b"x")

    for o in good:
        o.on("/c", work)
    config = http_config(*four, runtime={"workers": 1}, defaults={"retries": {"count": 0}},
                         pool={"balance": balance, "health": {
                             "active": "off", "passive": {"failures": 5, "eject": "30s"}}})
    with Weir(config) as w, Load(w.address(), clients=8, target="/c", pause=0) as load:
        if "connections" in balance:        # the others see that it fails, and keep away
            w.wait_state(hole.address, "ejected")
        done = load.done
        until(lambda: load.done > done + 400, 40)
        assert len(load.failed) <= len(hole.seen("/c")) <= 5 + 2 * 8


@pytest.mark.parametrize("cap, rest", [("50%", 2), ("25%", 1), ("100%", 3), ("0%", 0)])
def test_never_more_than_the_cap_rests(four, cap, rest):
    for o in four:
        o.say("/c", NO)
    config = http_config(*four, runtime={"workers": 1}, defaults={"retries": {"count": 0}},
                         pool={"balance": "random", "health": {"active": "off", "passive": {
                             "failures": 2, "eject": "60s", "max_ejected": cap}}})
    with Weir(config) as w:
        def resting():
            for _ in range(20):
                w.ask(target="/c")
            return sum(s["state"] == "ejected" for s in w.servers().values())
        until(lambda: resting() == rest)
        for _ in range(3):
            assert resting() == rest
        if rest < 4:
            assert w.ask(target="/c").status == 500, "somebody is still asked"


def test_back_within_one_interval(four):
    """All are down: a page at once. One is well again: served after its next check."""
    config = checked(*four, interval="2s")
    with Weir(config) as w:
        all_up(w)
        for o in four:
            o.kill()
        until(lambda: {s["state"] for s in w.servers().values()} == {"down"}, 20)
        answer = w.ask()
        assert answer.status == 503 and answer["Weir-Cause"] == "no_server"
        four[2].restart()
        began = time.monotonic()
        until(lambda: w.ask().status == 200, 10, 0.02)
        assert time.monotonic() - began < 2 + 1.5 * stage.SLOW
        assert four[2].checks, "it was a check that let it in"


def test_servers_flap_under_load_and_whole_requests_are_lost_to_nobody(four):
    """One after the other dies and returns, with retries: idempotent requests all succeed."""
    config = checked(*four, defaults={"retries": {"count": 3, "budget": {"share": "100%"}}})
    with Weir(config) as w:
        all_up(w)
        stop = threading.Event()

        def weather():
            for o in itertools.cycle(four[:2]):
                if stop.is_set():
                    return
                o.kill()
                stop.wait(0.15)
                o.restart()
                stop.wait(0.25)

        thread = threading.Thread(target=weather)
        with Load(w.address(), clients=6) as load:
            thread.start()
            time.sleep(5)
            stop.set()
            thread.join()
        assert load.done > 100 and not load.failed, load.failed[:3]
        all_up(w)

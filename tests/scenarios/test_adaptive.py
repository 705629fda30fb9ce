"""Servers that are slow, that fail fast, that have just come: what each of them gets."""

import collections
import time

import pytest

from stage import Origin, Weir, http_config, until

FAST = {"interval": "200ms", "timeout": "1s", "healthy_after": 1, "unhealthy_after": 1}


def sleepy(seconds):
    def part(conn, seen):
        time.sleep(seconds)
        return conn.answer(200, b"")
    return part


def counts(weir, origins, seconds, target="/work"):
    """Asks one after the other for so long; how many requests each has seen."""
    end = time.monotonic() + seconds
    for o in origins:
        o.forget()
    with weir.client() as c:
        while time.monotonic() < end:
            c.ask(target=target)
    return collections.Counter({o.name: len(o.seen(target)) for o in origins})


both = pytest.mark.parametrize("balance", ["least_response_time", "prequal"])


@both
def test_the_slow_one_gets_little(balance):
    with Origin("a") as a, Origin("b") as b, Origin("slow") as slow:
        a.on("/work", sleepy(0.005))
        b.on("/work", sleepy(0.005))
        slow.on("/work", sleepy(0.1))
        config = http_config(a, b, slow, pool={"balance": balance},
                             runtime={"workers": 1})
        with Weir(config) as w:
            counts(w, [a, b, slow], 0.5)
            got = counts(w, [a, b, slow], 2)
            assert got["slow"] <= 0.05 * sum(got.values()), got


@both
def test_a_black_hole_that_fails_fast_attracts_nothing(balance):
    """It answers 503 at once, which is ten times as fast as the others work."""
    with Origin("a") as a, Origin("b") as b, Origin("hole") as hole:
        a.on("/work", sleepy(0.01))
        b.on("/work", sleepy(0.01))
        hole.on("/work", lambda conn, seen: conn.answer(503, b""))
        config = http_config(a, b, hole, pool={"balance": balance},
                             runtime={"workers": 1})
        with Weir(config) as w:
            counts(w, [a, b, hole], 0.5)
            got = counts(w, [a, b, hole], 3)
            assert got["hole"] <= 0.03 * sum(got.values()), got
            hole.on("/work", sleepy(0.005))
            until(lambda: counts(w, [a, b, hole], 1)["hole"] > 20, 25)


def warm_pool(*servers, window="2s"):
    return http_config(*servers, pool={"balance": "random", "slow_start": window,
                                       "health": {"active": FAST}})


def warm_server(weir, address):
    return weir.servers()[address].get("slow_start")


def test_slow_start_after_recovery():
    with Origin("a") as a, Origin("b") as b:
        with Weir(warm_pool(a, b, window="4s")) as w:
            until(lambda: w.state(b.address) == "up" and w.state(a.address) == "up")
            assert not warm_server(w, b.address), "nobody warms up when weir begins"
            b.kill()
            until(lambda: w.state(b.address) == "down")
            b.restart()
            until(lambda: warm_server(w, b.address))
            early = counts(w, [a, b], 1)
            assert early["b"] < 0.35 * sum(early.values()), early
            out = w.cli("status", "main").stdout
            assert "up (warm)" in out and "slow_start" in out and "of 4s" in out
            assert w.metrics().get("weir_server_weight_ratio", address=b.address) < 1
            until(lambda: not warm_server(w, b.address))
            late = counts(w, [a, b], 1)
            assert 0.4 < late["b"] / sum(late.values()) < 0.6, late
            assert w.metrics().get("weir_server_weight_ratio", address=b.address) == 1
            until(lambda: "server has warmed up" in w.stderr)


def test_slow_start_of_an_added_server():
    with Origin("a") as a, Origin("b") as b:
        with Weir(warm_pool(a, window="60s")) as w:
            until(lambda: w.state(a.address) == "up")
            w.reload(warm_pool(a, b, window="60s"))
            until(lambda: w.state(b.address) == "up")
            first = warm_server(w, b.address)
            assert first["window"] == 60 and first["share"] < 0.11
            assert not warm_server(w, a.address), "who was there stays as it was"
            w.reload(warm_pool(a, b, window="90s"))
            second = warm_server(w, b.address)
            assert second["window"] == 90 and second["elapsed"] >= first["elapsed"]
            w.reload(warm_pool(a, b, window="off"))
            until(lambda: not warm_server(w, b.address))


def test_alone_and_cold_it_gets_everything():
    with Origin("a") as a:
        with Weir(warm_pool(a, window="60s")) as w:
            until(lambda: w.state(a.address) == "up")
            a.kill()
            until(lambda: w.state(a.address) == "down")
            a.restart()
            until(lambda: warm_server(w, a.address))
            assert all(w.ask().status == 200 for _ in range(30))

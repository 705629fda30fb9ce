"""How traffic is shared out, seen from outside."""

import collections
import threading
import time

import pytest

import stage
from stage import Origin, Weir, http_config, until


@pytest.fixture(scope="module")
def three():
    made = [Origin(n) for n in "abc"]
    yield made
    for o in made:
        o.stop()


def shares(weir, count=120, **more):
    with weir.client() as c:
        return collections.Counter(c.ask(**more).json()["origin"] for _ in range(count))


def pool(three, weights=(1, 1, 1), **more):
    servers = [{"name": o.name, "address": o.address, "weight": w} for o, w in zip(three, weights)]
    return {"servers": servers, **more}


def test_round_robin(three):
    with Weir(http_config(pool=pool(three, balance="round_robin"))) as w:
        assert set(shares(w).values()) == {40}


def test_weighted_round_robin_is_exact_and_interleaved(three):
    with Weir(http_config(runtime={"workers": 1},
                          pool=pool(three, (3, 2, 1), balance="weighted_round_robin"))) as w:
        with w.client() as c:
            order = "".join(c.ask().json()["origin"] for _ in range(60))
        for start in range(0, 60, 6):
            assert collections.Counter(order[start:start + 6]) == {"a": 3, "b": 2, "c": 1}
        assert "aaa" not in order


def test_weighted_round_robin_in_sum_over_workers(three):
    with Weir(http_config(pool=pool(three, (3, 2, 1), balance="weighted_round_robin"))) as w:
        total = collections.Counter()
        for _ in range(120):
            total[w.ask().json()["origin"]] += 1
        assert abs(total["a"] - 60) <= 6 and abs(total["b"] - 40) <= 6 and abs(total["c"] - 20) <= 6


def test_default_is_weighted_round_robin(three):
    config = http_config(pool=pool(three, (2, 1, 1)))
    del config["pools"]["main"]["balance"]
    with Weir(config) as w:
        got = shares(w, 80)
        assert abs(got["a"] - 40) <= 4


@pytest.mark.parametrize("balance", ["random", "random_two"])
def test_random(three, balance):
    with Weir(http_config(pool=pool(three, balance=balance))) as w:
        got = shares(w, 300)
        assert all(60 <= got[n] <= 140 for n in "abc"), got


def test_random_heeds_weights(three):
    with Weir(http_config(pool=pool(three, (4, 1, 1), balance="random"))) as w:
        got = shares(w, 300)
        assert got["a"] > 150, got


@pytest.mark.parametrize("balance", ["least_connections", "weighted_least_connections"])
def test_least_connections_leaves_the_busy_one(three, balance):
    """One server holds requests for long: the others get the rest, over all workers."""
    with Weir(http_config(pool=pool(three, balance=balance))) as w:
        three[0].on("/slow", lambda conn, seen: time.sleep(0.5) or conn.answer(200, b"{}"))
        for o in three[1:]:
            o.on("/slow", lambda conn, seen: conn.answer(200, b"{}"))
        for o in three:
            o.forget()
        held = [w.client() for _ in range(12)]
        for c in held:
            c.send(stage.request_bytes("GET", "/slow"))
            time.sleep(0.01)
        for c in held:
            assert c.response().status == 200
            c.close()
        assert len(three[0].seen("/slow")) <= 4, "not a third of each wave"


def test_weighted_least_connections(three):
    def hold(conn, seen):
        time.sleep(0.8)
        return conn.answer(200, b"")
    for o in three:
        o.forget()
        o.on("/hold", hold)
    with Weir(http_config(pool=pool(three, (4, 1, 1), balance="weighted_least_connections"))) as w:
        held = [w.client() for _ in range(12)]
        for c in held:
            c.send(stage.request_bytes("GET", "/hold"))
            time.sleep(0.01)
        for c in held:
            c.response()
            c.close()
        counts = [len(o.seen("/hold")) for o in three]
        assert 7 <= counts[0] <= 9 and counts[1] >= 1 and counts[2] >= 1, counts


def test_backup_serves_only_when_the_others_are_gone():
    with Origin("a") as a, Origin("spare") as spare:
        servers = [a.address, {"name": "spare", "address": spare.address, "backup": True}]
        health = {"active": {"interval": "200ms", "timeout": "1s", "healthy_after": 1}}
        with Weir(http_config(pool={"servers": servers, "health": health})) as w:
            assert set(shares(w, 20)) == {"a"}
            a.kill()
            until(lambda: w.state(a.address) == "down")
            assert set(shares(w, 20)) == {"spare"}
            a.restart()
            until(lambda: w.state(a.address) == "up")
            assert set(shares(w, 20)) == {"a"}


def test_max_connections_of_a_server():
    peak = collections.Counter()
    lock = threading.Lock()

    def hold(conn, seen):
        name = conn.origin.name
        with lock:
            peak[name, "now"] += 1
            peak[name] = max(peak[name], peak[name, "now"])
        time.sleep(0.4)
        with lock:
            peak[name, "now"] -= 1
        return conn.answer(200, b"")

    with Origin("a") as a, Origin("b") as b:
        a.on("/hold", hold)
        b.on("/hold", hold)
        servers = [{"address": a.address, "max_connections": 2}, b.address]
        with Weir(http_config(pool={"servers": servers})) as w:
            held = [w.client() for _ in range(12)]
            for c in held:
                c.send(stage.request_bytes("GET", "/hold"))
            statuses = [c.response().status for c in held]
            for c in held:
                c.close()
        assert statuses == [200] * 12, "the other server takes what is over"
        assert peak["a"] <= 2 and peak["b"] >= 6


def test_all_servers_full_is_503():
    with Origin("a") as a:
        a.on("/hold", lambda conn, seen: time.sleep(0.5) or conn.answer(200, b""))
        servers = [{"address": a.address, "max_connections": 1}]
        with Weir(http_config(pool={"servers": servers})) as w:
            first = w.client()
            first.send(stage.request_bytes("GET", "/hold"))
            until(lambda: a.seen("/hold"))
            answer = w.ask()
            assert answer.status == 503 and answer["Weir-Cause"] in ("no_server", "overloaded")
            assert first.response().status == 200
            first.close()
            until(lambda: w.ask().status == 200)  # the place is free again, a moment later


def test_weight_zero_gets_nothing(three):
    with Weir(http_config(pool=pool(three, (1, 0, 1)))) as w:
        assert set(shares(w, 40)) == {"a", "c"}


def test_keepalive_limits(three):
    keepalive = {"connections": 4, "idle": "500ms", "max_requests": 5}
    o = three[0]
    with Weir(http_config(o, pool={"keepalive": keepalive})) as w:
        with w.client() as c:
            conns = [c.ask().json()["conn"] for _ in range(20)]
        assert max(collections.Counter(conns).values()) <= 5, "max_requests"
        until(lambda: o.open == 0, 5)   # idle ones are closed

"""A second server beside one that takes long."""

import collections
import time

from stage import Load, Origin, Weir, http_config, until


def sleepy(seconds):
    def part(conn, seen):
        seen.read_body()
        time.sleep(seconds)
        return conn.answer(200, b"")
    return part


def times(weir, count, method="GET"):
    took = []
    with weir.client() as c:
        for _ in range(count):
            began = time.monotonic()
            assert c.ask(method, "/work").status == 200
            took.append(time.monotonic() - began)
    return sorted(took)


def hedges(weir):
    metrics = weir.metrics()
    return collections.Counter({r: metrics.get("weir_pool_hedges_total", pool="main", result=r)
                                for r in ("won", "lost", "failed")})


def sometimes(seconds, every):
    """Slow once in so many requests: the tail that hedging is for."""
    asked = [0]

    def part(conn, seen):
        asked[0] += 1
        time.sleep(seconds if asked[0] % every == 0 else 0.002)
        return conn.answer(200, b"")
    return part


def test_the_tail_falls_for_a_twentieth_more():
    """One of four is slow once in ten requests: two and a half of a hundred."""
    with Origin("a") as a, Origin("b") as b, Origin("c") as c, Origin("slow") as slow:
        for o in (a, b, c):
            o.on("/work", sleepy(0.002))
        slow.on("/work", sometimes(0.5, 10))
        config = http_config(a, b, c, slow, runtime={"workers": 1})
        with Weir(config) as w:
            plain = times(w, 200)
        config["pools"]["main"]["hedge"] = "p95"
        for o in (a, b, c, slow):
            o.forget()
        with Weir(config) as w:
            times(w, 200)
            time.sleep(1.1)
            hedged = times(w, 200)
            sent = hedges(w)
            asked = sum(len(o.seen("/work")) for o in (a, b, c, slow))
            assert plain[-2] >= 0.5 > 0.25 > hedged[-2], (plain[-5:], hedged[-5:], sent)
            assert sent["won"] > 0 and asked <= 400 * 1.05, (sent, asked)
            assert w.wait_log(path="/work", hedged="won")


def test_what_is_not_idempotent_is_never_hedged():
    with Origin("a") as a, Origin("b") as b:
        for o in (a, b):
            o.on("/work", sleepy(0.05))
        config = http_config(a, b, pool={"hedge": {"after": "5ms", "max_share": "100%"}})
        with Weir(config) as w:
            times(w, 10, "POST")
            assert len(a.seen("/work")) + len(b.seen("/work")) == 10
            assert sum(hedges(w).values()) == 0
            times(w, 10)
            assert sum(hedges(w).values()) == 10


def test_nobody_else_nobody_twice():
    with Origin("a") as a:
        a.on("/work", sleepy(0.05))
        config = http_config(a, pool={"hedge": {"after": "5ms", "max_share": "100%"}})
        with Weir(config) as w:
            times(w, 5)
            assert len(a.seen("/work")) == 5 and sum(hedges(w).values()) == 0


def test_two_servers_come_and_go_under_hedges():
    """Killed and restarted while every request is hedged: nothing is lost or left."""
    with Origin("a") as a, Origin("b") as b, Origin("c") as c:
        for o in (a, b, c):
            o.on("/work", sleepy(0.01))
        config = http_config(a, b, c, pool={"hedge": {"after": "2ms", "max_share": "100%"}})
        with Weir(config) as w:
            with Load(w.address(), clients=4, target="/work") as load:
                until(lambda: load.done > 50)
                b.kill()
                time.sleep(0.5)
                b.restart()
                time.sleep(0.5)
            assert load.failed == []
            until(lambda: all(p["in_flight"] == 0 for p in w.status()["pools"]))


def test_a_route_says_otherwise():
    """Of one pool: by the pool's word, by the route's own, and not at all."""
    with Origin("a") as a, Origin("b") as b:
        for o in (a, b):
            for path in ("/pool", "/own", "/off"):
                o.on(path, sleepy(0.05))
        every = {"after": "5ms", "max_share": "100%"}
        config = http_config(a, b, pool={"hedge": {"after": "30s"}})
        config["routes"] = [{"name": "own", "match": {"path": "/own"}, "to": "main", "hedge": every},
                            {"name": "off", "match": {"path": "/off"}, "to": "main", "hedge": "off"},
                            {"name": "pool", "to": "main"}]
        with Weir(config) as w:
            def asked(path, count=4):
                for _ in range(count):
                    assert w.ask(target=path).status == 200
                return len(a.seen(path)) + len(b.seen(path))
            assert (asked("/own"), asked("/off"), asked("/pool")) == (8, 4, 4)
            assert w.wait_log(path="/own")["hedged"] in ("won", "lost")
            assert "hedged" not in w.wait_log(path="/off")
            config["pools"]["main"]["hedge"] = every
            config["routes"][0]["hedge"] = "30s"
            w.write(config)
            w.reload()
            for o in (a, b):
                o.forget()
            assert (asked("/own"), asked("/off"), asked("/pool")) == (4, 4, 8)


def test_a_route_learns_its_own_times():
    """A route that is always slow beside one that is fast: to itself it is not late."""
    with Origin("a") as a, Origin("b") as b:
        for o in (a, b):
            o.on("/fast", sleepy(0))
            o.on("/slow", sleepy(0.02))
        config = http_config(a, b, runtime={"workers": 1},
                             pool={"hedge": {"after": "p50", "max_share": "100%"}})
        config["routes"] = [{"name": "slow", "match": {"path": "/slow"}, "to": "main",
                             "hedge": {"after": "p99", "max_share": "100%"}},
                            {"name": "fast", "to": "main"}]
        with Weir(config) as w, w.client() as c:
            for path in ("/fast", "/slow"):
                for _ in range(150):
                    assert c.ask("GET", path).status == 200
            time.sleep(1.1)
            for o in (a, b):
                o.forget()
            for _ in range(50):
                assert c.ask("GET", "/slow").status == 200
            extra = len(a.seen("/slow")) + len(b.seen("/slow")) - 50
            assert extra < 25, f"by the pool's times each of 50 would be late, {extra} were"

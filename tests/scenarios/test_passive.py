"""Passive health: servers whose answers to requests are bad rest for a while."""

import threading
import time

from stage import Weir, http_config, tcp_config, until


def config(*servers, passive=None, **more):
    """One worker: turns of several are right in sum only, and these plays count."""
    return http_config(
        *servers, pool={"health": {"active": "off", "passive": {
            "failures": 5, "eject": "1s", **(passive or {})}}},
        **{"defaults": {"retries": {"count": 0}}, "runtime": {"workers": 1}, **more})


def states(weir):
    return {a: s["state"] for a, s in weir.servers().items()}


def ask(weir, count, target="/c"):
    return [weir.ask(target=target).status for _ in range(count)]


def test_failures_in_a_row(four):
    bad = four[0]
    bad.say("/c", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    for o in four[1:]:
        o.on("/c", lambda conn, seen: conn.answer(200, b"ok"))
    with Weir(config(*four)) as w:
        assert ask(w, 20).count(503) == 5
        w.wait_state(bad.address, "ejected", within=2)
        server = w.servers()[bad.address]
        assert server["reason"] == "5 failures in a row, the last: HTTP 503; rests for 1s"
        assert 0 < server["returns_in"] <= 1.1
        assert "ejected" in w.cli("status", "main").stdout
        assert ask(w, 20) == [200] * 20
        assert w.metrics().get("weir_health_transitions_total", to="ejected",
                               address=bad.address) == 1
        w.wait_state(bad.address, "up", within=4)
        assert ask(w, 40).count(503) >= 5      # and again, for longer
        w.wait_state(bad.address, "ejected", within=2)
        assert w.servers()[bad.address]["reason"].endswith("rests for 2s")
        bad.on("/c", lambda conn, seen: conn.answer(200, b"ok"))
        w.wait_state(bad.address, "up", within=6)
        bad.forget()
        assert ask(w, 20) == [200] * 20
        assert len(bad.seen("/c")) >= 3, "it has its share again"
        until(lambda: "server changed its state" in w.stderr)


def test_one_good_answer_begins_the_row_anew(four):
    o = four[0]
    with Weir(config(*four[:2])) as w:
        for _ in range(4):
            ask(w, 8, "/status/503")
            ask(w, 4, "/echo")
        assert set(states(w).values()) == {"up"}
        assert o.seen("/status/503")


def test_never_more_than_half(four):
    with Weir(config(*four)) as w:
        ask(w, 60, "/status/503")
        time.sleep(0.5)
        assert sorted(states(w).values()) == ["ejected", "ejected", "up", "up"]


def test_a_single_server_is_never_ejected(four):
    with Weir(config(four[0])) as w:
        assert ask(w, 30, "/status/503") == [503] * 30
        time.sleep(0.3)
        assert states(w) == {four[0].address: "up"}


def test_refused_connections(four):
    four[0].kill()
    with Weir(config(*four)) as w:
        ask(w, 24, "/echo")
        w.wait_state(four[0].address, "ejected", within=2)
        assert "connect refused" in w.servers()[four[0].address]["reason"]


def test_the_last_usable_one_comes_back(four):
    """One is ejected; then the checks of the other fail: the ejected one is better than none."""
    ill, dies = four[:2]
    ill.say("/c", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    c = config(ill, dies, passive={"eject": "60s"})
    c["pools"]["main"]["health"]["active"] = {
        "path": "/healthz", "interval": "100ms", "timeout": "100ms",
        "unhealthy_after": 1, "healthy_after": 1}
    with Weir(c) as w:
        w.wait_state(ill.address, "up")
        ask(w, 12)
        w.wait_state(ill.address, "ejected", within=2)
        dies.kill()
        w.wait_state(dies.address, "down")
        w.wait_state(ill.address, "up")
        assert w.ask(target="/echo").status == 200


def test_a_failed_check_makes_an_ejected_one_down(four):
    ill = four[0]
    ill.say("/c", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    c = config(*four, passive={"eject": "60s"})
    c["pools"]["main"]["health"]["active"] = {
        "path": "/healthz", "interval": "100ms", "timeout": "100ms",
        "unhealthy_after": 1, "healthy_after": 1}
    with Weir(c) as w:
        w.wait_state(ill.address, "up")
        ask(w, 24)
        w.wait_state(ill.address, "ejected", within=2)
        ill.kill()
        w.wait_state(ill.address, "down")
        ill.restart()
        w.wait_state(ill.address, "ejected")


def test_share_of_failures(four):
    bad = four[0]
    number = iter(range(10 ** 9))

    def part(conn, seen):
        return conn.answer(500 if next(number) % 4 else 200, b"x")

    bad.on("/c", part)
    with Weir(config(*four, passive={"failures": 1000, "error_rate": "50%", "samples": 10,
                                     "eject": "30s"})) as w:
        until(lambda: ask(w, 20) and states(w)[bad.address] == "ejected", 10)
        assert "requests failed within 10s" in w.servers()[bad.address]["reason"]
        assert sorted(states(w).values()) == ["ejected", "up", "up", "up"]


def test_share_of_failures_of_connections(four):
    """Behind a tcp listener those that came to stand count beside those that did not."""
    bad, good = four[:2]
    passive = {"failures": 1000, "error_rate": "50%", "samples": 10, "within": "1m",
               "eject": "30s"}

    def connect(w, count):
        for _ in range(count):
            with w.client() as c:
                c.send(b"GET /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert c.reader.exactly(12) == b"HTTP/1.1 200"

    for o in (bad, good):
        o.on("/c", lambda conn, seen: conn.answer(200, b"ok"))
    with Weir(tcp_config(bad, good, runtime={"workers": 1}, pool={
            "balance": "round_robin",
            "health": {"active": "off", "passive": passive}})) as w:
        time.sleep(1.5)          # what was before the first look does not count
        connect(w, 100)
        bad.kill()
        connect(w, 20)
        for _ in range(25):      # longer than it takes to look twice
            assert states(w)[bad.address] == "up", "20 of 70 at most is less than half"
            time.sleep(0.1)
        connect(w, 100)
        w.wait_state(bad.address, "ejected", within=5)
        assert "failed within 1m" in w.servers()[bad.address]["reason"]


def test_a_slow_one_of_four_is_ejected_and_comes_back(four):
    slow = four[0]
    late = [0.15]

    def part(conn, seen):
        time.sleep(late[0] if conn.origin is slow else 0.002)
        return conn.answer(200, b"x")

    for o in four:
        o.on("/c", part)
    with Weir(config(*four, passive={"latency": 3, "samples": 5, "eject": "2s"})) as w:
        def load():
            threads = [threading.Thread(target=ask, args=(w, 10)) for _ in range(4)]
            for t in threads:
                t.start()
            for t in threads:
                t.join(30)

        until(lambda: load() or states(w)[slow.address] == "ejected", 15)
        assert "its fellows let it have" in w.servers()[slow.address]["reason"]
        late[0] = 0.002
        w.wait_state(slow.address, "up", within=6)
        slow.forget()
        load()
        assert len(slow.seen("/c")) >= 5
        assert set(states(w).values()) == {"up"}


def test_a_reload_keeps_it_and_may_end_it(four):
    bad = four[0]
    bad.say("/c", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    c = config(*four, passive={"eject": "60s"})
    with Weir(c) as w:
        ask(w, 24)
        w.wait_state(bad.address, "ejected", within=2)
        w.reload()
        assert states(w)[bad.address] == "ejected"
        c["pools"]["main"]["health"]["passive"] = "off"
        w.reload(c)
        w.wait_state(bad.address, "up", within=3)

"""Circuit breakers: of each server of a pool, and of a route."""

import threading
import time

import pytest

import stage
from origin import WEBSOCKET
from stage import Origin, TcpOrigin, Weir, http_config, tcp_config, until


BREAKER = {"failures": 5, "window": "10s", "open": "1s"}


def config(*servers, breaker=None, pool=None, **more):
    """Every server has a breaker; nothing is tried twice, so that each request counts once."""
    return http_config(
        *servers, pool={"breaker": "standard", **(pool or {})},
        breakers={"standard": {**BREAKER, **(breaker or {})}},
        defaults={"retries": {"count": 0}}, **more)


def breaker(weir, address, pool="main"):
    return weir.servers(pool)[address]["breaker"]


def route_breaker(weir, name="all"):
    return next(r for r in weir.status()["routes"] if r["name"] == name)["breaker"]


def statuses(weir, count, target="/status/503"):
    return [weir.ask(target=target).status for _ in range(count)]


class Well:
    """A part that answers 503 until it is well, and counts who is there at once."""

    def __init__(self, takes=0):
        self.is_well = False
        self.takes = takes
        self.now = self.most = self.all = 0
        self.lock = threading.Lock()

    def __call__(self, conn, seen):
        with self.lock:
            self.now += 1
            self.all += 1
            self.most = max(self.most, self.now)
        time.sleep(self.takes)
        with self.lock:
            self.now -= 1
        return conn.answer(200 if self.is_well else 503, b"well?\n")


# ---- one server after the other ----

def test_from_closed_to_open_to_half_open_to_closed(fresh):
    part = Well()
    fresh.on("/c", part)
    with Weir(config(fresh)) as w:
        assert breaker(w, fresh.address) == {"state": "closed"}
        assert statuses(w, 5, "/c") == [503] * 5
        until(lambda: breaker(w, fresh.address).get("reason"))
        state = breaker(w, fresh.address)
        assert state["state"] == "open"
        assert state["reason"] == "5 failures in 10s, the last: HTTP 503"
        assert 0 < state["tries_in"] <= 1
        answer = w.ask(target="/c")
        assert answer.status == 503 and answer["Weir-Cause"] == "breaker_open"
        assert answer["Retry-After"] == "1"
        assert b"circuit breakers are open" in answer.body
        assert part.all == 5, "while it is open nobody asks the server"
        assert w.wait_log(cause="breaker_open")["status"] == 503
        time.sleep(1.05)
        assert w.ask(target="/c").status == 503     # the probe, which fails
        assert part.all == 6
        assert w.ask(target="/c")["Weir-Cause"] == "breaker_open"
        assert part.all == 6
        until(lambda: breaker(w, fresh.address)["reason"] == "the probe failed: HTTP 503")
        part.is_well = True
        time.sleep(1.05)
        assert statuses(w, 3, "/c") == [200] * 3
        until(lambda: breaker(w, fresh.address)["reason"] == "1 probe went well")
        assert breaker(w, fresh.address)["state"] == "closed"
        m = w.metrics()
        labels = {"pool": "main", "address": fresh.address}
        moves = [m.get("weir_breaker_transitions_total", to=to, **labels)
                 for to in ("closed", "half_open", "open")]
        assert moves == [1, 2, 2]
        assert m.get("weir_breaker_state", state="closed", **labels) == 1
        assert m.get("weir_breaker_rejected_total", pool="main") == 2
        until(lambda: w.stderr.count("circuit breaker of a server changed its state") == 5)


def test_an_open_one_is_not_chosen():
    with Origin("good") as good, Origin("bad") as bad:
        part = Well()
        bad.on("/c", part)
        with Weir(config(good, bad, runtime={"workers": 1})) as w:
            got = statuses(w, 10, "/c")
            assert got.count(503) == 5
            assert statuses(w, 20, "/c") == [200] * 20
            assert part.all == 5
            time.sleep(1.05)
            assert statuses(w, 20, "/c").count(503) == 1   # one request pays for the look
            part.is_well = True
            time.sleep(1.05)
            assert statuses(w, 40, "/c") == [200] * 40
            assert part.all > 20, "it has its share again"


def test_statuses_that_are_no_failure(fresh):
    with Weir(config(fresh)) as w:
        for status in (501, 505, 404, 429):
            assert statuses(w, 8, f"/status/{status}") == [status] * 8
        assert breaker(w, fresh.address) == {"state": "closed"}
        for status in (500, 502, 503, 504):
            w.ask(target=f"/status/{status}")
        assert breaker(w, fresh.address) == {"state": "closed"}
        w.ask(target="/status/500")
        assert breaker(w, fresh.address)["state"] == "open"


@pytest.mark.parametrize("target, last", [
    ("/close", "closed"), ("/reset", "closed"), ("/garbage", "invalid"), ("/hang", "timeout")])
def test_what_else_is_a_failure(fresh, target, last):
    c = config(fresh, breaker={"failures": 2})
    c["defaults"]["timeouts"] = {"response": "100ms"}
    with Weir(c) as w:
        got = statuses(w, 3, target)
        assert got[2] == 503 and 503 not in got[:2]
        until(lambda: breaker(w, fresh.address).get("reason")
              == f"2 failures in 10s, the last: {last}")


def test_refused_connections_and_the_way_back():
    with Origin() as o:
        with Weir(config(o)) as w:
            assert w.ask().status == 200
            o.kill()
            assert [w.ask()["Weir-Cause"] for _ in range(6)] == \
                ["connect_refused"] * 5 + ["breaker_open"]
            o.restart()
            time.sleep(1.05)
            assert statuses(w, 5, "/echo") == [200] * 5


def test_a_body_that_breaks_off_counts(fresh):
    fresh.say("/c", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", stage.CLOSE)
    with Weir(config(fresh)) as w:
        for _ in range(5):
            with pytest.raises((EOFError, stage.Cut)):
                w.ask(target="/c")
        assert w.ask(target="/c")["Weir-Cause"] == "breaker_open"


def test_clients_that_leave_say_nothing(fresh):
    with Weir(config(fresh, breaker={"failures": 1})) as w:
        for _ in range(5):
            with w.client() as c:
                c.send(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
                until(lambda: fresh.seen("/hang"))
                fresh.forget()
        until(lambda: len(w.log(cause="client_closed")) == 5)
        assert breaker(w, fresh.address) == {"state": "closed"}


# ---- half open ----

@pytest.mark.parametrize("half_open", [1, 3])
def test_a_flood_meets_a_half_open_server(fresh, half_open):
    """A hundred clients at once: never more than `half_open` of them reach the server."""
    part = Well(takes=0.1)
    fresh.on("/c", part)
    rules = {"half_open": half_open, "close_after": 1000, "open": "500ms"}
    with Weir(config(fresh, breaker=rules)) as w:
        statuses(w, 5, "/c")
        part.is_well = True
        part.most = part.all = 0
        time.sleep(0.6)
        got = []

        def ask():
            got.append(w.ask(target="/c"))

        threads = [threading.Thread(target=ask) for _ in range(100)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(30)
        assert len(got) == 100
        well = [a for a in got if a.status == 200]
        assert 1 <= part.most <= half_open
        assert len(well) == part.all >= half_open
        assert {a["Weir-Cause"] for a in got if a.status != 200} == {"breaker_open"}


def test_probes_draw_on_the_retry_budget():
    """Four servers half open at once: beside a healthy one they share the budget."""
    with Origin("good") as good:
        bad = [Origin(f"bad{i}") for i in range(4)]
        part = Well(takes=0.3)
        for o in bad:
            o.on("/c", part)
        good.on("/c", lambda conn, seen: conn.answer(200, b"well\n"))
        c = config(good, *bad, breaker={"failures": 1, "open": "2s"})
        c["defaults"]["retries"] = {"count": 0, "budget": {"share": "10%", "floor": 1}}
        try:
            with Weir(c) as w:
                until(lambda: w.ask(target="/c") and part.all == 4)
                assert all(breaker(w, o.address)["state"] == "open" for o in bad)
                part.is_well = True
                part.most = 0
                time.sleep(2.1)
                answers = []
                threads = [threading.Thread(
                    target=lambda: answers.append(w.ask(target="/c").status))
                    for _ in range(8)]
                for t in threads:
                    t.start()
                for t in threads:
                    t.join(30)
                assert answers == [200] * 8
                assert part.most == 1
        finally:
            for o in bad:
                o.stop()


def test_the_only_server_is_tried_without_budget(fresh):
    part = Well()
    fresh.on("/c", part)
    c = config(fresh, breaker={"failures": 1, "open": "300ms"})
    c["defaults"]["retries"] = {"count": 0, "budget": {"share": "0%", "floor": 0}}
    with Weir(c) as w:
        assert w.ask(target="/c").status == 503
        part.is_well = True
        time.sleep(0.4)
        assert w.ask(target="/c").status == 200


# ---- routes ----

def test_the_breaker_of_a_route(fresh):
    part = Well()
    fresh.on("/c", part)
    c = http_config(fresh, breakers={"standard": BREAKER}, routes=[
        {"name": "ill", "match": {"path": "/c"}, "to": "main", "breaker": "standard"},
        {"name": "rest", "to": "main"}])
    with Weir(c) as w:
        assert route_breaker(w, "ill") == {"state": "closed"}
        assert statuses(w, 5, "/c") == [503] * 5
        answer = w.ask(target="/c")
        assert (answer.status, answer["Weir-Cause"], answer["Retry-After"]) == \
            (503, "breaker_open", "1")
        assert b"route's circuit breaker is open" in answer.body
        assert part.all == 5
        assert w.ask(target="/other").status == 200, "another route to the same server"
        assert route_breaker(w, "ill")["state"] == "open"
        part.is_well = True
        time.sleep(1.05)
        assert statuses(w, 3, "/c") == [200] * 3
        m = w.metrics()
        assert m.get("weir_breaker_state", route="ill", state="closed") == 1
        assert m.get("weir_breaker_rejected_total", route="ill") == 1
        until(lambda: "circuit breaker of a route changed its state" in w.stderr)


def test_a_retry_that_succeeds_is_no_failure_of_the_route():
    with Origin("good") as good, Origin("bad") as bad:
        bad.kill()
        c = http_config(good, bad, breakers={"standard": {**BREAKER, "failures": 1}},
                        routes=[{"name": "all", "to": "main", "breaker": "standard"}])
        with Weir(c) as w:
            assert statuses(w, 20, "/echo") == [200] * 20
            assert route_breaker(w) == {"state": "closed"}


def test_a_tunnel_is_a_good_answer(fresh):
    c = config(fresh, breaker={"failures": 1, "open": "300ms"})
    c["routes"][0]["breaker"] = "standard"
    with Weir(c) as w:
        assert w.ask(target="/status/503").status == 503
        time.sleep(0.4)
        with w.client() as client:
            answer = client.ask(target="/ws", fields=WEBSOCKET)
            assert answer.status == 101
            assert breaker(w, fresh.address)["state"] == "closed"
            assert route_breaker(w)["state"] == "closed"
            client.send(b"still here")
            assert client.reader.exactly(10) == b"still here"


# ---- tcp ----

def test_tcp():
    with TcpOrigin() as o:
        c = tcp_config(o, pool={"breaker": "standard"},
                       breakers={"standard": {"failures": 2, "open": "500ms"}})
        with Weir(c) as w:
            with w.client() as client:
                client.send(b"hello")
                assert client.reader.exactly(5) == b"hello"
            o.stop()
            for _ in range(2):
                with w.client() as client:
                    client.closed()
            until(lambda: breaker(w, o.address)["state"] == "open")
            with w.client() as client:
                client.closed()
            assert w.wait_log(cause="breaker_open")
            assert w.metrics().get("weir_breaker_rejected_total", pool="main") == 1


# ---- reload ----

def test_a_reload_forgets_nothing(fresh):
    part = Well()
    fresh.on("/c", part)
    c = config(fresh, breaker={"open": "30s"})
    with Weir(c) as w:
        statuses(w, 5, "/c")
        assert breaker(w, fresh.address)["state"] == "open"
        w.reload()
        c["breakers"]["standard"]["failures"] = 7
        w.reload(c)
        state = breaker(w, fresh.address)
        assert state["state"] == "open" and 20 < state["tries_in"] <= 30
        assert w.ask(target="/c")["Weir-Cause"] == "breaker_open"
        assert part.all == 5


def test_a_reload_that_takes_the_breaker_away(fresh):
    part = Well()
    fresh.on("/c", part)
    c = config(fresh, breaker={"open": "30s"})
    with Weir(c) as w:
        statuses(w, 5, "/c")
        part.is_well = True
        assert w.ask(target="/c").status == 503
        del c["pools"]["main"]["breaker"]
        w.reload(c)
        assert w.ask(target="/c").status == 200
        assert "breaker" not in w.servers()[fresh.address]
        c["pools"]["main"]["breaker"] = "standard"
        w.reload(c)
        assert breaker(w, fresh.address) == {"state": "closed"}
        assert w.ask(target="/c").status == 200


def test_new_settings_hold_at_once(fresh):
    c = config(fresh, breaker={"failures": 1000})
    with Weir(c) as w:
        statuses(w, 8)
        assert breaker(w, fresh.address)["state"] == "closed"
        c["breakers"]["standard"]["failures"] = 9
        w.reload(c)
        assert w.ask(target="/status/503").status == 503     # the ninth within the window
        assert breaker(w, fresh.address)["state"] == "open"


# ---- by hand ----

def test_held_open_and_closed_by_hand(fresh):
    with Weir(config(fresh, breaker={"open": "100ms"})) as w:
        whose = f"main/{fresh.address}"
        done = w.cli("breaker", whose, "open")
        assert done.returncode == 0 and "held open" in done.stdout
        time.sleep(0.3)
        answer = w.ask()
        assert answer.status == 503 and answer["Weir-Cause"] == "breaker_open"
        state = breaker(w, fresh.address)
        assert (state["state"], state["by_hand"], state["reason"]) == \
            ("open", True, "held open by hand")
        assert "breaker open" in w.cli("status", "main").stdout
        w.reload()
        assert w.ask().status == 503, "a reload does not undo it"
        w.cli("breaker", whose, "close")
        assert statuses(w, 20) == [503] * 20
        assert breaker(w, fresh.address)["state"] == "closed"
        w.cli("breaker", whose, "reset")
        assert w.ask().status == 200
        assert statuses(w, 6)[-1] == 503
        until(lambda: "held open by hand" in w.stderr and "reset by hand" in w.stderr)


def test_by_hand_what_is_not_there(fresh):
    c = config(fresh)
    c["pools"]["plain"] = {"servers": [fresh.address]}
    c["routes"] = [{"name": "plain", "match": {"path": "/x"}, "to": "plain"},
                   {"name": "all", "to": "main", "breaker": "standard"}]
    with Weir(c) as w:
        for args, status, words in [
                (("ap/x", "open"), 1, "there is no pool 'ap'"),
                (("main/x", "open"), 1, "that pool has no server 'x'"),
                ((f"plain/{fresh.address}", "open"), 1, "pool 'plain' has no breaker"),
                (("route:plain", "open"), 1, "route 'plain' has no breaker"),
                (("route:x", "open"), 1, "there is no route 'x'"),
                (("main", "open"), 2, "whose breaker?"),
                (("main/x", "shut"), 2, "open, close or reset")]:
            done = w.cli("breaker", *args)
            assert done.returncode == status and words in done.stderr
        assert w.cli("breaker", "route:all", "open").returncode == 0
        assert w.ask()["Weir-Cause"] == "breaker_open"
        assert w.ask(target="/x").status == 200
        assert w.cli("breaker", "route:all", "reset").returncode == 0
        assert w.ask().status == 200

"""Requests that wait for a place when all servers are at their caps."""

import signal
import threading
import time

import pytest

from client import RawClient
from stage import CLOSE, Origin, TcpOrigin, Weir, http_config, tcp_config, until


class Part:
    """Answers after a while, or when it is told to; keeps who was there at once and in which order."""

    def __init__(self, takes=None):
        self.takes = takes
        self.gate = threading.Semaphore(0)
        self.now = self.most = 0
        self.order = []
        self.lock = threading.Lock()

    def __call__(self, conn, seen):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.order.append(seen.target)
        if self.takes is None:
            self.gate.acquire(timeout=20)
        else:
            time.sleep(self.takes)
        with self.lock:
            self.now -= 1
        return conn.answer(200, b"served\n")

    def let(self, count=1):
        for _ in range(count):
            self.gate.release()


class Ask(threading.Thread):
    """One request in a thread of its own."""

    def __init__(self, weir, target="/q", source=None, fields=()):
        super().__init__(daemon=True)
        self.weir, self.target, self.source, self.fields = weir, target, source, fields
        self.answer = self.error = None
        self.start()

    def run(self):
        began = time.monotonic()
        try:
            with RawClient(self.weir.address(), source=self.source, timeout=30) as c:
                self.answer = c.ask(target=self.target, fields=self.fields)
        except Exception as e:                          # noqa: BLE001
            self.error = e
        self.took = time.monotonic() - began

    def wait(self):
        self.join(30)
        assert self.answer is not None, f"{self.target}: {self.error!r}"
        return self.answer

    @property
    def cause(self):
        return self.wait()["Weir-Cause"]


def config(*servers, cap=1, queue=None, workers=1, pool=None, **more):
    listed = [{"address": s.address, "max_connections": cap} for s in servers]
    return http_config(pool={"servers": listed, "queue": {"timeout": "60s", **(queue or {})},
                             **(pool or {})},
                       runtime={"workers": workers}, **more)


def queue(weir, pool="main"):
    return next(p for p in weir.status()["pools"] if p["name"] == pool)["queue"]


def waiting(weir):
    """In the queue or beside it."""
    return queue(weir)["waiting"] + queue(weir)["aside"]


def wait_for(weir, count):
    until(lambda: waiting(weir) == count, pause=0.01)


def ask_in_turn(weir, targets, **more):
    """They stand in the queue in this order; the first one has the place."""
    asks = []
    already = waiting(weir)
    for target in targets:
        asks.append(Ask(weir, target, **more))
        already += 1
        wait_for(weir, already)
    return asks


@pytest.fixture
def part(fresh):
    part = Part()
    fresh.on("/q", part)
    return part


def occupy(weir, part, **more):
    """The one place is taken."""
    first = Ask(weir, "/q?first", **more)
    until(lambda: part.now == 1, pause=0.01)
    return first


def test_without_it_there_is_no_waiting(fresh, part):
    with Weir(config(fresh, pool={"queue": "off"})) as w:
        first = occupy(w, part)
        assert Ask(w).cause == "no_server"
        part.let()
        assert first.wait().status == 200


@pytest.mark.parametrize("workers", [1, 3])
def test_a_spike_is_served_within_the_caps(workers):
    parts = [Part(0.02), Part(0.02)]
    with Origin("a") as a, Origin("b") as b:
        a.on("/q", parts[0])
        b.on("/q", parts[1])
        with Weir(config(a, b, cap=5, workers=workers)) as w:
            asks = [Ask(w) for _ in range(200)]
            assert [ask.wait().status for ask in asks] == [200] * 200
            assert max(p.most for p in parts) <= 5
            assert len(parts[0].order) + len(parts[1].order) == 200
            m = w.metrics()
            assert m.get("weir_pool_queue_length", pool="main") == 0
            assert m.get("weir_pool_queue_seconds_count", pool="main") > 50
            assert m.get("weir_pool_queue_timeouts_total", pool="main") == 0
            assert max(line.get("t_queue", 0) for line in w.log()) > 0.05


def test_tcp_spike():
    with TcpOrigin() as origin:
        with Weir(tcp_config(pool={"servers": [{"address": origin.address,
                                                "max_connections": 2}],
                                   "queue": {"timeout": "1s", "size": 20}})) as w:
            first = [RawClient(w.address()) for _ in range(2)]
            for c in first:
                c.send(b"hello")
                assert c.sock.recv(100)
            third = RawClient(w.address())
            third.send(b"third")
            wait_for(w, 1)
            first[0].close()
            assert third.sock.recv(100) == b"third"
            fourth = RawClient(w.address())
            began = time.monotonic()
            assert fourth.sock.recv(100) == b""
            assert 0.8 < time.monotonic() - began < 5
            assert w.wait_log(cause="queue_timeout")["t_queue"] >= 0.9


def test_full(fresh, part):
    with Weir(config(fresh, queue={"size": 2})) as w:
        first = occupy(w, part)
        two = ask_in_turn(w, ["/q?1", "/q?2"])
        late = Ask(w)
        assert late.wait().status == 503 and late.cause == "queue_full"
        assert late.took < 5 and int(late.answer["Retry-After"]) >= 1
        assert w.wait_log(cause="queue_full")["status"] == 503
        assert "queue 2/2" in w.cli("status").stdout
        part.let(3)
        assert [a.wait().status for a in [first, *two]] == [200] * 3
        assert w.metrics().get("weir_pool_queue_full_total", pool="main") == 1


def test_timeout(fresh, part):
    with Weir(config(fresh, queue={"timeout": "300ms"})) as w:
        first = occupy(w, part)
        late = Ask(w)
        assert late.cause == "queue_timeout"
        assert 0.25 < late.took < 5 and int(late.answer["Retry-After"]) >= 1
        assert 0.25 < w.wait_log(cause="queue_timeout")["t_queue"] < 5
        assert waiting(w) == 0
        part.let()
        first.wait()
        assert part.order == ["/q?first"]
        assert w.metrics().get("weir_pool_queue_timeouts_total", pool="main") == 1


@pytest.mark.parametrize("how", ["close", "abort"])
def test_who_has_left_is_never_sent(fresh, part, how):
    with Weir(config(fresh)) as w:
        first = occupy(w, part)
        leaves = RawClient(w.address())
        leaves.send(b"GET /q?left HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(w, 1)
        stays = ask_in_turn(w, ["/q?stays"])[0]
        getattr(leaves, how)()
        time.sleep(0.1)
        part.let(3)
        assert first.wait().status == stays.wait().status == 200
        assert part.order == ["/q?first", "/q?stays"]
        assert w.wait_log(cause="client_closed")["path"] == "/q"


def test_first_in_first_out(fresh, part):
    with Weir(config(fresh)) as w:
        targets = [f"/q?{i}" for i in range(6)]
        asks = [occupy(w, part), *ask_in_turn(w, targets)]
        part.let(7)
        for ask in asks:
            assert ask.wait().status == 200
        assert part.order == ["/q?first", *targets]


def test_newest_first_past_the_slo(fresh, part):
    with Weir(config(fresh, queue={"slo": "200ms"})) as w:
        targets = [f"/q?{i}" for i in range(6)]
        asks = [occupy(w, part), *ask_in_turn(w, targets)]
        time.sleep(0.3)
        part.let(7)
        for ask in asks:
            assert ask.wait().status == 200
        assert part.order[1] == "/q?5"
        # The first in line stays the first that has waited too long.
        assert part.order[1:] == targets[::-1]


def test_one_client_does_not_stand_before_the_others(fresh, part):
    """Clients are told apart by a keyed hash of 128 values: one of the four may share the turn
    of the many by chance, two hardly ever do."""
    with Weir(config(fresh)) as w:
        first = occupy(w, part)
        many = [Ask(w, "/q?many", source="127.0.0.2") for _ in range(100)]
        wait_for(w, 100)
        four = [ask_in_turn(w, [f"/q?{i}"], source=f"127.0.0.{3 + i}")[0] for i in range(4)]
        part.let(105)
        assert [a.wait().status for a in [first, *four, *many]] == [200] * 105
        places = sorted(part.order.index(f"/q?{i}") for i in range(4))
        assert places[2] <= 10, places


def test_a_flood_does_not_fill_the_queue_for_others(fresh, part):
    """Four come to a queue that one has filled, and each displaces one of its requests; unless
    their hashes meet, see above."""
    with Weir(config(fresh, queue={"size": 20})) as w:
        first = occupy(w, part)
        many = [Ask(w, "/q?many", source="127.0.0.2") for _ in range(20)]
        wait_for(w, 20)
        four = [Ask(w, "/q?one", source=f"127.0.0.{3 + i}") for i in range(4)]
        until(lambda: sum(a.answer is not None for a in many + four) == 4)
        part.let(21)
        assert first.wait().status == 200
        answers = [a.wait() for a in many + four]
        assert [a.status for a in answers].count(200) == 20
        assert [a.wait().status for a in four].count(200) >= 3
        assert {a["Weir-Cause"] for a in answers if a.status != 200} == {"queue_full"}


def test_more_important_routes_first(fresh, part):
    routes = [{"name": name, "match": {"query": {"p": name}}, "to": "main", "priority": name}
              for name in ("low", "critical")] + [{"name": "rest", "to": "main"}]
    with Weir(config(fresh, queue={"size": 4}, routes=routes)) as w:
        first = occupy(w, part)
        asks = ask_in_turn(w, ["/q?p=low", "/q?p=normal", "/q?p=low", "/q?p=critical"])
        late = Ask(w, "/q?p=critical")      # takes the place of the later of the low ones
        assert asks[2].cause == "queue_full"
        part.let(5)
        assert [a.wait().status for a in [first, late, *asks[:2], asks[3]]] == [200] * 5
        assert [t.partition("=")[2] for t in part.order[1:]] == \
            ["critical", "critical", "normal", "low"]


def test_kill_of_a_server_while_many_wait():
    good, bad = Part(0.02), Part()
    with Origin("good") as a, Origin("bad") as b:
        a.on("/q", good)
        b.on("/q", bad)
        with Weir(config(a, b, cap=2, queue={"size": 34}, workers=2)) as w:
            asks = [Ask(w) for _ in range(34)]
            until(lambda: bad.now == 2)
            b.kill()
            failed = [ask.wait() for ask in asks if ask.wait().status != 200]
            assert not failed, (failed, [l for l in w.log() if l["status"] != 200])
            assert good.most <= 2


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_breaker_that_may_be_tried_again_takes_who_waits(by_hand):
    """Though the other server, which has no place, ends nothing meanwhile."""
    busy = Part()

    def part(conn, seen):
        return conn.answer(503 if seen.target == "/q?bad" else 200, b"a\n")

    with Origin("a") as a, Origin("b") as b:
        a.on("/q", part)
        b.on("/q", busy)
        breaker = {"failures": 1, "open": "60s" if by_hand else "2s"}
        with Weir(config(a, b, pool={"breaker": "quick"}, breakers={"quick": breaker})) as w:
            first = []
            while not busy.now:
                first.append(Ask(w, "/q?first"))
                time.sleep(0.1)
            assert Ask(w, "/q?bad").wait().status == 503
            late = [Ask(w, f"/q?{i}") for i in range(3)]
            wait_for(w, 3)
            if by_hand:
                assert w.cli("breaker", f"main/{a.address}", "reset").returncode == 0
            for ask in late:
                assert ask.wait().body == b"a\n"
            busy.let()
            assert [ask.wait().status for ask in first] == [200] * len(first)


RETRIES = {"count": 1, "on_errors": [503, "reset_before_response"], "backoff": "off",
           "budget": {"share": "100%", "floor": 100}}


def poisonous(conn, seen):
    """Serves at once what is not poison."""
    if seen.target.startswith("/q?bad"):
        return conn.answer(503, b"no\n")
    if seen.target.startswith("/q?reset"):
        return CLOSE
    return conn.answer(200, b"quick\n")


def hold(weir, part):
    """The one place of the server that plays this part is taken."""
    asks = []
    while not part.now:
        asks.append(Ask(weir, "/q?first"))
        time.sleep(0.05)
    return asks


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("poison", ["bad", "reset"])
def test_who_waits_for_another_server_keeps_nobody_waiting(workers, poison):
    """Retries that have tried the one server with room wait for the busy one, beside the queue."""
    busy = Part()
    with Origin("a") as a, Origin("b") as b:
        a.on("/q", poisonous)
        b.on("/q", busy)
        with Weir(config(a, b, workers=workers, queue={"size": 40},
                         defaults={"retries": RETRIES})) as w:
            first = hold(w, busy)
            bad = []
            for i in range(6):
                bad.append(Ask(w, f"/q?{poison}{i}"))
                wait_for(w, i + 1)
                began = time.monotonic()
                others = [Ask(w) for _ in range(8)]
                assert [ask.wait().body for ask in others] == [b"quick\n"] * 8
                assert time.monotonic() - began < 5
            assert waiting(w) == 6 and busy.order == ["/q?first"]
            busy.let(7)
            assert [ask.wait().body for ask in bad] == [b"served\n"] * 6
            assert [ask.wait().status for ask in first] == [200] * len(first)
            assert sorted(busy.order[1:]) == [f"/q?{poison}{i}" for i in range(6)]
            if workers == 1:
                assert busy.order[1:] == [f"/q?{poison}{i}" for i in range(6)]


@pytest.mark.parametrize("workers", [1, 3])
def test_who_stands_aside_takes_nobodys_room(workers):
    """As many as the queue is long do: those who come are served by the server with room, and
    one more that it fails has it again, for so many and no more may stand aside."""
    busy = Part()
    with Origin("a") as a, Origin("b") as b:
        a.on("/q", poisonous)
        b.on("/q", busy)
        with Weir(config(a, b, workers=workers, queue={"size": 4},
                         defaults={"retries": RETRIES})) as w:
            first = hold(w, busy)
            bad = []
            for i in range(4):
                bad.append(Ask(w, f"/q?bad{i}"))
                wait_for(w, i + 1)
            for _ in range(20):
                assert Ask(w).wait().body == b"quick\n"
            assert Ask(w, "/q?bad").wait().body == b"no\n"
            assert queue(w) == {"waiting": 0, "aside": 4, "size": 4}
            assert w.metrics().get("weir_pool_queue_aside", pool="main") == 4
            assert w.metrics().get("weir_pool_queue_length", pool="main") == 0
            assert "queue 0/4 and 4 aside" in w.cli("status").stdout
            busy.let(5)
            assert [ask.wait().body for ask in bad] == [b"served\n"] * 4
            assert [ask.wait().status for ask in first] == [200] * len(first)
            assert waiting(w) == 0


@pytest.mark.parametrize("workers", [1, 3])
def test_who_stands_aside_sends_nobody_to_the_queue(workers):
    """What the server with room gives back is nothing to them: who comes meanwhile, more at once
    than may wait, is served there."""
    busy = Part()
    with Origin("a") as a, Origin("b") as b:
        a.on("/q", poisonous)
        b.on("/q", busy)
        settings = config(a, b, workers=workers, queue={"size": 2}, defaults={"retries": RETRIES})
        settings["pools"]["main"]["servers"][0]["max_connections"] = 1000
        with Weir(settings) as w:
            first = hold(w, busy)
            bad = Ask(w, "/q?bad")
            wait_for(w, 1)
            clients = [RawClient(w.address(), timeout=30) for _ in range(40)]
            for _ in range(10):
                for c in clients:
                    c.send(b"GET /q HTTP/1.1\r\nHost: a\r\n\r\n")
                assert {c.response().body for c in clients} == {b"quick\n"}
            busy.let(2)
            assert bad.wait().body == b"served\n"
            assert [ask.wait().status for ask in first] == [200] * len(first)


def test_who_stands_aside_takes_the_server_that_is_left():
    """The one that it waits for goes away: the one that has failed is better than none."""
    busy = Part()
    seen_bad = []

    def part(conn, seen):
        if seen.target == "/q?bad":
            seen_bad.append(seen)
            return conn.answer(503 if len(seen_bad) == 1 else 200, b"again\n")
        return conn.answer(200, b"quick\n")

    with Origin("a") as a, Origin("b") as b:
        a.on("/q", part)
        b.on("/q", busy)
        with Weir(config(a, b, defaults={"retries": RETRIES})) as w:
            hold(w, busy)
            bad = Ask(w, "/q?bad")
            wait_for(w, 1)
            assert Ask(w).wait().body == b"quick\n" and waiting(w) == 1
            w.reload({**w.config, "pools": {"main": {
                **w.config["pools"]["main"],
                "servers": [{"address": a.address, "max_connections": 1}]}}})
            assert bad.wait().body == b"again\n"
            busy.let(2)


def test_who_stands_aside_may_leave():
    busy = Part()
    with Origin("a") as a, Origin("b") as b:
        a.on("/q", poisonous)
        b.on("/q", busy)
        with Weir(config(a, b, queue={"timeout": "1s"}, defaults={"retries": RETRIES})) as w:
            hold(w, busy)
            leaves = RawClient(w.address())
            leaves.send(b"GET /q?bad HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_for(w, 1)
            late = Ask(w, "/q?bad")
            wait_for(w, 2)
            assert Ask(w).wait().body == b"quick\n" and waiting(w) == 2
            leaves.abort()
            wait_for(w, 1)
            assert late.cause == "queue_timeout" and waiting(w) == 0
            busy.let(1)


def test_nobody_well_is_said_at_once(fresh, part):
    with Weir(config(fresh, pool={"health": {"active": {
            "path": "/health", "interval": "100ms", "timeout": "100ms",
            "unhealthy_after": 2, "healthy_after": 1}}})) as w:
        w.wait_state(fresh.address, "up")
        first = occupy(w, part)
        ask = ask_in_turn(w, ["/q?waits"])[0]
        fresh.on("/health", lambda conn, seen: conn.answer(500))
        w.wait_state(fresh.address, "down")
        assert ask.cause == "no_server"
        late = Ask(w)
        assert late.cause == "no_server" and late.took < 3
        part.let()
        first.wait()


def test_a_raised_cap_and_a_new_server_take_who_waits(fresh, part):
    other = Part()
    with Weir(config(fresh)) as w:
        first = occupy(w, part)
        asks = ask_in_turn(w, [f"/q?{i}" for i in range(4)])
        w.reload(config(fresh, cap=2, listeners=w.config["listeners"]))
        until(lambda: part.now == 2)
        with Origin("other") as o:
            o.on("/q", other)
            w.reload(config(fresh, o, cap=2, listeners=w.config["listeners"]))
            until(lambda: other.now == 2)
            assert waiting(w) == 1
            part.let(3)
            other.let(3)
            assert [a.wait().status for a in [first, *asks]] == [200] * 5


def test_a_queue_that_is_removed_lets_them_go_on(fresh, part):
    with Weir(config(fresh)) as w:
        first = occupy(w, part)
        asks = ask_in_turn(w, ["/q?1", "/q?2"])
        w.reload(config(fresh, listeners=w.config["listeners"], pool={"queue": "off"}))
        assert Ask(w).cause == "no_server"
        part.let(3)
        assert [a.wait().status for a in [first, *asks]] == [200] * 3


def test_a_pool_that_is_removed(fresh, part):
    with Weir(config(fresh, queue={"timeout": "2s"})) as w:
        first = occupy(w, part)
        asks = ask_in_turn(w, ["/q?1", "/q?2"])
        pools = {"else": w.config["pools"]["main"]}
        w.reload({**w.config, "pools": pools, "routes": [{"name": "all", "to": "else"}]})
        part.let(1)
        assert first.wait().status == 200
        part.let(2)
        assert {a.wait().status for a in asks} <= {200, 503}
        assert w.ask(target="/echo").status == 200


def test_stopping_answers_who_waits(fresh, part):
    with Weir(config(fresh)) as w:
        first = occupy(w, part)
        asks = ask_in_turn(w, ["/q?1", "/q?2"])
        w.signal(signal.SIGTERM)
        time.sleep(0.1)
        part.let(3)
        assert [a.wait().status for a in [first, *asks]] == [200] * 3
        w.stop()

"""When a request may be tried again, and when never."""

import threading
import time

import pytest

import stage
from stage import CLOSE, KEEP, Load, Origin, Weir, http_config, until


@pytest.fixture
def two():
    with Origin("good") as good, Origin("bad") as bad:
        yield good, bad


def config(*servers, **more):
    """Servers that fail are kept in play, so that every second pick meets them."""
    return http_config(*servers, pool={"health": {"active": "off"}}, **more)


def dying(conn, seen):
    """Takes the request and closes without a byte."""
    seen.read_body()
    return CLOSE


def resetting(conn, seen):
    seen.read_body()
    stage.reset(conn.sock)
    return CLOSE


@pytest.mark.parametrize("fails", [dying, resetting])
def test_idempotent_request_goes_to_another_server(two, fails):
    good, bad = two
    bad.on("/c", fails)
    with Weir(config(good, bad)) as w:
        for method in ("GET", "PUT", "DELETE"):
            for _ in range(4):
                assert w.ask(method, "/c", body=b"hello" if method == "PUT" else None).status == 200
        assert bad.seen("/c"), "it was asked"
        assert w.wait_log(path="/c", retries=1)
        assert (w.metrics().get("weir_pool_retries_total", pool="main") or 0) >= 1


@pytest.mark.parametrize("fails", [dying, resetting])
def test_post_is_never_sent_twice(two, fails):
    good, bad = two
    bad.on("/c", fails)
    with Weir(config(good, bad)) as w:
        statuses = [w.ask("POST", "/c", {"X-Number": str(i)}, b"x").status for i in range(10)]
        assert set(statuses) == {200, 502}
        numbers = [s["X-Number"] for s in good.seen("/c") + bad.seen("/c")]
        assert len(numbers) == len(set(numbers)) == 10


def test_reused_connection_that_broke(two):
    """The origin closes an idle connection: a GET that meets it is not lost."""
    good, _ = two

    def part(conn, seen):
        conn.answer(200, b"once")
        if len(good.seen("/c")) % 10:
            return KEEP
        time.sleep(0.002)
        return CLOSE                # said keep-alive, and closes all the same

    good.on("/c", part)
    with Weir(config(good)) as w:
        with w.client() as c:
            for _ in range(100):
                assert c.ask(target="/c").status == 200


def test_post_on_a_connection_closed_while_idle(two):
    """A connection known to be closed is not used, so that a POST is not lost on it."""
    good, _ = two

    def part(conn, seen):
        seen.read_body()
        conn.answer(200, b"once")
        return CLOSE

    good.on("/c", part)
    with Weir(config(good)) as w:
        with w.client() as c:
            for _ in range(10):
                assert c.ask("POST", "/c", body=b"x").status == 200
                time.sleep(0.05)


@pytest.mark.parametrize("method, seen, status", [
    ("GET", 2, 200), ("POST", 1, 502), ("PATCH", 1, 502)])
def test_a_kept_connection_that_ends_when_the_request_is_through(two, method, seen, status):
    """The server may have done it: only what may be done twice is sent a second time."""
    first, other = two
    told = {}

    def part(conn, request):
        request.read_body()
        told[conn.number] = told.get(conn.number, 0) + 1
        return conn.answer(200, b"once") if told[conn.number] == 1 else CLOSE

    first.on("/c", part)
    with Weir(config(first, runtime={"workers": 1})) as w, w.client() as c:
        assert c.ask("POST", "/c", body=b"x").status == 200
        first.forget()
        answer = c.ask(method, "/c", {"X-Number": "7"}, None if method == "GET" else b"x")
        assert answer.status == status
        assert len(first.seen("/c")) == seen and first.accepted == seen - 1
        assert w.wait_log(method=method, status=status).get("retries", 0) == seen - 1
    assert not other.seen("/c")


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_refused_connection_goes_elsewhere_for_every_method(two, method):
    good, bad = two
    bad.kill()
    with Weir(config(good, bad)) as w:
        body = None if method == "GET" else b"hello"
        for _ in range(8):
            answer = w.ask(method, "/echo", body=body)
            assert answer.status == 200 and answer.json()["size"] == len(body or b"")


def test_answer_that_began_is_not_retried(two):
    good, bad = two
    bad.say("/c", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", CLOSE)
    with Weir(config(bad, good)) as w:
        cut = 0
        for _ in range(4):
            try:
                w.ask(target="/c")
            except (EOFError, stage.Cut):
                cut += 1
        assert cut == len(bad.seen("/c")) > 0
        assert len(good.seen("/c")) + len(bad.seen("/c")) == 4


def test_statuses_only_when_named(two):
    good, bad = two
    bad.say("/c", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    with Weir(config(good, bad)) as w:
        assert {w.ask(target="/c").status for _ in range(4)} == {200, 503}


def test_named_statuses_are_retried(two):
    good, bad = two
    bad.say("/c", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    named = {"retries": {"count": 2, "on_errors": ["connect_error", "reset_before_response", 503]}}
    with Weir(config(good, bad, defaults=named)) as w:
        assert {w.ask(target="/c").status for _ in range(4)} == {200}


def test_no_retries_when_told_so(two):
    good, bad = two
    bad.on("/c", dying)
    with Weir(config(good, bad, defaults={"retries": {"count": 0}})) as w:
        assert {w.ask(target="/c").status for _ in range(6)} == {200, 502}


def test_a_big_upload_is_not_retried(two):
    """What is gone can not be sent again: the client hears of it."""
    good, bad = two
    bad.on("/c", dying)
    with Weir(config(bad, good)) as w:
        statuses = {w.ask("PUT", "/c", body=b"x" * (4 << 20)).status for _ in range(4)}
        assert statuses <= {200, 502} and 200 in statuses
        assert all(s.size == 4 << 20 for s in good.seen("/c"))


def test_budget(two):
    """Every server fails and all at once: retries stay a small part of the load."""
    good, bad = two

    def late(conn, seen):
        time.sleep(0.5)
        return CLOSE

    good.on("/c", late)
    bad.on("/c", late)
    with Weir(config(good, bad)) as w:
        clients = [w.client() for _ in range(40)]
        for c in clients:
            c.send(stage.request_bytes("GET", "/c"))
        assert {c.response().status for c in clients} <= {502, 503}
        for c in clients:
            c.close()
        asked = len(good.seen("/c")) + len(bad.seen("/c"))
        assert 40 < asked <= 40 + 20, "a fifth of what is in flight, and never less than 3"


def test_back_off_gives_a_server_time_to_return(two):
    """One server that is away for a moment: with a back-off the request finds it again."""
    good, _ = two
    waits = {"retries": {"count": 5, "backoff": "400ms"}}
    with Weir(config(good, defaults=waits)) as w:
        good.kill()
        with w.client() as c:
            c.send(stage.request_bytes("GET", "/echo"))
            time.sleep(0.05)
            good.restart()
            assert c.response().status == 200


def test_retry_after_is_honoured(two):
    good, bad = two
    named = {"retries": {"count": 1, "on_errors": [429, 503]}, "timeouts": {"response": "5s"}}
    no = b"HTTP/1.1 %s No\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n"
    with Weir(config(bad, good, defaults=named, runtime={"workers": 1})) as w:
        for status, after, came in ((b"503", b"1", {200}), (b"429", b"1", {200}),
                                    (b"503", b"60", {200, 503}),
                                    (b"429", b"Fri, 31 Dec 2999 23:59:59 GMT", {200, 429})):
            bad.say("/c", no % (status, after))
            bad.forget()
            began = time.monotonic()
            assert {w.ask(target="/c").status for _ in range(2)} == came
            assert bad.seen("/c")
            took = time.monotonic() - began
            assert took >= 0.9 if after == b"1" else took < 5


def test_retry_storm_heals(two):
    """Servers with room for half of what comes answer 503 to the rest: the retries of that
    stay a fifth of the requests, and end with the crowd."""
    good, bad = two
    lock, busy = threading.Lock(), {"now": 0}

    def crowded(conn, seen):
        with lock:
            full = busy["now"] >= 8
            busy["now"] += not full
        if full:
            return conn.answer(503, b"")
        time.sleep(0.02)
        with lock:
            busy["now"] -= 1
        return conn.answer(200, b"")

    for o in two:
        o.on("/echo", crowded)
    named = {"retries": {"count": 3, "backoff": "10ms",
                         "on_errors": ["connect_error", "reset_before_response", 503]}}
    with Weir(config(good, bad, defaults=named)) as w:
        with Load(w.address(), clients=40, pause=0.02) as load:
            time.sleep(4)
        metrics = w.metrics()
        retries = metrics.get("weir_pool_retries_total", pool="main")
        asked = metrics.get("weir_pool_requests_total", pool="main")
        assert load.failed and 0 < retries <= 0.2 * asked, (retries, asked)
        with Load(w.address(), clients=4, pause=0.02) as load:
            time.sleep(2)
        assert not load.failed and load.done > 50


@pytest.mark.deep
def test_killed_server_fails_no_idempotent_request():
    with Origin("a") as a, Origin("b") as b, Origin("c") as c:
        with Weir(http_config(a, b, c, pool={"health": {"active": {"interval": "500ms"}}})) as w:
            with Load(w.address(), clients=6) as load:
                until(lambda: load.done > 200)
                b.kill()
                time.sleep(2)
                b.restart()
                time.sleep(1.5)
            assert load.failed == []
            assert load.done > 500

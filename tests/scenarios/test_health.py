"""Who is well, who is not, since when and why."""

import time

import pytest

import stage
from stage import Origin, TcpOrigin, Weir, free_address, http_config, until

FAST = {"interval": "200ms", "timeout": "500ms", "unhealthy_after": 3, "healthy_after": 2,
        "jitter": "10%"}


def checked(*servers, active=None, **more):
    return http_config(*servers, pool={"health": {"active": {**FAST, **(active or {})}}}, **more)


def reason(weir, address):
    server = weir.servers()[address]
    return server.get("reason") or server.get("why") or ""


def test_first_check_decides_alone():
    with Origin("a") as a:
        dead = free_address()
        config = checked(a, dead, active={"interval": "60s"})
        with Weir(config) as w:
            until(lambda: w.state(dead) == "down" and w.state(a.address) == "up", 5)
            assert "refused" in reason(w, dead).lower()
            assert all(w.ask().status == 200 for _ in range(6))


def test_usable_before_the_first_check():
    with Origin("a") as a:
        with Weir(checked(a, active={"path": "/hang", "interval": "60s", "timeout": "5s"})) as w:
            assert w.ask().status == 200, "unknown is usable"


def test_down_and_up_again():
    with Origin("a") as a, Origin("b") as b:
        with Weir(checked(a, b)) as w:
            until(lambda: {s["state"] for s in w.servers().values()} == {"up"})
            b.kill()
            until(lambda: w.state(b.address) == "down")
            assert "refused" in reason(w, b.address).lower()
            assert {w.ask().json()["origin"] for _ in range(10)} == {"a"}
            assert w.metrics().get("weir_server_up", pool="main") in (1, None)
            b.restart()
            until(lambda: w.state(b.address) == "up")
            assert {w.ask().json()["origin"] for _ in range(10)} == {"a", "b"}
            assert w.metrics().get("weir_health_transitions_total", to="down") >= 1
            until(lambda: "down" in w.stderr)   # an event with its reason


def test_one_failed_check_is_not_enough():
    state = {"fail": 0}

    def health(conn, seen):
        if state["fail"]:
            state["fail"] -= 1
            return conn.answer(500, b"no")
        return conn.answer(200, b"ok")

    with Origin("a") as a:
        a.on("/healthz", health)
        with Weir(checked(a, active={"path": "/healthz"})) as w:
            until(lambda: w.state(a.address) == "up")
            state["fail"] = 2
            until(lambda: state["fail"] == 0)
            time.sleep(0.3)
            assert w.state(a.address) == "up"
            state["fail"] = 1000
            until(lambda: w.state(a.address) == "down")
            assert "500" in reason(w, a.address)


@pytest.mark.parametrize("expect,status,body,well", [
    ({"status": "200-299"}, 204, b"", True),
    ({"status": "200-299"}, 302, b"", False),
    ({"status": "404"}, 404, b"no", True),
    ({"status": [200, 404]}, 404, b"no", True),
    ({"body": "ready"}, 200, b"all is ready here", True),
    ({"body": "ready"}, 200, b"not yet", False),
    ({"body_regex": "^all.*here$"}, 200, b"all is ready here", True),
    ({"body_regex": "^here"}, 200, b"all is ready here", False),
])
def test_expectations(expect, status, body, well):
    with Origin("a") as a:
        a.on("/healthz", lambda conn, seen: conn.answer(status, body))
        with Weir(checked(a, active={"path": "/healthz", "expect": expect})) as w:
            until(lambda: w.state(a.address) == ("up" if well else "down"))
            if not well:
                assert reason(w, a.address)


def test_check_request():
    with Origin("a") as a:
        config = checked(a, active={"path": "/healthz?deep=1", "host": "inner.example"})
        with Weir(config):
            until(lambda: a.checks)
            seen = a.checks[0]
            assert seen.method == "GET" and seen.target == "/healthz?deep=1"
            assert seen["Host"] == "inner.example"


def test_check_request_in_full():
    with Origin("a") as a:
        config = checked(a, active={"path": "/healthz", "method": "HEAD",
                                    "headers": {"X-Who": "weir", "User-Agent": "me"}})
        with Weir(config) as w:
            until(lambda: w.state(a.address) == "up")
            seen = a.checks[0]
            assert seen.method == "HEAD" and seen["X-Who"] == "weir"
            assert seen.fields.all("User-Agent") == ["me"]


def test_another_port():
    with Origin("a") as a, Origin("b") as b:
        b.on("/healthz", lambda conn, seen: conn.answer(500, b""))
        port = int(b.address.rsplit(":", 1)[1])
        with Weir(checked(a, active={"path": "/healthz", "port": port})) as w:
            until(lambda: w.state(a.address) == "down")
            assert b.checks and not a.checks


def test_deep_check_names_what_is_not_well():
    says = {"status": 200, "body": b'{"status": "ok", "checks": {"db": "ok"}}'}
    with Origin("a") as a:
        a.on("/healthz", lambda conn, seen: conn.answer(says["status"], says["body"]))
        config = checked(a, active={"path": "/healthz", "json": {"field": "status"}})
        with Weir(config) as w:
            until(lambda: w.state(a.address) == "up")
            says["body"] = b'{"status": "degraded", "checks": {"db": "down: timeout", "cache": "ok"}}'
            until(lambda: w.state(a.address) == "down")
            assert "json: status is 'degraded' (db: down: timeout)" in reason(w, a.address)
            says["status"] = 503
            until(lambda: "HTTP 503" in reason(w, a.address))
            assert "db: down: timeout" in reason(w, a.address)
            says.update(status=200, body=b'{"status": "ok", "checks": {"cache": "slow"}}')
            until(lambda: w.state(a.address) == "up")
            assert "cache: slow" in reason(w, a.address)
            assert w.metrics().get("weir_health_checks_total", reason="json") >= 1


def test_two_pools_share_a_check():
    with Origin("a") as a:
        config = checked(a, active={"path": "/healthz", "interval": "400ms"})
        config["pools"]["twin"] = config["pools"]["main"]
        config["routes"] = [{"match": {"path": "/twin/*"}, "to": "twin"},
                            {"name": "all", "to": "main"}]
        with Weir(config) as w:
            time.sleep(2)
            assert 3 <= len(a.checks) <= 7, "one check for both, not two"
            a.on("/healthz", lambda conn, seen: conn.answer(500, b""))
            until(lambda: w.ask().status == 503 and w.ask(target="/twin/x").status == 503)


def test_fast_interval_decides_sooner():
    with Origin("a") as a:
        config = checked(a, active={"path": "/healthz", "interval": "1500ms", "jitter": "0%",
                                    "fast_interval": "50ms", "unhealthy_after": 5})
        with Weir(config) as w:
            until(lambda: w.state(a.address) == "up")
            a.on("/healthz", lambda conn, seen: conn.answer(500, b""))
            until(lambda: w.state(a.address) == "down", 3)


def test_short_form():
    with Origin("a") as a:
        a.on("/healthz", lambda conn, seen: conn.answer(500, b""))
        with Weir(http_config(a, pool={"health": "/healthz"})) as w:
            until(lambda: w.state(a.address) == "down")


def test_hung_check_is_a_failure_and_never_doubled():
    with Origin("a") as a:
        def hang(conn, seen):
            conn.wait_end()
            return stage.CLOSE
        a.on("/healthz", hang)
        with Weir(checked(a, active={"path": "/healthz"})) as w:
            until(lambda: w.state(a.address) == "down")
            text = reason(w, a.address).lower()
            assert "time" in text or "no answer" in text
            assert sum(1 for c in a.checks if c.conn in a.conns) <= 1


def test_half_open_server():
    """Accepts, never answers: found by a check of HTTP."""
    with TcpOrigin(lambda sock, _: sock.recv(1) and time.sleep(30)) as t:
        with Weir(checked(t, active={"path": "/"})) as w:
            until(lambda: w.state(t.address) == "down")


def test_connect_failures_mark_down_without_a_check():
    with Origin("a") as a, Origin("b") as b:
        with Weir(checked(a, b, active={"interval": "60s"})) as w:
            until(lambda: {s["state"] for s in w.servers().values()} == {"up"})
            b.kill()
            for _ in range(10):
                assert w.ask().status == 200
            until(lambda: w.state(b.address) == "down", 3)
            assert "refused" in reason(w, b.address).lower()


def test_all_down_is_503_at_once_and_heals():
    with Origin("a") as a, Origin("b") as b:
        with Weir(checked(a, b)) as w:
            a.kill()
            b.kill()
            until(lambda: {s["state"] for s in w.servers().values()} == {"down"})
            began = time.monotonic()
            answer = w.ask()
            assert time.monotonic() - began < 4
            assert answer.status == 503 and answer["Weir-Cause"] == "no_server"
            assert answer["Retry-After"] is None or int(answer["Retry-After"]) >= 0
            line = w.wait_log(status=503)
            assert line["cause"] == "no_server" and "server" not in line
            b.restart()
            until(lambda: w.ask().status == 200, 5)


def test_when_all_down_open():
    with Origin("a") as a:
        a.on("/healthz", lambda conn, seen: conn.answer(500, b""))
        config = checked(a, active={"path": "/healthz"})
        config["pools"]["main"]["health"]["when_all_down"] = "open"
        with Weir(config) as w:
            until(lambda: w.state(a.address) == "down")
            assert w.ask().status == 200, "sent anyway"


def test_off():
    with Origin("a") as a:
        with Weir(http_config(a)) as w:
            time.sleep(0.5)
            assert a.accepted == 0
            assert w.state(a.address) in ("up", "unknown")


def test_on_by_default():
    with Origin("a") as a:
        config = http_config(a)
        del config["pools"]["main"]["health"]
        with Weir(config) as w:
            until(lambda: a.accepted >= 1, 3)
            until(lambda: w.state(a.address) == "up")


def test_checks_run_at_the_same_time():
    """Twenty hung servers do not delay the check of the twenty-first."""
    hung = [TcpOrigin(lambda sock, _: time.sleep(30)) for _ in range(20)]
    try:
        with Origin("a") as a:
            config = checked(*hung, a, active={"path": "/healthz", "timeout": "2s", "interval": "3s"})
            with Weir(config) as w:
                until(lambda: w.state(a.address) == "up", 1.5)
    finally:
        for t in hung:
            t.stop()


def test_every_server_that_is_not_up_says_why():
    with Origin("a") as a:
        a.on("/healthz", lambda conn, seen: conn.answer(503, b""))
        with TcpOrigin(lambda sock, _: time.sleep(30)) as hung:
            config = checked(a, hung, free_address(), active={"path": "/healthz"})
            with Weir(config) as w:
                until(lambda: {s["state"] for s in w.servers().values()} == {"down"})
                for address in w.servers():
                    assert len(reason(w, address)) > 5, address

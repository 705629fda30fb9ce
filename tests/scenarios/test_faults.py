"""Servers and clients that misbehave: what the client gets, what the page, the log and the
metrics say of it, and that the next request is served.

Deadlines are in test_deadlines, retries in test_retry, names in test_dns, too much of
anything in test_limits; here stands what those leave open.
"""

import json
import os
import signal
import socket
import threading
import time

import pytest

import stage
from stage import (CLOSE, WEBSOCKET, Cut, Load, Origin, TcpOrigin, Weir, free_address,
                   http_config, until)

TIMES = {"connect": "500ms", "response": "500ms", "response_body": "700ms"}
CHECKS = {"interval": "250ms", "timeout": "200ms", "jitter": "10%"}


@pytest.fixture(scope="module")
def weir(origin):
    dead = free_address()
    config = http_config(origin, defaults={"timeouts": TIMES})
    config["pools"]["gone"] = {"servers": [dead], "health": {"active": "off"}}
    config["routes"].insert(0, {"name": "gone", "match": {"path": "/gone"}, "to": "gone"})
    with Weir(config) as w:
        yield w


def head_of(size):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size


def big_head(conn, seen):
    seen.read_body()
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")
    for _ in range(10000):
        conn.send(b"X-More: " + b"a" * 1000 + b"\r\n")
    return CLOSE


def many_interims(conn, seen):
    seen.read_body()
    for _ in range(1000):
        conn.send(b"HTTP/1.1 102 Processing\r\n\r\n")
    return conn.answer(200, b"at last")


def trickling_head(conn, seen):
    seen.read_body()
    for byte in head_of(0):
        conn.send(bytes([byte]))
        if conn.origin.stopping.wait(0.1):
            break
    return CLOSE


# What the server does to a POST, what comes of it, and what is counted at the server.
MISDEEDS = [
    ("/hang", 504, "server_timeout", "timeout"),
    ("/trickle", 504, "server_timeout", "timeout"),
    ("/reset", 502, "server_closed", "closed"),
    ("/close", 502, "server_closed", "closed"),
    ("/garbage", 502, "server_invalid", "invalid"),
    ("/http2", 502, "server_invalid", "invalid"),
    ("/two-lengths", 502, "server_invalid", "invalid"),
    ("/big-head", 502, "server_invalid", "invalid"),
    ("/interims", 502, "server_invalid", "invalid"),
    ("/gone", 502, "connect_refused", "connect_refused"),
]


@pytest.mark.parametrize("path,status,cause,reason", MISDEEDS)
def test_server_before_its_answer(weir, fresh, path, status, cause, reason):
    """Page, log line and counters name the same cause, and nobody else is touched."""
    fresh.on("/big-head", big_head)
    fresh.on("/interims", many_interims)
    fresh.on("/trickle", trickling_head)
    fresh.say("/http2", b"HTTP/2 200\r\n\r\n", CLOSE)
    fresh.say("/two-lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                              b"Content-Length: 2\r\n\r\nab", CLOSE)
    before = weir.metrics()
    answer = weir.ask("POST", path, {"Accept": "application/json"}, b"once")
    assert (answer.status, answer["Weir-Cause"]) == (status, cause)
    page = json.loads(answer.body)
    assert page["status"] == status and page["cause"] == cause
    line = weir.wait_log(path=path)
    assert line["status"] == status and line["cause"] == cause
    assert line["id"] == answer["X-Request-Id"]
    assert line["server_addr"] == (fresh.address if path != "/gone" else line["server_addr"])
    assert line["pool"] == ("gone" if path == "/gone" else "main")
    assert grown(weir, before, "weir_errors_total", cause=cause) == 1
    failures = grown(weir, before, "weir_server_failures_total", reason=reason)
    assert failures >= 1 if path == "/gone" else failures == 1, "a POST is tried once"
    assert weir.ask().status == 200


def grown(weir, before, name, **labels):
    return (weir.metrics().get(name, **labels) or 0) - (before.get(name, **labels) or 0)


@pytest.mark.parametrize("how,cause", [
    ("reset", "server_closed"), (CLOSE, "server_closed"), ("hang", "server_timeout")])
@pytest.mark.parametrize("chunks", [False, True])
def test_server_in_the_middle_of_its_answer(weir, fresh, how, cause, chunks):
    """The client must see that it did not get everything; the connection is not reused."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" if chunks else head_of(99)
    fresh.say("/half", head + (b"4\r\nhalf\r\n" if chunks else b"half"), how)
    path = f"/half?{how}{chunks}"
    with weir.client() as c:
        c.send(stage.request_bytes("GET", path))
        answer = c.head()
        assert answer.status == 200
        with pytest.raises((Cut, EOFError)):
            c.body(answer)
        assert answer.body == b"half" and not answer.whole
    line = weir.wait_log(path="/half", query=path.partition("?")[2])
    assert (line["status"], line["cause"]) == (200, cause)
    assert weir.ask().status == 200


@pytest.mark.parametrize("raw", [b"5\r\nhalf\r\n0\r\n\r\n", b"zz\r\nhalf\r\n", b"-4\r\nhalf\r\n"])
def test_server_whose_chunks_are_wrong(weir, fresh, raw):
    fresh.say("/chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + raw, CLOSE)
    with weir.client() as c:
        c.send(stage.request_bytes("GET", "/chunks"))
        try:
            answer = c.response()
            assert answer.status == 502 and not answer.whole
        except (Cut, EOFError):
            pass                    # its head had gone out; an answer cut short
    assert weir.wait_log(path="/chunks")["cause"] in ("server_invalid", "server_closed")
    assert weir.ask().status == 200


def test_server_that_says_more_than_its_length(weir, fresh):
    """What comes behind an answer is nobody's, least of all the next request's."""
    fresh.say("/more", head_of(2) + b"ok" + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    with weir.client() as c:
        for _ in range(20):
            assert c.ask(target="/more").body == b"ok"
            assert c.ask(target="/echo").json()["origin"] == fresh.name


def test_slow_server_holds_nobody_up():
    """Least connections leaves the slow one; the fast one's clients feel nothing."""
    with Origin("slow") as slow, Origin("fast") as fast:
        slow.on("/work", lambda conn, seen: time.sleep(1) or conn.answer(200, b"slow"))
        fast.on("/work", lambda conn, seen: conn.answer(200, b"fast"))
        config = http_config(slow, fast, pool={"balance": "least_connections"})
        with Weir(config) as w, Load(w.address(), clients=4, target="/work") as load:
            time.sleep(2)
        assert load.failed == []
        assert len(fast.seen("/work")) > 10 * len(slow.seen("/work")) > 0


def test_all_servers_down_under_load_and_back():
    """503 at once while nobody is there; all served again within moments of the first."""
    with Origin("a") as a, Origin("b") as b:
        config = http_config(a, b, pool={"health": {"active": CHECKS}})
        with Weir(config) as w, w.client() as tunnel:
            until(lambda: {s["state"] for s in w.servers().values()} == {"up"})
            assert tunnel.ask("GET", "/ws", WEBSOCKET).status == 101
            with Load(w.address(), clients=4) as load:
                until(lambda: load.done > 50)
                assert load.failed == []
                a.kill()
                b.kill()
                until(lambda: {s["state"] for s in w.servers().values()} == {"down"})
                began = time.monotonic()
                answers = [w.ask() for _ in range(20)]
                assert time.monotonic() - began < 5 * stage.SLOW
                assert {(x.status, x["Weir-Cause"]) for x in answers} == {(503, "no_server")}
                a.restart()
                b.restart()
                back = time.monotonic()
                until(lambda: w.ask().status == 200)
                print(f"served again after {time.monotonic() - back:.2f} s")
                assert time.monotonic() - back < 8 * stage.SLOW
                until(lambda: {s["state"] for s in w.servers().values()} == {"up"})
                failed, done = len(load.failed), load.done
                until(lambda: load.done > done + 50)
                assert len(load.failed) == failed
            assert w.metrics().get("weir_errors_total", cause="no_server") >= 20


def test_states_in_words():
    """What is not up says why: in the status, in the error log, and is counted."""
    with Origin("a") as a, Origin("b") as b, TcpOrigin(lambda s, _: time.sleep(30)) as hung:
        b.on("/healthz", lambda conn, seen: conn.answer(503, b"no"))
        checks = {**CHECKS, "path": "/healthz"}
        config = http_config(a, b, hung, free_address(), "no-such-name.invalid:80",
                             pool={"health": {"active": checks}})
        with Weir(config) as w:
            states = ["down", "down", "down", "unresolved", "up"]
            until(lambda: sorted(s["state"] for s in w.servers().values()) == states)
            text = w.cli("status", "main").stdout
            for server in w.servers().values():
                if server["state"] == "up":
                    continue
                assert len(server["reason"].split()) >= 2, server
                assert server["reason"] in text, f"{server['reason']!r} in:\n{text}"
                event = "name has no address" if server["state"] == "unresolved" else server["reason"]
                until(lambda: event in w.stderr)
            pool = {state: w.metrics().get("weir_pool_servers", pool="main", state=state)
                    for state in ("up", "down", "unresolved")}
            assert pool == {"up": 1, "down": 3, "unresolved": 1}
            assert w.metrics().get("weir_health_transitions_total", to="down") >= 3
            b.on("/healthz", lambda conn, seen: conn.answer(200, b"yes"))
            w.wait_state(b.address, "up")
            assert w.metrics().get("weir_health_transitions_total", to="up") >= 1


def test_descriptors_that_run_out_on_the_way_to_servers():
    """The client is in, and no descriptor is left for a server: a page, not a hang."""
    with Origin("a") as a:
        with Weir(http_config(a, runtime={"workers": 1, "max_connections": 60}),
                  nofile=64) as w:
            clients, answers, began = [], [], time.monotonic()
            try:
                for _ in range(30):
                    c = w.client(timeout=20)
                    c.send(stage.request_bytes("GET", "/delay/1"))
                    clients.append(c)
                for c in clients:
                    answer = c.response()
                    answers.append(answer.status)
                    if answer.status == 503:
                        assert answer["Weir-Cause"] == "overloaded"
            finally:
                for c in clients:
                    c.close()
            assert answers.count(200) >= 10 and set(answers) <= {200, 503}
            assert time.monotonic() - began < 20, "idle links make room for those who wait"
            until(lambda: w.ask().status == 200)
            assert w.state(a.address) != "down", "our own lack is not the server's fault"


def test_client_that_sends_and_never_reads(weir, fresh):
    """A thousand pipelined requests and no read: bounded, and closed by its deadline."""
    with Weir(http_config(fresh, defaults={"timeouts": {"client_write": "1s"}})) as w:
        w.ask()
        before = w.rss()
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, port = w.address().rsplit(":", 1)
        sock.connect((host, int(port)))
        sock.settimeout(1)
        sent = 0
        try:
            for _ in range(4000):
                sent += sock.send(stage.request_bytes("GET", "/size/100000"))
        except OSError:
            pass
        assert sent < 4 << 20
        until(lambda: w.metrics().get("weir_listener_connections_active", listener="web") == 0)
        if not stage.SANITIZED:
            assert w.rss() - before < 4 << 20
        sock.close()
        until(lambda: w.log(cause="client_timeout") or w.log(cause="client_closed"))


def test_listener_that_is_removed_under_its_clients(origin):
    """Who waits for an answer gets it, and is told to go; who is idle is closed."""
    extra = free_address()
    config = http_config(origin)
    config["listeners"]["extra"] = {"address": extra}
    with Weir(config) as w:
        busy, idle, half = (stage.RawClient(extra) for _ in range(3))
        assert idle.ask().status == 200
        busy.send(stage.request_bytes("GET", "/delay/0.7"))
        half.send(b"GET / HTTP/1.1\r\n")
        until(lambda: origin.seen("/delay/0.7"))
        w.config["listeners"].pop("extra")
        w.write(w.config)
        w.reload()
        assert idle.closed(3)
        answer = busy.response()
        assert answer.status == 200
        assert busy.closed(4), "no listener, no next request"
        assert half.closed(4)
        for c in (busy, idle, half):
            c.close()
        until(lambda: extra not in w.metrics_text() and
              w.metrics().get("weir_listener_connections_active", listener="extra") is None)
        assert w.ask().status == 200


def test_stalled_error_log_blocks_nobody():
    """Nobody reads the events: reloads and requests go on."""
    reading, writing = os.pipe()
    with Origin("a") as a:
        config = http_config(a, logs={"error": {"to": "stdout", "level": "debug"}})
        with Weir(config, stdout=writing) as w:
            os.close(writing)
            for i in range(300):
                w.change(routes=[{"name": f"r{i}" + "x" * 60, "to": "main"}])
                w.signal(signal.SIGHUP)
                assert w.ask().status == 200
            w.reload()
            assert w.ask().status == 200
    os.close(reading)


def test_everything_at_once():
    """Servers die and return, clients vanish, reloads come: whole answers or honest ones."""
    with Origin("a") as a, Origin("b") as b, Origin("c") as c:
        config = http_config(a, b, c, pool={"health": {"active": CHECKS}})
        with Weir(config) as w:
            stop = threading.Event()

            def vanish():
                while not stop.wait(0.005):
                    with w.client() as x:
                        x.send(stage.request_bytes("GET", "/size/3000000"))
                        x.sock.recv(1000)
                        x.abort()

            villain = threading.Thread(target=vanish)
            villain.start()
            try:
                with Load(w.address(), clients=4) as load:
                    for i in range(4):
                        b.kill()
                        w.change(pools={"main": {"balance": ["random", "round_robin"][i % 2]}})
                        w.reload()
                        time.sleep(0.3)
                        b.restart()
                        time.sleep(0.3)
            finally:
                stop.set()
                villain.join()
            assert load.failed == []
            until(lambda: w.metrics().get("weir_requests_in_flight") == 0)
    for o in (a, b, c):
        assert o.unclean == []

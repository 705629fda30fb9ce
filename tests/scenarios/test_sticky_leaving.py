"""A server that leaves keeps its own clients until its drain ends, and nobody else's way."""

import itertools
import socket
import threading
import time

import pytest

from stage import CLOSE, Load, Origin, Weir, http_config, request_bytes, tcp_config, until
from test_sticky import cookie_of, new_client, where, with_cookie


@pytest.fixture
def two():
    with Origin("a") as a, Origin("b") as b:
        yield a, b


def tiered(two, **pool):
    servers = [{"name": o.name, "address": o.address, "tier": i + 1} for i, o in enumerate(two)]
    return http_config(pool={"servers": servers, "sticky": "cookie", "tiers": {"panic_below": "50%"},
                             **pool}, breakers={"usual": {"failures": 5, "window": "10s"}})


def order(weir, *words):
    done = weir.cli(*words)
    assert done.returncode == 0, done.stderr
    return done


def ask_own(weir, cookie, target="/echo", **more):
    return weir.ask(target=target, fields=with_cookie(cookie), **more)


@pytest.mark.parametrize("balance, more", itertools.product(
    ["prequal", "weighted_round_robin", "consistent_hash"],
    [{}, {"queue": {"size": 10}}, {"breaker": "usual"}]))
def test_the_only_server_of_the_first_tier_drains(two, balance, more):
    with Weir(tiered(two, balance=balance, **more)) as w:
        home, cookie = new_client(w)
        assert home == "a"
        order(w, "drain", "main/a")
        for _ in range(6):
            assert where(ask_own(w, cookie)) == "a"
            assert where(w.ask(target="/echo")) == "b"
        w.reload()
        assert where(ask_own(w, cookie)) == "a"


@pytest.mark.parametrize("words", [("drain", "main/a"), ("weight", "main/a", "0")])
def test_its_clients_do_not_wait_for_others_servers(two, words):
    """Those in the queue wait for the other server; what is free at this one is not for them."""
    release = threading.Event()
    two[1].on("/slow", lambda conn, seen: release.wait(30) and conn.answer(200, b"done"))
    config = tiered(two, queue={"size": 100, "timeout": "30s"})
    config["pools"]["main"]["servers"][1]["max_connections"] = 1
    with Weir(config) as w:
        _, cookie = new_client(w)
        order(w, *words)
        others = [w.client() for _ in range(3)]
        for c in others:
            c.send(request_bytes("GET", "/slow"))
        until(lambda: w.metrics().get("weir_pool_queue_length") == 2)
        for _ in range(8):  # at every worker
            assert where(ask_own(w, cookie, timeout=10)) == "a"
        assert w.metrics().get("weir_pool_queue_length") == 2
        release.set()
        for c in others:
            assert c.response().status == 200
            c.close()
        assert not two[0].seen("/slow")


def test_a_full_one_passes_its_clients_to_the_end_of_the_queue(two):
    """Its own clients stand before nobody when they want another server."""
    release = threading.Event()

    def slow(conn, seen):
        release.wait(30)
        return conn.answer(200, conn.origin.name.encode())

    for o in two:
        o.on("/slow", slow)
    config = tiered(two, queue={"size": 100, "timeout": "30s"})
    for server in config["pools"]["main"]["servers"]:
        server["max_connections"] = 1
    with Weir(config) as w:
        _, cookie = new_client(w)
        order(w, "drain", "main/a")
        clients = [w.client() for _ in range(4)]
        clients[0].send(request_bytes("GET", "/slow", with_cookie(cookie)))
        until(lambda: two[0].seen("/slow"))
        for c in clients[1:3]:
            c.send(request_bytes("GET", "/slow"))
        until(lambda: w.metrics().get("weir_pool_queue_length") == 1)
        clients[3].send(request_bytes("GET", "/slow", with_cookie(cookie)))
        until(lambda: w.metrics().get("weir_pool_queue_length") == 2)
        release.set()
        assert [c.response().body for c in clients[:3]] == [b"a", b"b", b"b"]
        assert clients[3].response().status == 200
        for c in clients:
            c.close()


def test_tcp_clients_of_a_leaving_server_do_not_wait(two):
    config = tcp_config(pool={
        "servers": [{"name": o.name, "address": o.address, "tier": i + 1} for i, o in enumerate(two)],
        "sticky": "ip", "queue": {"size": 10, "timeout": "30s"}})
    config["pools"]["main"]["servers"][1]["max_connections"] = 1

    def from_ip(ip):
        sock = socket.create_connection(("127.0.0.1", int(w.address().rpartition(":")[2])),
                                        timeout=10, source_address=(ip, 0))
        sock.sendall(request_bytes("GET", "/echo"))
        return sock

    with Weir(config) as w:
        with from_ip("127.0.0.2") as own:
            assert b"X-Origin: a" in own.recv(4096)
        order(w, "drain", "main/a")
        with from_ip("127.0.0.3") as holds:
            assert b"X-Origin: b" in holds.recv(4096)
            waits = from_ip("127.0.0.3")
            until(lambda: w.metrics().get("weir_pool_queue_length") == 1)
            for _ in range(6):
                with from_ip("127.0.0.2") as own:
                    assert b"X-Origin: a" in own.recv(4096)
            holds.close()
            assert b"X-Origin: b" in waits.recv(4096)
            waits.close()


def test_tcp_clients_of_a_lost_server_keep_nobody_waiting(two):
    """With on_down: fail they have none; they are not to stand in front of those who have."""
    config = tcp_config(pool={
        "servers": [{"name": o.name, "address": o.address, "tier": i + 1} for i, o in enumerate(two)],
        "sticky": {"by": "ip", "on_down": "fail"}, "queue": {"size": 10, "timeout": "30s"},
        "health": {"active": {"path": "/healthz", "interval": "50ms", "timeout": "900ms",
                              "unhealthy_after": 1, "healthy_after": 1, "jitter": "0%"}}})

    def from_ip(ip):
        return socket.create_connection(("127.0.0.1", int(w.address().rpartition(":")[2])),
                                        timeout=5, source_address=(ip, 0))

    def where_it_is(sock):
        sock.sendall(request_bytes("GET", "/echo"))
        return sock.recv(4096)

    with Weir(config) as w:
        with from_ip("127.0.0.2") as own:
            assert b"X-Origin: a" in where_it_is(own)
        two[0].on("/healthz", lambda conn, seen: conn.answer(503, b""))
        w.wait_state(two[0].address, "down")
        with from_ip("127.0.0.2") as own:
            with from_ip("127.0.0.3") as other:
                assert b"X-Origin: b" in where_it_is(other)
            assert own.recv(4096) == b""
            w.wait_log(cause="no_server")


def test_when_the_drain_is_over_its_clients_move_and_nothing_is_cut(two):
    """Requests longer than the steps in which a drained server is cut: not one is sent there."""
    with Weir(tiered(two, drain={"timeout": "1s"})) as w:
        _, cookie = new_client(w)
        order(w, "drain", "main/a")
        assert where(ask_own(w, cookie)) == "a"
        until(lambda: where(ask_own(w, cookie)) == "b", 10)
        two[0].forget()
        assert ask_own(w, cookie, "/delay/1.5", method="POST", body=b"x").status == 200
        assert where(ask_own(w, cookie)) == "b"
        assert two[0].requests == []
        w.reload()
        assert where(ask_own(w, cookie)) == "b"
        order(w, "enable", "main/a")
        until(lambda: where(ask_own(w, cookie)) == "a")


def test_what_runs_at_the_end_of_the_drain_finds_another_server(two):
    with Weir(tiered(two, drain={"timeout": "1s"})) as w:
        _, cookie = new_client(w)
        two[0].on("/long", lambda conn, seen: conn.wait_end() or CLOSE)
        with w.client() as c:
            c.send(request_bytes("GET", "/long", with_cookie(cookie)))
            until(lambda: two[0].seen("/long"))
            order(w, "drain", "main/a")
            answer = c.response()
            assert where(answer) == "b" and cookie_of(answer)


def test_a_kept_connection_that_had_just_ended_moves_nobody(two):
    """The server closes an idle connection in the moment in which weir uses it: it is well."""
    a, b = two
    counts = {}

    def part(conn, seen):
        counts[conn.number] = counts.get(conn.number, 0) + 1
        return conn.answer(200, b"a") if counts[conn.number] == 1 else CLOSE

    a.on("/race", part)
    config = tiered(two)
    config["runtime"] = {"workers": 1}
    with Weir(config) as w:
        _, cookie = new_client(w)
        for _ in range(4):
            answer = ask_own(w, cookie, "/race")
            assert answer.status == 200 and answer["x-origin"] == "a" and not cookie_of(answer)
        assert w.metrics().get("weir_pool_retries_total") >= 3
        assert not b.seen("/race")


def test_a_kept_connection_that_ends_after_work_moves_its_client(two):
    """That is no race: the server had begun, and is not asked once more."""
    a, b = two
    seen_a = []

    def part(conn, seen):
        seen_a.append(conn.number)
        if len(seen_a) == 1:
            return conn.answer(200, b"a")
        time.sleep(1.3)
        return CLOSE

    a.on("/work", part)
    b.on("/work", lambda conn, seen: conn.answer(200, b"b"))
    config = tiered(two)
    config["runtime"] = {"workers": 1}
    with Weir(config) as w:
        _, cookie = new_client(w)
        assert ask_own(w, cookie, "/work").body == b"a"
        answer = ask_own(w, cookie, "/work")
        assert answer.body == b"b" and cookie_of(answer)
        assert len(seen_a) == 2


def test_orders_come_and_go_while_a_client_asks(two):
    """Nothing that is only an order makes a request of its own clients fail or move."""
    with Weir(tiered(two)) as w:
        _, cookie = new_client(w)
        with Load(w.address(), clients=2) as load, w.client() as c:
            end = time.monotonic() + 2
            while time.monotonic() < end:
                for words in (("drain", "main/a"), ("enable", "main/a"),
                              ("weight", "main/a", "0"), ("weight", "main/a", "3")):
                    order(w, *words)
                    assert where(c.ask(target="/echo", fields=with_cookie(cookie))) == "a"
        assert not load.failed

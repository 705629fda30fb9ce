"""Orders given while weir runs: drain, enable, weight."""

import collections
import json
import socket
import threading

import pytest

from client import ask, request_bytes
from origin import WEBSOCKET, tunnel
from stage import Origin, Weir, http_config, until, weir_cli


@pytest.fixture
def three():
    made = [Origin(n) for n in "abc"]
    yield made
    for o in made:
        o.stop()


def pool(three, **more):
    servers = [{"name": o.name, "address": o.address} for o in three]
    return {"servers": servers, "balance": "weighted_round_robin", **more}


def shares(weir, count=60):
    with weir.client() as c:
        return collections.Counter(c.ask().json()["origin"] for _ in range(count))


def good(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def server(weir, name):
    return next(s for s in weir.servers().values() if s["name"] == name)


def test_drain_and_enable(three):
    with Weir(http_config(pool=pool(three))) as w:
        out = good(w.cli("drain", "main/a", "--reason", "kernel update"))
        assert out == "main/a: draining, 0 left. Undo: weir enable main/a\n"
        assert set(shares(w)) == {"b", "c"}
        a = server(w, "a")
        assert a["state"] == "draining"
        assert 'kernel update' in a["reason"] and "safe to stop" in a["reason"]
        assert "draining*" in good(w.cli("status", "main"))
        assert w.metrics().get("weir_server_state", server="a", state="draining") == 1
        assert w.metrics().get("weir_server_up", server="a") == 0
        good(w.cli("enable", "main/a"))
        assert set(shares(w)) == {"a", "b", "c"}
        assert server(w, "a")["state"] == "up"


def test_drain_waits_for_what_runs(three):
    release = threading.Event()
    three[0].on("/slow", lambda conn, seen: release.wait(20) and conn.answer(200, b"done"))
    with Weir(http_config(pool=pool(three[:1]))) as w:
        with w.client() as c:
            c.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            until(lambda: server(w, "a")["connections"] == 1)
            threading.Timer(0.7, release.set).start()
            out = good(w.cli("drain", "main/a", "--wait"))
            assert out.startswith("main/a: 1 … 0.  drained in ") and "Safe to stop" in out
            assert c.response().status == 200
        assert w.ask().status == 503


def test_enabled_servers_warm_up(three):
    with Weir(http_config(pool=pool(three, slow_start="30s"))) as w:
        good(w.cli("drain", "main/a"))
        good(w.cli("enable", "main/a"))
        assert "slow_start" in server(w, "a")
        assert shares(w, 90)["a"] < 20


def test_idle_links_are_closed(three):
    with Weir(http_config(pool=pool(three[:2]), runtime={"workers": 1})) as w:
        shares(w, 10)
        until(lambda: three[0].open >= 1)
        good(w.cli("drain", "main/a"))
        until(lambda: three[0].open == 0)


def test_orders_outlast_reloads(three):
    with Weir(http_config(pool=pool(three))) as w:
        good(w.cli("drain", "main/a"))
        good(w.cli("weight", "main/b", "3"))
        w.reload()
        got = shares(w, 80)
        assert got == {"b": 60, "c": 20}
        status = good(w.cli("status", "main"))
        assert "3*" in status and "weight 3 (file: 1)" in status


def test_a_changed_file_wins(three):
    config = http_config(pool=pool(three))
    with Weir(config) as w:
        good(w.cli("weight", "main/a", "4"))
        config["pools"]["main"]["servers"][0]["weight"] = 2
        w.reload(config)
        assert shares(w, 80) == {"a": 40, "b": 20, "c": 20}
        until(lambda: "replaces the ordered one" in w.stderr)
        assert not server(w, "a")["ordered"]


def test_an_order_ends_with_its_server(three):
    config = http_config(pool=pool(three))
    whole = list(config["pools"]["main"]["servers"])
    with Weir(config) as w:
        good(w.cli("drain", "main/a"))
        config["pools"]["main"]["servers"] = whole[1:]
        w.reload(config)
        config["pools"]["main"]["servers"] = whole
        w.reload(config)
        until(lambda: server(w, "a")["state"] == "up")
        assert set(shares(w)) == {"a", "b", "c"}


def test_tunnels_are_closed_at_the_deadline(three):
    three[0].on("/ws", tunnel)
    with Weir(http_config(pool=pool(three[:1], drain={"timeout": "2s"}))) as w:
        with w.client() as c:
            c.send(request_bytes(target="/ws", fields=list(WEBSOCKET.items())))
            assert c.head().status == 101
            good(w.cli("drain", "main/a"))
            assert "closes in" in server(w, "a")["reason"]
            assert c.closed(within=10)


@pytest.mark.parametrize("args, says", [
    (("drain", "main/x"), "pool 'main' has no server 'x'"),
    (("drain", "nope/a"), "there is no pool 'nope'"),
    (("weight", "main/a", "2000000"), "whole number from 0 to 1000000"),
])
def test_refusals(three, args, says):
    with Weir(http_config(pool=pool(three))) as w:
        done = w.cli(*args)
        assert done.returncode == 1 and says in done.stderr


@pytest.mark.parametrize("args, says", [
    (("drain", "main"), "is not POOL/SERVER"),
    (("breaker", "main", "open"), "POOL/SERVER or route:NAME"),
    (("breaker", "main/a", "shut"), "open, close or reset"),
])
def test_wrong_words(args, says):
    """Nobody is asked, so it does not matter that nobody would answer."""
    done = weir_cli(*args)
    assert done.returncode == 2 and says in done.stderr


def raw(weir, request):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(weir.socket)
        s.sendall(request)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while part := s.recv(65536):
            answer += part
    return answer


def test_the_api(three):
    def patch(path, body, method=b"PATCH"):
        return raw(w, method + b" " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                   b"Content-Length: %d\r\n\r\n" % len(body) + body)

    with Weir(http_config(pool=pool(three))) as w:
        answer = patch(b"/v1/pools/main/servers/a", b'{"state":"drain","reason":"x"}')
        assert json.loads(answer.split(b"\r\n\r\n", 1)[1]) == \
            {"name": "a", "draining": True, "weight": 1, "connections": 0}
        assert b" 200 " in patch(b"/v1/pools/main/servers/%61", b'{"state":"up"}')
        assert b" 400 " in patch(b"/v1/pools/main/servers/a", b'{"state":')
        assert b" 400 " in patch(b"/v1/pools/main/servers/a", b'{"stat":"up"}')
        assert b" 404 " in patch(b"/v1/pools/main/servers/%zz", b'{"state":"up"}')
        assert b" 404 " in patch(b"/v1/pools/main/servers/a/", b'{"state":"up"}')
        assert b" 404 " in patch(b"/v1/pools/main/servers", b'{"state":"up"}')
        assert b" 405 " in patch(b"/v1/pools/main/servers/a", b'{"state":"up"}', b"POST")
        # the address is for everybody: no orders there
        answer = ask(w.admin, "PATCH", "/v1/pools/main/servers/a", body=b'{"state":"drain"}',
                     host=w.admin)
        assert answer.status == 403
        assert server(w, "a")["state"] == "up"

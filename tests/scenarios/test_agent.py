"""Servers that say how much they can take, by agents and in their answers."""

import collections
import socket
import threading
import time

import pytest

from stage import Origin, RawClient, Weir, http_config, until


class Agents:
    """One port at two addresses; each says its line to everybody, until told another."""

    def __init__(self, *hosts):
        self.lines = dict.fromkeys(hosts, "up 100%")
        first = socket.create_server((hosts[0], 0))
        self.port = first.getsockname()[1]
        self.listeners = {hosts[0]: first}
        for host in hosts[1:]:
            self.listeners[host] = socket.create_server((host, self.port))
        for host in hosts:
            threading.Thread(target=self.serve, args=(host,), daemon=True).start()

    def serve(self, host):
        while True:
            try:
                with self.listeners[host].accept()[0] as sock:
                    sock.sendall(self.lines[host].encode() + b"\n")
            except OSError:
                if self.listeners[host].fileno() < 0:
                    return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for listener in self.listeners.values():
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


@pytest.fixture
def agents():
    with Agents("127.0.0.1", "127.0.0.2") as found:
        yield found


@pytest.fixture
def two():
    with Origin("a") as a, Origin("b", host="127.0.0.2") as b:
        yield a, b


def config_of(agents, *servers, **more):
    return http_config(*servers, pool={"balance": "random", "health": {"active": {
        "interval": "200ms", "agent": {"port": agents.port, "interval": "100ms"}}}, **more})


def agent(weir, server):
    return weir.servers()[server.address].get("agent") or {}


def counted(weir, n):
    return collections.Counter(weir.ask().json()["origin"] for _ in range(n))


def test_share(agents, two):
    a, b = two
    agents.lines["127.0.0.1"] = "25%"
    with Weir(config_of(agents, a, b)) as w:
        until(lambda: agent(w, a).get("share") == 0.25 and agent(w, b).get("share") == 1)
        share = counted(w, 400)["a"] / 400
        assert 0.1 < share < 0.32, "a quarter beside a whole one is a fifth"
        assert "up (25%)" in w.cli("status", "main").stdout


def test_drain_and_ready(agents, two):
    a, b = two
    with Weir(config_of(agents, a, b)) as w:
        until(lambda: agent(w, a).get("said") == "up 100%")
        agents.lines["127.0.0.1"] = "drain"
        until(lambda: agent(w, a)["draining"])
        until(lambda: set(counted(w, 20)) == {"b"})
        assert w.state(a.address) == "up"
        assert "up (drains)" in w.cli("status", "main").stdout
        agents.lines["127.0.0.1"] = "ready"
        until(lambda: set(counted(w, 20)) == {"a", "b"})
        agents.lines["127.0.0.1"] = "0%"
        until(lambda: set(counted(w, 20)) == {"b"})


def test_down_and_up(agents, two):
    a, b = two
    with Weir(config_of(agents, a, b)) as w:
        until(lambda: agent(w, a).get("said") == "up 100%" and w.state(a.address) == "up")
        agents.lines["127.0.0.1"] = "down # disk is full"
        until(lambda: w.state(a.address) == "down")
        assert w.servers()[a.address]["reason"] == "agent: down # disk is full"
        until(lambda: "server changed what it takes" in w.stderr)
        assert set(counted(w, 20)) == {"b"}
        agents.lines["127.0.0.1"] = "up"
        until(lambda: w.state(a.address) == "up")
        assert w.metrics().get("weir_health_transitions_total", to="down") == 1


def test_maxconn(agents):
    gate = threading.Event()
    with Origin("a") as a:
        def hold(conn, seen):
            gate.wait(20)
            return conn.answer(200, b"")
        a.on("/hold", hold)
        agents.lines["127.0.0.1"] = "up maxconn:2"
        with Weir(config_of(agents, a)) as w:
            until(lambda: agent(w, a).get("max_connections") == 2)
            clients = [RawClient(w.address()) for _ in range(4)]
            for c in clients:
                c.send(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
            until(lambda: w.metrics().get("weir_pool_no_server_total", pool="main") == 2)
            gate.set()
            answers = collections.Counter(c.response().status for c in clients)
            assert answers == {200: 2, 503: 2}
            for c in clients:
                c.close()


def test_what_is_not_understood_changes_nothing(agents):
    agents.lines["127.0.0.1"] = "50%"
    with Origin("a") as a:
        with Weir(config_of(agents, a)) as w:
            until(lambda: agent(w, a).get("share") == 0.5)
            agents.lines["127.0.0.1"] = "what?"
            until(lambda: agent(w, a)["fails"] >= 2)
            assert agent(w, a)["share"] == 0.5 and agent(w, a)["said"] == "50%"
            assert w.state(a.address) == "up" and w.ask().status == 200
            assert w.stderr.count("what a server says of its load can not be understood") == 1
            del w.config["pools"]["main"]["health"]["active"]["agent"]
            w.write(w.config)
            w.reload()
            until(lambda: agent(w, a).get("share", 1) == 1, 5)


# ---- in answers ----

def saying(origin, value):
    """Answers that say so; value: a text, a list of texts, or what makes them."""
    told = [value]

    def part(conn, seen):
        now = told[0]() if callable(told[0]) else told[0]
        texts = now if isinstance(now, list) else [now]
        body = b'{"origin": "%s"}' % origin.name.encode()
        return conn.answer(200, body, [("X-Server-Load", text) for text in texts])
    origin.on("/load", part)
    return told


def loaded(*servers, **more):
    return http_config(*servers, pool={"balance": "random", "health": {
        "active": {"interval": "200ms", **more}, "load_header": "x-server-load"}})


def said(weir, server):
    return weir.servers()[server.address].get("load_header") or {}


def asked(weir, n):
    answers = [weir.ask(target="/load") for _ in range(n)]
    assert all(a.status == 200 and not a.fields.all("x-server-load") for a in answers)
    return collections.Counter(a.json()["origin"] for a in answers)


def test_header_share_drain_and_reload(two):
    a, b = two
    told = saying(a, "up 25%")
    saying(b, "up")
    with Weir(loaded(a, b)) as w:
        until(lambda: asked(w, 10) and said(w, a).get("share") == 0.25)
        share = asked(w, 400)["a"] / 400
        assert 0.1 < share < 0.32, "a quarter beside a whole one is a fifth"
        assert "up (load header: up 25%)" in w.cli("status", "main").stdout
        told[0] = "drain # backup runs"
        until(lambda: asked(w, 20) and said(w, a).get("draining"))
        until(lambda: set(asked(w, 20)) == {"b"})
        assert w.state(a.address) == "up"
        assert "up (load header: drain # backup runs)" in w.cli("status", "main").stdout
        until(lambda: 'load header' in w.stderr and "server changed what it takes" in w.stderr)
        told[0] = "ready"
        w.config["pools"]["main"]["health"]["load_header"] = "off"
        w.write(w.config)
        w.reload()
        until(lambda: {w.ask(target="/load").json()["origin"] for _ in range(20)} == {"a", "b"})
        assert said(w, a) == {} and w.ask(target="/load").fields.get("x-server-load")


def test_header_down_and_cap(two):
    a, b = two
    told = saying(a, ["down", "maxconn:7"])
    saying(b, "up")
    with Weir(loaded(a, b)) as w:
        until(lambda: asked(w, 4) and w.state(a.address) == "down")
        assert w.servers()[a.address]["reason"] == "load header: down,maxconn:7"
        assert said(w, a)["max_connections"] == 7
        assert set(asked(w, 20)) == {"b"}
        told[0] = "up"                      # nobody asks a server that is down
        assert said(w, a)["said"] == "down,maxconn:7"


def test_header_and_agent_the_more_careful_counts(agents, two):
    a, b = two
    told = saying(a, "50%")
    saying(b, "up")
    agents.lines["127.0.0.1"] = "up 100%"
    with Weir(loaded(a, b, agent={"port": agents.port, "interval": "100ms"})) as w:
        until(lambda: asked(w, 10) and said(w, a).get("share") == 0.5)
        until(lambda: agent(w, a).get("said") == "up 100%")
        agents.lines["127.0.0.1"] = "drain"
        until(lambda: agent(w, a)["draining"])
        until(lambda: set(asked(w, 20)) == {"b"})
        agents.lines["127.0.0.1"] = "ready"
        until(lambda: set(asked(w, 20)) == {"a", "b"})
        assert said(w, a)["share"] == 0.5


def test_header_of_nonsense_changes_nothing():
    with Origin("a") as a:
        told = saying(a, "up 50%")
        with Weir(loaded(a)) as w:
            until(lambda: asked(w, 1) and said(w, a).get("share") == 0.5)
            for nonsense in ("", "what?", "x" * 10000, "maxconn:" + "9" * 200, "drain " * 100,
                             "\xff\xfe\x80[31m" * 3, "#", "%" * 150):
                told[0] = nonsense
                before = said(w, a)["fails"]
                until(lambda: asked(w, 1) and said(w, a)["fails"] > before)
                assert said(w, a)["share"] == 0.5 and said(w, a)["said"] == "up 50%"
            text = "what a server says of its load can not be understood"
            assert w.stderr.count(text) == 1, "told once, however often"
            told[0] = "up 75%"
            until(lambda: asked(w, 1) and said(w, a).get("share") == 0.75)


def test_header_that_changes_each_time_is_heard_once_a_second(two):
    a, b = two
    number = [0]

    def other():
        number[0] += 1
        return f"maxconn:{1000 + number[0]}"
    saying(a, other)
    saying(b, "up")
    with Weir({**loaded(a, b), "runtime": {"workers": 2}}) as w:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            asked(w, 20)
        heard = w.stderr.count("server changed what it takes")
        last = number[0]
        assert last > 100, "that many answers, each with news"
        # each of two workers at most once a second, and once in between
        assert 2 <= heard <= 16, heard
        until(lambda: said(w, a)["max_connections"] == 1000 + last, 5)

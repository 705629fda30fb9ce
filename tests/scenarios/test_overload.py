"""Overload of weir itself: low priority goes first, critical requests go through, it heals."""

import contextlib
import threading

import pytest

from stage import Origin, Weir, http_config, request_bytes, until

MOST = 200


@pytest.fixture
def origin():
    one = Origin("a")
    yield one
    one.stop()


def config(origin):
    made = http_config(origin)
    made["runtime"] = {"max_connections": MOST}
    made["routes"] = [
        {"name": "pay", "match": {"path": "/pay"}, "to": "main", "priority": "critical"},
        {"name": "slow", "match": {"path": "/slow"}, "to": "main", "priority": "critical"},
        {"name": "hints", "match": {"path": "/hints"}, "to": "main", "priority": "low"},
        {"name": "alive", "match": {"path": "/lb-health"}, "respond": {"body": "ok"}},
        {"name": "rest", "to": "main"}]
    return made


def busy(w, stack, count):
    """So many requests that are being served and do not end yet."""
    clients = []
    for _ in range(count):
        c = stack.enter_context(w.client(timeout=30))
        c.send(request_bytes(target="/slow"))
        clients.append(c)
    return clients


def status(w, target):
    return w.ask(target=target).status


def settles(w, target, wanted):
    """At every worker: each looks for itself, and a slow machine may be late for a moment."""
    until(lambda: [status(w, target) for _ in range(12)] == [wanted] * 12)


def all_served(w, count):
    until(lambda: w.status()["pools"][0]["in_flight"] == count)


def test_lowest_first_and_back(origin):
    release = threading.Event()
    origin.on("/slow", lambda conn, seen: release.wait(30) and conn.answer(200, b"done"))
    with Weir(config(origin)) as w, contextlib.ExitStack() as stack:
        assert [status(w, t) for t in ("/pay", "/", "/hints")] == [200] * 3
        assert "overload" not in w.status()
        clients = busy(w, stack, MOST * 85 // 100)
        all_served(w, len(clients))
        settles(w, "/hints", 503)
        shed = w.ask(target="/hints")
        assert shed.fields.get("Weir-Cause") == "overloaded"
        assert shed.fields.get("Retry-After") == "5"
        assert status(w, "/pay") == 200 and status(w, "/") == 200
        clients += busy(w, stack, MOST * 97 // 100 - len(clients))
        all_served(w, len(clients))
        settles(w, "/", 503)
        for _ in range(20):
            assert status(w, "/pay") == 200
        assert status(w, "/lb-health") == 200
        until(lambda: w.status().get("overload", {}).get("reason") == "connections")
        assert "! overloaded: connections" in w.cli("status").stdout
        until(lambda: w.metrics().get("weir_overload_level") == 2)
        metrics = w.metrics()
        assert metrics.get("weir_shed_requests_total", priority="low") >= 2
        assert metrics.get("weir_shed_requests_total", priority="critical") == 0
        release.set()
        for c in clients:
            assert c.response().body == b"done"        # what runs ends as ever
        until(lambda: status(w, "/hints") == 200)
        until(lambda: "overload" not in w.status())
        until(lambda: "the overload is over" in w.stderr)
        until(lambda: "overloaded: requests are turned away" in w.stderr)

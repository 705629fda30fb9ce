"""Too many, too large, too slow: bounded, answered, and survived."""

import time

import pytest

import stage
from stage import Cut, RawClient, Weir, http_config, tcp_config, until


def served(address, **more):
    try:
        with RawClient(address, timeout=3, **more) as c:
            return c.ask().status == 200
    except (OSError, EOFError, Cut):
        return False


def hold(address, count, **more):
    """Opens connections and asks once on each; returns those that are served."""
    held = []
    for _ in range(count):
        try:
            c = RawClient(address, timeout=2, **more)
        except OSError:
            continue
        try:
            if c.ask().status == 200:
                held.append(c)
                continue
        except (OSError, EOFError, Cut):
            pass
        c.close()
    return held


def test_max_connections(origin):
    config = http_config(origin)
    config["listeners"]["web"]["max_connections"] = 5
    with Weir(config) as w:
        held = hold(w.address(), 5)
        assert len(held) == 5
        sixth = RawClient(w.address(), timeout=2)
        try:
            answer = None
            try:
                answer = sixth.ask()
                assert answer.status == 503
            except (OSError, EOFError, Cut):
                pass                # closed, or left to wait: not served
        finally:
            sixth.close()
        assert all(c.ask().status == 200 for c in held), "those inside are not disturbed"
        held.pop().close()
        until(lambda: served(w.address()))
        for c in held:
            c.close()


def test_max_connections_per_ip(origin):
    config = http_config(origin)
    config["listeners"]["web"]["max_connections_per_ip"] = 3
    with Weir(config) as w:
        held = hold(w.address(), 8)
        assert len(held) == 3
        assert served(w.address(), source="127.0.0.7"), "another address has its own"
        assert (w.metrics().get("weir_listener_connections_rejected_total", listener="web") or 0) >= 5
        for c in held:
            c.close()
        until(lambda: served(w.address()))


def test_max_connections_per_ip_tcp():
    with stage.TcpOrigin() as t:
        config = tcp_config(t)
        config["listeners"]["web"]["max_connections_per_ip"] = 2
        with Weir(config) as w:
            clients = [w.client(timeout=2) for _ in range(4)]
            served_now = 0
            for c in clients:
                try:
                    c.send(b"x")
                    c.reader.exactly(1)
                    served_now += 1
                except (OSError, EOFError):
                    pass
            for c in clients:
                c.close()
            assert served_now == 2


def test_max_connections_of_the_process(origin):
    with Weir(http_config(origin, runtime={"max_connections": 6})) as w:
        held = hold(w.address(), 12)
        assert 4 <= len(held) <= 6
        for c in held:
            c.close()
        until(lambda: served(w.address()))


def test_64_descriptors(origin):
    """More clients than descriptors: no spinning, no fall, and it recovers."""
    with Weir(http_config(origin, runtime={"workers": 1}), nofile=64) as w:
        clients = []
        for _ in range(120):
            try:
                clients.append(RawClient(w.address(), timeout=2))
            except OSError:
                break
        time.sleep(0.3)
        before = w.cpu()
        time.sleep(1)
        assert w.cpu() - before < 0.5 * stage.SLOW, "no busy loop"
        for c in clients:
            c.close()
        until(lambda: served(w.address()))


@pytest.mark.deep
def test_64_descriptors_under_use(origin):
    with Weir(http_config(origin, runtime={"workers": 1}), nofile=64) as w:
        for _ in range(5):
            held = hold(w.address(), 60)
            assert held
            for c in held:
                c.close()
        until(lambda: served(w.address()))


def test_10_mb_of_header(origin):
    with Weir(http_config(origin)) as w:
        w.ask()
        before = w.rss()
        for piece in (b"X: " + b"a" * 1000 + b"\r\n", b"a" * 1000):
            with w.client() as c:
                c.try_send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
                for _ in range(10000):
                    if not c.try_send(piece):
                        break
                try:
                    assert c.response().status == 431
                except (EOFError, Cut):
                    pass
        assert w.ask().status == 200
        if not stage.SANITIZED:
            assert w.rss() - before < 4 << 20


def test_hundred_half_heads_cost_little(origin):
    with Weir(http_config(origin)) as w:
        w.ask()
        before = w.rss()
        clients = [w.client() for _ in range(100)]
        for c in clients:
            c.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20000)
        time.sleep(0.3)
        if not stage.SANITIZED:
            assert w.rss() - before < 100 * 80 * 1024
        assert w.ask().status == 200
        for c in clients:
            c.close()


def test_flood_of_connections(origin):
    with Weir(http_config(origin)) as w:
        for _ in range(10):
            clients = []
            for _ in range(100):
                try:
                    clients.append(RawClient(w.address(), timeout=5))
                except OSError:
                    pass
            for i, c in enumerate(clients):
                c.abort() if i % 2 else c.close()
        until(lambda: served(w.address()))
        until(lambda: w.metrics().get("weir_listener_connections_active", listener="web") == 0)


def test_clients_that_vanish_leave_nothing(origin):
    with Weir(http_config(origin)) as w:
        w.ask()
        fds = w.fds()
        for target in ("/delay/0.2", "/size/50000000", "/chunked/50000000", "/hang"):
            for _ in range(10):
                c = w.client()
                c.send(stage.request_bytes("GET", target))
                time.sleep(0.01)
                c.abort()
        for _ in range(10):
            c = w.client()
            c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhello")
            time.sleep(0.01)
            c.abort()
        until(lambda: w.metrics().get("weir_requests_in_flight") == 0)
        until(lambda: w.fds() <= fds + 8)
        assert w.ask().status == 200


@pytest.mark.deep
@pytest.mark.skipif(stage.SANITIZED, reason="sanitizers map far more than they use")
def test_memory_limit(origin):
    """With little memory some are refused; the process lives and recovers."""
    config = http_config(origin)
    with Weir(config, prefix=["prlimit", "--as=400000000"]) as w:
        clients = []
        for _ in range(400):
            try:
                c = RawClient(w.address(), timeout=5)
                c.send(stage.request_bytes("GET", "/size/10000000"))
                clients.append(c)
            except OSError:
                break
        time.sleep(1)
        for c in clients:
            c.close()
        until(lambda: served(w.address()))

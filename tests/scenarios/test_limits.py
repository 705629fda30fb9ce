"""Too many, too large, too slow: bounded, answered, and survived."""

import contextlib
import os
import socket
import tempfile
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


def test_a_client_that_says_nothing_is_not_let_in_at_once(origin):
    """The kernel keeps it for a second; then its request's deadline begins."""
    config = http_config(origin, defaults={"timeouts": {"request_header": "1s"}})

    def total(weir):
        return weir.metrics().get("weir_listener_connections_total", listener="web")

    with Weir(config) as w:
        before = total(w) or 0
        with w.client() as silent:
            assert served(w.address())
            assert total(w) == before + 1, "only the one that has asked"
            until(lambda: total(w) == before + 2, 10)
            assert silent.closed(10), "and nobody stays for ever"


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
        busy = [RawClient(w.address(), timeout=20) for _ in range(6)]
        for c in busy:
            c.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        until(lambda: w.metrics().get("weir_listener_connections_active", listener="web") == 6)
        assert hold(w.address(), 6) == []
        for c in busy:
            c.send(b"\r\n")
            assert c.response().status == 200, "those inside are not disturbed"
            c.close()
        until(lambda: served(w.address()))


def test_idle_clients_of_a_full_process_make_room(origin):
    """Who waits only for what he may ask next goes before somebody new is turned away."""
    with Weir(http_config(origin, runtime={"workers": 1, "max_connections": 6})) as w:
        held = hold(w.address(), 3)
        busy = w.client(timeout=20)
        busy.send(stage.request_bytes("GET", "/delay/1"))
        until(lambda: origin.seen("/delay/1"))
        held += hold(w.address(), 7)
        assert len(held) == 10, "all of them were served"
        assert all(c.closed(3) for c in held[:5]), "those that were idle for longest"
        assert all(c.ask().status == 200 for c in held[5:])
        assert busy.response().status == 200
        assert w.metrics().get("weir_listener_connections_rejected_total", listener="web") in (None, 0)
        for c in (*held, busy):
            c.close()


def test_idle_clients_make_room_where_descriptors_end(origin):
    """More may come in than there are descriptors: accept fails, and the idle give way."""
    config = http_config(origin, runtime={"workers": 1, "max_connections": 1000})
    with Weir(config, nofile=64) as w:
        held = hold(w.address(), 150)
        assert len(held) == 150, "all of them were served"
        assert w.fds() <= 64
        assert held[0].closed(3) and held[-1].ask().status == 200
        for c in held:
            c.close()


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
        assert w.cpu() - before < 0.1 * stage.SLOW, "no busy loop"
        assert w.fds() <= 64
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


@contextlib.contextmanager
def memory_group(size):
    """A control group of that much memory: what to run in front to be in it, and its folder.
    Kernels know two kinds; (None, None) where neither may be made here."""
    name = os.path.basename(tempfile.mktemp(prefix="weir-play-"))
    kinds = (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"))
    for root, limit in kinds:
        group = f"{root}/{name}"
        try:
            os.mkdir(group)
        except OSError:
            continue
        try:
            with open(f"{group}/{limit}", "r+") as f:
                f.write(str(size))
        except OSError:
            os.rmdir(group)
            continue
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"], group
        until(lambda: remove(group))
        return
    yield None, None


def remove(group):
    try:
        os.rmdir(group)
        return True
    except OSError:
        return False


def killed_for_memory(group):
    for name in ("memory.events", "memory.oom_control"):
        try:
            with open(f"{group}/{name}") as f:
                found = dict(line.split() for line in f)
            return int(found["oom_kill"])
        except (OSError, KeyError):
            pass
    return 0


def greedy(address, count):
    """Clients that make weir hold as much as they can: answers nobody reads, half heads."""
    host, port = address.rsplit(":", 1)
    held = []
    for i in range(count):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(1)
        try:
            s.connect((host, int(port)))
            if i % 2:
                s.sendall(stage.request_bytes("GET", f"/{i % 10}0000000"))
            else:
                s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 30000)
        except OSError:
            pass
        held.append(s)
    return held


def outlives(config, prefix):
    """With little memory some are refused; the same process lives on and recovers."""
    with Weir(config, prefix=prefix) as w:
        child = w.child
        for _ in range(2):
            held = greedy(w.address(), 2000)
            time.sleep(1)
            print(f"{w.rss() >> 20} MiB for {len(held)} greedy clients")
            assert w.ask_admin("/healthz").status == 200
            for s in held:
                s.close()
            until(lambda: served(w.address()))
        rejected = w.metrics().get("weir_listener_connections_rejected_total") or 0
        shed = w.metrics().get("weir_errors_total", cause="overloaded") or 0
        print(f"{rejected:.0f} not let in, {shed:.0f} answered with 503")
        assert rejected + shed > 0, "the limit was reached"
        assert w.child == child, "nobody killed it"


def big_answers(origin):
    body = stage.pattern(1 << 20)

    def part(conn, seen):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (16 << 20))
        for _ in range(16):
            conn.send(body)
        return stage.KEEP

    for i in (1, 3, 5, 7, 9):
        origin.on(f"/{i}0000000", part)


@pytest.mark.deep
@pytest.mark.skipif(stage.SANITIZED, reason="sanitizers map far more than they use")
def test_memory_limit_of_a_group(origin):
    big_answers(origin)
    with memory_group(48 << 20) as (prefix, group):
        if not prefix:
            pytest.skip("no control group may be made here")
        outlives(http_config(origin), prefix)
        assert killed_for_memory(group) == 0


@pytest.mark.deep
@pytest.mark.skipif(stage.SANITIZED, reason="sanitizers map far more than they use")
def test_memory_limit_of_addresses(origin):
    big_answers(origin)
    outlives(http_config(origin), ["prlimit", "--as=150000000"])


@pytest.mark.parametrize("sizes,length,status", [
    ({}, 2600, 200), ({}, 2800, 414), ({}, 8000, 414),
    ({"uri": "64KiB", "header_size": "64KiB"}, 21000, 200),
    ({"uri": "64KiB", "header_size": "64KiB"}, 63000, 414),
    ({"uri": "1MiB", "header_size": "64KiB"}, 63000, 414)])
def test_a_path_that_grows_in_its_normal_form(origin, sizes, length, status):
    """Three bytes for one: what counts is what the server would be sent."""
    with Weir(http_config(origin, defaults={"sizes": sizes})) as w, w.client() as c:
        before = w.child
        answer = c.ask(target="/" + '"' * length)
        assert answer.status == status
        assert answer["Weir-Cause"] == (None if status == 200 else "too_large")
        assert w.ask().status == 200 and w.child == before

"""Plain TCP: bytes both ways, ends passed on, nothing added but what was asked for."""

import socket
import struct
import threading
import time

import pytest

import stage
from stage import TcpOrigin, Weir, free_address, pattern, reset, tcp_config, until

MIB = 1 << 20


@pytest.fixture(scope="module")
def echo_server():
    with TcpOrigin() as t:
        yield t


@pytest.fixture(scope="module")
def weir(echo_server):
    with Weir(tcp_config(echo_server)) as w:
        yield w


def test_echo(weir):
    with weir.client() as c:
        for size in (1, 1000, 100000):
            data = pattern(size)
            c.send(data)
            assert c.reader.exactly(size) == data


def test_half_close_from_the_client(weir):
    with weir.client() as c:
        c.send(b"hello")
        c.half_close()
        assert c.reader.exactly(8) == b"hellobye"
        assert c.closed()


def test_half_close_from_the_server():
    got = []

    def part(sock, _):
        sock.sendall(b"hello")
        sock.shutdown(socket.SHUT_WR)
        while True:
            data = sock.recv(65536)
            if not data:
                break
            got.append(data)
        got.append(b"end")

    with TcpOrigin(part) as server, Weir(tcp_config(server)) as w, w.client() as c:
        assert c.reader.exactly(5) == b"hello"
        assert c.closed(), "the server's end arrives"
        for _ in range(5):
            c.send(b"more")
            time.sleep(0.02)
        c.half_close()
        until(lambda: got and got[-1] == b"end")
        assert b"".join(got) == b"more" * 5 + b"end"


def test_half_closed_connections_do_not_pile_up():
    """Clients that have gone, and a server that does not end its side for it."""
    over = threading.Event()

    def part(sock, _):
        while sock.recv(65536):
            pass
        over.wait(30)

    config = tcp_config(servers := TcpOrigin(part), defaults={"timeouts": {"half_closed": "300ms"}})
    with servers, Weir(config) as w:
        for _ in range(20):
            with w.client() as c:
                c.send(b"hello")
        with w.client() as staying:
            staying.send(b"hello")
            until(lambda: len(w.log(cause="server_timeout")) == 20)
            assert not staying.closed(1), "nobody has ended here"
            assert w.metrics().get("weir_listener_connections_active") == 1
        over.set()


def test_server_speaks_first():
    def part(sock, _):
        sock.sendall(b"220 hello\r\n")
        sock.recv(100)

    with TcpOrigin(part) as server, Weir(tcp_config(server)) as w, w.client() as c:
        assert c.reader.exactly(11) == b"220 hello\r\n"


def test_reset_is_passed_on(weir):
    def part(sock, _):
        sock.recv(100)
        reset(sock)

    with TcpOrigin(part) as server, Weir(tcp_config(server)) as w, w.client() as c:
        c.send(b"hello")
        assert c.closed()


def test_client_reset_ends_the_server_side():
    ended = threading.Event()

    def part(sock, _):
        try:
            while sock.recv(65536):
                pass
        except OSError:
            pass
        ended.set()

    with TcpOrigin(part) as server, Weir(tcp_config(server)) as w:
        c = w.client()
        c.send(b"hello")
        time.sleep(0.05)
        c.abort()
        assert ended.wait(5)


def test_bulk_both_ways_at_once(weir):
    size = 32 * MIB
    with weir.client(timeout=30) as c:
        sender = threading.Thread(target=lambda: (c.sock.sendall(pattern(size)), c.half_close()))
        sender.start()
        total = 0
        expected = pattern(size) + b"bye"
        while total < len(expected):
            data = c.reader.some(MIB)
            assert data == expected[total:total + len(data)]
            total += len(data)
        sender.join()
        assert c.closed()


def test_back_pressure():
    sent = []

    def part(sock, _):
        piece = b"x" * 65536
        for _ in range(256 * 16):
            sock.sendall(piece)
            sent.append(len(piece))

    with TcpOrigin(part) as server, Weir(tcp_config(server)) as w, w.client():
        until(lambda: sent)
        time.sleep(0.5)
        count = len(sent)
        time.sleep(0.5)
        assert len(sent) == count and sum(sent) < 32 * MIB


@pytest.fixture(scope="module")
def heads():
    """A server that keeps the PROXY header it got, then echoes; and weir before it."""
    got = []

    def part(sock, _):
        head = sock.recv(16, socket.MSG_WAITALL)
        size = struct.unpack("!H", head[14:16])[0]
        got.append((head, sock.recv(size, socket.MSG_WAITALL), sock.getpeername()))
        stage.tcp_echo(sock, None)

    six = f"[::1]:{stage.free_port('::1')}"
    with TcpOrigin(part) as server:
        config = tcp_config(server, pool={"proxy_protocol": "v2"})
        config["listeners"]["six"] = {"kind": "tcp", "address": six, "to": "main"}
        with Weir(config) as w:
            yield w, got


def test_proxy_header(heads):
    weir, got = heads
    with weir.client() as c:
        c.send(b"hello")
        assert c.reader.exactly(5) == b"hello"
        mine = c.sock.getsockname()
        there = c.sock.getpeername()
    head, rest, _ = got[-1]
    assert head[:12] == b"\r\n\r\n\0\r\nQUIT\n" and head[12] == 0x21 and head[13] == 0x11
    source, target, sport, dport = struct.unpack("!4s4sHH", rest[:12])
    assert (socket.inet_ntoa(source), sport) == mine
    assert (socket.inet_ntoa(target), dport) == there


def test_proxy_header_ipv6(heads):
    weir, got = heads
    with weir.client("six") as c:
        c.send(b"hello")
        assert c.reader.exactly(5) == b"hello"
        mine = c.sock.getsockname()
    head, rest, _ = got[-1]
    assert head[12] == 0x21 and head[13] == 0x21
    source, target, sport, _ = struct.unpack("!16s16sHH", rest[:36])
    assert socket.inet_ntop(socket.AF_INET6, source) == "::1" and sport == mine[1]


def greeted_after(weir):
    """Seconds until the server's first words are there, at best of some."""
    took = []
    for _ in range(8):
        began = time.monotonic()
        with weir.client() as c:
            assert c.reader.exactly(11) == b"220 hello\r\n"
        took.append(time.monotonic() - began)
    return min(took)


def test_a_server_that_speaks_first_has_the_proxy_header_at_once():
    def part(sock, _):
        head = sock.recv(16, socket.MSG_WAITALL)
        sock.recv(struct.unpack("!H", head[14:16])[0], socket.MSG_WAITALL)
        sock.sendall(b"220 hello\r\n")
        sock.recv(100)

    with TcpOrigin(part) as server, \
            Weir(tcp_config(server, pool={"proxy_protocol": "v2"})) as w:
        took = greeted_after(w)
    assert took < 0.19, "a kernel that waits for more sends after 200 ms"


def test_proxy_header_to_an_http_server():
    got = []

    def part(sock, _):
        head = sock.recv(16, socket.MSG_WAITALL)
        sock.recv(struct.unpack("!H", head[14:16])[0], socket.MSG_WAITALL)
        got.append(head)
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    with TcpOrigin(part) as server:
        with Weir(stage.http_config(server, pool={"proxy_protocol": "v2"})) as w:
            assert w.ask().body == b"ok"
            assert got[0][:12] == b"\r\n\r\n\0\r\nQUIT\n"


def test_idle_deadline(echo_server):
    config = tcp_config(echo_server, defaults={"timeouts": {"tunnel": "700ms", "idle": "700ms"}})
    with Weir(config) as w, w.client() as c:
        for _ in range(4):
            time.sleep(0.3)
            c.send(b"x")
            assert c.reader.exactly(1) == b"x"
        assert c.closed(8)


def test_no_server_closes_at_once():
    with Weir(tcp_config(free_address())) as w, w.client() as c:
        assert c.closed(10)
        assert w.wait_log(listener="web")["cause"] in ("connect_refused", "no_server")


def test_refused_server_is_passed_over(echo_server):
    with Weir(tcp_config(free_address(), echo_server)) as w:
        for _ in range(6):
            with w.client() as c:
                c.send(b"hello")
                assert c.reader.exactly(5) == b"hello"


def test_balanced():
    def named(name):
        return lambda sock, _: sock.sendall(name)

    with TcpOrigin(named(b"a")) as a, TcpOrigin(named(b"b")) as b:
        with Weir(tcp_config(a, b)) as w:
            got = []
            for _ in range(20):
                with w.client() as c:
                    got.append(c.reader.exactly(1))
        assert 8 <= got.count(b"a") <= 12


def test_log_and_metrics(weir):
    before = len(weir.log())
    with weir.client() as c:
        c.send(b"x" * 1000)
        c.reader.exactly(1000)
        c.half_close()
        c.reader.exactly(3)
    line = until(lambda: weir.log()[before:])[-1]
    assert line["listener"] == "web" and line["pool"] == "main" and line["cause"] == "ok"
    assert line["bytes_in"] == 1000 and line["bytes_out"] == 1003
    assert weir.metrics().get("weir_listener_connections_total", listener="web") >= 1


@pytest.mark.deep
def test_bulk_of_a_gigabyte(weir):
    size, piece = 1 << 30, pattern(251 * 4096)
    with weir.client(timeout=60) as c:
        def send():
            left = size
            while left:
                c.sock.sendall(piece[:left])
                left -= min(left, len(piece))
            c.half_close()
        sender = threading.Thread(target=send)
        sender.start()
        total = 0
        while total < size + 3:
            total += len(c.reader.some(MIB))
        sender.join()
        assert total == size + 3 and c.closed()


def test_a_listener_that_becomes_tcp_waits_for_no_word_of_the_client():
    def part(sock, _):
        sock.sendall(b"220 hello\r\n")
        sock.recv(100)

    with TcpOrigin(part) as server:
        config = tcp_config(server)
        http = dict(config, listeners={"web": dict(config["listeners"]["web"], kind="http")})
        with Weir(http) as w:
            w.reload(config)
            took = greeted_after(w)
    assert took < 0.9, "the kernel keeps a silent client of HTTP for a second"

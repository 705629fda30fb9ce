"""The stage itself: a rig that overlooks dirt would make every other play worthless."""

import pytest

from stage import DnsServer, Metrics, Origin, RawClient, TcpOrigin, Unclean, ask, until

DIRTY_REQUESTS = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\nb\r\n\r\n",
    b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("data", DIRTY_REQUESTS)
def test_origin_finds_dirt(data):
    with Origin() as o, RawClient(o.address) as c:
        c.send(data)
        c.half_close()
        until(lambda: o.unclean, 5)


DIRTY_RESPONSES = [
    b"HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n",
    b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("data", DIRTY_RESPONSES)
def test_client_finds_dirt(data):
    with Origin() as o:
        o.say("/c", data, "close")
        with pytest.raises(Unclean):
            ask(o.address, target="/c")


def test_client_finds_the_cut():
    from stage import Cut
    with Origin() as o:
        for raw in (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"):
            o.say("/c", raw, "close")
            with pytest.raises(Cut):
                ask(o.address, target="/c")


def test_killed_origin_refuses_and_comes_back():
    with Origin() as o:
        with RawClient(o.address) as c:
            assert c.ask().status == 200
            port = o.port
            o.kill()
            assert c.closed()
            with pytest.raises(ConnectionRefusedError):
                RawClient(o.address)
            o.restart()
            assert o.port == port and ask(o.address).status == 200


def test_tcp_origin_shows_a_half_close():
    with TcpOrigin() as t, RawClient(t.address) as c:
        c.send(b"hello")
        c.half_close()
        assert c.reader.exactly(8) == b"hellobye" and c.closed()


def test_metrics_are_read():
    m = Metrics('# HELP a b\na_total{x="1",y="q\\"z"} 3\na_total{x="2"} 4.5\nb 1e3\n')
    assert m.get("a_total") == 7.5 and m.get("a_total", x="1") == 3
    assert m.get("b") == 1000 and m.get("c") is None


def test_dns_server_answers():
    import socket
    import struct
    with DnsServer() as d, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        d.tell("a.b", ["127.0.0.9"], ttl=7)
        s.settimeout(5)
        query = struct.pack("!HHHHHH", 5, 0x100, 1, 0, 0, 0) + b"\x01a\x01b\0" + b"\0\1\0\1"
        s.sendto(query, ("127.0.0.1", d.port))
        reply = s.recv(500)
        assert reply[:2] == b"\0\5" and reply[-4:] == bytes([127, 0, 0, 9])
        assert struct.unpack("!HHIH", reply[-14:-4]) == (1, 1, 7, 4)

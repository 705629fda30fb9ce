"""Bodies of any size in bounded memory, with back-pressure both ways."""

import hashlib
import socket
import threading
import time
import zlib

import pytest

import stage
from stage import Weir, http_config, pattern, until

MIB = 1 << 20


@pytest.fixture(scope="module")
def weir(origin):
    with Weir(http_config(origin, defaults={"sizes": {"body": "64GiB"}})) as w:
        yield w


def upload(client, size, target="/echo", chunk=None, digest=None):
    """Sends `size` bytes of the pattern; returns the answer and the digest sent."""
    digest = digest or hashlib.sha256()
    frame = b"Transfer-Encoding: chunked" if chunk else b"Content-Length: %d" % size
    client.send(b"POST %s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n" % (target.encode(), frame))
    piece = pattern(chunk or MIB)
    while size:
        part = piece[:size]
        digest.update(part)
        client.send(b"%x\r\n%s\r\n" % (len(part), part) if chunk else part)
        size -= len(part)
    if chunk:
        client.send(b"0\r\n\r\n")
    return client.response(), digest.hexdigest()


@pytest.mark.parametrize("size", [0, 1, 16383, 16384, 16385, 65536, 3 * MIB + 7])
def test_download_sizes(weir, fresh, size):
    answer = weir.ask(target=f"/size/{size}")
    assert answer.size == size
    assert answer.body[:1 << 18] == pattern(min(size, 1 << 18))


@pytest.mark.parametrize("chunk", [None, 1, 1000, 65536])
def test_upload_sizes(weir, fresh, chunk):
    size = 3000 if chunk == 1 else 3 * MIB + 7
    with weir.client() as c:
        answer, digest = upload(c, size, chunk=chunk)
        assert answer.json()["size"] == size and answer.json()["sha256"] == digest


def slow_reader(address):
    """A client whose kernel takes little, so that back-pressure begins early."""
    host, port = address.rsplit(":", 1)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    sock.settimeout(20)
    sock.connect((host, int(port)))
    return sock


def quiet(what, seconds=1):
    """Waits until the answer has been the same for so long."""
    last, since = what(), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.05)
        now = what()
        if now != last:
            last, since = now, time.monotonic()


def test_client_that_does_not_read_holds_the_origin_back(weir, fresh):
    sent = []

    def part(conn, seen):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (256 * MIB))
        piece = b"x" * 65536
        for _ in range(256 * 16):
            conn.send(piece)
            sent.append(len(piece))
        return stage.KEEP

    fresh.on("/c", part)
    before = weir.rss()
    sock = slow_reader(weir.address())
    with sock:
        sock.sendall(stage.request_bytes("GET", "/c"))
        until(lambda: sent)
        quiet(lambda: len(sent))
        assert sum(sent) < 32 * MIB, "the origin is held back"
        if not stage.SANITIZED:
            assert weir.rss() - before < 8 * MIB
    assert weir.ask().status == 200


def test_origin_that_does_not_read_holds_the_client_back(weir, fresh):
    go = threading.Event()

    def part(conn, seen):
        go.wait(20)
        seen.read_body()
        return conn.answer(200, b"%d" % seen.size)

    fresh.on("/c", part)
    before = weir.rss()
    with weir.client(timeout=1) as c:
        c.send(b"POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (64 * MIB))
        sent, piece = 0, b"x" * 65536
        try:
            while sent < 64 * MIB:
                sent += c.sock.send(piece[:64 * MIB - sent])
        except TimeoutError:
            pass
        assert sent < 32 * MIB, "the client is held back"
        if not stage.SANITIZED:
            assert weir.rss() - before < 8 * MIB
        go.set()
        c.sock.settimeout(20)
        while sent < 64 * MIB:
            sent += c.sock.send(piece[:64 * MIB - sent])
        assert c.response().body == b"%d" % (64 * MIB)


def test_many_downloads_at_once(weir, fresh):
    failed = []

    def one():
        try:
            if weir.ask(target=f"/size/{2 * MIB}").size != 2 * MIB:
                failed.append("short")
        except Exception as e:      # a thread has nobody else to tell
            failed.append(repr(e))

    threads = [threading.Thread(target=one) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failed == []


@pytest.mark.deep
def test_download_above_4_gib(weir, fresh):
    size = (4 << 30) + 12345
    before = weir.rss()
    with weir.client(timeout=60) as c:
        c.send(stage.request_bytes("GET", f"/size/{size}"))
        answer = c.head()
        assert answer["Content-Length"] == str(size)
        c.body(answer, keep=0)
        assert answer.size == size and answer.whole
        assert c.ask().status == 200
    if not stage.SANITIZED:
        assert weir.rss() - before < 8 * MIB


class Sum:
    """A digest for gigabytes: every byte and its place count, and it costs little."""

    def __init__(self):
        self.sum = 0

    def update(self, data):
        self.sum = zlib.crc32(data, self.sum)

    def hexdigest(self):
        return f"{self.sum:08x}"


@pytest.mark.deep
@pytest.mark.parametrize("chunk", [None, MIB])
def test_upload_above_4_gib(weir, fresh, chunk):
    size, before = (4 << 30) + 12345, weir.rss()

    def part(conn, seen):
        seen.sha256 = Sum()
        seen.read_body()
        return conn.answer(200, f"{seen.size} {seen.sha256.hexdigest()}".encode())

    fresh.on("/sum", part)
    with weir.client(timeout=120) as c:
        answer, digest = upload(c, size, "/sum", chunk, Sum())
        assert answer.body == f"{size} {digest}".encode()
    if not stage.SANITIZED:
        assert weir.rss() - before < 8 * MIB

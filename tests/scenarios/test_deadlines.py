"""Every phase has its deadline. The settings are short, the margins wide."""

import time

import pytest

import stage
from stage import Cut, Weir, http_config, until

TIMES = {"connect": "500ms", "request_header": "500ms", "request_body": "500ms",
         "response": "500ms", "response_body": "500ms", "client_write": "500ms", "idle": "700ms"}
LATE = 6 * stage.SLOW               # well after all of them


@pytest.fixture(scope="module")
def weir(origin):
    config = http_config(origin, defaults={"timeouts": TIMES, "sizes": {"body": "1GiB"}},
                         protect={"slow_client": {"min_rate": "1KiB/s", "grace": "1s"}})
    with Weir(config) as w:
        yield w


class Took:
    def __enter__(self):
        self.began = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.began

    def between(self, least, most=LATE):
        assert least * 0.8 <= self.seconds <= most, f"took {self.seconds:.2f} s"


def ends_with(client, *statuses):
    """One of the statuses, or a plain end; and then the connection is closed."""
    try:
        answer = client.response()
        assert answer.status in statuses
        assert answer["Weir-Cause"] == "client_timeout"
    except (EOFError, Cut):
        answer = None
    assert client.closed(LATE)
    return answer


def test_head_as_a_whole(weir, fresh):
    """A byte now and then does not buy time."""
    with weir.client() as c, Took() as took:
        c.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        for _ in range(100):
            if not c.try_send(b"X: y\r\n"):
                break
            time.sleep(0.05)
            if not c.silent(0.01):
                break
        ends_with(c, 408)
    took.between(0.5)
    assert fresh.seen() == []


def test_half_a_head(weir):
    with weir.client() as c, Took() as took:
        c.send(b"GET / HTTP/1.1\r\nHo")
        answer = ends_with(c, 408)
        assert answer, "who has begun to ask hears what was wrong"
    took.between(0.5)


def test_connection_that_says_nothing(weir):
    with weir.client() as c, Took() as took:
        ends_with(c, 408)
    took.between(0.5)


def test_idle_between_requests(weir):
    with weir.client() as c:
        assert c.ask().status == 200
        with Took() as took:
            assert c.closed(LATE), "no answer is due: it just ends"
        took.between(0.7)


def test_silence_in_the_body(weir, fresh):
    with weir.client() as c, Took() as took:
        c.send(b"POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello")
        ends_with(c, 408)
    took.between(0.5)
    assert all(not s.whole for s in fresh.seen("/c"))


def test_trickle_in_the_body(weir, fresh):
    """Never silent for long, but below the minimum rate after the grace."""
    with weir.client() as c, Took() as took:
        c.send(b"POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(150):
            if not c.try_send(b"xx") or not c.silent(0.1):
                break
        ends_with(c, 408)
    took.between(0.9, 12 * stage.SLOW)


def test_chunks_in_a_trickle(weir, fresh):
    with weir.client() as c, Took() as took:
        c.send(b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(150):
            if not c.try_send(b"1\r\nx\r\n") or not c.silent(0.1):
                break
        ends_with(c, 408)
    took.between(0.9, 12 * stage.SLOW)


def test_long_honest_upload(weir, fresh):
    """Far longer than every deadline, but never slow: it passes."""
    with weir.client() as c, Took() as took:
        c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 150000\r\n\r\n")
        for _ in range(15):
            time.sleep(0.15)
            c.send(b"x" * 10000)
        assert c.response().json()["size"] == 150000
    took.between(2.2)


def test_response_head(weir):
    with weir.client() as c, Took() as took:
        answer = c.ask(target="/hang")
        assert answer.status == 504 and answer["Weir-Cause"] == "server_timeout"
    took.between(0.5)


def test_half_a_response_head(weir, fresh):
    fresh.say("/c", b"HTTP/1.1 200 OK\r\nContent-", "hang")
    with Took() as took:
        assert weir.ask(target="/c").status == 504
    took.between(0.5)


def test_server_silent_in_the_body(weir, fresh):
    fresh.say("/c", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", "hang")
    with weir.client() as c, Took() as took:
        with pytest.raises((Cut, EOFError)):
            c.ask(target="/c")
    took.between(0.5)
    assert weir.wait_log(path="/c", cause="server_timeout")


def test_slow_but_steady_answer(weir, fresh):
    fresh.say("/c", [b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"] + [0.2, b"hello"] * 10)
    assert weir.ask(target="/c").body == b"hello" * 10


def test_client_that_does_not_read(weir, fresh):
    with weir.client() as c:
        c.send(stage.request_bytes("GET", f"/size/{200 << 20}"))
        until(lambda: fresh.seen())
        conn = fresh.last().conn
        until(lambda: conn not in fresh.conns, LATE)
    assert weir.wait_log(path=f"/size/{200 << 20}")["cause"] == "client_timeout"


def test_connect(fresh):
    """A listener whose queue is full answers no SYN."""
    import socket
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    held = []
    try:
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(full.getsockname())
            held.append(s)
        time.sleep(0.1)
        address = "127.0.0.1:%d" % full.getsockname()[1]
        with Weir(http_config(address, defaults={"timeouts": TIMES})) as w, Took() as took:
            answer = w.ask()
            assert answer.status in (503, 504)
            assert answer["Weir-Cause"] in ("connect_timeout", "no_server")
        took.between(0.5, 15 * stage.SLOW)
    finally:
        for s in [*held, full]:
            s.close()


def test_hundred_stalled_clients_hold_nobody_up(weir, fresh):
    stalled = [weir.client() for _ in range(100)]
    try:
        for c in stalled:
            c.send(b"GET / HTTP/1.1\r\nHost:")
        assert weir.ask().status == 200
        for c in stalled:
            assert ends_with(c, 408) is not False
        assert weir.ask().status == 200
    finally:
        for c in stalled:
            c.close()

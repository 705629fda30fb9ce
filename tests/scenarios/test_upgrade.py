"""Tunnels: an upgrade to websocket that the origin accepts, and all that is none."""

import time

import pytest

import stage
from stage import CLOSE, SWITCHED, Weir, http_config, until
from stage import WEBSOCKET as WS


@pytest.fixture(scope="module")
def weir(origin):
    with Weir(http_config(origin)) as w:
        yield w


def open_tunnel(weir, target="/ws", **more):
    client = weir.client(**more)
    answer = client.ask("GET", target, WS)
    assert answer.status == 101, repr(answer)
    return client, answer


def test_tunnel(weir, fresh):
    client, answer = open_tunnel(weir)
    with client:
        assert answer["Upgrade"].lower() == "websocket"
        assert answer["Sec-WebSocket-Accept"]
        for size in (1, 100, 100000):
            data = stage.pattern(size)
            client.send(data)
            assert client.reader.exactly(size) == data
    seen = fresh.last()
    assert seen["Upgrade"] == "websocket" and "upgrade" in seen["Connection"].lower()
    assert seen["Sec-WebSocket-Key"] == WS["Sec-WebSocket-Key"]
    assert seen["X-Forwarded-For"] == "127.0.0.1"
    until(lambda: seen.conn not in fresh.conns)


def test_bytes_sent_with_the_request(weir, fresh):
    """What the client sent right behind its head belongs to the tunnel."""
    with weir.client() as client:
        client.send(stage.request_bytes("GET", "/ws", WS) + b"early")
        assert client.response().status == 101
        assert client.reader.exactly(5) == b"early"


def test_bytes_sent_with_the_answer(weir, fresh):
    fresh.say("/c", SWITCHED + b"first words", "hang")
    client, _ = open_tunnel(weir, "/c")
    with client:
        assert client.reader.exactly(11) == b"first words"


def test_end_from_the_origin(weir, fresh):
    fresh.say("/c", [SWITCHED, 0.1, b"bye"], CLOSE)
    client, _ = open_tunnel(weir, "/c")
    with client:
        assert client.reader.exactly(3) == b"bye"
        assert client.closed()


def test_reset_from_the_origin(weir, fresh):
    fresh.say("/c", SWITCHED, "reset")
    client, _ = open_tunnel(weir, "/c")
    with client:
        assert client.closed()


def test_refused_upgrade(weir, fresh):
    with weir.client() as client:
        fresh.say("/c", b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
        answer = client.ask("GET", "/c", WS)
        assert answer.status == 403 and answer.body == b"no"
        if (answer["Connection"] or "").lower() != "close":
            assert client.ask().status == 200


def test_wrong_version(weir, fresh):
    """The origin says which version it wants; no tunnel is opened."""
    fresh.say("/c", b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n"
                    b"Content-Length: 0\r\n\r\n")
    answer = weir.ask("GET", "/c", {**WS, "Sec-WebSocket-Version": "7"})
    assert answer.status in (400, 426) and (answer["Sec-WebSocket-Version"] or "13") == "13"


def test_upgrade_by_post_is_none(weir, fresh):
    answer = weir.ask("POST", "/echo", WS, b"hello")
    assert answer.status in (200, 400)
    for seen in fresh.seen():
        assert seen["Upgrade"] is None


def test_idle_tunnel_ends(fresh):
    with Weir(http_config(fresh, defaults={"timeouts": {"tunnel": "1s"}})) as w:
        client, _ = open_tunnel(w)
        with client:
            for _ in range(4):
                time.sleep(0.4)
                client.send(b"x")
                assert client.reader.exactly(1) == b"x", "traffic keeps it open"
            assert client.closed(8)


def test_tunnel_outlives_the_idle_deadline(fresh):
    with Weir(http_config(fresh, defaults={"timeouts": {"idle": "300ms", "response": "300ms",
                                                        "request_body": "300ms"}})) as w:
        client, _ = open_tunnel(w)
        with client:
            time.sleep(1.2)
            client.send(b"still here")
            assert client.reader.exactly(10) == b"still here"


def test_a_tunnel_counts_in_the_log_when_it_ends(weir, fresh):
    client, _ = open_tunnel(weir, "/ws/logged")
    client.send(b"12345")
    client.reader.exactly(5)
    client.close()
    line = weir.wait_log(path="/ws/logged")
    assert line["status"] == 101 and line["bytes_out"] >= 5

"""What origins get wrong: each answer as bytes, and what may come of it at the client.

The client reads strictly, so that whatever unclean byte is passed on fails the test. After
each of them the connection to the origin is gone where it may not be used again, and the
next request gets its own answer.
"""

import time

import pytest

from stage import CLOSE, KEEP, Cut, until
from stage import WEBSOCKET as WS

OK = b"HTTP/1.1 200 OK\r\n"
E = b"\r\n"
CL5 = b"Content-Length: 5\r\n"
TE = b"Transfer-Encoding: chunked\r\n"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
NEXT = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"


def next_one_is_clean(weir, client):
    answer = client.ask(target="/sentinel") if client else weir.ask(target="/sentinel")
    assert answer.status == 200 and answer.json()["target"] == "/sentinel"


def conn_of(origin, path="/c"):
    return origin.seen(path)[-1].conn


def not_reused(origin, conn):
    until(lambda: conn not in origin.conns, 5)


def get(weir, method="GET", body=None):
    """The answer, or None when it was cut, and whether the client's connection lives."""
    client = weir.client()
    try:
        answer = client.ask(method, "/c", body=body)
    except (Cut, EOFError):
        client.close()
        return None, None
    if answer.fields.get("Connection", "").lower() == "close" or answer.framed == "close":
        client.close()
        client = None
    return answer, client


REFUSED = {     # 24, 25: nothing of it may reach the client: 502
    "no HTTP": b"hello\r\n\r\n",
    "TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "status of two digits": b"HTTP/1.1 99 x\r\n" + CL5 + E + b"hello",
    "status of four digits": b"HTTP/1.1 2000 x\r\n" + CL5 + E + b"hello",
    "status no number": b"HTTP/1.1 abc x\r\n" + CL5 + E + b"hello",
    "status 000": b"HTTP/1.1 000 x\r\n" + CL5 + E + b"hello",
    "status +20": b"HTTP/1.1 +20 x\r\n" + CL5 + E + b"hello",
    "two spaces": b"HTTP/1.1  200 OK\r\n" + CL5 + E + b"hello",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\n" + CL5 + E + b"hello",
    "HTTP/9.9": b"HTTP/9.9 200 OK\r\n" + CL5 + E + b"hello",
    "http/1.1": b"http/1.1 200 OK\r\n" + CL5 + E + b"hello",
    "ICY": b"ICY 200 OK\r\n" + CL5 + E + b"hello",
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the reason": b"HTTP/1.1 200 O\x00K\r\n" + CL5 + E + b"hello",
    "no colon": OK + b"nothing\r\n" + CL5 + E + b"hello",
    "no name": OK + b": x\r\n" + CL5 + E + b"hello",
    "space in a name": OK + b"X y: z\r\n" + CL5 + E + b"hello",
    "NUL in a name": OK + b"X\x00y: z\r\n" + CL5 + E + b"hello",
    "CL and TE": OK + CL5 + TE + E + HELLO,
    "TE and CL": OK + TE + CL5 + E + HELLO,
    "two lengths": OK + CL5 + b"Content-Length: 6\r\n" + E + b"hello!",
    "list of lengths": OK + b"Content-Length: 5, 6\r\n" + E + b"hello!",
    "length +5": OK + b"Content-Length: +5\r\n" + E + b"hello",
    "length -5": OK + b"Content-Length: -5\r\n" + E + b"hello",
    "length 0x5": OK + b"Content-Length: 0x5\r\n" + E + b"hello",
    "length empty": OK + b"Content-Length:\r\n" + E + b"hello",
    "length 2^64": OK + b"Content-Length: 18446744073709551616\r\n" + E + b"hello",
    "length 2^64+5": OK + b"Content-Length: 18446744073709551621\r\n" + E + b"hello",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n" + E + HELLO,
    "chunked not last": OK + b"Transfer-Encoding: chunked, gzip\r\n" + E + HELLO,
    "xchunked": OK + b"Transfer-Encoding: xchunked\r\n" + E + HELLO,
    "VT chunked": OK + b"Transfer-Encoding: \x0bchunked\r\n" + E + HELLO,
    "a head of 1 MB": OK + b"X: " + b"a" * (1 << 20) + E + CL5 + E + b"hello",
    "2000 fields": OK + b"".join(b"X-%d: y\r\n" % i for i in range(2000)) + CL5 + E + b"hello",
    "101 nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
                            b"Connection: upgrade\r\n\r\n",
    "flood of 1xx": b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" * 5000,
    "half a head": OK + b"X: y\r\nX-",
    "nothing": b"",
    "only an interim head": b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(weir, origin, name):
    origin.say("/c", REFUSED[name], CLOSE)
    answer, client = get(weir)
    assert answer and answer.status == 502, f"{answer!r}"
    assert answer["Weir-Cause"] in ("server_invalid", "server_closed")
    assert b"smuggled" not in answer.body
    conn = conn_of(origin)
    not_reused(origin, conn)
    next_one_is_clean(weir, client)


CLEANED = {     # 502, or a clean 200 with the odd part gone
    "no reason, no space": b"HTTP/1.1 200\r\n" + CL5 + E + b"hello",
    "space before colon": OK + b"X : y\r\n" + CL5 + E + b"hello",
    "length with space before colon": OK + b"Content-Length : 5\r\n" + E + b"hello",
    "fold": OK + b"X: a\r\n b\r\n" + CL5 + E + b"hello",
    "bare CR in a value": OK + b"X: a\rSet-Cookie: smuggled=1\r\n" + CL5 + E + b"hello",
    "NUL in a value": OK + b"X: a\x00b\r\n" + CL5 + E + b"hello",
    "control in a value": OK + b"X: a\x1bb\r\n" + CL5 + E + b"hello",
    "bare LF": OK.replace(E, b"\n") + b"Content-Length: 5\n\nhello",
    "length twice the same": OK + CL5 + CL5 + E + b"hello",
    "list of the same length": OK + b"Content-Length: 5, 5\r\n" + E + b"hello",
    "gzip, chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n" + E + HELLO,
    "chunked in 1.0": b"HTTP/1.0 200 OK\r\n" + TE + E + HELLO,
    "version 1.2": b"HTTP/1.2 200 OK\r\n" + CL5 + E + b"hello",
    "reason with obs-text": b"HTTP/1.1 200 \xe4\xf6\r\n" + CL5 + E + b"hello",
}


@pytest.mark.parametrize("name", CLEANED)
def test_cleaned_or_refused(weir, origin, name):
    origin.say("/c", CLEANED[name], CLOSE)
    answer, client = get(weir)
    assert answer and answer.status in (200, 502)
    assert answer["Set-Cookie"] is None
    if answer.status == 200:
        assert b"hello" in answer.body
    next_one_is_clean(weir, client)


BROKEN = {      # the head was good: the client must see that the body is cut
    "short of its length": OK + CL5 + E + b"hel",
    "end within a chunk": OK + TE + E + b"5\r\nhel",
    "end before the last chunk": OK + TE + E + b"5\r\nhello\r\n",
    "end within the trailer": OK + TE + E + b"5\r\nhello\r\n0\r\nX-",
    "chunk size x": OK + TE + E + b"5\r\nhello\r\nx\r\nhello\r\n0\r\n\r\n",
    "chunk size -5": OK + TE + E + b"5\r\nhello\r\n-5\r\nhello\r\n0\r\n\r\n",
    "chunk size 0x5": OK + TE + E + b"5\r\nhello\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "chunk size over 2^64": OK + TE + E + b"5\r\nhello\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
    "chunk longer than its size": OK + TE + E + b"3\r\nhello\r\n0\r\n\r\n",
    "chunk line by LF": OK + TE + E + b"5\r\nhello\r\n5\nhello\r\n0\r\n\r\n",
    "chunk data by LF": OK + TE + E + b"5\r\nhello\n0\r\n\r\n",
    "CR in an extension": OK + TE + E + b"5\r\nhello\r\n5;a\rb\r\nhello\r\n0\r\n\r\n",
    "trailer without colon": OK + TE + E + b"5\r\nhello\r\n0\r\nnothing\r\n\r\n",
    "NUL in a trailer": OK + TE + E + b"5\r\nhello\r\n0\r\nX: \x00\r\n\r\n",
    "trailer of 1 MB": OK + TE + E + b"5\r\nhello\r\n0\r\nX: " + b"a" * (1 << 20) + E + E,
}


@pytest.mark.parametrize("late", [False, True], ids=["at once", "after the head"])
@pytest.mark.parametrize("name", BROKEN)
def test_broken_body(weir, origin, name, late):
    """A cut body is never presented as whole; before the head is sent it may be 502."""
    head, _, rest = BROKEN[name].partition(E + E)
    parts = [head + E + E, 0.1, rest] if late else [BROKEN[name]]
    origin.say("/c", parts, CLOSE)
    answer, _ = get(weir)
    assert answer is None or answer.status == 502, f"presented as whole: {answer!r}"
    not_reused(origin, conn_of(origin))
    next_one_is_clean(weir, None)


@pytest.mark.parametrize("then", ["reset", "close"])
@pytest.mark.parametrize("frame", [CL5, TE], ids=["length", "chunked"])
def test_killed_in_the_body(weir, origin, frame, then):
    origin.say("/c", OK + frame + E + (b"5\r\nhel" if frame is TE else b"hel"), then)
    answer, _ = get(weir)
    assert answer is None
    next_one_is_clean(weir, None)


EXTRA = {       # the answer is whole; what follows belongs to nobody
    "after a length": OK + CL5 + E + b"hello" + NEXT,
    "after chunks": OK + TE + E + HELLO + NEXT,
    "after length 0": OK + b"Content-Length: 0\r\n" + E + NEXT,
    "one byte": OK + CL5 + E + b"hello!",
    "CRLF": OK + CL5 + E + b"hello\r\n",
}


@pytest.mark.parametrize("name", EXTRA)
def test_extra_bytes(weir, origin, name):
    origin.say("/c", EXTRA[name], "hang")
    answer, client = get(weir)
    assert answer.status == 502 or answer.body in (b"hello", b"")
    not_reused(origin, conn_of(origin))
    next_one_is_clean(weir, client)


def test_answer_before_any_question(weir, origin):
    """An idle connection on which the origin speaks is not used again."""
    def part(conn, seen):
        conn.answer(200, b"hello")
        time.sleep(0.1)
        conn.send(NEXT)
        return KEEP
    origin.on("/c", part)
    answer, client = get(weir)
    assert answer.status == 200
    until(lambda: conn_of(origin) not in origin.conns, 5)
    for _ in range(4):
        next_one_is_clean(weir, client)


@pytest.mark.parametrize("method,status", [("HEAD", 200), ("GET", 204), ("GET", 304)])
@pytest.mark.parametrize("frame", [CL5, TE, b""], ids=["length", "chunked", "bare"])
def test_body_where_none_may_be(weir, origin, method, status, frame):
    """23: discarded, and that connection ends."""
    body = HELLO if frame is TE else b"hello"
    origin.say("/c", b"HTTP/1.1 %d X\r\n" % status + frame + E + body, "hang")
    answer, client = get(weir, method)
    assert answer.status in (status, 502)
    not_reused(origin, conn_of(origin))
    next_one_is_clean(weir, client)


def test_early_answer(weir, origin):
    """21: an answer while the body is still coming is relayed, the rest is not a request."""
    origin.say("/c", b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig", "hang", read=False)
    with weir.client() as client:
        client.send(b"POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        client.send(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = client.response()
        assert answer.status == 413 and answer.body == b"big"
        for _ in range(50):
            if not client.try_send(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n" * 50):
                break
    not_reused(origin, conn_of(origin))
    assert origin.seen("/smuggled") == []
    next_one_is_clean(weir, None)


@pytest.mark.parametrize("raw", [
    b"HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 401 Auth\r\nTransfer-Encoding: chunked\r\n\r\n" + HELLO,
])
def test_refused_upgrade_stays_http(weir, origin, raw):
    """29: what follows is read as HTTP again, by us and not by the origin."""
    origin.say("/c", raw)
    with weir.client() as client:
        answer = client.ask("GET", "/c", WS)
        assert answer.status == int(raw[9:12]) and answer.body == b"hello"
        if answer.fields.get("Connection", "").lower() != "close":
            client.send(b"GET /c : smuggled\r\n\r\n")
            assert client.response().status == 400
    next_one_is_clean(weir, None)


@pytest.mark.parametrize("change", [{"Upgrade": "websocket2"}, {"Connection": "keep-alive"},
                                    {"Sec-WebSocket-Key": None, "Upgrade": None}])
def test_half_an_upgrade_opens_no_tunnel(weir, origin, change):
    """An origin that says 101 to what was no upgrade is wrong, not obeyed."""
    fields = {k: v for k, v in {**WS, **change}.items() if v}
    origin.say("/c", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                     b"Upgrade: websocket\r\n\r\n", "hang")
    with weir.client() as client:
        answer = client.ask("GET", "/c", fields)
    assert answer.status in (400, 426, 501, 502)
    next_one_is_clean(weir, None)

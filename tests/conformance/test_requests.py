"""Every case of cases.py against the daemon: whole, and split at every byte."""

import pytest

import cases
import stage
from cases import ALL, E, G, HELLO, P, S, TE
from stage import Cut, Unclean

CAUSED = {400, 405, 413, 414, 417, 431, 501, 505}


def same(seen, wanted):
    """Does the request seen equal the one wanted (or one of several forms of it)?"""
    forms = wanted if isinstance(wanted, list) else [wanted]
    return (seen.method, seen.target, seen.body) in forms


def ends(client):
    assert client.closed(5), f"the connection stays open: {client.reader.buffer[:200]!r}"


def sentinel(client):
    """A plain request on the same connection gets its own answer and no other."""
    answer = client.ask("GET", "/sentinel")
    assert answer.status == 200 and answer.json()["target"] == "/sentinel"


def judge(case, client, origin):
    for _ in range(case.before):
        assert client.response().status == 200
    try:
        answer = client.response(case.method)
    except (EOFError, Cut):
        assert case.silent_close, "ended without an answer"
        return 0
    last = answer.fields.get("Connection", "").lower() == "close"
    if answer.status == 200:
        assert case.accept, f"accepted: {answer!r}; origin saw {origin.requests}"
        if case.closes or last:
            ends(client)
        else:
            sentinel(client)
        return 200
    assert answer.status in case.codes, f"{answer.status} is not one of {case.codes or 200}"
    if answer.status in CAUSED:
        assert answer["Weir-Cause"], "an answer of ours names its cause"
    if answer.status in (400, 413, 414, 431, 505) or last:
        assert last, "a refusal of ours says that it closes"
        ends(client)
    else:
        sentinel(client)
    return answer.status


def check_record(case, status, origin):
    """What the origin saw: whole requests only as the case allows, cut ones only of it."""
    whole = [s for s in origin.seen() if s.whole and s.path != "/sentinel"]
    allowed = case.seen if status == 200 else case.seen[:case.before]
    assert len(whole) <= len(allowed), f"the origin saw {whole}"
    for seen, wanted in zip(whole, allowed):
        assert same(seen, wanted), f"the origin saw {seen} {seen.body[:100]!r}"
        for name in ("content-length", "transfer-encoding", "host", "authorization"):
            assert not seen.trailers.all(name)
    if status == 200:
        assert len(whole) == len(allowed)
    for seen in origin.seen():
        assert seen.whole or seen.path == "/c", f"cut request {seen}"
        assert "smuggled" not in seen.target


@pytest.mark.parametrize("case", ALL, ids=lambda c: c.name)
def test_case(weir, origin, case):
    with weir.client(timeout=8) as client:
        sent = client.try_send(case.data)
        try:
            status = judge(case, client, origin)
        except Unclean as e:
            raise AssertionError(f"weir answered what is no clean response: {e}") from e
        assert sent or status != 200
    after = weir.ask(target="/sentinel")
    assert after.status == 200, "the next client is served"
    check_record(case, status, origin)


def pieces(data, step=None, at=None):
    if at is not None:
        return [data[:at], data[at:]]
    return [data[i:i + step] for i in range(0, len(data), step)]


def in_pieces(weir, origin, parts, count):
    """Sends the parts one after the other; weir must read them apart, or nearly always."""
    import time
    with weir.client() as client:
        for part in parts:
            client.send(part)
            time.sleep(0.0005)
        answers = [client.response() for _ in range(count)]
        sentinel(client)
    return answers


PLAIN = G + b"X-Long: " + b"v" * 20 + E + E
CHUNKED = P + TE + E + b"5;x=y\r\nhello\r\na\r\n0123456789\r\n0\r\nX-T: v\r\n\r\n"
LENGTH = P + b"Content-Length: 5\r\n" + E + b"hello"
TWO = CHUNKED + LENGTH
BODY = {PLAIN: [b""], CHUNKED: [b"hello0123456789"], LENGTH: [b"hello"],
        TWO: [b"hello0123456789", b"hello"]}


@pytest.mark.parametrize("data", [PLAIN, CHUNKED, LENGTH], ids=["plain", "chunked", "length"])
def test_split_at_every_byte(weir, origin, data):
    for at in range(1, len(data)):
        origin.forget()
        answers = in_pieces(weir, origin, pieces(data, at=at), len(BODY[data]))
        assert [a.status for a in answers] == [200] * len(BODY[data]), f"split at {at}"
        assert [s.body for s in origin.seen("/c")] == BODY[data], f"split at {at}"
        assert origin.unclean == [], f"split at {at}"


@pytest.mark.parametrize("data", [PLAIN, CHUNKED, LENGTH, TWO],
                         ids=["plain", "chunked", "length", "two"])
@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_byte_at_a_time(weir, origin, data, step):
    answers = in_pieces(weir, origin, pieces(data, step), len(BODY[data]))
    assert [a.status for a in answers] == [200] * len(BODY[data])
    assert [s.body for s in origin.seen("/c")] == BODY[data]


BAD = [G + b"X : y\r\n" + E, P + TE + E + b"5\nhello\r\n0\r\n\r\n",
       P + TE + E + b"3\r\nhello\r\n0\r\n\r\n" + S, b"GET /c HTTP/1.1\r\n\r\n",
       P + b"Content-Length: 5\r\nContent-Length: 6\r\n" + E + b"hello!"]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_is_bad_split_at_every_byte(weir, origin, number):
    data = BAD[number]
    for at in range(1, len(data)):
        with weir.client() as client:
            client.try_send(data[:at])
            client.try_send(data[at:])
            assert client.response().status == 400, f"split at {at}"
            assert client.closed(5), f"split at {at}"
    assert [s for s in origin.seen() if s.whole] == []


@pytest.mark.parametrize("cut", [1, 10, len(G) - 1, len(G)])
def test_half_a_head_then_the_end(weir, origin, cut):
    """A client that stops in the middle of a head gets 400, 408 or nothing."""
    with weir.client() as client:
        client.send((G + E)[:cut])
        client.half_close()
        try:
            assert client.response().status in (400, 408)
        except (EOFError, Cut):
            pass
        assert client.closed(5)
    # A body cut by the case before may be noted as late as now; those are POST.
    assert [s for s in origin.seen() if s.method == "GET"] == []


def test_half_a_body_then_the_end(weir, origin):
    """The origin must not take a cut body for a whole one."""
    for data in (P + b"Content-Length: 50\r\n" + E + b"hello", P + TE + E + b"5\r\nhello\r\n",
                 P + TE + E + HELLO[:-2], P + TE + E + b"5\r\nhel"):
        origin.forget()
        with weir.client() as client:
            client.send(data)
            client.half_close()
            try:
                assert client.response().status >= 400
            except (EOFError, Cut):
                pass
        assert all(not s.whole for s in origin.seen()), data


def test_every_item_has_cases():
    have = {c.item for c in cases.ALL}
    assert {*range(1, 21), 22, 30, 31} <= have
    assert len(cases.ALL) > 200
    names = [c.name for c in cases.ALL]
    assert len(names) == len(set(names)), {n for n in names if names.count(n) > 1}


def test_absolute_target_wins_over_host(weir, origin):
    with weir.client() as client:
        client.send(b"GET http://b.example/c HTTP/1.1\r\nHost: a.example\r\n\r\n")
        answer = client.response()
    if answer.status == 200:
        assert origin.last()["Host"] == "b.example"
    else:
        assert answer.status == 400


@pytest.mark.parametrize("named", ["host", "x-forwarded-for, x-forwarded-proto",
                                   "close, x-forwarded-host", "content-length",
                                   "x-request-id", "cookie, X-Named"])
def test_connection_can_not_strip_ours(weir, origin, named):
    """27: naming a field in Connection takes away nothing that we answer for."""
    answer = weir.ask("POST", "/c", {"Connection": named, "X-Named": "y"}, b"hello")
    assert answer.status in (200, 400)
    if answer.status == 200:
        seen = origin.last()
        assert seen["Host"] == "test.example" and seen.body == b"hello"
        assert seen["X-Forwarded-For"] == "127.0.0.1"
        assert seen["X-Request-Id"] and seen["X-Forwarded-Proto"] == "http"
        assert "close" not in (seen["Connection"] or "") or named.startswith("close")
        if "X-Named" in named:
            assert seen["X-Named"] is None


def test_hop_by_hop_fields_stay_here(weir, origin):
    weir.ask("GET", "/c", {"Keep-Alive": "timeout=5", "TE": "trailers", "Proxy-Connection": "x",
                           "Proxy-Authorization": "Basic x", "Connection": "X-Mine, TE",
                           "X-Mine": "1", "X-Other": "2"})
    seen = origin.last()
    for name in ("Keep-Alive", "Proxy-Connection", "X-Mine"):
        assert seen[name] is None, name
    assert seen["X-Other"] == "2"
    assert (seen["TE"] or "trailers") == "trailers"


@pytest.mark.parametrize("fields", [
    {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABk"},
    {"Upgrade": "h2c", "Connection": "Upgrade"},
    {"Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"},
    {"Upgrade": "websocket, h2c", "Connection": "Upgrade"},
    {"Upgrade": "foo", "Connection": "Upgrade"},
])
def test_h2c_is_not_forwarded(weir, origin, fields):
    """28: an upgrade we do not speak is not passed on; the request stays plain HTTP."""
    answer = weir.ask("GET", "/c", fields)
    assert answer.status in (200, 400, 501)
    for seen in origin.seen():
        assert "h2c" not in (seen["Upgrade"] or "") and "foo" not in (seen["Upgrade"] or "")
        assert seen["HTTP2-Settings"] is None


def test_max_forwards(weir, origin):
    """30: at 0 the answer is ours, above it one is taken away."""
    answer = weir.ask("OPTIONS", "/c", {"Max-Forwards": "0"})
    assert answer.status in (200, 204) and origin.seen() == []
    assert weir.ask("OPTIONS", "/c", {"Max-Forwards": "5"}).status == 200
    assert origin.last()["Max-Forwards"] == "4"


def test_nothing_made_of_the_url_splits_a_response():
    """25: a redirect built from the path carries it encoded."""
    config = stage.http_config("127.0.0.1:9", routes=[
        {"name": "r", "redirect": {"to": "https://x.example{path}", "status": 302}}])
    with stage.Weir(config) as w:
        answer = w.ask(target="/a%0d%0aSet-Cookie:%20x=1")
        if answer.status != 400:
            assert answer.status == 302 and answer["Set-Cookie"] is None
            assert answer["Location"].lower() == "https://x.example/a%0d%0aset-cookie:%20x=1"


@pytest.mark.deep
@pytest.mark.parametrize("case", [c for c in ALL if len(c.data) < 400], ids=lambda c: c.name)
def test_case_in_pieces(weir, origin, case):
    """How the bytes are cut into packets must change nothing of the outcome."""
    outcomes = set()
    for step in (len(case.data), 1, 2, 5):
        origin.forget()
        with weir.client(timeout=8) as client:
            for part in pieces(case.data, step):
                if not client.try_send(part):
                    break
            status = judge(case, client, origin)
        assert weir.ask(target="/sentinel").status == 200
        check_record(case, status, origin)
        assert origin.unclean == []
        outcomes.add(status)
    assert len(outcomes) == 1, f"it depends on the packets: {outcomes}"

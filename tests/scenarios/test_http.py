"""One HTTP exchange after another: what passes, in which form, and what is never passed."""

import json
import re
import socket
import struct
import time

import pytest

import stage
import wire
from stage import CLOSE, KEEP, Weir, http_config, pattern, until


@pytest.fixture(scope="module")
def weir(origin):
    with Weir(http_config(origin)) as w:
        yield w


def test_keep_alive_on_both_sides(weir, fresh):
    with weir.client() as c:
        conns = [c.ask().json()["conn"] for _ in range(10)]
    assert len(set(conns)) <= 2, "the connections to the origin are used again"


def test_connection_close_is_obeyed(weir, fresh):
    with weir.client() as c:
        answer = c.ask(fields={"Connection": "close"})
        assert answer.status == 200 and answer["Connection"] == "close"
        assert c.closed()


def test_the_end_of_an_answer_and_of_the_connection_leave_together(weir):
    counts = []
    for _ in range(4):
        with weir.client() as c:
            assert c.ask(fields={"Connection": "close"}).status == 200
            assert c.closed()
            info = c.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            counts.append(struct.unpack_from("I", info, 140)[0])  # tcpi_segs_in
    assert min(counts) <= 3, \
        f"the handshake, an ACK of the request, the answer with the FIN: {counts}"


@pytest.mark.parametrize("head", [
    b"POST /delay/0.3 HTTP/1.0\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    b"GET /delay/0.3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"], ids=["old", "new"])
@pytest.mark.parametrize("more", [b"\r\n", b"x" * 100_000], ids=["line", "much"])
def test_what_comes_behind_the_last_request_costs_no_answer(weir, head, more):
    """A close with bytes unread is a RST, and that drops what the kernel still holds."""
    with weir.client() as c:
        c.send(head)
        time.sleep(0.1)
        c.send(more)
        assert c.response().status == 200
        assert c.closed()


def test_pipelined_answers_come_in_order(weir, fresh):
    with weir.client() as c:
        for i in range(20):
            c.send(stage.request_bytes("GET", "/delay/0.05" if i == 3 else f"/echo?{i}"))
        targets = [c.response().json()["target"] for _ in range(20)]
    assert targets == ["/delay/0.05" if i == 3 else f"/echo?{i}" for i in range(20)]


def test_pipelined_uploads(weir, fresh):
    with weir.client() as c:
        for i in range(10):
            c.send(stage.request_bytes("POST", "/echo", {}, b"x" * i * 1000))
        assert [c.response().json()["size"] for _ in range(10)] == [i * 1000 for i in range(10)]


def test_chunked_upload(weir, fresh):
    with weir.client() as c:
        c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
               + stage.chunked(b"hello", b" ", b"world" * 1000))
        answer = c.response().json()
    assert answer["size"] == 6 + 5000
    assert fresh.last().body == b"hello " + b"world" * 1000


def test_chunked_download(weir, fresh):
    answer = weir.ask(target="/chunked/300000")
    assert answer.framed == "chunked" and answer.size == 300000
    assert answer.body[:262144] == pattern(262144)


def test_close_delimited_download(weir, fresh):
    fresh.say("/c", b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100000, CLOSE)
    with weir.client() as c:
        answer = c.ask(target="/c")
        assert answer.body == b"x" * 100000
        if answer.framed == "chunked":
            assert c.ask().status == 200, "the client's connection goes on"


def test_origin_of_http_1_0(weir, fresh):
    fresh.say("/c", b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", CLOSE)
    with weir.client() as c:
        answer = c.ask(target="/c")
        assert answer.body == b"hello" and answer.version == "HTTP/1.1"
        assert c.ask().status == 200


def test_client_of_http_1_0(weir, fresh):
    with weir.client() as c:
        c.send(b"GET /chunked/1000 HTTP/1.0\r\nHost: a\r\n\r\n")
        answer = c.response()
        assert answer.framed in ("close", "length"), "no chunks for HTTP/1.0"
        assert answer.body == pattern(1000)
        assert c.closed()
    assert fresh.last().version == "HTTP/1.1"


def test_client_of_http_1_0_keeps_alive(weir, fresh):
    with weir.client() as c:
        c.send(b"GET /size/5 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
        answer = c.response()
        assert answer.size == 5
        if answer["Connection"] == "keep-alive":
            c.send(b"GET /size/6 HTTP/1.0\r\nHost: a\r\n\r\n")
            assert c.response().size == 6


def test_request_trailers(weir, fresh):
    """What is no danger may pass; what would change meaning never does."""
    with weir.client() as c:
        c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
               b"Trailer: Digest\r\n\r\n"
               + stage.chunked(b"hello", trailers=b"Digest: 1\r\nX-Odd: 2\r\nHost: evil\r\n"
                               b"Content-Length: 3\r\nAuthorization: x\r\n"))
        assert c.response().status == 200
    assert [(n.lower(), v) for n, v in fresh.last().trailers] == [("digest", "1")]


def test_response_trailers(weir, fresh):
    fresh.say("/c", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Server-Timing\r\n\r\n"
              + stage.chunked(b"hello", trailers=b"Server-Timing: a;dur=1\r\nContent-Length: 3\r\n"
                              b"Set-Cookie: a=b\r\n"))
    answer = weir.ask(target="/c", fields={"TE": "trailers", "Connection": "TE"})
    assert answer.body == b"hello"
    assert [(n.lower(), v) for n, v in answer.trailers] == [("server-timing", "a;dur=1")]


def test_expect_is_relayed(weir, fresh):
    with weir.client() as c:
        c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
               b"Expect: 100-continue\r\n\r\n")
        line, _, _ = wire.read_head(c.reader)
        assert line.startswith(b"HTTP/1.1 100")
        c.send(b"hello")
        answer = c.response()
        assert answer.status == 200 and answer.json()["size"] == 5


def test_expect_refused_by_the_origin(weir, fresh):
    """The client that waits gets the final answer, and its body is never asked for."""
    fresh.say("/c", b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno", read=False)
    with weir.client() as c:
        c.send(b"POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
               b"Expect: 100-continue\r\n\r\n")
        assert c.response().status == 401
    assert weir.ask().status == 200


def test_early_hints_are_passed_on(weir, fresh):
    fresh.say("/c", [b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n", 0.05,
                     b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
    answer = weir.ask(target="/c")
    assert answer.body == b"ok"
    assert [s for s, _ in answer.interim] == [103, 102]
    assert answer.interim[0][1].get("Link") == "</a>; rel=preload"


def test_no_interim_for_http_1_0(weir, fresh):
    fresh.say("/c", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    with weir.client() as c:
        c.send(b"GET /c HTTP/1.0\r\nHost: a\r\n\r\n")
        answer = c.response()
        assert answer.status == 200 and answer.interim == []


@pytest.mark.parametrize("frame", ["length", "chunked"])
def test_head(weir, fresh, frame):
    with weir.client() as c:
        answer = c.ask("HEAD", "/size/1000" if frame == "length" else "/chunked/1000")
        assert answer.status == 200
        if frame == "length":
            assert answer["Content-Length"] == "1000"
        assert c.ask().status == 200, "no body was in the way"


@pytest.mark.parametrize("status", [204, 304])
def test_no_body_by_status(weir, fresh, status):
    with weir.client() as c:
        assert c.ask(target=f"/status/{status}").status == status
        assert c.ask().status == 200


def test_not_modified_keeps_its_length(weir, fresh):
    fresh.say("/c", b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 1234\r\n\r\n")
    with weir.client() as c:
        answer = c.ask(target="/c", fields={"If-None-Match": '"x"'})
        assert answer.status == 304 and answer["ETag"] == '"x"'
        assert c.ask().status == 200


@pytest.mark.parametrize("status", [200, 201, 206, 301, 400, 404, 410, 418, 500, 503, 599])
def test_statuses_pass_unchanged(weir, fresh, status):
    assert weir.ask(target=f"/status/{status}").status == status


def test_fields_pass_unchanged(weir, fresh):
    fresh.say("/c", b"HTTP/1.1 200 OK\r\nX-Twice: 1\r\nSet-Cookie: a=1; Path=/\r\nx-twice: 2\r\n"
              b"Set-Cookie: b=2\r\nServer: mine\r\nContent-Length: 0\r\n\r\n")
    answer = weir.ask(target="/c", fields=[("X-A", "1"), ("x-a", "2, 3"), ("Cookie", "a=b; c=d"),
                                           ("Accept", "*/*"), ("User-Agent", "play")])
    assert answer.fields.all("Set-Cookie") == ["a=1; Path=/", "b=2"]
    assert answer.fields.all("X-Twice") == ["1", "2"]
    assert answer["Server"] == "mine"
    seen = fresh.last()
    assert seen.fields.all("X-A") == ["1", "2, 3"] and seen["Cookie"] == "a=b; c=d"
    assert seen["User-Agent"] == "play"


def test_early_answer_to_an_upload(weir, fresh):
    """The answer comes through while the client still sends; nobody is stuck."""
    fresh.say("/c", b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", CLOSE, read=False)
    with weir.client() as c:
        c.send(b"POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 1000)
        answer = c.response()
        assert answer.status == 403 and answer.body == b"no"
    assert weir.ask().status == 200


def test_early_answer_with_the_whole_body_following(weir, fresh):
    def part(conn, seen):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        seen.read_body()
        conn.send(b"ok")
        return KEEP
    fresh.on("/c", part)
    with weir.client() as c:
        c.send(b"POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
        answer = c.head()
        assert answer.status == 200, "the head does not wait for the upload"
        c.send(b"x" * 200000)
        assert c.body(answer).body == b"ok"
    assert fresh.last().size == 200000


def test_absolute_form(weir, fresh):
    with weir.client() as c:
        c.send(b"GET http://other.example/echo?x HTTP/1.1\r\nHost: other.example\r\n\r\n")
        assert c.response().json()["target"] == "/echo?x"
    assert fresh.last()["Host"] == "other.example"


def test_absolute_form_without_a_path(weir, fresh):
    with weir.client() as c:
        c.send(b"GET http://other.example HTTP/1.1\r\nHost: other.example\r\n\r\n")
        assert c.response().json()["target"] == "/"
        c.send(b"GET http://other.example?q HTTP/1.1\r\nHost: other.example\r\n\r\n")
        assert c.response().json()["target"] == "/?q"


def test_options_star(weir, fresh):
    answer = weir.ask("OPTIONS", "*")
    assert answer.status in (200, 204)
    for seen in fresh.seen():
        assert seen.target == "*"


def test_methods_pass(weir, fresh):
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        body = b"x" if method in ("POST", "PUT", "PATCH") else None
        assert weir.ask(method, "/echo", body=body).json()["method"] == method


def test_empty_post_says_its_length(weir, fresh):
    weir.ask("POST", "/echo", body=b"")
    assert fresh.last()["Content-Length"] == "0"


# what weir tells the origin


def test_forwarded_fields(weir, fresh):
    weir.ask(host="shop.example:8080")
    seen = fresh.last()
    assert seen["X-Forwarded-For"] == "127.0.0.1"
    assert seen["X-Forwarded-Proto"] == "http"
    assert seen["X-Forwarded-Host"] == "shop.example:8080"
    assert seen["Host"] == "shop.example:8080"
    assert len(seen["X-Request-Id"]) >= 8


def test_request_ids_differ(weir, fresh):
    for _ in range(20):
        weir.ask()
    assert len({s["X-Request-Id"] for s in fresh.seen()}) == 20


def test_spoofed_fields_are_dropped(weir, fresh):
    weir.ask(fields=[("X-Forwarded-For", "6.6.6.6"), ("x-forwarded-for", "7.7.7.7"),
                     ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil"),
                     ("X-Forwarded-Port", "1"), ("X-Forwarded-Prefix", "/evil"),
                     ("X-Forwarded-Scheme", "https"), ("X-Forwarded-Server", "evil"),
                     ("X-Forwarded-Ssl", "on"), ("X-Forwarded-Uri", "/evil"),
                     ("X-Request-Id", "mine"),
                     ("X-Real-IP", "6.6.6.6"), ("Forwarded", "for=6.6.6.6")])
    seen = fresh.last()
    assert seen.fields.all("X-Forwarded-For") == ["127.0.0.1"]
    assert seen["X-Forwarded-Proto"] == "http" and seen["X-Forwarded-Host"] == "test.example"
    assert seen["X-Request-Id"] != "mine"
    assert "6.6.6.6" not in seen.raw.decode() and "7.7.7.7" not in seen.raw.decode()
    assert [n for n, _ in seen.fields if n.startswith("X-Forwarded-")] == [
        "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"]


@pytest.mark.parametrize("trusted", [[], ["127.0.0.1"]], ids=["nobody", "trusted"])
def test_what_looks_like_them_is_dropped(fresh, trusted):
    """To CGI and what is like it X_Forwarded_For is the same; nobody means it honestly."""
    with Weir(http_config(fresh, trusted_proxies=trusted)) as w:
        w.ask(fields=[("X_Forwarded_For", "6.6.6.6"), ("x-forwarded_proto", "https"),
                      ("X_Real_IP", "6.6.6.6"), ("Content_Length", "6"), ("X_Other", "1")])
        seen = fresh.last()
        assert seen.fields.all("X-Forwarded-For") == ["127.0.0.1"]
        assert [n for n, _ in seen.fields if "_" in n] == ["X_Other"]


def test_trusted_proxies_are_believed(fresh):
    with Weir(http_config(fresh, trusted_proxies=["127.0.0.0/8", "10.0.0.0/8"])) as w:
        w.ask(fields={"X-Forwarded-For": "6.6.6.6, 192.0.2.7, 10.1.2.3",
                      "X-Forwarded-Proto": "https", "X-Request-Id": "theirs-1234"})
        seen = fresh.last()
        hops = [h.strip() for h in ",".join(seen.fields.all("X-Forwarded-For")).split(",")]
        assert hops[-1] == "127.0.0.1" and "192.0.2.7" in hops
        assert seen["X-Forwarded-Proto"] == "https"
        assert seen["X-Request-Id"] == "theirs-1234"
        line = w.wait_log(path="/")
        assert line["client_ip"] == "192.0.2.7", "the first hop from the right we do not trust"
        assert line["peer_ip"] == "127.0.0.1"


def test_chains_in_several_fields_stay_whole(fresh):
    """Some proxies add a field of their own behind the one that a client has made up."""
    config = http_config(fresh, trusted_proxies=["127.0.0.0/8"],
                         defaults={"forwarded": {"forwarded": True}})
    with Weir(config) as w:
        w.ask(fields=[("X-Forwarded-For", "6.6.6.6"), ("Forwarded", "for=6.6.6.6"), ("X-Forwarded-For", ""),
                      ("X-Forwarded-For", "192.0.2.7"), ("Forwarded", "for=192.0.2.7")])
        seen = fresh.last()
        assert seen.fields.all("X-Forwarded-For") == ["6.6.6.6, 192.0.2.7, 127.0.0.1"]
        assert seen.fields.all("Forwarded") == [
            "for=6.6.6.6, for=192.0.2.7, for=127.0.0.1;proto=http"]
        assert w.wait_log(path="/")["client_ip"] == "192.0.2.7"


def test_forwarded_settings(fresh):
    config = http_config(fresh, defaults={"forwarded": {"x_forwarded": False, "forwarded": True,
                                                        "request_id": "X-Trace"}})
    with Weir(config) as w:
        w.ask(fields={"X-Forwarded-For": "6.6.6.6"})
        seen = fresh.last()
        assert seen["X-Forwarded-For"] is None
        assert re.search(r"for=\"?127\.0\.0\.1", seen["Forwarded"])
        assert seen["X-Trace"] and seen["X-Request-Id"] is None


# answers of our own


def test_error_page(fresh):
    config = http_config(fresh, routes=[{"name": "one", "match": {"host": "a.example"}, "to": "main"}])
    with Weir(config) as w:
        answer = w.ask(host="b.example")
        assert answer.status == 404 and answer["Weir-Cause"] == "no_route"
        ident = answer["X-Request-Id"]
        assert ident and ident in answer.body.decode()
        assert len(answer.body) < 4096
        as_json = w.ask(host="b.example", fields={"Accept": "application/json"})
        assert as_json["Content-Type"].startswith("application/json")
        page = json.loads(as_json.body)
        assert page["status"] == 404 and page["cause"] == "no_route"
        assert as_json["X-Request-Id"] in as_json.body.decode()
        html = w.ask(host="b.example", fields={"Accept": "text/html, application/json;q=0.5"})
        assert not html["Content-Type"].startswith("application/json")
        head = w.ask("HEAD", host="b.example")
        assert head.status == 404


def test_page_never_repeats_what_the_client_said(weir):
    with weir.client() as c:
        c.send(b"GET /<script>alert(1)</script> HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n")
        answer = c.response()
    assert answer.status == 400 and b"<script>" not in answer.body


def test_refused_server_is_502_or_503(fresh):
    config = http_config(stage.free_address())
    with Weir(config) as w:
        answer = w.ask()
        assert answer.status in (502, 503)
        assert answer["Weir-Cause"] in ("connect_refused", "no_server")


def test_origin_that_closes_is_502(weir, fresh):
    answer = weir.ask("POST", "/close", body=b"x")
    assert answer.status == 502 and answer["Weir-Cause"] == "server_closed"


def test_garbage_is_502(weir, fresh):
    answer = weir.ask(target="/garbage")
    assert answer.status == 502 and answer["Weir-Cause"] == "server_invalid"


def test_client_that_vanishes_frees_the_origin(weir, fresh):
    with weir.client() as c:
        c.send(stage.request_bytes("GET", "/hang"))
        until(lambda: fresh.seen("/hang"))
        conn = fresh.last().conn
        c.abort()
        until(lambda: conn not in fresh.conns, 10)


def test_client_that_half_closes_gets_its_answer(weir, fresh):
    with weir.client() as c:
        c.send(stage.request_bytes("GET", "/delay/0.2", {"Connection": "close"}))
        c.half_close()
        time.sleep(0.05)
        assert c.response().status == 200


def test_half_closed_clients_and_a_slow_answer(weir, fresh):
    """Who said that this is all waits for it; of another a FIN means that it has gone."""
    with weir.client(timeout=30) as closing, weir.client(timeout=30) as old, \
            weir.client(timeout=30) as keeping:
        closing.send(stage.request_bytes("GET", "/delay/7", {"Connection": "close"}))
        old.send(stage.request_bytes("GET", "/delay/7", version="HTTP/1.0"))
        keeping.send(stage.request_bytes("GET", "/delay/7?keeping"))
        for c in (closing, old, keeping):
            c.half_close()
        assert keeping.closed(20)
        assert weir.wait_log(query="keeping")["cause"] == "client_closed"
        assert closing.response().status == 200
        assert old.response().status == 200


@pytest.mark.parametrize("rest", [
    b"/ HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70000, b"/ HTTP/9.9\r\n\r\n", b"/ HTTP/1.1\r\n\r\n",
    b"/" + b"a" * 20000])
def test_refused_head_request_gets_no_body(weir, fresh, rest):
    """Refused before its head could be read, it is still a HEAD."""
    with weir.client() as c:
        c.try_send(b"HEAD " + rest)
        c.half_close()
        answer = c.head()
        assert answer.status in (400, 414, 431, 505)
        assert int(answer["Content-Length"]) > 0
        assert c.closed(), "nothing follows"


def test_several_addresses(fresh, tmp_path):
    unix = str(tmp_path / "w.sock")
    six = f"[::1]:{stage.free_port('::1')}"
    four = stage.free_address()
    with Weir(http_config(fresh, listeners={"web": {"address": [four, six, "unix:" + unix]}})) as w:
        assert stage.ask(four).status == 200
        assert stage.ask(six).status == 200
        assert fresh.last()["X-Forwarded-For"] == "::1"
        assert stage.ask("unix:" + unix).status == 200
        assert w.ask().status == 200


def test_ipv6_origin():
    with stage.Origin("six", host="::1") as six:
        with Weir(http_config(six)) as w:
            assert w.ask().json()["origin"] == "six"


def test_short_form(fresh):
    listen = stage.free_address()
    with Weir({"listen": listen, "to": [fresh.address]}) as w:
        assert stage.ask(listen).status == 200
        assert w.proc.poll() is None

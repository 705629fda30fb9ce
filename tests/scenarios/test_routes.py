"""Which request goes where, and what is changed on the way."""

import collections

import pytest

import stage
from stage import Origin, UnixOrigin, Weir, http_config


@pytest.fixture(scope="module")
def origins():
    made = {n: stage.Origin(n) for n in ("a", "b")}
    yield made
    for o in made.values():
        o.stop()


def routes_config(origins, routes, **more):
    pools = {n: {"servers": [o.address], "health": {"active": "off"}} for n, o in origins.items()}
    config = http_config(routes=routes, **more)
    config["pools"] = pools
    return config


def routed(weir, target="/", **more):
    """The name of the origin that answered, or the status of our own answer."""
    answer = weir.ask(target=target, **more)
    return answer.json()["origin"] if answer.status == 200 and answer["X-Origin"] \
        else answer.status


MATCH = [
    # match, then (request, does it match)
    ({"host": "a.example"}, [
        ({"host": "a.example"}, 1), ({"host": "A.EXAMPLE"}, 1), ({"host": "a.example:8080"}, 1),
        ({"host": "a.example."}, None), ({"host": "b.example"}, 0), ({"host": "x.a.example"}, 0)]),
    ({"host": "*.a.example"}, [
        ({"host": "x.a.example"}, 1), ({"host": "a.example"}, 0), ({"host": "xa.example"}, 0)]),
    ({"host": ["a.example", "b.example"]}, [
        ({"host": "a.example"}, 1), ({"host": "b.example"}, 1), ({"host": "c.example"}, 0)]),
    ({"path": "/x"}, [
        ({"target": "/x"}, 1), ({"target": "/x?y"}, 1), ({"target": "/x/"}, 0),
        ({"target": "/xy"}, 0), ({"target": "/X"}, 0), ({"target": "/y/../x"}, 1),
        ({"target": "/%78"}, 1)]),
    ({"path": "/api/*"}, [
        ({"target": "/api/x"}, 1), ({"target": "/api"}, 1), ({"target": "/api/"}, 1),
        ({"target": "/apis"}, 0), ({"target": "/"}, 0), ({"target": "/api/../x"}, 0)]),
    ({"path": "~^/v[0-9]+/"}, [
        ({"target": "/v1/x"}, 1), ({"target": "/v22/"}, 1), ({"target": "/vx/"}, 0)]),
    ({"method": ["POST", "PUT"]}, [
        ({"method": "POST", "body": b""}, 1), ({"method": "PUT", "body": b"x"}, 1), ({}, 0)]),
    ({"method": "GET"}, [({}, 1), ({"method": "POST", "body": b""}, 0)]),
    ({"header": {"X-Beta": "1"}}, [
        ({"fields": {"X-Beta": "1"}}, 1), ({"fields": {"x-beta": "1"}}, 1),
        ({"fields": {"X-Beta": "2"}}, 0), ({}, 0)]),
    ({"header": {"User-Agent": "~(?i)android|iphone"}}, [
        ({"fields": {"User-Agent": "An iPhone"}}, 1), ({"fields": {"User-Agent": "x"}}, 0)]),
    ({"cookie": {"tier": "premium"}}, [
        ({"fields": {"Cookie": "tier=premium"}}, 1), ({"fields": {"Cookie": "a=b; tier=premium"}}, 1),
        ({"fields": {"Cookie": "xtier=premium"}}, 0), ({"fields": {"Cookie": "tier=free"}}, 0)]),
    ({"query": {"debug": "1"}}, [
        ({"target": "/?debug=1"}, 1), ({"target": "/?a=b&debug=1"}, 1), ({"target": "/?debug=2"}, 0),
        ({"target": "/?xdebug=1"}, 0), ({"target": "/"}, 0)]),
    ({"query": {"debug": "absent"}}, [({"target": "/"}, 1), ({"target": "/?debug=1"}, 0)]),
    ({"client_ip": ["127.0.0.1/32"]}, [({}, 1), ({"source": "127.0.0.9"}, 0)]),
    ({"client_ip": {"not": ["127.0.0.8/29"]}}, [({}, 1), ({"source": "127.0.0.9"}, 0)]),
    ({"listener": "other"}, [({}, 0), ({"listener": "other"}, 1)]),
    ({"host": "a.example", "path": "/x/*", "method": "GET"}, [
        ({"host": "a.example", "target": "/x/y"}, 1), ({"host": "b.example", "target": "/x/y"}, 0),
        ({"host": "a.example", "target": "/y"}, 0)]),
]


@pytest.fixture(scope="module")
def matching(origins):
    """One daemon for all of MATCH: the row is chosen by a header on every request."""
    routes = []
    for i, (match, _) in enumerate(MATCH):
        header = {**match.get("header", {}), "X-Row": str(i)}
        routes.append({"name": f"row{i}", "match": {**match, "header": header}, "to": "a"})
    routes.append({"name": "rest", "to": "b"})
    config = routes_config(origins, routes)
    config["listeners"]["other"] = {"address": stage.free_address()}
    with Weir(config) as w:
        yield w


@pytest.mark.parametrize("row", range(len(MATCH)), ids=lambda i: str(MATCH[i][0]))
def test_match(matching, row):
    for request, wanted in MATCH[row][1]:
        request = dict(request)
        fields = {**request.pop("fields", {}), "X-Row": str(row)}
        got = routed(matching, fields=fields, **request)
        if wanted is None:
            assert got in ("a", "b", 400), request
        else:
            assert got == ("a" if wanted else "b"), request


def test_get_matches_head_too(origins):
    routes = [{"name": "g", "match": {"method": "GET"}, "to": "a"}, {"name": "r", "to": "b"}]
    with Weir(routes_config(origins, routes)) as w:
        assert w.ask("HEAD")["X-Origin"] == "a"


def test_first_match_wins(origins):
    routes = [{"name": "one", "match": {"path": "/x/*"}, "to": "a"},
              {"name": "two", "match": {"path": "/x/y"}, "to": "b"},
              {"name": "rest", "to": "b"}]
    with Weir(routes_config(origins, routes)) as w:
        assert routed(w, "/x/y") == "a" and routed(w, "/") == "b"


def test_no_route(origins):
    with Weir(routes_config(origins, [{"name": "x", "match": {"path": "/x"}, "to": "a"},
                                      {"name": "y", "match": {"path": "/y"}, "to": "b"}])) as w:
        answer = w.ask(target="/z")
        assert answer.status == 404 and answer["Weir-Cause"] == "no_route"


@pytest.fixture(scope="module")
def doing(origins):
    """One daemon whose routes do something with the request, a host for each."""
    routes = [
        {"name": "split", "match": {"host": "split"}, "split": {"a": "75%", "b": "25%"}},
        {"name": "redirect", "match": {"host": "redirect"},
         "redirect": {"to": "https://shop.example{path}", "status": 308}},
        {"name": "found", "match": {"host": "found"},
         "redirect": {"to": "https://shop.example/", "status": 302}},
        {"name": "respond", "match": {"host": "respond"}, "respond": {"status": 200, "body": "ok\n"}},
        {"name": "gone", "match": {"host": "gone"}, "respond": {"status": 410, "body": "gone\n"}},
        {"name": "strip", "match": {"host": "strip", "path": "/api/*"}, "strip_prefix": "/api", "to": "a"},
        {"name": "server", "match": {"host": "server"}, "host_header": "server", "to": "a"},
        {"name": "fixed", "match": {"host": "fixed"}, "host_header": "inner.example", "to": "a"},
        {"name": "headers", "match": {"host": "headers"}, "to": "a",
         "headers": {"request": {"set": {"X-Set": "ours"}, "add": {"X-Add": "more"},
                                 "remove": ["X-Gone"]},
                     "response": {"set": {"Cache-Control": "no-store"}, "add": {"X-Also": "1"},
                                  "remove": ["X-Origin"]}}},
        {"name": "small", "match": {"host": "small"}, "sizes": {"body": "1KiB"}, "to": "a"},
        {"name": "quick", "match": {"host": "quick"}, "timeouts": {"response": "300ms"}, "to": "a"},
        {"name": "rest", "to": "b"},
    ]
    with Weir(routes_config(origins, routes)) as w:
        yield w


def test_split(doing):
    shares = collections.Counter(routed(doing, host="split") for _ in range(400))
    assert 240 <= shares["a"] <= 360, shares
    assert shares["a"] + shares["b"] == 400


def test_redirect(doing):
    answer = doing.ask(host="redirect", target="/cart?x=1")
    assert answer.status == 308
    assert answer["Location"] in ("https://shop.example/cart", "https://shop.example/cart?x=1")
    assert doing.ask(host="found").status == 302


def test_redirect_of_all_that_may_be_asked(origins):
    """A long path goes along whole, and the target * is no part of a host's name."""
    routes = [{"name": "r", "redirect": {"to": "https://shop.example{uri}"}}]
    sizes = {"header_size": "64KiB", "uri": "64KiB"}
    with Weir(routes_config(origins, routes, defaults={"sizes": sizes})) as w:
        answer = w.ask(target="/" + '"' * 10_000 + "?x")
        assert answer["Location"] == "https://shop.example/" + "%22" * 10_000 + "?x"
        assert w.ask("OPTIONS", "*")["Location"] == "https://shop.example"
    routes = [{"name": "r", "redirect": {"to": "/{req.header.x}{req.header.x}{req.header.x}"}}]
    with Weir(routes_config(origins, routes)) as w:
        answer = w.ask(fields={"X": '"' * 30_000})
        assert answer.status == 431 and answer["Weir-Cause"] == "too_large"


def test_redirect_with_a_body_on_the_way(doing):
    with doing.client() as c:
        answer = c.ask("POST", "/x", {}, b"hello", host="redirect")
        assert answer.status == 308
        if (answer["Connection"] or "").lower() != "close":
            assert c.ask(host="respond").body == b"ok\n"


def test_respond(doing):
    with doing.client() as c:
        answer = c.ask(host="respond")
        assert answer.status == 200 and answer.body == b"ok\n"
        head = c.ask("HEAD", host="respond")
        assert head.status == 200
        assert c.ask(host="gone").status == 410


@pytest.mark.parametrize("sent,got", [("/api/x", "/x"), ("/api", "/"), ("/api/", "/"),
                                      ("/api/x?y=z", "/x?y=z"), ("/api//x", None),
                                      ("/api/api/x", "/api/x")])
def test_strip_prefix(doing, sent, got):
    target = doing.ask(host="strip", target=sent).json()["target"]
    assert target == got if got else target in ("/x", "//x")


def test_host_header(doing, origins):
    origins["a"].forget()
    doing.ask(host="server")
    assert origins["a"].last()["Host"] == origins["a"].address
    assert origins["a"].last()["X-Forwarded-Host"] == "server"
    doing.ask(host="fixed")
    assert origins["a"].last()["Host"] == "inner.example"


def test_host_of_a_server_behind_a_path(tmp_path):
    """Its path is no host; servers refuse what is not one (RFC 9112 3.2)."""
    with UnixOrigin("u", str(tmp_path / "o.sock")) as u:
        config = http_config(u)
        config["routes"].insert(0, {"match": {"path": "/own"}, "host_header": "server", "to": "main"})
        with Weir(config) as w:
            for more, host in (({"target": "/own"}, "localhost"), ({}, "test.example"),
                               ({"host": None, "version": "HTTP/1.0"}, "localhost")):
                assert w.ask(**more).status == 200
                assert u.last()["Host"] == host


def test_a_retry_names_its_own_server():
    """A request without a host, as HTTP/1.0 allows: each server hears its own."""
    with Origin("a") as a, Origin("b") as b:
        for o in (a, b):
            o.say("/", b"", then="close")
        with Weir(http_config(a, b)) as w:
            w.ask(host=None, version="HTTP/1.0")
            assert [a.last()["Host"], b.last()["Host"]] == [a.address, b.address]


def test_headers(doing, origins):
    origins["a"].forget()
    answer = doing.ask(host="headers", fields=[("X-Set", "theirs"), ("X-Add", "first"),
                                               ("x-gone", "x"), ("X-Other", "kept")])
    seen = origins["a"].last()
    assert seen.fields.all("X-Set") == ["ours"]
    assert seen.fields.all("X-Add") == ["first", "more"]
    assert seen["X-Gone"] is None and seen["X-Other"] == "kept"
    assert answer["Cache-Control"] == "no-store" and answer["X-Also"] == "1"
    assert answer["X-Origin"] is None


def test_no_other_spelling_of_what_a_route_sets(origins):
    """In a variable of CGI, X_User is X-User."""
    routes = [{"name": "r", "to": "a", "headers": {"request": {
        "set": {"X-User": "nobody"}, "remove": ["X-Is-Admin"], "add": {"X-Also": "1"}}}}]
    with Weir(routes_config(origins, routes)) as w:
        w.ask(fields={"X_User": "root", "x_is-Admin": "1", "X_Also": "2"})
        seen = origins["a"].last()
        assert seen["X-User"] == "nobody" and seen["X-Also"] == "1"
        assert [n for n, _ in seen.fields if "_" in n] == ["X_Also"]


def test_edits_find_room_in_full_heads(origins):
    """Whoever fills a head up to its limit does not keep ours out of it."""
    edits = {f"X-Ours-{i}": f"{i:0200}" for i in range(60)}
    headers = {"request": {"set": edits}, "response": {"set": edits}}
    routes = [{"name": "ours", "match": {"host": "respond"}, "headers": {"response": {"set": edits}},
               "respond": {"status": 200, "body": "ok"}},
              {"name": "moved", "match": {"host": "moved"}, "headers": {"response": {"set": edits}},
               "redirect": {"to": "/there"}},
              {"name": "all", "headers": headers, "to": "a"}]
    filled = [(f"X-Theirs-{i}", "x") for i in range(100)]
    full = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + \
        b"".join(b"X-Theirs-%d: x\r\n" % i for i in range(99)) + b"\r\n"
    origins["a"].on("/full", lambda conn, seen: conn.send(full))
    origins["a"].forget()
    with Weir(routes_config(origins, routes)) as w, w.client() as c:
        answer = c.ask(target="/full", fields=filled[:100 - 1])     # and Host
        seen = origins["a"].last()
        for head in (answer, seen):
            assert [head[name] for name in edits] == list(edits.values())
            assert head["X-Theirs-98"] == "x"
        assert seen["X-Request-Id"] and seen["X-Forwarded-For"]
        for host, status in (("respond", 200), ("moved", 308)):
            answer = c.ask(host=host)
            assert answer.status == status and answer["Weir-Cause"] is None
            assert [answer[name] for name in edits] == list(edits.values())


def test_edits_that_find_no_room_are_not_left_out(origins):
    """A fact may be as long as the client likes; what is set must not be lost for that."""
    long = "v" * 9000
    request = {"request": {"set": {"X-Twice": "{req.header.x-long}", "X-Checked": "yes"}}}
    response = {"response": {"set": {"X-Back": "{req.header.x-long}"}}}
    routes = [{"name": "in", "match": {"path": "/in"}, "headers": request, "to": "a"},
              {"name": "out", "match": {"path": "/out"}, "headers": response, "to": "a"},
              {"name": "own", "headers": response, "respond": {"body": "ok"}}]
    for path in ("/in", "/out"):
        origins["a"].on(path, lambda conn, seen: conn.answer(200, b"served"))
    with Weir(routes_config(origins, routes)) as w:
        for length, statuses in ((8000, (200, 200, 200)), (9000, (431, 502, 200))):
            origins["a"].forget()
            fields = [("X-Long", long[:length])]
            answers = [w.ask(target=target, fields=fields) for target in ("/in", "/out", "/own")]
            assert tuple(answer.status for answer in answers) == statuses
            assert len(origins["a"].seen()) == (2 if length == 8000 else 1)
        assert answers[0]["Weir-Cause"] == "too_large"
        assert answers[1]["Weir-Cause"] == "server_invalid" and b"served" not in answers[1].body
        assert stage.until(lambda: w.log(status=200, cause="internal"))
        assert w.ask(target="/out").body == b"served"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_response_can_name_its_server(host):
    edits = {"response": {"set": {"X-Served": "{server} {server.ip} {pool}"}}}
    with Origin("a", host=host) as a:
        config = http_config(pool={"servers": [{"name": "first", "address": a.address}]})
        config["routes"][0]["headers"] = edits
        with Weir(config) as w:
            assert w.ask()["X-Served"] == f"first {host} main"


def test_sizes_of_a_route(doing):
    assert doing.ask("POST", host="small", body=b"x" * 1024).status == 200
    answer = doing.ask("POST", host="small", body=b"x" * 1025)
    assert answer.status == 413 and answer["Weir-Cause"] == "too_large"


def test_timeout_of_a_route(doing):
    answer = doing.ask(host="quick", target="/delay/5")
    assert answer.status == 504 and answer["Weir-Cause"] == "server_timeout"
    assert routed(doing, "/delay/0.6", host="any") == "b"


def test_regex_that_backtracks_is_bounded(origins):
    routes = [{"name": "r", "match": {"path": "~^/(a+)+$"}, "to": "a"}, {"name": "s", "to": "b"}]
    with Weir(routes_config(origins, routes)) as w:
        before = w.cpu()
        assert w.ask(target="/" + "a" * 3000 + "!").status in (200, 400, 404, 500, 503)
        assert w.cpu() - before < 2 * stage.SLOW

"""Servers known by name: found, changed, lost and found again."""

import time

import pytest

import stage
from stage import DnsServer, Origin, Weir, http_config, until


@pytest.fixture
def dns():
    with DnsServer() as d:
        yield d


@pytest.fixture(scope="module")
def pair():
    """Two origins on one port, at 127.0.0.1 and 127.0.0.2; a third one at ::1."""
    for _ in range(50):
        one = Origin("one")
        try:
            two = Origin("two", host="127.0.0.2", port=one.port)
            six = Origin("six", host="::1", port=one.port)
            break
        except OSError:
            one.stop()
    yield one, two, six
    for o in (one, two, six):
        o.stop()


def config(dns, port, name="app.internal", **more):
    resolvers = {"servers": [dns.address], "timeout": "500ms", "min_ttl": "1s", "max_ttl": "1m"}
    return http_config(f"{name}:{port}", resolvers=resolvers, **more)


def names(weir, count=12):
    return {a.json()["origin"] if (a := weir.ask()).status == 200 else a.status
            for _ in range(count)}


def refused(w):
    """What status tells of refused answers."""
    pool = w.status()["pools"][0]
    return [name["reason"] for name in pool.get("refused_addresses", [])]


def test_name(dns, pair):
    dns.tell("app.internal", ["127.0.0.1"])
    with Weir(config(dns, pair[0].port)) as w:
        until(lambda: names(w, 2) == {"one"}, 5)
        assert pair[0].last()["Host"] == "test.example"


def test_own_host_of_a_named_server(dns, pair):
    """Its name, not the address that it happens to have."""
    dns.tell("app.internal", ["127.0.0.1"])
    own = config(dns, pair[0].port)
    own["routes"][0]["host_header"] = "server"
    with Weir(own) as w:
        until(lambda: names(w, 2) == {"one"}, 5)
        assert pair[0].last()["Host"] == f"app.internal:{pair[0].port}"


def test_several_addresses(dns, pair):
    dns.tell("app.internal", ["127.0.0.1", "127.0.0.2"], ttl=60)
    with Weir(config(dns, pair[0].port)) as w:
        until(lambda: names(w) == {"one", "two"}, 5)


def test_both_families(dns, pair):
    dns.tell("app.internal", ["127.0.0.1"], ["::1"], ttl=60)
    with Weir(config(dns, pair[0].port)) as w:
        until(lambda: names(w) == {"one", "six"}, 5)


def test_ipv6_alone(dns, pair):
    dns.tell("app.internal", [], ["::1"], ttl=60)
    with Weir(config(dns, pair[0].port)) as w:
        until(lambda: names(w, 4) == {"six"}, 5)


def test_change_after_the_ttl(dns, pair):
    dns.tell("app.internal", ["127.0.0.1"], ttl=1)
    with Weir(config(dns, pair[0].port)) as w:
        until(lambda: names(w, 2) == {"one"}, 5)
        dns.tell("app.internal", ["127.0.0.2"], ttl=1)
        until(lambda: names(w, 4) == {"two"}, 8)


def test_ttl_is_kept(dns, pair):
    dns.tell("app.internal", ["127.0.0.1"], ttl=60)
    with Weir(config(dns, pair[0].port)) as w:
        until(lambda: names(w, 2) == {"one"}, 5)
        asked = len(dns.asked)
        time.sleep(1.5)
        assert len(dns.asked) == asked, "nothing is asked before its time"


@pytest.mark.parametrize("mode", ["servfail", "silent"])
def test_last_good_answer_is_kept(dns, pair, mode):
    dns.tell("app.internal", ["127.0.0.1"], ttl=1)
    with Weir(config(dns, pair[0].port)) as w:
        until(lambda: names(w, 2) == {"one"}, 5)
        dns.mode = mode
        asked = len(dns.asked)
        until(lambda: len(dns.asked) > asked + 1, 10)
        assert names(w) == {"one"}
        dns.mode = "answer"
        dns.tell("app.internal", ["127.0.0.2"], ttl=1)
        until(lambda: names(w, 4) == {"two"}, 15)


def test_name_that_vanishes(dns, pair):
    """NXDOMAIN for a name that was good: the last good answer is kept."""
    dns.tell("app.internal", ["127.0.0.1"], ttl=1)
    with Weir(config(dns, pair[0].port)) as w:
        until(lambda: names(w, 2) == {"one"}, 5)
        dns.answers.clear()
        asked = len(dns.asked)
        until(lambda: len(dns.asked) > asked + 1, 10)
        assert names(w) == {"one"}


def test_unresolved(dns, pair):
    """A name without an answer does not stop the rest, and comes in when it has one."""
    both = config(dns, pair[0].port)
    both["pools"]["main"]["servers"].append(pair[1].address)
    with Weir(both) as w:
        assert names(w) == {"two"}
        states = [s["state"] for s in w.servers().values()]
        assert "unresolved" in states
        dns.tell("app.internal", ["127.0.0.1"], ttl=1)
        until(lambda: names(w) == {"one", "two"}, 15)


def test_nothing_but_unresolved_is_503(dns):
    with Weir(config(dns, 9)) as w:
        answer = w.ask()
        assert answer.status == 503
        assert answer["Weir-Cause"] == "unresolved" and answer["Retry-After"]
        w.wait_log(cause="unresolved", status=503)


def test_truncated_answer_is_asked_for_by_tcp(dns, pair):
    dns.mode = "truncate"
    dns.tell("app.internal", ["127.0.0.1"], ttl=60)
    with Weir(config(dns, pair[0].port)) as w:
        until(lambda: names(w, 2) == {"one"}, 8)
        assert any(how == "tcp" for _, _, how in dns.asked)


def test_connections_stay_while_the_answer_stays(dns, pair):
    """A renewed answer that says the same cuts and changes nothing."""
    dns.tell("app.internal", ["127.0.0.1"], ttl=1)
    with Weir(config(dns, pair[0].port)) as w:
        until(lambda: names(w, 2) == {"one"}, 5)
        asked = len(dns.asked)
        with w.client() as c:
            c.ask()
            until(lambda: len(dns.asked) >= asked + 4, 10)
            assert c.ask().status == 200


def test_a_name_with_nothing_but_refused_addresses(dns, pair):
    """503 and words, not a connection; and with the policy gone the server is there."""
    c = config(dns, pair[0].port)
    c["resolvers"]["deny"] = ["special", "loopback"]
    dns.tell("app.internal", ["127.0.0.1"], ["::1"], ttl=1)
    with Weir(c) as w:
        until(lambda: refused(w), 5)
        words = "127.0.0.1 and 1 more are refused: in resolvers.deny; no other address is known"
        assert refused(w) == [words]
        assert w.status()["pools"][0]["reason"] == words
        assert w.ask().status == 503
        del c["resolvers"]["deny"]
        w.reload(c)
        until(lambda: names(w, 6) == {"one", "six"}, 10)
        assert not refused(w)


def test_refused_addresses_take_no_place(dns, pair):
    """More of them than a name may have addresses, all before the good one in order."""
    c = config(dns, pair[0].port)
    c["resolvers"]["deny"] = ["126.0.0.0/8"]
    crowd = [f"126.0.0.{i}" for i in range(70)]
    dns.tell("app.internal", crowd + ["127.0.0.1"], ttl=1)
    with Weir(c) as w:
        until(lambda: names(w, 2) == {"one"}, 5)
        assert refused(w) == ["126.0.0.0 and 69 more are refused: in resolvers.deny; "
                              "the others are used"]
        c["resolvers"]["deny"] = []
        w.reload(c)
        until(lambda: w.status()["pools"][0].get("cut_addresses"), 5)
        assert w.status()["pools"][0]["cut_addresses"] == [
            {"name": "app.internal", "reason": "only the first 64 of 71 addresses are used"}]
        until(lambda: "a name has too many addresses" in w.stderr)


@pytest.mark.deep
def test_thousands_of_names_of_one_pool(dns):
    """Each answer may be news of its own: that must not cost the square of their number."""
    count = 500 if stage.SANITIZED else 3000
    for i in range(count):
        dns.tell(f"h{i}.internal", [f"127.1.{i // 250}.{i % 250 + 1}"], ttl=600)
    c = config(dns, 9)
    c["pools"]["main"]["servers"] = [f"h{i}.internal:9" for i in range(count)]
    c["resolvers"] |= {"timeout": "1s", "max_ttl": "10m"}
    with Weir(c) as w:
        until(lambda: not [s for s in w.status()["pools"][0]["servers"]
                           if s["state"] == "unresolved"], 60)


def test_a_new_policy_takes_known_addresses_away(dns, pair):
    c = config(dns, pair[0].port)
    dns.tell("app.internal", ["127.0.0.1", "127.0.0.2"], ttl=60)
    with Weir(c) as w:
        until(lambda: names(w) == {"one", "two"}, 5)
        c["resolvers"]["deny"] = ["special", "127.0.0.2"]
        w.reload(c)
        until(lambda: refused(w), 5)
        assert names(w) == {"one"}


def test_names_of_the_system_under_a_policy(pair):
    """`localhost` from the system's own table: permitted, until somebody refuses it."""
    c = http_config(f"localhost:{pair[0].port}")
    with Weir(c) as w:
        until(lambda: names(w, 6) & {"one", "six"}, 5)
        c["resolvers"] = {"deny": ["special", "loopback"]}
        w.reload(c)
        until(lambda: refused(w), 5)
        assert w.ask().status == 503


@pytest.mark.parametrize("gone", ["server", "pool"])
def test_a_name_that_comes_back_brings_no_old_addresses(dns, pair, gone):
    """What was known of it may be what the policy refuses by now."""
    c = config(dns, pair[0].port)
    other = {**c, "pools": {"main" if gone == "server" else "new": {"servers": [pair[1].address]}}}
    if gone == "pool":
        other["routes"] = [{"to": "new"}]
    dns.tell("app.internal", ["127.0.0.1"], ttl=60)
    with Weir(c) as w:
        until(lambda: names(w, 2) == {"one"}, 5)
        w.reload(other)
        assert names(w, 2) == {"two"}
        dns.mode = "silent"
        w.reload(c)
        assert names(w, 4) == {503}
        assert len(w.servers()) == 1

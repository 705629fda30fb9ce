"""Answers of the DNS that are wrong, forged or far too much: what was good is kept."""

import os
import socket
import struct
import time

import pytest

import stage
from stage import DnsServer, Weir, until
from test_dns import config, dns, names, pair, refused    # noqa: F401

pytestmark = pytest.mark.deep    # each waits for a few lifetimes of an answer

NAME = "app.internal"


def wire_name(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"


def record(owner, kind, data, ttl=1):
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def with_answers(honest, *records):
    """The honest packet with these records for its own."""
    end = 12
    while honest[end]:
        end += 1 + honest[end]
    head = honest[:2] + struct.pack("!HHHHH", 0x8180, 1, len(records), 0, 0)
    return head + honest[12:end + 5] + b"".join(records)


def address(ip):
    return record(b"\xc0\x0c", 1, socket.inet_aton(ip))


def other_id(honest):
    return bytes([honest[0] ^ 0x5a, honest[1] ^ 0xa5])


def forged_id(server, honest, peer, how):
    return [other_id(honest) + with_answers(honest, address("127.0.0.2"))[2:], honest]


def from_elsewhere(server, honest, peer, how):
    """The right number, but from another port."""
    if peer:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            s.sendto(with_answers(honest, address("127.0.0.2")), peer)
        time.sleep(0.05)
    return [honest]


def other_question(server, honest, peer, how):
    false = with_answers(honest, address("127.0.0.2"))
    return [false.replace(wire_name(NAME), wire_name("bpp.internal")), honest]


def empty(server, honest, peer, how):
    return [with_answers(honest)]


def looped_cname(server, honest, peer, how):
    alias = wire_name("other.internal")
    return [with_answers(honest, record(b"\xc0\x0c", 5, alias), record(alias, 5, wire_name(NAME)))]


def cname_to_itself(server, honest, peer, how):
    return [with_answers(honest, record(b"\xc0\x0c", 5, wire_name(NAME)))]


def pointers_in_a_circle(server, honest, peer, how):
    at = struct.pack("!H", 0xc000 | len(with_answers(honest)))
    return [with_answers(honest, record(at, 1, socket.inet_aton("127.0.0.2")))]


def cut_short(server, honest, peer, how):
    return [honest[:n] for n in (0, 1, 11, 12, 20, len(honest) - 1)]


def more_announced_than_there(server, honest, peer, how):
    return [honest[:6] + b"\xff\xff" + honest[8:]]


def noise(server, honest, peer, how):
    return [honest[:2] + os.urandom(n) for n in (10, 60, 500, 1400)]


def a_refusal_in_every_way(server, honest, peer, how):
    codes = server.codes = getattr(server, "codes", 0) % 15 + 1
    return [honest[:3] + bytes([0x80 | codes]) + b"\0\1" + bytes(6) + with_answers(honest)[12:]]


@pytest.mark.parametrize("twist", [
    forged_id, from_elsewhere, other_question, empty, looped_cname, cname_to_itself,
    pointers_in_a_circle, cut_short, more_announced_than_there, noise, a_refusal_in_every_way])
def test_the_last_good_address_stays(dns, pair, twist):
    """And the resolver is asked on, so that the truth is found when it is told again."""
    dns.tell(NAME, ["127.0.0.1"], ttl=1)
    with Weir(config(dns, pair[0].port)) as w:
        until(lambda: names(w, 2) == {"one"}, 5)
        dns.twist = lambda honest, peer, how: twist(dns, honest, peer, how)
        for _ in range(3):
            asked = len(dns.asked)
            until(lambda: len(dns.asked) > asked + 1, 15)
            assert names(w, 4) == {"one"}
        before = w.cpu()
        time.sleep(1)
        assert w.cpu() - before < 0.5 * stage.SLOW, "nothing turns in a circle"
        dns.twist = None
        dns.tell(NAME, ["127.0.0.2"], ttl=1)
        until(lambda: names(w, 4) == {"two"}, 20)


def test_thousands_of_addresses(dns, pair):
    """An answer as large as one can be: used or refused, but bounded, and over when it is over."""
    many = [f"127.{1 + i // 60000}.{i // 250 % 240}.{i % 250 + 1}" for i in range(4000)]
    dns.tell(NAME, ["127.0.0.1"], ttl=1)
    with Weir(config(dns, pair[0].port)) as w:
        until(lambda: names(w, 2) == {"one"}, 5)
        before = w.rss()
        dns.mode = "truncate"
        dns.tell(NAME, many, ttl=1)
        until(lambda: len(w.servers()) > 100 or "name has" in w.stderr, 20)
        assert w.cli("status").returncode == 0
        dns.mode = "answer"
        dns.tell(NAME, ["127.0.0.1"], ttl=1)
        until(lambda: names(w) == {"one"} and len(w.servers()) == 1, 30)
        if not stage.SANITIZED:
            assert w.rss() - before < 64e6


@pytest.mark.parametrize("ttl", [0, 2 ** 31 - 1, 2 ** 32 - 1])
def test_times_that_nobody_means(dns, pair, ttl):
    """No storm of questions for 0, no name for ever for 68 years: min_ttl and max_ttl."""
    dns.tell(NAME, ["127.0.0.1"], ttl=ttl)
    c = config(dns, pair[0].port)
    c["resolvers"]["max_ttl"] = "2s"
    with Weir(c) as w:
        until(lambda: names(w, 2) == {"one"}, 5)
        asked = len(dns.asked)
        time.sleep(3)
        assert len(dns.asked) - asked <= 2 * 4
        dns.tell(NAME, ["127.0.0.2"], ttl=ttl)
        until(lambda: names(w, 4) == {"two"}, 10)


def test_a_name_that_turns_to_weir_itself(dns, pair):
    """A loop by the DNS ends by itself: each request goes round a bounded number of times."""
    c = config(dns, 1)
    own = c["listeners"]["web"]["address"].rpartition(":")[2]
    c["pools"]["main"].update(servers=[f"{NAME}:{own}"], keepalive={"idle": "1s"})
    c["defaults"] = {"timeouts": {"response": "1s"}}
    dns.tell(NAME, ["127.0.0.1"], ttl=1)
    with Weir(c, nofile=512) as w:
        until(lambda: any(s["state"] != "unresolved" for s in w.servers().values()), 5)
        for _ in range(3):
            assert w.ask(timeout=20).status in (400, 431, 500, 502, 503, 504, 508)
        until(lambda: w.fds() < 100, 20)
        c["pools"]["main"]["servers"] = [pair[0].address]
        w.reload(c)
        assert names(w, 2) == {"one"}


# ---- addresses that may not be used ----

def said(w, words):
    return sum(words in line for line in w.stderr.splitlines())


@pytest.mark.parametrize("rebound", [
    (["169.254.169.254"], []), (["0.0.0.0"], []), ([], ["fe80::1"]), (["224.0.0.1"], ["ff02::1"]),
    (["169.254.169.254", "169.254.169.253"], ["::ffff:169.254.169.254"]),
    ([], ["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"])])
def test_rebound_to_where_no_server_is(dns, pair, rebound):
    """By the default alone: the last good address stays, and why is said once."""
    dns.tell(NAME, ["127.0.0.1"], ttl=1)
    with Weir(config(dns, pair[0].port)) as w:
        until(lambda: names(w, 2) == {"one"}, 5)
        dns.tell(NAME, *rebound, ttl=1)
        until(lambda: refused(w), 10)
        assert "resolvers.deny; the last good addresses stay" in refused(w)[0]
        assert "! name app.internal of pool main: " in w.cli("status").stdout
        asked = len(dns.asked)
        until(lambda: len(dns.asked) > asked + 3, 30)
        assert names(w, 6) == {"one"}
        assert list(w.servers()) == [f"127.0.0.1:{pair[0].port}"]
        assert said(w, "addresses of a name are refused") == 1
        dns.tell(NAME, ["127.0.0.2"], ttl=1)
        until(lambda: names(w, 4) == {"two"}, 20)
        assert not refused(w)
        assert said(w, "addresses of a name are no longer refused") == 1


@pytest.mark.parametrize("policy", [
    {"deny": ["special", "127.0.0.2"]}, {"deny": ["127.0.0.2/31"]},
    {"allow": ["127.0.0.1", "10.0.0.0/8"]}, {"allow": ["loopback"], "deny": ["127.0.0.2"]}])
def test_traffic_never_goes_where_the_policy_forbids(dns, pair, policy):
    """A server that would answer stands there, and never hears a thing."""
    c = config(dns, pair[0].port)
    c["resolvers"].update(policy)
    dns.tell(NAME, ["127.0.0.1"], ttl=1)
    heard = len(pair[1].requests)
    with Weir(c) as w:
        until(lambda: names(w, 2) == {"one"}, 5)
        for rebound in ["127.0.0.2"], ["127.0.0.1", "127.0.0.2"], []:
            dns.tell(NAME, rebound, ["::ffff:127.0.0.2"], ttl=1)
            asked = len(dns.asked)
            until(lambda: len(dns.asked) > asked + 3, 30)
            until(lambda: any("127.0.0.2" in words for words in refused(w)), 5)
            assert names(w, 6) == {"one"}
    assert len(pair[1].requests) == heard

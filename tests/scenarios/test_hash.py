"""Choosing by a key, seen from outside: the same key stays, a death moves its keys alone."""

import collections
import socket
import struct
import threading

import pytest

from stage import Weir, http_config, tcp_config, until

USERS = [f"user-{i}" for i in range(60)]
HEALTH = {"active": {"interval": "200ms", "timeout": "1s", "healthy_after": 1}}


def servers(origins):
    return [{"name": o.name, "address": o.address} for o in origins]


def by_user(**settings):
    """Without a bound: what another worker is still finishing would count as load."""
    return {"consistent_hash": {"key": "req.header.x-user", "bound": "off", **settings}}


def homes(weir, users=USERS):
    """Which server each user's requests go to, asked over one connection."""
    with weir.client() as c:
        return {u: c.ask(fields=[("X-User", u)]).json()["origin"] for u in users}


@pytest.mark.parametrize("table", ["ring", "maglev", "rendezvous"])
def test_a_user_stays_and_only_the_keys_of_the_dead_move(four, table):
    pool = {"servers": servers(four), "balance": by_user(table=table), "health": HEALTH}
    with Weir(http_config(pool=pool, runtime={"workers": 2})) as w:
        first = homes(w)
        assert set(first.values()) == set("abcd")
        for _ in range(3):     # each time another connection, and so perhaps another worker
            assert homes(w) == first
        dead = four[1]
        dead.kill()
        until(lambda: w.state(dead.address) == "down")
        moved = homes(w)
        assert {u for u in USERS if moved[u] != first[u]} == {u for u in USERS if first[u] == "b"}
        assert len({moved[u] for u in USERS if first[u] == "b"}) > 1, "spread over the others"
        dead.restart()
        until(lambda: w.state(dead.address) == "up")
        assert homes(w) == first


def test_two_weirs_agree_whatever_the_order(four):
    with Weir(http_config(pool={"servers": servers(four), "balance": by_user()})) as one:
        with Weir(http_config(pool={"servers": servers(four[::-1]), "balance": by_user()})) as other:
            assert homes(one) == homes(other)


def test_reload_with_one_more_moves_few(four):
    pool = {"servers": servers(four[:3]), "balance": by_user()}
    with Weir(http_config(pool=pool)) as w:
        before = homes(w)
        w.change(pools={"main": {"servers": servers(four)}})
        w.reload()
        after = homes(w)
        moved = [u for u in USERS if before[u] != after[u]]
        assert moved and len(moved) < len(USERS) / 2
        assert {after[u] for u in moved} == {"d"}


def test_without_the_key_all_are_used(four):
    with Weir(http_config(pool={"servers": servers(four), "balance": by_user()})) as w:
        with w.client() as c:
            got = collections.Counter(c.ask().json()["origin"] for _ in range(200))
        assert set(got) == set("abcd") and max(got.values()) < 100, got


def test_a_key_asked_for_too_often_overflows(four):
    """All hold: of forty requests for one key nobody gets more than 1.25 of forty over four."""
    held = threading.Event()
    for o in four:
        o.on("/hold", lambda conn, seen: held.wait(10) and conn.answer(200, b"{}"))
    pool = {"servers": servers(four), "balance": by_user(bound=1.25)}
    with Weir(http_config(pool=pool)) as w:
        clients = [w.client() for _ in range(40)]
        for c in clients:
            c.send(b"GET /hold HTTP/1.1\r\nHost: x\r\nX-User: alice\r\n\r\n")
        until(lambda: sum(len(o.seen("/hold")) for o in four) == 40)
        counts = [len(o.seen("/hold")) for o in four]
        held.set()
        for c in clients:
            assert c.response().status == 200
            c.close()
        assert max(counts) <= 13, counts


def test_ip_hash_by_forwarded_address(four):
    """The address that counts is the client's, not that of the proxy in front."""
    pool = {"servers": servers(four), "balance": {"ip_hash": {"prefix_v4": 24}}}
    with Weir(http_config(pool=pool, trusted_proxies=["127.0.0.0/8"])) as w:
        with w.client() as c:
            def home(ip):
                return c.ask(fields=[("X-Forwarded-For", ip)]).json()["origin"]
            networks = {n: home(f"192.0.{n}.1") for n in range(40)}
            assert set(networks.values()) == set("abcd")
            assert all(home(f"192.0.{n}.200") == networks[n] for n in range(40))


def test_ip_hash_of_connections(four):
    """A tcp listener: one client address, one server; an abrupt end frees its place."""
    pool = {"servers": servers(four), "balance": "ip_hash"}
    with Weir(tcp_config(pool=pool)) as w:
        for _ in range(8):
            with w.client() as c:
                c.ask()
        assert sorted(len(o.seen("/")) for o in four) == [0, 0, 0, 8]
        until(lambda: w.status()["pools"][0]["in_flight"] == 0)
        host, port = w.address().rsplit(":", 1)
        s = socket.create_connection((host, int(port)))
        until(lambda: w.status()["pools"][0]["in_flight"] == 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
        until(lambda: w.status()["pools"][0]["in_flight"] == 0)

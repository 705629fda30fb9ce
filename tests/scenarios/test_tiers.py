"""Who is asked first, and how much goes to whom when the first ones fail."""

import collections

import pytest

from stage import Weir, http_config, until

CHECK = {"active": {"path": "/healthz", "interval": "50ms", "timeout": "900ms",
                    "unhealthy_after": 1, "healthy_after": 1, "jitter": "0%"}}


def ill(origin, is_ill=True):
    status = 503 if is_ill else 200
    origin.on("/healthz", lambda conn, seen: conn.answer(status, b""))


def pool(four, places, **more):
    servers = [{"name": o.name, "address": o.address, **place} for o, place in zip(four, places)]
    return {"servers": servers, "health": CHECK, **more}


def usable(weir):
    return {s["name"] for s in weir.servers().values() if s["state"] in ("up", "unknown")}


def shares(weir, count=400):
    with weir.client() as c:
        return collections.Counter(c.ask().json()["origin"] for _ in range(count))


def test_a_tier_spills_by_what_it_has_lost(four):
    places = [{"tier": 1}, {"tier": 1}, {"tier": 2}, {"tier": 2}]
    with Weir(http_config(pool=pool(four, places))) as w:
        until(lambda: all(s["state"] == "up" for s in w.servers().values()))
        assert set(shares(w, 60)) == {"a", "b"}
        ill(four[0])
        until(lambda: usable(w) == {"b", "c", "d"})
        got = shares(w)  # half of it is well: 0.5 x 1.4
        assert got["a"] == 0 and 235 <= got["b"] <= 325, got
        ill(four[1])
        until(lambda: usable(w) == {"c", "d"})
        assert set(shares(w, 60)) == {"c", "d"}
        ill(four[0], False)
        ill(four[1], False)
        until(lambda: usable(w) == set("abcd"))
        assert set(shares(w, 60)) == {"a", "b"}
        until(lambda: "requests spill over to the next tier" in w.stderr)
        until(lambda: "the first tier takes everything again" in w.stderr)


@pytest.mark.parametrize("in_panic", ["open", "fail"])
def test_panic(four, in_panic):
    settings = {"panic_below": "50%", "in_panic": in_panic}
    with Weir(http_config(pool=pool(four, [{}] * 4, tiers=settings))) as w:
        until(lambda: all(s["state"] == "up" for s in w.servers().values()))
        for o in four[:3]:
            ill(o)
        until(lambda: usable(w) == {"d"})
        if in_panic == "open":
            assert set(shares(w, 60)) == set("abcd")
        else:
            answer = w.ask()
            assert answer.status == 503 and answer["weir-cause"] == "no_server"
        ill(four[0], False)
        until(lambda: usable(w) == {"a", "d"})
        assert set(shares(w, 60)) == {"a", "d"}
        until(lambda: "in panic" in w.stderr and "health counts again" in w.stderr)


def test_near_servers_first(four):
    places = [{"zone": "here"}, {"zone": "here"}, {"zone": "there"}, {}]
    config = http_config(runtime={"zone": "here"},
                         pool=pool(four, places, locality={"prefer": "zone", "spill_at": "100%"}))
    with Weir(config) as w:
        until(lambda: all(s["state"] == "up" for s in w.servers().values()))
        assert set(shares(w, 60)) == {"a", "b"}
        ill(four[0])
        until(lambda: usable(w) == {"b", "c", "d"})
        got = shares(w)  # half of the near ones: half of the requests
        assert 155 <= got["b"] <= 245 and got["a"] == 0, got

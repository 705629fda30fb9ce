"""Clients stay where they were: by a sealed cookie, by address, by the application's session."""

import base64
import collections
import os
import re
import stat
import threading
import time

import pytest

import stage
from stage import (WEBSOCKET, Origin, Weir, http_config, request_bytes, tcp_config, until,
                   weir_cli)

CHECK = {"active": {"path": "/healthz", "interval": "50ms", "timeout": "900ms",
                    "unhealthy_after": 1, "healthy_after": 1, "jitter": "0%"}}


@pytest.fixture
def three():
    made = [Origin(n) for n in "abc"]
    yield made
    for o in made:
        o.stop()


def ill(origin, is_ill=True):
    status = 503 if is_ill else 200
    origin.on("/healthz", lambda conn, seen: conn.answer(status, b""))


def config(servers, sticky, **pool):
    return http_config(pool={"servers": [{"name": o.name, "address": o.address}
                                         for o in servers],
                             "sticky": sticky, "health": CHECK, **pool})


def all_up(weir):
    until(lambda: all(s["state"] == "up" for s in weir.servers().values()))


def set_cookies(answer):
    return answer.fields.all("Set-Cookie")


def cookie_of(answer, name="LB_SERVER"):
    """The value that was set, or None."""
    found = [c for c in set_cookies(answer) if c.startswith(name + "=")]
    assert len(found) <= 1, found
    return found[0].split(";")[0].split("=", 1)[1] if found else None


def where(answer):
    return answer.json()["origin"]


def with_cookie(value, name="LB_SERVER"):
    return {"Cookie": f"other=1; {name}={value}; last=2"} if value else {}


def new_client(weir):
    first = weir.ask(target="/echo")
    assert first.status == 200 and cookie_of(first), first
    return where(first), cookie_of(first)


def test_a_cookie_keeps_its_client(three):
    with Weir(config(three, {"by": "cookie"})) as w:
        all_up(w)
        homes = collections.Counter()
        for _ in range(9):
            home, cookie = new_client(w)
            homes[home] += 1
            for _ in range(5):
                again = w.ask(target="/echo", fields=with_cookie(cookie))
                assert where(again) == home
                assert set_cookies(again) == []         # not on every answer
        assert set(homes) == set("abc"), homes          # new ones are balanced
        assert w.metrics().get("weir_sticky_hits_total", pool="main") == 45
        assert w.metrics().get("weir_sticky_misses_total", pool="main") == 9
        assert until(lambda: len(w.log(sticky="hit")) == 45)
        assert len(w.log(sticky="new")) == 9


def test_what_the_cookie_looks_like(three):
    sticky = {"by": "cookie", "name": "WHERE", "path": "/shop", "same_site": "none",
              "secure": True, "idle": "40m", "absolute": "12h"}
    with Weir(config(three[:1], sticky)) as w:
        text, = set_cookies(w.ask(target="/echo"))
        value, *attributes = text.split("; ")
        assert attributes == ["Path=/shop", "Max-Age=2700", "HttpOnly", "SameSite=None", "Secure"]
        raw = base64.urlsafe_b64decode(value.split("=", 1)[1] + "=")
        assert len(raw) == 53
        for secret in (three[0].address, "127.0.0.1", str(three[0].port)):
            assert secret.encode() not in raw and secret not in value
        w.reload(config(three[:1], {"by": "cookie", "name": "WHERE", "http_only": False}))
        text, = set_cookies(w.ask(target="/echo"))
        assert text.split("; ")[1:] == ["Path=/", "SameSite=Lax"]


def test_forged_and_foreign_cookies_are_as_if_absent(three):
    first = config(three, {"by": "cookie"})
    first["pools"]["twin"] = first["pools"]["main"]
    first["routes"].insert(0, {"name": "twin", "match": {"path": "/twin/*"}, "to": "twin"})
    for o in three:
        o.on("/twin/echo", lambda conn, seen: conn.answer(200, b"{}"))
    with Weir(first) as w:
        all_up(w)
        home, good = new_client(w)
        foreign = cookie_of(w.ask(target="/twin/echo"))
        for i in range(len(good)):          # each character counts
            bad = good[:i] + ("A" if good[i] != "A" else "B") + good[i + 1:]
            answer = w.ask(target="/echo", fields=with_cookie(bad))
            assert answer.status == 200 and cookie_of(answer), (i, bad)
        for bad in (foreign, "", "x", good[:-1], good + "A", good + "=", good[::-1],
                    home, three[0].address, "A" * len(good), "\"" + good + "\"", good * 50):
            answer = w.ask(target="/echo", fields={"Cookie": f"LB_SERVER={bad}"})
            assert answer.status == 200 and cookie_of(answer), bad
        until(lambda: len(w.log(sticky="miss")) == len(good) + 12)
        assert w.log(sticky="hit") == []
        # a bad one does not stand in the way of a good one
        answer = w.ask(target="/echo", fields=[("Cookie", "LB_SERVER=bad"),
                                               ("Cookie", f"LB_SERVER={good}")])
        assert where(answer) == home and not cookie_of(answer)


def test_a_server_that_goes_and_returns(three):
    with Weir(config(three, {"by": "cookie"})) as w:
        all_up(w)
        home, cookie = new_client(w)
        theirs = next(o for o in three if o.name == home)
        ill(theirs)
        w.wait_state(theirs.address, "down")
        moved = w.ask(target="/echo", fields=with_cookie(cookie))
        assert moved.status == 200 and where(moved) != home
        fresh = cookie_of(moved)
        assert fresh
        ill(theirs, False)
        w.wait_state(theirs.address, "up")
        for _ in range(6):      # who has moved stays; who has slept through it is at home
            assert where(w.ask(target="/echo", fields=with_cookie(fresh))) == where(moved)
            assert where(w.ask(target="/echo", fields=with_cookie(cookie))) == home
        assert w.wait_log(sticky="rebalanced")["server"] == where(moved)
        assert w.metrics().get("weir_sticky_rebalanced_total", pool="main") == 1


def test_a_kill_that_nobody_has_seen_yet(three):
    slow = {"active": {"path": "/healthz", "interval": "10s", "unhealthy_after": 3}}
    with Weir(config(three, {"by": "cookie"}, health=slow)) as w:
        all_up(w)
        home, cookie = new_client(w)
        next(o for o in three if o.name == home).kill()
        moved = w.ask(target="/echo", fields=with_cookie(cookie))
        assert moved.status == 200 and where(moved) != home     # the retry went elsewhere
        fresh = cookie_of(moved)
        assert where(w.ask(target="/echo", fields=with_cookie(fresh))) == where(moved)


def test_on_down_fail(three):
    with Weir(config(three, {"by": "cookie", "on_down": "fail"})) as w:
        all_up(w)
        home, cookie = new_client(w)
        theirs = next(o for o in three if o.name == home)
        ill(theirs)
        w.wait_state(theirs.address, "down")
        answer = w.ask(target="/echo", fields=with_cookie(cookie))
        assert answer.status == 503 and answer["Weir-Cause"] == "no_server"
        assert b"the server of this session" in answer.body
        assert set_cookies(answer) == []
        assert w.ask(target="/echo").status == 200              # others are served
        ill(theirs, False)
        w.wait_state(theirs.address, "up")
        assert where(w.ask(target="/echo", fields=with_cookie(cookie))) == home


def test_a_removed_server_is_nobodys_home(three):
    sticky = {"by": "cookie", "on_down": "fail"}
    with Weir(config(three, sticky)) as w:
        all_up(w)
        home, cookie = new_client(w)
        rest = [o for o in three if o.name != home]
        w.reload(config(rest, sticky))
        moved = w.ask(target="/echo", fields=with_cookie(cookie))
        assert moved.status == 200 and cookie_of(moved)


def test_drain_serves_its_own(three):
    with Weir(config(three, {"by": "cookie"})) as w:
        all_up(w)
        home, cookie = new_client(w)
        assert w.cli("drain", f"main/{home}").returncode == 0
        w.wait_state(next(o for o in three if o.name == home).address, "draining")
        for _ in range(12):
            assert where(w.ask(target="/echo", fields=with_cookie(cookie))) == home
            assert where(w.ask(target="/echo")) != home
        assert w.cli("enable", f"main/{home}").returncode == 0


def test_a_full_server_passes_its_client_on(three):
    came, gate = threading.Event(), threading.Event()

    def wait(conn, seen):
        came.set()
        gate.wait(20)
        return conn.answer(200, b"{}")

    for o in three:
        o.on("/wait", wait)
    made = config(three, {"by": "cookie"})
    for server in made["pools"]["main"]["servers"]:
        server["max_connections"] = 1
    with Weir(made) as w:
        all_up(w)
        home, cookie = new_client(w)
        with w.client() as c:
            c.send(request_bytes(target="/wait", fields=with_cookie(cookie)))
            assert came.wait(20)
            moved = w.ask(target="/echo", fields=with_cookie(cookie))
            assert moved.status == 200 and where(moved) != home
            gate.set()
            assert c.response().status == 200


def test_reload_and_restart_forget_nothing(three, tmp_path):
    made, state = config(three, {"by": "cookie"}), str(tmp_path)
    made["runtime"] = {"state_dir": state}
    path = os.path.join(state, "sticky.keys")
    with Weir(made) as w:
        all_up(w)
        home, cookie = new_client(w)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        key = open(path).read().split()[1]
        for _ in range(3):
            w.reload(made)
            assert where(w.ask(target="/echo", fields=with_cookie(cookie))) == home
        assert key not in w.stderr and key not in w.cli("expand", "-c", w.file).stdout
    with Weir(made) as w:           # another process, the same keys
        all_up(w)
        again = w.ask(target="/echo", fields=with_cookie(cookie))
        assert where(again) == home and not cookie_of(again)
        assert len(open(path).read().splitlines()) == 1
    with open(path, "w") as f:      # made two days ago: a new one seals, it still opens
        f.write(f"{int(time.time()) - 2 * 86400} {key}\n{int(time.time()) - 40 * 86400} {'0' * 64}\n")
    with Weir(made) as w:
        all_up(w)
        again = w.ask(target="/echo", fields=with_cookie(cookie))
        assert where(again) == home
        assert cookie_of(again)     # sealed anew
        assert not cookie_of(w.ask(target="/echo", fields=with_cookie(cookie_of(again))))


def memory_of(pid):
    """All that the process may write, as one text."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            place, rights, rest = line.split(None, 2)
            first, last = (int(part, 16) for part in place.split("-"))
            if not rights.startswith("rw") or "[v" in rest:
                continue
            memory.seek(first)
            while first < last and (piece := memory.read(min(last - first, 1 << 24))):
                found.append(piece)
                first += len(piece)
    return b"".join(found)


@pytest.mark.skipif(stage.SANITIZED, reason="a sanitizer's own memory is too large to read")
def test_secrets_are_not_left_in_memory(three, tmp_path):
    """What a key was read from is overwritten, at the start, at a reload and when one expires."""
    secrets = {name: base64.b64encode(os.urandom(48)).decode() for name in ("file", "plain")}
    (tmp_path / "secret").write_text(secrets["file"] + "\n")
    state = tmp_path / "state"
    state.mkdir()
    kept, old = (os.urandom(32).hex() for _ in range(2))
    now = int(time.time())
    (state / "sticky.keys").write_text(f"{now - 90 * 86400} {old}\n{now - 2 * 86400} {kept}\n")
    made = config(three, {"by": "cookie", "keys": [f"${{file:{tmp_path}/secret}}", secrets["plain"]]})
    made["pools"]["own"] = {"servers": made["pools"]["main"]["servers"], "sticky": "cookie"}
    made["runtime"] = {"state_dir": str(state)}
    with Weir(made) as w:
        for _ in range(2):
            try:
                memory = memory_of(w.child)
            except PermissionError:
                pytest.skip("the memory of another process can not be read here")
            fresh = (state / "sticky.keys").read_text().split()[-1]
            assert memory.find(os.fsencode(str(state))) > 0    # as the configuration has it
            for name, secret in {**secrets, "kept": kept, "old": old, "fresh": fresh}.items():
                assert memory.find(secret.encode()) < 0, name
            w.reload()


def test_without_a_place_for_keys(three):
    made = {**config(three, {"by": "cookie"}), "runtime": {"state_dir": "/proc/nowhere"}}
    with Weir(made) as w:
        all_up(w)
        until(lambda: "keys of sticky cookies cannot be kept" in w.stderr)
        until(lambda: "/proc/nowhere" in w.stderr)
        home, cookie = new_client(w)
        w.reload(w.config)
        assert where(w.ask(target="/echo", fields=with_cookie(cookie))) == home


def test_two_weirs_share_keys(three, tmp_path):
    new, old = "n" * 20 + "0123456789ab", "o" * 20 + "0123456789ab"
    (tmp_path / "new").write_text(new + "\n")
    (tmp_path / "old").write_text(old + "\n")
    both = {"by": "cookie", "keys": [f"${{file:{tmp_path}/new}}", f"${{file:{tmp_path}/old}}"]}
    one = {"by": "cookie", "keys": [f"${{file:{tmp_path}/old}}"]}
    with Weir(config(three, one)) as a, Weir(config(three, both)) as b:
        all_up(a)
        all_up(b)
        for _ in range(6):
            home, cookie = new_client(a)
            there = b.ask(target="/echo", fields=with_cookie(cookie))
            assert where(there) == home
            assert cookie_of(there)                 # sealed with the newer key
            home, cookie = new_client(b)
            assert cookie_of(a.ask(target="/echo", fields=with_cookie(cookie)))  # unknown there
        for w in (a, b):
            expanded = w.cli("expand", "-c", w.file)
            text = expanded.stdout + w.stderr + w.metrics_text() + w.cli("status", "--json").stdout
            assert new not in text and old not in text
            assert not os.path.exists(os.path.join(w.dir, "state", "sticky.keys"))


def test_lifetimes_of_a_cookie(three):
    with Weir(config(three, {"by": "cookie", "idle": "2s", "absolute": "6s"})) as w:
        all_up(w)
        home, cookie = new_client(w)
        began = time.monotonic()
        renewed = 0
        while time.monotonic() - began < 4.5:
            time.sleep(0.4)
            answer = w.ask(target="/echo", fields=with_cookie(cookie))
            assert where(answer) == home
            if cookie_of(answer):
                renewed += 1
                cookie = cookie_of(answer)
        assert 2 <= renewed <= 6
        assert len(w.log(sticky="hit")) > renewed
        time.sleep(max(0, 7.1 - (time.monotonic() - began)))
        assert cookie_of(w.ask(target="/echo", fields=with_cookie(cookie)))
        w.wait_log(sticky="miss")                   # absolute
        home, cookie = new_client(w)
        time.sleep(3.5)
        assert cookie_of(w.ask(target="/echo", fields=with_cookie(cookie)))
        until(lambda: len(w.log(sticky="miss")) == 2)       # idle


def test_websockets_get_their_cookie(three):
    with Weir(config(three, {"by": "cookie"})) as w:
        all_up(w)
        with w.client() as c:
            answer = c.ask(target="/ws", fields=WEBSOCKET)
            assert answer.status == 101 and cookie_of(answer)
            again = w.ask(target="/echo", fields=with_cookie(cookie_of(answer)))
            assert not cookie_of(again)
            assert next(o for o in three if o.tunnels).name == where(again)


def test_on_the_command_line(three):
    done = weir_cli("proxy", "--listen", "127.0.0.1:8080", "--to", three[0].address,
                    "--sticky", "cookie", "--print-config")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^ +sticky: cookie$", done.stdout, re.M)


def login(origin, *fields):
    """At /login the application gives a session."""
    def give(conn, seen):
        number = seen.target.rpartition("=")[2]
        return conn.answer(200, b"{}", [(n, v.replace("NUMBER", number)) for n, v in fields])
    origin.on("/login", give)


def by_session(**more):
    return {"by": "session_id", "cookie": "JSESSIONID", "query": "sid", "header": "X-Session",
            **more}


SESSION = ("Set-Cookie", "JSESSIONID=s-NUMBER.node1; Path=/; HttpOnly")


def homes_of_sessions(weir, count):
    """Logs in so often; each session with the server that has given it."""
    found = {}
    for i in range(count):
        answer = weir.ask(target=f"/login?n={i}")
        assert answer.status == 200
        found[f"s-{i}.node1"] = answer["X-Origin"]
    return found


def test_sessions_are_learned_from_answers(three):
    for o in three:
        login(o, SESSION)
    with Weir(config(three, by_session())) as w:
        all_up(w)
        homes = homes_of_sessions(w, 12)
        assert set(homes.values()) == set("abc")        # where they were, not where a hash says
        for _ in range(2):
            for sid, home in homes.items():
                for how in ({"fields": {"Cookie": f"a=b; JSESSIONID={sid}"}},
                            {"fields": {"X-Session": sid}}):
                    assert where(w.ask(target="/echo", **how)) == home
                assert where(w.ask(target=f"/echo?x=1&sid={sid}")) == home
            w.reload(w.config)                          # outlasts it
        until(lambda: len(w.log(sticky="new")) == 12 and len(w.log(sticky="hit")) == 72)
        until(lambda: w.log(path="/echo"))
        assert w.ask(target="/echo").status == 200      # no session: not kept, not counted
        assert "sticky" not in until(lambda: [x for x in w.log(path="/echo")
                                              if "query" not in x and x["bytes_in"] < 60])[0]
        assert w.metrics().get("weir_sticky_misses_total", pool="main") == 12


def test_sessions_from_a_header(three):
    for o in three:
        login(o, ("X-Session", "h-NUMBER"))
    with Weir(config(three, {"by": "session_id", "header": "x-session"})) as w:
        all_up(w)
        for i in range(6):
            home = w.ask(target=f"/login?n={i}")["X-Origin"]
            for _ in range(3):
                assert where(w.ask(target="/echo", fields={"X-Session": f"h-{i}"})) == home


def test_unknown_sessions_are_hashed(three):
    """After a restart, or when the table has forgotten: most still meet at one server."""
    with Weir(config(three, by_session())) as w, Weir(config(three, by_session())) as v:
        all_up(w)
        all_up(v)
        met = collections.Counter()
        for i in range(30):
            fields = {"Cookie": f"JSESSIONID=unknown-{i}"}
            places = {where(x.ask(target="/echo", fields=fields)) for x in (w, v, w, v)}
            assert len(places) == 1
            met += collections.Counter(places)
        assert set(met) == set("abc") and max(met.values()) < 20, met
        assert len(w.wait_log(sticky="hit")) and until(lambda: len(w.log(sticky="miss")) == 30)


def test_sessions_over_kill_drain_and_return(three):
    for o in three:
        login(o, SESSION)
    with Weir(config(three, by_session())) as w:
        all_up(w)
        homes = homes_of_sessions(w, 12)
        theirs = three[0]

        def places():
            return {sid: where(w.ask(target="/echo", fields={"Cookie": f"JSESSIONID={sid}"}))
                    for sid in homes}

        assert w.cli("drain", f"main/{theirs.name}").returncode == 0
        w.wait_state(theirs.address, "draining")
        assert places() == homes
        homes = homes_of_sessions(w, 12)
        assert theirs.name not in homes.values()        # nobody new
        assert w.cli("enable", f"main/{theirs.name}").returncode == 0
        w.wait_state(theirs.address, "up")
        assert places() == homes                        # nobody is called back
        lost = next(o for o in three if o.name == homes["s-0.node1"])
        ill(lost)
        w.wait_state(lost.address, "down")
        moved = places()
        assert lost.name not in moved.values()
        assert {s: h for s, h in moved.items() if homes[s] != lost.name} == \
            {s: h for s, h in homes.items() if h != lost.name}
        ill(lost, False)
        w.wait_state(lost.address, "up")
        assert places() == moved                        # who has moved stays


def test_lifetimes_of_sessions(three):
    for o in three:
        login(o, SESSION)
    with Weir(config(three, by_session(idle="2s", absolute="5s"))) as w:
        all_up(w)
        homes = homes_of_sessions(w, 1)
        fields = {"Cookie": "JSESSIONID=s-0.node1"}
        began = time.monotonic()
        while time.monotonic() - began < 3.5:
            time.sleep(0.5)
            assert where(w.ask(target="/echo", fields=fields)) == homes["s-0.node1"]
        assert w.log(sticky="miss") == []
        time.sleep(max(0, 5.3 - (time.monotonic() - began)))
        w.ask(target="/echo", fields=fields)
        until(lambda: len(w.log(sticky="miss")) == 1)           # absolute
        time.sleep(2.7)
        w.ask(target="/echo", fields=fields)
        until(lambda: len(w.log(sticky="miss")) == 2)           # idle


def test_by_address(three):
    sticky = {"by": "ip", "prefix_v4": 24}
    with Weir(config(three, sticky)) as w:
        all_up(w)
        homes = {}
        for net in range(20):
            homes[net] = where(w.ask(target="/echo", source=f"127.0.{net}.1"))
        assert set(homes.values()) == set("abc")
        theirs = three[0]
        assert w.cli("drain", f"main/{theirs.name}").returncode == 0
        w.wait_state(theirs.address, "draining")
        for net, home in homes.items():         # the same network is the same client
            assert where(w.ask(target="/echo", source=f"127.0.{net}.77")) == home
        for net in range(20, 40):
            assert where(w.ask(target="/echo", source=f"127.0.{net}.1")) != theirs.name
        until(lambda: len(w.log(sticky="new")) == 40 and len(w.log(sticky="hit")) == 20)


def test_connections_by_address(three):
    made = tcp_config(pool={"servers": [{"name": o.name, "address": o.address} for o in three],
                            "sticky": "ip", "health": CHECK})
    with Weir(made) as w:
        all_up(w)
        homes = {n: where(w.ask(target="/echo", source=f"127.0.0.{n}")) for n in range(1, 20)}
        assert set(homes.values()) == set("abc")
        for n, home in homes.items():
            assert where(w.ask(target="/echo", source=f"127.0.0.{n}")) == home
        until(lambda: len(w.log(sticky="hit")) == 19)
        lost = next(o for o in three if o.name == homes[1])
        ill(lost)
        w.wait_state(lost.address, "down")
        assert where(w.ask(target="/echo", source="127.0.0.1")) != lost.name
        w.wait_log(sticky="rebalanced")


def test_entries_need_a_restart(three):
    with Weir(config(three, by_session(entries=1000))) as w:
        w.reload(config(three, by_session(entries=2000)))
        until(lambda: "a changed setting needs a restart" in w.stderr)
        until(lambda: "sticky.entries" in w.stderr)

"""The configuration changed in the living process: nothing that stays is touched."""

import os
import signal
import time

import pytest

import stage
from stage import WEBSOCKET, Load, Origin, Weir, free_address, http_config, until


@pytest.fixture(scope="module")
def two():
    with Origin("a") as a, Origin("b") as b:
        yield a, b


def respond(text):
    return [{"name": "all", "respond": {"status": 200, "body": text}}]


def tunnel(weir):
    client = weir.client(timeout=20)
    assert client.ask("GET", "/ws", WEBSOCKET).status == 101
    return client


def alive(client):
    client.send(b"ping")
    return client.reader.exactly(4) == b"ping"


def test_sighup(two):
    with Weir(http_config(two[0])) as w:
        assert w.ask().json()["origin"] == "a"
        child = w.child
        w.change(pools={"main": {"servers": [two[1].address]}})
        w.signal(signal.SIGHUP)
        until(lambda: w.ask().json()["origin"] == "b")
        assert w.child == child, "the same process"


def test_weir_reload_returns_when_it_is_done(two):
    with Weir(http_config(two[0])) as w:
        for i in range(10):
            w.change(routes=respond(f"{i}\n"))
            w.reload()
            assert w.ask().body == f"{i}\n".encode(), "no later than the command's end"


@pytest.mark.parametrize("bad", [
    {"routes": [{"name": "all", "to": "nowhere"}]},
    {"pools": {"main": {"balance": "leastconn"}}},
    {"surprise": 1},
])
def test_refused_file_changes_nothing(two, bad):
    with Weir(http_config(two[0])) as w:
        good = w.config
        w.change(**bad)
        done = w.cli("reload")
        assert done.returncode == 1
        assert "error[" in done.stdout + done.stderr and "weir.yaml:" in done.stdout + done.stderr
        assert w.ask().json()["origin"] == "a"
        assert w.metrics().get("weir_config_last_reload_successful") == 0
        w.config = good
        w.write(good)
        w.reload()
        assert w.metrics().get("weir_config_last_reload_successful") == 1


def test_refused_by_syntax_and_by_absence(two):
    with Weir(http_config(two[0])) as w:
        w.write("listeners: [\n")
        assert w.cli("reload").returncode == 1
        w.signal(signal.SIGHUP)
        time.sleep(0.3)
        os.unlink(w.file)
        assert w.cli("reload").returncode == 1
        assert w.ask().status == 200


def test_listener_added_and_removed(two):
    with Weir(http_config(two[0])) as w:
        extra = free_address()
        keeper = w.client()
        assert keeper.ask().status == 200
        config = dict(w.config)
        w.change(listeners={"extra": {"address": extra}})
        w.reload()
        assert stage.ask(extra).status == 200
        other = stage.RawClient(extra)
        assert other.ask().status == 200
        w.config = config
        w.write(config)
        w.reload()

        def refused():
            try:
                stage.connect(extra).close()
                return False
            except ConnectionRefusedError:
                return True
        until(refused)
        try:                        # what was open may finish, or was idle and closes
            answer = other.ask()
            assert answer.status == 200
        except (EOFError, OSError):
            pass
        assert keeper.ask().status == 200, "the other listener's connection goes on"
        keeper.close()
        other.close()


def test_address_of_a_listener_changes(two):
    with Weir(http_config(two[0])) as w:
        old, new = w.address(), free_address()
        w.change(listeners={"web": {"address": new}})
        w.reload()
        assert stage.ask(new).status == 200
        until(lambda: not reachable(old))


def reachable(address):
    try:
        stage.connect(address).close()
        return True
    except OSError:
        return False


def test_address_in_use_is_refused(two):
    with Origin("squatter") as squatter, Weir(http_config(two[0])) as w:
        w.change(listeners={"extra": {"address": squatter.address}})
        done = w.cli("reload")
        assert done.returncode == 1 and "in use" in (done.stdout + done.stderr).lower()
        assert w.ask().status == 200


def test_connections_and_tunnels_go_on(two):
    with Weir(http_config(*two)) as w:
        idle, tun, busy = w.client(), tunnel(w), w.client()
        assert idle.ask().status == 200
        busy.send(stage.request_bytes("GET", "/delay/0.6"))
        time.sleep(0.1)
        w.change(pools={"main": {"balance": "random"}}, routes=[
            {"name": "new", "match": {"path": "/new"}, "respond": {"status": 200, "body": "new"}},
            {"name": "all", "to": "main"}])
        w.reload()
        assert busy.response().status == 200, "finishes under the old one"
        assert alive(tun)
        assert idle.ask(target="/new").body == b"new", "an old connection, a new route"
        for c in (idle, tun, busy):
            c.close()


def test_removed_server_finishes_what_it_has(two):
    with Weir(http_config(*two)) as w:
        clients = [w.client() for _ in range(4)]
        for c in clients:
            c.send(stage.request_bytes("GET", "/delay/0.6"))
        time.sleep(0.2)
        w.change(pools={"main": {"servers": [two[0].address]}})
        w.reload()
        assert {w.ask().json()["origin"] for _ in range(6)} == {"a"}
        assert {c.response().json()["origin"] for c in clients} == {"a", "b"}
        for c in clients:
            c.close()


def test_health_is_kept(two):
    dead = free_address()
    pool = {"health": {"active": {"interval": "60s"}}}
    with Weir(http_config(two[0], dead, pool=pool)) as w:
        until(lambda: w.state(dead) == "down")
        w.change(routes=[{"name": "renamed", "to": "main"}])
        w.reload()
        assert w.state(dead) == "down" and w.state(two[0].address) == "up"


def test_added_server_waits_for_its_check(two):
    pool = {"health": {"active": {"path": "/healthz", "interval": "300ms"}}}
    with Origin("late") as late:
        late.on("/healthz", lambda conn, seen: conn.answer(503, b""))
        with Weir(http_config(two[0], pool=pool)) as w:
            until(lambda: w.state(two[0].address) == "up")
            w.change(pools={"main": {"servers": [two[0].address, late.address]}})
            w.reload()
            assert {w.ask().json()["origin"] for _ in range(10)} == {"a"}
            late.on("/healthz", lambda conn, seen: conn.answer(200, b""))
            until(lambda: w.state(late.address) == "up")
            assert {w.ask().json()["origin"] for _ in range(10)} == {"a", "late"}


def test_counters_go_on(two):
    with Weir(http_config(two[0])) as w:
        def counted():
            return w.metrics().get("weir_requests_total", listener="web") or 0
        for _ in range(10):
            w.ask()
        until(lambda: counted() >= 10)      # the last is counted just after its answer
        before = counted()
        w.change(pools={"main": {"balance": "random"}})
        w.reload()
        assert counted() >= before


def test_restart_only_settings_are_named(two):
    with Weir(http_config(two[0])) as w:
        w.change(runtime={"workers": 1})
        done = w.cli("reload")
        until(lambda: "workers" in done.stdout + done.stderr + w.stderr)
        assert w.ask().status == 200


def fill_the_log(weir):
    """Long lines, until the rings in which lines wait have been touched from end to end."""
    request = stage.request_bytes("GET", "/echo?" + "x" * 4000) * 50
    for _ in range(4):
        with weir.client() as c:
            for _ in range(20):
                c.send(request)
                for _ in range(50):
                    assert c.response().status == 200


def reloads_under_load(two, count, pause, tunnels, clients):
    with Weir(http_config(*two)) as w:
        open_tunnels = [tunnel(w) for _ in range(tunnels)]
        if count > 20:
            fill_the_log(w)
        with Load(w.address(), clients=clients) as keep, \
                Load(w.address(), clients=2, keep=False) as new:
            until(lambda: keep.done > 20 and new.done > 5)
            for i in range(5):
                w.reload()
            fds, rss, began = w.fds(), w.rss(), time.monotonic()
            for i in range(count):
                w.change(routes=[{"name": f"all{i % 3}", "to": "main"}],
                         pools={"main": {"balance": ["random", "round_robin"][i % 2]}})
                w.signal(signal.SIGHUP) if i % 10 else w.reload()
                time.sleep(max(0, began + (i + 1) * pause - time.monotonic()))
            w.reload()
            print(f"{count} reloads in {time.monotonic() - began:.1f} s, {keep.done + new.done} "
                  f"requests, RSS {rss >> 10} KiB {w.rss() - rss >> 10:+} KiB")
            more, much = w.fds() - fds, w.rss() - rss
        reloads = w.metrics().get("weir_config_reloads_total", result="success")
        assert reloads is None or reloads >= count / 2, "signals may fall together"
        assert keep.failed == [] and new.failed == []
        assert keep.done > 50 and new.done > 10
        assert all(alive(t) for t in open_tunnels)
        for t in open_tunnels:
            t.close()
        assert more < 40
        if not stage.SANITIZED:
            assert much < max(rss * 0.05, 512 << 10)


def test_twenty_reloads_under_load(two):
    reloads_under_load(two, 20, 0.02, 10, 4)


@pytest.mark.deep
def test_two_hundred_reloads_under_load(two):
    reloads_under_load(two, 200, 0.1, 200, 6)

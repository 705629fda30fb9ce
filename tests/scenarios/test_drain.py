"""What was removed may finish what it has, for the pool's drain.timeout and no longer."""

import time

import pytest

import stage
from stage import WEBSOCKET, Cut, Origin, TcpOrigin, Weir, free_address, http_config, until

SECONDS = 2 * stage.SLOW        # long enough to look around meanwhile on a busy machine
DRAIN = f"{SECONDS}s"
LONG = "60s"


@pytest.fixture(scope="module")
def two():
    with Origin("a") as a, Origin("b") as b:
        yield a, b


def tunnel(address):
    client = stage.RawClient(address, timeout=20)
    assert client.ask("GET", "/ws", WEBSOCKET).status == 101
    return client


def lives(client):
    client.send(b"ping")
    return client.reader.exactly(4) == b"ping"


def cut_after(client, asked):
    """Waits for the end: it comes, and not before the time from `asked`, when the reload was."""
    client.sock.settimeout(SECONDS + 10 * stage.SLOW)
    try:
        while client.sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    assert time.monotonic() - asked > SECONDS - 0.2


def test_tunnels_on_a_removed_server(two):
    """One worker, because each goes round for itself: two could give 3 tunnels to a server."""
    with Weir(http_config(*two, pool={"drain": {"timeout": DRAIN}},
                          runtime={"workers": 1})) as w:
        tunnels = [tunnel(w.address()) for _ in range(4)]
        w.change(pools={"main": {"servers": [two[0].address]}})
        asked = time.monotonic()
        w.reload()
        assert all(lives(t) for t in tunnels), "they go on for their time"
        until(lambda: two[1].open == 0)
        assert time.monotonic() - asked > SECONDS - 0.2
        gone = [t for t in tunnels if not t.silent(0.05)]
        assert len(gone) == 2
        for t in tunnels:
            if t not in gone:
                assert lives(t), "the other server's tunnels are not touched"
            t.close()
        until(lambda: "drain.timeout is over" in w.stderr)
        until(lambda: two[1].address not in w.servers(), 5)


def test_requests_on_a_removed_server(two):
    """A long download is cut; a request without an answer finds another server."""
    a, b = two
    with Weir(http_config(b, pool={"drain": {"timeout": DRAIN}})) as w:
        b.say("/slow", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel", "hang")
        b.on("/drained", lambda conn, seen: conn.wait_end() or stage.CLOSE)
        get, post, long = w.client(), w.client(), w.client()
        get.send(stage.request_bytes("GET", "/drained"))
        post.send(stage.request_bytes("POST", "/hang", body=b"x"))
        long.send(stage.request_bytes("GET", "/slow"))
        until(lambda: b.seen("/hang") and b.seen("/drained") and b.seen("/slow"))
        w.change(pools={"main": {"servers": [a.address]}})
        asked = time.monotonic()
        w.reload()
        assert long.head().status == 200
        assert get.response().json()["origin"] == "a"
        assert time.monotonic() - asked > SECONDS - 0.2
        assert post.response().status == 502
        cut_after(long, asked)
        for c in (get, post, long):
            c.close()


def test_removed_pool(two):
    """With the pool its timeout goes; the one it had last is kept."""
    config = http_config(two[0], pool={"drain": {"timeout": DRAIN}})
    config["pools"]["other"] = {"servers": [two[1].address], "drain": {"timeout": LONG},
                                "health": {"active": "off"}}
    config["routes"].insert(0, {"name": "other", "match": {"path": "/ws"}, "to": "other"})
    with Weir(config) as w:
        stays = tunnel(w.address())
        w.config["routes"] = [{"name": "all", "to": "other"}]
        w.change(pools={"other": {"drain": {"timeout": DRAIN}}})
        w.config["pools"].pop("main")
        w.write(w.config)
        w.reload()
        time.sleep(SECONDS + 1)
        assert lives(stays)
        w.config["pools"] = {"last": {"servers": [two[0].address], "drain": {"timeout": LONG}}}
        w.config["routes"] = [{"name": "all", "to": "last"}]
        w.write(w.config)
        asked = time.monotonic()
        w.reload()
        cut_after(stays, asked)
        stays.close()


def test_tcp_on_a_removed_server():
    with TcpOrigin() as one, TcpOrigin() as other:
        config = stage.tcp_config(one, pool={"drain": {"timeout": DRAIN}})
        with Weir(config) as w, w.client() as c:
            assert lives(c)
            w.change(pools={"main": {"servers": [other.address]}})
            asked = time.monotonic()
            w.reload()
            assert lives(c)
            cut_after(c, asked)
            assert w.wait_log(pool="main", server_addr=one.address)["cause"] == "server_closed"


def test_a_server_that_comes_back_in_time_cuts_nothing(two):
    with Weir(http_config(two[0], pool={"drain": {"timeout": DRAIN}})) as w:
        with tunnel(w.address()) as t:
            w.change(pools={"main": {"servers": [two[1].address]}})
            w.reload()
            w.change(pools={"main": {"servers": [two[0].address]}})
            w.reload()
            time.sleep(SECONDS + 1)
            assert lives(t)


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_removed_listener(two, kind):
    with TcpOrigin() as echo:
        extra = free_address()
        config = http_config(two[0], pool={"drain": {"timeout": DRAIN}})
        before = dict(config["listeners"])
        config["pools"]["echo"] = {"servers": [echo.address], "drain": {"timeout": DRAIN},
                                   "health": {"active": "off"}}
        config["listeners"]["extra"] = {"address": extra, "kind": kind}
        config["listeners"]["spare"] = {"address": free_address(), "kind": "tcp", "to": "echo"}
        before["spare"] = config["listeners"]["spare"]
        if kind == "tcp":
            config["listeners"]["extra"]["to"] = "echo"
        with Weir(config) as w, tunnel(w.address()) as other:
            client = tunnel(extra) if kind == "http" else stage.RawClient(extra)
            w.config["listeners"] = before
            w.write(w.config)
            asked = time.monotonic()
            w.reload()
            assert lives(client), "it goes on for its time"
            with pytest.raises(OSError):
                stage.connect(extra)
            cut_after(client, asked)
            assert lives(other), "another listener's tunnel is not touched"
            client.close()
            until(lambda: "removed listener" in w.stderr)

"""Own pages, and closing for maintenance: by the file and by hand."""

import os

import pytest

from stage import Origin, Weir, free_address, http_config, request_bytes, until

DOWN = b"<!doctype html><p>The shop is being repaired.</p>\n"
SORRY = b'{"sorry": true}\n'


@pytest.fixture
def origin():
    one = Origin("a")
    yield one
    one.stop()


@pytest.fixture
def files(tmp_path):
    (tmp_path / "down.html").write_bytes(DOWN)
    (tmp_path / "sorry.json").write_bytes(SORRY)
    os.chmod(tmp_path, 0o755)
    return {"down": str(tmp_path / "down.html"), "sorry": str(tmp_path / "sorry.json")}


def config(origin, files, **more):
    made = http_config(pool={"servers": [origin.address]})
    made["pages"] = {"shop-down": {"retry_after": "60s", "file": files["down"]},
                     "gone": {"status": 410, "file": files["sorry"]},
                     "plain": {"retry_after": "7s"}}
    made["routes"] = [{"name": "health", "match": {"path": "/lb-health"},
                       "respond": {"status": 200, "body": "ok\n"}},
                      {"name": "away", "match": {"path": "/old"}, "redirect": {"to": "/new"}},
                      *made["routes"]]
    made.update(more)
    return made


def good(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def is_open(answer):
    return answer.status == 200 and answer.json()["origin"] == "a"


def is_closed(answer, body=DOWN, after="60"):
    assert answer.status == 503 and answer.fields.get("Weir-Cause") == "maintenance"
    assert answer.fields.get("Retry-After") == after
    return answer.body == body


# ---- pages ----

def test_error_pages(origin, files):
    dead = free_address()
    made = config(origin, files)
    made["pages"]["errors"] = {"5xx": files["down"], "404": files["sorry"], "502": "built-in"}
    made["pools"]["dead"] = {"servers": [dead], "health": "off"}
    made["routes"] = [{"name": "dead", "match": {"path": "/dead"}, "to": "dead"},
                      {"name": "main", "match": {"path": "/app/*"}, "to": "main"}]
    with Weir(made) as w:
        lost = w.ask(target="/nothing")
        assert lost.status == 404 and lost.body == SORRY
        assert lost.fields.get("Content-Type") == "application/json"
        assert lost.fields.get("Weir-Cause") == "no_route" and lost.fields.get("X-Request-Id")
        broken = w.ask(target="/dead")
        assert broken.status in (502, 503)
        # a server's own errors are its own
        origin.on("/app/bad", lambda conn, seen: conn.answer(503, b"mine"))
        assert w.ask(target="/app/bad").body == b"mine"
        assert is_open(w.ask(target="/app/x"))


def test_json_is_for_who_prefers_it(origin, files):
    made = config(origin, files, maintenance={"enabled": True, "page": "shop-down"})
    with Weir(made) as w:
        assert is_closed(w.ask())
        told = w.ask(fields={"Accept": "application/json"})
        assert told.json()["cause"] == "maintenance" and told.fields.get("Retry-After") == "60"
        asked = w.ask(method="HEAD")
        assert asked.status == 503 and asked.body == b""
        assert asked.fields.get("Content-Length") == str(len(DOWN))


def test_a_page_is_read_with_the_configuration(origin, files):
    made = config(origin, files, maintenance={"enabled": True, "page": "shop-down"})
    with Weir(made) as w:
        os.unlink(files["down"])
        assert is_closed(w.ask())
        assert w.cli("reload").returncode == 1        # missing: refused, nothing changes
        assert is_closed(w.ask())
        with open(files["down"], "wb") as f:
            f.write(b"<p>new</p>")
        good(w.cli("reload"))
        assert is_closed(w.ask(), b"<p>new</p>")


# ---- maintenance ----

def test_by_the_file(origin, files):
    with Weir(config(origin, files)) as w:
        assert is_open(w.ask())
        w.change(maintenance={"enabled": True, "page": "shop-down"})
        good(w.cli("reload"))
        until(lambda: w.ask().status == 503)
        assert is_closed(w.ask())
        assert w.ask(target="/lb-health").status == 200 and w.ask(target="/old").status == 308
        assert w.metrics().get("weir_maintenance") == 1
        until(lambda: "maintenance has begun" in w.stderr)
        assert "! maintenance on (" in good(w.cli("status"))
        w.change(maintenance={"enabled": False})
        good(w.cli("reload"))
        until(lambda: is_open(w.ask()))
        assert w.metrics().get("weir_maintenance") == 0
        until(lambda: "maintenance has ended" in w.stderr)


def test_from_the_start_with_exceptions(origin, files):
    made = config(origin, files, maintenance={"enabled": True, "except_ip": ["192.0.2.0/24"]},
                  trusted_proxies=["127.0.0.1"])
    with Weir(made) as w:
        closed = w.ask()
        assert closed.status == 503 and b"closed for maintenance" in closed.body
        assert closed.fields.get("Retry-After") == "5"
        assert is_open(w.ask(fields={"X-Forwarded-For": "192.0.2.7"}))
        assert w.ask(fields={"X-Forwarded-For": "198.51.100.7"}).status == 503


def test_by_hand(origin, files):
    with Weir(config(origin, files)) as w:
        out = good(w.cli("maintenance", "on", "--page", "shop-down", "--reason", "new database"))
        assert out == ("maintenance is on: page shop-down, 0 exceptions. "
                       "Undo: weir maintenance off\n")
        until(lambda: w.ask().status == 503)
        assert is_closed(w.ask())
        status = w.status()["maintenance"]
        assert status["on"] and status["ordered"] and '"new database"' in status["reason"]
        assert "! maintenance on*" in good(w.cli("status"))
        good(w.cli("reload"))                          # kept
        assert is_closed(w.ask())
        good(w.cli("maintenance", "on", "--page", "plain"))
        until(lambda: w.ask().fields.get("Retry-After") == "7")
        good(w.cli("maintenance", "on", "--except", "127.0.0.0/8", "--except", "10.0.0.0/8"))
        until(lambda: is_open(w.ask()))
        assert good(w.cli("maintenance", "off")) == "maintenance is off\n"
        until(lambda: is_open(w.ask()))
        assert not w.status()["maintenance"]["on"]


def test_a_page_with_another_status(origin, files):
    with Weir(config(origin, files)) as w:
        good(w.cli("maintenance", "on", "--page", "gone"))
        gone = until(lambda: (lambda a: a.status == 410 and a)(w.ask()))
        assert gone.body == SORRY and gone.fields.get("Retry-After") is None
        assert gone.fields.get("Weir-Cause") == "maintenance"


def test_a_changed_file_wins(origin, files):
    with Weir(config(origin, files)) as w:
        good(w.cli("maintenance", "on"))
        until(lambda: w.ask().status == 503)
        w.change(maintenance={"enabled": False, "page": "shop-down"})
        good(w.cli("reload"))
        until(lambda: is_open(w.ask()))
        until(lambda: "it replaces the order" in w.stderr)


def test_what_is_refused(origin, files):
    with Weir(config(origin, files)) as w:
        lost = w.cli("maintenance", "on", "--page", "shopdown")
        assert lost.returncode == 1 and "there are: shop-down, gone, plain" in lost.stderr
        bad = w.cli("maintenance", "on", "--except", "10.0.0.1/8")
        assert bad.returncode == 1 and "'10.0.0.1/8'" in bad.stderr
        assert w.cli("maintenance").returncode == 2
        assert w.cli("maintenance", "perhaps").returncode == 2
        assert is_open(w.ask())


def test_tunnels_and_what_runs_stay(origin, files):
    origin.on("/slow", lambda conn, seen: until(lambda: release) and conn.answer(200, b"done"))
    release = []
    with Weir(config(origin, files)) as w:
        with w.client() as c:
            c.send(request_bytes("GET", "/slow"))
            until(lambda: w.metrics().get("weir_requests_in_flight", route="all") == 1)
            good(w.cli("maintenance", "on"))
            until(lambda: w.ask().status == 503)
            release.append(1)
            assert c.response().body == b"done"

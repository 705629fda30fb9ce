"""The degradation ladder: down at once, up after the hold, by hand, over reloads."""

import pytest

from stage import Weir, http_config, until

DOWN = b"<p>Back soon.</p>\n"


@pytest.fixture
def page(tmp_path):
    (tmp_path / "down.html").write_bytes(DOWN)
    return str(tmp_path / "down.html")


def ladder(page, hold="2s"):
    made = {"shop": {"pool": "main",
                     "full": {"when": "healthy >= 75%"},
                     "reduced": {"when": "healthy >= 50%", "drop": ["low"]},
                     "critical": {"when": "healthy > 0", "drop": ["low", "normal"]},
                     "maintenance": {"page": "shop-down"},
                     "hold": hold}}
    return made


def config(four, page, **more):
    health = {"active": {"path": "/healthz", "interval": "200ms", "timeout": "1s",
                         "unhealthy_after": 1, "healthy_after": 1}}
    made = http_config(*four, pool={"health": health})
    made["pages"] = {"shop-down": {"retry_after": "60s", "file": page}}
    made["degrade"] = ladder(page)
    made["routes"] = [
        {"name": "pay", "match": {"path": "/pay"}, "to": "main", "priority": "critical",
         "degrade": "shop"},
        {"name": "hints", "match": {"path": "/hints"}, "to": "main", "priority": "low",
         "degrade": "shop"},
        {"name": "free", "match": {"path": "/free"}, "to": "main"},
        {"name": "shop", "to": "main", "degrade": "shop"}]
    made.update(more)
    return made


def good(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def level(w):
    return next(x for x in w.status()["degrade"] if x["name"] == "shop")["level"]


def statuses(w):
    return [w.ask(target=t).status for t in ("/pay", "/", "/hints")]


def sick(origin, is_sick=True):
    origin.on("/healthz", lambda conn, seen: conn.answer(503 if is_sick else 200, b""))


def test_down_and_up(four, page):
    with Weir(config(four, page)) as w:
        assert statuses(w) == [200, 200, 200] and level(w) == "full"
        assert w.ask().fields.get("Weir-Degrade") is None
        sick(four[0])
        sick(four[1])
        until(lambda: level(w) == "reduced")
        assert statuses(w) == [200, 200, 503]
        dropped = w.ask(target="/hints")
        assert dropped.fields.get("Weir-Cause") == "degraded"
        assert dropped.fields.get("Weir-Degrade") == "reduced"
        assert dropped.fields.get("Retry-After") == "5"
        assert w.ask(target="/free").status == 200
        assert w.wait_log(path="/hints", status=503)["degrade"] == "reduced"
        assert w.wait_log(path="/", degrade="reduced")["status"] == 200
        assert "degrade" not in w.log(path="/hints", status=200)[0], "the level was full"
        assert "degrade" not in w.wait_log(path="/free"), "it has no ladder"
        assert w.metrics().get("weir_degrade_level", ladder="shop") == 1
        assert w.metrics().get("weir_shed_requests_total", priority="low") >= 2
        assert "! degrade shop: reduced (" in good(w.cli("status"))
        sick(four[2])
        until(lambda: level(w) == "critical")
        assert statuses(w) == [200, 503, 503]
        sick(four[3])
        until(lambda: level(w) == "maintenance")
        gone = w.ask(target="/pay")
        assert gone.status == 503 and gone.body == DOWN
        assert gone.fields.get("Retry-After") == "60"
        for origin in four:
            sick(origin, False)
        until(lambda: level(w) == "full", 15)
        assert statuses(w) == [200, 200, 200]
        until(lambda: "degradation has changed its level" in w.stderr)
        until(lambda: "was" in w.stderr)


def test_flapping_waits_for_the_hold(four, page):
    made = config(four, page, degrade=ladder(page, "1h"))
    with Weir(made) as w:
        sick(four[0])
        sick(four[1])
        until(lambda: level(w) == "reduced")
        sick(four[0], False)
        sick(four[1], False)
        until(lambda: all(s["state"] == "up" for s in w.servers().values()))
        assert level(w) == "reduced" and statuses(w) == [200, 200, 503]
        assert "rises in" in w.status()["degrade"][0]["reason"]
        w.reload()                                     # keeps the level
        assert level(w) == "reduced" and statuses(w) == [200, 200, 503]


def test_servers_are_told(four, page):
    heard = []
    for origin in four:
        origin.on("/pay", lambda conn, seen: (heard.append(seen.fields.get("Weir-Degrade")),
                                              conn.answer(200, b"ok"))[1])
    with Weir(config(four, page)) as w:
        w.ask(target="/pay", fields={"Weir-Degrade": "critical"})
        assert heard == [None]                         # a client does not say it
        good(w.cli("degrade", "shop", "reduced"))
        until(lambda: level(w) == "reduced")
        told = w.ask(target="/pay", fields={"Weir-Degrade": "full"})
        assert heard[-1] == "reduced" and told.fields.get("Weir-Degrade") == "reduced"


def test_by_hand(four, page):
    with Weir(config(four, page)) as w:
        out = good(w.cli("degrade", "shop", "critical", "--reason", "big sale"))
        assert out == "shop: critical by hand. Undo: weir degrade shop auto\n"
        until(lambda: statuses(w) == [200, 503, 503])
        assert 'by uid' in w.status()["degrade"][0]["reason"]
        assert "big sale" in good(w.cli("status"))
        w.reload()
        assert level(w) == "critical"
        good(w.cli("degrade", "shop", "auto"))
        until(lambda: level(w) == "full")
        wrong = w.cli("degrade", "shp", "full")
        assert wrong.returncode == 1 and "there are: shop" in wrong.stderr
        assert w.cli("degrade", "shop", "worse").returncode == 1
        assert w.cli("degrade", "shop").returncode == 2


def test_routes_by_name(four, page):
    made = config(four, page)
    made["degrade"]["shop"]["reduced"]["drop"] = ["pay"]
    with Weir(made) as w:
        good(w.cli("degrade", "shop", "reduced"))
        until(lambda: statuses(w) == [503, 200, 200])

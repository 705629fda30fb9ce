"""How many requests at once a server bears is learnt from how long its answers take."""

import statistics
import threading
import time

import pytest

from stage import SLOW, Origin, Weir, http_config, until
from test_queue import Ask, Part

TAKES = 0.05


class Workshop:
    """Works on so many requests at once; the others wait in front of it, without end."""

    def __init__(self, places):
        self.lock = threading.Condition()
        self.places = places
        self.busy = self.now = self.most = 0
        self.served = 0

    def __call__(self, conn, seen):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            while self.busy >= self.places:
                self.lock.wait(20)
            self.busy += 1
        time.sleep(TAKES)
        with self.lock:
            self.busy -= 1
            self.now -= 1
            self.served += 1
            self.lock.notify_all()
        return conn.answer(200, b"made\n")

    def hire(self, places):
        with self.lock:
            self.places = places
            self.lock.notify_all()


class Crowd:
    """So many clients, each asking again as soon as it was answered."""

    def __init__(self, weir, count):
        self.weir = weir
        self.answers = []               # (status, cause, seconds)
        self.over = False
        self.threads = [threading.Thread(target=self.ask, daemon=True) for _ in range(count)]

    def ask(self):
        with self.weir.client() as c:
            while not self.over:
                began = time.monotonic()
                answer = c.ask(target="/work")
                self.answers.append((answer.status, answer["Weir-Cause"],
                                     time.monotonic() - began))
                if answer.status != 200:
                    time.sleep(0.1)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over = True
        for t in self.threads:
            t.join(30)

    def during(self, seconds):
        """What was answered meanwhile."""
        before = len(self.answers)
        time.sleep(seconds)
        return self.answers[before:]


def config(*servers, workers=2, adaptive=True, **pool):
    return http_config(*servers, pool={"adaptive_concurrency": adaptive, **pool},
                       runtime={"workers": workers})


def limit(weir, origin):
    return weir.servers()[origin.address]["concurrency"]["limit"]


def limits(weir, origin, seconds):
    """The limit over so long, on average."""
    seen = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen.append(limit(weir, origin))
        time.sleep(0.1)
    return statistics.mean(seen)


@pytest.fixture
def shop(fresh):
    shop = Workshop(8)
    fresh.on("/work", shop)
    return shop


def test_it_settles_near_what_the_server_bears(fresh, shop):
    with Weir(config(fresh)) as w:
        assert limit(w, fresh) == 16
        with Crowd(w, 40) as crowd:
            until(lambda: limits(w, fresh, 3) <= 15, 60)
            answers = crowd.during(5)
            mean = limits(w, fresh, 5)
            out = w.cli("status", "main").stdout
            said = w.servers()[fresh.address]["concurrency"]
        assert 4 <= mean <= 16, mean
        served = [took for status, _, took in answers if status == 200]
        refused = [cause for status, cause, _ in answers if status != 200]
        assert refused and set(refused) == {"no_server"}
        assert len(served) > 0.6 / SLOW * 5 * 8 / TAKES     # and it was not left idle
        assert statistics.median(served) < 3 * TAKES * SLOW  # all 40 of them: 5 * TAKES
        assert said["state"] in ("grows", "lower", "looks")
        assert said["time_without_load"] >= 0.9 * TAKES
        assert f"/{said['limit']}" in out and "without load" in out, out
        assert w.metrics().get("weir_server_concurrency_limit", address=fresh.address) >= 4


@pytest.mark.deep
def test_it_grows_when_the_server_bears_more(fresh, shop):
    shop.hire(4)
    with Weir(config(fresh)) as w, Crowd(w, 60):
        until(lambda: limits(w, fresh, 3) <= 12, 60)
        shop.hire(100)
        until(lambda: limit(w, fresh) >= 40, 30)


@pytest.mark.deep
@pytest.mark.parametrize("workers", [1, 3])
def test_with_a_queue_they_wait(fresh, shop, workers):
    with Weir(config(fresh, workers=workers, queue={"size": 100, "timeout": "30s"})) as w:
        with Crowd(w, 40) as crowd:
            until(lambda: limits(w, fresh, 3) <= 15, 60)
            assert {status for status, *_ in crowd.during(3)} == {200}
            shop.hire(100)              # a limit that rises is for those who wait, too
            until(lambda: limit(w, fresh) >= 40, 30)
        assert {status for status, *_ in crowd.answers} == {200}
        assert w.metrics().get("weir_pool_queue_length", pool="main") == 0


def test_a_raised_limit_takes_who_waits(fresh):
    part = Part()
    fresh.on("/q", part)
    queue = {"size": 100, "timeout": "60s"}
    with Weir(config(fresh, adaptive={"max": 4}, queue=queue)) as w:
        asks = [Ask(w) for _ in range(9)]
        until(lambda: part.now == 4)
        time.sleep(0.2)
        assert part.now == 4
        listeners = w.config["listeners"]
        w.reload({**config(fresh, adaptive={"max": 6}, queue=queue), "listeners": listeners})
        time.sleep(0.2)
        assert part.now == 4, "a higher bound alone is no higher limit"
        w.reload({**config(fresh, adaptive={"min": 6}, queue=queue), "listeners": listeners})
        until(lambda: part.now == 6)
        w.reload({**config(fresh, adaptive=False, queue=queue), "listeners": listeners})
        until(lambda: part.now == 9)
        part.let(9)
        assert [a.wait().status for a in asks] == [200] * 9
        assert "concurrency" not in w.servers()[fresh.address]
        assert w.metrics().get("weir_server_concurrency_limit", default=None,
                               address=fresh.address) is None


def test_a_limit_that_grows_takes_who_waits(fresh):
    """Without a place that is given back: nothing is answered when it grows."""
    part = Part()
    fresh.on("/q", part)
    with Weir(config(fresh, queue={"size": 1000, "timeout": "60s"})) as w:
        asks = [Ask(w) for _ in range(400)]
        until(lambda: part.now == 16)
        let = 0
        while limit(w, fresh) == 16 and let < 350:
            part.let()
            let += 1
            time.sleep(0.02)
        until(lambda: part.now == limit(w, fresh) > 16, 5)
        part.let(400)
        assert [a.wait().status for a in asks] == [200] * 400


def test_a_reload_keeps_it(fresh, shop):
    shop.hire(200)
    with Weir(config(fresh)) as w:
        with Crowd(w, 60):
            until(lambda: limit(w, fresh) >= 40, 30)
        before = limit(w, fresh)
        w.reload({**config(fresh, keepalive={"idle": "5s"}),
                  "listeners": w.config["listeners"]})
        assert limit(w, fresh) >= before / 2 > 16


def test_what_is_not_used_does_not_grow(fresh, shop):
    with Weir(config(fresh)) as w:
        with Crowd(w, 3):
            time.sleep(3)
        assert limit(w, fresh) <= 16
        assert w.servers()[fresh.address]["concurrency"]["state"] in ("unused", "lower")


def test_less_important_ones_are_refused_first(fresh):
    """Nothing is answered, so the limit stays where it begins, at 16."""
    part = Part()
    fresh.on("/q", part)
    routes = [{"name": name, "match": {"query": {"p": name}}, "to": "main", "priority": name}
              for name in ("low", "critical")] + [{"name": "rest", "to": "main"}]
    with Weir({**config(fresh), "routes": routes}) as w:
        asks = []

        def fill(priority, upto):
            while part.now < upto:
                asks.append(Ask(w, f"/q?p={priority}"))
                until(lambda: part.now == len(asks), pause=0.01)
            assert Ask(w, f"/q?p={priority}").cause == "no_server"

        fill("low", 12)
        fill("normal", 16)
        assert Ask(w, "/q?p=low").cause == "no_server"
        fill("critical", 20)
        part.let(20)
        assert [a.wait().status for a in asks] == [200] * 20


def test_the_servers_own_cap_holds_beside_it(fresh):
    part = Part()
    fresh.on("/q", part)
    servers = [{"address": fresh.address, "max_connections": 2}]
    with Weir(http_config(pool={"servers": servers, "adaptive_concurrency": True})) as w:
        asks = [Ask(w) for _ in range(2)]
        until(lambda: part.now == 2)
        assert Ask(w).cause == "no_server"
        part.let(2)
        assert [a.wait().status for a in asks] == [200] * 2

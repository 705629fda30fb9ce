"""Ten thousand servers that come and go by reload while requests flow, and none is lost.

They are real: one origin listens at every address of 127.0.0.0/8. The bench's driver asks
5,000 times a second, whether answers come or not, and keeps an exact account of what was
lost. How fast that is answered is the machine's matter and only printed, with the time each
thread has computed; how much was really asked is asserted.
"""

import json
import os
import signal
import subprocess
import time

import pytest

import stage
from stage import Weir, http_config, until

COUNT = 500 if stage.SANITIZED else 10_000
RATE = 200 if stage.SANITIZED else 5000
BASE = 2                        # servers that stay throughout
BENCH = next((os.path.join(d, "bench") for d in
              (os.path.dirname(stage.WEIR), *(os.path.join(stage.ROOT, "build", b)
                                              for b in ("release", "debug")))
              if os.path.exists(os.path.join(d, "bench/bench-driver"))), None)

pytestmark = [pytest.mark.deep,
              pytest.mark.skipif(BENCH is None, reason="the bench's programs are not built")]


@pytest.fixture(scope="module")
def port():
    """An origin at every loopback address; a kept link to each server takes a descriptor."""
    proc = subprocess.Popen([os.path.join(BENCH, "bench-origin"), "0", "0", "0", "0.0.0.0"],
                            stdout=subprocess.PIPE, text=True)
    yield int(proc.stdout.readline().split()[1])
    proc.kill()
    proc.wait()


def servers(port, count, skip=()):
    return [{"name": f"s{i}", "address": f"127.1.{i // 250}.{i % 250 + 1}:{port}"}
            for i in range(count) if i not in skip]


def config(port, count, **pool):
    made = http_config(pool={"servers": servers(port, count), "balance": "weighted_round_robin",
                             "keepalive": {"connections": 1, "idle": "2s"}, **pool})
    made["logs"] = {"access": "off"}
    return made


class Flow:
    """RATE requests a second until the block ends; then `came` is the driver's account."""

    def __init__(self, weir):
        self.words = [os.path.join(BENCH, "bench-driver"), "--kind", "http", "--port",
                      weir.address().rpartition(":")[2], "--conns", "512", "--rate", str(RATE),
                      "--path", "/bytes/64", "--size", "64", "--seconds", "3600"]

    def __enter__(self):
        self.proc = subprocess.Popen(self.words, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.proc.send_signal(signal.SIGTERM)
        self.came = json.loads(self.proc.communicate(timeout=120)[0])


def computed(pid):
    """Seconds that each thread of the process has computed."""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat") as f:
            name, _, rest = f.read().partition("(")[2].rpartition(")")
        ticks = rest.split()
        found[f"{name} {task}"] = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
    return found


def resize(weir, members, say):
    weir.config["pools"]["main"]["servers"] = members
    weir.write(weir.config)
    began = time.monotonic()
    weir.reload()
    say.append(f"{len(members)} servers: reload {time.monotonic() - began:.2f} s, "
               f"{weir.rss() / 1e6:.0f} MB")
    return weir.rss()


def steps():
    up = [COUNT // 20, COUNT // 4, COUNT // 2, COUNT]
    return up + up[-2::-1] + [BASE]


def test_ten_thousand_come_and_go_under_load(port):
    said = []
    with Weir(config(port, BASE)) as w:
        before = w.rss()
        with Flow(w) as flow:
            rounds = []
            for _ in range(2):
                most = 0
                for n in steps():
                    most = max(most, resize(w, servers(port, n), said))
                    for words in (("drain", "main/s0"), ("weight", "main/s1", "3"),
                                  ("enable", "main/s0"), ("enable", "main/s1")):
                        assert w.cli(*words).returncode == 0
                    if n == COUNT:
                        until(lambda: all(s["requests"] for s in w.servers().values()), 120, 1)
                    time.sleep(0.5)
                until(lambda: len(w.servers()) == BASE, 60)
                rounds.append((most, w.rss()))
        asked = flow.came["completed"]
        times = {name: flow.came[f"{name}_us"] / 1000 for name in ("p50", "p99", "p999", "most")}
        said += [f"{asked} requests, {asked / flow.came['seconds']:.0f} a second of {RATE}; ms: "
                 + ", ".join(f"{name} {ms:.1f}" for name, ms in times.items()),
                 f"MB: {before / 1e6:.0f} before, then most and after: "
                 + ", ".join(f"{a / 1e6:.0f} {b / 1e6:.0f}" for a, b in rounds),
                 f"seconds computed of {flow.came['seconds']:.0f}: "
                 + ", ".join(f"{name} {s:.1f}" for name, s in computed(w.child or w.pid).items())]
        print("\n".join(said))
        assert flow.came["lost"] == 0 and flow.came["dropped"] == 0, flow.came
        assert asked >= 2 * COUNT
        answered = w.metrics()
        assert answered.get("weir_requests_total", code="2xx") >= asked
        assert not answered.get("weir_requests_total", code="5xx")
        until(lambda: w.fds() < 64 + BASE * 2, 30)
        if not stage.SANITIZED:
            (first_most, first_after), (most, after) = rounds
            assert first_most - before < COUNT * 12_000 + 32e6, "bounded by what there is"
            assert after < first_after * 1.15 + 4e6 and most < first_most * 1.15 + 8e6, \
                "what was taken once is enough for the next time"


def places(weir, keys):
    """Where each key goes."""
    found = {}
    with weir.client() as c:
        for key in keys:
            answer = c.ask(target=f"/bytes/1?{key}")
            assert answer.status == 200
            found[key] = answer["x-served"]
    return found


@pytest.mark.parametrize("table", ["ring", "maglev", "rendezvous"])
def test_a_small_change_moves_few_keys(port, table):
    """One in a hundred leaves: its keys move, and next to nobody else's; and they come back."""
    made = config(port, COUNT, balance={"consistent_hash": {"key": "req.query", "table": table}})
    made["routes"][0]["headers"] = {"response": {"set": {"X-Served": "{server.ip}"}}}
    keys = [f"key{i}" for i in range(2000)]
    leaving = set(range(0, COUNT, 100))
    gone = {s["address"].rpartition(":")[0] for s in servers(port, COUNT)} - \
        {s["address"].rpartition(":")[0] for s in servers(port, COUNT, leaving)}
    with Weir(made) as w:
        before = places(w, keys)
        resize(w, servers(port, COUNT, leaving), [])
        after = places(w, keys)
        moved = [k for k in keys if before[k] != after[k]]
        theirs = [k for k in keys if before[k] in gone]
        print(f"{table}: {len(moved)} of {len(keys)} moved, {len(theirs)} had to")
        assert theirs and set(theirs) <= set(moved) and not gone & set(after.values())
        assert len(moved) <= len(theirs) + len(keys) * (0.03 if table == "maglev" else 0)
        resize(w, servers(port, COUNT), [])
        assert places(w, keys) == before


def test_one_that_counts_among_thousands_of_weight_0(port):
    made = config(port, BASE)
    made["routes"][0]["headers"] = {"response": {"set": {"X-Served": "{server}"}}}
    members = servers(port, COUNT)
    for m in members:
        m["weight"] = int(m["name"] == "s77")
    with Weir(made) as w:
        for balance in ("weighted_round_robin", "random_two", "consistent_hash", "prequal"):
            w.config["pools"]["main"]["balance"] = balance
            resize(w, members, [])
            with w.client() as c:
                got = {c.ask(target="/bytes/1")["x-served"] for _ in range(20)}
            assert got == {"s77"}, (balance, got)


def test_a_large_pool_that_falls_ill_costs_its_number():
    """Each server that goes down may change what the tiers get: that is summed up for many."""
    made = config(9, COUNT, tiers={"panic_below": "10%"},
                  health={"active": {"interval": "2s", "jitter": "0%"}})
    made["pools"]["main"].pop("keepalive")
    with Weir(made) as w:
        until(lambda: w.metrics().get("weir_pool_servers", pool="main", state="down") == COUNT, 60)
        steward = max(computed(w.child).items(), key=lambda item: "weir " in item[0])
        print(steward)
        until(lambda: "in panic" in w.stderr)
        assert stage.SANITIZED or steward[1] < 1.5

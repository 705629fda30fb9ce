"""The workloads: what is asked of each proxy, how it is measured, and the goal.

A race runs all contenders side by side in alternating rounds and counts the CPU time of
each proxy. Memory and reloads are measured on a fresh instance each.
"""
import json
import os
import re
import resource
import statistics
import subprocess
import time
from dataclasses import dataclass, field

from common import (BENCH, LOAD_CPU, Failed, cpu_spent, cpu_times, file_limit, memory,
                    weir_binary)
from contenders import weir_long_config

PEERS = ["nginx", "haproxy", "haproxy-splice"]
SETTLE = 0.05  # seconds between the end of the load and the reading of CPU time


@dataclass
class Race:
    key: str
    title: str
    goal: float  # weir : best peer
    load: object
    contenders: list = field(default_factory=lambda: ["weir"] + PEERS)


def wrk(path, conns, fresh=False):
    size = {"/1k": 1024, "/16k": 16384, "/1m": 1 << 20}[path]

    def run(shop, contender, seconds):
        command = ["wrk", "-t1", f"-c{conns}", f"-d{seconds}s", "-s", BENCH / "wrk.lua"]
        if fresh:
            command += ["-H", "Connection: close"]
        command.append(f"http://127.0.0.1:{contender.ports['http']}{path}")
        process = shop.start(command, LOAD_CPU, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
        text = process.communicate()[0].decode()
        shop.processes.remove(process)
        lines = [line[5:] for line in text.splitlines() if line.startswith("JSON ")]
        if not lines:
            raise Failed(f"wrk said: {text}")
        result = json.loads(lines[0])
        if result["bytes"] < result["completed"] * size:
            raise Failed(f"wrk got {result['bytes']} bytes in {result['completed']} answers")
        return result
    return run


def tcp(kind, conns, size, **plan):
    def run(shop, contender, seconds):
        return shop.drive(kind=kind, port=contender.ports[kind], conns=conns, size=size,
                          seconds=seconds, **plan)
    return run


RACES = [
    Race("a", "HTTP keep-alive, 1 KB, 64 connections", 0.85, wrk("/1k", 64)),
    Race("b", "HTTP keep-alive, 16 KB, 64 connections", 0.82, wrk("/16k", 64)),
    Race("c", "HTTP keep-alive, 1 MB, 16 connections", 0.82, wrk("/1m", 16)),
    Race("d", "HTTP, a new connection per request, 1 KB, 64 at a time", 0.82,
         wrk("/1k", 64, fresh=True)),
    Race("e", "TCP relay, 1 KB ping-pong, 64 connections", 1.00, tcp("echo", 64, 1024)),
    Race("f", "TCP relay, 1 MB bulk, 16 connections", 0.65, tcp("feed", 16, 1 << 20)),
    Race("g", "TCP relay, a new connection per 1 KB exchange, 64 at a time", 1.00,
         tcp("echo", 64, 1024, fresh=True)),
]
LOG_RACE = Race("log", "HTTP keep-alive, 1 KB, access log on beside off", 1.10,
                wrk("/1k", 64), ["weir", "weir-log"])


def race_round(shop, race, contender, seconds):
    """One turn of one contender. Returns its numbers; raises Failed if they do not count."""
    before = cpu_times(contender.process.pid)
    result = race.load(shop, contender, seconds)
    time.sleep(SETTLE)
    spent = cpu_spent(before, cpu_times(contender.process.pid))
    if result["lost"] or not result["completed"]:
        raise Failed(f"{race.key}: {contender.name}: errors in the run: {result}")
    return {
        "us": spent / 1000 / result["completed"],
        "rate": result["completed"] / result["seconds"],
        "p50": result["p50_us"],
        "p99": result["p99_us"],
        "completed": result["completed"],
    }


def idle_memory(shop, contender, conns):
    """KiB of proxy memory per idle client connection that has had one request answered."""
    conns = min(conns, (file_limit() - 1000) // 2 - 500)
    shop.drive(kind="http", port=contender.ports["http"], requests=200, conns=32)
    time.sleep(1)
    base = memory(contender.process.pid)
    driver = shop.start_driver(kind="http", port=contender.ports["http"], conns=conns,
                               hold=True)
    if driver.stdout.readline() != b"held\n":
        raise Failed(f"h: {contender.name}: the connections could not be opened")
    time.sleep(1)
    full = memory(contender.process.pid)
    result = shop.end_driver(driver)
    if result["lost"] or result["dropped"] or result["completed"] != conns:
        raise Failed(f"h: {contender.name}: errors in the run: {result}")
    return {"kib": (full - base) / conns / 1024, "base_mib": base / 2**20, "conns": conns}


def reload_losses(shop, contender, reloads, interval):
    """Requests lost while the configuration is swapped again and again under load."""
    seconds = (reloads + 1) * interval
    plan = dict(kind="http", port=contender.ports["http"], path="/16k", conns=8,
                seconds=seconds)
    kept = shop.start_driver(**plan)
    fresh = shop.start_driver(**plan, fresh=True)
    start = time.monotonic()
    for number in range(1, reloads + 1):
        time.sleep(max(0, start + number * interval - time.monotonic()))
        contender.reload()
    return {"keep-alive": shop.end_driver(kept), "new": shop.end_driver(fresh)}


def counted_instructions(shop, words, function):
    """What callgrind counts in one function and below."""
    out = shop.dir / "picks.out"
    done = subprocess.run(["valgrind", "--tool=callgrind", "--quiet", f"--toggle-collect={function}",
                           f"--callgrind-out-file={out}", *words],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    found = re.search(r"^(?:totals|summary): (\d+)", out.read_text(), re.M) if out.exists() else None
    if done.returncode or not found:
        raise Failed(f"callgrind counted nothing: {done.stderr[:1000]}")
    return int(found.group(1))


def picks_cost(shop, quick):
    """balancer -> servers -> ns and instructions of one choice."""
    program = shop.tool("bench-picks")
    names = subprocess.run([program], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    found = {}
    for name in names:
        found[name] = {}
        for servers in [10, 1000] if quick else [10, 100, 1000, 10000]:
            picks = 500 if name.endswith("rendezvous") else 20000  # it looks at all of them
            said = subprocess.run([program, name, str(servers), str(picks)], check=True,
                                  stdout=subprocess.PIPE, text=True).stdout
            few = 200
            total = counted_instructions(shop, [program, name, str(servers), str(few)], "picks_run*")
            found[name][servers] = {"ns": float(said), "instructions": total / (5 * few)}
    return found


def check_cost(shop, runs):
    """CPU milliseconds of `weir check` of a long configuration, one number a run."""
    path = shop.dir / "long.yaml"
    path.write_text(weir_long_config())
    costs = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([weir_binary(), "check", "-c", path], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CPU}))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise Failed(f"weir check refused the long configuration: {done.stdout[:1000]}")
        costs.append(1000 * (after.ru_utime + after.ru_stime
                             - before.ru_utime - before.ru_stime))
    return {"ms": statistics.median(costs), "all": costs,
            "lines": len(path.read_text().splitlines())}

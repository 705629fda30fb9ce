#!/usr/bin/python3
"""weir beside nginx and haproxy: see README.md here. Writes docs/benchmarks.md."""
import argparse
import json
import os
import signal
import subprocess
import sys
import time

import report
import workloads
from common import (BENCH, LOAD_CPU, PROXY_CPU, ROOT, Failed, Workshop, enter_namespace,
                    weir_binary)
from contenders import ALL

KEYS = [race.key for race in workloads.RACES] + ["log", "h", "i", "check"]


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true",
                        help="few short rounds; to see that it runs, not to quote")
    parser.add_argument("--only", default=",".join(KEYS), help="of " + ",".join(KEYS))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int, help="length of one contender's turn")
    parser.add_argument("--contenders", default=",".join(ALL), help="of " + ",".join(ALL))
    parser.add_argument("--tools", default=weir_binary().parent / "bench",
                        help="where bench-origin and bench-driver are")
    parser.add_argument("--out", help="the page to write; without it docs/benchmarks.md, "
                        "for a whole run only")
    chosen = parser.parse_args()
    chosen.only = chosen.only.split(",")
    chosen.contenders = chosen.contenders.split(",")
    for word in set(chosen.only) - set(KEYS) | set(chosen.contenders) - set(ALL):
        parser.error(f"unknown: {word}")
    is_whole = not chosen.quick and chosen.only == KEYS and chosen.contenders == list(ALL)
    if not chosen.out and is_whole:
        chosen.out = ROOT / "docs/benchmarks.md"
    chosen.rounds = chosen.rounds or (2 if chosen.quick else 7)
    chosen.seconds = chosen.seconds or (1 if chosen.quick else 4)
    chosen.reloads = 4 if chosen.quick else 20
    chosen.interval = 0.5 if chosen.quick else 1.0
    return chosen


def say(text):
    print(text, file=sys.stderr, flush=True)


def run_races(shop, chosen, page, kept):
    races = [race for race in workloads.RACES + [workloads.LOG_RACE]
             if race.key in chosen.only]
    races = [race for race in races
             if any(name in chosen.contenders for name in race.contenders)]
    needed = [name for name in chosen.contenders
              if any(name in race.contenders for race in races)]
    standing = {name: ALL[name](shop, slot) for slot, name in enumerate(needed)}
    for contender in standing.values():
        contender.start()
    for race in races:
        names = [name for name in race.contenders if name in standing]
        for name in names:  # warm: caches, pools, learnt branches
            workloads.race_round(shop, race, standing[name], 1)
        rounds = kept[race.key] = []
        for number in range(chosen.rounds):
            turn = {}
            rounds.append(turn)
            for name in names:
                turn[name] = workloads.race_round(shop, race, standing[name], chosen.seconds)
                say(f"{race.key} round {number + 1} {name:15} "
                    f"{turn[name]['us']:8.1f} µs {turn[name]['rate']:8.0f}/s")
        is_log = race is workloads.LOG_RACE
        peers = ["weir"] if is_log else workloads.PEERS
        page += report.race_table(f"{race.key}: {race.title}", race.goal, rounds, peers,
                                  "weir-log" if is_log else "weir")
    for contender in standing.values():
        contender.stop()


def run_memory(shop, chosen, page, kept):
    rounds = kept["h"] = []
    for _ in range(1 if chosen.quick else 3):
        turn = {}
        rounds.append(turn)
        for name in ("weir", "nginx", "haproxy"):
            if name in chosen.contenders:
                contender = ALL[name](shop, 20)
                contender.start()
                turn[name] = workloads.idle_memory(shop, contender, 7000)
                contender.stop()
                say(f"h {name:15} {turn[name]['kib']:.2f} KiB a connection")
    page += report.memory_table(rounds)


def run_reloads(shop, chosen, page, kept):
    results = kept["i"] = {}
    for name in ("weir", "nginx", "haproxy"):
        if name in chosen.contenders:
            contender = ALL[name](shop, 30)
            contender.start()
            results[name] = workloads.reload_losses(shop, contender, chosen.reloads,
                                                    chosen.interval)
            contender.stop()
            say(f"i {name:15} lost keep-alive {results[name]['keep-alive']['lost']}, "
                f"new {results[name]['new']['lost']}")
    page += report.reload_table(results, chosen.reloads, chosen.interval)


def measure(shop, chosen, kept):
    page = []
    shop.start_origin()
    run_races(shop, chosen, page, kept)
    if "h" in chosen.only:
        run_memory(shop, chosen, page, kept)
    if "i" in chosen.only:
        run_reloads(shop, chosen, page, kept)
    if "check" in chosen.only and "weir" in chosen.contenders:
        kept["check"] = workloads.check_cost(shop, 3 if chosen.quick else 9)
        page += report.check_table(kept["check"])
    return page


def revision():
    done = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short=12", "HEAD"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip() or "no revision"


def head(chosen):
    versions = []
    for name in chosen.contenders:
        version = ALL[name].version()
        if version not in versions:
            versions.append(version)
    return report.HEAD.format(
        when=time.strftime("%Y-%m-%d"), machine=report.machine(),
        versions=", ".join(versions) + f" (revision {revision()})", rounds=chosen.rounds,
        seconds=chosen.seconds, proxy_cpu=PROXY_CPU, load_cpu=LOAD_CPU, close=report.CLOSE)


def check_machine():
    cpus = os.sched_getaffinity(0)
    if not {PROXY_CPU, LOAD_CPU} <= cpus:
        raise Failed(f"this needs CPUs {PROXY_CPU} and {LOAD_CPU} and may use {sorted(cpus)}")
    os.sched_setaffinity(0, {LOAD_CPU})


def keep(kept):
    folder = BENCH / "results"
    folder.mkdir(exist_ok=True)
    path = folder / time.strftime("%Y%m%d-%H%M%S.json")
    path.write_text(json.dumps(kept, indent=1))
    say(f"all rounds are in {path}")


def main():
    chosen = options()
    enter_namespace()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    kept = {"revision": revision(), "machine": report.machine()}
    try:
        check_machine()
        with Workshop(chosen.tools) as shop:
            try:
                page = measure(shop, chosen, kept)
            except Failed as failure:
                say(shop.logs())
                raise failure
    except Failed as failure:
        say(f"bench: no table: {failure}")
        return 1
    finally:
        keep(kept)
    text = head(chosen) + "\n" + "\n".join(page)
    print(text)
    if chosen.out:
        with open(chosen.out, "w") as file:
            file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Numbers to text: docs/benchmarks.md and the lines printed while measuring."""
import os
import statistics
from pathlib import Path

CLOSE = 0.05  # a goal missed by no more than this counts as reached: it is the noise


def middle(values):
    return statistics.median(values)


def spread(values, digits=1):
    return f"{min(values):.{digits}f}–{max(values):.{digits}f}"


def ratios(rounds, name, peers):
    """Each round's µs of one contender to the best other peer of the same round."""
    found = []
    for turn in rounds:
        others = [turn[peer]["us"] for peer in peers if peer in turn and peer != name]
        if others and name in turn:
            found.append(turn[name]["us"] / min(others))
    return found


def verdict(value, goal):
    return "reached" if value <= goal + CLOSE else "**missed**"


def race_table(title, goal, rounds, peers, reference):
    """`reference`: the contender the goal is about."""
    names = list(rounds[0])
    best = min((name for name in names if name in peers), default=None,
               key=lambda name: middle([turn[name]["us"] for turn in rounds]))
    lines = [f"### {title}", "",
             "| contender | CPU µs/request | min–max | to the best other peer | requests/s "
             "| min–max | p50 µs | p99 µs |", "| --- | --: | --: | --: | --: | --: | --: | --: |"]
    for name in names:
        turns = [turn[name] for turn in rounds]
        us, rate = [t["us"] for t in turns], [t["rate"] for t in turns]
        ratio = ratios(rounds, name, peers)
        ratio_text = f"{middle(ratio):.2f} ({spread(ratio, 2)})" if ratio else "–"
        mark = " (best peer)" if name == best else ""
        lines.append(f"| {name}{mark} | {middle(us):.1f} | {spread(us)} | {ratio_text} "
                     f"| {middle(rate):.0f} | {spread(rate, 0)} "
                     f"| {middle([t['p50'] for t in turns]):.0f} "
                     f"| {middle([t['p99'] for t in turns]):.0f} |")
    mine = ratios(rounds, reference, peers)
    if mine:
        lines += ["", f"Goal for {reference}: ≤ {goal:.2f} – {middle(mine):.2f}, "
                      f"{verdict(middle(mine), goal)}."]
    return lines + [""] + round_list(rounds)


def round_list(rounds):
    lines = ["<details><summary>all rounds</summary>", "",
             "| round | contender | CPU µs/request | requests/s | p50 µs | p99 µs | completed |",
             "| --: | --- | --: | --: | --: | --: | --: |"]
    for number, turn in enumerate(rounds, 1):
        for name, t in turn.items():
            lines.append(f"| {number} | {name} | {t['us']:.2f} | {t['rate']:.0f} "
                         f"| {t['p50']:.0f} | {t['p99']:.0f} | {t['completed']} |")
    return lines + ["", "</details>", ""]


def memory_table(rounds):
    names = list(rounds[0])
    conns = rounds[0][names[0]]["conns"]
    lines = [f"### h: memory per idle keep-alive client connection, {conns} of them", "",
             "Proportional set size of all the proxy's processes, less what it was before.",
             "", "| contender | KiB a connection | min–max | base MiB |",
             "| --- | --: | --: | --: |"]
    for name in names:
        kib = [turn[name]["kib"] for turn in rounds]
        base = middle([turn[name]["base_mib"] for turn in rounds])
        lines.append(f"| {name} | {middle(kib):.2f} | {spread(kib, 2)} | {base:.1f} |")
    if "weir" in names:
        value = middle([turn["weir"]["kib"] for turn in rounds])
        lines += ["", f"Goal for weir: ≤ 0.5 KiB – {value:.2f}, "
                      f"{verdict(value, 0.5)}."]
    return lines + [""]


def reload_table(results, reloads, interval):
    lines = [f"### i: requests lost in {reloads} reloads under load, {interval:g} s apart", "",
             "8 keep-alive connections and 8 that are new for each request, 16 KB bodies. "
             "Polite: a full answer that announced the end of its connection.", "",
             "| contender | keep-alive: answered | lost | polite | new: answered | lost "
             "| how they were lost |", "| --- | --: | --: | --: | --: | --: | --- |"]
    for name, result in results.items():
        kept, new = result["keep-alive"], result["new"]
        ways = {}
        for part in (kept, new):
            for way in ("refused", "reset", "closed", "status", "silent"):
                ways[way] = ways.get(way, 0) + part[way]
        how = ", ".join(f"{count} {way}" for way, count in ways.items() if count) or "–"
        lines.append(f"| {name} | {kept['completed']} | {kept['lost']} | {kept['polite']} "
                     f"| {new['completed']} | {new['lost']} | {how} |")
    if "weir" in results:
        lost = sum(results["weir"][part]["lost"] for part in ("keep-alive", "new"))
        lines += ["", f"Goal for weir: 0 – {lost}, {'reached' if lost == 0 else '**missed**'}."]
    return lines + [""]


def check_table(result):
    state = "reached" if result["ms"] < 50 else "**missed**"
    return ["### check: `weir check` of a long configuration", "",
            f"{result['lines']} lines: {result['ms']:.0f} ms of CPU time (median of "
            f"{len(result['all'])}, {spread(result['all'], 0)}). Goal: < 50 ms – {state}.", ""]


def picks_table(result):
    """`result`: balancer -> servers -> {"ns", "instructions"}."""
    sizes = list(next(iter(result.values())))
    lines = ["### picks: one choice of a server", "",
             "Nanoseconds and instructions (callgrind) of one pick among so many servers, nothing",
             "else running. Everything fits a cache at first; among 10,000 servers the time is that",
             "of reading their counts from memory. Rendezvous looks at every server, on purpose.", "",
             "| balance | " + " | ".join(f"{size:,}" for size in sizes) + " |",
             "| --- |" + " --: |" * len(sizes)]
    for name, row in result.items():
        cells = [f"{cell['ns']:.0f} ns, {cell['instructions']:.0f}" for cell in row.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines + [""]


def machine():
    text = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":", 1)[1].strip() for line in text.splitlines()
                  if line.startswith("model name")), "unknown processor")
    return f"{os.cpu_count()} CPUs ({model}), Linux {os.uname().release}"


HEAD = """# Benchmarks

Made by `make bench`; [bench/README.md](../bench/README.md) says how. {when}, {machine}.
{versions}. {rounds} rounds of {seconds} s for each contender in turn (A B C A B C …).

CPU µs/request is the run time of all tasks of the proxy (user and system, the network
work done inside its system calls included) divided by the requests completed. Each proxy
has one worker on CPU {proxy_cpu}; the load and the origin share CPU {load_cpu}. Numbers are
medians over the rounds; the ratio is the median of each round's ratio to the best peer in
that round, so that what shakes the whole machine cancels. Within {close} of a goal counts
as reached. weir has its metrics on. Requests/s are bounded by the load generator's CPU.
[request-cost.md](request-cost.md) says where weir's own instructions go.
"""

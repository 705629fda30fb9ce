"""The same stream of requests over weir and its peers when servers misbehave.

Four servers behind each proxy (crew.c), an open loop in front (stream.c): one server is slow,
one dies and comes back, they are of uneven size, one fails fast. Every proxy is set up for
the case as its own documents advise; all are one worker on one CPU.
"""
import statistics
import time

from common import LOAD_CPU, PROXY_CPU, Failed, weir_binary

STREAM_SEED = 7


class Case:
    def __init__(self, key, title, crew, rate, weights=(1, 1, 1, 1), weir="", nginx="least_conn;",
                 haproxy="leastconn", dies=False):
        self.key, self.title, self.crew, self.rate = key, title, crew, rate
        self.weights, self.weir, self.nginx, self.haproxy = weights, weir, nginx, haproxy
        self.dies = dies


CASES = [
    Case("slow", "one of four is ten times as slow (10 slots each, 5 ms, the slow one 50 ms), "
         "1,500 requests/s", ["10:50000", "10:5000", "10:5000", "10:5000"], 1500,
         weir="    balance: least_response_time\n"),
    Case("dying", "one of four is killed after a third of the time and back after two thirds, "
         "1,500 requests/s", ["10:5000"] * 4, 1500, weir="    balance: least_connections\n",
         dies=True),
    Case("uneven", "servers of 2, 4, 8 and 16 slots, 10 ms each, weights to match, 1,800 requests/s "
         "(60 % of what they can)", ["2:10000", "4:10000", "8:10000", "16:10000"], 1800,
         weights=(1, 2, 4, 8), weir="    balance: weighted_least_connections\n"),
    Case("blackhole", "one of four answers 500 at once, 1,500 requests/s",
         ["10:5000:fail", "10:5000", "10:5000", "10:5000"], 1500,
         weir="    balance: least_response_time\n"),
]


def weir_text(case, ports, port, folder):
    servers = "\n".join(f'      - {{address: "127.0.0.1:{p}", weight: {w}}}'
                        for p, w in zip(ports, case.weights))
    return f"""version: 1
runtime: {{workers: 1, state_dir: {folder}}}
defaults:
  timeouts: {{connect: 1s, idle: 600s}}
  retries: {{count: 3, on_errors: [connect_error, reset_before_response, 500, 502, 503, 504]}}
listeners:
  web: {{address: "127.0.0.1:{port}", to: crew}}
pools:
  crew:
{case.weir}    keepalive: {{connections: 1000, idle: 600s, max_requests: 1000000000}}
    health:
      active: {{interval: 1s, timeout: 1s}}
      passive: {{failures: 5, within: 10s, eject: 10s}}
    servers:
{servers}
logs: {{access: off}}
admin: {{socket: {folder}/admin.sock, address: ""}}
"""


def nginx_text(case, ports, port, folder):
    servers = "\n".join(f"        server 127.0.0.1:{p} weight={w};"
                        for p, w in zip(ports, case.weights))
    return f"""daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile 16000;
pid {folder}/pid;
error_log stderr crit;
events {{ worker_connections 15000; multi_accept on; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream crew {{
        {case.nginx}
{servers}
        keepalive 1000;
        keepalive_requests 1000000000;
        keepalive_timeout 600s;
    }}
    server {{
        listen 127.0.0.1:{port} reuseport backlog=16384;
        location / {{
            proxy_pass http://crew;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_connect_timeout 1s;
            proxy_next_upstream error timeout http_500 http_502 http_503 http_504;
        }}
    }}
}}
"""


def haproxy_text(case, ports, port, folder):
    servers = "\n".join(f"    server s{i} 127.0.0.1:{p} weight {w}"
                        for i, (p, w) in enumerate(zip(ports, case.weights)))
    return f"""global
    nbthread 1
    maxconn 8000
defaults
    mode http
    timeout connect 1s
    timeout client 600s
    timeout server 60s
    timeout http-keep-alive 600s
    backlog 16384
    http-reuse always
    option redispatch 1
    retries 3
    retry-on all-retryable-errors
    default-server check inter 1s fall 3 rise 2 observe layer7 error-limit 10 on-error mark-down
frontend web
    bind 127.0.0.1:{port}
    default_backend crew
backend crew
    balance {case.haproxy}
{servers}
"""


PROXIES = {
    "weir": (weir_text, lambda config, folder: [weir_binary(), "run", "-c", config]),
    "nginx": (nginx_text, lambda config, folder: ["nginx", "-p", folder, "-c", config, "-e", "stderr"]),
    "haproxy": (haproxy_text, lambda config, folder: ["haproxy", "-W", "-f", config]),
}


def start_crew(shop, case):
    process = shop.start([shop.tool("bench-crew"), "1", *case.crew], LOAD_CPU, text=True,
                         stdin=-1, stdout=-1)
    words = process.stdout.readline().split()
    if not words or words[0] != "ports":
        raise Failed("the crew did not start")
    return process, [int(word) for word in words[1:]]


def order(crew, words):
    crew.stdin.write(words + "\n")
    crew.stdin.flush()


def play(shop, case, name, slot, seconds):
    """One life of a proxy under the case; what the stream saw."""
    crew, ports = start_crew(shop, case)
    text, command = PROXIES[name]
    folder = shop.dir / f"adversity-{case.key}-{name}-{slot}"
    folder.mkdir(exist_ok=True)
    port = 8400 + slot
    (folder / "config").write_text(text(case, ports, port, folder))
    proxy = shop.start(command(folder / "config", folder), PROXY_CPU, log=f"{folder.name}.log")
    shop.wait_ready(proxy, port)
    time.sleep(1.5)  # first checks
    stream = shop.start([shop.tool("bench-stream"), "--port", port, "--rate", case.rate, "--seconds",
                         seconds, "--seed", STREAM_SEED], LOAD_CPU, stdout=-1, stdin=-1)
    if case.dies:
        time.sleep(seconds / 3)
        order(crew, "kill 0")
        time.sleep(seconds / 3)
        order(crew, "start 0")
    result = shop.end_driver(stream)
    shop.stop(proxy)
    shop.stop(crew)
    result["failed"] = result["broken"] + result["status"] + result["late"]
    answers = sum(result["servers"]) or 1
    result["shares"] = [count / answers for count in result["servers"][:len(ports)]]
    return result


def run(shop, rounds, seconds, say):
    """{case: [{proxy: result} for each round]}"""
    kept = {}
    for case in CASES:
        kept[case.key] = []
        for number in range(rounds):
            turn = {}
            kept[case.key].append(turn)
            for name in PROXIES:
                turn[name] = play(shop, case, name, number, seconds)
                say(f"{case.key} round {number + 1} {name:8} p50 {turn[name]['p50'] / 1000:7.1f} ms "
                    f"p99 {turn[name]['p99'] / 1000:7.1f} ms failed {turn[name]['failed']} "
                    f"of {turn[name]['sent']}")
    return kept


def table(kept):
    lines = ["## When servers misbehave", "",
             "Four servers that work through queues of their own, and the same open stream of "
             "requests (exponential gaps, one seed) over each proxy; latency counts from the moment "
             "a request was wanted. Each proxy is set up for the case as its documents advise: "
             "`bench/adversity.py` shows how. Medians over the rounds.", ""]
    for case in CASES:
        if case.key not in kept:
            continue
        lines += [f"### {case.key}: {case.title}", "",
                  "| proxy | p50 ms | p99 ms | min–max | failed | share per server |",
                  "| --- | --: | --: | --: | --: | --- |"]
        for name in PROXIES:
            turns = [turn[name] for turn in kept[case.key]]
            p99 = [t["p99"] / 1000 for t in turns]
            shares = " / ".join(f"{100 * statistics.median(t['shares'][i] for t in turns):.1f} %"
                                for i in range(4))
            lines.append(
                f"| {name} | {statistics.median(t['p50'] for t in turns) / 1000:.1f} "
                f"| {statistics.median(p99):.1f} | {min(p99):.1f}–{max(p99):.1f} "
                f"| {sum(t['failed'] for t in turns)} of {sum(t['sent'] for t in turns)} "
                f"| {shares} |")
        lines += ["", judged(kept[case.key]), ""]
    return lines


def judged(rounds):
    """The lowest p99 and the fewest failures of the three?"""
    def middle(name, what):
        return statistics.median(turn[name][what] for turn in rounds)

    def failures(name):
        return sum(turn[name]["failed"] for turn in rounds)

    peers = [name for name in PROXIES if name != "weir"]
    p99 = middle("weir", "p99") / min(middle(name, "p99") for name in peers)
    fewest = min(failures(name) for name in peers)
    return (f"Goal: the lowest p99 and the fewest failures – p99 {p99:.2f} of the best peer's, "
            f"{failures('weir')} failed, {fewest} at the best peer: "
            + ("reached." if p99 <= 1.05 and failures("weir") <= fewest else "**missed**."))

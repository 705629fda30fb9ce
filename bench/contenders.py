"""The proxies that are compared: how each is configured, started and reloaded.

Each is one worker on one CPU with three ports: http, echo and feed (TCP relays to the
origin's ports of the same names). The peers are tuned as their documents advise: idle
connections to the server kept and reused by all clients, no access log, as little work a
request as their configuration allows. `generation` changes the configuration a little, so
that a reload has something to do.
"""
import os
import signal
import subprocess
import time

from common import ORIGIN, PROXY_CPU, Failed, check_pinned, file_limit, tree, weir_binary


class Contender:
    name = ""
    is_peer = True

    def __init__(self, shop, slot):
        self.shop = shop
        self.dir = shop.dir / f"{self.name}-{slot}"
        self.dir.mkdir(exist_ok=True)
        self.ports = {"http": 8000 + slot, "echo": 8100 + slot, "feed": 8200 + slot}
        self.process = None
        self.generation = 0

    def start(self):
        self.configure()
        self.process = self.shop.start(self.command(), PROXY_CPU, log=f"{self.dir.name}.log")
        self.shop.wait_ready(self.process, self.ports["http"])
        check_pinned(self.process.pid, PROXY_CPU)

    def stop(self):
        self.shop.stop(self.process)

    def reload(self):
        """Take a changed configuration into use; raises Failed if it was not taken."""
        self.generation += 1
        self.configure()
        before = set(tree(self.process.pid))
        os.kill(self.process.pid, self.reload_signal)
        end = time.monotonic() + 20
        while set(tree(self.process.pid)) <= before:
            if time.monotonic() > end:
                raise Failed(f"{self.name}: no new worker after a reload")
            time.sleep(0.01)

    def configure(self):
        (self.dir / "config").write_text(self.config())


class Nginx(Contender):
    name = "nginx"
    reload_signal = signal.SIGHUP

    @staticmethod
    def version():
        return subprocess.run(["nginx", "-v"], stderr=subprocess.PIPE,
                              text=True).stderr.strip().replace("nginx version: ", "")

    def command(self):
        return ["nginx", "-p", self.dir, "-c", self.dir / "config", "-e", "stderr"]

    def config(self):
        return f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile {file_limit()};
pid {self.dir}/pid;
error_log stderr error;
events {{ worker_connections {file_limit() - 1000}; multi_accept on; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    client_body_temp_path {self.dir}/body;
    proxy_temp_path {self.dir}/proxy;
    fastcgi_temp_path {self.dir}/fastcgi;
    uwsgi_temp_path {self.dir}/uwsgi;
    scgi_temp_path {self.dir}/scgi;
    upstream origin {{
        server 127.0.0.1:{ORIGIN["http"]};
        keepalive 128;
        keepalive_requests 1000000000;
        keepalive_timeout 600s;
    }}
    server {{
        listen 127.0.0.1:{self.ports["http"]} reuseport deferred backlog=16384;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffer_size 64k;
            proxy_buffers 3 64k;
            proxy_busy_buffers_size 128k;
            proxy_max_temp_file_size 0;
        }}
        location /generation-{self.generation} {{ return 204; }}
    }}
}}
stream {{
    server {{
        listen 127.0.0.1:{self.ports["echo"]} reuseport backlog=16384;
        proxy_pass 127.0.0.1:{ORIGIN["echo"]};
    }}
    server {{
        listen 127.0.0.1:{self.ports["feed"]} reuseport backlog=16384;
        proxy_pass 127.0.0.1:{ORIGIN["feed"]};
        proxy_buffer_size 128k;
    }}
}}
"""


class Haproxy(Contender):
    name = "haproxy"
    reload_signal = signal.SIGUSR2
    tuning = ""
    options = ""

    @staticmethod
    def version():
        text = subprocess.run(["haproxy", "-v"], stdout=subprocess.PIPE, text=True).stdout
        return " ".join(text.split()[:3])

    def max_connections(self):
        return (file_limit() - 1000) // 2

    def command(self):
        return ["haproxy", "-W", "-f", self.dir / "config"]

    def config(self):
        return f"""
global
    nbthread 1
    maxconn {self.max_connections()}
    stats socket {self.dir}/stats level admin expose-fd listeners
    {self.tuning}
defaults
    mode http
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout http-keep-alive 600s
    backlog 16384
    http-reuse always
    {self.options}
frontend web
    bind 127.0.0.1:{self.ports["http"]} defer-accept
    http-request return status 204 if {{ path /generation-{self.generation} }}
    default_backend origin
backend origin
    server o 127.0.0.1:{ORIGIN["http"]}
listen echo
    mode tcp
    bind 127.0.0.1:{self.ports["echo"]}
    server o 127.0.0.1:{ORIGIN["echo"]}
listen feed
    mode tcp
    bind 127.0.0.1:{self.ports["feed"]}
    server o 127.0.0.1:{ORIGIN["feed"]}
"""


class HaproxySplice(Haproxy):
    """HAProxy moving bodies by splice, with buffers and pipes large enough for it."""
    name = "haproxy-splice"
    tuning = "tune.bufsize 65536\n    tune.pipesize 1048576"
    options = "option splice-auto"

    def max_connections(self):
        return file_limit() // 8  # pipes need file descriptors too


class Weir(Contender):
    name = "weir"
    is_peer = False

    @staticmethod
    def version():
        text = subprocess.run([weir_binary(), "version"], stdout=subprocess.PIPE, text=True)
        return text.stdout.strip().splitlines()[0]

    def command(self):
        return [weir_binary(), "run", "-c", self.dir / "config"]

    def access_log(self):
        return "off"

    def config(self):
        return weir_config(self.ports, self.dir, access=self.access_log(),
                           generation=self.generation)

    def reload(self):
        self.generation += 1
        self.configure()
        done = subprocess.run([weir_binary(), "reload", "--socket", self.dir / "admin.sock"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise Failed(f"weir refused a reload: {done.stdout}")


class WeirLog(Weir):
    """weir writing its access log; the standing `weir` writes none."""
    name = "weir-log"

    def access_log(self):
        return f"{{to: {self.dir}/access.log}}"


def weir_config(ports, folder, access="off", generation=0, extra_routes=0, servers=1,
                balance="round_robin", pool="", route="", more=""):
    """weir's configuration for these measurements. pool, route: further settings of the one
    that all goes by, a line each for the pool; more: further sections."""
    hosts = [f"127.0.{i // 250}.{i % 250 + 1}" for i in range(servers)]
    lines = [
        "version: 1",
        f"runtime: {{workers: 1, state_dir: {folder}}}",
        "defaults:",
        "  timeouts: {idle: 600s}",
        "listeners:",
        f'  web: {{address: "127.0.0.1:{ports["http"]}"}}',
    ]
    for kind in ("echo", "feed"):
        if kind in ports:
            lines.append(f'  {kind}: {{kind: tcp, address: "127.0.0.1:{ports[kind]}", '
                         f'to: {kind}}}')
    lines.append("routes:")
    for i in range(extra_routes):
        lines.append(f"  - {{name: r{i}, match: {{host: bench.test, path: /r{i}/*}}, "
                     f"to: origin}}")
    lines += [
        f"  - {{name: generation, match: {{path: /generation-{generation}}}, "
        "respond: {status: 204}}",
        f"  - {{name: all, to: origin{route and ', ' + route}}}",
        "pools:",
        "  origin:",
        f"    balance: {balance}",
        f"    keepalive: {{connections: {max(128, servers)}, idle: 600s, "
        "max_requests: 1000000000}",
    ]
    lines += [f"    {setting}" for setting in pool.splitlines()]
    lines.append("    servers:")
    lines += [f'      - "{host}:{ORIGIN["http"]}"' for host in hosts]
    for kind in ("echo", "feed"):
        if kind in ports:
            lines.append(f'  {kind}: {{servers: ["127.0.0.1:{ORIGIN[kind]}"]}}')
    lines += [
        f"logs: {{access: {access}}}",
        f'admin: {{socket: {folder}/admin.sock, address: ""}}',
        more,
    ]
    return "\n".join(lines) + "\n"


def weir_long_config(lines=10000):
    """A configuration of that many lines: pools of four servers, each with its routes."""
    routes, pools = [], []
    number = 0
    while len(routes) + len(pools) < lines - 8:
        routes += [
            f"  - name: shop-{number}",
            "    match:",
            f"      host: shop{number}.example.com",
            f"      path: /part{number}/*",
            f"    to: pool-{number}",
            "    timeouts: {response: 15s}",
        ]
        pools += [
            f"  pool-{number}:",
            "    balance: least_connections",
            "    servers:",
            *[f"      - {{name: s{i}, address: \"10.{number // 250}.{number % 250}.{i}:8080\", "
              f"weight: {i}}}" for i in range(1, 5)],
            "    keepalive: {connections: 64, idle: 30s}",
        ]
        number += 1
    head = ["version: 1", "listeners:", '  web: {address: "127.0.0.1:8080"}', "routes:"]
    return "\n".join(head + routes + ["pools:"] + pools) + "\n"


ALL = {kind.name: kind for kind in (Weir, WeirLog, Nginx, Haproxy, HaproxySplice)}

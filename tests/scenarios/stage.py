"""The stage of the plays: the real daemon, its servers, its clients, on loopback.

`Weir(config)` writes the configuration into a directory of its own (as JSON, which is
YAML), starts `weir run -c FILE` and waits until it is ready. At the end it must stop
cleanly, with nothing from a sanitizer and no broken promise of its own on its stderr.
The binary is named by the environment variable WEIR.

It does not know weir from inside: what it asks, it asks by HTTP and by the command line.
"""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from client import RawClient, Response, ask, connect, request_bytes    # noqa: F401
from dnsserver import DnsServer                                        # noqa: F401
from origin import (CLOSE, KEEP, SWITCHED, WEBSOCKET, Conn, Origin,    # noqa: F401
                    Seen, TcpOrigin, UnixOrigin, echo, pattern, reset, tcp_echo)
from wire import Cut, Fields, Unclean, chunked                         # noqa: F401

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
WEIR = os.path.realpath(os.environ.get("WEIR", os.path.join(ROOT, "build/release/weir")))
SANITIZED = bool(os.environ.get("WEIR_SANITIZED"))  # a slow build: wider margins, no RSS
SLOW = 3 if SANITIZED else 1
BROKEN = re.compile(r"Sanitizer|runtime error:|^panic: |CHECK failed|Segmentation|core dumped", re.M)

alive = []                          # every Weir that runs now, for the look after each test
handed_out = set()


def free_port(host="127.0.0.1"):
    """A TCP port nobody listens on now and that was not given out before."""
    while True:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
            s.bind((host, 0))
            port = s.getsockname()[1]
        if port not in handed_out:
            handed_out.add(port)
            return port


def free_address():
    return f"127.0.0.1:{free_port()}"


def until(what, within=10, pause=0.05):
    """Asks until the answer is true and returns it; fails with the last answer."""
    end = time.monotonic() + within * SLOW
    while True:
        answer = what()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {within} s; last answer: {answer!r}")
        time.sleep(pause)


def merge(base, more):
    """Dictionaries merged key by key, anything else replaced."""
    out = dict(base)
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merge(out[key], value)
        else:
            out[key] = value
    return out


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def weir_cli(*args, stdin=None, timeout=30, env=None):
    """One run of the command; the answer has .returncode, .stdout and .stderr as text."""
    return subprocess.run([WEIR, *args], input=stdin, text=True, capture_output=True,
                          timeout=timeout, env={**os.environ, **(env or {})})


class Weir:
    """One running daemon."""

    def __init__(self, config, nofile=None, env=None, prefix=(), ready=True, stdout=None,
                 owner=None):
        self.dir = tempfile.mkdtemp(prefix="weir-play-")
        os.chmod(self.dir, 0o755)
        self.socket = os.path.join(self.dir, "admin.sock")
        self.admin = free_address()
        self.file = os.path.join(self.dir, "weir.yaml")
        self.access_log = os.path.join(self.dir, "access.log")
        self.config = self.complete(config)
        self.write(self.config)
        self.stderr_path = os.path.join(self.dir, "stderr")
        if owner is not None:       # the user it will run as, when it is not ours
            os.chown(self.dir, owner, owner)
        self.proc = subprocess.Popen(
            [*prefix, WEIR, "run", "-c", self.file],
            stdin=subprocess.DEVNULL, stdout=stdout or subprocess.DEVNULL,
            stderr=open(self.stderr_path, "wb"), cwd=self.dir,
            env={**os.environ, "XDG_RUNTIME_DIR": self.dir, **(env or {})},
            preexec_fn=nofile and (lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (nofile, nofile))))
        alive.append(self)
        if ready:
            try:
                self.wait_ready()
            except BaseException:
                self.end()
                raise

    # configuration

    def complete(self, config):
        base = {
            "version": 1,
            "runtime": {"workers": 2, "shutdown_grace": "5s",
                        "state_dir": os.path.join(self.dir, "state")},
            "admin": {"socket": self.socket, "address": self.admin},
            "logs": {"access": {"to": self.access_log}, "error": {"to": "stderr"}},
        }
        return merge(base, config)

    def write(self, config):
        text = config if isinstance(config, str) else json.dumps(config, indent=2) + "\n"
        with open(self.file + ".new", "w") as f:
            f.write(text)
        os.rename(self.file + ".new", self.file)

    def change(self, **parts):
        """Merges `parts` into the configuration and writes it; nothing is reloaded."""
        self.config = merge(self.config, parts)
        self.write(self.config)

    def address(self, listener="web"):
        address = self.config["listeners"][listener]["address"]
        return address[0] if isinstance(address, list) else address

    # life

    def wait_ready(self, within=10):
        def ready():
            if self.proc.poll() is not None:
                raise AssertionError(f"weir ended with {self.proc.returncode}:\n{self.stderr}")
            try:
                return self.ask_admin("/readyz", timeout=2).status == 200
            except (OSError, EOFError):
                return False
        until(ready, within, 0.02)

    @property
    def pid(self):
        return self.proc.pid

    @property
    def child(self):
        """The process that serves, below the supervisor."""
        found = children(self.pid)
        return found[0] if found else None

    def signal(self, number):
        os.kill(self.pid, number)

    @property
    def stderr(self):
        with open(self.stderr_path, errors="replace") as f:
            return f.read()

    def check(self):
        """Still running, and nothing on stderr that may never be there."""
        assert self.proc.poll() is None, f"weir ended: {self.proc.returncode}\n{self.stderr}"
        self.check_stderr()

    def check_stderr(self):
        found = BROKEN.search(self.stderr)
        assert not found, f"weir said {found.group()!r}:\n{self.stderr[-8000:]}"

    def stop(self, within=15):
        """SIGTERM; the process must end by itself with status 0."""
        if self.proc.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait_end(within)

    def wait_end(self, within=15):
        try:
            code = self.proc.wait(within * SLOW)
            self.check_stderr()
            assert code == 0, f"weir ended with {code}:\n{self.stderr[-8000:]}"
        finally:
            self.end()
        return code

    def end(self):
        """No questions: whatever is left is killed and the directory removed."""
        if self in alive:
            alive.remove(self)
        if self.proc.poll() is None:
            for pid in [*children(self.pid), self.pid]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.proc.wait()
        if not os.environ.get("WEIR_KEEP_DIR"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.end()
        elif self in alive:
            self.stop()

    # asking

    def cli(self, verb, *args, **more):
        return weir_cli(verb, *args, "--socket", self.socket, **more)

    def reload(self, config=None):
        """Writes the configuration if one is given and reloads; it must be accepted."""
        if config is not None:
            self.config = self.complete(config)
            self.write(self.config)
        done = self.cli("reload")
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def status(self):
        done = self.cli("status", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def servers(self, pool="main"):
        """The servers of a pool by address: {'state': …, 'reason': …, …}."""
        pools = self.status()["pools"]
        found = pools[pool] if isinstance(pools, dict) else \
            next(p for p in pools if p["name"] == pool)
        servers = found["servers"]
        servers = servers.values() if isinstance(servers, dict) else servers
        return {s["address"]: s for s in servers}

    def state(self, address, pool="main"):
        return self.servers(pool)[address]["state"]

    def wait_state(self, address, state, pool="main", within=10):
        return until(lambda: self.state(address, pool) == state, within)

    def ask_admin(self, target, method="GET", **more):
        """The admin address, asked by its own name."""
        return ask(self.admin, method, target, host=self.admin, **more)

    def metrics_text(self):
        answer = self.ask_admin("/metrics")
        assert answer.status == 200
        return answer.body.decode()

    def metrics(self):
        return Metrics(self.metrics_text())

    def log(self, **wanted):
        """Access-log lines (JSON) that hold all of `wanted`, so far."""
        try:
            with open(self.access_log) as f:
                lines = [json.loads(line) for line in f if line.endswith("\n")]
        except FileNotFoundError:
            return []
        return [x for x in lines if all(x.get(k) == v for k, v in wanted.items())]

    def wait_log(self, **wanted):
        return until(lambda: self.log(**wanted))[-1]

    def ask(self, method="GET", target="/", fields=(), body=None, listener="web", **more):
        return ask(self.address(listener), method, target, fields, body, **more)

    def client(self, listener="web", **more):
        return RawClient(self.address(listener), **more)

    # measuring

    def rss(self):
        """Resident bytes of the process that serves."""
        with open(f"/proc/{self.child or self.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def fds(self):
        return len(os.listdir(f"/proc/{self.child or self.pid}/fd"))

    def cpu(self):
        """Processor seconds the serving process has used."""
        with open(f"/proc/{self.child or self.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Metrics:
    """The Prometheus text, as {(name, labels): value}."""

    LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)\Z")
    LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?')

    def __init__(self, text):
        self.values = {}
        for line in text.splitlines():
            if line.startswith("#") or not line:
                continue
            found = self.LINE.match(line)
            assert found, f"metrics line {line!r}"
            labels = dict(self.LABEL.findall(found.group(2) or ""))
            self.values[found.group(1), frozenset(labels.items())] = float(found.group(3))

    def get(self, name, **labels):
        """The sum over every series of that name that carries these labels."""
        want = set(labels.items())
        found = [v for (n, have), v in self.values.items() if n == name and want <= have]
        return sum(found) if found else None


class Load:
    """Clients that ask and ask in threads; every failure is kept with its reason."""

    def __init__(self, address, clients=4, target="/echo", keep=True, pause=0.002):
        self.address, self.target, self.keep, self.pause = address, target, keep, pause
        self.done = 0
        self.failed = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True)
                        for _ in range(clients)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for t in self.threads:
            t.join(30)

    def run(self):
        client = None
        while not self.stopping.is_set():
            try:
                if client is None:
                    client = RawClient(self.address)
                answer = client.ask(target=self.target)
                if answer.status != 200:
                    self.failed.append(f"{answer!r}")
                self.done += 1
                if not self.keep or answer.fields.get("Connection", "").lower() == "close":
                    client.close()
                    client = None
            except (OSError, EOFError, Cut, Unclean) as e:
                self.failed.append(repr(e))
                client = None
            self.stopping.wait(self.pause)


def http_config(*servers, pool=None, **more):
    """One http listener 'web', one route, one pool 'main' over `servers`."""
    base = {
        "listeners": {"web": {"address": free_address()}},
        "routes": [{"name": "all", "to": "main"}],
        "pools": {"main": merge({"servers": [getattr(s, "address", s) for s in servers],
                                 "balance": "round_robin",
                                 "health": {"active": "off"}}, pool or {})},
    }
    return merge(base, more)


def tcp_config(*servers, pool=None, **more):
    """One tcp listener 'web' straight to pool 'main'."""
    config = http_config(*servers, pool=pool, **more)
    config.pop("routes")
    config["listeners"]["web"] = merge({"kind": "tcp", "to": "main"},
                                       config["listeners"]["web"])
    return config

"""What the benchmarks share: a network namespace of their own, processes pinned to a CPU
and ended with us, and the CPU time and memory of a process tree.

Everything runs inside `unshare --net --pid --mount-proc`: when this program ends, for
whatever reason, the kernel ends every process in it and the namespace goes away.
"""
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = Path(__file__).resolve().parent
INSIDE = "WEIR_BENCH_INSIDE"
PROXY_CPU, LOAD_CPU = 0, 1
ORIGIN = {"http": 9000, "echo": 9100, "feed": 9200}


class Failed(Exception):
    """A measurement that must not be shown."""


def enter_namespace():
    """Run this script again inside namespaces of its own; returns when already inside."""
    if os.environ.get(INSIDE):
        network_prepare()
        return
    command = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        command.append("--map-root-user")
    os.environ[INSIDE] = "1"
    os.execvp(command[0], command + [sys.executable] + sys.argv)


def network_prepare():
    """Loopback up, cubic on it (a host's BBR paces by timers, which costs CPU), long queues.

    Cubic is set by route: the sysctl of a namespace refuses what the host restricts.
    """
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for target in ("127.0.0.0/8", "127.0.0.1"):
        subprocess.run(["ip", "route", "replace", "table", "local", "local", target, "dev",
                        "lo", "proto", "kernel", "scope", "host", "src", "127.0.0.1",
                        "congctl", "cubic"], check=True)
    settings = {
        "core/somaxconn": "16384",
        "ipv4/tcp_max_syn_backlog": "16384",
        "ipv4/ip_local_port_range": "10000 65000",
        "ipv4/tcp_tw_reuse": "1",
    }
    for name, value in settings.items():
        Path("/proc/sys/net", name).write_text(value)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def file_limit():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def weir_binary():
    return Path(os.environ.get("WEIR", ROOT / "build/release/weir")).resolve()


class Workshop:
    """A directory for one run and the processes started from it."""

    def __init__(self, tools):
        self.dir = Path(tempfile.mkdtemp(prefix="weir-bench-"))
        self.tools = Path(tools)
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self.stop(process)
        shutil.rmtree(self.dir, ignore_errors=True)

    def tool(self, name):
        path = self.tools / name
        if not path.exists():
            raise Failed(f"{path} is missing: build first, or name its folder by --tools")
        return str(path)

    def start(self, command, cpu, log=None, **options):
        """Start a process pinned to a CPU; its output goes to the file `log`."""
        if log:
            options["stdout"] = open(self.dir / log, "ab")
            options["stderr"] = subprocess.STDOUT
        process = subprocess.Popen(
            [str(word) for word in command],
            preexec_fn=lambda: os.sched_setaffinity(0, {cpu}), **options)
        self.processes.append(process)
        return process

    def stop(self, process, patience=5):
        """End a process and all that it started."""
        if process in self.processes:
            self.processes.remove(process)
        family = tree(process.pid)
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pid in family[1:]:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass

    def start_origin(self, cpu=LOAD_CPU, host="127.0.0.1"):
        process = self.start([self.tool("bench-origin"), *ORIGIN.values(), host], cpu,
                             stdout=subprocess.PIPE)
        if not process.stdout.readline():
            raise Failed("the origin did not start")
        return process

    def start_driver(self, **plan):
        command = [self.tool("bench-driver")]
        for name, value in plan.items():
            command.append(f"--{name}")
            if value is not True:
                command.append(value)
        return self.start(command, LOAD_CPU, stdout=subprocess.PIPE, stdin=subprocess.PIPE)

    def end_driver(self, process):
        text = process.communicate()[0].decode()
        self.processes.remove(process)
        if process.returncode != 0:
            raise Failed(f"the driver ended with status {process.returncode}")
        return json.loads(text.strip().splitlines()[-1])

    def drive(self, **plan):
        return self.end_driver(self.start_driver(**plan))

    def wait_ready(self, process, port, patience=15):
        """Wait until a request through the proxy is answered."""
        end = time.monotonic() + patience
        while time.monotonic() < end and process.poll() is None:
            if self.drive(kind="http", port=port, requests=1)["lost"] == 0:
                return
            time.sleep(0.1)
        raise Failed(f"nothing answers on port {port}")

    def logs(self):
        texts = []
        for path in sorted(self.dir.glob("*.log")):
            tail = path.read_text(errors="replace")[-2000:]
            if tail:
                texts.append(f"--- {path.name}\n{tail}")
        return "\n".join(texts)


def tree(pid):
    """The process and all its descendants."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found = [pid]
    for one in found:
        found.extend(parents.get(one, []))
    return found


def cpu_times(pid):
    """Nanoseconds on a CPU of each task of a process tree."""
    times = {}
    for one in tree(pid):
        for task in Path("/proc", str(one), "task").iterdir():
            times[int(task.name)] = int((task / "schedstat").read_text().split()[0])
    return times


def cpu_spent(before, after):
    gone = set(before) - set(after)
    if gone:
        raise Failed(f"{len(gone)} tasks of the proxy ended during the measurement")
    return sum(after.values()) - sum(before.values())


def check_pinned(pid, cpu):
    """Every task of the tree may use this CPU and no other."""
    for one in tree(pid):
        for task in Path("/proc", str(one), "task").iterdir():
            text = (task / "status").read_text()
            allowed = re.search(r"Cpus_allowed_list:\s*(\S+)", text).group(1)
            if allowed != str(cpu):
                raise Failed(f"task {task.name} may run on CPU {allowed}, not only {cpu}")


def memory(pid):
    """Proportional set size of a process tree in bytes."""
    total = 0
    for one in tree(pid):
        text = Path("/proc", str(one), "smaps_rollup").read_text()
        total += int(re.search(r"^Pss:\s*(\d+)", text, re.M).group(1)) * 1024
    return total

"""Checks that speak other protocols, against the real servers where they are installed."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

from stage import TcpOrigin, Weir, free_port, merge, tcp_config, until

FAST = {"interval": "200ms", "timeout": "2s", "unhealthy_after": 2, "healthy_after": 1,
        "jitter": "10%"}


def watched(address, **active):
    return tcp_config(address, pool={"health": {"active": {**FAST, **active}}})


def reason(weir, address):
    return weir.servers()[address].get("reason") or ""


class RealServer:
    """A program of Debian's, in a directory of its own, as a user that is not root."""

    def __init__(self, user="nobody"):
        self.dir = tempfile.mkdtemp(prefix="weir-real-")
        self.user = user if os.getuid() == 0 else None
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.proc = None
        if self.user:
            who = pwd.getpwnam(self.user)
            os.chown(self.dir, who.pw_uid, who.pw_gid)

    def run(self, *args, stdin=b""):
        ran = subprocess.run(args, cwd=self.dir, user=self.user, timeout=120, input=stdin,
                             capture_output=True)
        assert ran.returncode == 0, ran

    def start(self, *args):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.proc = subprocess.Popen(args, cwd=self.dir, user=self.user, stdout=log,
                                         stderr=log, stdin=subprocess.DEVNULL)
        until(self.listens, 60)

    def listens(self):
        assert self.proc.poll() is None, self.log
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    @property
    def log(self):
        with open(os.path.join(self.dir, "log"), errors="replace") as f:
            return f.read()

    def kill(self):
        self.proc.kill()
        self.proc.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.proc and self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


def program(name, *places):
    found = shutil.which(name, path=":".join([os.environ.get("PATH", ""), "/usr/sbin", *places]))
    return found or pytest.skip(f"no {name} here")


def redis_client(port):
    """A connection that redis has let in; None when it had no room."""
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(b"PING\r\n")
    try:
        if client.recv(100).startswith(b"+PONG"):
            return client
    except OSError:
        pass
    client.close()


def test_redis():
    redis = program("redis-server")
    with RealServer() as server:
        def start(*more):
            server.start(redis, "--port", str(server.port), "--bind", "127.0.0.1", "--save", "",
                         *more)
        start()
        with Weir(watched(server.address, kind="redis")) as w:
            until(lambda: w.state(server.address) == "up")
            assert "answered in" in reason(w, server.address)
            server.kill()
            until(lambda: w.state(server.address) == "down")
            start("--requirepass", "secret")
            until(lambda: w.state(server.address) == "up")
            until(lambda: "NOAUTH" in reason(w, server.address))
            server.kill()
            start("--maxclients", "1")
            only = until(lambda: redis_client(server.port))
            with only:
                until(lambda: w.state(server.address) == "down")
                assert "Redis: ERR max number of clients" in reason(w, server.address)
            until(lambda: w.state(server.address) == "up")


def test_postgres():
    postgres = program("postgres", "/usr/lib/postgresql/15/bin")
    initdb = program("initdb", "/usr/lib/postgresql/15/bin")
    with RealServer() as server:
        data = os.path.join(server.dir, "data")
        server.run(initdb, "-D", data, "-A", "scram-sha-256", "-U", "admin", "--no-sync",
                   "--pwfile", "/etc/hostname")

        def start(*more):
            server.start(postgres, "-D", data, "-p", str(server.port), "-k", server.dir,
                         "-c", "fsync=off", "-c", "max_connections=5",
                         "-c", "superuser_reserved_connections=1", "-c", "max_wal_senders=0",
                         "-c", "autovacuum=off", *more)
        start()
        with Weir(watched(server.address, kind="postgres")) as w:
            until(lambda: w.state(server.address) == "up", 20)
            time.sleep(1)
            angry = [x for x in server.log.splitlines()
                     if "FATAL" in x and "starting up" not in x]
            assert not angry, "it asks so that the log stays quiet"
            held = []
            startup = b"\0\0\0\x14\0\3\0\0user\0admin\0\0"
            for _ in range(40):     # each waits for a password in a slot of its own
                s = socket.create_connection(("127.0.0.1", server.port))
                s.sendall(startup)
                held.append(s)
            until(lambda: w.state(server.address) == "down", 20)
            assert "PostgreSQL: sorry, too many clients already" in reason(w, server.address)
            for s in held:
                s.close()
            until(lambda: w.state(server.address) == "up", 20)
            server.kill()
            until(lambda: w.state(server.address) == "down", 20)
            assert "refused" in reason(w, server.address)


def test_mariadb():
    mariadbd = program("mariadbd")
    tables = b"create database mysql;\nuse mysql;\n"
    for name in ("mysql_system_tables.sql", "mysql_system_tables_data.sql"):
        with open(os.path.join("/usr/share/mysql", name), "rb") as f:
            tables += f.read()
    with RealServer() as server:
        data = os.path.join(server.dir, "data")
        server.run("mkdir", data)
        server.run(mariadbd, "--no-defaults", "--bootstrap", f"--datadir={data}",
                   f"--tmpdir={server.dir}", stdin=tables)
        server.start(mariadbd, "--no-defaults", f"--datadir={data}", f"--port={server.port}",
                     "--bind-address=127.0.0.1", f"--socket={server.dir}/s", "--max-connections=10",
                     "--max-connect-errors=3", f"--tmpdir={server.dir}",
                     f"--pid-file={server.dir}/pid")
        with Weir(watched(server.address, kind="mysql", interval="50ms")) as w:
            until(lambda: w.state(server.address) == "up", 20)
            time.sleep(1.5)         # more checks than --max-connect-errors
            assert w.state(server.address) == "up", reason(w, server.address)
            held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(12)]
            until(lambda: w.state(server.address) == "down", 20)
            assert "MySQL: Too many connections" in reason(w, server.address)
            for s in held:
                s.close()


def smtp_stub(greeting, heard):
    def play(sock, _):
        sock.sendall(greeting)
        while line := sock.recv(100):
            heard.append(line)
    return play


@pytest.mark.parametrize("greeting,state,words", [
    (b"220 mail.example ESMTP\r\n", "up", "answered in"),
    (b"220-mail.example\r\n220 ESMTP\r\n", "up", "answered in"),
    (b"421 4.3.2 not now\r\n", "down", "SMTP: 421 4.3.2 not now"),
    (b"SSH-2.0-x\r\n", "down", "is not SMTP"),
])
def test_smtp(greeting, state, words):
    heard = []
    with TcpOrigin(smtp_stub(greeting, heard)) as t:
        with Weir(watched(t.address, kind="smtp")) as w:
            until(lambda: w.state(t.address) == state)
            assert words in reason(w, t.address)
            if b"SSH" not in greeting:
                until(lambda: b"QUIT\r\n" in b"".join(heard))


def test_script():
    said = {"reply": b"+PONG\r\n"}

    def play(sock, _):
        sock.sendall(b"* READY\r\n")
        while sock.recv(100):
            sock.sendall(said["reply"])

    with TcpOrigin(play) as t:
        steps = [{"expect": "READY"}, {"send": "PING\r\n", "expect": "+PONG"}]
        with Weir(watched(t.address, steps=steps, timeout="300ms")) as w:
            until(lambda: w.state(t.address) == "up")
            said["reply"] = b"-BUSY now\r\n"
            until(lambda: w.state(t.address) == "down")
            assert 'no "+PONG" in "-BUSY now" (step 2)' in reason(w, t.address)
        with Weir(watched(t.address, tcp=True, send="PING\r\n", expect_text="BUSY")) as w:
            until(lambda: w.state(t.address) == "up")


def test_short_form_of_a_kind():
    config = merge(tcp_config("127.0.0.1:1"), {"pools": {"main": {"health": "redis"}}})
    config["pools"]["main"]["health"] = "redis"
    with TcpOrigin(lambda sock, _: (sock.recv(100), sock.sendall(b"+PONG\r\n"))) as t:
        config["pools"]["main"]["servers"] = [t.address]
        with Weir(config) as w:
            until(lambda: w.state(t.address) == "up")


def script_file(weir_dir, text):
    path = os.path.join(weir_dir, "check.sh")
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


@pytest.fixture
def place():
    """A folder that everybody may read."""
    path = tempfile.mkdtemp(prefix="weir-check-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


def test_exec(place):
    verdict = os.path.join(place, "verdict")
    script = script_file(place, f'echo "$1:$2 $WEIR_POOL/$WEIR_SERVER says"; cat {verdict}; '
                                f'exec test ! -s {verdict}')
    open(verdict, "w").close()
    with TcpOrigin(lambda sock, _: None) as t:
        host, port = t.address.rsplit(":", 1)
        with Weir(watched(t.address, exec=[script, "{address}", "{port}"])) as w:
            until(lambda: w.state(t.address) == "up")
            assert f"{host}:{port} main/{t.address} says" in reason(w, t.address)
            with open(verdict, "w") as f:
                f.write("replication lags by 90 s\n")
            until(lambda: w.state(t.address) == "down")
            assert f"{script}: exit status 1: replication lags by 90 s" in reason(w, t.address)
            assert w.metrics().get("weir_health_checks_total", reason="exec") >= 2
            os.unlink(script)
            until(lambda: "can not be run: " in reason(w, t.address))


def test_exec_that_hangs_is_killed_with_its_children(place):
    pids = os.path.join(place, "pids")
    open(pids, "w").close()
    os.chmod(pids, 0o666)
    script = script_file(place, f"sleep 1000 & echo $! >> {pids}; echo $$ >> {pids}; sleep 1000")
    servers = [f"127.0.0.1:{free_port()}" for _ in range(3)]
    config = tcp_config(*servers, pool={"health": {"active": {
        **FAST, "timeout": "200ms", "exec": [script]}}})

    def left():
        with open(pids) as f:
            return [p for p in f.read().split() if alive(p)]

    def alive(pid):
        try:
            with open(f"/proc/{pid}/stat") as f:
                return f.read().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    with Weir(config) as w:
        until(lambda: all(w.state(s) == "down" for s in servers))
        assert f"no end of {script} within 200ms" in reason(w, servers[0])
        time.sleep(1)
        assert len(left()) <= 6, "one check of each server, and what it started"
        fds = w.fds()
        time.sleep(1)
        assert w.fds() <= fds + 6, "ended programs leave no descriptors"
        zombies = [c for c in children_of(w.child) if not alive(c)]
        assert len(zombies) <= 3
    until(lambda: not left(), 5)


def children_of(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children") as f:
                found += f.read().split()
        except OSError:
            pass
    return found

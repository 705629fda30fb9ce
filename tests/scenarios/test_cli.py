"""The command: what it prints, what it answers, and the verbs that need no daemon."""

import json
import os
import signal
import subprocess

import pytest

import stage
from stage import WEIR, Origin, free_address, http_config, until, weir_cli

VERBS = ["run", "proxy", "check", "expand", "schema", "reload", "status", "version", "help"]


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "weir.yaml"
    path.write_text('listen: "%s"\nto:\n  - 127.0.0.1:9001\n  - 127.0.0.1:9002\n' % free_address())
    return str(path)


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("pools:\n  app:\n    balnce: random\n    servers: [127.0.0.1:9]\n"
                    "listeners: {web: {address: ':0x'}}\n")
    return str(path)


def test_version():
    done = weir_cli("version")
    assert done.returncode == 0 and done.stdout.startswith("weir ")
    assert len(done.stdout.splitlines()[0].split()[1].split(".")) == 3


def test_help():
    done = weir_cli("help")
    assert done.returncode == 0
    for verb in VERBS:
        assert verb in done.stdout, verb


@pytest.mark.parametrize("verb", VERBS[:7])
def test_help_of_a_verb(verb):
    done = weir_cli("help", verb)
    assert done.returncode == 0 and f"weir {verb}" in done.stdout


@pytest.mark.parametrize("args", [(), ("nosuch",), ("run", "--nosuch"), ("proxy",),
                                  ("proxy", "--listen", ":1"), ("check", "--format", "nosuch")])
def test_usage_errors(args):
    done = weir_cli(*args)
    assert done.returncode == 2
    assert done.stderr.strip() and len(done.stderr) < 4000


def test_misspelt_verb():
    assert "status" in weir_cli("staus").stderr


def test_check_good(good):
    done = weir_cli("check", "-c", good)
    assert done.returncode == 0 and "ok" in done.stdout
    assert "2 servers" in done.stdout


def test_check_bad(bad):
    done = weir_cli("check", "-c", bad)
    text = done.stdout + done.stderr
    assert done.returncode == 1
    assert "bad.yaml:3:5" in text and "error[C011]" in text and "balance" in text
    assert "bad.yaml:5" in text, "all errors in one run"


def test_a_file_without_its_option(good, bad):
    assert weir_cli("check", good).stdout.startswith(f"{good}: ok")
    assert weir_cli("check", "--strict", bad).returncode == 1
    assert weir_cli("check", "-", stdin=open(good).read()).returncode == 0
    assert weir_cli("expand", good).returncode == 0
    assert weir_cli("check", "-c", good, good).returncode == 2
    run = weir_cli("run", good)
    assert run.returncode == 2 and f"-c {good}" in run.stderr


def test_check_standard_input(good):
    done = weir_cli("check", "-c", "-", stdin=open(good).read())
    assert done.returncode == 0


def test_check_json(bad):
    done = weir_cli("check", "-c", bad, "--format", "json")
    assert done.returncode == 1
    text = json.dumps(json.loads(done.stdout))
    assert "C011" in text and '"line": 3' in text


def test_check_strict(tmp_path):
    path = tmp_path / "w.yaml"
    config = http_config("127.0.0.1:9001")
    config["pools"]["spare"] = {"servers": ["127.0.0.1:9002"]}
    path.write_text(json.dumps(config))
    lenient = weir_cli("check", "-c", str(path))
    assert lenient.returncode == 0 and "spare" in lenient.stdout + lenient.stderr
    assert weir_cli("check", "-c", str(path), "--strict").returncode == 1


def test_check_of_no_file():
    done = weir_cli("check", "-c", "/nonexistent/weir.yaml")
    assert done.returncode == 1 and "/nonexistent/weir.yaml" in done.stdout + done.stderr


def test_named_pipes_are_no_files(tmp_path):
    """Nobody may ever write to them; a reload would wait for that, and with it all else."""
    pipe = tmp_path / "pipe.html"
    os.mkfifo(pipe)
    for part in ("runtime: {include: %s}", "pages: {errors: {404: %s}}", 'logs: {access: {to: "${file:%s}"}}'):
        (tmp_path / "weir.yaml").write_text(
            f"listen: {free_address()}\nto: 127.0.0.1:9\n{part % pipe}\n")
        done = weir_cli("check", "-c", str(tmp_path / "weir.yaml"), timeout=10)
        assert done.returncode == 1 and "C032" in done.stdout, done.stdout


def test_check_of_a_pipe_that_was_handed_over(good):
    """As a shell does it: weir check -c <(...)."""
    with open(good, "rb") as file, subprocess.Popen(["cat"], stdin=file,
                                                    stdout=subprocess.PIPE) as cat:
        fd = cat.stdout.fileno()
        done = subprocess.run([WEIR, "check", "-c", f"/dev/fd/{fd}"], pass_fds=[fd], timeout=10)
    assert done.returncode == 0


def test_run_of_a_bad_file(bad):
    done = weir_cli("run", "-c", bad)
    assert done.returncode == 1 and "bad.yaml:3:5" in done.stdout + done.stderr


def test_expand(good, tmp_path):
    done = weir_cli("expand", "-c", good)
    assert done.returncode == 0
    for word in ("weighted_round_robin", "interval", "5s", "request_header", "10s"):
        assert word in done.stdout, word
    assert "default" in done.stdout, "and where each came from"
    again = tmp_path / "again.yaml"
    again.write_text(done.stdout)
    assert weir_cli("check", "-c", str(again)).returncode == 0, "what it prints it reads"


def test_schema(good):
    import jsonschema
    done = weir_cli("schema")
    schema = json.loads(done.stdout)
    assert "draft-07" in schema["$schema"]
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    config = http_config("127.0.0.1:9001")
    assert list(validator.iter_errors(config)) == []
    config["pools"]["main"]["balnce"] = "random"
    assert list(validator.iter_errors(config))
    config = http_config("127.0.0.1:9001")
    config["pools"]["main"]["balance"] = "leastconn"
    assert list(validator.iter_errors(config))


def test_print_config(tmp_path):
    listen = free_address()
    done = weir_cli("proxy", "--listen", listen, "--to", "127.0.0.1:9001", "--to", "127.0.0.1:9002=3",
                    "--balance", "least_connections", "--health", "/healthz", "--print-config")
    assert done.returncode == 0
    for word in (listen, "127.0.0.1:9001", "127.0.0.1:9002", "least_connections", "/healthz", "3"):
        assert word in done.stdout, word
    path = tmp_path / "printed.yaml"
    path.write_text(done.stdout)
    assert weir_cli("check", "-c", str(path)).returncode == 0


@pytest.mark.parametrize("args, says", [(("--balance", "leastconn"), "least_connections"),
                                        (("--sticky", "cokie"), "cookie"),
                                        (("--to", "127.0.0.1"), "has no port")])
def test_a_printed_configuration_holds(args, says):
    done = weir_cli("proxy", "--listen", ":8080", "--to", "127.0.0.1:9001", *args, "--print-config")
    assert done.returncode == 1 and done.stdout == "" and says in done.stderr


class Proxy:
    """`weir proxy` running, its output in a file."""

    def __init__(self, tmp_path, *args):
        self.out = tmp_path / "out"
        self.proc = subprocess.Popen(
            [WEIR, "proxy", *args], stdout=open(self.out, "wb"), stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, cwd=tmp_path,
            env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)})

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGINT)
        try:
            assert self.proc.wait(15 * stage.SLOW) == 0 or kind
        finally:
            if self.proc.poll() is None:
                for pid in [*stage.children(self.proc.pid), self.proc.pid]:
                    os.kill(pid, signal.SIGKILL)
        assert not stage.BROKEN.search(self.text) or kind, self.text

    @property
    def text(self):
        return self.out.read_text()


def status_of(address):
    try:
        return stage.ask(address, timeout=2).status
    except (OSError, EOFError):
        return None


def test_proxy(tmp_path):
    with Origin("a") as a, Origin("b") as b:
        listen, dead = free_address(), free_address()
        with Proxy(tmp_path, "--listen", listen, "--to", a.address, "--to", f"{b.address}=3",
                   "--to", dead) as p:
            until(lambda: status_of(listen) == 200)
            until(lambda: "✖" in p.text, 5)
            for word in (listen, "pool main", "3 servers", "weighted_round_robin", a.address, "✔", "✖"):
                assert word in p.text, p.text
            got = [stage.ask(listen).json()["origin"] for _ in range(40)]
            assert 26 <= got.count("b") <= 34
        assert "\x1b[" not in p.text, "no colours into a file"


def test_proxy_tcp(tmp_path):
    with stage.TcpOrigin() as t:
        listen = free_address()
        with Proxy(tmp_path, "--listen", "tcp://" + listen, "--to", t.address):
            def echoes():
                try:
                    with stage.RawClient(listen, timeout=2) as c:
                        c.send(b"hello")
                        return c.reader.exactly(5) == b"hello"
                except (OSError, EOFError):
                    return False
            until(echoes)


def test_proxy_with_a_wrong_server():
    done = weir_cli("proxy", "--listen", free_address(), "--to", "127.0.0.1:99999")
    assert done.returncode in (1, 2) and "99999" in done.stderr + done.stdout
    assert "65535" in done.stderr + done.stdout


def test_environment_in_values(tmp_path):
    with Origin("a") as a:
        config = http_config("${BACKEND}", routes=[
            {"name": "r", "to": "${POOL:-main}"}])
        with stage.Weir(config, env={"BACKEND": a.address}) as w:
            assert w.ask().json()["origin"] == "a"


def test_include(tmp_path):
    with Origin("a") as a:
        part = tmp_path / "conf.d"
        part.mkdir()
        (part / "10-pool.yaml").write_text(json.dumps(
            {"pools": {"extra": {"servers": [a.address], "health": {"active": "off"}}},
             "routes": [{"name": "late", "match": {"path": "/late"}, "to": "extra"}]}))
        config = http_config(a, routes=[{"name": "own", "match": {"path": "/own"}, "to": "main"}],
                             runtime={"include": [str(part / "*.yaml")]})
        with stage.Weir(config) as w:
            assert w.ask(target="/late").status == 200 and w.ask(target="/own").status == 200
            assert w.ask(target="/x").status == 404


def test_demo(tmp_path):
    """Its three servers and the proxy before them, told how to be tried."""
    out = tmp_path / "out"
    proc = subprocess.Popen([WEIR, "demo"], stdout=open(out, "wb"), stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL, cwd=tmp_path,
                            env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)})
    try:
        import re
        found = until(lambda: re.search(r"http://(127\.0\.0\.1:\d+)", out.read_text()))
        until(lambda: status_of(found.group(1)) == 200)
        bodies = {stage.ask(found.group(1)).body for _ in range(6)}
        assert len(bodies) >= 3, "three servers take turns"
    finally:
        proc.send_signal(signal.SIGINT)
        try:
            assert proc.wait(15) == 0
        finally:
            if proc.poll() is None:
                proc.kill()

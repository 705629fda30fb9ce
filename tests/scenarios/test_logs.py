"""The access log: its fields, its forms, and that it never holds traffic up."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

import pytest

import stage
from stage import CLOSE, Weir, http_config, until


@pytest.fixture(scope="module")
def weir(origin):
    with Weir(http_config(origin)) as w:
        yield w


def test_fields(weir, fresh):
    weir.ask("POST", "/logged?x=1", {"User-Agent": "play/1", "Referer": "http://r.example/"},
             b"hello", host="shop.example")
    line = weir.wait_log(path="/logged")
    wanted = {"listener": "web", "route": "all", "pool": "main", "server_addr": fresh.address,
              "client_ip": "127.0.0.1", "method": "POST", "scheme": "http", "host": "shop.example",
              "query": "x=1", "status": 200, "cause": "ok", "user_agent": "play/1",
              "referer": "http://r.example/"}
    assert {k: line.get(k) for k in wanted} == wanted
    assert line["protocol"] in ("HTTP/1.1", "http1", "http/1.1")
    assert line["id"] == fresh.last()["X-Request-Id"]
    assert isinstance(line["client_port"], int) and line["server"]
    assert line["bytes_in"] >= 5 and line["bytes_out"] > 100
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", line["time"])
    for name in ("t_total", "t_first_byte"):
        assert 0 <= line[name] < 5
    assert "t_queue" not in line and "country" not in line, "fields without a value are left out"


def test_times(weir, fresh):
    weir.ask(target="/delay/0.3")
    line = weir.wait_log(path="/delay/0.3")
    assert 0.25 <= line["t_first_byte"] <= line["t_total"] <= 5


def test_reuse_is_seen(weir, fresh):
    with weir.client() as c:
        for i in range(5):
            c.ask(target=f"/reuse/{i}")
    line = weir.wait_log(path="/reuse/4")
    assert line["conn_requests"] == 5 and line["upstream_reused"] is True


def test_causes(weir, fresh):
    fresh.say("/cut", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhe", CLOSE)
    with weir.client() as c:
        c.send(stage.request_bytes("GET", "/cut"))
        with pytest.raises((EOFError, stage.Cut)):
            c.response()
    assert weir.wait_log(path="/cut")["cause"] == "server_closed"
    weir.ask("POST", "/close", body=b"x")
    assert weir.wait_log(path="/close")["status"] == 502
    weir.ask(target="/garbage")
    assert weir.wait_log(path="/garbage")["cause"] == "server_invalid"
    with weir.client() as c:
        c.send(b"GET /bad HTTP/1.1\r\nX : y\r\n\r\n")
        assert c.response().status == 400
    assert weir.wait_log(status=400)["cause"] == "bad_request"
    with weir.client() as c:
        c.send(stage.request_bytes("GET", "/hang"))
        until(lambda: fresh.seen("/hang"))
    assert weir.wait_log(path="/hang")["cause"] == "client_closed"


def test_what_a_client_says_can_not_forge_a_line(weir, fresh):
    evil = 'x"}\\n{"status":200 \x1b[31m\xe4'
    weir.ask(target="/evil", fields={"User-Agent": evil.replace("\x1b", "")})
    line = weir.wait_log(path="/evil")
    assert line["user_agent"].startswith('x"}\\n{')
    with open(weir.access_log, "rb") as f:
        for raw in f:
            raw.decode()            # valid UTF-8
            json.loads(raw)
            assert b"\x1b" not in raw


def test_secrets_are_not_logged(weir, fresh):
    weir.ask(target="/secret", fields={"Authorization": "Bearer hush1", "Cookie": "s=hush2"})
    weir.wait_log(path="/secret")
    with open(weir.access_log) as f:
        assert "hush" not in f.read()


def test_combined(fresh, tmp_path):
    log = str(tmp_path / "combined.log")
    with Weir(http_config(fresh, logs={"access": {"to": log, "format": "combined"}})) as w:
        w.ask(target="/c?x=1", fields={"User-Agent": 'play "1"', "Referer": "http://r/"})
        line = until(lambda: os.path.exists(log) and open(log).read())
        assert re.match(r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] '
                        r'"GET /c\?x=1 HTTP/1\.1" 200 \d+ "http://r/" "play \\"1\\""\n\Z', line) \
            or re.match(r'127\.0\.0\.1 - - \[.*\] "GET /c\?x=1 HTTP/1\.1" 200 \d+ "http://r/" '
                        r'"play \\x221\\x22"\n\Z', line), line


def test_reopened_on_usr1(fresh):
    with Weir(http_config(fresh)) as w:
        w.ask(target="/before")
        w.wait_log(path="/before")
        os.rename(w.access_log, w.access_log + ".1")
        w.signal(signal.SIGUSR1)
        until(lambda: os.path.exists(w.access_log))
        w.ask(target="/after")
        w.wait_log(path="/after")
        assert not w.log(path="/before")


def test_stdout(fresh, tmp_path):
    out = open(tmp_path / "out", "w+")
    with Weir(http_config(fresh, logs={"access": {"to": "stdout"}}), stdout=out) as w:
        w.ask(target="/out")
        line = until(lambda: open(out.name).read())
        assert json.loads(line.splitlines()[-1])["path"] == "/out"


# A /dev of its own, in a mount namespace, so that /dev/log is the play's socket.
OWN_DEV = '''
set -e
mount -t tmpfs none /dev
mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/zero c 1 5
mknod -m 666 /dev/random c 1 8; mknod -m 666 /dev/urandom c 1 9
ln -s /proc/self/fd /dev/fd; ln -s "$0" /dev/log
exec "$@"
'''


def own_dev(path):
    return ["unshare", "-m", "sh", "-c", OWN_DEV, path]


def test_syslog(fresh, tmp_path):
    path = str(tmp_path / "log.sock")
    if subprocess.run([*own_dev(path), "true"], capture_output=True).returncode != 0:
        pytest.skip("needs the right to make a mount namespace")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sink:
        sink.bind(path)
        os.chmod(path, 0o777)
        sink.settimeout(5)
        with Weir(http_config(fresh, logs={"access": {"to": "syslog"}}), prefix=own_dev(path)) as w:
            w.ask(target="/sys")
            while True:
                data = sink.recv(65536)
                assert re.match(rb"<\d+>", data)
                if b"/sys" in data:
                    break


def test_off(fresh):
    with Weir(http_config(fresh, logs={"access": "off"})) as w:
        assert w.ask().status == 200
        assert not os.path.exists(w.access_log)


def test_stalled_pipe_blocks_nobody(fresh, tmp_path):
    """Nobody reads the log: requests go on, what does not fit is dropped and counted."""
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    os.chmod(fifo, 0o777)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        config = http_config(fresh, logs={"access": {"to": fifo}}, routes=[
            {"name": "all", "respond": {"status": 200, "body": "ok"}}])
        with Weir(config) as w:
            long = "/" + "x" * 4000
            with w.client() as c:
                for _ in range(200):
                    c.send(stage.request_bytes("GET", long) * 50)
                    for _ in range(50):
                        assert c.response().status == 200
            until(lambda: (w.metrics().get("weir_log_dropped_total") or 0) > 0)
            began = time.monotonic()
            assert w.ask().status == 200
            assert time.monotonic() - began < 5
    finally:
        os.close(reader)


def test_disk_full(fresh):
    with Weir(http_config(fresh, logs={"access": {"to": "/dev/full"}})) as w:
        for _ in range(50):
            assert w.ask().status == 200
        until(lambda: (w.metrics().get("weir_log_dropped_total") or 0) > 0)


def test_a_real_disk_full_and_free_again(fresh):
    """A disk of 64 KiB: serving goes on, what is lost is counted, lines come again."""
    small = tempfile.mkdtemp(prefix="weir-disk-")
    mounted = ["unshare", "--mount", "sh", "-c",
               f"mount -t tmpfs -o size=64k,mode=777 small {small} && exec \"$@\"", "sh"]
    try:
        if subprocess.run([*mounted, "true"], capture_output=True).returncode != 0:
            pytest.skip("needs the right to mount a small disk")
        config = http_config(fresh, logs={"access": {"to": f"{small}/access.log"}})
        with Weir(config, prefix=mounted) as w:
            log = f"/proc/{w.child}/root{small}/access.log"
            with w.client() as c:
                for _ in range(600):
                    assert c.ask(fields={"User-Agent": "x" * 200}).status == 200
            until(lambda: (w.metrics().get("weir_log_dropped_total") or 0) > 0)
            assert os.stat(log).st_size <= 65536

            def is_written_again():
                os.truncate(log, 0)     # what had waited may have filled it once more
                w.ask(target="/after")
                time.sleep(0.3)
                with open(log, "rb") as f:
                    return b'"/after"' in f.read()

            until(is_written_again)
            until(lambda: "no space left" in w.stderr)
    finally:
        os.rmdir(small)


def test_events_are_on_the_error_log(fresh):
    with Weir(http_config(stage.free_address())) as w:
        w.ask()
        until(lambda: w.stderr.strip())     # a start is worth a line

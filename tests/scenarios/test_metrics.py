"""/metrics: clean to Prometheus' own reader, and right in its numbers."""

import shutil
import subprocess
import time

import pytest

import stage
from stage import Weir, free_address, http_config, tcp_config, until


@pytest.fixture(scope="module")
def weir(origin):
    with Weir(http_config(origin)) as w:
        yield w


def grown(weir, name, before, by, **labels):
    """The metric has grown by exactly that; counters may come a moment late."""
    def now():
        return (weir.metrics().get(name, **labels) or 0) - (before.get(name, **labels) or 0) == by
    until(now, 5)


def test_promtool_finds_no_fault(weir, fresh):
    tool = shutil.which("promtool")
    if not tool:
        pytest.skip("no promtool here")
    for target in ("/", "/status/404", "/status/500"):
        weir.ask(target=target)
    done = subprocess.run([tool, "check", "metrics"], input=weir.metrics_text(), text=True,
                          capture_output=True)
    assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr


def test_content_type(weir):
    answer = weir.ask_admin("/metrics")
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4") \
        or answer["Content-Type"].startswith("application/openmetrics-text")


def test_requests_by_code(weir, fresh):
    before = weir.metrics()
    with weir.client() as c:
        for target, count in (("/", 7), ("/status/404", 3), ("/status/503", 2)):
            for _ in range(count):
                c.ask(target=target)
    for code, count in (("2xx", 7), ("4xx", 3), ("5xx", 2)):
        grown(weir, "weir_requests_total", before, count, listener="web", route="all", code=code)
    grown(weir, "weir_pool_requests_total", before, 12, pool="main")
    grown(weir, "weir_server_requests_total", before, 12, pool="main")
    grown(weir, "weir_listener_connections_total", before, 1, listener="web")


def test_durations(weir, fresh):
    before = weir.metrics()
    for _ in range(3):
        weir.ask(target="/delay/0.3")
    grown(weir, "weir_request_duration_seconds_count", before, 3, route="all")
    after = weir.metrics()

    def bucket(m, le):
        return m.get("weir_request_duration_seconds_bucket", route="all", le=le) or 0
    for le in ("0.25", "10", "+Inf"):
        assert after.get("weir_request_duration_seconds_bucket", le=le) is not None, le
    assert bucket(after, "0.25") - bucket(before, "0.25") == 0
    assert bucket(after, "10") - bucket(before, "10") == 3
    total = after.get("weir_request_duration_seconds_sum") \
        - (before.get("weir_request_duration_seconds_sum") or 0)
    assert 0.8 < total < 30


def test_in_flight(weir, fresh):
    with weir.client() as c:
        c.send(stage.request_bytes("GET", "/delay/1"))
        until(lambda: weir.metrics().get("weir_requests_in_flight") == 1, 3)
        c.response()
    until(lambda: weir.metrics().get("weir_requests_in_flight") == 0)


def test_connections_active(weir, fresh):
    held = [weir.client() for _ in range(5)]
    for c in held:
        c.ask()
    until(lambda: weir.metrics().get("weir_listener_connections_active", listener="web") == 5)
    for c in held:
        c.close()
    until(lambda: weir.metrics().get("weir_listener_connections_active", listener="web") == 0)


def test_bytes(weir, fresh):
    before = weir.metrics()
    weir.ask("POST", "/size/100000", body=b"x" * 50000)
    until(lambda: (weir.metrics().get("weir_listener_sent_bytes_total") or 0)
          - (before.get("weir_listener_sent_bytes_total") or 0) >= 100000)
    received = weir.metrics().get("weir_listener_received_bytes_total") \
        - (before.get("weir_listener_received_bytes_total") or 0)
    assert 50000 <= received < 52000


def test_errors_by_cause(weir, fresh):
    before = weir.metrics()
    weir.ask(target="/garbage")
    grown(weir, "weir_errors_total", before, 1, cause="server_invalid")


def test_servers_and_health(origin):
    dead = free_address()
    pool = {"health": {"active": {"interval": "200ms", "unhealthy_after": 1}}}
    with Weir(http_config(origin, dead, pool=pool)) as w:
        until(lambda: w.state(dead) == "down" and w.state(origin.address) == "up")
        m = w.metrics()
        assert m.get("weir_server_up", pool="main") == 1
        assert m.get("weir_health_checks_total", pool="main") >= 2
        assert m.get("weir_pool_servers", pool="main", state="up") == 1
        assert m.get("weir_pool_servers", pool="main", state="down") == 1


def test_the_process(weir):
    m = weir.metrics()
    assert m.get("weir_build_info") == 1
    assert abs(m.get("weir_start_time_seconds") - time.time()) < 3600
    assert m.get("process_resident_memory_bytes") > 1 << 20
    assert m.get("process_open_fds") > 3


def test_labels_never_carry_what_clients_say(weir, fresh):
    weir.ask(target="/unheard-of", host="unheard.example", fields={"User-Agent": "unheard"})
    assert "unheard" not in weir.metrics_text()


def test_per_server_off(origin):
    with Weir(http_config(origin, metrics={"per_server": False})) as w:
        w.ask()
        m = w.metrics()
        assert m.get("weir_server_requests_total") is None
        assert m.get("weir_pool_requests_total", pool="main") == 1


def test_per_server_is_off_above_a_thousand():
    servers = [f"127.0.{i // 250}.{i % 250 + 1}:9" for i in range(1001)]
    with Weir(http_config(*servers)) as w:
        assert w.metrics().get("weir_server_requests_total") is None


def test_tcp_listener():
    with stage.TcpOrigin() as t, Weir(tcp_config(t)) as w:
        before = w.metrics()
        with w.client() as c:
            c.send(b"x" * 1000)
            c.reader.exactly(1000)
        grown(w, "weir_listener_connections_total", before, 1, listener="web")
        until(lambda: w.metrics().get("weir_listener_received_bytes_total") >= 1000)


def test_only_three_pages_without_a_token(weir):
    assert weir.ask_admin("/healthz").status == 200
    assert weir.ask_admin("/readyz").status == 200
    for target in ("/", "/v1/status", "/v1/config", "/v1/reload"):
        assert weir.ask_admin(target).status in (401, 403, 404), target
        assert weir.ask_admin(target, "POST", body=b"").status in (401, 403, 404, 405)


def test_hostile_bytes_at_the_admin_port(weir):
    for data in (b"GET / HTTP/1.1\r\nX : y\r\n\r\n", b"\x16\x03\x01\x00\x05hello\r\n\r\n",
                 b"GET /metrics HTTP/9.9\r\nHost: a\r\n\r\n"):
        with stage.RawClient(weir.admin) as c:
            c.send(data)
            try:
                assert c.response().status >= 400
            except (EOFError, stage.Cut):
                pass
    assert weir.ask_admin("/metrics").status == 200

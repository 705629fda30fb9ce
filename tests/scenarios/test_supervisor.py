"""The parent that holds the sockets, the child that serves, and how they end."""

import os
import signal
import threading
import time

import pytest

import stage
from stage import Origin, Weir, free_address, http_config, until


@pytest.fixture(scope="module")
def one():
    with Origin("one") as o:
        yield o


def connect_all_the_time(address, stopping, refused, answered, cut):
    """New connections without a pause: none may be refused or reset at its start."""
    while not stopping.is_set():
        try:
            client = stage.RawClient(address)
        except OSError as e:
            refused.append(repr(e))
            continue
        with client:
            try:
                answered.append((time.monotonic(), client.ask().status))
            except (OSError, EOFError, stage.Cut) as e:
                cut.append((time.monotonic(), repr(e)))
        time.sleep(0.002)


def kill_child(one, times):
    with Weir(http_config(one)) as w:
        stopping, refused, answered, cut = threading.Event(), [], [], []
        threads = [threading.Thread(target=connect_all_the_time,
                                    args=(w.address(), stopping, refused, answered, cut))
                   for _ in range(3)]
        for t in threads:
            t.start()
        try:
            for _ in range(times):
                until(lambda: answered)
                child = w.child
                assert child, "there is a child below the supervisor"
                os.kill(child, signal.SIGKILL)
                died = time.monotonic()
                until(lambda: w.child and w.child != child)
                back = until(lambda: [t for t, s in answered if t > died + 0.001 and s == 200])
                print(f"served again after {(back[0] - died) * 1000:.0f} ms")
                assert all(died - 0.05 < t < died + 0.5 * stage.SLOW for t, _ in cut), \
                    "only who was being served when it died is cut"
                assert len(cut) <= len(threads)
                cut.clear()
        finally:
            stopping.set()
            for t in threads:
                t.join()
        assert refused == []
        assert w.ask().status == 200


def test_killed_child_refuses_nobody(one):
    kill_child(one, 1)


@pytest.mark.deep
def test_child_killed_again_and_again(one):
    kill_child(one, 8)


def test_child_comes_back_with_the_last_accepted_configuration(one):
    with Weir(http_config(one)) as w:
        w.change(routes=[{"name": "r", "respond": {"status": 200, "body": "second"}}])
        w.reload()
        w.write("nonsense: [")
        assert w.cli("reload").returncode == 1
        child = w.child
        os.kill(child, signal.SIGKILL)
        until(lambda: w.child and w.child != child)
        assert w.ask(timeout=5).body == b"second"


def test_term_drains(one):
    with Weir(http_config(one, runtime={"shutdown_grace": "60s"})) as w:
        busy, idle = w.client(), w.client()
        assert idle.ask().status == 200
        busy.send(stage.request_bytes("GET", "/delay/1"))
        until(lambda: one.seen("/delay/1"))
        w.signal(signal.SIGTERM)
        began = time.monotonic()
        answer = busy.response()
        assert answer.status == 200, "what was begun is finished"
        assert answer["Connection"] == "close"
        w.wait_end()
        assert time.monotonic() - began < 30, "it does not sit the grace out"
        assert idle.closed()
        busy.close()
        idle.close()


def test_drain_ends_with_its_grace(one):
    with Weir(http_config(one, runtime={"shutdown_grace": "1s"})) as w:
        with w.client() as busy:
            busy.send(stage.request_bytes("GET", "/hang"))
            until(lambda: one.seen("/hang"))
            began = time.monotonic()
            w.stop()
            assert 0.7 < time.monotonic() - began < 15 * stage.SLOW


def test_second_term_ends_at_once(one):
    one.forget()
    with Weir(http_config(one, runtime={"shutdown_grace": "60s"})) as w:
        with w.client() as busy:
            busy.send(stage.request_bytes("GET", "/hang"))
            until(lambda: one.seen("/hang"))
            w.signal(signal.SIGTERM)
            until(lambda: "draining" in w.stderr)
            assert w.proc.poll() is None, "the first one waits"
            began = time.monotonic()
            w.signal(signal.SIGTERM)
            w.proc.wait(30)
            assert time.monotonic() - began < 30
            w.check_stderr()
            w.end()


def test_not_ready_while_draining(one):
    with Weir(http_config(one, runtime={"shutdown_grace": "5s"})) as w:
        with w.client() as busy:
            busy.send(stage.request_bytes("GET", "/delay/3"))
            until(lambda: one.seen("/delay/3"))
            w.signal(signal.SIGTERM)
            try:
                until(lambda: w.ask_admin("/readyz", timeout=2).status == 503)
            except (OSError, EOFError):
                pass                # closed is as good as red
            assert busy.response().status == 200
        w.wait_end()


def test_int_ends_it_too(one):
    with Weir(http_config(one)) as w:
        w.signal(signal.SIGINT)
        w.wait_end()


def test_child_ends_with_its_supervisor(one):
    with Weir(http_config(one)) as w:
        child = w.child
        os.kill(w.pid, signal.SIGKILL)
        w.proc.wait()
        until(lambda: not os.path.exists(f"/proc/{child}"), 10)
        w.end()


def test_address_in_use_is_an_error(one):
    with Origin("squatter") as squatter:
        config = http_config(one, listeners={"web": {"address": squatter.address}})
        w = Weir(config, ready=False)
        try:
            assert w.proc.wait(10) == 1
            until(lambda: "in use" in w.stderr)
        finally:
            w.end()


def test_second_weir_on_the_same_address_is_refused(one):
    with Weir(http_config(one)) as w:
        second = Weir(http_config(one, listeners={"web": {"address": w.address()}}), ready=False)
        try:
            assert second.proc.wait(10) == 1
            assert "in use" in second.stderr
        finally:
            second.end()
        assert w.ask().status == 200


def test_taken_admin_port_is_a_warning(one):
    with Origin("squatter") as squatter:
        config = http_config(one, admin={"address": squatter.address})
        w = Weir(config, ready=False)
        try:
            until(lambda: reachable(w.address()))
            assert w.ask().status == 200
            until(lambda: f'reason="cannot listen at {squatter.address}: address already in use"'
                  in w.stderr)
        finally:
            if w.proc.poll() is None:
                w.stop()
            else:
                w.end()


def reachable(address):
    try:
        stage.connect(address).close()
        return True
    except OSError:
        return False


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become nobody")
def test_drops_its_privileges(one):
    with Weir(http_config(one, runtime={"user": "nobody"})) as w:
        with open(f"/proc/{w.child}/status") as f:
            uid = next(line for line in f if line.startswith("Uid:")).split()[1:]
        assert "0" not in uid
        assert w.ask().status == 200


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
def test_runs_as_an_ordinary_user(one):
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    with Weir(http_config(one), prefix=become, owner=65534) as w:
        assert w.ask().status == 200
        assert w.status()["version"]


def test_listening_survives_a_port_reserved_twice(one):
    """Two addresses of one listener, one of them taken: nothing is half open."""
    with Origin("squatter") as squatter:
        good = free_address()
        w = Weir(http_config(one, listeners={"web": {"address": [good, squatter.address]}}),
                 ready=False)
        try:
            assert w.proc.wait(10) == 1
            assert not reachable(good)
        finally:
            w.end()

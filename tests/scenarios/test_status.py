"""What `weir status` says, for people and for programs."""

import pytest

import stage
from stage import Origin, Weir, free_address, http_config, until, weir_cli


@pytest.fixture(scope="module")
def play():
    with Origin("one") as one:
        dead = free_address()
        servers = [{"name": "first", "address": one.address, "weight": 2},
                   {"name": "second", "address": dead}]
        pool = {"servers": servers, "health": {"active": {"interval": "300ms"}}}
        with Weir(http_config(pool=pool)) as w:
            until(lambda: w.state(dead) == "down" and w.state(one.address) == "up")
            yield w, one, dead


def test_text(play):
    weir, one, dead = play
    text = weir.cli("status").stdout
    for word in ("weir", "web", "main", "1/2", "round_robin"):
        assert word in text, text
    assert text.splitlines()[0].startswith("weir ")


def test_text_of_a_pool(play):
    weir, one, dead = play
    text = weir.cli("status", "main").stdout
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert one.address in lines["first"] and " up" in lines["first"]
    assert dead in lines["second"] and "down" in lines["second"]
    assert "refused" in lines["second"], "and why"


def test_unknown_pool(play):
    weir, _, _ = play
    done = weir.cli("status", "nosuch")
    assert done.returncode != 0 and "nosuch" in done.stdout + done.stderr


def test_json(play):
    weir, one, dead = play
    status = weir.status()
    assert status["version"]
    servers = weir.servers()
    assert servers[one.address]["name"] == "first" and servers[one.address]["weight"] == 2
    assert servers[one.address]["state"] == "up" and servers[dead]["state"] == "down"


def test_counts(play):
    weir, one, dead = play
    with weir.client() as c:
        c.send(stage.request_bytes("GET", "/delay/1.2"))
        until(lambda: weir.servers()[one.address].get("connections") == 1, 3)
        c.response()


def test_everyone_else_is_kept_out(play):
    """The socket is for root and its own user."""
    import os
    import stat
    weir, _, _ = play
    mode = os.stat(weir.socket).st_mode
    assert stat.S_ISSOCK(mode) and not mode & stat.S_IWOTH


def test_a_stranger_is_refused(play):
    import os
    import subprocess
    if os.getuid() != 0:
        pytest.skip("needs root to become somebody else")
    weir, _, _ = play
    os.chmod(weir.socket, 0o777)    # so that only the look at the peer's user is left
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                           stage.WEIR, "status", "--socket", weir.socket],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode != 0


def test_nobody_there():
    done = weir_cli("status", "--socket", "/nonexistent/admin.sock")
    assert done.returncode == 3
    assert "/nonexistent/admin.sock" in done.stderr
    assert weir_cli("reload", "--socket", "/nonexistent/admin.sock").returncode == 3

"""The wall clock jumps: nothing but the dates in the log may notice."""

import glob
import os
import time

import pytest

import stage
from stage import Load, Origin, Weir, http_config, until

LIBRARY = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")


@pytest.mark.deep
@pytest.mark.skipif(not LIBRARY or stage.SANITIZED, reason="needs libfaketime and a plain build")
@pytest.mark.parametrize("jump", ["+3600s", "-3600s"])
def test_wall_clock_jumps_by_an_hour(tmp_path, jump):
    stamp = tmp_path / "stamp"
    stamp.write_text("+0s")
    env = {"LD_PRELOAD": LIBRARY[0], "FAKETIME_TIMESTAMP_FILE": str(stamp),
           "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    os.chmod(tmp_path, 0o755)
    with Origin("a") as a:
        config = http_config(a, pool={"health": {"active": {"interval": "300ms"}}},
                             defaults={"timeouts": {"response": "3s", "idle": "20s"}})
        with Weir(config, env=env) as w:
            until(lambda: w.state(a.address) == "up")
            slow = w.client()
            slow.send(stage.request_bytes("GET", "/delay/2"))
            with Load(w.address(), clients=2) as load:
                until(lambda: load.done > 20)
                stamp.write_text(jump)
                time.sleep(1)
                assert w.state(a.address) == "up", "no check was lost or thought late"
                assert slow.response().status == 200, "no deadline was moved"
            slow.close()
            assert load.failed == []
            with w.client() as c:
                began = time.monotonic()
                assert c.ask(target="/hang").status == 504
                assert 2 < time.monotonic() - began < 8

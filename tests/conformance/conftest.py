"""One daemon and one origin for all cases; the stage is that of the scenarios."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "scenarios"))
sys.path.insert(0, os.path.dirname(__file__))
import stage  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "deep: slow or heavy; runs in make test-deep only")


@pytest.fixture(scope="session", autouse=True)
def binary():
    if not os.access(stage.WEIR, os.X_OK):
        pytest.fail(f"no weir at {stage.WEIR}: build it, or set WEIR")


@pytest.fixture(scope="module")
def origin():
    with stage.Origin("one") as o:
        o.history = []
        yield o
        o.history += o.requests
        strays = [s for s in o.history if "smuggled" in s.target]
        assert strays == [], "a request nobody decided on reached the origin"


@pytest.fixture(scope="module")
def weir(origin):
    config = stage.http_config(
        origin,
        routes=[{"name": "admin", "match": {"path": "/admin/*"},
                 "respond": {"status": 403, "body": "no\n"}},
                {"name": "all", "to": "main"}],
        defaults={"sizes": {"body": "1MiB"}, "timeouts": {"request_header": "2s"}})
    with stage.Weir(config) as w:
        yield w


@pytest.fixture(autouse=True)
def clean_ground(origin):
    """Each case starts from an empty record, and weir must be well after it."""
    origin.history += origin.requests
    origin.forget()
    yield
    assert origin.unclean == [], "weir sent the origin something that is no clean request"
    for w in list(stage.alive):
        w.check()

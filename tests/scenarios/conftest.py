"""What every play shares: the mark `deep`, and a look at the daemon after each test."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import stage  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "deep: slow or heavy; runs in make test-deep only")


@pytest.fixture(scope="session", autouse=True)
def binary():
    if not os.access(stage.WEIR, os.X_OK):
        pytest.fail(f"no weir at {stage.WEIR}: build it, or set WEIR")


@pytest.fixture(autouse=True)
def daemon_is_well():
    yield
    for weir in list(stage.alive):
        weir.check()


@pytest.fixture(scope="module")
def origin():
    with stage.Origin("one") as o:
        yield o


@pytest.fixture
def four():
    """Origins a to d, so that there is something to choose."""
    made = [stage.Origin(n) for n in "abcd"]
    yield made
    for one in made:
        one.stop()


@pytest.fixture
def fresh(origin):
    """The module's origin with an empty memory; afterwards it must have seen no dirt."""
    origin.forget()
    yield origin
    assert origin.unclean == []

"""What every verb that computes sets up first."""

from __future__ import annotations

import os

import pytest

from zoo.cli import common


@pytest.fixture
def environment(monkeypatch):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    return monkeypatch


def policy():
    with common.run_options(quiet=True):
        return os.environ.get("OMP_WAIT_POLICY")


def test_threads_that_wait_do_not_spin(environment):
    assert policy() == "PASSIVE"


@pytest.mark.parametrize(
    ("name", "value", "want"),
    [("OMP_WAIT_POLICY", "ACTIVE", "ACTIVE"), ("GOMP_SPINCOUNT", "1000", None)],
)
def test_what_the_user_says_of_them_stays(environment, name, value, want):
    environment.setenv(name, value)
    assert policy() == want

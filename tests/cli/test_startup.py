"""Settings of the process: set where they help, and never against the user's own."""

from __future__ import annotations

import gc
import os

import pytest

from worldgen.cli.startup import BRIEF, BRIEF_THRESHOLD, SPIN_COUNT, limit_spinning, spare_collections


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, SPIN_COUNT),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, None),
        ({"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "7"}, "7"),
    ],
)
def test_the_users_own_policy_for_threads_stays(monkeypatch, given, expected):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    limit_spinning()
    assert os.environ.get("GOMP_SPINCOUNT") == expected


@pytest.mark.parametrize("command", ["sample", "train"])
def test_only_brief_commands_collect_rarely(monkeypatch, command):
    at_exit = []
    monkeypatch.setattr("worldgen.cli.startup.atexit.register", at_exit.append)
    before = gc.get_threshold()
    try:
        spare_collections(command)
        assert gc.get_threshold()[0] == (BRIEF_THRESHOLD if command in BRIEF else before[0])
    finally:
        gc.set_threshold(*before)
    assert at_exit == [gc.freeze]

"""Signals over commands that write and need a model; ``python -m tests.fuzz.signals`` does it for all commands."""

from __future__ import annotations

import os
import sys

import pytest

from tests.fuzz import signals


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    return signals.commands(tmp_path_factory.mktemp("inputs"))


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(os, "fork") or sys.platform == "darwin", reason="needs a fork that keeps PyTorch usable"
)
@pytest.mark.parametrize("name", ["sample", "restyle", "generate", "data index"])
def test_signals_leave_whole_files_only_and_resumed_runs_are_equal(commands, tmp_path, name):
    found = signals.run(name, commands[name], tmp_path, signals=3, seed=1)
    assert not found.problems and found.signals.total() == 3


def test_what_must_not_be_left_is_seen(tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "a.tar").write_bytes(b"half")
    (tmp_path / "jobs" / "0.json").write_text("{")
    for name in (".b.1.tmp", "lock.json", ".x.old"):
        (tmp_path / name).write_text("{}")
    assert list(signals.leftovers(tmp_path)) == [".b.1.tmp", ".x.old", "lock.json"]
    assert signals.half_files(tmp_path, {"a.tar": b"whole"}) == ["a.tar", "jobs/0.json"]
    assert signals.files_of(tmp_path) == {"a.tar": b"half"}

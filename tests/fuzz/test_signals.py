"""Signals over commands that write and need a model; ``python -m tests.fuzz.signals`` does it for all commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.fuzz import signals

LIMIT_S = 600
"""Far above what the four commands take; a command that hangs fails the test instead of holding up the others."""


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(os, "fork") or sys.platform == "darwin", reason="needs a fork that keeps PyTorch usable"
)
def test_signals_leave_whole_files_only_and_resumed_runs_are_equal(tmp_path, repository):
    # A process of its own: a fork of this one, whose thread pools have run, may wait for them for ever.
    result = tmp_path / "signals.json"
    names = ("sample", "restyle", "generate", "data index")
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.signals",
        *names,
        "--signals",
        "3",
        "--seed",
        "1",
        "--out",
        str(result),
    ]
    ran = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    record = json.loads(result.read_text("utf-8"))
    assert record["signals"] == 3 * len(names) and not record["problems"]


def test_what_must_not_be_left_is_seen(tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "a.tar").write_bytes(b"half")
    (tmp_path / "jobs" / "0.json").write_text("{")
    for name in (".b.1.tmp", "lock.json", ".x.old"):
        (tmp_path / name).write_text("{}")
    assert list(signals.leftovers(tmp_path)) == [".b.1.tmp", ".x.old", "lock.json"]
    assert signals.half_files(tmp_path, {"a.tar": b"whole"}) == ["a.tar", "jobs/0.json"]
    assert signals.files_of(tmp_path) == {"a.tar": b"half"}

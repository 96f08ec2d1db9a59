"""Commands as processes: two at once, and ended by signals at any moment. Nothing is lost, nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.data.drives import make_video
from tests.data.samples import make_sample
from worldgen.cli.main import EXIT_INTERRUPTED, EXIT_TERMINATED
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.shards import ShardWriter

ONE = ["scenes", "render", "--prompt", "a car", "--frames", "3", "--size", "64x32"]
EXITS = {signal.SIGTERM: EXIT_TERMINATED, signal.SIGINT: EXIT_INTERRUPTED}


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "worldgen", *arguments], cwd=folder, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def temporaries(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*") if path.name.endswith((".tmp", ".old"))]


def wait_for(process: subprocess.Popen, folder: Path) -> None:
    """Wait until a command has begun to write."""
    while process.poll() is None and not temporaries(folder) and not list(folder.rglob("lock.json")):
        time.sleep(0.005)


@pytest.fixture
def commands(tmp_path) -> dict[str, list[str]]:
    """Every command that writes and needs no model, with inputs outside the folder ``work``."""
    (tmp_path / "work").mkdir()
    with ShardWriter(str(tmp_path / "set"), "s0") as writer:
        for i in range(4):
            writer.write(make_sample(f"k{i}", 2 * i, drive=f"d{i}"))
    build_index(str(tmp_path / "set"))
    make_video(tmp_path / "drives" / "a.mp4", 60)
    ingest = ["ingest", str(tmp_path / "drives"), "--out", "out", "fps=10", "num_frames=5", "stride_frames=1"]
    many = ["scenes", "render", "--count", "6", "--shard-size", "1", "--frames", "3", "--size", "64x32", "--out", "out"]
    return {
        "render": [*ONE, "--out", "out"],
        "view": ["data", "view", str(tmp_path / "set"), "--out", "out"],
        "export": ["data", "export", str(tmp_path / "set"), "--format", "coco", "--out", "out"],
        "ingest": [*ingest, "samples_per_shard=3"],
        "many": many,
        "workers": [*many, "--workers", "2"],
    }


@pytest.mark.parametrize("name", ["export", "ingest", "workers"])
@pytest.mark.parametrize("number", EXITS)
def test_a_signal_ends_a_command_in_one_line_and_leaves_nothing(tmp_path, commands, name, number):
    work = tmp_path / "work"
    process = start(work, *commands[name])
    wait_for(process, work)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode in (EXITS[number], 0), error
    assert "Traceback" not in error and not temporaries(work) and not list(work.rglob("lock.json"))


@pytest.mark.parametrize("name", ["render", "ingest"])
def test_the_next_run_removes_what_a_killed_one_left(tmp_path, commands, name):
    work = tmp_path / "work"
    process = start(work, *commands[name])
    wait_for(process, work)
    process.kill()
    process.communicate()
    process = start(work, *commands[name])
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert not temporaries(work) and os.listdir(work) == ["out"]


def test_of_two_runs_into_one_folder_one_is_refused_and_the_clip_stays(tmp_path):
    processes = [start(tmp_path, *ONE, "--seed", str(seed), "--out", "out") for seed in (1, 2)]
    ends = [(process.communicate(timeout=120), process.returncode) for process in processes]
    assert sorted(code for _, code in ends) == [0, 2], ends
    [refusal] = [error for (_, error), code in ends if code]
    assert refusal.count("\n") == 1 and ("just written" in refusal or "writes now" in refusal or "empty" in refusal)
    assert os.listdir(tmp_path) == ["out"] and len(os.listdir(tmp_path / "out")) == 5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["render", "view", "export", "ingest", "many", "workers"])
def test_a_signal_at_any_moment(tmp_path, commands, name):
    work = tmp_path / "work"
    for step in range(18):
        number = [signal.SIGTERM, signal.SIGINT, signal.SIGKILL][step % 3]
        process = start(work, *commands[name])
        if step % 2:
            wait_for(process, work)
        else:
            time.sleep(0.25)
        time.sleep(0.04 * step)
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
        assert "Traceback" not in error, error
        if number is not signal.SIGKILL:
            assert process.returncode in (EXITS[number], 0, 2, -number), error
            assert step < 3 or not [t for t in temporaries(work) if str(process.pid) in t]
    process = start(work, *commands[name])
    _, error = process.communicate(timeout=240)
    assert process.returncode == 0 or "not empty" in error, error
    assert not temporaries(work) and os.listdir(work) == ["out"]

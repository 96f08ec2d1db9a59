"""After a kill at any moment, the same command ends with the same data set."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from tests.generation import rig
from worldgen.core.errors import InputError
from worldgen.files.lock import Lock
from worldgen.generation.campaign.campaign import Campaign
from worldgen.generation.campaign.runner import InProcessRunner, ProcessRunner


class Killed(BaseException):
    """A kill as code sees it: no handler catches it and nothing is cleaned up."""


def go(recipe, runner=None) -> tuple[dict, list[str]]:
    said: list[str] = []
    runner = runner or InProcessRunner(partial(rig.noise_worker, recipe))
    run = Campaign(recipe, runner, said.append)
    try:
        list(run.steps())
    finally:
        runner.close()
    return run.report, said


@pytest.fixture
def kill_at(monkeypatch):
    """Kills at the n-th write to disk: before the file has its name, or just after."""
    replace = os.replace

    def arm(number: int, *, after: bool) -> None:
        count = iter(range(1_000_000))

        def deadly(source, target, *args):
            last = next(count) == number
            if last and not after:
                raise Killed
            replace(source, target, *args)
            if last:
                raise Killed

        monkeypatch.setattr(os, "replace", deadly)

    yield arm
    monkeypatch.setattr(os, "replace", replace)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_scenes")
def test_killed_at_every_write_it_ends_with_the_same_bytes(tmp_path, kill_at, monkeypatch):
    from worldgen.files import lock

    monkeypatch.setattr(lock.Lock, "release", lambda self: self._stop.set())  # a killed process releases nothing
    monkeypatch.setattr(lock.Holder, "is_dead", lambda self: True)
    monkeypatch.setattr(lock, "BEAT_S", 3600.0)  # on a busy machine the heartbeat would die in place of the run
    replace = os.replace
    go(rig.recipe(tmp_path / "whole"))
    wanted = rig.files_of(tmp_path / "whole")
    deaths = 0
    for after in (False, True):
        out = tmp_path / f"killed-{after}"
        number = 0
        while True:  # each run gets one write further than the one before
            kill_at(number, after=after)
            try:
                report, _ = go(rig.recipe(out))
            except Killed:
                deaths += 1
                number += 1
                assert not (out / "dataset.json").exists() or rig.files_of(out) == wanted
                continue
            finally:
                monkeypatch.setattr(os, "replace", replace)
            break
        assert report["met"] and rig.files_of(out) == wanted
        assert not list(out.rglob("*.tmp"))
    assert deaths > 15


@pytest.mark.usefixtures("quick_scenes")
def test_finished_shards_are_not_generated_again(tmp_path):
    recipe = rig.recipe(tmp_path / "out")
    run = Campaign(recipe, InProcessRunner(partial(rig.noise_worker, recipe)), print)
    steps = run.steps()
    for _ in range(4):
        next(steps)
    steps.close()  # as Ctrl-C does
    jobs = tmp_path / "out" / "jobs"
    before = {path.name: path.stat().st_mtime_ns for path in jobs.iterdir()}
    assert before and not (tmp_path / "out" / "lock.json").exists()
    (jobs / ".half-written.tar.x7.tmp").write_bytes(b"what a killed process leaves")
    go(recipe)
    assert {name: (jobs / name).stat().st_mtime_ns for name in before} == before
    assert not list((tmp_path / "out").rglob("*.tmp"))


@pytest.mark.usefixtures("quick_scenes")
@pytest.mark.parametrize("harm", ["gone", "cut", "changed", "no record", "half a record"])
def test_a_damaged_shard_is_generated_again(tmp_path, harm):
    recipe = rig.recipe(tmp_path / "out")
    go(recipe)
    wanted = rig.files_of(tmp_path / "out")
    (tmp_path / "out" / "dataset.json").unlink()  # as if killed while publishing
    shard = sorted((tmp_path / "out" / "jobs").glob("*.tar"))[1]
    record, data = shard.with_suffix(".json"), bytearray(shard.read_bytes())
    if harm == "gone":
        shard.unlink()
    elif harm == "cut":
        shard.write_bytes(data[: len(data) // 2])
    elif harm == "changed":
        data[1200] ^= 1
        shard.write_bytes(data)
    elif harm == "no record":
        record.unlink()
    else:
        record.write_text('{"record_version": 1, "cell"')
    _, said = go(recipe)
    assert rig.files_of(tmp_path / "out") == wanted
    assert harm == "no record" or any("again" in line for line in said)


@pytest.mark.usefixtures("quick_scenes")
def test_a_shard_that_is_damaged_again_and_again_ends_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("worldgen.generation.campaign.publish.verified_samples", lambda url, record: None)
    recipe = rig.recipe(tmp_path / "out")
    with pytest.raises(InputError, match=f"damaged {recipe.work.retries + 1} times"):
        go(recipe)
    assert not (tmp_path / "out" / "generate.json").exists()
    monkeypatch.undo()
    assert go(recipe)[0]["met"]  # the same command goes on once the disk is sound


@pytest.mark.usefixtures("quick_scenes")
def test_nothing_is_published_without_the_lock(tmp_path, monkeypatch):
    def taken_over(self):
        raise InputError("the lock was taken over by another run; this one stops")

    recipe = rig.recipe(tmp_path / "out")
    go(recipe)
    (tmp_path / "out" / "dataset.json").unlink()  # as if killed while publishing: all jobs are done
    monkeypatch.setattr(Lock, "check", taken_over)
    with pytest.raises(InputError, match="taken over"):
        go(recipe)
    assert not (tmp_path / "out" / "dataset.json").exists()


@pytest.mark.slow
def test_a_worker_killed_in_its_work_is_replaced(tmp_path):
    recipe = rig.recipe(tmp_path / "a")
    report, said = go(recipe, ProcessRunner(partial(rig.killed_worker, recipe, str(tmp_path / "marker")), 2))
    assert report["met"] and any("SIGKILL" in line for line in said)
    go(rig.recipe(tmp_path / "b"))
    assert rig.files_of(tmp_path / "a") == rig.files_of(tmp_path / "b")
    assert "SIGKILL" in (tmp_path / "a" / "ledger.json").read_text()


RAY = """
import sys
from functools import partial
from pathlib import Path
from tests.generation import rig
from worldgen.generation.campaign.cluster import RayRunner
from worldgen.generation.campaign.campaign import Campaign

recipe = rig.recipe(sys.argv[1])
runner = RayRunner(partial(rig.killed_worker, recipe, sys.argv[2]), workers=2)
run = Campaign(recipe, runner, print)
list(run.steps())
runner.close()
assert run.report["met"] and Path(sys.argv[2]).exists()
"""


@pytest.mark.slow
def test_on_ray_with_a_worker_killed_in_its_work_the_bytes_are_the_same(tmp_path, repository):
    pytest.importorskip("ray", reason="needs the extra: pip install 'worldgen[ray]'")
    path = os.pathsep.join([str(repository), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", RAY, str(tmp_path / "ray"), str(tmp_path / "marker")],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"},
        timeout=900,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert '"died"' in (tmp_path / "ray" / "ledger.json").read_text()
    go(rig.recipe(tmp_path / "here"))
    assert rig.files_of(tmp_path / "ray") == rig.files_of(tmp_path / "here")


RUN = """
import sys
from functools import partial
from tests.generation import rig
from worldgen.generation.campaign.campaign import Campaign
from worldgen.generation.campaign.runner import InProcessRunner

recipe = rig.recipe(sys.argv[1])
run = Campaign(recipe, InProcessRunner(partial(rig.noise_worker, recipe)), print)
for status in run.steps():
    print("attempts", status.attempts, flush=True)
print("done", flush=True)
"""


@pytest.mark.slow
def test_a_killed_process_leaves_a_folder_that_resumes(tmp_path, repository):
    """A process killed by a signal; benchmarks/generate_kills.py does it thirty times."""

    def start() -> subprocess.Popen:
        command = [sys.executable, "-c", RUN, str(tmp_path / "out")]
        return subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True)

    for lines in (1, 3):
        process = start()
        for _ in range(lines):
            process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    with start() as process:
        output = process.stdout.read()
    assert process.returncode == 0 and "took over the lock" in output and output.endswith("done\n")
    go(rig.recipe(tmp_path / "whole"))
    assert rig.files_of(tmp_path / "out") == rig.files_of(tmp_path / "whole")


@pytest.mark.usefixtures("quick_scenes")
@pytest.mark.parametrize("harm", ["gone", "changed", "index"])
def test_a_finished_run_restores_what_was_damaged_from_its_jobs(tmp_path, harm):
    out, recipe = tmp_path / "out", rig.recipe(tmp_path / "out")
    go(recipe)
    wanted = rig.files_of(out)
    shard = sorted(out.glob("accepted-*.tar"))[-1]
    if harm == "gone":
        shard.unlink()
    else:
        path = shard if harm == "changed" else out / "index.parquet"
        data = bytearray(path.read_bytes())
        data[100] ^= 1
        path.write_bytes(data)
    report, said = go(recipe, InProcessRunner(no_worker))
    assert report["met"] and rig.files_of(out) == wanted
    assert any(line.startswith("damaged: ") and "published again" in line for line in said)
    assert go(recipe)[1] == []  # and then it is whole


def no_worker():
    raise AssertionError("nothing is to be generated")


@pytest.mark.usefixtures("quick_scenes")
@pytest.mark.parametrize("jobs", ["all", "one"])
def test_a_finished_run_says_what_is_gone_for_good(tmp_path, jobs):
    out, recipe = tmp_path / "out", rig.recipe(tmp_path / "out")
    go(recipe)
    shard = sorted(out.glob("accepted-*.tar"))[-1]
    shard.unlink()
    for path in sorted((out / "jobs").glob("*.tar"))[: None if jobs == "all" else 1]:
        path.unlink()
        if jobs == "all":
            path.with_suffix(".json").unlink()
    before = rig.files_of(out)
    with pytest.raises(InputError, match=f"{shard.name} is gone, and the jobs that could restore it are gone too"):
        go(recipe, InProcessRunner(no_worker))
    assert rig.files_of(out) == before
    (out / "generate.json").unlink()
    assert go(recipe)[0]["met"] and shard.exists()

"""Full disks, failing networks, models with values that are not finite: recorded, retried, never accepted."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from functools import partial

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.generation import rig
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import DataSet
from worldgen.files import storage
from worldgen.files.retry import Retry
from worldgen.generation.campaign.campaign import Campaign
from worldgen.generation.campaign.cell import grid_of
from worldgen.generation.campaign.cell_attempt import draw_attempt
from worldgen.generation.campaign.runner import InProcessRunner
from worldgen.generation.campaign.worker import SampleWorker

pytestmark = pytest.mark.usefixtures("quick_scenes")


def go(recipe, make=rig.noise_worker) -> tuple[dict, list[str]]:
    said: list[str] = []
    run = Campaign(recipe, InProcessRunner(partial(make, recipe)), said.append)
    list(run.steps())
    return run.report, said


def ledger(folder) -> list[dict]:
    return json.loads(storage.read_bytes(f"{folder}/ledger.json"))["entries"]


class FaultyFileSystem(MemoryFileSystem):
    """Memory behind an unreliable network: the next ``failures`` reads and writes fail, later ones work."""

    protocol = "faulty"
    store: dict = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012
    every = 0
    calls = 0

    @classmethod
    def _strip_protocol(cls, path):
        return MemoryFileSystem._strip_protocol(str(path).removeprefix("faulty://"))

    def _maybe(self, what: str, path: str) -> None:
        cls = type(self)
        cls.calls += 1
        if cls.every and cls.calls % cls.every == 0 and not path.endswith("lock.json"):
            raise ConnectionError(f"the line broke at {what} {path}")

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        self._maybe("write", path)
        super().pipe_file(path, value, mode=mode, **kwargs)

    def cat_file(self, path, start=None, end=None, **kwargs):
        self._maybe("read", path)
        return super().cat_file(path, start=start, end=end, **kwargs)

    def exists(self, path, **kwargs):
        self._maybe("look", path)
        return super().exists(path, **kwargs)


@pytest.fixture
def faulty():
    fsspec.register_implementation("faulty", FaultyFileSystem, clobber=True)
    FaultyFileSystem.store.clear()
    FaultyFileSystem.every = FaultyFileSystem.calls = 0
    yield FaultyFileSystem
    FaultyFileSystem.every = 0


def test_a_network_that_fails_now_and_then_only_costs_time(tmp_path, faulty):
    go(rig.recipe(tmp_path / "whole"))
    faulty.every = 7
    report, said = go(rig.recipe("faulty://set/out"))
    faulty.every = 0
    assert report["met"] and report["faults"] > 0 and any("the line broke" in line for line in said)
    assert any("the line broke" in entry["what"] for entry in ledger("faulty://set/out"))
    whole = rig.files_of(tmp_path / "whole")
    assert {name: storage.read_bytes(f"faulty://set/out/{name}") for name in whole} == whole
    assert len(DataSet("faulty://set/out").select(accepted=True)) == 5


def test_a_network_that_stays_down_stops_the_run_and_the_next_run_resumes(tmp_path, faulty):
    recipe = rig.recipe("faulty://dead/out")
    run = Campaign(recipe, InProcessRunner(partial(rig.noise_worker, recipe)), print)
    steps = run.steps()
    for _ in range(3):
        next(steps)
    faulty.every = 1
    with pytest.raises(InputError, match=r"the line broke .*3 tries; the same command continues"):
        list(steps)
    faulty.every = 0
    report, _ = go(recipe)
    go(rig.recipe(tmp_path / "whole"))
    whole = rig.files_of(tmp_path / "whole")
    assert report["met"]
    assert {name: storage.read_bytes(f"faulty://dead/out/{name}") for name in whole} == whole


def test_a_full_disk_stops_the_run_without_harm(tmp_path, monkeypatch):
    recipe = rig.recipe(tmp_path / "out")
    fsync, room = os.fsync, iter(range(9))

    def full(descriptor):
        if next(room, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="no space left on the device"):
        go(recipe)
    assert not (tmp_path / "out" / "dataset.json").exists()
    assert not list((tmp_path / "out").rglob("*.tmp"))
    monkeypatch.setattr(os, "fsync", fsync)
    report, _ = go(recipe)
    go(rig.recipe(tmp_path / "whole"))
    assert report["met"] and rig.files_of(tmp_path / "out") == rig.files_of(tmp_path / "whole")


def failing_worker(recipe, times, attempts, candidates=(0,)) -> SampleWorker:
    """A worker whose model fails at some attempts of the first cell."""
    worker = rig.noise_worker(recipe)
    cell = grid_of(recipe).cells[0]
    drawn_attempts = [draw_attempt(recipe, cell, attempt) for attempt in attempts]
    seeds = {drawn.noise_seed(candidate) for drawn in drawn_attempts for candidate in candidates}
    worker.models = dataclasses.replace(worker.models, model=rig.FailingModel(rig.NoiseModel(), seeds, times))
    return worker


def test_a_passing_fault_of_the_model_does_not_change_the_data(tmp_path):
    go(rig.recipe(tmp_path / "whole"))
    report, said = go(rig.recipe(tmp_path / "out"), lambda r: failing_worker(r, 1, [0, 3]))
    assert report["met"] and any("non-finite" in line for line in said)
    assert rig.files_of(tmp_path / "out") == rig.files_of(tmp_path / "whole")


def test_a_clip_that_is_never_finite_is_counted_and_its_batch_survives(tmp_path):
    report, _ = go(rig.recipe(tmp_path / "out"), lambda r: failing_worker(r, None, [0, 3]))
    data = DataSet(str(tmp_path / "out"))
    assert report["met"] and report["reasons"]["not a number"] == report["cells"][0]["without_clip"] >= 1
    assert len(data.select(accepted=True)) == 5
    attempts = {s.provenance["attempt"] for s in data if "clear" in s.tags}
    assert 1 in attempts and 0 not in attempts
    faults = [entry for entry in ledger(tmp_path / "out") if "noise 0, try 3" in entry["what"]]
    assert faults  # 1 try with its batch, then 3 alone, and no more
    assert not [entry for entry in ledger(tmp_path / "out") if "try 4" in entry["what"]]


def test_other_noise_is_tried_for_a_clip_that_is_not_finite(tmp_path):
    report, _ = go(rig.recipe(tmp_path / "out", candidates=2), lambda r: failing_worker(r, None, [0]))
    assert report["met"] and "not a number" not in report["reasons"]
    clips = {
        s.provenance["attempt"]: s.provenance["candidate"] for s in DataSet(str(tmp_path / "out")) if "clear" in s.tags
    }
    assert clips[0] == 1


def test_a_clip_that_breaks_an_instrument_is_counted_and_never_accepted(tmp_path):
    class Brittle(rig.PixelScorer):
        def score(self, clip, **known):
            card = super().score(clip, **known)
            if card.values["sharpness"] > 0.55:
                raise ValueError("singular matrix")
            return card

    def brittle(recipe):
        worker = rig.noise_worker(recipe)
        worker.models = dataclasses.replace(worker.models, scorer=Brittle())
        return worker

    report, said = go(rig.recipe(tmp_path / "out"), brittle)
    data = DataSet(str(tmp_path / "out"))
    assert report["met"] and report["reasons"]["not judged"] >= 1 and any("singular matrix" in line for line in said)
    assert all(row["score_sharpness"] <= 0.55 for row in data.rows)


def test_a_defect_stops_the_run(tmp_path):
    def broken(recipe):
        worker = rig.noise_worker(recipe)
        worker.models = dataclasses.replace(worker.models, scorer=None)
        return worker

    with pytest.raises(AttributeError):
        go(rig.recipe(tmp_path / "out"), broken)


def test_retry_waits_longer_each_time_and_gives_up():
    waits: list[float] = []
    retry = Retry(3, 2.0, sleep=waits.append)
    with pytest.raises(InputError, match="4 tries"):
        retry("write", lambda: (_ for _ in ()).throw(TimeoutError("no answer")))
    assert waits == [2.0, 4.0, 8.0] and len(retry.faults) == 4
    with pytest.raises(InputError, match="no such word"):
        retry("read", lambda: (_ for _ in ()).throw(InputError("no such word")))
    assert len(retry.faults) == 4

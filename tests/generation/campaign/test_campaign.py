"""A run: quotas, quarantine, the same bytes with every runner, and refusals."""

from __future__ import annotations

import dataclasses
import json
from functools import partial

import pytest

from tests.generation import rig
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import DataSet
from worldgen.files.storage import write_bytes
from worldgen.generation.campaign.campaign import Campaign
from worldgen.generation.campaign.recipe import CellGroup
from worldgen.generation.campaign.runner import InProcessRunner, JobOutcome, ProcessRunner
from worldgen.generation.campaign.worker import AttemptState, SampleWorker, ScoredClip
from worldgen.generation.quality.gate import Bound, GateConfig, Verdict
from worldgen.generation.quality.scorecard import Scorecard
from worldgen.generation.quality.scorer import ScorerConfig

pytestmark = pytest.mark.usefixtures("quick_scenes")


def go(recipe, runner=None, make=rig.noise_worker) -> dict:
    runner = runner or InProcessRunner(partial(make, recipe))
    run = Campaign(recipe, runner, lambda line: None)
    try:
        list(run.steps())
    finally:
        runner.close()
    return run.report


class Shuffled:
    """A runner that holds several jobs and finishes the last submitted one first, as a cluster may."""

    capacity = 3

    def __init__(self, make):
        self.worker, self.jobs = make(), []

    def submit(self, job):
        self.jobs.append(job)

    def wait(self):
        job = self.jobs.pop()
        return [JobOutcome(job, "done", self.worker.run(job))]

    def close(self):
        self.jobs.clear()


def test_the_data_set_has_its_quota_and_keeps_what_was_refused(tmp_path):
    recipe = rig.recipe(tmp_path / "out")
    report = go(recipe)
    data = DataSet(str(tmp_path / "out"))
    kept, refused = data.select(accepted=True), data.select(accepted=False)
    assert report["met"] and len(kept) == report["accepted"] == report["quota"] == 5
    assert len(kept.select(tags=["fog"])) == 2 and len(kept.select(tags=["clear", "rural"])) == 3
    assert len(refused) == report["attempts"] - 5 == report["reasons"]["sharpness"]
    assert all(row["reasons"] == ["sharpness"] and row["score_sharpness"] < 0.4 for row in refused.rows)
    assert all(row["shard"].startswith("quarantine") for row in refused.rows)
    sample = kept.load(0)
    assert sample.labels is not None and sample.ego is not None and sample.scenario.weather == "clear"
    assert sample.provenance["recipe_hash"] == recipe.hash and sample.provenance["weights_hash"] == "0" * 32
    assert sample.conditions_used == ("text", "ego") and sample.licence == recipe.licence
    assert not (tmp_path / "out" / "lock.json").exists()


def test_order_of_work_and_other_cells_do_not_change_samples(tmp_path):
    go(rig.recipe(tmp_path / "a"))
    recipe = rig.recipe(tmp_path / "b")
    go(recipe, Shuffled(partial(rig.noise_worker, recipe)))
    assert rig.files_of(tmp_path / "a") == rig.files_of(tmp_path / "b")
    # The second cell alone gives the same samples as beside the first, byte for byte.
    alone = rig.recipe(tmp_path / "c", cells=rig.CELLS[1:])
    go(alone)
    both, one = DataSet(str(tmp_path / "a")), DataSet(str(tmp_path / "c"))
    assert {row["key"] for row in one.rows} == {row["key"] for row in both.rows if "fog" in row["tags"]}
    assert all(one.members(row["key"]) == both.members(row["key"]) for row in one.rows)


@pytest.mark.slow
def test_three_processes_give_the_same_bytes(tmp_path):
    go(rig.recipe(tmp_path / "one"), make=rig.tiny_worker)
    recipe = rig.recipe(tmp_path / "three")
    go(recipe, ProcessRunner(partial(rig.tiny_worker, recipe), 3))
    assert rig.files_of(tmp_path / "one") == rig.files_of(tmp_path / "three")


def test_a_real_model_in_batches_gives_the_same_bytes_again(tmp_path):
    cells = [dataclasses.replace(rig.CELLS[0], count=1)]
    for name in "ab":
        go(rig.recipe(tmp_path / name, cells=cells), make=rig.tiny_worker)
    assert rig.files_of(tmp_path / "a") == rig.files_of(tmp_path / "b")


def test_more_clips_later_keep_the_old_and_their_jobs(tmp_path):
    out = tmp_path / "out"
    go(rig.recipe(out))
    before = {row["key"]: DataSet(str(out)).members(row["key"]) for row in DataSet(str(out)).rows}
    stamps = {path.name: path.stat().st_mtime_ns for path in (out / "jobs").iterdir()}
    more = rig.recipe(out).scaled(2)
    report = go(more)
    data = DataSet(str(out))
    assert report["accepted"] == 10 and len(data.select(accepted=True)) == 10
    assert all(data.members(key) == members for key, members in before.items())
    assert all((out / "jobs" / name).stat().st_mtime_ns == stamp for name, stamp in stamps.items())
    # A smaller set again: the shards of the larger one must be removed.
    go(rig.recipe(out))
    assert len(DataSet(str(out)).select(accepted=True)) == 5
    go(rig.recipe(tmp_path / "fresh"))
    assert rig.files_of(out) == rig.files_of(tmp_path / "fresh")


def test_a_finished_set_needs_no_work_and_no_jobs(tmp_path):
    recipe = rig.recipe(tmp_path / "out")
    report = go(recipe)
    for path in (tmp_path / "out" / "jobs").iterdir():
        path.unlink()
    assert go(recipe, make=len) == report  # nothing is loaded either


def test_a_cell_that_accepts_nothing_stops_with_a_reason(tmp_path):
    gate = GateConfig(bounds={"sharpness": Bound(low=1.0)})
    work = dataclasses.replace(rig.RECIPE.work, min_acceptance=0.5)
    report = go(rig.recipe(tmp_path / "out", gate=gate, work=work))
    assert not report["met"] and report["accepted"] == 0
    assert [cell["state"] for cell in report["cells"]] == ["stopped", "stopped"]
    assert "0 of 4 accepted" in report["cells"][0]["why"]
    assert len(DataSet(str(tmp_path / "out")).select(accepted=False)) == report["attempts"]


def test_more_candidates_need_fewer_scenes(tmp_path):
    gate = GateConfig(bounds={"sharpness": Bound(low=0.7)})
    reports = [go(rig.recipe(tmp_path / f"{n}", gate=gate, candidates=n)) for n in (1, 4)]
    assert reports[1]["attempts"] < reports[0]["attempts"]
    tried = sum(cell["candidates"] for cell in reports[1]["cells"])
    assert reports[1]["attempts"] < tried <= 4 * reports[1]["attempts"]
    assert all(cell["state"] == "met" for cell in reports[1]["cells"])


def test_another_recipe_other_weights_and_foreign_folders_are_refused(tmp_path):
    recipe = rig.recipe(tmp_path / "out")
    go(recipe)
    with pytest.raises(InputError, match=r"candidates was 1 and is 2"):
        go(dataclasses.replace(recipe, candidates=2))

    def other(r):
        worker = rig.noise_worker(r)
        worker.models = dataclasses.replace(worker.models, weights_hash="f" * 32)
        return worker

    with pytest.raises(InputError, match="weights for"):
        go(recipe.scaled(3), make=other)
    write_bytes(str(tmp_path / "fleet" / "dataset.json"), b"{}")
    with pytest.raises(InputError, match="another data set"):
        go(rig.recipe(tmp_path / "fleet"))
    assert (tmp_path / "fleet" / "dataset.json").read_bytes() == b"{}"


def test_the_report_stands_beside_the_data_set_and_is_written_once(tmp_path):
    out = tmp_path / "out"
    run_page = out / "report" / "index.html"
    gate = GateConfig(bounds={"sharpness": Bound(low=0.4)})
    go(rig.recipe(out, gate=gate))
    assert "5 of 5" in run_page.read_text()
    clips = {path.name for path in (out / "report" / "clips").iterdir()}
    assert clips == {f"{row['key']}.mp4" for row in DataSet(str(out)).rows}
    stamp = run_page.stat().st_mtime_ns
    go(rig.recipe(out, gate=gate))
    assert run_page.stat().st_mtime_ns == stamp  # nothing new to say
    (out / "report" / "meta.json").unlink()  # as when killed in the middle of it
    go(rig.recipe(out, gate=gate), make=len)
    assert run_page.stat().st_mtime_ns != stamp
    go(rig.recipe(out, gate=gate, cells=rig.CELLS[1:]))
    assert {path.stem for path in (out / "report" / "clips").iterdir()} == {r["key"] for r in DataSet(str(out)).rows}
    assert "2 of 2" in run_page.read_text()


def test_a_run_that_stops_short_has_a_report_and_it_can_be_left_out(tmp_path):
    gate = GateConfig(bounds={"sharpness": Bound(low=1.0)})
    work = dataclasses.replace(rig.RECIPE.work, min_acceptance=0.5)
    recipe = rig.recipe(tmp_path / "out", gate=gate, work=work)
    go(recipe)
    assert "stopped at 0 of 3" in (tmp_path / "out" / "report" / "index.html").read_text()
    recipe = rig.recipe(tmp_path / "bare", gate=gate, work=work)
    run = Campaign(recipe, InProcessRunner(partial(rig.noise_worker, recipe)), print, page=False)
    list(run.steps())
    assert not run.shown and not (tmp_path / "bare" / "report").exists()
    assert rig.files_of(tmp_path / "out") == rig.files_of(tmp_path / "bare")


def test_other_instruments_are_refused(tmp_path):
    instrument = tmp_path / "verifier"
    write_bytes(str(instrument / "model.safetensors"), b"weights")
    scorer = ScorerConfig(str(instrument), "", "", "", "")
    recipe = rig.recipe(tmp_path / "out", scorer=scorer, cells=rig.CELLS[1:]).with_instruments()
    assert len(recipe.instruments["verifier"]) == 32 and recipe.instruments["motion"] == ""
    assert recipe.hash != rig.recipe(tmp_path / "out", scorer=scorer).hash
    report = go(recipe)
    assert report["recipe"]["instruments"] == recipe.instruments
    assert recipe.instruments["verifier"] in (tmp_path / "out" / "report" / "index.html").read_text()
    write_bytes(str(instrument / "model.safetensors"), b"others")
    with pytest.raises(InputError, match=r"begun with another recipe: instruments.verifier was"):
        go(rig.recipe(tmp_path / "out", scorer=scorer).with_instruments())
    with pytest.raises(InputError, match="instrument verifier: received"):
        recipe.with_instruments()  # as a worker on another machine does
    with pytest.raises(InputError, match="instrument verifier: received"):
        SampleWorker.load(recipe)


def test_a_lock_keeps_a_second_run_out(tmp_path):
    recipe = rig.recipe(tmp_path / "out")
    first = Campaign(recipe, InProcessRunner(partial(rig.noise_worker, recipe)), print)
    steps = first.steps()
    next(steps)
    with pytest.raises(InputError, match="another run writes here"):
        go(recipe)
    list(steps)
    assert first.report["met"]


def test_attempts_without_a_scene_are_counted(tmp_path, monkeypatch):
    from worldgen.generation.campaign import worker

    staged = worker.simulate_attempt

    def picky(recipe, cell, attempt):
        if attempt % 2:
            raise InputError("event that fits no drawn scene", "jaywalker", "another road")
        return staged(recipe, cell, attempt)

    monkeypatch.setattr(worker, "simulate_attempt", picky)
    report = go(rig.recipe(tmp_path / "out", cells=[CellGroup(count=2, **_words(rig.CELLS[0]))]))
    assert report["met"] and report["reasons"]["no scene"] == report["cells"][0]["without_clip"] > 0
    record = json.loads(next((tmp_path / "out" / "jobs").glob("*.json")).read_bytes())
    assert "fits no drawn scene" in record["tries"][1]["failure"]


def _words(group: CellGroup) -> dict:
    return {axis: getattr(group, axis) for axis in ("weather", "light", "road", "manoeuvre")}


def test_of_clips_that_fail_alike_the_one_that_shows_more_of_what_was_ordered_is_kept():
    refused, passed = Verdict(False, ("presence",), None), Verdict(True, (), None)
    clips = [
        ScoredClip(number, None, Scorecard({} if value is None else {"presence": value}), verdict)
        for number, (value, verdict) in enumerate(
            [(None, refused), (0.4, refused), (0.2, refused), (0.9, Verdict(False, ("blank", "drift"), None))]
        )
    ]
    state = AttemptState(None, None, None, None)
    for clip in clips:
        state.offer(clip)
    assert state.best is clips[1] and not state.accepted
    state.offer(ScoredClip(4, None, Scorecard({"presence": 0.6}), passed))
    assert state.best.candidate == 4 and state.accepted

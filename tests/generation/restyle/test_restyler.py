"""Restyling: looks from words, the largest strength that keeps labels, and runs that resume after a stop."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.samples import Sample
from worldgen.core.scenario import Scenario
from worldgen.data.dataset.index import DataSet
from worldgen.data.dataset.shards import read_shard
from worldgen.generation.quality.gate import Bound, Gate, GateConfig
from worldgen.generation.quality.scorecard import Scorecard
from worldgen.generation.restyle import restyler as module
from worldgen.generation.restyle.clip_fitting import fitted
from worldgen.generation.restyle.restyle_run import RestyleRun
from worldgen.generation.restyle.restyler import (
    LOST,
    REFUSED,
    RestyleConfig,
    Restyler,
    TargetLook,
    kept_labels,
    parse_look,
)
from worldgen.models.families import NATIVE
from worldgen.models.interface import ContentRefused
from worldgen.rendering.labelling import labels_of
from worldgen.simulation.remake import restyled_scene
from worldgen.simulation.simulate import simulate

SIZE = (48, 32)


@pytest.fixture(scope="module")
def scene():
    camera = Camera.from_fov(*SIZE, 70.0)
    return simulate(Scenario("clear", "day", "urban", "keep", duration_s=0.5), 3, fps=8.0, num_frames=4, camera=camera)


@pytest.fixture(scope="module")
def sample(scene) -> Sample:
    rng = np.random.default_rng(0)
    clip = Clip(rng.integers(0, 256, (4, SIZE[1], SIZE[0], 3), np.uint8), 8.0)
    return Sample(
        "scene_a", clip, "A clear day in town.", "scene_a", "val", scene.ego, scene.camera, labels_of(scene),
        scene.scenario, ("clear", "day", "urban"), {"seed": 3, "tool": "worldgen scenes render"}, "CC0-1.0",
    )  # fmt: skip


@dataclasses.dataclass
class Scores:
    """Known scores: agreement falls with strength and the requested light grows, as with a real model."""

    strengths: list

    def score(self, clip, *, scene, labels, ego, text="", previous=None) -> Scorecard:
        strength = 0.0 if previous is None else float(clip.frames[0, 0, 0, 0]) / 100
        if previous is not None:
            self.strengths.append(strength)
        return Scorecard({"label_agreement": 0.9 - 0.5 * strength, "light": strength})


@dataclasses.dataclass
class FakeSampler:
    name: str = "tiny"
    weights_hash: str = "0" * 32

    model = None
    promise = dataclasses.replace(NATIVE, conditions=("text", "ego", "layout"), size_px=SIZE)


@pytest.fixture
def restyler(monkeypatch):
    """A restyler whose model writes the strength into its pixels."""

    def restyle_clips(pipeline, clips, requests, *, strength, options=None):
        return [Clip(np.full_like(clip.frames, round(100 * strength)), clip.fps) for clip in clips]

    monkeypatch.setattr(module, "restyle_clips", restyle_clips)

    def make(**changes) -> Restyler:
        config = RestyleConfig(to="night", gate=GateConfig(bounds={"light": Bound(low=0.5)}), **changes)
        return Restyler(config, parse_look(config.to), FakeSampler(), Scores([]), Gate(config.gate))

    return make


def test_looks_are_weather_and_light_and_nothing_else():
    assert parse_look("night, rain") == TargetLook("heavy_rain", "night_lit")
    assert parse_look("fog") == TargetLook("fog", None) and parse_look("at dusk") == TargetLook(None, "dusk")
    assert parse_look("fog").words == "fog"
    for words in ("a bus at night", "blue elephants", "turn left in fog"):
        with pytest.raises(InputError, match="look to restyle to"):
            parse_look(words)


def test_labels_kept_are_those_that_the_new_weather_does_not_hide(scene):
    fog = restyled_scene(scene, weather="fog", light="night_lit", seed=1)
    kept = kept_labels(labels_of(scene), fog)
    assert np.array_equal(kept.ignore, labels_of(fog).ignore)  # fog hides what is far, and the labels say so


def test_the_strongest_that_keeps_labels_is_taken(restyler, sample):
    worker = restyler(strengths=(0.9, 0.7, 0.6, 0.3), keep=0.66)
    made, seconds = worker.restyle(sample)
    # 0.9 keeps 0.5 and 0.7 keeps 0.61 of the agreement; 0.6 keeps 0.67 and is dark enough.
    assert worker.scorer.strengths == [0.9, 0.7, 0.6]
    assert made.scorecard["accepted"] and made.scorecard["strength"] == 0.6
    assert [row[0] for row in made.provenance["tried"]] == [0.9, 0.7, 0.6]
    assert made.provenance["tried"][0][1] == [LOST]
    assert made.scenario.light == "night_lit" and made.tags[0] == "night_lit" and "day" not in made.tags
    assert made.split == sample.split and made.drive == sample.drive and made.licence == sample.licence
    assert (
        made.provenance["source"] == sample.key and made.key != sample.key and set(seconds) >= {"all", "model", "score"}
    )
    assert np.array_equal(made.labels.box_px, sample.labels.box_px)


def test_what_never_fits_is_refused_with_its_reasons(restyler, sample):
    made, _ = restyler(strengths=(0.9, 0.3), keep=0.9).restyle(sample)
    assert not made.scorecard["accepted"]
    assert set(made.scorecard["reasons"]) <= {LOST, "light"} and made.scorecard["details"]


def test_a_given_strength_is_the_only_one_tried(restyler, sample):
    worker = restyler(strength=0.55)
    assert worker.restyle(sample)[0].scorecard["strength"] == 0.55 and worker.scorer.strengths == [0.55]


def test_real_clips_are_brought_to_the_size_of_the_model(sample):
    wide = dataclasses.replace(
        sample, clip=Clip(np.zeros((4, 50, 100, 3), np.uint8), 8.0), camera=None, scenario=None,
        labels=dataclasses.replace(sample.labels, width_px=100, height_px=50),
    )  # fmt: skip
    out = fitted(wide, (224, 128))
    assert (out.clip.width_px, out.clip.height_px) == (224, 128) == (out.labels.width_px, out.labels.height_px)
    assert fitted(sample, (224, 128)) is sample


@pytest.mark.parametrize(
    "values", [{"strength": 2.0}, {"strengths": ()}, {"strengths": (0.2, 0.5)}, {"keep": 1.5}, {"shard_size": 0}]
)
def test_invalid_settings_are_refused(values):
    with pytest.raises(InputError):
        RestyleConfig(**values)


def run(restyler, sample, url, stop_after=None, **changes):
    worker = restyler(shard_size=2, keep=0.6, **changes)
    samples = [dataclasses.replace(sample, key=f"k{i}", drive=f"d{i}") for i in range(5)]
    work = RestyleRun(worker.config, str(url), lambda: samples, "five clips", lambda line: None)
    last = 0
    for progress in work.steps(lambda config: worker):
        assert progress.done > last
        last = progress.done
        if last == stop_after:
            return None
    assert last == len(samples)
    return work.report


def shard_bytes(url):
    return {path.name: path.read_bytes() for path in sorted(url.glob("*.tar"))}


def test_a_stopped_run_ends_with_the_same_shards(restyler, sample, tmp_path):
    whole = run(restyler, sample, tmp_path / "whole")
    assert whole["accepted"] == 5 and whole["attempts"] == 5 and len(DataSet(str(tmp_path / "whole"))) == 5
    assert run(restyler, sample, tmp_path / "parts", stop_after=3) is None
    report = run(restyler, sample, tmp_path / "parts")
    assert report["accepted"] == 5
    assert shard_bytes(tmp_path / "parts") == shard_bytes(tmp_path / "whole")
    assert json.loads((tmp_path / "whole/restyle.json").read_text())["strengths"] == whole["strengths"]


def test_refused_clips_lie_apart(restyler, sample, tmp_path):
    report = run(restyler, sample, tmp_path / "set", strengths=(0.3, 0.2))
    assert report["accepted"] == 0 and report["reasons"]["light"] == 5
    names = {path.name for path in (tmp_path / "set").glob("*.tar")}
    assert names == {"quarantine-00000.tar", "quarantine-00001.tar", "quarantine-00002.tar"}
    assert all(not s.scorecard["accepted"] for s in read_shard(str(tmp_path / "set/quarantine-00000.tar")))


def test_two_settings_do_not_mix(restyler, sample, tmp_path):
    run(restyler, sample, tmp_path / "set")
    with pytest.raises(InputError, match="begun with another seed"):
        run(restyler, sample, tmp_path / "set", seed=7)


def test_one_set_has_one_model_and_a_report(restyler, sample, tmp_path):
    assert run(restyler, sample, tmp_path / "set", stop_after=3) is None
    worker = restyler(shard_size=2, keep=0.6)
    other = dataclasses.replace(worker, sampler=FakeSampler(weights_hash="f" * 32))
    samples = [dataclasses.replace(sample, key=f"k{i}", drive=f"d{i}") for i in range(5)]
    work = RestyleRun(worker.config, str(tmp_path / "set"), lambda: samples, "five clips", lambda line: None)
    with pytest.raises(InputError, match="weights for"):
        list(work.steps(lambda config: other))
    assert run(restyler, sample, tmp_path / "set")["accepted"] == 5
    assert "Provenance" in (tmp_path / "set/report/index.html").read_text()


def test_a_clip_that_breaks_an_instrument_does_not_stop_the_set(restyler, sample, tmp_path, monkeypatch):
    score = Scores.score

    def picky(self, clip, *, previous=None, **asked):
        if previous is not None and not self.strengths:
            self.strengths.append(0.0)
            raise ArithmeticError("no flow")
        return score(self, clip, previous=previous, **asked)

    monkeypatch.setattr(Scores, "score", picky)
    report = run(restyler, sample, tmp_path / "set")
    assert report["accepted"] == 4 and report["reasons"] == {"not judged": 1}
    record = json.loads((tmp_path / "set/jobs/00000.json").read_text())
    assert record["clips"][0]["failure"] == "ArithmeticError no flow"


def test_a_run_resumes_with_the_clips_it_was_begun_with(restyler, sample, tmp_path):
    run(restyler, sample, tmp_path / "set", stop_after=3)
    others = [dataclasses.replace(sample, key=f"k{i}", drive=f"d{i}") for i in (0, 2, 1, 3, 4)]
    worker = restyler(shard_size=2, keep=0.6)
    work = RestyleRun(worker.config, str(tmp_path / "set"), lambda: others, "five clips", lambda line: None)
    with pytest.raises(InputError, match="begun when five clips held other clips"):
        list(work.steps(lambda config: worker))


def test_a_missing_shard_is_generated_again(restyler, sample, tmp_path):
    assert run(restyler, sample, tmp_path / "set")["accepted"] == 5
    before = shard_bytes(tmp_path / "set")
    (tmp_path / "set/accepted-00001.tar").unlink()
    assert run(restyler, sample, tmp_path / "set")["accepted"] == 5
    assert shard_bytes(tmp_path / "set") == before and len(DataSet(str(tmp_path / "set"))) == 5


def test_nothing_to_restyle_is_an_error(restyler, tmp_path):
    worker = restyler()
    work = RestyleRun(worker.config, str(tmp_path / "set"), list, "no clips", lambda line: None)
    with pytest.raises(InputError, match="clips to restyle"):
        list(work.steps(lambda config: worker))


def test_a_clip_that_the_models_content_check_refuses_does_not_stop_the_set(restyler, sample, tmp_path, monkeypatch):
    restyled = Restyler._restyled

    def guarded(self, task, number, strength):
        if task.sample.key == "k1" or strength > 0.85:  # one clip always, of the others the first try
            raise ContentRefused("generated clip", "a clip", "another prompt or seed")
        return restyled(self, task, number, strength)

    monkeypatch.setattr(Restyler, "_restyled", guarded)
    report = run(restyler, sample, tmp_path / "set", strengths=(0.9, 0.6))
    assert report["accepted"] == 4 and report["reasons"] == {REFUSED: 1}
    tried = next(iter(DataSet(str(tmp_path / "set")))).provenance["tried"]
    assert tried[0] == [0.9, [REFUSED], None] and tried[1][0] == 0.6

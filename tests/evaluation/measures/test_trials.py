"""Held-out trials: balance, repeatability, apart from training, and a cache that changes nothing."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.scenario import LIGHTS, WEATHERS
from worldgen.evaluation.measures import trials as module
from worldgen.evaluation.measures.trials import (
    FIRST_SEED,
    GenerationOptions,
    cache_keys,
    generate,
    generated,
    held_out,
    rendered,
)
from worldgen.models.families import NATIVE
from worldgen.prompts import parse


@pytest.fixture(scope="module")
def few():
    return held_out(3, frames=17)


class Fake:
    """A pipeline whose clips have the grey of their seed, and which counts its calls."""

    promise = NATIVE

    def __init__(self, shade: int = 0):
        self.calls, self.shade = [], shade
        self.weights_hash = f"weights{shade}"

    def __call__(self, requests, options=None):
        self.calls.append(len(requests))
        return [
            Clip(np.full((r.num_frames, 128, 224, 3), (r.seed * 7 + self.shade) % 200, np.uint8), r.fps)
            for r in requests
        ]


@pytest.fixture
def fake(monkeypatch):

    def inputs(scene, request, promise):
        conditions = SimpleNamespace(num_frames=scene.num_frames, fps=scene.fps, seed=request.seed)
        return SimpleNamespace(conditions=conditions)

    monkeypatch.setattr(module, "scene_inputs", inputs)
    return Fake()


def test_equal_arguments_give_equal_trials_and_a_longer_list_begins_the_same(few):
    again = held_out(2, frames=17)
    assert [t.key for t in again] == [t.key for t in few[:2]]
    assert len({t.key for t in few + held_out(3, frames=17, seed=1)}) == 6


def test_all_weathers_and_lights_come_about_equally():
    drawn = held_out(36, frames=17)
    weather, light = (Counter(getattr(t.scenario, f) for t in drawn) for f in ("weather", "light"))
    assert set(weather) == set(WEATHERS) and set(light) == set(LIGHTS)
    assert len({t.scenario.manoeuvre for t in drawn}) >= 6 and min(weather.values()) >= 2


def test_another_size_shows_the_same_scenes_under_another_key(few):
    large = held_out(3, frames=17, size=(448, 256))
    for small, big in zip(few, large, strict=True):
        assert (big.scene.camera.width_px, big.scene.camera.height_px) == (448, 256) and big.key != small.key
        assert big.scene.camera.fov_deg == pytest.approx(small.scene.camera.fov_deg) and big.text == small.text
        np.testing.assert_array_equal(big.scene.ego_poses, small.scene.ego_poses)


def test_the_words_mean_the_scenario_and_the_seeds_are_held_out(few):
    for trial in few:
        understood = parse(trial.text).scenario
        assert (understood.weather, understood.light) == (trial.scenario.weather, trial.scenario.light)
        assert trial.scene.seed >= FIRST_SEED and trial.seed >= FIRST_SEED
        assert trial.scene.num_frames == 17


def test_long_trials_have_scenarios_as_long():
    (trial,) = held_out(1, frames=50)
    assert trial.scenario.duration_s == pytest.approx(50 / 8) and trial.scene.num_frames == 50


def test_rendered_clips_are_those_of_the_scenes(few):
    clips = rendered(few[:1])
    assert clips[0].frames.shape == (17, 128, 224, 3) and clips[0].frames.std() > 5


def test_batches_keep_the_order(few, fake):
    one, many = generate(fake, few, GenerationOptions(batch=1)), generate(Fake(), few, GenerationOptions(batch=2))
    assert [c.frames[0, 0, 0, 0] for c in one] == [c.frames[0, 0, 0, 0] for c in many]
    assert fake.calls == [1, 1, 1]


def test_the_cache_makes_each_clip_once_and_goes_on_after_a_stop(few, fake, tmp_path):
    how = GenerationOptions(cache=str(tmp_path / "made"))
    steps = generated(fake, few, how)
    next(steps)
    steps.close()  # stopped after the first clip
    assert fake.calls == [1]
    first = generate(fake, few, GenerationOptions(batch=2, cache=how.cache))
    assert fake.calls == [1, 1, 1]  # the two that were missing, one in each batch
    again = generate(fake, few, how)
    assert fake.calls == [1, 1, 1]
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.frames, b.frames)
    for clip, trial in zip(again, few, strict=True):
        assert abs(int(clip.frames[0, 0, 0, 0]) - trial.seed * 7 % 200) <= 3


def test_other_weights_starts_and_options_are_other_clips(few, fake):
    from worldgen.models.interface import SamplerOptions

    keys = cache_keys(fake, few, GenerationOptions())
    assert len(set(keys)) == 3
    assert cache_keys(fake, few, GenerationOptions(batch=3, cache="elsewhere")) == keys
    for other in (
        cache_keys(Fake(1), few, GenerationOptions()),
        cache_keys(fake, few, GenerationOptions(start="noise")),
        cache_keys(fake, few, GenerationOptions(), options=SamplerOptions(steps=2)),
    ):
        assert not set(other) & set(keys)


def test_bad_requests_are_one_line():
    with pytest.raises(InputError, match="number of trials"):
        held_out(0)
    with pytest.raises(InputError, match="seed"):
        held_out(1, seed=-1)
    with pytest.raises(InputError, match="start of a clip"):
        GenerationOptions(start="photo")


def test_the_seeds_of_a_retry_stay_held_out(monkeypatch):
    seen = []

    def refuse(scenario, seed, **_):
        seen.append(seed)
        raise InputError("no")

    monkeypatch.setattr(module, "simulate", refuse)
    with pytest.raises(InputError):
        held_out(1)
    assert len(set(seen)) == module.TRIES and min(seen) >= FIRST_SEED

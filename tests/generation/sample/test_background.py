"""Preparing in another process gives what preparing here gives, errors included, and a lost process loses nothing."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys

import numpy as np
import pytest

from worldgen.core.errors import InputError, MissingDependencyError
from worldgen.generation.sample import background
from worldgen.generation.sample.background import BackgroundPreparation, stated_promise
from worldgen.generation.sample.request import SampleRequest, prepare
from worldgen.models.families import NATIVE

ALL = NATIVE


def request(**changes) -> SampleRequest:
    return SampleRequest(
        **{
            "prompt": "a pedestrian at night in rain",
            "frames": 5,
            "fps": 8.0,
            "width_px": 64,
            "height_px": 32,
            **changes,
        }
    )


def assert_same(one, other) -> None:
    np.testing.assert_array_equal(one.conditions.layout, other.conditions.layout)
    np.testing.assert_array_equal(one.conditions.context.frames, other.conditions.context.frames)
    np.testing.assert_array_equal(one.labels.box_px, other.labels.box_px)
    assert one.notes == other.notes
    assert one.scene.seed == other.scene.seed


def test_another_process_prepares_the_same():
    assert_same(BackgroundPreparation(request(), ALL).result(), prepare(request(), ALL))


def test_both_processes_draw_the_frames_that_one_would(monkeypatch):
    """What this process draws are the last frames; wherever they are drawn, controls and labels are the same."""
    drawn_here: list[int] = []

    def spied(wanted):
        drawn_here.extend(wanted.frames)
        return draw(wanted)

    draw = background._drawn
    monkeypatch.setattr(background, "_drawn", spied)
    asked, promise = request(frames=9), stated_promise("")
    together = BackgroundPreparation(asked, promise).result()
    alone = prepare(asked, promise)
    assert drawn_here == [6, 7, 8]
    assert list(together.conditions.controls) == list(alone.conditions.controls) == ["sketch"]
    for name, control in alone.conditions.controls.items():
        np.testing.assert_array_equal(together.conditions.controls[name], control)
    for name in ("frame_index", "track_id", "box_px", "amodal_box_px", "visible_fraction", "box3d"):
        np.testing.assert_array_equal(getattr(together.labels, name), getattr(alone.labels, name))


def test_a_process_that_dies_while_it_draws_loses_nothing(monkeypatch):
    def killed(wanted):
        [process] = multiprocessing.active_children()
        process.kill()
        process.join()
        return draw(wanted)

    draw = background._drawn
    monkeypatch.setattr(background, "_drawn", killed)
    asked, promise = request(frames=9), stated_promise("")
    received = BackgroundPreparation(asked, promise).result()
    np.testing.assert_array_equal(received.labels.box_px, prepare(asked, promise).labels.box_px)


def test_errors_of_the_other_process_are_raised_here():
    with pytest.raises(InputError, match="no-such"):
        BackgroundPreparation(request(context="no-such.mp4", context_frames=2), ALL).result()


def test_errors_that_pickling_would_change_are_raised_here_as_they_are(monkeypatch):
    """The error of a missing package is made of three arguments and would be rebuilt from one."""

    def missing(request, promise):
        raise MissingDependencyError("pyarrow", "parquet", "reading the log")

    prepared = BackgroundPreparation(request(context="no-such.mp4", context_frames=2), ALL)
    monkeypatch.setattr(background, "prepare", missing)
    with pytest.raises(MissingDependencyError, match="pyarrow"):
        prepared.result()


def test_a_killed_process_loses_nothing():
    prepared = BackgroundPreparation(request(), ALL)
    [process] = multiprocessing.active_children()
    process.kill()
    assert_same(prepared.result(), prepare(request(), ALL))


def test_facts_are_those_of_the_loaded_model(tmp_path):
    from worldgen.generation.sample.sampler import Sampler

    facts = stated_promise("")
    assert facts == stated_promise("shipped") == Sampler.load().promise
    assert stated_promise(str(tmp_path)) is None
    (tmp_path / "transformer").mkdir()
    (tmp_path / "transformer" / "config.json").write_text(json.dumps({"width_px": 64}))
    assert stated_promise(str(tmp_path)) is None


def test_only_what_was_prepared_for_this_very_request_is_used(monkeypatch):
    """Another model than the one whose facts were read may honour less."""
    from worldgen.generation.sample.sampler import Sampler

    sampler = Sampler.load()
    other = BackgroundPreparation(request(width_px=224, height_px=128, seed=1), ALL)
    prepared = sampler.prepare(request(width_px=224, height_px=128), other)
    assert prepared.conditions.seed == 0
    monkeypatch.setattr(background, "prepare", None)  # what the second process prepared is not prepared again
    assert sampler.prepare(request(width_px=224, height_px=128, seed=1), other).conditions.seed == 1


def test_the_process_that_prepares_loads_no_torch():
    """It has half of a cold start's time; loading torch a second time would take most of that."""
    code = "import sys, worldgen.api.arguments, worldgen.generation.sample.background; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"

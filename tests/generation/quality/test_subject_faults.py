"""Clips without what was ordered: the rest of the picture stays, and halved objects keep their upper half."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from worldgen.core.clip import Clip
from worldgen.core.scenario import Scenario
from worldgen.generation.quality.subject_faults import absent, halved
from worldgen.generation.sample.subjects import ordered_subjects
from worldgen.rendering.labelling import labels_of
from worldgen.rendering.render import render_scene
from worldgen.simulation.simulate import simulate


@pytest.fixture(scope="module")
def crossing():
    """A scene with an ordered pedestrian, its clip, labels and subjects."""
    scene = simulate(Scenario("overcast", "day", "urban", events=("jaywalker",), duration_s=2.0), 4, fps=4.0)
    return scene, render_scene(scene).clip, labels_of(scene), ordered_subjects(scene)


def changed_inside(before, after, boxes, frames, part):
    """Share of pixels that differ, in a part (0 upper, 1 lower) of the boxes."""
    shares = []
    for box, frame in zip(boxes, frames, strict=True):
        x0, y0, x1, y1 = box.astype(int)
        y0, y1 = ((y0, (y0 + y1) // 2), ((y0 + y1 + 1) // 2, y1))[part]
        differs = (before.frames[frame, y0:y1, x0:x1] != after.frames[frame, y0:y1, x0:x1]).any(-1)
        shares.append(differs.mean() if differs.size else 0.0)
    return float(np.mean(shares))


def test_absent_takes_the_subject_away_and_nothing_else(crossing):
    scene, clip, labels, subjects = crossing
    without = absent(clip, scene, subjects)
    mine = subjects[0].rows(labels) & (labels.visible_fraction > 0.9)
    assert mine.sum() >= 4
    assert changed_inside(clip, without, labels.box_px[mine], labels.frame_index[mine], 0) > 0.3
    far = np.ones(clip.frames.shape[:3], bool)  # beyond its shadow
    for box, frame in zip(labels.amodal_box_px[mine], labels.frame_index[mine], strict=True):
        x0, y0, x1, y1 = np.clip(box + np.array([-40, -10, 40, 40]), 0, None).astype(int)
        far[frame, y0:y1, x0:x1] = False
    shown = np.isin(np.arange(len(clip)), labels.frame_index[mine])
    differs = (clip.frames != without.frames).any(-1)
    assert (differs & far)[shown].mean() < 0.02


def test_a_painted_clip_is_painted_without_its_subject_too(crossing):
    scene, clip, _, subjects = crossing
    small = replace(scene, camera=scene.camera.resized(64, 32))
    tiny = Clip(clip.frames[:, :32, :64], clip.fps)
    drawn, painted = (absent(tiny, small, subjects, "raycast", painted=painted) for painted in (False, True))
    assert drawn.frames.shape == painted.frames.shape
    assert 0.5 < np.abs(drawn.frames.astype(int) - painted.frames).mean() < 40  # other pixels, the same picture


def test_halved_keeps_the_upper_half(crossing):
    scene, clip, labels, subjects = crossing
    without = absent(clip, scene, subjects)
    torso = halved(clip, without, labels, subjects)
    mine = subjects[0].rows(labels) & (labels.visible_fraction > 0.9) & (labels.truncation < 0.01)
    boxes, frames = labels.amodal_box_px[mine], labels.frame_index[mine]
    assert changed_inside(clip, torso, boxes, frames, 0) < 0.02
    assert changed_inside(clip, torso, boxes, frames, 1) > 0.2
    assert changed_inside(without, torso, boxes, frames, 1) < 0.02

"""Controls of recorded clips: what pixels and labels give, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.rendering.controls.scenes import FRAMES, street
from worldgen.core.errors import InputError
from worldgen.core.samples import Sample
from worldgen.rendering.controls.clip_controls import clip_controls
from worldgen.rendering.controls.scene_controls import scene_controls


def recorded() -> Sample:
    """The drawn street as if it were a labelled recording."""
    scene, rendering, labels = street()
    return Sample("drive_0", rendering.clip, camera=scene.camera, labels=replace(labels, source="annotated"))


def test_pixels_give_edges_and_blur() -> None:
    scene, rendering, _ = street()
    made = clip_controls(recorded(), ["edge:low", "blur"])
    drawn = scene_controls(scene, rendering, ["edge:low", "blur"], frames=FRAMES)
    assert list(made) == ["edge", "blur"]
    assert all(np.array_equal(made[name], drawn[name]) for name in made)


def test_labels_give_boxes_and_a_map_of_objects() -> None:
    scene, rendering, _ = street()
    made = clip_controls(recorded(), ["wsm", "boxes"])
    drawn = scene_controls(scene, rendering, ["wsm"], frames=FRAMES)["wsm"]
    shown = made["wsm"].any(-1)
    assert shown.any(axis=(1, 2)).all() and made["boxes"].any()
    lights = np.isin(made["wsm"].reshape(-1, 3) @ [1, 256, 65536], [100 * 65793]).reshape(shown.shape)
    same = (made["wsm"] == drawn).all(-1)
    # Float32 boxes of the labels may move an edge by a pixel; the state of lights is not in labels.
    assert same[shown & ~lights].mean() > 0.97


def test_depth_comes_from_the_model_that_is_passed_in() -> None:
    scene, rendering, _ = street()
    inverse = 1 / rendering.depth
    inverse[rendering.depth >= 1000] = 0
    made = clip_controls(recorded(), ["depth"], depth=lambda frames: inverse)["depth"]
    assert np.array_equal(made, scene_controls(scene, rendering, ["depth"], frames=FRAMES)["depth"])
    with pytest.raises(InputError, match="output of the depth model"):
        clip_controls(recorded(), ["depth"], depth=lambda frames: inverse[:1])


def test_what_a_clip_cannot_give_is_refused_by_name() -> None:
    sample = recorded()
    assert sample.labels is not None
    flat = replace(sample.labels, box3d=np.full_like(sample.labels.box3d, np.nan))
    for clip, control, needed in (
        (sample, "seg", "a scene"),
        (sample, "sketch", "a scene"),
        (sample, "edge:geometry", "a scene"),
        (sample, "depth", "estimates depth"),
        (replace(sample, labels=None), "boxes:flat", "labels"),
        (replace(sample, camera=None), "wsm", "a camera"),
        (replace(sample, labels=flat), "boxes", "3-D boxes"),
    ):
        with pytest.raises(InputError, match=f"control of the clip drive_0.*{control}.*{needed}"):
            clip_controls(clip, [control])

"""Controls of a scene lie exactly where the labels are, at the size of the clip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.rendering.controls.scenes import FRAMES, street
from worldgen.core.errors import InputError
from worldgen.core.samples import CONTROLS
from worldgen.rendering.controls.control_table import CONTROL_KINDS, control_choices
from worldgen.rendering.controls.edge_pictures import geometric_edges
from worldgen.rendering.controls.instance_colours import distinct_colours
from worldgen.rendering.controls.scene_controls import scene_controls
from worldgen.rendering.drawing.ground import SEM
from worldgen.rendering.drawn_clips import draw_scene
from worldgen.rendering.labelling import MIN_HEIGHT_PX

EVERY = [name if not v else f"{name}:{v}" for name, kind in CONTROL_KINDS.items() for v in kind.variants or ("",)]


@pytest.mark.parametrize("text", EVERY)
def test_every_control_has_the_size_of_the_clip_and_shows_something(text: str) -> None:
    scene, rendering, _ = street()
    (video,) = scene_controls(scene, rendering, [text], frames=FRAMES).values()
    assert video.dtype == np.uint8 and video.shape == rendering.clip.frames.shape
    assert len(np.unique(video.reshape(-1, 3), axis=0)) > 1


def test_controls_have_the_size_of_another_camera_too() -> None:
    scene, _, _ = street()
    rendering, _ = draw_scene(scene, frames=[0], size=(104, 56))
    for name, video in scene_controls(scene, rendering, CONTROLS, frames=[0]).items():
        assert video.shape == (1, 56, 104, 3), name


def test_seg_has_an_iou_of_one_with_every_instance() -> None:
    scene, rendering, labels = street()
    video = scene_controls(scene, rendering, ["seg"], frames=FRAMES)["seg"]
    colour = video.astype(np.int64) @ np.array([65536, 256, 1])
    seen: dict[int, int] = {}
    for track in np.unique(rendering.instance[rendering.instance != 0]).tolist():
        mask = rendering.instance == track
        colours = np.unique(colour[mask])
        assert len(colours) == 1, track  # one colour in all frames
        assert np.array_equal(colour == colours[0], mask)  # and no other pixel has it: IoU 1.0
        seen[track] = int(colours[0])
    assert len(set(seen.values())) == len(seen) >= 5
    assert (video[rendering.semantic == SEM["sky"]] == 0).all()
    for frame, track, box in zip(labels.frame_index, labels.track_id, labels.box_px, strict=True):
        rows, columns = np.nonzero(colour[frame] == seen.get(int(track), -1))
        if len(rows):  # the labels are the boxes of the colours
            assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == box.tolist()


def test_seg_colours_do_not_depend_on_the_frames_and_follow_the_seed() -> None:
    scene, rendering, _ = street()
    last, _ = draw_scene(scene, frames=[8])
    whole = scene_controls(scene, rendering, ["seg"], frames=FRAMES)["seg"]
    assert np.array_equal(scene_controls(scene, last, ["seg"], frames=[8])["seg"][0], whole[2])
    assert not np.array_equal(scene_controls(scene, rendering, ["seg"], seed=1, frames=FRAMES)["seg"], whole)


def test_distinct_colours_are_distinct() -> None:
    colours = distinct_colours(1500, seed=5)
    assert len(np.unique(colours, axis=0)) == 1500
    assert colours.max(1).min() > 15


def test_depth_is_proportional_to_inverse_depth_with_one_scale() -> None:
    scene, rendering, _ = street()
    video = scene_controls(scene, rendering, ["depth"], frames=FRAMES)["depth"]
    grey = video[..., 0].astype(float)
    assert (video == video[..., :1]).all()
    sky = rendering.semantic == SEM["sky"]
    assert (grey[sky] == 0).all() and (grey[~sky] >= 1).all()
    middle = (grey > 20) & (grey < 255)
    scale = grey[middle] * rendering.depth[middle]
    per_frame = [np.median(scale[(np.nonzero(middle)[0] == k)]) for k in range(3)]
    assert np.ptp(scale) / np.median(scale) < 0.05  # rounding of 1 in 20 at most
    assert np.ptp(per_frame) / per_frame[0] < 0.01
    assert 0 < (grey == 255).mean() < 0.02


def test_geometric_edges_are_those_of_the_day_at_night() -> None:
    scene, rendering, _ = street()
    dark = replace(scene.atmosphere, sun_elevation_rad=-0.5, ambient=0.02, wetness=1.0)
    night, _ = draw_scene(replace(scene, atmosphere=dark), frames=FRAMES)
    assert not np.array_equal(night.clip.frames, rendering.clip.frames)
    day = scene_controls(scene, rendering, ["edge:geometry"], frames=FRAMES)["edge"]
    assert np.array_equal(geometric_edges(night), day)
    assert set(np.unique(day)) == {0, 255}
    assert 0.01 < (day > 0).mean() < 0.25


def test_planes_have_no_edges_and_a_jump_is_marked_on_its_near_side() -> None:
    _, rendering, _ = street()
    rows, columns = np.mgrid[1:41, 1:61].astype(float)
    ground = (1 / (0.002 * rows + 0.0005 * columns)).astype(np.float32)[None]  # a plane, seen at a slant
    ids = np.zeros(ground.shape, np.int32)
    plain = replace(rendering, depth=ground, instance=ids, semantic=ids.astype(np.uint8))
    assert not geometric_edges(plain).any()
    near = ground.copy()
    near[:, 10:30, 20:40] = 3.0
    marked = np.argwhere(geometric_edges(replace(plain, depth=near))[0, ..., 0])
    assert len(marked) and (marked >= (10, 20)).all() and (marked <= (29, 39)).all()


def test_canny_finds_more_with_lower_thresholds() -> None:
    scene, rendering, _ = street()
    shares = [
        float((scene_controls(scene, rendering, [f"edge:{level}"], frames=FRAMES)["edge"] > 0).mean())
        for level in ("very_low", "low", "medium", "high", "very_high")
    ]
    assert shares == sorted(shares, reverse=True) and shares[-1] < shares[0]


@pytest.mark.parametrize("variant", ["bilateral", "down"])
def test_blur_keeps_colours_and_removes_detail(variant: str) -> None:
    scene, rendering, _ = street()
    video = scene_controls(scene, rendering, [f"blur:{variant}"], frames=FRAMES)["blur"].astype(float)
    frames = rendering.clip.frames.astype(float)
    assert np.abs(video.mean((1, 2)) - frames.mean((1, 2))).max() < 2
    assert np.abs(np.diff(video, axis=2)).mean() < 0.6 * np.abs(np.diff(frames, axis=2)).mean()


def test_flat_boxes_are_the_boxes_of_the_labels() -> None:
    scene, rendering, labels = street()
    video = scene_controls(scene, rendering, ["boxes:flat"], frames=FRAMES)["boxes"]
    drawn = (video != 255).any(-1)
    for frame, box, ignore in zip(labels.frame_index, labels.box_px, labels.ignore, strict=True):
        x0, y0, x1, y1 = box.astype(int)
        if not ignore and x1 < 160 and y1 < 96 and y1 - y0 >= MIN_HEIGHT_PX:
            assert drawn[frame, y0 : y1 + 1, x0].mean() > 0.9 and drawn[frame, y0, x0 : x1 + 1].mean() > 0.9


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["flow"], "one of depth, seg, edge, blur, sketch, boxes, wsm"),
        (["edge:strong"], "edge:geometry"),
        (["depth:metres"], "single form"),
        (["edge", "edge:low"], "edge is there twice"),
    ],
)
def test_controls_that_do_not_exist_are_refused(names: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        control_choices(names)


def test_a_rendering_of_other_frames_is_refused() -> None:
    scene, rendering, _ = street()
    with pytest.raises(InputError, match="frames of the rendering"):
        scene_controls(scene, rendering, ["depth"])

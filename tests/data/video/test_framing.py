"""Cropping and resizing: the camera, the boxes and the pixels agree."""

from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError
from worldgen.core.labels import Labels
from worldgen.data.video.framing import framing


def test_same_size_changes_nothing(rng):
    frame = rng.integers(0, 255, (9, 7, 3), dtype=np.uint8)
    same = framing((7, 9), None)
    assert np.array_equal(same.frame(frame), frame)
    assert same.camera(Camera.from_fov(7, 9)) == Camera.from_fov(7, 9)


def test_whole_number_shrink_is_the_area_mean(rng):
    frame = rng.integers(0, 255, (12, 24, 3), dtype=np.uint8)
    small = framing((24, 12), (8, 4)).frame(frame)
    mean = frame.reshape(4, 3, 8, 3, 3).mean((1, 3))
    assert np.abs(small - mean).max() <= 0.51


@pytest.mark.parametrize("size", [(10, 40), (40, 10), (48, 30), (5, 5), (24, 24)])
@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_any_size(size, fit, rng):
    frame = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
    assert framing((24, 24), size, fit=fit).frame(frame).shape == (size[1], size[0], 3)


def test_crop_keeps_proportions_and_stretch_keeps_the_view():
    camera = Camera.from_fov(640, 480, 70.0)
    crop = framing((640, 480), (224, 128)).camera(camera)
    assert crop.fx_px == pytest.approx(crop.fy_px, rel=0.003)
    assert crop.fov_deg == pytest.approx(70.0)
    stretch = framing((640, 480), (224, 128), fit="stretch").camera(camera)
    assert stretch.fx_px / stretch.fy_px == pytest.approx((224 / 640) / (128 / 480))


@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_camera_box_and_pixel_follow_the_same_point(fit):
    """A bright square drawn around a 3-D point is found where the framed camera projects the point."""
    camera = Camera.from_fov(320, 240, 80.0, pitch_rad=0.05)
    frame = np.zeros((240, 320, 3), np.uint8)
    (u, v), _ = camera.project(np.array([20.0, 3.0, 1.0]))
    box = np.array([[np.floor(u) - 6, np.floor(v) - 6, np.floor(u) + 7, np.floor(v) + 7]])
    x0, y0, x1, y1 = box[0].astype(int)
    frame[y0:y1, x0:x1] = 255
    how = framing((320, 240), (112, 64), fit=fit)
    shown = how.frame(frame)[..., 0].astype(float)
    rows, columns = np.mgrid[0:64, 0:112] + 0.5
    found = np.array([(columns * shown).sum(), (rows * shown).sum()]) / shown.sum()
    there, _ = how.camera(camera).project(np.array([20.0, 3.0, 1.0]))
    middle = how.boxes(box)[0].reshape(2, 2).mean(0)
    assert found == pytest.approx(middle, abs=0.05)
    assert found == pytest.approx(there, abs=0.4)  # the square is centred on a pixel, the point is not


def test_labels_follow_and_what_leaves_is_flagged():
    box = np.array([[10, 10, 30, 30], [0, 0, 8, 8], [40, 0, 60, 20]], float)
    labels = Labels(
        num_frames=1, width_px=100, height_px=40, source="annotated", frame_index=np.zeros(3), track_id=np.arange(3),
        class_id=np.zeros(3), box_px=box, amodal_box_px=box, visible_fraction=np.ones(3), occlusion=np.zeros(3),
        truncation=np.zeros(3), box3d=np.full((3, 7), np.nan), ignore=np.zeros(3, bool),
    )  # fmt: skip
    moved = framing((100, 40), (40, 40)).labels(labels)  # the window is x 30 to 70
    assert (moved.width_px, moved.height_px) == (40, 40)
    assert moved.ignore.tolist() == [True, True, False]
    assert moved.box_px[2].tolist() == [10, 0, 30, 20]
    assert moved.truncation.tolist() == [1, 1, 0]
    assert moved.visible_fraction.tolist() == [0, 0, 1]
    half = framing((100, 40), (60, 40)).labels(labels)  # x 20 to 80
    assert half.truncation[0] == pytest.approx(0.5)


@pytest.mark.parametrize("size", [(0, 4), (4,), (4.5, 4), (99999, 4), "ab"])
def test_bad_size(size):
    with pytest.raises(InputError, match="image size"):
        framing((10, 10), size)


def test_bad_fit():
    with pytest.raises(InputError, match="fit"):
        framing((10, 10), (4, 4), fit="squash")

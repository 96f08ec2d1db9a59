from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.data.drives import make_frames, make_variable_video, make_video, write_log
from worldgen.core.errors import InputError
from worldgen.data.ingest.annotations import LabelsConfig
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.logs.ego_log import EgoLogConfig
from worldgen.data.ingest.source_config import CameraConfig, SourceConfig
from worldgen.data.ingest.source_plan import plan_source
from worldgen.data.ingest.sources import find_sources

CONFIG = IngestConfig(fps=10.0, width_px=48, height_px=32, num_frames=8, stride_frames=4)


def plan(root, config=CONFIG, defaults=None):
    (source,) = find_sources([str(root)], {}, defaults or SourceConfig()).sources
    return plan_source(source, config)


def test_windows_of_a_steady_video(tmp_path):
    make_video(tmp_path / "a.mp4", 60, 20.0)  # 30 ticks at 10 fps
    made = plan(tmp_path)
    assert [w.start_tick for w in made.windows] == [0, 4, 8, 12, 16, 20]
    np.testing.assert_array_equal(made.frame_indices(made.windows[1]), np.arange(8, 24, 2))
    assert made.ego(made.windows[0]) is None
    assert made.camera_given is False


def test_short_clips_give_one_short_window_only_when_asked(tmp_path):
    make_video(tmp_path / "a.mp4", 11, 20.0)
    none = plan(tmp_path)
    assert none.windows == ()
    assert "longest run of usable frames is 6 of 8" in none.notes[-1]
    assert [w.num_frames for w in plan(tmp_path, replace(CONFIG, min_frames=5)).windows] == [6]


def test_windows_never_cross_a_gap_in_the_log(tmp_path):
    make_video(tmp_path / "a.mp4", 60, 20.0)
    lines = (write_log(tmp_path / "a.csv", 3.0)).read_text().splitlines()
    (tmp_path / "a.csv").write_text("\n".join([*lines[:6], *lines[9:]]) + "\n")  # rows to 1.0 s and from 2.0 s
    config = SourceConfig(ego=EgoLogConfig(max_gap_s=0.5))
    made = plan(tmp_path, replace(CONFIG, stride_frames=1), config)
    spans = [(w.start_tick, w.start_tick + w.num_frames - 1) for w in made.windows]
    assert spans == [(0, 7), (1, 8), (2, 9), (3, 10), (20, 27), (21, 28), (22, 29)]
    assert any("gap of 1.00 s at 1.00 s" in note for note in made.notes)
    for window in made.windows:
        np.testing.assert_allclose(made.ego(window).speed_mps, 10.0)
        np.testing.assert_allclose(made.ego(window).yaw_rate_radps, np.radians(5.0))
    kept = plan(tmp_path, CONFIG, SourceConfig(ego=EgoLogConfig(max_gap_s=0.5, outside="unknown")))
    assert [made.ego(w) is not None for w in kept.windows] == [True, False, False, False, False, True]


def test_variable_rate_uses_true_frame_times(tmp_path):
    steps = np.random.default_rng(0).integers(40, 90, 60)
    make_variable_video(tmp_path / "a.mp4", [0, *np.cumsum(steps).tolist()])
    speed = 2.0  # metres a second per second: uneven frames show as uneven motion
    times_s = np.arange(0, 5, 0.1)
    rows = "\n".join(f"{t:.3f},{speed * t:.6f},0" for t in times_s)
    (tmp_path / "a.csv").write_text(f"time_s,speed_mps,yaw_rate_radps\n{rows}\n")
    made = plan(tmp_path, replace(CONFIG, fps=10.0))
    assert any("variable frame rate" in note for note in made.notes)
    window = made.windows[2]
    shown_s = made.frame_times_s[made.frame_indices(window)]
    ego = made.ego(window)
    np.testing.assert_allclose(ego.speed_mps[1:], np.diff(shown_s**2) * speed / 2 * 10, rtol=1e-6)
    steady = made.ego(window, at="ticks")
    np.testing.assert_allclose(np.diff(steady.speed_mps), speed / 10, rtol=1e-6)


def test_times_from_the_log_instead_of_the_file(tmp_path):
    make_video(tmp_path / "a.mp4", 31, 20.0)  # the file says 1.5 s
    rows = "\n".join(f"{i},{7 + i * 0.1:.3f},36,0" for i in range(31))  # the log says 3 s, on a clock of its own
    (tmp_path / "a.csv").write_text(f"frame,time_s,speed_kmh,yaw_rate_radps\n{rows}\n")
    made = plan(tmp_path, defaults=SourceConfig(ego=EgoLogConfig(frame_times="log")))
    assert len(made.grid.used) == 31
    np.testing.assert_array_equal(made.frame_indices(made.windows[0]), np.arange(8))
    np.testing.assert_allclose(made.ego(made.windows[0]).speed_mps, 10.0)


def test_slow_windows_are_left_out(tmp_path):
    make_video(tmp_path / "a.mp4", 60, 20.0)
    write_log(tmp_path / "a.csv", speed_kmh=1.8)
    made = plan(tmp_path, replace(CONFIG, min_speed_mps=1.0))
    assert made.windows == ()
    assert "6 windows below 1 m/s left out" in made.notes


def test_a_slow_or_uneven_source_is_told(tmp_path):
    make_video(tmp_path / "a.mp4", 20, 4.0)
    assert any("4 frames per second are fewer than the 10 wanted" in note for note in plan(tmp_path).notes)
    (tmp_path / "b").mkdir()
    make_video(tmp_path / "b" / "a.mp4", 50, 14.0)
    assert any("motion is uneven" in note and "fps 14 shows evenly" in note for note in plan(tmp_path / "b").notes)


def test_speeds_ripple_as_the_frames_shown_do_and_the_rate_without_ripple_is_named(tmp_path):
    make_video(tmp_path / "a.mp4", 91, 30.0)
    rows = "\n".join(f"{k / 30:.6f},{10 * k / 30:.6f},0,0" for k in range(91))  # 10 m/s
    (tmp_path / "a.csv").write_text(f"time_s,x_m,y_m,yaw_rad\n{rows}\n")
    made = plan(tmp_path, replace(CONFIG, fps=8.0))
    ego = made.ego(made.windows[0])
    # Of 30 frames a second, 8 are three or four frames apart: 1 m or 1.33 m, shown as 1/8 s.
    assert set(np.round(ego.speed_mps[1:], 3)) == {8.0, 10.667}
    np.testing.assert_allclose(made.ego(made.windows[0], at="ticks").speed_mps, 10.0, rtol=1e-4)
    assert "frames shown are 100 to 133 ms apart, and speeds ripple as they do: fps 7.5 shows evenly spaced frames" in (
        made.notes
    )
    even = plan(tmp_path, replace(CONFIG, fps=7.5))
    np.testing.assert_allclose(even.ego(even.windows[0]).speed_mps, 10.0, rtol=1e-4)
    assert not any("ripple" in note for note in even.notes)


def test_camera_follows_crop_and_resize(tmp_path):
    make_video(tmp_path / "a.mp4", 20, 20.0, (96, 64))
    given = CameraConfig(fx_px=80, fy_px=80, cx_px=50, cy_px=30, height_m=1.5)
    made = plan(
        tmp_path, replace(CONFIG, width_px=32, height_px=32), SourceConfig(camera=given, crop_px=(10, 0, 80, 60))
    )
    assert (made.frame_of.x0_px, made.frame_of.y0_px, made.frame_of.crop_width_px, made.frame_of.crop_height_px) == (
        20,
        0,
        60,
        60,
    )
    camera = made.camera
    assert (camera.width_px, camera.height_px, camera.height_m) == (32, 32, 1.5)
    assert (camera.fx_px, camera.cx_px, camera.cy_px) == pytest.approx((80 * 32 / 60, 30 * 32 / 60, 30 * 32 / 60))
    with pytest.raises(InputError, match=r"crop_px of a\.mp4.*inside 96x64"):
        plan(tmp_path, CONFIG, SourceConfig(crop_px=(50, 0, 50, 64)))


def test_boxes_follow_frames_crop_and_resize(tmp_path):
    make_video(tmp_path / "a.mp4", 60, 20.0)
    (tmp_path / "boxes.txt").write_text("".join(f"{i},10,20,16\n" for i in range(60)))
    made = plan(tmp_path, CONFIG, SourceConfig(labels=LabelsConfig(path="boxes.txt")))
    labels = made.window_labels(made.windows[1])
    assert (labels.num_frames, labels.width_px, labels.height_px, labels.source) == (8, 48, 32, "annotated")
    np.testing.assert_array_equal(labels.frame_index, np.arange(8))
    x0 = np.arange(8, 24, 2) / 2  # halved by the resize
    np.testing.assert_allclose(labels.box_px, np.stack([x0, x0 * 0 + 5, x0 + 10, x0 * 0 + 13], 1))


def test_pictures_become_samples_of_one_frame(tmp_path):
    make_frames(tmp_path / "images", 4, ".jpg")
    images = [{"id": i, "file_name": f"images/f{i}.jpg", "width": 96, "height": 64} for i in range(4)]
    boxes = [
        {"id": 1, "image_id": 2, "category_id": 1, "bbox": [0, 0, 40, 40]},
        {"id": 2, "image_id": 2, "category_id": 1, "bbox": [0, 0, 96, 1]},
    ]
    record = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "car"}]}
    (tmp_path / "a.coco.json").write_text(json.dumps(record))
    made = plan(tmp_path, replace(CONFIG, fps=1.0, width_px=96, height_px=48))
    assert [(w.start_tick, w.num_frames) for w in made.windows] == [(0, 1), (1, 1), (2, 1), (3, 1)]
    labels = made.window_labels(made.windows[2])
    np.testing.assert_allclose(labels.box_px, [[0, 0, 40, 32]])  # the one above the crop is gone
    assert len(made.window_labels(made.windows[1])) == 0
    images[1]["width"] = 90
    (tmp_path / "a.coco.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"f1\.jpg.*90x64 pixels"):
        plan(tmp_path)


@pytest.mark.parametrize(
    "bad",
    [
        {"fps": 0.0},
        {"width_px": 47},
        {"num_frames": 0},
        {"min_frames": 9},
        {"defaults": SourceConfig(fps=float("nan"))},
        {"stride_frames": 0},
    ],
)
def test_config_is_checked(bad):
    with pytest.raises(InputError):
        replace(CONFIG, **bad)

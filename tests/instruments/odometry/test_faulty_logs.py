"""Logs with one fault each against the pixels of a rendered drive: the setting that is named mends the log."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion, planar_poses
from worldgen.core.scenario import Scenario
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import plan_ingest
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.source_config import CameraConfig, SourceConfig
from worldgen.data.video.encoding import write_clip
from worldgen.instruments.odometry.odometry_reader import read_odometry
from worldgen.rendering.render import render_scene
from worldgen.simulation.simulate import simulate

pytestmark = pytest.mark.slow

CAMERA = Camera.from_fov(384, 216, 65.0, height_m=1.5, pitch_rad=math.radians(3))
FPS, FRAMES = 10.0, 120
TIMES_S = np.arange(FRAMES) / FPS
LOG_S = np.arange(-2.5, 15.0, 0.05)


def speed(times_s):
    return 9 + 2.5 * np.sin(times_s * 0.7) + 0.8 * np.cos(times_s * 1.9)


def yaw_rate(times_s):
    return 0.22 * np.sin(times_s * 1.1) * np.exp(-(((times_s - 5) / 5) ** 2))


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """A folder with a video of a rendered drive, and the motion of its pixels."""
    ego = EgoMotion(speed(TIMES_S), yaw_rate(TIMES_S), FPS)
    scenario = Scenario(road="urban", weather="overcast", duration_s=(FRAMES - 1) / FPS)
    clip = render_scene(simulate(scenario, 11, fps=FPS, num_frames=FRAMES, camera=CAMERA, ego=ego)).clip
    folder = tmp_path_factory.mktemp("drive")
    write_clip(folder / "a.mp4", Clip(clip.frames, FPS), crf=16)
    motion = read_odometry(zip(TIMES_S, clip.frames, strict=True), CAMERA, camera_given=True)
    return folder, motion


def notes_of(drive, log, **settings):
    """What the check of the motion says of the log, a text."""
    folder, motion = drive
    (folder / "a.ego.csv").write_text(log)
    config = IngestConfig(
        fps=FPS, width_px=96, height_px=54, num_frames=8, check_motion=True, verify="headers",
        defaults=SourceConfig(
            camera=CameraConfig(fov_deg=65.0, height_m=1.5), ego=EgoLogConfig(**settings), cuts="ignore", repeats="keep"
        ),
    )  # fmt: skip
    plan = plan_ingest([str(folder)], config, reader=lambda frames, camera, *, camera_given: motion)
    assert not plan.bad, plan.bad
    return [note for note in plan.sources[0].notes if "pixels" in note]


def rates(*, factor=1.0, sign=1.0, shift_s=0.0, names="time_s,speed_mps,yaw_rate_radps"):
    rows = zip(LOG_S + shift_s, factor * speed(LOG_S), sign * yaw_rate(LOG_S), strict=True)
    return "\n".join([names, *(f"{t:.3f},{v:.4f},{w:.5f}" for t, v, w in rows if t >= 0)]) + "\n"


def poses(*, mirrored):
    """Positions and yaw in axes whose y points to the right, where mirrored."""
    times_s = np.arange(0.0, 12.0, 0.05)
    path = planar_poses(EgoMotion(speed(times_s), yaw_rate(times_s), 20.0))[: len(times_s)]
    path[:, 1:] *= -1 if mirrored else 1
    rows = (f"{t:.3f},{x:.4f},{y:.4f},{yaw:.5f}" for t, (x, y, yaw) in zip(times_s, path, strict=True))
    return "\n".join(["time_s,x_m,y_m,yaw_rad", *rows]) + "\n"


def test_a_log_that_fits_has_no_note(drive):
    assert notes_of(drive, rates()) == []
    assert notes_of(drive, poses(mirrored=False), axes="vehicle") == []


def test_a_yaw_rate_that_counts_to_the_right(drive):
    (note,) = notes_of(drive, rates(sign=-1.0))
    assert "turns the other way" in note and note.endswith("ego.yaw_positive: right")
    assert notes_of(drive, rates(sign=-1.0), yaw_positive="right") == []


def test_poses_in_mirrored_axes(drive):
    (note,) = notes_of(drive, poses(mirrored=True), axes="vehicle")
    assert "turns the other way" in note and "ego.axes" in note and "carla" in note
    assert notes_of(drive, poses(mirrored=True), axes="carla") == []


@pytest.mark.parametrize(
    ("factor", "words", "unit"),
    [(3.6, "km/h read as m/s", "kmh"), (2.237, "mph read as m/s", "mph")],
)
def test_a_speed_in_another_unit_than_the_column_says(drive, factor, words, unit):
    (note,) = notes_of(drive, rates(factor=factor), impossible="keep")
    assert words in note and "ego.columns" in note
    assert notes_of(drive, rates(factor=factor), columns={"speed_mps": f"speed_{unit}"}) == []


@pytest.mark.parametrize("shift_s", [-1.0, -0.5, 0.5, 1.0, 2.0])
def test_a_clock_that_is_off(drive, shift_s):
    (note,) = notes_of(drive, rates(shift_s=shift_s))
    assert ("late" if shift_s > 0 else "early") in note
    offset_s = float(note.rsplit("ego.clock_offset_s: ", 1)[1])
    assert offset_s == pytest.approx(-shift_s, abs=0.15)
    assert notes_of(drive, rates(shift_s=shift_s), clock_offset_s=offset_s) == []


def test_without_a_stated_camera_a_log_that_fits_has_no_note(drive):
    folder, motion = drive
    unsure = replace(
        motion, scale_sigma=0.25, speed_sigma_mps=np.hypot(motion.speed_sigma_mps, 0.25 * motion.speed_mps)
    )
    for height in (0.75, 1.0, 1.3):  # of what the reader took for the height
        guessed = replace(unsure, speed_mps=unsure.speed_mps * height)
        assert notes_of((folder, guessed), rates()) == []
        (note,) = notes_of((folder, guessed), rates(factor=3.6), impossible="keep")
        assert "km/h read as m/s" in note

"""Every example of the guide to ingest is taken from its page and run on a small layout of the kind it is for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.data.drives import make_frames, picture, write_log
from tests.data.ingest.test_fleets import video, view
from tests.data.video.test_video_kinds import write
from worldgen.api.datasets import motion_reader
from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.scenario import Scenario
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import IngestPlan, plan_ingest
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.data.video.encoding import write_clip
from worldgen.files.config_files import load_config
from worldgen.rendering.render import render_scene
from worldgen.simulation.simulate import simulate

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guides" / "ingest.md"
EXAMPLES = dict(re.findall(r"<!-- example: (.+?) -->\n```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))
SMALL = ["fps=10", "width_px=48", "height_px=32", "num_frames=8"]


def one_log_a_drive(root: Path) -> None:
    for i in range(2):
        for k, camera in enumerate(("front", "rear")):
            video(root / f"drive_00{i}" / f"{camera}.mp4", 10 * i + k)
        write_log(root / f"drive_00{i}" / "can.csv")


def by_pattern(root: Path) -> None:
    for i, day in enumerate(("mon", "tue")):
        video(root / day / "video" / "a.mp4", i, 30)
        (root / day / "logs").mkdir()
        rows = "\n".join(f"{1.7e9 + 0.25 * t:.2f},36,5" for t in range(12))
        (root / day / "logs" / "log_a_v2.csv").write_text(f"time_s,speed_kmh,yaw_rate_degps\n{rows}\n")
        times = "\n".join(f"{1.7e9 + 0.05 * t:.2f}" for t in range(30))
        (root / day / "a.times.csv").write_text(f"time_s\n{times}\n")
        (root / day / "camera.json").write_text(json.dumps({"fov_deg": 60}))


def pictures(root: Path) -> None:
    make_frames(root / "night" / "frames", 20)
    make_frames(root / "day" / "frames", 20)


def udacity(root: Path) -> None:
    (root / "IMG").mkdir(parents=True)
    rows = []
    for i in range(20):
        stamp = f"2024_01_31_22_05_{51 + i // 10}_{i % 10 * 100:03d}"
        names = [f"{camera}_{stamp}.jpg" for camera in ("center", "left", "right")]
        for name in names:
            assert cv2.imwrite(str(root / "IMG" / name), picture(i))
        rows.append(", ".join([*names, "0.1", "1", "0", "22.37"]))
    (root / "driving_log.csv").write_text("\n".join(rows) + "\n")


def cars(root: Path) -> None:
    for i, name in enumerate(("x/car7-0001", "y/car7-0002", "y/car8-0001")):
        video(root / f"{name}.mp4", i)


def lists(root: Path) -> None:
    for i, name in enumerate(("car1", "car2", "night_tour")):
        video(root / f"{name}.mp4", i)


def defects(root: Path) -> None:
    video(root / "dashcam" / "a.mp4", 0)
    write(root / "broken.mkv", list(view(1, 60)), rate=20)
    data = (root / "broken.mkv").read_bytes()
    (root / "broken.mkv").write_bytes(data[: len(data) * 7 // 10])


def without_logs(root: Path) -> None:
    """A rendered drive, since only a road shows motion."""
    ego = EgoMotion(np.full(25, 8.0), np.full(25, 0.05), 10.0)
    camera = Camera.from_fov(224, 128, 65.0, pitch_rad=0.05)
    scenario = Scenario(road="urban", duration_s=2.4)
    scene = simulate(scenario, 4, fps=10.0, num_frames=25, camera=camera, ego=ego)
    root.mkdir()
    write_clip(root / "a.mp4", render_scene(scene).clip, crf=12)


def drives(plan: IngestPlan) -> dict[str, str]:
    return {made.source.name: made.source.drive for made in plan.sources}


def has_motion(plan: IngestPlan) -> bool:
    return all(made.ego(window) is not None for made in plan.sources for window in made.windows)


CASES = {
    "one log a drive": (one_log_a_drive, lambda plan: has_motion(plan) and drives(plan) == {
        "drive_000/front.mp4": "drive_000_front", "drive_001/front.mp4": "drive_001_front"
    }),
    "by pattern": (by_pattern, lambda plan: has_motion(plan) and all(
        made.source.config.camera.fov_deg == 60 and made.info.begin_s == 1.7e9 for made in plan.sources
    )),
    "pictures at a rate": (pictures, lambda plan: {made.info.fps for made in plan.sources} == {10.0}
                           and drives(plan) == {"day/frames": "day_frames", "night/frames": "night_frames"}),
    "udacity": (udacity, lambda plan: has_motion(plan) and list(drives(plan)) == ["IMG/center"]),
    "drive pattern": (cars, lambda plan: sorted(drives(plan).values()) == ["car7", "car7", "car8"]),
    "lists": (lists, lambda plan: plan.splits == {"car1": "train", "car2": "train", "night_tour": "val"}),
    "defects": (defects, lambda plan: {made.source.name: made.frame_of.crop_height_px for made in plan.sources}
                == {"broken.mkv": 64, "dashcam/a.mp4": 48}),
    "motion from pixels": (without_logs, lambda plan: has_motion(plan) and all(
        made.pixels is not None and made.pixels.reader == "odometry" for made in plan.sources
    )),
}  # fmt: skip


def test_every_example_has_a_case():
    assert set(EXAMPLES) == set(CASES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_does_what_the_page_says(name, tmp_path):
    build, holds = CASES[name]
    root = tmp_path / "drives"
    build(root)
    (tmp_path / "fleet.yaml").write_text(EXAMPLES[name])
    config = load_config(IngestConfig, [tmp_path / "fleet.yaml"], SMALL)
    plan = plan_ingest([str(root)], config, reader=motion_reader(config))
    assert plan.bad == ()
    assert plan.num_windows > 0
    assert holds(plan), f"{drives(plan)}"


def test_the_settings_of_the_table_of_defects_exist():
    table = PAGE.read_text("utf-8").split("## Videos that are not plain")[1].split("<!--")[0]
    settings = "\n".join(row.rsplit("|", 2)[-2] for row in table.splitlines() if "|" in row)
    names = re.findall(r"`(\w+)(?:: \w+)?`", settings)
    assert {"cuts", "repeats", "video_track", "damage", "native_fps", "times_file"} == set(names)
    assert all(hasattr(SourceConfig(), name) for name in names)

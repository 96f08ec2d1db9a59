"""BDD100K on hand-made videos in its layout; numbers are worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tests.data.ingest.test_fleets import video
from worldgen.core.errors import InputError
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import plan_ingest

CONFIG = IngestConfig(fps=10.0, width_px=48, height_px=32, num_frames=8, stride_frames=8, crf=10, dataset="bdd100k")
START_MS = 1_503_828_163_000
METRES_A_DEGREE = 111_195.0  # of latitude, on a sphere of 6,371 km


def make_video(root: Path, split: str, name: str, ride: str | None, seed: int, **changes) -> None:
    """Four seconds northwards at 10 m/s; the phone begins to log half a second before the video."""
    video(root / "videos" / split / f"{name}.mov", seed, 80)
    if ride is None:
        return
    fixes = [
        {"timestamp": START_MS - 500 + 1000 * i, "latitude": 37.7 + 10.0 * i / METRES_A_DEGREE, "longitude": -122.4,
         "course": 0.0, "speed": 10.0 + i, "accuracy": 10}
        for i in range(6)
    ]  # fmt: skip
    record = {"rideID": ride, "startTime": START_MS, "endTime": START_MS + 4000, "locations": fixes, **changes}
    info = root / "info" / "100k" / split / f"{name}.json"
    info.parent.mkdir(parents=True, exist_ok=True)
    info.write_text(json.dumps(record))


def test_rides_splits_and_logs(tmp_path):
    make_video(tmp_path, "train", "a1", "ride-a", 0)
    make_video(tmp_path, "train", "a2", "ride-a", 1)
    make_video(tmp_path, "train", "c1", "ride-c", 2)
    make_video(tmp_path, "val", "b1", "ride-b", 3)
    make_video(tmp_path, "val", "c2", "ride-c", 4)
    make_video(tmp_path, "test", "d1", None, 5)
    plan = plan_ingest([str(tmp_path)], CONFIG)
    assert plan.bad == ()
    assert plan.splits == {
        "ride-a": "train", "ride-c-train": "train", "ride-b": "val", "ride-c-val": "val", "d1": "test"
    }  # fmt: skip
    assert "leak: 1 rides have videos in several splits, as published" in plan.notes
    first = plan.sources[0]
    # Fixes are at -0.5, 0.5, ... s of the video with 10, 11, ... m/s: the speed at t is 10.5 + t, and the mean over the
    # 0.1 s before frame k of the window, at 0.1 k, is 0.05 lower.
    ego = first.ego(first.windows[1])
    np.testing.assert_allclose(ego.speed_mps, 10.5 + 0.1 * np.arange(8, 16) - 0.05, atol=1e-3)
    assert np.abs(ego.yaw_rate_radps).max() < math.radians(0.1)
    assert plan.sources[-1].log is None
    assert first.source.config.licence == "LicenseRef-BDD100K"


def test_bad_files(tmp_path):
    make_video(tmp_path, "train", "a1", "ride-a", 0)
    make_video(tmp_path, "train", "a2", "ride-a", 1, startTime="soon")
    make_video(tmp_path, "train", "a3", "ride-a", 2)
    (tmp_path / "info" / "100k" / "train" / "a3.json").write_text("[")
    plan = plan_ingest([str(tmp_path)], CONFIG)
    assert [p.source.name for p in plan.sources] == ["videos/train/a1.mov"]
    assert "startTime: received 'soon'" in dict(plan.bad)["videos/train/a2.mov"]
    assert "no JSON" in dict(plan.bad)["videos/train/a3.mov"]
    with pytest.raises(InputError, match=r"bdd100k: received .* without videos"):
        plan_ingest([str(tmp_path / "videos")], CONFIG)

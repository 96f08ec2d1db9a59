"""A log that an ingest reads with a config is read by a request with the same config, to the same motion."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.drives import make_video
from tests.generation.sample.promises import accepting
from worldgen.api.arguments import sample_request
from worldgen.core.errors import InputError
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.generation.sample.log_request import settings_of_log
from worldgen.generation.sample.request import prepare, read_ego
from worldgen.models.families import native_promise

PROMISE = native_promise(("context", "text", "ego"), size_px=(64, 32), fps=10.0)


def can_log(path):
    """Two seconds of a drive on a boot clock: 36 km/h, and 6 degrees per second to the right."""
    rows = "\n".join(f"{46400 + i / 10:.1f};36,0;6,0" for i in range(30))
    path.write_text("boot;v;gyro\n" + rows + "\n")
    return path


SETTINGS = {
    "defaults": {
        "times_file": "times.csv",
        "ego": {
            "columns": {"boot": "time_s", "v": "speed_kmh", "gyro": "yaw_rate_degps"}, "decimal": "comma",
            "yaw_positive": "right",
        },
    }
}  # fmt: skip


def test_the_config_of_an_ingest_reads_the_log_of_a_request(tmp_path):
    log = can_log(tmp_path / "drive.ego.csv")
    (tmp_path / "times.csv").write_text("time_s\n" + "\n".join(f"{46400.5 + i / 20:.2f}" for i in range(40)))
    request = sample_request(PROMISE, "a street", ego=str(log), frames=12, ego_config=SETTINGS)
    ego = read_ego(request)
    np.testing.assert_allclose(ego.speed_mps, 10.0)
    np.testing.assert_allclose(ego.yaw_rate_radps, -np.radians(6.0))
    with pytest.raises(InputError, match=r"times_file: received 'times\.csv'"):
        (tmp_path / "times.csv").unlink()
        read_ego(request)


def test_the_entry_of_the_video_wins_over_the_defaults():
    stated = SourceConfig(ego=EgoLogConfig(clock_offset_s=1.0))
    config = IngestConfig(sources={"day1/*.mp4": stated, "night.mp4": SourceConfig(native_fps=5.0)})
    assert settings_of_log(config, "/x/day1/a.ego.csv").ego == stated.ego
    assert settings_of_log(config, "/x/day2/a.ego.csv").ego is None
    assert settings_of_log(config, "/x/logs/can7.csv", "/x/night.mp4").native_fps == 5.0


def test_rows_of_frames_take_the_times_of_the_video(tmp_path):
    make_video(tmp_path / "drive.mp4", 40, fps=20)
    log = tmp_path / "drive.ego.csv"
    log.write_text("speed_mps,yaw_rate_degps\n" + "\n".join(f"{i / 10},0" for i in range(40)))
    config = {"defaults": {"ego": {"clock": "frames"}}}
    asked = {"ego": str(log), "frames": 10, "ego_config": config}
    request = sample_request(PROMISE, context=str(tmp_path / "drive.mp4"), context_frames=2, **asked)
    np.testing.assert_allclose(read_ego(request).speed_mps[1:], np.arange(1, 10) / 5 - 0.1, atol=1e-6)
    with pytest.raises(InputError, match=r"a row per frame, and no times; expected native_fps or times_file"):
        read_ego(sample_request(PROMISE, "a street", **asked))
    config["defaults"]["native_fps"] = 10
    np.testing.assert_allclose(
        read_ego(sample_request(PROMISE, "a street", **asked)).speed_mps[1:], np.arange(1, 10) / 10 - 0.05
    )


def test_what_the_log_says_about_itself_is_kept(tmp_path):
    log = tmp_path / "a.csv"
    rows = [f"{i / 10},{abs(i % 2) or ''},0" for i in range(-1, 38)]
    log.write_text("\n".join(["time_s,speed_mps,yaw_rate_degps", *rows]))
    prepared = prepare(sample_request(PROMISE, "a street", ego=str(log), frames=9), accepting("text", "ego"))
    assert prepared.notes["ego_log"] == ["column speed_mps: 19 of 39 rows without a value, read between the others"]


@pytest.mark.parametrize("ego", ["brake", "", "(1, 0), (2, 0)"])
def test_settings_without_a_log_are_refused(ego):
    with pytest.raises(InputError, match=r"ego_config: received settings of a log, and no log"):
        read_ego(sample_request(PROMISE, "a street", ego=ego, frames=9, ego_config={}))

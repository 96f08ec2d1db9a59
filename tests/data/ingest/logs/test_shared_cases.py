"""Logs of public sets and threads that failed or misled before; see the README beside them."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.data.ingest.logs.clocks import clock_notes, read_times
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import read_ego_log
from worldgen.data.ingest.logs.motion_from_log import motion_from_log

pytestmark = pytest.mark.slow


@pytest.fixture
def cases(shared_dir):
    folder = shared_dir / "cases" / "logs"
    if not folder.is_dir():
        pytest.skip(f"needs the logs in {folder}")
    return folder


def read(path, times=None, duration_s=8.0, fps=10.0, **settings):
    """Speed, yaw rate, their times in seconds of the video, and all notes."""
    config = EgoLogConfig(**settings)
    stamps = np.arange(0, duration_s, 1 / fps) if times is None else read_times(times)
    start_s = None if times is None else float(stamps[0])
    log = read_ego_log(path, config, frames_s=None if times is None else (stamps[0], stamps[-1]))
    motion = motion_from_log(log, config, stamps - stamps[0], start_s)
    at_s = np.arange(max(motion.valid_s[0], 0) + 0.2, min(motion.valid_s[1], stamps[-1] - stamps[0]), 1 / fps)
    at_s = at_s[motion.covers(at_s)]
    ego = motion.ego(at_s, fps, before_s=at_s[0] - 1 / fps)
    return (
        ego.speed_mps,
        ego.yaw_rate_radps,
        at_s,
        " / ".join([*log.notes, *motion.notes, *clock_notes(log, motion, stamps - stamps[0])]),
    )


def test_airsim(cases):
    path = cases / "airsim_real" / "images.ego.tsv"
    columns = {f"POS_{a.upper()}": f"{a}_m" for a in "xyz"} | {"Speed": "speed_mps", "Steering": "steering_unit"}
    said = read(path, duration_s=50, columns=columns, clock="first_row")[3]
    assert "column TimeStamp read in ms" in said and "ego.axes names others" in said
    assert "column Speed is 2.05 times the speed of POS_X and POS_Y" in said
    columns["Speed"] = "ignore"
    speed, yaw_rate, at_s, said = read(path, duration_s=50, columns=columns, clock="first_row", axes="airsim")
    rows = list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))
    clock = np.array([float(row["TimeStamp"]) for row in rows]) / 1000
    steering = np.interp(at_s, clock - clock[0], [float(row["Steering"]) for row in rows])
    assert np.corrcoef(yaw_rate, steering * speed)[0, 1] < -0.7
    assert "opposite" not in said


def test_carla(cases):
    path = cases / "carla_lefthanded" / "carla.ego.csv"
    speed, yaw_rate, _, said = read(path, axes="carla")
    np.testing.assert_allclose(speed, 10.0, atol=0.01)
    np.testing.assert_allclose(yaw_rate, -0.2, atol=1e-3)
    assert not said.replace("log ends", "")
    assert "ego.axes names others" in read(path)[3]
    assert "turn opposite ways" in read(path, yaw_positive="right")[3]


def test_clocks_that_join(cases):
    comma = {"columns": {"t": "time_s", "speed": "speed_mps", "steering_angle": "steering_wheel_deg"}}
    folder = cases / "comma2k19_can"
    speed, _, at_s, _ = read(
        folder / "video.ego.csv",
        folder / "frame_times.csv",
        wheelbase_m=2.7,
        steering_ratio=15.0,
        axes="comma",
        **comma,
    )
    logged = np.loadtxt(folder / "video.ego.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(speed, np.interp(at_s - 0.05 + 46408.547498, logged[:, 0], logged[:, 1]), atol=0.15)
    folder = cases / "nuscenes_vehicle_monitor"
    columns = {"vehicle_speed": "speed_kmh", "yaw_rate": "yaw_rate_degps", "steering": "ignore"}
    speed, yaw_rate, _, said = read(folder / "scene-0001.ego.json", folder / "times.csv", columns=columns)
    np.testing.assert_allclose(speed, 30 / 3.6)
    np.testing.assert_allclose(yaw_rate, np.radians(-1.2))
    assert "column utime read in us" in said
    speed, *_ = read(cases / "av2b" / "log1.ego.parquet", cases / "av2b" / "times.csv")
    np.testing.assert_allclose(speed, 10.0, atol=1e-3)


def test_kitti_raw(cases):
    folder = cases / "kitti_raw"
    speed, yaw_rate, *_ = read(folder / "oxts", folder / "image_02" / "timestamps.txt", format="kitti_oxts")
    np.testing.assert_allclose(speed, 10.5)
    np.testing.assert_allclose(yaw_rate, 0.02)


def test_phone_marks_of_no_value(cases):
    columns = {"longitude": "lon_deg", "latitude": "lat_deg", "course": "heading_deg", "speed": "speed_mps"}
    speed, yaw_rate, at_s, said = read(cases / "bdd_loc" / "a.ego.json", columns=columns, clock="first_row")
    assert at_s[0] >= 2 and np.ptp(speed) < 1e-9 and speed[0] == pytest.approx(10.5) and np.abs(yaw_rate).max() < 1e-9
    assert "2 rows of -1 taken as no value, the first at record 1" in said
    assert len(json.loads((cases / "bdd_loc" / "a.ego.json").read_text())) == 9


@pytest.mark.parametrize(("name", "limit"), [("gps_10hz", 0.006), ("gps_1hz", 0.006)])
def test_gps_course_is_as_quiet_as_a_gyroscope(cases, name, limit):
    speed, yaw_rate, *_ = read(cases / name / "drive.ego.csv", duration_s=59)
    assert np.sqrt((yaw_rate**2).mean()) < limit
    assert speed.min() > 7 and speed.max() < 22


@pytest.mark.parametrize("name", ["decimal_comma", "units_row", "comments", "blanks", "fixed_names", "iso"])
def test_tables(cases, name):
    path = cases / name / ("can.csv" if name == "fixed_names" else "drive.ego.csv")
    speed, yaw_rate, *_ = read(path, clock="first_row" if name == "iso" else "video")
    expected = {"blanks": (10.0, 0.010), "iso": (10.0, np.radians(0.5)), "fixed_names": (10.0, np.radians(0.5))}
    by_name = expected.get(name, (36.5 / 3.6, np.radians(0.5)))
    np.testing.assert_allclose(speed, by_name[0])
    np.testing.assert_allclose(yaw_rate, by_name[1])


def test_what_needs_a_setting_says_which(cases):
    with pytest.raises(InputError, match=r"log from 2024-05-01T10:00:00Z.*ego\.clock: first_row"):
        read(cases / "iso" / "drive.ego.csv")
    with pytest.raises(InputError, match=r"line 1: received values where the names.*ego\.column_names.*7 columns"):
        read(cases / "udacity" / "driving_log.csv")
    names = ("-", "-", "-", "steering_unit", "-", "-", "speed_mph")
    config = EgoLogConfig(column_names=names, clock="frames", wheelbase_m=2.7, steering_max_rad=0.44, axes="airsim")
    log = read_ego_log(cases / "udacity" / "driving_log.csv", config)
    assert len(log) == 80 and log.series["speed"][0] == pytest.approx(8.44 * 0.44704)

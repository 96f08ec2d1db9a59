from __future__ import annotations

import math

import numpy as np
import pytest

from worldgen.core.ego import EgoMotion, planar_poses
from worldgen.core.errors import InputError
from worldgen.data.ingest.frame_grid import resample
from worldgen.data.ingest.logs.clocks import clock_notes
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import EgoLog
from worldgen.data.ingest.logs.motion_from_log import motion_from_log

FRAMES_S = np.arange(101) / 10  # ten seconds at 10 fps


RATE, SPEED = 0.3, 6.0


def log_of(times_s, **series):
    series = {name: np.asarray(values, float) for name, values in series.items()}
    times_s = np.asarray(times_s, float)
    return EgoLog("drive.csv", times_s, series, {name: f"{name}_unit" for name in series}, (), times_s)


def circle_log(times_s, **extra):
    yaw = RATE * times_s
    return log_of(times_s, x=SPEED / RATE * np.sin(yaw), y=SPEED / RATE * (1 - np.cos(yaw)), yaw=yaw, **extra)


def ego_of(motion, times_s, fps=10.0):
    return motion.ego(np.asarray(times_s), fps, before_s=times_s[0] - 1 / fps)


def test_poses_on_another_clock_give_the_exact_circle():
    motion = motion_from_log(circle_log(np.arange(0, 10.7, 0.37)), EgoLogConfig(), FRAMES_S)
    ego = ego_of(motion, FRAMES_S[20:60])
    np.testing.assert_allclose(ego.speed_mps, SPEED, rtol=1e-9)
    np.testing.assert_allclose(ego.yaw_rate_radps, RATE, rtol=1e-9)
    assert motion.speed_from == motion.yaw_rate_from == "planar poses"


def test_measured_rates_win_over_poses_and_are_averaged_over_the_step():
    times_s = np.arange(0, 10.5, 0.5)
    motion = motion_from_log(circle_log(times_s, speed=2 * times_s), EgoLogConfig(), FRAMES_S)
    assert motion.speed_from == "column speed_unit"
    assert motion.yaw_rate_from == "planar poses"
    ego = ego_of(motion, FRAMES_S[10:20])
    np.testing.assert_allclose(ego.speed_mps, 2 * (FRAMES_S[10:20] - 0.05), rtol=1e-9)  # mean over the step before
    np.testing.assert_allclose(ego.yaw_rate_radps, RATE, rtol=1e-9)


def test_motion_from_uneven_frames_leads_to_where_the_frames_were_taken():
    motion = motion_from_log(circle_log(np.arange(0, 11, 0.25)), EgoLogConfig(), FRAMES_S)
    times_s = np.array([1.0, 1.07, 1.22, 1.30, 1.44])
    ego = motion.ego(times_s, 10.0, before_s=0.9)
    true = planar_poses(EgoMotion(np.full(2, SPEED), np.full(2, RATE), 1.0))
    assert true.shape == (2, 3)
    yaw = RATE * (times_s - times_s[0])
    expected = np.stack([SPEED / RATE * np.sin(yaw), SPEED / RATE * (1 - np.cos(yaw)), yaw], 1)
    np.testing.assert_allclose(planar_poses(ego), expected, atol=1e-9)


def test_distance_is_kept_whatever_the_log_rate(rng):
    times_s = np.sort(rng.uniform(0.01, 10.0, 60))
    times_s[[0, -1]] = 0.0, 10.0
    speed = rng.uniform(0, 20, 60)
    motion = motion_from_log(log_of(times_s, speed=speed, yaw_rate=0 * speed), EgoLogConfig(max_gap_s=5.0), FRAMES_S)
    ego = ego_of(motion, FRAMES_S)
    assert ego.speed_mps[1:].sum() / 10 == pytest.approx(
        np.trapezoid(speed, times_s) if hasattr(np, "trapezoid") else np.trapz(speed, times_s)
    )
    assert ego.speed_mps[0] == pytest.approx(speed[0])  # nothing before the log: the value at its start


def test_bicycle_model_turns_the_known_circle():
    times_s = np.arange(0, 11.0)
    config = EgoLogConfig(wheelbase_m=2.7)
    log = log_of(times_s, speed=np.full(11, SPEED), steering=np.full(11, math.atan(2.7 * RATE / SPEED)))
    ego = ego_of(motion_from_log(log, config, FRAMES_S), FRAMES_S)
    np.testing.assert_allclose(ego.yaw_rate_radps, RATE, rtol=1e-12)
    impossible = log_of(times_s, speed=np.full(11, 60.0), steering=np.full(11, 1.0))
    with pytest.raises(InputError, match=r"turns the car by 34.6 rad/s"):
        motion_from_log(impossible, config, FRAMES_S)


def test_gps_on_a_circle_with_and_without_heading():
    times_s = np.arange(0, 10.2, 0.2)
    yaw = RATE * times_s
    east, north = SPEED / RATE * np.sin(yaw), SPEED / RATE * (1 - np.cos(yaw))
    lat, lon = 48 + np.degrees(north / 6366197.7), 11 + np.degrees(east / 6388837.6) / math.cos(math.radians(48))
    for extra, name in (({}, "GPS course"), ({"heading": math.pi / 2 - yaw}, "GPS with heading")):
        motion = motion_from_log(log_of(times_s, lat=lat, lon=lon, **extra), EgoLogConfig(), FRAMES_S)
        ego = ego_of(motion, FRAMES_S[20:80])
        assert motion.speed_from == motion.yaw_rate_from == name
        np.testing.assert_allclose(ego.speed_mps, SPEED, rtol=5e-3)
        np.testing.assert_allclose(ego.yaw_rate_radps, RATE, rtol=5e-3)


def test_compass_headings_turn_clockwise():
    times_s = np.arange(0, 11.0)
    log = log_of(times_s, speed=np.full(11, SPEED), heading=6.2 + RATE * times_s)
    ego = ego_of(motion_from_log(log, EgoLogConfig(), FRAMES_S), FRAMES_S[10:20])
    np.testing.assert_allclose(ego.yaw_rate_radps, -RATE, rtol=1e-9)
    np.testing.assert_allclose(ego.speed_mps, SPEED)


def test_unknown_motion_is_refused_with_the_way_out():
    log = log_of([0, 5, 10], speed=[1, 1, 1])
    with pytest.raises(InputError, match=r"drive\.csv: received no yaw rate.*assume_yaw_rate_radps: 0\.0"):
        motion_from_log(log, EgoLogConfig(), FRAMES_S)
    motion = motion_from_log(log, EgoLogConfig(assume_yaw_rate_radps=0.0), FRAMES_S)
    assert motion.yaw_rate_from == "assumed 0 rad/s"
    for series in ({"yaw_rate": [0, 0, 0]}, {"yaw": [0, 0, 0]}):
        with pytest.raises(InputError, match="no speed"):
            motion_from_log(log_of([0, 5, 10], **series), EgoLogConfig(), FRAMES_S)


def test_positions_in_the_wrong_unit_are_noticed():
    times_s = np.arange(0, 11.0)
    with pytest.raises(InputError, match=r"row 2 of the data: received a step of 6000 m/s"):
        motion_from_log(log_of(times_s, x=6000 * times_s, y=0 * times_s, yaw=0 * times_s), EgoLogConfig(), FRAMES_S)


def test_gaps_and_ends_of_the_log_are_not_used():
    times_s = np.concatenate([np.arange(0.55, 3.05, 0.1), np.arange(6.0, 9.0, 0.1)])
    log = log_of(times_s, speed=np.ones(len(times_s)), yaw_rate=np.zeros(len(times_s)))
    motion = motion_from_log(log, EgoLogConfig(max_gap_s=0.5), FRAMES_S)
    assert motion.gaps() == [(pytest.approx(2.95), 6.0)]
    grid = resample(FRAMES_S, 10.0, motion)
    assert grid.spans == ((6, 30), (60, 90))
    assert not motion.covers_span(2.9, 6.1)
    assert motion.covers_span(1.0, 2.0)
    notes = " ".join(clock_notes(log, motion, FRAMES_S))
    assert "log starts 0.55 s after the video" in notes
    assert "log ends 1.10 s before the video" in notes
    assert "log gap of 3.05 s at 2.95 s" in notes


def test_valid_span_limits_what_is_known():
    log = log_of([0, 5, 10], speed=[1, 1, 1])
    config = EgoLogConfig(assume_yaw_rate_radps=0.0, valid_s=(2.0, 4.0), max_gap_s=6)
    motion = motion_from_log(log, config, FRAMES_S)
    assert resample(FRAMES_S, 10.0, motion).spans == ((20, 41),)


def test_columns_at_rates_of_their_own_are_read_between_their_own_rows():
    """A gyro at 50 Hz, wheel speed at 1 Hz and poses at 2 Hz in one table."""
    times_s = np.arange(0, 10.01, 0.02)
    speed = np.where(np.arange(len(times_s)) % 50 == 0, 5 + times_s, np.nan)
    motion = motion_from_log(log_of(times_s, speed=speed, yaw_rate=0 * times_s + 0.1), EgoLogConfig(), FRAMES_S)
    ego = ego_of(motion, FRAMES_S[20:60])
    np.testing.assert_allclose(ego.speed_mps, 5 + FRAMES_S[20:60] - 0.05, rtol=1e-9)
    np.testing.assert_allclose(ego.yaw_rate_radps, 0.1, rtol=1e-9)
    assert not motion.gaps()
    yaw = np.where(np.arange(len(times_s)) % 25 == 0, RATE * times_s, np.nan)
    sparse = log_of(times_s, x=SPEED / RATE * np.sin(yaw), y=SPEED / RATE * (1 - np.cos(yaw)), yaw=yaw, speed=speed)
    ego = ego_of(motion_from_log(sparse, EgoLogConfig(), FRAMES_S), FRAMES_S[20:60])
    np.testing.assert_allclose(ego.yaw_rate_radps, RATE, rtol=1e-9)
    np.testing.assert_allclose(ego.speed_mps, 5 + FRAMES_S[20:60] - 0.05, rtol=1e-9)


def test_a_long_blank_in_one_column_is_a_gap_of_the_motion():
    times_s = np.arange(0, 10.05, 0.1)
    speed = np.where((times_s > 3.05) & (times_s < 5.95), np.nan, 7.0)
    motion = motion_from_log(log_of(times_s, speed=speed, yaw_rate=0 * times_s), EgoLogConfig(), FRAMES_S)
    assert motion.gaps() == [(pytest.approx(3.0), pytest.approx(6.0))]
    late = np.where(times_s < 1.95, np.nan, 7.0)
    motion = motion_from_log(log_of(times_s, speed=late, yaw_rate=0 * times_s), EgoLogConfig(), FRAMES_S)
    assert motion.valid_s == (pytest.approx(2.0), pytest.approx(10.0))


def test_noisy_gps_says_over_which_time_the_course_was_taken(rng):
    times_s = np.arange(0, 40, 0.1)
    lat, lon = 48 + 15 * times_s / 111_200 + rng.normal(scale=1e-6, size=400), 11 + rng.normal(scale=1e-6, size=400)
    motion = motion_from_log(log_of(times_s, lat=lat, lon=lon), EgoLogConfig(), FRAMES_S)
    assert any("yaw rate from the course over" in note for note in motion.notes)
    ego = ego_of(motion, FRAMES_S[20:90])
    assert np.sqrt((ego.yaw_rate_radps**2).mean()) < 0.02  # of neighbouring rows: 0.5
    np.testing.assert_allclose(ego.speed_mps, 15, atol=1.0)
    wide = lon + rng.normal(scale=3e-5, size=400)
    poor = motion_from_log(log_of(times_s, lat=lat, lon=wide), EgoLogConfig(), FRAMES_S)
    assert any("the yaw rate from positions is noise of about 0." in note for note in poor.notes)


def test_positions_from_the_centre_of_the_earth_need_a_rotation():
    """A point at 49 degrees north; a UTM northing of 6.37 million metres is no such position."""
    times_s = np.arange(0, 10.1, 0.5)
    way = 8.0 * times_s
    earth = log_of(times_s, x=4_190_000 + 0 * way, y=way, z=4_790_000 + way)
    with pytest.raises(InputError, match="centre of the Earth"):
        motion_from_log(earth, EgoLogConfig(), FRAMES_S)
    utm = log_of(times_s, x=500_000 + way, y=6_350_000 + way, z=120 + 0 * way)
    assert motion_from_log(utm, EgoLogConfig(), FRAMES_S).speed_from == "course of positions"

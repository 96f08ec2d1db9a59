from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import EgoLog, read_ego_log
from worldgen.data.ingest.logs.motion_from_log import motion_from_log
from worldgen.data.ingest.logs.plausibility import position_jumps

TIMES_S = np.arange(0, 30.05, 0.1)
FRAMES_S = np.arange(0, 30, 0.1)


def motion_of(config=None, **series):
    series = {name: np.asarray(values, float) for name, values in series.items()}
    log = EgoLog("drive.csv", TIMES_S, series, {name: name for name in series}, (), TIMES_S)
    return motion_from_log(log, config or EgoLogConfig(), FRAMES_S)


def straight(speed=10.0):
    return np.stack([speed * TIMES_S, 0 * TIMES_S], 1)


def test_cornering_beyond_the_grip_of_tyres_is_left_out_with_its_row():
    rate = np.where((TIMES_S > 10) & (TIMES_S < 11.95), 1.69, 0.0)  # at 10 m/s: 1.7 g
    motion = motion_of(speed=np.full(301, 10.0), yaw_rate=rate)
    ((start_s, stop_s),) = motion.impossible
    assert 9.7 < start_s < 10.3 and 11.7 < stop_s < 12.3
    assert not motion.covers(np.array([11.0]))[0] and motion.covers(np.array([9.5, 12.5])).all()
    assert any("row 10" in note and "a lateral acceleration of" in note and "tyres" in note for note in motion.notes)


def test_hard_driving_and_noise_of_rows_are_possible(rng):
    circle = motion_of(speed=np.full(301, 15.0), yaw_rate=np.full(301, 0.6))  # 0.92 g
    assert not circle.impossible
    braking = motion_of(speed=np.maximum(30 - np.maximum(TIMES_S - 10, 0) * 10, 0), yaw_rate=0 * TIMES_S)
    assert not braking.impossible
    noisy = motion_of(speed=20 + rng.normal(scale=0.5, size=301), yaw_rate=rng.normal(scale=0.3, size=301))
    assert not noisy.impossible
    coarse = motion_of(speed=np.round(10 + 3 * np.sin(TIMES_S)), yaw_rate=0 * TIMES_S)  # a display of whole m/s
    assert not coarse.impossible


def test_a_speed_that_jumps_is_left_out():
    motion = motion_of(speed=np.where(TIMES_S < 15, 30.0, 2.0), yaw_rate=0 * TIMES_S)
    assert len(motion.impossible) == 1 and motion.impossible[0][0] < 15 < motion.impossible[0][1]
    assert any("a speed that changes by -" in note for note in motion.notes)


def test_a_log_that_is_mostly_impossible_is_refused_with_a_row():
    with pytest.raises(
        InputError, match=r"drive\.csv, row 2 of the data: received a lateral .*100 % of the log.*units"
    ):
        motion_of(speed=np.full(301, 30.0), yaw_rate=np.full(301, 2.0))
    with pytest.raises(InputError, match=r"a yaw rate of .*rad/s"):
        motion_of(speed=np.full(301, 1.0), yaw=5.0 * TIMES_S * 1.1)


def test_positions_that_jump_away_and_back_are_left_out():
    position = straight()
    position[100] += [0, 40]
    position[200] += [-30, 10]
    motion = motion_of(x=position[:, 0], y=position[:, 1])
    assert "2 jumps of positions away and back left out" in motion.notes
    ego = motion.ego(FRAMES_S[50:250], 10.0, before_s=FRAMES_S[49])
    np.testing.assert_allclose(ego.speed_mps, 10.0, rtol=1e-6)
    np.testing.assert_allclose(ego.yaw_rate_radps, 0.0, atol=1e-6)


def test_positions_that_jump_and_stay_break_the_motion():
    position = straight()
    position[150:] += [0, 25]
    motion = motion_of(x=position[:, 0], y=position[:, 1])
    assert motion.row_gaps == ((pytest.approx(14.9), pytest.approx(15.0)),)
    assert not motion.covers_span(14.5, 15.5) and motion.covers_span(15.0, 25.0)
    np.testing.assert_allclose(motion.ego(FRAMES_S[160:250], 10.0, before_s=FRAMES_S[159]).yaw_rate_radps, 0, atol=1e-6)


def test_braking_is_no_jump():
    speed = np.maximum(20 - np.maximum(TIMES_S - 10, 0) * 9, 0)
    x = np.concatenate([[0], np.cumsum(speed[:-1] * 0.1)])
    outliers, breaks = position_jumps(TIMES_S, np.stack([x, 0 * x], 1))
    assert not outliers.any() and not breaks


def phone_log(path, rows):
    path.write_text("time_s,lat_deg,lon_deg,speed_mps,course_deg\n" + "\n".join(rows))
    return path


def test_minus_one_means_no_value_on_phones(tmp_path):
    rows = [f"{i},48,{11 + 1.4e-4 * i:.7f},{-1 if i < 2 else 10.4},{-1 if i < 2 else 90}" for i in range(10)]
    log = read_ego_log(phone_log(tmp_path / "a.csv", rows))
    assert np.isnan(log.series["speed"][:2]).all() and np.isnan(log.series["heading"][:2]).all()
    assert "column speed_mps: 2 rows of -1 taken as no value, the first at line 2" in log.notes
    motion = motion_from_log(log, EgoLogConfig(), np.arange(10.0))
    assert motion.valid_s[0] == 2.0 and not motion.covers(np.array([1.0]))[0]
    np.testing.assert_allclose(motion.ego(np.arange(2.0, 9), 1.0, before_s=1.0).yaw_rate_radps, 0, atol=1e-9)


def test_a_car_in_reverse_keeps_its_minus_one(tmp_path):
    rows = [f"{i},48,{11 + 1.4e-4 * i:.7f},{-1 - i % 2},90" for i in range(10)]
    assert not np.isnan(read_ego_log(phone_log(tmp_path / "a.csv", rows)).series["speed"]).any()


def test_no_fix_and_stated_marks_of_no_value(tmp_path):
    rows = [
        f"{i},{0 if i == 3 else 48},{0 if i == 3 else 11 + 1.4e-4 * i:.7f},{-999 if i == 5 else 10},90"
        for i in range(10)
    ]
    path = phone_log(tmp_path / "a.csv", rows)
    with pytest.raises(InputError, match=r"line 7, column speed_mps: received -999.*ego\.no_value: \[-999\]"):
        read_ego_log(path)
    log = read_ego_log(path, EgoLogConfig(no_value=(-999.0,)))
    assert np.isnan(log.series["speed"][5]) and np.isnan(log.series["lat"][3])
    assert "1 position at latitude 0, longitude 0 taken as no fix, the first at line 5" in log.notes


@pytest.mark.parametrize("value", ["-3.6", "-1"])
def test_a_converted_minus_one_is_no_value_either(tmp_path, value):
    rows = [f"{i},{value if i in (0, 4) else 36},0.1" for i in range(10)]
    (tmp_path / "a.csv").write_text("\n".join(["time_s,speed_kmh,yaw_rate_degps", *rows]))
    assert np.isnan(read_ego_log(tmp_path / "a.csv").series["speed"]).sum() == 2


def test_a_heading_beyond_the_circle_is_no_value(tmp_path):
    rows = [f"{i},48,{11 + 1.4e-4 * i:.7f},10,{511 if i == 4 else 90}" for i in range(10)]
    log = read_ego_log(phone_log(tmp_path / "a.csv", rows))
    assert np.flatnonzero(np.isnan(log.series["heading"])).tolist() == [4]
    unwrapped = [f"{i},48,{11 + 1.4e-4 * i:.7f},10,{350 + 5 * i}" for i in range(10)]
    assert not np.isnan(read_ego_log(phone_log(tmp_path / "a.csv", unwrapped)).series["heading"]).any()


@pytest.mark.parametrize("heading", [False, True])
def test_positions_of_one_a_second_written_ten_times_a_second(heading):
    """Drives for 20 s, then stands for 10 s: no jumps, no gap at the end, and the speed of the drive."""
    held_s = np.floor(TIMES_S + 1e-9)
    east_m = 10 * np.minimum(held_s, 20)
    series = {"lat": 0 * TIMES_S + 48, "lon": 11 + east_m / 74_625}
    motion = motion_of(**series, **({"heading": 0 * TIMES_S + np.pi / 2} if heading else {}))
    assert not motion.impossible and not motion.gaps()
    assert any("the position is that of the row above" in note for note in motion.notes)
    ego = motion.ego(FRAMES_S[10:180], 10.0, before_s=FRAMES_S[9])
    np.testing.assert_allclose(ego.speed_mps, 10.0, atol=0.05)
    standing = motion.ego(FRAMES_S[230:290], 10.0, before_s=FRAMES_S[229])
    np.testing.assert_allclose(standing.speed_mps, 0.0, atol=1e-9)


def test_a_standing_car_does_not_turn_with_its_gps_course(rng):
    moving = TIMES_S < 20
    heading = np.where(moving, np.pi / 2, rng.uniform(0, 2 * np.pi, len(TIMES_S)))
    east_m = 10 * np.minimum(TIMES_S, 20)
    for speed in ({}, {"speed": np.where(moving, 10.0, 0.0)}):
        motion = motion_of(lat=0 * TIMES_S + 48, lon=11 + east_m / 74_625, heading=heading, **speed)
        ego = motion.ego(FRAMES_S[215:290], 10.0, before_s=FRAMES_S[214])
        np.testing.assert_allclose(ego.yaw_rate_radps, 0.0, atol=1e-9)


def test_a_simulator_may_grip_more_than_tyres():
    rate = np.where((TIMES_S > 10) & (TIMES_S < 11.95), 1.69, 0.0)
    kept = motion_of(EgoLogConfig(impossible="keep"), speed=np.full(301, 10.0), yaw_rate=rate)
    assert not kept.impossible and "beyond the grip of tyres are used (ego.impossible: keep)" in kept.notes[0]
    with pytest.raises(InputError, match=r"a yaw rate of .*ego\.impossible"):
        motion_of(EgoLogConfig(impossible="keep"), speed=np.full(301, 1.0), yaw=5.5 * TIMES_S)

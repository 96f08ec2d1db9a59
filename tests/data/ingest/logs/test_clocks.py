from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.data.ingest.logs.clocks import clock_notes, frame_times_from_log
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import EgoLog
from worldgen.data.ingest.logs.motion_from_log import motion_from_log

FRAMES_S = np.arange(101) / 10  # ten seconds at 10 fps


def log_of(times_s, **series):
    series = {name: np.asarray(values, float) for name, values in series.items()}
    times_s = np.asarray(times_s, float)
    return EgoLog("drive.csv", times_s, series, {name: f"{name}_unit" for name in series}, (), times_s)


def test_clock_offset_first_row_and_clocks_that_never_meet():
    epoch = 1.7e9 + np.arange(0, 11.0)
    log = log_of(epoch, speed=np.ones(11), yaw_rate=np.zeros(11))
    with pytest.raises(InputError, match=r"log and video that overlap in time: set ego\.clock_offset_s"):
        clock_notes(log, motion_from_log(log, EgoLogConfig(), FRAMES_S), FRAMES_S)
    shifted = motion_from_log(log, EgoLogConfig(clock="first_row", clock_offset_s=0.25), FRAMES_S)
    assert (shifted.times_s[0], shifted.times_s[-1]) == (0.25, 10.25)


def test_drift_between_one_row_per_frame_and_the_video_is_reported():
    times_s = FRAMES_S * 1.02
    log = log_of(times_s, speed=np.ones(101), yaw_rate=np.zeros(101))
    notes = clock_notes(log, motion_from_log(log, EgoLogConfig(), FRAMES_S), FRAMES_S)
    assert any("+2.00 % against the video's: ego.frame_times: log" in note for note in notes)


def test_frame_times_from_the_log():
    log = log_of([10.0, 10.1, 10.1, 10.4], speed=np.ones(4))
    times_s = frame_times_from_log(log, 4)
    np.testing.assert_allclose(times_s, [0, 0.1, 0.1, 0.4], atol=2e-6)
    assert (np.diff(times_s) > 0).all()
    with pytest.raises(InputError, match=r"4 rows; expected one row for each of the 5 frames"):
        frame_times_from_log(log, 5)


def test_frame_times_follow_the_frame_column():
    rows = np.array([0.0, 0.1, 0.3])
    log = EgoLog("drive.csv", rows, {"speed": np.ones(3)}, {}, (), rows, np.array([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(frame_times_from_log(log, 3), rows)
    gone = EgoLog("drive.csv", rows, {"speed": np.ones(3)}, {}, (), rows, np.array([0.0, 1.0, 3.0]))
    with pytest.raises(InputError, match="for frames 0 to 3"):
        frame_times_from_log(gone, 3)


def test_kitti_poses_need_one_row_per_frame():
    log = EgoLog("poses.txt", None, {"matrix": np.tile(np.eye(4), (5, 1, 1))}, {"matrix": "3x4 rows"})
    with pytest.raises(InputError, match="5 rows; expected 101"):
        motion_from_log(log, EgoLogConfig(format="kitti_poses"), FRAMES_S)

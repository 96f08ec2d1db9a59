from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.data.ingest.logs.clocks import clock_notes, frame_times_from_log, read_times
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import EgoLog, read_ego_log
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


def motion_notes(log, start_s=None, **settings):
    motion = motion_from_log(log, EgoLogConfig(**settings), FRAMES_S, start_s)
    return motion.times_s, list(motion.notes)


@pytest.mark.parametrize("start_s", [46408.5, 1532402927.612, 315978406.03])
def test_two_absolute_clocks_join(start_s):
    log = log_of(start_s - 0.3 + np.arange(0, 11.0), speed=np.ones(11), yaw_rate=np.zeros(11))
    times_s, notes = motion_notes(log, start_s)
    assert times_s[0] == pytest.approx(-0.3, abs=1e-6) and not notes
    shifted, _ = motion_notes(log, start_s, clock_offset_s=0.5)
    assert shifted[0] == pytest.approx(0.2, abs=1e-6)


def test_a_log_from_zero_beside_absolute_frame_times_counts_from_the_first_frame():
    log = log_of(np.arange(0, 11.0), speed=np.ones(11), yaw_rate=np.zeros(11))
    times_s, notes = motion_notes(log, 1.7e9)
    assert times_s[0] == 0 and "count from the first frame" in notes[0]
    near = log_of(np.arange(0, 30.0), speed=np.ones(30), yaw_rate=np.zeros(30))
    assert motion_notes(near, 5.0)[0][0] == -5.0  # both on one clock that began before the frames
    assert motion_notes(near, 5.0, clock="first_frame")[0][0] == 0.0


@pytest.mark.parametrize(
    ("apart_s", "words"),
    [
        (7200.0, r"moved by \+2 h, a time zone: ego\.time_zone"),
        (-5.5 * 3600, r"moved by -5\.5 h, a time zone"),
        (18.2, "18 s are the difference of GPS time and UTC"),
        (500.0, r"ego\.clock: first_row when the log starts with the video$"),
    ],
)
def test_clocks_that_do_not_meet_name_the_likely_cause(apart_s, words):
    log = log_of(1.7e9 + np.arange(0, 11.0), speed=np.ones(11), yaw_rate=np.zeros(11))
    with pytest.raises(InputError, match=words) as error:
        motion_notes(log, 1.7e9 + apart_s)
    assert "log from 2023-11-14T22:13:20Z, video from 2023-11-" in str(error.value)


@pytest.mark.parametrize(
    ("text", "first_s"),
    [
        (
            "2011-09-26 13:02:25.594360375\n2011-09-26 13:02:25.697960375\n2011-09-26 13:02:25.801560375\n",
            1317042145.594,
        ),
        ("time_ns\n315978406032859416\n315978406082859416\n315978406132859416\n", 315978406.033),
        ("1532402927612460\n1532402927695793\n1532402927779126\n", 1532402927.612),
        (
            "stamp;exposure\n2024-05-01T12:00:00,5Z;1\n2024-05-01T12:00:00,6Z;1\n2024-05-01T12:00:00,7Z;1\n",
            1714564800.5,
        ),
    ],
)
def test_files_of_frame_times(tmp_path, text, first_s):
    (tmp_path / "timestamps.txt").write_text(text)
    times_s = read_times(tmp_path / "timestamps.txt", 3)
    assert times_s[0] == pytest.approx(first_s, abs=1e-3) and (np.diff(times_s) < 0.11).all()
    with pytest.raises(InputError, match="3 rows; expected 4"):
        read_times(tmp_path / "timestamps.txt", 4)


def test_frame_times_without_a_unit_are_refused(tmp_path):
    (tmp_path / "t.txt").write_text("0\n1\n2\n")
    with pytest.raises(InputError, match=r"times file t\.txt, column 'time': received no unit"):
        read_times(tmp_path / "t.txt", 3)


def test_the_frames_settle_the_unit_of_a_clock_without_one(tmp_path):
    (tmp_path / "a.csv").write_text(
        "t,speed_mps,yaw_rate_radps\n" + "\n".join(f"{46408.5 + i / 10},1,0" for i in range(30))
    )
    with pytest.raises(InputError, match="column 't': received no unit"):
        read_ego_log(tmp_path / "a.csv")
    log = read_ego_log(tmp_path / "a.csv", frames_s=(46409.0, 46410.0))
    assert log.times_s[0] == 46408.5 and "column t read in s: so it meets the clock of the frames" in log.notes[0]


def test_rows_of_frames_are_at_the_frames():
    log = EgoLog("a.csv", None, {"speed": np.arange(101.0), "yaw_rate": np.zeros(101)}, {"speed": "v", "yaw_rate": "w"})
    times_s, _ = motion_notes(log, clock="frames")
    np.testing.assert_array_equal(times_s, FRAMES_S)
    with pytest.raises(InputError, match="frame numbers out of order"):
        motion_notes(EgoLog("a.csv", None, log.series, log.columns, frame=np.arange(101.0)[::-1]), clock="frames")


def test_many_gaps_are_summed_up():
    times_s = np.concatenate([np.arange(0, 1, 0.1) + 3 * k for k in range(9)])
    log = log_of(times_s, speed=np.ones(90), yaw_rate=np.zeros(90))
    notes = clock_notes(log, motion_from_log(log, EgoLogConfig(), FRAMES_S * 3), FRAMES_S * 3)
    assert sum("log gap of 2.10 s" in note for note in notes) == 5
    assert any("3 more log gaps, the longest of all of 2.10 s" in note for note in notes)

from __future__ import annotations

import numpy as np
import pytest

from worldgen.data.ingest.frame_grid import resample
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import EgoLog
from worldgen.data.ingest.logs.motion_from_log import motion_from_log

FRAMES_S = np.arange(101) / 10  # ten seconds at 10 fps


def log_of(times_s, **series):
    series = {name: np.asarray(values, float) for name, values in series.items()}
    times_s = np.asarray(times_s, float)
    return EgoLog("drive.csv", times_s, series, {name: f"{name}_unit" for name in series}, (), times_s)


def test_a_gap_between_two_ticks_still_parts_them():
    times_s = np.concatenate([np.arange(0, 5.02, 0.01), np.arange(5.08, 10, 0.01)])
    log = log_of(times_s, speed=np.ones(len(times_s)), yaw_rate=np.zeros(len(times_s)))
    motion = motion_from_log(log, EgoLogConfig(max_gap_s=0.05), FRAMES_S)
    spans = resample(FRAMES_S, 10.0, motion).spans
    assert [stop for _, stop in spans][:1] == [51]
    assert all(not start < 51 < stop for start, stop in spans)


def test_resample_takes_the_nearest_frame_once():
    grid = resample(np.arange(0, 2, 1 / 30), 8.0, None)
    np.testing.assert_array_equal(grid.frame_index[:5], [0, 4, 7, 11, 15])
    assert grid.error_s == pytest.approx(1 / 60)
    assert grid.spans == ((0, 16),)


def test_a_hole_in_a_variable_rate_video_parts_the_spans():
    times_s = np.concatenate([np.arange(0, 1.01, 0.1), np.arange(2.0, 3.01, 0.1)])
    grid = resample(times_s, 10.0, None)
    assert grid.spans == ((0, 11), (20, 31))
    assert (grid.frame_index[11:20] == -1).all()


def test_a_source_slower_than_the_target_gives_no_run():
    grid = resample(np.arange(0, 10.0), 8.0, None)
    assert max(stop - start for start, stop in grid.spans) == 1

from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.data.ingest.logs.clocks import read_times
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import read_ego_log
from worldgen.data.ingest.logs.motion_from_log import motion_from_log

CONFIG = EgoLogConfig(format="kitti_oxts")


def drive(folder, rows=20):
    """KITTI raw: a time a line, a file of 30 numbers each; 8 m/s, 0.1 rad/s to the left, facing east at first."""
    (folder / "oxts" / "data").mkdir(parents=True)
    stamps = "\n".join(f"2011-09-26 13:02:{25 + i / 10:012.9f}" for i in range(rows))
    (folder / "oxts" / "timestamps.txt").write_text(stamps + "\n")
    (folder / "times.txt").write_text(stamps + "\n")
    for i in range(rows):
        yaw = 0.1 * i / 10
        numbers = [
            49 + 80 * (1 - np.cos(yaw)) / 111_210,
            8.4 + 80 * np.sin(yaw) / 73_170,
            116,
            0,
            0,
            yaw,
            0,
            8,
            8,
            *[0] * 10,
            0.1,
        ]
        line = " ".join(f"{value:.9g}" for value in [*numbers, *[0] * (30 - len(numbers))])
        (folder / "oxts" / "data" / f"{i:010d}.txt").write_text(line + "\n")
    return folder / "oxts"


def test_records_of_kitti_raw(tmp_path):
    log = read_ego_log(drive(tmp_path), CONFIG)
    times_s = read_times(tmp_path / "times.txt", 20)
    motion = motion_from_log(log, CONFIG, times_s - times_s[0], float(times_s[0]))
    assert motion.times_s[0] == pytest.approx(0, abs=1e-6)
    ego = motion.ego(motion.times_s[5:15], 10.0, before_s=motion.times_s[4])
    np.testing.assert_allclose(ego.speed_mps, 8.0, rtol=1e-5)  # stamps of 1970 have 0.2 us
    np.testing.assert_allclose(ego.yaw_rate_radps, 0.1, rtol=1e-5)
    assert not motion.notes  # speed, yaw rate, yaw and positions agree


def test_damaged_records(tmp_path):
    oxts = drive(tmp_path)
    (oxts / "data" / "0000000003.txt").write_text("1 2 3\n")
    with pytest.raises(InputError, match=r"OXTS file 0000000003\.txt: received 3 numbers; expected 30"):
        read_ego_log(oxts, CONFIG)
    (oxts / "data" / "0000000003.txt").unlink()
    with pytest.raises(InputError, match=r"20 times, 19 files; expected one file per time"):
        read_ego_log(oxts, CONFIG)
    (oxts / "timestamps.txt").unlink()
    with pytest.raises(InputError, match=r"expected timestamps\.txt and data"):
        read_ego_log(oxts, CONFIG)

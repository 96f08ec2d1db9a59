"""Text tables as loggers write them: read where there is one reading, else refused with line and setting."""

from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import read_ego_log

PLAIN = "time_s,speed_kmh,yaw_rate_degps\n0.0,36.5,0.5\n0.1,36.5,0.5\n0.2,36.5,0.5\n"
SAME = {
    "comments": "# logger v3\n// car 12\n" + PLAIN + "% end\n",
    "blank lines": PLAIN.replace("\n0.1", "\n\n  \n,,\n0.1"),
    "semicolons": PLAIN.replace(",", ";"),
    "tabs": PLAIN.replace(",", "\t"),
    "bars": PLAIN.replace(",", " | "),
    "blanks": PLAIN.replace(",", "   "),
    "a byte order mark and line ends of Windows": "\ufeff" + PLAIN.replace("\n", "\r\n"),
    "decimal commas": PLAIN.replace(",", ";").replace(".", ","),
    "decimal commas in quotes": "time_s,speed_kmh,yaw_rate_degps\n"
    + "".join(f'"0,{i}","36,5","0,5"\n' for i in range(3)),
    "units row": "time,speed,yaw_rate\ns,km/h,deg/s\n" + PLAIN.split("\n", 1)[1],
    "units row in brackets": "time,speed,yaw_rate,note\n[s],[km/h],[°/s],\n"
    + PLAIN.split("\n", 1)[1].replace("0.5\n", "0.5,x\n"),
    "units in the header": "Time (s),Speed [km/h],Yaw Rate (deg/s)\n" + PLAIN.split("\n", 1)[1],
    "a mark for Excel": "sep=;\n" + PLAIN.replace(",", ";"),
    "columns without a name": "".join(f",{line},,\n" for line in PLAIN.split()),
    "header in a comment": "# " + PLAIN,
    "header in a comment, other marks": "# time_s speed_kmh yaw_rate_degps\n" + PLAIN.split("\n", 1)[1],
    "header of rostopic": "%" + PLAIN,
    "thousandths with commas": PLAIN.replace(",", ";").replace("36.5", "36,500").replace(".", ","),
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "txt"])
@pytest.mark.parametrize("case", SAME)
def test_every_spelling_reads_the_same(tmp_path, case, suffix):
    (tmp_path / f"a.{suffix}").write_text(SAME[case], newline="")
    log = read_ego_log(tmp_path / f"a.{suffix}")
    np.testing.assert_allclose(log.times_s, [0, 0.1, 0.2], atol=1e-12)
    np.testing.assert_allclose(log.series["speed"], 36.5 / 3.6, rtol=1e-12)
    np.testing.assert_allclose(log.series["yaw_rate"], np.radians(0.5), rtol=1e-12)


def test_sixteen_bit_text(tmp_path):
    (tmp_path / "a.csv").write_bytes(PLAIN.encode("utf-16"))
    assert len(read_ego_log(tmp_path / "a.csv")) == 3


def test_tables_without_a_header(tmp_path):
    path = tmp_path / "driving_log.csv"
    path.write_text(
        "c\\1.jpg, l\\1.jpg, 0.0, 0, 8.4\nc\\2.jpg, l\\2.jpg, 0.1, 0, 8.6\nc\\3.jpg, l\\3.jpg, 0.2, 0, 8.8\n"
    )
    with pytest.raises(InputError, match=r"line 1: received values where the names.*ego\.column_names.*the 5 columns"):
        read_ego_log(path)
    log = read_ego_log(path, EgoLogConfig(column_names=("-", "-", "time_s", "yaw_rate_radps", "speed_mps")))
    np.testing.assert_allclose(log.series["speed"], [8.4, 8.6, 8.8])
    with pytest.raises(InputError, match=r"line 1: received 5 cells; expected 2, as in ego\.column_names"):
        read_ego_log(path, EgoLogConfig(column_names=("time_s", "speed_mps")))
    with pytest.raises(InputError, match=r"ego\.column_names.*every name once"):
        EgoLogConfig(column_names=("time_s", "time_s"))


def test_rows_of_frames_need_no_times(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("steering_rad,speed_mps\n0,1\n0,2\n0,3\n")
    with pytest.raises(InputError, match=r"a time column.*ego\.clock: frames"):
        read_ego_log(path, EgoLogConfig(wheelbase_m=2.7))
    log = read_ego_log(path, EgoLogConfig(wheelbase_m=2.7, clock="frames"))
    assert log.times_s is None and len(log) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time_s;speed_mps\n0;1,234\n1;1,500\n", r"line 2, column speed_mps: received '1,234'.*ego\.decimal: comma"),
        ("time_s;speed_mps\n0;1,5\n1;2.5\n", r"line 2, column speed_mps: received '1,5'"),
        ("time,speed\ns,furlong/h\n0,1\n1,1\n", "column 'speed': received no unit"),
        ("time,speed_kmh\ns,m/s\n0,1\n1,1\n", r"received kmh in its name, mps in the table.*ego\.columns"),
        ("time,speed\nlater,fast\n0,1\n1,1\n", "columns 'time', 'speed': received no units"),
        ("time_s,speed_mps\n# all\n", "0 rows; expected at least two"),
    ],
)
def test_what_is_not_certain_is_refused(tmp_path, text, words):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=words) as error:
        read_ego_log(tmp_path / "a.csv")
    assert "a.csv" in str(error.value)


def test_the_setting_decides_on_thousandths(tmp_path):
    (tmp_path / "a.csv").write_text("time_s;speed_mps\n0;1,234\n1;1,500\n")
    np.testing.assert_allclose(
        read_ego_log(tmp_path / "a.csv", EgoLogConfig(decimal="comma")).series["speed"], [1.234, 1.5]
    )


def test_numbers_of_lines_count_comments(tmp_path):
    (tmp_path / "a.csv").write_text("# one\n\ntime_s,speed_mps\n0,1\n# two\n1,fast\n")
    with pytest.raises(InputError, match=r"a\.csv, line 6, column speed_mps: received 'fast'"):
        read_ego_log(tmp_path / "a.csv")

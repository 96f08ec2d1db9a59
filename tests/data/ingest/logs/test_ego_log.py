from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worldgen.core.errors import InputError
from worldgen.data.ingest.logs.clocks import read_times
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import read_ego_log

ROWS = {
    "time_ms": [0, 500, 1000],
    "speed_kmh": [36.0, 72.0, 18.0],
    "yaw_rate_degps": [0.0, 90.0, -9.0],
    "note": [1, 2, 3],
}


def write(path, columns):
    names = list(columns)
    lines = [",".join(names), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_all(folder):
    write(folder / "a.csv", ROWS)
    (folder / "b.json").write_text(
        json.dumps([dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)])
    )
    (folder / "c.json").write_text(json.dumps(ROWS))
    with open(folder / "d.parquet", "wb") as file:
        pq.write_table(pa.table(ROWS), file)
    (folder / "e.csv").write_text("\ufeff" + (folder / "a.csv").read_text().replace(",", ";").replace("\n", "\r\n"))
    return [folder / name for name in ("a.csv", "b.json", "c.json", "d.parquet", "e.csv")]


def test_every_format_reads_the_same_in_si_units(tmp_path):
    for path in write_all(tmp_path):
        log = read_ego_log(path)
        np.testing.assert_allclose(log.times_s, [0, 0.5, 1], rtol=1e-12)
        np.testing.assert_allclose(log.series["speed"], [10, 20, 5], rtol=1e-12)
        np.testing.assert_allclose(log.series["yaw_rate"], np.radians([0, 90, -9]), rtol=1e-12)
        assert log.unused == ("note",)
        assert log.columns["speed"] == "speed_kmh"


BAD = {
    "text in numbers": (
        "time_s,speed_mps\n0,1\n1,fast\n",
        r"a\.csv, line 3, column speed_mps: received 'fast'; expected a number",
    ),
    "empty cell": ("time_s,speed_mps\n0,1\n1,\n", r"line 3, column speed_mps: received an empty cell"),
    "times that go back": (
        "time_s,speed_mps\n0,1\n2,1\n1.5,1\n",
        r"line 4, column time_s: received 1.5, before the row above \(2\)",
    ),
    "too few rows": ("time_s,speed_mps\n0,1\n", "1 rows; expected at least two rows"),
    "no rows": ("time_s,speed_mps\n", "0 rows; expected at least two rows"),
    "one stamp": ("time_s,speed_mps\n1,1\n1,1\n", "one distinct time stamp"),
    "empty file": ("", "an empty file"),
    "not finite": (
        "time_s,speed_mps\n0,1\n1,-inf\n",
        "line 3, column speed_mps: received -inf; expected a finite number",
    ),
    "one value": ("time_s,speed_mps\n0,1\n1,nan\n", r"line 3, column speed_mps: received an empty cell \(1 values"),
    "a time without a value": ("time_s,speed_mps\n0,1\n,1\n2,1\n", "line 3, column time_s: received an empty cell"),
    "infinite time": ("time_s,speed_mps\n0,1\ninf,1\n", "line 3, column time_s"),
    "wrong units": (
        "time_s,speed_mps\n0,1\n1,130\n",
        r"line 3, column speed_mps: received 130, which is 130 m/s.*is the unit in the column name right",
    ),
    "yaw rate in degrees": (
        "time_s,speed_mps,yaw_rate_radps\n0,1,0\n1,1,25\n",
        "line 3, column yaw_rate_radps.*25 rad/s",
    ),
    "no unit": ("time_s,speed\n0,1\n1,1\n", r"a\.csv, column 'speed': received no unit; expected one of speed_mps"),
    "duplicate column": ("time_s,speed_mps,speed_mps\n0,1,1\n1,1,1\n", "column 'speed_mps': received twice"),
    "rival columns": ("time_s,speed_mps,speed_kmh\n0,1,1\n1,1,1\n", "both give speed"),
    "no time": ("speed_mps\n0\n1\n", "a time column such as time_s"),
    "no motion": ("time_s,throttle\n0,1\n1,1\n", r"no motion column \(unused: throttle\)"),
    "ragged": ("time_s,speed_mps\n0,1\n1\n", "line 3: received 1 cells; expected 2"),
    "half a position": ("time_s,x_m\n0,1\n1,1\n", "only one of x and y"),
    "latitude": ("time_s,lat_deg,lon_deg\n0,91,0\n1,91,0\n", "column lat_deg"),
    "quaternion": (
        "time_s,x_m,y_m,z_m,qw,qx,qy,qz\n0,0,0,0,1,0,0,0\n1,0,0,0,2,0,0,0\n",
        "line 3.*length 2; expected a unit quaternion",
    ),
    "part of a quaternion": ("time_s,x_m,y_m,qw\n0,0,0,1\n1,0,0,1\n", "qw qx qy qz together with"),
    "steering without wheelbase": ("time_s,speed_mps,steering_deg\n0,1,1\n1,1,1\n", r"ego\.wheelbase_m"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_log_is_one_clear_line(tmp_path, case):
    text, expected = BAD[case]
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=expected) as error:
        read_ego_log(path)
    assert "\n" not in str(error.value)
    assert "a.csv" in str(error.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('[{"time_s": 0, "speed_mps": 1}, {"time_s": 1}]', "record 2, column speed_mps: received an empty cell"),
        ('{"time_s": [0, 1], "speed_mps": [1]}', "different lengths"),
        ('[{"time_s": 0, "time_s": 1, "speed_mps": 1}]', "column time_s: received twice"),
        ('[{"time_s": 0, "speed_mps": true}, {"time_s": 1, "speed_mps": 1}]', "record 1, column speed_mps"),
        ('[{"time_s": 0, "speed_mps": null}, {"time_s": 1, "speed_mps": 1}]', "record 1.*an empty cell"),
        ("{", "no JSON"),
        ("3", "a JSON int"),
    ],
)
def test_bad_json(tmp_path, content, expected):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=expected):
        read_ego_log(tmp_path / "a.json")


def test_files_that_are_something_else(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match="not Parquet"):
        read_ego_log(tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_bytes(b"\xff\x00\x01")
    with pytest.raises(InputError, match="not text"):
        read_ego_log(tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"expected a file \.csv"):
        read_ego_log(tmp_path / "missing.csv")


def test_repeated_stamps_are_dropped_and_counted(tmp_path):
    log = read_ego_log(
        write(tmp_path / "a.csv", {"time_s": [0, 1, 1, 2], "speed_mps": [0, 1, 9, 2], "frame": [0, 1, 2, 3]})
    )
    assert log.num_duplicates == 1
    np.testing.assert_array_equal(log.times_s, [0, 1, 2])
    np.testing.assert_array_equal(log.series["speed"], [0, 1, 2])
    np.testing.assert_array_equal(log.row_times_s, [0, 1, 1, 2])
    np.testing.assert_array_equal(log.frame, [0, 1, 2, 3])


def test_steering_conventions(tmp_path):
    path = write(tmp_path / "a.csv", {"time_s": [0, 1], "speed_mps": [5, 5], "steering_wheel_deg": [0, 150]})
    with pytest.raises(InputError, match="steering_ratio"):
        read_ego_log(path, EgoLogConfig(wheelbase_m=2.7))
    log = read_ego_log(path, EgoLogConfig(wheelbase_m=2.7, steering_ratio=15, steering_positive="right"))
    np.testing.assert_allclose(log.series["steering"], [0, -math.radians(10)])
    unit = write(tmp_path / "b.csv", {"time_s": [0, 1], "speed_mps": [5, 5], "steering_unit": [0, -1]})
    with pytest.raises(InputError, match="steering_max_rad"):
        read_ego_log(unit, EgoLogConfig(wheelbase_m=2.7))
    log = read_ego_log(
        unit, EgoLogConfig(wheelbase_m=2.7, steering_max_rad=math.radians(25), steering_positive="right")
    )
    np.testing.assert_allclose(log.series["steering"], [0, math.radians(25)])
    hand = write(tmp_path / "c.csv", {"time_s": [0, 1], "speed_mps": [5, 5], "steering_deg": [0, 150]})
    with pytest.raises(InputError, match=r"line 3.*front-wheel angle of 150 degrees.*hand wheel"):
        read_ego_log(hand, EgoLogConfig(wheelbase_m=2.7))


def test_yaw_positive_right_flips_yaw_and_yaw_rate(tmp_path):
    path = write(tmp_path / "a.csv", {"time_s": [0, 1], "speed_mps": [5, 5], "yaw_rate_radps": [0, 0.5]})
    np.testing.assert_allclose(read_ego_log(path, EgoLogConfig(yaw_positive="right")).series["yaw_rate"], [0, -0.5])


def test_kitti_rows(tmp_path):
    path = tmp_path / "poses.txt"
    path.write_text("1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 0.5 0 1 0 0 0 0 1 2\n")
    log = read_ego_log(path, EgoLogConfig(format="kitti_poses"))
    np.testing.assert_array_equal(log.series["matrix"][1][:3, 3], [0.5, 0, 2])
    for text, expected in [
        ("1 2 3\n", "line 1: received 3 numbers"),
        ("2 0 0 0 0 1 0 0 0 0 1 0\n", "no rotation"),
        ("a " * 12, "text in numbers"),
        ("1 0 0 0 0 1 0 0 0 0 1 0\n", "1 rows"),
    ]:
        path.write_text(text)
        with pytest.raises(InputError, match=expected):
            read_ego_log(path, EgoLogConfig(format="kitti_poses"))


def test_frame_times_file(tmp_path):
    path = write(tmp_path / "t.csv", {"time_ns": [5_000_000_000, 5_100_000_000, 5_250_000_000]})
    np.testing.assert_allclose(read_times(path, 3), [5.0, 5.1, 5.25])  # on its own clock
    with pytest.raises(InputError, match="3 rows; expected 4 increasing times"):
        read_times(path, 4)
    with pytest.raises(InputError, match="a time column"):
        read_times(write(tmp_path / "u.csv", {"a": [1, 2]}), 2)


@pytest.mark.parametrize(
    "bad",
    [
        {"wheelbase_m": 0.0},
        {"clock_offset_s": math.nan},
        {"assume_yaw_rate_radps": 50.0},
        {"max_gap_s": -1.0},
        {"valid_s": (3.0, 2.0)},
    ],
)
def test_config_is_checked(bad):
    with pytest.raises(InputError, match="ego." + next(iter(bad))):
        EgoLogConfig(**bad)


@pytest.mark.parametrize(
    "odd",
    [
        pa.array([0, 1, 2]).cast(pa.timestamp("ns")),
        pa.array([0, 1, 2]).cast(pa.timestamp("us", "Mars/Olympus")),
        pa.array([2**62] * 3).cast(pa.timestamp("us")),
        pa.array([2**31 - 1] * 3, pa.date32()),
        pa.StringArray.from_buffers(3, pa.py_buffer(np.arange(4, dtype=np.int32)), pa.py_buffer(b"\xff\xfe\xfd")),
    ],
)
def test_parquet_columns_that_are_not_used_may_hold_anything(tmp_path, odd):
    """Python has no type for nanoseconds, unknown time zones, years beyond 9999 and bytes that are not UTF-8."""
    columns = {name: pa.array(values) for name, values in ROWS.items()}
    pq.write_table(pa.table(columns | {"stamp": odd}), tmp_path / "a.parquet")
    assert "stamp" in read_ego_log(tmp_path / "a.parquet").unused
    pq.write_table(pa.table(columns | {"speed_kmh": odd}), tmp_path / "b.parquet")
    try:
        read_ego_log(tmp_path / "b.parquet")
    except InputError as error:
        assert "speed_kmh" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(("text", "words"), [("[" * 10**5, "nested"), ('{"time_s": [' + "9" * 5000 + "]}", "digits")])
def test_json_that_python_cannot_hold_is_refused(tmp_path, text, words):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=f"ego log a.json: .*{words}"):
        read_ego_log(tmp_path / "a.json")


def test_all_bad_columns_are_named_at_a_time(tmp_path):
    path = write(tmp_path / "a.csv", {"time_s": [0, 1, 2], "speed_mps": [1, 250, 3], "yaw_rate_degps": [0, "much", 0]})
    with pytest.raises(InputError) as caught:
        read_ego_log(path, EgoLogConfig())
    assert "speed_mps" in str(caught.value) and "yaw_rate_degps" in str(caught.value)
    assert "\n" not in str(caught.value)

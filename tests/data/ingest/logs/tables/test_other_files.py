"""JSON lines, nested records, Feather, NumPy and GPX files give the log that a csv file gives."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather

from worldgen.core.errors import InputError
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import read_ego_log

COLUMNS = {"time_s": [0.0, 0.5, 1.0], "speed_mps": [1.0, 2.0, 3.0], "yaw_rate_radps": [0.0, 0.1, 0.2]}
RECORDS = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]


def check(log):
    np.testing.assert_allclose(log.times_s - log.times_s[0], [0, 0.5, 1])
    np.testing.assert_allclose(log.series["speed"], [1, 2, 3])
    np.testing.assert_allclose(log.series["yaw_rate"], [0, 0.1, 0.2])


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_feather(tmp_path, compression):
    feather.write_feather(pa.table(COLUMNS), tmp_path / "a.feather", compression=compression)
    check(read_ego_log(tmp_path / "a.feather"))
    (tmp_path / "b.feather").write_bytes(b"ARROW1 not really")
    with pytest.raises(InputError, match="not Feather"):
        read_ego_log(tmp_path / "b.feather")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_typed_times_state_their_unit(tmp_path, unit):
    ticks = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    stamps = pa.array([1714564800 * ticks + int(t * 2) * ticks for t in COLUMNS["time_s"]]).cast(pa.timestamp(unit))
    table = pa.table({"timestamp": stamps, **{k: v for k, v in COLUMNS.items() if k != "time_s"}})
    feather.write_feather(table, tmp_path / "a.feather")
    log = read_ego_log(tmp_path / "a.feather")
    np.testing.assert_allclose(log.times_s - 1714564800, [0, 1, 2])
    feather.write_feather(table.rename_columns(["time_ms", *table.column_names[1:]]), tmp_path / "b.feather")
    if unit != "ms":
        with pytest.raises(InputError, match=f"received ms in its name, {unit} in the table"):
            read_ego_log(tmp_path / "b.feather")


def test_json_lines_and_nested_records(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(record) for record in RECORDS) + "\n\n")
    check(read_ego_log(tmp_path / "a.jsonl"))
    nested = [
        {"header": {"stamp": r["time_s"]}, "twist": {"linear": r["speed_mps"], "angular": r["yaw_rate_radps"]}}
        for r in RECORDS
    ]
    (tmp_path / "b.json").write_text(json.dumps({"info": 1, "locations": nested, "gyro": [{"x": 0}]}))
    columns = {"header.stamp": "time_s", "twist.linear": "speed_mps", "twist.angular": "yaw_rate_radps"}
    check(read_ego_log(tmp_path / "b.json", EgoLogConfig(records="locations", columns=columns)))
    with pytest.raises(InputError, match=r"lists of records locations, gyro; expected ego\.records"):
        read_ego_log(tmp_path / "b.json")
    with pytest.raises(InputError, match=r"ego\.records: received 'places'.*locations, gyro"):
        read_ego_log(tmp_path / "b.json", EgoLogConfig(records="places"))
    (tmp_path / "c.jsonl").write_text('{"time_s": 0}\n[1]\n')
    with pytest.raises(InputError, match=r"c\.jsonl, line 2: received a JSON list"):
        read_ego_log(tmp_path / "c.jsonl")


def test_keys_that_some_records_lack_are_cells_without_a_value(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([RECORDS[0], {"time_s": 0.25, "speed_mps": 1.5}, *RECORDS[1:]]))
    log = read_ego_log(tmp_path / "a.json")
    assert np.isnan(log.series["yaw_rate"][1]) and "column yaw_rate_radps: 1 of 4 rows" in " ".join(log.notes)


def test_numpy(tmp_path):
    rows = np.array(list(zip(*COLUMNS.values(), strict=True)))
    np.save(tmp_path / "a.npy", rows)
    check(read_ego_log(tmp_path / "a.npy", EgoLogConfig(column_names=tuple(COLUMNS))))
    with pytest.raises(InputError, match=r"3 columns and 0 names; expected ego\.column_names"):
        read_ego_log(tmp_path / "a.npy")
    named = np.zeros(3, [(name, float) for name in COLUMNS])
    for name, values in COLUMNS.items():
        named[name] = values
    np.save(tmp_path / "b.npy", named)
    check(read_ego_log(tmp_path / "b.npy"))
    np.save(tmp_path / "c.npy", np.array([{}, {}], object), allow_pickle=True)
    with pytest.raises(InputError, match=r"not a \.npy array of numbers"):
        read_ego_log(tmp_path / "c.npy")


GPX = """<?xml version="1.0"?>
<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1" xmlns:tpx="http://www.garmin.com/xmlschemas/TrackPointExtension/v2">
<trk><trkseg>{points}</trkseg></trk></gpx>"""
POINT = (
    '<trkpt lat="{lat:.7f}" lon="11.0"><ele>500</ele><time>2024-05-01T12:00:{second:02d}Z</time><extensions>'
    "<tpx:TrackPointExtension><tpx:speed>{speed}</tpx:speed><tpx:course>0</tpx:course></tpx:TrackPointExtension>"
    "</extensions></trkpt>"
)


def test_gpx(tmp_path):
    points = "".join(POINT.format(lat=48 + i * 10 / 111_200, second=i, speed=10) for i in range(6))
    (tmp_path / "a.gpx").write_text(GPX.format(points=points + '<trkpt lat="1" lon="1"/>'))
    log = read_ego_log(tmp_path / "a.gpx")
    assert set(log.series) == {"lat", "lon", "speed", "heading"} and len(log) == 6
    np.testing.assert_allclose(log.series["speed"], 10)
    for text, words in [("<gpx>", "no XML"), (GPX.format(points=""), "no track point with a time"),
                        ('<!DOCTYPE a [<!ENTITY x "y">]><gpx/>', "a document type")]:  # fmt: skip
        (tmp_path / "a.gpx").write_text(text)
        with pytest.raises(InputError, match=words):
            read_ego_log(tmp_path / "a.gpx")


def test_cells_that_hold_lists(tmp_path):
    """Ego poses of nuScenes: translation, rotation (w x y z) and a time in microseconds."""
    poses = [
        {
            "timestamp": 1532402927612460 + 100_000 * i,
            "translation": [1.0 * i, 2.0, 0.0],
            "rotation": [1.0, 0.0, 0.0, 0.0],
        }
        for i in range(12)
    ]
    (tmp_path / "ego_pose.json").write_text(json.dumps(poses))
    columns = {"translation": "position_m", "rotation": "quaternion"}
    with pytest.raises(InputError, match=r"column rotation: received a quaternion whose order.*ego\.quaternion_order"):
        read_ego_log(tmp_path / "ego_pose.json", EgoLogConfig(columns=columns))
    log = read_ego_log(tmp_path / "ego_pose.json", EgoLogConfig(columns=columns, quaternion_order="wxyz"))
    np.testing.assert_allclose(log.series["qw"], 1) and np.testing.assert_allclose(log.series["x"], np.arange(12))
    assert "read in us" in " ".join(log.notes)
    poses[3]["rotation"] = [1.0, 0.0]
    (tmp_path / "ego_pose.json").write_text(json.dumps(poses))
    with pytest.raises(InputError, match=r"record 4, column rotation.*a list of 4 finite numbers"):
        read_ego_log(tmp_path / "ego_pose.json", EgoLogConfig(columns=columns, quaternion_order="wxyz"))

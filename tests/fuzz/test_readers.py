"""Every reader of foreign files: a damaged file is read or refused in one line. About two minutes."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from tests.data.samples import make_sample
from tests.fuzz.mutation import damaged_bytes, damaged_json
from tests.fuzz.outcomes import files_under, outcomes, surprises
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.data.dataset.index import DataSet, build_index, shard_rows
from worldgen.data.dataset.sample_files import decode_ego, decode_labels, decode_record, encode_sample
from worldgen.data.dataset.shards import ShardWriter, read_members
from worldgen.data.dataset.validate import validate
from worldgen.data.ingest.annotations import coco_file_names, read_coco
from worldgen.data.ingest.captions import is_caption_file, read_captions
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import read_ego_log
from worldgen.files.config_files import load_config
from worldgen.generation.campaign.recipe import Recipe
from worldgen.generation.sample.request import read_scenario
from worldgen.training.train_config import TrainConfig

pytestmark = pytest.mark.slow
COUNT = int(os.environ.get("WORLDGEN_FUZZ_COUNT", "600"))
"""Inputs of each kind."""

LOG = {"time_s": [0.0, 0.1, 0.2, 0.3], "speed_mps": [5.0, 5.1, 5.2, 5.3], "yaw_rate_radps": [0.0, 0.01, 0.02, 0.0]}
COCO = {
    "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}],
    "categories": [{"id": 3, "name": "car"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 12], "iscrowd": 0, "track_id": 4}],
}
SCENARIO = Scenario("fog", "dusk", "urban", "brake", (AgentRequest("pedestrian", 2, "crossing"),), ())


@pytest.fixture(autouse=True)
def nothing_outside(tmp_path, monkeypatch):
    """The reader works in ``inside``; nothing may appear beside it."""
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    yield
    assert {name for name in files_under(tmp_path) if not name.startswith("inside")} == set()


@pytest.fixture
def check(tmp_path, request):
    def run(one: Callable[[np.random.Generator], object], count: int = COUNT) -> None:
        found = outcomes(count, 17, one)
        print(f"\n{request.node.name}: {count} inputs, {found['read']} read, {found['refused']} refused")
        assert not surprises(found), surprises(found)

    return run


def written(path, data: bytes):
    path.write_bytes(data)
    return path


def tar_bytes(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def read_whole_shard(path) -> None:
    for _, members in read_members(str(path)):
        record = decode_record(members)
        if "ego.npy" in members:
            decode_ego(members["ego.npy"], float(record["fps"]), record["key"])
        if "labels.json" in members:
            decode_labels(members["labels.json"], record["key"])
    list(shard_rows(str(path)))


def test_bytes_of_a_shard(check, tmp_path):
    """The headers of the archive are hit as often as its files."""
    members = {k: v for k, v in encode_sample(make_sample("a")).items() if k != "mp4"} | {"mp4": b"x" * 20}
    plain = tar_bytes({f"a.{name}": data for name, data in members.items()})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("a.json")
        info.size, info.pax_headers = len(members["json"]), {"path": "a.json", "size": str(len(members["json"]))}
        tar.addfile(info, io.BytesIO(members["json"]))
    extended = buffer.getvalue()

    def one(rng: np.random.Generator) -> None:
        data = bytearray(plain if rng.random() < 0.5 else extended)
        if rng.random() < 0.5:
            start = 512 * int(rng.integers(0, 4))
            data[start : start + 512] = damaged_bytes(bytes(data[start : start + 512]), rng)[:512].ljust(512, b"\0")
        else:
            data = bytearray(damaged_bytes(bytes(data), rng))
        read_whole_shard(written(tmp_path / "inside" / "s.tar", bytes(data)))

    check(one)


def test_records_of_a_shard(check, tmp_path):
    """Whole archives whose record, labels or ego motion is damaged; the index is made from them too."""
    members = {k: v for k, v in encode_sample(make_sample("a")).items() if k != "mp4"} | {"mp4": b"x" * 20}

    def one(rng: np.random.Generator) -> None:
        name = ("json", "labels.json", "ego.npy")[int(rng.integers(3))]
        damage = damaged_bytes if name == "ego.npy" else damaged_json
        changed = members | {name: damage(members[name], rng)}
        path = written(tmp_path / "inside" / "s.tar", tar_bytes({f"a.{key}": data for key, data in changed.items()}))
        if rng.random() < 0.5:
            build_index(str(path.parent))
            list(DataSet(str(path.parent)).rows)
        read_whole_shard(path)

    check(one)


def test_index(check, tmp_path):
    """``index.parquet`` by byte and by column, ``dataset.json`` by value; validation reports and never raises."""
    folder = tmp_path / "inside"
    with ShardWriter(str(folder), "s") as writer:
        for key in ("a", "b"):
            writer.write(make_sample(key))
    build_index(str(folder))
    whole, summary = (folder / "index.parquet").read_bytes(), (folder / "dataset.json").read_bytes()
    rows = pq.read_table(io.BytesIO(whole)).to_pylist()
    odd = (None, -1, 2**62, "x", 10**18, 0, -(2**63), "../../x", 0.0, float("inf"), [], True)

    def one(rng: np.random.Generator) -> None:
        kind = int(rng.integers(3))
        data = whole
        if kind == 0:
            data = damaged_bytes(whole, rng)
        elif kind == 1:
            name = list(rows[0])[int(rng.integers(len(rows[0])))]
            value = odd[int(rng.integers(len(odd)))]
            changed = [row | {name: value} for row in rows]
            data_file = io.BytesIO()
            pq.write_table(pa.Table.from_pylist(changed), data_file)
            data = data_file.getvalue()
        (folder / "index.parquet").write_bytes(data)
        (folder / "dataset.json").write_bytes(damaged_json(summary, rng) if kind == 2 else summary)
        if rng.random() < 0.1:
            validate(str(folder))
        data_set = DataSet(str(folder))
        for number in range(len(data_set)):
            data_set.members(number)
            data_set.member(number, "ego.npy")

    check(one)


def log_bytes(kind: str) -> bytes:
    if kind == "jsonl":
        return "\n".join(
            json.dumps(dict(zip(LOG, row, strict=True))) for row in zip(*LOG.values(), strict=True)
        ).encode()
    if kind == "gpx":
        point = '<trkpt lat="48.{0}" lon="11"><time>2024-05-01T12:00:0{0}Z</time><speed>1</speed></trkpt>'
        return f"<gpx><trk><trkseg>{''.join(point.format(i) for i in range(4))}</trkseg></trk></gpx>".encode()
    if kind in ("npy", "feather"):
        buffer = io.BytesIO()
        if kind == "npy":
            np.save(buffer, np.array(list(LOG.values()), float).T)
        else:
            feather.write_feather(pa.table(LOG), buffer)
        return buffer.getvalue()
    if kind in ("csv", "txt"):
        return "\n".join(
            [",".join(LOG), *(",".join(map(str, row)) for row in zip(*LOG.values(), strict=True))]
        ).encode()
    return json.dumps(LOG).encode()


@pytest.mark.parametrize("kind", ["csv", "json", "kitti", "txt", "jsonl", "gpx", "npy", "feather"])
def test_ego_logs(check, tmp_path, kind):
    pose = b"1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 0 0 1 0 0 0 0 1 1\n"
    config = EgoLogConfig(format="kitti_poses") if kind == "kitti" else None
    if kind == "npy":
        config = EgoLogConfig(column_names=tuple(LOG))

    def one(rng: np.random.Generator) -> None:
        data = damaged_bytes(pose if kind == "kitti" else log_bytes(kind), rng)
        if kind == "json" and rng.random() < 0.7:
            data = damaged_json(log_bytes(kind), rng)
        read_ego_log(written(tmp_path / "inside" / f"a.ego.{kind}", data), config)

    check(one)


def test_parquet_logs(check, tmp_path):
    """Bytes of the file, and columns of every type, those that are not read included."""
    kinds = (
        pa.array([0, 1, 2, 3]).cast(pa.timestamp("ns")), pa.array([2**60] * 4).cast(pa.timestamp("ms")),
        pa.array([0, 1, 2, 3]).cast(pa.timestamp("us", "Mars/Olympus")), pa.array([2**31 - 1] * 4, pa.date32()),
        pa.array([None] * 4), pa.array([b"\xff"] * 4), pa.array(["x"] * 4), pa.array([[1]] * 4), pa.array([True] * 4),
        pa.array([2**62] * 4).cast(pa.duration("ns")), pa.array([float("nan")] * 4), pa.array([{"a": 1}] * 4),
    )  # fmt: skip

    def one(rng: np.random.Generator) -> None:
        columns: dict[str, pa.Array] = {name: pa.array(values) for name, values in LOG.items()}
        if rng.random() < 0.6:
            name = (*LOG, "unused", "stamp_ns")[int(rng.integers(5))]
            columns[name] = kinds[int(rng.integers(len(kinds)))]
        buffer = io.BytesIO()
        pq.write_table(pa.table(columns), buffer)
        data = buffer.getvalue() if rng.random() < 0.5 else damaged_bytes(buffer.getvalue(), rng)
        read_ego_log(written(tmp_path / "inside" / "a.ego.parquet", data))

    check(one)


def test_scenarios(check, tmp_path):
    whole = json.dumps(SCENARIO.to_json()).encode()
    path = tmp_path / "inside" / "scenario.json"
    check(lambda rng: read_scenario(str(written(path, damaged_json(whole, rng)))))


def test_coco_files(check, tmp_path):
    whole = json.dumps(COCO).encode()
    path = tmp_path / "inside" / "a.coco.json"

    def one(rng: np.random.Generator) -> None:
        written(path, damaged_json(whole, rng))
        coco_file_names(path)
        read_coco(path, {})

    check(one)


def test_captions(check, tmp_path):
    whole = json.dumps({"captions": [{"start_s": 0, "end_s": 5, "caption": "a car"}]}).encode()
    path = tmp_path / "inside" / "a.json"

    def one(rng: np.random.Generator) -> None:
        written(path, damaged_json(whole, rng))
        is_caption_file(path)
        read_captions(path)

    check(one)


@pytest.mark.parametrize(
    ("cls", "name"), [(Recipe, "generate/night_rain_pedestrians.yaml"), (TrainConfig, "train/world.yaml")]
)
def test_configs(check, tmp_path, repository, cls, name):
    whole = (repository / "configs" / name).read_bytes()
    path = tmp_path / "inside" / "config.yaml"
    check(lambda rng: load_config(cls, [written(path, damaged_bytes(whole, rng))]), COUNT // 3)


def test_damage_changes_the_input(rng):
    """The suite would show nothing if its damage did nothing."""
    whole = json.dumps(COCO).encode()
    assert sum(damaged_json(whole, rng) != whole for _ in range(100)) > 80

"""Coverage-guided fuzzing of the readers of our own formats: shards, indexes, logs and scenarios. About a minute."""

from __future__ import annotations

import importlib
import io
import json
import os
import tarfile
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.samples import make_sample
from tests.fuzz.guided import GuidedFuzzer
from tests.fuzz.mutation import damaged_bytes, damaged_json, damaged_value, exchanged_value
from tests.fuzz.outcomes import files_under, surprises
from tests.fuzz.test_readers import LOG, SCENARIO, log_bytes, read_whole_shard, tar_bytes
from worldgen.core.errors import InputError
from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.scenario import AGENT_KINDS, LIGHTS, PLACES, ROADS, WEATHERS
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.sample_files import encode_sample
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.dataset.validate import validate
from worldgen.data.ingest.logs.ego_log import EgoLogConfig, read_ego_log
from worldgen.generation.sample.request import read_scenario

pytestmark = pytest.mark.slow
COUNT = int(os.environ.get("WORLDGEN_FUZZ_COUNT", "600")) * 8
"""Inputs of each reader."""
BLOCK = 512
"""Bytes of a block of a tar, whose checksum is in bytes 148 to 156. Source: POSIX.1-2017, pax, ustar format."""


def modules(*names: str) -> list[types.ModuleType]:
    """Modules of the package whose arcs count."""
    return [importlib.import_module(f"worldgen.{name}") for name in names]


@pytest.fixture
def fuzz(tmp_path, monkeypatch, request) -> Callable[..., GuidedFuzzer]:
    """Runs a guided fuzzer in a folder of its own and fails for tracebacks and for files outside."""
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)

    def run(read, seeds, watched, mutate, count: int = COUNT) -> GuidedFuzzer:
        fuzzer = GuidedFuzzer(read, seeds, watched, mutate, request.node.name).run(count, 31)
        print(
            f"\n{request.node.name}: {count} inputs, {fuzzer.found['read']} read, {fuzzer.found['refused']} refused, "
            f"{len(fuzzer.arcs)} arcs, corpus of {len(fuzzer.corpus)}"
        )
        assert not surprises(fuzzer.found), surprises(fuzzer.found)
        assert {name for name in files_under(tmp_path) if not name.startswith("inside")} == set()
        return fuzzer

    return run


def with_checksums(data: bytes) -> bytes:
    """A tar whose headers have the checksums of what they say, so that damage gets behind the first check."""
    out = bytearray(data[: len(data) // BLOCK * BLOCK])
    at = 0
    while at + BLOCK <= len(out):
        block = out[at : at + BLOCK]
        if not any(block):
            at += BLOCK
            continue
        block[148:156] = b" " * 8
        out[at + 148 : at + 156] = b"%06o\x00 " % (sum(block) & 0o777777)
        try:
            size = int(bytes(block[124:135]).strip(b"\x00 ") or b"0", 8)
        except ValueError:
            size = 0
        at += BLOCK * (1 + -(-max(size, 0) // BLOCK))
    return bytes(out)


def damaged_tar(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage in a header, in what is between headers, or of whole blocks; checksums are right in most cases."""
    out = bytearray(data)
    blocks = max(1, len(out) // BLOCK)
    kind = rng.random()
    at = BLOCK * int(rng.integers(blocks))
    if kind < 0.45:
        fields = ((0, 100), (100, 8), (124, 12), (136, 12), (156, 1), (157, 100), (257, 8), (345, 155))
        start, length = fields[int(rng.integers(len(fields)))]
        piece = damaged_bytes(bytes(out[at + start : at + start + length]), rng)[:length].ljust(length, b"\x00")
        if start == 156:
            piece = bytes([int(rng.choice(list(b"0123456789xgLKSVDMN\x00\xff")))])
        out[at + start : at + start + length] = piece
    elif kind < 0.75:
        return damaged_bytes(bytes(out), rng)
    elif kind < 0.9:
        other = BLOCK * int(rng.integers(blocks))
        out[at:at] = out[other : other + BLOCK * int(rng.integers(1, 4))]
    else:
        del out[at : at + BLOCK * int(rng.integers(1, 3))]
    return with_checksums(bytes(out)) if rng.random() < 0.85 else bytes(out)


def test_shards(fuzz, tmp_path):
    members = {k: v for k, v in encode_sample(make_sample("a")).items() if k != "mp4"} | {"mp4": b"x" * 20}
    plain = tar_bytes({f"{key}.{name}": data for key in ("a", "b") for name, data in members.items()})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("a.json")
        info.size, info.pax_headers = len(members["json"]), {"path": "a.json", "mtime": "1.5", "comment": "x"}
        tar.addfile(info, io.BytesIO(members["json"]))
    path = tmp_path / "inside" / "s.tar"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        read_whole_shard(path)

    watched = modules("data.dataset.shards", "data.dataset.sample_files", "files.tar", "files.json_files")
    fuzz(read, [plain, buffer.getvalue()], watched, damaged_tar)


INDEX_VALUES = (0, 1, 2, -1, 512, 10**6, None, "a", "b", "s.tar", "train", "", True, 8.0, 2**40, ["fog"], [])
"""Values that an index may hold somewhere."""


def damaged_index(data: bytes, rng: np.random.Generator) -> bytes:
    """Values of rows and of the summary; bytes only where splicing left no JSON."""
    try:
        root = json.loads(data)
        if rng.random() < 0.6:
            return json.dumps(exchanged_value(root, rng, INDEX_VALUES)).encode()
        return json.dumps(damaged_value(root, rng)).encode()
    except (ValueError, RecursionError):
        return damaged_bytes(data, rng)


def test_indexes(fuzz, tmp_path):
    """Rows of the index and the summary as JSON values; the files are made of them."""
    folder = tmp_path / "inside"
    with ShardWriter(str(folder), "s") as writer:
        for key in ("a", "b"):
            writer.write(make_sample(key))
    build_index(str(folder))
    table = pq.read_table(folder / "index.parquet")
    metadata = table.schema.metadata
    whole = {"rows": table.to_pylist(), "summary": json.loads((folder / "dataset.json").read_bytes())}

    def read(data: bytes) -> None:
        try:
            changed = json.loads(data)
            rows = pa.Table.from_pylist([row for row in changed["rows"] if isinstance(row, dict)])
            pq.write_table(rows.replace_schema_metadata(metadata), folder / "index.parquet")
            (folder / "dataset.json").write_bytes(json.dumps(changed["summary"]).encode())
        except (ValueError, TypeError, KeyError, OverflowError, pa.ArrowException, RecursionError) as error:
            raise InputError("no table can be made of this") from error
        if len(data) % 7 == 0:
            validate(str(folder))
        data_set = DataSet(str(folder))
        for number in range(len(data_set)):
            data_set.members(number)
            data_set.member(number, "ego.npy")

    watched = modules("data.dataset.index", "data.dataset.published", "data.dataset.shards", "data.dataset.validate")
    fuzz(read, [json.dumps(whole).encode()], watched, damaged_index, COUNT // 2)


LOG_WORDS = (
    b"time_s", b"time_ms", b"stamp_ns", b"speed_kmh", b"speed_mps", b"yaw_rate_degps", b"steering_deg", b"lat_deg",
    b"lon_deg", b"x_m", b"y_m", b"yaw_rad", b"nan", b"inf", b"1e300", b"-1", b'"', b";", b"\t", b",,", b"\r\n", b"#",
    b"2026-01-02T03:04:05Z", b"\xef\xbb\xbf", b"1,5", b"0", b"\xff",
)  # fmt: skip


def damaged_log(data: bytes, rng: np.random.Generator) -> bytes:
    """Words of logs in place of cells, lines exchanged or repeated, or bytes."""
    kind = rng.random()
    if kind < 0.45:
        cells = data.replace(b"\n", b",\n,").split(b",")
        cells[int(rng.integers(len(cells)))] = LOG_WORDS[int(rng.integers(len(LOG_WORDS)))]
        return b",".join(cells).replace(b",\n,", b"\n")
    if kind < 0.65:
        lines = data.split(b"\n")
        one, other = (int(rng.integers(len(lines))) for _ in range(2))
        lines[one] = lines[other]
        return b"\n".join(lines)
    return damaged_bytes(data, rng)


def test_ego_logs(fuzz, tmp_path):
    more = {"time_ms": [0, 100, 200, 300], "lat_deg": [52.0, 52.0, 52.1, 52.1], "lon_deg": [13.0, 13.0, 13.1, 13.1]}
    gps = "\n".join([",".join(more), *(",".join(map(str, row)) for row in zip(*more.values(), strict=True))]).encode()
    pose = b"1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 0 0 1 0 0 0 0 1 1\n"

    def read(data: bytes) -> None:
        kind, config = "csv", None
        if data[:2] in (b"1 ", b"0 "):
            kind, config = "txt", EgoLogConfig(format="kitti_poses")
        elif data[:1] == b"{":
            kind = "json"
        path = tmp_path / "inside" / f"a.ego.{kind}"
        path.write_bytes(data)
        read_ego_log(path, config)

    package = Path(importlib.import_module("worldgen.data.ingest.logs").__file__ or "").parent
    names = [".".join(file.relative_to(package).with_suffix("").parts) for file in sorted(package.rglob("[a-z]*.py"))]
    watched = modules(*(f"data.ingest.logs.{name}" for name in names), "files.json_files")
    fuzz(read, [log_bytes("csv"), log_bytes("json"), gps, pose, json.dumps(LOG).encode()], watched, damaged_log)


SCENARIO_WORDS = (
    b'"weather"', b'"light"', b'"road"', b'"manoeuvre"', b'"agents"', b'"events"', b'"duration_s"', b'"scenario"',
    b'"scenario_version"', b'"fog"', b'"kind"', b'"count"', b'"place"', b'"jaywalker"', b"1", b"2", b"null", b"[]",
)  # fmt: skip


SCENARIO_VALUES = (
    *WEATHERS,
    *LIGHTS,
    *ROADS,
    *MANOEUVRES,
    *AGENT_KINDS,
    *PLACES,
    "jaywalker",
    "dooring",
    0,
    1,
    2,
    13,
    4.5,
    1e9,
)
"""Values that a scenario may hold somewhere."""


def damaged_scenario(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage of values where ``data`` is JSON, else words in place of others, or bytes."""
    try:
        root = json.loads(data)
        if rng.random() < 0.5:
            return json.dumps(exchanged_value(root, rng, SCENARIO_VALUES)).encode()
        if rng.random() < 0.6:
            return damaged_json(data, rng)
    except (ValueError, RecursionError):
        pass
    return damaged_bytes(data, rng, SCENARIO_WORDS) if rng.random() < 0.6 else damaged_bytes(data, rng)


def test_scenarios(fuzz, tmp_path):
    path = tmp_path / "inside" / "scenario.json"
    whole = SCENARIO.to_json()

    def read(data: bytes) -> None:
        path.write_bytes(data)
        read_scenario(str(path))

    watched = modules("core.scenario", "files.json_files", "generation.sample.request")
    fuzz(read, [json.dumps(whole).encode(), json.dumps({"scenario": whole}).encode()], watched, damaged_scenario)


def _lock(data: bytes) -> str:
    """Refuses all but one word, a letter at a time."""
    if data[:1] == b"t":
        if data[1:2] == b"a":
            if data[2:3] == b"r":
                if data[3:4] == b"s":
                    return "open"
                return "tar"
            return "ta"
        return "t"
    return ""


def _one_letter(data: bytes, rng: np.random.Generator) -> bytes:
    out = bytearray(data or b"-")
    out[int(rng.integers(len(out)))] = int(rng.integers(97, 123))
    return bytes(out)


@pytest.mark.parametrize("guided", [True, False])
def test_guidance_opens_a_lock_that_blind_search_does_not(guided):
    """4 letters of 26: about 500 guided inputs, about 460,000 blind ones."""
    opened: list[bytes] = []

    def read(data: bytes) -> None:
        if _lock(data) == "open":
            opened.append(data)

    here = importlib.import_module(__name__)
    fuzzer = GuidedFuzzer(read, [b"----"], [here], _one_letter, guided=guided).run(3000, 5)
    assert bool(opened) == guided and fuzzer.found["read"] == 3001


def test_the_fuzzer_reports_what_is_no_refusal():
    def read(data: bytes) -> None:
        if data[:1] == b"k":
            raise KeyError("k")

    found = GuidedFuzzer(read, [b"-"], [importlib.import_module(__name__)], _one_letter).run(200, 1).found
    assert [name.split(" at ")[0] for name in surprises(found)][:1] == ["KeyError"]

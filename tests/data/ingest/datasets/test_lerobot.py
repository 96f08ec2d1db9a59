"""LeRobot sets of formats 2.1 and 3.0 on hand-made miniatures; numbers are worked out by hand."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.ingest.test_fleets import view
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.validate import validate
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import plan_ingest
from worldgen.data.ingest.ingest_writing import write_ingest
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.data.video.encoding import write_clip
from worldgen.files.config_files import load_config

STATE = "observation.state.vehicle"
EGO = EgoLogConfig(columns={f"{STATE}.speed": "speed_kmh", f"{STATE}.heading": "heading_deg"})
CONFIG = IngestConfig(
    fps=10.0, width_px=48, height_px=32, num_frames=8, stride_frames=8, crf=10, dataset="lerobot",
    defaults=SourceConfig(ego=EGO),
)  # fmt: skip
FRAMES = 20
FRONT, REAR = "observation.images.front_left", "observation.images.rear"
CARD = "---\nlicense: apache-2.0\ntask_categories:\n- robotics\n---\n# A set\nlicense: mine\n"


def row(episode: int, index: int) -> dict:
    """Episode k drives at 10 (k + 1) m/s and turns to the left by 6 degrees a second."""
    state = [36.0 * (episode + 1), 90.0 - 0.6 * index, 0.0]
    return {STATE: state, "timestamp": np.float32(index / 10), "frame_index": index, "episode_index": episode,
            "observation.state.lanes": "2"}  # fmt: skip


def save(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = {STATE: pa.list_(pa.float32(), 3), "timestamp": pa.float32()}
    table = pa.Table.from_pylist(rows)
    fields = [pa.field(name, schema.get(name, table.schema.field(name).type)) for name in table.column_names]
    pq.write_table(table.cast(pa.schema(fields)), path)


def film(path: Path, seed: int, episodes: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_clip(path, Clip(np.concatenate([view(10 * seed + k, FRAMES) for k in episodes]), 10.0), crf=10)


def info(root: Path, version: str, episodes: int, splits: dict[str, str], **paths) -> None:
    video = {"dtype": "video", "shape": [64, 96, 3], "names": ["height", "width", "channel"]}
    features = {
        STATE: {"dtype": "float32", "shape": [3], "names": {"axes": ["speed", "heading", "heading_error"]}},
        FRONT: video, REAR: video, "observation.state.lanes": {"dtype": "string", "shape": [1], "names": None},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
    }  # fmt: skip
    (root / "meta").mkdir(parents=True, exist_ok=True)
    record = {"codebase_version": version, "robot_type": "car", "total_episodes": episodes, "chunks_size": 1000,
              "fps": 10, "splits": splits, "features": features, **paths}  # fmt: skip
    (root / "meta" / "info.json").write_text(json.dumps(record))
    (root / "README.md").write_text(CARD)


def make_v3(root: Path, files: list[list[int]], splits: dict[str, str] | None = None) -> Path:
    """Episodes in shared videos and one table. files: episodes of each video."""
    count = sum(map(len, files))
    info(root, "v3.0", count, splits or {"train": f"0:{count}"},
         data_path="data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
         video_path="videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4")  # fmt: skip
    save(root / "data" / "chunk-000" / "file-000.parquet", [row(k, i) for k in range(count) for i in range(FRAMES)])
    rows = []
    for number, episodes in enumerate(files):
        film(root / "videos" / FRONT / "chunk-000" / f"file-{number:03d}.mp4", number, episodes)
        for place, episode in enumerate(episodes):
            where = {"chunk_index": 0, "file_index": number, "from_timestamp": place * FRAMES / 10}
            entry = {"episode_index": episode, "length": FRAMES, "data/chunk_index": 0, "data/file_index": 0}
            rows.append(entry | {f"videos/{camera}/{k}": v for camera in (FRONT, REAR) for k, v in where.items()})
    path = root / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return root


def make_v2(root: Path, count: int, splits: dict[str, str]) -> Path:
    """A table and a video a camera and episode."""
    info(root, "v2.1", count, splits,
         data_path="data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
         video_path="videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4")  # fmt: skip
    lines = [json.dumps({"episode_index": k, "tasks": ["drive"], "length": FRAMES}) for k in range(count)]
    (root / "meta" / "episodes.jsonl").write_text("\n".join(lines) + "\n")
    for k in range(count):
        save(root / "data" / "chunk-000" / f"episode_{k:06d}.parquet", [row(k, i) for i in range(FRAMES)])
        for seed, camera in enumerate((FRONT, REAR)):
            film(root / "videos" / "chunk-000" / camera / f"episode_{k:06d}.mp4", seed, [k])
    return root


def test_episodes_in_one_video(tmp_path):
    root = make_v3(tmp_path / "set", [[0, 1], [2]])
    plan = plan_ingest([str(root)], CONFIG)
    assert plan.bad == ()
    assert [p.source.name for p in plan.sources] == [f"videos/{FRONT}/chunk-000/file-{n:03d}.mp4" for n in (0, 1)]
    first, second = plan.sources
    assert (first.source.drive, second.source.drive) == ("episode_000000", "episode_000002")
    # Two seconds an episode: the second begins 2 s after the first in the video, and 3 s are set between them.
    expected_s = np.concatenate([np.arange(20) / 10, 5 + np.arange(20) / 10])
    np.testing.assert_allclose(first.frame_times_s, expected_s, atol=1e-5)
    assert first.info.fps == pytest.approx(10.0, rel=1e-5) and not first.info.variable_rate
    frames = [first.frame_indices(window).tolist() for window in first.windows]
    assert frames == [list(range(k, k + 8)) for k in (0, 8, 20, 28)]
    for window, speed_mps in zip(first.windows, (10, 10, 20, 20), strict=True):
        ego = first.ego(window)
        np.testing.assert_allclose(ego.speed_mps, speed_mps, rtol=1e-4)  # no step mixes two episodes
        np.testing.assert_allclose(ego.yaw_rate_radps, np.radians(6.0), rtol=1e-3)
    assert "2 episodes, 3 s set between them" in first.notes
    assert not any("fewer than" in note for note in first.notes)


def test_samples_of_format_2(tmp_path):
    root = make_v2(tmp_path / "set", 3, {"train": "0:1", "validation": "1:2", "test": "2:3"})
    plan = plan_ingest([str(root)], CONFIG)
    assert plan.bad == ()
    assert plan.splits == {"episode_000000": "train", "episode_000001": "val", "episode_000002": "test"}
    assert all(FRONT in p.source.name for p in plan.sources)  # not the one that looks back
    list(write_ingest(plan, str(tmp_path / "out")))
    build_index(str(tmp_path / "out"))
    assert validate(str(tmp_path / "out")).problems == []
    data = DataSet(str(tmp_path / "out"))
    speeds = {data.load(i).drive: float(data.load(i).ego.speed_mps.mean()) for i in range(len(data))}
    assert speeds == pytest.approx({"episode_000000": 10, "episode_000001": 20, "episode_000002": 30}, rel=1e-4)
    assert data.load(0).licence == "Apache-2.0"


def test_one_split_only_is_no_published_split(tmp_path):
    root = make_v2(tmp_path, 3, {"train": "0:3"})
    assert sorted(plan_ingest([str(root)], CONFIG).splits.values()) == ["test", "train", "val"]


def test_units_are_never_guessed(tmp_path):
    root = make_v2(tmp_path, 1, {"train": "0:1"})
    plan = plan_ingest([str(root)], replace(CONFIG, defaults=SourceConfig()))
    assert plan.sources[0].log is None
    assert any(f"defaults.ego.columns says what numbers are, of {STATE}.speed, " in note for note in plan.notes)
    wrong = EgoLogConfig(columns={f"{STATE}.velocity": "speed_kmh"})
    with pytest.raises(InputError, match=r"ego.columns: received '.*velocity'; expected a column of the set"):
        plan_ingest([str(root)], replace(CONFIG, defaults=SourceConfig(ego=wrong)))


def test_bad_sets(tmp_path):
    root = make_v2(tmp_path / "set", 4, {"train": "0:4"})
    (root / "videos" / "chunk-000" / FRONT / "episode_000001.mp4").unlink()
    (root / "data" / "chunk-000" / "episode_000002.parquet").unlink()
    save(root / "data" / "chunk-000" / "episode_000003.parquet", [row(3, i) for i in range(FRAMES - 1)])
    plan = plan_ingest([str(root)], CONFIG)
    reasons = [reason for _, reason in sorted(plan.bad)]
    assert len(plan.sources) == 1 and len(reasons) == 3
    assert "no videos/chunk-000/observation.images.front_left/episode_000001.mp4" in reasons[0]
    assert "no data/chunk-000/episode_000002.parquet" in reasons[1]
    assert "received 19 times; expected 20 increasing times" in reasons[2]
    crossed = make_v3(tmp_path / "crossed", [[0, 1]], {"train": "0:1", "test": "1:2"})
    ((_, reason),) = plan_ingest([str(crossed)], CONFIG).bad
    assert "received episodes of 2 splits" in reason
    (root / "meta" / "episodes.jsonl").unlink()
    with pytest.raises(InputError, match=r"no meta/episodes\.jsonl"):
        plan_ingest([str(root)], CONFIG)
    with pytest.raises(InputError, match=r"lerobot: received no meta/info\.json"):
        plan_ingest([str(tmp_path)], CONFIG)
    record = json.loads((root / "meta" / "info.json").read_text())
    for change, reason in (
        ({"codebase_version": "v1.6"}, r"codebase_version: received 'v1\.6'; expected v2\.0, v2\.1, v3\.0"),
        ({"features": {}}, "no feature of dtype video"),
        ({"splits": {"train": "all"}}, "ValueError"),
    ):
        (root / "meta" / "info.json").write_text(json.dumps(record | change))
        with pytest.raises(InputError, match=reason):
            plan_ingest([str(root)], CONFIG)


def test_the_example_of_the_guide(tmp_path, repository):
    """The config of the guide reads the miniature as the settings of these tests do."""
    page = (repository / "docs" / "guides" / "ingest-datasets.md").read_text()
    (text,) = re.findall(r"<!-- example: lerobot -->\n```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "l2d.yaml").write_text(text)
    shape = ["fps=10", "width_px=48", "height_px=32", "num_frames=8", "dataset=lerobot"]
    config = load_config(IngestConfig, [str(tmp_path / "l2d.yaml")], shape)
    (made,) = plan_ingest([str(make_v3(tmp_path / "set", [[0]]))], config).sources
    np.testing.assert_allclose(made.ego(made.windows[0]).speed_mps, 10.0, rtol=1e-4)

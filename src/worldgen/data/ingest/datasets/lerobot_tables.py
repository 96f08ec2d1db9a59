"""The tables of a LeRobot data set: what it says of itself, its episodes, and their rows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.tables.arrow_files import read_parquet_table
from worldgen.data.ingest.logs.tables.json_records import read_json_lines
from worldgen.data.ingest.logs.tables.log_table import Table, TableLayout
from worldgen.files.json_files import parse_object

INFO = "meta/info.json"
VERSIONS = ("v2.0", "v2.1", "v3.0")
NUMERIC = re.compile(r"^(u?int|float)\d+$")


@dataclass(frozen=True)
class Episode:
    """An episode. index: its number. data: its table below the root. start_s: camera -> where it begins in the video.
    videos: camera -> video below the root."""

    index: int
    data: str
    videos: dict[str, str]
    start_s: dict[str, float]


@dataclass(eq=False)
class LerobotSet:
    """A data set on disk.

    root: its folder. fps: frames and rows a second. cameras: features that are videos. columns: name of a number ->
    (feature, place in its list or None), as ``observation.state.vehicle.speed``. splits: name -> (first episode, end).
    episodes: in order. tables: those that were read.
    """

    root: Path
    fps: float
    cameras: tuple[str, ...]
    columns: dict[str, tuple[str, int | None]]
    splits: dict[str, tuple[int, int]]
    episodes: tuple[Episode, ...] = ()
    tables: dict[str, Table] = field(default_factory=dict)

    def rows(self, episode: Episode) -> tuple[np.ndarray, np.ndarray]:
        """The rows of an episode in its table, ``(N,)``, and their times from its start in seconds.

        Raises:
            InputError: a table that is missing or damaged, no row, or times that do not increase.
        """
        cells = self._table(episode.data).cells
        try:
            index = np.array(cells["episode_index"], np.int64)
            times_s = np.array(cells["timestamp"], np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"table {episode.data}", Received(str(error)), "episode_index and timestamp") from error
        rows = np.flatnonzero(index == episode.index)
        if not len(rows) or not (np.diff(times_s[rows]) > 0).all():
            received = Received(f"{len(rows)} rows" if not len(rows) else "times that do not increase")
            raise InputError(f"table {episode.data}, episode {episode.index}", received, "rows in order of time")
        return rows, times_s[rows]

    def values(self, episode: Episode, name: str, rows: np.ndarray) -> list:
        """The cells of a column of ``columns`` in rows. Raises: InputError for a list of another length."""
        feature, place = self.columns[name]
        try:
            cells = self._table(episode.data).cells[feature]
            return [cells[row] if place is None else cells[row][place] for row in rows]
        except (KeyError, TypeError, IndexError) as error:
            raise InputError(f"table {episode.data}", Received(f"no values of {name}"), f"as {INFO} says") from error

    def _table(self, name: str) -> Table:
        if name not in self.tables:
            if not (self.root / name).is_file():
                raise InputError("lerobot", Received(f"no {name}"), "the tables that meta names")
            self.tables[name] = read_parquet_table(self.root / name, TableLayout())
        return self.tables[name]


def read_lerobot(root: Path) -> LerobotSet:
    """The data set in a folder, of format 2.0, 2.1 (a file an episode) or 3.0 (many episodes a file).

    Raises:
        InputError: no ``meta/info.json``, another format, no videos, or damaged tables.
    """
    if not (root / INFO).is_file():
        raise InputError("lerobot", Received(f"no {INFO} in {root}"), "the folder with meta, data and videos")
    info = parse_object((root / INFO).read_bytes(), INFO)
    version = info.get("codebase_version")
    if version not in VERSIONS:
        raise InputError(f"{INFO}, codebase_version", version, ", ".join(VERSIONS))
    try:
        features: dict[str, Any] = dict(info["features"])
        cameras = tuple(name for name, feature in features.items() if feature["dtype"] == "video")
        splits = {str(name): _span(text) for name, text in (info.get("splits") or {}).items()}
        out = LerobotSet(root, float(info["fps"]), cameras, _columns(features), splits)
        if not cameras:
            raise InputError(INFO, Received("no feature of dtype video"), "cameras as videos")
        read = _episodes_in_tables if version == "v3.0" else _episodes_in_files
        out.episodes = tuple(sorted(read(out, info), key=lambda episode: episode.index))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        received = Received(f"{type(error).__name__} {error}")
        raise InputError(f"meta of {root.name}", received, f"LeRobot {version}") from error
    return out


def _span(text: str) -> tuple[int, int]:
    first, _, end = str(text).partition(":")
    return int(first), int(end)


def _columns(features: dict[str, Any]) -> dict[str, tuple[str, int | None]]:
    """The numbers of the features: ``feature.part`` for those with names of their parts, else ``feature``, or
    ``feature.0`` and so on."""
    out: dict[str, tuple[str, int | None]] = {}
    for name, feature in features.items():
        shape = list(feature.get("shape") or [1])
        if not NUMERIC.match(str(feature["dtype"])) or len(shape) != 1:
            continue
        parts = feature.get("names")
        if isinstance(parts, dict):
            parts = next(iter(parts.values()), None)
        if shape == [1]:
            # A feature of one number is stored as a number.
            out[f"{name}.{parts[0]}" if isinstance(parts, list) and len(parts) == 1 else name] = (name, None)
        else:
            named = parts if isinstance(parts, list) and len(parts) == shape[0] else range(shape[0])
            out |= {f"{name}.{part}": (name, i) for i, part in enumerate(named)}
    return out


def _episodes_in_files(found: LerobotSet, info: dict[str, Any]) -> list[Episode]:
    """Formats 2: a table and a video a camera and episode."""
    path = found.root / "meta" / "episodes.jsonl"
    if not path.is_file():
        raise InputError("lerobot", Received("no meta/episodes.jsonl"), "the episodes of format 2")
    numbers = [int(n) for n in read_json_lines(path, TableLayout()).cells["episode_index"]]
    out = []
    for index in numbers:
        words = {"episode_chunk": index // int(info["chunks_size"]), "episode_index": index}
        videos = {camera: info["video_path"].format(video_key=camera, **words) for camera in found.cameras}
        out.append(Episode(index, info["data_path"].format(**words), videos, dict.fromkeys(found.cameras, 0.0)))
    return out


def _episodes_in_tables(found: LerobotSet, info: dict[str, Any]) -> list[Episode]:
    """Format 3: tables of episodes that say where each lies in shared tables and videos."""
    paths = sorted((found.root / "meta" / "episodes").glob("chunk-*/file-*.parquet"))
    if not paths:
        raise InputError("lerobot", Received("no meta/episodes/chunk-*/file-*.parquet"), "the episodes of format 3")
    out = []
    for path in paths:
        cells = read_parquet_table(path, TableLayout()).cells
        for row, index in enumerate(cells["episode_index"]):
            place = {
                "chunk_index": int(cells["data/chunk_index"][row]),
                "file_index": int(cells["data/file_index"][row]),
            }
            videos, start_s = {}, {}
            for camera in found.cameras:
                words = {part: int(cells[f"videos/{camera}/{part}"][row]) for part in ("chunk_index", "file_index")}
                videos[camera] = info["video_path"].format(video_key=camera, **words)
                start_s[camera] = float(cells[f"videos/{camera}/from_timestamp"][row])
            out.append(Episode(int(index), info["data_path"].format(**place), videos, start_s))
    return out

"""LeRobot data sets of vehicles: videos of episodes, and tables with a row a frame."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.dataset.splits import drive_name
from worldgen.data.ingest.datasets.lerobot_tables import Episode, LerobotSet, read_lerobot
from worldgen.data.ingest.drives.name_drives import looks_elsewhere
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import EgoLog, log_from_table
from worldgen.data.ingest.logs.tables.log_table import Table
from worldgen.data.ingest.recording import Recording
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.data.ingest.source_files import NO_FILE
from worldgen.data.ingest.sources import ClipSource, FoundSources

SPLIT_OF_NAME = {"train": "train", "val": "val", "validation": "val", "test": "test"}
LICENCES = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause"}
"""Licence of a card on the Hugging Face hub -> SPDX identifier; those of Creative Commons are upper case."""
TIME = "time_s"


def lerobot_sources(root: Path, defaults: SourceConfig) -> FoundSources:
    """The videos of the cameras that look ahead: those with ``front`` in their names, else all without a word for
    another side.

    Row i of an episode is frame i. Units are not part of the format, so ``defaults.ego.columns`` says what the numbers
    are (``observation.state.vehicle.speed: speed_kmh``); without it there is no ego motion. Episodes in one video, and
    videos that hold one episode, are one drive; no window crosses from an episode to the next. Splits are those of
    ``meta/info.json`` where it names several.

    Raises:
        InputError: see :func:`read_lerobot`, and columns that the set has not.
    """
    found = read_lerobot(root)
    ego = defaults.ego if defaults.ego is not None and defaults.ego.path != NO_FILE else None
    mapped = {} if ego is None else {name: what for name, what in ego.columns.items() if what != "ignore"}
    unknown = [name for name in mapped if name not in found.columns]
    if unknown:
        raise InputError("ego.columns", unknown[0], "a column of the set: " + ", ".join(found.columns))
    files: dict[tuple[str, str], list[Episode]] = defaultdict(list)
    for episode in found.episodes:
        for camera in _ahead(found.cameras):
            files[camera, episode.videos[camera]].append(episode)
    drives = _drives(list(files.values()))
    out: list[ClipSource] = []
    bad: list[tuple[str, str]] = []
    for (camera, name), episodes in files.items():
        try:
            drive = drives[episodes[0].index]
            config = SourceConfig(licence=_licence(root)).over(defaults)
            source = ClipSource(name, "video", root, root / name, drive, config, split=_split(found, name, episodes))
            if not source.path.is_file():
                raise InputError("lerobot", Received(f"no {name}"), "the videos that meta names")
            log = None if ego is None or not mapped else replace(ego, columns=mapped)
            out.append(replace(source, recording=_recording(found, camera, name, episodes, log),
                               drive_stated=source.split is not None))  # fmt: skip
        except InputError as error:
            bad.append((name, str(error)))
    hint = f"no ego motion: defaults.ego.columns says what numbers are, of {', '.join(found.columns)}"
    return FoundSources(tuple(out), tuple(bad), () if mapped else (hint,))


def _ahead(cameras: tuple[str, ...]) -> tuple[str, ...]:
    """The cameras that look ahead, all if their names do not say."""
    front = tuple(camera for camera in cameras if "front" in re.split(r"[._\-]", camera.lower()))
    others = tuple(camera for camera in cameras if not looks_elsewhere(camera))
    return front or others or cameras


def _drives(files: list[list[Episode]]) -> dict[int, str]:
    """Episode -> drive: episodes that share a video are one, named by the first."""
    first: dict[int, int] = {}
    for episodes in files:
        known = {first.get(episode.index, episode.index) for episode in episodes}
        first = {index: min(known) if own in known else own for index, own in first.items()}
        first |= {episode.index: min(known) for episode in episodes}
    return {index: drive_name(f"episode_{own:06d}") for index, own in first.items()}


def _split(found: LerobotSet, name: str, episodes: list[Episode]) -> str | None:
    """The published split of a video, None where the set names one only."""
    if len(found.splits) < 2:
        return None
    of = [
        SPLIT_OF_NAME.get(split)
        for episode in episodes
        for split, (first, end) in found.splits.items()
        if first <= episode.index < end
    ]
    if len(set(of)) != 1:
        received = Received(f"episodes of {len(set(of))} splits")
        raise InputError(f"video {name}", received, "train, val or test for all of its episodes")
    return of[0]


def _recording(
    found: LerobotSet, camera: str, name: str, episodes: list[Episode], ego: EgoLogConfig | None
) -> Recording:
    """Times, log and notes of a video. Between episodes lies a gap that is longer than what a log may leave open."""
    gap_s = 2 * (ego or EgoLogConfig()).max_gap_s
    episodes = sorted(episodes, key=lambda episode: episode.start_s[camera])
    times: list[np.ndarray] = []
    cells: dict[str, list] = {column: [] for column in (ego.columns if ego is not None else ())}
    for number, episode in enumerate(episodes):
        rows, times_s = found.rows(episode)
        times.append(episode.start_s[camera] + times_s + number * gap_s)
        for column in cells:
            cells[column] += found.values(episode, column, rows)
    times_s = np.concatenate(times)
    notes = [f"{len(episodes)} episodes, {gap_s:g} s set between them"] if len(episodes) > 1 else []
    log = None if ego is None else _log(Path(episodes[0].data), times_s, cells, ego)
    return Recording(times_s, log, notes=tuple(notes))


def _log(path: Path, times_s: np.ndarray, cells: dict[str, list], ego: EgoLogConfig) -> EgoLog:
    """The log of a video by the general reader of tables."""
    if TIME in cells:
        raise InputError(f"ego.columns.{TIME}", Received("a column"), "columns without the times of the frames")
    table = Table(path, (TIME, *cells), {TIME: times_s.tolist(), **cells}, "row", 1)
    return log_from_table(table, ego)


def _licence(root: Path) -> str | None:
    """The licence in the front matter of the card, as SPDX identifier; None without one."""
    card = root / "README.md"
    if not card.is_file():
        return None
    text = card.read_text("utf-8", errors="replace")
    front = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    line = re.search(r"^license:\s*['\"]?([\w.\-]+)", front[1], re.MULTILINE) if front else None
    if line is None:
        return None
    word = line[1].lower()
    return LICENCES.get(word, word.upper() if word.startswith("cc") else line[1])

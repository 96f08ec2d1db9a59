"""BDD100K: videos of 40 seconds with the GPS of the phone that filmed them, and pictures with boxes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from worldgen.core.english import counted
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import SPLITS
from worldgen.data.dataset.splits import drive_name
from worldgen.data.ingest.datasets.bdd100k_pictures import labelled_pictures
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.data.ingest.sources import VIDEO_SUFFIXES, ClipSource, FoundSources
from worldgen.files.json_files import parse_object

LICENCE = "LicenseRef-BDD100K"
COLUMNS = {
    "timestamp": "time_ms", "latitude": "lat_deg", "longitude": "lon_deg", "course": "heading_deg",
    "speed": "speed_mps", "accuracy": "ignore",
}  # fmt: skip
MILLISECOND_S = 1e-3


def bdd100k_sources(root: Path, defaults: SourceConfig) -> FoundSources:
    """The videos below ``root/videos/SPLIT``, with ``root/info/100k/SPLIT/NAME.json`` where it is there, and the
    pictures with boxes (:func:`labelled_pictures`).

    The log is the list ``locations`` of that file (one fix a second; -1 is no value), from ``startTime`` on. The drive
    is its ``rideID``, so that videos of one ride stay together; a ride of which the set has videos in two splits is a
    drive in each, as published, and noted. A video without the file is a drive of its own, without a log.

    Source: Yu et al., BDD100K: A Diverse Driving Dataset for Heterogeneous Multitask Learning, 2020, and its pages.

    Raises:
        InputError: neither videos nor pictures with boxes below ``root``.
    """
    videos = [
        (split, path)
        for split in SPLITS
        for path in sorted((root / "videos" / split).glob("*"))
        if path.suffix.lower() in VIDEO_SUFFIXES
    ]
    pictures, bad, picture_notes = _pictures(root, defaults)
    if not videos and not pictures and not bad:
        expected = "videos/SPLIT/*.mov, or images/100k/SPLIT/*.jpg with labels/det_20/det_SPLIT.json"
        raise InputError("bdd100k", Received(f"{root} without videos and labelled pictures"), expected)
    out: list[ClipSource] = []
    rides: dict[str, set[str]] = defaultdict(set)
    for split, path in videos:
        name = path.relative_to(root).as_posix()
        try:
            source = _source(root, name, path, split, defaults)
        except InputError as error:
            bad.append((name, str(error)))
            continue
        rides[source.drive].add(split)
        out.append(source)
    shared = {ride for ride, splits in rides.items() if len(splits) > 1}
    out = [replace(s, drive=f"{s.drive}-{s.split}") if s.drive in shared else s for s in out]
    notes = [f"leak: videos of {counted(len(shared), 'ride')} are in several splits, as published"] if shared else []
    return FoundSources((*out, *pictures), tuple(bad), (*notes, *picture_notes))


def _pictures(root: Path, defaults: SourceConfig) -> tuple[list[ClipSource], list[tuple[str, str]], list[str]]:
    """The sources of pictures with boxes, those that cannot be used, and notes."""
    found: list[ClipSource] = []
    bad: list[tuple[str, str]] = []
    notes: list[str] = []
    for split in SPLITS:
        try:
            source, said = labelled_pictures(root, split, defaults, LICENCE)
        except InputError as error:
            bad.append((f"images/100k/{split}", str(error)))
            continue
        notes += said
        found += [] if source is None else [source]
    return found, bad, notes


def _source(root: Path, name: str, path: Path, split: str, defaults: SourceConfig) -> ClipSource:
    info = root / "info" / "100k" / split / f"{path.stem}.json"
    config = SourceConfig(licence=LICENCE)
    drive = path.stem
    has_log = False
    if info.is_file():
        record = parse_object(info.read_bytes(), f"info {info.name}")
        drive = str(record.get("rideID") or path.stem)
        start_ms = record.get("startTime")
        has_log = isinstance(record.get("locations"), list) and len(record["locations"]) > 1
        if has_log:
            if isinstance(start_ms, bool) or not isinstance(start_ms, (int, float)):
                raise InputError(f"info {info.name}, startTime", start_ms, "milliseconds since 1970")
            ego = EgoLogConfig(
                clock="first_frame", clock_offset_s=-start_ms * MILLISECOND_S, records="locations", columns=COLUMNS
            )
            config = replace(config, ego=ego)
    source = ClipSource(name, "video", root, path, drive_name(drive), config.over(defaults), True)
    return replace(source, split=split, ego_path=info if has_log else None)

"""Finds the sources in a folder: videos, frame folders and COCO files, each with the files that belong to it."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from worldgen.core.errors import InputError, Received
from worldgen.data.dataset.splits import drive_name
from worldgen.data.ingest.annotations import CocoImage, coco_file_names, read_coco
from worldgen.data.ingest.captions import is_caption_file
from worldgen.data.ingest.logs.table import SIDECAR_SUFFIXES
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.data.video.image_files import READ_SUFFIXES, image_files, natural_order

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".hevc", ".mov", ".webm", ".h264", ".h265", ".265", ".264")


COCO_SUFFIX = ".coco.json"
NO_FILE = "none"


@dataclass(frozen=True, eq=False)
class ClipSource:
    """One recording, with the files that belong to it.

    name: path relative to the SOURCE folder, unique. kind: ``video``, ``folder`` (frames in order) or ``images``
    (unordered pictures of a COCO file). root: the SOURCE folder. drive: name of its drive. files: pictures in order
    (folder, images). ego_path, caption_path, labels_path: files of the log, captions and boxes, or None. coco: pictures
    with boxes (images).
    """

    name: str
    kind: Literal["video", "folder", "images"]
    root: Path
    path: Path
    drive: str
    config: SourceConfig
    files: tuple[Path, ...] = ()
    ego_path: Path | None = None
    caption_path: Path | None = None
    labels_path: Path | None = None
    coco: tuple[CocoImage, ...] = field(default=())

    def digest(self) -> str:
        """A hash of the content: sizes, the first and last 64 KiB of the video or pictures, and the other files."""
        hasher = hashlib.blake2b(digest_size=8)
        for path in self.files or (self.path,):
            hasher.update(f"{path.name}:{path.stat().st_size};".encode())
        for path in (self.files[0], self.files[-1]) if self.files else (self.path,):
            hasher.update(_ends(path))
        for other in (self.ego_path, self.caption_path, self.labels_path):
            hasher.update(b"-" if other is None else hashlib.blake2b(other.read_bytes()).digest())
        if self.coco:
            hasher.update(repr(self.coco).encode())
        return hasher.hexdigest()


def _ends(path: Path, length: int = 65536) -> bytes:
    """The first and the last ``length`` bytes of a file."""
    with open(path, "rb") as file:
        head = file.read(length)
        file.seek(max(path.stat().st_size - length, 0))
        return head + file.read(length)


def find_sources(
    places: list[str], sources: dict[str, SourceConfig], defaults: SourceConfig, exclude: tuple[str, ...] = ()
) -> list[ClipSource]:
    """All sources in files and folders, in natural order of their names, each with its config and its other files.

    A video ``NAME.mp4`` or frame folder ``NAME`` comes with ``NAME.ego.csv`` or ``NAME.csv`` (also tsv, json, parquet)
    as ego log and ``NAME.txt`` or ``NAME.json`` as captions, where they exist.

    Args:
        places: videos, frame folders, COCO files, or folders of them.
        sources: path or pattern relative to the SOURCE folder -> config. An exact path wins over patterns, the first
            matching pattern over later ones.
        defaults: for what a config leaves open.
        exclude: patterns of sources to leave out.

    Raises:
        InputError: a place that does not exist or holds no source, an entry of ``sources`` or ``exclude`` that matches
            nothing, a name found twice, or two files that could both be the ego log.
    """
    if not places:
        raise InputError("SOURCE", Received("nothing"), "a video, a frame folder, or a folder of them")
    found: list[tuple[str, Path, Path]] = []
    for place in places:
        entries = list(_walk(Path(place)))
        if not entries:
            raise InputError(
                "SOURCE",
                place,
                f"{', '.join(VIDEO_SUFFIXES[:4])} files, or folders of {', '.join(READ_SUFFIXES)} frames",
            )
        found += entries
    _check_patterns("exclude", exclude, [name for name, _, _ in found])
    found = [entry for entry in found if not any(fnmatchcase(entry[0], pattern) for pattern in exclude)]
    _check_patterns("sources", tuple(sources), [name for name, _, _ in found])
    out = []
    for name, path, root in found:
        out += _sources_at(name, path, root, _config_of(name, sources).over(defaults))
    names = [source.name for source in out]
    for source in out:
        if names.count(source.name) > 1:
            raise InputError(
                "source",
                source.name,
                "every source once: two SOURCE arguments hold this name; ingest their common parent",
            )
    return sorted(out, key=lambda source: natural_order(source.name))


def _check_patterns(what: str, patterns: tuple[str, ...], names: list[str]) -> None:
    """Refuse a pattern that matches no name. what: field of the config."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            near = difflib.get_close_matches(pattern, names, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise InputError(
                f"{what} entry",
                pattern,
                "a path or pattern of " + ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") + hint,
            )


def _config_of(name: str, sources: dict[str, SourceConfig]) -> SourceConfig:
    """The config of a source: that of its exact name, else of the first pattern that matches."""
    if name in sources:
        return sources[name]
    return next((config for pattern, config in sources.items() if fnmatchcase(name, pattern)), SourceConfig())


def _walk(place: Path) -> Iterator[tuple[str, Path, Path]]:
    """(name, path, SOURCE folder) of every video, frame folder and COCO file at or below ``place``."""
    if not place.exists():
        raise InputError("SOURCE", str(place), "a file or folder that exists")
    place = Path(os.path.abspath(place))
    if place.is_file():
        if place.name.endswith(COCO_SUFFIX) or place.suffix.lower() in VIDEO_SUFFIXES:
            yield place.name, place, place.parent
        return
    pictures = image_files(place)
    if pictures:
        yield place.name, place, place.parent
        return
    owned: set[Path] = set()
    entries: list[tuple[str, Path]] = []
    for folder, subfolders, names in os.walk(place):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if name.startswith("."):
                continue
            if name.endswith(COCO_SUFFIX):
                # A folder whose pictures are listed in a COCO file is no source of its own.
                owned |= {(path.parent / name).parent for name in coco_file_names(path)}
                entries.append((path.relative_to(place).as_posix(), path))
            elif path.suffix.lower() in VIDEO_SUFFIXES:
                entries.append((path.relative_to(place).as_posix(), path))
        if Path(folder) != place and image_files(Path(folder)):
            entries.append((Path(folder).relative_to(place).as_posix(), Path(folder)))
    yield from ((name, path, place) for name, path in entries if path not in owned)


def _sources_at(name: str, path: Path, root: Path, config: SourceConfig) -> list[ClipSource]:
    """The source at a path; a COCO file gives several."""
    if name.endswith(COCO_SUFFIX):
        return _coco_sources(name, path, root, config)
    stem = name if path.is_dir() else os.path.splitext(name)[0]
    labels_path = None if config.labels is None or config.labels.path is None else root / config.labels.path
    return [ClipSource(
        name, "folder" if path.is_dir() else "video", root, path, drive_name(config.drive or stem), config,
        files=image_files(path) if path.is_dir() else (), ego_path=_ego_path(path, root, config),
        caption_path=_caption_path(path), labels_path=labels_path,
    )]  # fmt: skip


def _coco_sources(name: str, path: Path, root: Path, config: SourceConfig) -> list[ClipSource]:
    """The pictures of a COCO file, as one source per drive."""
    classes = {} if config.labels is None else dict(config.labels.classes)
    try:
        pattern = re.compile(config.drive_pattern) if config.drive_pattern else None
    except re.error as error:
        raise InputError(f"drive_pattern of {name}", config.drive_pattern, f"a regular expression ({error})") from error
    if pattern is not None and pattern.groups < 1:
        raise InputError(
            f"drive_pattern of {name}", config.drive_pattern, "a regular expression with one group in brackets"
        )
    drives: dict[str, list[CocoImage]] = {}
    for image in read_coco(path, classes):
        match = pattern.search(image.file_name) if pattern else None
        if pattern and not match:
            raise InputError(
                f"COCO file {name}, image",
                image.file_name,
                f"a name that drive_pattern {config.drive_pattern!r} matches",
            )
        drive = match.group(1) if match else config.drive or name.removesuffix(COCO_SUFFIX)
        drives.setdefault(drive_name(drive), []).append(image)
    out = []
    for drive, images in drives.items():
        images.sort(key=lambda image: natural_order(image.file_name))
        files = tuple(path.parent / image.file_name for image in images)
        for file in files:
            if not file.is_file():
                raise InputError(f"COCO file {name}, image", str(file), "a picture that exists")
        out.append(ClipSource(f"{name}:{drive}", "images", root, path, drive, config, files=files, coco=tuple(images)))
    return out


def _ego_path(path: Path, root: Path, config: SourceConfig) -> Path | None:
    """The ego log of a source: ``ego.path`` of its config, else the file beside it."""
    wanted = config.ego.path if config.ego is not None else None
    if wanted == NO_FILE:
        return None
    if wanted is not None:
        if not (root / wanted).is_file():
            raise InputError("ego.path", wanted, f"a file in {root}")
        return root / wanted
    stem = path.name if path.is_dir() else path.stem
    named = [path.parent / f"{stem}.ego{suffix}" for suffix in SIDECAR_SUFFIXES]
    plain = [path.parent / f"{stem}{suffix}" for suffix in SIDECAR_SUFFIXES]
    there = [p for p in named if p.is_file()] or [
        p for p in plain if p.is_file() and not (p.suffix == ".json" and is_caption_file(p))
    ]
    if len(there) > 1:
        raise InputError(
            f"ego log of {path.name}", Received(" and ".join(p.name for p in there)), "one; name it with ego.path"
        )
    return there[0] if there else None


def _caption_path(path: Path) -> Path | None:
    """The caption file beside a source."""
    stem = path.name if path.is_dir() else path.stem
    text, data = path.parent / f"{stem}.txt", path.parent / f"{stem}.json"
    if text.is_file():
        return text
    return data if data.is_file() and is_caption_file(data) else None

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
from worldgen.data.ingest.annotations import CocoImage, read_coco
from worldgen.data.ingest.captions import is_caption_file
from worldgen.data.ingest.logs.table import SUFFIXES
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.data.video.images import READ_SUFFIXES, image_files, natural_order

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".hevc", ".mov", ".webm", ".h264", ".h265", ".265", ".264")


COCO_SUFFIX = ".coco.json"
NO_FILE = "none"


@dataclass(frozen=True, eq=False)
class ClipSource:
    """One recording. kind: ``video``, ``folder`` (frames in order) or ``images`` (unordered pictures of a COCO file).

    name: path relative to the SOURCE folder, unique. root: that folder. files: pictures in order (folder, images).
    ego_path, caption_path, labels_path: files that belong to it, or None. coco: pictures with boxes (images).
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
        """A hash of the content, cheap on large files: sizes, the first and last 64 KiB, and all that is beside it."""
        hasher = hashlib.blake2b(digest_size=8)
        for path in self.files or (self.path,):
            hasher.update(f"{path.name}:{path.stat().st_size};".encode())
        for path in (self.files[0], self.files[-1]) if self.files else (self.path,):
            hasher.update(_ends(path))
        for path in (self.ego_path, self.caption_path, self.labels_path):
            hasher.update(b"-" if path is None else hashlib.blake2b(path.read_bytes()).digest())
        if self.coco:
            hasher.update(repr(self.coco).encode())
        return hasher.hexdigest()


def _ends(path: Path, length: int = 65536) -> bytes:
    with open(path, "rb") as file:
        head = file.read(length)
        file.seek(max(path.stat().st_size - length, 0))
        return head + file.read(length)


def find_sources(
    places: list[str], sources: dict[str, SourceConfig], defaults: SourceConfig, exclude: tuple[str, ...] = ()
) -> list[ClipSource]:
    """All sources in files and folders, sorted by name, each with its config and the files beside it.

    sources: path or pattern relative to the SOURCE folder -> config; an exact path wins over patterns, and the first
    matching pattern over later ones. exclude: patterns to leave out.

    Raises InputError for a place that does not exist or holds nothing, an entry of ``sources`` or ``exclude`` that
    matches nothing, a name that is found twice, an ego log that cannot be told from another.
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
    if name in sources:
        return sources[name]
    return next((config for pattern, config in sources.items() if fnmatchcase(name, pattern)), SourceConfig())


def _walk(place: Path) -> Iterator[tuple[str, Path, Path]]:
    """(name, path, root) of every video, frame folder and COCO file at or below ``place``."""
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
                # Pictures that a COCO file lists belong to it, so their folder is no clip of its own.
                owned |= {(path.parent / image.file_name).parent for image in read_coco(path, _AnyClass())}
                entries.append((path.relative_to(place).as_posix(), path))
            elif path.suffix.lower() in VIDEO_SUFFIXES:
                entries.append((path.relative_to(place).as_posix(), path))
        if Path(folder) != place and image_files(Path(folder)):
            entries.append((Path(folder).relative_to(place).as_posix(), Path(folder)))
    yield from ((name, path, place) for name, path in entries if path not in owned)


class _AnyClass(dict):
    """Maps every category to ``ignore``: only the file names are wanted."""

    def get(self, key, default=None):
        return "ignore"


def _sources_at(name: str, path: Path, root: Path, config: SourceConfig) -> list[ClipSource]:
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
    """The pictures of a COCO file as one source per drive."""
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
    wanted = config.ego.path if config.ego is not None else None
    if wanted == NO_FILE:
        return None
    if wanted is not None:
        if not (root / wanted).is_file():
            raise InputError("ego.path", wanted, f"a file in {root}")
        return root / wanted
    stem = path.name if path.is_dir() else path.stem
    named = [path.parent / f"{stem}.ego{suffix}" for suffix in SUFFIXES]
    plain = [path.parent / f"{stem}{suffix}" for suffix in SUFFIXES]
    there = [p for p in named if p.is_file()] or [
        p for p in plain if p.is_file() and not (p.suffix == ".json" and is_caption_file(p))
    ]
    if len(there) > 1:
        raise InputError(
            f"ego log of {path.name}", Received(" and ".join(p.name for p in there)), "one; name it with ego.path"
        )
    return there[0] if there else None


def _caption_path(path: Path) -> Path | None:
    stem = path.name if path.is_dir() else path.stem
    text, data = path.parent / f"{stem}.txt", path.parent / f"{stem}.json"
    if text.is_file():
        return text
    return data if data.is_file() and is_caption_file(data) else None

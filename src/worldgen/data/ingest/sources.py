"""Finds the sources in a folder: videos, frame folders and COCO files, each with the files that belong to it."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from worldgen.core.errors import InputError, Received
from worldgen.data.dataset.splits import drive_name
from worldgen.data.ingest.annotations import CocoImage, coco_file_names, read_coco
from worldgen.data.ingest.drives.name_drives import name_drives
from worldgen.data.ingest.picture_folders import is_mask_folder, picture_rows
from worldgen.data.ingest.recording import Recording
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.data.ingest.source_files import SourceFiles, SourcePlace, camera_from_file, source_files, unread_files
from worldgen.data.video.image_files import READ_SUFFIXES, image_files, natural_order

VIDEO_SUFFIXES = (
    ".mp4", ".avi", ".mkv", ".hevc", ".mov", ".webm", ".h264", ".h265", ".265", ".264", ".ts", ".m4v", ".wmv", ".mpg",
    ".mpeg", ".m2ts", ".mts", ".3gp", ".flv", ".asf", ".ogv", ".vob", ".m2v", ".mjpeg", ".y4m", ".mxf",
)  # fmt: skip
"""In any case, as in ``.MP4``."""
BESIDE = (
    "", ".csv", ".tsv", ".json", ".jsonl", ".parquet", ".feather", ".npy", ".npz", ".gpx", ".txt", ".md", ".yaml",
    ".yml", ".xml", ".pdf", ".html", ".log", ".srt", ".py", ".sh", ".cff", ".toml",
)  # fmt: skip
"""Suffixes of files beside clips that nobody takes for clips: tables, texts, settings. Others are listed."""
TEXTS = ("license", "licence", "readme", "notice", "copying")
"""Starts of names of texts, which may have a version in place of a suffix."""

COCO_SUFFIX = ".coco.json"


@dataclass(frozen=True, eq=False)
class ClipSource:
    """One recording, with the files that belong to it.

    name: path relative to the SOURCE folder, unique. kind: ``video``, ``folder`` (frames in order) or ``images``
    (unordered pictures of a COCO file). root: the SOURCE folder. drive: name of its drive. drive_stated: whether the
    config gives it. config: with the camera of its file. files: pictures in order (folder, images). ego_path,
    caption_path, labels_path, times_path: files of the log (or its folder), captions, boxes and frame times, or None.
    coco: pictures with boxes (images). split: as its data set
    publishes it, or None. recording: what the tables of its data set say, or None.
    """

    name: str
    kind: Literal["video", "folder", "images"]
    root: Path
    path: Path
    drive: str
    config: SourceConfig
    drive_stated: bool = False
    files: tuple[Path, ...] = ()
    ego_path: Path | None = None
    caption_path: Path | None = None
    labels_path: Path | None = None
    times_path: Path | None = None
    coco: tuple[CocoImage, ...] = field(default=())
    split: str | None = None
    recording: Recording | None = None

    @property
    def stem(self) -> str:
        """Path below SOURCE without suffix."""
        return self.name if self.files else os.path.splitext(self.name)[0]

    def digest(self) -> str:
        """A hash of the content: sizes, the first and last 64 KiB of the video or pictures, and the other files."""
        hasher = hashlib.blake2b(digest_size=8)
        hasher.update(self.content().encode())
        others = [self.ego_path, self.caption_path, self.labels_path]
        if self.times_path is not None:
            others.append(self.times_path)
        for other in others:
            hasher.update(b"-" if other is None else _file_hash(other))
        if self.recording is not None:
            hasher.update(self.recording.digest())
        if self.coco:
            hasher.update(repr(self.coco).encode())
        return hasher.hexdigest()

    def content(self) -> str:
        """A hash of the video or pictures alone: two sources that share it hold the same frames."""
        hasher = hashlib.blake2b(digest_size=8)
        for path in self.files or (self.path,):
            hasher.update(f"{path.name if self.files else ''}:{path.stat().st_size};".encode())
        for path in (self.files[0], self.files[-1]) if self.files else (self.path,):
            hasher.update(_ends(path))
        return hasher.hexdigest()


def _file_hash(path: Path) -> bytes:
    """A hash of a file, or of the files of a folder."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    hasher = hashlib.blake2b()
    for file in files:
        hasher.update(file.read_bytes())
    return hasher.digest()


def _ends(path: Path, length: int = 65536) -> bytes:
    """The first and the last ``length`` bytes of a file."""
    with open(path, "rb") as file:
        head = file.read(length)
        file.seek(max(path.stat().st_size - length, 0))
        return head + file.read(length)


@dataclass(frozen=True, eq=False)
class FoundSources:
    """The sources of an ingest. bad: (name, reason) of those that cannot be used. notes: what was left out, and why."""

    sources: tuple[ClipSource, ...]
    bad: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """A video, a row of pictures or a COCO file. name: below SOURCE. files: pictures in order. row: see SourcePlace."""

    name: str
    path: Path
    root: Path
    files: tuple[Path, ...] = ()
    row: str = ""

    @property
    def is_coco(self) -> bool:
        return self.name.endswith(COCO_SUFFIX)

    @property
    def folder(self) -> str:
        """The folder of a row of pictures below SOURCE, else the name."""
        return self.name.rpartition("/")[0] if self.row else self.name

    @property
    def stem(self) -> str:
        """Path below SOURCE without suffix."""
        return self.name if self.files else os.path.splitext(self.name)[0]


def find_sources(
    places: list[str], sources: dict[str, SourceConfig], defaults: SourceConfig, exclude: tuple[str, ...] = ()
) -> FoundSources:
    """All sources in files and folders, in natural order of their names, each with its config and its other files.

    A video ``NAME.mp4`` or frame folder ``NAME`` comes with ``NAME.ego.csv`` or ``NAME.csv`` (also tsv, json, parquet,
    ...) as ego log and ``NAME.txt`` or ``NAME.json`` as captions, where they exist. A source whose files cannot be used
    is listed in ``bad``.

    Args:
        places: videos, frame folders, COCO files, or folders of them.
        sources: path or pattern relative to the SOURCE folder -> config. An exact path wins over patterns, the first
            matching pattern over later ones.
        defaults: for what a config leaves open.
        exclude: patterns of sources to leave out.

    Raises:
        InputError: a place that does not exist or holds no source, an entry of ``sources`` or ``exclude`` that matches
            nothing, a name found twice, or a ``drive_pattern`` that is no expression with a group.
    """
    if not places:
        raise InputError("sources", Received("nothing"), "a video, a frame folder, or a folder of them")
    found: list[_Entry] = []
    left_out: list[str] = []
    notes: list[str] = []
    for place in places:
        entries, others, said = _walk(Path(place))
        if not entries:
            raise InputError(
                "source",
                place,
                f"{', '.join(VIDEO_SUFFIXES[:4])} files, or folders of {', '.join(READ_SUFFIXES)} frames",
            )
        found, left_out, notes = found + entries, left_out + others, notes + said
    names = [entry.name for entry in found]
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(
                "source", name, "every source once: two of the sources hold this name; ingest their common parent"
            )
    known = [*names, *left_out, *(entry.folder for entry in found if entry.row)]
    check_patterns("exclude", exclude, known)
    found = [
        entry
        for entry in found
        if not any(fnmatchcase(n, pattern) for pattern in exclude for n in (entry.name, entry.folder))
    ]
    check_patterns("sources", tuple(sources), [*known])
    configs = [matching_config(entry.name, sources, entry.folder).over(defaults) for entry in found]
    for config in configs:
        _pattern(config)
    by_name = name_drives((entry.root.name, entry.stem) for entry in found if not entry.is_coco)
    out: list[ClipSource] = []
    bad: list[tuple[str, str]] = []
    for entry, config in zip(found, configs, strict=True):
        try:
            out += _sources_at(entry, config, by_name)
        except InputError as error:
            bad.append((entry.name, str(error)))
    out.sort(key=lambda source: natural_order(source.name))
    notes += [note for place in places for note in _waiting_notes(Path(place), out)]
    return FoundSources(tuple(out), tuple(bad), tuple(notes))


def _waiting_notes(place: Path, sources: list[ClipSource]) -> list[str]:
    """Notes on tables below a folder that are read by nobody, where a source has no log and none was ruled out."""
    root = Path(os.path.abspath(place))
    own = [source for source in sources if source.root == root and source.kind != "images"]
    logless = [source for source in own if source.ego_path is None]
    if not root.is_dir() or all(source.config.ego is not None and source.config.ego.path for source in logless):
        return []
    files = [
        Path(folder) / name for folder, _, names in os.walk(root) for name in sorted(names) if not name.startswith(".")
    ]
    used = {
        path for source in own
        for path in (source.ego_path, source.times_path, source.labels_path, source.caption_path) if path is not None
    }  # fmt: skip
    return unread_files(files, root, used)


def check_patterns(what: str, patterns: tuple[str, ...], names: list[str]) -> None:
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


def matching_config(name: str, sources: dict[str, SourceConfig], folder: str = "") -> SourceConfig:
    """The config of a source: that of its exact name, else of the first pattern that matches it or its folder."""
    if name in sources:
        return sources[name]
    matches = (c for pattern, c in sources.items() if fnmatchcase(name, pattern) or fnmatchcase(folder, pattern))
    return next(matches, SourceConfig())


def _walk(place: Path) -> tuple[list[_Entry], list[str], list[str]]:
    """The entries at or below ``place``, the names of what is no source, and notes on it."""
    if not place.exists():
        raise InputError("source", str(place), "a file or folder that exists")
    place = Path(os.path.abspath(place))
    if place.is_file():
        usable = place.name.endswith(COCO_SUFFIX) or place.suffix.lower() in VIDEO_SUFFIXES
        return [_Entry(place.name, place, place.parent)] if usable else [], [], []
    entries: list[_Entry] = []
    folders: list[tuple[Path, tuple[Path, ...]]] = []
    unknown: Counter[str] = Counter()
    for folder, subfolders, names in os.walk(place):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            path = Path(folder) / name
            suffix = path.suffix.lower()
            if name.endswith(COCO_SUFFIX) or suffix in VIDEO_SUFFIXES:
                entries.append(_Entry(path.relative_to(place).as_posix(), path, place))
            elif suffix not in BESIDE + READ_SUFFIXES and not name.lower().startswith(TEXTS):
                unknown[suffix] += 1
        pictures = image_files(Path(folder))
        if pictures:
            folders.append((Path(folder), pictures))
    listed = ", ".join(f"{suffix} ({count})" for suffix, count in sorted(unknown.items()))
    notes = [f"files that are no source, left out: {listed}"] if unknown else []
    kept, left_out, said = _picture_entries(place, folders, entries)
    return [*entries, *kept], left_out, [*notes, *said]


def _picture_entries(
    place: Path, folders: list[tuple[Path, tuple[Path, ...]]], entries: list[_Entry]
) -> tuple[list[_Entry], list[str], list[str]]:
    """The rows of pictures that are sources, the folders that are none, and why."""
    owned: set[Path] = set()
    stems: dict[Path, set[str]] = {}
    for entry in entries:
        if entry.is_coco:
            try:
                listed = [Path(name) for name in coco_file_names(entry.path)]
            except InputError:
                continue  # reported as a bad source when it is read
            owned |= {(entry.path.parent / name).parent for name in listed}
            stems.setdefault(entry.path.parent, set()).update(name.stem for name in listed)
    with_video = {entry.path.parent for entry in entries}
    kept: list[_Entry] = []
    left_out: list[str] = []
    notes: list[str] = []
    for folder, pictures in folders:
        if folder in owned:
            continue
        name = folder.relative_to(place).as_posix() if folder != place else place.name
        named = next((names for parent, names in stems.items() if folder.is_relative_to(parent)), set())
        if named and is_mask_folder(pictures, named):
            left_out.append(name)
            notes.append(f"{name}: pictures with the names of those of a COCO file, taken for their masks and left out")
        elif len(pictures) == 1 and folder in with_video:
            left_out.append(name)
            notes.append(f"{pictures[0].name}: a single picture beside other sources, left out")
        else:
            for row, files in picture_rows(pictures).items():
                kept.append(_Entry(f"{name}/{row}" if row else name, folder, place, files, row))
    return kept, left_out, notes


def _pattern(config: SourceConfig) -> re.Pattern[str] | None:
    """The compiled ``drive_pattern``. Raises: InputError for one that is no expression with a group."""
    if config.drive_pattern is None:
        return None
    try:
        pattern = re.compile(config.drive_pattern)
    except re.error as error:
        raise InputError("drive_pattern", config.drive_pattern, f"a regular expression ({error})") from error
    if pattern.groups < 1:
        raise InputError("drive_pattern", config.drive_pattern, "a regular expression with one group in brackets")
    return pattern


def _stated_drive(name: str, config: SourceConfig) -> str | None:
    """The drive of a source or picture by its config, or None. Raises: InputError for a name that does not match."""
    pattern = _pattern(config)
    if pattern is None:
        return None if config.drive is None else drive_name(config.drive)
    match = pattern.search(name)
    if match is None or match.group(1) is None:
        raise InputError(
            f"name {name}", Received("no match"), f"one that drive_pattern {config.drive_pattern!r} matches"
        )
    return drive_name(match.group(1))


def _sources_at(entry: _Entry, config: SourceConfig, by_name: dict[tuple[str, str], str]) -> Iterable[ClipSource]:
    """The source of an entry; a COCO file gives several."""
    if entry.is_coco:
        return list(_coco_sources(entry, config))
    stated = _stated_drive(entry.name, config)
    place = SourcePlace(entry.name, entry.path, entry.root, stated or by_name[entry.root.name, entry.stem], entry.row)
    files = source_files(place, config)
    return [_source(place, config, files, entry.files, stated is not None)]


def _source(
    place: SourcePlace, config: SourceConfig, files: SourceFiles, pictures: tuple[Path, ...], stated: bool
) -> ClipSource:
    if config.camera is not None:
        config = replace(config, camera=camera_from_file(place, config.camera))
    return ClipSource(
        place.name, "folder" if pictures else "video", place.root, place.path, place.drive, config, stated, pictures,
        files.ego, files.caption, files.labels, files.times,
    )  # fmt: skip


def _coco_sources(entry: _Entry, config: SourceConfig) -> Iterator[ClipSource]:
    """The pictures of a COCO file, as one source per drive."""
    classes = {} if config.labels is None else dict(config.labels.classes)
    drives: dict[str, list[CocoImage]] = {}
    for image in read_coco(entry.path, classes):
        stated = _stated_drive(image.file_name, config)
        drives.setdefault(stated or drive_name(entry.name.removesuffix(COCO_SUFFIX)), []).append(image)
    for drive, images in drives.items():
        images.sort(key=lambda image: natural_order(image.file_name))
        files = tuple(entry.path.parent / image.file_name for image in images)
        for file in files:
            if not file.is_file():
                raise InputError(f"COCO file {entry.name}, image", str(file), "a picture that exists")
        camera = config
        if config.camera is not None:
            place = SourcePlace(entry.name, entry.path, entry.root, drive)
            camera = replace(config, camera=camera_from_file(place, config.camera))
        yield ClipSource(
            f"{entry.name}:{drive}", "images", entry.root, entry.path, drive, camera, True, files, coco=tuple(images)
        )

"""The files that belong to a source: ego log, captions, boxes, times and camera, beside it or named by its config."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fnmatch import fnmatch
from pathlib import Path

from worldgen.core.english import counted
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.captions import is_caption_file
from worldgen.data.ingest.logs.table import SUFFIXES
from worldgen.data.ingest.source_config import CameraConfig, SourceConfig
from worldgen.files.json_files import parse_object

LAYOUTS = {
    "oxts/timestamps.txt": "kitti_raw", "v1.0-*/scene.json": "nuscenes", "meta/info.json": "lerobot",
    "city_SE3_egovehicle.feather": "argoverse2", "processed_log/CAN/speed/t": "comma2k19",
}  # fmt: skip
"""Files by which a public data set is known -> its name."""
TABLES = (".csv", ".tsv", ".jsonl", ".parquet", ".feather", ".gpx")
"""Suffixes of files that hold tables and little else."""
NO_FILE, TIMESTAMPS = "none", "timestamps.txt"
SIDECAR_SUFFIXES = tuple(suffix for suffix in SUFFIXES if suffix != ".txt")
"""Suffixes by which a log ``NAME.csv`` beside ``NAME.mp4`` is found; ``NAME.txt`` is a caption."""


@dataclass(frozen=True)
class SourceFiles:
    """The files of a source; None for those that it has not."""

    ego: Path | None
    caption: Path | None
    labels: Path | None
    times: Path | None


@dataclass(frozen=True)
class SourcePlace:
    """Where a source lies. name: path below SOURCE. path: its file or folder. root: SOURCE. drive: its drive.

    row: words of its pictures when its folder holds several rows of them, else "".
    """

    name: str
    path: Path
    root: Path
    drive: str
    row: str = ""

    @property
    def folder(self) -> Path:
        """The folder that a search for named files begins at."""
        return self.path if self.path.is_dir() else self.path.parent


def source_files(place: SourcePlace, config: SourceConfig) -> SourceFiles:
    """The files of a source.

    Raises:
        InputError: a named file that is not there, several that match, or two logs beside it.
    """
    labels = None if config.labels is None else config.labels.path
    return SourceFiles(
        _ego_path(place, config), _caption_path(place),
        None if labels is None else named_file(place, "labels.path", labels),
        _times_path(place, config),
    )  # fmt: skip


def named_file(place: SourcePlace, what: str, wanted: str, *, or_folder: bool = False) -> Path:
    """The file that a config names: in the folder of the source, else in the nearest folder above it, up to SOURCE.

    what: the setting, for messages. wanted: a path that may hold ``{name}``, ``{stem}``, ``{drive}`` and ``*``.
    or_folder: whether it may be a folder.

    Raises:
        InputError: an unknown word in braces, no such file, or several that match.
    """
    suffix = "" if place.path.is_dir() else place.path.suffix
    stem = place.path.name.removesuffix(suffix) if not place.row else place.row
    words = {"name": place.name.removesuffix(suffix), "stem": stem, "drive": place.drive}
    try:
        pattern = wanted.format(**words)
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(what, wanted, "a path with {name}, {stem} or {drive} at most") from error
    folder = place.folder
    for above in (folder, *folder.parents):
        found = [above / pattern] if "*" not in pattern else sorted(above.glob(pattern))
        found = [path for path in found if path.is_file() or (or_folder and path.is_dir())]
        if len(found) > 1:
            names = " and ".join(path.name for path in found[:3])
            raise InputError(f"{what} {wanted} of {place.name}", Received(names), "one file that matches")
        if found:
            return found[0]
        if above == place.root:
            break
    raise InputError(
        what, pattern, f"a file in the folder of {place.name} or a folder above it, up to {place.root.name}"
    )


def camera_from_file(place: SourcePlace, config: CameraConfig) -> CameraConfig:
    """The camera of a source, read from ``path`` where the config names a file.

    Raises:
        InputError: a missing or damaged file, unknown names, or settings beside ``path``.
    """
    if config.path is None:
        return config
    if config != CameraConfig(path=config.path):
        raise InputError("camera", Received("path together with other settings"), "path alone, or the settings")
    path = named_file(place, "camera.path", config.path)
    names = [field.name for field in fields(CameraConfig) if field.name != "path"]
    values = parse_object(path.read_bytes(), f"camera file {path.name}")
    for name, value in values.items():
        if name not in names:
            raise InputError(f"camera file {path.name}", name, f"one of {', '.join(names)}")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InputError(f"camera file {path.name}, {name}", value, "a number")
    return CameraConfig(**values)


def unread_files(files: list[Path], root: Path, used: set[Path]) -> list[str]:
    """Notes on files below SOURCE that a source without a log may have waited for.

    files: all below root. used: those that sources read. A table that no source reads is named, and so is a public data
    set whose layout is there.
    """
    relative = [path.relative_to(root).as_posix() for path in files]
    sets = {name for word, name in LAYOUTS.items() if any(fnmatch(f"/{path}", f"*/{word}") for path in relative)}
    if sets:
        return [f"a layout of {name}, which worldgen ingest --dataset {name} reads as it is" for name in sorted(sets)]
    unread = sorted(
        name for path, name in zip(files, relative, strict=True) if path.suffix.lower() in TABLES and path not in used
    )
    if not unread:
        return []
    listed = ", ".join(unread[:3]) + (", ..." if len(unread) > 3 else "")
    return [f"{counted(len(unread), 'table')} that no source reads ({listed}): ego.path names a log, times_file times"]


def _stems(place: SourcePlace) -> list[Path]:
    """Paths without suffix of files beside a source."""
    if place.row:
        return [place.path / place.row, place.path.parent / place.path.name]
    return [place.path.parent / (place.path.name if place.path.is_dir() else place.path.stem)]


def _ego_path(place: SourcePlace, config: SourceConfig) -> Path | None:
    """The ego log of a source: ``ego.path`` of its config, else the file beside it."""
    wanted = config.ego.path if config.ego is not None else None
    if wanted == NO_FILE:
        return None
    if config.ego is not None and wanted is not None:
        return named_file(place, "ego.path", wanted, or_folder=config.ego.format.endswith("oxts"))
    for stem in _stems(place):
        named = [stem.with_name(f"{stem.name}.ego{suffix}") for suffix in SUFFIXES]
        plain = [stem.with_name(f"{stem.name}{suffix}") for suffix in SIDECAR_SUFFIXES]
        there = [p for p in named if p.is_file()] or [
            p for p in plain if p.is_file() and not (p.suffix == ".json" and is_caption_file(p))
        ]
        if len(there) > 1:
            raise InputError(
                f"ego log of {place.name}", Received(" and ".join(p.name for p in there)), "one; name it with ego.path"
            )
        if there:
            return there[0]
    return None


def _times_path(place: SourcePlace, config: SourceConfig) -> Path | None:
    """The times of the frames: ``times_file`` of the config, else ``timestamps.txt`` in a frame folder or above it."""
    if config.times_file is not None:
        return named_file(place, "times_file", config.times_file)
    if not place.path.is_dir() or config.native_fps is not None or config.times_in_names is not None:
        return None
    folders = (place.path, place.path.parent) if place.path != place.root else (place.path,)
    return next((folder / TIMESTAMPS for folder in folders if (folder / TIMESTAMPS).is_file()), None)


def _caption_path(place: SourcePlace) -> Path | None:
    """The caption file beside a source."""
    for stem in _stems(place):
        text, data = stem.with_name(f"{stem.name}.txt"), stem.with_name(f"{stem.name}.json")
        if text.is_file():
            return text
        if data.is_file() and is_caption_file(data):
            return data
    return None

"""Finds what can be ingested in a folder, with the files that belong to it, and reads its frames."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.annotations import CocoImage, LabelsConfig, read_coco
from worldgen.data.ingest.captions import is_caption_file
from worldgen.data.ingest.ego_log import EgoLogConfig, read_times
from worldgen.data.ingest.table import SUFFIXES
from worldgen.data.video import reading

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".hevc", ".mov", ".webm", ".h264", ".h265", ".265", ".264")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
COCO_SUFFIX = ".coco.json"
NO_FILE = "none"


@dataclass(frozen=True)
class CameraConfig:
    """The camera of a source, in pixels of the source's own picture.

    Either fov_deg (horizontal, square pixels, centred) or all of fx_px fy_px cx_px cy_px (pixel centres at +0.5).
    height_m above the ground; pitch_rad positive when looking down.
    """

    fov_deg: float | None = None
    fx_px: float | None = None
    fy_px: float | None = None
    cx_px: float | None = None
    cy_px: float | None = None
    height_m: float = 1.4
    pitch_rad: float = 0.0

    def __post_init__(self) -> None:
        given = [v is not None for v in (self.fx_px, self.fy_px, self.cx_px, self.cy_px)]
        if any(given) and (not all(given) or self.fov_deg is not None):
            raise InputError("camera", Received("some intrinsics"), "fov_deg, or all of fx_px, fy_px, cx_px, cy_px")

    def camera(self, width_px: int, height_px: int) -> Camera:
        """The camera of a picture of this size."""
        if self.fx_px is not None:
            return Camera(
                width_px, height_px, self.fx_px, self.fy_px, self.cx_px, self.cy_px, self.height_m, self.pitch_rad
            )
        fov_deg = {} if self.fov_deg is None else {"fov_deg": self.fov_deg}
        return Camera.from_fov(width_px, height_px, **fov_deg, height_m=self.height_m, pitch_rad=self.pitch_rad)


@dataclass(frozen=True)
class SourceConfig:
    """What is known about a source. None: take it from ``defaults``, or nothing is known.

    drive: recording it belongs to (default: its name). drive_pattern: for COCO files, a regular expression whose first
    group in an image's file name is its drive. licence: SPDX id. tags: words to slice by; those of the scenario
    vocabulary also make captions. caption: used as it stands. fps: target rate of its clips. native_fps: rate of a
    frame folder or a raw stream. times_file: table with a time column, one row per frame. crop_px: x0, y0, width and
    height kept before anything else (to cut away a bonnet or an overlay). camera, ego, labels: see their classes; each
    replaces the default as a whole.
    """

    drive: str | None = None
    drive_pattern: str | None = None
    licence: str | None = None
    tags: tuple[str, ...] | None = None
    caption: str | None = None
    fps: float | None = None
    native_fps: float | None = None
    times_file: str | None = None
    crop_px: tuple[int, int, int, int] | None = None
    camera: CameraConfig | None = None
    ego: EgoLogConfig | None = None
    labels: LabelsConfig | None = None

    def over(self, base: SourceConfig) -> SourceConfig:
        """This config, with ``base`` where it says nothing."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        return replace(base, **said)


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
                f"{', '.join(VIDEO_SUFFIXES[:4])} files, or folders of {', '.join(IMAGE_SUFFIXES)} frames",
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
    return sorted(out, key=lambda source: _natural(source.name))


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
    pictures = _pictures(place)
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
        if Path(folder) != place and _pictures(Path(folder)):
            entries.append((Path(folder).relative_to(place).as_posix(), Path(folder)))
    yield from ((name, path, place) for name, path in entries if path not in owned)


class _AnyClass(dict):
    """Maps every category to ``ignore``: only the file names are wanted."""

    def get(self, key, default=None):
        return "ignore"


def _pictures(folder: Path) -> tuple[Path, ...]:
    files = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    return tuple(sorted(files, key=lambda path: _natural(path.name)))


def _natural(name: str) -> list:
    """Sort key that puts frame 9 before frame 10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_") or "drive"


def _sources_at(name: str, path: Path, root: Path, config: SourceConfig) -> list[ClipSource]:
    if name.endswith(COCO_SUFFIX):
        return _coco_sources(name, path, root, config)
    stem = name if path.is_dir() else os.path.splitext(name)[0]
    labels_path = None if config.labels is None or config.labels.path is None else root / config.labels.path
    return [ClipSource(
        name, "folder" if path.is_dir() else "video", root, path, _slug(config.drive or stem), config,
        files=_pictures(path) if path.is_dir() else (), ego_path=_ego_path(path, root, config),
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
        drives.setdefault(_slug(drive), []).append(image)
    out = []
    for drive, images in drives.items():
        images.sort(key=lambda image: _natural(image.file_name))
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


def frame_info(source: ClipSource) -> reading.VideoInfo:
    """Number, times and size of a source's frames.

    Raises InputError for a damaged file, a frame folder or raw stream without a rate, a times file that does not fit.
    """
    native_fps = source.config.native_fps
    if source.kind == "video":
        info = reading.probe(source.path, native_fps=native_fps)
        times_s, fps, variable = info.times_s, info.fps, info.variable_rate
    else:
        first = read_picture(source.files[0])
        times_s, fps, variable = np.arange(len(source.files)) / (native_fps or 1.0), native_fps or 1.0, False
        if source.kind == "folder" and native_fps is None and source.config.times_file is None:
            raise InputError(
                f"frame folder {source.name}",
                Received("no frame rate"),
                "native_fps, or times_file with a time column and one row per frame",
            )
        info = reading.VideoInfo(len(source.files), fps, first.shape[1], first.shape[0], times_s, variable)
    if source.config.times_file is not None:
        times_s = read_times(source.root / source.config.times_file, len(times_s))
        steps = np.diff(times_s)
        fps = len(steps) / times_s[-1] if len(steps) else fps
        variable = bool(len(steps) and np.abs(steps - steps.mean()).max() > reading.JITTER * steps.mean())
    return replace(info, times_s=times_s, fps=float(fps), variable_rate=variable)


def read_picture(path: Path) -> np.ndarray:
    """A picture file as ``(H, W, 3)`` uint8 RGB, upright.

    Raises InputError when it does not decode.
    """
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR) if path.stat().st_size else None
    if pixels is None:
        raise InputError("picture", str(path), "a JPEG or PNG that decodes")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def iter_source_frames(source: ClipSource, wanted: set[int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """(frame index, ``(H, W, 3)`` uint8 RGB) in order; only the ``wanted`` ones, or all."""
    if source.kind == "video":
        last = max(wanted) if wanted else None
        for index, (_, pixels) in enumerate(reading.iter_frames(source.path, native_fps=source.config.native_fps)):
            if wanted is None or index in wanted:
                yield index, pixels
            if index == last:
                return
        return
    shape = None
    for index, path in enumerate(source.files):
        if wanted is None or index in wanted:
            pixels = read_picture(path)
            if source.kind == "folder" and shape not in (None, pixels.shape):
                raise InputError(
                    f"frame {path.name} of {source.name}",
                    Received(f"{pixels.shape[1]}x{pixels.shape[0]} pixels"),
                    f"{shape[1]}x{shape[0]}, as the frames before",
                )
            shape = pixels.shape
            yield index, pixels

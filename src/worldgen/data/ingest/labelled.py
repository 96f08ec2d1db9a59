"""Folders of labelled pictures as others keep them, read as samples: COCO files, KITTI tracking and object, YOLO."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES
from worldgen.core.samples import SPLITS, Sample
from worldgen.core.seeds import stable_key
from worldgen.data.ingest.annotations import CLASS_OF_NAME, annotated_labels, read_coco
from worldgen.data.ingest.sources import IMAGE_SUFFIXES, read_picture

KITTI_NAMES = {
    "Car": "car", "Van": "car", "Truck": "truck", "Pedestrian": "pedestrian", "Person": "pedestrian", "Person_sitting": "pedestrian",
    "Cyclist": "cyclist",
}  # fmt: skip
"""Types of the KITTI benchmarks; Tram and Misc have no class here and, like DontCare, are left out."""
LINK = 0.3
"""Overlap in neighbouring frames that makes boxes without track numbers one object."""
FORMATS = ("coco", "kitti_tracking", "kitti", "yolo")
Row = tuple[float, ...]
"""class index, track (0: not known), x0, y0, x1, y1, ignore."""


@dataclass(frozen=True)
class PictureSet:
    """How pictures become clips. fps: of frames that follow one another. frames: longest clip. licence, classes: name in the
    files -> class, or "ignore", for names that are not known.
    """

    fps: float = 10.0
    frames: int = 25
    licence: str = "unknown"
    classes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 1000 or not 1 <= self.frames <= 10_000:
            raise InputError(
                "fps and frames of a picture set", (self.fps, self.frames), "above 0 to 1000, and 1 to 10000"
            )
        for name, target in self.classes.items():
            if target not in (*CLASSES, "ignore"):
                raise InputError(f"class of {name}", target, ", ".join((*CLASSES, "ignore")))

    def class_of(self, name: str, where: str) -> int | None:
        """Number of a class, None to leave out. Raises: InputError for a name nobody knows."""
        target = self.classes.get(name) or CLASS_OF_NAME.get(name) or CLASS_OF_NAME.get(name.lower())
        if target is None:
            raise InputError(f"class in {where}", name, f"a known name, or {name}=CLASS with a class or ignore")
        return None if target == "ignore" else CLASSES.index(target)


@dataclass(frozen=True)
class LabelledDrive:
    """Pictures that follow one another, with their boxes."""

    name: str
    files: tuple[Path, ...]
    rows: tuple[tuple[Row, ...], ...]
    split: str = "train"
    shares: bool = False
    """Whether boxes are shares of the picture (centre and size, as YOLO has them)."""


def find_format(folder: str | Path) -> str:
    """Which of ``FORMATS`` a folder holds. Raises: InputError when it is none of them."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("labelled pictures", str(folder), "an existing folder")
    if _coco_files(folder):
        return "coco"
    root = folder / "training" if (folder / "training").is_dir() else folder
    if (root / "image_02").is_dir() and (root / "label_02").is_dir():
        return "kitti_tracking"
    if (root / "image_2").is_dir() and (root / "label_2").is_dir():
        return "kitti"
    if (folder / "images").is_dir() and (folder / "labels").is_dir():
        return "yolo"
    raise InputError(
        f"labelled pictures {folder}", Received("none of the known layouts"),
        "COCO (annotations/*.json), KITTI (image_02 and label_02, or image_2 and label_2), YOLO (images, labels, data.yaml)",
    )  # fmt: skip


def read_labelled(folder: str | Path, config: PictureSet) -> Iterator[Sample]:
    """Samples of at most ``config.frames`` frames, in the order of drives and frames, labels with ``source="annotated"``.

    Boxes without track numbers get them by their overlap from frame to frame. Raises: InputError for unknown layouts and
    classes, damaged files, and pictures of one drive that differ in size.
    """
    folder = Path(folder)
    reader = {"coco": _coco, "kitti_tracking": _kitti_tracking, "kitti": _kitti, "yolo": _yolo}[find_format(folder)]
    for drive in reader(folder, config):
        for start in range(0, len(drive.files), config.frames):
            yield _sample(drive, range(start, min(start + config.frames, len(drive.files))), config)


def _sample(drive: LabelledDrive, frames: range, config: PictureSet) -> Sample:
    pictures = [read_picture(drive.files[i]) for i in frames]
    sizes = {picture.shape for picture in pictures}
    if len(sizes) != 1:
        raise InputError(f"pictures of {drive.name}", sorted(s[1::-1] for s in sizes), "one size per drive")
    height, width = pictures[0].shape[:2]
    rows = []
    for number, i in enumerate(frames):
        for name, track, *given, ignore in drive.rows[i]:
            box = _in_pixels(given, width, height) if drive.shares else given
            rows.append((number, name, track, *box, ignore))
    labels = annotated_labels(_tracked(rows), len(pictures), (width, height))
    key = stable_key("labelled", drive.name, frames.start, width, height, prefix="pictures_")
    return Sample(
        key, Clip(np.stack(pictures), config.fps), "", _plain(drive.name), drive.split, labels=labels, licence=config.licence,
        provenance={"tool": "worldgen", "file": drive.files[frames.start].name, "first_frame": frames.start},
    )  # fmt: skip


def _in_pixels(shares: list[float], width: int, height: int) -> tuple[float, ...]:
    """Centre and size as shares of the picture, to x0 y0 x1 y1."""
    x, y, w, h = shares
    return (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height


def _tracked(rows: list[Row]) -> list[Row]:
    """The rows with track numbers for those that have none (0): the best overlap of its class in the frame before."""
    number = max([0, *(int(row[2]) for row in rows)])
    last: list[Row] = []
    out: list[Row] = []
    for frame in sorted({row[0] for row in rows}):
        taken: set[int] = set()
        before = [row for row in last if row[0] == frame - 1]
        last = []
        for row in (row for row in rows if row[0] == frame):
            track = int(row[2])
            if track == 0:
                fits = [
                    (_overlap(old, row), int(old[2])) for old in before if old[1] == row[1] and int(old[2]) not in taken
                ]
                best = max(fits, default=(0.0, 0))
                number += best[0] < LINK
                track = best[1] if best[0] >= LINK else number
            taken.add(track)
            last.append((*row[:2], track, *row[3:]))
        out += last
    return out


def _overlap(one: Row, two: Row) -> float:
    (a0, b0, a1, b1), (c0, d0, c1, d1) = one[3:7], two[3:7]
    shared = max(0.0, min(a1, c1) - max(a0, c0)) * max(0.0, min(b1, d1) - max(b0, d0))
    union = (a1 - a0) * (b1 - b0) + (c1 - c0) * (d1 - d0) - shared
    return shared / union if union > 0 else 0.0


def _coco_files(folder: Path) -> list[Path]:
    files = sorted(
        [*folder.glob("annotations/*.json"), *folder.glob("*.coco.json"), *folder.glob("_annotations*.json")]
    )
    return [path for path in files if path.stat().st_size]


def _coco(folder: Path, config: PictureSet) -> Iterator[LabelledDrive]:
    for path in _coco_files(folder):
        split = path.stem if path.stem in SPLITS else "train"
        drives: dict[str, list[tuple[Path, tuple[Row, ...]]]] = {}
        for image in read_coco(path, config.classes):
            places = (folder / image.file_name, path.parent / image.file_name, folder / "images" / image.file_name)
            file = next((place for place in places if place.is_file()), None)
            if file is None:
                raise InputError(f"COCO file {path.name}, image", image.file_name, "a picture that exists")
            drives.setdefault(_drive_of(image.file_name), []).append((file, image.boxes))
        for name, items in sorted(drives.items()):
            items.sort(key=lambda item: _natural(str(item[0])))
            yield LabelledDrive(name, tuple(f for f, _ in items), tuple(rows for _, rows in items), split)


def _drive_of(name: str) -> str:
    """Pictures in one folder whose names differ in their last number only belong together."""
    path = Path(name)
    stem = re.sub(r"[_-]?\d+$", "", path.stem)
    return "/".join(part for part in (path.parent.as_posix(), stem) if part and part != ".") or "pictures"


def _kitti_tracking(folder: Path, config: PictureSet) -> Iterator[LabelledDrive]:
    root = folder / "training" if (folder / "training").is_dir() else folder
    for sequence in sorted(p for p in (root / "image_02").iterdir() if p.is_dir()):
        files = _pictures(sequence)
        numbers = {int(path.stem): i for i, path in enumerate(files)}
        rows: list[list[Row]] = [[] for _ in files]
        labels = root / "label_02" / f"{sequence.name}.txt"
        for line, words in _lines(labels, 10):
            frame = _whole(words[0], labels, line)
            found = _kitti_row(words[2:], f"{labels.name}, line {line}", config)
            if found is not None and frame in numbers:
                rows[numbers[frame]].append((found[0], _whole(words[1], labels, line) + 1, *found[1:]))
        yield LabelledDrive(sequence.name, files, tuple(map(tuple, rows)))


def _kitti(folder: Path, config: PictureSet) -> Iterator[LabelledDrive]:
    """Pictures of the object benchmark are single views: each is a clip of its own, unless frames.txt tells more."""
    root = folder / "training" if (folder / "training").is_dir() else folder
    drives: dict[str, list[tuple[Path, tuple[Row, ...]]]] = {}
    origin = {}
    if (folder / "frames.txt").is_file():
        origin = {words[0]: words[1] for _, words in _lines(folder / "frames.txt", 2)}
    for file in _pictures(root / "image_2"):
        labels = root / "label_2" / f"{file.stem}.txt"
        rows = []
        for line, words in _lines(labels, 8):
            found = _kitti_row(words, f"{labels.name}, line {line}", config)
            if found is not None:
                rows.append((found[0], 0, *found[1:]))
        drives.setdefault(origin.get(file.stem, file.stem), []).append((file, tuple(rows)))
    for name, items in drives.items():
        yield LabelledDrive(name, tuple(f for f, _ in items), tuple(rows for _, rows in items))


def _kitti_row(words: list[str], where: str, config: PictureSet) -> Row | None:
    """(class, x0, y0, x1, y1, ignore) of ``type truncated occluded alpha x0 y0 x1 y1 ...``; None to leave out.

    Source: KITTI object development kit, readme.txt.
    """
    name = words[0]
    if name in ("DontCare", "Tram", "Misc") and name not in config.classes:
        return None
    number = (
        CLASSES.index(KITTI_NAMES[name])
        if name in KITTI_NAMES and name not in config.classes
        else config.class_of(name, where)
    )
    try:
        box = tuple(float(word) for word in words[4:8])
    except ValueError as error:
        raise InputError(where, " ".join(words), "type truncated occluded alpha x0 y0 x1 y1 as numbers") from error
    return None if number is None else (number, *box, 0)


def _yolo(folder: Path, config: PictureSet) -> Iterator[LabelledDrive]:
    names = _yolo_names(folder / "data.yaml")
    parts = sorted(p for p in (folder / "images").iterdir() if p.is_dir()) or [folder / "images"]
    for part in parts:
        texts = folder / "labels" / part.relative_to(folder / "images")
        drives: dict[str, list[tuple[Path, tuple[Row, ...]]]] = {}
        for file in _pictures(part):
            rows = []
            for line, words in _lines(texts / f"{file.stem}.txt", 5, missing_ok=True):
                where = f"{file.stem}.txt, line {line}"
                try:
                    index, box = int(words[0]), tuple(float(word) for word in words[1:5])
                except ValueError as error:
                    raise InputError(where, " ".join(words), "class x y width height") from error
                if index not in names:
                    raise InputError(where, index, f"one of the {len(names)} classes of data.yaml")
                number = config.class_of(names[index], where)
                if number is not None:
                    rows.append((number, 0, *box, 0))
            drives.setdefault(_drive_of(file.name), []).append((file, tuple(rows)))
        for name, items in sorted(drives.items()):
            split = part.name if part.name in SPLITS else "train"
            yield LabelledDrive(name, tuple(f for f, _ in items), tuple(rows for _, rows in items), split, shares=True)


def _yolo_names(path: Path) -> dict[int, str]:
    """The ``names`` of a ``data.yaml``, written as a list or as a mapping of numbers."""
    if not path.is_file():
        raise InputError("YOLO data set", str(path), "data.yaml with names")
    text = path.read_text("utf-8")
    match = re.search(r"^names\s*:\s*(\[.*?\]|\{.*?\})", text, re.MULTILINE | re.DOTALL)
    names = {}
    for number, item in enumerate(match.group(1)[1:-1].split(",") if match else []):
        pair = re.fullmatch(r"\s*(?:(\d+)\s*:)?\s*(.+?)\s*", item, re.DOTALL)
        if pair:
            names[int(pair.group(1)) if pair.group(1) else number] = _unquoted(pair.group(2))
    block = re.search(r"^names\s*:\s*\n((?:[ \t-]+.*\n?)+)", text, re.MULTILINE)
    for number, line in enumerate(block.group(1).splitlines() if block else []):
        pair = re.match(r"\s*(?:(\d+)\s*:|-)\s*(.+?)\s*$", line)
        if pair:
            names[int(pair.group(1)) if pair.group(1) else number] = _unquoted(pair.group(2))
    if not names:
        raise InputError(f"names in {path}", Received("none that can be read"), "names: as a list or by number")
    return names


def _unquoted(word: str) -> str:
    try:
        return str(json.loads(word)) if word.startswith('"') else word.strip("'")
    except ValueError:
        return word


def _lines(path: Path, least: int, *, missing_ok: bool = False) -> Iterator[tuple[int, list[str]]]:
    if not path.is_file():
        if missing_ok:
            return
        raise InputError("labels file", str(path), "a text file beside the pictures")
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        words = line.split()
        if words and len(words) < least:
            raise InputError(f"{path.name}, line {number}", line.strip(), f"at least {least} words")
        if words:
            yield number, words


def _whole(word: str, path: Path, line: int) -> int:
    try:
        return int(word)
    except ValueError as error:
        raise InputError(f"{path.name}, line {line}", word, "a whole number") from error


def _pictures(folder: Path) -> tuple[Path, ...]:
    return tuple(
        sorted((p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES), key=lambda p: _natural(p.name))
    )


def _natural(name: str) -> list:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_") or "drive"

"""KITTI tracking and object folders as drives of labelled pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.data.ingest.labelled.picture_set import LabelledDrive, PictureSet, Row, drives_of, text_rows, whole_number
from worldgen.data.video.image_files import image_files

KITTI_NAMES = {
    "Car": "car", "Van": "car", "Truck": "truck", "Pedestrian": "pedestrian", "Person": "pedestrian",
    "Person_sitting": "pedestrian", "Cyclist": "cyclist",
}  # fmt: skip
"""Type of the KITTI benchmarks -> class. Tram and Misc have no class and are left out, like DontCare."""


def kitti_tracking_drives(folder: Path, config: PictureSet) -> Iterator[LabelledDrive]:
    """The sequences of a tracking folder: ``image_02/SSSS/NNNNNN.png`` and ``label_02/SSSS.txt``.

    Source: KITTI tracking development kit, readme (https://www.cvlibs.net/datasets/kitti/eval_tracking.php).

    Raises:
        InputError: a missing or damaged label file, or an unknown type.
    """
    root = folder / "training" if (folder / "training").is_dir() else folder
    for sequence in sorted(p for p in (root / "image_02").iterdir() if p.is_dir()):
        files = image_files(sequence)
        numbers = {_frame_number(path): i for i, path in enumerate(files)}
        rows: list[list[Row]] = [[] for _ in files]
        labels = root / "label_02" / f"{sequence.name}.txt"
        for line, words in text_rows(labels, 10):
            frame = whole_number(words[0], labels, line)
            found = _kitti_row(words[2:], f"{labels.name}, line {line}", config)
            if found is not None and frame in numbers:
                rows[numbers[frame]].append((found[0], whole_number(words[1], labels, line) + 1, *found[1:]))
        yield LabelledDrive(sequence.name, files, tuple(map(tuple, rows)))


def _frame_number(path: Path) -> int:
    """The number in the name of a picture of a sequence."""
    if not path.stem.isdigit():
        raise InputError("picture of a KITTI sequence", str(path), "a frame number as its name, such as 000000.png")
    return int(path.stem)


def kitti_drives(folder: Path, config: PictureSet) -> Iterator[LabelledDrive]:
    """The pictures of an object folder: ``image_2/NNNNNN.png`` and ``label_2/NNNNNN.txt``.

    Each picture is a drive of its own, unless ``frames.txt`` (see :func:`worldgen.data.export.kitti.write_kitti`) names
    the sample it comes from.

    Raises:
        InputError: a missing or damaged label file, or an unknown type.
    """
    root = folder / "training" if (folder / "training").is_dir() else folder
    drives: dict[str, list[tuple[Path, tuple[Row, ...]]]] = {}
    origin: dict[str, str] = {}
    if (folder / "frames.txt").is_file():
        origin = {words[0]: words[1] for _, words in text_rows(folder / "frames.txt", 2)}
    for file in image_files(root / "image_2"):
        labels = root / "label_2" / f"{file.stem}.txt"
        rows = []
        for line, words in text_rows(labels, 8):
            found = _kitti_row(words, f"{labels.name}, line {line}", config)
            if found is not None:
                rows.append((found[0], 0, *found[1:]))
        drives.setdefault(origin.get(file.stem, file.stem), []).append((file, tuple(rows)))
    yield from drives_of(drives)


def _kitti_row(words: list[str], where: str, config: PictureSet) -> Row | None:
    """(class, x0, y0, x1, y1, ignore) of a line ``type truncated occluded alpha x0 y0 x1 y1 ...``; None to leave out.

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

"""Config and drives of labelled pictures, and the text rows that several formats share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.data.ingest.annotations import CLASS_OF_NAME

Row = tuple[float, ...]
"""One box: class index, track id (0: unknown), x0, y0, x1, y1, ignore."""


@dataclass(frozen=True)
class PictureSet:
    """How labelled pictures become clips.

    fps: frame rate of consecutive pictures. frames: most frames of a clip. licence: of the samples. classes: class name
    in the files -> one of ``CLASSES``, or "ignore", for names that ``CLASS_OF_NAME`` does not hold.

    Raises:
        InputError: a rate or length out of range, or an unknown class.
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
        """Class index of a name in the files, None to leave the object out. where: place in the files, for messages.

        Raises:
            InputError: an unknown name.
        """
        target = self.classes.get(name) or CLASS_OF_NAME.get(name) or CLASS_OF_NAME.get(name.lower())
        if target is None:
            raise InputError(f"class in {where}", name, f"a known name, or {name}=CLASS with a class or ignore")
        return None if target == "ignore" else CLASSES.index(target)


@dataclass(frozen=True)
class LabelledDrive:
    """Consecutive pictures of one recording with their boxes.

    name: of the drive. files: pictures in order. rows: boxes of each picture. split: of ``SPLITS``.
    """

    name: str
    files: tuple[Path, ...]
    rows: tuple[tuple[Row, ...], ...]
    split: str = "train"
    shares: bool = False
    """Whether boxes are centre x, y, width, height as shares of the picture (YOLO), instead of corners in pixels."""


def drive_of(name: str) -> str:
    """The drive of a picture: its folder and its name without the last number."""
    path = Path(name)
    stem = re.sub(r"[_-]?\d+$", "", path.stem)
    return "/".join(part for part in (path.parent.as_posix(), stem) if part and part != ".") or "pictures"


def text_rows(path: Path, least: int, *, missing_ok: bool = False) -> Iterator[tuple[int, list[str]]]:
    """(line number from 1, words) of the lines of a text file that are not empty.

    Raises:
        InputError: a missing file, unless ``missing_ok``, or a line with fewer than ``least`` words.
    """
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


def whole_number(word: str, path: Path, line: int) -> int:
    """A word of a text file as an integer.

    Raises:
        InputError: the word is none; the message names file and line.
    """
    try:
        return int(word)
    except ValueError as error:
        raise InputError(f"{path.name}, line {line}", word, "a whole number") from error


def drives_of(
    items: dict[str, list[tuple[Path, tuple[Row, ...]]]], *, split: str = "train", shares: bool = False
) -> Iterator[LabelledDrive]:
    """Drives from their pictures with boxes. items: drive -> (file, rows) in order."""
    for name, pictures in items.items():
        files, rows = zip(*pictures, strict=True)
        yield LabelledDrive(name, files, rows, split, shares)

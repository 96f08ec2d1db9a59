"""What the readers of labelled pictures share: their config, a drive of pictures with boxes, and text rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.data.ingest.annotations import CLASS_OF_NAME

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


def drive_of(name: str) -> str:
    """Pictures in one folder whose names differ in their last number only belong together."""
    path = Path(name)
    stem = re.sub(r"[_-]?\d+$", "", path.stem)
    return "/".join(part for part in (path.parent.as_posix(), stem) if part and part != ".") or "pictures"


def text_rows(path: Path, least: int, *, missing_ok: bool = False) -> Iterator[tuple[int, list[str]]]:
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
    try:
        return int(word)
    except ValueError as error:
        raise InputError(f"{path.name}, line {line}", word, "a whole number") from error

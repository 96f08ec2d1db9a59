"""Labelled stills of other projects as files: where each picture and its labels are, in one form for all formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.annotations import read_coco
from worldgen.data.ingest.labelled.coco_pictures import coco_drives, coco_files
from worldgen.data.ingest.labelled.kitti_pictures import kitti_drives
from worldgen.data.ingest.labelled.labelled_samples import find_format
from worldgen.data.ingest.labelled.picture_set import PictureSet
from worldgen.data.ingest.labelled.yolo_pictures import yolo_drives
from worldgen.data.video.image_files import read_image
from worldgen.evaluation.realism.realism_sets import WEATHER_OF
from worldgen.generation.insert.insert_plan import MASK_CODES, LabelledPicture
from worldgen.generation.insert.picture_light import WEATHER_LOOKS
from worldgen.generation.insert.picture_look import jpeg_history

READERS = {"coco": coco_drives, "kitti": kitti_drives, "yolo": yolo_drives}
STILLS = "COCO, KITTI object or YOLO stills"


@dataclass(frozen=True, eq=False)
class StillFile:
    """One labelled picture. file: where it is. name: relative to the set, in posix form. size_px: width and height.
    class_id ``(N,)``, box_px ``(N, 4)``, ignore ``(N,)``: its labels. split: of ``SPLITS``. weather: as of
    ``LabelledPicture``, from the attributes of COCO files."""

    file: Path
    name: str
    size_px: tuple[int, int]
    class_id: np.ndarray
    box_px: np.ndarray
    ignore: np.ndarray
    split: str
    weather: str = ""

    def picture(self, masks: MaskReader | None = None) -> LabelledPicture:
        """The decoded picture. Raises: InputError for a file that does not decode, and a map of another size."""
        frame = read_image(self.file)
        codes = masks(self) if masks is not None else None
        if codes is not None and codes.shape != frame.shape[:2]:
            received = Received(f"{codes.shape[1]}x{codes.shape[0]}")
            raise InputError(f"map of classes of {self.name}", received, f"{frame.shape[1]}x{frame.shape[0]}")
        history = jpeg_history(self.file.read_bytes())
        return LabelledPicture(
            frame, self.class_id, self.box_px, self.ignore, self.name, codes, history, weather=self.weather
        )


@dataclass(frozen=True, eq=False)
class StillSet:
    """A set of labelled stills. folder: where it is. kind: "coco", "kitti" or "yolo". classes: class of names
    in the set that are not known, as in ``PictureSet``. files: its pictures in the order of their names."""

    folder: Path
    kind: str
    classes: dict[str, str]
    files: tuple[StillFile, ...]

    def first(self, count: int) -> StillSet:
        """The set with its first pictures only; all for a count of 0."""
        return replace(self, files=self.files[:count]) if count else self

    def in_weather(self, word: str) -> StillSet:
        """The set with the weather of all pictures, which its files do not say; as it is for "".

        Raises: InputError for an unknown word.
        """
        if not word:
            return self
        if word not in ("dry", *WEATHER_LOOKS):
            raise InputError("weather of the pictures", word, "one of dry, " + ", ".join(WEATHER_LOOKS))
        return replace(self, files=tuple(replace(still, weather=word) for still in self.files))


MaskReader = Callable[[StillFile], np.ndarray | None]
"""The codes of ``MASK_CODES`` ``(H, W)`` uint8 of a picture, None where it has no map."""


def read_stills(folder: str | Path, config: PictureSet) -> StillSet:
    """The labelled pictures of a set, in the order of their names.

    Raises:
        InputError: no set of stills, an unknown class, a picture that does not exist, or a set without boxes.
    """
    folder = Path(folder)
    kind = find_format(folder)
    if kind not in READERS:
        raise InputError(f"labelled pictures {folder}", kind, STILLS)
    found = sorted(_stills(folder, kind, config), key=lambda still: still.name)
    if not found:
        raise InputError(f"labelled pictures {folder}", Received("no picture"), STILLS)
    if not any(len(still.class_id) for still in found):
        raise InputError(f"labelled pictures {folder}", Received(f"{len(found)} pictures without a box"), "boxes")
    return StillSet(folder, kind, dict(config.classes), tuple(found))


def _stills(folder: Path, kind: str, config: PictureSet) -> Iterator[StillFile]:
    drives = list(READERS[kind](folder, config))
    weathers = _weathers(folder, kind, config)
    for drive in drives:
        for file, rows in zip(drive.files, drive.rows, strict=True):
            size = _size_of(file)
            table = np.array([[row[0], *row[2:7]] for row in rows], float).reshape(-1, 6)
            box = table[:, 1:5]
            if drive.shares:
                middle, side = box[:, :2], box[:, 2:] / 2
                box = np.concatenate([middle - side, middle + side], 1) * np.array([*size, *size])
            name = file.relative_to(folder).as_posix()
            yield StillFile(file, name, size, table[:, 0].astype(np.int64), box, table[:, 5] > 0, drive.split,
                            weathers.get(file.name, ""))  # fmt: skip


def _weathers(folder: Path, kind: str, config: PictureSet) -> dict[str, str]:
    """Names of picture files -> weather, from the attributes of COCO files, as those converted from BDD100K have."""
    found: dict[str, str] = {}
    for path in coco_files(folder) if kind == "coco" else []:
        for image in read_coco(path, dict(config.classes)):
            word = WEATHER_OF.get(str(image.attributes.get("weather", "")).lower(), "")
            if word in WEATHER_LOOKS:
                found[PurePosixPath(image.file_name).name] = word
    return found


def _size_of(file: Path) -> tuple[int, int]:
    """Width and height, from the header where it is one of the usual ones."""
    with file.open("rb") as opened:
        data = opened.read(65536)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 < len(data) and data[at] == 0xFF:
        if 0xC0 <= data[at + 1] <= 0xCF and data[at + 1] not in (0xC4, 0xC8, 0xCC) and b"Exif" not in data[:64]:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    frame = read_image(file)
    return frame.shape[1], frame.shape[0]


def mask_reader(folder: str, values: list[str]) -> MaskReader | None:
    """Reads maps of classes: a PNG with the name of each picture. values: ``NAME=N`` with names of ``MASK_CODES``.

    What no entry names is upright. None without a folder. Raises: InputError for an unknown name or value.
    """
    if not folder:
        if values:
            raise InputError("mask value (--mask-value)", values[0], "a folder of masks (--masks) with it")
        return None
    table = np.full(256, MASK_CODES["upright"], np.uint8)
    for word in values:
        name, equals, number = word.partition("=")
        if not equals or name not in MASK_CODES or not number.isdigit() or int(number) > 255:
            raise InputError("--mask-value", word, "NAME=N with N in 0 to 255 and NAME of " + ", ".join(MASK_CODES))
        table[int(number)] = MASK_CODES[name]
    if not any(code in table for code in (MASK_CODES["road"], MASK_CODES["sidewalk"])):
        raise InputError("--mask-value", ", ".join(values) or "none", "at least road=N or sidewalk=N")

    def read(still: StillFile) -> np.ndarray | None:
        path = Path(folder) / f"{still.file.stem}.png"
        if not path.is_file():
            return None
        raw = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
        if raw is None or raw.ndim != 2 or raw.dtype != np.uint8:
            raise InputError(f"map of classes {path}", Received("not one value of 8 bits a pixel"), "a grey PNG")
        return table[raw]

    return read

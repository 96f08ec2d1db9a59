"""YOLO folders as drives of labelled pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import SPLITS
from worldgen.data.ingest.labelled.picture_set import LabelledDrive, PictureSet, Row, drive_of, drives_of, text_rows
from worldgen.data.video.image_files import image_files
from worldgen.files.json_files import parse_json


def yolo_drives(folder: Path, config: PictureSet) -> Iterator[LabelledDrive]:
    """The drives of a YOLO folder: ``images/[SPLIT/]NAME.jpg`` and ``labels/[SPLIT/]NAME.txt``.

    The class names are in ``data.yaml``. A picture without a label file has no objects. Source: Ultralytics YOLO
    detection format (https://docs.ultralytics.com/datasets/detect/).

    Raises:
        InputError: no ``data.yaml``, a damaged line, or an unknown class.
    """
    names = yolo_names(folder / "data.yaml")
    parts = sorted(p for p in (folder / "images").iterdir() if p.is_dir()) or [folder / "images"]
    for part in parts:
        texts = folder / "labels" / part.relative_to(folder / "images")
        drives: dict[str, list[tuple[Path, tuple[Row, ...]]]] = {}
        for file in image_files(part):
            rows = []
            for line, words in text_rows(texts / f"{file.stem}.txt", 5, missing_ok=True):
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
            drives.setdefault(drive_of(file.name), []).append((file, tuple(rows)))
        split = part.name if part.name in SPLITS else "train"
        yield from drives_of(dict(sorted(drives.items())), split=split, shares=True)


def yolo_names(path: Path) -> dict[int, str]:
    """The ``names`` of a ``data.yaml``, a list or a mapping from numbers, as class number -> name."""
    if not path.is_file():
        raise InputError("YOLO data set", str(path), "data.yaml with names")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"names in {path}", Received("bytes that are not UTF-8"), "text in UTF-8") from error
    match = re.search(r"^names\s*:\s*(\[.*?\]|\{.*?\})", text, re.MULTILINE | re.DOTALL)
    names: dict[int, str] = {}
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
    """A YAML scalar without its quotes."""
    try:
        return str(parse_json(word, "a name in data.yaml")) if word.startswith('"') else word.strip("'")
    except ValueError:
        return word

"""Cut-outs in a folder: a PNG each and one table that says where each comes from; objects stay in their split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import SPLITS
from worldgen.files.folders import output_folder
from worldgen.files.json_files import read_json
from worldgen.generation.insert.cut_outs.cut_out import CutOut

TABLE = "cut_outs.json"
VERSION = 1


@dataclass(frozen=True, eq=False)
class CutOutLibrary:
    """Cut-outs in the order of their making."""

    cut_outs: tuple[CutOut, ...]

    def __len__(self) -> int:
        return len(self.cut_outs)

    def for_split(self, split: str, *, classes: tuple[str, ...] = ()) -> CutOutLibrary:
        """Only the cut-outs that may go into pictures of a split: those that were cut from it.

        Raises: InputError for an unknown split.
        """
        if split not in SPLITS:
            raise InputError("split of pictures", split, "one of " + ", ".join(SPLITS))
        kept = (each for each in self.cut_outs if each.split == split and (not classes or each.class_name in classes))
        return CutOutLibrary(tuple(kept))

    def counts(self) -> dict[str, int]:
        """Class -> number."""
        names = [each.class_name for each in self.cut_outs]
        return {name: names.count(name) for name in sorted(set(names))}


def save_library(folder: str | Path, cut_outs: Iterable[CutOut], facts: dict[str, Any]) -> CutOutLibrary:
    """Write cut-outs to a new folder, which appears when it is whole. facts: more entries of the table.

    Raises: InputError when the folder exists.
    """
    kept: list[CutOut] = []
    rows: list[dict[str, Any]] = []
    with output_folder(folder, kind="cut-outs") as place:
        for each in cut_outs:
            data = encoded(each)
            name = f"{each.class_name}_{len(kept):05d}_{hashlib.blake2b(data, digest_size=4).hexdigest()}.png"
            (place / name).write_bytes(data)
            rows.append({"file": name, **_row(each)})
            kept.append(each)
        table = {"cut_outs_version": VERSION, **facts, "cut_outs": rows}
        (place / TABLE).write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return CutOutLibrary(tuple(kept))


def load_library(folder: str | Path) -> CutOutLibrary:
    """The cut-outs of a folder. Raises: InputError for a folder that is none, or a damaged one."""
    folder = Path(folder)
    if not (folder / TABLE).is_file():
        raise InputError("cut-outs", str(folder), f"a folder with {TABLE}, as 'worldgen cutouts make' writes it")
    table = read_json(folder / TABLE, TABLE)
    if not isinstance(table, dict) or table.get("cut_outs_version") != VERSION:
        raise InputError(f"cut_outs_version of {TABLE}", Received("another"), str(VERSION))
    out = []
    for number, row in enumerate(table.get("cut_outs", [])):
        try:
            path = folder / Path(row["file"]).name
            values: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in row.items()
            }
            del values["file"]
            out.append(CutOut(_decoded(path), **values))
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{TABLE}, cut-out {number}", Received(repr(error)), "file, class and provenance"
            ) from error
    return CutOutLibrary(tuple(out))


def encoded(cut_out: CutOut) -> bytes:
    """The pixels and mask as a PNG."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(cut_out.rgba[..., [2, 1, 0, 3]]))
    assert done, cut_out.rgba.shape
    return data.tobytes()


def _decoded(path: Path) -> np.ndarray:
    data = np.frombuffer(path.read_bytes(), np.uint8) if path.is_file() else np.zeros(0, np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 4:
        raise InputError("cut-out", path.name, "a PNG with four channels")
    return np.ascontiguousarray(pixels[..., [2, 1, 0, 3]])


def _row(cut_out: CutOut) -> dict[str, Any]:
    row = {name: getattr(cut_out, name) for name in CutOut.__dataclass_fields__ if name != "rgba"}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}

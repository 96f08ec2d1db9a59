"""Folders of pictures: which are clips, which hold several cameras, and which are class masks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError, Received

MAX_ROWS = 64
"""A folder of pictures with more different names than this is one row of pictures."""
MASK_SHARE = 0.9
"""Share of the pictures of a folder that have names of pictures of a COCO file, from which it holds their masks."""
MASK_ENDS = re.compile(
    r"[_\-.]?(L|mask|masks|label|labels|labelIds|seg|color|trainIds|instanceIds|gtFine_\w+)$", re.IGNORECASE
)
"""Ends that data sets add to the name of a picture for its mask: CamVid ``_L``, Cityscapes ``_labelIds`` and others."""
UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def picture_rows(files: Sequence[Path]) -> dict[str, tuple[Path, ...]]:
    """The rows of pictures in a folder by the words of their names: several cameras, or several recordings.

    ``center_001.jpg, left_001.jpg, center_002.jpg, left_002.jpg`` are the rows ``center`` and ``left``. A folder whose
    names differ in numbers only, or in which a name stands alone, is one row with the name "".

    files: pictures in order.
    """
    rows: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        rows[re.sub(r"\d+", "#", file.stem)].append(file)
    labels = {form: re.sub(r"[^A-Za-z0-9]*#[^A-Za-z]*", "_", form).strip("_") or "pictures" for form in rows}
    lone = min(map(len, rows.values())) < 2 if rows else True
    if not 1 < len(rows) <= MAX_ROWS or lone or len(set(labels.values())) < len(rows):
        return {"": tuple(files)}
    return {labels[form]: tuple(row) for form, row in rows.items()}


def is_mask_folder(files: Sequence[Path], picture_stems: set[str]) -> bool:
    """Whether pictures have the names of other pictures, those of a COCO file beside them, and so are their masks."""
    same = sum(file.stem in picture_stems or MASK_ENDS.sub("", file.stem) in picture_stems for file in files)
    return bool(files) and same >= MASK_SHARE * len(files)


def times_in_names(files: Sequence[Path], form: str) -> np.ndarray:
    """Times ``(N,)`` in seconds that the names of frames end in, on their own clock.

    form: unit of the last number of the name, or ``date`` for year, month, day, hour, minute, second and an optional
    fraction as numbers (taken as UTC).

    Raises:
        InputError: a name without a time, or times that do not increase.
    """
    times_s = np.array([_time_s(file, form) for file in files])
    back = np.flatnonzero(np.diff(times_s) <= 0)
    if len(back):
        name = files[int(back[0]) + 1].name
        raise InputError(f"time in the name of {name}", Received("not after that of the frame before"), "rising times")
    return times_s


def _time_s(file: Path, form: str) -> float:
    digits = re.findall(r"\d+", file.stem)
    try:
        if form != "date":
            return int(digits[-1]) * UNITS[form]
        start = next(i for i, word in enumerate(digits) if len(word) == 4 and word.startswith(("19", "20")))
        year, month, day, hour, minute, second = map(int, digits[start : start + 6])
        whole = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc).timestamp()
        rest = digits[start + 6 :]
        return whole + (float(f"0.{rest[0]}") if rest else 0.0)
    except (IndexError, StopIteration, ValueError, TypeError) as error:
        expected = "year, month, day, hour, minute and second" if form == "date" else "a number at the end"
        raise InputError("time in the name of a frame", file.name, expected) from error

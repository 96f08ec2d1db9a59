"""Cut-outs of a whole set: maps of classes where they are given, GrabCut where they are not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES
from worldgen.core.samples import Sample
from worldgen.generation.insert.cut_outs.cut_out import CutOut
from worldgen.generation.insert.cut_outs.cut_out_making import CutOutRules, Refusals, cut_outs_of
from worldgen.generation.insert.cut_outs.object_masks import class_map_masks, grabcut_masks


def mask_values(words: Sequence[str]) -> dict[str, int]:
    """Class -> its value in maps of classes, from words like ``pedestrian=9``. Raises: InputError for others."""
    values: dict[str, int] = {}
    for word in words:
        name, _, number = word.partition("=")
        if name not in CLASSES or not number.isdecimal() or int(number) > 255:
            raise InputError("mask value", word, "CLASS=N with a class and 0 to 255")
        values[name] = int(number)
    return values


def cut_outs_of_set(
    samples: Iterable[Sample], rules: CutOutRules, refused: Refusals, *, masks: str = "", values: dict[str, int]
) -> Iterator[CutOut]:
    """The cut-outs of samples of one frame. masks: a folder of maps, "" for none. values: class -> value in them.

    Raises: InputError when only one of maps and values is given, and for a map that is missing or of another size.
    """
    if bool(masks) != bool(values):
        raise InputError("maps of classes", Received("maps without values, or values without maps"), "both, or neither")
    if not masks:
        yield from cut_outs_of(samples, grabcut_masks, rules, mask_from="grabcut", refused=refused)
        return
    for sample in samples:
        classes = read_class_map(Path(masks), sample)

        segmenter = partial(_of_class_map, sample=sample, classes=classes, values=values)
        yield from cut_outs_of([sample], segmenter, rules, mask_from="class map", refused=refused)


def _of_class_map(
    frame: np.ndarray, box_px: np.ndarray, *, sample: Sample, classes: np.ndarray, values: dict[str, int]
) -> np.ndarray:
    """A :data:`Segmenter` that reads a map of classes: each box has the value of its label's class."""
    assert sample.labels is not None and frame.shape[:2] == classes.shape
    own = [int(np.flatnonzero((sample.labels.box_px == box.astype(np.float32)).all(1))[0]) for box in box_px]
    wanted = np.array([values.get(CLASSES[sample.labels.class_id[k]], -1) for k in own])
    return class_map_masks(classes, box_px, wanted)


def ground_of(masks: str, words: str) -> Callable[[Sample], np.ndarray] | None:
    """Of a sample the pixels ``(H, W)`` bool of road and pavement, from a folder of maps and values like "3,4"; None
    where neither is given.

    Raises: InputError when only one is given, and for values that are no numbers.
    """
    if not masks and not words:
        return None
    values = [int(word) for word in words.split(",") if word.strip().isdecimal()]
    if not masks or not values or len(values) != words.count(",") + 1:
        raise InputError("maps and ground", (masks, words), "a folder of maps, and values as in 3,4")
    return lambda sample: np.isin(read_class_map(Path(masks), sample), values)


def read_class_map(folder: Path, sample: Sample) -> np.ndarray:
    """The map of classes ``(H, W)`` uint8 of a picture. Raises: InputError when it is missing or of another size."""
    path = folder / f"{Path(str(sample.provenance.get('file', sample.key))).stem}.png"
    data = np.frombuffer(path.read_bytes(), np.uint8) if path.is_file() else np.zeros(0, np.uint8)
    classes = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if classes is None or classes.ndim != 2:
        raise InputError(f"map of classes {path.name}", Received("none, or no grey picture"), "a PNG of one channel")
    if classes.shape != (sample.clip.height_px, sample.clip.width_px):
        size = f"{(sample.clip.width_px, sample.clip.height_px)}, as its picture"
        raise InputError(f"size of {path.name}", classes.shape[::-1], size)
    return classes

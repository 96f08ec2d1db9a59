"""Road users among the classes of COCO, and which of them our classes are recognised as."""

from __future__ import annotations

from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.data.export.class_maps import COCO80

FAMILIES: dict[str, tuple[str, ...]] = {
    "person": ("person",),
    "vehicle": ("car", "truck", "bus", "train"),
    "two_wheeler": ("bicycle", "motorcycle"),
    "light": ("traffic light",),
    "animal": ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"),
}
"""Names of COCO that compete for one object: a vehicle is a car or a truck, and a rider is not the bicycle."""

FAMILY_OF_NAME = {name: family for family, names in FAMILIES.items() for name in names}
ROAD_NAMES = tuple(FAMILY_OF_NAME)
FAMILY_OF_NUMBER = tuple(FAMILY_OF_NAME.get(name) for name in COCO80)
"""Number of a COCO class, 0 to 79 -> its family; None for classes that are not judged."""

RECOGNISED_AS: dict[str, tuple[str, ...]] = {
    "car": ("car",), "truck": ("truck",), "bus": ("bus",), "motorcycle": ("motorcycle",), "bicycle": ("bicycle",),
    "cyclist": ("person", "bicycle"), "pedestrian": ("person",), "traffic_light": ("traffic light",),
    "animal": FAMILIES["animal"],
}  # fmt: skip
"""Class -> the names of COCO that are right for it. A cone has none. An object is found by any name of the families of
these names, so that a car that is taken for a truck is found and not recognised."""


def recognised_as(changes: dict[str, tuple[str, ...]] | None = None) -> dict[str, tuple[str, ...]]:
    """``RECOGNISED_AS`` with some classes changed; an empty tuple leaves a class out.

    Raises:
        InputError: an unknown class, or a name that is no road user of COCO.
    """
    for name, targets in (changes or {}).items():
        if name not in CLASSES:
            raise InputError("class", name, "one of " + ", ".join(CLASSES))
        for target in targets:
            if target not in FAMILY_OF_NAME:
                raise InputError(f"COCO name of {name}", target, "one of " + ", ".join(ROAD_NAMES))
    table = RECOGNISED_AS | (changes or {})
    return {name: targets for name, targets in table.items() if targets}


def families_of(targets: tuple[str, ...]) -> tuple[str, ...]:
    """The families of some names, each once, in the order of the names."""
    return tuple(dict.fromkeys(FAMILY_OF_NAME[target] for target in targets))

"""Which objects of a sample are exported: those that can be seen and have a category."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.labels import Labels
from worldgen.data.export.class_maps import IGNORE, ClassMap

LEAST_PX = 1.0
"""Objects whose visible box inside the image is narrower or lower than this cannot be seen."""


@dataclass(frozen=True)
class ObjectLimits:
    """From when on an object counts. Smaller or more hidden objects that can be seen become ignore regions.

    min_height_px: height of the visible box. min_visible: visible share of the object, where it is known.

    Raises:
        InputError: a value out of range.
    """

    min_height_px: float = 6.0
    min_visible: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.min_height_px <= 10_000:
            raise InputError("min_height_px", self.min_height_px, "0 to 10000 pixels")
        if not 0 <= self.min_visible <= 1:
            raise InputError("min_visible", self.min_visible, "0 to 1")


@dataclass
class ExportedObjects:
    """Chooses the objects of each sample and counts those that are left out.

    classes: categories of the export. regions: whether the format has ignore regions without a class. counts:
    ``invisible``, objects without a visible pixel, and ``without_category``, objects whose class is left out.
    """

    limits: ObjectLimits
    classes: ClassMap
    regions: bool = False
    counts: dict[str, int] = field(default_factory=lambda: {"invisible": 0, "without_category": 0})

    def of(self, labels: Labels) -> Labels:
        """The objects to export: boxes clipped to the image, ``ignore`` set for ignore regions."""
        seen = visible(labels)
        left_out = (None,) if self.regions else (None, IGNORE)
        target = np.array([name not in left_out for name in self.classes.targets])[labels.class_id]
        self.counts["invisible"] += int((~seen).sum())
        self.counts["without_category"] += int((seen & ~target).sum())
        kept = labels.where(seen & target)
        box = _clipped(kept)
        region = np.array([name == IGNORE for name in self.classes.targets])[kept.class_id]
        small = box[:, 3] - box[:, 1] < self.limits.min_height_px
        hidden = kept.visible_fraction < self.limits.min_visible  # NaN, unknown, counts as visible
        return replace(kept, box_px=box, ignore=kept.ignore | region | small | hidden)


def visible(labels: Labels) -> np.ndarray:
    """Which objects ``(N,)`` bool have a visible box of ``LEAST_PX`` or more inside the image."""
    box = _clipped(labels)
    return ((box[:, 2:] - box[:, :2]) >= LEAST_PX).all(1) & ~(labels.visible_fraction <= 0)


def _clipped(labels: Labels) -> np.ndarray:
    """The visible boxes ``(N, 4)`` inside the image."""
    return np.clip(labels.box_px, 0, np.array([labels.width_px, labels.height_px] * 2, np.float32))

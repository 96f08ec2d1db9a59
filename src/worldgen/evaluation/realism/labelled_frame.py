"""One labelled frame as the realism measure judges it, and the rules of which labels count."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES, Labels
from worldgen.instruments.detector.coco_detector import LEAST_SCORE
from worldgen.instruments.detector.coco_families import recognised_as

NIGHT = ("night", "night_lit", "night_unlit")
"""Words for light that count as night."""
MIN_WIDTH_PX = 3.0
"""Narrower visible boxes are slivers at the border of the picture or between others, and are not judged."""


@dataclass(frozen=True)
class RealismRules:
    """Which labels and detections count.

    min_height_px: of a label and of a detection. min_visible: least visible fraction of a label. overlap: least
    intersection over union of a match. least_score: of a detection. recognised: class -> names of COCO that are right
    for it; classes without an entry are not judged.

    Raises:
        InputError: for numbers out of range.
    """

    min_height_px: float = 8.0
    min_visible: float = 0.5
    overlap: float = 0.5
    least_score: float = LEAST_SCORE
    recognised: dict[str, tuple[str, ...]] = field(default_factory=recognised_as)

    def __post_init__(self) -> None:
        if not 0 < self.min_height_px <= 4096:
            raise InputError("least height of labels", self.min_height_px, "above 0 to 4096 px")
        for name in ("min_visible", "overlap", "least_score"):
            value = getattr(self, name)
            if not 0 <= value <= 1 or (name == "overlap" and value == 0):
                raise InputError(name, value, "0 to 1, and an overlap above 0")


@dataclass(frozen=True, eq=False)
class LabelledFrame:
    """A frame with its labels.

    frame: ``(H, W, 3)`` uint8 RGB; ``None`` once the detector has seen it. size_px: its width and height. class_id:
    ``(N,)`` int64 into ``CLASSES``. box_px: ``(N, 4)`` float32 visible boxes x0 y0 x1 y1. wanted: ``(N,)`` bool,
    whether a label is judged; the others are neither required nor counted against a detection. clip: frames of one clip
    are not independent. weather, light: words, "" where unknown. whole_riders: whether the box of a cyclist encloses
    the bicycle.
    """

    frame: np.ndarray | None
    size_px: tuple[int, int]
    class_id: np.ndarray
    box_px: np.ndarray
    wanted: np.ndarray
    clip: str = ""
    weather: str = ""
    light: str = ""
    whole_riders: bool = False

    @property
    def night(self) -> bool | None:
        """Whether it is night; None where the light is unknown."""
        return self.light in NIGHT if self.light else None

    def without_pixels(self) -> LabelledFrame:
        """The same labels, without the picture."""
        return replace(self, frame=None)


def labelled_frame(
    frame: np.ndarray, labels: Labels, frame_index: int, *, rules: RealismRules,
    clip: str = "", weather: str = "", light: str = "",
) -> LabelledFrame:  # fmt: skip
    """A frame ``(H, W, 3)`` uint8 RGB with the labels of one frame of its clip.

    A label is judged when its class has a name in COCO, it is not flagged, its visible box is high enough and enough of
    it is visible. Truncation by the border of the picture does not matter: the box ends there too.

    Raises:
        InputError: labels of another picture size.
    """
    size = (frame.shape[1], frame.shape[0])
    if size != (labels.width_px, labels.height_px):
        raise InputError("size of the labels", (labels.width_px, labels.height_px), f"{size}, as the frame")
    rows = labels.at(frame_index)
    extent = rows.box_px[:, 2:] - rows.box_px[:, :2]
    rows, extent = rows.where(extent.min(1) > 0), extent[extent.min(1) > 0]
    known = np.array([name in rules.recognised for name in CLASSES], bool)[rows.class_id]
    wanted = known & ~rows.ignore & (extent[:, 1] >= rules.min_height_px)
    wanted &= (rows.visible_fraction >= rules.min_visible) & (extent[:, 0] >= MIN_WIDTH_PX)
    return LabelledFrame(
        frame, size, rows.class_id, rows.box_px, wanted, clip, weather, light, whole_riders=labels.source == "scene"
    )

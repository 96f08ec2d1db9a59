"""One object cut from a labelled picture, with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES
from worldgen.core.samples import SPLITS


@dataclass(frozen=True, eq=False)
class CutOut:
    """An object with its mask.

    rgba: ``(h, w, 4)`` uint8, RGB and the mask as opacity; as large as the mask. class_name: of ``CLASSES``. box_px:
    x0 y0 x1 y1 of the mask in its picture. picture_px: width and height of that picture. picture, drive, split: where
    it was cut. around_rgb: mean colour of its surroundings, 0 to 255. sharpness: see :func:`sharpness_of`. mask_from:
    "grabcut", "class map", or the name of the segmenter. licence: of the picture.

    Raises:
        InputError: for arrays of another shape, an empty mask, an unknown class or split.
    """

    rgba: np.ndarray
    class_name: str
    box_px: tuple[float, float, float, float]
    picture_px: tuple[int, int]
    picture: str
    drive: str
    split: str
    around_rgb: tuple[float, float, float]
    sharpness: float
    mask_from: str
    licence: str = "unknown"

    def __post_init__(self) -> None:
        if self.rgba.ndim != 3 or self.rgba.shape[2] != 4 or self.rgba.dtype != np.uint8:
            raise InputError("cut-out", Received(f"{self.rgba.dtype} {self.rgba.shape}"), "uint8 (h, w, 4)")
        if not self.rgba[..., 3].any():
            raise InputError("mask of a cut-out", Received("empty"), "at least one pixel")
        if self.class_name not in CLASSES:
            raise InputError("class of a cut-out", self.class_name, "one of " + ", ".join(CLASSES))
        if self.split not in SPLITS:
            raise InputError("split of a cut-out", self.split, "one of " + ", ".join(SPLITS))

    @property
    def height_px(self) -> int:
        """Height of the mask."""
        return int(self.rgba.shape[0])

    @property
    def column(self) -> float:
        """Column of its middle as a share of the width of its picture, 0 to 1."""
        return (self.box_px[0] + self.box_px[2]) / 2 / self.picture_px[0]

    def mirrored(self) -> CutOut:
        """The object seen from the other side of the road."""
        width = self.picture_px[0]
        x0, y0, x1, y1 = self.box_px
        return CutOut(
            np.ascontiguousarray(self.rgba[:, ::-1]), self.class_name, (width - x1, y0, width - x0, y1),
            self.picture_px, self.picture, self.drive, self.split, self.around_rgb, self.sharpness, self.mask_from,
            self.licence,
        )  # fmt: skip


def sharpness_of(rgb: np.ndarray, mask: np.ndarray) -> float:
    """Standard deviation of the Laplacian of the brightness inside a mask over that of the brightness itself; 0 for a
    flat object.

    rgb: ``(h, w, 3)`` uint8. mask: ``(h, w)`` bool. A blurred copy of an object has a lower value, a darker copy the
    same.
    """
    luma = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY).astype(np.float32)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    if inner.sum() < 4:
        return 0.0
    contrast = float(luma[inner].std())
    return float(cv2.Laplacian(luma, cv2.CV_32F)[inner].std()) / contrast if contrast > 1e-3 else 0.0

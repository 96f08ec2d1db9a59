"""What stands before an insert: labelled objects and things that touch the ground nearer to the camera."""

from __future__ import annotations

import numpy as np

from worldgen.core.labels import CLASSES
from worldgen.generation.insert.cut_outs.object_masks import grabcut_masks
from worldgen.generation.insert.insert_plan import MASK_CODES, LabelledPicture

HANGING = (CLASSES.index("traffic_light"),)
"""Classes that do not stand on the ground where their box ends: how far they are is unknown."""
UNSURE = 0.012
"""Contacts that differ by less, as a share of the picture's height, have no sure order."""


class NearerObjects:
    """The order in depth of one picture. Objects stand on one ground, so the lower contact is the nearer one.

    Masks of objects come from the map of classes where there is one, otherwise from their boxes by GrabCut.
    """

    def __init__(self, picture: LabelledPicture):
        self.picture = picture
        self._cut: dict[int, np.ndarray] = {}
        self._uprights: np.ndarray | None = None

    def sure(self, box_px: np.ndarray, contact_px: float) -> bool:
        """Whether the order of an object in ``box_px`` ``(4,)`` with a contact is sure for all labels that it meets."""
        meets = self._meeting(box_px)
        close = np.abs(self.picture.contacts[meets] - contact_px) < UNSURE * self.picture.size_px[1]
        return not close.any() and not np.isin(self.picture.class_id[meets], HANGING).any()

    def _meeting(self, box_px: np.ndarray) -> np.ndarray:
        boxes = self.picture.box_px
        shared = np.minimum(box_px[2:], boxes[:, 2:]) - np.maximum(box_px[:2], boxes[:, :2])
        return np.flatnonzero((shared > 0).all(1))

    def hiding(self, window: tuple[int, int, int, int], contact_px: float) -> np.ndarray:
        """Pixels ``(h, w)`` bool of a window left, top, width, height that something nearer than a contact covers."""
        left, top, width, height = window
        hidden = np.zeros((height, width), bool)
        box = np.array([left, top, left + width, top + height], float)
        for number in self._meeting(box):
            if self.picture.contacts[number] > contact_px and self.picture.class_id[number] not in HANGING:
                hidden |= self._mask(int(number))[top : top + height, left : left + width]
        if self.picture.masks is not None:
            hidden |= self._upright_bottoms()[top : top + height, left : left + width] > contact_px
        return hidden

    def _mask(self, number: int) -> np.ndarray:
        """Mask ``(H, W)`` bool of a labelled object."""
        if number not in self._cut:
            box = self.picture.box_px[number]
            if self.picture.masks is None:
                self._cut[number] = grabcut_masks(self.picture.frame, box[None])[0]
                if not self._cut[number].any():  # too small to cut: the box is all that is known
                    self._cut[number] = _filled(box, self.picture.frame.shape[:2])
            else:
                code = MASK_CODES[CLASSES[int(self.picture.class_id[number])]]
                inside = _filled(box, self.picture.frame.shape[:2])
                self._cut[number] = inside & (self.picture.masks == code)
        return self._cut[number]

    def _upright_bottoms(self) -> np.ndarray:
        """For each upright pixel without a label the row ``(H, W)`` where its column ends downwards; 0 elsewhere."""
        if self._uprights is None:
            assert self.picture.masks is not None
            upright = self.picture.masks == MASK_CODES["upright"]
            rows = np.arange(1, upright.shape[0] + 1)[:, None]
            bottom = np.zeros(upright.shape, np.int32)
            below: np.ndarray = np.zeros(upright.shape[1], np.int32)
            for row in range(upright.shape[0] - 1, -1, -1):
                below = np.where(upright[row], np.where(below > 0, below, rows[row]), 0)
                bottom[row] = below
            self._uprights = bottom
        return self._uprights


def _filled(box: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    x0, y0 = np.maximum(np.floor(box[:2]), 0).astype(int)
    x1, y1 = np.ceil(box[2:]).astype(int)
    mask[y0:y1, x0:x1] = True
    return mask

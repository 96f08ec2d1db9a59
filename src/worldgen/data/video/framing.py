"""Cropping and resizing of images, together with their camera and labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError
from worldgen.core.labels import Labels

FITS = ("crop", "stretch")
MAX_SIDE_PX = 16384


@dataclass(frozen=True)
class Framing:
    """A crop of a source image followed by a resize, applied to pixels, camera, boxes and labels.

    x0_px, y0_px, crop_width_px, crop_height_px: crop window in source pixels. width_px, height_px: size of
    the result.
    """

    x0_px: int
    y0_px: int
    crop_width_px: int
    crop_height_px: int
    width_px: int
    height_px: int

    def frame(self, frame: np.ndarray) -> np.ndarray:
        """The frame ``(H, W, 3)`` uint8 cropped and resized to ``(height_px, width_px, 3)`` uint8.

        Shrinking averages the covered area, which avoids aliasing; growing is bilinear. Pixel centres are at +0.5.
        """
        cut = frame[self.y0_px : self.y0_px + self.crop_height_px, self.x0_px : self.x0_px + self.crop_width_px]
        for width, height in ((self.width_px, cut.shape[0]), (self.width_px, self.height_px)):
            if (cut.shape[1], cut.shape[0]) == (width, height):
                continue
            both_shrink = self.width_px <= self.crop_width_px and self.height_px <= self.crop_height_px
            size = (self.width_px, self.height_px) if both_shrink else (width, height)
            shrink = size[0] <= cut.shape[1] and size[1] <= cut.shape[0]
            cut = cv2.resize(cut, size, interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
        return np.ascontiguousarray(cut)

    def camera(self, camera: Camera) -> Camera:
        """The camera of the framed image. camera: of the source image."""
        cut = camera.cropped(self.x0_px, self.y0_px, self.crop_width_px, self.crop_height_px)
        return cut.resized(self.width_px, self.height_px)

    def boxes(self, box_px: np.ndarray) -> np.ndarray:
        """Boxes ``(N, 4)`` x0 y0 x1 y1 in source pixels, in pixels of the result, float32, not clipped."""
        scale = np.array([self.width_px / self.crop_width_px, self.height_px / self.crop_height_px] * 2)
        return ((np.asarray(box_px, np.float64) - [self.x0_px, self.y0_px] * 2) * scale).astype(np.float32)

    def labels(self, labels: Labels) -> Labels:
        """The labels of the framed image.

        Visible boxes are clipped to the image, and truncation is measured again. An object whose visible box is outside
        keeps a box of zero area, visible fraction 0 and ``ignore``. Other objects keep visible fraction and occlusion.
        """
        limit = np.array([self.width_px, self.height_px] * 2, np.float32)
        amodal = self.boxes(labels.amodal_box_px)
        box = np.clip(self.boxes(labels.box_px), 0, limit)
        outside = box_area(box) <= 0
        amodal_area = box_area(amodal)
        inside = box_area(np.clip(amodal, 0, limit))
        truncation = np.where(amodal_area > 0, 1 - inside / np.maximum(amodal_area, 1e-9), labels.truncation)
        return replace(
            labels, width_px=self.width_px, height_px=self.height_px, box_px=box, amodal_box_px=amodal,
            truncation=np.clip(truncation, 0, 1), ignore=labels.ignore | outside,
            visible_fraction=np.where(outside, 0, labels.visible_fraction),
        )  # fmt: skip


def box_area(box_px: np.ndarray) -> np.ndarray:
    """Areas ``(N,)`` of boxes ``(N, 4)`` x0 y0 x1 y1 in square pixels; 0 for empty boxes."""
    return np.maximum(box_px[:, 2] - box_px[:, 0], 0) * np.maximum(box_px[:, 3] - box_px[:, 1], 0)


def framing(source: tuple[int, int], size: tuple[int, int] | None, *, fit: str = "crop") -> Framing:
    """The framing that brings images of one size to another.

    Args:
        source: width and height of the source in pixels.
        size: width and height of the result in pixels, each 1 to ``MAX_SIDE_PX``; None keeps the source size.
        fit: ``crop`` cuts the largest centred window with the aspect ratio of ``size``, so proportions stay;
            ``stretch`` uses the whole image and changes proportions (the camera's two focal lengths then differ).

    Raises:
        InputError: an unknown fit or a size out of range.
    """
    if fit not in FITS:
        raise InputError("fit", fit, "one of " + ", ".join(FITS))
    if size is None:
        size = source
    if len(size) != 2 or not all(isinstance(v, (int, np.integer)) and 1 <= v <= MAX_SIDE_PX for v in size):
        raise InputError("image size", tuple(size), f"(width, height), each 1 to {MAX_SIDE_PX} pixels")
    (source_w, source_h), (width, height) = source, size
    crop_w, crop_h = source_w, source_h
    if fit == "crop":
        if source_w * height > source_h * width:
            crop_w = min(source_w, max(1, round(source_h * width / height)))
        else:
            crop_h = min(source_h, max(1, round(source_w * height / width)))
    return Framing((source_w - crop_w) // 2, (source_h - crop_h) // 2, crop_w, crop_h, int(width), int(height))

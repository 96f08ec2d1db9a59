"""Masks of labelled objects: from boxes by GrabCut, from a map of classes, or by a segmenter that is passed in."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Segmenter = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A picture ``(H, W, 3)`` uint8 RGB and boxes ``(N, 4)`` x0 y0 x1 y1 in pixels -> masks ``(N, H, W)`` bool. A model of
transformers that takes boxes, such as SAM 2, fits behind it."""
WORK_PX = 120
"""Objects are cut at this height and the mask is then resized: larger ones take GrabCut a second, and it loses parts of
smaller ones. People of 24 to 80 pixels in CamVid overlap their true masks by 0.53 at their own size, by 0.62 at this
one; cars by 0.62 and 0.82, the boxes themselves by 0.58 and 0.72 (medians of intersection over union)."""
MARGIN = 0.2
"""Surroundings of a box that GrabCut sees, as a share of its sides."""
ITERATIONS = 4


def grabcut_masks(frame: np.ndarray, box_px: np.ndarray) -> np.ndarray:
    """Masks ``(N, H, W)`` bool of the objects in boxes ``(N, 4)`` of a picture ``(H, W, 3)`` uint8 RGB.

    Everything outside a box is background; inside, colours decide. Holes are filled, and only the largest part stays.
    Source: Rother, Kolmogorov & Blake, "GrabCut" (SIGGRAPH 2004), as OpenCV has it.
    """
    height, width = frame.shape[:2]
    masks = np.zeros((len(box_px), height, width), bool)
    for number, box in enumerate(np.asarray(box_px, float)):
        x0, y0 = np.maximum(np.floor(box[:2]), 0).astype(int)
        x1, y1 = np.minimum(np.ceil(box[2:]), (width, height)).astype(int)
        if x1 - x0 < 4 or y1 - y0 < 4:
            continue
        margin = max(3, round(MARGIN * max(x1 - x0, y1 - y0)))
        left, top = max(0, x0 - margin), max(0, y0 - margin)
        right, bottom = min(width, x1 + margin), min(height, y1 + margin)
        crop = np.ascontiguousarray(frame[top:bottom, left:right])
        scale = WORK_PX / (y1 - y0)
        size = (max(8, round(crop.shape[1] * scale)), max(8, round(crop.shape[0] * scale)))
        work = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        factor = (work.shape[1] / crop.shape[1], work.shape[0] / crop.shape[0])
        inside = [round((x0 - left) * factor[0]), round((y0 - top) * factor[1])]
        inside += [round((x1 - x0) * factor[0]), round((y1 - y0) * factor[1])]
        cut = _grabcut(work, inside)
        if cut.shape != crop.shape[:2]:
            cut = cv2.resize(cut, (crop.shape[1], crop.shape[0]), interpolation=cv2.INTER_LINEAR)
        masks[number, top:bottom, left:right] = whole_mask(cut > 0.5)
    return masks


def _grabcut(picture: np.ndarray, rectangle: list[int]) -> np.ndarray:
    """Foreground ``(h, w)`` float32, 0 or 1, of the object in a rectangle x, y, width, height."""
    state = np.full(picture.shape[:2], cv2.GC_BGD, np.uint8)
    x, y, w, h = rectangle
    state[y : y + h, x : x + w] = cv2.GC_PR_FGD
    if not (state == cv2.GC_BGD).any():  # the box is the whole picture: nothing says what the background looks like
        return np.zeros(picture.shape[:2], np.float32)
    # The middle of a box is its object; its corners mostly are not.
    state[y + h // 4 : y + 3 * h // 4, x + 2 * w // 5 : x + max(3 * w // 5, 2 * w // 5 + 1)] = cv2.GC_FGD
    cv2.setRNGSeed(0)  # its k-means draws from OpenCV's generator
    whole = (0, 0, picture.shape[1], picture.shape[0])  # not used: the mask says where
    cv2.grabCut(picture, state, whole, np.zeros((1, 65)), np.zeros((1, 65)), ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)


def class_map_masks(class_map: np.ndarray, box_px: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Masks ``(N, H, W)`` bool: the pixels of each box ``(N, 4)`` that have its value ``(N,)`` in a map ``(H, W)``."""
    masks = np.zeros((len(box_px), *class_map.shape), bool)
    for number, (box, value) in enumerate(zip(np.asarray(box_px, float), values, strict=True)):
        x0, y0 = np.maximum(np.floor(box[:2]), 0).astype(int)
        x1, y1 = np.ceil(box[2:]).astype(int)
        part = class_map[y0:y1, x0:x1] == value
        masks[number, y0:y1, x0:x1] = largest_part(part)
    return masks


def whole_mask(mask: np.ndarray) -> np.ndarray:
    """The largest part of a mask ``(h, w)`` bool, with its holes filled."""
    part = largest_part(mask)
    contours, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros(mask.shape, np.uint8), contours, -1, 1, cv2.FILLED)
    return np.asarray(filled).astype(bool)


def largest_part(mask: np.ndarray) -> np.ndarray:
    """The largest connected part of a mask ``(h, w)`` bool; empty for an empty one."""
    count, label, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros(mask.shape, bool)
    return np.asarray(label == 1 + int(np.argmax(facts[1:, cv2.CC_STAT_AREA])))

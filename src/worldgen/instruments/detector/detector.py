"""A small one-stage detector of road users: the instrument that reads boxes back from pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from worldgen.core.clip import Clip
from worldgen.core.labels import CLASSES
from worldgen.files.shipped import assets_dir
from worldgen.instruments.feature_pyramid import (
    BoxMaps,
    ConvNorm,
    FeaturePyramid,
    PyramidConfig,
    cell_centres,
    channels_last,
    to_pictures,
)
from worldgen.instruments.instrument_files import build_network, save_weights, stored_instrument

GROUPS = ("vehicle", "pedestrian", "cyclist")
GROUP_OF_NAME = {
    "car": 0, "truck": 0, "bus": 0, "motorcycle": 0, "bicycle": 2, "cyclist": 2, "pedestrian": 1,
}  # fmt: skip
GROUP_OF_CLASS = np.array([GROUP_OF_NAME.get(name, -1) for name in CLASSES])
"""``(10,)`` int64: class of ``CLASSES`` -> number in ``GROUPS``, -1 for traffic lights, cones and animals."""

WIDTH_PX = 224
"""Width of the pictures that it was trained on; objects of clips of a larger size look too large to it."""
MAX_OBJECTS = 100
"""Objects kept in each picture, by falling score."""
MAX_CELLS = 300
"""The cells of a picture with the highest scores may propose an object; several may propose the same one."""


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes found in a clip, sorted by frame, then falling score.

    frame_index: ``(N,)`` int64. group: ``(N,)`` int64 into ``GROUPS``. box_px: ``(N, 4)`` float32 x0 y0 x1 y1 in
    pixels of the clip. score: ``(N,)`` float32 in [0, 1].
    """

    frame_index: np.ndarray
    group: np.ndarray
    box_px: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.score)

    def where(self, mask: np.ndarray) -> Detections:
        """Only the rows where ``mask`` ``(N,)`` bool holds."""
        return Detections(self.frame_index[mask], self.group[mask], self.box_px[mask], self.score[mask])


@dataclass(frozen=True)
class DetectorConfig(PyramidConfig):
    """Sizes of the detector: those of its feature pyramid."""


class FoundBoxes(NamedTuple):
    """Objects found in one picture, by falling score: group ``(n,)`` int64 into ``GROUPS``, box ``(n, 4)`` float32
    x0 y0 x1 y1 in pixels, score ``(n,)`` float32 in [0, 1]."""

    group: np.ndarray
    box_px: np.ndarray
    score: np.ndarray


class Detector(FeaturePyramid):
    """A feature pyramid whose cells predict which group of object is centred there and where the sides of its box are.

    Source: Liu et al., "Training-Time-Friendly Network for Real-Time Object Detection" (TTFNet, AAAI 2020) for the
    heat map with dense box regression; Zhou et al., "Objects as Points" (2019) for peaks as detections.
    """

    def __init__(self, config: DetectorConfig | None = None):
        config = config or DetectorConfig()
        super().__init__(config, inputs=3, kinds=len(GROUPS))
        self.config = config
        assert self.heat.bias is not None
        nn.init.constant_(self.heat.bias, -4.0)  # prior probability 0.018: most cells are empty
        nn.init.zeros_(self.sides.weight)

    def forward(self, pictures: Tensor) -> BoxMaps:
        """Heat and box sides at each cell of pictures ``(B, 3, H, W)``, RGB in [-1, 1], H and W multiples of 16."""
        return self.box_maps(self.features(pictures))

    def folded(self) -> Detector:
        """This detector with its norms merged into the convolutions: same results, faster, for inference only."""
        self.eval()
        for module in self.modules():
            if isinstance(module, ConvNorm) and isinstance(module.norm, nn.BatchNorm2d):
                module.conv, module.norm = fuse_conv_bn_eval(module.conv, module.norm), nn.Identity()
        return self


@torch.inference_mode()
def find(detector: Detector, frames: np.ndarray, *, threshold: float = 0.05) -> list[FoundBoxes]:
    """The objects in each of the frames ``(B, H, W, 3)`` uint8 that score at least ``threshold``."""
    pictures = to_pictures(frames).to(next(detector.parameters()).device, memory_format=torch.channels_last)
    logits, sides = detector(pictures)
    heat = logits.sigmoid()
    count, _, rows, columns = heat.shape
    score, place = heat.flatten(1).topk(min(MAX_CELLS, heat[0].numel()))  # (B, K), falling
    group, cell = place // (rows * columns), place % (rows * columns)
    centre = cell_centres(rows, columns, device=heat.device).flatten(1)[:, cell]  # (2, B, K)
    side = sides.flatten(2).gather(2, cell[:, None].expand(-1, 4, -1))  # (B, 4, K)
    box = torch.stack(
        [centre[0] - side[:, 0], centre[1] - side[:, 1], centre[0] + side[:, 2], centre[1] + side[:, 3]], -1
    )
    limit = torch.tensor([frames.shape[2], frames.shape[1]] * 2, device=box.device, dtype=box.dtype)
    box = torch.minimum(box.clamp(min=0), limit)
    found = []
    for b in range(count):
        g, x, s = group[b].cpu().numpy(), box[b].cpu().numpy(), score[b].cpu().numpy()
        keep = s >= threshold
        found.append(_merged(FoundBoxes(g[keep], x[keep], s[keep])))
    return found


def _merged(proposed: FoundBoxes, *, overlap: float = 0.6) -> FoundBoxes:
    """One row for each object, from the proposals of all its cells by falling score.

    Proposals of one group that overlap a better one are the same object. Their boxes are averaged by score, because
    each cell errs a little otherwise. Cells are not reduced to peaks before: two people who stand closer than two cells
    would become one.
    """
    group, box, score = proposed
    same = (box_iou(box, box) > overlap) & (group[:, None] == group[None])
    np.fill_diagonal(same, True)
    left, best = np.ones(len(box), bool), []
    for row in range(len(box)):
        if left[row]:
            best.append(row)
            left &= ~same[row]
    best = best[:MAX_OBJECTS]
    weight = same[best] * score[None]
    mean = weight @ box / np.maximum(weight.sum(1, keepdims=True), 1e-12)
    return FoundBoxes(group[best], mean.astype(box.dtype), score[best])


def box_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes ``(n, 4)`` and ``(m, 4)`` x0 y0 x1 y1: ``(n, m)``, 0 where both are empty."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    size = np.clip(high - low, 0, None)
    shared = size[..., 0] * size[..., 1]
    areas = [np.prod(np.clip(box[:, 2:] - box[:, :2], 0, None), axis=-1) for box in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.where(union > 0, shared / np.maximum(union, 1e-9), 0.0)


def detect(detector: Detector, clip: Clip, *, threshold: float = 0.05, batch: int = 8) -> Detections:
    """All objects that ``detector`` finds in a clip with at least this score; each frame is judged by itself."""
    found = [
        boxes
        for start in range(0, len(clip), batch)
        for boxes in find(detector, clip.frames[start : start + batch], threshold=threshold)
    ]
    return as_detections(found)


def detect_at_width(detector: Detector, clip: Clip, *, threshold: float = 0.05) -> Detections:
    """As :func:`detect`, with the clip brought to ``WIDTH_PX`` first where it is wider; boxes are in pixels of the
    clip."""
    if clip.width_px <= WIDTH_PX:
        return detect(detector, clip, threshold=threshold)
    size = (WIDTH_PX, max(16, round(clip.height_px * WIDTH_PX / clip.width_px)))
    frames = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in clip.frames])
    found = detect(detector, Clip(frames, clip.fps), threshold=threshold)
    scale = np.array([clip.width_px / size[0], clip.height_px / size[1]] * 2, np.float32)
    return Detections(found.frame_index, found.group, found.box_px * scale, found.score)


def as_detections(found: Sequence[FoundBoxes]) -> Detections:
    """The boxes found in each frame, one after the other, as one table."""
    return Detections(
        np.repeat(np.arange(len(found)), [len(boxes.score) for boxes in found]).astype(np.int64),
        np.concatenate([boxes.group for boxes in found]).astype(np.int64),
        np.concatenate([boxes.box_px for boxes in found]).astype(np.float32),
        np.concatenate([boxes.score for boxes in found]).astype(np.float32),
    )


def save_detector(detector: Detector, folder: str | Path) -> str:
    """Write config and float16 weights as an instrument; returns the hash of the weights. Not for folded detectors."""
    return save_weights(folder, {"groups": list(GROUPS), **asdict(detector.config)}, detector.state_dict())


def load_detector(folder: str | Path | None = None) -> Detector:
    """A detector ready to read pictures, from an instrument's folder; None: the one that ships.

    Raises: InputError for a missing folder, another version or weights that do not fit.
    """
    instrument = stored_instrument(folder if folder is not None else assets_dir() / "instruments" / "detector")
    detector = build_network(instrument, Detector, DetectorConfig, required={"groups": list(GROUPS)})
    return channels_last(detector).folded()

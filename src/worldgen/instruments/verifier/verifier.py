"""A network that reads the class of the object in any box of a clip and how well the box fits; it checks labels.

A detector must find objects by itself. The verifier is asked about boxes that labels claim, so it can judge small
objects and all nine classes. It also finds objects without being asked. Its input is pixels alone; it knows nothing
of the scene they were generated for.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import LAYOUT_CLASSES
from worldgen.files.shipped import assets_dir
from worldgen.instruments.detector.detector import Detections, Detector, FoundBoxes, as_detections, box_iou
from worldgen.instruments.feature_pyramid import (
    FeatureMaps,
    FeaturePyramid,
    PyramidConfig,
    cell_centres,
    channels_last,
    to_pictures,
)
from worldgen.instruments.instrument_files import build_network, save_weights, stored_instrument

NONE = len(LAYOUT_CLASSES)
"""Number of the answer "nothing that has a class". The verifier does not know animals."""
KINDS = ("vehicle", "person", "street object")
"""Kinds that the heat map tells apart: cyclists and motorcyclists are persons, lights and cones are street objects."""
KIND_OF_CLASS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
"""``(9,)`` int64: class of ``LAYOUT_CLASSES`` -> number in ``KINDS``."""
WIDTH_PX = 224
"""Clips are resized to this width, the width of the training clips."""
CELLS = 7
REACH = 1.7
"""Side of the region that is read, over the side of the box. What stands beside an object tells how well its box
fits."""
LEAST_PX = 5.0
"""The region of a box with a shorter side is read as if the side were this long; else all points lie in one cell."""
SHAPES = 6
PEAKS = 40
"""Places of each frame that are examined for objects."""
BATCH = 5


@dataclass(frozen=True)
class VerifierConfig(PyramidConfig):
    """Sizes of the verifier: those of its feature pyramid, channels of a point of a box (``point``) and of a whole box
    (``hidden``)."""

    point: int = 32
    hidden: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.point, self.hidden) < 4:
            raise InputError("verifier sizes", (self.point, self.hidden), "4 or more")


class BoxLogits(NamedTuple):
    """Logits of boxes. classes: ``(B, K, 10)``, the last for nothing. fit: ``(B, K)``."""

    classes: Tensor
    fit: Tensor


class BoxAnswers(NamedTuple):
    """What is in each of N boxes. classes: probabilities ``(N, 10)`` float32, the last for nothing. fit: ``(N,)``
    float32 in [0, 1], the estimated intersection over union of the box with the object it is meant for."""

    classes: np.ndarray
    fit: np.ndarray


class Verifier(FeaturePyramid):
    """A feature pyramid over the whole frame, read at 7 x 7 points in and around each box.

    The pyramid is that of the detector with three more input channels: the previous frame less this one. An object too
    dark or too faint to be seen in one frame can still be seen to move. Weights of a detector can be taken over.

    Source: Girshick, "Fast R-CNN" (ICCV 2015) for boxes read from one shared map.
    """

    def __init__(self, config: VerifierConfig | None = None):
        config = config or VerifierConfig()
        super().__init__(config, inputs=6, kinds=len(KINDS))
        self.config = config
        self.point = nn.Conv1d(config.neck + config.widths[0], config.point, 1)
        self.box = nn.Linear(config.point * CELLS**2 + SHAPES, config.hidden)
        self.answer = nn.Linear(config.hidden, NONE + 2)

    def forward(self, pictures: Tensor) -> FeatureMaps:
        """Features of pictures ``(B, 6, H, W)``: RGB in [-1, 1], then the previous frame less this one."""
        return self.features(pictures)

    def boxes(self, features: FeatureMaps, box_px: Tensor) -> BoxLogits:
        """Class and fit of boxes ``(B, K, 4)`` in pixels of the pictures."""
        count, number = box_px.shape[:2]
        size = torch.tensor([features.half.shape[3] * 2.0, features.half.shape[2] * 2.0])  # of the picture, (W, H)
        centre, side = (box_px[..., :2] + box_px[..., 2:]) / 2, (box_px[..., 2:] - box_px[..., :2]).clamp(min=0.5)
        steps = ((torch.arange(CELLS) + 0.5) / CELLS - 0.5) * REACH
        offset = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).reshape(1, 1, -1, 2)
        points = centre[:, :, None] + offset * side.clamp(min=LEAST_PX)[:, :, None]  # (B, K, 49, 2)
        grid = points / size * 2 - 1
        x = torch.cat(
            [F.grid_sample(m, grid, mode="bilinear", padding_mode="border", align_corners=False) for m in features], 1
        )  # (B, C, K, 49)
        x = F.relu(self.point(x.permute(0, 2, 1, 3).reshape(count * number, -1, CELLS**2)))
        ratio = side.log()
        shape = torch.cat(
            [centre / size * 2 - 1, ratio - 3, box_px[..., 3:] / size[1], ratio[..., :1] - ratio[..., 1:]], -1
        )
        x = F.relu(self.box(torch.cat([x.flatten(1), shape.reshape(count * number, SHAPES)], 1)))
        answer = self.answer(x).float().reshape(count, number, -1)
        return BoxLogits(answer[..., :-1], answer[..., -1])

    @torch.inference_mode()
    def read(self, clip: Clip) -> VerifiedClip:
        """Compute the features of a clip once; questions about boxes are then cheap."""
        frames = clip.frames
        scale = WIDTH_PX / clip.width_px
        if scale != 1:
            size = (WIDTH_PX, max(16, round(clip.height_px * scale)))
            frames = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])
        before = np.maximum(np.arange(len(frames)) - 1, 0)
        before[0] = min(1, len(frames) - 1)
        pairs = to_pairs(frames, frames[before])
        parts = [self(x.contiguous(memory_format=torch.channels_last)) for x in pairs.split(BATCH)]
        features = FeatureMaps(torch.cat([part.half for part in parts]), torch.cat([part.quarter for part in parts]))
        return VerifiedClip(self, features, scale, (clip.width_px, clip.height_px))


@dataclass(frozen=True, eq=False)
class VerifiedClip:
    """A clip with its features. scale: pixels of the verifier over pixels of the clip. size_px: of the clip, (W, H)."""

    verifier: Verifier
    features: FeatureMaps
    scale: float
    size_px: tuple[int, int]

    @torch.inference_mode()
    def verify(self, frame_index: np.ndarray, box_px: np.ndarray) -> BoxAnswers:
        """What is in each box. frame_index: ``(N,)``. box_px: ``(N, 4)`` in pixels of the clip."""
        probability, fit = np.zeros((len(frame_index), NONE + 1), np.float32), np.zeros(len(frame_index), np.float32)
        boxes = torch.from_numpy(np.asarray(box_px, np.float32) * np.float32(self.scale))
        for frame in np.unique(frame_index):
            rows = np.flatnonzero(frame_index == frame)
            here = FeatureMaps(self.features.half[frame : frame + 1], self.features.quarter[frame : frame + 1])
            logits = self.verifier.boxes(here, boxes[rows][None])
            probability[rows], fit[rows] = logits.classes[0].softmax(1).numpy(), logits.fit[0].sigmoid().numpy()
        return BoxAnswers(probability, fit)

    @torch.inference_mode()
    def objects(self, threshold: float = 0.1) -> Detections:
        """Objects that the verifier finds without being asked, by frame and falling score; ``group`` is into ``KINDS``.

        score: geometric mean of the heat at the place and of the probability that the box there holds something.
        """
        maps = self.verifier.box_maps(self.features)
        found = [peaks(heat, sides, self.size_px, self.scale) for heat, sides in zip(*maps, strict=True)]
        every = as_detections(found)
        nothing = self.verify(every.frame_index, every.box_px).classes[:, NONE]
        score = np.sqrt(every.score * (1 - nothing)).astype(np.float32)
        order = np.lexsort((-score, every.frame_index))
        order = order[score[order] >= threshold]
        return Detections(every.frame_index[order], every.group[order], every.box_px[order], score[order])


def peaks(heat: Tensor, sides_px: Tensor, size_px: tuple[int, int], scale: float) -> FoundBoxes:
    """Local maxima of the heat of one frame, with their boxes in pixels of the clip; of boxes that overlap the hottest.

    heat: logits ``(3, h, w)``. sides_px: ``(4, h, w)``. The group of each box is its number in ``KINDS``.
    """
    value = heat.sigmoid()
    top = torch.where(F.max_pool2d(value[None], 3, 1, 1)[0] == value, value, 0.0)
    rows, columns = heat.shape[1:]
    hottest, place = top.flatten().topk(min(PEAKS, top.numel()))
    cell = place % (rows * columns)
    centre, side = cell_centres(rows, columns).flatten(1)[:, cell], sides_px.flatten(1)[:, cell]
    corners = torch.stack([centre[0] - side[0], centre[1] - side[1], centre[0] + side[2], centre[1] + side[3]], -1)
    limit = np.array([*size_px, *size_px], np.float32)
    box, score = np.clip(corners.numpy() / scale, 0, limit), hottest.numpy()
    kind = (place // (rows * columns)).numpy()
    covered = np.triu(box_iou(box, box) > 0.6, 1).any(0)  # by a hotter one
    keep = ~covered & (score > 0.01) & ((box[:, 2:] - box[:, :2]).min(1) > 0.5)
    return FoundBoxes(kind[keep], box[keep], score[keep])


def to_pairs(frames: np.ndarray, previous: np.ndarray) -> Tensor:
    """uint8 frames and their previous frames ``(B, H, W, 3)`` to network input ``(B, 6, H', W')``, padded to 16
    pixels."""
    now = to_pictures(frames)
    return torch.cat([now, to_pictures(previous) - now], 1)


def verify(verifier: Verifier, clip: Clip, frame_index: np.ndarray, box_px: np.ndarray) -> BoxAnswers:
    """What is in each box of a clip that is asked about only once; see :meth:`VerifiedClip.verify`."""
    return verifier.read(clip).verify(frame_index, box_px)


def from_detector(detector: Detector, config: VerifierConfig | None = None) -> Verifier:
    """A verifier with a detector's pyramid and heat map, whose weights for the previous frame are 0."""
    verifier = Verifier(config)
    own, tensors = verifier.state_dict(), detector.state_dict()
    for name, tensor in tensors.items():
        if name == "stem.conv.weight":
            own[name] = torch.cat([tensor, torch.zeros_like(tensor)], 1)
        elif name in own and own[name].shape == tensor.shape:
            own[name] = tensor
    verifier.load_state_dict(own)
    return verifier


def verifier_folder(folder: str | Path | None = None) -> Path:
    """The folder of a verifier; None: the one that ships."""
    return Path(folder) if folder is not None else assets_dir() / "instruments" / "verifier"


def save_verifier(verifier: Verifier, folder: str | Path) -> str:
    """Write config and float16 weights as an instrument; returns the hash of the weights."""
    return save_weights(folder, {"classes": list(LAYOUT_CLASSES), **asdict(verifier.config)}, verifier.state_dict())


def load_verifier(folder: str | Path | None = None) -> Verifier:
    """A verifier ready to judge. Raises: InputError for a missing folder, another version or weights that do not
    fit."""
    instrument = stored_instrument(verifier_folder(folder))
    verifier = build_network(instrument, Verifier, VerifierConfig, required={"classes": list(LAYOUT_CLASSES)})
    return channels_last(verifier)

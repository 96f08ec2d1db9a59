"""A network that looks at a clip and answers for any box what is in it and how well the box fits: behind label checks.

A detector must find objects by itself; this one is asked about boxes that someone claims, and so it judges small objects and
all nine classes. It also names places where it sees something that nobody asked about. It looks at pixels alone and knows
nothing of the scene they were made for.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.files.shipped import assets_dir
from worldgen.instruments.detector.detector import (
    STRIDE_PX,
    ConvNorm,
    Detections,
    Detector,
    DetectorConfig,
    Residual,
    box_iou,
    cell_centres,
    to_pictures,
)  # fmt: skip
from worldgen.instruments.instrument_files import build_network, save_weights, stored_instrument

NONE = len(CLASSES)
"""Number of the answer "nothing that has a class"."""
KINDS = ("vehicle", "person", "thing")
"""What the heat map tells apart; people on wheels are persons, lights and cones are things."""
KIND_OF_CLASS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
WIDTH_PX = 224
"""Pictures are brought to this width, the one it has learnt at."""
CELLS = 7
REACH = 1.7
"""Side of what is looked at, over the side of the box: what stands beside an object tells much about the fit."""
LEAST_PX = 5.0
"""Smaller boxes are looked at as if they were this large, or the points would all lie in one cell."""
SHAPES = 6
PEAKS = 40
"""Places per frame that are looked at for objects."""
BATCH = 5


@dataclass(frozen=True)
class VerifierConfig:
    """Sizes: channels at strides 2, 4, 8, 16; blocks at 4, 8, 16; channels of the map; of a point of a box, of a box."""

    widths: tuple[int, ...] = (16, 32, 64, 96)
    depths: tuple[int, ...] = (1, 1, 1)
    neck: int = 48
    point: int = 32
    hidden: int = 128

    def __post_init__(self) -> None:
        DetectorConfig(self.widths, self.depths, self.neck)
        if min(self.point, self.hidden) < 4:
            raise InputError("verifier sizes", (self.point, self.hidden), "4 or more")


class Verifier(nn.Module):
    """A feature map of the whole picture, read at 7 x 7 points in and around each box.

    The map is that of the detector with a second picture beside the first: how the one before differs, because what
    is too dark or too faint to be seen may still be seen to move. Weights of a detector can be taken over.

    Source: Girshick, "Fast R-CNN" (ICCV 2015) for boxes read from one shared map.
    """

    def __init__(self, config: VerifierConfig | None = None):
        super().__init__()
        self.config = config = config or VerifierConfig()
        w2, w4, w8, w16 = config.widths
        self.stem = ConvNorm(6, w2, stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(ConvNorm(inputs, width, stride=2), *(Residual(width) for _ in range(depth)))
            for inputs, width, depth in zip((w2, w4, w8), (w4, w8, w16), config.depths, strict=True)
        )
        self.laterals = nn.ModuleList(nn.Conv2d(width, config.neck, 1) for width in (w4, w8, w16))
        self.fuse = nn.ModuleList(ConvNorm(config.neck, config.neck) for _ in range(2))
        self.head = ConvNorm(config.neck, config.neck)
        self.heat = nn.Conv2d(config.neck, len(KINDS), 1)
        self.sides = nn.Conv2d(config.neck, 4, 1)
        self.point = nn.Conv1d(config.neck + w2, config.point, 1)
        self.box = nn.Linear(config.point * CELLS**2 + SHAPES, config.hidden)
        self.answer = nn.Linear(config.hidden, NONE + 2)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures ``(B, 6, H, W)`` (RGB in [-1, 1], then the picture before less this one) to features at half
        ``(B, 16, H/2, W/2)`` and a quarter of the size ``(B, 48, H/4, W/4)``."""
        half = self.stem(pictures)
        x, levels = half, []
        for stage, lateral in zip(self.stages, self.laterals, strict=True):
            x = stage(x)
            levels.append(lateral(x))
        fine, middle, coarse = levels
        middle = self.fuse[1](middle + F.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        fine = self.fuse[0](fine + F.interpolate(middle, scale_factor=2.0, mode="nearest"))
        return half, self.head(fine)

    def places(self, features: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Heat logits ``(B, 3, h, w)`` by kind, and pixels to the sides of the box there ``(B, 4, h, w)``."""
        sides_px = STRIDE_PX * torch.exp(self.sides(features[1]).float().clamp(-4.0, 4.5))
        return self.heat(features[1]).float(), sides_px

    def boxes(self, features: tuple[Tensor, Tensor], box_px: Tensor) -> tuple[Tensor, Tensor]:
        """Class logits ``(B, K, 10)``, the last for nothing, and fit logits ``(B, K)`` of boxes ``(B, K, 4)`` in pixels
        of the pictures."""
        count, number = box_px.shape[:2]
        size = torch.tensor([features[0].shape[3] * 2.0, features[0].shape[2] * 2.0])  # of the picture, (W, H)
        centre, side = (box_px[..., :2] + box_px[..., 2:]) / 2, (box_px[..., 2:] - box_px[..., :2]).clamp(min=0.5)
        steps = ((torch.arange(CELLS) + 0.5) / CELLS - 0.5) * REACH
        offset = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).reshape(1, 1, -1, 2)
        points = centre[:, :, None] + offset * side.clamp(min=LEAST_PX)[:, :, None]  # (B, K, 49, 2)
        grid = points / size * 2 - 1
        seen = [F.grid_sample(m, grid, mode="bilinear", padding_mode="border", align_corners=False) for m in features]
        x = torch.cat(seen, 1)  # (B, C, K, 49)
        x = F.relu(self.point(x.permute(0, 2, 1, 3).reshape(count * number, -1, CELLS**2)))
        ratio = side.log()
        shape = torch.cat(
            [centre / size * 2 - 1, ratio - 3, box_px[..., 3:] / size[1], ratio[..., :1] - ratio[..., 1:]], -1
        )
        x = F.relu(self.box(torch.cat([x.flatten(1), shape.reshape(count * number, SHAPES)], 1)))
        answer = self.answer(x).float().reshape(count, number, -1)
        return answer[..., :-1], answer[..., -1]

    @torch.inference_mode()
    def see(self, clip: Clip) -> VerifiedClip:
        """Look at a clip once; boxes can then be asked about."""
        frames = clip.frames
        scale = WIDTH_PX / clip.width_px
        if scale != 1:
            size = (WIDTH_PX, max(16, round(clip.height_px * scale)))
            frames = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])
        before = np.maximum(np.arange(len(frames)) - 1, 0)
        before[0] = min(1, len(frames) - 1)
        pairs = to_pairs(frames, frames[before])
        parts = [self(x.contiguous(memory_format=torch.channels_last)) for x in pairs.split(BATCH)]
        half, fine = (torch.cat(maps) for maps in zip(*parts, strict=True))
        return VerifiedClip(self, (half, fine), scale, (clip.width_px, clip.height_px))


@dataclass(frozen=True, eq=False)
class VerifiedClip:
    """A clip as the verifier has seen it. scale: from pixels of the clip to its own."""

    verifier: Verifier
    features: tuple[Tensor, Tensor]
    scale: float
    size_px: tuple[int, int]

    @torch.inference_mode()
    def verify(self, frame_index: np.ndarray, box_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is in each box: probabilities ``(N, 10)`` float32, and fit ``(N,)`` float32 in [0, 1].

        frame_index: ``(N,)``. box_px: ``(N, 4)`` in pixels of the clip. The fit is the intersection over union of the
        box with the object it is meant for.
        """
        probability, fit = np.zeros((len(frame_index), NONE + 1), np.float32), np.zeros(len(frame_index), np.float32)
        boxes = torch.from_numpy(np.asarray(box_px, np.float32) * np.float32(self.scale))
        for frame in np.unique(frame_index):
            rows = np.flatnonzero(frame_index == frame)
            here = tuple(m[frame : frame + 1] for m in self.features)
            logits, fits = self.verifier.boxes(here, boxes[rows][None])
            probability[rows], fit[rows] = logits[0].softmax(1).numpy(), fits[0].sigmoid().numpy()
        return probability, fit

    @torch.inference_mode()
    def objects(self, threshold: float = 0.1) -> Detections:
        """Objects it sees by itself, by frame and falling score; ``group`` is the number of the kind.

        score: geometric mean of the heat at the place and of the belief that the box there holds something.
        """
        heat, sides = self.verifier.places(self.features)
        found = [peaks(heat[i], sides[i], self.size_px, self.scale) for i in range(len(heat))]
        frame = np.concatenate([np.full(len(f[2]), i) for i, f in enumerate(found)]).astype(np.int64)
        kind, box, score = (np.concatenate(column) for column in zip(*found, strict=True))
        belief, _ = self.verify(frame, box)
        score = np.sqrt(score * (1 - belief[:, NONE])).astype(np.float32)
        order = np.lexsort((-score, frame))
        order = order[score[order] >= threshold]
        return Detections(frame[order], kind[order], box[order].astype(np.float32), score[order])


def peaks(heat: Tensor, sides: Tensor, size_px: tuple[int, int], scale: float) -> tuple[np.ndarray, ...]:
    """Kind ``(n,)``, box ``(n, 4)`` in pixels of the clip and heat ``(n,)`` of the hottest places of one frame that are no
    others' neighbours. heat ``(3, h, w)`` logits, sides ``(4, h, w)``."""
    value = heat.sigmoid()
    top = torch.where(F.max_pool2d(value[None], 3, 1, 1)[0] == value, value, 0.0)
    rows, columns = heat.shape[1:]
    score, place = top.flatten().topk(min(PEAKS, top.numel()))
    kind, cell = place // (rows * columns), place % (rows * columns)
    centre, side = cell_centres(rows, columns).flatten(1)[:, cell], sides.flatten(1)[:, cell]
    box = torch.stack([centre[0] - side[0], centre[1] - side[1], centre[0] + side[2], centre[1] + side[3]], -1)
    limit = np.array([*size_px, *size_px], np.float32)
    box, score, kind = np.clip(box.numpy() / scale, 0, limit), score.numpy(), kind.numpy()
    covered = np.triu(box_iou(box, box) > 0.6, 1).any(0)  # by a hotter one
    keep = ~covered & (score > 0.01) & ((box[:, 2:] - box[:, :2]).min(1) > 0.5)
    return kind[keep], box[keep], score[keep]


def to_pairs(frames: np.ndarray, before: np.ndarray) -> Tensor:
    """uint8 frames ``(B, H, W, 3)`` and those before them to network input ``(B, 6, H', W')``, padded to 16 pixels."""
    now = to_pictures(frames)
    return torch.cat([now, to_pictures(before) - now], 1)


def verify(
    verifier: Verifier, clip: Clip, frame_index: np.ndarray, box_px: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """What is in each box of a clip that is looked at only once; see :meth:`VerifiedClip.verify`."""
    return verifier.see(clip).verify(frame_index, box_px)


def from_detector(detector: Detector, config: VerifierConfig | None = None) -> Verifier:
    """A verifier that begins with a detector's map and heat, and takes no notice yet of the picture before."""
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
    return save_weights(folder, {"classes": list(CLASSES), **asdict(verifier.config)}, verifier.state_dict())


def load_verifier(folder: str | Path | None = None) -> Verifier:
    """A verifier ready to judge. Raises: InputError for a missing folder, another version or weights that do not fit."""
    instrument = stored_instrument(verifier_folder(folder))
    verifier = build_network(instrument, Verifier, VerifierConfig, says={"classes": list(CLASSES)})
    return verifier.to(memory_format=torch.channels_last)

"""A small one-stage detector of road users: the instrument that reads boxes back from pixels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.files.shipped import assets_dir
from worldgen.instruments.instrument_files import build_network, save_weights, stored_instrument

GROUPS = ("vehicle", "pedestrian", "cyclist")
GROUP_OF_NAME = {
    "car": 0, "truck": 0, "bus": 0, "motorcycle": 0, "bicycle": 2, "cyclist": 2, "pedestrian": 1,
}  # fmt: skip
GROUP_OF_CLASS = np.array([GROUP_OF_NAME.get(name, -1) for name in CLASSES])
"""``(9,)`` int64: class of ``CLASSES`` -> number in ``GROUPS``, -1 for traffic lights and cones."""

STRIDE_PX = 4
ALIGN_PX = 16
"""Pictures are padded to a multiple of the coarsest stride."""
MAX_OBJECTS = 100
MAX_CELLS = 300
"""Cells of a picture that may propose an object, the most sure ones; many propose the same."""


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
class DetectorConfig:
    """Sizes: channels at strides 2, 4, 8, 16; residual blocks at strides 4, 8, 16; channels of neck and head."""

    widths: tuple[int, ...] = (16, 32, 64, 96)
    depths: tuple[int, ...] = (1, 1, 1)
    neck: int = 48

    def __post_init__(self) -> None:
        if len(self.widths) != 4 or len(self.depths) != 3 or min(*self.widths, self.neck) < 4 or min(self.depths) < 1:
            raise InputError("detector sizes", (self.widths, self.depths, self.neck), "four widths, three depths")


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm and, unless it ends a residual branch, ReLU."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, active: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        return F.relu(x) if self.active else x


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.first = ConvNorm(width, width)
        self.second = ConvNorm(width, width, active=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


class Detector(nn.Module):
    """Convolutions with a feature pyramid to stride 4; each cell says what is centred there and how far its sides are.

    Source: Liu et al., "Training-Time-Friendly Network for Real-Time Object Detection" (TTFNet, AAAI 2020) for the
    heat map with dense box regression; Zhou et al., "Objects as Points" (2019) for peaks as detections.
    """

    def __init__(self, config: DetectorConfig | None = None):
        super().__init__()
        self.config = config = config or DetectorConfig()
        w2, w4, w8, w16 = config.widths
        self.stem = ConvNorm(3, w2, stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(ConvNorm(inputs, width, stride=2), *(Residual(width) for _ in range(depth)))
            for inputs, width, depth in zip((w2, w4, w8), (w4, w8, w16), config.depths, strict=True)
        )
        self.laterals = nn.ModuleList(nn.Conv2d(width, config.neck, 1) for width in (w4, w8, w16))
        self.fuse = nn.ModuleList(ConvNorm(config.neck, config.neck) for _ in range(2))  # at strides 4, 8
        self.head = ConvNorm(config.neck, config.neck)
        self.heat = nn.Conv2d(config.neck, len(GROUPS), 1)
        self.sides = nn.Conv2d(config.neck, 4, 1)
        nn.init.constant_(self.heat.bias, -4.0)  # a cell is empty unless shown otherwise: prior 0.018
        nn.init.zeros_(self.sides.weight)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Heat logits ``(B, 3, h, w)`` and distances in pixels from each cell's centre to the box's left, top, right
        and bottom ``(B, 4, h, w)``, with h = H / 4, w = W / 4.

        pictures: ``(B, 3, H, W)`` RGB in [-1, 1], H and W multiples of 16.
        """
        x = self.stem(pictures)  # (B, w2, H/2, W/2)
        levels = []
        for stage, lateral in zip(self.stages, self.laterals, strict=True):
            x = stage(x)
            levels.append(lateral(x))  # (B, neck, H/4, W/4), then /8, /16
        fine, middle, coarse = levels
        middle = self.fuse[1](middle + F.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        fine = self.fuse[0](fine + F.interpolate(middle, scale_factor=2.0, mode="nearest"))
        features = self.head(fine)
        sides_px = STRIDE_PX * torch.exp(self.sides(features).float().clamp(-4.0, 4.5))
        return self.heat(features).float(), sides_px

    def folded(self) -> Detector:
        """This detector with its norms merged into the convolutions, for reading only; same results, faster."""
        self.eval()
        for module in self.modules():
            if isinstance(module, ConvNorm) and isinstance(module.norm, nn.BatchNorm2d):
                module.conv, module.norm = fuse_conv_bn_eval(module.conv, module.norm), nn.Identity()
        return self


def cell_centres(height: int, width: int, *, device: torch.device | None = None) -> Tensor:
    """Pixel positions x, y of the centres of cells, ``(2, h, w)`` float32."""
    ys = (torch.arange(height, device=device) + 0.5) * STRIDE_PX
    xs = (torch.arange(width, device=device) + 0.5) * STRIDE_PX
    return torch.stack(torch.meshgrid(xs, ys, indexing="xy"))


def to_pictures(frames: np.ndarray) -> Tensor:
    """uint8 frames ``(B, H, W, 3)`` to network input ``(B, 3, H', W')`` in [-1, 1], padded with grey to 16 pixels."""
    x = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    return F.pad(x, (0, -x.shape[3] % ALIGN_PX, 0, -x.shape[2] % ALIGN_PX))


@torch.inference_mode()
def find(detector: Detector, frames: np.ndarray, *, threshold: float = 0.05) -> list[tuple[np.ndarray, ...]]:
    """Group ``(n,)``, box ``(n, 4)`` and score ``(n,)`` of the objects in each of the frames ``(B, H, W, 3)`` uint8."""
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
        g, x, s = g[keep], x[keep], s[keep]
        found.append(_merged(g, x, s))
    return found


def _merged(
    group: np.ndarray, box: np.ndarray, score: np.ndarray, *, overlap: float = 0.6
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One row for each object from those of all its cells (``(n,)``, ``(n, 4)``, ``(n,)``, by falling score).

    Rows of one group that overlap a better one are the same object; their boxes are averaged by score, since each cell
    errs a little otherwise. Cells are not thinned out to peaks before: of two people who stand closer than two cells one
    would be lost.
    """
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
    return group[best], mean.astype(box.dtype), score[best]


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
    """All objects that ``detector`` sees in a clip with at least this score; frames are judged one by one."""
    rows: list[tuple[np.ndarray, ...]] = []
    for start in range(0, len(clip), batch):
        found = find(detector, clip.frames[start : start + batch], threshold=threshold)
        rows += [(np.full(len(s), start + k), g, x, s) for k, (g, x, s) in enumerate(found)]
    frame, group, box, score = (np.concatenate(column) for column in zip(*rows, strict=True))
    return Detections(frame.astype(np.int64), group.astype(np.int64), box.astype(np.float32), score.astype(np.float32))


def save_detector(detector: Detector, folder: str | Path) -> str:
    """Write config and float16 weights as an instrument; returns the hash of the weights. Not for folded detectors."""
    return save_weights(folder, {"groups": list(GROUPS), **asdict(detector.config)}, detector.state_dict())


def load_detector(folder: str | Path | None = None) -> Detector:
    """A detector ready to read pictures, from an instrument's folder; None: the one that ships.

    Raises: InputError for a missing folder, another version or weights that do not fit.
    """
    instrument = stored_instrument(folder if folder is not None else assets_dir() / "instruments" / "detector")
    detector = build_network(instrument, Detector, DetectorConfig, says={"groups": list(GROUPS)})
    return detector.to(memory_format=torch.channels_last).folded()

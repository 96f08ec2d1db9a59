"""A small network that looks at one box and says what is in it and how well the box fits: the instrument behind label checks.

A detector must find objects; this one is only asked about boxes that someone claims, and so it judges small objects and
all nine classes. It looks at pixels alone and knows nothing of the scene they were made for.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgen.core.assets import assets_dir
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES
from worldgen.models.weights import account, read_tensors, weights_hash

NONE = len(CLASSES)
"""Number of the answer "nothing that has a class"."""
CROP_PX = 32
CONTEXT = 2.0
"""Side of the square looked at, over the longer side of the box: what stands beside an object tells much about the fit."""
LEAST_SIDE_PX = 12.0
VERIFIER_VERSION = 1
CONFIG_NAME, WEIGHTS_NAME = "config.json", "model.safetensors"


@dataclass(frozen=True)
class VerifierConfig:
    """Channels at 1/2, 1/4 and 1/8 of the crop, and of the layer before the answers."""

    widths: tuple[int, ...] = (16, 32, 64)
    hidden: int = 96

    def __post_init__(self) -> None:
        if len(self.widths) != 3 or min(*self.widths, self.hidden) < 4:
            raise InputError("verifier sizes", (self.widths, self.hidden), "three widths and a hidden size from 4")


class _Block(nn.Module):
    """Halve the picture, then two 3 x 3 convolutions beside the identity."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )
        self.inner = nn.Sequential(
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        return F.relu(x + self.inner(x))


class Verifier(nn.Module):
    """Crops ``(B, 4, 32, 32)`` (RGB in [-1, 1] and the box as a mask) to class logits ``(B, 10)`` and fit logits ``(B,)``.

    The last class is "nothing"; the fit is the intersection over union of the box with the object it is meant for.
    """

    def __init__(self, config: VerifierConfig | None = None):
        super().__init__()
        self.config = config = config or VerifierConfig()
        first, second, third = config.widths
        self.stem = nn.Sequential(
            nn.Conv2d(4, first, 3, 2, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(_Block(first, second), _Block(second, third))
        self.hidden = nn.Sequential(nn.Linear(third * 16, config.hidden), nn.ReLU(inplace=True))
        self.classes = nn.Linear(config.hidden, NONE + 1)
        self.fit = nn.Linear(config.hidden, 1)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        x = self.blocks(self.stem(crops))  # (B, third, 4, 4)
        x = self.hidden(x.flatten(1))
        return self.classes(x).float(), self.fit(x).float()[:, 0]


def crop(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The square around a box with the box as a fourth channel, ``(32, 32, 4)`` uint8.

    frame: ``(H, W, 3)`` uint8 RGB. box: x0 y0 x1 y1 in pixels; may reach over the edge, where the border is repeated.
    """
    x0, y0, x1, y1 = (float(v) for v in box)
    side = max(CONTEXT * max(x1 - x0, y1 - y0), LEAST_SIDE_PX)
    left, top = (x0 + x1 - side) / 2, (y0 + y1 - side) / 2
    scale = CROP_PX / side
    # Enlarging reads between pixels; shrinking first averages, or fine things would flicker in and out.
    source, shrink = frame, 1.0
    while side * shrink > 2 * CROP_PX:
        source = cv2.resize(
            source, (max(1, source.shape[1] // 2), max(1, source.shape[0] // 2)), interpolation=cv2.INTER_AREA
        )
        shrink /= 2
    matrix = np.array(
        [
            [scale / shrink, 0, -left * scale - 0.5 + 0.5 * scale / shrink],
            [0, scale / shrink, -top * scale - 0.5 + 0.5 * scale / shrink],
        ]
    )
    out = np.empty((CROP_PX, CROP_PX, 4), np.uint8)
    out[..., :3] = cv2.warpAffine(
        source, matrix, (CROP_PX, CROP_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    inside = (np.arange(CROP_PX) + 0.5) / scale
    across = (inside + left >= x0) & (inside + left <= x1)
    down = (inside + top >= y0) & (inside + top <= y1)
    out[..., 3] = 255 * (down[:, None] & across[None])
    return out


def to_input(crops: np.ndarray) -> Tensor:
    """uint8 crops ``(B, 32, 32, 4)`` to network input ``(B, 4, 32, 32)`` in [-1, 1]."""
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1.0


@torch.inference_mode()
def verify(
    verifier: Verifier, clip: Clip, frame_index: np.ndarray, box_px: np.ndarray, *, batch: int = 256
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """What is in each box of a clip: probabilities ``(N, 10)`` float32, and fit ``(N,)`` float32 in [0, 1].

    frame_index: ``(N,)``. box_px: ``(N, 4)`` in pixels of the clip.
    """
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for start in range(0, len(frame_index), batch):
        rows = range(start, min(start + batch, len(frame_index)))
        crops = np.stack([crop(clip.frames[frame_index[i]], box_px[i]) for i in rows])
        logits, fit = verifier(
            to_input(crops).to(next(verifier.parameters()).device, memory_format=torch.channels_last)
        )
        parts.append((logits.softmax(1).cpu().numpy(), fit.sigmoid().cpu().numpy()))
    if not parts:
        return np.zeros((0, NONE + 1), np.float32), np.zeros(0, np.float32)
    return np.concatenate([p for p, _ in parts]), np.concatenate([f for _, f in parts])


def verifier_folder(folder: str | Path | None = None) -> Path:
    """The folder of a verifier; None: the one that ships."""
    return Path(folder) if folder is not None else assets_dir() / "instruments" / "verifier"


def save_verifier(verifier: Verifier, folder: str | Path) -> None:
    """Write config.json and float16 weights into an existing folder."""
    from safetensors.torch import save_file

    halves = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in verifier.state_dict().items()
    }
    save_file(halves, Path(folder) / WEIGHTS_NAME)
    record = {"verifier_version": VERIFIER_VERSION, "classes": list(CLASSES), **asdict(verifier.config)}
    (Path(folder) / CONFIG_NAME).write_text(json.dumps(record, indent=1) + "\n")


def load_verifier(folder: str | Path | None = None) -> Verifier:
    """A verifier ready to judge. Raises: InputError for a missing folder, another version or weights that do not fit."""
    folder = verifier_folder(folder)
    if not (folder / CONFIG_NAME).is_file():
        raise InputError("verifier", str(folder), f"a folder with {CONFIG_NAME} and {WEIGHTS_NAME}")
    try:
        record = json.loads((folder / CONFIG_NAME).read_text())
    except ValueError as error:
        raise InputError(f"verifier {folder}", Received("no JSON"), CONFIG_NAME) from error
    version, classes = record.pop("verifier_version", None), record.pop("classes", None)
    if version != VERIFIER_VERSION or classes != list(CLASSES):
        raise InputError(f"verifier {folder}", (version, classes), f"version {VERIFIER_VERSION}, classes {CLASSES}")
    verifier = Verifier(VerifierConfig(tuple(record["widths"]), record["hidden"]))
    tensors = read_tensors(folder)
    account(str(folder), verifier.state_dict(), tensors)
    verifier.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in tensors.items()})
    return verifier.to(memory_format=torch.channels_last).eval()


def verifier_hash(folder: str | Path | None = None) -> str:
    """What names the verifier's weights."""
    return weights_hash(read_tensors(verifier_folder(folder)))

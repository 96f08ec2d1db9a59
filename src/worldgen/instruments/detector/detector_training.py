"""Training of the detector: targets, loss, and a resumable loop whose every step depends on (seed, step) alone."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from worldgen.core.errors import InputError
from worldgen.core.seeds import numpy_rng, stable_hash
from worldgen.files.storage import atomic_file
from worldgen.instruments.augmentation import AugmentConfig, augmented
from worldgen.instruments.detector.detector import GROUPS, Detector, DetectorConfig
from worldgen.instruments.detector.pictures import Pictures
from worldgen.instruments.feature_pyramid import (
    STRIDE_PX,
    BoxMaps,
    ResidualConv,
    cell_centres,
    channels_last,
    to_pictures,
)
from worldgen.models.weights import read_tensors

CORE = 0.54
"""Share of a box that the Gaussian of its centre covers. Source: TTFNet, section 4.1."""


@dataclass(frozen=True)
class DetectorTraining:
    """Settings of the training: AdamW, linear warm-up then cosine to zero, exponential moving average of weights.

    hold: share of the steps after the warm-up that keep the full learning rate before it falls, in [0, 1). Until it
    falls, ``steps`` can be changed without changing the steps already done. spread: least sigma of the Gaussians of the
    heat map, in cells (see :func:`targets_of`). crops: share of the steps that see square crops around objects in place
    of whole pictures; they cost less, and less of them is empty.
    """

    steps: int = 3000
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    warmup: int = 100
    ema: float = 0.998
    hold: float = 0.0
    spread: float = 0.0
    crops: float = 0.0
    seed: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: DetectorConfig = field(default_factory=DetectorConfig)

    def __post_init__(self) -> None:
        if min(self.steps, self.batch) < 1 or self.learning_rate <= 0 or not 0 <= self.ema < 1:
            raise InputError("detector training", (self.steps, self.batch, self.learning_rate, self.ema), "positive")
        if not (0 <= self.hold < 1 and self.spread >= 0 and 0 <= self.crops <= 1):
            raise InputError(
                "hold, spread, crops of detector training",
                (self.hold, self.spread, self.crops),
                "[0, 1), 0 or more, [0, 1]",
            )


@dataclass(frozen=True, eq=False)
class Targets:
    """Training targets of a batch.

    heat: ``(B, 3, h, w)`` in [0, 1]. counted: ``(B, 3, h, w)``, 1 where a cell counts as negative, 0 where it is
    ignored. cell, box, weight: of each cell with a box its place ``(n,)`` in the flattened ``(B, h, w)``, the box ``(n,
    4)`` in pixels and the weight ``(n,)``.
    """

    heat: Tensor
    counted: Tensor
    cell: Tensor
    box: Tensor
    weight: Tensor
    num_objects: int


def targets_of(
    boxes: list[np.ndarray], groups: list[np.ndarray], ignore: list[np.ndarray], shape: tuple, *, spread: float = 0.0
) -> Targets:
    """Targets of a batch. boxes: in pixels of the picture. shape: (B, h, w) of the cells.

    spread: 0, or the least sigma of a Gaussian in cells; Gaussians are then centred at the true centre and reach at
    least the neighbouring cells. With 0 a box narrower than 15 px marks a single column of cells: a network that puts
    the centre one pixel over a cell's edge is then penalised like a distant false alarm, and its scores of narrow
    objects (people) stay low.
    """
    count, rows, columns = shape
    heat = np.zeros((count, len(GROUPS), rows, columns), np.float32)
    counted = np.ones_like(heat)
    weight = np.zeros((count, rows, columns), np.float32)
    target = np.zeros((count, rows, columns, 4), np.float32)
    objects = 0
    for b in range(count):
        area = np.prod(boxes[b][:, 2:] - boxes[b][:, :2], axis=1)
        for k in np.argsort(-area, kind="stable"):  # small objects last: they take cells from large ones
            box, group = boxes[b][k], groups[b][k]
            if ignore[b][k]:
                low = np.floor(box[:2] / STRIDE_PX).astype(int).clip(0)
                high = np.ceil(box[2:] / STRIDE_PX).astype(int)
                counted[b, group, low[1] : high[1], low[0] : high[0]] = 0
                continue
            objects += 1
            window, bump = _gaussian(box, rows, columns, spread)
            np.maximum(heat[b, group][window], bump, out=heat[b, group][window])
            claim = bump > 0.1
            target[b][window][claim] = box
            # An object's cells share its weight, which grows as the logarithm of its area (TTFNet, equation 6).
            weight[b][window][claim] = bump[claim] * (math.log2(max(area[k], 4.0)) / bump[claim].sum())
    cell = np.flatnonzero(weight > 0)
    return Targets(
        torch.from_numpy(heat), torch.from_numpy(counted), torch.from_numpy(cell),
        torch.from_numpy(target.reshape(-1, 4)[cell]), torch.from_numpy(weight.reshape(-1)[cell]), objects,
    )  # fmt: skip


def _gaussian(box: np.ndarray, rows: int, columns: int, spread: float) -> tuple[tuple[slice, slice], np.ndarray]:
    """The window of cells that the Gaussian of a box covers, and its values there: 1 in the cell of the centre."""
    centre = (box[:2] + box[2:]) / 2 / STRIDE_PX
    x, y = min(int(centre[0]), columns - 1), min(int(centre[1]), rows - 1)
    half = np.maximum((box[2:] - box[:2]) / 2 * CORE / STRIDE_PX, 0.0)
    rx, ry = (max(int(reach), int(spread > 0)) for reach in half)
    sigma = np.maximum((2 * half + 1) / 6, spread)
    middle = centre - 0.5 if spread else (x, y)
    xs = np.arange(max(x - rx, 0), min(x + rx + 1, columns))
    ys = np.arange(max(y - ry, 0), min(y + ry + 1, rows))
    across, down = (xs - middle[0]) ** 2 / (2 * sigma[0] ** 2), (ys - middle[1]) ** 2 / (2 * sigma[1] ** 2)
    bump = np.exp(down.min() + across.min() - across[None] - down[:, None]).astype(np.float32)
    bump[y - ys[0], x - xs[0]] = 1.0
    return (slice(ys[0], ys[-1] + 1), slice(xs[0], xs[-1] + 1)), bump


def detection_loss(maps: BoxMaps, targets: Targets) -> tuple[Tensor, Tensor]:
    """Penalty-reduced focal loss of the heat map and weighted GIoU loss of the boxes, each a scalar.

    Source: "Objects as Points", equation 1 (alpha 2, beta 4); TTFNet, equation 5.
    """
    sides_px = maps.sides_px
    p = maps.heat.sigmoid().clamp(1e-5, 1 - 1e-5)
    full = targets.heat >= 1.0
    found = -((1 - p) ** 2) * p.log() * full
    missed = -(p**2) * (1 - p).log() * (1 - targets.heat) ** 4 * targets.counted * ~full
    heat_loss = (found.sum() + missed.sum()) / max(targets.num_objects, 1)
    if not len(targets.cell):
        return heat_loss, sides_px.sum() * 0.0
    rows, columns = sides_px.shape[2:]
    place = targets.cell % (rows * columns)
    centre = cell_centres(rows, columns, device=sides_px.device).flatten(1)[:, place].T  # (n, 2)
    side = sides_px.permute(0, 2, 3, 1).reshape(-1, 4)[targets.cell]  # (n, 4)
    box = torch.cat([centre - side[:, :2], centre + side[:, 2:]], 1)
    giou = generalised_iou(box, targets.box)
    return heat_loss, ((1 - giou) * targets.weight).sum() / targets.weight.sum()


def generalised_iou(first: Tensor, second: Tensor) -> Tensor:
    """GIoU of paired boxes ``(n, 4)``, in (-1, 1]. Source: Rezatofighi et al., CVPR 2019, algorithm 1."""
    shared = (torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])).clamp(min=0)
    hull = torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])
    inside = shared.prod(1)
    union = (first[:, 2:] - first[:, :2]).prod(1) + (second[:, 2:] - second[:, :2]).prod(1) - inside
    area = hull.prod(1)
    return inside / union.clamp(min=1e-6) - (area - union) / area.clamp(min=1e-6)


def batch_of(pictures: Pictures, config: DetectorTraining, step: int, shares: np.ndarray) -> tuple[Tensor, Targets]:
    """The pictures and targets of one step, drawn from (seed, step) alone. shares: probability of each picture
    ``(N,)``."""
    rng = numpy_rng("detector batch", config.seed, step)
    cropped = config.crops > 0 and rng.random() < config.crops
    starts = np.searchsorted(pictures.boxes.picture_index, np.arange(len(pictures) + 1))
    frames, boxes, groups, ignore = [], [], [], []
    for number in rng.choice(len(pictures), config.batch, p=shares):
        rows = slice(starts[number], starts[number + 1])
        group, unwanted = pictures.boxes.group[rows], pictures.boxes.ignore[rows]
        frame, box, left = augmented(pictures.frames[number], pictures.boxes.box_px[rows], config.augment, rng=rng)
        if cropped:
            frame, box, part = object_crop(frame, box, np.where(unwanted, 0.0, 1.0 + 3.0 * (group > 0)), rng=rng)
            left = left * part
        shown = (box[:, 2:] - box[:, :2]).min(1, initial=np.inf) > 0.5
        frames.append(frame)
        boxes.append(box[shown])
        groups.append(group[shown])
        ignore.append((unwanted | (left < 0.35))[shown])
    x = to_pictures(np.stack(frames)).contiguous(memory_format=torch.channels_last)
    shape = (len(frames), x.shape[2] // STRIDE_PX, x.shape[3] // STRIDE_PX)
    return x, targets_of(boxes, groups, ignore, shape, spread=config.spread)


def object_crop(
    frame: np.ndarray, box: np.ndarray, interest: np.ndarray, *, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A square crop of a wide picture, its boxes ``(n, 4)`` clipped to it, and the share of each that is left ``(n,)``.

    The crop holds the centre of a box drawn with weights ``interest`` ``(n,)``; it is anywhere where these are all 0.
    """
    width = min(frame.shape[:2])
    low, high = 0.0, frame.shape[1] - width
    if interest.sum() > 0:
        one = box[rng.choice(len(box), p=interest / interest.sum())]
        middle = np.clip((one[0] + one[2]) / 2, 0, frame.shape[1])
        low, high = max(low, middle - 0.9 * width), min(high, middle - 0.1 * width)
    start = int(np.clip(rng.uniform(low, max(low, high)), 0, frame.shape[1] - width))
    moved = box - np.array([start, 0, start, 0], np.float32)
    cut = moved.copy()
    cut[:, ::2] = moved[:, ::2].clip(0, width)
    left = (cut[:, 2] - cut[:, 0]) / np.maximum(moved[:, 2] - moved[:, 0], 1e-6)
    return frame[:, start : start + width], cut, left


def learning_rate(config: DetectorTraining, step: int) -> float:
    """Linear warm-up, the full rate for the share ``hold`` of the remaining steps, then half a cosine to zero."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    part = (step - config.warmup) / max(config.steps - config.warmup, 1)
    part = max(0.0, (part - config.hold) / (1 - config.hold))
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(part, 1.0)))


@dataclass(eq=False)
class TrainingState:
    """A detector in training: network, moving average of its weights, optimiser, and number of steps done."""

    network: Detector
    average: Detector
    optimiser: torch.optim.AdamW
    step: int = 0


def initial_state(config: DetectorTraining, start: dict[str, Tensor] | None = None) -> TrainingState:
    """Random weights from the seed, or those of ``start`` (a state dict). Norms and biases get no weight decay.

    Residual blocks that a shallower start lacks begin as the identity, so that the deeper network gives the same
    outputs.
    Raises: RuntimeError for a start of other widths.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stable_hash("detector weights", config.seed) % 2**63)
        network = channels_last(Detector(config.model))
    if start is not None:
        known = network.state_dict()
        for name, module in network.named_modules():
            own = {f"{name}.{key}" for key in module.state_dict()}
            if isinstance(module, ResidualConv) and not own & set(start):
                assert isinstance(module.second.norm, nn.BatchNorm2d)
                nn.init.zeros_(module.second.norm.weight)
                start = {**start, **{key: known[key] for key in own}}
        network.load_state_dict(start)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=config.learning_rate,
    )
    return TrainingState(network, copy.deepcopy(network).eval(), optimiser)


def train_detector(
    pictures: Pictures, config: DetectorTraining, *, shares: np.ndarray | None = None,
    start: dict[str, Tensor] | None = None, folder: str | Path | None = None,
    after_step: Callable[[int, dict[str, float]], None] | None = None,
) -> Detector:  # fmt: skip
    """Train from random weights, or from those of ``start``; returns the moving average, not folded.

    shares: probability of each picture ``(N,)``, by default equal. folder: where the state is kept every 200 steps; a
    run that was stopped continues from it to the same result. after_step: called after each step with its losses.
    """
    shares = np.full(len(pictures), 1 / len(pictures)) if shares is None else shares / shares.sum()
    state = initial_state(config, start)
    if folder is not None:
        restore(state, Path(folder))
    state.network.train()
    while state.step < config.steps:
        losses = train_step(state, *batch_of(pictures, config, state.step, shares), config=config)
        if after_step:
            after_step(state.step, losses)
        if folder is not None and (state.step % 200 == 0 or state.step == config.steps):
            keep(state, Path(folder))
    return state.average


def train_step(state: TrainingState, x: Tensor, targets: Targets, *, config: DetectorTraining) -> dict[str, float]:
    """One step of the optimiser and of the moving average. Raises: FloatingPointError for a loss that is not finite."""
    heat_loss, box_loss = detection_loss(state.network(x), targets)
    loss = heat_loss + 2.0 * box_loss
    if not torch.isfinite(loss):
        raise FloatingPointError(f"loss {loss.item()} at step {state.step}")
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 10.0)
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(config, state.step)
    state.optimiser.step()
    state.step += 1
    decay = min(config.ema, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        fresh = state.network.state_dict()
        for name, tensor in state.average.state_dict().items():
            if tensor.is_floating_point():
                tensor.lerp_(fresh[name], 1 - decay)
            else:
                tensor.copy_(fresh[name])
    return {"heat": heat_loss.item(), "box": box_loss.item()}


def keep(state: TrainingState, folder: Path) -> None:
    """Write the whole state as one safetensors file, atomically."""
    from safetensors.torch import save

    tensors = {f"network.{name}": tensor for name, tensor in state.network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in state.average.state_dict().items()}
    for number, entry in state.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": torch.as_tensor(value) for name, value in entry.items()}
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()}, {"step": json.dumps(state.step)})
    with atomic_file(str(folder / "state.safetensors")) as file:
        file.write(data)


def restore(state: TrainingState, folder: Path) -> None:
    """Load the state that the folder keeps, if it has one."""
    from safetensors import safe_open

    path = folder / "state.safetensors"
    if not path.is_file():
        return
    tensors = read_tensors(folder)
    with safe_open(str(path), "pt") as file:
        state.step = int(json.loads(file.metadata()["step"]))
    for part, module in (("network.", state.network), ("average.", state.average)):
        module.load_state_dict({n.removeprefix(part): t for n, t in tensors.items() if n.startswith(part)})
    kept: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, number, field_name = name.split(".", 2)
            kept.setdefault(int(number), {})[field_name] = tensor
    state.optimiser.load_state_dict({**state.optimiser.state_dict(), "state": kept})

"""Weather, light and presence of road users, read from pixels by a small network trained on rendered clips only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES, Labels
from worldgen.core.scenario import LIGHTS, WEATHERS, Scenario
from worldgen.instruments.detector.presence import PresenceReader
from worldgen.instruments.instrument_files import Instrument, build_network, load_instrument

WIDTH_PX, HEIGHT_PX = 224, 128
WINDOW = 3
"""Frames that the network sees together: rain and snow are recognised by their motion."""
GROUPS: dict[str, tuple[str, ...]] = {
    "vehicle": ("car", "truck", "bus", "motorcycle"), "pedestrian": ("pedestrian",), "cyclist": ("cyclist", "bicycle"),
    "traffic_light": ("traffic_light",), "traffic_cone": ("traffic_cone",),
}  # fmt: skip
"""Groups whose presence is read, and their classes."""
MIN_HEIGHT_PX, MIN_VISIBLE, MIN_AREA_PX = 12.0, 0.4, 40.0
"""A group is present when one of its objects is at least this tall, visible to this share, and its visible part this
large; it is absent when none of its objects is rendered at all. Cases between (distant specks, slivers behind cars) are
not judged."""
PRESENT, ABSENT, UNJUDGED = 1, 0, -1
ATTRIBUTES = ("weather", "light", *GROUPS)
KIND = {"kind": "attributes"}
BAR = 0.95
"""Share right on rendered test clips that the reader must reach before it judges an attribute."""


@dataclass(frozen=True, eq=False)
class AttributeTruth:
    """What a clip should show at N of its frames. weather, light: numbers in ``WEATHERS`` and ``LIGHTS``.

    present: ``(N, len(GROUPS))`` int8 of ``PRESENT``, ``ABSENT``, ``UNJUDGED``.
    """

    weather: int
    light: int
    present: np.ndarray

    @classmethod
    def of(cls, scenario: Scenario, labels: Labels, frames: list[int] | None = None) -> AttributeTruth:
        """From the scenario and the labels of its scene, at ``frames`` of the labels (all by default)."""
        shown = presence(labels)
        shown = shown if frames is None else shown[frames]
        return cls(WEATHERS.index(scenario.weather), LIGHTS.index(scenario.light), shown)


def presence(labels: Labels) -> np.ndarray:
    """``(T, len(GROUPS))`` int8: whether each group is present, absent or unjudged in each frame.

    Boxes are scaled to ``WIDTH_PX`` x ``HEIGHT_PX`` first.
    """
    scale = WIDTH_PX / labels.width_px, HEIGHT_PX / labels.height_px
    width = (labels.box_px[:, 2] - labels.box_px[:, 0]) * scale[0]
    height = (labels.box_px[:, 3] - labels.box_px[:, 1]) * scale[1]
    shown = (height > 0) & (width > 0)
    clear = (
        shown & ~labels.ignore & (height >= MIN_HEIGHT_PX) & (labels.visible_fraction >= MIN_VISIBLE)
        & (width * height * labels.visible_fraction >= MIN_AREA_PX)
    )  # fmt: skip
    out = np.full((labels.num_frames, len(GROUPS)), ABSENT, np.int8)
    for column, classes in enumerate(GROUPS.values()):
        member = np.isin(labels.class_id, [CLASSES.index(name) for name in classes])
        out[labels.frame_index[member & shown], column] = UNJUDGED
        out[labels.frame_index[member & clear], column] = PRESENT
    return out


@dataclass(frozen=True)
class AttributeConfig:
    """Sizes of the reader. widths: channels at strides 4, 8 and 16. features: channels of the last layer."""

    widths: tuple[int, ...] = (24, 48, 96)
    features: int = 96

    def __post_init__(self) -> None:
        if len(self.widths) != 3 or min(self.widths) < 1:
            raise InputError("channels of the attribute reader", self.widths, "three positive numbers")


class Block(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, width: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.silu(x + self.layers(x))


def _layer(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.SiLU()


class AttributeNetwork(nn.Module):
    """A window of frames to weather, light and presence.

    The middle frame in colour, and how the frames before and after it differ in brightness. Weather and light are read
    from the mean and the spread of the whole picture, presence from wherever it is most likely.
    """

    def __init__(self, config: AttributeConfig):
        super().__init__()
        self.config = config
        first, second, third = config.widths
        self.fine = nn.Sequential(
            *_layer(3 + WINDOW - 1, first, kernel=7, stride=4), *_layer(first, first),
            *_layer(first, second, stride=2), Block(second),
        )  # fmt: skip
        self.coarse = nn.Sequential(*_layer(second, third, stride=2), Block(third))
        self.look = nn.Sequential(nn.Linear(2 * (second + third), config.features), nn.SiLU())
        self.whole = nn.Linear(config.features, len(WEATHERS) + len(LIGHTS))
        self.up = nn.Conv2d(third, second, 1)
        self.spots = nn.Sequential(*_layer(second, second), nn.Conv2d(second, len(GROUPS), 1))

    def features(self, x: Tensor) -> Tensor:
        """Features of the whole picture ``(N, features)`` of windows ``(N, 5, H, W)``."""
        return self._look(*self._maps(x))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of weather ``(N, W)``, light ``(N, L)`` and presence of each group ``(N, G)`` of windows ``(N, 5, H,
        W)`` in about [-1, 1]."""
        fine, coarse = self._maps(x)
        whole = self.whole(self._look(fine, coarse))
        up = nn.functional.interpolate(self.up(coarse), size=fine.shape[2:], mode="nearest")
        spots = self.spots(fine + up).flatten(2)
        # A soft maximum over cells, so that gradients reach more cells than the best one.
        present = torch.logsumexp(4 * spots, -1) / 4
        return whole[:, : len(WEATHERS)], whole[:, len(WEATHERS) :], present

    def _maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(x)
        return fine, self.coarse(fine)

    def _look(self, fine: Tensor, coarse: Tensor) -> Tensor:
        maps = (fine.flatten(2), coarse.flatten(2))
        return self.look(torch.cat([part for m in maps for part in (m.mean(-1), m.std(-1))], 1))


@dataclass(frozen=True, eq=False)
class Reading:
    """Readings of N windows: probabilities ``(N, W)`` of weather, ``(N, L)`` of light, ``(N, G)`` of
    presence."""

    weather: np.ndarray
    light: np.ndarray
    present: np.ndarray


@dataclass(frozen=True, eq=False)
class AttributeReader:
    """The network with its weights. judged: the attributes whose accuracy reaches the bar; no other may be judged.

    presence: the detector that reads presence of road users; None where the network's own reading counts.
    """

    network: AttributeNetwork
    instrument: Instrument
    judged: tuple[str, ...]
    presence: PresenceReader | None = None

    @classmethod
    def load(cls, folder: str | Path = "attributes", *, check: bool = True) -> AttributeReader:
        """The shipped reader, or one from a folder.

        Raises: InputError when it is damaged and, with ``check``, when it reads no attribute well enough to judge.
        """
        instrument = load_instrument(folder)
        measured = instrument.record.get("presence") or {}
        presence = PresenceReader.load(measured["thresholds"]) if measured else None
        if presence is not None and presence.hash != measured["detector_hash"]:
            presence = None
        lost = (
            tuple(measured["thresholds"]) if measured and presence is None else ()
        )  # their accuracy was measured with another detector
        judged = tuple(a for a in ATTRIBUTES if not check or (a not in lost and instrument.passes(a, BAR)))
        if not judged:
            instrument.require(dict.fromkeys(ATTRIBUTES, BAR))
        return cls(network_of(instrument), instrument, judged, presence)

    def read(self, clip: Clip, frames: list[int]) -> Reading:
        """Read the windows around each of ``frames``; windows at the ends of the clip are moved inside."""
        with torch.no_grad():
            out = self.network(torch.from_numpy(np.stack(list(windows(clip.frames, frames)))))
        weather, light, present = out[0].softmax(-1).numpy(), out[1].softmax(-1).numpy(), out[2].sigmoid().numpy()
        for group, values in (self.presence.read(clip, frames) if self.presence else {}).items():
            present[:, list(GROUPS).index(group)] = values
        return Reading(weather, light, present)

    def features(self, clip: Clip, frames: list[int]) -> np.ndarray:
        """Features ``(N, D)`` float32 of the same windows, for distances between sets of clips."""
        with torch.no_grad():
            return self.network.features(torch.from_numpy(np.stack(list(windows(clip.frames, frames))))).numpy()


def windows(frames: np.ndarray, middles: list[int]) -> Iterator[np.ndarray]:
    """Network inputs ``(5, HEIGHT_PX, WIDTH_PX)`` float32 of the windows around each of ``middles``.

    Raises: InputError for clips shorter than a window.
    """
    if len(frames) < WINDOW:
        raise InputError("frames to read attributes from", len(frames), f"at least {WINDOW}")
    for middle in np.clip(middles, 1, len(frames) - 2):
        yield window_input(frames[middle - 1 : middle + 2])


def window_input(frames: np.ndarray) -> np.ndarray:
    """Three frames ``(3, H, W, 3)`` uint8 as network input ``(5, HEIGHT_PX, WIDTH_PX)`` float32."""
    if frames.shape[1:3] != (HEIGHT_PX, WIDTH_PX):
        size = (WIDTH_PX, HEIGHT_PX)
        frames = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])
    colour = frames[1].astype(np.float32).transpose(2, 0, 1) / 127.5 - 1.0
    grey = frames.astype(np.float32).mean(-1) / 127.5
    return np.concatenate([colour, 2 * (grey[:1] - grey[1:2]), 2 * (grey[2:] - grey[1:2])])


def network_of(instrument: Instrument) -> AttributeNetwork:
    """The network that an instrument describes, with its weights, in evaluation mode."""
    return build_network(instrument, AttributeNetwork, AttributeConfig, required=KIND).requires_grad_(False)


def config_record(config: AttributeConfig) -> dict:
    """The content of ``config.json``."""
    return {**KIND, **asdict(config)}

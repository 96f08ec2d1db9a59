"""Cosmos 3 as a reader of motion for ``worldgen ingest``: speed and yaw rate of clips without a log.

The network reads the pose of each camera in the one before, in metres of its own: it knows no height of the camera. It
states no uncertainty. Here it reads every part several times from other noise; what the readings differ by is the part
of the deviation that one can see, and assumed shares stand for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.data.ingest.pixels.pixel_motion import PixelMotion
from worldgen.models.backbones.cosmos.av_actions import ACTION_FPS
from worldgen.models.backbones.cosmos.cosmos3 import Cosmos3

NAME = "cosmos3 inverse dynamics"
CANVAS_PX = (1280, 720)
"""Larger frames are made smaller: no canvas of the network holds them."""
LEAST_FRAMES, PART_FRAMES = 5, 241
"""Frames of the shortest part that the network reads, and of the longest that is held in memory."""
GAP_STEPS, SHORT_STEPS = 1.5, 0.75
"""A step between frames that is longer than this many periods of the network ends a part; the last step is no shorter
than that many."""
SCALE_SHARE, SPEED_FLOOR_MPS, YAW_FLOOR_RADPS = 0.2, 0.3, 0.01
"""Assumed: the deviation that all speeds share, and what remains of both at standstill. Nobody has measured them."""


@dataclass(frozen=True, eq=False)
class InverseDynamicsReader:
    """A :class:`worldgen.data.ingest.pixels.pixel_motion.PixelMotionReader` that asks a loaded model.

    model: with weights that were trained with actions. readings: how often each part is read, from other noise each
    time. steps: of the sampler. A reading costs as much as generating the same frames.

    Raises: InputError for fewer than 2 readings, which would show no spread, and fewer than 1 step.
    """

    model: Cosmos3
    readings: int = 3
    steps: int = 30

    def __post_init__(self) -> None:
        for name, value, least in (("readings", self.readings, 2), ("steps", self.steps, 1)):
            if value < least:
                raise InputError(f"{name} of inverse dynamics", value, f"at least {least}")

    def __call__(
        self, frames: Iterable[tuple[float, np.ndarray]], camera: Camera, *, camera_given: bool
    ) -> PixelMotion:
        """The motion between the frames that are nearest to ten times a second, at the middles of these steps.

        camera: its pitch counts where it was given. Raises: InputError as ``Cosmos3.read_motion``.
        """
        pitch_rad = camera.pitch_rad if camera_given else 0.0
        found = [self._part(*part, pitch_rad) for part in _parts(frames)]
        if not found:
            empty = np.zeros(0)
            why = f"no {LEAST_FRAMES} frames in a row that are at most {GAP_STEPS / ACTION_FPS:g} s apart"
            return PixelMotion(empty, empty, empty, empty, empty, math.inf, None, NAME, unknown=why)
        times_s, speed, yaw_rate, speed_sigma, yaw_sigma = (np.concatenate(rows) for rows in zip(*found, strict=True))
        note = (
            f"motion from pixels: {NAME}, {self.readings} readings; its metres are learned, and speeds are taken to "
            f"share an uncertainty of {100 * SCALE_SHARE:.0f} %"
        )
        return PixelMotion(
            times_s, speed, yaw_rate, np.sqrt(speed_sigma**2 + (SCALE_SHARE * speed) ** 2 + SPEED_FLOOR_MPS**2),
            np.hypot(yaw_sigma, YAW_FLOOR_RADPS), SCALE_SHARE, camera if camera_given else None, NAME, notes=(note,),
        )  # fmt: skip

    def _part(self, times_s: np.ndarray, frames: np.ndarray, pitch_rad: float) -> tuple[np.ndarray, ...]:
        """Times of the middles of steps, mean speed and yaw rate of the readings, and their deviations, ``(P,)``
        each. The network reads ways, so an uneven step changes the rates."""
        clip = Clip(frames, ACTION_FPS)
        stretch = 1 / (ACTION_FPS * np.diff(times_s))
        read = [
            self.model.read_motion(clip, steps=self.steps, seed=seed, pitch_rad=pitch_rad).to_array()[1:]
            for seed in range(self.readings)
        ]
        rates = np.stack(read).astype(np.float64) * stretch[:, None]  # (readings, P, 2)
        mean, sigma = rates.mean(0), rates.std(0, ddof=1)
        return (times_s[1:] + times_s[:-1]) / 2, mean[:, 0], mean[:, 1], sigma[:, 0], sigma[:, 1]


def _parts(frames: Iterable[tuple[float, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Runs of frames about a period of the network apart: times ``(F,)`` and ``(F, H, W, 3)`` uint8.

    A long run is cut; the last frame of a part begins the next.
    """
    times: list[float] = []
    held: list[np.ndarray] = []
    for time_s, frame in _ten_a_second(frames):
        if times and time_s - times[-1] > GAP_STEPS / ACTION_FPS:
            if len(times) >= LEAST_FRAMES:
                yield np.array(times), np.stack(held)
            times, held = [], []
        times.append(time_s)
        held.append(_on_the_canvas(frame))
        if len(times) == PART_FRAMES:
            yield np.array(times), np.stack(held)
            times, held = times[-1:], held[-1:]
    if len(times) >= LEAST_FRAMES:
        yield np.array(times), np.stack(held)


def _ten_a_second(frames: Iterable[tuple[float, np.ndarray]]) -> Iterator[tuple[float, np.ndarray]]:
    """The frame nearest to each tick of the network's clock, which begins with the first frame; the last frame is left
    out where it would make a short step."""
    best: tuple[float, np.ndarray] | None = None
    start_s, best_tick, best_off, last_s = 0.0, 0, math.inf, -math.inf
    for time_s, frame in frames:
        if best is None:
            start_s = time_s
        since = (time_s - start_s) * ACTION_FPS
        tick = math.ceil(since - 0.5 - 1e-6)  # half way between two ticks a frame belongs to the earlier one
        off = abs(since - tick)
        if best is not None and tick != best_tick:
            yield best
            last_s, best_off = best[0], math.inf
        if off < best_off:
            best, best_tick, best_off = (time_s, frame), tick, off
    if best is not None and best[0] - last_s > SHORT_STEPS / ACTION_FPS:
        yield best


def _on_the_canvas(frame: np.ndarray) -> np.ndarray:
    """A frame ``(H, W, 3)`` uint8 that is no larger than ``CANVAS_PX``, with even sides where it is made smaller."""
    height, width = frame.shape[:2]
    scale = min(CANVAS_PX[0] / width, CANVAS_PX[1] / height)
    if scale >= 1:
        return frame
    size = (2 * max(1, round(width * scale / 2)), 2 * max(1, round(height * scale / 2)))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))

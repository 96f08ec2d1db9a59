"""Ego motion measured from the pixels of a source, and the promise of a reader that measures it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.log_motion import LogMotion, Spans


@dataclass(frozen=True, eq=False)
class PixelMotion:
    """Speed and yaw rate of a source as its pixels show them, with standard deviations.

    times_s: ``(P,)`` increasing, on the video's clock. speed_mps, yaw_rate_radps, speed_sigma_mps,
    yaw_rate_sigma_radps: ``(P,)`` at those times, yaw positive to the left. The deviations hold for a single time; they
    contain scale_sigma, the relative one that all speeds share, since pixels do not show how high the camera is.
    camera: as the pixels or the config say it. reader: name of the reader. unknown: why nothing could be measured, ""
    otherwise; the arrays are then empty. notes: sentences for the report.
    """

    times_s: np.ndarray
    speed_mps: np.ndarray
    yaw_rate_radps: np.ndarray
    speed_sigma_mps: np.ndarray
    yaw_rate_sigma_radps: np.ndarray
    scale_sigma: float
    camera: Camera | None
    reader: str
    unknown: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rows = (
            self.speed_mps, self.yaw_rate_radps, self.speed_sigma_mps, self.yaw_rate_sigma_radps,
        )  # fmt: skip
        if any(len(row) != len(self.times_s) for row in rows) or (np.diff(self.times_s) <= 0).any():
            received = Received(f"{[len(row) for row in rows]} values at {len(self.times_s)} times")
            raise InputError("motion from pixels", received, "a value of each at every time, times that increase")
        if not self.unknown and len(self.times_s) < 2:
            raise InputError("motion from pixels", len(self.times_s), "two times or more, or a reason without any")

    def uncertain(self, max_speed_share: float, max_yaw_rate_radps: float) -> np.ndarray:
        """Where a deviation is above the limits, ``(P,)`` bool. max_speed_share: of the speed, or of 3 m/s where it is
        lower."""
        limit = max_speed_share * np.maximum(np.abs(self.speed_mps), LEAST_SPEED_MPS)
        return np.asarray((self.speed_sigma_mps > limit) | (self.yaw_rate_sigma_radps > max_yaw_rate_radps))

    def as_log(self, max_speed_share: float, max_yaw_rate_radps: float) -> LogMotion:
        """The motion as that of a log; spans that are too uncertain are gaps of it.

        Both ends are held for ``END_S``: a reader gives the motion between frames, and the first and last one lie
        outside.
        """
        name = f"pixels ({self.reader})"
        times_s = np.concatenate([self.times_s[:1] - END_S, self.times_s, self.times_s[-1:] + END_S])
        speed, yaw_rate, uncertain = (
            np.pad(row, 1, mode="edge")
            for row in (self.speed_mps, self.yaw_rate_radps, self.uncertain(max_speed_share, max_yaw_rate_radps))
        )
        valid_s = (float(times_s[0]), float(times_s[-1]))
        return LogMotion(
            times_s, speed, yaw_rate, None, name, name, _spans(times_s, uncertain), valid_s, notes=self.notes
        )

    def sigmas(self, at_s: np.ndarray) -> dict[str, list[float]]:
        """Standard deviations at times ``(T,)`` as JSON values, for the record of a sample."""
        out = {}
        for name in ("speed_sigma_mps", "yaw_rate_sigma_radps"):
            out[name] = [round(float(v), 5) for v in np.interp(at_s, self.times_s, getattr(self, name))]
        return out


END_S = 0.2
"""Time before the first and after the last measurement for which it holds."""
LEAST_SPEED_MPS = 3.0
"""Below this speed the limit of the deviation of the speed no longer falls with it."""


class PixelMotionReader(Protocol):
    """Measures the motion of a source from its frames. ``instruments/odometry`` has one; a video model that was trained
    on inverse dynamics may be another."""

    def __call__(
        self, frames: Iterable[tuple[float, np.ndarray]], camera: Camera, *, camera_given: bool
    ) -> PixelMotion:
        """The motion of one source.

        Args:
            frames: all frames as (seconds, ``(H, W, 3)`` uint8 RGB) in order, upright.
            camera: of these frames.
            camera_given: whether somebody stated the camera; if not, only its height is a guess worth keeping.
        """
        ...


def _spans(times_s: np.ndarray, inside: np.ndarray) -> Spans:
    """(start, stop) of runs of True, from the last time before each to the first after it."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int)))
    last = len(times_s) - 1
    return tuple(
        (float(times_s[max(start - 1, 0)]) - (1e-2 if start == 0 else 0.0),
         float(times_s[min(stop, last)]) + (1e-2 if stop > last else 0.0))
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
    )  # fmt: skip

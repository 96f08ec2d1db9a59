"""Ego motion of a log on the clock of its video, at any time between its rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.ego import EgoMotion, ego_from_planar_poses
from worldgen.data.ingest.logs.trajectory import arc_at, integral_at, pose_rates

Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class LogMotion:
    """The motion of the ego vehicle, on the video's clock.

    times_s: ``(M,)`` increasing. speed_mps, yaw_rate_radps: ``(M,)`` rates at those times, None if they follow from the
    poses. poses: ``(M, 3)`` x_m, y_m, yaw_rad, or None. speed_from, yaw_rate_from: origin of each, in words. row_gaps:
    (start, stop) in seconds between rows that are too far apart. impossible: (start, stop) of motion that no car can
    make. valid_s: (start, stop) outside which the motion is unknown. notes: what the columns of the log say about each
    other.
    """

    times_s: np.ndarray
    speed_mps: np.ndarray | None
    yaw_rate_radps: np.ndarray | None
    poses: np.ndarray | None
    speed_from: str
    yaw_rate_from: str
    row_gaps: Spans
    valid_s: tuple[float, float]
    impossible: Spans = ()
    notes: tuple[str, ...] = ()

    def gaps(self) -> list[tuple[float, float]]:
        """(start, stop) in seconds of spans without usable motion, in order of their start."""
        return sorted((*self.row_gaps, *self.impossible))

    def covers(self, query_s: np.ndarray) -> np.ndarray:
        """Whether the motion is known at each time ``(Q,)`` in seconds, ``(Q,)`` bool."""
        # Time stamps are rounded to micro- or milliseconds, so the ends have a tolerance of a millisecond.
        inside = (query_s >= self.valid_s[0] - 1e-3) & (query_s <= self.valid_s[1] + 1e-3)
        for start_s, stop_s in self.gaps():
            inside &= ~((query_s > start_s + 1e-3) & (query_s < stop_s - 1e-3))
        return inside

    def covers_span(self, start_s: float, stop_s: float) -> bool:
        """Whether the motion is known in the whole span from ``start_s`` to ``stop_s``."""
        ends = bool(self.covers(np.array([start_s, stop_s])).all())
        return ends and not any(a < stop_s - 1e-3 and b > start_s + 1e-3 for a, b in self.gaps())

    def ego(self, times_s: np.ndarray, fps: float, *, before_s: float) -> EgoMotion:
        """Ego motion of frames taken at ``times_s`` and shown at ``fps``.

        Row i is the motion from frame i-1 to frame i in one period of ``fps``, so integrating it gives the poses at
        which the frames were taken, even if their times are not equally spaced.

        Args:
            times_s: ``(T,)`` seconds; the motion must be known in their whole span.
            fps: rate of the clip.
            before_s: time of the frame before the first, for row 0. If the motion is unknown there, row 0 is the value
                at the first frame (rates) or that of row 1 (poses).
        """
        has_before = self.covers_span(before_s, float(times_s[0]))
        query_s = np.concatenate([[before_s], times_s]) if has_before else np.asarray(times_s)
        query_s = np.clip(query_s, self.times_s[0], self.times_s[-1])
        speed = yaw_rate = None
        if self.poses is not None:
            at = arc_at(self.times_s, self.poses, query_s)
            by_pose = ego_from_planar_poses(at, fps, first=(0.0, 0.0) if len(at) == 1 else None)
            speed, yaw_rate = by_pose.speed_mps, by_pose.yaw_rate_radps
        if self.speed_mps is not None:
            speed = self._means(self.speed_mps, query_s, fps)
        if self.yaw_rate_radps is not None:
            yaw_rate = self._means(self.yaw_rate_radps, query_s, fps)
        assert speed is not None and yaw_rate is not None, "a log gives rates or poses"
        first = 1 if has_before else 0
        return EgoMotion(speed[first:], yaw_rate[first:], fps)

    def step_rates(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean speed in m/s and yaw rate in rad/s of the steps between rows, ``(M - 1,)`` each."""
        seconds = np.diff(self.times_s)
        speed = yaw_rate = np.zeros(len(seconds))
        if self.poses is not None:
            speed, yaw_rate = pose_rates(self.times_s, self.poses)
        if self.speed_mps is not None:
            speed = (self.speed_mps[1:] + self.speed_mps[:-1]) / 2
        if self.yaw_rate_radps is not None:
            yaw_rate = (self.yaw_rate_radps[1:] + self.yaw_rate_radps[:-1]) / 2
        return speed, yaw_rate

    def _means(self, values: np.ndarray, query_s: np.ndarray, fps: float) -> np.ndarray:
        """The integral over the step before each query times ``fps``, ``(Q,)``; the first query has the value there."""
        steps = np.diff(integral_at(self.times_s, values, query_s)) * fps
        return np.concatenate([[np.interp(query_s[0], self.times_s, values)], steps])

"""A line on the ground with Frenet coordinates: length along it and lateral offset."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Curve:
    """A smooth line sampled at even steps; positions are (s, d): metres along it, metres to its left.

    s_m, heading_rad, z_m: ``(P,)`` float64, s increasing by an even step; xy_m: ``(P, 2)`` world. Beyond its ends the
    line goes on straight.
    """

    s_m: np.ndarray
    xy_m: np.ndarray
    heading_rad: np.ndarray
    z_m: np.ndarray

    @classmethod
    def from_curvature(
        cls,
        s_m: np.ndarray,
        curvature: np.ndarray,
        *,
        origin_m: tuple[float, float] = (0.0, 0.0),
        heading_rad: float = 0.0,
    ) -> Curve:
        """The line with the given curvature (1/m, left positive), at ``origin_m`` with ``heading_rad`` where s = 0."""
        step = np.diff(s_m)
        turn = np.concatenate([[0.0], np.cumsum(0.5 * (curvature[1:] + curvature[:-1]) * step)])
        heading = heading_rad + turn - np.interp(0.0, s_m, turn)
        middle = 0.5 * (heading[1:] + heading[:-1])
        xy = np.zeros((len(s_m), 2))
        xy[1:, 0], xy[1:, 1] = np.cumsum(np.cos(middle) * step), np.cumsum(np.sin(middle) * step)
        at_zero = np.array([np.interp(0.0, s_m, xy[:, 0]), np.interp(0.0, s_m, xy[:, 1])])
        return cls(s_m, xy - at_zero + np.asarray(origin_m), heading, np.zeros(len(s_m)))

    @classmethod
    def from_points(cls, xy_m: np.ndarray, *, step_m: float = 0.5, start_s_m: float = 0.0) -> Curve:
        """The line through points ``(N, 2)``, resampled at even steps; s starts at ``start_s_m``."""
        length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy_m, axis=0).T))])
        count = max(int(np.ceil(length[-1] / step_m)), 2) + 1
        s = np.linspace(0.0, length[-1], count)
        xy = np.stack([np.interp(s, length, xy_m[:, 0]), np.interp(s, length, xy_m[:, 1])], 1)
        slope = np.gradient(xy, s, axis=0)
        return cls(s + start_s_m, xy, np.unwrap(np.arctan2(slope[:, 1], slope[:, 0])), np.zeros(count))

    @cached_property
    def is_straight(self) -> bool:
        return bool(np.ptp(self.heading_rad) < 1e-12)

    @property
    def curvature(self) -> np.ndarray:
        """``(P,)`` 1/m, left positive."""
        return np.gradient(self.heading_rad, self.s_m)

    def world(
        self, s_m: np.ndarray | float, d_m: np.ndarray | float = 0.0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """World x, y (m) and heading (rad) at (s, d); arrays broadcast."""
        s = np.asarray(s_m, float)
        heading = np.interp(s, self.s_m, self.heading_rad)
        cos, sin = np.cos(heading), np.sin(heading)
        beyond = s - np.clip(s, self.s_m[0], self.s_m[-1])
        x = np.interp(s, self.s_m, self.xy_m[:, 0]) + beyond * cos - d_m * sin
        y = np.interp(s, self.s_m, self.xy_m[:, 1]) + beyond * sin + d_m * cos
        return x, y, heading

    def height(self, s_m: np.ndarray) -> np.ndarray:
        """Ground height (m) at s."""
        return np.interp(s_m, self.s_m, self.z_m)

    def points(self, s_m: np.ndarray, d_m: np.ndarray | float = 0.0) -> np.ndarray:
        """World points ``(N, 3)`` at (s, d)."""
        x, y, _ = self.world(s_m, d_m)
        return np.stack([x, y, np.broadcast_to(self.height(s_m), x.shape)], -1)

    def shifted(self, zero_s_m: float) -> Curve:
        """The same line with s counted from ``zero_s_m``."""
        return Curve(self.s_m - zero_s_m, self.xy_m, self.heading_rad, self.z_m)

    def reversed_at(self, zero_s_m: float) -> Curve:
        """The same line run the other way, with s counted from ``zero_s_m``."""
        return Curve(zero_s_m - self.s_m[::-1], self.xy_m[::-1], self.heading_rad[::-1] + np.pi, self.z_m[::-1])

    def project(self, x_m: np.ndarray, y_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(s, d) of world points; the nearest place on the line, exact on straight lines."""
        x, y = np.asarray(x_m, float), np.asarray(y_m, float)
        if self.is_straight:
            cos, sin = np.cos(self.heading_rad[0]), np.sin(self.heading_rad[0])
            dx, dy = x - self.xy_m[0, 0], y - self.xy_m[0, 1]
            return self.s_m[0] + dx * cos + dy * sin, dy * cos - dx * sin
        stride = max(1, int(2.0 / (self.s_m[1] - self.s_m[0])))
        coarse = self.xy_m[::stride]
        distance = (x[..., None] - coarse[:, 0]) ** 2 + (y[..., None] - coarse[:, 1]) ** 2
        s = self.s_m[::stride][distance.argmin(-1)]
        for _ in range(3):
            cx, cy, heading = self.world(s)
            s = s + (x - cx) * np.cos(heading) + (y - cy) * np.sin(heading)
        cx, cy, heading = self.world(s)
        return s, (y - cy) * np.cos(heading) - (x - cx) * np.sin(heading)

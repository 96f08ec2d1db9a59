"""The pinhole camera on the ego vehicle."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from worldgen.core.errors import InputError


@dataclass(frozen=True)
class Camera:
    """A pinhole camera above the origin of the ego frame.

    The ego frame (x forward, y left, z up) has its origin on the ground under the camera. The camera frame is x right,
    y down, z forward. Pixel centres lie at +0.5, so the middle of an image of width W is ``cx_px = W / 2``.

    Attributes:
        width_px: width of the image, 1 to 16384 pixels.
        height_px: height of the image, 1 to 16384 pixels.
        fx_px: horizontal focal length in pixels, > 0.
        fy_px: vertical focal length in pixels, > 0.
        cx_px: column of the principal point in pixels from the left edge.
        cy_px: row of the principal point in pixels from the top edge.
        height_m: height above the ground, 0.1 to 20 m.
        pitch_rad: angle below the horizon, positive when the camera looks down, at most pi/3 in magnitude.

    Raises:
        InputError: for a value outside these ranges, and for a horizontal field of view outside 1 to 170 degrees.
    """

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    height_m: float = 1.4
    pitch_rad: float = 0.0

    def __post_init__(self) -> None:
        if not (1 <= self.width_px <= 16384 and 1 <= self.height_px <= 16384):
            raise InputError("camera size", (self.width_px, self.height_px), "1 to 16384 pixels a side")
        if (
            not all(math.isfinite(v) for v in (self.fx_px, self.fy_px, self.cx_px, self.cy_px))
            or min(self.fx_px, self.fy_px) <= 0
        ):
            raise InputError("camera focal length", (self.fx_px, self.fy_px), "positive pixels")
        if not 1.0 <= self.fov_deg <= 170.0:
            raise InputError("camera horizontal field of view in degrees", round(self.fov_deg, 2), "1 to 170")
        if not 0.1 <= self.height_m <= 20.0:
            raise InputError("camera height in metres", self.height_m, "0.1 to 20")
        if not abs(self.pitch_rad) <= math.radians(60):
            raise InputError("camera pitch in radians", self.pitch_rad, "at most pi/3 in magnitude")

    @classmethod
    def from_fov(
        cls, width_px: int, height_px: int, fov_deg: float = 70.0, *, height_m: float = 1.4, pitch_rad: float = 0.0
    ) -> Camera:
        """A camera with square pixels and a centred principal point.

        Args:
            width_px: width of the image.
            height_px: height of the image.
            fov_deg: horizontal field of view in degrees, 1 to 170.
            height_m: height above the ground.
            pitch_rad: angle below the horizon.

        Raises:
            InputError: for a value out of range.
        """
        if not 1.0 <= fov_deg <= 170.0:
            raise InputError("camera horizontal field of view in degrees", fov_deg, "1 to 170")
        focal_px = width_px / (2 * math.tan(math.radians(fov_deg) / 2))
        return cls(width_px, height_px, focal_px, focal_px, width_px / 2, height_px / 2, height_m, pitch_rad)

    @property
    def fov_deg(self) -> float:
        """Horizontal field of view of an image centred on the principal point, in degrees."""
        return math.degrees(2 * math.atan(self.width_px / (2 * self.fx_px)))

    @property
    def horizon_px(self) -> float:
        """Image row of the horizon of flat ground, in pixels from the top; it may lie outside the image."""
        return self.cy_px - self.fy_px * math.tan(self.pitch_rad)

    def resized(self, width_px: int, height_px: int) -> Camera:
        """The camera after its image is resized; each axis is scaled by itself."""
        sx, sy = width_px / self.width_px, height_px / self.height_px
        return Camera(
            width_px, height_px, self.fx_px * sx, self.fy_px * sy, self.cx_px * sx, self.cy_px * sy,
            self.height_m, self.pitch_rad,
        )  # fmt: skip

    def cropped(self, x0_px: int, y0_px: int, width_px: int, height_px: int) -> Camera:
        """The camera after its image is cropped to a window with the top left corner ``(x0_px, y0_px)``."""
        return Camera(
            width_px, height_px, self.fx_px, self.fy_px, self.cx_px - x0_px, self.cy_px - y0_px,
            self.height_m, self.pitch_rad,
        )  # fmt: skip

    def intrinsics(self) -> np.ndarray:
        """The matrix K, ``(3, 3)`` float64, that takes camera-frame points to homogeneous pixels."""
        return np.array([[self.fx_px, 0, self.cx_px], [0, self.fy_px, self.cy_px], [0, 0, 1]])

    def camera_from_ego(self) -> np.ndarray:
        """Rigid transform ``(4, 4)`` float64 that takes ego-frame points (m) into the camera frame (m)."""
        c, s = math.cos(self.pitch_rad), math.sin(self.pitch_rad)
        # Rows: camera x (right) = -ego y; camera y (down) and z (forward) tilt together by the pitch.
        rotation = np.array([[0.0, -1.0, 0.0], [-s, 0.0, -c], [c, 0.0, -s]])
        transform = np.eye(4)
        transform[:3, :3] = rotation
        transform[:3, 3] = -rotation @ np.array([0.0, 0.0, self.height_m])
        return transform

    def project(self, points_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project points of the ego frame into the image.

        Args:
            points_m: ``(..., 3)`` points in metres.

        Returns:
            Pixels ``(..., 2)`` float64 (x, y) and depths ``(...)`` float64 along the optical axis in metres. Pixels of
            points with depth <= 0 have no meaning; the caller tests the depth.
        """
        transform = self.camera_from_ego()
        camera_points = np.asarray(points_m, float) @ transform[:3, :3].T + transform[:3, 3]
        depth = camera_points[..., 2]
        safe = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
        u = self.fx_px * camera_points[..., 0] / safe + self.cx_px
        v = self.fy_px * camera_points[..., 1] / safe + self.cy_px
        return np.stack([u, v], -1), depth

    def rays(self) -> np.ndarray:
        """Rays through all pixel centres in the ego frame, ``(H, W, 3)`` float64, each of unit depth.

        A point at depth d (m) along the optical axis is ``(0, 0, height_m) + d * ray``.
        """
        u = (np.arange(self.width_px) + 0.5 - self.cx_px) / self.fx_px
        v = (np.arange(self.height_px) + 0.5 - self.cy_px) / self.fy_px
        uu, vv = np.meshgrid(u, v)
        return np.stack([uu, vv, np.ones_like(uu)], -1) @ self.camera_from_ego()[:3, :3]

    def to_json(self) -> dict[str, float | int]:
        """The attributes as a JSON object; :meth:`from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict) -> Camera:
        """The camera of a JSON object. Raises: InputError for unknown or missing fields and values out of range."""
        unknown = set(values) - set(cls.__dataclass_fields__)
        if unknown:
            raise InputError("camera fields", sorted(unknown), f"a subset of {sorted(cls.__dataclass_fields__)}")
        try:
            return cls(**values)
        except TypeError as error:
            raise InputError("camera", values, "numbers for width_px, height_px, fx_px, fy_px, cx_px, cy_px") from error

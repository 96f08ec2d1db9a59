"""Shadows on the ground: cast by the sun, and the dark patch right under things."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.scenes.sketch.raster import NEAR_M, SUBPIXEL_BITS, Stage, clipped

REACH_M = 70.0


class Shadows:
    """Draws the shadows of agents, trees, poles and buildings as outlines on the ground."""

    def __init__(self, stage: Stage, sun_direction: np.ndarray):
        self.stage = stage
        self.sun = sun_direction
        self.statics = [_static_outlines(s) for s in stage.scene.statics]

    def draw(self, frame: int, shape: tuple[int, int], *, cast: bool) -> np.ndarray:
        """Light that reaches the ground: ``(2, H, W)`` float32 of sunlight and of skylight, 1 where nothing is in the way."""
        sun, sky = np.full(shape, 255, np.uint8), np.full(shape, 255, np.uint8)
        scene = self.stage.scene
        _, place = self.stage.pose(frame)
        drop = -self.sun[:2] / max(float(self.sun[2]), 0.09)
        if cast:
            for centre, height, outlines in self.statics:
                if np.hypot(*(centre - place[:2])) > REACH_M + height:
                    continue
                for points, low, high in outlines:
                    ends = np.concatenate([points + drop * low, points + drop * high])
                    self._fill(sun, frame, cv2.convexHull(ends.astype(np.float32))[:, 0], 0)
        for agent in scene.agents:
            if not agent.present[frame]:
                continue
            x, y, z, yaw = agent.poses[frame]
            if np.hypot(x - place[0], y - place[1]) > REACH_M or agent.kind == "traffic_light":
                continue
            length, width, height = agent.size_m
            upright = agent.kind in ("pedestrian", "child")
            foot = _rectangle((x, y), yaw, (0.35, 0.42) if upright else (length * 0.94, width * 0.9))
            if cast:
                low = 0.0 if upright else min(0.15, z)
                pieces = (
                    [(foot, 0.0, height)]
                    if agent.kind not in ("car", "van")
                    else [
                        (foot, low, height * 0.62),
                        (
                            _rectangle(
                                (x - 0.04 * length * np.cos(yaw), y - 0.04 * length * np.sin(yaw)),
                                yaw,
                                (length * 0.55, width * 0.75),
                            ),
                            0.5,
                            height,
                        ),
                    ]
                )
                for points, low_m, high_m in pieces:
                    ends = np.concatenate([points + drop * low_m, points + drop * high_m])
                    self._fill(sun, frame, cv2.convexHull(ends.astype(np.float32))[:, 0], 0, z)
            wide = _rectangle((x, y), yaw, (0.55, 0.6) if upright else (length * 1.02, width * 1.04))
            self._fill(sky, frame, wide, 70 if not upright else 130, z)
        blur = max(3, int(shape[0] / 64) | 1)
        return np.stack([cv2.blur(sun, (3, 3)), cv2.blur(sky, (blur, blur))]).astype(np.float32) * np.float32(1 / 255)

    def _fill(self, mask: np.ndarray, frame: int, outline: np.ndarray, value: int, z: float = 0.0) -> None:
        camera = self.stage.camera
        scale = mask.shape[0] / camera.height_px
        rotation, place = self.stage.pose(frame)
        points = np.concatenate([outline, np.full((len(outline), 1), z)], 1) - place
        seen = clipped(points @ rotation.T, NEAR_M * 4)
        if len(seen) < 3:
            return
        pixels = (seen[:, :2] / seen[:, 2:] * (camera.fx_px, camera.fy_px) + (camera.cx_px, camera.cy_px)) * scale - 0.5
        cv2.fillConvexPoly(
            mask,
            np.rint(np.clip(pixels, -1e5, 1e5) * (1 << SUBPIXEL_BITS)).astype(np.int32),
            value,
            cv2.LINE_AA,
            SUBPIXEL_BITS,
        )


def _rectangle(centre: tuple[float, float], yaw: float, size: tuple[float, float]) -> np.ndarray:
    c, s = np.cos(yaw), np.sin(yaw)
    a, b = size[0] / 2, size[1] / 2
    return np.array(
        [(centre[0] + u * c - v * s, centre[1] + u * s + v * c) for u, v in ((-a, -b), (a, -b), (a, b), (-a, b))]
    )


def _static_outlines(static) -> tuple[np.ndarray, float, list[tuple[np.ndarray, float, float]]]:
    """Centre, height, and prisms (outline ``(N, 2)``, low, high) that stand in for a static thing."""
    x, y, _ = static.position_m
    length, width, height = static.size_m
    centre = np.array([x, y])
    if static.kind == "tree":
        turn = np.arange(8) * np.pi / 4
        spread = max(length, width, 0.45 * height) / 2
        ring = np.stack([np.cos(turn), np.sin(turn)], 1)
        return centre, height, [
            (_rectangle((x, y), 0.0, (0.25, 0.25)), 0.0, 0.5 * height),
            (centre + ring * spread * 0.9, 0.48 * height, 0.72 * height), (centre + ring * spread * 0.5, 0.6 * height, 0.98 * height),
        ]  # fmt: skip
    if static.kind in ("pole", "street_lamp", "sign", "bollard", "traffic_light"):
        return centre, height, [(_rectangle((x, y), 0.0, (0.16, 0.16)), 0.0, height)]
    return centre, height, [(_rectangle((x, y), static.yaw_rad, (length, width)), 0.0, height)]

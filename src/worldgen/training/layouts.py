"""Layouts of rendered clips: the scene is made again from its scenario and seed, and rasterised for the model."""

from __future__ import annotations

import dataclasses

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError, Received
from worldgen.core.layout import LAYOUT_CHANNELS, MOTION_CHANNELS
from worldgen.core.sample import Sample
from worldgen.models.codec import SPATIAL_FACTOR
from worldgen.models.world import LAYOUT_FACTOR
from worldgen.scenes.layout import layout_maps
from worldgen.scenes.simulate import simulate

SAME = 1e-4
"""Speeds (m/s) and yaw rates (rad/s) are stored as float32; a larger difference means another scene."""


def layout_shape(width_px: int, height_px: int) -> tuple[int, int, int]:
    """``(K, hl, wl)`` of one frame's layout for pictures of a size."""
    factor = LAYOUT_FACTOR
    return len(LAYOUT_CHANNELS), height_px // SPATIAL_FACTOR * factor, width_px // SPATIAL_FACTOR * factor


def scene_layout(sample: Sample, camera: Camera | None) -> np.ndarray | None:
    """Layout maps ``(T, K, hl, wl)`` float32 of a rendered sample on the model's grid; None for clips without a scene.

    sample: as it was rendered. camera: as the training picture is seen, which may be cut and resized since.
    Raises InputError when the scene that comes out is not the one the clip was rendered from.
    """
    seed = sample.provenance.get("seed")
    if sample.scenario is None or sample.ego is None or camera is None or not isinstance(seed, int):
        return None
    frames = len(sample.clip)
    scene = simulate(sample.scenario, seed, fps=sample.clip.fps, num_frames=frames, camera=sample.camera)
    if not np.allclose(scene.ego.to_array(), sample.ego.to_array(), atol=SAME):
        version = sample.provenance.get("version", "unknown")
        received = f"a scene that this version makes differently (rendered by version {version})"
        raise InputError(
            f"clip {sample.key}", Received(received), "clips rendered by this version, or data.layouts=false"
        )
    _, rows, columns = layout_shape(camera.width_px, camera.height_px)
    return layout_maps(dataclasses.replace(scene, camera=camera), rows, columns)


def mirror_layout(maps: np.ndarray) -> np.ndarray:
    """Layout maps ``(T, K, hl, wl)`` of the mirror image: what moved left moves right."""
    mirrored = np.ascontiguousarray(maps[..., ::-1])
    left = MOTION_CHANNELS[1]
    mirrored[:, left] = 1.0 - mirrored[:, left]
    return mirrored

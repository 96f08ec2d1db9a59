"""Layouts of rendered clips at the training size: their scenes are simulated again and rasterised for the model."""

from __future__ import annotations

import dataclasses

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.layout_channels import LAYOUT_CHANNELS, LEFT_CHANNELS
from worldgen.core.samples import Sample
from worldgen.models.native.codec import SPATIAL_FACTOR
from worldgen.models.native.transformer import LAYOUT_FACTOR
from worldgen.rendering.layouts import layout_maps
from worldgen.simulation.remake import remake_scene


def layout_shape(width_px: int, height_px: int) -> tuple[int, int, int]:
    """``(K, hl, wl)`` of one frame's layout for pictures of a size."""
    factor = LAYOUT_FACTOR
    return len(LAYOUT_CHANNELS), height_px // SPATIAL_FACTOR * factor, width_px // SPATIAL_FACTOR * factor


def scene_layout(sample: Sample, camera: Camera | None, *, frames: range | None = None) -> np.ndarray | None:
    """Layout maps ``(T, K, hl, wl)`` float16 of a rendered sample on the model's grid; None for clips without a scene.

    sample: as it was rendered. camera: of the training picture, which may be cropped and resized. frames: only of
    these.

    Raises:
        InputError: when the simulated scene is not the one that the clip was rendered from.
    """
    if camera is None:
        return None
    scene = remake_scene(sample, instead="data.layouts=false")
    if scene is None:
        return None
    _, rows, columns = layout_shape(camera.width_px, camera.height_px)
    return layout_maps(dataclasses.replace(scene, camera=camera), rows, columns, frames=frames)


def mirror_layout(maps: np.ndarray) -> np.ndarray:
    """Layout maps ``(T, K, hl, wl)`` of the mirror image: directions to the left become directions to the right."""
    mirrored = np.ascontiguousarray(maps[..., ::-1])
    mirrored[:, LEFT_CHANNELS] = 1.0 - mirrored[:, LEFT_CHANNELS]
    return mirrored

"""Meshes of animals on the road."""

from __future__ import annotations

import numpy as np

from worldgen.rendering.meshes.mesh import Mesh, MeshBuilder, Paint, Size, scaled, srgb
from worldgen.rendering.meshes.people import reach, sagittal


def animal(variant: str, size_m: Size, phase: np.ndarray, rng: np.random.Generator) -> Mesh:
    """A deer or a dog with swinging legs. phase: ``(T,)`` radians."""
    builder = MeshBuilder()
    length, width, height = size_m
    deer = variant == "deer"
    coat = Paint(srgb("#7d5a38") if deer else (srgb("#2a221c"), srgb("#a87b4a"), srgb("#d8d2c6"))[rng.integers(3)])
    back = height * (0.62 if deer else 0.72)
    leg = back * 0.60
    phase = np.asarray(phase, float)
    for k, (x, y) in enumerate(((0.28, 1), (0.28, -1), (-0.30, 1), (-0.30, -1))):
        swing = 0.5 * np.sin(phase + (np.pi if k in (1, 2) else 0))
        hip = sagittal(x * length, y * width * 0.26, np.full(len(phase), leg))
        knee = reach(hip, swing, leg * 0.52)
        hoof = reach(knee, swing * 0.4 - 0.1, leg * 0.48)
        builder.part().limb(hip, knee, (0.16 * back, 0.09 * back, 0.12 * back), coat)
        builder.part().limb(knee, hoof, (0.085 * back, 0.06 * back, 0.07 * back), coat.but(scaled(coat.colour, 0.6)))
    builder.part().loft(
        [
            (-0.40 * length, leg, back * 0.96, width * 0.34),
            (0.0, leg * 0.92, back * 0.97, width * 0.45),
            (0.34 * length, leg * 0.95, back, width * 0.38),
        ],
        coat,
        tumble=0.7,
    )
    chest, crown = (
        np.array([[0.30 * length, 0, back * 0.90]]),
        np.array([[0.42 * length, 0, height * (0.86 if deer else 0.92)]]),
    )
    builder.part().limb(chest, crown, (0.26 * back, 0.15 * back, 0.2 * back), coat)
    builder.part().limb(
        crown - np.array((0.08 * length, 0, 0)),
        crown + np.array((0.14 * length, 0, -0.06 * height)),
        (0.19 * back, 0.10 * back, 0.16 * back),
        coat,
    )
    builder.part().limb(
        np.array([[-0.40 * length, 0, back * 0.9]]),
        np.array([[-0.48 * length, 0, back * (0.7 if deer else 1.1)]]),
        (0.09 * back, 0.05 * back, 0.08 * back),
        coat.but(srgb("#e8e2d4") if deer else None),
    )
    if deer:
        bone = Paint(srgb("#b9a580"), detail=1)
        for side in (1, -1):
            tip = crown + np.array([-0.06, side * 0.22, 0.14 * height])
            builder.part().limb(crown + np.array((0, side * 0.05, 0.05)), tip, (0.035, 0.025, 0.035), bone)
            builder.part().limb((crown + tip) / 2, tip + np.array((0.14, side * 0.02, 0.0)), (0.03, 0.02, 0.03), bone)
        builder.part().ball(
            crown + np.array((-0.1 * length, 0.0, 0.06)), (0.03, 0.16, 0.05), coat.but(detail=1), sides=4, bands=2
        )
    return builder.build()

"""Optics and sensor of the camera: bloom around lamps, veiling glare of a low sun, exposure, noise and tone mapping."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng
from worldgen.rendering.drawing.palette import Palette
from worldgen.rendering.drawing.view import Rays, View

TONE_STEPS, TONE_TOP = 4096, 8.0


@cache
def tone_table() -> np.ndarray:
    """Tone curve: display values ``(TONE_STEPS,)`` uint8 over the square root of linear light up to ``TONE_TOP``.

    A filmic curve (K. Narkowicz's fit of the ACES reference curve, 2015) followed by the sRGB transfer function
    (IEC 61966-2-1).
    """
    x = np.square(np.linspace(0.0, np.sqrt(TONE_TOP), TONE_STEPS))
    film = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    shown = np.where(film <= 0.0031308, 12.92 * film, 1.055 * film ** (1 / 2.4) - 0.055)
    return np.rint(255 * shown).astype(np.uint8)


class Lens:
    """Optics and sensor of one scene at one image size."""

    def __init__(self, scene: Scene, palette: Palette, rays: Rays):
        self.scene, self.palette, self.rays = scene, palette, rays
        self.shape = rays.ego.shape[:2]
        rng = numpy_rng("sensor", scene.seed)
        self.noise = rng.standard_normal((*(n + 64 for n in self.shape), 3), np.float32)
        y, x = np.meshgrid(np.linspace(-1, 1, self.shape[0]), np.linspace(-1, 1, self.shape[1]), indexing="ij")
        self.exposure = (palette.exposure * (1.0 - 0.16 * (x * x + y * y))).astype(np.float32)[..., None]

    def bloom(self, image: np.ndarray, bright: np.ndarray) -> None:
        """Add bloom around lamps to ``image``, in place; stronger in fog, rain and darkness.

        image, bright: ``(H, W, 3)`` float32 linear light; bright holds the emission alone.
        """
        palette, atmosphere = self.palette, self.scene.atmosphere
        if palette.night <= 0.05 and not atmosphere.headlights_on:
            return
        height, width = self.shape
        damp = min(1.0, 120.0 * palette.haze_per_m) + 0.5 * min(atmosphere.rain_mmph / 10.0, 1.0)
        for sigma, gain in ((height / 100, 0.40), (height / 26, 0.28 + 0.7 * damp)):
            small = max(1, int(sigma / 1.5))
            size = (max(width // small, 8), max(height // small, 8))
            spill = cv2.GaussianBlur(cv2.resize(bright, size, interpolation=cv2.INTER_AREA), (0, 0), sigma / small)
            spill *= np.float32(gain * max(palette.night, 0.3))
            image += cv2.resize(spill, (width, height), interpolation=cv2.INTER_LINEAR)

    def veiling_glare(self, image: np.ndarray, view: View) -> None:
        """Add the veiling glare of a low sun in front of the camera to ``image``, in place."""
        palette = self.palette
        if palette.glow <= 0.3 or palette.night >= 0.3:
            return
        x, y, z = view.rotation @ palette.sun_direction
        if z > 0.2:
            gap = np.sqrt(np.square(self.rays.x - np.float32(x / z)) + np.square(self.rays.y - np.float32(y / z)))
            veil = 0.55 * np.exp(-gap / 0.22) + 0.14 * np.exp(-gap / 0.8)
            image += (palette.glow * veil)[..., None] * (palette.sun / max(float(palette.sun.max()), 1e-3))

    def tone_map(self, image: np.ndarray, frame: int) -> np.ndarray:
        """Linear light ``(H, W, 3)`` float32 to display values uint8: exposure, vignette, photon noise, tone curve."""
        height, width = self.shape
        image = image * self.exposure
        np.clip(image, 0.0, TONE_TOP, out=image)
        position = np.sqrt(image, out=image)
        position *= np.float32((TONE_STEPS - 1) / np.sqrt(TONE_TOP))
        a, b = numpy_rng("sensor", self.scene.seed, frame).integers(0, 64, 2)
        # In the square-root domain photon noise has a constant variance.
        position += self.noise[a : a + height, b : b + width] * np.float32(6.0 + 15.0 * self.palette.night)
        np.clip(position, 0, TONE_STEPS - 1, out=position)
        return np.take(tone_table(), position.astype(np.int32))

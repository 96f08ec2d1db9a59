"""The illumination of a scene: sun, sky, ambient light and exposure by time of day and weather."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.scene import Scene

RGB = np.ndarray


@dataclass(frozen=True, eq=False)
class Palette:
    """The illumination of a scene. Colours are linear RGB ``(3,)`` float32.

    zenith, horizon: radiance of the sky. sun: direct light. ambient: light from the whole sky. airlight: radiance
    scattered by haze. sun_direction: ``(3,)`` float32 unit vector in the world, towards the sun. exposure: factor
    before tone mapping. haze_per_m: extinction coefficient of the air. night: 0 by day to 1 at night. glow: strength of
    the bright sky around the sun.
    """

    zenith: RGB
    horizon: RGB
    sun: RGB
    ambient: RGB
    airlight: RGB
    sun_direction: RGB
    exposure: float
    haze_per_m: float
    night: float
    glow: float


_NONE = np.zeros(3, np.float32)
DARKNESS = Palette(_NONE, _NONE, _NONE, _NONE, _NONE, np.array([0.0, 0.0, 1.0], np.float32), 1.0, 0.0, 1.0, 0.0)
"""No light from sun or sky; only lamps and windows emit."""

_CLEAR = {
    # zenith, horizon, sun, ambient, exposure, night, glow
    "day": ((0.16, 0.34, 0.78), (0.62, 0.78, 0.98), (1.85, 1.72, 1.48), (0.44, 0.53, 0.70), 1.08, 0.0, 0.25),
    "low_sun": ((0.20, 0.36, 0.68), (1.05, 0.86, 0.58), (2.35, 1.55, 0.72), (0.33, 0.33, 0.38), 1.10, 0.0, 1.0),
    "dawn": ((0.20, 0.27, 0.50), (0.95, 0.60, 0.52), (0.85, 0.50, 0.34), (0.30, 0.28, 0.37), 1.25, 0.15, 0.6),
    "dusk": ((0.045, 0.06, 0.17), (0.62, 0.24, 0.12), (0.10, 0.05, 0.03), (0.085, 0.085, 0.14), 1.75, 0.6, 0.55),
    "night_lit": ((0.0035, 0.004, 0.009), (0.022, 0.017, 0.014), (0.0, 0.0, 0.0), (0.012, 0.012, 0.016), 2.3, 1.0, 0.0),
    "night_unlit": (
        (0.0012, 0.0016, 0.004),
        (0.003, 0.0035, 0.006),
        (0.0, 0.0, 0.0),
        (0.0035, 0.004, 0.0065),
        2.6,
        1.0,
        0.0,
    ),
}
_GREY = {
    "day": ((0.50, 0.55, 0.60), (0.74, 0.77, 0.79)), "low_sun": ((0.45, 0.43, 0.43), (0.90, 0.76, 0.60)),
    "dawn": ((0.26, 0.26, 0.34), (0.60, 0.46, 0.47)), "dusk": ((0.045, 0.05, 0.09), (0.135, 0.12, 0.15)),
    "night_lit": ((0.009, 0.008, 0.008), (0.026, 0.020, 0.016)),
    "night_unlit": ((0.0014, 0.0016, 0.0026), (0.003, 0.003, 0.004)),
}  # fmt: skip


def scene_palette(scene: Scene) -> Palette:
    """The illumination of a scene from its light, clouds, rain and visibility.

    Haze follows Koschmieder's law with a 5 % contrast threshold: extinction = 3.0 / visibility.

    Source: H. Koschmieder, Theorie der horizontalen Sichtweite (1924); meteorological optical range as in WMO No. 8,
    I.9: V = -ln(0.05) / extinction.
    """
    light, atmosphere = scene.scenario.light, scene.atmosphere
    clear: list[RGB] = [np.asarray(v, np.float32) for v in _CLEAR[light]]
    zenith, horizon, sun, ambient, exposure, night, glow = clear
    grey_zenith, grey_horizon = (np.asarray(v, np.float32) for v in _GREY[light])
    cloud = 1.0 if atmosphere.visibility_m < 1500 else float(np.clip((atmosphere.cloud_cover - 0.35) / 0.5, 0.0, 1.0))
    thick = float(np.clip(atmosphere.rain_mmph / 25.0, 0.0, 1.0))
    dim = 1.0 - 0.38 * thick
    zenith = (zenith + cloud * (grey_zenith - zenith)) * dim
    horizon = (horizon + cloud * (grey_horizon - horizon)) * dim
    low_sun_left = 0.16 if light in ("low_sun", "dawn") else 0.02
    sun = sun * (1 - cloud * (1 - low_sun_left))
    tint = np.array(
        [1.09, 1.0, 0.87] if light == "low_sun" else [1.08, 0.96, 1.0] if light == "dawn" else [0.97, 1.0, 1.02],
        np.float32,
    )
    flat = ambient.mean() * tint * 1.45
    ambient = (ambient + cloud * (flat - ambient)) * dim
    if atmosphere.visibility_m < 1200 and float(night) < 0.5:
        # In fog and snowfall the zenith takes the colour of the horizon.
        share = float(np.clip((1200 - atmosphere.visibility_m) / 900, 0, 1))
        zenith = zenith + share * (horizon * 0.96 - zenith)
    e, a = max(atmosphere.sun_elevation_rad, 0.03), atmosphere.sun_azimuth_rad
    direction = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], np.float32)
    fog = 0.72 * horizon + 0.28 * zenith
    return Palette(
        zenith, horizon, sun, ambient, fog, direction, float(exposure), float(-np.log(0.05) / atmosphere.visibility_m),
        float(night), float(glow * (1 - (0.55 if light == "low_sun" else 0.75) * cloud)),
    )  # fmt: skip

"""Weather and light as physical quantities, drawn from the range of each word."""

from __future__ import annotations

import math

import numpy as np

from worldgen.core.scenario import Scenario
from worldgen.core.scene import Atmosphere

SUN_ELEVATION_DEG = {
    "dawn": (-3.0, 5.0), "day": (25.0, 62.0), "low_sun": (5.0, 13.0), "dusk": (-5.0, 1.0),
    "night_lit": (-50.0, -18.0), "night_unlit": (-50.0, -18.0),
}  # fmt: skip
AMBIENT = {
    "dawn": (0.35, 0.55), "day": (0.95, 1.0), "low_sun": (0.75, 0.9), "dusk": (0.18, 0.32),
    "night_lit": (0.03, 0.06), "night_unlit": (0.006, 0.015),
}  # fmt: skip
"""Range of the share of daylight, before clouds and fog dim it."""
CLOUD_COVER = {
    "clear": (0.0, 0.25), "overcast": (0.85, 1.0), "light_rain": (0.8, 1.0), "heavy_rain": (0.95, 1.0),
    "fog": (0.7, 1.0), "snow": (0.9, 1.0),
}  # fmt: skip
RAIN_MMPH = {"light_rain": (0.8, 2.5), "heavy_rain": (10.0, 40.0)}
"""Light rain below 2.5 mm/h, heavy above 10 (World Meteorological Organization classes: slight, heavy)."""
VISIBILITY_M = {
    "clear": (15e3, 40e3), "overcast": (8e3, 20e3), "light_rain": (3e3, 8e3), "heavy_rain": (500.0, 1500.0),
    "fog": (55.0, 160.0), "snow": (250.0, 800.0),
}  # fmt: skip
"""Meteorological optical range; fog is below 1 km by definition, dense fog on roads below 200 m."""

FRICTION = {"light_rain": 0.6, "heavy_rain": 0.5, "snow": 0.3}
"""Tyre to road friction by weather; dry 0.8."""


def draw_atmosphere(rng: np.random.Generator, scenario: Scenario) -> Atmosphere:
    """Sun, clouds, rain, snow, visibility and lamps for the scenario's weather and light."""
    weather, light = scenario.weather, scenario.light
    between = lambda table, default=(0.0, 0.0): float(rng.uniform(*table.get(weather, default)))  # noqa: E731
    elevation = math.radians(rng.uniform(*SUN_ELEVATION_DEG[light]))
    # A low sun stands ahead of the camera in most scenes, so that it is in the picture.
    azimuth = (
        rng.normal(0.0, 0.35) if light in ("low_sun", "dawn") and rng.random() < 0.7 else rng.uniform(-math.pi, math.pi)
    )
    night = light.startswith("night")
    wetness = {"light_rain": rng.uniform(0.4, 0.7), "heavy_rain": rng.uniform(0.85, 1.0), "snow": rng.uniform(0.2, 0.5)}
    damp = rng.uniform(0.1, 0.35) if weather == "fog" else 0.0
    dim = {"heavy_rain": 0.75, "fog": 0.9, "overcast": 0.9, "light_rain": 0.85}.get(weather, 1.0)
    return Atmosphere(
        sun_azimuth_rad=float(azimuth),
        sun_elevation_rad=float(elevation),
        cloud_cover=between(CLOUD_COVER),
        rain_mmph=between(RAIN_MMPH),
        snow_mmph=float(rng.uniform(0.8, 4.0)) if weather == "snow" else 0.0,
        wetness=float(wetness.get(weather, damp)),
        snow_cover=float(rng.uniform(0.35, 0.95)) if weather == "snow" else 0.0,
        visibility_m=between(VISIBILITY_M),
        street_lamps_on=light in ("night_lit", "dusk"),
        headlights_on=night or light in ("dusk", "dawn") or weather in ("fog", "heavy_rain", "snow", "light_rain"),
        ambient=float(rng.uniform(*AMBIENT[light]) * dim),
    )


def friction(weather: str) -> float:
    """Friction coefficient of the road in this weather."""
    return FRICTION.get(weather, 0.8)

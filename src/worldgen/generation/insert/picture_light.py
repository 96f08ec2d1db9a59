"""The light and the air of a picture, read from its pixels and labels: day or night, contrast of shadows, haze."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.scene import Atmosphere

NIGHT_LUMA, DAY_LUMA = 62.0, 78.0
"""Mean luma of the upper part and the whole picture, below which it is night and above which it is day. On BDD100K
night pictures have a mean luma of 36 and day pictures 104."""
CLEAR_M = 2e4
FOGGY = 0.05
"""Extinction (1/m) above which nothing is believed: that is a wall, not fog."""
FAR_ROWS = 0.02
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Luminance of linear sRGB (IEC 61966-2-1)."""


@dataclass(frozen=True, eq=False)
class PictureLight:
    """night: 0 by day to 1 at night. sun_share: 0 for soft light without shadows, to 1. sun_azimuth_rad: unknown, so
    drawn once for the picture. haze_per_m: extinction of the air. airlight: ``(3,)`` float32 linear light of far haze.
    rain: whether rain is drawn over inserts. wetness: of the ground, 0 to 1."""

    night: float
    sun_share: float
    sun_azimuth_rad: float
    haze_per_m: float
    airlight: np.ndarray
    rain: bool = False
    wetness: float = 0.0

    @property
    def word(self) -> str:
        """ "day" or "night"."""
        return "night" if self.night > 0.5 else "day"

    def atmosphere(self) -> Atmosphere:
        """The weather under which an insert is rendered. Haze is added afterwards, in the colours of the picture."""
        dark = self.night > 0.5
        return Atmosphere(
            self.sun_azimuth_rad, -0.6 if dark else 0.75, 0.85 - 0.5 * self.sun_share, 0.0, 0.0, 0.0, 0.0, CLEAR_M,
            street_lamps_on=False, headlights_on=dark, ambient=0.04 if dark else 1.0,
        )  # fmt: skip


@dataclass(frozen=True)
class WeatherLook:
    """What a word of weather says of a picture. wetness: of the ground, 0 to 1. rain: whether drops fall. haze_per_m:
    least extinction of the air."""

    wetness: float = 0.0
    rain: bool = False
    haze_per_m: float = 0.0


WEATHER_LOOKS = {
    "rain": WeatherLook(1.0, rain=True, haze_per_m=0.003),
    "wet": WeatherLook(0.7),
    "fog": WeatherLook(0.2, haze_per_m=0.015),
}
"""Weather of a picture -> its look. Extinction is 3 / visibility (Koschmieder): 1 km in rain, 200 m in fog."""


def in_weather(light: PictureLight, word: str) -> PictureLight:
    """The light of a picture of which is known that it is wet, rainy or foggy; as it is for ""."""
    look = WEATHER_LOOKS.get(word)
    if look is None:
        return light
    haze = max(light.haze_per_m, look.haze_per_m)
    return replace(light, haze_per_m=haze, rain=look.rain, wetness=look.wetness)


def to_linear(values: np.ndarray) -> np.ndarray:
    """sRGB values, 0 to 255, as linear light, 0 to 1, float32 (IEC 61966-2-1)."""
    share = np.asarray(values, np.float32) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** np.float32(2.4)).astype(np.float32)


def to_display(light: np.ndarray) -> np.ndarray:
    """Linear light as sRGB values, 0 to 255, float32. Light above 1 is white."""
    share = np.clip(light, 0, 1).astype(np.float32)
    curve = 1.055 * share ** np.float32(1 / 2.4) - 0.055
    return (255 * np.where(share <= 0.0031308, 12.92 * share, curve)).astype(np.float32)


def read_light(frame: np.ndarray, camera: Camera, boxes_px: np.ndarray, rng: np.random.Generator) -> PictureLight:
    """The light of a picture ``(H, W, 3)`` uint8 RGB. boxes_px: ``(N, 4)`` labelled objects, which hide the ground."""
    horizon = int(np.clip(camera.horizon_px, 8, frame.shape[0] - 8))
    night = night_of(frame, camera.horizon_px)
    free = np.ones(frame.shape[:2], bool)
    for x0, y0, x1, y1 in boxes_px.round().astype(int):
        free[max(y0, 0) : y1, max(x0, 0) : x1] = False
    ground = np.zeros(frame.shape[:2], bool)
    width = frame.shape[1]
    ground[horizon + (frame.shape[0] - horizon) // 6 :, width // 5 : 4 * width // 5] = True
    seen = to_linear(frame[ground & free]) @ LUMA
    contrast = 0.0
    if len(seen) > 500 and night < 0.5:
        low, high = np.percentile(seen, [10, 80])
        contrast = float(np.clip((high / max(low, 1e-3) - 1.6) / 3.0, 0, 1))
    haze, air = _haze(frame, camera, free) if night < 0.5 else (0.0, _airlight(frame, horizon))
    return PictureLight(night, contrast, float(rng.uniform(-np.pi, np.pi)), haze, air)


def night_of(frame: np.ndarray, horizon_px: float) -> float:
    """0 for a picture ``(H, W, 3)`` uint8 by day, to 1 at night: by the luma of all of it and of what is above the
    horizon."""
    luma = frame @ np.array([0.299, 0.587, 0.114], np.float32)
    horizon = int(np.clip(horizon_px, 8, frame.shape[0] - 8))
    level = 0.5 * float(luma.mean()) + 0.5 * float(luma[:horizon].mean())
    return float(np.clip((DAY_LUMA - level) / (DAY_LUMA - NIGHT_LUMA), 0, 1))


def _airlight(frame: np.ndarray, horizon: int) -> np.ndarray:
    band = frame[max(0, horizon - max(2, int(0.03 * frame.shape[0]))) : horizon + 1]
    return np.median(to_linear(band.reshape(-1, 3)), 0).astype(np.float32)


def _haze(frame: np.ndarray, camera: Camera, free: np.ndarray) -> tuple[float, np.ndarray]:
    """Extinction (1/m) and linear airlight, from how the darkest pixels of the ground brighten with distance.

    Source: the dark channel (He, Sun & Tang, CVPR 2009) along the rows of a flat ground, whose distances are known.
    """
    height = frame.shape[0]
    horizon = camera.horizon_px
    air = _airlight(frame, int(np.clip(horizon, 4, height - 4)))
    rows = np.arange(int(horizon + FAR_ROWS * height) + 1, int(0.95 * height), max(1, height // 90))
    dark, depth = [], []
    for row in rows:
        line = to_linear(frame[row][free[row]]).min(-1)
        if len(line) > 40:
            dark.append(np.percentile(line, 5))
            depth.append(camera.fy_px * camera.height_m / (row + 0.5 - horizon))
    if len(dark) < 12:
        return 0.0, air
    share, distance = np.array(dark) / max(float(air.min()), 1e-3), np.array(depth)
    best = (np.inf, 0.0)
    for beta in np.concatenate([[0.0], np.geomspace(0.002, FOGGY, 25)]):
        veil = 1 - np.exp(-beta * distance)
        base = np.median((share - veil) / np.maximum(1 - veil, 0.05))
        error = np.abs(share - veil - np.clip(base, 0, 1) * (1 - veil)).mean()
        best = min(best, (error + 0.004 * (beta > 0), beta))
    far = share[distance > 0.6 * distance.max()]
    # Fog hides the dark parts far away; without that, distant pale ground is only pale.
    return (float(best[1]) if len(far) and np.median(far) > 0.45 else 0.0), air

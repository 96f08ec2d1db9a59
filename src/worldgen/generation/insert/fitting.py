"""An insert fitted to its picture: exposure, colour, contrast, haze, blur, noise and the history of its encoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from worldgen.core.errors import InputError
from worldgen.generation.insert.insert_plan import InsertPatch, JpegHistory, LabelledPicture
from worldgen.generation.insert.picture_light import LUMA, PictureLight, to_display, to_linear
from worldgen.generation.insert.picture_look import CAST_BLUR_PX, PictureLook

COLOUR_SHARE = 0.6
"""Share of the tint of the ground around that is taken for the tint of the light; the rest is the ground's own."""
GAIN_RANGE = 2.0
"""The ground right here may be brighter or darker than the rest by this factor before it is taken for paint or wet."""
SATURATION = 0.85
"""Colours of rendered paint and cloth over those of dashcams, which lens, tone curve and codec make paler."""
SHOULDER = 0.75
"""Linear light from which on the tone curve of cameras bends."""
STREAKS, STREAK_M, FOCAL_WIDTHS = 400, 0.15, 0.87
"""Drops before a whole picture, the way that one falls while it is exposed, and the focal length in picture widths."""
RIPPLE = (0.10, 0.5)
"""Blur of a mirror image in wet ground, across and along the view, as shares of its height."""


@dataclass(frozen=True)
class FitSteps:
    """Which steps fit an insert to its picture; each can be left out, to measure what it is worth."""

    exposure: bool = True
    colour: bool = True
    contrast: bool = True
    haze: bool = True
    shadow: bool = True
    blur: bool = True
    rain: bool = True
    noise: bool = True
    jpeg: bool = True

    def without(self, name: str) -> FitSteps:
        """The steps without one."""
        return replace(self, **{name: False})


def ground_around(picture: LabelledPicture, patch: InsertPatch) -> np.ndarray:
    """Linear light ``(3,)`` float32 of the ground on which an insert stands, by the median of what is free around it.

    Rows about the contact count; labelled objects and the insert itself do not.
    """
    height, width = picture.frame.shape[:2]
    x0, y0, x1, y1 = patch.whole_box_px
    reach = max(6.0, 0.35 * (y1 - y0))
    side = max(8.0, 0.8 * (x1 - x0))
    left, right = int(max(0, x0 - side)), int(min(width, x1 + side))
    top, bottom = int(np.clip(y1 - 0.3 * reach, 0, height - 2)), int(np.clip(y1 + reach, 2, height))
    free = np.ones((bottom - top, right - left), bool)
    for a, b, c, d in picture.box_px.round().astype(int):
        free[max(b - top, 0) : max(d - top, 0), max(a - left, 0) : max(c - left, 0)] = False
    seen = picture.frame[top:bottom, left:right][free]
    if len(seen) < 12:
        seen = picture.frame[top:bottom, left:right].reshape(-1, 3)
    return np.maximum(np.median(to_linear(seen), 0), 2e-4).astype(np.float32)


def fit(
    patch: InsertPatch, picture: LabelledPicture, light: PictureLight, look: PictureLook, steps: FitSteps,
    *, here: np.ndarray | None = None,
) -> InsertPatch:  # fmt: skip
    """The insert in the light of the picture, as sharp as the picture; noise and encoding come after compositing.

    Its colour stays linear light times alpha; ``ground_light`` becomes that of the picture. here: linear light ``(3,)``
    of the ground under it where it is known from more than this picture, as in clips.
    """
    colour, alpha = patch.colour.copy(), patch.alpha
    shade: np.ndarray = patch.shade
    if here is None:
        here = ground_around(picture, patch)
    gain = np.full(3, 1.0, np.float32)
    if steps.exposure:
        gain *= _exposure(picture, patch, here)
    if steps.colour:
        tint = here / max(float(here @ LUMA), 1e-5) * (patch.ground_light @ LUMA) / patch.ground_light
        gain *= np.clip(tint, 0.5, 2.0) ** np.float32(COLOUR_SHARE)
    colour *= gain
    if steps.contrast:
        colour = _toned(colour, alpha, look)
    if steps.haze and light.haze_per_m > 0:
        clear = np.float32(np.exp(-light.haze_per_m * patch.distance_m))
        colour = colour * clear + (1 - clear) * light.airlight * alpha[..., None]
        shade = 1 - (1 - shade) * clear
    mirror = patch.mirror if steps.rain else None
    if mirror is not None:
        mirror = mirror * np.array([*gain, 1.0], np.float32)
        tall = max(3.0, patch.whole_box_px[3] - patch.whole_box_px[1])
        mirror = cv2.GaussianBlur(mirror, (0, 0), max(0.5, RIPPLE[0] * tall / 4), sigmaY=max(1.0, RIPPLE[1] * tall / 4))
    if not steps.shadow:
        shade = np.ones_like(shade)
    extra = float(np.sqrt(max(look.blur_px**2 - CAST_BLUR_PX**2, 0.0)))
    if steps.blur and extra > 0.15:
        layer = cv2.GaussianBlur(np.dstack([colour, alpha]), (0, 0), extra, borderType=cv2.BORDER_REPLICATE)
        colour, alpha = layer[..., :3], layer[..., 3]
        shade = cv2.GaussianBlur(shade, (0, 0), extra, borderType=cv2.BORDER_REPLICATE)
    return replace(patch, colour=colour, alpha=alpha, shade=shade, mirror=mirror, ground_light=here)


def _exposure(picture: LabelledPicture, patch: InsertPatch, here: np.ndarray) -> float:
    """Factor from the light of the renderer to that of the picture: the ground under the insert, within the usual."""
    height, width = picture.frame.shape[:2]
    near = to_linear(picture.frame[int(0.72 * height) : int(0.9 * height) : 4, width // 4 : 3 * width // 4 : 4])
    usual = max(float(np.median(near.reshape(-1, 3) @ LUMA)), 1e-3)
    level = float(np.clip(float(here @ LUMA), usual / GAIN_RANGE, usual * GAIN_RANGE))
    return level / float(patch.ground_light @ LUMA)


def _toned(colour: np.ndarray, alpha: np.ndarray, look: PictureLook) -> np.ndarray:
    """Colour times alpha after what a camera does to contrast: paler colours, a soft shoulder, and veiled blacks."""
    veil = np.array(look.veil, np.float32)
    opaque = np.maximum(alpha, 1e-4)[..., None]
    own = colour / opaque
    grey = (own @ LUMA)[..., None]
    own = grey + np.float32(SATURATION * look.colour) * (own - grey)
    over = np.maximum(own - SHOULDER, 0)
    own = np.where(own > SHOULDER, SHOULDER + (1 - SHOULDER) * (1 - np.exp(-over / (1 - SHOULDER))), own)
    own = veil + (1 - veil) * own
    return (np.maximum(own, 0) * alpha[..., None]).astype(np.float32)


def with_rain(
    display: np.ndarray, changed: np.ndarray, light: PictureLight, size_px: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Display values ``(h, w, 3)`` float32 with drops that fall before the changed share ``(h, w)``, 0 to 1.

    size_px: of the whole picture, which says how long and how many the streaks are. They have the colour of the sky.
    """
    height, width = changed.shape
    count = int(rng.poisson(STREAKS * width * height / (size_px[0] * size_px[1])))
    layer = np.zeros((height, width), np.float32)
    slant = float(rng.normal(0, 0.12))
    for _ in range(count):
        depth_m = float(rng.uniform(1.5, 12))
        x, y = float(rng.uniform(0, width)), float(rng.uniform(0, height))
        long = STREAK_M * FOCAL_WIDTHS * size_px[0] / depth_m
        ends = np.rint(16 * np.array([[x, y], [x + slant * long, y + long]])).astype(int).tolist()
        bright = float(np.clip(0.18 + 0.6 / depth_m, 0, 0.5))
        cv2.line(layer, ends[0], ends[1], bright, max(1, round(size_px[1] / 120 / depth_m)), cv2.LINE_AA, 4)
    share = layer[..., None] * changed[..., None]
    sky = to_display(light.airlight)
    return np.asarray(display * (1 - share) + share * np.maximum(display, sky), np.float32)


def with_grain(display: np.ndarray, changed: np.ndarray, look: PictureLook, rng: np.random.Generator) -> np.ndarray:
    """Display values ``(h, w, 3)`` float32 with the noise of the picture on the changed share ``(h, w)``, 0 to 1."""
    grain = rng.standard_normal((*changed.shape, 4)).astype(np.float32)
    if look.grain_px > 0.2:
        grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), look.grain_px), np.float32)
    grain /= max(float(grain.std()), 1e-6)
    noise = look.noise * (0.9 * grain[..., :1] + 0.45 * grain[..., 1:])
    return display + noise * changed[..., None]


def encoded(display: np.ndarray, corner: tuple[int, int], history: JpegHistory) -> np.ndarray:
    """Values ``(h, w, 3)`` uint8 after JPEG at the quality of the file, on its grid of blocks.

    corner: left and top of the values in the picture, so that blocks begin where those of the file do.
    """
    block = 16 if history.half_colour else 8
    left, top = corner[0] % block, corner[1] % block
    height, width = display.shape[:2]
    pad = ((top, -(top + height) % block), (left, -(left + width) % block), (0, 0))
    whole = np.pad(display, pad, mode="edge")
    back = cv2.imdecode(np.frombuffer(jpeg_bytes(whole, history), np.uint8), cv2.IMREAD_COLOR)
    assert back is not None, whole.shape
    return np.asarray(back[top : top + height, left : left + width, ::-1])


def jpeg_bytes(frame: np.ndarray, history: JpegHistory) -> bytes:
    """A picture ``(H, W, 3)`` uint8 RGB as a JPEG with the quality and the colour resolution of another file."""
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if history.half_colour else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    options = [cv2.IMWRITE_JPEG_QUALITY, history.quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(frame[..., ::-1]), options)
    assert done, frame.shape
    return data.tobytes()


def fit_steps(without: Sequence[str]) -> FitSteps:
    """All steps of the fitting but some. Raises: InputError for an unknown name."""
    unknown = [name for name in without if name not in FitSteps.__dataclass_fields__]
    if unknown:
        raise InputError("step of the fitting", unknown[0], "one of " + ", ".join(FitSteps.__dataclass_fields__))
    return FitSteps(**dict.fromkeys(without, False))

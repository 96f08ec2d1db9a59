"""The nearest training clip of a generated clip in pixels, tolerant of crops, shifts in time and mirroring.

The search has two steps. The coarse step compares thumbnails of every training clip, in a stream, and keeps the few
nearest. The fine step slides the generated picture over those at many scales and finds the one place that fits all
frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce

import cv2
import numpy as np

from worldgen.core.errors import InputError
from worldgen.evaluation.distances.features import ClipItem

COARSE, HALF, FINE = (32, 18), (48, 27), (96, 54)
"""Width and height of the compared pictures: in the coarse step, and in the fine step at half and at full size."""
COARSE_FRAMES, ROUGH_FRAMES, FINE_FRAMES = 4, 3, 5
LEAST_SHARED = 0.5
"""Share of the compared frames that must lie inside the training clip at a shift in time."""
DETAIL_PX = 4.0
"""Standard deviation, in fine pixels, of the blur that is subtracted: road scenes share their coarse shading, not
details."""
COARSE_DETAIL_PX = 4.0
"""The same in the coarse step, in coarse pixels: only the widest shading is subtracted, so positions need not be
exact."""
COARSE_CROPS = ((1.0, 1), (0.9, 2), (0.82, 3), (0.73, 3))
"""Scale of a crop and positions per side: the parts of the training picture that a generated one may show."""
FINE_SCALES = tuple(float(s) for s in np.linspace(0.64, 1.0, 13))
ROUGH_SCALES = (0.68, 0.76, 0.84, 0.92, 1.0)
FINE_SHIFTS = 2
"""Frames before and after the best rough shift that are tried at full size."""
FINALISTS = 2
"""Training clips that are compared at full size."""
BLOCK = 64
"""Training clips compared at once."""


@dataclass(frozen=True, eq=False)
class ThumbnailClip:
    """A clip reduced for the search. grey: ``(T, 54, 96)`` uint8."""

    key: str
    drive: str
    grey: np.ndarray

    @classmethod
    def of(cls, item: ClipItem) -> ThumbnailClip:
        """The clip in grey at full search size."""
        grey = [
            cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), FINE, interpolation=cv2.INTER_AREA)
            for f in item.clip.frames
        ]
        return cls(item.key, item.drive, np.stack(grey))


@dataclass(frozen=True)
class NearestClip:
    """The training clip that a clip resembles most. score: mean correlation of details over frames, -1 to 1.

    shift: training frame that matches the clip's frame 0. scale, x, y: the part of the training picture that the clip
    shows, its width and its upper left corner as shares of width and height. mirrored: left and right exchanged.
    """

    key: str
    score: float
    shift: int
    scale: float
    x: float
    y: float
    mirrored: bool

    def to_json(self) -> dict:
        return {
            "training_key": self.key, "score": round(self.score, 4), "shift_frames": self.shift,
            "scale": round(self.scale, 3), "corner": [round(self.x, 3), round(self.y, 3)], "mirrored": self.mirrored,
        }  # fmt: skip


@dataclass(eq=False)
class _Query:
    """A clip that is searched for: its patterns, and the nearest training clips so far, best first."""

    small: ThumbnailClip
    patterns: np.ndarray
    keep: int
    found: list[tuple[float, ThumbnailClip, bool]] = field(default_factory=list)

    def add(self, score: float, small: ThumbnailClip, mirrored: bool) -> None:
        if len(self.found) == self.keep and score <= self.found[-1][0]:
            return
        self.found.append((score, small, mirrored))
        self.found.sort(key=lambda entry: -entry[0])
        del self.found[self.keep :]


def nearest(
    queries: list[ThumbnailClip], training: Iterable[ClipItem], *, keep: int = 10, apart: bool = False
) -> list[NearestClip]:
    """For each query the training clip that it resembles most. The training set is read once, a block at a time.

    keep: training clips that reach the fine step. apart: leave out training clips of the query's own drive, for
    calibration inside one set.

    Raises: InputError when there is nothing to compare with.
    """
    if not queries:
        raise InputError("clips to search for", 0, "at least one")
    crops = _crops()
    searches = [_Query(query, _patterns(query, crops), keep) for query in queries]
    block: list[ThumbnailClip] = []
    seen = 0
    for item in training:
        block.append(ThumbnailClip.of(item))
        seen += 1
        if len(block) == BLOCK:
            _search(block, searches, crops, apart=apart)
            block = []
    if block:
        _search(block, searches, crops, apart=apart)
    if not seen:
        raise InputError("training clips", seen, "at least one")
    matches = []
    for search in searches:
        if not search.found:
            raise InputError(f"training clips for {search.small.key}", "none of another drive", "at least one")
        matches.append(_finest(search))
    return matches


def _finest(search: _Query) -> NearestClip:
    """The best match among the clips that the coarse step kept; the best ones at half size are compared at full
    size."""
    rough = [(rough_match(search.small, found, mirrored=side), found, side) for _, found, side in search.found]
    rough.sort(key=lambda entry: -entry[0][0])
    fine = [fine_match(search.small, found, mirrored=side, near=shift) for (_, shift), found, side in rough[:FINALISTS]]
    return max(fine, key=lambda match: match.score)


def rough_match(query: ThumbnailClip, training: ThumbnailClip, *, mirrored: bool = False) -> tuple[float, int]:
    """Score and shift in time of a clip over one training clip at half the size: all shifts, few frames and scales.

    Objects grow as the camera comes nearer, so a shift in time looks like a crop; only trying all of both separates
    them.
    """
    grey = query.grey[:, :, ::-1] if mirrored else query.grey
    half = [
        np.stack([cv2.resize(g, HALF, interpolation=cv2.INTER_AREA) for g in each]) for each in (grey, training.grey)
    ]
    score, shift, *_ = _slide(half[0], half[1], ROUGH_SCALES, range(1 - len(grey), len(training.grey), 2))
    return score, shift


def fine_match(
    query: ThumbnailClip, training: ThumbnailClip, *, mirrored: bool = False, near: int | None = None
) -> NearestClip:
    """The best place, scale and shift in time of a clip over one training clip, at shifts near ``near``.

    near: by default the shift that :func:`rough_match` finds.
    """
    near = rough_match(query, training, mirrored=mirrored)[1] if near is None else near
    grey = query.grey[:, :, ::-1] if mirrored else query.grey
    shifts = range(near - FINE_SHIFTS, near + FINE_SHIFTS + 1)
    score, shift, scale, x, y = _slide(grey, training.grey, FINE_SCALES, shifts)
    return NearestClip(training.key, score, shift, scale, x, y, mirrored)


def _slide(
    query: np.ndarray, training: np.ndarray, scales: tuple[float, ...], shifts: range
) -> tuple[float, int, float, float, float]:
    """Best mean correlation over frames, and its shift, scale and corner (shares of width and height)."""
    size = training.shape[2], training.shape[1]
    frames = _compared_frames(len(query), FINE_FRAMES if size == FINE else ROUGH_FRAMES)
    sigma_px = DETAIL_PX * size[0] / FINE[0]
    pairs = {s: [(i, f + s) for i, f in enumerate(frames) if 0 <= f + s < len(training)] for s in shifts}
    pairs = {s: shared for s, shared in pairs.items() if len(shared) >= LEAST_SHARED * len(frames)}
    views = {t: _detail(training[t], sigma_px) for t in {t for shared in pairs.values() for _, t in shared}}
    best = (-1.0, 0, 1.0, 0.0, 0.0)
    for scale in scales:
        part = max(6, round(size[0] * scale)), max(4, round(size[1] * scale))
        templates = [_detail(cv2.resize(query[f], part, interpolation=cv2.INTER_AREA), sigma_px) for f in frames]
        fits = {pair: _fit(templates[pair[0]], views[pair[1]]) for pair in {p for each in pairs.values() for p in each}}
        for shift, shared in pairs.items():
            mean = reduce(np.add, (fits[pair] for pair in shared)) / len(shared)
            y, x = np.unravel_index(int(mean.argmax()), mean.shape)
            if mean[y, x] > best[0]:
                best = (float(mean[y, x]), shift, scale, float(x) / size[0], float(y) / size[1])
    return best


def _fit(template: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Correlation of a part of a clip's frame with a training frame at every position."""
    fit = cv2.matchTemplate(view, template, cv2.TM_CCOEFF_NORMED)
    # A flat template has no details to compare; OpenCV returns a perfect fit for it.
    return np.zeros_like(fit) if float(template.std()) < 1e-3 else np.nan_to_num(np.clip(fit, -1, 1))


def _detail(grey: np.ndarray, sigma_px: float = DETAIL_PX) -> np.ndarray:
    """A picture minus its blurred version, float32."""
    picture = grey.astype(np.float32)
    return picture - cv2.GaussianBlur(picture, (0, 0), sigma_px)


def _compared_frames(count: int, wanted: int) -> list[int]:
    """Frames spread evenly over a clip."""
    return sorted({min(count - 1, int((i + 0.5) * count / wanted)) for i in range(wanted)})


def _crops() -> list[tuple[int, int, int, int]]:
    """The windows of the coarse picture that a generated picture may fill: x, y, width, height."""
    crops = []
    for scale, places in COARSE_CROPS:
        width, height = round(COARSE[0] * scale), round(COARSE[1] * scale)
        corners = np.linspace(0, 1, places) if places > 1 else np.array([0.5])
        crops += [
            (round((COARSE[0] - width) * u), round((COARSE[1] - height) * v), width, height)
            for u in corners
            for v in corners
        ]
    return crops


def _patterns(query: ThumbnailClip, crops: list[tuple[int, int, int, int]]) -> np.ndarray:
    """The query's frames in each window, as unit vectors ``(2, crops, frames, pixels)``; row 1 is mirrored."""
    frames = _compared_frames(len(query.grey), COARSE_FRAMES)
    patterns = np.zeros((2, len(crops), len(frames), COARSE[1], COARSE[0]), np.float32)
    for number, (x, y, width, height) in enumerate(crops):
        for i, f in enumerate(frames):
            small = _detail(cv2.resize(query.grey[f], (width, height), interpolation=cv2.INTER_AREA), COARSE_DETAIL_PX)
            small -= small.mean()
            small /= max(float(np.linalg.norm(small)), 1e-6)
            patterns[0, number, i, y : y + height, x : x + width] = small
            patterns[1, number, i, y : y + height, x : x + width] = small[:, ::-1]
    return patterns.reshape(2, len(crops), len(frames), -1)


def _search(
    block: list[ThumbnailClip], searches: list[_Query], crops: list[tuple[int, int, int, int]], *, apart: bool
) -> None:
    """Compare every query with every clip of a block in the coarse step."""
    thumbnails = [
        np.stack([_detail(cv2.resize(g, COARSE, interpolation=cv2.INTER_AREA), COARSE_DETAIL_PX) for g in small.grey])
        for small in block
    ]
    ends = np.cumsum([0, *(len(t) for t in thumbnails)])
    pixels = np.concatenate(thumbnails)  # (sum of T, 18, 32)
    spreads = np.stack([_spread(pixels[:, y : y + h, x : x + w]) for x, y, w, h in crops])  # (crops, sum of T)
    flat = pixels.reshape(len(pixels), -1)
    for search in searches:
        query, pattern = search.small, search.patterns
        frames = np.array(_compared_frames(len(query.grey), COARSE_FRAMES))
        fits = (pattern.reshape(-1, flat.shape[1]) @ flat.T).reshape(*pattern.shape[:3], -1) / spreads[None, :, None]
        for number, small in enumerate(block):
            if apart and small.drive == query.drive:
                continue
            part = fits[..., ends[number] : ends[number + 1]]  # (2, crops, frames, T)
            scores = _over_shifts(part, frames)  # (2,)
            side = int(scores[1] > scores[0])
            search.add(float(scores[side]), small, bool(side))


def _spread(windows: np.ndarray) -> np.ndarray:
    """Norm of each window about its mean, never zero."""
    rows = windows.reshape(len(windows), -1)
    return np.maximum(rows.std(1) * np.sqrt(rows.shape[1]), 1.0)


def _over_shifts(fits: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Best mean over frames for any shift in time and crop: ``(2, crops, frames, T)`` to ``(2,)``."""
    length = fits.shape[-1]
    shifts = np.arange(-int(frames[-1]), length)
    times = frames[:, None] + shifts  # (frames, shifts): the training frame beside each frame at each shift
    inside = (times >= 0) & (times < length)
    picked = np.take_along_axis(fits, np.clip(times, 0, length - 1)[None, None], -1) * inside
    count = inside.sum(0)
    mean = np.where(count >= max(1, LEAST_SHARED * len(frames)), picked.sum(2) / np.maximum(count, 1), -1.0)
    return mean.max((1, 2))

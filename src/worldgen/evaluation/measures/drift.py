"""Drift of a long rollout: the measures as functions of time, and the frame at which each leaves its band."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from worldgen.evaluation.distances.frechet import Moments, frechet_distance
from worldgen.evaluation.measures.attributes_score import Judgement, judge, share_interval
from worldgen.evaluation.measures.cases import Case
from worldgen.evaluation.measures.intervals import Interval, mean_interval, ratio_interval
from worldgen.instruments.attributes.attribute_reader import AttributeReader
from worldgen.instruments.motion.motion_reader import MotionReader
from worldgen.rendering.render import render_scene

FRECHET_GROWTH = 1.3
"""Largest ratio of the Fréchet distance to rendered frames of the same scenes to that of the first window."""
READ_EVERY = 3
"""Every so many frames one is read for attributes and features."""
MIN_BAND = {"attribute": 0.02, "speed_ratio": 0.02, "sharpness_ratio": 0.05, "brightness_shift": 0.02}
"""Least margin of a band on either side: a run has too few clips to show the whole range of rendered clips."""


@dataclass(frozen=True, eq=False)
class Span:
    """What was read from one clip in one window of time.

    speed: sums of recovered and commanded speed over frames. errors: mean absolute error of speed (m/s) and yaw rate
    (rad/s). judgement: of the frames read. sharpness, brightness: means over these frames. features: ``(N, D)``.
    """

    speed: tuple[float, float]
    errors: tuple[float, float]
    judgement: Judgement
    sharpness: float
    brightness: float
    features: np.ndarray


def spans(case: Case, window: int, motion: MotionReader, attributes: AttributeReader) -> list[Span]:
    """The windows of a clip, each of ``window`` frames, without the context frames."""
    assert case.ego is not None and case.camera is not None, case.key
    recovered = motion.read(case.clip, case.camera)
    out = []
    for start in range(0, len(case.clip) - window + 1, window):
        begin, stop = max(start, case.first, 1), start + window
        frames = list(range(max(begin, start + 1), stop - 1, READ_EVERY))
        commanded, read = case.ego[begin:stop], recovered[begin:stop]
        pictures = case.clip.frames[frames]
        out.append(
            Span(
                (float(read.speed_mps.sum()), float(commanded.speed_mps.sum())),
                (
                    float(np.abs(read.speed_mps - commanded.speed_mps).mean()),
                    float(np.abs(read.yaw_rate_radps - commanded.yaw_rate_radps).mean()),
                ),
                judge(attributes.read(case.clip, frames), case.truth(frames)),
                float(np.mean([sharpness(p) for p in pictures])),
                float(pictures.mean() / 255),
                attributes.features(case.clip, frames),
            )
        )
    return out


def sharpness(picture: np.ndarray) -> float:
    """Mean absolute Laplacian of a picture ``(H, W, 3)`` uint8, which blur lowers first."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean())


def window_rows(
    generated: list[list[Span]],
    rendered: list[list[Span]],
    judged: tuple[str, ...],
    *,
    real: Moments | None = None,
    seed: int = 0,
) -> list[dict[str, Interval]]:
    """For each window, each measure with its interval over clips.

    generated, rendered: spans of each clip, of the same scenes; ``rendered`` twice gives the band. ``frechet`` is the
    distance to the rendered frames of the same scenes and time, ``frechet_real`` to the real frames in ``real``.
    """
    out = []
    for k in range(min(len(spans) for spans in generated)):
        now = [spans[k] for spans in generated]
        same = [spans[k] for spans in rendered]
        row = {f"{name}_right": share_interval([s.judgement for s in now], name, seed=seed) for name in judged}
        row["speed_ratio"] = ratio_interval([s.speed[0] for s in now], [s.speed[1] for s in now])
        row["speed_error_mps"] = mean_interval([s.errors[0] for s in now])
        row["yaw_rate_error_radps"] = mean_interval([s.errors[1] for s in now])
        row["sharpness_ratio"] = mean_interval(
            [a.sharpness / max(b.sharpness, 1e-6) for a, b in zip(now, same, strict=True)]
        )
        row["brightness_shift"] = mean_interval(
            [abs(a.brightness - b.brightness) for a, b in zip(now, same, strict=True)]
        )
        moments = Moments.of(np.concatenate([s.features for s in now]))
        others = {"frechet": Moments.of(np.concatenate([s.features for s in same]))}
        others |= {} if real is None else {"frechet_real": real}
        for name, other in others.items():
            row[name] = Interval(float(frechet_distance(moments, other)), math.nan, math.nan, len(now))
        out.append(row)
    return out


def growth(rows: list[dict[str, Interval]], window: int) -> dict[str, dict[str, float]]:
    """Each Fréchet distance of the last window over that of the first two: measure -> first frame of the window ->
    ratio.

    The first window of a clip with context frames is nearer to them than any later one; the second window shows what
    the model keeps without them.
    """
    out: dict[str, dict[str, float]] = {}
    for name in (n for n in rows[0] if n.startswith("frechet")):
        early = {str(k * window): rows[k][name].value for k in (0, 1)}
        out[name] = {frame: round(rows[-1][name].value / value, 4) for frame, value in early.items() if value > 0}
    return out


def growth_line(grown: dict[str, dict[str, float]]) -> str:
    """The result of :func:`growth` in one sentence."""
    kinds = {"frechet": "to rendered frames of the same scenes", "frechet_real": "to real frames"}
    parts = [
        f"{kinds[name]} {ratio:.2f} times that from frame {frame}"
        for name, row in grown.items()
        for frame, ratio in row.items()
    ]
    return "Fréchet distance of the last window: " + ", ".join(parts)


def real_moments(cases: Iterable[Case], attributes: AttributeReader) -> Moments:
    """Moments of the features of real clips."""
    total: Moments | None = None
    for case in cases:
        features = attributes.features(case.clip, list(range(1, len(case.clip) - 1, READ_EVERY)))
        total = Moments.of(features) if total is None else total.update(features)
    assert total is not None, "a data set has clips"
    return total


def rendered_case(case: Case) -> Case:
    """The case with the rendered clip of its scene."""
    assert case.scene is not None, case.key
    return replace(case, clip=render_scene(case.scene).clip)


def bands(rendered: list[dict[str, Interval]], generated: list[dict[str, Interval]]) -> dict[str, tuple[float, float]]:
    """Measure -> low and high end of its band: the range of the rendered clips' intervals over all windows.

    The band of a Fréchet distance ends at ``FRECHET_GROWTH`` times the distance of the first generated window.
    """
    out = {}
    for name in rendered[0]:
        if name.startswith("frechet"):
            out[name] = (0.0, FRECHET_GROWTH * generated[0][name].value)
            continue
        ends = np.array([(r[name].value, r[name].low, r[name].high) for r in rendered], float)
        if not np.isfinite(ends[:, 0]).any():
            continue  # the attribute appears in none of the clips
        margin = MIN_BAND.get("attribute" if name.endswith("_right") else name, 0.0)
        low, high = float(np.nanmin(ends)) - margin, float(np.nanmax(ends)) + margin
        if name.endswith("_right"):
            high = 1.0
        if "error" in name or name == "brightness_shift":
            low = 0.0
        out[name] = (low, high)
    return out


def leaves(rows: list[dict[str, Interval]], band: dict[str, tuple[float, float]], window: int) -> dict[str, int | None]:
    """Measure -> first frame of the window where it leaves its band, for two windows in a row or at the end.

    None: it stays inside. Windows without a value (the attribute does not appear) are skipped.
    """
    out: dict[str, int | None] = {}
    for name, (low, high) in band.items():
        values = [(k, row[name].value) for k, row in enumerate(rows) if math.isfinite(row[name].value)]
        outside = [(k, not low <= value <= high) for k, value in values]
        out[name] = None
        for place, (k, bad) in enumerate(outside):
            if bad and (place + 1 == len(outside) or outside[place + 1][1]):
                out[name] = k * window
                break
    return out

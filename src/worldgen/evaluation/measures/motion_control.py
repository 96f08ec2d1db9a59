"""Whether a clip moves as commanded: commanded against recovered ego motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from worldgen.core.ego import EgoMotion, planar_poses
from worldgen.core.manoeuvres import MANOEUVRES, classify_manoeuvre
from worldgen.evaluation.measures.intervals import (
    Interval,
    bootstrap,
    mean_interval,
    ratio_interval,
    shuffled,
    spearman,
    spearman_interval,
)

HORIZON_S = 2.0
TURNING_RADPS = 0.03
"""Yaw rate above which a car turns; below, the order of rows is noise of the instrument."""
STRAIGHT_RADPS = 0.02
"""Smaller yaw rates, commanded or recovered, rank as equal: half of all rows are commanded to go straight, and the
order among them is noise."""
SHUFFLES = 6
SHUFFLED_RESAMPLES = 100
MIN_CONTROL_CLIPS = 3


@dataclass(frozen=True, eq=False)
class MotionPair:
    """One clip: commanded and recovered motion, and its first generated frame, whose row counts."""

    commanded: EgoMotion
    recovered: EgoMotion
    first: int = 1

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Commanded and recovered ``(N, 2)`` speed_mps, yaw_rate_radps of the rows that count."""
        start = max(1, self.first)  # no pair of frames shows row 0
        commanded, recovered = (np.stack([e.speed_mps, e.yaw_rate_radps], 1) for e in (self.commanded, self.recovered))
        return commanded[start:], recovered[start:]

    def errors(self) -> tuple[float, float]:
        """Distance (m) and heading (rad) between the two paths ``HORIZON_S`` after the last context frame.

        NaN when the clip is shorter.
        """
        start = max(1, self.first)
        stop = start + round(HORIZON_S * self.commanded.fps)
        if stop > len(self.commanded):
            return float("nan"), float("nan")
        # Row 0 of a motion arrives at its frame, so the span begins one row earlier.
        ends = [planar_poses(e[start - 1 : stop])[-1] for e in (self.commanded, self.recovered)]
        return float(np.hypot(*(ends[1] - ends[0])[:2])), float(abs(ends[1][2] - ends[0][2]))


def control_rows(drives: list[MotionPair], *, seed: int = 0) -> dict[str, Interval]:
    """Every number of the measure with its interval over clips, the controls last.

    ``*_spearman``: rank correlation over frames, of all rows (yaw rates under ``STRAIGHT_RADPS`` count as equal), and
    for the yaw rate also of the rows where the car is commanded to turn. ``*_ratio``: recovered over commanded, of path
    length and of signed turning. ``*_error``: after ``HORIZON_S``. ``shuffled_*``: the recovered motion against the
    commands of other clips, mean of several pairings; it must be about 0.
    """
    pairs = [drive.rows() for drive in drives]
    commanded, recovered = [p[0] for p in pairs], [p[1] for p in pairs]
    turning = [np.abs(rows[:, 1]) >= TURNING_RADPS for rows in commanded]
    errors = np.array([drive.errors() for drive in drives]).reshape(-1, 2)
    sign = [np.sign(rows[:, 1]) for rows in commanded]
    return {
        "speed_spearman": spearman_interval([c[:, 0] for c in commanded], [r[:, 0] for r in recovered], seed=seed),
        "yaw_rate_spearman": spearman_interval(
            [settled(c)[:, 1] for c in commanded], [settled(r)[:, 1] for r in recovered], seed=seed
        ),
        "yaw_rate_spearman_turning": spearman_interval(
            [c[m, 1] for c, m in zip(commanded, turning, strict=True)],
            [r[m, 1] for r, m in zip(recovered, turning, strict=True)],
            seed=seed,
        ),
        "speed_ratio": ratio_interval([r[:, 0].sum() for r in recovered], [c[:, 0].sum() for c in commanded]),
        "yaw_rate_ratio": ratio_interval(
            [(r[m, 1] * s[m]).sum() for r, s, m in zip(recovered, sign, turning, strict=True)],
            [np.abs(c[m, 1]).sum() for c, m in zip(commanded, turning, strict=True)],
        ),
        "position_error_2s_m": mean_interval(errors[:, 0]),
        "heading_error_2s_rad": mean_interval(errors[:, 1]),
        **shuffled_rows(drives, seed=seed),
    }


def shuffled_rows(drives: list[MotionPair], *, seed: int = 0) -> dict[str, Interval]:
    """The control that must fail: recovered motion paired with other clips' commands; {} for fewer than 3 clips."""
    count = len(drives)
    if count < MIN_CONTROL_CLIPS:
        return {}
    commanded, recovered = zip(*(drive.rows() for drive in drives), strict=True)
    length = min(len(rows) for rows in commanded)
    partners = [shuffled(count, seed=seed + k) for k in range(SHUFFLES)]
    out = {}
    for name, column in (("speed", 0), ("yaw_rate", 1)):
        x = np.array([settled(rows)[:length, column] for rows in commanded])
        y = np.array([settled(rows)[:length, column] for rows in recovered])

        def statistic(index: np.ndarray, x: np.ndarray = x, y: np.ndarray = y) -> float:
            values = [spearman(x[p[index]].ravel(), y[index].ravel()) for p in partners]
            return float(np.mean(values))

        out[f"shuffled_{name}_spearman"] = bootstrap(
            count, statistic, seed=seed, resamples=SHUFFLED_RESAMPLES, bounds=(-1.0, 1.0)
        )
    swapped = [MotionPair(drives[partners[0][i]].commanded, drives[i].recovered, drives[i].first) for i in range(count)]
    if len({len(d.commanded) for d in drives}) == 1:
        errors = np.array([drive.errors() for drive in swapped])
        out["shuffled_position_error_2s_m"] = mean_interval(errors[:, 0])
    return out


def settled(rows: np.ndarray) -> np.ndarray:
    """Rows ``(N, 2)`` speed_mps, yaw_rate_radps with yaw rates of a straight drive set to 0."""
    out = rows.copy()
    out[np.abs(rows[:, 1]) < STRAIGHT_RADPS, 1] = 0.0
    return out


def slices(drives: list[MotionPair], words: list[str], *, seed: int = 0) -> dict[str, dict[str, Interval]]:
    """The numbers of each group of clips with the same word, such as the weather; fewer than 2 clips have none."""
    out = {}
    for word in sorted(set(words)):
        some = [drive for drive, own in zip(drives, words, strict=True) if own == word]
        rows = control_rows(some, seed=seed) if len(some) >= 2 else {}
        out[word] = {name: value for name, value in rows.items() if not name.startswith("shuffled")}
    return out


def sweep_rows(names: list[str], drives: list[MotionPair]) -> list[dict[str, Any]]:
    """Manoeuvres commanded from the same start: commanded and recovered pose and speed at the end of each drive."""
    out: list[dict[str, Any]] = []
    for name, drive in zip(names, drives, strict=True):
        assert name in MANOEUVRES, name
        start = max(1, drive.first) - 1
        row: dict[str, Any] = {"manoeuvre": name, "classified": classify_manoeuvre(drive.recovered[start:])}
        for who, ego in (("commanded", drive.commanded), ("recovered", drive.recovered)):
            x, y, yaw = planar_poses(ego[start:])[-1]
            row[who] = {"x_m": round(float(x), 2), "y_m": round(float(y), 2), "yaw_rad": round(float(yaw), 3)}
            row[who]["speed_mps"] = round(float(ego.speed_mps[-3:].mean()), 2)
        out.append(row)
    return out

"""Motion that no car can make: jumps of positions, accelerations beyond the grip of tyres, spins on the spot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from worldgen.core.ego import MAX_SPEED_MPS, MAX_YAW_RATE_RADPS
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.log_motion import LogMotion, Spans

MAX_LATERAL_MPS2 = 12.0
"""Tyres of road cars give at most 1.0 to 1.2 g on dry asphalt."""
MAX_LONGITUDINAL_MPS2 = 15.0
"""Braking gives at most 1.2 g; the rest is for the noise of a speed read from GPS."""
BASELINE_S = 0.5
"""Accelerations are means over this time, so that the noise of single rows is none."""
MAX_SHARE = 0.2
"""A log with more impossible motion than this has a wrong unit or wrong axes, and is refused."""
MAX_LISTED = 3


def without_impossible(motion: LogMotion, name: str, row_names: list[str], *, keep: bool = False) -> LogMotion:
    """The motion with spans that no car can drive marked as unknown, and notes with their rows.

    Args:
        motion: the motion.
        name: file name of the log, for messages.
        row_names: name of the row of each of ``motion.times_s``.
        keep: use accelerations beyond the grip of tyres; a note says how many there are.

    Raises:
        InputError: impossible motion in more than ``MAX_SHARE`` of the log.
    """
    worst, grip = _faults(motion)
    if keep and (kept := sum(map(bool, grip))):
        kept_note = f"{kept} steps with accelerations beyond the grip of tyres are used (ego.impossible: keep)"
        motion = replace(motion, notes=(*motion.notes, kept_note))
    elif not keep:
        worst = [limit or beyond for limit, beyond in zip(worst, grip, strict=True)]
    bad = np.array([bool(text) for text in worst])
    if not bad.any():
        return motion
    seconds = np.diff(motion.times_s)
    known = _known(motion)
    share = seconds[bad].sum() / max(seconds[known].sum(), 1e-9)
    rows = np.flatnonzero(bad)
    if share > MAX_SHARE:
        first = int(rows[0])
        raise InputError(
            f"ego log {name}, {row_names[first + 1]}",
            Received(f"{worst[first]}, and {100 * share:.0f} % of the log is like it"),
            f"speed up to {MAX_SPEED_MPS:g} m/s, yaw rate up to {MAX_YAW_RATE_RADPS:g} rad/s, acceleration up to "
            f"{MAX_LATERAL_MPS2:g} m/s^2: are the units and ego.axes right, or did positions jump? (ego.impossible: "
            "keep for a simulator without slip)",
        )
    spans: list[tuple[float, float]] = []
    notes = []
    for row in rows:
        start_s, stop_s = float(motion.times_s[row]), float(motion.times_s[row + 1])
        if spans and start_s <= spans[-1][1] + 1e-9:
            spans[-1] = (spans[-1][0], stop_s)
            continue
        spans.append((start_s, stop_s))
        notes.append(f"{row_names[row + 1]}: {worst[row]}, not used")
    if len(notes) > MAX_LISTED:
        notes = [*notes[:MAX_LISTED], f"{len(notes) - MAX_LISTED} more spans of impossible motion, not used"]
    return replace(motion, impossible=tuple(spans), notes=(*motion.notes, *notes))


def _known(motion: LogMotion) -> np.ndarray:
    """Whether each step between rows ``(M - 1,)`` is no gap."""
    start_s = motion.times_s[:-1]
    known = np.ones(len(start_s), bool)
    for gap_start_s, gap_stop_s in motion.row_gaps:
        known &= ~((start_s >= gap_start_s - 1e-9) & (start_s < gap_stop_s - 1e-9))
    return known


def _faults(motion: LogMotion) -> tuple[list[str], list[str]]:
    """For each step between rows, what is beyond the limits of ego motion, and what is beyond the grip of tyres, in
    words, or ""."""
    speed, yaw_rate = motion.step_rates()
    known = _known(motion)
    times_s, seconds = motion.times_s, np.diff(motion.times_s)
    centre_s = (times_s[1:] + times_s[:-1]) / 2
    limits, grip = [""] * len(seconds), [""] * len(seconds)
    mean_speed = _means(times_s, speed * known, known, centre_s, BASELINE_S)
    mean_rate = _means(times_s, yaw_rate * known, known, centre_s, BASELINE_S)
    before = _means(times_s, speed * known, known, centre_s - BASELINE_S, BASELINE_S)
    after = _means(times_s, speed * known, known, centre_s + BASELINE_S, BASELINE_S)
    change = (after - before) / np.maximum(2 * BASELINE_S, seconds)
    lateral = mean_speed * mean_rate
    too_fast, too_quick = np.abs(speed) > MAX_SPEED_MPS, np.abs(mean_rate) > MAX_YAW_RATE_RADPS
    slides, leaps = np.abs(lateral) > MAX_LATERAL_MPS2, np.abs(change) > MAX_LONGITUDINAL_MPS2
    for i in np.flatnonzero(known & (too_fast | too_quick | slides | leaps)):
        if too_fast[i]:
            limits[i] = f"a step of {abs(speed[i]):.4g} m/s"
        elif too_quick[i]:
            limits[i] = f"a yaw rate of {mean_rate[i]:.3g} rad/s"
        elif slides[i]:
            grip[i] = (
                f"a lateral acceleration of {abs(lateral[i]):.3g} m/s^2 ({mean_speed[i]:.3g} m/s at "
                f"{mean_rate[i]:.3g} rad/s), which tyres cannot give"
            )
        else:
            grip[i] = f"a speed that changes by {change[i]:.3g} m/s in a second"
    return limits, grip


def _means(times_s: np.ndarray, steps: np.ndarray, known: np.ndarray, at_s: np.ndarray, window_s: float) -> np.ndarray:
    """Means ``(Q,)`` over a window around ``at_s`` of rates that are constant between rows, without unknown steps.

    steps: ``(M - 1,)``, 0 where they are unknown.
    """
    seconds = np.diff(times_s)
    total = np.concatenate([[0.0], np.cumsum(steps * seconds)])
    time = np.concatenate([[0.0], np.cumsum(known * seconds)])
    low, high = at_s - window_s / 2, at_s + window_s / 2
    spent = np.interp(high, times_s, time) - np.interp(low, times_s, time)
    value = np.interp(high, times_s, total) - np.interp(low, times_s, total)
    own = np.interp(at_s, (times_s[1:] + times_s[:-1]) / 2, steps)
    return np.where(spent > window_s / 4, value / np.maximum(spent, 1e-9), own)


def row_gaps(times_s: np.ndarray, max_gap_s: float) -> Spans:
    """(start, stop) of steps between times ``(M,)`` that are longer than ``max_gap_s``."""
    wide = np.flatnonzero(np.diff(times_s) > max_gap_s)
    return tuple((float(times_s[i]), float(times_s[i + 1])) for i in wide)


JUMP_M = 3.0
JUMP_MPS2 = 8.0
"""A step is a jump when it is longer than the speed of its neighbours gives, by ``JUMP_M`` and what an acceleration of
``JUMP_MPS2`` adds in its time."""
HOLD_SHARE = 0.5
"""A table that repeats its positions in more than this share of its steps was written more often than they changed."""
NOISY_STEPS = 10
"""A jump is also longer than this many times the median excess, so that positions that are all noisy are kept."""
NEIGHBOURS = 5


def position_jumps(times_s: np.ndarray, position_m: np.ndarray) -> tuple[np.ndarray, Spans]:
    """Rows ``(M,)`` bool whose position jumps away and back, and (start, stop) of steps over which positions jump.

    position_m: ``(M, 2)``. A GPS receiver that reflects off a house does the first, one that finds its position again
    does the second.
    """
    outliers = np.zeros(len(times_s), bool)
    if len(times_s) < 4:
        return outliers, ()
    seconds = np.diff(times_s)
    speed = np.hypot(*np.diff(position_m, axis=0).T) / seconds
    padded = np.pad(speed, NEIGHBOURS, mode="reflect" if len(speed) > NEIGHBOURS else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)
    excess_m = (speed - np.median(windows, axis=1)) * seconds
    jumps = excess_m > np.maximum(JUMP_M + JUMP_MPS2 * seconds**2, NOISY_STEPS * np.median(np.abs(excess_m)))
    for row in range(1, len(times_s) - 1):
        if jumps[row - 1] and jumps[row] and not outliers[row - 1]:
            across_m = float(np.hypot(*(position_m[row + 1] - position_m[row - 1])))
            outliers[row] = across_m < (speed[row - 1] * seconds[row - 1] + speed[row] * seconds[row]) / 2
    stays = [i for i in np.flatnonzero(jumps) if not (outliers[i] or outliers[i + 1])]
    return outliers, tuple((float(times_s[i]), float(times_s[i + 1])) for i in stays)


def held_positions(times_s: np.ndarray, position_m: np.ndarray, max_gap_s: float) -> np.ndarray:
    """Rows ``(M,)`` bool that repeat the position of an earlier row although the car drives.

    A receiver gives a position a second, and the logger writes ten rows a second: nine rows say nothing, and the tenth
    looks like a jump. A car that stands repeats its position too: a run longer than ``max_gap_s`` is kept.
    """
    repeats = np.concatenate([[False], (np.diff(position_m, axis=0) == 0).all(1)])
    if len(repeats) < 4 or repeats[1:].mean() <= HOLD_SHARE:
        return np.zeros(len(times_s), bool)
    starts = np.flatnonzero(~repeats)
    ends = np.append(starts[1:], len(repeats)) - 1
    runs = ends - starts + 1
    if np.median(runs) < 2:
        return np.zeros(len(times_s), bool)
    long = times_s[ends] - times_s[starts] > max_gap_s
    return repeats & ~np.repeat(long, runs)

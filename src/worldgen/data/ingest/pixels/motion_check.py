"""Does the motion of a log fit the pixels? Sign of the yaw rate, unit of the speed, and clock.

What does not fit is named with the setting that would mend it. Nothing is changed.
"""

from __future__ import annotations

import numpy as np

from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.log_motion import LogMotion
from worldgen.data.ingest.pixels.pixel_motion import PixelMotion

WINDOW_S, STEP_S = 0.5, 0.1
"""Both motions are compared as means over this window, at times this far apart."""
MAX_SHIFT_S, SHIFT_S = 3.0, 0.3
"""Shifts of the clock that are tried, and the smallest that is named."""
MIN_OVERLAP_S, MIN_MOVING = 4.0, 30
TURNING_RADPS = 0.02
"""Standard deviation of yaw rates below which they hold no turn."""
SPEED_CHANGE = 0.1
"""Standard deviation of the speed, as a share of it, below which it is steady."""
CORRELATION, SHIFT_GAIN, LEAST_GAIN = 0.6, 2.0, 0.01
"""Correlation from which two motions are the same. What is left to a correlation of 1 must fall by the factor
``SHIFT_GAIN``, and by ``LEAST_GAIN``, for a shift to be believed."""
SHIFT_COST = 0.01
"""Loss of correlation that a shift of a second costs: a slalom also fits its mirror image half a period later."""
MOVING_MPS, USABLE_SHARE = 2.0, 0.6
"""Speeds are compared where pixels show at least this speed, with a deviation of at most this share."""
LEAST_SIGMA, WRONG_SIGMAS, WRONG_FACTOR = 0.1, 2.0, 1.5
"""A factor of speed is wrong from ``WRONG_SIGMAS`` deviations (at least ``LEAST_SIGMA``, relative), and above
``WRONG_FACTOR`` or below its inverse."""
UNIT_MISTAKES = (
    (3.6, "km/h read as m/s"), (2.237, "mph read as m/s"), (1.609, "km/h read as mph"), (0.6214, "mph read as km/h"),
    (0.447, "m/s read as mph"), (0.2778, "m/s read as km/h"),
)  # fmt: skip
"""Factor of a speed -> what was read as what."""
UNIT_SIGMAS, MOST_UNITS = 2.0, 3
"""Mistakes of units that are named: the nearest ``MOST_UNITS`` within ``UNIT_SIGMAS`` deviations of the factor."""


def motion_notes(log: LogMotion, pixels: PixelMotion, config: EgoLogConfig) -> list[str]:
    """What of a log does not fit the pixels, as sentences; none where all fits or nothing can be said.

    log: on the video's clock. pixels: of the same video. config: the settings that the log was read with.
    """
    if pixels.unknown:
        return [f"motion not compared with the pixels: {pixels.unknown}"]
    start_s = max(pixels.times_s[0], log.valid_s[0], log.times_s[0]) + WINDOW_S / 2
    stop_s = min(pixels.times_s[-1], log.valid_s[1], log.times_s[-1]) - WINDOW_S / 2
    if stop_s - start_s < MIN_OVERLAP_S:
        return []
    at_s = np.arange(start_s, stop_s, STEP_S)
    seen = [_means(pixels.times_s, values, at_s) for values in (pixels.speed_mps, pixels.yaw_rate_radps)]
    told = _log_means(log, at_s)
    notes = []
    shift_s, sign = _shift(log, at_s, seen, config)
    if sign < 0:
        notes.append(f"the log turns the other way than the pixels: {_sign_setting(log, config)}")
    if abs(shift_s) >= SHIFT_S:
        way = "early" if shift_s < 0 else "late"
        offset_s = round(config.clock_offset_s - shift_s, 2)
        notes.append(f"the log is {abs(shift_s):.1f} s {way} against the pixels: ego.clock_offset_s: {offset_s:g}")
        told = _log_means(log, np.clip(at_s + shift_s, log.times_s[0], log.times_s[-1]))
    return notes + _speed_note(log, seen[0], told[0], at_s, pixels)


def _means(times_s: np.ndarray, values: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """Means ``(Q,)`` of a piecewise linear series over ``WINDOW_S`` around each time."""
    steps = np.concatenate([[0.0], np.cumsum((values[1:] + values[:-1]) / 2 * np.diff(times_s))])
    ends = [np.clip(at_s + half, times_s[0], times_s[-1]) for half in (-WINDOW_S / 2, WINDOW_S / 2)]
    low, high = (np.interp(end, times_s, steps) for end in ends)
    return (high - low) / np.maximum(ends[1] - ends[0], 1e-9)


def _log_means(log: LogMotion, at_s: np.ndarray) -> list[np.ndarray]:
    """Means of speed and yaw rate of a log over ``WINDOW_S`` around each time, ``(Q,)`` each."""
    seconds = np.diff(log.times_s)
    out = []
    for rates in log.step_rates():
        ways = np.concatenate([[0.0], np.cumsum(rates * seconds)])
        ends = [np.clip(at_s + half, log.times_s[0], log.times_s[-1]) for half in (-WINDOW_S / 2, WINDOW_S / 2)]
        low, high = (np.interp(end, log.times_s, ways) for end in ends)
        out.append((high - low) / np.maximum(ends[1] - ends[0], 1e-9))
    return out


def _shift(log: LogMotion, at_s: np.ndarray, seen: list[np.ndarray], config: EgoLogConfig) -> tuple[float, int]:
    """Seconds by which events of the log come after those of the pixels, and -1 where it turns the other way.

    0 and 1 where the motion does not tell. Turns are sharper events than changes of speed, so they come first.
    """
    shifts = np.arange(-MAX_SHIFT_S, MAX_SHIFT_S + 1e-9, STEP_S)
    turns = [_correlation(seen[1], log, at_s, shift, number=1, least=TURNING_RADPS) for shift in shifts]
    assumed = config.assume_yaw_rate_radps is not None and log.yaw_rate_from.startswith("assumed")
    if not assumed and np.isfinite(turns).any():
        best, value = _best(shifts, np.array(turns))
        if abs(value) >= CORRELATION:
            return best, int(np.sign(value))
    change = SPEED_CHANGE * float(np.mean(seen[0]))
    speeds = [_correlation(seen[0], log, at_s, shift, number=0, least=max(change, 0.3)) for shift in shifts]
    if np.isfinite(speeds).any():
        best, value = _best(shifts, np.maximum(np.nan_to_num(speeds, nan=-1.0), 0.0))
        if value >= CORRELATION:
            return best, 1
    return 0.0, 1


def _best(shifts: np.ndarray, correlations: np.ndarray) -> tuple[float, float]:
    """The shift with the strongest correlation and the correlation; 0 s where a shift does not add enough."""
    found = np.nan_to_num(correlations)
    score = np.abs(found) - SHIFT_COST * np.abs(shifts)
    best, here = int(np.argmax(score)), int(np.argmin(np.abs(shifts)))
    edge = best in (0, len(shifts) - 1)
    if edge or 1 - score[here] < SHIFT_GAIN * (1 - score[best]) + LEAST_GAIN:
        best = here
    else:  # the cost pulls towards 0, so the peak itself is looked up beside it
        near = np.arange(best - 4, best + 5).clip(0, len(shifts) - 1)
        best = int(near[np.argmax(np.abs(found[near]))])
    return float(shifts[best]), float(found[best])


def _correlation(
    seen: np.ndarray, log: LogMotion, at_s: np.ndarray, shift_s: float, *, number: int, least: float
) -> float:
    """Correlation of a motion of the pixels with that of the log ``shift_s`` later, NaN where one is too steady.

    number: 0 speed, 1 yaw rate. least: standard deviation of the pixels' that tells something; the log may have been
    read with a wrong unit, so a fifth is enough there.
    """
    shifted = at_s + shift_s
    inside = (shifted > log.times_s[0] + WINDOW_S / 2) & (shifted < log.times_s[-1] - WINDOW_S / 2)
    inside &= log.covers(shifted)
    if inside.sum() * STEP_S < MIN_OVERLAP_S:
        return float("nan")
    one, other = seen[inside], _log_means(log, shifted[inside])[number]
    if one.std() < least or other.std() < least / 5:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def _sign_setting(log: LogMotion, config: EgoLogConfig) -> str:
    """The setting that turns the yaw rate of a log round."""
    if "steering" in log.yaw_rate_from:
        return f"ego.steering_positive: {'right' if config.steering_sign > 0 else 'left'}"
    if log.yaw_rate_from.startswith("column"):
        return f"ego.yaw_positive: {'right' if config.yaw_sign > 0 else 'left'}"
    return "ego.axes (airsim, carla, forward_right_down, ...)"


def _speed_note(log: LogMotion, seen: np.ndarray, told: np.ndarray, at_s: np.ndarray, pixels: PixelMotion) -> list[str]:
    """A note when the speed of the log is a factor away from that of the pixels."""
    sigma = np.interp(at_s, pixels.times_s, pixels.speed_sigma_mps)
    used = (seen > MOVING_MPS) & (sigma < USABLE_SHARE * seen) & (np.abs(told) > 0.2) & log.covers(at_s)
    if used.sum() < MIN_MOVING:
        return []
    ratios = np.log(np.abs(told[used]) / seen[used])
    middle = float(np.median(ratios))
    spread = 1.4826 * float(np.median(np.abs(ratios - middle)))
    # A drive holds few independent places: ten times a second tells little more than once.
    deviation = float(np.hypot(max(pixels.scale_sigma, LEAST_SIGMA), spread / np.sqrt(max(1.0, used.sum() * STEP_S))))
    if abs(middle) < max(WRONG_SIGMAS * deviation, np.log(WRONG_FACTOR)):
        return []
    factor = float(np.exp(middle))
    said = f"the log is {factor:.2g} times as fast as the pixels (+- {100 * deviation:.0f} %)"
    near = sorted((abs(np.log(times) - middle), times, words) for times, words in UNIT_MISTAKES)
    likely = [f"{words} ({times:.2g})" for away, times, words in near[:MOST_UNITS] if away < UNIT_SIGMAS * deviation]
    if not likely:
        return [f"{said}: unit of the speed column (ego.columns), or the height of the camera (camera.height_m)"]
    units = f"{', '.join(likely[:-1])} or {likely[-1]}" if len(likely) > 1 else likely[0]
    return [f"{said}, as {units} is: unit of the speed column in ego.columns, or camera.height_m"]

"""Do the columns of a log agree: speed and positions, yaw and course, steering and yaw rate, quaternions and travel?

What does not agree is named with the setting that would mend it. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from worldgen.core.ego import wrap_angle
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.axes import CAMERA, VEHICLE
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import EgoLog
from worldgen.data.ingest.logs.trajectory import gps_plane, integral_at, quaternion_poses
from worldgen.data.ingest.logs.units import UNITS

CELL_S = 1.0
"""Columns are compared over cells of this length, or of two rows where rows are further apart."""
MIN_CELLS = 5
MOVING_MPS = 2.0
SPEED_TOLERANCE = 0.12
"""Wheel speeds and GPS differ by a few percent; units and clocks that are wrong differ by more."""
FACTOR_TOLERANCE = 0.02
TURNING_RADPS = 0.02
"""Turns below this rms say nothing about signs."""
CORRELATION = 0.6
SCALE_RANGE = (0.7, 1.4)
OFFSET_RAD = np.radians(25)
AGREES_RAD = np.radians(15)
DISAGREES_RAD = np.radians(25)
SPREAD_RAD = np.radians(20)
"""Directions of travel that are spread less say nothing about backwards: a parked car may reverse all the time."""


def agreement_notes(log: EgoLog, config: EgoLogConfig, times_s: np.ndarray) -> list[str]:
    """What the columns of a log say about each other, as sentences; none where they agree or cannot be compared.

    times_s: ``(M,)`` times of the rows in seconds.
    """
    if log.times_s is None:
        return []
    cells = _cells(times_s)
    tracks = _position_tracks(log)
    notes = []
    for name, track in tracks.items():
        notes += _speed_note(log, times_s, cells, name, track)
    turns = _turns(log, times_s, cells, tracks)
    if turns:
        reference = turns[0]
        for other in turns[1:]:
            notes += _turn_note(config, reference, other)
    notes += _offset_note(log, times_s, cells)
    if "steering_side" in log.series:
        notes.append("steering is used as a check only: a yaw rate from it needs ego.wheelbase_m")
    return notes


@dataclass(frozen=True, eq=False)
class Turn:
    """Mean yaw rates in cells. kind: ``rate``, ``angle``, ``course`` or ``steering``. name: of the columns. radps:
    ``(C,)``, NaN where unknown; of the sign only for steering."""

    kind: str
    name: str
    radps: np.ndarray


def _cells(times_s: np.ndarray) -> np.ndarray:
    """Ends ``(C + 1,)`` of cells of equal length in seconds."""
    length_s = max(CELL_S, 2 * float(np.median(np.diff(times_s))))
    return np.arange(times_s[0], times_s[-1] + 1e-9, length_s)


def _position_tracks(log: EgoLog) -> dict[str, np.ndarray]:
    """Names of columns -> positions ``(M, 3)`` in metres with NaN, in axes of x right of y as a map has them."""
    series, tracks = log.series, {}
    if {"x", "y"} <= set(series):
        z = series.get("z", 0 * series["x"])
        tracks[_names(log, "x", "y")] = np.stack([series["x"], series["y"], z], 1)
    if {"lat", "lon"} <= set(series):
        known = ~np.isnan(series["lat"] + series["lon"])
        plane = np.full((len(known), 3), np.nan)
        plane[known] = np.pad(gps_plane(series["lat"][known], series["lon"][known]), ((0, 0), (0, 1)))
        tracks[_names(log, "lat", "lon")] = plane
    return tracks


def _names(log: EgoLog, *quantities: str) -> str:
    """The columns of quantities, for messages."""
    return " and ".join(dict.fromkeys(log.columns.get(q, q) for q in quantities))


def _at(times_s: np.ndarray, values: np.ndarray, query_s: np.ndarray) -> np.ndarray:
    """Values ``(M,)`` or ``(M, K)`` between their rows that are known."""
    columns = values[:, None] if values.ndim == 1 else values
    known = ~np.isnan(columns).any(1)
    out = np.stack([np.interp(query_s, times_s[known], column[known]) for column in columns.T], 1)
    return out[:, 0] if values.ndim == 1 else out


def _cell_means(times_s: np.ndarray, values: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Means ``(C,)`` of a piecewise linear column over cells."""
    known = ~np.isnan(values)
    query_s = np.clip(cells, times_s[known][0], times_s[known][-1])
    return np.diff(integral_at(times_s[known], values[known], query_s)) / np.diff(cells)


def _speed_note(log: EgoLog, times_s: np.ndarray, cells: np.ndarray, name: str, track: np.ndarray) -> list[str]:
    """A note when the speed column and positions differ by a steady factor."""
    if "speed" not in log.series or len(cells) < MIN_CELLS + 1:
        return []
    column = log.columns.get("speed", "speed")
    told = np.abs(_cell_means(times_s, log.series["speed"], cells))
    step_m = np.sqrt((np.diff(_at(times_s, track, cells), axis=0) ** 2).sum(1))
    # Points of a curve are a little further apart along it than the chord; at cells of a second this is below 2 %.
    measured = step_m / np.diff(cells)
    moving = (measured > MOVING_MPS) | (told > MOVING_MPS)
    if moving.sum() < MIN_CELLS or np.median(measured[moving]) < 0.2:
        return []
    ratios = told[moving] / np.maximum(measured[moving], 1e-3)
    factor = float(np.median(ratios))
    spread = float(np.median(np.abs(ratios - factor))) / max(factor, 1e-6)
    if abs(factor - 1) <= SPEED_TOLERANCE or spread > 0.2 or factor < 1e-3:
        return []
    said = f"column {column} is {factor:.3g} times the speed of {name}"
    unit = _unit_that_fits(log.units.get(column, "mps"), factor)
    if unit is not None:
        return [f"{said}: it would agree in {unit}, ego.columns: {{{column}: speed_{unit}}}"]
    return [
        f"{said}: one of them, or the clock of the log, is wrong; ego.columns: {{{column}: ignore}} takes the speed "
        "from the positions"
    ]


def _unit_that_fits(stated: str, factor: float) -> str | None:
    """The unit of speed in which a column that is ``factor`` too fast in its stated unit would be right, None without a
    single one."""
    units = UNITS["speed"]
    now = units.get(stated, 1.0)
    fits = {u for u, value in units.items() if u != "kph" and abs(now / value / factor - 1) < FACTOR_TOLERANCE}
    return next(iter(fits)) if len(fits) == 1 else None


def _turns(log: EgoLog, times_s: np.ndarray, cells: np.ndarray, tracks: dict[str, np.ndarray]) -> list[Turn]:
    """The mean yaw rates in cells that the columns of a log give, measured rates first."""
    if len(cells) < MIN_CELLS + 2:
        return []
    series, length_s = log.series, cells[1] - cells[0]
    middles = (cells[1:] + cells[:-1]) / 2  # turns are compared between the middles of cells, as chords give them
    out = []
    if "yaw_rate" in series:
        out.append(Turn("rate", f"column {_names(log, 'yaw_rate')}", _cell_means(times_s, series["yaw_rate"], middles)))
    for name, track in tracks.items():
        chord = np.diff(_at(times_s, track, cells)[:, :2], axis=0)
        moving = np.hypot(*chord.T) > MOVING_MPS * length_s
        radps = wrap_angle(np.diff(np.arctan2(chord[:, 1], chord[:, 0]))) / length_s
        out.append(Turn("course", f"positions {name}", np.where(moving[1:] & moving[:-1], radps, np.nan)))
    for quantity in ("yaw", "heading", "qw"):
        if quantity in series:
            angle = _angle(log, quantity)
            known = ~np.isnan(angle)
            turned = np.diff(np.interp(middles, times_s[known], np.unwrap(angle[known]))) / length_s
            label = "quaternions" if quantity == "qw" else f"column {_names(log, quantity)}"
            out.append(Turn("angle", label, turned))
    for quantity in ("steering", "steering_side"):
        if quantity in series:
            speed = next((t for t in (_speed_at(log, times_s, tracks, middles),) if t is not None), None)
            side = _cell_means(times_s, np.tan(series[quantity]), middles)
            column = log.columns.get("steering") or log.columns.get("steering_wheel") or "steering"
            out.append(Turn("steering", f"column {column}", side if speed is None else side * speed))
    return out


def _speed_at(log: EgoLog, times_s: np.ndarray, tracks: dict[str, np.ndarray], ends: np.ndarray) -> np.ndarray | None:
    """Mean speed ``(C,)`` between ``ends``, signed where a column holds it; None without speed and positions."""
    if "speed" in log.series:
        return _cell_means(times_s, log.series["speed"], ends)
    for track in tracks.values():
        return np.sqrt((np.diff(_at(times_s, track, ends), axis=0) ** 2).sum(1)) / np.diff(ends)
    return None


def _angle(log: EgoLog, quantity: str) -> np.ndarray:
    """Yaw ``(M,)`` in rad, counter-clockwise, with NaN."""
    if quantity == "heading":
        return np.pi / 2 - log.series["heading"]
    if quantity == "yaw":
        return log.series["yaw"]
    w, x, y, z = (log.series[f"q{k}"] for k in "wxyz")
    return np.arctan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z))


def _turn_note(config: EgoLogConfig, a: Turn, b: Turn) -> list[str]:
    """A note when two columns turn opposite ways, or by steadily different amounts."""
    both = ~np.isnan(a.radps + b.radps)
    if both.sum() < MIN_CELLS:
        return []
    first, second = a.radps[both], b.radps[both]
    rms = np.sqrt((first**2).mean()), np.sqrt((second**2).mean())
    # One of them may be 57 times too small, in degrees for radians; the side of steering has no scale.
    if max(rms[0], rms[1] * (b.kind != "steering")) < TURNING_RADPS or min(rms) < TURNING_RADPS / 200:
        return []
    # Without subtracting means: a circle has a constant rate, whose sign is what is asked.
    correlation = float((first * second).mean() / (rms[0] * rms[1]))
    if correlation < -CORRELATION:
        return [f"{a.name} and {b.name} turn opposite ways (correlation {correlation:.2f}): {_opposite(config, a, b)}"]
    scale = rms[1] / rms[0]
    if b.kind == "steering" or correlation < CORRELATION or SCALE_RANGE[0] <= scale <= SCALE_RANGE[1]:
        return []
    hint = "one of them is wrong"
    for factor, unit in ((np.degrees(1), "degps"), (np.radians(1), "radps")):
        if a.kind == "rate" and abs(1 / scale / factor - 1) < 0.15:
            column = a.name.removeprefix("column ")
            hint = f"it would agree in {unit}, ego.columns: {{{column}: yaw_rate_{unit}}}"
    return [f"{a.name} turns {1 / scale:.3g} times as fast as {b.name}: {hint}"]


def _opposite(config: EgoLogConfig, a: Turn, b: Turn) -> str:
    """The setting that would make two columns turn the same way."""
    kinds = {a.kind, b.kind}
    other_side = "right" if config.yaw_sign > 0 else "left"
    if "steering" in kinds:
        side = "right" if config.steering_sign > 0 else "left"
        return f"ego.axes (airsim, carla, ... turn positions and angles), or ego.steering_positive: {side}"
    if kinds in ({"rate", "course"}, {"rate", "angle"}):
        return f"ego.axes, or ego.yaw_positive: {other_side} if only the angles are wrong"
    if kinds == {"angle", "course"}:
        return (
            f"ego.axes: forward_right_up or forward_right_down turns positions and angles alike, ego.yaw_positive: "
            f"{other_side} the angles only"
        )
    return "ego.axes"


def _offset_note(log: EgoLog, times_s: np.ndarray, cells: np.ndarray) -> list[str]:
    """A note when yaw and the direction of travel differ by a steady angle."""
    series = log.series
    if not {"x", "y", "yaw"} <= set(series) or len(cells) < MIN_CELLS + 1:
        return []
    position = np.stack([series["x"], series["y"]], 1)
    offsets = _offsets(times_s, position, series["yaw"], cells)
    if len(offsets) < MIN_CELLS:
        return []
    mean = float(np.angle(np.exp(1j * offsets).mean()))
    if abs(mean) < OFFSET_RAD or np.median(np.abs(wrap_angle(offsets - mean))) > AGREES_RAD:
        return []
    name = _names(log, "yaw")
    return [
        f"column {name} points {np.degrees(mean):+.0f} degrees away from the direction of travel: yaw counts from x in "
        f"ego.axes; ego.columns: {{{name}: ignore}} takes the direction of travel"
    ]


def _offsets(times_s: np.ndarray, position: np.ndarray, yaw: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Yaw minus the direction of travel in cells in which the car moves, wrapped."""
    known = ~np.isnan(yaw)
    chord = np.diff(_at(times_s, position, cells), axis=0)
    middles = (cells[1:] + cells[:-1]) / 2
    angle = np.interp(middles, times_s[known], np.unwrap(yaw[known]))
    moving = np.hypot(*chord.T) > MOVING_MPS * np.diff(cells)
    return wrap_angle(angle - np.arctan2(chord[:, 1], chord[:, 0]))[moving]


Reading = Callable[[np.ndarray], np.ndarray]
READINGS: dict[str, Reading] = {
    "": lambda q: q,
    "with the real part last (ego.quaternion_order: xyzw, or other names for the four)": lambda q: q[:, [3, 0, 1, 2]],
    "with the real part first (ego.quaternion_order: wxyz, or other names for the four)": lambda q: q[:, [1, 2, 3, 0]],
    "as rotations from world to vehicle (invert them)": lambda q: q * [1, -1, -1, -1],
}  # fmt: skip
"""How quaternions w x y z could have been read -> the quaternions of that reading."""


def refuse_turned_quaternions(log: EgoLog, config: EgoLogConfig) -> None:
    """Refuse quaternions that point away from the direction of travel, when another reading of them fits.

    Raises:
        InputError: a wrong order of the four parts, a rotation the other way, or camera axes where ``ego.axes`` names
            those of the vehicle, and the reverse.
    """
    if log.times_s is None or not {"x", "y", "z", "qw"} <= set(log.series):
        return
    position = np.stack([log.series[k] for k in "xyz"], 1)
    wxyz = np.stack([log.series[f"q{k}"] for k in "wxyz"], 1)
    known = ~np.isnan(position).any(1) & ~np.isnan(wxyz).any(1)
    position, wxyz, at_s = position[known], wxyz[known], log.times_s[known]
    cells = _cells(at_s) if len(at_s) > 2 else np.zeros(0)
    if len(cells) < MIN_CELLS + 1:
        return
    # Back to the axes of the log, in which other readings are defined.
    axes = config.log_axes.to_vehicle
    position = position @ axes
    wxyz = np.concatenate([wxyz[:, :1], np.linalg.det(axes) * wxyz[:, 1:] @ axes], 1)
    step = np.diff(_at(at_s, position, cells), axis=0)
    moving = np.linalg.norm(step, axis=1) > MOVING_MPS * np.diff(cells)
    rows = np.searchsorted(at_s, (cells[1:] + cells[:-1]) / 2)[moving].clip(0, len(at_s) - 1)
    if len(rows) < MIN_CELLS:
        return
    travel = step[moving] / np.linalg.norm(step[moving], axis=1)[:, None]

    one_way = np.linalg.norm(travel.mean(0)) > np.cos(SPREAD_RAD)

    def angle(reading: Reading, forward: np.ndarray) -> float:
        rotation = quaternion_poses(position[rows], reading(wxyz[rows]))[:, :3, :3]
        along = ((rotation @ forward) * travel).sum(1)
        return float(np.median(np.arccos(np.clip(np.abs(along) if one_way else along, -1, 1))))

    stated = angle(READINGS[""], axes[0])
    if stated < DISAGREES_RAD:
        return
    others = {"camera": CAMERA[0], "vehicle": VEHICLE[0]}
    for words, reading in READINGS.items():
        for name, forward in {"": axes[0], **others}.items():
            if angle(reading, forward) < AGREES_RAD:
                fits = " ".join(filter(None, [words, f"in {name} axes (ego.axes: {name})" if name else ""]))
                raise InputError(
                    f"ego log {log.name}, quaternions",
                    Received(f"a heading {np.degrees(stated):.0f} degrees away from the direction of travel"),
                    f"quaternions along the travel; they fit {fits}",
                )

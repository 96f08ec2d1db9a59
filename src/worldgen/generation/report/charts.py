"""Geometry of the report's charts: bars, histograms, scatter and heat maps as numbers that ``charts.html.j2`` draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from worldgen.generation.report.report_data import Limits

WIDTH_PX, HISTOGRAM_HEIGHT_PX, SCATTER_HEIGHT_PX = 320, 84, 180
"""Sizes of the pictures in their own units; the page scales them."""
HISTOGRAM_TOP_PX = 4
SCATTER_MARGIN_PX = 8
BINS = 28
BULK = (1, 99)
"""Percentiles between which the axis of a histogram lies; values beyond them are counted in the end columns."""

Outcome = Literal["good", "bad"]
"""Accepted or refused; the CSS class of the mark."""


@dataclass(frozen=True)
class ChartBar:
    """A horizontal bar: share of the full width from 0 to 1, and the text at its end."""

    name: str
    share: float
    text: str


@dataclass(frozen=True)
class HistogramColumn:
    """A part of a column, from its upper left corner, y down."""

    kind: Outcome
    x_px: float
    y_px: float
    width_px: float
    height_px: float


@dataclass(frozen=True)
class Histogram:
    """Accepted and refused values as stacked columns. limit_px: columns of the gate's limits. low, high: axis ends.

    tallest: in words, how many values are in the highest column, which is the scale of the vertical axis.
    """

    name: str
    columns: tuple[HistogramColumn, ...]
    limit_px: tuple[float, ...]
    low: float
    high: float
    limits: str
    spoken: str
    tallest: str
    note: str = ""
    width_px: int = WIDTH_PX
    height_px: int = HISTOGRAM_HEIGHT_PX


@dataclass(frozen=True)
class ScatterDot:
    """A point of a scatter chart, y down."""

    kind: Outcome
    x_px: float
    y_px: float


@dataclass(frozen=True)
class ScatterChart:
    """Points with axes. x, y: ends of the axes. zero_px: row of y = 0, None when it is not on the chart."""

    name: str
    x_label: str
    y_label: str
    x: tuple[float, float]
    y: tuple[float, float]
    dots: tuple[ScatterDot, ...]
    zero_px: float | None
    width_px: int = WIDTH_PX
    height_px: int = SCATTER_HEIGHT_PX


@dataclass(frozen=True)
class HeatMap:
    """A grid of cells ``(column, row, opacity)``; empty cells are left out."""

    name: str
    note: str
    columns: int
    rows: int
    cells: tuple[tuple[int, int, float], ...]


@dataclass(frozen=True)
class AcceptanceGrid:
    """Accepted and attempted clips for pairs of words: ``rows`` of (word, one ``(accepted, attempted)`` per column).

    name: its heading. judged: whether any clip was refused; otherwise only counts are shown.
    """

    name: str
    judged: bool
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]


def bars(values: Mapping[str, float], *, unit: str = "") -> tuple[ChartBar, ...]:
    """Values from 0 as bars, largest first; the largest fills the width."""
    largest = max(values.values(), default=0.0) or 1.0
    ordered = sorted(values.items(), key=lambda each: (-each[1], each[0]))
    return tuple(ChartBar(name, value / largest, f"{number(value)}{unit}") for name, value in ordered)


def histogram(
    accepted: np.ndarray, refused: np.ndarray, *, name: str, limits: Limits = (None, None), note: str = "",
    counted: str = "clips", from_zero: bool = False,
) -> Histogram | None:  # fmt: skip
    """Columns of accepted ``(n,)`` and refused ``(m,)`` values; None without any value.

    limits: of the gate. counted: what the columns count. from_zero: whether the axis begins at 0, as for sizes.
    """
    values = np.concatenate([accepted, refused])
    known = [limit for limit in limits if limit is not None]
    if not len(values):
        return None
    low, high = _span(values, known)
    low = min(low, 0.0) if from_zero else low
    edges = np.linspace(low, high, BINS + 1)
    counts = [np.histogram(np.clip(part, low, high), edges)[0] for part in (accepted, refused)]
    tallest = int((counts[0] + counts[1]).max())
    px_per_clip = (HISTOGRAM_HEIGHT_PX - HISTOGRAM_TOP_PX) / max(tallest, 1)
    step_px = WIDTH_PX / BINS
    columns = []
    for i in range(BINS):
        base_px = float(HISTOGRAM_HEIGHT_PX)
        kinds: tuple[Outcome, Outcome] = ("good", "bad")
        for kind, count in zip(kinds, (counts[0][i], counts[1][i]), strict=True):
            tall_px = px_per_clip * count
            base_px -= tall_px
            if count:
                columns.append(HistogramColumn(kind, i * step_px + 0.5, base_px, step_px - 1, tall_px))
    return Histogram(
        name,
        tuple(columns),
        tuple((limit - low) / (high - low) * WIDTH_PX for limit in known),
        low,
        high,
        limits_in_words(limits) if len(refused) or known else "",
        _spoken(name, accepted, refused, counted),
        f"highest column: {tallest:,}",
        note,
    )


def _spoken(name: str, accepted: np.ndarray, refused: np.ndarray, counted: str) -> str:
    """A histogram in words. Nothing is called accepted where nothing was refused: there may have been no gate."""
    values = np.concatenate([accepted, refused])
    split = f"{len(accepted)} accepted, {len(refused)} refused" if len(refused) else f"{len(accepted)} {counted}"
    return f"{name}: {split}, {number(values.min())} to {number(values.max())}"


def limits_in_words(limits: Limits) -> str:
    """The gate's limits of a measure, as in "gate: at least 1.5"."""
    named = zip(("at least", "at most"), limits, strict=True)
    words = [f"{word} {number(limit)}" for word, limit in named if limit is not None]
    return "gate: " + ", ".join(words) if words else "no limit"


def _span(values: np.ndarray, known: Sequence[float]) -> tuple[float, float]:
    low, high = (float(v) for v in np.percentile(values, BULK))
    low, high = min([low, *known]), max([high, *known])
    pad = 0.05 * (high - low) or max(abs(high) * 0.1, 0.5)
    low = max(low - pad, 0.0) if values.min() >= 0 else low - pad
    return low, high + pad


def scatter(
    x: np.ndarray, y: np.ndarray, accepted: np.ndarray, *, name: str, x_label: str, y_label: str
) -> ScatterChart | None:
    """Points ``(N,)`` each; accepted ``(N,)`` bool. None without points."""
    if not len(x):
        return None
    (x0, x1), (y0, y1) = (_ends(values) for values in (x, y))
    across = SCATTER_MARGIN_PX + (x - x0) / (x1 - x0) * (WIDTH_PX - 2 * SCATTER_MARGIN_PX)
    px_per_unit = (SCATTER_HEIGHT_PX - 2 * SCATTER_MARGIN_PX) / (y1 - y0)
    down = SCATTER_MARGIN_PX + (y1 - y) * px_per_unit
    refused_first = np.argsort(accepted, kind="stable")
    dots = (ScatterDot("good" if accepted[i] else "bad", float(across[i]), float(down[i])) for i in refused_first)
    zero_px = SCATTER_MARGIN_PX + y1 * px_per_unit if y0 < 0 < y1 else None
    return ScatterChart(name, x_label, y_label, (x0, x1), (y0, y1), tuple(dots), zero_px)


def _ends(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    half = max((high - low) * 0.05, 0.5)
    return low - half if low < 0 else max(low - half, 0.0), high + half


def heat_map(counts: np.ndarray, *, name: str, note: str) -> HeatMap:
    """A picture-shaped grid of counts ``(rows, columns)``; the fullest cell has opacity 1."""
    largest = max(float(counts.max()), 1.0)
    cells = ((int(c), int(r), math.sqrt(counts[r, c] / largest)) for r, c in zip(*np.nonzero(counts), strict=True))
    return HeatMap(name, note, counts.shape[1], counts.shape[0], tuple(cells))


def acceptance_grid(
    counts: Mapping[tuple[str, str], tuple[int, int]], rows: Sequence[str], columns: Sequence[str]
) -> AcceptanceGrid:
    """Accepted and attempted clips for every (row, column) of words; ``(0, 0)`` where nothing was attempted."""
    judged = any(accepted < attempted for accepted, attempted in counts.values())
    name = "Accepted by weather and light" if judged else "Clips by weather and light"
    cells = tuple((row, tuple(counts.get((row, column), (0, 0)) for column in columns)) for row in rows)
    return AcceptanceGrid(name, judged, tuple(columns), cells)


def number(value: float) -> str:
    """A number for people: three significant digits below 100, one decimal from there, thousands apart."""
    value = float(value)
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"

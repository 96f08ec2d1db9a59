"""What the front of a report shows before the clips, ready for ``report.html.j2``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from worldgen.core.scenario import LIGHTS, WEATHERS
from worldgen.data.view.page_templates import spaced
from worldgen.generation.report.charts import (
    AcceptanceGrid,
    ChartBar,
    HeatMap,
    Histogram,
    ScatterChart,
    acceptance_grid,
    bars,
    heat_map,
    histogram,
    number,
    scatter,
)
from worldgen.generation.report.report_data import ReportData

SHOWN_REASONS = 3
SHOWN_FAULTS = 20
SHOWN_VALUES = 5
MIN_GRID_CELLS = 2
MIN_OTHER_SHARE = 0.005
"""Part of the work that is named nowhere: shown from this share of all of it."""
STATE_KINDS = {"met": "good", "stopped": "bad"}


@dataclass(frozen=True)
class CellRow:
    """A cell of the recipe. kind: "good", "bad" or "plain", the colour of its state."""

    label: str
    accepted: int
    quota: int
    kind: str
    state: str
    attempts: int
    minutes: float
    reasons: str


@dataclass(frozen=True)
class OriginRow:
    """A fact of provenance. is_code: names by content and the like, set in a fixed-width face."""

    name: str
    value: str
    is_code: bool = False


@dataclass(frozen=True)
class ReportPanels:
    """The panels in reading order; an empty one is not shown.

    tiles: (value, what it is). warnings: sentences. seconds: worker seconds by part of the work, and ``seconds_note``.
    """

    tiles: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    cells: tuple[CellRow, ...]
    reasons: tuple[ChartBar, ...]
    seconds: tuple[ChartBar, ...]
    seconds_note: str
    scores: tuple[Histogram, ...]
    ego: ScatterChart | None
    boxes: HeatMap | None
    box_heights: tuple[Histogram, ...]
    sky: AcceptanceGrid | None
    origins: tuple[OriginRow, ...]
    faults: tuple[dict[str, str], ...]
    num_faults: int


def report_panels(report: ReportData) -> ReportPanels:
    """All panels of a report."""
    run = report.run
    seconds, seconds_note = _seconds(run.get("worker_seconds", {}))
    ego, boxes, heights = _coverage_charts(report)
    scores = (
        histogram(accepted, refused, name=name, limits=report.limits.get(name, (None, None)))
        for name, (accepted, refused) in report.scores().items()
    )
    return ReportPanels(
        tiles=_tiles(report),
        warnings=_warnings(run),
        cells=tuple(_cell_row(cell) for cell in run.get("cells", ())),
        reasons=bars(run.get("reasons") or Counter(reason for row in report.refused for reason in row["reasons"])),
        seconds=seconds,
        seconds_note=seconds_note,
        scores=tuple(chart for chart in scores if chart is not None),
        ego=ego,
        boxes=boxes,
        box_heights=heights,
        sky=_sky(report),
        origins=_origins(report),
        faults=tuple(report.faults[-SHOWN_FAULTS:]),
        num_faults=len(report.faults),
    )


def _tiles(report: ReportData) -> tuple[tuple[str, str], ...]:
    """The numbers to see first; none for a data set without a run in which everything is accepted."""
    run, accepted, count = report.run, len(report.accepted), len(report.data.rows)
    if not run and accepted == count:
        return ()
    attempts = run.get("attempts", count)
    tiles = [
        (f"{accepted:,}" + (f" of {run['quota']:,}" if "quota" in run else ""), "accepted"),
        (f"{accepted / attempts:.0%} of {attempts:,}" if attempts else "-", "acceptance"),
    ]
    if run.get("minutes_per_accepted") is not None:
        tiles.append((number(run["minutes_per_accepted"]), "worker minutes per accepted clip"))
    if run.get("cost"):
        tiles.append((f"{run['cost']:.2f}", "cost"))
    if run.get("cells"):
        met = sum(cell.get("state") == "met" for cell in run["cells"])
        tiles.append((f"{met} of {len(run['cells'])}", "cells met"))
    return tuple(tiles)


def _warnings(run: dict) -> tuple[str, ...]:
    lines = [
        f"{_label(cell)}: stopped at {cell.get('accepted', 0)} of {cell.get('quota', 0)}. {cell.get('why', '')}"
        for cell in run.get("cells", ())
        if cell.get("state") == "stopped"
    ]
    if "unreadable" in run:
        lines.append(f"{run['unreadable']} cannot be read, so the facts of the run are missing.")
    return tuple(lines)


def _label(cell: dict) -> str:
    return str(cell.get("label", "")).replace("_", " ")


def _cell_row(cell: dict) -> CellRow:
    state = str(cell.get("state", ""))
    reasons = sorted(cell.get("reasons", {}).items(), key=lambda each: (-each[1], each[0]))
    words = ", ".join(f"{spaced(name)} ({count})" for name, count in reasons[:SHOWN_REASONS])
    more = f", {len(reasons) - SHOWN_REASONS} more" if len(reasons) > SHOWN_REASONS else ""
    return CellRow(
        _label(cell), int(cell.get("accepted", 0)), int(cell.get("quota", 0)), STATE_KINDS.get(state, "plain"), state,
        int(cell.get("attempts", 0)), cell.get("seconds", 0) / 60, words + more or "-",
    )  # fmt: skip


def _seconds(worker_seconds: dict[str, float]) -> tuple[tuple[ChartBar, ...], str]:
    parts = {name: value for name, value in worker_seconds.items() if name != "all"}
    if not parts:
        return (), ""
    whole = worker_seconds.get("all", sum(parts.values()))
    other = whole - sum(parts.values())
    if other > MIN_OTHER_SHARE * whole:
        parts["other"] = other
    share = 1 - parts.get("model", 0.0) / whole if whole else 0.0
    return bars(parts, unit=" s"), f"{number(whole / 60)} worker minutes in all; {share:.0%} of them are not the model."


def _coverage_charts(report: ReportData) -> tuple[ScatterChart | None, HeatMap | None, tuple[Histogram, ...]]:
    """Ego motion, centres of boxes, and heights of boxes by class, the most frequent class first."""
    coverage = report.coverage
    ego = scatter(
        coverage.speed_mps, coverage.turn_deg, coverage.ego_accepted, name="Ego motion", x_label="mean speed, m/s",
        y_label="left turn, degrees",
    )  # fmt: skip
    heights = sorted(coverage.box_height_px.items(), key=lambda each: -len(each[1]))
    charts = (
        histogram(
            values,
            np.zeros(0),
            name=f"{name} height, px",
            note=f"{len(values):,} boxes, median {np.median(values):.0f} px",
            counted="boxes",
            from_zero=True,
        )
        for name, values in heights
    )
    count = sum(len(values) for _, values in heights)
    boxes = heat_map(coverage.box_centres, name="Where boxes are", note=f"{count:,} centres") if count else None
    return ego, boxes, tuple(chart for chart in charts if chart is not None)


def _sky(report: ReportData) -> AcceptanceGrid | None:
    sky = report.coverage.sky
    weathers = [word for word in WEATHERS if any(pair[0] == word for pair in sky)]
    lights = [word for word in LIGHTS if any(pair[1] == word for pair in sky)]
    return acceptance_grid(sky, weathers, lights) if len(weathers) * len(lights) >= MIN_GRID_CELLS else None


def _origins(report: ReportData) -> tuple[OriginRow, ...]:
    licences = Counter(row["licence"] for row in report.data.rows)
    rows = [OriginRow("licences", ", ".join(f"{name} ({count:,})" for name, count in licences.most_common()))]
    for name, values in report.coverage.provenance.items():
        most = sorted(values.items(), key=lambda each: -each[1])[:SHOWN_VALUES]
        rows.append(OriginRow(name, ", ".join(f"{value} ({count:,})" for value, count in most), is_code=True))
    recipe = report.run.get("recipe", {})
    if isinstance(recipe, dict):
        model = ", ".join(
            f"{name} {value}" for name, value in recipe.get("model", {}).items() if value not in ("", {}, None)
        )
        rows += [
            OriginRow(name, str(value))
            for name, value in (("gate", recipe.get("gate_from")), ("sampler", model))
            if value
        ]
        instruments = report.run.get("instruments") or recipe.get("instruments") or {}
        rows += [
            OriginRow(f"instrument {name}", str(value or "none"), is_code=True) for name, value in instruments.items()
        ]
    return tuple(rows)

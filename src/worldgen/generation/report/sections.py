"""The parts of the report that stand before the clips, as HTML."""

from __future__ import annotations

import html
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from worldgen.core.scenario import LIGHTS, WEATHERS
from worldgen.generation.report.charts import bar, bars, grid, heat, histogram, number, scatter, table

if TYPE_CHECKING:
    from worldgen.generation.report.report import ReportData

SHOWN_REASONS = 3
SHOWN_FAULTS = 20
MIN_WIDE = 2
STATES = {"met": ("good", "met"), "stopped": ("bad", "stopped"), "open": ("plain", "open")}


def front_page(report: ReportData) -> str:
    """All parts that there is something to say about, in reading order."""
    parts = [
        _summary(report),
        _cells(report),
        _reasons(report),
        _cost(report),
        _scores(report),
        _coverage(report),
        _origins(report),
    ]
    return f'<div class="report">{"".join(parts)}</div>\n' if any(parts) else ""


def _panel(heading: str, content: str, note: str = "") -> str:
    if not content:
        return ""
    return f'<section class="panel"><h2>{html.escape(heading)}</h2>{f"<p class=note>{html.escape(note)}</p>" if note else ""}\n{content}</section>\n'


def _summary(report: ReportData) -> str:
    """The few numbers one wants first."""
    run, good, all_ = report.run, len(report.accepted), len(report.data.rows)
    if not run and good == all_:
        return ""
    tiles = [("accepted", f"{good:,}" + (f" of {run['quota']:,}" if "quota" in run else ""))]
    attempts = run.get("attempts", all_)
    tiles.append(("acceptance", f"{good / attempts:.0%} of {attempts:,}" if attempts else "-"))
    if run.get("minutes_per_accepted") is not None:
        tiles.append(("worker minutes per accepted clip", number(run["minutes_per_accepted"])))
    if run.get("cost"):
        tiles.append(("cost", f"{run['cost']:.2f}"))
    stopped = [cell for cell in run.get("cells", ()) if cell.get("state") == "stopped"]
    if run.get("cells"):
        tiles.append(("cells met", f"{sum(c.get('state') == 'met' for c in run['cells'])} of {len(run['cells'])}"))
    body = "".join(f"<div><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>" for name, value in tiles)
    lines = "".join(
        f'<p class="warning">{html.escape(_words(cell))}: stopped at {cell.get("accepted", 0)} of {cell.get("quota", 0)}. {html.escape(str(cell.get("why", "")))}</p>'
        for cell in stopped
    )
    if "unreadable" in run:
        lines += f'<p class="warning">{html.escape(run["unreadable"])} cannot be read: what the run says of itself is missing.</p>'
    return f'<section class="tiles">{body}</section>{lines}\n'


def _words(cell: dict) -> str:
    return str(cell.get("label", "")).replace("_", " ")


def _cells(report: ReportData) -> str:
    rows = []
    for cell in report.run.get("cells", ()):
        kind, word = STATES.get(cell.get("state", ""), ("plain", str(cell.get("state", ""))))
        accepted, quota, attempts = (int(cell.get(name, 0)) for name in ("accepted", "quota", "attempts"))
        reasons = sorted(cell.get("reasons", {}).items(), key=lambda each: (-each[1], each[0]))
        words = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in reasons[:SHOWN_REASONS])
        more = f", {len(reasons) - SHOWN_REASONS} more" if len(reasons) > SHOWN_REASONS else ""
        rows.append([
            html.escape(_words(cell)), bar(accepted / quota if quota else 0, kind, text=f"{accepted} of {quota}"),
            f'<span class="state {kind}">{html.escape(word)}</span>', str(attempts),
            f"{accepted / attempts:.0%}" if attempts else "-", f"{cell.get('seconds', 0) / 60:.1f}", html.escape(words + more) or "-",
        ])  # fmt: skip
    if not rows:
        return ""
    head = ("Cell", "Accepted of quota", "State", "Attempts", "Acceptance", "Minutes", "Refused for")
    return _panel(
        "Quotas", table(head, rows, numeric=(3, 4, 5)), "Acceptance counts every attempt, those without a clip too."
    )


def _reasons(report: ReportData) -> str:
    counts = report.run.get("reasons") or Counter(reason for row in report.refused for reason in row["reasons"])
    if not counts:
        return ""
    return _panel("Why clips were refused", bars(dict(counts), kind="bad"), "A clip may have several reasons.")


def _cost(report: ReportData) -> str:
    seconds = {name: value for name, value in report.run.get("worker_seconds", {}).items() if name != "all"}
    if not seconds:
        return ""
    whole = report.run["worker_seconds"].get("all", sum(seconds.values()))
    other = whole - sum(seconds.values())
    if other > 0.005 * whole:
        seconds["other"] = other
    share = 1 - seconds.get("model", 0.0) / whole if whole else 0.0
    text = f"{number(whole / 60)} worker minutes in all; {share:.0%} of them are not the model."
    return _panel("Where the time went", bars(seconds, unit=" s"), text)


def _scores(report: ReportData) -> str:
    charts = [
        histogram(good, bad, name=name, limits=report.bounds.get(name, (None, None)))
        for name, (good, bad) in report.scores().items()
    ]
    legend = '<p class="note"><i class="key good"></i>accepted <i class="key bad"></i>refused <i class="key limit"></i>limit of the gate</p>'
    return _panel("Scores", legend + f'<div class="charts">{"".join(charts)}</div>') if charts else ""


def _coverage(report: ReportData) -> str:
    seen, charts = report.coverage, []
    if len(seen.speed_mps):
        charts.append(scatter(
            seen.speed_mps, seen.turn_deg, seen.ego_accepted, labels=("mean speed, m/s", "left turn, degrees:"), name="Ego motion",
        ))  # fmt: skip
    if seen.box_height_px:
        boxes = sum(len(values) for values in seen.box_height_px.values())
        charts.append(heat(seen.heat, name="Where boxes are", note=f"{boxes:,} centres"))
    for name, heights in sorted(seen.box_height_px.items(), key=lambda each: -len(each[1])):
        charts.append(histogram(
            heights, np.zeros(0), name=f"{name} height, px", note=f"{len(heights):,} boxes, median {np.median(heights):.0f} px",
        ))  # fmt: skip
    content = f'<div class="charts">{"".join(charts)}</div>' if charts else ""
    if seen.pairs:
        weathers = [word for word in WEATHERS if any(pair[0] == word for pair in seen.pairs)]
        lights = [word for word in LIGHTS if any(pair[1] == word for pair in seen.pairs)]
        if len(weathers) * len(lights) >= MIN_WIDE:
            content += "<h3>Accepted by weather and light</h3>" + grid(seen.pairs, weathers, lights)
    return _panel("Coverage", content)


def _origins(report: ReportData) -> str:
    run, rows = report.run, []
    licences = Counter(row["licence"] for row in report.data.rows)
    rows.append(["licences", html.escape(", ".join(f"{name} ({count:,})" for name, count in licences.most_common()))])
    for name, values in report.coverage.origins.items():
        words = ", ".join(
            f"{value} ({count:,})" for value, count in sorted(values.items(), key=lambda each: -each[1])[:5]
        )
        rows.append([html.escape(name.replace("_", " ")), f"<code>{html.escape(words)}</code>"])
    recipe = run.get("recipe", {})
    if isinstance(recipe, dict):
        model = recipe.get("model", {})
        facts = [
            ("gate", recipe.get("gate_from")),
            ("sampler", ", ".join(f"{k} {v}" for k, v in model.items() if v not in ("", {}, None))),
        ]
        rows += [[name, html.escape(str(value))] for name, value in facts if value]
        named = run.get("instruments") or recipe.get("instruments") or {}
        rows += [
            [html.escape(f"instrument {name}"), f"<code>{html.escape(str(value or 'none'))}</code>"]
            for name, value in named.items()
        ]
    content = table(("", ""), rows)
    if report.faults:
        shown = [
            [html.escape(str(e.get(k, ""))) for k in ("time", "kind", "what")] for e in report.faults[-SHOWN_FAULTS:]
        ]
        content += f"<h3>Faults on the way ({len(report.faults)})</h3>" + table(("Time", "Kind", "What"), shown)
    return _panel("Provenance", content)

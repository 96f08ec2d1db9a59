"""Charts as HTML and inline SVG: bars, histograms, scatter and heat maps that need no script and follow the page's colours."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np

WIDTH, HEIGHT = 320, 84
BINS = 28


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: Sequence[int] = ()) -> str:
    """A table of cells that are HTML already; numeric: columns set flush right. It scrolls sideways on narrow screens."""
    side = lambda i: ' class="n"' if i in numeric else ""  # noqa: E731
    top = "".join(f"<th{side(i)}>{html.escape(word)}</th>" for i, word in enumerate(head))
    body = "".join(
        "<tr>" + "".join(f"<td{side(i)}>{cell}</td>" for i, cell in enumerate(row)) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table class="data"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>\n'


def bar(share: float, kind: str = "good", *, text: str = "") -> str:
    """One bar from 0 to 1 with a text at its end. kind: good, bad or plain."""
    width = 100 * min(max(share, 0.0), 1.0)
    return f'<span class="meter {kind}"><i style="width:{width:.1f}%"></i></span><span class="meter-text">{html.escape(text)}</span>'


def bars(counts: dict[str, float], *, kind: str = "plain", unit: str = "") -> str:
    """Counts as bars, largest first, the longest filling the width."""
    if not counts:
        return '<p class="note">None.</p>\n'
    most = max(counts.values()) or 1.0
    rows = [
        [html.escape(name.replace("_", " ")), bar(value / most, kind, text=f"{number(value)}{unit}")]
        for name, value in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]
    body = "".join(f"<tr><th>{name}</th><td>{cell}</td></tr>" for name, cell in rows)
    return f'<table class="bars"><tbody>{body}</tbody></table>\n'


def histogram(
    good: np.ndarray,
    bad: np.ndarray,
    *,
    name: str,
    limits: tuple[float | None, float | None] = (None, None),
    note: str = "",
) -> str:
    """Accepted and refused values as stacked columns, with the gate's limits as lines."""
    values = np.concatenate([good, bad])
    known = [limit for limit in limits if limit is not None]
    if not len(values):
        return ""
    low, high = _span(values, known)
    edges = np.linspace(low, high, BINS + 1)
    counts = [np.histogram(np.clip(part, low, high), edges)[0] for part in (good, bad)]
    most = max(int((counts[0] + counts[1]).max()), 1)
    step = WIDTH / BINS
    shapes = []
    for i in range(BINS):
        base = HEIGHT
        for kind, count in (("good", counts[0][i]), ("bad", counts[1][i])):
            tall = (HEIGHT - 4) * count / most
            if count:
                shapes.append(
                    f'<rect class="{kind}" x="{i * step + 0.5:.2f}" y="{base - tall:.2f}" width="{step - 1:.2f}" height="{tall:.2f}"/>'
                )
            base -= tall
    for limit in known:
        x = (limit - low) / (high - low) * WIDTH
        shapes.append(f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT}"/>')
    spoken = f"{name}: {len(good)} accepted, {len(bad)} refused, from {number(values.min())} to {number(values.max())}"
    tail = _limits_text(limits) if len(bad) or known else ""
    return f"""<figure class="chart"><figcaption><b>{html.escape(name.replace("_", " "))}</b><span>{html.escape(tail)}</span></figcaption>
<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{html.escape(spoken)}">{"".join(shapes)}<line class="axis" x1="0" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}"/></svg>
<div class="ends"><span>{number(low)}</span><span>{number(high)}</span></div>
{f'<p class="note">{html.escape(note)}</p>' if note else ""}</figure>
"""


def _limits_text(limits: tuple[float | None, float | None]) -> str:
    words = [
        f"{word} {number(limit)}"
        for word, limit in zip(("at least", "at most"), limits, strict=True)
        if limit is not None
    ]
    return "gate: " + ", ".join(words) if words else "no limit"


def _span(values: np.ndarray, known: Sequence[float]) -> tuple[float, float]:
    """Axis from the bulk of the values; the far tail goes to the end columns."""
    low, high = (float(v) for v in np.percentile(values, [1, 99]))
    low, high = min([low, *known]), max([high, *known])
    pad = 0.05 * (high - low) or max(abs(high) * 0.1, 0.5)
    low = max(low - pad, 0.0) if values.min() >= 0 else low - pad
    return low, high + pad


def scatter(x: np.ndarray, y: np.ndarray, good: np.ndarray, *, labels: tuple[str, str], name: str) -> str:
    """Points with axes; good ``(N,)`` bool tells accepted from refused."""
    if not len(x):
        return ""
    side, pad = 240, 8
    (x0, x1), (y0, y1) = (_ends(values) for values in (x, y))
    across = pad + (x - x0) / (x1 - x0) * (WIDTH - 2 * pad)
    down = side - pad - (y - y0) / (y1 - y0) * (side - 2 * pad)
    dots = "".join(
        f'<circle class="{"good" if ok else "bad"}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>'
        for ok, a, b in sorted(zip(good.tolist(), across, down, strict=True), key=lambda dot: dot[0])
    )
    zero = side - pad - (0 - y0) / (y1 - y0) * (side - 2 * pad)
    line = f'<line class="zero" x1="0" x2="{WIDTH}" y1="{zero:.1f}" y2="{zero:.1f}"/>' if y0 < 0 < y1 else ""
    return f"""<figure class="chart"><figcaption><b>{html.escape(name)}</b><span>{html.escape(labels[1])} {number(y0)} to {number(y1)}</span></figcaption>
<svg class="even" viewBox="0 0 {WIDTH} {side}" role="img" aria-label="{html.escape(name)}, {len(x)} clips"><rect class="field" width="{WIDTH}" height="{side}" rx="4"/>{line}{dots}</svg>
<div class="ends"><span>{number(x0)}</span><span>{html.escape(labels[0])}</span><span>{number(x1)}</span></div></figure>
"""


def _ends(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    half = max((high - low) * 0.05, 0.5)
    return low - half if low < 0 else max(low - half, 0.0), high + half


def heat(counts: np.ndarray, *, name: str, note: str) -> str:
    """A picture-shaped grid of counts ``(rows, columns)``; the fullest cell is the strongest colour."""
    rows, columns = counts.shape
    most = max(float(counts.max()), 1.0)
    cells = "".join(
        f'<rect class="cell" x="{c}" y="{r}" width="1.02" height="1.02" fill-opacity="{math.sqrt(counts[r, c] / most):.3f}"/>'
        for r in range(rows)
        for c in range(columns)
        if counts[r, c]
    )
    return f"""<figure class="chart"><figcaption><b>{html.escape(name)}</b><span>{html.escape(note)}</span></figcaption>
<svg class="even" viewBox="0 0 {columns} {rows}" role="img" aria-label="{html.escape(name)}"><rect class="field" width="{columns}" height="{rows}"/>{cells}</svg></figure>
"""


def grid(counts: dict[tuple[str, str], tuple[int, int]], rows: Sequence[str], columns: Sequence[str]) -> str:
    """Accepted of attempted for every pair of words, shaded by acceptance."""
    lines = []
    for row in rows:
        cells = [html.escape(row.replace("_", " "))]
        for column in columns:
            good, tried = counts.get((row, column), (0, 0))
            shade = f' style="--share:{good / tried:.2f}"' if tried else ""
            cells.append(f'<span class="pair"{shade}>{f"{good} of {tried}" if tried else "-"}</span>')
        lines.append(cells)
    return table(["", *(word.replace("_", " ") for word in columns)], lines, numeric=range(1, len(columns) + 1))


def number(value: float) -> str:
    """A number as people write it: no trailing noise, thousands apart."""
    value = float(value)
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"

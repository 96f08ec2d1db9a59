"""A data set as a folder one opens in a browser: one page, the clips beside it, nothing fetched from elsewhere."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES, Labels
from worldgen.core.samples import SPLITS, Sample
from worldgen.data.dataset.index import DataSet
from worldgen.data.dataset.shards import decode_sample
from worldgen.data.video.images import encode_image
from worldgen.data.view.sheet import CLASS_COLOURS, contact_sheet
from worldgen.files.storage import join, write_bytes

PLOT_WIDTH, PLOT_HEIGHT = 320, 56
SHEET_CLIPS = 12


@dataclass(frozen=True)
class PageSection:
    """Clips of a page under a heading. numbers: of samples, in order. note: a sentence on how they were chosen."""

    heading: str
    numbers: tuple[int, ...]
    note: str = ""


def write_page(
    data: DataSet,
    folder: str | Path,
    *,
    title: str | None = None,
    sections: Sequence[PageSection] = (),
    limit: int = 60,
    front: str = "",
    seen: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> list[str]:
    """Write ``index.html``, ``sheet.png`` and ``clips/KEY.mp4`` into a folder (or URL); returns the keys shown.

    sections: which clips to show; by default at most ``limit``, spread evenly over the data set. front: HTML to stand
    before the clips. Every text from the data is escaped. seen: wraps the sample numbers, for a progress bar.

    Raises: InputError for an empty data set, a bad limit, damaged samples or a folder that cannot be written.
    """
    if limit < 1:
        raise InputError("number of samples to show", limit, "at least 1")
    if not len(data):
        raise InputError(f"data set {data.url}", "no samples", "at least one sample to show")
    sections = [section for section in sections if section.numbers] or [PageSection("", spread(len(data), limit))]
    cards, sheet = {}, []
    for number in seen(list(dict.fromkeys(number for section in sections for number in section.numbers))):
        members = data.members(number)
        sample = decode_sample(members)
        write_bytes(join(str(folder), f"clips/{sample.key}.mp4"), members["mp4"])
        cards[number] = _card(sample)
        if len(sheet) < SHEET_CLIPS:
            sheet.append(sample)
    write_bytes(join(str(folder), "sheet.png"), sheet_png(sheet))
    name = title or data.url.rstrip("/").rsplit("/", 1)[-1]
    clips = "".join(_section(section, [cards[number] for number in section.numbers]) for section in sections)
    write_bytes(join(str(folder), "index.html"), _page(data, name, front, clips).encode())
    return [data.rows[number]["key"] for number in cards]


def spread(count: int, limit: int) -> tuple[int, ...]:
    """At most ``limit`` of the numbers 0 to count - 1, first and last included, evenly spread."""
    return tuple(np.unique(np.linspace(0, count - 1, min(limit, count)).round().astype(int)).tolist())


def _section(section: PageSection, cards: list[str]) -> str:
    heading = f"<h2>{html.escape(section.heading)}</h2>" if section.heading else ""
    note = f'<p class="note">{html.escape(section.note)}</p>' if section.note else ""
    return f'<section class="clips">{heading}{note}<div class="grid">\n{"".join(cards)}</div></section>\n'


def sheet_png(samples: list[Sample]) -> bytes:
    """A contact sheet of samples, labels drawn, as the bytes of a PNG file."""
    picture = contact_sheet(
        [sample.clip for sample in samples],
        [f"{sample.key}   {sample.caption}" for sample in samples],
        labels=[sample.labels for sample in samples],
    )
    return encode_image(picture, ".png")


def _page(data: DataSet, title: str, front: str, clips: str) -> str:
    style, script = (
        resources.files("worldgen.data.view").joinpath(name).read_text("utf-8") for name in ("page.css", "page.js")
    )
    rows = data.rows
    seconds = sum(row["num_frames"] / row["fps"] for row in rows)
    length = (
        f"{seconds / 3600:.2f} h"
        if seconds >= 3600
        else f"{seconds / 60:.1f} min"
        if seconds >= 60
        else f"{seconds:.1f} s"
    )
    splits = ", ".join(f"{count} {split}" for split in SPLITS if (count := sum(r["split"] == split for r in rows)))
    sizes = ", ".join(f"{w}x{h}" for w, h in sorted({(row["width_px"], row["height_px"]) for row in rows})[:4])
    facts = f"{len(rows)} samples · {length} · {splits} · {sizes} px"
    labelled = any(row["has_labels"] for row in rows)
    legend = "".join(
        f'<li><i style="background:rgb{colour}"></i>{name.replace("_", " ")}</li>'
        for name, colour in CLASS_COLOURS.items()
    )
    options = "".join(f"<option>{split}</option>" for split in SPLITS)
    colours = {name: f"rgb{colour}" for name, colour in CLASS_COLOURS.items()}
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{html.escape(title)}</h1>
<p class="facts">{html.escape(facts)}</p>
{f'<ul class="legend">{legend}</ul>' if labelled else ""}
</header>
{front}<div class="bar"><div>
<input id="search" type="search" placeholder="Filter by caption, tag, drive or key" aria-label="Filter">
<select id="split" aria-label="Split"><option value="">all splits</option>{options}</select>
{'<button id="boxes" type="button" aria-pressed="true">Boxes</button>' if labelled else ""}
<button id="theme" type="button">Light / dark</button>
<span class="count" id="count"></span>
</div></div>
<main>
{clips}</main>
<footer>Stills of the first clips: <a href="sheet.png">sheet.png</a></footer>
<script type="application/json" id="colours">{_inline_json(colours)}</script>
<script>
{script}</script>
</body>
</html>
"""


def _inline_json(value: object) -> str:
    """JSON that can stand inside a script element: nothing in it closes the element or opens a comment."""
    return (
        json.dumps(value, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    )


def _card(sample: Sample) -> str:
    clip, text = sample.clip, html.escape
    words = " ".join((sample.caption, sample.key, sample.drive, *sample.tags)).lower()
    chips = [f'<li class="split">{text(sample.split)}</li>']
    if not sample.scorecard.get("accepted", True):
        reasons = ", ".join(map(str, sample.scorecard.get("reasons", ()))) or "no reason given"
        chips.append(f'<li class="refused">quarantined: {text(reasons)}</li>')
    dropped = sample.scorecard.get("dropped", ())
    if dropped:
        chips.append(f'<li class="dropped">labels left out: {text(_dropped(dropped))}</li>')
    chips += [f"<li>{text(tag)}</li>" for tag in sample.tags]
    plots = "" if sample.ego is None else _ego_plots(sample.ego)
    overlay = labels = ""
    if sample.labels is not None:
        overlay = f'<svg class="boxes" viewBox="0 0 {clip.width_px} {clip.height_px}" preserveAspectRatio="none" aria-hidden="true"></svg>'
        labels = f'<script type="application/json">{_inline_json(_label_frames(sample.labels))}</script>'
    facts = [f"{len(clip)} frames", f"{clip.fps:.5g} fps", f"{clip.width_px}x{clip.height_px} px"]
    facts += [part for part in (sample.drive and f"drive {sample.drive}", f"licence {sample.licence}") if part]
    return f"""<article data-split="{text(sample.split)}" data-fps="{clip.fps!r}" data-frames="{len(clip)}" data-words="{text(words)}">
<div class="film" tabindex="0" role="button" aria-label="Play or pause {text(sample.key)}">
<video src="clips/{text(sample.key)}.mp4" width="{clip.width_px}" height="{clip.height_px}" muted loop playsinline preload="metadata"></video>{overlay}
</div>
<div class="body">
<p class="caption">{text(sample.caption)}</p>
<ul class="chips">{"".join(chips)}</ul>
{plots}{_scores(sample.scorecard)}<p class="facts-small">{text(" · ".join(facts))}<br><code>{text(sample.key)}</code></p>
</div>
{labels}</article>
"""


def _dropped(tracks: Sequence[dict]) -> str:
    return ", ".join(f"{track.get('class', 'object')} {track.get('track_id', '')}".strip() for track in tracks)


def _scores(scorecard: dict) -> str:
    """The numbers of a scorecard, what is wrong with them, and what was not measured, folded away."""
    details = scorecard.get("details", {})
    rows = [
        (name, f"{value:.4g}", str(details.get(name, "")))
        for name, value in scorecard.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    named = {name for name, _, _ in rows}
    rows += [(str(name), "", str(why)) for name, why in details.items() if name not in named]
    rows += [(str(name), "not measured", str(why)) for name, why in scorecard.get("unmeasured", {}).items()]
    if not rows:
        return ""
    text = html.escape
    lines = "".join(
        f"<tr{' class=refused' if name in details else ''}><th>{text(name.replace('_', ' '))}</th><td>{value}</td><td>{text(why)}</td></tr>"
        for name, value, why in rows
    )
    return f'<details class="scores"><summary>Scorecard</summary><table>{lines}</table></details>\n'


def _label_frames(labels: Labels) -> list[list[list]]:
    """Per frame the boxes to draw: class, track, x0, y0, x1, y1, ignored (0 or 1)."""
    frames: list[list[list]] = [[] for _ in range(labels.num_frames)]
    boxes = np.round(labels.box_px.astype(float), 1)
    for row in np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])):
        name, track, ignored = CLASSES[labels.class_id[row]], int(labels.track_id[row]), int(labels.ignore[row])
        frames[labels.frame_index[row]].append([name, track, *boxes[row].tolist(), ignored])
    return frames


def _ego_plots(ego: EgoMotion) -> str:
    speed = _plot("Speed", "m/s", ego.speed_mps, ego.fps, least=2.0)
    return speed + _plot("Yaw rate (left +)", "°/s", np.degrees(ego.yaw_rate_radps), ego.fps, least=4.0, kind="yaw")


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 or value == round(value) else f"{value:.1f}"


def _plot(name: str, unit: str, values: np.ndarray, fps: float, *, least: float, kind: str = "speed") -> str:
    """A line over time as inline SVG. least: smallest range of the axis, so that noise does not fill the plot."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    if high - low < least:
        half = max(least / 2, high, -low)
        low, high = (-half, half) if kind == "yaw" else (low, low + least)
    x = np.linspace(0, PLOT_WIDTH, len(values)) if len(values) > 1 else np.array([PLOT_WIDTH / 2])
    y = 4 + (high - values) / (high - low) * (PLOT_HEIGHT - 8)
    zero = 4 + high / (high - low) * (PLOT_HEIGHT - 8)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    ends = f"{values.min():.1f} to {values.max():.1f}" if np.ptp(values) >= 0.05 else f"constant {values.mean():.1f}"
    reach = f"{ends} {unit} over {len(values) / fps:.1f} s".replace("-0.0", "0.0")
    return f"""<figure><figcaption><span>{name}</span><span>{reach}</span></figcaption>
<div class="axes"><span class="high">{_short(high)}</span><span class="low">{_short(low)}</span>
<svg class="plot {kind}" viewBox="0 0 {PLOT_WIDTH} {PLOT_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{name}: {reach}">
<rect class="frame" width="{PLOT_WIDTH}" height="{PLOT_HEIGHT}" rx="4"/><line class="zero" x1="0" x2="{PLOT_WIDTH}" y1="{zero:.1f}" y2="{zero:.1f}"/>
<polyline class="value" points="{points}"/><line class="now" x1="0" x2="0" y1="0" y2="{PLOT_HEIGHT}"/>
</svg></div></figure>
"""

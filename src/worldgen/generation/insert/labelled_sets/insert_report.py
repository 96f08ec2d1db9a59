"""The page of a set with inserts: counts, the worst that were kept and the best that were taken out."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np

from worldgen.core.seeds import stable_key
from worldgen.data.video.image_files import encode_image, read_image
from worldgen.files.journal import read_journal
from worldgen.files.json_files import read_json
from worldgen.files.storage import write_bytes
from worldgen.generation.insert.compositing import PutInsert
from worldgen.generation.insert.insert_judge import InsertVerdict

PAGE_NAME, REFUSED_FOLDER = "report.html", "refused"
SHOWN = 12
"""Inserts of a kind on the page."""
TILE_PX = 180
AROUND = 2.0
"""Side of a tile in longer sides of the insert."""
TEMPLATE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>inserts</title>
<style>body{font:15px sans-serif;margin:2em;max-width:70em}figure{display:inline-block;margin:.4em;width:180px}
figcaption{font-size:12px}table{border-collapse:collapse}td{padding:.1em .8em .1em 0}</style>
<h1>{{ report.inserts }} inserts in {{ report.with_inserts }} of {{ report.pictures }} pictures</h1>
<table>{% for name, count in report.classes.items() %}<tr><td>{{ name }}<td>{{ count }}{% endfor %}
{% for name, count in report.lights.items() %}<tr><td>by {{ name }}<td>{{ count }}{% endfor %}
{% for name, count in report.removed.items() %}<tr><td>taken out: {{ name }}<td>{{ count }}{% endfor %}
<tr><td>pictures without a sure ground<td>{{ report.no_ground }}</table>
{% if not report.judged %}<p>No detector judged these inserts.</p>{% endif %}
{% for title, tiles in groups %}{% if tiles %}<h2>{{ title }}</h2>
{% for tile in tiles %}<figure><img src="data:image/jpeg;base64,{{ tile.data }}" alt="{{ tile.words }}">
<figcaption>{{ tile.words }}</figcaption></figure>{% endfor %}{% endif %}{% endfor %}
<h2>Places that were not taken</h2>
<table>{% for name, count in report.places_refused.items() %}<tr><td>{{ name }}<td>{{ count }}{% endfor %}</table>
</html>
"""


def save_refused(out: Path, frame: np.ndarray, put: PutInsert, verdict: InsertVerdict, name: str) -> None:
    """Keep a small picture of an insert before it is taken out; the score stands in its name for the order."""
    key = stable_key(name, *put.box_px)
    path = out / REFUSED_FOLDER / f"{1000 - round(1000 * verdict.score):04d}_{key}.jpg"
    write_bytes(path, encode_image(_tile(frame, np.array(put.box_px)), ".jpg"))


def write_page(out: Path) -> str:
    """Write the page of a finished set into its folder; returns its path."""
    report = read_json(out / "insert_report.json", "report of inserts")
    rows = [(record, row) for record in read_journal(out / "insert.jsonl") for row in record["inserted"]]
    rows.sort(key=lambda item: item[1]["told"].get("judged", {}).get("score", 0.0))
    worst = [_shown(read_image(out / record["file"]), row) for record, row in rows[:SHOWN]]
    tiles = sorted((out / REFUSED_FOLDER).glob("*.jpg"))[:SHOWN]
    best = [
        {"data": base64.b64encode(path.read_bytes()).decode(), "words": f"score {1 - int(path.name[:4]) / 1000:.2f}"}
        for path in tiles
    ]
    groups = (("Kept with the lowest scores", worst), ("Taken out with the highest scores", best))
    page = jinja2.Environment(autoescape=True).from_string(TEMPLATE).render(report=report, groups=groups)
    write_bytes(out / PAGE_NAME, page.encode())
    return str(out / PAGE_NAME)


def _shown(frame: np.ndarray, row: dict[str, Any]) -> dict[str, str]:
    told = row["told"]
    words = f"{row['class']}, {told['distance_m']:.0f} m, {told['light']}"
    if "judged" in told:
        words += f", {told['judged']['reason']} {told['judged']['score']:.2f}"
    data = encode_image(_tile(frame, np.array(row["box"])), ".jpg")
    return {"data": base64.b64encode(data).decode(), "words": words}


def _tile(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A square part of a picture around a box, ``(TILE_PX, TILE_PX, 3)`` uint8, grey outside the picture."""
    side = int(max(AROUND * float((box[2:] - box[:2]).max()), 32))
    left, top = ((box[:2] + box[2:]) / 2 - side / 2).astype(int)
    tile = np.full((side, side, 3), 128, np.uint8)
    x0, y0 = max(left, 0), max(top, 0)
    part = frame[y0 : max(top + side, 0), x0 : max(left + side, 0)]
    tile[y0 - top : y0 - top + part.shape[0], x0 - left : x0 - left + part.shape[1]] = part
    return cv2.resize(tile, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA if side > TILE_PX else cv2.INTER_CUBIC)

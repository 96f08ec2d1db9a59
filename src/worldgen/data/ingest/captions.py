"""Captions of real clips: from a file beside them, or from their tags and manoeuvre."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError, Received
from worldgen.core.manoeuvres import classify_manoeuvre
from worldgen.core.seeds import stable_hash
from worldgen.files.json_files import parse_json, read_json

STANDSTILL_MPS = 0.5

ROAD_WORDS = {
    "highway": "on a highway", "urban": "through a city street", "suburban": "through a residential street",
    "rural": "on a country road", "intersection": "at an intersection", "construction": "past roadworks",
}  # fmt: skip
WEATHER_WORDS = {
    "clear": "in clear weather", "overcast": "under an overcast sky", "light_rain": "in light rain",
    "heavy_rain": "in heavy rain", "fog": "in fog", "snow": "in snow",
}  # fmt: skip
LIGHT_WORDS = {
    "dawn": "at dawn", "day": "by day", "low_sun": "against a low sun", "dusk": "at dusk",
    "night_lit": "at night under street lamps", "night_unlit": "at night on an unlit road",
}  # fmt: skip
MANOEUVRE_WORDS = {
    "keep": "keeps its lane and speed", "accelerate": "accelerates", "brake": "brakes", "stop": "comes to a stop",
    "turn_left": "turns left", "turn_right": "turns right", "lane_left": "changes to the left lane",
    "lane_right": "changes to the right lane", "stand": "stands still",
}  # fmt: skip
"""Words of the scenario vocabulary and manoeuvres -> their form in a caption."""

OPENINGS = ("dashcam video of driving", "a car drives", "front camera view, driving", "driving")


@dataclass(frozen=True)
class TimedCaption:
    """A caption of a span of a source, in seconds on the clock of its video."""

    text: str
    start_s: float = 0.0
    end_s: float = math.inf


def read_captions(path: str | Path) -> tuple[TimedCaption, ...]:
    """Captions beside a video: a ``.txt`` with one text, or a ``.json`` with ``caption`` or a list of ``captions``.

    JSON: ``{"caption": "..."}`` or ``{"captions": [{"start_s": 0, "end_s": 5, "caption": "..."}]}``.

    Raises:
        InputError: text that is not UTF-8, no JSON, another structure, or a span that ends before it starts.
    """
    path = Path(path)
    expected = '{"caption": "..."} or {"captions": [{"start_s": 0, "end_s": 5, "caption": "..."}]}'
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"caption file {path.name}", Received("bytes that are not text"), "UTF-8 text") from error
    if path.suffix.lower() == ".txt":
        return (TimedCaption(" ".join(text.split())),)
    content = parse_json(text, f"caption file {path.name}", expected)
    if isinstance(content, dict) and isinstance(content.get("caption"), str):
        return (TimedCaption(" ".join(content["caption"].split())),)
    rows = content.get("captions") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows:
        raise InputError(f"caption file {path.name}", Received("neither caption nor captions"), expected)
    out = []
    for number, row in enumerate(rows, start=1):
        try:
            timed = TimedCaption(
                " ".join(row["caption"].split()), float(row.get("start_s", 0.0)), float(row.get("end_s", math.inf))
            )
        except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(f"caption file {path.name}, entry {number}", row, expected) from error
        if not timed.start_s < timed.end_s:
            raise InputError(
                f"caption file {path.name}, entry {number}", (timed.start_s, timed.end_s), "start_s before end_s"
            )
        out.append(timed)
    return tuple(out)


def is_caption_file(path: Path) -> bool:
    """Whether a ``.json`` beside a video holds captions; it may also be an ego log."""
    try:
        content = read_json(path)
    except InputError:
        return False
    return isinstance(content, dict) and ("caption" in content or "captions" in content)


def caption_at(captions: tuple[TimedCaption, ...], start_s: float, end_s: float) -> str:
    """The caption with the longest overlap with a span in seconds; "" without any overlap."""
    shared = [min(c.end_s, end_s) - max(c.start_s, start_s) for c in captions]
    best = max(range(len(captions)), key=shared.__getitem__, default=None)
    return captions[best].text if best is not None and shared[best] > 0 else ""


def manoeuvre_of(ego: EgoMotion | None) -> str | None:
    """The manoeuvre of the ego, one of ``MANOEUVRE_WORDS``; None when its motion is unknown."""
    if ego is None:
        return None
    if float(abs(ego.speed_mps).max()) < STANDSTILL_MPS:
        return "stand"
    return classify_manoeuvre(ego)


def template_caption(tags: tuple[str, ...], manoeuvre: str | None, key: str) -> str:
    """A sentence from tags and the manoeuvre, "" without both. Only the opening words depend on ``key``.

    Example: "driving on a highway in clear weather by day, the car brakes".
    """
    parts = [table[tag] for table in (ROAD_WORDS, WEATHER_WORDS, LIGHT_WORDS) for tag in tags if tag in table]
    if not parts and manoeuvre is None:
        return ""
    sentence = " ".join([OPENINGS[stable_hash("caption", key) % len(OPENINGS)], *parts])
    return sentence if manoeuvre is None else f"{sentence}, the car {MANOEUVRE_WORDS[manoeuvre]}"

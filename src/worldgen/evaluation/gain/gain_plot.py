"""The plot of a gain study as a PNG: the difference of every arm to real pictures only, with its interval."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, ImageFont

from worldgen.evaluation.gain.gain_config import REAL
from worldgen.evaluation.gain.study import RARE

WIDTH_PX, ROW_PX, LEFT_PX, RIGHT_PX, TOP_PX = 900, 44, 190, 290, 84
COLOURS = {"gain": (24, 120, 60), "harm": (178, 34, 34), "no gain": (90, 90, 96)}


def gain_plot(record: dict, measure: str = RARE) -> bytes:
    """PNG bytes of the plot. record: the result of ``gain_result.summarise``. measure: one of its columns."""
    rows = [(name, row["difference"][measure]) for name, row in record["arms"].items() if name != REAL]
    rows = [(name, row) for name, row in rows if row["value"] is not None]
    ends = [v for _, row in rows for v in (row["low"], row["high"], row["value"]) if v is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    margin = 0.08 * max(high - low, 0.01)
    low, high = low - margin, high + margin
    height = TOP_PX + ROW_PX * len(rows) + 50
    image = Image.new("RGB", (WIDTH_PX, height), "white")
    draw = ImageDraw.Draw(image)
    text, title = ImageFont.load_default(14), ImageFont.load_default(18)

    def across(value: float) -> float:
        return LEFT_PX + (value - low) / (high - low) * (WIDTH_PX - LEFT_PX - RIGHT_PX)

    draw.text((16, 14), f"{record['study']['name']}: AP50 on {measure} clips, against real only", "black", font=title)
    real = record["arms"][REAL]["scores"][measure]["value"]
    draw.text(
        (16, 42), f"real only: {real:.3f}; 95 % intervals over seeds and test clips, paired", (70, 70, 76), font=text
    )
    bottom = TOP_PX + ROW_PX * len(rows)
    for tick in ticks(low, high):
        draw.line([(across(tick), TOP_PX - 8), (across(tick), bottom)], (226, 226, 230))
        label = f"{100 * tick:+.0f}" if tick else "0"
        draw.text((across(tick), bottom + 8), label, (70, 70, 76), font=text, anchor="ma")
    draw.line([(across(0), TOP_PX - 8), (across(0), bottom)], (40, 40, 44), width=2)
    draw.text(((LEFT_PX + WIDTH_PX - RIGHT_PX) / 2, bottom + 28), "AP50 points", (70, 70, 76), font=text, anchor="ma")
    for number, (name, row) in enumerate(rows):
        y = TOP_PX + ROW_PX * (number + 0.5)
        colour = COLOURS[row["says"]]
        draw.text((LEFT_PX - 14, y), name, "black", font=text, anchor="rm")
        if row["low"] is not None:
            draw.line([(across(row["low"]), y), (across(row["high"]), y)], colour, width=3)
            for end in ("low", "high"):
                draw.line([(across(row[end]), y - 6), (across(row[end]), y + 6)], colour, width=3)
        draw.ellipse([across(row["value"]) - 6, y - 6, across(row["value"]) + 6, y + 6], colour)
        draw.text((WIDTH_PX - RIGHT_PX + 16, y), _cell(row), colour, font=text, anchor="lm")
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _cell(row: dict) -> str:
    value = f"{100 * row['value']:+.1f}"
    if row["low"] is None:
        return f"{value}  (1 seed)"
    return f"{value} [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]  {row['says']}"


def ticks(low: float, high: float) -> list[float]:
    """4 to 10 round values between the ends, among them 0 where it lies between."""
    for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5):
        if (high - low) / step <= 9:
            break
    first, last = int(low // step) + 1, int(high // step)
    return [round(k * step, 4) for k in range(first, last + 1)]

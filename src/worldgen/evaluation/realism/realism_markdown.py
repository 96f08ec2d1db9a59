"""The result of the realism measure as markdown tables: sets side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from worldgen.evaluation.realism.realism_score import ALL, BANDS, PART_ROWS

Record = dict[str, Any]
NONE = "-"


def realism_markdown(record: Record) -> list[str]:
    """Lines of all tables. record: what ``measure_realism`` returns.

    A cell is recall with its interval, then class agreement, then the number of labels.
    """
    sets: dict[str, Record] = record["sets"]
    classes = list(dict.fromkeys(row for each in sets.values() for row in each["rows"]))
    rules, detector = record["rules"], record["detector"]
    size = "x".join(map(str, record["size_px"])) if record["size_px"] else "each set's own size"
    out = [
        f"Detector {detector['name']} with an input of {'x'.join(map(str, detector['input_px']))}, frames of {size}. "
        f"Labels of at least {rules['min_height_px']:g} px and {rules['min_visible']:g} visible, IoU "
        f"{rules['overlap']:g}, score {rules['least_score']:g}. "
        "Cells: recall [95 % interval], class agreement, (number of labels).", "",
    ]  # fmt: skip
    out += [f"- {name}: {_about(each)}" for name, each in sets.items()]
    out += ["", *(line for warning in record["warnings"] for line in (f"Warning: {warning}.", ""))]
    out += _by_band(sets, classes) + _by_light(sets, classes)
    for name, each in sets.items():
        out += _by_word(name, each)
    out += _distances(record.get("distances"))
    out += _at_heights(record) + _called(sets, classes) + _precision(sets) + _controls(sets)
    return out


def _about(each: Record) -> str:
    left_out = f", without {', '.join(each['categories_left_out'])}" if each["categories_left_out"] else ""
    return f"{each['frames']} frames of {each['clips']} clips, {each['labels']} labels{left_out}"


def _table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    """Lines of a table, padded so that it reads well as text; nothing without rows."""
    cells = [head, *rows]
    if len(cells) == 1:
        return []
    widths = [max(len(row[k]) for row in cells) for k in range(len(head))]
    lines = ["| " + " | ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) + " |"
             for row in cells]  # fmt: skip
    return [lines[0], "| " + " | ".join("-" * width for width in widths) + " |", *lines[1:], ""]


def _rows(
    sets: dict[str, Record], classes: list[str], pieces: list[tuple[str, str, str]], cell: Callable[[Record], str]
) -> list[list[str]]:
    """A row for each class and piece (shown name, slice, band) that has labels in any set."""
    out = []
    for row in classes:
        for shown, piece, band in pieces:
            if row in PART_ROWS and ALL not in (piece, band):
                continue
            found = [each["rows"].get(row, {}).get(piece, {}).get(band) for each in sets.values()]
            if any(found):
                out.append([row, shown, *(cell(one) if one else NONE for one in found)])
    return out


def _by_band(sets: dict[str, Record], classes: list[str]) -> list[str]:
    pieces = [(f"{band} px" if band != ALL else ALL, ALL, band) for band in (ALL, *BANDS)]
    rows = _rows(sets, classes, pieces, _cell)
    return ["## By class and height of the label", "", *_table(["class", "height", *sets], rows)]


def _by_light(sets: dict[str, Record], classes: list[str]) -> list[str]:
    pieces = [
        (f"{piece}, {band} px" if band != ALL else piece, piece, band)
        for piece in ("day", "night") for band in (ALL, *BANDS)
    ]  # fmt: skip
    rows = _rows(sets, classes, pieces, _cell)
    return ["## Day and night", "", *_table(["class", "light, height", *sets], rows)] if rows else []


def _by_word(name: str, each: Record) -> list[str]:
    """Recall of one set by weather and light."""
    words = sorted({piece for row in each["rows"].values() for piece in row if " " in piece}, reverse=True)
    rows = []
    for row, pieces in each["rows"].items():
        found = [pieces.get(word, {}).get(ALL) for word in words]
        if any(found):
            cells = [f"{_number(one['recall']['value'])} ({one['n']})" if one else NONE for one in found]
            rows.append([row, *cells])
    heads = ["class", *(word.split(" ", 1)[1] for word in words)]
    return [f"## {name} by weather and light: recall (labels)", "", *_table(heads, rows)] if rows else []


def _at_heights(record: Record) -> list[str]:
    """Recall at the heights of the reference's labels."""
    reference, rows = record["reference"], []
    for name, classes in record["at_heights_of_reference"].items():
        for row, pieces in classes.items():
            for piece, one in pieces.items():
                cells = [_interval(one["recall"]), _interval(one["reference"]), _number(one["covered"])]
                rows.append([name, row, piece, *cells])
    heads = ["set", "class", "light", "recall", f"{reference}", "heights covered"]
    return [f"## Recall at the label heights of {reference}", "", *_table(heads, rows)] if rows else []


def _distances(record: Record | None) -> list[str]:
    """Distances from the reference, and how much nearer one set of shared scenes is than another."""
    if not record or not record["sets"]:
        return []
    rows = [
        [name, f"{each['clips']}", _precise(each["kernel"]), f"{each['frechet']:.3f}"]
        for name, each in record["sets"].items()
    ]
    out = [f"## Distance from {record['reference']} in the detector's backbone", ""]
    out += _table(["set", "clips", "kernel distance", "Fréchet distance"], rows)
    pairs = [[p["from"], p["to"], f"{p['clips']}", _precise(p["nearer_by"])] for p in record["pairs"]]
    return out + _table(["from", "to", "same scenes", "kernel distance smaller by"], pairs)


def _precise(one: Record) -> str:
    low, high = ("-" if one[end] is None else f"{one[end]:.4f}" for end in ("low", "high"))
    return f"{one['value']:.4f} [{low}, {high}]"


def _called(sets: dict[str, Record], classes: list[str]) -> list[str]:
    """What the labels that were found are called."""

    def cell(one: Record) -> str:
        return ", ".join(f"{name} {count}" for name, count in one["called"].items()) or "none found"

    whole = [row for row in classes if any("called" in each["rows"].get(row, {}).get(ALL, {}).get(ALL, {})
             for each in sets.values())]  # fmt: skip
    rows = [[row[0], *row[2:]] for row in _rows(sets, whole, [(ALL, ALL, ALL)], cell)]
    return ["## What found labels are called", "", *_table(["class", *sets], rows)] if rows else []


def _precision(sets: dict[str, Record]) -> list[str]:
    rows = []
    for name in dict.fromkeys(name for each in sets.values() for name in each["precision"]):
        found = [each["precision"].get(name) for each in sets.values()]
        cells = [f"{_interval(one['right'])}, {_number(one['on_an_object']['value'])} ({one['n']})" if one and one["n"]
                 else NONE for one in found]  # fmt: skip
        rows.append([name, *cells])
    title = "## Precision: share of detections of that name that are one, share on any labelled object, (detections)"
    return [title, "", *_table(["name", *sets], rows)]


def _controls(sets: dict[str, Record]) -> list[str]:
    rows = [
        [f"labels {column}", *(_interval(each["controls"][column][ALL]) for each in sets.values())]
        for column in ("shifted", "shuffled")
    ]
    title = "## Controls that must be near 0: recall of labels moved by their width, and in the frame of another clip"
    return [title, "", *_table(["control", *sets], rows)]


def _cell(one: Record) -> str:
    agreement = f", {_number(one['agreement']['value'])}" if "agreement" in one else ""
    return f"{_interval(one['recall'])}{agreement} ({one['n']})"


def _interval(one: Record) -> str:
    if one["low"] is None:
        return _number(one["value"])
    return f"{_number(one['value'])} [{_number(one['low'])}, {_number(one['high'])}]"


def _number(value: float | None) -> str:
    """``.83``; a dash where it is not defined."""
    return NONE if value is None else f"{value:.2f}".removeprefix("0")

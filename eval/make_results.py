"""Write eval/RESULTS.md from eval/results/*.json. Every number on the page is copied from one of them.

python eval/make_results.py [--results eval/results] [--out eval/RESULTS.md]
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ORDER = ("fvd", "memorisation", "control", "attributes", "labels", "drift", "gain")
SENTENCES = ("sentence", "line", "verdict", "conclusion")
SHIPPED = HERE.parent / "assets" / "model" / "training.json"
"""The record of the shipped weights; its ``weights_hash`` names them."""
WEIGHTS_NAME = "weights_of_results.json"
"""Beside the page: name of a result -> which weights it is of, for results whose own record does not say."""
SHOWN_DIGITS = 12
MOST_ROWS = 40
DEPTH = 3
ROW_NAMES = {"made": "generated", "drawn": "rendered"}
"""Key in the results -> its name in a table."""


def is_interval(value: object) -> bool:
    """Whether a value is an interval: a dictionary with value, low and high."""
    return isinstance(value, dict) and {"value", "low", "high"} <= value.keys()


def intervals(record: dict, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, dict]]:
    """Names and intervals found in a record, nested names joined with a full stop."""
    for name, value in record.items():
        full = f"{prefix}{ROW_NAMES.get(name, name)}"
        if is_interval(value):
            yield full, value
        elif isinstance(value, dict) and depth < DEPTH:
            yield from intervals(value, f"{full}.", depth + 1)


def number(value: object) -> str:
    """A number for a table."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "not defined"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def cost_line(record: dict) -> str:
    """Time and memory that a result took, "" where it does not say."""
    cost = record.get("cost") or {}
    parts = [
        f"{cost[name]:,} {unit}"
        for name, unit in (
            ("seconds", "s"),
            ("cpu_seconds", "s of processor time"),
            ("peak_memory_mb", "MB of memory at most"),
        )
        if name in cost
    ]
    return "Cost: " + ", ".join(parts) + "." if parts else ""


def weights_line(name: str, record: dict, shipped: str, known: dict[str, str]) -> str:
    """Which weights the numbers of a result are of.

    name: of the result. shipped: hash of the shipped weights. known: name -> what is known of a result without a hash.
    """
    found = record.get("weights_hash") or (record.get("generated") or {}).get("weights_hash")
    if found == shipped:
        return f"Weights: the shipped ones (`{shipped[:SHOWN_DIGITS]}`)."
    if found:
        return f"Weights: `{found[:SHOWN_DIGITS]}`, **older than the shipped ones**; not measured again."
    return f"Weights: {known.get(name, 'not recorded.')}"


def planted_table(record: dict) -> list[str]:
    """A table of planted copies found, and of false alarms."""
    lines = ["| planted copies | found | 95 % | scores |", "| --- | --- | --- | --- |"]
    for kind, row in record["planted"].items():
        low, high = row["interval_95"]
        scores = row["scores"]
        lines.append(
            f"| {kind}{'' if row['required'] else ' (not required)'} | {row['found']} of {row['clips']} | {low:.2f} "
            f"to {high:.2f} "
            f"| {scores['least']:.2f} to {scores['most']:.2f} |"
        )
    for name, row in record["false_alarms"].items():
        low, high = row["interval_95"]
        lines.append(f"| false alarms, {name} | {row['found']} of {row['clips']} | {low:.2f} to {high:.2f} | |")
    return lines


def gain_tables(record: dict) -> list[str]:
    """Tables of a detector study: AP50 of each arm on rare clips, and differences to real pictures only in points."""
    columns = [name for name in record["objects"] if record["objects"][name]]
    about = [f"{name}: {record['objects'][name]}" for name in columns if name != "rare_ap"]
    lines = [
        f"Test: {record['test_clips']} clips, {record['test_pictures']} pictures. Objects: {', '.join(about)}.",
        "",
        "| arm | trains on | pictures | steps | seeds | AP50 rare | share of the oracle's gain |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in record["arms"].items():
        share = row.get("recovered")
        text = "" if not share else f"{number(share['value'])} [{number(share['low'])}, {number(share['high'])}]"
        lines.append(
            f"| {name} | {row['about']} | {row['pictures']} | {row['steps']} | {row['runs']} "
            f"| {number(row['scores']['rare']['value'])} | {text} |"
        )
    lines += ["", "Differences to real only, in AP50 points (`rare_ap`: in AP points), 95 % intervals, paired:", ""]
    lines += [f"| arm | {' | '.join(columns)} |", f"| --- |{' --- |' * len(columns)}"]
    for name, row in record["arms"].items():
        if "difference" in row:
            lines.append(f"| {name} | {' | '.join(points(row['difference'][column]) for column in columns)} |")
    return lines


def points(change: dict) -> str:
    """A difference in points with its interval."""
    if change["value"] is None or change["low"] is None:
        return "not defined"
    return f"{100 * change['value']:+.1f} [{100 * change['low']:+.1f}, {100 * change['high']:+.1f}]"


def section(path: Path, shipped: str, known: dict[str, str]) -> list[str]:
    """The section of one result: its weights, sentences, numbers, warnings, command and cost."""
    record = json.loads(path.read_text(encoding="utf-8"))
    lines = [f"## {path.stem.replace('_', ' ')}", "", weights_line(path.stem, record, shipped, known), ""]
    lines += [f"{record[name]}" for name in SENTENCES if isinstance(record.get(name), str)]
    for name in ("sentences", "conclusions"):
        value = record.get(name)
        lines += [
            f"- {text}"
            for text in (value.values() if isinstance(value, dict) else value or ())
            if isinstance(text, str)
        ]
    if "planted" in record:
        lines += ["", *planted_table(record)]
    if record.get("measure") == "gain":
        lines += ["", *gain_tables(record)]
    rows = [] if record.get("measure") == "gain" else list(intervals(record))
    if rows:
        lines += ["", "| | value | 95 % | clips |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {name} | {number(v['value'])} | {number(v['low'])} to {number(v['high'])} | {v.get('clips', '')} |"
            for name, v in rows[:MOST_ROWS]
        ]
        if len(rows) > MOST_ROWS:
            lines.append(f"| and {len(rows) - MOST_ROWS} more in {path.name} | | | |")
    if isinstance(record.get("slices"), dict) and record["slices"] and "value" in record:
        lines += ["", "| slice | clips | kernel distance | 95 % |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {tag} | {row['generated_clips']} | {number(row['kernel_distance'])} | "
            f"{number(row['interval_95'][0])} to "
            f"{number(row['interval_95'][1])} |"
            for tag, row in record["slices"].items()
        ]
    lines += ["", *(f"- Warning: {text}." for text in record.get("warnings", ()))] if record.get("warnings") else []
    picture = path.with_suffix(".png")
    if picture.is_file():
        lines += ["", f"![{path.stem.replace('_', ' ')}]({picture.parent.name}/{picture.name})"]
    tail = [f"`{record['command']}`" if record.get("command") else "", cost_line(record)]
    lines += ["", *(part for part in tail if part), f"Source: `{path.parent.name}/{path.name}`.", ""]
    return lines


def rank(path: Path) -> tuple[int, str]:
    """Sort key of a result on the page."""
    kind = next((i for i, name in enumerate(ORDER) if path.stem.startswith(name)), len(ORDER))
    return kind, path.stem


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    args = parser.parse_args()
    paths = sorted(args.results.glob("*.json"), key=rank)
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))["weights_hash"]
    known = json.loads((HERE / WEIGHTS_NAME).read_text(encoding="utf-8"))
    lines = [
        "# Results",
        "",
        "`eval/make_results.py` writes this page from `results/*.json`; do not edit it. [PROTOCOL.md](PROTOCOL.md) "
        "says what",
        "each number means and which result would refute its claim. `eval/run_all.sh` measures all of them again.",
        f"Each section says which weights it is of; the shipped ones are `{shipped}`.",
        "",
    ]
    for path in paths:
        lines += section(path, shipped, known)
    args.out.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    print(f"{len(paths)} results in {args.out}")


if __name__ == "__main__":
    main()

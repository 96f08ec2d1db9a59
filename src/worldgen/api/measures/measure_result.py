"""What the results of all measures share: the head, the command that gives the same numbers, and the cost."""

from __future__ import annotations

import datetime
import resource
import sys
import time
from collections.abc import Sequence
from typing import Any

import worldgen
from worldgen.evaluation.measures.intervals import Interval

RESULT_VERSION = 1
ZERO_COUNTS = ("frames", "draws", "skip")
"""Options whose 0 is not the same as leaving them out."""
REPEATED = ("tag",)
"""Options that are given once for each value."""


def result_head(measure: str, command: str) -> dict[str, Any]:
    """The first keys of a result: what was measured, by which command, when, by which version."""
    return {
        "result_version": RESULT_VERSION,
        "measure": measure,
        "command": command,
        "date": datetime.date.today().isoformat(),
        "worldgen": worldgen.__version__,
    }


def command_line(measure: str, options: object, names: Sequence[str]) -> str:
    """The command that gives the same numbers.

    names: of the options that change the numbers. Files and folders are named by their last part, because the rest is
    one machine's.
    """
    words = ["worldgen", "eval", measure]
    for name in names:
        option, value = f"--{name.replace('_', '-')}", getattr(options, name)
        if value is True:
            words.append(option)
            continue
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        if value is False or value is None or values in ([], [""]) or (value == 0 and name not in ZERO_COUNTS):
            continue
        parts = [str(each).rstrip("/").rsplit("/", 1)[-1] for each in values]
        words += [word for part in parts for word in (option, part)] if name in REPEATED else [option, *parts]
    return " ".join(words)


def cost(begun_s: float) -> dict[str, float]:
    """Seconds since ``begun_s`` (monotonic), processor seconds, and the most memory this process held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "seconds": round(time.monotonic() - begun_s, 1),
        "cpu_seconds": round(time.process_time(), 1),
        "peak_memory_mb": round(peak / 1e6),
    }


def as_json(value: object) -> Any:
    """The value with every interval in its dicts and lists as JSON."""
    if isinstance(value, Interval):
        return value.to_json()
    if isinstance(value, dict):
        return {name: as_json(inner) for name, inner in value.items()}
    return [as_json(inner) for inner in value] if isinstance(value, list) else value

"""Log lines and progress on stderr (:mod:`worldgen.core.progress`), and what the commands say of a prompt."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any, TypeVar

Item = TypeVar("Item")

LINE_EVERY_S = 10.0
"""Seconds between plain lines, so that the log of a night's run stays readable."""


def log_line(line: str, /) -> None:
    """Print one line on stderr (a :class:`worldgen.core.progress.LogLine`)."""
    print(line, file=sys.stderr, flush=True)


def progress(items: Iterable[Item], /, total: int | None = None, desc: str = "") -> Iterator[Item]:
    """The items unchanged, with a bar and the time left on a terminal, and elsewhere a line every ``LINE_EVERY_S``.

    A :class:`worldgen.core.progress.ProgressReporter`.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=desc, dynamic_ncols=True, file=sys.stderr)
        return
    start_s = last_s = time.monotonic()
    count = 0
    for item in items:
        yield item
        count += 1
        now_s = time.monotonic()
        if now_s - last_s >= LINE_EVERY_S and count != total:
            log_line(progress_line(desc, count, total, now_s - start_s))
            last_s = now_s
    elapsed_s = time.monotonic() - start_s
    if elapsed_s >= LINE_EVERY_S:
        log_line(f"{desc or 'done'}: {count} in {_duration(elapsed_s)}")


def progress_line(desc: str, count: int, total: int | None, elapsed_s: float) -> str:
    """``"encode: 40 of 100, 20 s so far, about 30 s left"``."""
    line = f"{desc + ': ' if desc else ''}{count}{f' of {total}' if total else ''}, {_duration(elapsed_s)} so far"
    if total and 0 < count < total:
        line += f", about {_duration(elapsed_s / count * (total - count))} left"
    return line


def print_prompt_notes(notes: dict[str, Any], prompt: str, *, frames: int, fps: float) -> None:
    """Print what was assumed, what was not understood, and a stated duration that the clip does not have.

    notes: "assumed" and "not_understood" of the parsed prompt, where there is one. frames, fps: of the clip, which
    decide its length: a duration that nobody stated is not printed.
    """
    assumed = [item for item in notes.get("assumed", ()) if item["field"] != "duration_s"]
    if assumed:
        print("assumed: " + ", ".join(f"{item['field']} = {item['value']}" for item in assumed))
    if notes.get("not_understood"):
        print("not understood: " + ", ".join(notes["not_understood"]))
    if "assumed" in notes and len(assumed) == len(notes["assumed"]):
        from worldgen.prompts import parse

        stated_s = parse(prompt).scenario.duration_s
        if abs(stated_s * fps - frames) > 1:
            wanted = max(1, round(stated_s * fps))
            made = f"{frames} frames are {frames / fps:.3g} s"
            print(f"{stated_s:g} s in the prompt, but {made}: --frames {wanted} for all")


def _duration(seconds: float) -> str:
    seconds = round(seconds)
    if seconds < 100:
        return f"{seconds} s"
    if seconds < 6000:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"

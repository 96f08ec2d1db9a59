"""Progress of anything that takes more than a few seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

LINE_EVERY_S = 10.0
"""Seconds between plain lines; logs of a night's run stay readable."""


def progress(iterable: Iterable[Item], total: int | None = None, desc: str = "") -> Iterator[Item]:
    """The items of ``iterable``, with a bar and ETA on a terminal and a timed line now and then elsewhere (stderr).

    total: number of items, taken from ``len`` where it is not given. desc: what is being done, a few words.
    """
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)  # type: ignore[arg-type]
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(iterable, total=total, desc=desc, dynamic_ncols=True, file=sys.stderr)
        return
    start_s = last_s = time.monotonic()
    count = 0
    for item in iterable:
        yield item
        count += 1
        now_s = time.monotonic()
        if now_s - last_s >= LINE_EVERY_S and count != total:
            print(progress_line(desc, count, total, now_s - start_s), file=sys.stderr, flush=True)
            last_s = now_s
    elapsed_s = time.monotonic() - start_s
    if elapsed_s >= LINE_EVERY_S:
        print(f"{desc or 'done'}: {count} in {_duration(elapsed_s)}", file=sys.stderr, flush=True)


def progress_line(desc: str, count: int, total: int | None, elapsed_s: float) -> str:
    """``"encode: 40 of 100, 20 s so far, about 30 s left"``."""
    line = f"{desc + ': ' if desc else ''}{count}{f' of {total}' if total else ''}, {_duration(elapsed_s)} so far"
    if total and 0 < count < total:
        line += f", about {_duration(elapsed_s / count * (total - count))} left"
    return line


def _duration(seconds: float) -> str:
    seconds = round(seconds)
    if seconds < 100:
        return f"{seconds} s"
    if seconds < 6000:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"

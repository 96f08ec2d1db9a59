"""How a run was started, where it reports, and what its preparations need."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from worldgen.core.progress import LogLine, ProgressReporter, no_log, no_progress

if TYPE_CHECKING:
    from accelerate import Accelerator

Item = TypeVar("Item")

RESUMES = "the same command goes on from there"
RESTARTS = "the same command does this part again"
TIMED_PARTS = 3
"""Parts of a preparation that are timed before its length is announced."""
LONG_S = 20.0
"""Seconds from which on the length of a preparation is worth a line."""


def duration_text(seconds: float) -> str:
    """Seconds as text, in seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


@dataclass(frozen=True)
class Launch:
    """How a run was started and how it speaks.

    command: as typed. config_text: the resolved config as YAML. log: takes a line for the user. progress: shows how far
    a preparation is. stop: True once the run shall end after its current step, or a preparation after its current part.
    clock: seconds since any fixed time, for ``max_minutes``.
    """

    command: str = ""
    config_text: str = ""
    log: LogLine = no_log
    progress: ProgressReporter = no_progress
    stop: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic

    def parts(self, parts: Iterable[Item], *, total: int, desc: str, when_stopped: str = RESUMES) -> Iterator[Item]:
        """The parts of a preparation, with progress shown and its length announced after the first parts; ``stop`` is
        asked after each, when the caller has kept it.

        Raises:
            KeyboardInterrupt: when ``stop`` says so; an unfinished preparation is of no use to training.
        """
        first_s = None
        for count, part in enumerate(self.progress(parts, total, desc), 1):
            yield part
            first_s = self.clock() if first_s is None else first_s  # the first part also starts loaders
            if count == TIMED_PARTS + 1:
                left_s = (total - count) * (self.clock() - first_s) / TIMED_PARTS
                if left_s >= LONG_S:
                    self.log(f"{desc}: about {duration_text(left_s)} to go, once; {when_stopped}")
            if self.stop():
                self.log(f"{desc}: stopped after {count} of {total}; {when_stopped}")
                raise KeyboardInterrupt


@dataclass(frozen=True)
class PreparationContext:
    """With what a preparation works: the processes of ``accelerator``, each with ``workers`` loader processes."""

    accelerator: Accelerator
    workers: int = 0
    launch: Launch = Launch()

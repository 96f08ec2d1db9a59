"""Reports of long work to its caller: lines for a log, and the progress of a loop.

Rooms below the command line print nothing. They take a :class:`LogLine` or a :class:`ProgressReporter` as an argument;
the command line passes functions that print, a notebook passes others, and the defaults here do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class LogLine(Protocol):
    """Receives one line of text for the user, without a newline at its end."""

    def __call__(self, line: str, /) -> object: ...


class ProgressReporter(Protocol):
    """Yields the items of an iterable unchanged and shows how far the loop over them is."""

    def __call__(self, items: Iterable[Item], /, total: int | None = None, desc: str = "") -> Iterator[Item]:
        """Items in the same order.

        Args:
            items: what the loop goes over.
            total: number of items; ``len(items)`` by default, unknown when items have no length.
            desc: what is being done, a few words, e.g. "encode clips".
        """
        ...


def no_log(line: str, /) -> None:
    """A :class:`LogLine` that drops the line."""


def no_progress(items: Iterable[Item], /, total: int | None = None, desc: str = "") -> Iterator[Item]:
    """A :class:`ProgressReporter` that shows nothing."""
    return iter(items)

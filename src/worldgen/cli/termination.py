"""SIGTERM, which batch systems and ``kill`` send, ends a command as Ctrl-C does: what was begun is cleaned up."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

GRACE_S = 5.0
"""Seconds in which a second SIGTERM is ignored, so that it does not interrupt the cleaning up."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end. A KeyboardInterrupt, so that all code treats both alike."""


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Raise :class:`Terminated` in the block when SIGTERM comes.

    Nothing changes in a thread and where somebody else handles the signal, such as a process that embeds worldgen.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    last_s = -GRACE_S

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= GRACE_S:
            last_s = time.monotonic()
            raise Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

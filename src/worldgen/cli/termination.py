"""SIGTERM, which batch systems and ``kill`` send, ends a command as Ctrl-C does: what was begun is cleaned up."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

GRACE_S = 5.0
"""Seconds in which a second SIGTERM is ignored, so that it does not interrupt the cleaning up."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end. A KeyboardInterrupt, so that all code treats both alike."""


LOCAL_FILES = os.path.join("fsspec", "implementations", "local.py")
RETRY_S = 0.05
"""Seconds after which a signal that came during an import is sent again."""


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Raise :class:`Terminated` in the block when SIGTERM comes, and KeyboardInterrupt when SIGINT comes.

    A signal that comes while a library is imported waits until the import has ended: an exception inside the C++ code
    that some libraries run then would abort the process. One that comes while FFmpeg reads a file through Python waits
    for the read: an exception there is printed and lost. Nothing changes in a thread and where somebody else handles
    SIGTERM, such as a process that embeds worldgen.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    last_s = -GRACE_S

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal last_s
        if _importing(frame) or _in_callback(frame):
            threading.Timer(RETRY_S, os.kill, (os.getpid(), number)).start()
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        elif time.monotonic() - last_s >= GRACE_S:
            last_s = time.monotonic()
            raise Terminated

    interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGTERM, end)
    if interrupts:
        signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if interrupts:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _in_callback(frame: FrameType | None) -> bool:
    """Whether the code at ``frame`` reads or seeks in a local file, which FFmpeg may have asked for."""
    return frame is not None and frame.f_code.co_filename.endswith(LOCAL_FILES)


def _importing(frame: FrameType | None) -> bool:
    """Whether a frame runs inside an import."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False

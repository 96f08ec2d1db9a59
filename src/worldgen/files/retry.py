"""Patience with disks and networks: try again a few times, and keep a record of every failure."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from worldgen.core.errors import InputError

Result = TypeVar("Result")
LONGEST_WAIT_S = 60.0


@dataclass(eq=False)
class Retry:
    """Repeats what the file system refuses. retries: after the first try. wait_s: before the first retry, then doubled.

    faults: what went wrong, one line each, also when a later try went well.
    """

    retries: int
    wait_s: float
    faults: list[str] = field(default_factory=list)
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, what: str, action: Callable[[], Result]) -> Result:
        """The result of ``action``, tried until it works.

        Raises: InputError saying how often it was tried, when the last try fails too. Only refusals of file systems
        (OSError, and InputError caused by one) are repeated.
        """
        for number in range(self.retries + 1):
            try:
                return action()
            except (OSError, InputError) as error:
                if isinstance(error, InputError) and not isinstance(error.__cause__, OSError):
                    raise
                line = " ".join(f"{what}: {_words(error)}".split())
                self.faults.append(line)
                if number == self.retries:
                    raise InputError(f"{line} ({number + 1} tries; the same command goes on from here)") from error
                self.sleep(min(self.wait_s * 2**number, LONGEST_WAIT_S))
        raise AssertionError("unreachable")


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "no space left on the device"
    return str(error) or type(error).__name__

"""Repeated tries of what a disk or a network refuses, with a record of every failure."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from worldgen.core.errors import InputError
from worldgen.files.system_errors import REASONS

Result = TypeVar("Result")
MAX_WAIT_S = 60.0


@dataclass(eq=False)
class Retry:
    """Calls an action again after a failure of the file system.

    retries: tries after the first one. wait_s: seconds before the first retry; they double with each further one, up to
    ``MAX_WAIT_S``. faults: one line per failed try, also when a later try succeeded.
    """

    retries: int
    wait_s: float
    faults: list[str] = field(default_factory=list)
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, what: str, action: Callable[[], Result]) -> Result:
        """The result of ``action``. Only OSError, and InputError that was caused by one, lead to another try.

        what: the action in words, for the record.

        Raises:
            InputError: with the number of tries, when the last one fails too.
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
                    raise InputError(f"{line} ({number + 1} tries; the same command continues from here)") from error
                self.sleep(min(self.wait_s * 2**number, MAX_WAIT_S))
        raise AssertionError("unreachable")


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return REASONS[errno.ENOSPC]
    return str(error) or type(error).__name__

"""When a cell has enough clips, and when it stops without them. Only the order of its attempts decides."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from worldgen.core.wilson import wilson_interval
from worldgen.generation.campaign.recipe import WorkConfig

State = Literal["open", "met", "stopped"]
EXPECTED_ACCEPTANCE = 0.7
"""Assumed before the first attempt, with the weight of one attempt."""


@dataclass(frozen=True)
class CellStatus:
    """The status of a cell. attempts: how many count, in order from the first. why: reason of "stopped", in words."""

    state: State
    attempts: int
    accepted: int
    why: str = ""


class QuotaCount:
    """Counts the attempts of a cell in order, up to the attempt that decides it. status: after those counted."""

    def __init__(self, count: int, work: WorkConfig):
        self._count, self._work = count, work
        self._limit = most_attempts(count, work)
        self._state: State = "open"
        self._why = ""
        self._attempts = self._accepted = 0

    @property
    def status(self) -> CellStatus:
        return CellStatus(self._state, self._attempts, self._accepted, self._why)

    def add(self, accepted: bool) -> bool:
        """Count an attempt; False when the cell is decided, so that it does not count."""
        if self._state != "open":
            return False
        self._attempts += 1
        self._accepted += bool(accepted)
        least = self._work.min_acceptance
        if self._accepted >= self._count:
            self._state = "met"
        # The interval holds the share itself, so it can only lie below the least acceptance where the share does.
        elif self._accepted < least * self._attempts and wilson_interval(self._accepted, self._attempts)[1] < least:
            self._state = "stopped"
            self._why = f"{self._accepted} of {self._attempts} accepted: below the least acceptance of {least:g}"
        elif self._attempts >= self._limit:
            self._state = "stopped"
            self._why = f"{self._accepted} accepted after the limit of {self._limit} attempts"
        return True


def cell_status(flags: Iterable[bool], count: int, work: WorkConfig) -> CellStatus:
    """Count the attempts from the first one on, up to the attempt that decides the cell.

    flags: accepted or not, in order of attempt, as far as all are known. Later attempts do not matter, so the status
    does not depend on how many jobs ran at once or were repeated.
    """
    counted = QuotaCount(count, work)
    for flag in flags:
        if not counted.add(flag):
            break
    return counted.status


def most_attempts(count: int, work: WorkConfig) -> int:
    """Largest number of attempts at a cell."""
    limit = math.ceil(count / work.min_acceptance)
    return min(limit, work.max_attempts) if work.max_attempts else limit


def jobs_needed(now: CellStatus, count: int, work: WorkConfig) -> int:
    """Expected number of further jobs of a cell, after those finished in order; 0 when it is decided."""
    if now.state != "open":
        return 0
    acceptance = (now.accepted + EXPECTED_ACCEPTANCE) / (now.attempts + 1)
    left = most_attempts(count, work) - now.attempts
    return math.ceil(min((count - now.accepted) / acceptance, left) / work.attempts)

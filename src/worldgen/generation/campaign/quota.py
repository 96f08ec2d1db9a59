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


def cell_status(flags: Iterable[bool], count: int, work: WorkConfig) -> CellStatus:
    """Count the attempts from the first one on, up to the attempt that decides the cell.

    flags: accepted or not, in order of attempt, as far as all are known. Later attempts do not matter, so the status
    does not depend on how many jobs ran at once or were repeated.
    """
    limit = most_attempts(count, work)
    attempts = accepted = 0
    for flag in flags:
        attempts, accepted = attempts + 1, accepted + bool(flag)
        if accepted >= count:
            return CellStatus("met", attempts, accepted)
        if wilson_interval(accepted, attempts)[1] < work.min_acceptance:
            return CellStatus(
                "stopped", attempts, accepted,
                f"{accepted} of {attempts} accepted: below the least acceptance of {work.min_acceptance:g}",
            )  # fmt: skip
        if attempts >= limit:
            return CellStatus("stopped", attempts, accepted, f"{accepted} accepted after the limit of {limit} attempts")
    return CellStatus("open", attempts, accepted)


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

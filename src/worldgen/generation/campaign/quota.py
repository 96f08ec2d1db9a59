"""When a cell has enough, and when it never will: decided by the order of its attempts, not by the order of the work."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from worldgen.generation.campaign.recipe import WorkConfig

State = Literal["open", "met", "stopped"]
Z95 = 1.959964
EXPECTED_ACCEPTANCE = 0.7
"""Assumed before anything is known, with the weight of one attempt."""


@dataclass(frozen=True)
class CellStatus:
    """How a cell stands. attempts: how many count, in order from the first. why: for "stopped", in words."""

    state: State
    attempts: int
    accepted: int
    why: str = ""


def wilson_upper(accepted: int, attempts: int, z: float = Z95) -> float:
    """Upper end of the 95 % interval of a share.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
    """
    if attempts == 0:
        return 1.0
    p, n = accepted / attempts, attempts
    centre = p + z * z / (2 * n)
    return (centre + z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)


def cell_status(flags: Iterable[bool], count: int, work: WorkConfig) -> CellStatus:
    """Walk through the attempts from the first, as far as all are known, and stop where the cell is decided.

    flags: accepted or not, in order of attempt. Whatever is known beyond that point does not matter, so it makes no
    difference how many jobs ran at once or were lost and repeated.
    """
    limit = most_attempts(count, work)
    attempts = accepted = 0
    for flag in flags:
        attempts, accepted = attempts + 1, accepted + bool(flag)
        if accepted >= count:
            return CellStatus("met", attempts, accepted)
        if wilson_upper(accepted, attempts) < work.min_acceptance:
            return CellStatus(
                "stopped", attempts, accepted,
                f"{accepted} of {attempts} accepted: surely below the least acceptance of {work.min_acceptance:g}",
            )  # fmt: skip
        if attempts >= limit:
            return CellStatus("stopped", attempts, accepted, f"{accepted} accepted after the limit of {limit} attempts")
    return CellStatus("open", attempts, accepted)


def most_attempts(count: int, work: WorkConfig) -> int:
    """Attempts after which a cell stops in any case."""
    limit = math.ceil(count / work.min_acceptance)
    return min(limit, work.max_attempts) if work.max_attempts else limit


def jobs_needed(now: CellStatus, count: int, work: WorkConfig) -> int:
    """Jobs beyond those finished in order that the cell will probably need; 0 when it is decided."""
    if now.state != "open":
        return 0
    rate = (now.accepted + EXPECTED_ACCEPTANCE) / (now.attempts + 1)
    left = most_attempts(count, work) - now.attempts
    return math.ceil(min((count - now.accepted) / rate, left) / work.attempts)

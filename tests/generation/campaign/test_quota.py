"""Quotas: when a cell is decided, from the order of its attempts alone."""

from __future__ import annotations

import math

import pytest

from worldgen.core.wilson import Z95
from worldgen.generation.campaign.quota import cell_status, jobs_needed, most_attempts
from worldgen.generation.campaign.recipe import WorkConfig

WORK = WorkConfig(attempts=4, min_acceptance=0.05)


def test_a_cell_is_met_at_the_attempt_that_fills_it():
    now = cell_status([False, True, False, True, True, True], 2, WORK)
    assert (now.state, now.attempts, now.accepted) == ("met", 4, 2)


def test_later_attempts_do_not_matter():
    flags = [False, True, False, True]
    assert cell_status(flags, 2, WORK) == cell_status([*flags, True, False, True], 2, WORK)


def test_a_cell_that_never_accepts_stops_and_says_so():
    needed = math.ceil(Z95**2 / 0.05 - Z95**2) + 1
    now = cell_status([False] * 1000, 50, WORK)
    assert now.state == "stopped" and abs(now.attempts - needed) <= 1 and "below the least acceptance" in now.why


def test_a_small_cell_stops_at_its_limit():
    now = cell_status([False] * 1000, 1, WORK)
    assert (now.state, now.attempts) == ("stopped", 20) and "limit of 20" in now.why
    assert most_attempts(1, WorkConfig(max_attempts=7)) == 7


@pytest.mark.parametrize("accepted_every", [1, 2, 5])
def test_the_needed_jobs_suffice_and_are_not_many_too_many(accepted_every):
    """Simulate a cell that accepts every n-th clip, with jobs in rounds as needed."""
    flags: list[bool] = []
    count = 40
    while (now := cell_status(flags, count, WORK)).state == "open":
        jobs = jobs_needed(now, count, WORK)
        assert jobs >= 1
        flags += [(len(flags) + i) % accepted_every == 0 for i in range(jobs * WORK.attempts)]
    assert now.state == "met" and jobs_needed(now, count, WORK) == 0
    assert len(flags) - now.attempts <= max(20, 0.5 * now.attempts)

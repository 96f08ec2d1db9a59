"""The driver of a campaign without a worker: order of the work, sums, and time in proportion to the attempts."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from worldgen.generation.campaign.cell import Cell
from worldgen.generation.campaign.cell_jobs import ACCEPTED, NO_CLIP, REFUSED, CellJobs, OpenWork, cell_report
from worldgen.generation.campaign.job import AttemptRecord, JobRecord
from worldgen.generation.campaign.quota import cell_status, jobs_needed
from worldgen.generation.campaign.recipe import WorkConfig

WORK = WorkConfig(attempts=4)


def cells(number: int, count: int) -> list[Cell]:
    roads = ("rural", "urban", "suburban", "highway")
    lights = ("day", "dusk", "night_lit", "night_unlit")
    kinds = [("clear", light, road) for light in lights for road in roads]
    return [Cell((w,), (li,), (r,), ("none",), ("keep",), count=count) for w, li, r in kinds[:number]]


def record(cell: str, number: int, work: WorkConfig = WORK) -> JobRecord:
    """What a worker would say: outcomes that depend on the attempt alone."""
    tries = []
    for attempt in range(number * work.attempts, (number + 1) * work.attempts):
        outcome = random.Random(f"{cell} {attempt}").random()
        key = "" if outcome < 0.1 else f"gen_{attempt}"
        accepted = outcome > 0.4
        tries.append(AttemptRecord(attempt, key, accepted, () if accepted else ("blurry",), 1 + (outcome > 0.8)))
    return JobRecord(cell, number, tuple(tries), "w", f"{number:032x}", 10, {"all": 1.0})


def run(work: OpenWork, in_flight: int, rng: random.Random) -> list[tuple[str, int]]:
    """All jobs, ``in_flight`` at once, finished in any order; returns them as they were submitted."""
    flying: list[JobRecord] = []
    submitted = []
    while True:
        while len(flying) < in_flight and (found := work.next_job()) is not None:
            submitted.append((found[0].key, found[1]))
            flying.append(record(*submitted[-1]))
        if not flying:
            return submitted
        work.finish(flying.pop(rng.randrange(len(flying))))


def by_hand(cell: Cell, jobs: int) -> tuple:
    """Status and counts of a cell from all its attempts again, as the rules are written."""
    tries = [each for number in range(jobs) for each in record(cell.key, number).tries]
    status = cell_status((each.accepted for each in tries), cell.count, WORK)
    counted = tries[: status.attempts]
    reasons = Counter(reason for each in counted if not each.accepted for reason in each.reasons)
    return status, sum(each.candidates for each in counted), sum(not each.key for each in counted), dict(reasons)


@pytest.mark.parametrize("in_flight", [1, 3, 40])
def test_sums_are_those_of_counting_everything_again(in_flight):
    work = OpenWork.of(cells(5, 37), WORK)
    submitted = run(work, in_flight, random.Random(in_flight))
    assert len(submitted) == len(set(submitted))
    for key, jobs in work.cells.items():
        status, candidates, without_clip, reasons = by_hand(jobs.cell, jobs.prefix)
        report = cell_report(jobs)
        assert jobs.status == status and status.state == "met"
        assert (report["candidates"], report["without_clip"], report["reasons"]) == (candidates, without_clip, reasons)
        assert report["made_ahead"] == 4 * sum(each[0] == key for each in submitted) - status.attempts
    assert work.accepted == 5 * 37 and work.open_cells == work.jobs_left == 0
    assert work.attempts == sum(jobs.status.attempts for jobs in work.cells.values())


def test_the_next_job_is_of_the_cell_that_is_least_far():
    """One job at a time: the choice of a search over all cells in every step."""
    work = OpenWork.of(cells(4, 30), WORK)
    done: dict[str, int] = dict.fromkeys(work.cells, 0)
    while (found := work.next_job()) is not None:
        far = {}
        for place, (key, number) in enumerate(done.items()):
            status = by_hand(work.cells[key].cell, number)[0]
            wanted = jobs_needed(status, 30, WORK)
            if wanted:
                far[key] = (number / (number + wanted), place)
        key = min(far, key=lambda each: far[each])
        assert (found[0].key, found[1]) == (key, done[key])
        work.finish(record(key, done[key]))
        done[key] += 1
    assert all(jobs.status.state == "met" for jobs in work.cells.values())


def test_a_lost_job_is_the_next_and_the_later_ones_count_again():
    cell = cells(1, 30)[0]
    work = OpenWork.of([cell], WORK)
    run(work, 2, random.Random(0))
    before = cell_report(work.cells[cell.key])
    kept = [record(cell.key, n) for n in range(work.cells[cell.key].prefix) if n != 3]
    work.replace(cell.key, kept)
    assert work.cells[cell.key].prefix == 3 and work.open_cells == 1
    found = work.next_job()
    assert found == (cell, 3)
    work.finish(record(cell.key, 3))
    assert cell_report(work.cells[cell.key]) == before and work.next_job() is None


def test_parts_hold_what_counts_and_a_growing_set_gets_the_rest():
    cell = cells(1, 30)[0]
    jobs = CellJobs(cell, WORK)
    number = 0
    while jobs.status.state == "open":
        jobs.finish(record(cell.key, number))
        number += 1
    parts = list(jobs.parts())
    outcomes = b"".join(part.outcomes for part in parts)
    assert len(outcomes) == jobs.status.attempts and outcomes.count(ACCEPTED) == 30
    tries = [each for part in parts for each in record(cell.key, part.number).tries][: len(outcomes)]
    assert [NO_CLIP if not t.key else ACCEPTED if t.accepted else REFUSED for t in tries] == list(outcomes)
    assert [part.digest for part in parts] == [f"{n:032x}" for n in range(len(parts))]
    late = list(jobs.parts(10))
    assert (late[0].number, late[0].first) == (2, 2) and [part.first for part in late[1:]] == [0] * (len(late) - 1)
    assert not list(jobs.parts(jobs.status.attempts))


def test_time_is_proportional_to_the_attempts():
    """One cell of 24,000 attempts took 36 s when each job walked over all before it."""

    def seconds(count: int) -> float:
        work = OpenWork.of(cells(1, count), big)
        start_s = time.process_time()
        while (found := work.next_job()) is not None:
            work.finish(JobRecord(found[0].key, found[1], tries, "w", "0" * 32, 10))
        return time.process_time() - start_s

    big = WorkConfig(attempts=1)
    tries = (AttemptRecord(0, "gen", True),)
    small, large = (min(seconds(count) for _ in range(3)) for count in (1000, 8000))
    assert large < 20 * small, (small, large)  # 8 times the attempts; a walk over all before takes 64 times

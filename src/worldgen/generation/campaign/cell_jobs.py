"""The jobs of a cell, folded as they finish, and the order in which the jobs of all cells are done.

A campaign may have millions of attempts, so nothing here walks over what is done: a finished job becomes sums and a few
bytes, and the next job comes from a heap.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from worldgen.generation.campaign.cell import Cell
from worldgen.generation.campaign.job import DIGEST_BYTES, JobRecord, job_name
from worldgen.generation.campaign.quota import CellStatus, QuotaCount, jobs_needed
from worldgen.generation.campaign.recipe import WorkConfig

NO_CLIP, REFUSED, ACCEPTED = 0, 1, 2
"""Outcomes of an attempt, one byte each."""


@dataclass(frozen=True)
class JobPart:
    """A job's share in the data set. cell: its key. digest: of its samples, as in its record.

    outcomes: of its attempts that count, in order, ``NO_CLIP``, ``REFUSED`` or ``ACCEPTED``; later ones were not
    needed. first: number of the first attempt that is to be published, counted within the job.
    """

    cell: str
    number: int
    digest: str
    outcomes: bytes
    first: int = 0

    @property
    def name(self) -> str:
        return job_name(self.cell, self.number)


@dataclass(eq=False)
class CellJobs:
    """The jobs of a cell: those finished without a gap as sums, those that finished early, and those in flight.

    prefix: number of jobs finished without a gap from the first. reasons: how often each was given for attempts without
    an accepted clip. without_clip, candidates: of the attempts that count, those without a clip, and the noise seeds
    tried. made, finished: attempts and number of all finished jobs. seconds: of all of them, by part of the work.
    """

    cell: Cell
    work: WorkConfig
    early: dict[int, JobRecord] = field(default_factory=dict)
    in_flight: set[int] = field(default_factory=set)
    prefix: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    without_clip: int = 0
    candidates: int = 0
    made: int = 0
    finished: int = 0
    seconds: Counter[str] = field(default_factory=Counter)
    _cursor: int = 0
    _outcomes: bytearray = field(default_factory=bytearray)
    _digests: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._count = QuotaCount(self.cell.count, self.work)

    @property
    def status(self) -> CellStatus:
        """The status after the jobs finished without a gap."""
        return self._count.status

    @property
    def jobs_left(self) -> int:
        """Expected number of further jobs."""
        return jobs_needed(self.status, self.cell.count, self.work)

    def finish(self, record: JobRecord) -> None:
        """Take a finished job. One that is finished already, as a repeated one, is not counted twice."""
        self.in_flight.discard(record.number)
        if record.number < self.prefix or record.number in self.early:
            return
        self.finished += 1
        self.made += len(record.tries)
        self.seconds.update(record.seconds)
        self.early[record.number] = record
        while (following := self.early.pop(self.prefix, None)) is not None:
            self._fold(following)
            self.prefix += 1

    def _fold(self, record: JobRecord) -> None:
        for each in record.tries:
            self._outcomes.append((ACCEPTED if each.accepted else REFUSED) if each.key else NO_CLIP)
            if not self._count.add(each.accepted):
                continue
            self.candidates += each.candidates
            self.without_clip += not each.key
            if not each.accepted:
                self.reasons.update(each.reasons)
        self._digests += bytes.fromhex(record.digest)

    def next_job(self) -> tuple[float, int] | None:
        """How far the cell is (from 0 to 1, the least goes first) and the number of its next job; None without one."""
        wanted = self.jobs_left
        if not wanted:
            return None
        ahead = len(self.early) + len(self.in_flight)
        # A damaged job leaves a gap before jobs that are finished: they count only once it is done again.
        gap = self.prefix not in self.in_flight
        if ahead >= wanted and not gap:
            return None
        number = self._cursor = max(self._cursor, self.prefix)
        while number in self.early or number in self.in_flight:
            number += 1
        self._cursor = number
        return (self.prefix + ahead) / (self.prefix + wanted), number

    def parts(self, first_attempt: int = 0) -> Iterator[JobPart]:
        """The jobs whose attempts count and are not all below ``first_attempt``."""
        size = self.work.attempts
        for number in range(first_attempt // size, -(-self.status.attempts // size)):
            outcomes = bytes(self._outcomes[number * size : min((number + 1) * size, self.status.attempts)])
            digest = self._digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES].hex()
            first = max(0, first_attempt - number * size)
            if first < len(outcomes):
                yield JobPart(self.cell.key, number, digest, outcomes, first)


@dataclass(eq=False)
class OpenWork:
    """The cells of a campaign, which of them is to go on next, and the sums over all.

    accepted, attempts: that count. open_cells: neither met nor stopped. jobs_left: expected.
    """

    cells: dict[str, CellJobs]
    accepted: int = 0
    attempts: int = 0
    open_cells: int = 0
    jobs_left: int = 0
    _heap: list[tuple[float, int, int, str]] = field(default_factory=list)
    _versions: dict[str, int] = field(default_factory=dict)
    _sums: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)
    _order: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, cells: Iterable[Cell], work: WorkConfig) -> OpenWork:
        """No job done yet."""
        found = cls({cell.key: CellJobs(cell, work) for cell in cells})
        found._order = {key: number for number, key in enumerate(found.cells)}
        for key in found.cells:
            found._changed(key)
        return found

    def finish(self, record: JobRecord) -> None:
        """Take a finished job of a cell of this campaign."""
        self.cells[record.cell].finish(record)
        self._changed(record.cell)

    def replace(self, key: str, records: Iterable[JobRecord]) -> None:
        """Count the jobs of a cell again from their records; those in flight stay so."""
        before = self.cells[key]
        self.cells[key] = CellJobs(before.cell, before.work, in_flight=before.in_flight)
        for record in records:
            self.cells[key].finish(record)
        self._changed(key)

    def next_job(self) -> tuple[Cell, int] | None:
        """The next job of the cell that is least far, the first of equals in the recipe's order; it is then in flight.

        Cells grow side by side.
        """
        while self._heap:
            _, _, version, key = self._heap[0]
            found = self.cells[key].next_job() if version == self._versions[key] else None
            if found is None:
                heapq.heappop(self._heap)
                continue
            self.cells[key].in_flight.add(found[1])
            self._changed(key)
            return self.cells[key].cell, found[1]
        return None

    def _changed(self, key: str) -> None:
        """Put a cell in its new place in the heap, and its share in the sums."""
        jobs = self.cells[key]
        now = (
            min(jobs.status.accepted, jobs.cell.count), jobs.status.attempts, int(jobs.status.state == "open"),
            jobs.jobs_left,
        )  # fmt: skip
        before = self._sums.get(key, (0, 0, 0, 0))
        self._sums[key] = now
        self.accepted += now[0] - before[0]
        self.attempts += now[1] - before[1]
        self.open_cells += now[2] - before[2]
        self.jobs_left += now[3] - before[3]
        version = self._versions[key] = self._versions.get(key, 0) + 1
        found = jobs.next_job()
        if found is not None:
            heapq.heappush(self._heap, (found[0], self._order[key], version, key))


def cell_report(jobs: CellJobs) -> dict:
    """Counts of a cell for the report. reasons: how often each was given for attempts without an accepted clip."""
    status = jobs.status
    return {
        "key": jobs.cell.key, "label": jobs.cell.label, "quota": jobs.cell.count, "state": status.state,
        "why": status.why, "accepted": status.accepted, "attempts": status.attempts,
        "without_clip": jobs.without_clip, "candidates": jobs.candidates,
        "made_ahead": jobs.made - status.attempts, "reasons": dict(jobs.reasons),
        "seconds": round(jobs.seconds.get("all", 0.0), 3),
        **{axis: list(getattr(jobs.cell, axis)) for axis in ("weather", "light", "road", "event", "manoeuvre")},
    }  # fmt: skip

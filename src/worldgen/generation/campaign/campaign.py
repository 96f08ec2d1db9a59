"""A run of a recipe: jobs until every cell is met or stopped, then the finished data set."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import worldgen
from worldgen.core.errors import InputError, Received
from worldgen.core.progress import LogLine
from worldgen.core.seeds import stable_key
from worldgen.data.dataset.index import SUMMARY_NAME
from worldgen.data.dataset.published import damaged_files
from worldgen.data.dataset.sample_files import canonical_json
from worldgen.files.json_files import parse_object
from worldgen.files.lock import Lock, locked
from worldgen.files.output_guard import GENERATED, refuse_output
from worldgen.files.retry import Retry
from worldgen.files.storage import join, read_bytes, resolve, sweep, write_bytes
from worldgen.generation.campaign.cell import grid_of
from worldgen.generation.campaign.cell_jobs import JobPart, OpenWork, cell_report
from worldgen.generation.campaign.job import JOBS, Job, JobRecord, finished_jobs, verified_samples
from worldgen.generation.campaign.ledger import Ledger
from worldgen.generation.campaign.publish import DamagedShardError, Published, publish, published_before
from worldgen.generation.campaign.recipe import Recipe, refuse_changes
from worldgen.generation.campaign.runner import JobOutcome, Runner
from worldgen.generation.report.report import REPORT_FOLDER, keep_report
from worldgen.generation.report.report_data import read_json

RECIPE_NAME = "recipe.json"
"""Written first: everything that the samples of the folder depend on."""
CONFIG_NAME = "config.yaml"
REPORT_NAME = "generate.json"
"""Written last: counts, reasons, times and cost. Its presence means that the data set is complete."""
REPORT_VERSION = 1


class WorkerError(RuntimeError):
    """A defect in a worker process, with its traceback as text."""


@dataclass(frozen=True)
class Status:
    """How far a run is. seconds: of this session. left_s: expected seconds to the end, None before the first clip."""

    accepted: int
    quota: int
    attempts: int
    open_cells: int
    seconds: float
    left_s: float | None


@dataclass(eq=False)
class Campaign:
    """One session of work on an output folder.

    log: takes a line for the user. config: the recipe as YAML text, kept beside the data set. page: whether to write
    the report's page. report: the outcome, as in ``generate.json``. shown: where the page is, "" without one.
    """

    recipe: Recipe
    runner: Runner
    log: LogLine
    config: str = ""
    page: bool = True
    report: dict = field(default_factory=dict)
    shown: str = ""

    def __post_init__(self) -> None:
        if not self.recipe.output:
            raise InputError("output of the recipe", "", "a folder or URL: output=DIR")
        self.url = self.recipe.output.rstrip("/")
        self.grid = grid_of(self.recipe)
        self.work = OpenWork.of(self.grid.cells, self.recipe.work)
        self.retry = Retry(self.recipe.work.retries, self.recipe.work.retry_wait_s)
        self.weights_hash = ""
        self.damaged = False
        self.deaths: Counter[str] = Counter()
        self.damages: Counter[str] = Counter()
        self.session_attempts = 0
        self.start_s = time.monotonic()

    def steps(self) -> Iterator[Status]:
        """Do the work and yield the status after each event; ``report`` holds the outcome at the end.

        Raises: InputError when another run works in the folder, when the folder was begun with another recipe, and when
        work fails for a reason that the user can mend; WorkerError for a defect. After both the same command resumes.
        """
        self.retry(f"read {self.url}", lambda: refuse_output(self.url, GENERATED))
        with locked(self.url, self.log) as lock:
            self.ledger = Ledger.open(self.url)
            try:
                self._begin()
                if self._is_complete():
                    self._show()
                    return
                self._resume()
                while True:
                    yield from self._work(lock)
                    lock.check()
                    try:
                        self._publish()
                        break
                    except DamagedShardError as error:
                        self._forget(error.part)
                self._show()
                yield self._status()
            except InputError as error:
                self._note("stopped", str(error), loud=False)
                raise
            finally:
                self._note_faults()
                self.ledger.flush()

    def _begin(self) -> None:
        """Compare the recipe with the one that the folder was begun with."""
        where, content = join(self.url, RECIPE_NAME), self.recipe.content()
        fs, path = resolve(where)
        if self.retry(f"read {where}", lambda: fs.exists(path)):
            before = parse_object(self.retry(f"read {where}", lambda: read_bytes(where)), where)
            refuse_changes(before.get("content", {}), json.loads(json.dumps(content)), self.url)
        else:
            record = {"recipe": self.recipe.name, "recipe_hash": self.recipe.hash, "content": content}
            data = canonical_json(record, "recipe")
            self.retry(f"write {where}", lambda: write_bytes(where, data))
        if self.config:
            where = join(self.url, CONFIG_NAME)
            self.retry(f"write {where}", lambda: write_bytes(where, self.config.encode()))

    def _asked(self) -> str:
        """A name for what the finished folder depends on: recipe, cells, counts, stopping rules, size of shards."""
        cells = [[cell.key, cell.count] for cell in self.grid.cells]
        work = self.recipe.work
        limits = (self.recipe.shard_size, work.min_acceptance, work.max_attempts)
        return stable_key("asked", self.recipe.hash, json.dumps(cells), *limits)

    def _is_complete(self) -> bool:
        """Whether the data set is finished and undamaged; then the jobs are not needed any more.

        Raises: InputError when a published file is gone or damaged and the jobs cannot restore it.
        """
        before = read_report(self.url, self.retry)
        fs, path = resolve(join(self.url, SUMMARY_NAME))
        if before.get("asked") != self._asked() or not self.retry("look", lambda: fs.exists(path)):
            return False
        damage = self.retry("verify", lambda: damaged_files(self.url, before.get("data") or {}))
        if damage:
            self.damaged = True
            self._note("damaged", f"{'; '.join(damage)}; published again from the shards of the jobs")
            self._require_jobs(damage)
            return False
        self.report = before
        return True

    def _require_jobs(self, damage: list[str]) -> None:
        """Refuse to publish again while a job's shard is gone: what is still whole would be replaced by less."""
        self._resume()
        lost = [jobs.cell.label for jobs in self.work.cells.values() if jobs.next_job() is not None]
        for part in (part for jobs in self.work.cells.values() for part in jobs.parts()):
            check = functools.partial(verified_samples, join(self.url, JOBS), part)
            if self.retry(f"read shard {part.name}", check) is None:
                lost.append(part.name)
        if lost:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise InputError(
                f"data set {self.url}",
                Received(f"{'; '.join(damage)}, and the jobs that could restore it are gone too ({lost[0]}{more})"),
                f"the files from a copy; without {REPORT_NAME} the same command generates the missing clips again",
            )

    def _resume(self) -> None:
        """Take over the finished jobs and remove the half-written files of a killed run."""
        sweep(self.url, join(self.url, JOBS))
        for record in finished_jobs(join(self.url, JOBS), self.retry):
            if record.cell in self.work.cells:
                self._accept_weights(record)
                self.work.finish(record)
        self._note_faults()

    def _work(self, lock: Lock) -> Iterator[Status]:
        """Run jobs until every cell is met or stopped."""
        in_flight = 0
        yield self._status()
        while True:
            while in_flight < self.runner.capacity:
                job = self._next_job()
                if job is None:
                    break
                self.runner.submit(job)
                in_flight += 1
            if not in_flight:
                return
            for outcome in self.runner.wait():
                in_flight -= not self._resubmitted(outcome)
                lock.check()
            self._note_faults()
            yield self._status()

    def _next_job(self) -> Job | None:
        found = self.work.next_job()
        return found and Job(*found, self.recipe.work.attempts, join(self.url, JOBS), self.weights_hash)

    def _resubmitted(self, outcome: JobOutcome) -> bool:
        """Record an outcome; True when its job was submitted again."""
        job = outcome.job
        if outcome.kind == "died":
            self.deaths[job.name] += 1
            self._note("died", f"worker of job {job.name}: {outcome.error}")
            if self.deaths[job.name] > self.recipe.work.retries:
                raise InputError(
                    f"job {job.name} lost its worker {self.deaths[job.name]} times ({outcome.error}); enough memory?"
                )
            self.runner.submit(job)
            return True
        if outcome.kind == "refused":
            raise InputError(outcome.error)
        if outcome.kind == "broke":
            raise WorkerError(outcome.error)
        assert outcome.record is not None
        self._accept_weights(outcome.record)
        for fault in outcome.record.faults:
            self._note("fault", f"job {job.name}: {fault}")
        self.work.finish(outcome.record)
        self.session_attempts += len(outcome.record.tries)
        return False

    def _accept_weights(self, record: JobRecord) -> None:
        self.weights_hash = self.weights_hash or record.weights_hash
        if record.weights_hash != self.weights_hash:
            raise InputError(f"weights of job {record.name}", record.weights_hash, f"{self.weights_hash} as other jobs")

    def _forget(self, part: JobPart) -> None:
        """Drop the record of a damaged shard, so that its job is done again, at most ``work.retries`` times."""
        self._note("damaged", f"shard {part.name} is gone or damaged; its job is done again")
        self.damages[part.name] += 1
        folder = join(self.url, JOBS)
        fs, path = resolve(join(folder, f"{part.name}.json"))
        self.retry(f"remove record {part.name}", lambda: fs.exists(path) and fs.rm_file(path))
        self.work.replace(part.cell, finished_jobs(folder, self.retry, part.cell))
        if self.damages[part.name] > self.recipe.work.retries:
            raise InputError(
                f"shard {part.name} was found damaged {self.damages[part.name]} times; is the disk damaged?"
            )

    def _publish(self) -> None:
        summary = publish(self.url, self.work.cells.values(), self._published(), self.recipe.shard_size, self.retry)
        session_s = time.monotonic() - self.start_s
        self.report = self._report(session_s) | {"asked": self._asked(), "data": summary}
        where, data = join(self.url, REPORT_NAME), canonical_json(self.report, "report of the run")
        self.report = json.loads(data)
        self.retry(f"write {where}", lambda: write_bytes(where, data))

    def _published(self) -> Published | None:
        """What the last finished session published, where this one can add to it; None: everything is written anew."""
        before = {} if self.damaged else read_report(self.url, self.retry)
        return self.retry("look", lambda: published_before(self.url, before, self.recipe.shard_size))

    def _show(self) -> None:
        """Write the report's page unless it is there. The data set is complete already, whatever happens here."""
        if self.page and self.report.get("data"):
            sweep(join(self.url, REPORT_FOLDER), join(self.url, f"{REPORT_FOLDER}/clips"))
            self.shown = keep_report(self.url, self.report, self.retry)

    def _report(self, session_s: float) -> dict:
        cells = [cell_report(jobs) for jobs in self.work.cells.values()]
        seconds: Counter[str] = Counter()
        for jobs in self.work.cells.values():
            seconds.update(jobs.seconds)
        hours = seconds.get("all", 0.0) / 3600
        accepted = sum(cell["accepted"] for cell in cells)
        return {
            "report_version": REPORT_VERSION, "worldgen": worldgen.__version__,
            "recipe": dataclasses.asdict(self.recipe),
            "recipe_hash": self.recipe.hash, "weights_hash": self.weights_hash, "cells": cells,
            "left_out": list(self.grid.left_out), "quota": self.grid.quota, "accepted": accepted,
            "attempts": sum(cell["attempts"] for cell in cells),
            "jobs": sum(jobs.finished for jobs in self.work.cells.values()),
            "met": all(cell["state"] == "met" for cell in cells),
            "reasons": dict(sum((Counter(cell["reasons"]) for cell in cells), Counter())),
            "worker_seconds": {name: round(value, 3) for name, value in seconds.items()},
            "minutes_per_accepted": round(60 * hours / accepted, 4) if accepted else None,
            "cost": round(hours * self.recipe.cost_per_hour, 4), "last_session_s": round(session_s, 2),
            "faults": len(self.ledger.entries),
        }  # fmt: skip

    def _status(self) -> Status:
        seconds, left = time.monotonic() - self.start_s, self.work.jobs_left * self.recipe.work.attempts
        left_s = None if not self.session_attempts else seconds / self.session_attempts * left
        return Status(
            self.work.accepted, self.grid.quota, self.work.attempts, self.work.open_cells, seconds, left_s
        )  # fmt: skip

    def _note(self, kind: str, what: str, *, loud: bool = True) -> None:
        self.ledger.add(kind, what)
        if loud:
            self.log(f"{kind}: {what}")

    def _note_faults(self) -> None:
        for fault in self.retry.faults:
            self._note("fault", fault)
        self.retry.faults.clear()


def read_report(url: str, retry: Retry | None = None) -> dict:
    """``generate.json`` of a finished run, {} where there is none, ``{"unreadable": ...}`` where it is not JSON."""
    return read_json(url, REPORT_NAME, retry)

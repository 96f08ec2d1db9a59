"""Runners do jobs: in this process, or in several processes of this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Literal, Protocol

from worldgen.core.errors import InputError
from worldgen.files.storage import sweep_dead
from worldgen.generation.campaign.job import Job, JobRecord

PARENT_CHECK_S = 0.5
STOP_S = 5.0


class Worker(Protocol):
    """Does one job after another; ``SampleWorker`` is one."""

    def run(self, job: Job) -> JobRecord:
        """Do a job. Raises: InputError for a failure that the user can mend."""
        ...


WorkerFactory = Callable[[], Worker]
"""Loads a worker. It is sent to other processes, so it is a function of a module or a partial of one."""


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended: "done", "refused" by an InputError, "died" with its process, or "broke" by a defect."""

    job: Job
    kind: Literal["done", "refused", "died", "broke"]
    record: JobRecord | None = None
    error: str = ""


class Runner(Protocol):
    """Takes jobs and returns outcomes in any order. capacity: number of submitted jobs that keep it busy."""

    @property
    def capacity(self) -> int:
        """Asked before each job: a cluster grows and shrinks."""
        ...

    def submit(self, job: Job) -> None:
        """Queue a job."""
        ...

    def wait(self) -> list[JobOutcome]:
        """Outcomes of one or more jobs, after waiting for the first; [] when nothing is submitted."""
        ...

    def close(self) -> None:
        """End all work now."""
        ...


def attempt(worker: Worker, job: Job) -> JobOutcome:
    """Do a job. An InputError becomes an outcome; other errors are raised."""
    try:
        return JobOutcome(job, "done", worker.run(job))
    except InputError as error:
        return JobOutcome(job, "refused", error=str(error))


class InProcessRunner:
    """Does jobs in this process when asked for an outcome."""

    capacity = 1

    def __init__(self, make: WorkerFactory):
        self._make = make
        self._worker: Worker | None = None
        self._jobs: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self) -> list[JobOutcome]:
        """The next job's outcome."""
        if not self._jobs:
            return []
        job = self._jobs.popleft()
        if self._worker is None:
            self._worker = self._make()
        return [attempt(self._worker, job)]

    def close(self) -> None:
        """Nothing to end."""


@dataclass(eq=False)
class _Process:
    """A worker process and the job it does."""

    process: multiprocessing.process.BaseProcess
    pipe: Connection
    job: Job | None = None


class ProcessRunner:
    """Does jobs in ``workers`` processes. When a process dies, its job is reported as "died" and a new one starts."""

    def __init__(self, make: WorkerFactory, workers: int):
        self.capacity = workers
        self._make = make
        self._context = multiprocessing.get_context("spawn")
        self._queue: deque[Job] = deque()
        self._processes: list[_Process] = []

    def submit(self, job: Job) -> None:
        """Queue a job; processes start as they are needed."""
        self._queue.append(job)
        idle = any(each.job is None for each in self._processes)
        if not idle and len(self._processes) < self.capacity:
            self._processes.append(self._start())
        self._hand_out()

    def wait(self) -> list[JobOutcome]:
        """Outcomes of one or more jobs; waits for the first."""
        busy = [each for each in self._processes if each.job is not None]
        if not busy:
            return []
        handles = {each.pipe: each for each in busy} | {each.process.sentinel: each for each in busy}
        ready = {id(handles[handle]): handles[handle] for handle in wait(list(handles))}  # type: ignore[index]
        outcomes = [self._collect(each) for each in ready.values()]
        self._hand_out()
        return outcomes

    def close(self) -> None:
        """End all processes now. Files are written whole or not at all, so none is damaged."""
        folders = {each.job.url for each in self._processes if each.job is not None}
        for each in self._processes:
            each.pipe.close()
            each.process.terminate()
        deadline_s = time.monotonic() + STOP_S
        for each in self._processes:
            each.process.join(max(0.0, deadline_s - time.monotonic()))
            if each.process.is_alive():
                each.process.kill()
                each.process.join()
        sweep_dead(*folders)  # a process that is ended in the middle of a write leaves a temporary
        self._processes.clear()
        self._queue.clear()

    def _start(self) -> _Process:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(self._make, theirs, os.getpid()), daemon=True)
        process.start()
        theirs.close()
        return _Process(process, ours)

    def _hand_out(self) -> None:
        for number, each in enumerate(self._processes):
            if each.job is not None or not self._queue:
                continue
            if not each.process.is_alive():
                each.pipe.close()
                each = self._processes[number] = self._start()  # noqa: PLW2901
            each.job = self._queue.popleft()
            with contextlib.suppress(OSError):  # it has just died; wait() sees that
                each.pipe.send(each.job)

    def _collect(self, each: _Process) -> JobOutcome:
        job, each.job = each.job, None
        assert job is not None
        try:
            if each.pipe.poll():
                kind, value = each.pipe.recv()
                return JobOutcome(job, kind, value if kind == "done" else None, "" if kind == "done" else value)
        except (EOFError, OSError):
            pass
        each.process.join(STOP_S)
        return JobOutcome(job, "died", error=f"its process ended with {_exit_words(each.process.exitcode)}")


def _exit_words(code: int | None) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def _serve(make: WorkerFactory, pipe: Connection, parent: int) -> None:
    """The loop of a worker process: load once, then do job after job, as long as the parent lives."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    worker: Worker | None = None
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            worker = worker or make()
            outcome = attempt(worker, job)
            answer = (outcome.kind, outcome.record if outcome.kind == "done" else outcome.error)
        except InputError as error:
            answer = ("refused", str(error))
        except Exception:  # sent to the parent, which raises it
            answer = ("broke", traceback.format_exc())
        try:
            pipe.send(answer)
        except OSError:
            return


def end_with(parent: int) -> None:
    """End this process when its parent is killed, so that it does not go on writing into the folder."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(1)

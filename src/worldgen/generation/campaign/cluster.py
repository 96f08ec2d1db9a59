"""The Ray runner: each job is a task on an existing cluster, named by its address, or on a local one."""

from __future__ import annotations

import traceback
import uuid

from worldgen.core.errors import InputError, MissingDependencyError
from worldgen.generation.campaign.job import Job, JobRecord
from worldgen.generation.campaign.runner import JobOutcome, Worker, WorkerFactory, attempt

LOCAL = "local"
_loaded: dict[str, Worker] = {}
"""Run -> worker of this process. Ray keeps processes for the next task, so the model loads once in each."""


class RayRunner:
    """Does jobs as Ray tasks. address: of a cluster, "auto", or "local" for one on this machine with ``workers`` CPUs.

    Ray reports a task whose process dies and does not repeat it: the run counts deaths, notes each in its ledger and
    submits the job again. At most ``capacity`` tasks are in flight, so that the cluster's queue stays short.
    """

    def __init__(self, make: WorkerFactory, *, address: str = LOCAL, workers: int = 1):
        try:
            import ray
        except ImportError as error:
            raise MissingDependencyError("ray", "ray", "a Ray cluster") from error
        self._ray = ray
        self._own = not ray.is_initialized()
        if self._own:
            try:
                if address == LOCAL:
                    ray.init(address="local", num_cpus=workers, include_dashboard=False, log_to_driver=False)
                else:
                    ray.init(address=address, log_to_driver=False)
            except (ConnectionError, ValueError) as error:
                raise InputError(
                    "Ray cluster", address, f"the address of a running cluster, or local ({error})"
                ) from error
        self.capacity = 2 * workers if address == LOCAL else 2 * max(int(ray.cluster_resources().get("CPU", 1)), 1)
        self._task = ray.remote(num_cpus=1, max_retries=0)(_do)
        self._make = ray.put(make)
        self._token = uuid.uuid4().hex
        self._in_flight: dict[object, Job] = {}

    def submit(self, job: Job) -> None:
        self._in_flight[self._task.remote(self._token, [self._make], job)] = job

    def wait(self) -> list[JobOutcome]:
        """Outcomes of one or more tasks; waits for the first."""
        if not self._in_flight:
            return []
        ready, _ = self._ray.wait(list(self._in_flight), num_returns=1)
        return [self._outcome(reference, self._in_flight.pop(reference)) for reference in ready]

    def close(self) -> None:
        """Cancel what is in flight, and end the local cluster."""
        for reference in self._in_flight:
            self._ray.cancel(reference, force=True)
        self._in_flight.clear()
        if self._own:
            self._ray.shutdown()

    def _outcome(self, reference: object, job: Job) -> JobOutcome:
        errors = self._ray.exceptions
        try:
            kind, value = self._ray.get(reference)
        except (
            errors.WorkerCrashedError,
            errors.NodeDiedError,
            errors.OutOfMemoryError,
            errors.ObjectLostError,
        ) as error:
            return JobOutcome(job, "died", error=str(error).split("\n")[0])
        if kind == "done":
            return JobOutcome(job, "done", JobRecord.from_json(value))
        return JobOutcome(job, kind, error=value)


def _do(token: str, make: list, job: Job) -> tuple[str, object]:
    """The task: a worker of this process, loaded once, does a job. Errors come back as text, as from any process."""
    import ray

    try:
        if token not in _loaded:
            _loaded.clear()
            _loaded[token] = ray.get(make[0])()
        outcome = attempt(_loaded[token], job)
    except InputError as error:
        return "refused", str(error)
    except Exception:
        return "broke", traceback.format_exc()
    return outcome.kind, outcome.record.to_json() if outcome.record is not None else outcome.error

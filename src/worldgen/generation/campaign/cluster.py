"""The Ray runner: actors that hold a loaded worker each do the jobs, on an existing cluster or on a local one."""

from __future__ import annotations

import contextlib
import traceback
from typing import Any

from worldgen.core.errors import InputError, MissingDependencyError, Received
from worldgen.generation.campaign.job import Job, JobRecord
from worldgen.generation.campaign.runner import JobOutcome, Worker, WorkerFactory, attempt

LOCAL = "local"


class RayRunner:
    """Does jobs in Ray actors. Each loads the model once, on the devices that Ray gives it, and keeps both.

    address: of a cluster, "auto", or "local" for one on this machine with ``workers`` CPUs. gpus: of each actor; a
    fraction puts several on one GPU, 0 leaves GPUs alone. An actor takes one CPU.

    How many actors there are follows the cluster: new nodes get actors at the next job, and a node that dies takes its
    actors with it. Ray does not repeat what a dead actor did: the run counts deaths, notes each in its ledger and
    submits the job again.
    """

    def __init__(self, make: WorkerFactory, *, address: str = LOCAL, workers: int = 1, gpus: float = 0.0):
        try:
            import ray
        except ImportError as error:
            raise MissingDependencyError("ray", "ray", "a Ray cluster") from error
        if not (0 <= gpus <= 1 or (gpus == int(gpus) and gpus <= 64)):
            raise InputError("GPUs of a worker", gpus, "0 to 1, or a whole number up to 64")
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
        self._gpus = gpus
        if gpus and not self._slots():
            found = ray.cluster_resources().get("GPU", 0.0)
            self.close()
            raise InputError(
                "GPUs of a worker", Received(f"{gpus:g}, of {found:g} in the cluster"), "a cluster with so many"
            )
        self._actor: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)(ClusterWorker)
        self._make = ray.put(make)
        self._load: dict[Any, int] = {}
        """Actor -> submitted jobs."""
        self._in_flight: dict[Any, tuple[Job, Any]] = {}

    def _slots(self) -> int:
        """Actors for which the cluster has CPUs and GPUs now."""
        found = self._ray.cluster_resources()
        slots = int(found.get("CPU", 0.0))
        return min(slots, int(found.get("GPU", 0.0) / self._gpus + 1e-6)) if self._gpus else slots

    @property
    def capacity(self) -> int:
        """Jobs that keep the cluster busy as it is now."""
        return max(self._slots(), 1)

    def submit(self, job: Job) -> None:
        """Give a job to the actor with the fewest; to a new one while there is room for it."""
        least = min(self._load, key=self._load.__getitem__, default=None)
        if least is None or (self._load[least] and len(self._load) < self._slots()):
            least = self._actor.remote([self._make])
            self._load[least] = 0
        self._load[least] += 1
        self._in_flight[least.do.remote(job)] = (job, least)

    def wait(self) -> list[JobOutcome]:
        """Outcomes of one or more jobs; waits for the first."""
        if not self._in_flight:
            return []
        ready, _ = self._ray.wait(list(self._in_flight), num_returns=1)
        return [self._outcome(reference, *self._in_flight.pop(reference)) for reference in ready]

    def close(self) -> None:
        """End all actors, and the local cluster."""
        for actor in getattr(self, "_load", {}):
            with contextlib.suppress(Exception):  # it may be dead, or its cluster gone
                self._ray.kill(actor)
        if self._own:
            self._ray.shutdown()

    def _outcome(self, reference: Any, job: Job, actor: Any) -> JobOutcome:
        errors = self._ray.exceptions
        if actor in self._load:
            self._load[actor] -= 1
        try:
            kind, value = self._ray.get(reference)
        except (
            errors.RayActorError, errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError,
            errors.ObjectLostError,
        ) as error:  # fmt: skip
            self._load.pop(actor, None)
            return JobOutcome(job, "died", error=str(error).split("\n")[0])
        if kind == "done":
            return JobOutcome(job, "done", JobRecord.from_json(value))
        return JobOutcome(job, kind, error=value)


class ClusterWorker:
    """The actor: loads a worker at its first job and does one job after another. Errors come back as text."""

    def __init__(self, make: list) -> None:
        self._make = make
        self._worker: Worker | None = None

    def do(self, job: Job) -> tuple[str, object]:
        """Kind of the outcome, and its record as JSON or its error."""
        import ray

        try:
            if self._worker is None:
                self._worker = ray.get(self._make[0])()
            outcome = attempt(self._worker, job)
        except InputError as error:
            return "refused", str(error)
        except Exception:
            return "broke", traceback.format_exc()
        return outcome.kind, outcome.record.to_json() if outcome.record is not None else outcome.error

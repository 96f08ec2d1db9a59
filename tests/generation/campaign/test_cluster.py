"""Ray actors: each keeps its GPU and its model, what the cluster lacks is refused, and a dead node's jobs are done."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.generation import rig
from worldgen.api.generate_set import campaign_runner
from worldgen.core.errors import InputError

GPUS = """
import json, os, sys
from functools import partial
from pathlib import Path
import ray
from tests.generation import rig
from worldgen.core.errors import InputError
from worldgen.generation.campaign.campaign import Campaign
from worldgen.generation.campaign.cluster import RayRunner


class Witness:
    def __init__(self, recipe, folder):
        self.worker, self.folder = rig.noise_worker(recipe), Path(folder)
        self.seen("load")

    def seen(self, what):
        line = {"pid": os.getpid(), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"), "what": what}
        with open(self.folder / f"{os.getpid()}.jsonl", "a") as file:
            file.write(json.dumps(line) + chr(10))

    def run(self, job):
        self.seen("job")
        return self.worker.run(job)


out, folder = sys.argv[1:3]
Path(folder).mkdir()
ray.init(address="local", num_cpus=4, num_gpus=2, include_dashboard=False, log_to_driver=False)
try:
    RayRunner(partial(rig.noise_worker, rig.recipe(out)), gpus=3)
except InputError as error:
    print("refused:", error)
recipe = rig.recipe(out)
runner = RayRunner(partial(Witness, recipe, folder), gpus=float(sys.argv[3]))
print("capacity", runner.capacity)
run = Campaign(recipe, runner, lambda line: None)
list(run.steps())
runner.close()
assert run.report["met"]
"""


def run_on_ray(repository, tmp_path, gpus: str) -> tuple[str, list[list[dict]]]:
    """What the program printed, and what each worker process saw, in the order of its work."""
    pytest.importorskip("ray", reason="needs the extra: pip install 'worldgen[ray]'")
    path = os.pathsep.join([str(repository), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", GPUS, str(tmp_path / "ray"), str(tmp_path / "seen"), gpus], cwd=repository,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"},
        timeout=600, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = [[json.loads(line) for line in file.read_text().splitlines()] for file in (tmp_path / "seen").iterdir()]
    return done.stdout, seen


@pytest.mark.slow
def test_each_of_two_workers_keeps_a_gpu_of_its_own_and_loads_once(tmp_path, repository):
    said, seen = run_on_ray(repository, tmp_path, "1")
    assert "refused: GPUs of a worker: received 3, of 2 in the cluster" in said and "capacity 2" in said
    assert sorted({line["gpu"] for lines in seen for line in lines}) == ["0", "1"] and len(seen) == 2
    for lines in seen:
        assert len({line["gpu"] for line in lines}) == 1
        assert [line["what"] for line in lines].count("load") == 1 and lines[-1]["what"] == "job"


@pytest.mark.slow
def test_half_a_gpu_puts_two_workers_on_each(tmp_path, repository):
    said, seen = run_on_ray(repository, tmp_path, "0.5")
    assert "capacity 4" in said
    assert {line["gpu"] for lines in seen for line in lines} <= {"0", "1"}


def test_gpus_without_a_cluster_are_refused():
    with pytest.raises(InputError, match=r"GPUs of a worker \(--gpus-per-worker\): received 1"):
        campaign_runner(rig.recipe("unused"), gpus=1)

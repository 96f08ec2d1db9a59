"""Kill a run of ``worldgen generate`` many times at random moments, let it end, and compare it with an uninterrupted
run.

    python benchmarks/generate_kills.py [--kills 30] [--out benchmarks/results/generate_kills.json]

Each session is a process, forked from this one so that libraries load once, and ends by SIGKILL. The model is the real
pipeline at tiny size. A clip's score is a hash of its pixels, so a single changed bit would change which clips are
accepted, and with them the whole data set.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
import json
import os
import random
import signal
import tempfile
import time
from pathlib import Path

import torch

from worldgen.core.clip import Clip
from worldgen.generation.campaign.campaign import Campaign
from worldgen.generation.campaign.cell import grid_of
from worldgen.generation.campaign.job import Job
from worldgen.generation.campaign.recipe import CellGroup, ClipConfig, ModelConfig, Recipe, WorkConfig
from worldgen.generation.campaign.runner import InProcessRunner
from worldgen.generation.campaign.worker import LoadedModels, SampleWorker
from worldgen.generation.quality.gate import Bound, Gate, GateConfig
from worldgen.generation.quality.scorecard import Scorecard
from worldgen.models.native.loading import pipeline_hash
from worldgen.models.native.sizes import build_pipeline

RECIPE = Recipe(
    name="kills",
    cells=[
        CellGroup(count=8, weather=("clear",), light=("day",), road=("rural",), manoeuvre=("keep",)),
        CellGroup(count=6, weather=("fog",), light=("night_lit",), road=("suburban",), manoeuvre=("keep",)),
        CellGroup(count=4, weather=("snow",), light=("dusk",), road=("rural",), manoeuvre=("brake",)),
    ],
    clip=ClipConfig(frames=3, fps=8.0, width_px=48, height_px=32),
    model=ModelConfig(start="noise", steps=1, batch=2), gate=GateConfig(bounds={"sharpness": Bound(low=0.4)}),
    work=WorkConfig(attempts=2, retry_wait_s=0.1), shard_size=5,
)  # fmt: skip


class PixelScorer:
    """A score in [0, 1) that any changed bit of the clip changes."""

    def score(self, clip: Clip, *, scene, labels, ego, text="", previous=None) -> Scorecard:
        digest = hashlib.blake2b(clip.frames.tobytes(), digest_size=4).digest()
        return Scorecard({"sharpness": int.from_bytes(digest, "big") / 2**32})


def worker(recipe: Recipe) -> SampleWorker:
    torch.set_num_threads(1)
    pipeline = build_pipeline("tiny", words=["a car in fog"])
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # initial weights are zero and would give equal clips
        for parameter in pipeline.transformer.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return SampleWorker(
        recipe, LoadedModels(pipeline, PixelScorer(), Gate(recipe.gate), "tiny", pipeline_hash(pipeline))
    )


def session(folder: Path, ready: SampleWorker) -> int:
    """Start a run in a forked process, with a worker that is already loaded; returns the process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        recipe = dataclasses.replace(RECIPE, output=str(folder))
        with (folder.parent / "log.txt").open("a") as log:
            run = Campaign(
                recipe,
                InProcessRunner(lambda: dataclasses.replace(ready, recipe=recipe)),
                lambda line: print(line, file=log, flush=True),
            )
            for _ in run.steps():
                pass
        os._exit(0)
    except BaseException as error:
        print("session failed:", repr(error), flush=True)
        os._exit(1)


def published(folder: Path) -> dict[str, str]:
    """File name -> digest, of every shard, of the index and of its summary."""
    names = [p for p in sorted(folder.iterdir()) if p.suffix == ".tar" or p.name in ("index.parquet", "dataset.json")]
    return {path.name: hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() for path in names}


def jobs_done(folder: Path) -> int:
    return len(list((folder / "jobs").glob("*.json"))) if (folder / "jobs").is_dir() else 0


def measure(kills: int, seed: int, base: Path) -> dict:
    alone, killed = base / "alone", base / "killed" / "set"
    alone.mkdir(parents=True)
    killed.mkdir(parents=True)
    ready = worker(RECIPE)
    for cell in grid_of(RECIPE).cells:  # load what is loaded at first use before the forks
        ready.run(Job(cell, 10_000, 1, str(base / "warm")))
    start_s = time.monotonic()
    _, status = os.waitpid(session(alone / "set", ready), 0)
    assert status == 0, status
    whole_s = time.monotonic() - start_s
    rng = random.Random(seed)
    record, complete_before = [], 0
    for number in range(kills):
        if (killed / "generate.json").exists():
            # The set is complete; the remaining kills go to a new folder.
            complete_before += 1
            assert published(killed) == published(alone / "set")
            killed = base / "killed" / f"set{complete_before}"
            killed.mkdir()
        delay_s = rng.uniform(0.0, 4 * whole_s / kills)
        pid = session(killed, ready)
        time.sleep(delay_s)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        record.append(
            {
                "kill": number,
                "after_s": round(delay_s, 3),
                "jobs_done": jobs_done(killed),
                "was_running": os.WIFSIGNALED(status),
            }
        )
    _, status = os.waitpid(session(killed, ready), 0)
    assert status == 0, status
    first, second = published(alone / "set"), published(killed)
    log = (base / "killed" / "log.txt").read_text().splitlines()
    summary = json.loads((killed / "dataset.json").read_text())
    return {
        "kills": kills,
        "kills_of_a_running_process": sum(each["was_running"] for each in record),
        "seed": seed,
        "kills_after_progress": sum(b["jobs_done"] != a["jobs_done"] for a, b in itertools.pairwise(record)),
        "uninterrupted_s": round(whole_s, 2),
        "files_compared": len(first),
        "identical": first == second,
        "sets_completed_on_the_way": complete_before,
        "locks_taken_over": sum("took over" in line for line in log),
        "shards_made_again": sum("again" in line for line in log),
        **{name: summary[name] for name in ("num_samples", "num_accepted")},
        "sessions": record,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="benchmarks/results/generate_kills.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="worldgen-kills-") as folder:
        result = measure(args.kills, args.seed, Path(folder))
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({name: value for name, value in result.items() if name != "sessions"}))
    raise SystemExit(0 if result["identical"] else 1)


if __name__ == "__main__":
    main()

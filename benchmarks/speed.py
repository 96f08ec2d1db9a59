"""Speed and memory of the shipped model, beside the matrix-product peak of the machine in the same run.

python benchmarks/speed.py [--out benchmarks/results/speed.json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from worldgen.core.layout_channels import LAYOUT_CHANNELS
from worldgen.core.manoeuvres import manoeuvre_motion
from worldgen.files.shipped import assets_dir
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.conditions import ClipConditions, batch_conditions
from worldgen.models.native.loading import load_pipeline
from worldgen.models.native.losses.flow import Examples, world_loss
from worldgen.models.native.losses.loss_options import FlowOptions
from worldgen.models.native.rollout.noise import seeded_noise
from worldgen.models.native.rollout.rollout import Rollout
from worldgen.models.native.text import text_states

FPS, HEIGHT, WIDTH, PROMPT = 8.0, 128, 224, "pedestrian at night in rain"


def timed(function, repeats: int = 5) -> float:
    """Least seconds of ``repeats`` calls after a warm-up call, which other load on the machine disturbs least."""
    function()
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def matrix_peak(dtype: torch.dtype) -> float:
    """GFLOP/s of a square matrix product of side 2048."""
    a = torch.randn(2048, 2048).to(dtype)
    return 2 * 2048**3 / timed(lambda: a @ a) / 1e9


def flops_of(function) -> int:
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


def condition_batch(pipeline, batch: int, frames: int):
    layout = torch.rand(1, len(LAYOUT_CHANNELS), HEIGHT, WIDTH).half().expand(frames, -1, -1, -1).numpy()
    clips = [ClipConditions(frames, FPS, PROMPT, manoeuvre_motion("keep", frames, FPS), None, layout)] * batch
    return batch_conditions(clips, pipeline.tokenizer)


def network(pipeline, peak: float) -> dict:
    batch, frames = 4, 8
    transformer = pipeline.transformer
    conditions = condition_batch(pipeline, batch, frames)
    shape = (batch, transformer.config.latent_channels, frames, HEIGHT // 8, WIDTH // 8)
    latents, history = torch.randn(shape), torch.zeros(batch, shape[1] + 1, *shape[2:])
    t = torch.full((batch, frames), 0.5)
    text = text_states(pipeline.text_encoder, conditions).detach()

    @torch.no_grad()
    def forward():
        transformer(latents, t, history, conditions, text)

    parameters = [*transformer.parameters(), *pipeline.text_encoder.parameters()]
    optimiser = torch.optim.AdamW(parameters, 0.0)
    generator = torch.Generator().manual_seed(0)

    def step():
        examples = Examples(latents, history, conditions)
        loss, _ = world_loss(pipeline.networks, examples, generator, options=FlowOptions())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    out = {}
    for name, function in (("forward", forward), ("training_step", step)):
        flops, seconds = flops_of(function), timed(function, 4)
        rate = flops / seconds / 1e9
        out[name] = {"batch": batch, "frames": frames, "seconds": round(seconds, 4), "gflop": round(flops / 1e9, 1),
                     "gflops": round(rate, 1), "share_of_peak": round(rate / peak, 3)}  # fmt: skip
    return out


@torch.no_grad()
def rollout(pipeline, frames: int, steps: int) -> dict:
    """Seconds per frame of a long rollout with decoding, overall and around two positions (medians of 20 frames)."""
    transformer = pipeline.transformer
    conditions = condition_batch(pipeline, 1, frames)
    text = text_states(pipeline.text_encoder, conditions)
    shape = (transformer.config.latent_channels, HEIGHT // 8, WIDTH // 8)
    late, early = (
        Rollout(pipeline.networks, conditions, text, noise=seeded_noise([0]), options=SamplerOptions(steps=steps))
        for _ in range(2)
    )

    def frame_seconds(run: Rollout) -> float:
        start = time.perf_counter()
        run.generate(1, shape)
        return time.perf_counter() - start

    seconds = [frame_seconds(late) for _ in range(frames - 20)]
    for _ in range(40):
        frame_seconds(early)
    # In turns, because the speed of a machine varies over time.
    pairs = [(frame_seconds(early), frame_seconds(late)) for _ in range(20)]
    seconds += [pair[1] for pair in pairs]
    noise = torch.randn(1, shape[0], 1, *shape[1:])
    late.position -= 1
    network_s = []
    for _ in range(10):
        start = time.perf_counter()
        late.sample(noise, torch.zeros(1, shape[0] + 1, 1, *shape[1:]))
        network_s.append(time.perf_counter() - start)
    at_50, at_last = (statistics.median(times) for times in zip(*pairs, strict=True))
    return {"steps": steps, "s_per_frame_at_50": round(at_50, 4), f"s_per_frame_at_{frames - 10}": round(at_last, 4),
            "ratio": round(at_last / at_50, 3), "frames_per_s": round(len(seconds) / sum(seconds), 2),
            "sampler_s_for_25_frames": round(25 * statistics.median(network_s), 2),
            "cache_mib": round(late.cache.nbytes / 2**20, 1)}  # fmt: skip


def command(*arguments: str) -> dict:
    """Wall clock and peak memory of a cold start of the command line."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "worldgen", *arguments], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"seconds": round(seconds, 2), "peak_mib": round(max(peak, before) / 1024)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="benchmarks/results/speed.json")
    parser.add_argument("--frames", type=int, default=510)
    args = parser.parse_args()
    help_s = min(command("--help")["seconds"] for _ in range(3))
    with tempfile.TemporaryDirectory() as folder:
        sample = command("sample", "--prompt", PROMPT, "--out", os.path.join(folder, "clip"))
    pipeline = load_pipeline(assets_dir() / "model")
    peaks = {str(d).removeprefix("torch."): round(matrix_peak(d), 1) for d in (torch.float32, torch.bfloat16)}
    result = {
        "what": "speed of the shipped model",
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "matrix_peak_gflops": peaks,
        "help_s": help_s,
        "sample_25_frames_cold": sample,
        **network(pipeline, peaks["float32"]),  # the model's precision
        "rollout": rollout(pipeline, args.frames, SamplerOptions().steps),
    }
    Path(args.out).write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

"""A model of a published size with random weights on this device: one clip timed, memory against the memory check.

  python benchmarks/backbone_sizes.py --model wan_vace_14b --device cuda --out benchmarks/results/wan_vace_14b.json
  python benchmarks/backbone_sizes.py --model wan_i2v_a14b --device cuda --out benchmarks/results/wan_i2v_a14b.json
  python benchmarks/backbone_sizes.py --model wan_vace_tiny --size 64x48 --frames 9 --out tiny.json   # any CPU, seconds

The clip is sampled through worldgen and by calling the loaded pipeline itself with the same inputs, in turn; their
frames must be equal to the bit. Recorded are seconds, tokens per second of both, their difference, and the peak of the
device's memory against what the check before loading says (aims: 3 % and 15 %). A GPU needs 30 GB of disk in --folder
for the 14B models, 80 GB of its own memory for wan_vace_14b at 832x480, and the options of configs/backbones; weights
are made on the device, so nothing is downloaded. On a CPU the memory is not measured.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from backbone_models.published_sizes import SIZES, WORDS, save_published
from PIL import Image

from worldgen.cli.argument_parser import size_px
from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.samples import Conditions
from worldgen.core.seeds import stable_hash
from worldgen.generation.sample.model_loading import backbone_options, default_backbone
from worldgen.models.backbones.registry import load_backbone
from worldgen.models.interface import SamplerOptions, sampler_options
from worldgen.models.native.loading import quiet_libraries
from worldgen.models.promise import LargestClip

FPS, SEED = 16.0, 3
OVERHEAD_AIM, MEMORY_AIM = 0.03, 0.15
CELL_PX, CELL_FRAMES = 16, 4
"""Pixels of one side of a token, and frames of a latent frame after the first, of all these models."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, choices=sorted(SIZES))
    parser.add_argument("--out", required=True, metavar="FILE")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", default="832x480")
    parser.add_argument("--frames", type=int, default=81)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--backbone", nargs="*", default=[], metavar="FILE|key=value")
    parser.add_argument("--folder", default="", metavar="DIR", help="where the weights are written for the while")
    args = parser.parse_args()
    quiet_libraries()
    device = torch.device(args.device)
    with tempfile.TemporaryDirectory(dir=args.folder or None) as folder:
        save_published(args.model, Path(folder), device)
        if device.type == "cuda":
            torch.cuda.empty_cache()
        record = {"model": args.model} | measure(folder, args, device)
    Path(args.out).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record))


def measure(folder: str, args: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Seconds, tokens and memory of both ways of sampling one clip."""
    size = width, height = size_px(args.size)
    config = backbone_options(args.backbone, args.device) or default_backbone(device)
    model: Any = load_backbone(folder, config, device, LargestClip(args.frames, size, args.frames))
    options = sampler_options(model.promise, steps=args.steps, chunk=args.frames)
    rng = np.random.default_rng(0)
    request = Conditions(
        args.frames, FPS, text=WORDS, camera=Camera.from_fov(width, height, 70.0), seed=SEED,
        **(
            {"controls": {"depth": rng.integers(0, 256, (args.frames, height, width, 3), np.uint8)}}
            if model.promise.controls
            else {"context": Clip(rng.integers(0, 256, (1, height, width, 3), np.uint8), FPS)}
        ),
    )  # fmt: skip
    model.encode_words([WORDS, model.promise.default_negative])  # both ways have their words encoded before
    ways: dict[str, Callable[[], np.ndarray]] = {
        "worldgen": lambda: model([request], options)[0].frames,
        "diffusers": lambda: called_directly(model, request, options),
    }
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    frames: dict[str, np.ndarray] = {}
    for _ in range(args.rounds):
        for name, way in ways.items():
            start_s = now_s(device)
            frames[name] = way()
            seconds[name].append(now_s(device) - start_s)
    best = {name: min(values) for name, values in seconds.items()}
    tokens = ((args.frames - 1) // CELL_FRAMES + 1) * (width // CELL_PX) * (height // CELL_PX)
    passes = args.steps * (2 if options.guidance.get("text", 1.0) > 1 else 1)
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "parameters": model.counts, "size_px": size, "frames": args.frames, "steps": args.steps, "tokens": tokens,
        "options": dataclasses.asdict(config), "seconds": {n: [round(v, 3) for v in s] for n, s in seconds.items()},
        "tokens_per_s": {name: round(tokens * passes / value, 1) for name, value in best.items()},
        "overhead": round(best["worldgen"] / best["diffusers"] - 1, 4), "overhead_aim": OVERHEAD_AIM,
        "equal_frames": bool(np.array_equal(frames["worldgen"][1:], frames["diffusers"][1:])),
        "memory_gb": memory(model, request, device), "memory_aim": MEMORY_AIM,
        "versions": {"torch": torch.__version__, "diffusers": diffusers.__version__},
        "python": platform.python_version(),
    }  # fmt: skip


def called_directly(model: Any, request: Conditions, options: SamplerOptions) -> np.ndarray:
    """The same clip from the loaded pipeline itself, as its own documentation calls it."""
    assert request.size_px is not None
    (width, height), known = request.size_px, len(request.context or ())
    embeds, negative = model.encode_words([request.text, model.promise.default_negative])
    inputs: dict[str, Any]
    if request.context is not None:
        inputs = {"image": Image.fromarray(request.context.frames[-1])}
    else:
        (control,) = request.controls.values()
        inputs = {"video": [control.astype(np.float32) / 255], "mask": [np.ones(control.shape, np.float32)]}
    with torch.no_grad():
        result = model.pipeline(
            prompt_embeds=embeds.to(model.device), negative_prompt_embeds=negative.to(model.device), height=height,
            width=width, num_frames=request.num_frames, num_inference_steps=options.steps, output_type="np",
            guidance_scale=options.guidance["text"],
            generator=torch.Generator("cpu").manual_seed(stable_hash("chunk noise", request.seed, known)), **inputs,
        )  # fmt: skip
    return np.rint(result.frames[0] * 255).astype(np.uint8)


def memory(model: Any, request: Conditions, device: torch.device) -> dict[str, float | None]:
    """The peak of the device against the estimate; None on a CPU, whose peak is that of the whole process."""
    estimate = model.estimate(request).total
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return {
        "estimated": round(estimate / 1e9, 3), "peak": None if peak is None else round(peak / 1e9, 3),
        "estimate_over_peak": None if peak is None else round(estimate / peak, 3),
    }  # fmt: skip


def now_s(device: torch.device) -> float:
    """Seconds of a clock; on a GPU after its work is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


if __name__ == "__main__":
    main()

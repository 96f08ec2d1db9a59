"""Clips whose pictures depend on ego motion, and tiny pretrained models that are fine-tuned on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests.models.backbones import tiny_families
from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.samples import Sample
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.training.backbones.tune_options import TuneOptions
from worldgen.training.train_config import AdapterConfig, DataConfig, InitConfig, OptimConfig, TrainConfig

SIDE_PX, FRAMES = 32, 5
LIGHTER_PER_M = 14.0
"""Grey levels that a metre adds."""


def road_sample(
    number: int, *, split: str = "train", fps: float = 8.0, has_ego: bool = True, frames: int = FRAMES
) -> Sample:
    """A road with stripes that come nearer by the distance driven, out of a tunnel: it gets lighter with it."""
    rng = np.random.default_rng(number)
    speed = (0.0, 4.0, 16.0)[number % 3]
    rows = np.arange(SIDE_PX)
    pictures = []
    for t in range(frames):
        picture = np.full((SIDE_PX, SIDE_PX, 3), 90, np.uint8)
        picture[:12] = (60, 110, 200)
        depth = 40.0 / (rows[12:] - 10.0)
        stripes = ((depth + speed / fps * t) % 4.0) < 2.0
        picture[12:][stripes] = 130
        picture[:, rng.integers(4)] = 40
        lit = picture + LIGHTER_PER_M * speed / fps * t
        pictures.append(np.clip(lit, 0, 255).astype(np.uint8))
    return Sample(
        key=f"road-{number}", clip=Clip(np.stack(pictures), fps), drive=f"drive-{number}", split=split,
        caption="a street at night" if number % 2 else "a clear road",
        ego=EgoMotion(np.full(frames, speed), np.zeros(frames), fps) if has_ego else None,
        camera=Camera.from_fov(SIDE_PX, SIDE_PX, 60.0), licence="CC0-1.0",
    )  # fmt: skip


def write_roads(folder: Path, *, training: int = 12, held_out: int = 8, **changes) -> str:
    """A data set of roads."""
    with ShardWriter(str(folder), "shard-0") as writer:
        for number in range(training + held_out):
            writer.write(road_sample(number, split="train" if number < training else "val", **changes))
    build_index(str(folder))
    return str(folder)


def save_vace(folder: Path) -> Path:
    """The tiny VACE whose codec knows mean and spread of its latents of roads, as a trained one does."""
    pipeline = tiny_families.wan_vace()
    frames = np.stack([road_sample(number).clip.frames for number in range(8)])
    pixels = torch.from_numpy(frames).permute(0, 4, 1, 2, 3).float() / 127.5 - 1
    with torch.no_grad():
        latents = pipeline.vae.encode(pixels).latent_dist.mode()
    mean, spread = latents.mean((0, 2, 3, 4)), latents.std((0, 2, 3, 4))
    pipeline.vae.register_to_config(latents_mean=mean.tolist(), latents_std=spread.tolist())
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def tune_config(output: Path, base: Path, data: str, **changes) -> TrainConfig:
    """A short fine-tune of a tiny model on the CPU. tune: values that differ from the defaults here."""
    tune = {"known_frames": (1,), "sheet_steps": 1, "gradient_checkpointing": False} | changes.pop("tune", {})
    values = dict(
        task="backbone", output=str(output), device="cpu", batch=2, steps=4, save_every=2, validate_every=0,
        init=InitConfig(pipeline=str(base)), adapter=AdapterConfig("lora", rank=4, alpha=4.0),
        data=DataConfig(urls=(data,), width_px=SIDE_PX, height_px=SIDE_PX, num_frames=FRAMES),
        optim=OptimConfig(lr=2e-3, warmup=2, ema_decay=0.9, weight_decay=0.0), tune=TuneOptions(**tune),
    )  # fmt: skip
    return TrainConfig(**{**values, **changes})

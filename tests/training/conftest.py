"""A tiny data set, a codec and a pipeline, written once for the tests of this folder."""

from __future__ import annotations

import gc
import importlib
from pathlib import Path

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.samples import Sample
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.shards import ShardWriter

SIDE_PX = 32
FRAMES = 6


def made_sample(number: int, split: str = "train", *, frames: int = FRAMES) -> Sample:
    """A square that slides over a gradient, differently for every number; no two frames alike."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX]
    base = np.stack([x * 8, y * 8, np.full_like(x, rng.integers(40, 200))], -1).clip(0, 255)
    pictures = []
    for t in range(frames):
        picture = base.copy()
        at = (3 * t + number) % (SIDE_PX - 8)
        picture[10:18, at : at + 8] = rng.integers(0, 255, 3)
        pictures.append(picture.astype(np.uint8))
    turn = 0.1 * (number % 5 - 2)
    return Sample(
        key=f"clip-{number}", clip=Clip(np.stack(pictures), 8.0), drive=f"drive-{number}", split=split,
        caption=f"a car turns {'left' if turn > 0 else 'right'}" if number % 3 else "",
        ego=None if number % 4 == 3 else EgoMotion(np.full(frames, 5.0 + number), np.full(frames, turn), 8.0),
        camera=Camera.from_fov(SIDE_PX, SIDE_PX, 60.0 + number), licence="CC0-1.0",
    )  # fmt: skip


def write_dataset(folder: Path, numbers: range, *, held_out: int = 2) -> str:
    with ShardWriter(str(folder), "shard-0") as writer:
        for number in numbers:
            writer.write(made_sample(number, "val" if number - numbers.start < held_out else "train"))
    build_index(str(folder))
    return str(folder)


@pytest.fixture(scope="session", autouse=True)
def quick_collections() -> None:
    """Keep the millions of objects of imported libraries out of garbage collections: every run ends with a full one."""
    importlib.import_module("worldgen.training.run")
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> str:
    return write_dataset(tmp_path_factory.mktemp("dataset"), range(8))


@pytest.fixture(scope="session")
def codec_folder(tmp_path_factory) -> Path:
    from worldgen.training.tasks.initial import new_codec

    folder = tmp_path_factory.mktemp("codec")
    new_codec("tiny", 5).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def pipeline_folder(tmp_path_factory, codec_folder) -> Path:
    """A pipeline with noise on its weights: the output of a fresh transformer is zero everywhere."""
    import torch

    from worldgen.training.tasks.initial import new_pipeline

    folder = tmp_path_factory.mktemp("pipeline")
    pipeline = new_pipeline("tiny", 0, words=["a car turns left right"], codec=str(codec_folder))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in pipeline.transformer.parameters():
            p.add_(0.02 * torch.randn(p.shape, generator=generator))
    pipeline.transformer.register_to_config(width_px=SIDE_PX, height_px=SIDE_PX)
    pipeline.save_pretrained(folder)
    return folder

"""What the tests of the Python API share: a tiny model with random weights, and a clip to continue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import worldgen
from worldgen.data.video.encoding import write_clip
from worldgen.models.native.sizes import build_pipeline

PROMPT = "pedestrian at night in rain"


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    build_pipeline("tiny", words=[PROMPT]).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_folder) -> worldgen.Model:
    return worldgen.load(tiny_folder)


@pytest.fixture(scope="session")
def drive(tmp_path_factory) -> Path:
    """Two seconds of noise at 12 frames a second."""
    frames = np.random.default_rng(0).integers(0, 256, (24, 72, 128, 3), np.uint8)
    path = tmp_path_factory.mktemp("clips") / "drive.mp4"
    write_clip(path, worldgen.Clip(frames, 12.0))
    return path

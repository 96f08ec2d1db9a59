"""Depth of recorded frames: a model of the real class at tiny size, saved to a folder as a published one is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.instruments.tiny_depth import save_depth_model
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.samples import Sample
from worldgen.instruments.depth_reader import DepthPictures, DepthReader, load_depth_reader
from worldgen.rendering.controls.clip_controls import clip_controls


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_depth_model(tmp_path_factory.mktemp("depth"))


def test_a_saved_model_gives_depth_controls_of_recorded_clips(folder: Path, rng: np.random.Generator) -> None:
    reader = load_depth_reader(folder)
    assert reader.pictures == DepthPictures(side_px=42)
    frames = rng.integers(0, 256, (5, 44, 70, 3), dtype=np.uint8)
    found = reader(frames)
    assert found.shape == (5, 44, 70) and found.dtype == np.float32 and (found >= 0).all()
    assert np.allclose(reader(frames[4:]), found[4:], atol=1e-5)  # a frame does not depend on its batch
    video = clip_controls(Sample("k", Clip(frames, 8.0)), ["depth"], depth=reader)["depth"]
    assert video.shape == frames.shape and video.max() == 255


def test_metric_depth_is_turned_into_inverse_depth() -> None:
    class Metres(torch.nn.Module):
        """Answers with the first colour as metres."""

        config = type("Config", (), {"depth_estimation_type": "metric"})()

        def forward(self, pixel_values: torch.Tensor):
            return type("Out", (), {"predicted_depth": pixel_values[:, 0] * 10})()

    reader = DepthReader(Metres(), DepthPictures(28, 14, (0.0,) * 3, (1.0,) * 3), torch.device("cpu"))
    frames = np.full((1, 28, 28, 3), 51, np.uint8)  # 0.2 of white: 2 m
    assert np.allclose(reader(frames), 0.5, atol=1e-4)


def test_folders_without_a_depth_model_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"depth model.*config\.json"):
        load_depth_reader(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}))
    with pytest.raises(InputError, match="estimates depth"):
        load_depth_reader(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": "large"}))
    with pytest.raises(InputError, match="preprocessor_config"):
        DepthPictures.of_folder(tmp_path)

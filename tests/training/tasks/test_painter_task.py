"""Training of the painter from data sets to a saved painter or pipeline, at tiny size."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tests.training.conftest import made_sample
from tests.training.loop.test_trainer import StopAfter, curve, same_state
from tests.training.tasks.test_tasks import config, run
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.models.native.loading import load_painter, load_pipeline
from worldgen.models.native.losses.loss_options import PainterOptions
from worldgen.training.data.painter_items import PainterItems
from worldgen.training.data.simplified_pictures import simplified
from worldgen.training.loop.data_order import Draw
from worldgen.training.loop.record import read_metrics
from worldgen.training.train_config import AdapterConfig, InitConfig, OptimConfig

TINY = PainterOptions(warmup=1, width=8, blocks=1, critic_width=4)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("drawn")
    with ShardWriter(str(folder), "shard-0") as writer:
        for number in range(4):
            writer.write(dataclasses.replace(made_sample(50 + number), drive=f"scene_{number}"))
    build_index(str(folder))
    return str(folder)


def painting(output, dataset, drawn, **changes):
    values = {"painter": TINY, "optim": OptimConfig(lr=1e-3, warmup=1, ema_decay=0.5), **changes}
    made = config("painter", output, dataset, **values)
    return dataclasses.replace(made, data=dataclasses.replace(made.data, urls=(dataset, drawn)))


def test_it_trains_resumes_exactly_and_saves_the_painter_alone(tmp_path, dataset, drawn):
    whole = painting(tmp_path / "whole", dataset, drawn, validate_every=2, sheet_every=2)
    run(whole)
    halves = dataclasses.replace(whole, output=str(tmp_path / "halves"))
    run(halves, StopAfter(3))
    run(halves)
    assert curve(tmp_path / "whole") == curve(tmp_path / "halves") and len(curve(tmp_path / "whole")) == 4
    last = "checkpoints/step_00000004"
    assert same_state(tmp_path / "whole" / last, tmp_path / "halves" / last)
    assert all({"gap", "left"} <= set(record) for record in read_metrics(tmp_path / "whole/metrics.jsonl"))
    held_out = read_metrics(tmp_path / "whole/metrics.jsonl", "val")
    assert all(record["loss"] > 0 and record["given"] == held_out[0]["given"] for record in held_out)
    trained = load_painter(tmp_path / "whole/model")
    assert trained.config.width == 8 and float(trained.network.head.weight.detach().abs().max()) > 0
    assert not (tmp_path / "whole/model/critic").exists()


def test_a_run_that_starts_from_a_pipeline_saves_it_with_the_painter(tmp_path, dataset, drawn, pipeline_folder):
    run(painting(tmp_path / "run", dataset, drawn, init=InitConfig(pipeline=str(pipeline_folder))))
    trained, before = load_pipeline(tmp_path / "run/model"), load_pipeline(pipeline_folder)
    assert trained.painter is not None and before.painter is None
    assert torch.equal(trained.transformer.head.weight, before.transformer.head.weight)
    # Such a model is a starting point too: with no step of consequence its painter stays as it is.
    still = OptimConfig(lr=1e-12, warmup=0, ema_decay=0, weight_decay=0)
    again = painting(
        tmp_path / "again", dataset, drawn, init=InitConfig(pipeline=str(tmp_path / "run/model")), optim=still
    )
    with pytest.raises(Exception, match="did not change the output"):
        run(again)


def test_items_are_functions_of_the_draw_and_of_both_kinds(dataset, drawn, tmp_path):
    from worldgen.training.data.clips import Clips

    data = painting(tmp_path / "x", dataset, drawn).data
    items = PainterItems(Clips(dataclasses.replace(data, crop_width_px=16, crop_height_px=16)), drawn=0.5)
    loaded = [items.load(Draw(0, position, 0, 0)) for position in range(12)]
    again = [items.load(Draw(0, position, 0, 0)) for position in range(12)]
    for one, other in zip(loaded, again, strict=True):
        assert one.key == other.key and np.array_equal(one.given, other.given)
        assert one.wanted.shape == (16, 16, 3)
        assert np.array_equal(one.given, one.wanted) != one.recorded
    assert {item.recorded for item in loaded} == {True, False}


def test_both_kinds_of_clips_are_needed(dataset, tmp_path):
    wrong = painting(tmp_path / "run", dataset, dataset)
    with pytest.raises(InputError, match="0 drawn and"):
        run(wrong)


def test_a_painter_has_no_adapters(tmp_path, dataset, drawn):
    with pytest.raises(InputError, match="none when task=painter"):
        painting(tmp_path / "run", dataset, drawn, adapter=AdapterConfig("lora"))


def test_simplified_pictures_lose_texture_and_keep_edges():
    """Grain of a flat wall goes, the step between two walls stays."""
    rng = np.random.default_rng(0)
    picture = np.full((64, 64, 3), 60.0)
    picture[:, 32:] = 180.0
    grainy = np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8)
    grain, step = [], []
    for seed in range(12):
        simple = simplified(grainy, np.random.default_rng(seed)).astype(np.float64)
        contrast = simple[:, 36:].mean() - simple[:, :28].mean()
        step.append((simple[:, 34:36].mean() - simple[:, 28:30].mean()) / contrast)
        grain.append(simple[8:56, 4:24].std(axis=(0, 1)).mean() / contrast)
    original = grainy[8:56, 4:24].astype(np.float64).std(axis=(0, 1)).mean() / 120
    assert np.mean(grain) < 0.6 * original
    assert np.mean(step) > 0.85

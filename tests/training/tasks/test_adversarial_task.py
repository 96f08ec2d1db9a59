"""Adversarial training from data set to saved model, at tiny size."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from safetensors.torch import load_file

from tests.training.loop.test_trainer import StopAfter, curve, same_state
from tests.training.tasks.test_tasks import config, run
from worldgen.core.errors import InputError
from worldgen.models.native.loading import load_pipeline
from worldgen.models.native.losses.loss_options import AdversarialOptions, FlowOptions
from worldgen.training.loop.record import read_metrics
from worldgen.training.train_config import AdapterConfig, InitConfig, OptimConfig


def adversarial(output, dataset, pipeline_folder, **changes):
    values = dict(
        init=InitConfig(pipeline=str(pipeline_folder)),
        adversarial=AdversarialOptions(warmup=1, critic_width=8),
        flow=FlowOptions(generated_history=0.5, pure_noise=0.8),
        optim=OptimConfig(lr=1e-3, warmup=1, ema_decay=0.5),
    )
    return config("adversarial", output, dataset, **{**values, **changes})


def test_it_trains_resumes_exactly_and_saves_the_model_without_its_critic(tmp_path, dataset, pipeline_folder):
    whole = adversarial(tmp_path / "whole", dataset, pipeline_folder, validate_every=2)
    run(whole)
    halves = dataclasses.replace(whole, output=str(tmp_path / "halves"))
    run(halves, StopAfter(3))
    run(halves)
    assert curve(tmp_path / "whole") == curve(tmp_path / "halves") and len(curve(tmp_path / "whole")) == 4
    last = "checkpoints/step_00000004"
    # The critic and the count of its steps belong to the state: the weight of its pull goes on where it was.
    assert same_state(tmp_path / "whole" / last, tmp_path / "halves" / last)
    weights = load_file(tmp_path / "whole" / last / "weights.safetensors")
    assert int(weights["buffer.steps"]) == 4 and any(name.startswith("critic.") for name in weights)
    assert all("gap" in record for record in read_metrics(tmp_path / "whole/metrics.jsonl"))
    assert all(record["t1"] > 0 for record in read_metrics(tmp_path / "whole/metrics.jsonl", "val"))
    trained, before = load_pipeline(tmp_path / "whole/model"), load_pipeline(pipeline_folder)
    assert trained.accepts == before.accepts
    assert trained.transformer.config.reads_noise and not before.transformer.config.reads_noise
    assert float(trained.transformer.noise_stem.weight.detach().abs().max()) > 0
    assert not torch.equal(trained.transformer.head.weight, before.transformer.head.weight)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(init=InitConfig()), r"init\.pipeline: received ''; expected the folder of a trained model"),
        (dict(adapter=AdapterConfig("lora")), r"adapter\.kind: received 'lora'"),
        (dict(flow=FlowOptions(pure_noise=0.0)), r"flow\.pure_noise: received 0"),
    ],
    ids=["nothing to start from", "an adapter", "nothing to judge"],
)
def test_bad_requests_are_one_line(tmp_path, dataset, pipeline_folder, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        run(adversarial(tmp_path / "run", dataset, pipeline_folder, **changes))
    assert "\n" not in str(caught.value)

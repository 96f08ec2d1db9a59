"""Students from data set to saved model, at tiny size."""

from __future__ import annotations

import dataclasses
import shutil

import pytest
import torch
from safetensors.torch import load_file

from tests.training.loop.test_trainer import StopAfter, curve, same_state
from tests.training.tasks.test_tasks import config, run
from worldgen.core.errors import InputError
from worldgen.models.native.adapters import load_adapter
from worldgen.models.native.loading import load_pipeline
from worldgen.models.native.losses.loss_options import FlowOptions, StudentOptions
from worldgen.training.loop.record import read_metrics
from worldgen.training.train_config import AdapterConfig, InitConfig, OptimConfig


def student(output, dataset, pipeline_folder, **changes):
    values = dict(
        init=InitConfig(pipeline=str(pipeline_folder)),
        student=StudentOptions(teacher_steps=4, steps=2, guidance={"text": 2.0}),
        flow=FlowOptions(generated_history=0.5),
    )
    return config("student", output, dataset, **{**values, **changes})


def test_a_student_trains_resumes_exactly_and_is_saved(tmp_path, dataset, pipeline_folder):
    changes = dict(validate_every=2, optim=OptimConfig(lr=1e-3, warmup=1, ema_decay=0.5))
    whole = student(tmp_path / "whole", dataset, pipeline_folder, **changes)
    run(whole)
    halves = dataclasses.replace(whole, output=str(tmp_path / "halves"))
    run(halves, StopAfter(3))
    run(halves)
    assert curve(tmp_path / "whole") == curve(tmp_path / "halves") and len(curve(tmp_path / "whole")) == 4
    last = "checkpoints/step_00000004"
    assert same_state(tmp_path / "whole" / last, tmp_path / "halves" / last)
    held_out = read_metrics(tmp_path / "whole/metrics.jsonl", "val")
    assert [r["step"] for r in held_out] == [0, 2, 4]
    assert all(r["distance"] > 0 and r["left"] > 0 for r in held_out)
    average = load_file(tmp_path / "whole" / last / "average.safetensors")
    assert not any(name.startswith("teacher.") for name in average)
    student_pipeline, teacher = load_pipeline(tmp_path / "whole/model"), load_pipeline(pipeline_folder)
    # The clips have no layout, but what the teacher honours it passes on, and nothing more.
    assert student_pipeline.accepts == teacher.accepts and student_pipeline.size_px == (32, 32)
    assert torch.equal(student_pipeline.transformer.head.weight, average["transformer.head.weight"])
    assert not torch.equal(student_pipeline.transformer.head.weight, teacher.transformer.head.weight)


def test_another_teacher_is_another_run(tmp_path, dataset, pipeline_folder):
    folder = tmp_path / "teacher"
    shutil.copytree(pipeline_folder, folder)
    first = student(tmp_path / "run", dataset, folder)
    run(first, StopAfter(1))
    with pytest.raises(InputError, match=r"init\.pipeline"):
        run(dataclasses.replace(first, init=InitConfig(pipeline=str(pipeline_folder))))
    other = load_pipeline(folder)
    with torch.no_grad():
        other.transformer.head.weight.add_(0.1)
    other.save_pretrained(folder)
    with pytest.raises(InputError, match="frozen_weights"):
        run(first)
    with pytest.raises(InputError, match=r"student\.teacher_steps 8"):
        run(dataclasses.replace(first, student=StudentOptions(8, 2, {"text": 2.0})))


def test_a_student_may_be_an_adapter(tmp_path, dataset, pipeline_folder):
    adapter = AdapterConfig("lora", rank=2, targets=("to_q", "head"))
    _, lines = run(student(tmp_path, dataset, pipeline_folder, adapter=adapter, student=StudentOptions(2, 1), steps=2))
    assert any("adapter on and off differs" in line for line in lines)
    pipeline = load_pipeline(pipeline_folder)
    load_adapter(pipeline.transformer, tmp_path / "adapter")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(init=InitConfig()), r"init\.pipeline: received ''; expected the folder of the teacher"),
        (dict(student=StudentOptions(2, 2)), "there is nothing to learn"),
        (dict(init=InitConfig(pipeline="nowhere")), "nowhere"),
    ],
    ids=["no teacher", "the same steps", "teacher absent"],
)
def test_bad_requests_are_one_line(tmp_path, dataset, pipeline_folder, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        run(student(tmp_path / "run", dataset, pipeline_folder, **changes))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run/checkpoints").exists()

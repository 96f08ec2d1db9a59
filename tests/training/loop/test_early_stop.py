"""Early stop: which validation is the best, when a run ends, and that its best weights are what is saved."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from tests.training.loop.test_trainer import run
from tests.training.toy import ToyTask, toy_config
from worldgen.core.errors import InputError
from worldgen.training.loop.early_stop import best_validation, is_stale, keep_best, restore_best
from worldgen.training.loop.optimisation import TrainingError
from worldgen.training.train_config import TrainConfig


def rows(*losses):
    return [{"step": 10 * n, "loss": loss} for n, loss in enumerate(losses)]


def test_the_earliest_smallest_loss_is_the_best_and_one_that_is_not_finite_loses():
    assert best_validation(rows(3.0, None, 1.0, 1.0, 2.0))["step"] == 20


def test_a_run_is_stale_after_so_many_validations_without_a_better_one():
    assert not is_stale(rows(3.0, 2.0, 2.5), 2) and is_stale(rows(3.0, 2.0, 2.5, 2.0), 2)
    assert is_stale(rows(1.0, 2.0, 2.0), 2), "the untrained weights may be the best"
    assert not is_stale(rows(1.0, 2.0, 3.0), 0) and not is_stale([], 3)


def test_kept_weights_come_back_and_others_are_refused(tmp_path):
    keep_best(tmp_path, 5, {"a": torch.arange(3.0)})
    live = {"a": torch.zeros(3)}
    restore_best(tmp_path, live)
    assert live["a"].tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(InputError, match="other tensors"):
        restore_best(tmp_path, {"a": torch.zeros(4)})
    with pytest.raises(InputError, match=r"no best\.safetensors"):
        restore_best(tmp_path / "none", live)


class Scripted(ToyTask):
    """Its held-out loss at each step is given."""

    losses = (3.0, 1.0, 2.0, 2.0, 0.5)

    def validate(self) -> dict[str, float]:
        number, self.number = getattr(self, "number", 0), getattr(self, "number", 0) + 1
        return {"loss": self.losses[number]}


def test_a_run_ends_early_with_the_weights_of_its_best_validation(tmp_path):
    config = toy_config(tmp_path, steps=20, validate_every=2, patience=2)
    outcome, lines = run(config, Scripted())
    assert outcome.finished and outcome.step == 6 and any("step 2, the best validation" in line for line in lines)
    saved, best = load_file(tmp_path / "model/toy.safetensors"), load_file(tmp_path / "best.safetensors")
    last = load_file(tmp_path / "checkpoints/step_00000006/average.safetensors")
    assert torch.equal(saved["weight"], best["weight"]) and not torch.equal(saved["weight"], last["weight"])
    again, lines = run(config, Scripted())
    assert "already finished" in again.line


def test_a_run_that_only_gets_worse_is_rejected(tmp_path):
    task = Scripted()
    task.losses = (1.0, 2.0, 3.0)
    with pytest.raises(TrainingError, match="no validation was better than the model as it was"):
        run(toy_config(tmp_path, steps=20, validate_every=2, patience=2), task)


def test_patience_needs_validations():
    with pytest.raises(InputError, match="0 when validate_every=0"):
        TrainConfig(patience=2, validate_every=0)

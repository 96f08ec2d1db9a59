"""Learning rate and averaged weights against closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from worldgen.training.loop.schedule import Ema, lr_factor, parameter_groups, progress_of


def test_the_rate_rises_and_falls():
    assert lr_factor(0, 0.0, warmup=3, final=0.1) == pytest.approx(0.25)
    assert lr_factor(3, 0.0, warmup=3, final=0.1) == pytest.approx(1.0)
    assert lr_factor(50, 0.5, warmup=3, final=0.1) == pytest.approx(0.55)
    assert lr_factor(100, 1.0, warmup=3, final=0.1) == pytest.approx(0.1)


def test_progress_follows_the_nearer_end():
    assert progress_of(25, 30.0, steps=100, max_minutes=0) == 0.25
    assert progress_of(25, 30.0, steps=100, max_minutes=1) == 0.5
    assert progress_of(75, 30.0, steps=100, max_minutes=1) == 0.75
    assert progress_of(1, 90.0, steps=100, max_minutes=1) == 1.0


def test_average_is_the_weighted_sum_and_leaves_the_weights_alone():
    p = nn.Parameter(torch.tensor([1.0, 2.0]))
    ema = Ema({"p": p}, 0.5)
    expected = p.detach().clone()
    for step in range(20):
        with torch.no_grad():
            p.add_(1.0)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * p.detach()
        ema.update(step)
    assert torch.allclose(ema.shadow["p"], expected)
    own, pointer = p.detach().clone(), p.data_ptr()
    with ema.applied():
        assert torch.equal(p, ema.shadow["p"])
    assert torch.equal(p, own) and p.data_ptr() == pointer


def test_only_matrices_decay():
    layer = nn.Conv2d(2, 3, 3)
    decayed, plain = parameter_groups(dict(layer.named_parameters()), 0.1, lr_scales={})
    assert decayed["params"] == [layer.weight] and decayed["weight_decay"] == 0.1
    assert plain["params"] == [layer.bias] and plain["weight_decay"] == 0.0


def test_parts_may_learn_at_their_own_rate():
    parts = nn.ModuleDict({"network": nn.Linear(2, 2), "critic": nn.Linear(2, 2)})
    groups = parameter_groups(dict(parts.named_parameters()), 0.1, lr_scales={"critic.": 3.0})
    scale = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    assert len(scale) == 4
    assert {scale[id(p)] for p in parts["critic"].parameters()} == {3.0}
    assert {scale[id(p)] for p in parts["network"].parameters()} == {1.0}

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from worldgen.core.errors import InputError
from worldgen.evaluation.distances.frechet import distance_of
from worldgen.evaluation.distances.i3d import (
    I3D,
    MIXED,
    NUM_PARAMETERS,
    PORT_EPSILON,
    STAGES,
    TORCHSCRIPT_SHA256,
    SamePool,
    load_i3d,
    same_padding,
)
from worldgen.evaluation.distances.resize import to_network

SHAPES = {
    "Conv3d_1a_7x7": (64, 8, 112, 112), "MaxPool3d_2a_3x3": (64, 8, 56, 56), "Conv3d_2b_1x1": (64, 8, 56, 56),
    "Conv3d_2c_3x3": (192, 8, 56, 56), "MaxPool3d_3a_3x3": (192, 8, 28, 28), "Mixed_3b": (256, 8, 28, 28),
    "Mixed_3c": (480, 8, 28, 28), "MaxPool3d_4a_3x3": (480, 4, 14, 14), "Mixed_4b": (512, 4, 14, 14),
    "Mixed_4c": (512, 4, 14, 14), "Mixed_4d": (512, 4, 14, 14), "Mixed_4e": (528, 4, 14, 14),
    "Mixed_4f": (832, 4, 14, 14), "MaxPool3d_5a_2x2": (832, 2, 7, 7), "Mixed_5b": (832, 2, 7, 7),
    "Mixed_5c": (1024, 2, 7, 7),
}  # fmt: skip
"""Figure 3 of the paper, for 16 frames of 224x224."""


@pytest.fixture(scope="module")
def meta():
    with torch.device("meta"):
        return I3D().eval()


def test_parameters_are_counted(meta):
    """12.69 million is also what OpenVINO's model zoo states for the converted TensorFlow checkpoint (i3d-rgb-tf)."""
    assert sum(p.numel() for p in meta.parameters()) == NUM_PARAMETERS == 12_697_264


def test_operations_are_those_published(meta):
    """278.981 GFLOPs at 79 frames of 224x224, stated by OpenVINO's model zoo for the converted TensorFlow
    checkpoint."""
    products = 0

    def count(module, inputs, output):
        nonlocal products
        inner = module.in_channels * int(np.prod(module.kernel_size))
        products += output.numel() * inner

    hooks = [m.register_forward_hook(count) for m in meta.modules() if isinstance(m, nn.Conv3d)]
    meta(torch.empty(1, 3, 79, 224, 224, device="meta"))
    for hook in hooks:
        hook.remove()
    assert 2 * products / 1e9 == pytest.approx(278.98, rel=0.01)


def test_shape_of_every_stage(meta):
    shapes = {name: tuple(x.shape[1:]) for name, x in meta.stages(torch.empty(1, 3, 16, 224, 224, device="meta"))}
    assert shapes == SHAPES and tuple(shapes) == STAGES


def test_names_are_those_of_the_ports(meta):
    names = set(meta.state_dict())
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {"logits.conv3d.weight", "logits.conv3d.bias"}
    units = ["Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3"]
    units += [f"{block}.{branch}" for block in MIXED for branch in ("b0", "b1a", "b1b", "b2a", "b2b", "b3b")]
    expected |= {f"{unit}.conv3d.weight" for unit in units} | {f"{unit}.bn.{part}" for unit in units for part in norm}
    assert names == expected


@pytest.mark.parametrize(("frames", "steps"), [(9, 1), (17, 2), (30, 3)])
def test_time_is_rounded_up_at_every_halving(meta, frames, steps):
    *_, (_, last) = meta.stages(torch.empty(2, 3, frames, 224, 224, device="meta"))
    assert tuple(last.shape) == (2, 1024, steps + 1, 7, 7)


def test_padding_is_tensorflows_same():
    """Worked by hand: 224 with kernel 7 and stride 2 needs 5 in all, two before and three after."""
    assert same_padding((16, 224, 224), (7, 7, 7), (2, 2, 2)) == [2, 3, 2, 3, 2, 3]
    assert same_padding((15, 7, 7), (7, 7, 7), (2, 2, 2)) == [3, 3, 3, 3, 3, 3]
    assert same_padding((8, 112, 112), (1, 3, 3), (1, 2, 2)) == [0, 1, 0, 1, 0, 0]
    assert same_padding((4, 14, 14), (3, 3, 3), (1, 1, 1)) == [1, 1, 1, 1, 1, 1]
    pool = SamePool((1, 3, 3), (1, 2, 2))
    x = torch.arange(16.0).reshape(1, 1, 1, 4, 4)
    np.testing.assert_array_equal(pool(x)[0, 0, 0], [[10, 11], [14, 15]])


def test_a_state_dict_loads_by_name_and_gives_the_same_logits(tmp_path):
    torch.manual_seed(3)
    network = I3D().eval()
    for module in network.modules():  # statistics that are not the neutral ones, or the epsilon would not matter
        if isinstance(module, nn.BatchNorm3d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    path = tmp_path / "i3d.safetensors"
    tensors = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    save_file(tensors, path)
    again, digest = load_i3d(path)
    assert len(digest) == 64 and again.Mixed_3b.b0.bn.eps == PORT_EPSILON
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor)
    save_file(tensors, path, {"bn_epsilon": "0.001"})
    assert load_i3d(path)[0].Mixed_5c.b3b.bn.eps == 1e-3


def test_weights_that_do_not_fit_are_refused(tmp_path):
    tensors = dict(I3D().state_dict())
    path = tmp_path / "i3d.safetensors"
    tensors.pop("Mixed_4c.b1b.conv3d.weight")
    tensors["logits.conv3d.weight"] = tensors["logits.conv3d.weight"][:600].clone()
    save_file({**tensors, "logits.conv3d.bias": torch.zeros(600)}, path)
    with pytest.raises(InputError) as error:
        load_i3d(path)
    assert "Mixed_4c.b1b" in str(error.value) and "600" in str(error.value)


@pytest.mark.parametrize("name", ["i3d.pt", "i3d_torchscript.pt", "weights.pkl"])
def test_programs_of_unknown_origin_are_not_opened(tmp_path, monkeypatch, name):
    """TorchScript and pickles can run anything, so another file than the known one is refused before it is read as
    one."""
    (tmp_path / name).write_bytes(b"not the known file")
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(InputError) as error:
        load_i3d(tmp_path / name)
    assert TORCHSCRIPT_SHA256 in str(error.value) and "\n" not in str(error.value)


def test_without_weights_there_is_one_line_that_says_where_they_are(tmp_path):
    for path in ("", tmp_path / "absent.safetensors"):
        with pytest.raises(InputError, match="fvd-comparison, or a Kinetics-400 state dict"):
            load_i3d(path)


def test_known_answer_of_zeros_against_ones():
    """8 clips of 30 black frames against 8 of white ones, 64x64, squashed: 151.3 (published ports: 151.17)."""
    path = os.environ.get("WORLDGEN_I3D", "")
    if not Path(path).is_file():
        pytest.skip("needs the published I3D weights; set WORLDGEN_I3D to their file (docs/guides/distances.md)")
    network, _ = load_i3d(path)
    features = []
    for level in (0, 255):
        video = to_network(np.full((30, 64, 64, 3), level, np.uint8), "squash")[None]
        with torch.inference_mode():
            features.append(np.repeat(network(video).double().numpy(), 8, 0))
    assert distance_of(*features) == pytest.approx(151.3, abs=0.2)

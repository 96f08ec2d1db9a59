"""Ego motion in a transformer that has none: nothing at the start, then what moves, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.models.backbones.tiny_families import vace_transformer
from worldgen.core.ego import EgoMotion
from worldgen.models.backbones.tuned.ego_injector import EgoInjector, EgoInjectorSizes, ego_features
from worldgen.models.backbones.tuned.tuned_adapter import attach_injector

SIZES = EgoInjectorSizes(width=24, frames_per_latent=4, hidden=16)


def motion(speed: float, yaw: float = 0.0, *, frames: int = 9, fps: float = 8.0) -> EgoMotion:
    return EgoMotion(np.full(frames, speed), np.full(frames, yaw), fps)


def inputs(frames: int = 3) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        "hidden_states": torch.randn(1, 4, frames, 4, 4, generator=generator), "timestep": torch.tensor([300.0]),
        "encoder_hidden_states": torch.randn(1, 6, 16, generator=generator),
        "control_hidden_states": torch.randn(1, 72, frames, 4, 4, generator=generator),
    }  # fmt: skip


@pytest.fixture
def network():
    torch.manual_seed(0)
    return vace_transformer()


def driven(network, injector, ego, frames: int = 3) -> torch.Tensor:
    with torch.no_grad(), injector.driving(ego_features(ego, SIZES, 3)[None]):
        return network(**inputs(frames), return_dict=False)[0]


def moved(injector: EgoInjector) -> EgoInjector:
    with torch.no_grad():
        torch.nn.init.normal_(injector.shift.weight, std=0.3, generator=torch.Generator().manual_seed(1))
    return injector


def test_a_fresh_injector_leaves_every_bit_as_it_is(network):
    with torch.no_grad():
        base = network(**inputs(), return_dict=False)[0]
    injector = EgoInjector(SIZES)
    attach_injector(injector, network, "wan_vace")
    assert torch.equal(driven(network, injector, motion(12.0, 0.3)), base)
    moved(injector)
    assert not torch.equal(driven(network, injector, motion(12.0, 0.3)), base)
    assert torch.equal(driven(network, injector, None), base), "without motion nothing is added"
    with torch.no_grad():
        assert torch.equal(network(**inputs(), return_dict=False)[0], base), "nor outside of driving"
    injector.detach()
    assert torch.equal(driven(network, injector, motion(12.0, 0.3)), base)


def test_other_motion_gives_another_output(network):
    injector = moved(EgoInjector(SIZES))
    attach_injector(injector, network, "wan_vace")
    one, same, other = (driven(network, injector, ego) for ego in (motion(5), motion(5), motion(15)))
    assert torch.equal(one, same) and not torch.allclose(one, other)
    assert not torch.allclose(one, driven(network, injector, motion(5, 0.4)))


def test_features_count_metres_and_radians_between_frames_whatever_the_rate():
    one, other = (ego_features(motion(v, w, fps=fps), SIZES, 3) for v, w, fps in ((8.0, 0.4, 8.0), (16.0, 0.8, 16.0)))
    assert one.shape == (3, SIZES.features) and torch.allclose(one, other)
    assert float(one[1, 0]) == pytest.approx(1.0) and float(one[1, 1]) == pytest.approx(1.0)  # 1 m and 0.05 rad
    assert not ego_features(None, SIZES, 3).any()


def test_a_frame_is_shifted_by_the_motion_of_its_own_frames():
    injector = moved(EgoInjector(SIZES))
    speeds = np.array([5, 5, 5, 5, 5, 9, 9, 9, 9], float)  # one frame, then two latent frames of four
    tokens = torch.zeros(1, 3 * 4, 24)
    with torch.no_grad(), injector.driving(ego_features(EgoMotion(speeds, np.zeros(9), 8.0), SIZES, 3)[None]):
        rows = injector.added(tokens, 0).view(3, 4, 24)
    assert torch.allclose(rows[0], rows[1]), "the motion that arrives at the first frame is that of the next four"
    assert not torch.allclose(rows[1], rows[2])
    assert torch.allclose(rows[2, 0], rows[2, 3]), "all tokens of a frame get the same"


def test_reference_pictures_before_the_clip_are_not_driven(network):
    injector = moved(EgoInjector(SIZES))
    attach_injector(injector, network, "wan_vace")
    injector._see(network.patch_embedding, (torch.zeros(1, 4, 4, 4, 4),))
    with torch.no_grad(), injector.driving(ego_features(motion(9), SIZES, 3)[None]):
        rows = injector.added(torch.zeros(1, 4 * 4, 24), 0).view(4, 4, 24)
    assert not rows[0].any() and rows[1:].any()
    assert driven(network, injector, motion(9), frames=4).shape[2] == 4


def test_gradients_reach_it_through_checkpointed_blocks(network):
    grads = []
    injector = moved(EgoInjector(SIZES))
    attach_injector(injector, network, "wan_vace")
    network.train()
    for checkpointed in (False, True):
        if checkpointed:
            network.enable_gradient_checkpointing()
        injector.zero_grad()
        with injector.driving(ego_features(motion(7, 0.2), SIZES, 3)[None]):
            network(**inputs(), return_dict=False)[0].square().mean().backward()
        grads.append(injector.shift.weight.grad.clone())
    assert grads[0].abs().max() > 0
    torch.testing.assert_close(*grads)

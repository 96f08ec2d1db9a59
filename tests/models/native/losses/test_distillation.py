"""Distillation against closed forms, against the sampler, and at learning."""

from __future__ import annotations

import copy
import dataclasses
import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from tests.models.build import conditions, noisy_weights
from worldgen.core.errors import InputError
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.flow_matching import FlowMatching
from worldgen.models.native.losses.distillation import (
    noise_levels,
    segments,
    student_distances,
    student_loss,
    trajectory,
    velocity_of,
)
from worldgen.models.native.losses.flow import Examples, NetworkInputs
from worldgen.models.native.losses.loss_options import FlowOptions, StudentOptions
from worldgen.models.native.rollout.noise import seeded_noise
from worldgen.models.native.rollout.rollout import Rollout
from worldgen.models.native.sizes import LATENT_CHANNELS, build_pipeline
from worldgen.models.native.text import text_states

PLAIN = FlowOptions(known_frames=0, history_noise=0, drop_text=0, drop_ego=0, drop_layout=0, drop_history=0)
BATCH, FRAMES, ROWS, COLUMNS = 2, 3, 4, 6


class Gain(nn.Module):
    """A network whose velocity is a multiple of its noisy latents."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))
        self.flow = FlowMatching(torch.ones(LATENT_CHANNELS), torch.ones(LATENT_CHANNELS))

    def forward(self, latents, t, reprojected, conditions, text) -> torch.Tensor:
        return self.gain * latents


def examples(batch: int = BATCH, seed: int = 0) -> Examples:
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(batch, LATENT_CHANNELS, FRAMES, ROWS, COLUMNS, generator=generator)
    reprojected = torch.cat([torch.randn(latents.shape, generator=generator), torch.ones_like(latents[:, :1])], 1)
    return Examples(latents, reprojected, conditions(batch, FRAMES, rows=ROWS, columns=COLUMNS, seed=seed))


def noisy_pipeline(scale: float = 0.05):
    pipeline = build_pipeline("tiny")
    noisy_weights(pipeline.transformer, scale)
    return pipeline, pipeline.networks


@pytest.fixture(scope="module")
def made():
    return noisy_pipeline()


def reached(gain: float, levels: list[float]) -> float:
    """Where Euler steps of dx/dt = gain x lead from 1."""
    return math.prod(1 + gain * (after - time) for time, after in pairwise(levels))


def test_steps_of_a_linear_velocity_end_where_the_product_says():
    levels = noise_levels(8)
    places = trajectory(lambda x, time: 0.7 * x, torch.ones(3), levels)
    assert len(places) == 9
    torch.testing.assert_close(places[-1], torch.full((3,), reached(0.7, levels)))
    assert reached(0.7, noise_levels(1000)) == pytest.approx(math.exp(-0.7), rel=2e-3)


def test_levels_of_few_steps_are_among_those_of_many():
    many = noise_levels(12)
    assert many[0] == 1.0 and many[-1] == 0.0
    for steps in (1, 2, 3, 4):
        assert noise_levels(steps) == pytest.approx(many[:: 12 // steps])


@pytest.mark.parametrize("steps", [1, 2])
def test_loss_of_a_linear_student_is_known(made, steps):
    """A student of gain b misses the teacher's end by a known multiple of where it starts; the right b has no loss."""
    _, networks = made
    options, levels = StudentOptions(4, steps), noise_levels(4)
    ends = [reached(0.7, levels[i : i + 4 // steps + 1]) for i in range(0, 4, 4 // steps)]
    student = Gain(0.3)
    misses, start = [], 1.0
    for end, (time, after) in zip(ends, pairwise(noise_levels(steps)), strict=True):
        misses.append((start * (1 + 0.3 * (after - time)) - start * end) ** 2)
        start *= end
    batch = examples(16)
    teacher = dataclasses.replace(networks, transformer=Gain(0.7))
    loss, metrics = student_loss(
        dataclasses.replace(networks, transformer=student),
        teacher,
        batch,
        torch.Generator().manual_seed(0),
        options=options,
        flow=PLAIN,
    )
    loss.backward()
    assert metrics["miss_mse"].item() == pytest.approx(sum(misses) / steps, rel=0.05)  # times the mean square of noise
    assert student.gain.grad.item() < 0 and teacher.transformer.gain.grad is None
    if steps == 1:
        assert loss.item() == pytest.approx(misses[0], rel=0.05)
        right = dataclasses.replace(networks, transformer=Gain(1 - ends[0]))
        loss, _ = student_loss(right, teacher, batch, torch.Generator().manual_seed(0), options=options, flow=PLAIN)
        assert loss.item() < 1e-10


def test_a_student_that_is_its_teacher_step_for_step_has_no_loss_until_guidance_differs(made):
    _, networks = made
    batch = examples()
    alike, _ = student_loss(
        networks, networks, batch, torch.Generator().manual_seed(1), options=StudentOptions(3, 3), flow=FlowOptions()
    )
    assert alike.item() < 1e-9
    for options in (StudentOptions(3, 3, {"layout": 3.0}), StudentOptions(6, 3)):
        other, _ = student_loss(
            networks, networks, batch, torch.Generator().manual_seed(1), options=options, flow=PLAIN
        )
        assert other.item() > 1e-6


@pytest.mark.parametrize("guidance", [{}, {"layout": 3.0, "ego": 2.0}], ids=["plain", "guided"])
def test_the_teacher_takes_the_steps_of_the_sampler(made, guidance):
    pipeline, networks = made
    batch = examples()
    noise = torch.randn(batch.latents.shape, generator=torch.Generator().manual_seed(3))
    given = NetworkInputs(batch.reprojected, batch.conditions, torch.zeros(BATCH, FRAMES, dtype=torch.bool))
    _, places = segments(networks, given, noise, options=StudentOptions(4, 2, guidance))
    assert len(places) == 3
    with torch.no_grad():
        text = text_states(pipeline.text_encoder, batch.conditions)
        sampler = SamplerOptions(steps=4, chunk=FRAMES, guidance=guidance)
        rollout = Rollout(networks, batch.conditions, text, noise=seeded_noise([0] * BATCH), options=sampler)
        torch.testing.assert_close(places[-1], rollout.sample(noise, batch.reprojected), atol=1e-4, rtol=1e-4)


def test_known_frames_stand_still(made):
    _, networks = made
    batch = examples()
    known = torch.tensor([[True, False, False], [False, False, False]])
    given = NetworkInputs(batch.reprojected, batch.conditions, known)
    with torch.no_grad():
        places = trajectory(velocity_of(networks, given), batch.latents, noise_levels(2))
    assert torch.equal(places[-1][0, :, 0], batch.latents[0, :, 0])
    assert not torch.equal(places[-1][1, :, 0], batch.latents[1, :, 0])


def test_a_linear_student_learns_the_step_that_stands_for_four(made):
    _, networks = made
    student, teacher = (dataclasses.replace(networks, transformer=Gain(0.7)) for _ in range(2))
    optimiser = torch.optim.Adam(student.transformer.parameters(), 0.05)
    options, generator = StudentOptions(4, 1), torch.Generator().manual_seed(0)
    distances = lambda: student_distances(student, teacher, examples(seed=99), torch.Generator(), options=options)  # noqa: E731
    before = distances()
    assert before["student"] == before["few"] > 0
    for step in range(60):
        loss, _ = student_loss(student, teacher, examples(seed=step), generator, options=options, flow=PLAIN)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    after = distances()
    assert (after["few"], after["size"]) == (before["few"], before["size"])
    assert after["student"] < 1e-2 * after["few"]
    assert student.transformer.gain.item() == pytest.approx(1 - reached(0.7, noise_levels(4)), abs=0.01)


def test_a_network_learns_its_own_guided_steps_of_one_batch():
    _, networks = noisy_pipeline()
    student = dataclasses.replace(networks, transformer=copy.deepcopy(networks.transformer))
    optimiser = torch.optim.AdamW(student.transformer.parameters(), 5e-4)
    losses = []
    for _ in range(12):
        loss, _ = student_loss(
            student, networks, examples(), torch.Generator().manual_seed(0),
            options=StudentOptions(2, 1, {"ego": 4.0}), flow=PLAIN,
        )  # fmt: skip
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            dict(teacher_steps=6, steps=4),
            r"student.teacher_steps: received 6; expected a multiple of student.steps \(4\)",
        ),
        (dict(teacher_steps=1, steps=2), "multiple"),
        (dict(steps=0), "sampling steps"),
        (dict(guidance={"weather": 2.0}), "guidance of condition"),
    ],
    ids=["no multiple", "fewer", "none", "guidance"],
)
def test_bad_options(values, message):
    with pytest.raises(InputError, match=message):
        StudentOptions(**values)


def test_whether_there_is_anything_to_learn():
    assert StudentOptions(4, 2).differs and StudentOptions(2, 2, {"text": 2.0}).differs
    assert not StudentOptions(2, 2, {"text": 1.0}).differs

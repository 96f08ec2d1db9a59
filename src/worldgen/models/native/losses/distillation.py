"""Few-step students: a network learns to reach in a few steps, without guidance, where its teacher's many steps lead.

The frozen teacher follows its flow from given noise in many Euler steps, guided as asked. Its path is cut into as many
segments as the student may take steps; from the start of each, the student learns the one velocity that leads to its end.
With one segment this is regression on the teacher's end point (Liu et al. 2023, InstaFlow, arXiv:2309.06380, section 3.2);
with more it is progressive distillation (Salimans and Ho 2022, arXiv:2202.00512, section 3) without the halvings between.
Guidance goes into the student's weights as in Meng et al. 2023, arXiv:2210.03142.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import torch

from worldgen.core.errors import InputError
from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.losses.flow import (
    Examples,
    FlowOptions,
    NetworkInputs,
    degraded_history,
    draws,
    dropped,
    known_frames,
    velocity_loss,
)
from worldgen.models.native.rollout.rollout import SamplerOptions, guided, shifted_sigmas
from worldgen.models.native.text import text_states

Velocity = Callable[[torch.Tensor, float], torch.Tensor]
"""Velocity of noisy latents ``(B, C, F, h, w)`` at a noise level."""


@dataclass(frozen=True)
class StudentOptions:
    """What is distilled into what: ``teacher_steps`` with ``guidance`` (condition -> strength, as a sampler has it) into
    ``steps`` without. Each step of the student stands for the same number of the teacher's."""

    teacher_steps: int = 16
    steps: int = 1
    guidance: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Same ranges and names as when sampling.
        SamplerOptions(steps=self.steps)
        SamplerOptions(steps=self.teacher_steps, guidance=self.guidance)
        if self.teacher_steps % self.steps:
            raise InputError("student.teacher_steps", self.teacher_steps, f"a multiple of student.steps ({self.steps})")

    @property
    def differs(self) -> bool:
        """Whether teacher and student do not take the same steps already."""
        return self.teacher_steps > self.steps or any(strength != 1.0 for strength in self.guidance.values())


def student_loss(
    student: tuple,
    teacher: tuple,
    examples: Examples,
    generator: torch.Generator,
    *,
    options: StudentOptions,
    flow: FlowOptions,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Mean square of the student's velocity errors over its steps and the unknown frames, weighed as in ``world_loss``.

    student, teacher: transformer and text encoder each; no gradient flows into the teacher. flow: what both are given
    (known frames, worn pasts, dropped conditions); its times are not used, the steps have theirs. ``miss_mse``: mean
    square, in latents, by which steps miss their ends.
    """
    uniform, normal = draws(generator, examples.latents.device)
    conditions = dropped(examples.conditions, uniform, flow)
    known = known_frames(examples.latents, uniform, flow)
    given = NetworkInputs(degraded_history(examples.reprojected, uniform, normal, flow), conditions, known)
    start = torch.where(known[:, None, :, None, None], examples.latents, normal(*examples.latents.shape))
    times, places = segments(teacher, given, start, options=options)
    velocity = velocity_of(student, given)
    losses, misses = [], []
    for (time, after), (place, end) in zip(pairwise(times), pairwise(places), strict=True):
        error = velocity(place, time) - (end - place) / (after - time)
        t = time * (~known).float()
        losses.append(velocity_loss(student[0], error, t, given=given, options=flow))
        misses.append(((after - time) * error.detach()).square().mean((1, 3, 4))[~known].mean())
    return torch.stack(losses).mean(), {"miss_mse": torch.stack(misses).mean(), "known_share": known.float().mean()}


@torch.no_grad()
def segments(
    teacher: tuple, given: NetworkInputs, start: torch.Tensor, *, options: StudentOptions
) -> tuple[list[float], list[torch.Tensor]]:
    """The noise levels at which the student's steps begin and end, and where the teacher's path from ``start`` is there."""
    stride = options.teacher_steps // options.steps
    times = noise_levels(options.teacher_steps)
    places = trajectory(velocity_of(teacher, given, guidance=options.guidance), start, times)
    return times[::stride], places[::stride]


def noise_levels(steps: int) -> list[float]:
    """Of a sampler with its default shift, from 1 to 0: those of fewer steps are among those of a multiple."""
    return [*shifted_sigmas(SamplerOptions(steps=steps)), 0.0]


def trajectory(velocity: Velocity, start: torch.Tensor, times: list[float]) -> list[torch.Tensor]:
    """Euler steps from ``start``: where the flow is at each of ``times``."""
    places = [start]
    for time, after in pairwise(times):
        places.append(places[-1] + (after - time) * velocity(places[-1], time))
    return places


def velocity_of(networks: tuple, given: NetworkInputs, *, guidance: dict[str, float] | None = None) -> Velocity:
    """Velocities, float32, of a transformer and its text encoder with guidance; known frames stand still at t = 0."""
    transformer, text_encoder = networks
    strengths = {name: strength for name, strength in (guidance or {}).items() if strength != 1.0}
    branches = [given.conditions, *(given.conditions.without(name) for name in strengths)]
    conditions = ConditionBatch.cat(branches) if strengths else given.conditions
    count = len(branches)
    text = text_states(text_encoder, given.conditions).repeat(count, 1, 1)
    reprojected = given.reprojected.repeat(count, 1, 1, 1, 1)
    unknown = (~given.known).float()

    def velocity(latents: torch.Tensor, time: float) -> torch.Tensor:
        t = (time * unknown).repeat(count, 1)
        made = transformer(latents.repeat(count, 1, 1, 1, 1), t, reprojected, conditions, text).float()
        return guided(made, list(strengths.values())) * unknown[:, None, :, None, None]

    return velocity


@torch.no_grad()
def student_distances(
    student: tuple, teacher: tuple, examples: Examples, generator: torch.Generator, *, options: StudentOptions
) -> dict[str, float]:
    """How far from the guided teacher's end point other ways from the same noise end, all frames unknown, pasts given.

    Mean squares in latents: ``student`` in its steps, ``few`` the teacher itself in as many steps without guidance (where an
    undistilled student stands), ``size`` of the end point itself.
    """
    latents = examples.latents
    known = torch.zeros(latents.shape[0], latents.shape[2], dtype=torch.bool, device=latents.device)
    given = NetworkInputs(examples.reprojected, examples.conditions, known)
    noise = torch.randn(latents.shape, generator=generator, device=generator.device).to(latents)
    _, (*_, goal) = segments(teacher, given, noise, options=options)
    times = noise_levels(options.steps)
    ends = {
        name: trajectory(velocity_of(networks, given), noise, times)[-1]
        for name, networks in (("student", student), ("few", teacher))
    }
    distances = {name: float((end - goal).square().mean()) for name, end in ends.items()}
    return {**distances, "size": float(goal.square().mean())}

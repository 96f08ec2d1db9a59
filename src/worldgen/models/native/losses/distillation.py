"""Few-step students: a network learns to reach in a few steps, without guidance, the end of its teacher's many steps.

The frozen teacher follows its flow from given noise in many Euler steps, guided as asked. Its path is cut into as
many segments as the student may take steps; from the start of each, the student learns the one velocity that leads to
its end. With one segment this is regression on the teacher's end point (Liu et al. 2023, InstaFlow, arXiv:2309.06380,
section 3.2); with more it is progressive distillation (Salimans and Ho 2022, arXiv:2202.00512, section 3) without the
halvings between. Guidance goes into the student's weights as in Meng et al. 2023, arXiv:2210.03142.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch

from worldgen.models.interface import SamplerOptions
from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.losses.flow import (
    Examples,
    NetworkInputs,
    corrupted_history,
    draws,
    dropped,
    known_frames,
    velocity_loss,
)
from worldgen.models.native.losses.loss_options import FlowOptions, StudentOptions
from worldgen.models.native.networks import WorldNetworks
from worldgen.models.native.rollout.rollout import guided, shifted_sigmas

Velocity = Callable[[torch.Tensor, float], torch.Tensor]
"""Velocity of noisy latents ``(B, C, F, h, w)`` at a noise level."""


def student_loss(
    student: WorldNetworks,
    teacher: WorldNetworks,
    examples: Examples,
    generator: torch.Generator,
    *,
    options: StudentOptions,
    flow: FlowOptions,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Mean square ``()`` of the student's velocity errors over its steps and the unknown frames, weighted as in
    ``world_loss``.

    No gradient flows into the teacher. flow: how both networks' inputs are corrupted (known frames, noise on
    histories, dropped conditions); its times are not used, because the steps have their own. Metric ``miss_mse``:
    mean square, in latents, of the distance between the ends of the student's steps and the teacher's.
    """
    uniform, normal = draws(generator, examples.latents.device)
    conditions = dropped(examples.conditions, uniform, flow)
    known = known_frames(examples.latents, uniform, flow)
    given = NetworkInputs(corrupted_history(examples.reprojected, uniform, normal, flow), conditions, known)
    start = torch.where(known[:, None, :, None, None], examples.latents, normal(*examples.latents.shape))
    times, places = segments(teacher, given, start, options=options)
    velocity = velocity_of(student, given)
    losses, misses = [], []
    for (time, after), (place, end) in zip(pairwise(times), pairwise(places), strict=True):
        error = velocity(place, time) - (end - place) / (after - time)
        t = time * (~known).float()
        losses.append(velocity_loss(student, error, t, given=given, options=flow))
        misses.append(((after - time) * error.detach()).square().mean((1, 3, 4))[~known].mean())
    return torch.stack(losses).mean(), {"miss_mse": torch.stack(misses).mean(), "known_share": known.float().mean()}


@torch.no_grad()
def segments(
    teacher: WorldNetworks, given: NetworkInputs, start: torch.Tensor, *, options: StudentOptions
) -> tuple[list[float], list[torch.Tensor]]:
    """Noise levels where the student's steps begin and end, and the teacher's latents at these levels on its path
    from ``start``."""
    stride = options.teacher_steps // options.steps
    times = noise_levels(options.teacher_steps)
    places = trajectory(velocity_of(teacher, given, guidance=options.guidance), start, times)
    return times[::stride], places[::stride]


def noise_levels(steps: int) -> list[float]:
    """Noise levels of a sampler with its default shift, from 1 to 0. Those of few steps are among those of a
    multiple."""
    return [*shifted_sigmas(SamplerOptions(steps=steps)), 0.0]


def trajectory(velocity: Velocity, start: torch.Tensor, times: list[float]) -> list[torch.Tensor]:
    """Latents at each of ``times`` on the path of Euler steps from ``start``."""
    places = [start]
    for time, after in pairwise(times):
        places.append(places[-1] + (after - time) * velocity(places[-1], time))
    return places


def velocity_of(networks: WorldNetworks, given: NetworkInputs, *, guidance: dict[str, float] | None = None) -> Velocity:
    """Velocities, float32, of a model with guidance; known frames stay at t = 0 with velocity 0."""
    strengths = {name: strength for name, strength in (guidance or {}).items() if strength != 1.0}
    branches = [given.conditions, *(given.conditions.without(name) for name in strengths)]
    conditions = ConditionBatch.cat(branches) if strengths else given.conditions
    count = len(branches)
    text = networks.text_of(given.conditions).repeat(count, 1, 1)
    reprojected = given.reprojected.repeat(count, 1, 1, 1, 1)
    unknown = (~given.known).float()

    def velocity(latents: torch.Tensor, time: float) -> torch.Tensor:
        t = (time * unknown).repeat(count, 1)
        predicted = networks.transformer(latents.repeat(count, 1, 1, 1, 1), t, reprojected, conditions, text).float()
        return guided(predicted, list(strengths.values())) * unknown[:, None, :, None, None]

    return velocity


@torch.no_grad()
def student_distances(
    student: WorldNetworks,
    teacher: WorldNetworks,
    examples: Examples,
    generator: torch.Generator,
    *,
    options: StudentOptions,
) -> dict[str, float]:
    """Distances from the guided teacher's end point, all frames unknown, histories given.

    Mean squares in latents: ``student``, its end point in its own steps; ``few``, that of the teacher in as many
    steps without guidance, which is where an undistilled student stands; ``size``, the end point itself.
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

"""Settings of the losses, free of PyTorch: configs and the command line read them before any network is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from worldgen.core.errors import InputError
from worldgen.models.interface import SamplerOptions


@dataclass(frozen=True)
class FlowOptions:
    """How training examples are corrupted.

    known_frames: share of clips whose first frames, any number of them, are given clean (t = 0), as the generated
        frames of a rollout are.
    pure_noise: share of clips whose other frames are all at t = 1, where a rollout in one step begins.
    time_mean, time_std: of the logit-normal time (Esser et al. 2024, arXiv:2403.03206, section 3.1).
    history_noise: largest standard deviation of noise put on the reprojected frames, in half of the clips, so that
        the model learns to repair its own errors in rollouts.
    generated_history: share of clips whose history the model generates itself, in the training step.
    rollout_history: share of clips whose history comes from rollouts of whole clips, made before training by the
        network that training begins from (``training.data.rollout_history``).
    from_noise: share of the clips with a generated history that begin with a generated frame, without any history.
    erased: share of clips whose history lacks objects that the layout shows (``models.native.history.erasure``).
    huber: error, in standard deviations, from which on the loss grows linearly (0: squares everywhere).
    object_weight: weight of a cell full of labelled objects, minus the weight 1 of ground and sky.
    drop_text, drop_ego, drop_layout, drop_history: share of clips trained without that condition.
    """

    RENAMED: ClassVar[dict[str, str]] = {
        "own_past": "generated_history",
        "rolled": "rollout_history",
        "past_noise": "history_noise",
        "drop_past": "drop_history",
        "thing_weight": "object_weight",
    }
    """Names before 0.2 -> names now."""

    known_frames: float = 0.3
    pure_noise: float = 0.0
    time_mean: float = 0.3
    time_std: float = 1.2
    history_noise: float = 0.2
    generated_history: float = 0.0
    from_noise: float = 0.0
    rollout_history: float = 0.0
    erased: float = 0.0
    huber: float = 0.0
    object_weight: float = 0.0
    drop_text: float = 0.15
    drop_ego: float = 0.1
    drop_layout: float = 0.2
    drop_history: float = 0.15


@dataclass(frozen=True)
class StudentOptions:
    """Steps of teacher and student.

    teacher_steps, guidance: of the teacher (condition -> strength, as in :class:`SamplerOptions`). steps: of the
    student, which uses no guidance. Each step of the student replaces the same number of the teacher's.
    """

    teacher_steps: int = 16
    steps: int = 1
    guidance: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # The ranges and names are those of sampling.
        SamplerOptions(steps=self.steps)
        SamplerOptions(steps=self.teacher_steps, guidance=self.guidance)
        if self.teacher_steps % self.steps:
            raise InputError("student.teacher_steps", self.teacher_steps, f"a multiple of student.steps ({self.steps})")

    @property
    def differs(self) -> bool:
        """Whether teacher and student do not take the same steps already."""
        return self.teacher_steps > self.steps or any(strength != 1.0 for strength in self.guidance.values())


@dataclass(frozen=True)
class AdversarialOptions:
    """How strongly the critic acts, and how it is trained.

    weight: of the critic's gradient on generated frames that never pass for real, relative to the flow loss; 1: equal.
    warmup: steps in which the critic learns alone, and again as many in which its weight rises. slope, nudge: weight
        of the penalty on how much the critic's verdict changes under noise of ``nudge`` times the mean spread of
        channels.
    critic_width: channels of the critic.
    critic_lr_scale: the critic's learning rate over that of the network, which must not outrun it.
    """

    RENAMED: ClassVar[dict[str, str]] = {"critic_pace": "critic_lr_scale"}
    """Names before 0.2 -> names now."""

    weight: float = 0.35
    warmup: int = 40
    slope: float = 100.0
    nudge: float = 0.05
    critic_width: int = 64
    critic_lr_scale: float = 2.5

    def __post_init__(self) -> None:
        least = min(self.weight, self.warmup, self.slope)
        if least < 0 or min(self.nudge, self.critic_lr_scale) <= 0 or self.critic_width < 4:
            raise InputError(
                "adversarial", tuple(vars(self).values()),
                "weight, warmup, slope >= 0, nudge and critic_lr_scale > 0, critic_width of at least 4",
            )  # fmt: skip

    def strength(self, step: int) -> float:
        """Weight of the critic's gradient in a step."""
        return self.weight * min(1.0, max(0.0, (step - self.warmup) / max(self.warmup, 1)))


@dataclass(frozen=True)
class PainterOptions:
    """How the painter is trained (``models.native.painter.painting_loss``).

    drawn: share of drawn pictures in a batch; the others are recorded. pixel: weight of the errors of single pixels of
    restored recordings. keep: weight of what painted drawings leave of the drawing beyond colour_tolerance (of areas)
    and detail_tolerance (of details), in [-1, 1]. verdict: size of the gradient of the critic's verdict over that of
    the errors of restored recordings. features: weight of the critic's features. warmup: steps in which the critic
    learns alone, and again as many in which its weight rises. width, blocks: of a fresh painter. critic_width: channels
    of the critic. critic_lr_scale: its learning rate over the painter's.
    """

    drawn: float = 0.6
    pixel: float = 0.5
    keep: float = 5.0
    colour_tolerance: float = 0.05
    detail_tolerance: float = 0.12
    verdict: float = 5.0
    features: float = 1.0
    warmup: int = 60
    width: int = 32
    blocks: int = 4
    critic_width: int = 48
    critic_lr_scale: float = 2.0

    def __post_init__(self) -> None:
        weights = (self.pixel, self.keep, self.colour_tolerance, self.detail_tolerance, self.verdict, self.features)
        if not 0 < self.drawn < 1 or min(*weights, self.warmup) < 0 or self.critic_lr_scale <= 0:
            raise InputError(
                "painter", tuple(vars(self).values()),
                "drawn between 0 and 1, weights, tolerances and warmup >= 0, critic_lr_scale > 0",
            )  # fmt: skip
        if self.width < 4 or self.width % 4 or self.blocks < 1 or self.critic_width < 4:
            raise InputError(
                "painter.width, blocks and critic_width", (self.width, self.blocks, self.critic_width),
                "a width of at least 4 and a multiple of 4, at least 1 block, a critic_width of at least 4",
            )  # fmt: skip

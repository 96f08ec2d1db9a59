"""The config of a training run: the values that a user may set, checked once."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from worldgen.core.errors import InputError, Received
from worldgen.models.native.losses.loss_options import AdversarialOptions, FlowOptions, PainterOptions, StudentOptions
from worldgen.training.backbones.tune_options import TuneOptions


@dataclass(frozen=True)
class DataConfig:
    """The clips of a run, and how windows and pictures are cut from them.

    urls: data sets with an index.
    repeat: how often each data set counts in one epoch (empty: once each).
    width_px, height_px: clips are scaled and cropped around their centre to this size.
    num_frames: frames of a training window (codec: pictures of one clip in an item).
    strides: a window keeps every s-th frame, with s drawn from these; ego motion and frame rate follow.
    flip: probability of mirroring left and right.
    flip_text: for a mirrored clip whose caption says left or right, swap the words, or skip the mirroring.
    layouts: give clips that worldgen rendered the layouts of their scenes (not in codec training).
    crop_width_px, crop_height_px: codec and painter training only: pictures are cropped to this size at a random place
        (0: whole).
    exposure: codec training only: contrast is drawn from 1 +- exposure, brightness from +- exposure / 3 of the range.
    cache: folder for encoded latents ("" for OUTPUT/latents).
    max_clips: use only so many clips of a split (0: all).
    max_frames: encode only a span of so many frames of a longer clip, at a place that its key decides (0: all): more
        scenes for the same work (not in codec training).
    """

    urls: tuple[str, ...] = ()
    repeat: tuple[int, ...] = ()
    width_px: int = 224
    height_px: int = 128
    num_frames: int = 8
    strides: tuple[int, ...] = (1,)
    flip: float = 0.0
    flip_text: Literal["swap", "skip"] = "swap"
    layouts: bool = True
    crop_width_px: int = 0
    crop_height_px: int = 0
    exposure: float = 0.0
    cache: str = ""
    max_clips: int = 0
    max_frames: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.crop_width_px <= self.width_px and 0 <= self.crop_height_px <= self.height_px):
            received = (self.crop_width_px, self.crop_height_px)
            raise InputError("data.crop_width_px and data.crop_height_px", received, "0, or at most the picture's size")
        if not 0.0 <= self.exposure < 1.0:
            raise InputError("data.exposure", self.exposure, "0 to below 1")
        if self.repeat and (len(self.repeat) != len(self.urls) or min(self.repeat) < 1):
            raise InputError("data.repeat", self.repeat, f"{len(self.urls)} whole numbers of at least 1, one per url")
        if min(self.width_px, self.height_px) < 8:
            raise InputError("data.width_px and data.height_px", (self.width_px, self.height_px), "at least 8 pixels")
        if self.num_frames < 1:
            raise InputError("data.num_frames", self.num_frames, "at least 1")
        if not self.strides or min(self.strides) < 1:
            raise InputError("data.strides", self.strides, "whole numbers of at least 1")
        if not 0.0 <= self.flip <= 1.0:
            raise InputError("data.flip", self.flip, "a probability from 0 to 1")
        if self.max_clips < 0:
            raise InputError("data.max_clips", self.max_clips, "0 (all) or more")
        if self.max_frames and self.max_frames < (self.num_frames - 1) * min(self.strides) + 1:
            raise InputError("data.max_frames", self.max_frames, "0 (all), or enough for one window of data.num_frames")


@dataclass(frozen=True)
class InitConfig:
    """The weights that a run starts from. Every tensor is checked; pickled weights are refused.

    pipeline: folder of a saved pipeline to continue from ("" to start from fresh weights, "shipped" for the model that
        comes with worldgen).
    codec: folder of a codec, or of a pipeline to take the codec from (a fresh world model needs a trained one).
    painter: folder of a painter, or of a pipeline to take the painter from (task=painter).
    """

    pipeline: str = ""
    codec: str = ""
    painter: str = ""


@dataclass(frozen=True)
class OptimConfig:
    """AdamW (Loshchilov and Hutter 2019), the schedule of its learning rate, and the averaged weights.

    lr, warmup, final_lr: the rate rises linearly over ``warmup`` steps to ``lr``, then falls along half a cosine to
        ``lr * final_lr``.
    betas, eps, weight_decay: of AdamW. Vectors and scalars (biases, norms, embeddings of dimension 1) do not decay.
    grad_clip: largest norm of the gradient (0: no limit).
    ema_decay: of the averaged weights, which are the ones that are saved (0: no averaging).
    """

    lr: float = 3e-4
    betas: tuple[float, float] = (0.9, 0.99)
    eps: float = 1e-8
    weight_decay: float = 0.01
    warmup: int = 50
    final_lr: float = 0.02
    grad_clip: float = 1.0
    ema_decay: float = 0.999

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise InputError("optim.lr", self.lr, "a positive number")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise InputError("optim.betas", self.betas, "two numbers from 0 to below 1")
        if not 0 <= self.ema_decay < 1:
            raise InputError("optim.ema_decay", self.ema_decay, "0 to below 1")
        if not 0 <= self.final_lr <= 1:
            raise InputError("optim.final_lr", self.final_lr, "a fraction of lr, 0 to 1")
        if self.warmup < 0 or self.grad_clip < 0 or self.weight_decay < 0 or self.eps <= 0:
            raise InputError("optim", dataclasses.asdict(self), "warmup, grad_clip, weight_decay >= 0 and eps > 0")


@dataclass(frozen=True)
class AdapterConfig:
    """Low-rank adapters (Hu et al. 2021, arXiv:2106.09685), trained instead of all weights.

    kind: none, lora, or dora, which also learns the magnitude of each output (Liu et al. 2024, arXiv:2402.09353; only
        for task=backbone).
    rank, dropout: of the adapters.
    alpha: the update is scaled by alpha / rank.
    targets: ends of the names of layers inside the transformer, e.g. "to_q".
    """

    kind: Literal["none", "lora", "dora"] = "none"
    rank: int = 8
    alpha: float = 8.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out")

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0 or not 0 <= self.dropout < 1:
            raise InputError("adapter", dataclasses.asdict(self), "rank >= 1, alpha > 0, dropout from 0 to below 1")
        if self.kind != "none" and not self.targets:
            raise InputError("adapter.targets", self.targets, "at least one module name")


@dataclass(frozen=True)
class TrainConfig:
    """A training run. Running the same config again continues it.

    task: codec (the autoencoder), world (transformer and text encoder), student (a world model that learns to do in a
        few steps what the model of init.pipeline does in many), adversarial (the model of init.pipeline learns to
        generate frames in one step that a critic takes for recorded ones), painter (drawn pictures learn to look
        recorded), or backbone (adapters of the pretrained model of init.pipeline).
    output: folder of the run.
    size, seed: of fresh weights; the seed also decides the order of data and all noise.
    train_text_encoder: train the text encoder with the transformer.
    text_captions: pretrain a fresh text encoder on so many captions (``training.tasks.text_pretraining``; 0: no
        pretraining).
    device: auto takes a GPU where there is one. precision: bf16 computes in bfloat16 with float32 weights.
    compile: compile the networks with ``torch.compile``.
    batch, accumulate: clips (codec: items of pictures) per process and micro-step; ``accumulate`` micro-steps make one
        step.
    steps, max_minutes: the run ends after so many steps or minutes of wall clock (0: no limit), whichever comes first;
        the schedule of the learning rate follows the nearer end.
    workers: loader processes of each training process.
    save_every, keep: write a checkpoint every so many steps; keep the newest ones.
    log_every, validate_every, sheet_every: steps between metrics, validations and contact sheets (0: never, for the
        last two).
    validate_clips: held-out clips of a validation.
    patience: end the run once the held-out loss did not fall in so many validations, and keep the weights of the best
        one (0: train to the end and keep the last ones).
    tensorboard: write the metrics for TensorBoard too; needs the extra of that name.
    wandb: send the metrics to this project of Weights and Biases too; needs the package of that name ("": not).
    overfit_one, overfit_loss, overfit_fraction: train on one fixed batch with fixed noise. The run fails unless the
        loss falls to ``overfit_loss`` or, where that is 0, to ``overfit_fraction`` of its first value.
    """

    task: Literal["codec", "world", "student", "adversarial", "painter", "backbone"] = "world"
    output: str = "runs/train"
    size: str = "tiny"
    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    init: InitConfig = field(default_factory=InitConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    flow: FlowOptions = field(default_factory=FlowOptions)
    student: StudentOptions = field(default_factory=StudentOptions)
    adversarial: AdversarialOptions = field(default_factory=AdversarialOptions)
    painter: PainterOptions = field(default_factory=PainterOptions)
    tune: TuneOptions = field(default_factory=TuneOptions)
    train_text_encoder: bool = True
    text_captions: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    batch: int = 8
    accumulate: int = 1
    steps: int = 1000
    max_minutes: float = 0.0
    workers: int = 0
    log_every: int = 1
    save_every: int = 100
    keep: int = 2
    validate_every: int = 100
    validate_clips: int = 16
    patience: int = 0
    sheet_every: int = 0
    tensorboard: bool = False
    wandb: str = ""
    overfit_one: bool = False
    overfit_loss: float = 0.0
    overfit_fraction: float = 0.3

    def __post_init__(self) -> None:
        for name, least in (
            ("batch", 1), ("accumulate", 1), ("steps", 1), ("workers", 0), ("log_every", 1), ("save_every", 1),
            ("keep", 1), ("text_captions", 0), ("validate_every", 0), ("validate_clips", 1), ("sheet_every", 0),
            ("max_minutes", 0), ("patience", 0),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise InputError(name, getattr(self, name), f"at least {least}")
        if not self.output or "://" in self.output:
            raise InputError("output", self.output, "a local folder (checkpoints are renamed into place)")
        if not 0 < self.overfit_fraction < 1:
            raise InputError("overfit_fraction", self.overfit_fraction, "between 0 and 1")
        if self.adapter.kind != "none" and self.task in ("codec", "painter"):
            raise InputError("adapter.kind", self.adapter.kind, f"none when task={self.task}")
        if self.flow.rollout_history and not self.init.pipeline:
            raise InputError(
                "init.pipeline", self.init.pipeline, "the folder of a trained model when flow.rollout_history > 0"
            )
        if self.flow.rollout_history and (tuple(self.data.strides) != (1,) or self.data.flip):
            received = Received(f"strides {list(self.data.strides)}, flip {self.data.flip}")
            raise InputError("data.strides and data.flip", received, "[1] and 0 when flow.rollout_history > 0")
        self._check_options()
        if self.task == "student":
            self._check_student()
        if self.task == "adversarial":
            self._check_adversarial()
        if self.task == "backbone":
            self._check_backbone()
        if self.adapter.kind != "none" and not self.init.pipeline:
            raise InputError("adapter.kind", self.adapter.kind, "init.pipeline, the folder of the pipeline to adapt")

    def _check_options(self) -> None:
        if self.adapter.kind == "dora" and self.task != "backbone":
            raise InputError("adapter.kind", self.adapter.kind, f"lora when task={self.task}")
        if self.patience and not self.validate_every:
            raise InputError("patience", self.patience, "0 when validate_every=0: nothing is validated")
        if self.patience and self.task not in ("world", "backbone"):
            raise InputError("patience", self.patience, f"0 when task={self.task}: its validation has no single loss")

    def _check_backbone(self) -> None:
        if not self.init.pipeline:
            expected = "the folder of a pretrained model, or a hub repository, when task=backbone"
            raise InputError("init.pipeline", self.init.pipeline, expected)
        if self.adapter.kind == "none":
            raise InputError("adapter.kind", self.adapter.kind, "lora or dora when task=backbone")
        data, plain = self.data, DataConfig()
        for name in ("flip", "max_frames", "crop_width_px", "crop_height_px", "exposure"):
            if getattr(data, name) != getattr(plain, name):
                raise InputError(f"data.{name}", getattr(data, name), f"{getattr(plain, name)} when task=backbone")
        if len(data.strides) != 1:
            raise InputError("data.strides", data.strides, "one stride when task=backbone: clips of one rate")

    def _check_student(self) -> None:
        if not self.init.pipeline:
            raise InputError(
                "init.pipeline", self.init.pipeline, "the folder of the teacher, or shipped, when task=student"
            )
        if not self.student.differs:
            raise InputError(
                "student.teacher_steps",
                self.student.teacher_steps,
                f"more than student.steps ({self.student.steps}), or student.guidance: else there is nothing to learn",
            )

    def _check_adversarial(self) -> None:
        if not self.init.pipeline:
            raise InputError(
                "init.pipeline", self.init.pipeline, "the folder of a trained model, or shipped, when task=adversarial"
            )
        if self.adapter.kind != "none":
            raise InputError("adapter.kind", self.adapter.kind, "none when task=adversarial: weights are added")
        if self.flow.pure_noise <= 0:
            raise InputError(
                "flow.pure_noise",
                self.flow.pure_noise,
                "above 0 when task=adversarial: the critic judges frames at t = 1",
            )


MAY_CHANGE = (
    "output", "steps", "max_minutes", "workers", "log_every", "save_every", "keep", "validate_every", "validate_clips",
    "patience", "sheet_every", "tensorboard", "wandb", "overfit_loss", "overfit_fraction", "compile", "device",
)  # fmt: skip
"""Fields that may differ when a run is continued; another run with a difference in any other field is refused."""


def output_folder(config: TrainConfig) -> Path:
    """The folder of a run."""
    return Path(config.output).expanduser()

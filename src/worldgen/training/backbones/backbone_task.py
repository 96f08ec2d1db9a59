"""Fine-tuning of a pretrained model as a task of the trainer: preparation, validation, sheets, verdict, adapter."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from worldgen.core.clip import Clip
from worldgen.core.english import counted
from worldgen.core.progress import LogLine
from worldgen.core.seeds import stable_hash
from worldgen.data.view.sheet import contact_sheet
from worldgen.instruments.depth_reader import load_depth_reader
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.backbones.registry import load_backbone
from worldgen.models.backbones.tuned.ego_injector import EgoInjector
from worldgen.models.backbones.tuned.tuned_adapter import TunedRecord, attach_injector, check_ego_possible
from worldgen.rendering.controls.clip_controls import DepthModel
from worldgen.training.backbones.adapter_files import save_tuned
from worldgen.training.backbones.adapter_layers import attach_adapter_layers
from worldgen.training.backbones.ego_sensitivity import EgoSensitivity, ego_sensitivity
from worldgen.training.backbones.trainable import Given, Trainable, WindowPixels, trainable_of
from worldgen.training.backbones.tune_items import TuneItems
from worldgen.training.backbones.tune_memory import check_tune_memory
from worldgen.training.backbones.tune_module import VALIDATION_LEVELS, TuneModule
from worldgen.training.backbones.window_cache import WindowCache, cached_windows
from worldgen.training.backbones.window_controls import available_controls, framed_sample
from worldgen.training.backbones.window_plan import WindowPlan, planned_windows
from worldgen.training.launch import PreparationContext
from worldgen.training.tasks.trainable_pipeline import motion_lines
from worldgen.training.train_config import TrainConfig

SHEET_ROWS, SHEET_COLUMNS = 2, 6
CELL_PX = 208


@dataclass(frozen=True, eq=False)
class PreparedBackbone:
    """A loaded model with its encoded windows. kept: what lies on disk -> where."""

    trainable: Trainable
    plan: WindowPlan
    cache: WindowCache
    kept: dict[str, Path]


def prepare_backbone(config: TrainConfig, context: PreparationContext) -> PreparedBackbone:
    """Plan the windows, load the model, check memory, encode.

    Raises: InputError for clips or a model that cannot be used, and for too little memory.
    """
    plan = planned_windows(config, context.launch.log)
    tune, data = config.tune, config.data
    options = BackboneConfig(
        revision=tune.revision, dtype=tune.dtype, chunk_frames=data.num_frames, overlap_frames=1,
        device_memory_gb=tune.device_memory_gb,
    )  # fmt: skip
    backbone = load_backbone(config.init.pipeline, options, context.accelerator.device)
    backbone.promise.check_shape(data.num_frames, (data.width_px, data.height_px))
    trainable = trainable_of(backbone, shift=tune.shift)
    trainable.note_window(data.num_frames, (data.width_px, data.height_px), plan.fps, ego=tune.ego)
    if tune.ego and not trainable.ego_is_native:
        check_ego_possible(backbone.promise.family)
    context.launch.log(check_tune_memory(config, trainable))
    cache = cached_windows(config, plan, trainable, context)
    return PreparedBackbone(trainable, plan, cache, {"windows": cache.folder})


@dataclass(eq=False)
class BackboneTask:
    """See :class:`worldgen.training.loop.task.Task`."""

    config: TrainConfig
    prepared: PreparedBackbone
    items: TuneItems
    module: TuneModule
    product: str = "adapter"
    unused_parameters: bool = False
    lr_scales: Mapping[str, float] = field(default_factory=dict)
    findings: dict[str, object] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        return self.prepared.trainable.device

    @torch.no_grad()
    def fixed_output(self) -> torch.Tensor:
        """Velocity ``(1, C, F, h, w)`` at half noise for one window with everything that is told of it."""
        number = self._examples()[0]
        batch = self.items.collate([self.items.item(number, self.items.fixed_given(number))]).to(self.device)
        generator = torch.Generator(self.device).manual_seed(0)
        noise = torch.randn(batch.latents.shape, generator=generator, device=self.device)
        return self.module.predict(0.5 * batch.latents + 0.5 * noise, torch.full((1,), 0.5, device=self.device), batch)

    def adapter_outputs(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The fixed output, and that of the pretrained model."""
        with_adapter = self.fixed_output()
        with self.module.as_base():
            return with_adapter, self.fixed_output()

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Velocity error per noise level, ``t0.1`` to ``t0.9``, and their mean ``loss``, on held-out windows."""
        numbers = self.prepared.cache.held_out[: self.config.validate_clips]
        totals = dict.fromkeys(VALIDATION_LEVELS, 0.0)
        for number in numbers:
            batch = self.items.collate([self.items.item(number, self.items.fixed_given(number))]).to(self.device)
            generator = torch.Generator(self.device).manual_seed(stable_hash("validation", number))
            noise = torch.randn(batch.latents.shape, generator=generator, device=self.device)
            for level in VALIDATION_LEVELS:
                errors = self.module.errors(batch, torch.full((1,), level, device=self.device), noise)
                totals[level] += float(errors) / len(numbers)
        if not numbers:
            return {}
        return {"loss": sum(totals.values()) / len(totals), **{f"t{level:g}": value for level, value in totals.items()}}

    @torch.no_grad()
    def sheet(self) -> np.ndarray:
        """Recorded windows; below each the pretrained model's clip and the fine-tuned one's, under equal conditions."""
        clips, captions = [], []
        for number in self._examples()[:SHEET_ROWS]:
            record, given = self.prepared.cache.records[number], self.items.fixed_given(number)
            pixels = self._pixels(number)
            clips.append(Clip(pixels.frames, record.fps))
            captions.append(f"{record.key}: {record.caption or 'no caption'}")
            ego = record.ego if self.items.ego is not None else None
            told = ", ".join(
                [counted(given.known, "known frame")] * bool(given.known) + [given.control] * bool(given.control)
            )
            trainable, steps = self.prepared.trainable, self.config.tune.sheet_steps
            request = trainable.sheet_request(pixels, record.caption, given)
            if trainable.ego_is_native:
                request = dataclasses.replace(request, ego=ego)
            with self.module.as_base():
                clips.append(trainable.sheet_clip(request, steps))
            captions.append(f"pretrained, given {told or 'words'}")
            clips.append(trainable.sheet_clip(dataclasses.replace(request, ego=ego), steps, self.module.injector))
            captions.append(f"fine-tuned, given {told or 'words'}" + (", ego motion" if ego is not None else ""))
        return contact_sheet(
            clips, captions, frames_per_clip=SHEET_COLUMNS, columns=SHEET_COLUMNS, cell_width_px=CELL_PX
        )

    def judge(self, log: LogLine) -> str | None:
        """Why the adapter is rejected: ego motion was to be learnt and is not used; None where all is well."""
        if self.items.ego is None:
            return None
        found = self._sensitivity()
        if found is None:
            log("ego motion: fewer than two held-out windows have it; whether it is used is not known")
            return None
        self.findings["ego_sensitivity"] = found.to_json()
        log(found.line)
        if found.is_used or not self.config.tune.require_ego:
            return None
        return (
            "ego motion is not used: the held-out loss with true motion is not below that with shuffled motion beyond "
            "the interval; train for more steps or on more clips, or keep the adapter with tune.require_ego=false"
        )

    def save(self, folder: Path) -> None:
        """Write the adapter, its injector and its record."""
        config, backbone = self.config, self.prepared.trainable.backbone
        cameras = Counter(r.camera for r in self.prepared.cache.records if r.camera is not None)
        injector = self.module.injector
        record = TunedRecord(
            family=backbone.promise.family, base=config.init.pipeline, base_weights=backbone.weights_hash,
            revision=config.tune.revision, ego=None if injector is None else injector.sizes, fps=self.prepared.plan.fps,
            num_frames=config.data.num_frames, size_px=(config.data.width_px, config.data.height_px),
            camera=cameras.most_common(1)[0][0] if cameras else None, controls=config.tune.controls,
            notes={"part": config.tune.part, "rank": config.adapter.rank, "alpha": config.adapter.alpha},
        )  # fmt: skip
        save_tuned(folder, self.prepared.trainable, injector, record)

    def _examples(self) -> list[int]:
        """Held-out windows, or training windows where none is held out."""
        return self.prepared.cache.held_out or sorted(set(self.prepared.cache.training))

    def _sensitivity(self) -> EgoSensitivity | None:
        numbers = self._examples()[: self.config.tune.sensitivity_windows]
        return ego_sensitivity(self.module, self.items, numbers, self.device)

    def _pixels(self, number: int) -> WindowPixels:
        """The frames and the control of a window, decoded again."""
        plan, data = self.prepared.plan, self.config.data
        window = list(dict.fromkeys([*plan.training, *plan.held_out]))[number]
        raw = plan.clips.raw(window.place)
        size, given = (data.width_px, data.height_px), self.items.fixed_given(number)
        part = slice(window.start, window.start + (data.num_frames - 1) * data.strides[0] + 1, data.strides[0])
        controls: dict[str, np.ndarray] = {}
        if given.control:
            stored = plan.clips.sets[window.place.set_index].controls(window.place.row_index)
            controls, _ = available_controls(raw, [given.control], size, stored=stored, depth=self._depth(given))
        frames = framed_sample(raw, size).clip.frames[part]
        return WindowPixels(frames, self.prepared.plan.fps, {name: video[part] for name, video in controls.items()})

    def _depth(self, given: Given) -> DepthModel | None:
        folder = self.config.tune.depth_model
        return load_depth_reader(folder, self.device) if folder and given.control.startswith("depth") else None


def build_backbone_task(config: TrainConfig, prepared: PreparedBackbone, context: PreparationContext) -> BackboneTask:
    """The task of ``task=backbone``: adapters and injector attached, everything else frozen."""
    trainable, log, tune = prepared.trainable, context.launch.log, config.tune
    names = attach_adapter_layers(trainable, config)
    log(f"adapters of rank {config.adapter.rank} on {len(names)} layers: {names[0]} ... {names[-1]}")
    injector = None
    if tune.ego:
        for line in motion_lines([prepared.cache.records[n] for n in prepared.cache.training]):
            log(line)
        if not trainable.ego_is_native:
            injector = _fresh_injector(trainable, config.seed)
    if tune.gradient_checkpointing:
        trainable.network.enable_gradient_checkpointing()
    module = TuneModule(trainable, injector)
    items = TuneItems(prepared.cache, tune, trainable.ego_reader() if tune.ego else None)
    return BackboneTask(config, prepared, items, module, lr_scales={"injector.": tune.ego_lr_scale})


def _fresh_injector(trainable: Trainable, seed: int) -> EgoInjector:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stable_hash("ego injector", seed))
        injector = EgoInjector(trainable.injector_sizes)
    attach_injector(injector.to(trainable.device), trainable.network, trainable.backbone.promise.family)
    return injector

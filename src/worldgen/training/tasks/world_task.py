"""Training the world model: windows of encoded clips with everything known about them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save
from torch import nn

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.core.samples import CONDITIONS, Conditions
from worldgen.core.seeds import stable_hash, stable_key
from worldgen.data.view.sheet import contact_sheet
from worldgen.files.atomic import write_bytes, write_json
from worldgen.models.native.adapters import adapters_off, attach_lora, save_adapter
from worldgen.models.native.codec import decode_video
from worldgen.models.native.conditions import ClipConditions, batch_conditions
from worldgen.models.native.history.erasure import with_objects_erased
from worldgen.models.native.history.generated_history import with_generated_history
from worldgen.models.native.loading import load_pipeline
from worldgen.models.native.losses.flow import Examples, FlowOptions, validation_losses, world_loss
from worldgen.models.native.pipeline import WorldPipeline
from worldgen.models.native.pixels import clips_from_video
from worldgen.models.native.rollout.rollout import SamplerOptions
from worldgen.models.native.text import text_states
from worldgen.training.data.clips import Clips
from worldgen.training.data.latents import LatentCache, Launcher, cached_latents
from worldgen.training.data.rollout_history import RolloutHistory, rollout_histories
from worldgen.training.data.windows import TrainingWindow, cut_window, mirror_text, usable_strides, window_at
from worldgen.training.loop.data_order import Draw
from worldgen.training.loop.record import Launch
from worldgen.training.tasks.initial import new_pipeline
from worldgen.training.tasks.text_pretraining import teach_words
from worldgen.training.train_config import TrainConfig, output_folder

SHEET_ROWS, SHEET_COLUMNS = 4, 6
MIN_CELL_PX, MAX_CELL_PX = 160, 240
SPREAD_CLIPS = 64
LEAST_VARIANCE = 1e-4


@dataclass(frozen=True, eq=False)
class WorldBatch:
    """What a step learns from, and the keys of the clips."""

    keys: tuple[str, ...]
    examples: Examples

    def to(self, device: torch.device) -> WorldBatch:
        return dataclasses.replace(self, examples=self.examples.to(device))


@dataclass(frozen=True, eq=False)
class WindowItem:
    """A window with its latents ``(F, C, h, w)``, histories ``(F, C + 1, h, w)`` and layout ``(F, K, hl, wl)`` or None."""

    window: TrainingWindow
    latents: np.ndarray
    reprojected: np.ndarray
    layout: np.ndarray | None

    @property
    def conditions(self) -> ClipConditions:
        w = self.window
        return ClipConditions(w.num_frames, w.fps, w.caption or None, w.ego, w.camera, self.layout)


class WindowItems:
    """Windows of the cached training clips; ``chosen`` are their numbers in the cache, once per turn in an epoch. ``rollout_history`` and
    ``rollout_history_share``: pasts of rollouts, and how many windows take theirs from there."""

    rollout_history: RolloutHistory | None = None
    rollout_history_share: float = 0.0

    def __init__(self, cache: LatentCache, chosen: list[int], config: TrainConfig, tokenizer) -> None:
        self.cache, self.chosen, self.config, self.tokenizer = cache, chosen, config.data, tokenizer
        self.data_hash = stable_key("windows", cache.folder.name, chosen)

    def __len__(self) -> int:
        return len(self.chosen)

    def load(self, draw: Draw) -> WindowItem:
        number, rng = self.chosen[draw.index], draw.rng()
        item = self.take(number, cut_window(self.cache.records[number], self.config, rng))
        if self.rollout_history is None or rng.random() >= self.rollout_history_share:
            return item
        return dataclasses.replace(item, reprojected=self.rollout_history.reprojected(number, item.window.frames))

    def roll(self, rollout_history: RolloutHistory, name: str, share: float) -> None:
        """From now on take a share of the pasts from rollouts; ``name`` is what those were made from."""
        self.rollout_history, self.rollout_history_share = rollout_history, share
        self.data_hash = stable_key("windows", self.data_hash, name, share)

    def take(self, number: int, window: TrainingWindow) -> WindowItem:
        """A window of clip ``number`` of the cache."""
        latents, reprojected, layout = (
            read(number, window.frames, mirrored=window.mirrored)
            for read in (self.cache.latents, self.cache.reprojected, self.cache.layout)
        )
        return WindowItem(window, latents, reprojected, layout)

    def collate(self, items: list[WindowItem]) -> WorldBatch:
        stack = lambda arrays: torch.from_numpy(np.stack(arrays)).transpose(1, 2).contiguous()  # noqa: E731
        conditions = batch_conditions([item.conditions for item in items], self.tokenizer)
        examples = Examples(stack([i.latents for i in items]), stack([i.reprojected for i in items]), conditions)
        return WorldBatch(tuple(item.window.key for item in items), examples)


class WorldModule(nn.Module):
    """Transformer and text encoder, called with a batch for the flow-matching loss."""

    def __init__(self, pipeline: WorldPipeline, options: FlowOptions) -> None:
        super().__init__()
        self.transformer, self.text_encoder, self.options = pipeline.transformer, pipeline.text_encoder, options
        self._codec = (pipeline.codec,)  # in a tuple: it is used here, and not a part that is trained or saved

    def forward(self, batch: WorldBatch, generators: list[torch.Generator]):
        # The noise is drawn once for a micro-batch, so its first generator draws everything.
        generator = generators[0]
        examples = self.with_model_histories(batch.examples, generator)
        return world_loss(self.transformer, self.text_encoder, examples, generator, options=self.options)

    def with_model_histories(self, examples: Examples, generator: torch.Generator) -> Examples:
        """``examples`` with the pasts that the network meets in rollouts."""
        options, networks = self.options, (self.transformer, self.text_encoder, *self._codec)
        examples = with_generated_history(networks, examples, generator, share=options.generated_history, from_noise=options.from_noise)
        return with_objects_erased(examples, generator, share=options.erased)


class WorldTask:
    """See :class:`worldgen.training.loop.task.Task`."""

    sampler = SamplerOptions()
    """How sheets are sampled."""

    def __init__(self, config: TrainConfig, accelerator: Accelerator, launch: Launch) -> None:
        self.config, self.device, self.launch = config, accelerator.device, launch
        self.product = "model" if config.adapter.kind == "none" else "adapter"
        clips = Clips(config.data)
        least = (config.data.num_frames - 1) * min(config.data.strides) + 1
        training = clips.training(least_frames=least)
        held_out = clips.places("val", least_frames=least)
        _tell_short(clips, least, launch)
        captions = [clips.row(place)["caption"] for place in training]
        self.pipeline = self._pipeline(captions)
        self.pipeline.to(self.device)
        base = Path(config.data.cache).expanduser() if config.data.cache else output_folder(config) / "latents"
        launcher = Launcher(accelerator, config.workers, launch.report, launch.stop)
        cache = cached_latents(base, clips, training + held_out, codec=self.pipeline.codec.eval(), launcher=launcher)
        self.partial, self.lr_scales = not all(cache.has_layout), {}
        number = {place: i for i, place in enumerate(training)}
        chosen = [number[place] for place in clips.repeated(training)]
        self.items = WindowItems(cache, chosen, config, self.pipeline.tokenizer)
        self.held_out = _spread(range(len(training), len(cache)), config.validate_clips)
        if not self.held_out:
            launch.report("no clips of split val are long enough: nothing is measured on held-out clips")
        if config.flow.rollout_history:
            rollout_history = rollout_histories(
                output_folder(config) / "rolled", cache, self.items.chosen, self.pipeline, from_noise=config.flow.from_noise,
                batch=config.batch, launcher=launcher,
            )  # fmt: skip
            self.items.roll(*rollout_history, config.flow.rollout_history)
        if not config.init.pipeline:
            self.pipeline.transformer.fit(*_spread_of(cache, chosen), self.pipeline.codec)
        if config.adapter.kind == "none":
            self._declare(cache, chosen)
        self._choose_trained()
        self.module = WorldModule(self.pipeline, config.flow)
        if config.compile:
            self.pipeline.transformer.compile()

    def _pipeline(self, captions: list[str]) -> WorldPipeline:
        config = self.config
        if config.init.pipeline:
            if config.init.codec:
                raise InputError(
                    "init.codec", config.init.codec, "nothing: init.pipeline brings the codec it was trained with"
                )
            return load_pipeline(config.init.pipeline)
        words = captions + [mirror_text(caption) for caption in captions]
        pipeline = new_pipeline(config.size, config.seed, words=words, codec=config.init.codec)
        if config.text_captions:
            self._teach(pipeline)
        return pipeline

    def _teach(self, pipeline: WorldPipeline) -> None:
        """Give the text encoder its words; they are kept with the run, for when it goes on."""
        path = output_folder(self.config) / "words.safetensors"
        if path.is_file():
            pipeline.text_encoder.load_state_dict(load_file(path))
            return
        self.launch.report(f"the text encoder reads {self.config.text_captions:,} captions first")
        right = teach_words(
            pipeline.text_encoder, pipeline.tokenizer, captions=self.config.text_captions, seed=self.config.seed,
            report=self.launch.report,
        )  # fmt: skip
        write_json(path.with_suffix(".json"), {"captions": self.config.text_captions, "read_right": right})
        write_bytes(path, save({name: tensor.contiguous() for name, tensor in pipeline.text_encoder.state_dict().items()}))

    def _declare(self, cache: LatentCache, chosen: list[int]) -> None:
        """Write into the model what it is trained on: size, rate, and the conditions it learns to honour (or did before)."""
        records = [cache.records[number] for number in chosen]
        present = {
            "context": self.config.data.num_frames > 1, "text": any(r.caption for r in records),
            "ego": any(r.ego is not None for r in records), "layout": any(cache.has_layout[n] for n in chosen),
        }  # fmt: skip
        before = self.pipeline.accepts if self.config.init.pipeline else ()
        rates = Counter(r.fps / s for r in records for s in usable_strides(r.num_frames, self.config.data))
        self.pipeline.transformer.register_to_config(
            accepts=tuple(name for name in CONDITIONS if present[name] or name in before),
            width_px=self.config.data.width_px, height_px=self.config.data.height_px, fps=rates.most_common(1)[0][0],
            # Frames further back than these were never attended to.
            context_window=self.config.data.num_frames,
        )  # fmt: skip
        self.launch.report("conditions honoured: " + ", ".join(self.pipeline.transformer.config.accepts))

    def _choose_trained(self) -> None:
        pipeline, adapter = self.pipeline, self.config.adapter
        pipeline.codec.requires_grad_(False)
        pipeline.text_encoder.requires_grad_(self.config.train_text_encoder and adapter.kind == "none")
        if adapter.kind == "lora":
            # Fresh low-rank matrices are random; the seed alone decides them.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(stable_hash("lora", self.config.seed))
                names = attach_lora(
                    pipeline.transformer,
                    adapter.targets,
                    rank=adapter.rank,
                    alpha=adapter.alpha,
                    dropout=adapter.dropout,
                )
            self.launch.report(f"adapters of rank {adapter.rank} on {len(names)} layers: {names[0]} ... {names[-1]}")
        else:
            pipeline.transformer.requires_grad_(True)

    # -- looking at it -------------------------------------------------------------------------------------------

    def _fixed_batch(self, numbers: list[int]) -> WorldBatch:
        """The middle window of each clip, as it is."""
        items = []
        for number in numbers:
            record = self.items.cache.records[number]
            stride = usable_strides(record.num_frames, self.config.data)[0]
            start = (record.num_frames - (self.config.data.num_frames - 1) * stride - 1) // 2
            items.append(self.items.take(number, window_at(record, self.config.data, start=start, stride=stride)))
        return self.items.collate(items).to(self.device)

    def _shown(self) -> list[int]:
        return self.held_out or sorted(set(self.items.chosen))

    @torch.no_grad()
    def probe(self) -> torch.Tensor:
        """Velocity at half noise for one clip, all frames noisy, each with its past."""
        examples = self._fixed_batch(self._shown()[:1]).examples
        latents, conditions = examples.latents, examples.conditions
        generator = torch.Generator(self.device).manual_seed(0)
        noise = torch.randn(latents.shape, generator=generator, device=self.device)
        t = torch.full((1, latents.shape[2]), 0.5, device=self.device)
        text = text_states(self.pipeline.text_encoder, conditions)
        return self.pipeline.transformer(0.5 * latents + 0.5 * noise, t, examples.reprojected, conditions, text).float()

    def adapter_probe(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        if self.config.adapter.kind == "none":
            return None
        on = self.probe()
        with adapters_off(self.pipeline.transformer):
            return on, self.probe()

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Velocity error per noise level, ``t0.1`` ... ``t0.9``, and their mean ``loss``."""
        if not self.held_out:
            return {}
        totals: Counter[float] = Counter()
        for first in range(0, len(self.held_out), self.config.batch):
            numbers = self.held_out[first : first + self.config.batch]
            batch = self._fixed_batch(numbers)
            generator = torch.Generator(self.device).manual_seed(stable_hash("validation", first))
            losses = validation_losses(self.pipeline.transformer, self.pipeline.text_encoder, batch.examples, generator)
            for level, loss in losses.items():
                totals[level] += loss * len(numbers) / len(self.held_out)
        return {"loss": sum(totals.values()) / len(totals), **{f"t{level:g}": loss for level, loss in totals.items()}}

    @torch.no_grad()
    def sheet(self) -> np.ndarray:
        """Clips as they are and, below each, the model's continuation of their first frame under the same conditions."""
        clips, captions = [], []
        for number in self._shown()[:SHEET_ROWS]:
            item = self.items.take(number, window_at(self.items.cache.records[number], self.config.data, start=0))
            window = item.window
            latents = self.items.collate([item]).examples.latents.to(self.device)
            real = clips_from_video(decode_video(self.pipeline.codec, latents), window.fps)[0]
            request = self._request(item, real)
            clips += [real, self.pipeline([request], self.sampler)[0]]
            given = ", ".join(request.given) or "nothing"
            captions += [f"{window.key}: {window.caption or 'no caption'}", f"the model's, given {given}"]
        width_px = min(MAX_CELL_PX, max(MIN_CELL_PX, clips[0].width_px))
        return contact_sheet(
            clips, captions, frames_per_clip=SHEET_COLUMNS, columns=SHEET_COLUMNS, cell_width_px=width_px
        )

    def _request(self, item: WindowItem, real: Clip) -> Conditions:
        """What the model is asked for to repeat a window: of all that is known, what it accepts."""
        window, accepts = item.window, self.pipeline.accepts
        return Conditions(
            num_frames=window.num_frames, fps=window.fps, camera=window.camera,
            text=(window.caption or None) if "text" in accepts else None,
            context=real[:1] if "context" in accepts and window.num_frames > 1 else None,
            ego=window.ego if "ego" in accepts else None, layout=item.layout if "layout" in accepts else None,
        )  # fmt: skip

    def save(self, folder: Path) -> None:
        """The pipeline, or the adapter where one was trained."""
        if self.config.adapter.kind == "none":
            self.pipeline.save_pretrained(folder)
            return
        notes = {
            "base": self.config.init.pipeline,
            "rank": self.config.adapter.rank,
            "alpha": self.config.adapter.alpha,
        }
        save_adapter(self.pipeline.transformer, folder, notes=notes)


def _spread_of(cache: LatentCache, chosen: list[int]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Standard deviation of each latent channel from its past where that was seen, and on its own."""
    change, seen, data, count = 0.0, 0.0, 0.0, 0
    for number in _spread(sorted(set(chosen)), SPREAD_CLIPS):
        frames = slice(0, cache.records[number].num_frames)
        latents, reprojected = (read(number, frames).astype(np.float64) for read in (cache.latents, cache.reprojected))
        where = reprojected[:, -1:] > 0.99
        change = change + (np.square(latents - reprojected[:, :-1]) * where).sum((0, 2, 3))
        data, seen, count = data + np.square(latents).sum((0, 2, 3)), seen + where.sum(), count + latents[:, 0].size
    # Nothing seen at all (clips of one frame): as much as the data itself.
    change = np.maximum(change / seen if seen else data / count, LEAST_VARIANCE)
    return tuple(np.sqrt(change).tolist()), tuple(np.sqrt(np.maximum(data / count, LEAST_VARIANCE)).tolist())


def _spread(numbers: Sequence[int], count: int) -> list[int]:
    """At most ``count`` of the numbers, evenly spread."""
    if len(numbers) <= count:
        return list(numbers)
    return [numbers[i * len(numbers) // count] for i in range(count)]


def _tell_short(clips: Clips, least: int, launch: Launch) -> None:
    for split in ("train", "val"):
        short = len(clips.places(split)) - len(clips.places(split, least_frames=least))
        if short and not clips.config.max_clips:
            launch.report(f"{short} clips of split {split} have fewer than {least} frames and are left out")


def build_world_task(config: TrainConfig, accelerator: Accelerator, launch: Launch) -> WorldTask:
    """The task of ``task=world``."""
    return WorldTask(config, accelerator, launch)

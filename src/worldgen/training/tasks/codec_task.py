"""Training of the codec on single pictures: its transform is fitted in closed form, then its decoder is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import nn

from worldgen.core.progress import LogLine
from worldgen.core.seeds import numpy_rng, stable_key
from worldgen.files.storage import write_bytes
from worldgen.models.native.codec import PatchCodec, codec_loss, decode_images, encode_images, patches_of
from worldgen.models.native.loading import load_codec, load_pipeline
from worldgen.models.native.pipeline import WorldPipeline
from worldgen.training.data.clips import ClipPlace, Clips, evenly_spaced
from worldgen.training.data.images import ImageBatch, ImageItems
from worldgen.training.launch import RESTARTS, Launch, PreparationContext
from worldgen.training.tasks.initial import new_codec
from worldgen.training.train_config import TrainConfig, output_folder

SHEET_COLUMNS = 6
FIT_CLIPS = 512
"""Clips whose pictures a fresh codec's transform is fitted to."""


@dataclass(frozen=True)
class SelectedImages:
    """Pictures to train on, and the held-out clips on which validation measures."""

    items: ImageItems
    held_out: list[ClipPlace]


@dataclass(frozen=True, eq=False)
class PatchStatistics:
    """Of patches of the training pictures: mean ``(192,)`` and covariance ``(192, 192)``, float64."""

    mean: torch.Tensor
    covariance: torch.Tensor


@dataclass(frozen=True, eq=False)
class PreparedCodec:
    """Everything a codec task starts from. pipeline: the one that the codec came with, if any. kept: what lies on disk
    -> where."""

    codec: PatchCodec
    pipeline: WorldPipeline | None
    selected: SelectedImages
    kept: dict[str, Path]


def prepare_codec(config: TrainConfig, context: PreparationContext) -> PreparedCodec:
    """Select the pictures, load the codec or fit a fresh one."""
    selected = select_images(config, context.launch.log)
    if config.init.pipeline:
        pipeline = load_pipeline(config.init.pipeline)
        return PreparedCodec(pipeline.codec, pipeline, selected, {})
    if config.init.codec:
        return PreparedCodec(load_codec(config.init.codec), None, selected, {})
    codec = new_codec(config.size, config.seed)
    path = kept_statistics(config, selected.items)
    # All processes measure, so that none waits for another's minutes; only one writes.
    statistics = patch_statistics(path, selected.items, context.launch, write=context.accelerator.is_main_process)
    codec.fit(statistics.mean, statistics.covariance)
    return PreparedCodec(codec, None, selected, {"patch_statistics": path})


def select_images(config: TrainConfig, log: LogLine) -> SelectedImages:
    """The pictures of a run.

    Raises:
        InputError: when there is no training clip.
    """
    clips = Clips(config.data)
    selected = SelectedImages(ImageItems(clips), evenly_spaced(clips.places("val"), config.validate_clips))
    if not selected.held_out:
        log("no clips of split val: nothing is measured on held-out clips")
    return selected


def kept_statistics(config: TrainConfig, items: ImageItems) -> Path:
    """File in the folder of a run for the statistics of its patches, named by the pictures."""
    data = config.data
    key = stable_key("patches", items.data_hash, data.width_px, data.height_px, data.num_frames, data.flip, FIT_CLIPS)
    return output_folder(config) / f"patches_{key}.safetensors"


def patch_statistics(path: Path, items: ImageItems, launch: Launch, *, write: bool) -> PatchStatistics:
    """Statistics of the patches of at most ``FIT_CLIPS`` training clips: those in ``path``, or measured now.

    Raises:
        KeyboardInterrupt: when the launch asks to stop.
    """
    if path.is_file():
        return PatchStatistics(**load_file(path))
    places = evenly_spaced(items.places, FIT_CLIPS)
    total, outer, count = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64), 0
    numbered = launch.parts(
        enumerate(places), total=len(places), desc="measure patches of clips", when_stopped=RESTARTS
    )
    for i, place in numbered:
        _, frames = items.pictures(place, numpy_rng("fit", i))
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).double() / 127.5 - 1.0
        rows = patches_of(pixels)
        total, outer, count = total + rows.sum(0), outer + rows.T @ rows, count + len(rows)
    mean = total / count
    statistics = PatchStatistics(mean, outer / count - torch.outer(mean, mean))
    if write:
        write_bytes(path, save({"mean": statistics.mean, "covariance": statistics.covariance.contiguous()}))
    launch.log(f"transform fitted to {count:,} patches of {len(places)} clips")
    return statistics


class CodecModule(nn.Module):
    """The codec, called with a batch for its loss."""

    codec: PatchCodec

    def __init__(self, codec: PatchCodec) -> None:
        super().__init__()
        self.codec = codec

    def forward(
        self, batch: ImageBatch, generators: list[torch.Generator]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return codec_loss(self.codec, batch.images, generators[0])


@dataclass(eq=False)
class CodecTask:
    """See :class:`worldgen.training.loop.task.Task`."""

    device: torch.device
    items: ImageItems
    held_out: list[ClipPlace]
    module: CodecModule
    pipeline: WorldPipeline | None
    product: str = "model"
    unused_parameters: bool = False
    lr_scales: Mapping[str, float] = field(default_factory=dict)

    @torch.no_grad()
    def fixed_output(self) -> torch.Tensor:
        """Decoded pictures ``(N, 3, H, W)`` of one clip."""
        return self._decoded(self._example_pictures()[0])

    def adapter_outputs(self) -> None:
        return None

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean squared error of pictures in [-1, 1], and the peak signal-to-noise ratio it amounts to."""
        if not self.held_out:
            return {}
        errors = []
        for images in self._example_pictures():
            errors.append((self._decoded(images).clamp(-1, 1) - images).flatten(1).pow(2).mean(1))
        mse = torch.cat(errors).double()  # one value per picture, of a range of 2
        psnr_db = 10 * torch.log10(4 / mse.clamp_min(1e-12))
        return {"mse": float(mse.mean()), "psnr_db": float(psnr_db.mean())}

    @torch.no_grad()
    def sheet(self) -> np.ndarray:
        """Pictures, held-out where there are some, above their decoded versions."""
        images = torch.cat([batch[:1] for batch in self._example_pictures()[:SHEET_COLUMNS]])
        rows = [
            ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
            for x in (images, self._decoded(images))
        ]
        return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)

    def save(self, folder: Path) -> None:
        """Write the codec alone, or the whole pipeline where the run started from one."""
        if self.pipeline is not None:
            self.pipeline.save_pretrained(folder)
        else:
            self.module.codec.save_pretrained(folder)

    def _decoded(self, images: torch.Tensor) -> torch.Tensor:
        return decode_images(self.module.codec, encode_images(self.module.codec, images)).float()

    def _example_pictures(self) -> list[torch.Tensor]:
        """Pictures ``(N, 3, H, W)`` of each held-out clip, or of the first training clips where none is held out."""
        places = self.held_out or self.items.places[:SHEET_COLUMNS]
        loaded = [self.items.pictures(place, numpy_rng("held out", i)) for i, place in enumerate(places)]
        return [self.items.collate([item]).images.to(self.device) for item in loaded]


def build_codec_task(config: TrainConfig, prepared: PreparedCodec, context: PreparationContext) -> CodecTask:
    """The task of ``task=codec``: the decoder is trained."""
    device, codec = context.accelerator.device, prepared.codec
    codec.decoder.requires_grad_(True)
    codec.encoder.requires_grad_(
        False
    )  # latents keep the meaning that the transform gives them; world models rely on it
    module = CodecModule(codec.to(device))
    if config.compile:
        codec.encoder.compile()
        codec.decoder.compile()
    return CodecTask(device, prepared.selected.items, prepared.selected.held_out, module, prepared.pipeline)

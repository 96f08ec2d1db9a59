"""Training the codec: single pictures drawn from clips."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from worldgen.core.seeds import numpy_rng
from worldgen.models.native.codec import codec_loss, decode_images, encode_images, patches_of
from worldgen.models.native.loading import load_codec, load_pipeline
from worldgen.training.data.clips import ClipPlace, Clips
from worldgen.training.loop.data_order import Draw
from worldgen.training.loop.record import Launch
from worldgen.training.tasks.initial import new_codec
from worldgen.training.train_config import DataConfig, TrainConfig

SHEET_COLUMNS = 6
FIT_CLIPS = 512


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """images: ``(N, 3, H, W)`` float32 in [-1, 1]; keys of the clips they come from."""

    keys: tuple[str, ...]
    images: torch.Tensor

    def to(self, device: torch.device) -> ImageBatch:
        return dataclasses.replace(self, images=self.images.to(device))


class ImageItems:
    """Pictures of the training clips: an item is ``data.num_frames`` pictures of one clip, mirrored or not."""

    def __init__(self, clips: Clips) -> None:
        self.clips = clips
        training = clips.training()
        self.places = clips.repeated(training)
        self.data_hash = clips.name(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def load(self, draw: Draw) -> tuple[str, np.ndarray]:
        rng = draw.rng()
        key, frames = self.pictures(self.places[draw.index], rng)
        return key, varied(frames, self.clips.config, rng)

    def pictures(self, place: ClipPlace, rng: np.random.Generator) -> tuple[str, np.ndarray]:
        """``(data.num_frames, H, W, 3)`` uint8 pictures of one clip, at different times as far as it has them."""
        config = self.clips.config
        sample = self.clips.load(place)
        count = len(sample.clip)
        chosen = rng.permutation(max(count, config.num_frames))[: config.num_frames] % count
        frames = sample.clip.frames[np.sort(chosen)]
        return sample.key, frames[:, :, ::-1] if rng.random() < config.flip else frames

    def collate(self, items: list[tuple[str, np.ndarray]]) -> ImageBatch:
        keys, frames = zip(*items, strict=True)
        pixels = torch.from_numpy(np.ascontiguousarray(np.concatenate(frames)))
        return ImageBatch(keys, pixels.permute(0, 3, 1, 2).float() / 127.5 - 1.0)


def varied(frames: np.ndarray, config: DataConfig, rng: np.random.Generator) -> np.ndarray:
    """Pictures ``(N, H, W, 3)`` uint8 cut at a random place and exposed at random, so few drives teach more."""
    height, width = config.crop_height_px or frames.shape[1], config.crop_width_px or frames.shape[2]
    y0, x0 = rng.integers(frames.shape[1] - height + 1), rng.integers(frames.shape[2] - width + 1)
    frames = frames[:, y0 : y0 + height, x0 : x0 + width]
    if not config.exposure:
        return frames
    contrast = 1 + config.exposure * rng.uniform(-1, 1)
    brightness = 255 / 3 * config.exposure * rng.uniform(-1, 1)
    exposed = (frames.astype(np.float32) - 127.5) * contrast + 127.5 + brightness
    return np.clip(exposed.round(), 0, 255).astype(np.uint8)


class CodecModule(nn.Module):
    """The codec, called with a batch for its loss."""

    def __init__(self, codec: nn.Module) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, batch: ImageBatch, generators: list[torch.Generator]):
        return codec_loss(self.codec, batch.images, generators[0])


class CodecTask:
    """See :class:`worldgen.training.loop.task.Task`."""

    product = "model"
    partial = False
    lr_scales: Mapping[str, float] = MappingProxyType({})

    def __init__(self, config: TrainConfig, device: torch.device, launch: Launch) -> None:
        self.config, self.device = config, device
        clips = Clips(config.data)
        self.items = ImageItems(clips)
        self.pipeline = load_pipeline(config.init.pipeline) if config.init.pipeline else None
        if self.pipeline is not None:
            codec = self.pipeline.codec
        else:
            codec = load_codec(config.init.codec) if config.init.codec else self._fitted(launch)
        codec.decoder.requires_grad_(True)
        codec.encoder.requires_grad_(False)  # latents mean what the transform says; world models rely on it
        self.module = CodecModule(codec.to(device))
        if config.compile:
            codec.encoder.compile()
            codec.decoder.compile()
        held_out = clips.places("val")
        self.validation = _some(held_out, config.validate_clips)
        if not self.validation:
            launch.log("no clips of split val: nothing is measured on held-out clips")

    def _fitted(self, launch: Launch) -> nn.Module:
        """A fresh codec whose transform is the best for the training pictures, or for a spread of them."""
        codec = new_codec(self.config.size, self.config.seed)
        places = _some(self.items.places, FIT_CLIPS)
        total, outer, count = 0.0, 0.0, 0
        for i, place in enumerate(places):
            _, frames = self.items.pictures(place, numpy_rng("fit", i))
            pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).double() / 127.5 - 1.0
            rows = patches_of(pixels)
            total, outer, count = total + rows.sum(0), outer + rows.T @ rows, count + len(rows)
        mean = total / count
        codec.fit(mean, outer / count - torch.outer(mean, mean))
        launch.log(f"transform fitted to {count:,} patches of {len(places)} clips")
        return codec

    def _held_out(self) -> list[torch.Tensor]:
        """Pictures of each validation clip (of the first training clips where there are none)."""
        places = self.validation or self.items.places[:SHEET_COLUMNS]
        loaded = [self.items.pictures(place, numpy_rng("held out", i)) for i, place in enumerate(places)]
        return [self.items.collate([item]).images.to(self.device) for item in loaded]

    @torch.no_grad()
    def probe(self) -> torch.Tensor:
        batch = self._held_out()[0]
        return decode_images(self.module.codec, encode_images(self.module.codec, batch)).float()

    def adapter_probe(self) -> None:
        return None

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        if not self.validation:
            return {}
        errors = []
        for images in self._held_out():
            decoded = decode_images(self.module.codec, encode_images(self.module.codec, images)).float().clamp(-1, 1)
            errors.append((decoded - images).flatten(1).pow(2).mean(1))
        mse = torch.cat(errors).double()  # one value per picture, of a range of 2
        psnr_db = 10 * torch.log10(4 / mse.clamp_min(1e-12))
        return {"mse": float(mse.mean()), "psnr_db": float(psnr_db.mean())}

    @torch.no_grad()
    def sheet(self) -> np.ndarray:
        """Held-out pictures above, what the codec makes of them below."""
        images = torch.cat([batch[:1] for batch in self._held_out()[:SHEET_COLUMNS]])
        decoded = decode_images(self.module.codec, encode_images(self.module.codec, images)).float()
        rows = [
            ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy() for x in (images, decoded)
        ]
        return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)

    def save(self, folder: Path) -> None:
        """The codec alone, or the whole pipeline where the run started from one."""
        (self.pipeline or self.module.codec).save_pretrained(folder)


def _some(places: list[ClipPlace], count: int) -> list[ClipPlace]:
    """At most ``count`` places, evenly spread."""
    if len(places) <= count:
        return places
    return [places[i * len(places) // count] for i in range(count)]


def build_codec_task(config: TrainConfig, accelerator: Accelerator, launch: Launch) -> CodecTask:
    """The task of ``task=codec``."""
    return CodecTask(config, accelerator.device, launch)

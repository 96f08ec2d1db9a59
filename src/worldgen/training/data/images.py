"""Training items of the codec: pictures drawn from clips, cut and exposed at random, in batches."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch

from worldgen.training.data.clips import ClipPlace, Clips
from worldgen.training.loop.data_order import Draw
from worldgen.training.train_config import DataConfig


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """images: ``(N, 3, H, W)`` float32 in [-1, 1]. keys: of the clips they come from."""

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
        return key, augmented(frames, self.clips.config, rng)

    def pictures(self, place: ClipPlace, rng: np.random.Generator) -> tuple[str, np.ndarray]:
        """Key of a clip and ``(data.num_frames, H, W, 3)`` uint8 pictures of it, at different times as far as it has
        them."""
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


def augmented(frames: np.ndarray, config: DataConfig, rng: np.random.Generator) -> np.ndarray:
    """Pictures ``(N, H, W, 3)`` uint8 cropped at a random place, with random exposure: few drives then teach more."""
    height, width = config.crop_height_px or frames.shape[1], config.crop_width_px or frames.shape[2]
    y0, x0 = rng.integers(frames.shape[1] - height + 1), rng.integers(frames.shape[2] - width + 1)
    frames = frames[:, y0 : y0 + height, x0 : x0 + width]
    if not config.exposure:
        return frames
    contrast = 1 + config.exposure * rng.uniform(-1, 1)
    brightness = 255 / 3 * config.exposure * rng.uniform(-1, 1)
    exposed = (frames.astype(np.float32) - 127.5) * contrast + 127.5 + brightness
    return np.clip(exposed.round(), 0, 255).astype(np.uint8)

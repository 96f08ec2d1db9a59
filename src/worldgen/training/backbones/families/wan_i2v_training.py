"""Fine-tuning of Wan picture to video: TI2V-5B, whose first latent frame is clean, and the 14B models of Wan 2.1."""

from __future__ import annotations

import numpy as np
import torch

from worldgen.core.errors import InputError
from worldgen.models.backbones.continuing.last_frame import as_picture
from worldgen.training.backbones.families.wan_latents import wan_latents
from worldgen.training.backbones.trainable import Given, Trainable, TuneBatch, WindowPixels

PICTURE_WORDS = "picture"
"""Name of the states of the picture encoder that the models of Wan 2.1 have."""


class WanI2VTraining(Trainable):
    """Latents of the clip; the known picture is its clean first latent frame, or latents beside the noisy ones."""

    targets = ("to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2")

    @property
    def is_clean_first(self) -> bool:
        """Whether the known picture stands in the clip itself, with noise level 0 (TI2V-5B)."""
        return bool(self.pipeline.config.expand_timesteps)

    def check_givens(self, givens: list[Given]) -> None:
        """As every family; more known frames than the one picture would be ignored. Raises: InputError."""
        for given in givens:
            if given.known > 1:
                raise InputError("tune.known_frames", given.known, "1: the family wan_i2v continues one picture")
        super().check_givens(givens)

    @torch.no_grad()
    def encode(self, window: WindowPixels, givens: list[Given]) -> dict[str, torch.Tensor]:
        """``latents``, and what the pipeline makes of the first picture."""
        found = {"latents": wan_latents(self.pipeline, window.frames)}
        for given in givens:
            found |= {given.name + name: tensor for name, tensor in self._picture(window.frames).items()}
        return found

    def fixed(self, batch: TuneBatch) -> torch.Tensor | None:
        """The first latent frame where it is known clean."""
        if not self.is_clean_first:
            return None
        frames = batch.latents.shape[2]
        first = torch.arange(frames, device=batch.latents.device) == 0
        return first.view(1, 1, frames, 1, 1)

    def velocity(self, noisy: torch.Tensor, levels: torch.Tensor, batch: TuneBatch) -> torch.Tensor:
        """The network's prediction ``(B, C, F, h, w)`` float32 at noise levels ``(B,)``."""
        dtype = self.network.dtype
        times = levels * self.pipeline.scheduler.config.num_train_timesteps
        if self.is_clean_first:
            _, patch_height, patch_width = self.network.config.patch_size
            _, _, frames, height, width = noisy.shape
            per_frame = (height // patch_height) * (width // patch_width)
            moving = (torch.arange(frames, device=noisy.device) > 0).repeat_interleave(per_frame)
            times, told = times[:, None] * moving, noisy
        else:
            told = torch.cat([noisy, batch.given["condition"]], dim=1)
        picture = batch.given.get(PICTURE_WORDS)
        output = self.network(
            hidden_states=told.to(dtype), timestep=times, encoder_hidden_states=batch.words.to(dtype),
            encoder_hidden_states_image=None if picture is None else picture.to(dtype), return_dict=False,
        )  # fmt: skip
        return output[0].float()

    def _picture(self, frames: np.ndarray) -> dict[str, torch.Tensor]:
        if self.is_clean_first:
            return {}
        height, width = frames.shape[1:3]
        image = self.pipeline.video_processor.preprocess(as_picture(frames[0]), height=height, width=width)
        _, condition = self.pipeline.prepare_latents(
            image.to(self.device, torch.float32), 1, self.pipeline.vae.config.z_dim, height, width, len(frames),
            torch.float32, self.device,
        )  # fmt: skip
        found = {"condition": condition[0].float().cpu()}
        if self.network.config.image_dim is not None:
            states = self.pipeline.encode_image(as_picture(frames[0]), self.device)
            found[PICTURE_WORDS] = states[0].float().cpu()
        return found

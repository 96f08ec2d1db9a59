"""Fine-tuning of Wan VACE: known frames and a control enter through the control branch, as in its pipeline."""

from __future__ import annotations

import numpy as np
import torch

from worldgen.models.backbones.wan_vace import GREY
from worldgen.training.backbones.families.wan_latents import wan_latents
from worldgen.training.backbones.trainable import Given, Trainable, TuneBatch, WindowPixels


class WanVaceTraining(Trainable):
    """Latents of the clip and of the two halves of its conditioning video, which the mask separates."""

    targets = ("to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2")

    def part_layers(self, part: str) -> str:
        """The control branch is ``vace_blocks``, the rest of the network ``blocks``."""
        return "vace_blocks." if part == "control" else "blocks."

    @torch.no_grad()
    def encode(self, window: WindowPixels, givens: list[Given]) -> dict[str, torch.Tensor]:
        """``latents``, and ``conditioning`` ``(2 C + 64, F, h, w)`` of each given, made by the pipeline itself."""
        found = {"latents": wan_latents(self.pipeline, window.frames)}
        for given in givens:
            control = window.controls[given.control] if given.control else None
            found[given.name + "conditioning"] = self._conditioning(window.frames, control, given.known)
        return found

    def velocity(self, noisy: torch.Tensor, levels: torch.Tensor, batch: TuneBatch) -> torch.Tensor:
        """The network's prediction ``(B, C, F, h, w)`` float32 at noise levels ``(B,)``."""
        dtype = self.network.dtype
        output = self.network(
            hidden_states=noisy.to(dtype), timestep=levels * self.pipeline.scheduler.config.num_train_timesteps,
            encoder_hidden_states=batch.words.to(dtype), control_hidden_states=batch.given["conditioning"].to(dtype),
            return_dict=False,
        )  # fmt: skip
        return output[0].float()

    def _conditioning(self, frames: np.ndarray, control: np.ndarray | None, known: int) -> torch.Tensor:
        height, width = frames.shape[1:3]
        video = np.full(frames.shape, GREY, np.float32) if control is None else control.astype(np.float32) / 255
        mask = np.ones(frames.shape, np.float32)
        video[:known], mask[:known] = frames[:known].astype(np.float32) / 255, 0
        told = (None, None) if control is None and not known else ([video], [mask])  # as the family's chunks do
        pixels, masks, references = self.pipeline.preprocess_conditions(
            *told, None, 1, height, width, len(frames), torch.float32, self.device
        )
        latents = self.pipeline.prepare_video_latents(pixels, masks, references, None, self.device)
        whole = torch.cat([latents, self.pipeline.prepare_masks(masks, references)], dim=1)
        return whole[0].float().cpu()

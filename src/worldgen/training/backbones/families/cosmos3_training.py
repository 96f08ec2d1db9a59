"""Fine-tuning of Cosmos 3: words and clip in one packed sequence, known latent frames without noise.

A layer has two paths. The words go through ``to_q``, ``to_k``, ``to_v`` and ``mlp``, the pictures through
``add_q_proj``, ``add_k_proj``, ``add_v_proj``, ``to_add_out`` and ``mlp_moe_gen``; adapters of the first set alone
would leave every picture layer as it is. Ego motion is a condition of the model already, as actions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from worldgen.models.backbones.tuned.tuned_adapter import LORA_FILE
from worldgen.training.backbones.trainable import (
    FIXED,
    METADATA_KEY,
    Given,
    Trainable,
    TuneBatch,
    WindowPixels,
    known_latent_frames,
)


class Cosmos3Training(Trainable):
    """Latents of the clip, and which of its frames are known. The network takes one clip at a time."""

    targets = ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out", "mlp_moe_gen.up_proj", "mlp_moe_gen.down_proj")
    shape: tuple[int, int, int, float] = (0, 0, 0, 0.0)

    @property
    def width(self) -> int:
        """Width of the transformer's tokens."""
        return int(self.network.config.hidden_size)

    @property
    def token_px(self) -> int:
        """Side of a token in pixels."""
        return self.backbone.promise.size_multiple_px * int(self.network.config.latent_patch_size)

    @property
    def hidden(self) -> int:
        """Width of its feed-forward layers."""
        return int(self.network.config.intermediate_size)

    @property
    def blocks(self) -> int:
        """Number of its layers."""
        return int(self.network.config.num_hidden_layers)

    def note_window(self, num_frames: int, size_px: tuple[int, int], fps: float) -> None:
        """Length, size and rate of the windows, which the model reads in words."""
        self.shape = (num_frames, *size_px, fps)

    def encode_words(self, texts: list[str]) -> list[torch.Tensor]:
        """Token numbers plus one ``(L, 1)`` float32 of each text in the model's template; zeros pad to equal length."""
        num_frames, width, height, fps = self.shape
        found = []
        for text in texts:
            ids, _ = self.pipeline.tokenize_prompt(
                text, num_frames=num_frames, height=height, width=width, fps=fps,
                add_resolution_template=not _is_json(text), add_duration_template=not _is_json(text),
            )  # fmt: skip
            found.append(torch.tensor(ids, dtype=torch.float32)[:, None] + 1)
        longest = max(map(len, found))
        return [torch.nn.functional.pad(ids, (0, 0, 0, longest - len(ids))) for ids in found]

    @torch.no_grad()
    def encode(self, window: WindowPixels, givens: list[Given]) -> dict[str, torch.Tensor]:
        """``latents``, and for each given which latent frames are known ``(F,)``."""
        pixels = torch.from_numpy(np.ascontiguousarray(window.frames)).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
        latents = self.pipeline._encode_video(pixels.to(self.device))[0].float().cpu()
        step = self.backbone.promise.frames.step
        known = {g.name + FIXED: known_latent_frames(g.known, latents.shape[1], step) for g in givens}
        return {"latents": latents, **known}

    def velocity(self, noisy: torch.Tensor, levels: torch.Tensor, batch: TuneBatch) -> torch.Tensor:
        """The network's prediction ``(B, C, F, h, w)`` float32 at noise levels ``(B,)``, zero in known frames."""
        outputs = [
            self._one(noisy[n : n + 1], levels[n], batch.words[n], batch.given[FIXED][n]) for n in range(len(noisy))
        ]
        return torch.cat(outputs).float()

    def save_lora(self, folder: Path, layers: dict[str, torch.Tensor], metadata: dict[str, Any]) -> None:
        """As diffusers writes a LoRA; its pipeline of this family has no function for it."""
        packed = {f"transformer.{name}": tensor for name, tensor in layers.items()}
        facts = {f"transformer.{name}": value for name, value in metadata.items()}
        text = json.dumps(facts, indent=2, sort_keys=True, default=list)
        save_file(packed, folder / LORA_FILE, metadata={"format": "pt", METADATA_KEY: text})

    def _one(self, noisy: torch.Tensor, level: torch.Tensor, words: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        pipeline, device = self.pipeline, noisy.device
        ids = words[:, 0].long()
        text = pipeline._prepare_text_segment((ids[ids > 0] - 1).tolist(), device)
        indexes = known.bool().nonzero().flatten().tolist()
        vision = pipeline._prepare_vision_segment(
            input_vision_tokens=noisy, has_image_condition=bool(indexes),
            mrope_offset=text["vision_start_temporal_offset"], vision_fps=self.shape[3], curr=text["und_len"],
            device=device, condition_frame_indexes=indexes,
        )  # fmt: skip
        time = level * pipeline.scheduler.config.num_train_timesteps
        outputs = self.network(
            input_ids=text["input_ids"], text_indexes=text["text_indexes"],
            position_ids=torch.cat([text["text_mrope_ids"], vision["vision_mrope_ids"]], dim=1),
            und_len=text["und_len"], sequence_length=text["und_len"] + vision["num_vision_tokens"],
            vision_tokens=[noisy.to(self.network.dtype)],
            vision_token_shapes=vision["vision_token_shapes"],
            vision_sequence_indexes=vision["vision_sequence_indexes"],
            vision_mse_loss_indexes=vision["vision_mse_loss_indexes"],
            vision_timesteps=time.expand(vision["num_noisy_vision_tokens"]),
            vision_noisy_frame_indexes=vision["vision_noisy_frame_indexes"], return_dict=False,
        )  # fmt: skip
        return outputs[0][0]


def _is_json(text: str) -> bool:
    from worldgen.models.backbones.cosmos.cosmos3 import is_json

    return is_json(text)

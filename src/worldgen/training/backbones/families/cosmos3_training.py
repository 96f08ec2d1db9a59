"""Fine-tuning of Cosmos 3: words and clip in one packed sequence, known latent frames without noise.

A layer has two paths. The words go through ``to_q``, ``to_k``, ``to_v`` and ``mlp``, the pictures through
``add_q_proj``, ``add_k_proj``, ``add_v_proj``, ``to_add_out`` and ``mlp_moe_gen``; adapters of the first set alone
would leave every picture layer as it is. Ego motion is a condition of the model already, as actions, and is trained as
the pipeline drives: one known picture, noise-free actions behind the pictures, words in its JSON caption.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError, Received
from worldgen.models.backbones.cosmos.av_actions import ROW_WIDTH, action_rows, check_action_rate
from worldgen.models.backbones.tuned.tuned_adapter import LORA_FILE
from worldgen.training.backbones.trainable import (
    FIXED,
    METADATA_KEY,
    EgoReader,
    Given,
    Trainable,
    TuneBatch,
    WindowPixels,
    known_latent_frames,
)


class Cosmos3Training(Trainable):
    """Latents of the clip, and which of its frames are known. The network takes one clip at a time."""

    targets = ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out", "mlp_moe_gen.up_proj", "mlp_moe_gen.down_proj")
    ego_is_native = True
    shape: tuple[int, int, int, float] = (0, 0, 0, 0.0)
    drives: bool = False

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

    def note_window(self, num_frames: int, size_px: tuple[int, int], fps: float, *, ego: bool) -> None:
        """Length, size and rate of the windows, which the model reads in words.

        Raises: InputError for ego motion that the weights were not trained with, and for another rate than its own.
        """
        if ego and "ego" not in self.backbone.promise.conditions:
            raise InputError(
                "tune.ego", Received("true for weights without actions"), "false, or weights of action_gen"
            )
        if ego:
            check_action_rate(fps)
        self.shape, self.drives = (num_frames, *size_px, fps), ego
        self.words_name = "driving" if ego else ""

    def check_givens(self, givens: list[Given]) -> None:
        """As every family; with ego motion the pipeline keeps one picture. Raises: InputError."""
        for given in givens:
            if self.drives and given.known != 1:
                raise InputError(
                    "tune.known_frames", given.known, "1 with tune.ego: cosmos3 drives on from one picture"
                )
        super().check_givens(givens)

    def ego_reader(self) -> EgoReader:
        """Actions, and a last number of 1 for windows that have them."""
        return partial(_action_tokens, self.backbone.promise.frames.step)

    def encode_words(self, texts: list[str]) -> list[torch.Tensor]:
        """Token numbers plus one ``(L, 1)`` float32 of each text in the model's template; zeros pad to equal length."""
        from worldgen.models.backbones.cosmos.cosmos3 import driving_prompt, is_json

        num_frames, width, height, fps = self.shape
        if self.drives:
            width, height = _canvas((width, height))
        driven = {"use_system_prompt": False, "action_mode": "forward_dynamics", "action_view_point": "ego_view"}
        found = []
        for text in texts:
            ids, _ = self.pipeline.tokenize_prompt(
                driving_prompt(text) if self.drives else text, num_frames=num_frames, height=height, width=width,
                fps=fps, add_resolution_template=not is_json(text), add_duration_template=not is_json(text),
                **(driven if self.drives else {}),
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
            self._one(
                noisy[n : n + 1],
                levels[n],
                batch.words[n],
                batch.given[FIXED][n],
                None if batch.ego is None else batch.ego[n],
            )
            for n in range(len(noisy))
        ]
        return torch.cat(outputs).float()

    def save_lora(self, folder: Path, layers: dict[str, torch.Tensor], metadata: dict[str, Any]) -> None:
        """As diffusers writes a LoRA; its pipeline of this family has no function for it."""
        packed = {f"transformer.{name}": tensor for name, tensor in layers.items()}
        facts = {f"transformer.{name}": value for name, value in metadata.items()}
        text = json.dumps(facts, indent=2, sort_keys=True, default=list)
        save_file(packed, folder / LORA_FILE, metadata={"format": "pt", METADATA_KEY: text})

    def _one(
        self, noisy: torch.Tensor, level: torch.Tensor, words: torch.Tensor, known: torch.Tensor,
        ego: torch.Tensor | None,
    ) -> torch.Tensor:  # fmt: skip
        pipeline, device = self.pipeline, noisy.device
        ids = words[:, 0].long()
        text = pipeline._prepare_text_segment((ids[ids > 0] - 1).tolist(), device)
        indexes = known.bool().nonzero().flatten().tolist()
        vision = pipeline._prepare_vision_segment(
            input_vision_tokens=noisy, has_image_condition=bool(indexes),
            mrope_offset=text["vision_start_temporal_offset"], vision_fps=self.shape[3], curr=text["und_len"],
            device=device, condition_frame_indexes=indexes,
        )  # fmt: skip
        actions, action_positions = self._actions(text, vision, ego, device)
        time = level * pipeline.scheduler.config.num_train_timesteps
        outputs = self.network(
            input_ids=text["input_ids"], text_indexes=text["text_indexes"],
            position_ids=torch.cat([text["text_mrope_ids"], vision["vision_mrope_ids"], *action_positions], dim=1),
            und_len=text["und_len"],
            sequence_length=sum(part.shape[1] for part in (text["text_mrope_ids"], vision["vision_mrope_ids"],
                                                           *action_positions)),
            vision_tokens=[noisy.to(self.network.dtype)],
            vision_token_shapes=vision["vision_token_shapes"],
            vision_sequence_indexes=vision["vision_sequence_indexes"],
            vision_mse_loss_indexes=vision["vision_mse_loss_indexes"],
            vision_timesteps=time.expand(vision["num_noisy_vision_tokens"]),
            vision_noisy_frame_indexes=vision["vision_noisy_frame_indexes"], return_dict=False, **actions,
        )  # fmt: skip
        return outputs[0][0]

    def _actions(
        self, text: dict[str, Any], vision: dict[str, Any], ego: torch.Tensor | None, device: torch.device
    ) -> tuple[dict[str, Any], list[torch.Tensor]]:
        """What the network is called with for actions without noise, and their places; nothing without motion."""
        if ego is None or not bool(ego[0, -1]):
            return {}, []
        from diffusers.pipelines.cosmos.pipeline_cosmos3_omni import _EMBODIMENT_TO_DOMAIN_ID

        from worldgen.models.backbones.cosmos.cosmos3 import DOMAIN

        tokens = torch.nn.functional.pad(ego[:, :ROW_WIDTH], (0, self.network.action_dim - ROW_WIDTH))
        segment = self.pipeline._prepare_action_segment(
            input_action_tokens=tokens, condition_frame_indexes=list(range(len(tokens))),
            mrope_offset=text["vision_start_temporal_offset"], action_fps=self.shape[3],
            curr=text["und_len"] + vision["num_vision_tokens"], device=device,
        )  # fmt: skip
        names = ("action_token_shapes", "action_sequence_indexes", "action_mse_loss_indexes",
                 "action_noisy_frame_indexes")  # fmt: skip
        told = {name: segment[name] for name in names} | {
            "action_tokens": [tokens.to(self.network.dtype)],
            "action_timesteps": torch.zeros(0, device=device),
            "action_domain_ids": [torch.tensor([_EMBODIMENT_TO_DOMAIN_ID[DOMAIN]], device=device)],
        }
        return told, [segment["action_mrope_ids"]]


def _canvas(size_px: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the canvas that the pipeline names in the caption of a driven clip."""
    from diffusers.pipelines.cosmos.pipeline_cosmos3_omni import _ACTION_RESOLUTION_BINS
    from diffusers.video_processor import VideoProcessor

    from worldgen.models.backbones.cosmos.cosmos3 import action_tier

    bins = _ACTION_RESOLUTION_BINS[str(action_tier(size_px))]
    height, width = VideoProcessor.classify_height_width_bin(size_px[1], size_px[0], ratios=bins)
    return width, height


def _action_tokens(step: int, ego: EgoMotion | None, camera: Camera | None, latent_frames: int) -> torch.Tensor:
    count = (latent_frames - 1) * step
    if ego is None:
        return torch.zeros(count, ROW_WIDTH + 1)
    rows = action_rows(ego, pitch_rad=0.0 if camera is None else camera.pitch_rad)
    assert len(rows) == count, (len(rows), count)
    return torch.nn.functional.pad(torch.from_numpy(rows).float(), (0, 1), value=1.0)

"""Fine-tuning of LTX-2 on pictures: known latent frames without noise, its sound path apart from the pictures."""

from __future__ import annotations

import math

import numpy as np
import torch

from worldgen.models.backbones.backbone import Backbone
from worldgen.models.backbones.continuing.masked_words import without_mask
from worldgen.training.backbones.trainable import FIXED, Given, Trainable, TuneBatch, WindowPixels, known_latent_frames


class Ltx2Training(Trainable):
    """Latents of the clip, and which of its frames are known. Words are cached behind the frozen connectors."""

    targets = ("attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "attn2.to_q", "attn2.to_out.0",
               "ff.net.0.proj", "ff.net.2")  # fmt: skip
    fps: float = 24.0

    def __init__(self, backbone: Backbone, *, shift: float) -> None:
        super().__init__(backbone, shift=shift or 1.0)
        self.follows_size = shift == 0.0

    def note_window(self, num_frames: int, size_px: tuple[int, int], fps: float, *, ego: bool) -> None:
        """Rate of the windows, and the shift of noise levels that the sampler has for clips of this size."""
        self.fps = fps
        config = self.pipeline.scheduler.config
        if self.follows_size and not config.get("use_dynamic_shifting", True):
            self.shift = float(config.get("shift", 1.0))
        elif self.follows_size:
            promise = self.backbone.promise
            frames = (num_frames - 1) // promise.frames.step + 1
            tokens = frames * size_px[0] * size_px[1] // promise.size_multiple_px**2
            low, high = config.get("base_image_seq_len", 1024), config.get("max_image_seq_len", 4096)
            least, most = config.get("base_shift", 0.95), config.get("max_shift", 2.05)
            self.shift = math.exp(least + (most - least) * (tokens - low) / (high - low))

    @torch.no_grad()
    def encode_words(self, texts: list[str]) -> list[torch.Tensor]:
        """States for pictures and for sound and their mask, side by side ``(L, D)``, of each text."""
        found = []
        for states in self.backbone.encode_words(texts):
            words, mask = without_mask(states.to(self.device))
            side = getattr(self.pipeline, "tokenizer_padding_side", "left")
            video, audio, attended = self.pipeline.connectors(words, mask, padding_side=side)
            found.append(torch.cat([video, audio, attended[..., None].to(video)], dim=-1)[0].cpu())
        return found

    @torch.no_grad()
    def encode(self, window: WindowPixels, givens: list[Given]) -> dict[str, torch.Tensor]:
        """``latents``, and for each given which latent frames are known ``(F,)``."""
        codec = self.pipeline.vae
        pixels = torch.from_numpy(np.ascontiguousarray(window.frames)).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
        latents = codec.encode(pixels.to(self.device, codec.dtype)).latent_dist.mode().float()
        latents = self.pipeline._normalize_latents(
            latents, codec.latents_mean, codec.latents_std, codec.config.scaling_factor
        )
        latents = latents[0].cpu()
        step = self.backbone.promise.frames.step
        known = {g.name + FIXED: known_latent_frames(g.known, latents.shape[1], step) for g in givens}
        return {"latents": latents, **known}

    def velocity(self, noisy: torch.Tensor, levels: torch.Tensor, batch: TuneBatch) -> torch.Tensor:
        """The network's prediction ``(B, C, F, h, w)`` float32 at noise levels ``(B,)``.

        Sound is a single token of zeros that the pictures do not see.
        """
        config, pipeline = self.network.config, self.pipeline
        dtype = self.network.dtype
        count, _, frames, height, width = noisy.shape
        patches = (pipeline.transformer_spatial_patch_size, pipeline.transformer_temporal_patch_size)
        tokens = pipeline._pack_latents(noisy, *patches)
        times = levels * pipeline.scheduler.config.num_train_timesteps
        per_frame = tokens.shape[1] // (frames // patches[1])
        moving = 1 - batch.given[FIXED].repeat_interleave(per_frame, dim=1)
        projection = getattr(self.network, "caption_projection", None)
        reader = self.network.transformer_blocks[0].attn2.to_k if projection is None else projection.linear_1
        video_width = reader.in_features
        words = batch.words.to(dtype)
        video, audio, attended = words[..., :video_width], words[..., video_width:-1], batch.words[..., -1]
        sound = torch.zeros(count, 1, config.audio_in_channels, dtype=dtype, device=noisy.device)
        output = self.network(
            hidden_states=tokens.to(dtype), audio_hidden_states=sound,
            encoder_hidden_states=video, audio_encoder_hidden_states=audio, timestep=times[:, None] * moving,
            audio_timestep=times, sigma=times, audio_sigma=times, encoder_attention_mask=attended,
            audio_encoder_attention_mask=attended, num_frames=frames, height=height, width=width, fps=self.fps,
            audio_num_frames=1, isolate_modalities=True, use_cross_timestep=True, return_dict=False,
        )  # fmt: skip
        return pipeline._unpack_latents(output[0].float(), frames, height, width, *patches)

"""Training of the codec and of the transformer, and the loss with true and with shuffled controls."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from .tiny_clips import TinyClips
from .tiny_parts import SHIFT

DROPPED = 0.1
"""Share of the steps without text, and of those without control."""
CROP_PX, CODEC_FRAMES = 32, 5


def scaled(frames: np.ndarray) -> torch.Tensor:
    """Frames ``(..., T, H, W, 3)`` uint8 as ``(..., 3, T, H, W)`` float32 in [-1, 1]."""
    return torch.from_numpy(frames).movedim(-1, -4).float() / 127.5 - 1


def train_codec(codec: Any, clips: TinyClips, *, steps: int, rng: np.random.Generator) -> float:
    """Train the codec on crops of pictures and controls; returns its PSNR (dB) on the pictures of the last clips.

    L1 loss. Afterwards the config holds mean and standard deviation of the latents.
    """
    codec.train()
    optimiser = torch.optim.AdamW(codec.parameters(), lr=2e-3, betas=(0.9, 0.99))
    start_s = time.monotonic()
    videos = np.concatenate([clips.frames, clips.controls[: len(clips.controls) // 4]])
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 20) * (1 - 0.95 * step / steps)
        crops = []
        for number in rng.integers(len(videos), size=4):
            y, x = (int(rng.integers(side - CROP_PX + 1)) for side in videos.shape[2:4])
            crops.append(videos[number, :CODEC_FRAMES, y : y + CROP_PX, x : x + CROP_PX])
        target = scaled(np.stack(crops))
        latents = codec.encode(target).latent_dist.mode()
        made = codec.decode(latents).sample
        loss = F.l1_loss(made, target)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimiser.step()
        if step % 20 == 0:
            print(
                f"codec step {step}, L1 {loss.item():.4f}, {time.monotonic() - start_s:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    codec.eval()
    with torch.no_grad():
        held = scaled(clips.frames[-8:])
        latents = encoded(codec, held, raw=True)
        everything = encoded(codec, scaled(clips.frames[:: max(1, len(clips.frames) // 24)]), raw=True)
        made = codec.decode(latents).sample
        error = float(((made.clamp(-1, 1) - held) / 2).square().mean())
    codec.register_to_config(
        latents_mean=everything.mean((0, 2, 3, 4)).tolist(), latents_std=everything.std((0, 2, 3, 4)).tolist()
    )
    return -10 * float(np.log10(error))


@torch.no_grad()
def encoded(codec: Any, frames: torch.Tensor, *, raw: bool = False) -> torch.Tensor:
    """Latents ``(N, C, F, h, w)`` of frames ``(N, 3, T, H, W)``, normalised unless ``raw``."""
    latents = torch.cat([codec.encode(clip[None]).latent_dist.mode() for clip in frames])
    if raw:
        return latents
    mean, std = (
        torch.tensor(codec.config[name])[None, :, None, None, None] for name in ("latents_mean", "latents_std")
    )
    return (latents - mean) / std


def conditioning(codec: Any, controls: torch.Tensor) -> torch.Tensor:
    """What the pipeline gives its control branch where no frame is known: ``(N, 2 C + 16, F, h, w)``.

    Grey in place of known frames, the control, and a mask of ones.
    """
    grey = encoded(codec, torch.zeros_like(controls[:1]))
    latents = encoded(codec, controls)
    mask = torch.ones(len(latents), 16, *latents.shape[2:])
    return torch.cat([grey.expand_as(latents), latents, mask], 1)


def flow_loss(
    network: Any, latents: torch.Tensor, *, noise: torch.Tensor, level: torch.Tensor, control: torch.Tensor,
    text: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """Mean squared error of the predicted velocity per clip, ``(N,)``. level: noise levels ``(N,)`` in [0, 1]."""
    at = level[:, None, None, None, None]
    noisy = (1 - at) * latents + at * noise
    predicted = network(
        hidden_states=noisy, timestep=1000 * level, encoder_hidden_states=text, control_hidden_states=control,
        control_hidden_states_scale=torch.ones(len(network.config.vace_layers)), return_dict=False,
    )[0]  # fmt: skip
    return (predicted - (noise - latents)).square().mean((1, 2, 3, 4))


def shifted_level(share: torch.Tensor) -> torch.Tensor:
    """Noise levels of uniform numbers, shifted towards noise as in the scheduler."""
    return SHIFT * share / (1 + (SHIFT - 1) * share)


class TinyTrainer:
    """Trains the transformer on latents in memory. text: ``(N, 512, D)`` states, and ``(1, 512, D)`` of no words."""

    def __init__(
        self, network: Any, latents: torch.Tensor, control: torch.Tensor, text: tuple[torch.Tensor, torch.Tensor]
    ):
        self.network, self.latents, self.control = network, latents, control
        self.text, self.no_text = text
        self.average = {name: value.detach().clone() for name, value in network.state_dict().items()}

    def train(self, no_control: torch.Tensor, *, steps: int, batch: int, rng: torch.Generator) -> None:
        """Train; the network ends with its averaged weights."""
        optimiser = torch.optim.AdamW(self.network.parameters(), lr=1.5e-3, betas=(0.9, 0.98), weight_decay=0.01)
        start_s = time.monotonic()
        self.network.train()
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = 1.5e-3 * min(1, (step + 1) / 30) * max(0.05, 1 - step / steps)
            rows = torch.randint(len(self.latents), (batch,), generator=rng)
            control, text = self.control[rows].clone(), self.text[rows].clone()
            dropped = torch.rand(2, batch, generator=rng) < DROPPED
            control[dropped[0]] = no_control
            text[dropped[1]] = self.no_text
            latents = self.latents[rows]
            loss = flow_loss(
                self.network, latents, noise=torch.randn(latents.shape, generator=rng),
                level=shifted_level(torch.rand(batch, generator=rng)), control=control, text=text,
            ).mean()  # fmt: skip
            if not torch.isfinite(loss):
                raise FloatingPointError(f"loss {loss.item()} at step {step}")
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            optimiser.step()
            kept = min(0.99, (step + 1) / (step + 11))
            for name, value in self.network.state_dict().items():
                self.average[name].lerp_(value.detach(), 1 - kept)
            if step % 10 == 0:
                print(
                    f"step {step}, loss {loss.item():.3f}, {time.monotonic() - start_s:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
        self.network.load_state_dict(self.average)
        self.network.eval()


@torch.no_grad()
def obedience(network: Any, latents: torch.Tensor, control: torch.Tensor, text: torch.Tensor, *, seed: int) -> dict:
    """Held-out loss with the true and with another clip's control: the same noise, levels and words in both.

    Three noise levels a clip. The interval is that of the mean of paired differences over clips, 95 %, by 2,000
    resamples of the clips.
    """
    rng = torch.Generator().manual_seed(seed)
    other = control.roll(1, 0)  # the neighbour of each clip has another weather or light, and another scene
    losses: dict[str, list[torch.Tensor]] = {"true": [], "shuffled": []}
    for share in (0.3, 0.55, 0.8):
        level = torch.full((1,), float(shifted_level(torch.tensor(share))))
        for k in range(len(latents)):
            noise = torch.randn(latents[k : k + 1].shape, generator=rng)
            for name, given in (("true", control), ("shuffled", other)):
                clip = slice(k, k + 1)
                loss = flow_loss(network, latents[clip], noise=noise, level=level, control=given[clip], text=text[clip])
                losses[name].append(loss)
    table = {name: torch.cat(values).reshape(3, len(latents)).mean(0).numpy() for name, values in losses.items()}
    gap = table["shuffled"] - table["true"]
    draws = np.random.default_rng(seed).integers(len(gap), size=(2000, len(gap)))
    low, high = np.quantile(gap[draws].mean(1), (0.025, 0.975))
    return {
        "clips": len(gap), "true": float(table["true"].mean()), "shuffled": float(table["shuffled"].mean()),
        "difference": float(gap.mean()), "interval_95": [float(low), float(high)],
        "clips_where_true_is_better": int((gap > 0).sum()), "worse_beyond_interval": bool(low > 0),
    }  # fmt: skip

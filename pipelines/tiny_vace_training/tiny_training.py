"""Training of the transformer, and its loss with true and with shuffled controls."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .tiny_checkpoints import kept_weights, restored_step
from .tiny_parts import SHIFT

DROPPED = 0.1
"""Share of the steps without text, and of those without control."""
LEARNING_RATE = 1.5e-3


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

    def train(
        self, no_control: torch.Tensor, *, steps: int, batch: int, seed: int, kept: Path | None = None
    ) -> None:  # fmt: skip
        """Train; the network ends with its averaged weights. kept: file from which a stopped training goes on."""
        first = restored_step(kept, self.network, self.average)
        optimiser = torch.optim.AdamW(self.network.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
        start_s = time.monotonic()
        self.network.train()
        for step in range(first, steps):
            rng = torch.Generator().manual_seed(seed * 1_000_003 + step)
            for group in optimiser.param_groups:
                group["lr"] = LEARNING_RATE * min(1, (step - first + 1) / 30) * max(0.05, 1 - step / steps)
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
            memory = min(0.99, (step + 1) / (step + 11))
            for name, value in self.network.state_dict().items():
                self.average[name].lerp_(value.detach(), 1 - memory)
            if step % 50 == 49 or step == steps - 1:
                kept_weights(kept, self.network, step + 1, self.average)
                passed = f"{time.monotonic() - start_s:.0f} s"
                print(f"step {step + 1}, loss {loss.item():.3f}, {passed}", file=sys.stderr, flush=True)
        self.network.load_state_dict(self.average)
        self.network.eval()


@torch.no_grad()
def obedience(network: Any, latents: torch.Tensor, control: torch.Tensor, text: torch.Tensor, *, seed: int) -> dict:
    """Held-out loss with the true and with another clip's control: the same noise, levels and words in both.

    Three noise levels a clip; the interval is that of :func:`paired_gap`.
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
    return {
        "clips": len(latents), "true": float(table["true"].mean()), "shuffled": float(table["shuffled"].mean()),
        **paired_gap(-table["true"], -table["shuffled"], seed=seed),
    }  # fmt: skip


def paired_gap(true: np.ndarray, shuffled: np.ndarray, *, seed: int) -> dict[str, Any]:
    """How much better (larger) the clips ``(N,)`` of the true control are than those of the shuffled one.

    The interval is that of the mean of paired differences over clips, 95 %, by 2,000 resamples of the clips.
    """
    gap = true - shuffled
    draws = np.random.default_rng(seed).integers(len(gap), size=(2000, len(gap)))
    low, high = np.quantile(gap[draws].mean(1), (0.025, 0.975))
    return {
        "difference": float(gap.mean()), "interval_95": [float(low), float(high)],
        "clips_where_true_is_better": int((gap > 0).sum()), "worse_beyond_interval": bool(low > 0),
    }  # fmt: skip

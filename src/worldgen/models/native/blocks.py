"""Building blocks of the world transformer: modulation, convolution at high resolution, attention at low resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import nn

from worldgen.models.native.cache import TemporalCache
from worldgen.models.native.codec import SPATIAL_FACTOR, cosines
from worldgen.models.native.conditions import ConditionBatch


def modulate(x: torch.Tensor, shift: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Layer norm without parameters over the last axis, then scale and shift (adaLN, Peebles & Xie 2023, section
    3.2)."""
    return F.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift


def sinusoidal(values: torch.Tensor, width: int, max_period: float = 10_000.0) -> torch.Tensor:
    """Sine and cosine features ``(..., width)`` float32 of ``(...)`` values (Vaswani et al. 2017, section 3.5)."""
    half = width // 2
    rates = torch.exp(torch.arange(half, device=values.device) * (-torch.log(torch.tensor(max_period)) / half))
    angles = values.float()[..., None] * rates
    return torch.cat([angles.cos(), angles.sin()], -1)


def rotate(x: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    """Rotary positions (Su et al. 2021, arXiv:2104.09864, eq. 34): x ``(..., n, d)``, turn ``(2, n, d/2)`` cos, sin."""
    first, second = x.chunk(2, -1)
    cos, sin = turn
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def turn_of(angles: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Cosine and sine ``(2, n, d/2)`` of angles ``(n, d/2)``, computed once for all layers."""
    return torch.stack([angles.cos(), angles.sin()]).to(dtype)


def axis_angles(positions: torch.Tensor, width: int, max_period: float = 100.0) -> torch.Tensor:
    """Angles ``(n, width)`` of positions ``(n,)``. The default period suits tens of positions, not thousands of
    words."""
    rates = max_period ** (-torch.arange(width, device=positions.device, dtype=torch.float32) / width)
    return positions.float()[:, None] * rates


class FrameEmbedding(nn.Module):
    """One vector per frame from diffusion time, ego motion, frame rate, camera and the pooled text."""

    TIME_FEATURES = 128

    def __init__(self, width: int, text_width: int, camera_features: int):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(self.TIME_FEATURES, width), nn.SiLU(), nn.Linear(width, width))
        self.ego = nn.Sequential(nn.Linear(4, width), nn.SiLU(), nn.Linear(width, width))
        self.camera = nn.Linear(camera_features + 1, width)
        self.text = nn.Linear(text_width, width)

    def forward(self, t: torch.Tensor, conditions: ConditionBatch, pooled_text: torch.Tensor) -> torch.Tensor:
        """t ``(B, F)``, conditions of the same frames, pooled_text ``(B, Dt)`` -> ``(B, F, D)``."""
        ego, ego_known, fps, camera = conditions.ego, conditions.ego_known, conditions.fps, conditions.camera
        known = ego_known.float()[:, None, None].expand(*ego.shape[:2], 1)
        speed, rate = ego[..., :1] / 10.0, ego[..., 1:] * 5.0
        # Motion per frame as well as per second, because the same speed moves the picture further at a lower frame
        # rate.
        step = ego[..., :1] / fps[:, None, None]
        ego_features = torch.cat([speed * known, rate * known, step * known, known], -1)
        dtype = pooled_text.dtype  # not that of the weights, which may be stored in fewer bits than they compute in
        camera_and_rate = torch.cat([camera.float(), fps.float()[:, None].log2() - 3.0], -1)
        per_clip = self.camera(camera_and_rate.to(dtype)) + self.text(pooled_text)
        time = self.time(sinusoidal(t * 1000.0, self.TIME_FEATURES).to(dtype))
        return time + self.ego(ego_features.to(dtype)) + per_clip[:, None]  # (B, F, D)


class ConvBlock(nn.Module):
    """Two 3x3 convolutions with a modulated norm and a gated residual, at the latent resolution.

    The convolutions are dense, because on CPUs they run near the peak of matrix products and depth-wise ones do not.
    """

    MODULATIONS = 3

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.table = nn.Parameter(torch.zeros(self.MODULATIONS, width))

    def forward(self, x: torch.Tensor, modulation: torch.Tensor) -> torch.Tensor:
        """x ``(N, D, h, w)``, modulation ``(N, 3, D)`` -> ``(N, D, h, w)``; N = B * F."""
        shift, scale, gate = (modulation + self.table.to(modulation))[:, :, None, None].unbind(1)  # each (N, 1, 1, D)
        hidden = modulate(x.movedim(1, -1), shift, scale).movedim(-1, 1)  # (N, D, h, w), channels last in memory
        hidden = self.conv2(F.silu(self.conv1(F.silu(hidden))))
        return x + gate.movedim(-1, 1) * hidden


class LayoutStem(nn.Module):
    """Features of latent cells from the layout's pixels inside them: a linear map of their cosine coefficients.

    Neighbouring pixels are mostly equal, so a network that reads them directly learns slowly how they differ.
    Coefficients (the DCT-II of Ahmed, Natarajan and Rao 1974) separate the mean from the edges.
    """

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, channels, SPATIAL_FACTOR**2) / channels**0.5)
        self.bias = nn.Parameter(torch.zeros(width))
        self.waves: torch.Tensor
        waves = torch.einsum("uy,vx->uvyx", cosines(), cosines()).flatten(2).flatten(0, 1) / SPATIAL_FACTOR
        self.register_buffer("waves", waves, persistent=False)

    def forward(self, cells: torch.Tensor) -> torch.Tensor:
        """cells ``(..., K * 64)`` as :func:`cells_of` gives them -> ``(..., D)``."""
        return F.linear(cells, torch.matmul(self.weight, self.waves).flatten(1), self.bias)


class PictureStem(nn.Linear):
    """The codec's linear map, for pictures of the layout. It is a module, so that adapters and hooks act on it."""

    def forward(self, cells: torch.Tensor, offset: bool = True) -> torch.Tensor:
        """cells ``(..., K)`` -> ``(..., C)``. offset: whether the bias is added; added light has no mean."""
        return F.linear(cells, self.weight, self.bias if offset else None)


def added_light(stem: nn.Module, cells: torch.Tensor) -> torch.Tensor:
    """The map of pictures without its offset: cells ``(..., K)`` -> ``(..., C)`` on the device of ``cells``.

    Adapters may replace the module by one of their own, some of which add or subtract offsets whatever it was asked
    for (DoRA subtracts the base layer's). Of those, the answer to no light is taken away.
    """
    if isinstance(stem, PictureStem):
        return stem(cells, offset=False).to(cells.device)
    return (stem(cells) - stem(cells.new_zeros(1, cells.shape[-1]))).to(cells.device)


def cells_of(layout: torch.Tensor) -> torch.Tensor:
    """Layout maps ``(B, K, F, 8h, 8w)`` as one row per latent cell, ``(B * F, h, w, K * 64)``."""
    split = layout.unflatten(4, (-1, SPATIAL_FACTOR)).unflatten(3, (-1, SPATIAL_FACTOR))  # (B, K, F, h, 8, w, 8)
    return split.permute(0, 2, 3, 5, 1, 4, 6).flatten(0, 1).flatten(3)


class Attention(nn.Module):
    """Multi-head attention with separately named projections, so LoRA targets read as elsewhere in diffusers."""

    def __init__(self, width: int, heads: int, context_width: int | None = None):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width)
        self.to_k = nn.Linear(context_width or width, width)
        self.to_v = nn.Linear(context_width or width, width)
        self.to_out = nn.Linear(width, width)
        # RMS norm of queries and keys keeps bf16 training stable (Dehghani et al. 2023, arXiv:2302.05442, section 2.1).
        self.norm_q = nn.RMSNorm(width // heads, eps=1e-6)
        self.norm_k = nn.RMSNorm(width // heads, eps=1e-6)

    def project(self, x: torch.Tensor, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """x ``(N, n, D)``, context ``(N, m, Dc)`` to queries, keys and values ``(N, heads, n or m, head_dim)``."""
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # noqa: E731
        q, k, v = split(self.to_q(x)), split(self.to_k(context)), split(self.to_v(context))
        return self.norm_q(q), self.norm_k(k), v

    def join(self, attended: torch.Tensor) -> torch.Tensor:
        """``(N, heads, n, head_dim)`` to ``(N, n, D)``."""
        return self.to_out(attended.transpose(1, 2).flatten(2))


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
    """Scaled dot-product attention of ``(N, heads, n or m, head_dim)``; allowed: bool, broadcast to ``(N, heads,
    n, m)``."""
    if q.device.type != "cpu" or not torch.is_grad_enabled():
        return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    # Backwards, the fused kernel for CPUs took two to four times as long as the plain products at these few tokens.
    weights = (q @ k.transpose(-1, -2)).float() * q.shape[-1] ** -0.5
    if allowed is not None:
        weights = weights.masked_fill(~allowed, float("-inf"))
    return weights.softmax(-1).to(v.dtype) @ v


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What every attention block of a forward pass sees besides the picture itself.

    text ``(B, L, Dt)``; text_mask ``(B, 1, 1, L)`` bool; places ``(2, n, d/2)`` and times ``(2, F, d/2)`` rotary
    positions. With a ``cache``, earlier frames are attended to; with ``keep`` this chunk is added to it.
    """

    text: torch.Tensor
    text_mask: torch.Tensor
    places: torch.Tensor
    times: torch.Tensor
    cache: TemporalCache | None = None
    keep: bool = False

    def to(self, device: torch.device | str) -> Surroundings:
        """The same on another device; the cache stays where each layer put its keys and values."""
        text, text_mask = self.text.to(device), self.text_mask.to(device)
        places, times = self.places.to(device), self.times.to(device)
        return replace(self, text=text, text_mask=text_mask, places=places, times=times)


class AttentionBlock(nn.Module):
    """Spatial attention in a frame, causal attention over time at a place, cross-attention to text, and an MLP."""

    MODULATIONS = 9

    def __init__(self, width: int, heads: int, text_width: int, layer: int, mlp_ratio: int = 4):
        super().__init__()
        self.layer = layer
        self.spatial = Attention(width, heads)
        self.temporal = Attention(width, heads)
        self.cross = Attention(width, heads, text_width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_ratio * width), nn.SiLU(), nn.Linear(mlp_ratio * width, width))
        self.table = nn.Parameter(torch.zeros(self.MODULATIONS, width))
        nn.init.zeros_(self.cross.to_out.weight)
        nn.init.zeros_(self.cross.to_out.bias)

    def forward(self, x: torch.Tensor, modulation: torch.Tensor, around: Surroundings) -> torch.Tensor:
        """x ``(B, F, n, D)``, modulation ``(B, F, 9, D)`` -> ``(B, F, n, D)``."""
        shift1, scale1, gate1, shift2, scale2, gate2, shift3, scale3, gate3 = (modulation + self.table.to(modulation))[
            :, :, :, None
        ].unbind(2)  # each (B, F, 1, D)
        x = x + gate1 * self._in_frame(modulate(x, shift1, scale1), around.places)
        x = x + gate2 * self._over_time(modulate(x, shift2, scale2), around)
        x = x + self._to_text(x, around)
        return x + gate3 * self.mlp(modulate(x, shift3, scale3))

    def _in_frame(self, x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        batch, frames = x.shape[:2]
        x = x.flatten(0, 1)  # (B*F, n, D)
        q, k, v = self.spatial.project(x, x)
        out = attend(rotate(q, places), rotate(k, places), v)
        return self.spatial.join(out).unflatten(0, (batch, frames))

    def _over_time(self, x: torch.Tensor, around: Surroundings) -> torch.Tensor:
        batch, frames, count = x.shape[:3]
        x = x.transpose(1, 2).flatten(0, 1)  # (B*n, F, D)
        q, k, v = self.temporal.project(x, x)
        q, k = rotate(q, around.times), rotate(k, around.times)
        if around.cache is not None:
            k, v = around.cache.extend(self.layer, k, v, keep=around.keep)
        earlier = k.shape[2] - frames
        allowed = None
        if frames > 1:
            allowed = torch.ones(frames, earlier + frames, dtype=torch.bool, device=x.device).tril(earlier)
        return self.temporal.join(attend(q, k, v, allowed)).unflatten(0, (batch, count)).transpose(1, 2)

    def _to_text(self, x: torch.Tensor, around: Surroundings) -> torch.Tensor:
        frames, count = x.shape[1:3]
        q, k, v = self.cross.project(F.layer_norm(x, x.shape[-1:]).flatten(1, 2), around.text)
        return self.cross.join(attend(q, k, v, around.text_mask)).unflatten(1, (frames, count))

"""The world transformer: predicts the flow velocity of latent frames from the past, the ego motion, words and layout.

Two resolutions. At the latent resolution, convolutions paint detail from the noisy latents, the past frame moved by
the ego motion, and the layout. At half of it, attention ties the picture together in space, in time (causal) and to
the text. What comes out is a correction, in standard deviations, of the best guess that noise and moved past allow on
their own, so a fresh network already predicts that the world stands still while the camera moves. The correction has these
parts: what is added, how much of the guess is dropped, and how strongly the layout's own pictures come through
(``models.native.history.layout_pictures``): base colours, for example, times the light that falls on them. Diffusion time is per frame: known frames have t = 0 (Chen et al. 2024, arXiv:2407.01392), so context,
continuation and free generation are one path. What was tried, and how fairly, stands in docs/experiments.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.loaders import PeftAdapterMixin
from torch import nn

from worldgen.core.layout_channels import LAYOUT_CHANNELS
from worldgen.models.native.blocks import (
    AttentionBlock,
    ConvBlock,
    FrameEmbedding,
    LayoutStem,
    Surroundings,
    axis_angles,
    cells_of,
    modulate,
    turn_of,
)  # fmt: skip
from worldgen.models.native.cache import TemporalCache
from worldgen.models.native.codec import PATCH_VALUES, SPATIAL_FACTOR, PatchCodec
from worldgen.models.native.conditions import CAMERA_FEATURES, ConditionBatch
from worldgen.models.native.history.layout_pictures import PICTURES, picture_cells
from worldgen.models.native.text import pooled_text

CHANGE_STD, DATA_STD = 0.3, 1.0
"""Assumed of weights that were never told the spread of their data (:meth:`WorldTransformer.fit`)."""

LAYOUT_FACTOR = SPATIAL_FACTOR
"""Layouts come at the resolution of the picture: a distant pedestrian is still a shape, with the edges he is to have."""


@dataclass(frozen=True, eq=False)
class _Guess:
    """What noise and moved past say on their own. t ``(B, F)``, and as ``time (B, 1, F, 1, 1)``; the rest ``(B, C, F, h, w)``:
    variance around the past, that of the noisy latents, the best linear guess, and noise in units of its spread."""

    t: torch.Tensor
    time: torch.Tensor
    variance: torch.Tensor
    spread: torch.Tensor
    clean: torch.Tensor
    unexplained: torch.Tensor


@dataclass(frozen=True, eq=False)
class EncodedLayout:
    """A layout as the network takes it: its pictures as latents in units of their spread, each ``(B, C, F, h, w)``, zero where
    unknown; its features ``(B*F, D0, h, w)``, None without any layout."""

    pictures: tuple[torch.Tensor, ...]
    features: torch.Tensor | None


@dataclass(frozen=True, eq=False)
class _Features:
    """Features ``(B*F, D0, h, w)`` and ``(B, F, n, D)``, the layout's pictures, each ``(B, C, F, h, w)``, frame vectors
    ``(B*F, Dc)``, modulation."""

    detail: torch.Tensor
    whole: torch.Tensor
    pictures: tuple[torch.Tensor, ...]
    frames: torch.Tensor
    detail_modulation: torch.Tensor


def _flat(maps: torch.Tensor) -> torch.Tensor:
    """``(B, C, F, h, w)`` to ``(B*F, C, h, w)``, channels last in memory."""
    return maps.movedim(2, 1).flatten(0, 1).contiguous(memory_format=torch.channels_last)


class WorldTransformer(ModelMixin, ConfigMixin, PeftAdapterMixin):
    """Velocity of flow matching for latents ``(B, C, F, h, w)``, h and w even.

    Args:
        latent_channels: C of the codec.
        detail_width: channels at the latent resolution; detail_blocks: convolution blocks on each side.
        width, blocks, heads: attention at half the latent resolution.
        frame_width: width of the per-frame condition vector.
        text_width: width of the text encoder's states.
        layout_channels: K of the layout maps.
        accepts: conditions the weights were trained to obey; others are refused by name.
        change_std, data_std: standard deviation of each latent channel from the moved past where that was seen, and on its
            own; empty for the defaults above.
        reads_noise: whether the network also sees what the moved past does not explain, which at t = 1 is the noise itself
            and nothing else. A mean needs no dice; falling drops do (``models.native.losses.adversarial``).
    """

    _supports_gradient_checkpointing = True
    _no_split_modules = ["AttentionBlock", "ConvBlock"]  # noqa: RUF012 - diffusers reads a list

    @register_to_config
    def __init__(  # noqa: PLR0917 - diffusers writes exactly these arguments to config.json
        self,
        latent_channels: int = 48,
        detail_width: int = 128,
        detail_blocks: int = 2,
        width: int = 256,
        blocks: int = 5,
        heads: int = 4,
        frame_width: int = 256,
        text_width: int = 128,
        layout_channels: int = len(LAYOUT_CHANNELS),
        accepts: tuple[str, ...] = ("context", "text", "ego", "layout"),
        context_window: int = 16,
        height_px: int = 128,
        width_px: int = 224,
        fps: float = 8.0,
        change_std: tuple[float, ...] = (),
        data_std: tuple[float, ...] = (),
        reads_noise: bool = False,
    ):
        super().__init__()
        self._set_spread()
        channels = latent_channels
        self.frame_embedding = FrameEmbedding(frame_width, text_width, CAMERA_FEATURES)
        self.stem = nn.Conv2d(3 * channels + 2, detail_width, 3, padding=1)
        self.layout_stem = LayoutStem(layout_channels, detail_width)
        self.picture_stem = nn.Linear(PATCH_VALUES, channels)
        self.detail_modulation = nn.Linear(frame_width, ConvBlock.MODULATIONS * detail_width)
        self.modulation = nn.Linear(frame_width, AttentionBlock.MODULATIONS * width)
        self.detail_in = nn.ModuleList(ConvBlock(detail_width) for _ in range(detail_blocks))
        self.down = nn.Linear(4 * detail_width, width)
        self.attention = nn.ModuleList(AttentionBlock(width, heads, text_width, i) for i in range(blocks))
        self.up = nn.Linear(width, 4 * detail_width)
        self.merge = nn.Conv2d(2 * detail_width, detail_width, 1)
        self.detail_out = nn.ModuleList(ConvBlock(detail_width) for _ in range(detail_blocks))
        self.head_modulation = nn.Linear(frame_width, 2 * detail_width)
        self.head = nn.Conv2d(detail_width, (2 + PICTURES) * channels, 3, padding=1)
        self.gradient_checkpointing = False
        self._zero_start()
        if reads_noise:
            self.read_noise()
        self.to(memory_format=torch.channels_last)

    def _zero_start(self) -> None:
        """adaLN-zero: every block is the identity at the start, and nothing is corrected."""
        for module in (self.detail_modulation, self.modulation, self.head_modulation, self.head):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)

    def _set_spread(self) -> None:
        channels = self.config.latent_channels
        for name, default in (("change", CHANGE_STD), ("data", DATA_STD)):
            values = torch.tensor(tuple(self.config[f"{name}_std"]) or (default,) * channels)
            # Not saved with the weights: config.json holds the numbers.
            self.register_buffer(f"{name}_spread", values, persistent=False)

    @torch.no_grad()
    def fit(self, change_std: tuple[float, ...], data_std: tuple[float, ...], codec: PatchCodec) -> None:
        """Tell the network the spread of its data, as in the class's arguments, and the transform of its codec, by which
        the layout's pictures are latents to begin with; to be done before it is trained."""
        self.register_to_config(change_std=tuple(change_std), data_std=tuple(data_std))
        self._set_spread()
        self.picture_stem.weight.copy_(codec.encoder.project.weight[..., 0, 0])
        self.picture_stem.bias.copy_(codec.encoder.project.bias)

    def read_noise(self) -> None:
        """From now on the network reads its noise too, through new weights that are zero: its output is as before."""
        self.register_to_config(reads_noise=True)
        self.noise_stem = nn.Conv2d(self.config.latent_channels, self.config.detail_width, 3, padding=1)
        nn.init.zeros_(self.noise_stem.weight)
        nn.init.zeros_(self.noise_stem.bias)
        self.noise_stem.to(self.stem.weight, memory_format=torch.channels_last)

    def variance(self, reprojected: torch.Tensor) -> torch.Tensor:
        """Variance ``(B, C, F, h, w)`` of clean latents around ``reprojected``: that of a change where it was seen, else that of data."""
        seen = reprojected[:, -1:]
        change, data = (s.to(reprojected).square()[None, :, None, None, None] for s in (self.change_spread, self.data_spread))
        return seen * change + (1 - seen) * data

    def new_cache(self, window: int | None = None) -> TemporalCache:
        """An empty cache for a rollout; attends to at most ``window`` past frames (default: as trained)."""
        return TemporalCache(len(self.attention), window or self.config.context_window)

    def forward(
        self,
        latents: torch.Tensor,
        t: torch.Tensor,
        reprojected: torch.Tensor,
        conditions: ConditionBatch,
        text: torch.Tensor,
        *,
        cache: TemporalCache | None = None,
        layout: EncodedLayout | None = None,
    ) -> torch.Tensor:
        """Velocity ``noise - data`` of the noisy latents, same shape.

        latents ``(B, C, F, h, w)``: ``(1 - t) * data + t * noise`` per frame. t ``(B, F)`` in [0, 1], 0 for known
        frames. past ``(B, C + 1, F, h, w)``: the latest known picture before this chunk, moved to each frame's view and
        encoded, and where it was seen (zeros when there is none). text ``(B, L, Dt)``: states of ``conditions.text_ids``. With a
        ``cache``, frames continue after those in it. layout: what :meth:`encode_layout` made of the conditions, where that is
        known already.
        """
        guess = self._guess(latents, t, reprojected)
        seen = self._seen(guess, reprojected, conditions, text, cache, layout=layout)
        batch, _, frames, height, width = latents.shape
        y = self.up(seen.whole).flatten(0, 1).unflatten(1, (height // 2, width // 2)).movedim(-1, 1)
        x = self.merge(torch.cat([seen.detail, F.pixel_shuffle(y, 2)], 1).contiguous(memory_format=torch.channels_last))
        for block in self.detail_out:
            x = self._run(block, x, seen.detail_modulation)
        shift, scale = self.head_modulation(seen.frames)[:, None, None].chunk(2, -1)
        x = self.head(F.silu(modulate(x.movedim(1, -1), shift, scale)).movedim(-1, 1))
        parts = x.unflatten(0, (batch, frames)).movedim(1, 2).chunk(2 + PICTURES, 1)  # (B, C, F, h, w) each
        added, dropped, strengths = parts[0], parts[1], parts[2:]
        correction = added - dropped * guess.clean / self._unit(guess.clean)
        correction = correction + sum(s * picture for s, picture in zip(strengths, seen.pictures, strict=True))
        # Velocity = (x_t - x0) / t, written so that nothing is divided by a small t.
        time, variance = guess.time, guess.variance
        linear = ((time - variance * (1 - time)) * latents - time * reprojected[:, :-1]) / guess.spread
        return linear - (variance / guess.spread).sqrt() * correction

    def append_to_cache(
        self,
        latents: torch.Tensor,
        t: torch.Tensor,
        reprojected: torch.Tensor,
        conditions: ConditionBatch,
        text: torch.Tensor,
        *,
        cache: TemporalCache,
        layout: EncodedLayout | None = None,
    ) -> None:
        """Add final frames (t = 0) to ``cache``; arguments as in :meth:`forward`. Nothing is painted, which is half of the work."""
        self._seen(self._guess(latents, t, reprojected), reprojected, conditions, text, cache, layout=layout, keep=True)
        cache.advance(latents.shape[2])

    def _guess(self, latents: torch.Tensor, t: torch.Tensor, reprojected: torch.Tensor) -> _Guess:
        # With data N(m, s^2), the mean of x0 given x_t is m + s^2 (1 - t) / d (x_t - (1 - t) m), d = s^2 (1 - t)^2 + t^2,
        # and its standard deviation s t / sqrt(d): what the network reads, and the unit of what it corrects (as the
        # preconditioning of Karras et al. 2022, arXiv:2206.00364, section 5, with the moved past for the mean). It reads
        # this guess instead of x_t, which at t = 1 is noise and nothing else.
        variance = self.variance(reprojected)
        mean = reprojected[:, :-1]  # also where the point was not seen: what is near in the old picture is better than grey
        time = t.to(latents.dtype)[:, None, :, None, None]
        spread = variance * (1 - time).square() + time.square()
        unexplained = latents - (1 - time) * mean
        clean = mean + variance * (1 - time) / spread * unexplained
        return _Guess(t, time, variance, spread, clean, unexplained / spread.sqrt())

    def _seen(
        self, guess: _Guess, reprojected: torch.Tensor, conditions: ConditionBatch, text: torch.Tensor,
        cache: TemporalCache | None, *, layout: EncodedLayout | None, keep: bool = False,
    ) -> _Features:  # fmt: skip
        """What is made of all that is given, before anything is painted; with ``keep`` the cache remembers it."""
        batch, _, frames, height, width = guess.clean.shape
        known_text = conditions.text_mask
        frame = F.silu(self.frame_embedding(guess.t, conditions, pooled_text(text, known_text)))  # (B, F, Dc)
        flat = frame.flatten(0, 1)
        detail_mod = self.detail_modulation(flat).unflatten(-1, (ConvBlock.MODULATIONS, -1))  # (B*F, 3, D0)
        attention_mod = self.modulation(frame).unflatten(-1, (AttentionBlock.MODULATIONS, -1))  # (B, F, 9, D)
        layout = layout or self.encode_layout(conditions, guess.clean)
        unit = self._unit(guess.clean)
        time = guess.time.expand_as(reprojected[:, -1:])
        x = self.stem(
            _flat(torch.cat([guess.clean / unit, reprojected[:, :-1] / unit, layout.pictures[0], reprojected[:, -1:], time], 1))
        )
        if layout.features is not None:
            x = x + layout.features
        if self.config.reads_noise:
            x = x + self.noise_stem(_flat(guess.unexplained))
        for block in self.detail_in:
            x = self._run(block, x, detail_mod)
        y = self.down(F.pixel_unshuffle(x, 2).movedim(1, -1))  # (B*F, h/2, w/2, D)
        y = y.flatten(1, 2).unflatten(0, (batch, frames))  # (B, F, n, D)
        start = 0 if cache is None else cache.num_frames
        places, times = self._positions(height // 2, width // 2, start, frames, y)
        # A row without text must still attend to something: attention over nothing is not a number.
        text_mask = (known_text | ~known_text.any(1, keepdim=True))[:, None, None]
        text = text * known_text.any(1)[:, None, None]
        around = Surroundings(text, text_mask, places, times, cache, keep)
        for block in self.attention:
            y = self._run(block, y, attention_mod, around)
        return _Features(x, y, layout.pictures, flat, detail_mod)

    def _unit(self, like: torch.Tensor) -> torch.Tensor:
        """Each channel's own spread, or the mean brightness of patches would drown their edges."""
        return self.data_spread.to(like)[None, :, None, None, None]

    def encode_layout(self, conditions: ConditionBatch, like: torch.Tensor) -> EncodedLayout:
        """What the network makes of the layout before anything else; ``like`` are latents ``(B, C, F, h, w)`` of its frames."""
        if conditions.layout is None:
            return EncodedLayout((torch.zeros_like(like),) * PICTURES, None)
        frames = like.shape[2]
        known = conditions.layout_known.to(like.dtype).repeat_interleave(frames)[:, None, None, None]
        weight, bias = self.picture_stem.weight, self.picture_stem.bias
        base, *others = picture_cells(conditions.layout, conditions.camera, like.dtype)
        # What others add has no grey to start from.
        encoded = F.linear(base, weight, bias), *(F.linear(cells, weight) for cells in others)
        spread = self.data_spread.to(like)
        pictures = tuple(
            (known * latents / spread).unflatten(0, (-1, frames)).permute(0, 4, 1, 2, 3).to(like) for latents in encoded
        )
        features = self.layout_stem(cells_of(conditions.layout).to(like.dtype)).movedim(-1, 1)
        return EncodedLayout(pictures, known.to(features) * features)

    def _positions(self, rows: int, columns: int, start: int, frames: int, like: torch.Tensor):
        """Rotary positions of places ``(2, rows*columns, d/2)`` (rows, then columns) and frames ``(2, F, d/2)``."""
        half = self.config.width // self.config.heads // 2
        device = like.device
        row = axis_angles(torch.arange(rows, device=device), half // 2)
        column = axis_angles(torch.arange(columns, device=device), half - half // 2)
        places = torch.cat([row.repeat_interleave(columns, 0), column.repeat(rows, 1)], -1)
        times = axis_angles(torch.arange(start, start + frames, device=device), half)
        return turn_of(places, like.dtype), turn_of(times, like.dtype)

    def _run(self, block: nn.Module, *inputs) -> torch.Tensor:
        if torch.is_grad_enabled() and self.gradient_checkpointing:
            return self._gradient_checkpointing_func(block, *inputs)
        return block(*inputs)

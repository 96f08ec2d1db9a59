"""The world transformer: predicts the flow velocity of latent frames from history, ego motion, text and layout.

The network has two resolutions. At the latent resolution, convolutions read the best linear guess, the reprojected
frame and the layout. At half of that resolution, attention connects places in space, frames in time (causally) and
the words of the text. The output is a correction, in standard deviations, of the best linear guess that the noisy
latents and the reprojected frame allow (:class:`worldgen.models.native.flow_matching.FlowMatching`). A fresh network,
whose output is zero, therefore already predicts that the world stands still while the camera moves. The correction
has three parts: what is added, how much of the guess is dropped, and how strongly each picture of the layout comes
through (``models.native.history.layout_pictures``): base colours, for example, times the light that falls on them.
Diffusion time is per frame: known frames have t = 0 (Chen et al. 2024, arXiv:2407.01392), so context, continuation
and free generation are one path. docs/design/experiments.md lists what else was tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.loaders import PeftAdapterMixin
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from worldgen.core.layout_channels import LAYOUT_CHANNELS
from worldgen.models.native.blocks import (
    AttentionBlock,
    ConvBlock,
    FrameEmbedding,
    LayoutStem,
    PictureStem,
    Surroundings,
    added_light,
    axis_angles,
    cells_of,
    modulate,
    turn_of,
)  # fmt: skip
from worldgen.models.native.cache import TemporalCache
from worldgen.models.native.codec import PATCH_VALUES, SPATIAL_FACTOR, PatchCodec, to_channels_last
from worldgen.models.native.conditions import CAMERA_FEATURES, ConditionBatch
from worldgen.models.native.encoded_layout import EncodedLayout, LayoutMemo
from worldgen.models.native.flow_matching import FlowMatching, LinearGuess
from worldgen.models.native.history.layout_pictures import PICTURES, picture_cells
from worldgen.models.native.text import pooled_text

CHANGE_STD, DATA_STD = 0.3, 1.0
"""Standard deviations assumed until :meth:`WorldTransformer.fit` sets those of the training data."""

LAYOUT_FACTOR = SPATIAL_FACTOR
"""Layouts have the resolution of the picture, so that a distant pedestrian still has a shape with edges."""


@dataclass(frozen=True, eq=False)
class _Features:
    """Hidden states before the head.

    detail ``(B*F, D0, h, w)`` at the latent resolution, coarse ``(B, F, n, D)`` at half of it, the layout's pictures,
    each ``(B, C, F, h, w)``, the condition vectors of the frames ``(B*F, Dc)`` and the modulation of the convolution
    blocks.
    """

    detail: torch.Tensor
    coarse: torch.Tensor
    pictures: tuple[torch.Tensor, ...]
    frames: torch.Tensor
    detail_modulation: torch.Tensor


def _flat(maps: torch.Tensor) -> torch.Tensor:
    """``(B, C, F, h, w)`` to ``(B*F, C, h, w)``, channels last in memory."""
    return maps.movedim(2, 1).flatten(0, 1).contiguous(memory_format=torch.channels_last)


def _through(module: nn.Module, x: torch.Tensor, *others: Any) -> torch.Tensor:
    """``module(x, *others)`` on the device of ``x``: the parts of a dispatched network may lie on several."""
    return module(x, *others).to(x.device)


class WorldTransformer(ModelMixin, ConfigMixin, PeftAdapterMixin):  # type: ignore[misc]  # config_name is in both
    """Velocity of flow matching for latents ``(B, C, F, h, w)``, h and w even.

    Args:
        latent_channels: C of the codec.
        detail_width: channels at the latent resolution.
        detail_blocks: convolution blocks before and after the attention.
        width: channels at half the latent resolution.
        blocks: attention blocks there.
        heads: heads of each attention block.
        frame_width: width of the per-frame condition vector.
        text_width: width of the text encoder's states.
        layout_channels: K of the layout maps.
        accepts: conditions the weights were trained to obey; the pipeline refuses others by name.
        context_window: frames that temporal attention reaches back in a rollout.
        height_px: picture height in training, the default when sampling.
        width_px: picture width in training, the default when sampling.
        fps: frame rate of most training windows, the default when sampling.
        change_std: standard deviation of each latent channel around the reprojected frame where that is visible;
            empty for the default above.
        data_std: standard deviation of each latent channel on its own; empty for the default above.
        reads_noise: whether the network also reads what the reprojected frame does not explain, which at t = 1 is the
            noise itself. A model trained with a mean loss ignores this input; adversarial training needs it
            (``models.native.losses.adversarial``).
    """

    _supports_gradient_checkpointing = True
    _no_split_modules = ["AttentionBlock", "ConvBlock", "FrameEmbedding"]  # type: ignore[assignment]  # noqa: RUF012 - diffusers reads a list
    _repeated_blocks = ["AttentionBlock", "ConvBlock"]  # noqa: RUF012 - diffusers reads a list
    change_spread: torch.Tensor
    data_spread: torch.Tensor

    if TYPE_CHECKING:

        @property
        def config(self) -> Any:
            """The constructor's arguments by name."""

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
        self.picture_stem = PictureStem(PATCH_VALUES, channels)
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
        to_channels_last(self)

    def _zero_start(self) -> None:
        """adaLN-zero (Peebles & Xie 2023, arXiv:2212.09748): every block starts as the identity and the correction
        as zero."""
        for module in (self.detail_modulation, self.modulation, self.head_modulation, self.head):
            for parameter in module.parameters():
                nn.init.zeros_(parameter)

    def _set_spread(self) -> None:
        channels = self.config.latent_channels
        for name, default in (("change", CHANGE_STD), ("data", DATA_STD)):
            values = torch.tensor(tuple(self.config[f"{name}_std"]) or (default,) * channels)
            # Not saved with the weights: config.json holds the numbers.
            self.register_buffer(f"{name}_spread", values, persistent=False)

    @torch.no_grad()
    def fit(self, change_std: tuple[float, ...], data_std: tuple[float, ...], codec: PatchCodec) -> None:
        """Set the spread of the training data (see the class) and start the layout's pictures at the codec's own
        transform.

        Call it before training begins.
        """
        self.register_to_config(change_std=tuple(change_std), data_std=tuple(data_std))
        self._set_spread()
        project = codec.encoder.project
        assert project.bias is not None
        self.picture_stem.weight.copy_(project.weight[..., 0, 0])
        self.picture_stem.bias.copy_(project.bias)

    def read_noise(self) -> None:
        """Let the network read its noise too, through new weights that are zero, so that its output stays as it was."""
        self.register_to_config(reads_noise=True)
        self.noise_stem = nn.Conv2d(self.config.latent_channels, self.config.detail_width, 3, padding=1)
        for parameter in self.noise_stem.parameters():
            nn.init.zeros_(parameter)
        weight = self.stem.weight
        self.noise_stem.to(weight.device, weight.dtype)
        to_channels_last(self.noise_stem)

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """As in diffusers; the weights of convolutions are laid out as in a fresh network."""
        loaded = super().from_pretrained(*args, **kwargs)
        to_channels_last(loaded[0] if isinstance(loaded, tuple) else loaded)
        return loaded

    @property
    def flow(self) -> FlowMatching:
        """The path, preconditioning and loss for the spread of this network's data."""
        return FlowMatching(self.change_spread, self.data_spread)

    def new_cache(self, window: int | None = None) -> TemporalCache:
        """An empty cache for a rollout that attends to at most ``window`` earlier frames (default: as trained)."""
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
        layout: LayoutMemo | None = None,
        keep: bool = False,
    ) -> torch.Tensor:
        """Velocity ``noise - data`` of the noisy latents, same shape.

        Args:
            latents: ``(B, C, F, h, w)``, ``(1 - t) * data + t * noise`` per frame.
            t: ``(B, F)`` in [0, 1], 0 for known frames.
            reprojected: ``(B, C + 1, F, h, w)``, the latest earlier frame as each new frame's camera would see it,
                encoded, and its visibility in the last channel; zeros where there is no earlier frame.
            conditions: of the same F frames.
            text: ``(B, L, Dt)``, states of ``conditions.text_ids``.
            cache: where given, the frames continue after those in it.
            layout: keeps the encoded layout of these conditions for further calls with the same frames.
            keep: only add the frames to ``cache``, and return the latents as they are: see :meth:`append_to_cache`.
        """
        guess = self.flow.guess(latents, t, reprojected)
        if keep:
            assert cache is not None
            self._hidden(guess, reprojected, conditions, text, cache, layout=layout, keep=True)
            cache.advance(latents.shape[2])
            return latents
        hidden = self._hidden(guess, reprojected, conditions, text, cache, layout=layout)
        batch, _, frames, height, width = latents.shape
        y = _through(self.up, hidden.coarse).flatten(0, 1).unflatten(1, (height // 2, width // 2)).movedim(-1, 1)
        both = torch.cat([hidden.detail, F.pixel_shuffle(y, 2)], 1)
        x = _through(self.merge, both.contiguous(memory_format=torch.channels_last))
        for block in self.detail_out:
            x = self._run(block, x, hidden.detail_modulation)
        shift, scale = _through(self.head_modulation, hidden.frames)[:, None, None].chunk(2, -1)
        x = _through(self.head, F.silu(modulate(x.movedim(1, -1), shift, scale)).movedim(-1, 1))
        parts = x.unflatten(0, (batch, frames)).movedim(1, 2).chunk(2 + PICTURES, 1)  # (B, C, F, h, w) each
        added, dropped, strengths = parts[0], parts[1], parts[2:]
        correction = added - dropped * guess.clean / self._unit(guess.clean)
        correction = correction + sum(s * picture for s, picture in zip(strengths, hidden.pictures, strict=True))
        return self.flow.corrected_velocity(guess, latents, reprojected, correction)

    def append_to_cache(
        self,
        latents: torch.Tensor,
        t: torch.Tensor,
        reprojected: torch.Tensor,
        conditions: ConditionBatch,
        text: torch.Tensor,
        *,
        cache: TemporalCache,
        layout: LayoutMemo | None = None,
    ) -> None:
        """Add final frames (t = 0) to ``cache``; arguments as in :meth:`forward`.

        The head and the blocks behind the attention do not run, which saves half of the work. It goes through
        :meth:`forward`, so hooks that load weights or cast them apply.
        """
        self(latents, t, reprojected, conditions, text, cache=cache, layout=layout, keep=True)

    def _hidden(
        self, guess: LinearGuess, reprojected: torch.Tensor, conditions: ConditionBatch, text: torch.Tensor,
        cache: TemporalCache | None, *, layout: LayoutMemo | None, keep: bool = False,
    ) -> _Features:  # fmt: skip
        """Hidden states of all inputs before the head; with ``keep`` the cache stores their keys and values."""
        batch, _, frames, height, width = guess.clean.shape
        known_text = conditions.text_mask
        frame = F.silu(_through(self.frame_embedding, guess.t, conditions, pooled_text(text, known_text)))  # (B, F, Dc)
        flat = frame.flatten(0, 1)
        detail_mod = _through(self.detail_modulation, flat).unflatten(-1, (ConvBlock.MODULATIONS, -1))  # (B*F, 3, D0)
        attention_mod = _through(self.modulation, frame).unflatten(-1, (AttentionBlock.MODULATIONS, -1))  # (B, F, 9, D)
        memo = layout or LayoutMemo()
        shown = memo.encoded = memo.encoded or self.encode_layout(conditions, guess.clean)
        unit = self._unit(guess.clean)
        time = guess.time.expand_as(reprojected[:, -1:])
        seen = [guess.clean / unit, reprojected[:, :-1] / unit, shown.pictures[0], reprojected[:, -1:], time]
        x = _through(self.stem, _flat(torch.cat(seen, 1)))
        if shown.features is not None:
            x = x + shown.features
        if self.config.reads_noise:
            x = x + _through(self.noise_stem, _flat(guess.unexplained))
        for block in self.detail_in:
            x = self._run(block, x, detail_mod)
        y = _through(self.down, F.pixel_unshuffle(x, 2).movedim(1, -1))  # (B*F, h/2, w/2, D)
        y = y.flatten(1, 2).unflatten(0, (batch, frames))  # (B, F, n, D)
        start = 0 if cache is None else cache.num_frames
        places, times = self._positions(height // 2, width // 2, start, frames, y)
        # A row without text must still attend to something: a softmax over nothing is not a number.
        text_mask = (known_text | ~known_text.any(1, keepdim=True))[:, None, None]
        text = text * known_text.any(1)[:, None, None]
        around = Surroundings(text, text_mask, places, times, cache, keep)
        for block in self.attention:
            y = self._run(block, y, attention_mod, around)
        return _Features(x, y, shown.pictures, flat, detail_mod)

    def _unit(self, like: torch.Tensor) -> torch.Tensor:
        """Standard deviation of each channel: without this scale, the mean brightness of patches would dominate
        their edges."""
        return self.data_spread.to(like)[None, :, None, None, None]

    def encode_layout(self, conditions: ConditionBatch, like: torch.Tensor) -> EncodedLayout:
        """The layout of the conditions as the network reads it; ``like`` are latents ``(B, C, F, h, w)`` of the
        same frames. :meth:`forward` calls it: weights that hooks move or cast are in place only there."""
        if conditions.layout is None:
            return EncodedLayout((torch.zeros_like(like),) * PICTURES, None)
        frames = like.shape[2]
        known = conditions.layout_known.to(like.dtype).repeat_interleave(frames)[:, None, None, None]
        base, *others = picture_cells(conditions.layout, conditions.camera, like.dtype)
        # The other pictures are added light, so they have no mean to subtract.
        encoded = _through(self.picture_stem, base), *(added_light(self.picture_stem, cells) for cells in others)
        spread = self.data_spread.to(like)
        pictures = tuple(
            (known * latents / spread).unflatten(0, (-1, frames)).permute(0, 4, 1, 2, 3).to(like) for latents in encoded
        )
        features = _through(self.layout_stem, cells_of(conditions.layout).to(like.dtype)).movedim(-1, 1)
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

    def _run(self, block: nn.Module, x: torch.Tensor, modulation: torch.Tensor, *around: Surroundings) -> torch.Tensor:
        # A cache changes between the two runs of a checkpointed block, so blocks that use one keep their states.
        cached = any(each.cache is not None for each in around)
        if torch.is_grad_enabled() and self.gradient_checkpointing and not cached:
            return self._gradient_checkpointing_func(block, x, modulation, *around).to(x.device)
        return _through(block, x, modulation, *around)

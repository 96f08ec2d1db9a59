"""Rollouts: frames generated chunk by chunk, each from the frames before it, in constant memory.

Sampling, restyling and training share this code: a history that training generates is what a rollout would show the
network.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from worldgen.models.interface import SamplerOptions
from worldgen.models.native.codec import decode_video
from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.encoded_layout import LayoutMemo
from worldgen.models.native.history.geometry import ClipGeometry
from worldgen.models.native.history.object_coverage import object_coverage
from worldgen.models.native.history.reprojection import reproject
from worldgen.models.native.networks import WorldNetworks
from worldgen.models.native.rollout.colour_drift import ColourDriftCorrection
from worldgen.models.native.rollout.noise import NoiseSource
from worldgen.models.native.rollout.recorded_detail import RecordedDetail

METHOD = 11
"""Raised whenever the same weights and seeds give other pixels than before; part of the names of stored clips."""

KEYFRAME_INTERVAL = 24
"""Every so many frames a frame becomes the keyframe, which later frames reproject directly as long as it shows the
same points. Tied to the number of the frame, so that a clip does not depend on those beside it in a batch."""

OBJECT_CONFIDENCE = 0.75
"""Factor on the visibility of reprojected frames where a layout shows a labelled object. Limbs of people and riders
move as no reprojection can, and the layout says where they are: at a lower visibility the network repaints more of
them. Ground and walls keep their visibility: what is repainted from frame to frame flickers, and flicker reads as
speed (``benchmarks/rollouts.py`` has other factors; docs/design/experiments.md)."""

KEYFRAME_CONFIDENCE = 0.5
"""Factor on the visibility of the frame that becomes the next keyframe, where there is a layout: blur and stains that
it keeps stay for ``KEYFRAME_INTERVAL`` frames. With this factor on every frame, clips would flicker."""


@dataclass(frozen=True, eq=False)
class PartialNoise:
    """Where frames begin that restyle a source: its clean latents ``(B, C, F, h, w)`` under noise of ``level`` in (0,
    1].

    At level 1 nothing of the source is left and frames begin as in a free rollout.
    """

    source: torch.Tensor
    level: float


class Rollout:
    """The state of one rollout: cache, last picture, position. Feed context, then generate chunks.

    Args:
        networks: of the model.
        conditions: of every frame from 0.
        text: ``(B, L, Dt)``, states of their text; its dtype is the one the transformer computes in.
        noise: of each chunk; :func:`worldgen.models.native.rollout.noise.seeded_noise` depends on seed and frame
            alone, so results do not depend on the batch.
        options: how chunks are sampled.
        start: where frames begin that restyle a source; None: at pure noise.

    Attributes:
        position: number of the next frame.
        video: ``(B, 3, F, H, W)`` in [-1, 1], the newest frames as the codec decodes them; None before the first.
        reprojected: ``(B, C + 1, F, h, w)``, the reprojected frames of the newest chunk, before confidence lowers
            their visibility.
    """

    def __init__(
        self, networks: WorldNetworks, conditions: ConditionBatch, text: torch.Tensor, *, noise: NoiseSource,
        options: SamplerOptions, start: PartialNoise | None = None,
    ):  # fmt: skip
        self.networks, self.noise, self.options, self.start = networks, noise, options, start
        # A scheduler counts its steps, so rollouts of one model in several threads must not share it.
        self.scheduler = copy.copy(networks.scheduler)
        self.position = 0
        self.video: torch.Tensor | None = None
        self.reprojected: torch.Tensor | None = None
        self.keyframe: tuple[torch.Tensor, int] | None = None
        self.geometry: ClipGeometry | None = None
        self.colour_drift: ColourDriftCorrection | None = None
        self.detail: RecordedDetail | None = None
        self._memo = ((-1, 0), LayoutMemo())  # of the chunk that begins at a frame and has so many
        self.cache = networks.transformer.new_cache()
        # One branch with every condition, then one per guided condition with that condition dropped.
        self.guided = [name for name, strength in options.guidance.items() if strength != 1.0]
        self.known = conditions
        branches = [conditions, *(conditions.without(name) for name in self.guided)]
        self.conditions = ConditionBatch.cat(branches) if self.guided else conditions
        self.text = text.repeat(len(branches), 1, 1)

    @property
    def num_frames(self) -> int:
        return self.conditions.ego.shape[1]

    @property
    def newest(self) -> torch.Tensor:
        """``(B, 3, F, H, W)`` in [-1, 1]: the frames that were fed or generated last. There must be some."""
        assert self.video is not None, "no frame has been fed or generated yet"
        return self.video

    def feed(
        self, latents: torch.Tensor, reprojected: torch.Tensor | None = None, *, pictures: torch.Tensor | None = None
    ) -> None:
        """Append known frames ``(B, C, F, h, w)``, t = 0, to the cache.

        reprojected: ``(B, C + 1, F, h, w)``, their reprojected frames where they are known already; otherwise they
            are computed. pictures: ``(B, 3, F, H, W)`` in [-1, 1], recorded frames that the latents are of. Detail of
            later frames is taken from the last of them; the network is shown what the codec leaves of them, as in
            training.
        """
        # Latents that decode to more than white would come back brighter still in the next frame.
        video = decode_video(self.networks.codec, latents).clamp(-1, 1)
        if self.colour_drift is None:
            fed = self.known.frames(self.position, self.position + latents.shape[2])
            self.colour_drift = ColourDriftCorrection.of(latents, fed)
        self._cache(latents, self._reproject_known(video, latents) if reprojected is None else reprojected)
        before, self.video = self.video, video
        if self._renews_keyframe(self.position - 1):
            self.keyframe = (video[:, :, -1], self.position - 1)
            self._estimate_geometry(video if before is None else torch.cat([before, video], 2))
        if pictures is not None:
            self.detail = RecordedDetail(pictures[:, :, -1], self.position - 1, self.geometry)

    def detailed(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The newest frames ``(B, 3, F, H, W)`` with what the last recorded frame shows of their detail, and its
        weight ``(B, 1, F, H, W)`` in [0, 1]; without a recorded frame they are as they are, with a weight of 0."""
        video = self.newest
        if self.detail is None:
            return video, torch.zeros_like(video[:, :1])
        return self.detail.over(video, self.position - video.shape[2], self.known)

    def generate(self, frames: int, shape: tuple[int, int, int]) -> torch.Tensor:
        """The next ``frames`` latent frames ``(B, C, frames, h, w)``; shape is (C, h, w)."""
        self.reprojected = self.reproject_next(frames, shape)
        reprojected = self.with_confidence(self.reprojected)
        latents = self.sample(self._initial(frames, shape), reprojected)
        # Frames of a longer chunk were reprojected from further back than the frames that training puts into the cache.
        self.feed(latents, reprojected if frames == 1 else None)
        return latents

    def reproject_next(self, frames: int, shape: tuple[int, int, int]) -> torch.Tensor:
        """Reprojected frames ``(B, C + 1, frames, h, w)`` of the next chunk from the newest frame.

        Zeros where there is no frame yet. The first chunk of a restyled clip takes the source's own frames, fully
        visible: without them the model would leave most of the noise in the first frame, and every later frame would
        inherit it.
        """
        if self.video is None and self.start is not None and self.start.level < 1:
            clean = self.start.source[:, :, :frames]
            return torch.cat([clean, torch.ones_like(clean[:, :1])], 1).to(self.text.dtype)
        if self.video is None:
            size = (len(self.known), shape[0] + 1, frames, *shape[1:])
            return torch.zeros(size, device=self.text.device, dtype=self.text.dtype)
        last, source = self.video[:, :, -1], self.position - 1
        rows = [self._reproject(last, source, self.position + i, keyframe=self.keyframe) for i in range(frames)]
        return torch.stack(rows, 2)

    def with_confidence(self, reprojected: torch.Tensor) -> torch.Tensor:
        """``reprojected`` ``(B, C + 1, F, h, w)`` of the next frames with the visibility that the network is shown.

        It is lower on labelled objects, and everywhere in a frame that will become the keyframe (``OBJECT_CONFIDENCE``,
        ``KEYFRAME_CONFIDENCE``), for clips with a layout. A restyled clip's own first frames keep theirs.
        """
        frames = reprojected.shape[2]
        own = self.video is None and self.start is not None and self.start.level < 1
        coverage = object_coverage(self.known.frames(self.position, self.position + frames), reprojected.shape[-2:])
        if coverage is None or own:
            return reprojected
        doubt = (1 - OBJECT_CONFIDENCE) * coverage
        if self._renews_keyframe(self.position + frames - 1):
            doubt = doubt.clamp_min(1 - KEYFRAME_CONFIDENCE)
        doubt = doubt * self.known.layout_known[:, None, None, None, None]
        return torch.cat([reprojected[:, :-1], (1 - doubt).to(reprojected) * reprojected[:, -1:]], 1)

    def sample(self, latents: torch.Tensor, reprojected: torch.Tensor) -> torch.Tensor:
        """Noisy latents ``(B, C, F, h, w)`` float32 to clean latents of the next F frames; the cache stays as it is.

        Raises FloatingPointError where the network's output is not finite.
        """
        networks, frames, dtype = self.networks, latents.shape[2], self.text.dtype
        conditions = self._window(frames)
        reprojected = reprojected.repeat(self._branches, 1, 1, 1, 1)
        level = 1.0 if self.start is None else self.start.level
        steps = [level * sigma for sigma in shifted_sigmas(self.options)]
        self.scheduler.set_timesteps(sigmas=steps, device=latents.device)
        sigmas = self.scheduler.sigmas
        for i, timestep in enumerate(self.scheduler.timesteps):
            repeated = latents.to(dtype).repeat(self._branches, 1, 1, 1, 1)
            t = sigmas[i].to(latents.device).expand(repeated.shape[0], frames)
            velocity = networks.transformer(
                repeated, t, reprojected, conditions, self.text, cache=self.cache, layout=self._layout(frames)
            ).float()
            velocity = guided(velocity, [self.options.guidance[name] for name in self.guided])
            latents = self.scheduler.step(velocity, timestep, latents, return_dict=False)[0]  # type: ignore[arg-type]  # FloatTensor
        if self.colour_drift is not None:
            latents = self.colour_drift.hold(latents, self.known.frames(self.position, self.position + frames))
        if not torch.isfinite(latents).all():
            raise FloatingPointError(f"the model made non-finite latents at frame {self.position}")
        return latents.to(dtype)

    @property
    def _branches(self) -> int:
        return len(self.guided) + 1

    def _initial(self, frames: int, shape: tuple[int, int, int]) -> torch.Tensor:
        """Noisy latents ``(B, C, frames, h, w)`` float32 that the next chunk begins with."""
        noise = self.noise(self.position, frames, shape).to(self.text.device)
        if self.start is None:
            return noise
        clean = self.start.source[:, :, self.position : self.position + frames].float()
        return self.networks.transformer.flow.noisy(clean, noise, self.start.level)

    def _cache(self, latents: torch.Tensor, reprojected: torch.Tensor) -> None:
        frames = latents.shape[2]
        latents, reprojected = (x.repeat(self._branches, 1, 1, 1, 1) for x in (latents, reprojected))
        t = torch.zeros(latents.shape[0], frames, device=latents.device)
        conditions = self._window(frames)
        self.networks.transformer.append_to_cache(
            latents, t, reprojected, conditions, self.text, cache=self.cache, layout=self._layout(frames)
        )
        self.position += frames

    def _renews_keyframe(self, frame: int) -> bool:
        """Whether ``frame`` will be the keyframe from then on."""
        return self.keyframe is None or frame - self.keyframe[1] >= KEYFRAME_INTERVAL

    def _estimate_geometry(self, video: torch.Tensor) -> None:
        """Where there is no layout, estimate the depth of the scene from the newest frames ``(B, 3, F, H, W)``."""
        if video.shape[2] > 1 and bool((self.known.ego_known & ~self.known.layout_known).any()):
            self.geometry = ClipGeometry.of(video, self.known, self.position - 1, self.geometry)

    def _window(self, frames: int) -> ConditionBatch:
        return self.conditions.frames(self.position, self.position + frames)

    def _layout(self, frames: int) -> LayoutMemo:
        """Where the network keeps the encoded layout of the next ``frames`` frames."""
        place = (self.position, frames)
        if self._memo[0] != place:
            self._memo = (place, LayoutMemo())
        return self._memo[1]

    def _reproject(
        self, picture: torch.Tensor, source: int, target: int, *, keyframe: tuple[torch.Tensor, int] | None = None
    ) -> torch.Tensor:
        """``(B, C + 1, h, w)``; all branches share it, because a dropped condition changes only what the network
        reads."""
        return reproject(
            self.networks.codec, picture, self.known, source=source, target=target, keyframe=keyframe,
            geometry=self.geometry,
        )[0].to(self.text.dtype)  # fmt: skip

    def _reproject_known(self, video: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """For each known frame the frame before it, reprojected; zeros for the first frame of all."""
        pictures = video if self.video is None else torch.cat([self.video[:, :, -1:], video], 2)
        first = self.position + video.shape[2] - pictures.shape[2]
        rows = [self._reproject(pictures[:, :, i], first + i, first + i + 1) for i in range(pictures.shape[2] - 1)]
        if self.video is None:
            batch, channels, _, height, width = latents.shape
            rows.insert(0, torch.zeros(batch, channels + 1, height, width, device=latents.device, dtype=latents.dtype))
        return torch.stack(rows, 2)


def guided(velocity: torch.Tensor, strengths: list[float]) -> torch.Tensor:
    """The velocity of the first rows, pushed away from that of each further branch, in which one condition was
    dropped."""
    full, *dropped = velocity.chunk(len(strengths) + 1)
    pushed = full
    for strength, without in zip(strengths, dropped, strict=True):
        pushed = pushed + (strength - 1.0) * (full - without)
    return pushed


def shifted_sigmas(options: SamplerOptions) -> list[float]:
    """Noise levels from 1 downwards, without the final 0: t' = s t / (1 + (s - 1) t) (Esser et al. 2024, eq. 23)."""
    times = torch.linspace(1, 0, options.steps + 1)[:-1]
    return (options.shift * times / (1 + (options.shift - 1) * times)).tolist()


def chunks(start: int, stop: int, chunk: int) -> Iterator[int]:
    """Sizes of the chunks from frame ``start`` to ``stop``."""
    while start < stop:
        size = min(chunk, stop - start)
        yield size
        start += size

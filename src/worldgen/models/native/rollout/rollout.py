"""Rollouts: frames made chunk by chunk, each from the past, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from worldgen.core.errors import InputError
from worldgen.models.native.codec import decode_video
from worldgen.models.native.conditions import ConditionBatch
from worldgen.models.native.history.geometry import ClipGeometry
from worldgen.models.native.history.object_coverage import object_coverage
from worldgen.models.native.history.reprojection import reproject
from worldgen.models.native.rollout.colour_drift import ColourDriftCorrection
from worldgen.models.native.rollout.noise import chunk_noise
from worldgen.models.native.transformer import EncodedLayout

GUIDABLE = ("text", "ego", "layout")

METHOD = 10
"""Raised whenever the same weights and seeds give other pixels than before; part of the names of stored clips."""

KEYFRAME_INTERVAL = 24
"""Every so many frames a picture is kept, and looked up in directly as long as it shows what is asked for. Tied to the
number of the frame, so that a clip does not depend on those beside it in a batch."""


OBJECT_CONFIDENCE = 0.75
"""How much of what was seen counts as seen where a layout shows a labelled thing. People and riders move their limbs, which no past
follows, and the layout says where they are: told that less was seen, the network paints more of them anew. Ground and walls
are believed: what is painted anew from frame to frame flickers, and flicker reads as speed (``benchmarks/rollouts.py``
has other shares; docs/experiments.md)."""


KEYFRAME_CONFIDENCE = 0.5
"""How much counts as seen of the frame that becomes the next key picture, where there is a layout: what it keeps of blur and stains
stays for the next ``KEYFRAME_INTERVAL``. Every frame so would flicker."""


@dataclass(frozen=True)
class SamplerOptions:
    """How a rollout is sampled.

    steps: network evaluations per chunk. chunk: frames made together. guidance: condition -> strength; 1 is plain
    conditional sampling, larger values push away from what the model would do without that condition
    (Ho & Salimans 2022, arXiv:2207.12598, eq. 6, one term per condition). shift: moves steps to high noise (> 1).
    """

    steps: int = 1
    chunk: int = 1
    guidance: dict[str, float] = field(default_factory=dict)
    shift: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 1000:
            raise InputError("sampling steps", self.steps, "1 to 1000")
        if not 1 <= self.chunk <= 64:
            raise InputError("frames per chunk", self.chunk, "1 to 64")
        for name, value in self.guidance.items():
            if name not in GUIDABLE:
                raise InputError("guidance of condition", name, "one of " + ", ".join(GUIDABLE))
            if not 0 <= value <= 50:
                raise InputError(f"guidance strength of {name}", value, "0 to 50")


class Rollout:
    """The state of one rollout: cache, last picture, position. Feed context, then make chunks.

    ``pipeline`` gives transformer, codec and scheduler. ``conditions`` covers every frame from 0; ``seeds`` has one seed
    per clip. Noise depends on (seed, frame) alone, so results do not depend on the batch they are made in. ``video``
    ``(B, 3, F, H, W)`` holds the newest frames as the codec shows them, ``reprojected`` ``(B, C + 1, F, h, w)`` the past of the newest
    that were made, before any of it is doubted.
    """

    def __init__(
        self, pipeline, conditions: ConditionBatch, text: torch.Tensor, *, seeds: list[int], options: SamplerOptions
    ):
        assert len(conditions) == len(seeds), (len(conditions), len(seeds))
        self.transformer, self.codec, self.scheduler = pipeline.transformer, pipeline.codec, pipeline.scheduler
        self.seeds = seeds
        self.options = options
        self.position = 0
        self.video: torch.Tensor | None = None
        self.reprojected: torch.Tensor | None = None
        self.keyframe: tuple[torch.Tensor, int] | None = None
        self.geometry: ClipGeometry | None = None
        self.colour_drift: ColourDriftCorrection | None = None
        self._read: tuple[tuple[int, int], EncodedLayout] | None = None
        self.cache = self.transformer.new_cache()
        # One branch with every condition, then one per guided condition with that condition dropped.
        self.guided = [name for name, strength in options.guidance.items() if strength != 1.0]
        self.known = conditions
        branches = [conditions, *(conditions.without(name) for name in self.guided)]
        self.conditions = ConditionBatch.cat(branches) if self.guided else conditions
        self.text = text.repeat(len(branches), 1, 1)

    @property
    def num_frames(self) -> int:
        return self.conditions.ego.shape[1]

    def feed(self, latents: torch.Tensor, reprojected: torch.Tensor | None = None) -> None:
        """Known frames ``(B, C, F, h, w)``, t = 0, appended to the cache; reprojected as in ``models.native.history.reprojection`` where it is known."""
        # What is brighter than white would come back brighter still.
        video = decode_video(self.codec, latents).clamp(-1, 1)
        if self.colour_drift is None:
            self.colour_drift = ColourDriftCorrection.of(latents, self.known.frames(self.position, self.position + latents.shape[2]))
        reprojected = self._reprojected_of_known(video, latents) if reprojected is None else reprojected
        self._keep(latents, reprojected)
        before, self.video = self.video, video
        if self._renews_keyframe(self.position - 1):
            self.keyframe = (video[:, :, -1], self.position - 1)
            self._estimate_geometry(video if before is None else torch.cat([before, video], 2))

    def make(self, frames: int, shape: tuple[int, int, int]) -> torch.Tensor:
        """The next ``frames`` latent frames ``(B, C, frames, h, w)``; shape is (C, h, w)."""
        self.reprojected = self._reprojected_of_next(frames, shape)
        reprojected = self._with_confidence(self.reprojected)
        latents = self.sample(chunk_noise(self.seeds, self.position, frames, shape).to(self.text.device), reprojected)
        # Frames of a longer chunk had a past further back than the frames the model was trained to remember.
        self.feed(latents, reprojected if frames == 1 else None)
        return latents

    def sample(self, latents: torch.Tensor, reprojected: torch.Tensor) -> torch.Tensor:
        """Pure noise ``(B, C, F, h, w)`` float32 to clean latents of the next F frames; nothing is remembered."""
        frames, dtype = latents.shape[2], self.text.dtype
        conditions = self._window(frames)
        reprojected = reprojected.repeat(self._branches, 1, 1, 1, 1)
        self.scheduler.set_timesteps(sigmas=shifted_sigmas(self.options), device=latents.device)
        sigmas = self.scheduler.sigmas
        for i, timestep in enumerate(self.scheduler.timesteps):
            repeated = latents.to(dtype).repeat(self._branches, 1, 1, 1, 1)
            t = sigmas[i].to(latents.device).expand(repeated.shape[0], frames)
            layout = self._layout(conditions, repeated)
            velocity = self.transformer(
                repeated, t, reprojected, conditions, self.text, cache=self.cache, layout=layout
            ).float()
            velocity = guided(velocity, [self.options.guidance[name] for name in self.guided])
            latents = self.scheduler.step(velocity, timestep, latents, return_dict=False)[0]
        if self.colour_drift is not None:
            latents = self.colour_drift.hold(latents, self.known.frames(self.position, self.position + frames))
        if not torch.isfinite(latents).all():
            raise FloatingPointError(f"the model made non-finite latents at frame {self.position}")
        return latents.to(dtype)

    @property
    def _branches(self) -> int:
        return len(self.guided) + 1

    def _keep(self, latents: torch.Tensor, reprojected: torch.Tensor) -> None:
        frames = latents.shape[2]
        latents, reprojected = (x.repeat(self._branches, 1, 1, 1, 1) for x in (latents, reprojected))
        t = torch.zeros(latents.shape[0], frames, device=latents.device)
        conditions = self._window(frames)
        layout = self._layout(conditions, latents)
        self.transformer.append_to_cache(latents, t, reprojected, conditions, self.text, cache=self.cache, layout=layout)
        self.position += frames

    def _renews_keyframe(self, frame: int) -> bool:
        """Whether the picture of ``frame`` will be the one that is looked up directly from then on."""
        return self.keyframe is None or frame - self.keyframe[1] >= KEYFRAME_INTERVAL

    def _estimate_geometry(self, video: torch.Tensor) -> None:
        """Where there is no layout, the newest frames ``(B, 3, F, H, W)`` say how far away things are."""
        if video.shape[2] > 1 and bool((self.known.ego_known & ~self.known.layout_known).any()):
            self.geometry = ClipGeometry.of(video, self.known, self.position - 1, self.geometry)

    def _window(self, frames: int) -> ConditionBatch:
        return self.conditions.frames(self.position, self.position + frames)

    def _layout(self, conditions: ConditionBatch, latents: torch.Tensor) -> EncodedLayout:
        """The layout of the frames after those made, read once however often they are painted and remembered."""
        place = (self.position, latents.shape[2])
        if self._read is None or self._read[0] != place:
            self._read = (place, self.transformer.encode_layout(conditions, latents))
        return self._read[1]

    def _reproject(self, picture: torch.Tensor, source: int, target: int, *, keyframe=None) -> torch.Tensor:
        """``(B, C + 1, h, w)``; all branches share it: what a guided condition changes is what the network reads."""
        reprojected = reproject(
            self.codec, picture, self.known, source=source, target=target, keyframe=keyframe, geometry=self.geometry
        )[0]
        return reprojected.to(self.text.dtype)

    def _with_confidence(self, reprojected: torch.Tensor) -> torch.Tensor:
        """``reprojected`` ``(B, C + 1, F, h, w)`` of the next frames, of which labelled things are believed only in part, and of a frame
        that will be the key picture all."""
        frames = reprojected.shape[2]
        objects = object_coverage(self.known.frames(self.position, self.position + frames), tuple(reprojected.shape[-2:]))
        if objects is None:
            return reprojected
        doubt = (1 - OBJECT_CONFIDENCE) * objects
        if self._renews_keyframe(self.position + frames - 1):
            doubt = doubt.clamp_min(1 - KEYFRAME_CONFIDENCE)
        doubt = doubt * self.known.layout_known[:, None, None, None, None]
        return torch.cat([reprojected[:, :-1], (1 - doubt).to(reprojected) * reprojected[:, -1:]], 1)

    def _reprojected_of_next(self, frames: int, shape: tuple[int, int, int]) -> torch.Tensor:
        """The last picture moved to each frame of the next chunk; zeros where there is no picture."""
        if self.video is None:
            return torch.zeros(
                len(self.known), shape[0] + 1, frames, *shape[1:], device=self.text.device, dtype=self.text.dtype
            )
        last, source = self.video[:, :, -1], self.position - 1
        return torch.stack([self._reproject(last, source, self.position + i, keyframe=self.keyframe) for i in range(frames)], 2)

    def _reprojected_of_known(self, video: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """Each frame's neighbour moved to it; the first frame of all has none."""
        pictures = video if self.video is None else torch.cat([self.video[:, :, -1:], video], 2)
        first = self.position + video.shape[2] - pictures.shape[2]
        rows = [self._reproject(pictures[:, :, i], first + i, first + i + 1) for i in range(pictures.shape[2] - 1)]
        if self.video is None:
            batch, channels, _, height, width = latents.shape
            rows.insert(0, torch.zeros(batch, channels + 1, height, width, device=latents.device, dtype=latents.dtype))
        return torch.stack(rows, 2)


def guided(velocity: torch.Tensor, strengths: list[float]) -> torch.Tensor:
    """The velocity of the first rows, pushed away from that of each further branch of rows, where a condition was dropped."""
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

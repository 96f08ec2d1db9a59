"""One labelled clip with actors: pixels of every frame, and labels with a new track each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.samples import Sample
from worldgen.core.seeds import numpy_rng
from worldgen.generation.insert.cast_insert import cast_insert
from worldgen.generation.insert.clips.actor_choice import Actor, ActorChooser, ClipWish
from worldgen.generation.insert.clips.clip_ground import ClipGround, clip_ground, frame_pictures
from worldgen.generation.insert.clips.track_labels import ActorFrame, with_actor_labels
from worldgen.generation.insert.compositing import composite, cut_to_picture
from worldgen.generation.insert.fitting import FitSteps, fit, ground_around
from worldgen.generation.insert.insert_plan import InsertPatch, LabelledPicture
from worldgen.generation.insert.nearer_objects import NearerObjects
from worldgen.generation.insert.picture_light import PictureLight, read_light
from worldgen.generation.insert.picture_look import PictureLook, read_look

LIGHT_FRAMES, LOOK_FRAMES = 5, 5
STEADY_S = 0.4
"""Deviation in time with which the light of the ground under an actor is smoothed: texture must not make it flicker."""
WET_WEATHER = {"light_rain": 0.6, "heavy_rain": 1.0}
"""Weather of a scenario -> how wet the road is."""


@dataclass(frozen=True, eq=False)
class InsertedClip:
    """sample: with new frames and labels; the old one where nothing was put in. actors: put in. silhouettes: of each
    actor ``(T, H, W)`` bool as it is seen. changed: ``(T, H, W)`` bool. refused: reasons of actors that were not taken,
    with counts. missing: wishes that found no place. wish: number of the wish of each actor."""

    sample: Sample
    actors: tuple[Actor, ...]
    silhouettes: tuple[np.ndarray, ...]
    changed: np.ndarray
    ground: ClipGround
    light: PictureLight
    refused: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    wish: tuple[int, ...] = ()


def insert_into_clip(
    sample: Sample, wishes: Sequence[ClipWish], *, seed: int = 0, steps: FitSteps | None = None, steady: bool = False
) -> InsertedClip:
    """A clip with rendered actors. The same (seed, key, wishes) gives the same pixels.

    steady: see :func:`clip_ground`.

    Raises: InputError for a clip without ego motion or ground.
    """
    ground = clip_ground(sample, steady=steady)
    pictures = frame_pictures(sample, ground)
    light = clip_light(sample, ground, pictures, seed)
    chooser = ActorChooser(sample, ground, pictures, night=light.night > 0.5)
    refused: Counter[str] = Counter()
    actors: list[Actor] = []
    wish_of: list[int] = []
    missing = 0
    for number, wish in enumerate(wishes):
        found = chooser.choose(wish, seed, refused)
        missing += not found
        actors += found
        wish_of += [number] * len(found)
    made = put_actors(sample, tuple(actors), ground, pictures, light, seed=seed, steps=steps)
    return replace(made, refused=dict(refused), missing=missing, wish=tuple(wish_of))


def clip_light(sample: Sample, ground: ClipGround, pictures: list[LabelledPicture], seed: int) -> PictureLight:
    """The light of a clip from several frames; wetness and rain from its scenario where it has one."""
    rng = numpy_rng("clip light", seed, sample.key)
    frames = np.unique(np.linspace(0, len(pictures) - 1, LIGHT_FRAMES).round().astype(int))
    seen = [read_light(pictures[k].frame, ground.cameras[k], pictures[k].box_px, rng) for k in frames]
    weather = sample.scenario.weather if sample.scenario is not None else ""
    return PictureLight(
        float(np.median([s.night for s in seen])), float(np.median([s.sun_share for s in seen])),
        seen[0].sun_azimuth_rad, float(np.median([s.haze_per_m for s in seen])),
        np.median([s.airlight for s in seen], 0).astype(np.float32), weather in WET_WEATHER,
        WET_WEATHER.get(weather, 0.0),
    )  # fmt: skip


def put_actors(
    sample: Sample, actors: tuple[Actor, ...], ground: ClipGround, pictures: list[LabelledPicture], light: PictureLight,
    *, seed: int = 0, steps: FitSteps | None = None,
) -> InsertedClip:  # fmt: skip
    """A clip with given actors."""
    steps = steps or FitSteps()
    clip = sample.clip
    shape = (len(clip), clip.height_px, clip.width_px)
    changed = np.zeros(shape, bool)
    if not actors:
        return InsertedClip(sample, (), (), changed, ground, light)
    casts = [_Casts(actor, ground, pictures, light, STEADY_S * clip.fps) for actor in actors]
    frames, masks = clip.frames.copy(), [np.zeros(shape, bool) for _ in actors]
    rows: list[ActorFrame] = []
    for frame, picture in enumerate(pictures):
        order = sorted((k for k in range(len(actors)) if casts[k].patches[frame] is not None),
                       key=lambda k: -actors[k].plans[frame].distance_m)  # type: ignore[union-attr]  # fmt: skip
        nearer = NearerObjects(picture)
        rng = numpy_rng("clip grain", seed, sample.key, frame)
        inside: dict[int, int] = {}
        for k in order:
            patch = casts[k].patches[frame]
            assert patch is not None
            window = (patch.left_px, patch.top_px, patch.alpha.shape[1], patch.alpha.shape[0])
            hidden = nearer.hiding(window, patch.contact_px)
            fitted = fit(patch, picture, light, casts[k].look, steps, here=casts[k].here[frame])
            frames[frame], put = composite(
                picture, frames[frame], fitted, hidden, look=casts[k].look, light=light, steps=steps, rng=rng
            )
            part = (slice(window[1], window[1] + window[3]), slice(window[0], window[0] + window[2]))
            changed[frame][part] |= put.changed
            solid = patch.silhouette
            for other in inside:
                masks[other][frame][part] &= ~solid
            masks[k][frame][part] = solid & ~hidden
            inside[k] = int(solid.sum())
        for k in order:
            plan = actors[k].plans[frame]
            assert plan is not None
            rows.append(ActorFrame(k, frame, plan, ground.cameras[frame], masks[k][frame], inside[k]))
    labels = with_actor_labels(sample, rows, pictures)
    told = {**sample.provenance, "inserted": [_told(actor, labels.first_track + k, light)
                                              for k, actor in enumerate(actors)]}  # fmt: skip
    out = replace(sample, clip=Clip(frames, clip.fps), labels=labels.labels, provenance=told)
    return InsertedClip(out, actors, tuple(masks), changed, ground, light)


class _Casts:
    """The pixels of one actor in all frames, and what they are fitted to. patches: T, None where it is not seen.

    here: ``(T, 3)`` light of the ground under it, smoothed with a deviation of ``steady`` frames. look: of the clip
    around it.
    """

    def __init__(
        self, actor: Actor, ground: ClipGround, pictures: list[LabelledPicture], light: PictureLight, steady: float
    ):
        self.patches: list[InsertPatch | None] = []
        level = np.full((len(pictures), 3), np.nan)
        for frame, plan in enumerate(actor.plans):
            patch = None
            if plan is not None:
                turned = replace(light, sun_azimuth_rad=light.sun_azimuth_rad - float(ground.poses[frame, 2]))
                patch = cast_insert(plan, ground.cameras[frame], turned, seed=actor.agent.style)
                patch = None if patch is None else cut_to_picture(patch, pictures[frame].size_px)
            if patch is not None and patch.silhouette.any():
                level[frame] = np.log(ground_around(pictures[frame], patch))
            else:
                patch = None
            self.patches.append(patch)
        self.here = _smoothed(level, steady)
        self.look = self._look(pictures)

    def _look(self, pictures: list[LabelledPicture]) -> PictureLook:
        shown = [k for k, patch in enumerate(self.patches) if patch is not None]
        if not shown:
            return PictureLook(0.5, 1.0, 0.5, (0.0, 0.0, 0.0))
        pick = np.unique(np.linspace(0, len(shown) - 1, LOOK_FRAMES).round().astype(int))
        seen = []
        for k in (shown[n] for n in pick):
            patch = self.patches[k]
            assert patch is not None
            window = (patch.left_px, patch.top_px, patch.alpha.shape[1], patch.alpha.shape[0])
            seen.append(read_look(pictures[k], window))
        middle = np.median([[s.blur_px, s.noise, s.grain_px, s.colour, *s.veil] for s in seen], 0)
        blur, noise, grain, colour, *veil = (float(v) for v in middle)
        return PictureLook(blur, noise, grain, (veil[0], veil[1], veil[2]), colour)


def _smoothed(level: np.ndarray, sigma: float) -> np.ndarray:
    """Logarithms ``(T, 3)`` with gaps as smooth linear values ``(T, 3)`` float32: median of three, then Gaussian."""
    known = np.flatnonzero(np.isfinite(level[:, 0]))
    if not len(known):
        return np.full(level.shape, 0.1, np.float32)
    at = np.arange(len(level))
    full = np.stack([np.interp(at, known, level[known, c]) for c in range(3)], 1)
    wide = np.pad(full, ((1, 1), (0, 0)), mode="edge")
    full = np.median([wide[:-2], wide[1:-1], wide[2:]], 0)
    smooth = cv2.GaussianBlur(full, (1, 0), 0.1, sigmaY=max(sigma, 0.3), borderType=cv2.BORDER_REPLICATE)
    return np.exp(np.asarray(smooth).reshape(full.shape)).astype(np.float32)


def _told(actor: Actor, track_id: int, light: PictureLight) -> dict[str, Any]:
    """What is known of an actor, for the provenance of its clip."""
    agent = actor.agent
    nearest = min((plan.distance_m for plan in actor.plans if plan is not None), default=0.0)
    return {
        "by": "worldgen", "from": "rendered", "track_id": track_id, "class": agent.label, "kind": agent.kind,
        "variant": agent.variant, "role": agent.role, "style": agent.style, "light": light.word,
        "size_m": [round(v, 3) for v in agent.size_m], "nearest_m": round(nearest, 2),
    }  # fmt: skip

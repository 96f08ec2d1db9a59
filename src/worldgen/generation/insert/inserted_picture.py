"""One labelled picture with inserts: places, pixels, fitting, compositing, labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from worldgen.core.seeds import numpy_rng
from worldgen.generation.insert.cast_insert import cast_insert
from worldgen.generation.insert.compositing import PutInsert, composite, cut_to_picture
from worldgen.generation.insert.fitting import FitSteps, fit
from worldgen.generation.insert.insert_plan import InsertPatch, LabelledPicture
from worldgen.generation.insert.picture_ground import PictureGround
from worldgen.generation.insert.picture_light import PictureLight, in_weather, read_light
from worldgen.generation.insert.picture_look import read_look
from worldgen.generation.insert.placing import MOST_HIDDEN, InsertWish, Placer

LEAST_SEEN_PX = 40
"""Pixels of an insert that must be seen."""
LEAST_CONTRAST = 5.0
"""Mean change in display steps, 0 to 255, from which an insert can be seen: a dark coat in a dark place cannot."""


@dataclass(frozen=True, eq=False)
class InsertedPicture:
    """frame: ``(H, W, 3)`` uint8. put: its inserts, far ones first. light: of the picture. refused: reasons of places
    that were not taken, with counts. missing: wishes that found no place. wish: number of the wish of each insert."""

    frame: np.ndarray
    put: tuple[PutInsert, ...]
    light: PictureLight
    refused: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    wish: tuple[int, ...] = ()

    def wish_of(self, put: PutInsert) -> int:
        """Number of the wish that an insert fulfils."""
        return next(wish for each, wish in zip(self.put, self.wish, strict=True) if each is put)


def insert_into(
    picture: LabelledPicture, ground: PictureGround, wishes: Sequence[InsertWish], *, seed: int = 0,
    steps: FitSteps | None = None,
) -> InsertedPicture:  # fmt: skip
    """A picture with rendered road users. The same (seed, name, wishes) gives the same pixels."""
    steps = steps or FitSteps()
    rng = numpy_rng("insert", seed, picture.name)
    light = in_weather(read_light(picture.frame, ground.camera, picture.box_px, rng), picture.weather)
    placer = Placer(picture, ground)
    refused: dict[str, int] = {}
    made: list[tuple[InsertPatch, np.ndarray, int]] = []
    missing = 0
    for number, wish in enumerate(wishes):
        found = _one(placer, wish, light, rng, refused)
        if found is None:
            missing += 1
        else:
            made.append((*found, number))
    made.sort(key=lambda item: item[0].contact_px)
    frame, put = picture.frame, []
    numbers: list[int] = []
    for patch, hidden, number in made:
        window = (patch.left_px, patch.top_px, patch.alpha.shape[1], patch.alpha.shape[0])
        look = read_look(picture, window)
        fitted = fit(patch, picture, light, look, steps)
        changed, done = composite(picture, frame, fitted, hidden, look=look, light=light, steps=steps, rng=rng)
        if contrast_of(changed, done) < LEAST_CONTRAST:
            refused["too dark to be seen"] = refused.get("too dark to be seen", 0) + 1
            missing += 1
            continue
        frame = changed
        put.append(done)
        numbers.append(number)
    return InsertedPicture(frame, tuple(put), light, refused, missing, tuple(numbers))


def contrast_of(frame: np.ndarray, put: PutInsert) -> float:
    """Mean change of display steps where an insert is seen."""
    left, top, width, height = put.window
    moved = np.abs(frame[top : top + height, left : left + width].astype(np.float32) - put.before).max(-1)
    return float(moved[put.seen].mean()) if put.seen.any() else 0.0


def _one(
    placer: Placer, wish: InsertWish, light: PictureLight, rng: np.random.Generator, refused: dict[str, int]
) -> tuple[InsertPatch, np.ndarray] | None:
    """A cast insert inside the picture and the pixels that are hidden, None when no place was found."""
    plan = placer.place(wish, rng, refused)
    if plan is None:
        return None
    patch = cast_insert(plan, placer.ground.camera, light, seed=int(rng.integers(2**31)))
    patch = None if patch is None else cut_to_picture(patch, placer.picture.size_px)
    if patch is None:
        refused["outside the picture"] = refused.get("outside the picture", 0) + 1
        return None
    window = (patch.left_px, patch.top_px, patch.alpha.shape[1], patch.alpha.shape[0])
    hidden = placer.order.hiding(window, patch.contact_px)
    seen = patch.silhouette & ~hidden
    if seen.sum() < max(LEAST_SEEN_PX, (1 - MOST_HIDDEN) * patch.silhouette.sum()):
        refused["hidden by nearer objects"] = refused.get("hidden by nearer objects", 0) + 1
        return None
    left, top, width, height = window
    placer.taken_px.append((left, top, left + width, top + height))
    return patch, hidden


def provenance(put: PutInsert, ground: PictureGround, light: PictureLight) -> dict[str, Any]:
    """What is known of an insert, for its label."""
    plan = put.patch.plan
    told: dict[str, Any] = {
        "by": "worldgen", "from": "rendered" if plan is not None else "cut-out", "light": light.word,
        "distance_m": round(put.patch.distance_m, 2), "visible_fraction": round(put.visible_fraction, 3),
        "size_uncertainty": round(ground.scale_sigma, 3), "ground_from": ground.source,
    }  # fmt: skip
    if plan is not None:
        told |= {
            "variant": plan.variant, "size_m": [round(v, 3) for v in plan.size_m], "yaw_rad": round(plan.yaw_rad, 3),
            "place_m": [round(plan.x_m, 2), round(plan.y_m, 2)], "style": plan.style,
        }  # fmt: skip
    return told

"""Labels of a clip with actors: old boxes stay and say what is now hidden; each actor is a new track."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.labels import CLASSES, COLUMNS, Labels
from worldgen.core.samples import Sample
from worldgen.generation.insert.insert_plan import InsertPlan, LabelledPicture, box_of
from worldgen.rendering.labelling import MIN_HEIGHT_PX, MIN_VISIBLE

NEAR_M = 0.3


@dataclass(frozen=True, eq=False)
class ActorFrame:
    """One actor in one frame. actor: its number. seen: ``(H, W)`` bool. inside: pixels of its silhouette in the picture
    without what hides it."""

    actor: int
    frame: int
    plan: InsertPlan
    camera: Camera
    seen: np.ndarray
    inside: int


@dataclass(frozen=True, eq=False)
class ActorLabels:
    """labels: of the clip with its actors. first_track: track of actor 0; the others follow."""

    labels: Labels
    first_track: int


def with_actor_labels(sample: Sample, rows: list[ActorFrame], pictures: list[LabelledPicture]) -> ActorLabels:
    """The labels of a sample and its actors.

    Boxes of old rows stay; ``visible_fraction`` falls and ``occlusion`` rises by the share of the box that nearer
    actors cover.
    """
    clip = sample.clip
    old = sample.labels
    if old is None:
        old = Labels.empty(len(clip), clip.width_px, clip.height_px)
    old = _hidden_by(old, rows, pictures)
    first = int(old.track_id.max(initial=0)) + 1
    columns: dict[str, list[Any]] = {name: list(getattr(old, name)) for name in COLUMNS}
    for row in rows:
        for name, value in _columns(row, first + row.actor, (clip.width_px, clip.height_px)).items():
            columns[name].append(value)
    order = np.lexsort((np.array(columns["track_id"], int), np.array(columns["frame_index"], int)))
    arrays: dict[str, Any] = {
        name: np.array([values[k] for k in order], COLUMNS[name][0]).reshape(
            (-1,) if COLUMNS[name][1] == 1 else (-1, COLUMNS[name][1])
        )
        for name, values in columns.items()
    }
    labels: Labels = Labels(old.num_frames, old.width_px, old.height_px, old.source, **arrays)
    return ActorLabels(labels, first)


def _columns(row: ActorFrame, track_id: int, size_px: tuple[int, int]) -> dict[str, Any]:
    """One row of ``Labels``."""
    plan = row.plan
    pixels = int(row.seen.sum())
    whole = _whole_box(row, size_px)
    box = np.array(box_of(row.seen)) if pixels else np.tile(np.clip(whole[:2], 0, size_px), 2)
    area = max(float((whole[2:] - whole[:2]).prod()), 1e-6)
    cut = np.clip(whole, 0, np.tile(size_px, 2))
    share = min(1.0, pixels / max(row.inside, 1))
    length, width, height = plan.size_m
    return {
        "frame_index": row.frame, "track_id": track_id, "class_id": CLASSES.index(plan.class_name), "box_px": box,
        "amodal_box_px": whole, "visible_fraction": share, "occlusion": 1.0 - share,
        "truncation": float(np.clip(1 - (cut[2:] - cut[:2]).prod() / area, 0, 1)),
        "box3d": np.array([plan.x_m, plan.y_m, plan.z_m + height / 2, length, width, height, plan.yaw_rad]),
        "ignore": bool(whole[3] - whole[1] < MIN_HEIGHT_PX or share < MIN_VISIBLE),
    }  # fmt: skip


def _whole_box(row: ActorFrame, size_px: tuple[int, int]) -> np.ndarray:
    """Box ``(4,)`` of the whole object: of its silhouette, and beyond the border of its solid in metres."""
    plan, camera = row.plan, row.camera
    length, width, height = plan.size_m
    c, s = np.cos(plan.yaw_rad), np.sin(plan.yaw_rad)
    corner = np.array([(a, b) for a in (-0.5, 0.5) for b in (-0.5, 0.5)]) * (length, width)
    flat = corner @ np.array([[c, s], [-s, c]]) + (plan.x_m, plan.y_m)
    pixels, depth = camera.project(np.array([(*at, z) for z in (plan.z_m, plan.z_m + height) for at in flat]))
    pixels = pixels[depth > NEAR_M]
    solid = np.concatenate([pixels.min(0), pixels.max(0)]) if len(pixels) else np.zeros(4)
    if not row.seen.any():
        return solid
    box = np.array(box_of(row.seen))
    # A silhouette is smaller than the box of its solid; only beyond the border nothing better is known.
    edge = np.array([0.0, 0.0, *size_px])
    beyond = np.array([solid[0] < 0, solid[1] < 0, solid[2] > size_px[0], solid[3] > size_px[1]])
    hidden = pixels_hidden(row)
    out = np.where(beyond & (np.abs(box - edge) <= 1), solid, solid if hidden else box)
    return np.concatenate([np.minimum(out[:2], box[:2]), np.maximum(out[2:], box[2:])])


def pixels_hidden(row: ActorFrame) -> bool:
    """Whether something hides a part of an actor, so that what is seen of it is not its outline."""
    return int(row.seen.sum()) < 0.98 * row.inside


def _hidden_by(old: Labels, rows: list[ActorFrame], pictures: list[LabelledPicture]) -> Labels:
    """Old labels with the share that actors hide."""
    visible, occlusion = old.visible_fraction.copy(), old.occlusion.copy()
    for frame in sorted({row.frame for row in rows}):
        here = [row for row in rows if row.frame == frame]
        picture = pictures[frame]
        numbers = np.flatnonzero(
            (old.frame_index == frame) & (old.box_px[:, 2] > old.box_px[:, 0]) & (old.box_px[:, 3] > old.box_px[:, 1])
        )
        assert len(numbers) == len(picture.box_px), (frame, len(numbers), len(picture.box_px))
        for place, number in enumerate(numbers):
            x0, y0 = np.maximum(np.floor(old.box_px[number, :2]), 0).astype(int)
            x1, y1 = np.ceil(old.box_px[number, 2:]).astype(int)
            covered = np.zeros((max(y1 - y0, 0), max(x1 - x0, 0)), bool)
            for row in here:
                if _contact(row) >= picture.contacts[place]:
                    part = row.seen[y0:y1, x0:x1]
                    covered[: part.shape[0], : part.shape[1]] |= part
            share = float(covered.mean()) if covered.size else 0.0
            visible[number] *= 1 - share
            occlusion[number] = 1 - (1 - occlusion[number]) * (1 - share)
    return replace(old, visible_fraction=visible, occlusion=occlusion)


def _contact(row: ActorFrame) -> float:
    """Row where an actor meets the ground, by the nearest point of its foot."""
    pixels, depth = row.camera.project(np.array([[row.plan.x_m, row.plan.y_m, row.plan.z_m]]))
    return float(pixels[0, 1]) if depth[0] > NEAR_M else float("inf")

"""The ground under a clip: camera and place of the ego vehicle in each frame, and the frames as labelled pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import planar_poses
from worldgen.core.errors import InputError, Received
from worldgen.core.labels import Labels
from worldgen.core.samples import Sample
from worldgen.generation.insert.clips.camera_shake import camera_shake
from worldgen.generation.insert.insert_plan import LabelledPicture
from worldgen.generation.insert.picture_ground import DEFAULT_FOV_DEG, PictureGround, estimate_ground, usable_boxes

POOLED_FRAMES = 8
"""Frames whose labels tell the ground of a clip without a camera."""
NEAR_M = 0.3


@dataclass(frozen=True, eq=False)
class ClipGround:
    """Flat ground under a clip of T frames. cameras: T, each with its own pitch. poses: ``(T, 3)`` x, y (m), yaw (rad)
    of the ego vehicle in its frame of frame 0. first: the ground of frame 0, with its uncertainty. shake: ``(T,)``
    pitch (rad) that was added to that of the camera."""

    cameras: tuple[Camera, ...]
    poses: np.ndarray
    first: PictureGround
    shake: np.ndarray

    def at(self, frame: int) -> PictureGround:
        """The ground in one frame."""
        return replace(self.first, camera=self.cameras[frame])


def clip_ground(sample: Sample, *, steady: bool = False) -> ClipGround:
    """The ground of a sample, from its camera record or else from its labels.

    steady: whether the camera is known not to shake, as in rendered clips; nothing is read from the frames then.

    Raises:
        InputError: no ego motion, or neither a camera nor labels that tell the ground.
    """
    if sample.ego is None:
        raise InputError(f"ego motion of clip {sample.key}", Received("none"), "a motion: tracks are placed in metres")
    if sample.camera is not None:
        first = PictureGround(sample.camera, 0.0, 0.0, 0.0, 0, "camera")
    else:
        first = _from_labels(sample)
    poses = planar_poses(sample.ego)
    shake = np.zeros(len(poses))
    if not steady and len(poses) > 2:
        shake = camera_shake(sample.clip.frames, first.camera, sample.ego.fps)
    cameras = tuple(replace(first.camera, pitch_rad=first.camera.pitch_rad + float(pitch)) for pitch in shake)
    return ClipGround(cameras, poses, first, shake)


def _from_labels(sample: Sample) -> PictureGround:
    """The ground from the boxes of several frames. Raises: InputError when they tell too little."""
    size = (sample.clip.width_px, sample.clip.height_px)
    if sample.labels is None:
        raise InputError(f"camera of clip {sample.key}", Received("none, and no labels"), "a camera or labelled boxes")
    frames = np.unique(np.linspace(0, len(sample.clip) - 1, POOLED_FRAMES).round().astype(int))
    rows = sample.labels.where(np.isin(sample.labels.frame_index, frames))
    boxes = usable_boxes(rows.class_id, rows.box_px.astype(float), rows.ignore, size)
    return estimate_ground(boxes, size, fov_deg=DEFAULT_FOV_DEG, name=f"clip {sample.key}")


def frame_pictures(sample: Sample, ground: ClipGround) -> list[LabelledPicture]:
    """Each frame of a clip with the labels that are seen in it."""
    labels = sample.labels
    if labels is None:
        labels = Labels.empty(len(sample.clip), sample.clip.width_px, sample.clip.height_px)
    out = []
    for number, frame in enumerate(sample.clip.frames):
        rows = labels.at(number)
        rows = rows.where((rows.box_px[:, 2] > rows.box_px[:, 0]) & (rows.box_px[:, 3] > rows.box_px[:, 1]))
        contacts = np.array([_contact(rows, k, ground.cameras[number]) for k in range(len(rows))])
        out.append(
            LabelledPicture(
                frame, rows.class_id, rows.box_px.astype(float), rows.ignore, f"{sample.key}/{number}",
                contact_px=contacts.reshape(-1),
            )
        )  # fmt: skip
    return out


def _contact(rows: Labels, number: int, camera: Camera) -> float:
    """Row where a labelled object meets the ground: from its 3-D box where it is known, else from its whole box."""
    x, y, z, length, width, height, yaw = rows.box3d[number].astype(float)
    if not math.isfinite(x + y + z + length + width + height + yaw):
        return float(max(rows.amodal_box_px[number, 3], rows.box_px[number, 3]))
    c, s = math.cos(yaw), math.sin(yaw)
    feet = [(x + c * a * length - s * b * width, y + s * a * length + c * b * width, z - height / 2)
            for a in (-0.5, 0.5) for b in (-0.5, 0.5)]  # fmt: skip
    pixels, depth = camera.project(np.array(feet))
    return float(pixels[:, 1].max()) if depth.min() > NEAR_M else 4.0 * camera.height_px

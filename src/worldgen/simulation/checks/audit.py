"""Checks on a simulated scene: bodies that overlap, events out of range, agents out of view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.scene import EventRecord
from worldgen.simulation.actors import EGO_FRONT_M, EGO_HALF_WIDTH_M, EGO_REAR_M, WALKING_KINDS, Track
from worldgen.simulation.checks.collisions import boxes_overlap, overlapping_pairs, time_to_collision
from worldgen.simulation.checks.visibility import Visibility, measure_visibility
from worldgen.simulation.events import Event, PlayedEvent

TTC_MARGIN_M = 0.5
"""Time to collision counts passing within this lateral distance as a collision."""
MIN_EVENT_HEIGHT_PX = 8.5
"""Height that the first main track of an event must reach, in a picture 224 pixels wide."""
MIN_EVENT_VISIBLE = 0.25
"""Share of the clip in which the first main track of an event must be visible."""
MIN_REQUEST_VISIBLE = 0.3
"""Share of the clip in which a requested agent must be visible."""


@dataclass(frozen=True, eq=False)
class SimulatedBodies:
    """Ego and tracks at the T frames of the clip.

    poses: ``(T, 3)`` x, y, yaw of the ego. boxes: ``(T, 1 + A, 5)`` x, y, yaw, half length, half width, the ego first.
    velocities: ``(T, 1 + A, 2)`` m/s in the world.
    """

    tracks: list[Track]
    motion: EgoMotion
    poses: np.ndarray
    boxes: np.ndarray
    velocities: np.ndarray

    @classmethod
    def of(cls, tracks: list[Track], motion: EgoMotion, poses: np.ndarray, substeps: int) -> SimulatedBodies:
        pick = slice(None, None, substeps)
        frames = len(poses)
        boxes = np.empty((frames, 1 + len(tracks), 5))
        boxes[:, 0] = ego_boxes(poses)
        for i, track in enumerate(tracks, 1):
            boxes[:, i, 0], boxes[:, i, 1], boxes[:, i, 2] = track.x_m[pick], track.y_m[pick], track.yaw_rad[pick]
            boxes[:, i, 3], boxes[:, i, 4] = track.half_length_m, track.half_width_m
        velocities = (
            np.gradient(boxes[..., :2], 1.0 / motion.fps, axis=0) if frames > 1 else np.zeros((1, boxes.shape[1], 2))
        )
        heading = poses[:, 2]
        velocities[:, 0] = motion.speed_mps[:, None] * np.stack([np.cos(heading), np.sin(heading)], 1)
        return cls(tracks, motion, poses, boxes, velocities)

    def index(self, track: Track) -> int | None:
        """Column of a track in ``boxes``, or None when the track was dropped."""
        return next((i for i, t in enumerate(self.tracks, 1) if t is track), None)

    def visibility(self, camera: Camera) -> Visibility:
        heights = np.array([t.size_m[2] for t in self.tracks])
        return measure_visibility(
            camera, self.poses, self.boxes[:, 1:], heights, np.zeros((len(self.poses), len(self.tracks)))
        )


def ego_boxes(poses: np.ndarray) -> np.ndarray:
    """Footprint of the ego car ``(T, 5)``; its centre is behind the camera."""
    shift = 0.5 * (EGO_FRONT_M - EGO_REAR_M)
    half = np.full(len(poses), 0.5 * (EGO_FRONT_M + EGO_REAR_M))
    x, y = poses[:, 0] + shift * np.cos(poses[:, 2]), poses[:, 1] + shift * np.sin(poses[:, 2])
    return np.stack([x, y, poses[:, 2], half, np.full(len(poses), EGO_HALF_WIDTH_M)], 1)


def event_ttc_s(bodies: SimulatedBodies, played: PlayedEvent, substeps: int) -> float | None:
    """Least time to collision (s) of the ego and the event's main tracks; None if they never approach each other."""
    least = np.inf
    for track in played.main_tracks:
        i = bodies.index(track)
        if i is None:
            continue
        box = bodies.boxes[:, i].copy()
        box[:, 4] = track.swept_half_width_m[::substeps]
        ttc = time_to_collision(
            bodies.boxes[:, 0], box, bodies.velocities[:, 0], bodies.velocities[:, i], margin_m=TTC_MARGIN_M
        )
        least = min(least, float(ttc.min()))
    return None if not np.isfinite(least) else least


def event_faults(
    bodies: SimulatedBodies, event: Event, played: PlayedEvent, camera: Camera, substeps: int
) -> list[str]:
    """Faults of a played event: contact with the ego, time to collision out of range, too small or out of view."""
    faults = []
    own = [i for track in played.main_tracks if (i := bodies.index(track)) is not None]
    essential = [i for i, t in enumerate(bodies.tracks, 1) if t.essential]
    if len(own) < len(played.main_tracks):
        return [f"{event.name}: an actor is missing"]
    if any(boxes_overlap(bodies.boxes[:, 0], bodies.boxes[:, i]).any() for i in essential):
        faults.append(f"{event.name}: the ego runs into it")
    ttc = event_ttc_s(bodies, played, substeps)
    low, high = event.ttc_range_s
    if ttc is None or not low <= ttc <= high:
        shown = "none" if ttc is None else f"{ttc:.2f} s"
        faults.append(f"{event.name}: least time to collision {shown}, outside {low} to {high} s")
    visibility = bodies.visibility(camera)
    first = own[0] - 1
    seen = visibility.visible[:, first]
    if _share(seen, bodies) < MIN_EVENT_VISIBLE:
        faults.append(f"{event.name}: in view for {100 * _share(seen, bodies):.0f} % of the clip")
    elif visibility.height_px[seen, first].max() < MIN_EVENT_HEIGHT_PX:
        faults.append(f"{event.name}: only {visibility.height_px[seen, first].max():.1f} pixels tall")
    return faults


def _share(seen: np.ndarray, bodies: SimulatedBodies) -> float:
    """Share of frames with visibility; in clips over four seconds, relative to four seconds."""
    return float(seen.sum() / min(len(seen), 4 * bodies.motion.fps + 1))


def request_faults(bodies: SimulatedBodies, tracks: list[Track], camera: Camera) -> list[str]:
    """Faults of requested agents: no room, too short in view, or too far away."""
    if not tracks:
        return []
    visibility = bodies.visibility(camera)
    faults = []
    for track in tracks:
        i = bodies.index(track)
        if i is None:
            faults.append(f"{track.kind}: no room for it")
            continue
        seen = visibility.visible[:, i - 1]
        near = 26.0 if track.kind in WALKING_KINDS else 42.0
        if _share(seen, bodies) < MIN_REQUEST_VISIBLE:
            faults.append(f"{track.kind}: in view for {100 * _share(seen, bodies):.0f} % of the clip")
        elif len(tracks) == 1 and visibility.distance_m[seen, i - 1].min() > near:
            faults.append(f"{track.kind}: never nearer than {visibility.distance_m[seen, i - 1].min():.0f} m")
    return faults


def without_overlaps(
    tracks: list[Track], motion: EgoMotion, poses: np.ndarray, substeps: int
) -> tuple[list[Track], int]:
    """The tracks without those that overlap another or the ego, and how many essential ones were dropped.

    Of two overlapping tracks the background one is dropped.
    """
    if not tracks:
        return tracks, 0
    boxes = SimulatedBodies.of(tracks, motion, poses, substeps).boxes
    dropped: set[int] = set()
    for i, j in overlapping_pairs(boxes).tolist():
        if i in dropped or j in dropped:
            continue
        dropped.add(j if i == 0 or not tracks[j - 1].essential or tracks[i - 1].essential else i)
    lost = sum(tracks[i - 1].essential for i in dropped)
    return [t for k, t in enumerate(tracks, 1) if k not in dropped], lost


def record(event: Event, played: PlayedEvent, bodies: SimulatedBodies, substeps: int) -> EventRecord:
    """The record of a played event; track ids of the main tracks come first."""
    role = f"{event.name}:"
    main_tracks = [i for t in played.main_tracks if (i := bodies.index(t)) is not None]
    others = [i for i, t in enumerate(bodies.tracks, 1) if t.role.startswith(role) and i not in main_tracks]
    ttc = event_ttc_s(bodies, played, substeps)
    return EventRecord(
        event.name, (*main_tracks, *others), round(max(played.start_s, 0.0), 4), round(played.end_s, 4), ttc
    )

"""Labels measured from the instance buffer: boxes, visibility, occlusion and truncation of every object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.labels import CLASSES, COLUMNS, Labels
from worldgen.core.scene import Agent, Scene
from worldgen.rendering.drawing.raster import FIRST_FACE, RasterScene, face_bounds
from worldgen.rendering.drawing.view import SAMPLES
from worldgen.rendering.render import Rendering, frame_numbers, image_camera

MIN_HEIGHT_PX = 6.0
"""Objects whose amodal box is lower than this are flagged ``ignore``."""
MIN_VISIBLE = 0.1
"""Objects of which a smaller share is visible are flagged ``ignore``; so are those beyond the visibility in fog."""

NO_BOX = np.full(4, np.nan)
"""Stands for the box of an agent without a visible pixel."""


def labels_of(
    scene: Scene,
    rendering: Rendering | None = None,
    *,
    frames: Iterable[int] | None = None,
    size: tuple[int, int] | None = None,
    carried: bool = False,
) -> Labels:
    """Labels of all agents with a class whose amodal box touches the image.

    rendering: of this scene with the same ``frames`` and ``size``, if there is one; its instance buffer is used, and
    without it only the geometry is rasterised. frames: frame numbers, default all; ``frame_index`` of the labels counts
    from 0 in them. size: width and height in pixels. The visible box encloses the object's pixels in the instance
    buffer; the amodal box encloses its projected vertices. The box of a person is the body, without umbrella or bag;
    the box of a cyclist encloses rider and bicycle. visible_fraction is the number of visible pixels over the number of
    pixels without other objects. carried: only without a rendering, umbrella and bag belong to the person, as they do
    in layouts.

    Raises:
        InputError: a size out of range, a frame outside the scene, or no frame.
    """
    wanted = frame_numbers(scene, frames)
    camera = image_camera(scene, size if rendering is None else (rendering.clip.width_px, rendering.clip.height_px))
    assert rendering is None or not carried
    rows = LabelRows(scene, camera)
    order = [
        i for i in sorted(range(len(scene.agents)), key=lambda i: scene.agents[i].track_id) if scene.agents[i].label
    ]
    if not order:
        return rows.labels(len(wanted))
    raster_camera = camera.resized(camera.width_px * SAMPLES, camera.height_px * SAMPLES)
    raster_scene = RasterScene(scene, raster_camera, carried=carried, ground=False)
    for number, frame in enumerate(wanted):
        view = _AgentView(raster_scene, frame)
        boxes = boxes_of(view.instances() if rendering is None else rendering.instance[number])
        for index in order:
            agent = scene.agents[index]
            amodal = view.amodal_box(index)
            if amodal is not None:
                visible = boxes.get(agent.track_id)
                inside = view.unoccluded(index, 0 if visible is None else visible[1])
                rows.append(agent, when=(number, frame), measured=(visible, inside, amodal))
    return rows.labels(len(wanted))


class _AgentView:
    """The agents of a scene in one frame: their faces, in the order of drawing, and what may cover them."""

    def __init__(self, raster_scene: RasterScene, frame: int):
        self.raster_scene, self.frame = raster_scene, frame
        self.drawn = raster_scene.prepare(frame)
        self.near = raster_scene.agents_near_view(frame)
        self.agent = raster_scene.of_agent[self.drawn.faces]
        self.body = self.agent >= 0
        self.body &= raster_scene.instance[self.drawn.faces] >= 0
        self.bounds = face_bounds(self.drawn)

    def instances(self) -> np.ndarray:
        """Track ids ``(H, W)`` at image size, as :func:`worldgen.rendering.render.render_scene` gives them.

        Faces behind all agents, and those beside them, are left out.
        """
        camera, drawn = self.raster_scene.camera, self.drawn
        half = SAMPLES // 2
        mine = self.agent >= 0
        if not mine.any():
            return np.zeros((camera.height_px // SAMPLES, camera.width_px // SAMPLES), np.int32)
        first = int(mine.argmax())
        numbers = np.unique(self.agent[mine])
        around = np.array([_around(self.bounds[self.agent == number]) for number in numbers])
        beside = np.flatnonzero(~mine[first:]) + first
        chosen = np.flatnonzero(mine)
        for box in around:
            chosen = np.concatenate([chosen, beside[_overlap(self.bounds[beside], box)]])
        index = np.zeros((camera.height_px, camera.width_px), np.int32)
        self.raster_scene.fill(index, drawn, np.unique(chosen))
        instance = np.concatenate([np.zeros(FIRST_FACE, np.int32), self.raster_scene.instance[drawn.faces]])
        return instance.astype(np.int32)[index[half::SAMPLES, half::SAMPLES]]

    def amodal_box(self, index: int) -> np.ndarray | None:
        """Amodal box of one agent in image pixels, None if it does not touch the image or is not there."""
        camera = self.raster_scene.camera
        if not self.near[index] or not self.raster_scene.scene.agents[index].present[self.frame]:
            return None
        box = self.raster_scene.amodal_box(self.frame, index)
        if box is None or box[2] <= 0 or box[3] <= 0 or box[0] >= camera.width_px or box[1] >= camera.height_px:
            return None
        return box / SAMPLES

    def unoccluded(self, index: int, visible: int) -> int:
        """Number of image pixels of one agent without the others. visible: number of those that are seen.

        An agent that no other face can cover is not filled once more.
        """
        faces = np.flatnonzero(self.body & (self.agent == index))
        if not len(faces):
            return 0
        around = _around(self.bounds[faces])
        later = np.arange(len(self.agent)) > faces[0]
        later &= _overlap(self.bounds, around)
        if np.count_nonzero(later) == len(faces) - 1:  # all of them its own
            return visible
        return self.raster_scene.silhouette_pixels(self.drawn, faces, around, SAMPLES)


def _around(bounds: np.ndarray) -> np.ndarray:
    """The box ``(4,)`` around boxes ``(N, 4)``."""
    return np.concatenate([bounds[:, :2].min(0), bounds[:, 2:].max(0)])


def _overlap(bounds: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Which of boxes ``(N, 4)`` overlap one, ``(N,)`` bool."""
    x0, y0, x1, y1 = bounds.T
    return (x0 < box[2]) & (x1 > box[0]) & (y0 < box[3]) & (y1 > box[1])


def boxes_of(instance: np.ndarray) -> dict[int, tuple[np.ndarray, int]]:
    """Track id -> (box x0 y0 x1 y1 in pixels, number of pixels), of every visible track."""
    y, x = np.nonzero(instance)
    if not len(y):
        return {}
    track = instance[y, x]
    order = np.argsort(track, kind="stable")  # rows of the picture stay in order within a track
    track, x, y = track[order], x[order], y[order]
    start = np.flatnonzero(np.concatenate([[True], track[1:] != track[:-1]]))
    count = np.diff(start, append=len(track))
    left, right = np.minimum.reduceat(x, start), np.maximum.reduceat(x, start) + 1
    box = np.stack([left, y[start], right, y[start + count - 1] + 1], 1).astype(float)
    return {int(track[first]): (box[k], int(count[k])) for k, first in enumerate(start)}


class LabelRows:
    """Collects the labels of agents frame by frame, in the columns of ``Labels``. camera: of the image."""

    def __init__(self, scene: Scene, camera: Camera):
        self.scene, self.size_px = scene, (camera.width_px, camera.height_px)
        self.agents: list[tuple[int, int, int]] = []
        self.boxes: list[tuple[np.ndarray, np.ndarray]] = []
        self.pixels: list[tuple[int, int]] = []
        self.solids: list[np.ndarray] = []

    def append(
        self,
        agent: Agent,
        *,
        when: tuple[int, int],
        measured: tuple[tuple[np.ndarray, int] | None, int, np.ndarray],
    ) -> None:
        """Append the label of one agent in one frame.

        when: frame index of the labels and of the scene. measured: visible box with its number of pixels, number of
        pixels without other objects, and amodal box.
        """
        number, frame = when
        visible, inside, whole = measured
        assert agent.label is not None, agent.track_id
        box, pixels = visible if visible is not None else (NO_BOX, 0)
        self.agents.append((number, agent.track_id, CLASSES.index(agent.label)))
        self.boxes.append((box, whole))
        self.pixels.append((pixels, inside))
        self.solids.append(ego_box(self.scene, agent, frame))

    def labels(self, num_frames: int) -> Labels:
        """The labels so far, by frame and track, of ``num_frames`` frames."""
        number, track, kind = np.array(self.agents, int).reshape(-1, 3).T
        order = np.lexsort((track, number))
        box, whole = np.array(self.boxes, float).reshape(-1, 2, 4).transpose(1, 0, 2)
        pixels, inside = np.array(self.pixels, float).reshape(-1, 2).T
        solid = np.array(self.solids, float).reshape(-1, 7)
        size = np.array(self.size_px, float)
        seen = ~np.isnan(box[:, :1])
        corner = np.clip(whole[:, :2], 0, size)
        # Rounding may put a visible pixel just outside the projected outline.
        joined = np.concatenate([np.minimum(whole[:, :2], box[:, :2]), np.maximum(whole[:, 2:], box[:, 2:])], 1)
        whole = np.where(seen, joined, whole)
        box = np.where(seen, box, np.concatenate([corner, corner], 1))
        share = np.minimum(1.0, pixels / np.maximum(inside, 1))
        width, height = whole[:, 2] - whole[:, 0], whole[:, 3] - whole[:, 1]
        cut = np.clip(whole, 0, np.concatenate([size, size]))
        truncation = 1.0 - (cut[:, 2] - cut[:, 0]) * (cut[:, 3] - cut[:, 1]) / np.maximum(width * height, 1e-6)
        in_fog = np.hypot(solid[:, 0], solid[:, 1]) > self.scene.atmosphere.visibility_m
        columns: dict[str, np.ndarray] = {
            "frame_index": number, "track_id": track, "class_id": kind, "box_px": box, "amodal_box_px": whole,
            "visible_fraction": share, "occlusion": 1.0 - share, "truncation": np.clip(truncation, 0, 1),
            "box3d": solid, "ignore": (height < MIN_HEIGHT_PX) | (share < MIN_VISIBLE) | in_fog,
        }  # fmt: skip
        typed: dict[str, Any] = {name: columns[name][order].astype(COLUMNS[name][0]) for name in COLUMNS}
        return Labels(num_frames, *self.size_px, "scene", **typed)


def ego_box(scene: Scene, agent: Agent, frame: int) -> np.ndarray:
    """The 3-D box of an agent in ego axes, ``(7,)``: centre x y z, length width height (m), yaw (rad)."""
    x, y, z, yaw = agent.poses[frame]
    ex, ey, eyaw = scene.ego_poses[frame]
    c, s = np.cos(eyaw), np.sin(eyaw)
    dx, dy = x - ex, y - ey
    turned = (yaw - eyaw + np.pi) % (2 * np.pi) - np.pi
    return np.array(
        [c * dx + s * dy, -s * dx + c * dy, z - scene.ego_z_m[frame] + agent.size_m[2] / 2, *agent.size_m, turned]
    )

"""Labels measured from the instance buffer: boxes, visibility, occlusion and truncation of every object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.labels import CLASSES, COLUMNS, Labels
from worldgen.core.scene import Agent, Scene
from worldgen.rendering.drawing.raster import DrawnFaces, RasterScene
from worldgen.rendering.drawing.view import SAMPLES
from worldgen.rendering.render import Rendering, frame_numbers, image_camera

MIN_HEIGHT_PX = 6.0
"""Objects whose amodal box is lower than this are flagged ``ignore``."""
MIN_VISIBLE = 0.1
"""Objects of which a smaller share is visible are flagged ``ignore``; so are those beyond the visibility in fog."""


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
    raster_camera = camera.resized(camera.width_px * SAMPLES, camera.height_px * SAMPLES)
    raster_scene = RasterScene(scene, raster_camera, carried=carried)
    rows = LabelRows(scene, camera)
    order = sorted(range(len(scene.agents)), key=lambda i: scene.agents[i].track_id)
    for number, frame in enumerate(wanted):
        drawn = raster_scene.prepare(frame)
        instance = rendering.instance[number] if rendering is not None else _instances(raster_scene, frame, drawn)
        boxes = boxes_of(instance)
        for index in order:
            agent = scene.agents[index]
            if agent.label is None or not agent.present[frame]:
                continue
            unoccluded = _unoccluded(raster_scene, frame, index, drawn)
            if unoccluded is not None:
                measured = (boxes.get(agent.track_id), *unoccluded)
                rows.append(agent, when=(number, frame), measured=measured)
    return rows.labels(len(wanted))


def _instances(raster_scene: RasterScene, frame: int, drawn: DrawnFaces) -> np.ndarray:
    """Track ids ``(H, W)`` at image size, as :func:`worldgen.rendering.render.render_scene` gives them."""
    raster = raster_scene.rasterise(frame, drawn)
    return raster.instance[raster.index[SAMPLES // 2 :: SAMPLES, SAMPLES // 2 :: SAMPLES]]


def _unoccluded(raster_scene: RasterScene, frame: int, index: int, drawn: DrawnFaces) -> tuple[int, np.ndarray] | None:
    """Number of image pixels of one agent without the others, and its amodal box in image pixels.

    None if not in view.
    """
    box = raster_scene.amodal_box(frame, index)
    if (
        box is None
        or box[2] <= 0
        or box[3] <= 0
        or box[0] >= raster_scene.camera.width_px
        or box[1] >= raster_scene.camera.height_px
    ):
        return None
    mask = raster_scene.silhouette(drawn, index)
    return int(np.count_nonzero(mask[SAMPLES // 2 :: SAMPLES, SAMPLES // 2 :: SAMPLES])), box / SAMPLES


def boxes_of(instance: np.ndarray) -> dict[int, tuple[np.ndarray, int]]:
    """Track id -> (box x0 y0 x1 y1 in pixels, number of pixels), of every visible track."""
    y, x = np.nonzero(instance)
    if not len(y):
        return {}
    track = instance[y, x]
    ids, inverse, count = np.unique(track, return_inverse=True, return_counts=True)
    box = np.empty((len(ids), 4))
    for column, values, pick, add in (
        (0, x, np.minimum, 0),
        (1, y, np.minimum, 0),
        (2, x, np.maximum, 1),
        (3, y, np.maximum, 1),
    ):
        best = np.full(len(ids), np.inf if pick is np.minimum else -np.inf)
        pick.at(best, inverse, values)
        box[:, column] = best + add
    return {int(i): (box[k], int(count[k])) for k, i in enumerate(ids)}


class LabelRows:
    """Collects the labels of agents frame by frame, in the columns of ``Labels``. camera: of the image."""

    def __init__(self, scene: Scene, camera: Camera):
        self.scene, self.size_px = scene, (camera.width_px, camera.height_px)
        self.rows: dict[str, list] = {name: [] for name in COLUMNS}

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
        width, height = self.size_px
        rows, scene = self.rows, self.scene
        assert agent.label is not None, agent.track_id
        box, pixels = visible if visible is not None else (np.zeros(4), 0)
        if visible is not None:
            # Rounding may put a visible pixel just outside the projected outline.
            whole = np.concatenate([np.minimum(whole[:2], box[:2]), np.maximum(whole[2:], box[2:])])
        else:
            corner = np.clip(whole[:2], 0, (width, height))
            box = np.concatenate([corner, corner])
        visible_share = min(1.0, pixels / max(inside, 1)) if inside or pixels else 0.0
        area = max((whole[2] - whole[0]) * (whole[3] - whole[1]), 1e-6)
        cut = np.clip(whole, 0, (width, height, width, height))
        truncation = 1.0 - (cut[2] - cut[0]) * (cut[3] - cut[1]) / area
        rows["frame_index"].append(number)
        rows["track_id"].append(agent.track_id)
        rows["class_id"].append(CLASSES.index(agent.label))
        rows["box_px"].append(box)
        rows["amodal_box_px"].append(whole)
        rows["visible_fraction"].append(visible_share)
        rows["occlusion"].append(1.0 - visible_share)
        rows["truncation"].append(float(np.clip(truncation, 0, 1)))
        rows["box3d"].append(ego_box(scene, agent, frame))
        in_fog = np.hypot(*rows["box3d"][-1][:2]) > scene.atmosphere.visibility_m
        rows["ignore"].append(bool(whole[3] - whole[1] < MIN_HEIGHT_PX or visible_share < MIN_VISIBLE or in_fog))

    def labels(self, num_frames: int) -> Labels:
        """The labels so far, by frame and track, of ``num_frames`` frames."""
        order = np.lexsort((np.array(self.rows["track_id"], int), np.array(self.rows["frame_index"], int)))
        columns: dict[str, Any] = {
            name: np.array([values[k] for k in order], COLUMNS[name][0]).reshape(
                (-1,) if COLUMNS[name][1] == 1 else (-1, COLUMNS[name][1])
            )
            for name, values in self.rows.items()
        }
        return Labels(num_frames, *self.size_px, "scene", **columns)


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

"""Labels measured from the instance buffer: what a camera sees of each object, and what it would see without the others."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from worldgen.core.labels import CLASSES, COLUMNS, Labels
from worldgen.core.scene import Agent, Scene
from worldgen.rendering.drawing.raster import DrawnFaces, RasterScene
from worldgen.rendering.drawing.view import SAMPLES
from worldgen.rendering.render import Rendering, picture_camera, picture_frames

MIN_HEIGHT_PX = 6.0
"""Objects whose whole is lower than this are flagged to be ignored, and those beyond the visibility in fog."""
MIN_VISIBLE = 0.1


def labels_of(
    scene: Scene,
    rendering: Rendering | None = None,
    *,
    frames: Iterable[int] | None = None,
    size: tuple[int, int] | None = None,
) -> Labels:
    """Labels of all classed agents in front of the camera whose whole touches the image.

    rendering: of this scene with the same ``frames`` and ``size``, when there is one; otherwise only the geometry is
    drawn. Frame numbers count from 0 in the given frames. The visible box surrounds the object's pixels in the instance
    buffer; the amodal box surrounds its projected vertices.
    """
    wanted = picture_frames(scene, frames)
    camera = picture_camera(scene, size if rendering is None else (rendering.clip.width_px, rendering.clip.height_px))
    stage = RasterScene(scene, camera.resized(camera.width_px * SAMPLES, camera.height_px * SAMPLES))
    rows: dict[str, list] = {name: [] for name in COLUMNS}
    order = sorted(range(len(scene.agents)), key=lambda i: scene.agents[i].track_id)
    for number, frame in enumerate(wanted):
        drawn = stage.prepare(frame)
        instance = rendering.instance[number] if rendering is not None else _instances(stage, frame, drawn)
        boxes = _boxes(instance)
        for index in order:
            agent = scene.agents[index]
            if agent.label is None or not agent.present[frame]:
                continue
            alone = _alone(stage, frame, index, drawn)
            if alone is not None:
                _row(
                    rows,
                    (number, frame),
                    agent,
                    (boxes.get(agent.track_id), *alone),
                    (camera.width_px, camera.height_px, scene),
                )
    columns = {
        name: np.array(values, COLUMNS[name][0]).reshape((-1,) if COLUMNS[name][1] == 1 else (-1, COLUMNS[name][1]))
        for name, values in rows.items()
    }
    return Labels(len(wanted), camera.width_px, camera.height_px, "scene", **columns)


def _instances(stage: RasterScene, frame: int, drawn: DrawnFaces) -> np.ndarray:
    """Track ids at picture size, as :func:`worldgen.rendering.render.render_scene` finds them."""
    raster = stage.rasterised(frame, drawn)
    return raster.track[raster.index[SAMPLES // 2 :: SAMPLES, SAMPLES // 2 :: SAMPLES]]


def _alone(stage: RasterScene, frame: int, index: int, drawn: DrawnFaces) -> tuple[int, np.ndarray] | None:
    """Pixels that one agent would fill without the others, and its amodal box in picture pixels; None if not in view."""
    box = stage.amodal_box(frame, index)
    if box is None or box[2] <= 0 or box[3] <= 0 or box[0] >= stage.camera.width_px or box[1] >= stage.camera.height_px:
        return None
    mask = stage.silhouette(drawn, index)
    return int(np.count_nonzero(mask[SAMPLES // 2 :: SAMPLES, SAMPLES // 2 :: SAMPLES])), box / SAMPLES


def _boxes(instance: np.ndarray) -> dict[int, tuple[np.ndarray, int]]:
    """Box of pixels x0 y0 x1 y1 and number of pixels of every track seen."""
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


def _row(rows: dict[str, list], when: tuple[int, int], agent: Agent, seen: tuple, picture: tuple) -> None:
    """Measure one agent in one frame and append it."""
    number, frame = when
    visible, inside, whole = seen
    width, height, scene = picture
    box, pixels = visible if visible is not None else (np.zeros(4), 0)
    if visible is not None:
        # Rounding may put a seen pixel just outside the projected outline.
        whole = np.concatenate([np.minimum(whole[:2], box[:2]), np.maximum(whole[2:], box[2:])])
    else:
        corner = np.clip(whole[:2], 0, (width, height))
        box = np.concatenate([corner, corner])
    share = min(1.0, pixels / max(inside, 1)) if inside or pixels else 0.0
    area = max((whole[2] - whole[0]) * (whole[3] - whole[1]), 1e-6)
    cut = np.clip(whole, 0, (width, height, width, height))
    truncation = 1.0 - (cut[2] - cut[0]) * (cut[3] - cut[1]) / area
    rows["frame_index"].append(number)
    rows["track_id"].append(agent.track_id)
    rows["class_id"].append(CLASSES.index(agent.label))
    rows["box_px"].append(box)
    rows["amodal_box_px"].append(whole)
    rows["visible_fraction"].append(share)
    rows["occlusion"].append(1.0 - share)
    rows["truncation"].append(float(np.clip(truncation, 0, 1)))
    rows["box3d"].append(ego_box(scene, agent, frame))
    in_fog = np.hypot(*rows["box3d"][-1][:2]) > scene.atmosphere.visibility_m
    rows["ignore"].append(bool(whole[3] - whole[1] < MIN_HEIGHT_PX or share < MIN_VISIBLE or in_fog))


def ego_box(scene: Scene, agent: Agent, frame: int) -> np.ndarray:
    """Centre x y z, length width height (m) and yaw (rad) of an agent in the ego frame of a frame, ``(7,)``."""
    x, y, z, yaw = agent.poses[frame]
    ex, ey, eyaw = scene.ego_poses[frame]
    c, s = np.cos(eyaw), np.sin(eyaw)
    dx, dy = x - ex, y - ey
    turned = (yaw - eyaw + np.pi) % (2 * np.pi) - np.pi
    return np.array(
        [c * dx + s * dy, -s * dx + c * dy, z - scene.ego_z_m[frame] + agent.size_m[2] / 2, *agent.size_m, turned]
    )

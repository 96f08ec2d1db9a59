"""The boxes control: 3-D boxes as wire frames, or 2-D boxes as layouts draw them."""

from __future__ import annotations

import colorsys

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.labels import CLASSES, Labels
from worldgen.core.scene import Scene
from worldgen.rendering.controls.cuboids import EDGES, Colour, Cuboid
from worldgen.rendering.controls.pixel_fill import draw_line, fill_convex, in_camera
from worldgen.rendering.labelling import MIN_HEIGHT_PX, boxes_of
from worldgen.rendering.render import Rendering

LINE_WIDTH_PX, LINE_WIDTH_AT_PX = 2.0, 720
"""Width of the lines in a picture of this many rows; it grows with the picture, and is at least ``MIN_LINE_PX``."""
MIN_LINE_PX = 1.2


def class_colour(name: str) -> Colour:
    """Colour of a class of ``CLASSES``: hues in the order of the classes; grey for objects without a class."""
    if name not in CLASSES:
        return (128, 128, 128)
    red, green, blue = colorsys.hsv_to_rgb(CLASSES.index(name) / len(CLASSES), 1.0, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def line_width_px(height_px: int) -> float:
    """Width of the lines in a picture of ``height_px`` rows."""
    return max(MIN_LINE_PX, LINE_WIDTH_PX * height_px / LINE_WIDTH_AT_PX)


def wire_frames(camera: Camera, cuboids: list[Cuboid]) -> np.ndarray:
    """Boxes as wire frames in the colours of their classes on black, ``(H, W, 3)`` uint8, nearer ones above.

    All twelve edges are drawn, and the diagonals of the front, so that the heading shows.
    """
    image: np.ndarray = np.zeros((camera.height_px, camera.width_px, 3), np.uint8)
    width_px = line_width_px(camera.height_px)
    eye = np.array([0.0, 0.0, camera.height_m])
    for cuboid in sorted(cuboids, key=lambda c: -float(np.linalg.norm(c.row[:3] - eye))):
        corners = in_camera(camera, cuboid.corners_m)
        for pair in (*EDGES, (0, 7), (3, 4)):
            draw_line(image, camera, corners[list(pair)], width_px=width_px, colour=class_colour(cuboid.name))
    return image


def flat_boxes(size_px: tuple[int, int], boxes: list[tuple[str, np.ndarray]]) -> np.ndarray:
    """Visible boxes as outlines on white, ``(H, W, 3)`` uint8, smaller ones above.

    size_px: width and height. boxes: class and box x0 y0 x1 y1 (px). So the layout control of VACE draws them: white
    ground, lines of two pixels at 720 rows, one colour a class (``annotators/layout.py`` of ali-vilab/VACE).
    """
    width, height = size_px
    image = np.full((height, width, 3), 255, np.uint8)
    half = line_width_px(height) / 2
    for name, box in sorted(boxes, key=lambda item: -float(np.prod(item[1][2:] - item[1][:2]))):
        x0, y0, x1, y1 = (float(v) for v in box)
        for left, right, top, bottom in ((x0, x1, y0, y0), (x0, x1, y1, y1), (x0, x0, y0, y1), (x1, x1, y0, y1)):
            a, b, c, d = left - half, right + half, top - half, bottom + half
            fill_convex(image, np.array([(a, c), (b, c), (b, d), (a, d)]), class_colour(name))
    return image


def scene_flat_boxes(scene: Scene, rendering: Rendering, number: int) -> list[tuple[str, np.ndarray]]:
    """Class and visible box (px) of the labelled objects of one frame of a rendering, by its number in it."""
    names = {agent.track_id: agent.label for agent in scene.agents if agent.label is not None}
    found = boxes_of(rendering.instance[number])
    return [
        (names[track], box)
        for track, (box, _) in found.items()
        if track in names and box[3] - box[1] >= MIN_HEIGHT_PX
    ]  # fmt: skip


def label_flat_boxes(labels: Labels, frame: int) -> list[tuple[str, np.ndarray]]:
    """Class and visible box (px) of the labels of one frame, without those that are flagged ``ignore`` or hidden."""
    rows = labels.at(frame)
    rows = rows.where(~rows.ignore & (rows.box_px[:, 2] > rows.box_px[:, 0]) & (rows.box_px[:, 3] > rows.box_px[:, 1]))
    return [(CLASSES[int(k)], box) for k, box in zip(rows.class_id, rows.box_px, strict=True)]

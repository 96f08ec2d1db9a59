"""The wsm control: the world scenario map that NVIDIA's Cosmos models for driving read."""

from __future__ import annotations

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.scene import SIGNAL_STATES, Scene
from worldgen.rendering.controls.cuboids import Colour, Cuboid, CuboidPainter, scene_cuboids
from worldgen.rendering.controls.map_elements import MapLine, SceneMap, scene_map
from worldgen.rendering.controls.pixel_fill import draw_line, fill_polygon, in_camera

MAP_COLOURS: dict[str, Colour] = {
    "lanelines_white": (255, 255, 255), "lanelines_yellow": (255, 255, 0), "poles": (183, 69, 177),
    "road_boundaries": (253, 1, 232), "wait_lines": (108, 179, 59), "crosswalks": (139, 93, 255),
    "road_markings": (20, 254, 185), "traffic_signs": (8, 2, 255),
}  # fmt: skip
"""Colours of the map, version 3 of nvidia-cosmos/cosmos-transfer2.5 (``config_color_hdmap.json``). White and yellow of
lane lines are those of its ``config_color_geometry_laneline.json``, as a second renderer of version 3 quotes them."""
BOX_COLOURS: dict[str, tuple[Colour, Colour]] = {
    "Car": ((0, 46, 136), (126, 206, 255)), "Truck": ((204, 55, 0), (255, 192, 64)),
    "Pedestrian": ((148, 0, 62), (255, 124, 171)), "Cyclist": ((0, 80, 66), (102, 208, 198)),
    "Others": ((53, 26, 20), (166, 136, 125)),
}  # fmt: skip
"""Colours of the front and the rear of a cuboid, version 3 of the same renderer; they blend along its length."""
BOX_KINDS = {
    "car": "Car", "truck": "Truck", "bus": "Truck", "pedestrian": "Pedestrian", "cyclist": "Cyclist",
    "bicycle": "Cyclist", "motorcycle": "Cyclist",
}  # fmt: skip
"""Class -> kind of cuboid; "Others" for the rest, as that renderer sorts them."""
LIGHT_COLOURS: dict[str, Colour] = {
    "red": (240, 50, 50), "amber": (255, 200, 0), "green": (130, 240, 132), "off": (100, 100, 100),
}  # fmt: skip
"""Colours of traffic lights by state, version 2 of the same renderer; "off" stands for unknown."""
EDGE_COLOUR: Colour = (200, 200, 200)
LINE_PX, POLE_PX, EDGE_PX, WIDTHS_AT_PX = 12.0, 5.0, 4.0, 1280
"""Widths of lines, poles and edges of cuboids in a picture of so many columns; they grow with the picture."""
MIN_WIDTH_PX = 1.2
REACH_M = 150.0
"""Parts of the map farther than this from the car are left out."""


class ScenarioMapPainter:
    """Paints world scenario maps ``(H, W, 3)`` uint8 at the size of one camera: black without sky or buildings."""

    def __init__(self, camera: Camera):
        self.camera, self.cuboids = camera, CuboidPainter(camera)
        self._grow = camera.width_px / WIDTHS_AT_PX

    def scene_frames(self, scene: Scene, frames: list[int]) -> np.ndarray:
        """Maps of frames of a scene, ``(T, H, W, 3)`` uint8."""
        elements = scene_map(scene)
        out: np.ndarray = np.zeros((len(frames), self.camera.height_px, self.camera.width_px, 3), np.uint8)
        for image, frame in zip(out, frames, strict=True):
            place = _EgoPlace(scene, frame)
            self._paint_map(image, elements, place)
            boxes = [
                Cuboid("", np.array([*place.of(box.centre_m[None])[0], *box.size_m, box.yaw_rad - place.yaw]))
                for box in elements.boxes
                if place.near(box.centre_m)
            ]
            self.paint_cuboids(image, scene_cuboids(scene, frame), boxes)
        return out

    def paint_cuboids(self, image: np.ndarray, cuboids: list[Cuboid], signs: list[Cuboid]) -> None:
        """Paint objects, traffic lights and signs into a map, in place; nearer ones hide farther ones."""
        depth = np.full(image.shape[:2], np.inf)
        for cuboid in cuboids:
            if cuboid.name == "traffic_light":
                state = "off" if cuboid.light is None else SIGNAL_STATES[cuboid.light]
                front = rear = LIGHT_COLOURS[state]
                edge_px = 0.0
            else:
                front, rear = BOX_COLOURS[BOX_KINDS.get(cuboid.name, "Others")]
                edge_px = self._width(EDGE_PX)
            self.cuboids.paint(image, depth, cuboid, front=front, rear=rear, edge_px=edge_px, edge=EDGE_COLOUR)
        colour = MAP_COLOURS["traffic_signs"]
        for sign in signs:
            self.cuboids.paint(image, depth, sign, front=colour, rear=colour, edge_px=0.0, edge=colour)

    def _width(self, at_full_px: float) -> float:
        return max(MIN_WIDTH_PX, at_full_px * self._grow)

    def _paint_map(self, image: np.ndarray, elements: SceneMap, place: _EgoPlace) -> None:
        for area in elements.areas:
            if place.near(area.corners_m):
                corners = in_camera(self.camera, place.of(area.corners_m))
                fill_polygon(image, self.camera, corners, MAP_COLOURS[area.kind])
        for line in elements.lines:
            self._draw(image, line, place, self._width(LINE_PX))
        for pole in elements.poles:
            self._draw(image, pole, place, self._width(POLE_PX))

    def _draw(self, image: np.ndarray, line: MapLine, place: _EgoPlace, width_px: float) -> None:
        if not place.near(line.points_m):
            return
        points = in_camera(self.camera, place.of(line.points_m))
        inside = np.flatnonzero((points[:-1, 2] < REACH_M) & (np.maximum(points[:-1, 2], points[1:, 2]) > 0))
        for k in inside:
            draw_line(image, self.camera, points[k : k + 2], width_px=width_px, colour=MAP_COLOURS[line.kind])


class _EgoPlace:
    """Where the ego car is in one frame of a scene: takes world points to its axes."""

    def __init__(self, scene: Scene, frame: int):
        x, y, self.yaw = (float(v) for v in scene.ego_poses[frame])
        self.origin = np.array([x, y, float(scene.ego_z_m[frame])])
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        self.ego_from_world = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])

    def of(self, points_m: np.ndarray) -> np.ndarray:
        """Points ``(N, 3)`` of the world in the ego frame (m)."""
        return np.asarray((np.asarray(points_m, float) - self.origin) @ self.ego_from_world.T)

    def near(self, points_m: np.ndarray) -> bool:
        """Whether any of the points ``(..., 3)`` of a part of the map may be in reach: its box comes near enough."""
        points = np.asarray(points_m, float).reshape(-1, 3)[:, :2]
        gap = np.maximum(np.maximum(points.min(0) - self.origin[:2], self.origin[:2] - points.max(0)), 0)
        return bool(np.hypot(*gap) < REACH_M)

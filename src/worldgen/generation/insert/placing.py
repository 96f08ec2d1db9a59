"""Where road users can stand in a picture: on free ground of the right kind, in sizes that the ground gives them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.scenario import AgentRequest
from worldgen.generation.insert.insert_plan import MASK_CODES, InsertPlan, LabelledPicture
from worldgen.generation.insert.nearer_objects import NearerObjects
from worldgen.generation.insert.picture_ground import PictureGround
from worldgen.prompts import parse
from worldgen.simulation.actors import LABELS, draw_size, draw_variant

NEAREST_M, FARTHEST_M = 4.0, 70.0
MOST_HEIGHT = 0.7
"""Largest height of an insert as a share of the picture's."""
MOST_COVERED = 0.3
"""Largest share of a labelled box that an insert may cover: old labels must stay true."""
MOST_HIDDEN = 0.6
"""Largest share of an insert that nearer objects may hide."""
LOWEST = 0.86
"""Without a map of classes nothing stands lower in the picture than this share of its height: there may be a bonnet."""
TRIES = 60
LANE_M = 3.4
WALKERS = ("pedestrian", "child")
RIDERS = ("cyclist", "bicycle", "motorcycle")
LEAST_OPEN_WAY = 0.8
ROUGH_FLOOR = 0.5
"""Mean size of the Laplacian, in display steps, that smooth ground may have."""
GROUND_DISTANCE = 3.0
"""Largest distance of a pixel's colour and roughness from those of the ground ahead, in their robust deviations."""


@dataclass(frozen=True)
class InsertWish:
    """What is to be put in. kind: of ``AGENT_KINDS``. place: of ``PLACES``. height_px: wished range of heights.

    Raises:
        InputError: a kind without a label, or an empty range.
    """

    kind: str
    place: str = "anywhere"
    height_px: tuple[float, float] = (24.0, 240.0)

    def __post_init__(self) -> None:
        AgentRequest(self.kind, 1, self.place)
        if LABELS[self.kind] is None or self.kind == "traffic_light":
            raise InputError("object to insert", self.kind, "a labelled road user that stands on the ground")
        if not 4 <= self.height_px[0] < self.height_px[1]:
            raise InputError("heights of inserts in pixels", self.height_px, "from 4, the second above the first")

    @property
    def class_name(self) -> str:
        """Class of its label."""
        name = LABELS[self.kind]
        assert name is not None, self.kind
        return name


def wishes_of(words: str, height_px: tuple[float, float] = (24.0, 240.0)) -> tuple[InsertWish, ...]:
    """What words ask for, such as "pedestrian crossing, cyclist".

    Raises:
        InputError: words that are not understood, or that name no road user.
    """
    parsed = parse(words)
    if parsed.not_understood:
        raise InputError("--what", ", ".join(parsed.not_understood), "road users, such as pedestrian crossing, cyclist")
    agents = [agent for agent in parsed.scenario.agents if agent.count > 0]
    if not agents:
        raise InputError("--what", words, "at least one road user, such as pedestrian crossing, cyclist, deer")
    return tuple(InsertWish(agent.kind, agent.place, height_px) for agent in agents for _ in range(agent.count))


def walkable_ground(picture: LabelledPicture, ground: PictureGround) -> np.ndarray:
    """Where the ground is: ``(H, W)`` uint8, 0 no, 1 road, 2 pavement, 3 ground of unknown use.

    From the map of classes where there is one. Otherwise: what is below the horizon, connected to the ground ahead of
    the car, of about its colour and roughness, and free of labels.
    """
    if picture.masks is not None:
        out = np.zeros(picture.masks.shape, np.uint8)
        out[picture.masks == MASK_CODES["road"]] = 1
        out[picture.masks == MASK_CODES["sidewalk"]] = 2
        return out
    height, width = picture.frame.shape[:2]
    lab = cv2.cvtColor(cv2.blur(picture.frame, (5, 5)), cv2.COLOR_RGB2LAB).astype(np.float32)
    free = np.ones((height, width), bool)
    for x0, y0, x1, y1 in picture.box_px.round().astype(int):
        free[max(0, y0) : y1, max(0, x0) : x1] = False
    below = np.arange(height)[:, None] > ground.camera.horizon_px + 0.015 * height
    start = int(np.clip(ground.camera.horizon_px + 0.35 * (height - ground.camera.horizon_px), 0, height - 8))
    stop = int(np.clip(ground.camera.horizon_px + 0.75 * (height - ground.camera.horizon_px), start + 4, height))
    ahead = np.zeros((height, width), bool)
    ahead[start:stop, int(0.35 * width) : int(0.65 * width)] = True
    # Bushes and walls may have the colour of the road; they are rougher or have other edges.
    grey = cv2.GaussianBlur(cv2.cvtColor(picture.frame, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.0)
    rough = np.log(cv2.blur(np.abs(cv2.Laplacian(grey, cv2.CV_32F)), (11, 11)) + ROUGH_FLOOR)
    lab = np.dstack([lab, rough])
    seen = lab[ahead & free]
    if len(seen) < 200:
        return np.zeros((height, width), np.uint8)
    middle = np.median(seen, 0)
    spread = 1.4826 * np.median(np.abs(seen - middle), 0) + np.array([6.0, 2.5, 2.5, 0.3], np.float32)
    alike = np.sqrt((((lab - middle) / spread) ** 2).mean(-1)) < GROUND_DISTANCE
    mask = (alike & free & below).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) * free
    _, parts = cv2.connectedComponents(mask)
    held = np.unique(parts[ahead & (mask > 0)])
    return np.where(np.isin(parts, held[held > 0]), 3, 0).astype(np.uint8)


class Placer:
    """Finds places in one picture. taken_px: windows of earlier inserts ``(K, 4)`` x0 y0 x1 y1."""

    def __init__(self, picture: LabelledPicture, ground: PictureGround):
        self.picture, self.ground = picture, ground
        self.order = NearerObjects(picture)
        self.surface = walkable_ground(picture, ground)
        self.taken_px: list[tuple[float, float, float, float]] = []

    def place(self, wish: InsertWish, rng: np.random.Generator, refused: dict[str, int]) -> InsertPlan | None:
        """A plan for a wish, None when no free place was found in ``TRIES``; ``refused`` counts why not, by words."""
        for _ in range(TRIES):
            plan, reason = self._try(wish, rng)
            if plan is not None:
                return plan
            refused[reason] = refused.get(reason, 0) + 1
        return None

    def _try(self, wish: InsertWish, rng: np.random.Generator) -> tuple[InsertPlan | None, str]:
        variant = draw_variant(rng, wish.kind)
        size = draw_size(rng, wish.kind, variant)
        camera = self.ground.camera
        lowest, highest = wish.height_px
        highest = min(highest, MOST_HEIGHT * camera.height_px)
        # Heights are drawn evenly in their logarithm: the distances are those of objects spread along a road.
        if highest <= lowest:
            return None, "picture too small for the wished heights"
        tall = math.exp(rng.uniform(math.log(lowest), math.log(highest)))
        row = camera.horizon_px + tall * camera.height_m / size[2]
        if row >= camera.height_px * (1.0 if self.picture.masks is not None else LOWEST) - 2:
            return None, "nearer than the ground in the picture"
        x, _ = self.ground.place_m(camera.cx_px, row)
        if not NEAREST_M <= x <= FARTHEST_M:
            return None, "too near or too far"
        y, yaw = _across(wish, rng)
        if self.picture.masks is not None or wish.place in ("anywhere", "crossing"):
            column = self._column(wish, int(row), rng)
            if column is None:
                return None, "no ground of the right kind at this distance"
            y = self.ground.place_m(column, row)[1]
        speed = 0.0 if wish.kind not in WALKERS else 1.4
        plan = InsertPlan(
            wish.kind, wish.class_name, variant, size, x, y, yaw, style=int(rng.integers(2**31)),
            phase_rad=float(rng.uniform(0, 2 * math.pi)), speed_mps=speed,
        )  # fmt: skip
        reason = self._refusal(plan)
        return (None, reason) if reason else (plan, "")

    def _column(self, wish: InsertWish, row: int, rng: np.random.Generator) -> float | None:
        """A column of the row whose ground suits the wish."""
        line = self.surface[min(row, len(self.surface) - 1)]
        if wish.kind in WALKERS and wish.place == "anywhere" and (line == 2).any():
            able = line == 2 if rng.random() < 0.8 else (line == 1)
        elif wish.kind in WALKERS or wish.kind == "animal":
            able = np.isin(line, (1, 2, 3)) if wish.place == "anywhere" else np.isin(line, (1, 3))
        else:
            able = np.isin(line, (1, 3))
        columns = np.flatnonzero(able)
        return None if not len(columns) else float(columns[int(rng.integers(len(columns)))]) + 0.5

    def _refusal(self, plan: InsertPlan) -> str:
        """Why a plan cannot be, "" when it can."""
        box, feet = projected_box(plan, self.ground)
        width, height = self.picture.size_px
        if box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height:
            return "cut by the border of the picture"
        if reason := self.bad_ground(feet):
            return reason
        contact = float(feet[:, 1].max())
        if not self.order.sure(box, contact):
            return "order in depth is not sure"
        if covered_shares(box, contact, self.picture.box_px, self.picture.contacts).max(initial=0.0) > MOST_COVERED:
            return "would hide a labelled object"
        for x0, y0, x1, y1 in self.taken_px:
            if box[0] < x1 and box[2] > x0 and box[1] < y1 and box[3] > y0:
                return "meets another insert"
        return ""

    def bad_ground(self, feet: np.ndarray) -> str:
        """What is wrong with the ground under four feet ``(4, 2)`` (px), "" when nothing is."""
        height, width = self.surface.shape
        rows = np.clip(feet[:, 1].astype(int), 0, height - 1)
        columns = np.clip(feet[:, 0].astype(int), 0, width - 1)
        if (self.surface[rows, columns] == 0).any():
            return "its foot would not stand on free ground"
        if self.picture.masks is None and self._open_way(int(columns.mean()), int(rows.max())) < LEAST_OPEN_WAY:
            return "what lies before it is not ground"
        return ""

    def _open_way(self, column: int, row: int) -> float:
        """Share of the column from a foot down to the lowest ground that is ground or a labelled object.

        Walls have the colour of roads, but what lies between a wall and the camera shows where the road ends.
        """
        bottom = max(row + 1, int(LOWEST * len(self.surface)))
        line = self.surface[row:bottom, column] > 0
        for x0, y0, x1, y1 in self.picture.box_px:
            if x0 <= column <= x1:
                line[max(0, int(y0) - row) : max(0, int(y1) - row)] = True
        return float(line.mean())


def projected_box(plan: InsertPlan, ground: PictureGround) -> tuple[np.ndarray, np.ndarray]:
    """x0 y0 x1 y1 ``(4,)`` of the box of a plan in the picture, and its four feet ``(4, 2)`` (px)."""
    length, width, height = plan.size_m
    c, s = math.cos(plan.yaw_rad), math.sin(plan.yaw_rad)
    corners = np.array([(a, b) for a in (-0.5, 0.5) for b in (-0.5, 0.5)]) * (length, width)
    flat = corners @ np.array([[c, s], [-s, c]]) + (plan.x_m, plan.y_m)
    pixels, depth = ground.camera.project(np.array([(*place, z) for z in (0.0, height) for place in flat]))
    if depth.min() < 0.5:
        return np.array([-1.0, -1.0, -1.0, -1.0]), pixels[:4]
    return np.concatenate([pixels.min(0), pixels.max(0)]), pixels[:4]


def covered_shares(box: np.ndarray, contact_px: float, old_px: np.ndarray, old_contact_px: np.ndarray) -> np.ndarray:
    """Share ``(N,)`` of each old box that a new one in ``box`` covers; 0 where the old one is nearer."""
    shared = np.minimum(box[2:], old_px[:, 2:]) - np.maximum(box[:2], old_px[:, :2])
    area = np.maximum((old_px[:, 2:] - old_px[:, :2]).prod(1), 1e-6)
    return np.where(old_contact_px > contact_px, 0.0, np.clip(shared, 0, None).prod(1) / area)


def _across(wish: InsertWish, rng: np.random.Generator) -> tuple[float, float]:
    """Lateral place (m, left positive) and heading (rad) that suit a wish where no map of classes says more."""
    side = 1.0 if wish.place in ("left", "oncoming") else -1.0 if wish.place == "right" else float(rng.choice([-1, 1]))
    if wish.place == "crossing" or (wish.kind == "animal" and wish.place == "anywhere"):
        return float(rng.uniform(-4, 4)), float(side * math.pi / 2 + rng.normal(0, 0.25))
    if wish.kind in WALKERS:
        return side * float(rng.uniform(2.5, 6.5)), float(rng.choice([0.0, math.pi]) + rng.normal(0, 0.3))
    if wish.kind in RIDERS:
        way = 0.0 if wish.place in ("ahead", "right") else float(rng.choice([0.0, math.pi]))
        return side * float(rng.uniform(0.8, 3.2)), way + float(rng.normal(0, 0.12))
    if wish.place == "ahead":
        return float(rng.normal(0, 0.3)), float(rng.normal(0, 0.03))
    lane = side * LANE_M * float(rng.uniform(0.9, 1.1))
    way = math.pi if wish.place == "oncoming" or (wish.place == "anywhere" and rng.random() < 0.5) else 0.0
    return lane, way + float(rng.normal(0, 0.04))

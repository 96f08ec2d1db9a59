"""Plan of a road: its line, cross-section, junction and closed lane, before anything is drawn on it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from worldgen.simulation.road.curve import Curve

BEHIND_M = 40.0
AHEAD_M = 190.0
"""How far the road goes on behind the ego's start and beyond its last pose."""


@dataclass(frozen=True)
class CrossSection:
    """Cross-section in metres, offsets left positive from the reference line; traffic drives on the right.

    Undivided roads have the reference line between the directions; with a median it is the left edge of the ego's
    carriageway. forward, backward: lanes with and against the ego. ground: surface beside the road.
    """

    lane_width_m: float
    forward: int
    backward: int
    median_m: float = 0.0
    inner_shoulder_m: float = 0.0
    shoulder_m: float = 0.0
    parking_left_m: float = 0.0
    parking_right_m: float = 0.0
    verge_m: float = 0.0
    sidewalk_m: float = 0.0
    ground: str = "grass"

    def forward_offset_m(self, lane: int) -> float:
        """Centre of the forward lane counted from the left (0 is the fast lane)."""
        return -(lane + 0.5) * self.lane_width_m

    def backward_offset_m(self, lane: int) -> float:
        return self.median_m + (lane + 0.5) * self.lane_width_m

    @property
    def right_lane_edge_m(self) -> float:
        return -self.forward * self.lane_width_m

    @property
    def left_lane_edge_m(self) -> float:
        return self.median_m + self.backward * self.lane_width_m

    @property
    def right_edge_m(self) -> float:
        """Where the carriageway ends on the right (kerb or end of the shoulder)."""
        return self.right_lane_edge_m - self.parking_right_m - self.shoulder_m

    @property
    def left_edge_m(self) -> float:
        return self.left_lane_edge_m + self.parking_left_m + self.shoulder_m

    @property
    def right_walk_m(self) -> float:
        """Middle of the right sidewalk, or of a strip 1.5 m beside the road where there is none."""
        return self.right_edge_m - self.verge_m - (self.sidewalk_m / 2 if self.sidewalk_m else 1.2)

    @property
    def left_walk_m(self) -> float:
        return self.left_edge_m + self.verge_m + (self.sidewalk_m / 2 if self.sidewalk_m else 1.2)

    @property
    def right_outer_m(self) -> float:
        """Where the street ends on the right: beyond it stand buildings, trees, fields."""
        return self.right_edge_m - self.verge_m - self.sidewalk_m

    @property
    def left_outer_m(self) -> float:
        return self.left_edge_m + self.verge_m + self.sidewalk_m

    @property
    def lanes(self) -> tuple[tuple[float, int], ...]:
        forward = tuple((self.forward_offset_m(k), 1) for k in range(self.forward))
        return forward + tuple((self.backward_offset_m(k), -1) for k in range(self.backward))


@dataclass(frozen=True, eq=False)
class Junction:
    """Where a straight cross road meets the main road.

    s_m: middle, along the main road. line: the cross road's reference line, s = 0 at the middle, heading to the left
    of the main road. section: its cross-section. corner_m: kerb radius. signals: whether lights control it.
    """

    s_m: float
    line: Curve
    section: CrossSection
    corner_m: float
    signals: bool

    @property
    def half_m(self) -> float:
        """Half the length of main road that the cross road takes, without corners."""
        angle = float(self.line.heading_rad[0])
        return max(self.section.left_edge_m, -self.section.right_edge_m) / max(abs(np.sin(angle)), 0.5)

    @property
    def crossing_m(self) -> float:
        """Distance from the middle to the middle of the pedestrian crossings over the main road."""
        return self.half_m + self.corner_m + 1.0

    @property
    def stop_m(self) -> float:
        """Distance from the middle to the stop lines of the main road."""
        return self.crossing_m + 3.2


@dataclass(frozen=True)
class Closure:
    """A lane closed by cones: offset of its middle, where the taper starts, where it is fully closed, and its end."""

    offset_m: float
    taper_start_m: float
    closed_m: float
    end_m: float
    from_right: bool


@dataclass(frozen=True, eq=False)
class RoadPlan:
    """Everything that decides the ground. ego_lane: forward lane in which the ego starts, 0 leftmost.

    crossing_s_m: middle of a zebra crossing away from junctions, or None. driveways: (s, side) with side +1 left.
    """

    kind: str
    base: str
    line: Curve
    section: CrossSection
    ego_lane: int
    end_m: float
    junction: Junction | None = None
    closure: Closure | None = None
    crossing_s_m: float | None = None
    driveways: tuple[tuple[float, int], ...] = field(default=())

    @property
    def ego_offset_m(self) -> float:
        return self.section.forward_offset_m(self.ego_lane)

    @property
    def start_m(self) -> float:
        return float(self.line.s_m[0])

    @property
    def present_junction(self) -> Junction:
        """The junction, for callers that have requested a road with one."""
        assert self.junction is not None, self.kind
        return self.junction

    @property
    def present_closure(self) -> Closure:
        """The closed lane, for callers that have requested a road with one."""
        assert self.closure is not None, self.kind
        return self.closure

    @property
    def closure_blocks_ego(self) -> bool:
        """Whether the works close the lane in which the ego starts."""
        return self.closure is not None and abs(self.closure.offset_m - self.ego_offset_m) < 1.0

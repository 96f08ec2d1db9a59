"""What a road must offer for a scenario: kind, manoeuvre, speed and features."""

from __future__ import annotations

from dataclasses import dataclass, field

from worldgen.simulation.traffic.given_course import Course

MULTI_LANE = frozenset({"left_lane", "right_lane", "neighbour"})
"""Features that need a second lane in the ego's direction."""


@dataclass(frozen=True)
class RoadNeeds:
    """What a road must offer: its kind, the ego's manoeuvre, speed (m/s) and driven distance (m), and features.

    road_features: any of junction, signals, no_signals, through (the ego reaches the junction within the clip),
    far_junction (it does not), parking, left_lane, right_lane, neighbour (either), single_lane, crest, straight,
    crossing (a zebra crossing that the ego reaches), far_crossing, driveway, early_closure, ego_lane_closed.
    course: a given motion that the road must carry.
    """

    road: str
    manoeuvre: str
    speed_mps: float
    distance_m: float
    road_features: frozenset[str] = field(default=frozenset())
    course: Course | None = None


def with_implied_features(needs: RoadNeeds) -> frozenset[str]:
    """The requested features, and those that road and manoeuvre imply."""
    road_features = needs.road_features
    if needs.road == "intersection" or needs.manoeuvre.startswith("turn"):
        road_features = road_features | {"junction"}
    if needs.manoeuvre.startswith("turn"):
        road_features = road_features - {"neighbour"}
    if needs.manoeuvre.startswith("lane") or "ego_lane_closed" in road_features:
        road_features = road_features | {"neighbour"}
    if needs.road == "construction" and not needs.manoeuvre.startswith("turn") and "single_lane" not in road_features:
        road_features = road_features | {"neighbour"}
    return road_features

"""What a road must offer for a scenario: kind, manoeuvre, speed and features."""

from __future__ import annotations

from dataclasses import dataclass, field

from worldgen.simulation.traffic.given_course import Course

MULTI_LANE = frozenset({"left_lane", "right_lane", "neighbour"})


@dataclass(frozen=True)
class RoadNeeds:
    """What a road must offer: kind, the ego's manoeuvre, speed (m/s) and distance (m) driven, and features.

    wants: any of junction, signals, no_signals, through (the ego gets to the junction within the clip), far_junction
    (it does not), parking, left_lane, right_lane, neighbour (either), single_lane, crest, straight, crossing (a zebra
    that the ego reaches), far_crossing, driveway, early_closure, ego_lane_closed. course: a given motion to follow.
    """

    road: str
    manoeuvre: str
    speed_mps: float
    distance_m: float
    road_features: frozenset[str] = field(default=frozenset())
    course: Course | None = None


def with_implied_features(needs: RoadNeeds) -> frozenset[str]:
    """The features wanted, with those that road and manoeuvre imply."""
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

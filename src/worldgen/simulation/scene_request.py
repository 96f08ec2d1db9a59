"""The arguments of a simulation: their checks, the camera drawn when none is given, and the events of the scenario."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.scenario import Scenario, check_word
from worldgen.core.seeds import numpy_rng
from worldgen.simulation.actors import LABELS
from worldgen.simulation.events import EVENTS, Event
from worldgen.simulation.traffic.given_course import MAX_GIVEN_SPEED_MPS, Course, check_given, course_of

MAX_FPS, MAX_FRAMES = 120.0, 4000


@dataclass(frozen=True, eq=False)
class GivenMotion:
    """The optional arguments of :func:`simulate`, unchecked."""

    fps: float
    num_frames: int | None
    camera: Camera | None
    ego: EgoMotion | None
    speed_mps: float | None


@dataclass(frozen=True, eq=False)
class SceneRequest:
    """Everything that a scene depends on, checked. substeps: simulation steps per frame, at least ten per second."""

    scenario: Scenario
    seed: int
    fps: float
    frames: int
    camera: Camera
    draws_camera: bool
    speed_mps: float | None
    course: Course | None
    motion: EgoMotion | None

    @property
    def substeps(self) -> int:
        return max(1, math.ceil(10.0 / self.fps - 1e-9))

    @property
    def steps(self) -> int:
        return (self.frames - 1) * self.substeps + 1

    @property
    def dt_s(self) -> float:
        return 1.0 / (self.fps * self.substeps)


def checked_request(scenario: Scenario, seed: int, given: GivenMotion) -> SceneRequest:
    """The checked arguments of a simulation."""
    fps, num_frames, camera, ego, speed_mps = given.fps, given.num_frames, given.camera, given.ego, given.speed_mps
    if isinstance(fps, bool) or not isinstance(fps, (int, float)) or not 0.5 <= fps <= MAX_FPS:
        raise InputError("fps", fps, f"0.5 to {MAX_FPS:.0f} frames per second")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise InputError("seed", seed, "a whole number")
    if ego is not None:
        check_given(ego, float(fps), num_frames)
        num_frames = len(ego)
    frames = round(scenario.duration_s * fps) + 1 if num_frames is None else num_frames
    if isinstance(frames, bool) or not isinstance(frames, (int, np.integer)) or not 1 <= frames <= MAX_FRAMES:
        raise InputError("number of frames", frames, f"1 to {MAX_FRAMES}")
    if speed_mps is not None and not (isinstance(speed_mps, (int, float)) and 0.0 <= speed_mps <= MAX_GIVEN_SPEED_MPS):
        raise InputError("speed_mps", speed_mps, f"0 to {MAX_GIVEN_SPEED_MPS:.0f} m/s")
    drawn = camera or draw_camera(numpy_rng("camera", scenario.key, int(seed)))
    request = SceneRequest(scenario, int(seed), float(fps), int(frames), drawn, camera is None, speed_mps, None, ego)
    if ego is None:
        return request
    return replace(request, course=course_of(ego, request.substeps))


def draw_camera(rng: np.random.Generator, *, wide: bool = False) -> Camera:
    """A dashcam of 224x128 pixels at the height of a car's windscreen, in 15 % of the draws at that of a van.

    wide: the field of view is at least 68 degrees instead of 50.
    """
    height = rng.uniform(1.2, 1.9) if rng.random() < 0.85 else rng.uniform(1.9, 2.5)
    fov = float(np.clip(rng.normal(66.0, 9.0), 68.0 if wide else 50.0, 90.0))
    return Camera.from_fov(224, 128, fov, height_m=float(height), pitch_rad=math.radians(rng.uniform(0.0, 4.0)))


def check_events(scenario: Scenario, *, given: bool = False) -> list[Event]:
    """The events of a scenario. given: the ego follows a given motion, so its manoeuvre is not checked.

    Raises InputError for an unknown name, and for an event that the scenario contradicts.
    """
    events = []
    for name in scenario.events:
        check_word("event", name, tuple(EVENTS))
        event = EVENTS[name]
        for what, word, allowed in (
            ("road", scenario.road, event.roads),
            ("weather", scenario.weather, event.weathers),
            ("light", scenario.light, event.lights),
        ):
            if word not in allowed:
                raise InputError(f"{what} for the event {name}", word, "one of " + ", ".join(allowed))
        if not given and scenario.manoeuvre not in event.manoeuvres:
            raise InputError(
                f"ego manoeuvre for the event {name}", scenario.manoeuvre, "one of " + ", ".join(event.manoeuvres)
            )
        for request in scenario.agents:
            if request.count == 0 and request.kind in {*event.needs_kinds, *(LABELS[k] for k in event.needs_kinds)}:
                raise InputError(f"number of {request.kind} with the event {name}", 0, "at least the one in the event")
        events.append(event)
    if len(set(scenario.events)) < len(scenario.events):
        raise InputError("events", list(scenario.events), "each event once")
    return events

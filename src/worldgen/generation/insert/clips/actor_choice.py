"""Actors for a clip: simulated along its own ego motion, and taken where its frames have room for them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.samples import Sample
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.core.scene import Agent, Scene
from worldgen.core.seeds import numpy_rng
from worldgen.generation.insert.clips.clip_ground import ClipGround
from worldgen.generation.insert.insert_plan import InsertPlan, LabelledPicture
from worldgen.generation.insert.placing import InsertWish, Placer, covered_shares, projected_box
from worldgen.prompts import parse
from worldgen.simulation.events import EVENTS
from worldgen.simulation.simulate import simulate

TRIES = 12
"""Simulated streets that are tried for one wish."""
GROUND_FRAMES = 6
"""Frames in which the ground under an actor is looked at."""
LEAST_ON_GROUND = 0.5
"""Least share of these frames in which its feet stand on free ground."""
LEAST_SHOWN = 0.25
"""Least share of the frames in which an actor is seen."""
MOST_COVERED = 0.6
"""Largest share of an old label that an actor may cover in a frame; the label says how much of it is hidden."""
MOST_UNSURE = 0.1
"""Largest share of frames in which it is not sure what is nearer."""
SHIFTS_M = (
    (0.0, 0.0), (0.0, 0.8), (0.0, -0.8), (0.0, 1.6), (0.0, -1.6), (6.0, 0.0), (-6.0, 0.0), (12.0, 0.0), (6.0, 1.6),
    (6.0, -1.6), (0.0, 3.0), (0.0, -3.0),
)  # fmt: skip
"""Forward and to the left (m): where a road user of a simulated street may go instead; the real one is not as empty."""
AHEAD_M = (0.0, 6.0, 12.0, 18.0)
"""The same for all actors of an event."""
EGO_M = (1.9, 2.7, 0.93)
"""Front, rear and half width of the body around the camera."""
FAST_MPS = 18.0
"""Ego vehicles that drive faster are on a highway."""


@dataclass(frozen=True)
class ClipWish:
    """What a clip shall get: one road user, or the actors of an event. event: of ``EVENTS``, "" for none.

    height_px: range in which the greatest height of the (first) actor lies.
    """

    wish: InsertWish | None
    event: str = ""
    height_px: tuple[float, float] = (24.0, 240.0)

    @property
    def name(self) -> str:
        """For seeds and reports."""
        return self.event or (f"{self.wish.kind} {self.wish.place}" if self.wish is not None else "")


def clip_wishes(words: str, height_px: tuple[float, float] = (24.0, 240.0)) -> tuple[ClipWish, ...]:
    """What words ask of a clip: road users and events.

    Raises:
        InputError: words that are not understood, or that name neither.
    """
    parsed = parse(words)
    if parsed.not_understood:
        raise InputError(
            "--what", ", ".join(parsed.not_understood), "road users or events, such as pedestrian crossing"
        )
    events = tuple(ClipWish(None, name, height_px) for name in parsed.scenario.events)
    agents = [agent for agent in parsed.scenario.agents if agent.count > 0]
    if not agents and not events:
        raise InputError("--what", words, "at least one road user or event, such as pedestrian crossing, jaywalker")
    return events + tuple(
        ClipWish(InsertWish(agent.kind, agent.place, height_px), "", height_px)
        for agent in agents for _ in range(agent.count)
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Actor:
    """One road user in a clip of T frames. agent: its track in the ego frame of frame 0. plans: T, None where it is not
    before the camera."""

    agent: Agent
    plans: tuple[InsertPlan | None, ...]


def actor_of(agent: Agent, ground: ClipGround) -> Actor:
    """An agent as it stands before the camera of each frame."""
    plans = []
    for frame, (x, y, yaw) in enumerate(ground.poses):
        px, py, pz, heading = agent.poses[frame]
        c, s = math.cos(yaw), math.sin(yaw)
        ahead, left = c * (px - x) + s * (py - y), -s * (px - x) + c * (py - y)
        plan = None
        if agent.present[frame] and agent.label is not None and ahead > 0.0:
            plan = InsertPlan(
                agent.kind, agent.label, agent.variant, agent.size_m, ahead, left, float(heading - yaw), agent.style,
                float(agent.gait_phase[frame]), float(agent.speed_mps[frame]), agent.lights_on, float(pz),
                None if agent.lean_rad is None else float(agent.lean_rad[frame]), bool(agent.braking[frame]),
                int(agent.indicator[frame]), float(agent.door_open[frame]), agent.reflective,
            )  # fmt: skip
        plans.append(plan)
    return Actor(agent, tuple(plans))


class ActorChooser:
    """Finds actors for one clip. taken: actors that it has already."""

    def __init__(self, sample: Sample, ground: ClipGround, pictures: list[LabelledPicture], *, night: bool):
        assert sample.ego is not None
        self.sample, self.ground, self.pictures, self.night = sample, ground, pictures, night
        self.ego = sample.ego
        frames = np.unique(np.linspace(0, len(pictures) - 1, GROUND_FRAMES).round().astype(int))
        self.placers = {int(k): Placer(pictures[k], ground.at(int(k))) for k in frames}
        self.taken: list[Actor] = []

    def choose(self, wish: ClipWish, seed: int, refused: Counter[str]) -> tuple[Actor, ...]:
        """The actors of a wish, () when no street of ``TRIES`` has one that fits; ``refused`` counts why not."""
        for attempt in range(TRIES):
            try:
                groups = self._simulated(wish, seed, attempt)
            except InputError as error:
                refused[f"no street: {error}"[:120]] += 1
                return ()
            reason = "nobody of this kind came"
            for group in groups:
                actors = tuple(actor_of(agent, self.ground) for agent in group)
                reason = self._refusal(actors, wish.height_px)
                if not reason:
                    self.taken += actors
                    return actors
            refused[reason] += 1
        return ()

    def _simulated(self, wish: ClipWish, seed: int, attempt: int) -> list[tuple[Agent, ...]]:
        """Groups of agents that would fulfil a wish, from one street along the ego motion of the clip.

        Raises: InputError when no street has this event under this motion.
        """
        rng = numpy_rng("clip insert", seed, self.sample.key, wish.name, attempt)
        speed = float(np.mean(np.abs(self.ego.speed_mps)))
        known = self.sample.scenario.road if self.sample.scenario is not None else ""
        road = known or ("highway" if speed > FAST_MPS else "suburban" if rng.random() < 0.5 else "urban")
        light = "night_lit" if self.night else "day"
        if wish.event:
            event = EVENTS[wish.event]
            if road not in event.roads:
                road = event.roads[int(rng.integers(len(event.roads)))]
            if light not in event.lights:
                raise InputError(f"light of the clip for {wish.event}", light, "one of " + ", ".join(event.lights))
        agents = () if wish.wish is None else (AgentRequest(wish.wish.kind, 1, wish.wish.place),)
        scenario = Scenario(
            road=road, light=light, weather="clear", agents=agents, events=(wish.event,) if wish.event else (),
            duration_s=max(1.0, (len(self.ego) - 1) / self.ego.fps),
        )  # fmt: skip
        camera, fps = self.ground.first.camera, self.ego.fps
        scene = simulate(scenario, int(rng.integers(2**31)), fps=fps, camera=camera, ego=self.ego)
        if not wish.event:
            assert wish.wish is not None
            fitting = [a for a in scene.agents if a.kind == wish.wish.kind and _suits(a, wish.wish.place)]
            return [(_moved(agent, *shift),) for agent in fitting for shift in SHIFTS_M]
        cast = _cast(scene, wish.event)
        if not cast:
            # In most events the ego brakes, and this one does not: the same event farther ahead of it.
            free = replace(scenario, manoeuvre=EVENTS[wish.event].manoeuvres[0])
            scene = simulate(
                free, int(rng.integers(2**31)), fps=fps, num_frames=len(self.ego), camera=camera, speed_mps=speed
            )
            cast = _cast(scene, wish.event)
        return [tuple(_moved(a, ahead, 0.0) for a in cast) for ahead in AHEAD_M] if cast else []

    def _refusal(self, actors: tuple[Actor, ...], height_px: tuple[float, float]) -> str:
        """Why actors cannot be in the clip, "" when they can. The first is the one that was wished."""
        if not any(actor.agent.label for actor in actors):
            return "has no class"
        for number, actor in enumerate(actors):
            if actor.agent.label is None:
                return "an actor has no class, so nothing would say where it is"
            reason = self._bad_way(actor) or self._bad_view(actor, height_px if number == 0 else None)
            if reason:
                return reason
        return ""

    def _bad_way(self, actor: Actor) -> str:
        """What an actor would meet."""
        front, rear, half = EGO_M
        length, width, _ = actor.agent.size_m
        reach = max(length, width) / 2
        for (x, y, yaw), pose in zip(self.ground.poses, actor.agent.poses, strict=True):
            c, s = math.cos(yaw), math.sin(yaw)
            ahead, left = c * (pose[0] - x) + s * (pose[1] - y), -s * (pose[0] - x) + c * (pose[1] - y)
            if -rear - reach < ahead < front + reach and abs(left) < half + width / 2:
                return "would be hit by the camera car"
        for other in self.taken:
            gap = np.hypot(*(other.agent.poses[:, :2] - actor.agent.poses[:, :2]).T)
            if (gap < 0.5 * (max(other.agent.size_m[:2]) + max(length, width))).any():
                return "meets another insert"
        labels = self.sample.labels
        if labels is not None and len(labels):
            for frame, plan in enumerate(actor.plans):
                rows = labels.at(frame).box3d
                rows = rows[np.isfinite(rows).all(1)]
                if plan is None or not len(rows):
                    continue
                gap = np.hypot(rows[:, 0] - plan.x_m, rows[:, 1] - plan.y_m)
                if (gap < 0.5 * (rows[:, 4] + width)).any():
                    return "meets a labelled object"
        return ""

    def _bad_view(self, actor: Actor, height_px: tuple[float, float] | None) -> str:
        """What is wrong with how an actor is seen. height_px: range of its greatest height, None for any."""
        shown, unsure, tallest, grounded = 0, 0, 0.0, []
        for frame, plan in enumerate(actor.plans):
            if plan is None:
                continue
            ground, picture = self.ground.at(frame), self.pictures[frame]
            box, feet = projected_box(plan, ground)
            width, height = picture.size_px
            if box[2] <= box[0] or box[2] < 0 or box[0] > width or box[3] < 0 or box[1] > height:
                continue
            shown += 1
            contact = float(feet[:, 1].max())
            tallest = max(tallest, float(box[3] - box[1]))
            seen = np.array([max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)])
            if covered_shares(seen, contact, picture.box_px, picture.contacts).max(initial=0.0) > MOST_COVERED:
                return "would hide a labelled object"
            placer = self.placers.get(frame)
            if placer is None:
                continue
            unsure += not placer.order.sure(seen, contact)
            inside = (feet >= 0).all() and (feet[:, 0] < width).all() and (feet[:, 1] < height).all()
            if inside:
                grounded.append(not placer.bad_ground(feet))
        if shown < max(2, LEAST_SHOWN * len(actor.plans)):
            return "hardly seen"
        if height_px is not None and not height_px[0] <= tallest <= height_px[1]:
            return "not of the wished height"
        if unsure > MOST_UNSURE * len(self.placers):
            return "order in depth is not sure"
        if not grounded:
            return "its feet are never seen"
        return "" if np.mean(grounded) >= LEAST_ON_GROUND else "its foot would not stand on free ground"


def _cast(scene: Scene, event: str) -> tuple[Agent, ...]:
    """The actors of an event."""
    return tuple(agent for agent in scene.agents if agent.role.split(":")[0] == event)


def _moved(agent: Agent, ahead_m: float, left_m: float) -> Agent:
    """An agent with its track moved."""
    return replace(agent, poses=agent.poses + np.array([ahead_m, left_m, 0.0, 0.0]))


def _suits(agent: Agent, place: str) -> bool:
    """Whether a track is of the wished place, by its motion in the ego frame of frame 0."""
    speed = float(np.mean(agent.speed_mps))
    across = float(np.ptp(agent.poses[:, 1]))
    if place == "crossing":
        return across > 0.5 * float(np.ptp(agent.poses[:, 0])) and across > 0.8
    if place == "parked":
        return speed < 0.1
    if place == "oncoming":
        return speed > 0.5 and math.cos(float(agent.poses[0, 3])) < -0.5
    if place == "ahead":
        return math.cos(float(agent.poses[0, 3])) > 0.5 and speed > 0.5
    if place in ("left", "right"):
        return (float(agent.poses[0, 1]) > 0) == (place == "left")
    return True

"""Ordered subjects: agents by class and number, actors of events by their tracks, and nothing else."""

from __future__ import annotations

import dataclasses

import pytest

from tests.generation.labels_rig import labels
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.core.scene import EventRecord
from worldgen.generation.sample.subjects import OrderedSubject, ordered_subjects
from worldgen.simulation.simulate import simulate


def scene_of(**fields):
    return simulate(Scenario(duration_s=2.5, **fields), 3, fps=8.0, num_frames=21)


def test_numbers_of_one_class_add_up_and_kinds_become_classes():
    scene = scene_of(
        agents=(
            AgentRequest("pedestrian", 2),
            AgentRequest("child", 1),
            AgentRequest("truck", 0),
            AgentRequest("van", 1),
        )
    )
    assert ordered_subjects(scene) == (OrderedSubject("car", "car", 1), OrderedSubject("pedestrian", "pedestrian", 3))


def test_the_actors_of_an_event_are_its_tracks_of_its_class():
    scene = scene_of(events=("child_from_between_parked_cars",))
    (subject,) = ordered_subjects(scene)
    (event,) = scene.events
    children = [agent.track_id for agent in scene.agents if agent.kind == "child" and agent.role]
    assert subject.class_name == "pedestrian" and subject.track_ids == tuple(children) and subject.count == 1
    assert set(event.track_ids) > set(children)  # the parked cars are not what was ordered


def test_an_event_without_its_actor_still_orders_one():
    scene = scene_of(events=("jaywalker",))
    empty = dataclasses.replace(scene, events=(EventRecord("jaywalker", (), 0.0, 1.0),))
    assert ordered_subjects(empty) == (OrderedSubject("jaywalker", "pedestrian", 1, ()),)


@pytest.mark.parametrize("fields", [{}, {"agents": (AgentRequest("cargo", 1),)}, {"events": ("lost_cargo",)}])
def test_what_has_no_class_is_no_subject(fields):
    assert ordered_subjects(scene_of(**fields)) == ()


def test_rows_are_of_the_class_and_of_the_tracks():
    pedestrian = labels().track_id == 2
    assert (OrderedSubject("pedestrian", "pedestrian", 1).rows(labels()) == pedestrian).all()
    assert (OrderedSubject("jaywalker", "pedestrian", 1, (1, 2)).rows(labels()) == pedestrian).all()
    assert not OrderedSubject("jaywalker", "pedestrian", 1, (1, 3)).rows(labels()).any()

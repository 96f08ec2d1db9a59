"""Recipes: refused values, the cells that they expand to, and what seeds depend on."""

from __future__ import annotations

import dataclasses

import pytest

from tests.generation import rig
from worldgen.core.errors import InputError
from worldgen.core.scenario import LIGHTS, WEATHERS
from worldgen.files.config_files import config_yaml, load_config
from worldgen.generation.campaign.cell import grid_of, is_possible
from worldgen.generation.campaign.cell_attempt import draw_attempt
from worldgen.generation.campaign.recipe import CellGroup, RangeConfig, Recipe, refuse_changes
from worldgen.generation.quality.gate import Bound, GateConfig

YAML = """
name: night
output: somewhere
cells:
  - {count: 5, weather: [light_rain, heavy_rain], light: [night_lit|night_unlit], event: [jaywalker, group_crossing]}
  - {count: 1, weather: [fog], light: [each], agents: two pedestrians crossing}
ranges: {speed_mps: [4, 9], height_m: [1.2, 1.5]}
gate: {bounds: {sharpness: {low: 0.2}}}
model: {guidance: {text: 1.5}}
"""


@pytest.fixture
def night(tmp_path) -> Recipe:
    (tmp_path / "night.yaml").write_text(YAML)
    return load_config(Recipe, [tmp_path / "night.yaml"], ["candidates=3", "gate.bounds.drift.high=0.5"])


def test_yaml_becomes_a_recipe_and_goes_back(night, tmp_path):
    assert night.cells[0].event == ("jaywalker", "group_crossing") and night.candidates == 3
    assert night.gate.bounds == {"sharpness": Bound(low=0.2), "drift": Bound(high=0.5)}
    assert tuple(night.ranges.speed_mps) == (4, 9) and night.ranges.fov_deg is None
    (tmp_path / "again.yaml").write_text(config_yaml(night))
    again = load_config(Recipe, [tmp_path / "again.yaml"])
    assert again.hash == night.hash and grid_of(again) == grid_of(night)


def test_lists_make_cells_and_alternatives_do_not(night):
    grid = grid_of(night)
    assert len(grid.cells) == 2 * 2 + len(LIGHTS) and grid.quota == 5 * 4 + len(LIGHTS)
    assert grid.cells[0].light == ("night_lit", "night_unlit")
    assert grid.cells[0].label == "light_rain x night_lit|night_unlit x jaywalker"
    assert "two pedestrians crossing" in grid.cells[-1].label


def test_each_is_a_cell_per_word_and_what_events_forbid_is_left_out():
    grid = grid_of(rig.recipe("x", cells=[CellGroup(weather=("each",), event=("stalled_truck_in_fog",))]))
    assert [cell.weather for cell in grid.cells] == [("fog",)]
    assert len(grid.left_out) == len(WEATHERS) - 1 and any("snow" in label for label in grid.left_out)


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ({"weather": ("rainy",)}, "weather of a cell: received 'rainy'"),
        ({"event": ("jaywalkr",)}, "did you mean jaywalker"),
        ({"event": ("stalled_truck_in_fog",), "weather": ("snow",)}, "event and road allow"),
        ({"agents": "flying saucers"}, "agents in words"),
        ({"weather": ("fog", "fog")}, "each cell once"),
    ],
)
def test_impossible_cells_are_refused_by_name(group, words):
    with pytest.raises(InputError, match=words):
        grid_of(rig.recipe("x", cells=[CellGroup(**group)]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cells: [{count: 0}]", "count of a cell"),
        ("cells: [{wheather: [fog]}]", "wheather"),
        ("ranges: {speed_mps: [9, 4]}", "ranges.speed_mps"),
        ("name: a/b", "name of a recipe"),
        ("split: [0.5, 0.1, 0.1]", "sum to 1"),
        ("split: [.nan, 0, 0]", "sum to 1"),
        ("work: {min_acceptance: 0}", "min_acceptance"),
        ("cost_per_hour: .nan", "cost_per_hour"),
        ("clip: {width_px: 0}", "clip.width_px"),
        ("model: {steps: -2}", "sampling steps"),
        ("model: {guidance: {colour: 2}}", "guidance of condition"),
    ],
)
def test_bad_values_are_refused_in_one_line(tmp_path, text, words):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InputError, match=words):
        load_config(Recipe, [tmp_path / "bad.yaml"])


def test_scaled_counts_are_at_least_one(night):
    assert [group.count for group in night.scaled(0.5).cells] == [2, 1]
    assert {group.count for group in night.scaled(0.001).cells} == {1}
    with pytest.raises(InputError, match="scale: received 0"):
        night.scaled(0)


def test_a_calibrated_gate_gives_the_values_that_the_recipe_does_not_set(night):
    base = GateConfig(bounds={"sharpness": Bound(low=0.9), "flicker": Bound(high=2.0)}, max_dropped=0.25)
    merged = night.with_gate(base).gate
    assert merged.bounds["sharpness"].low == 0.2 and merged.bounds["flicker"].high == 2.0
    assert merged.max_dropped == 0.25 and merged.objects == "drop"
    own = GateConfig(objects="reject", required=("light",), bounds={"flicker": Bound(high=3.0)}).over(base)
    assert (own.objects, own.required, own.max_dropped) == ("reject", ("light",), 0.25)
    assert own.bounds == {"sharpness": Bound(low=0.9), "flicker": Bound(high=3.0)}


def test_an_attempt_fits_its_cell_and_ranges(night):
    for cell in grid_of(night).cells:
        for attempt in range(4):
            drawn = draw_attempt(night, cell, attempt)
            s = drawn.scenario
            event = s.events[0] if s.events else "none"
            assert s.weather in cell.weather and s.light in cell.light and event in cell.event
            assert is_possible(s.weather, s.light, s.road, event, s.manoeuvre)
            assert 4 <= drawn.speed_mps <= 9 and 1.2 <= drawn.camera.height_m <= 1.5
            assert (drawn.camera.width_px, drawn.camera.height_px) == (448, 256)
    assert s.agents and s.agents[0].kind == "pedestrian"


def test_adding_a_cell_changes_no_other_cells_samples(night):
    more = dataclasses.replace(
        night, cells=[CellGroup(count=7, weather=("snow",)), *night.cells], output="elsewhere", shard_size=2
    )
    before, after = grid_of(night), grid_of(more)
    assert more.hash == night.hash and set(after.cells) > set(before.cells)
    for cell in before.cells[::3]:
        one, other = (draw_attempt(r, cell, 5) for r in (night, more))
        assert (one.key, one.seed, one.scenario, one.caption, one.camera) == (
            other.key, other.seed, other.scenario, other.caption, other.camera,
        )  # fmt: skip


def test_keys_depend_on_recipe_cell_attempt_and_nothing_else():
    r = rig.recipe("x")
    cell = grid_of(r).cells[0]
    keys = {draw_attempt(r, cell, attempt).key for attempt in range(50)}
    assert len(keys) == 50
    for change in ({"version": 2}, {"seed": 1}, {"name": "other"}):
        assert draw_attempt(dataclasses.replace(r, **change), cell, 0).key not in keys
    doubled = dataclasses.replace(cell, count=99)
    assert draw_attempt(r, doubled, 0).key == draw_attempt(r, cell, 0).key
    # Data sets with these keys exist; a change needs a new RECORD_VERSION.
    assert draw_attempt(r, cell, 0).key == "gen_2bab67681cc25148"


def test_another_recipe_is_refused_by_the_field_that_differs():
    r = rig.recipe("x")
    refuse_changes(r.content(), dataclasses.replace(r, output="y", cells=r.cells[:1]).content(), "x")
    with pytest.raises(InputError, match=r"clip.frames was 3 and is 5"):
        refuse_changes(r.content(), dataclasses.replace(r, clip=dataclasses.replace(r.clip, frames=5)).content(), "x")
    with pytest.raises(InputError, match=r"gate.bounds"):
        refuse_changes(r.content(), dataclasses.replace(r, gate=GateConfig()).content(), "x")


def test_ranges_have_limits():
    with pytest.raises(InputError, match="fov_deg"):
        RangeConfig(fov_deg=(10.0, 60.0))

"""Text and values from hypothesis: prompts, JSON, YAML overrides, arguments."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worldgen.cli.argument_parser import size_px
from worldgen.core.errors import InputError
from worldgen.core.scenario import Scenario
from worldgen.files.config_files import load_config
from worldgen.files.json_files import parse_json
from worldgen.generation.campaign.recipe import Recipe
from worldgen.prompts import parse, parse_request

pytestmark = pytest.mark.slow
COUNT = int(os.environ.get("WORLDGEN_FUZZ_COUNT", "600"))
FUZZ = settings(
    max_examples=COUNT, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)

WORDS = """1,000 -3 3.5 car cars pedestrians at night in rain no two minus 99999999999999999999 12:70 25 am half minute
\u00b2 \u00bd between and 3-5 to least more than snow fog bus behind us ; . , ( ) - \u2212 \u0663 children"""
SOME_WORDS = st.sampled_from(WORDS.split())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.dictionaries(st.sampled_from([*Scenario.__dataclass_fields__, "scenario_version", "x"]), JSON, max_size=5)


def read_or_refused(call, *arguments) -> None:
    """Call a reader; any error other than InputError fails the test."""
    try:
        call(*arguments)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 6000, str(error)[:200]


@FUZZ
@given(st.lists(SOME_WORDS | st.text(max_size=6), max_size=8).map(" ".join))
def test_prompts(prompt):
    read_or_refused(parse, prompt)
    read_or_refused(parse_request, prompt)


@FUZZ
@given(st.binary(max_size=60) | st.text(max_size=60) | JSON.map(json.dumps))
def test_json(data):
    read_or_refused(parse_json, data, "a file")


@FUZZ
@given(FIELDS)
def test_scenarios(fields):
    read_or_refused(Scenario.from_json, {"scenario_version": 1, **fields})


@FUZZ
@given(
    st.sampled_from(["model.steps", "seed", "cells", "output", "work", "no"]),
    st.text(max_size=20) | JSON.map(json.dumps),
)
def test_overrides(key, value):
    read_or_refused(load_config, Recipe, [], [f"{key}={value}"])


@FUZZ
@given(st.text(max_size=12) | st.from_regex(r"\d{1,8}[xX\u00d7]\d{1,8}"))
def test_sizes(text):
    read_or_refused(size_px, text)

"""``worldgen.evaluate``: the same result as the command, and one clear line for what does not exist."""

from __future__ import annotations

import importlib
import json

import pytest

from worldgen.api.measures import OPTIONS, evaluate
from worldgen.cli.eval.eval_command import SUBCOMMANDS
from worldgen.cli.main import build_parser, main
from worldgen.core.errors import InputError


def test_the_function_and_the_command_give_the_same_result(capsys):
    assert main(["eval", "attributes", "--model", "rendered", "--clips", "2", "--frames", "17", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert evaluate("attributes", model="rendered", clips=2, frames=17) == written


REQUIRED = {
    "fvd": "--reference a", "memorisation": "--train a --held-out b", "realism": "--detector a --set b",
    "misses": "a --detector b",
}  # fmt: skip


@pytest.mark.parametrize("measure", OPTIONS)
def test_function_and_command_have_the_same_options_and_defaults(measure):
    args = build_parser("eval").parse_args(["eval", measure, *REQUIRED.get(measure, "").split()])
    options = getattr(importlib.import_module(f"worldgen.api.measures.measure_{measure}"), OPTIONS[measure])
    for name, field in options.__dataclass_fields__.items():
        given = getattr(args, name)
        if field.default is not field.default_factory:
            assert (tuple(given) if isinstance(given, list) else given) == field.default or given in (["a"], ["b"]), (
                name
            )


def test_every_measure_of_the_command_is_a_function():
    assert set(OPTIONS) == set(SUBCOMMANDS)


@pytest.mark.parametrize(
    ("measure", "options", "message"),
    [
        ("controll", {}, "did you mean control?"),
        ("control", {"clip": 3}, "did you mean clips?"),
        ("fvd", {"model": "shipped"}, "reference"),
        ("control", {"clips": 0}, "clips: received 0; expected 1 to 10000"),
        ("control", {"clips": "many"}, "option clips: received 'many'; expected a value of type int"),
        ("control", {"clips": True}, "option clips: received True; expected a value of type int"),
        ("fvd", {"reference": [1], "generated": "a"}, "option reference: received [1]; expected several of type str"),
        ("fvd", {"reference": "nowhere", "generated": "rendered", "clips": 2}, "nowhere"),
    ],
)
def test_unknown_measures_and_options_name_the_nearest(measure, options, message):
    with pytest.raises(InputError) as error:
        evaluate(measure, **options)
    assert message in str(error.value) and "\n" not in str(error.value)

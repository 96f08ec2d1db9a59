"""Every shipped YAML file loads into its class and says what it is for."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from worldgen.cli.main import build_parser
from worldgen.files.config_files import load_config

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
CLASSES = {
    "backbones": ("worldgen.models.backbones.options", "BackboneConfig"),
    "gate": ("worldgen.generation.quality.gate", "GateConfig"),
    "restyle": ("worldgen.generation.restyle.restyler", "RestyleConfig"),
    "generate": ("worldgen.generation.campaign.recipe", "Recipe"),
    "eval": ("worldgen.evaluation.gain.gain_config", "GainStudy"),
    "ingest": ("worldgen.data.ingest.ingest_config", "IngestConfig"),
    "insert": ("worldgen.generation.insert.labelled_sets.insert_recipe", "InsertRecipe"),
    "train": ("worldgen.training.train_config", "TrainConfig"),
}
"""Folder -> the module and class of its files. A new kind of run adds its line here."""
FILES = sorted(CONFIGS.rglob("*.yaml"))
HEADER = ("Purpose", "Hardware", "Time", "Expected")


def _name(path: Path) -> str:
    return path.relative_to(CONFIGS).as_posix()


def test_there_are_configs_and_each_lies_in_a_known_folder():
    assert FILES
    for path in CONFIGS.rglob("*"):
        if path.is_file():
            assert path.suffix == ".yaml" and path.parent.parent == CONFIGS, f"{path}: configs/KIND/NAME.yaml only"
            assert path.parent.name in CLASSES, f"add the config class of configs/{path.parent.name} to this test"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_it_loads(path):
    module, name = CLASSES[path.parent.name]
    cls = getattr(importlib.import_module(module), name)
    assert isinstance(load_config(cls, [path]), cls)


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_its_header_says_purpose_hardware_time_and_result(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    header = [
        line for line in lines[: next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))]
    ]
    for word in HEADER:
        found = [line for line in header if re.match(rf"#\s*{word}\b[^:]*:\s*\S", line, re.IGNORECASE)]
        assert found, f"{_name(path)}: no '# {word}: ...' line at the top"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_the_commands_of_its_header_parse(path):
    shown = re.findall(r"^#\s*(?:Run:)?\s*worldgen (\w+ .*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert shown, f"{_name(path)}: no '# Run: worldgen ...' line at the top"
    for line in shown:
        arguments = shlex.split(line, comments=True)
        build_parser(arguments[0]).parse_args(arguments)

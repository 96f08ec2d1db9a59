from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest

from worldgen.cli.eval.eval_command import SUBCOMMANDS
from worldgen.cli.main import main


def test_every_measure_is_complete():
    for name, (module_name, line) in SUBCOMMANDS.items():
        module = importlib.import_module(module_name)
        assert callable(module.add_arguments) and callable(module.run), name
        assert 10 < len(line) < 100 and len((module.__doc__ or "").strip()) > 40, name


def test_help_lists_the_measures(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["eval", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert stop.value.code == 0 and all(name in text and line in text for name, (_, line) in SUBCOMMANDS.items())


def test_a_missing_or_unknown_measure_is_one_line(capsys):
    for words, expected in ((["eval"], "required: MEASURE"), (["eval", "nonsense"], "'nonsense'")):
        with pytest.raises(SystemExit) as stop:
            main(words)
        text = capsys.readouterr().err
        assert stop.value.code == 2 and text.count("\n") == 1 and expected in text


def test_measures_start_with_the_standard_library_only():
    """What ``worldgen eval --help`` imports."""
    for module_name, _ in SUBCOMMANDS.values():
        path = Path(importlib.import_module(module_name).__file__)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert all(name.split(".")[0] in {*sys.stdlib_module_names, "worldgen"} for name in names), module_name

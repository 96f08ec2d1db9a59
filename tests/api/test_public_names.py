"""``import worldgen`` is cheap, and every public name is there, documented, and seen by a type checker."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import worldgen

FUNCTIONS = (
    "load",
    "sample",
    "parse",
    "simulate",
    "render",
    "open_dataset",
    "ingest",
    "insert",
    "train",
    "generate",
    "evaluate",
)


def test_importing_loads_neither_numpy_nor_torch():
    code = "import json, sys, worldgen; print(json.dumps([worldgen.__version__, *sorted(sys.modules)]))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    version, *modules = json.loads(out)
    assert version == worldgen.__version__
    assert not {"numpy", "torch", "cv2", "av", "diffusers", "omegaconf"} & set(modules)
    assert [name for name in modules if name.startswith("worldgen")] == ["worldgen"]


def test_importing_takes_less_than_a_tenth_of_a_second():
    """The best of three, so that a busy machine does not decide."""
    code = "import time; t = time.perf_counter(); import worldgen; print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    assert min(float(run.stdout) for run in runs) < 0.1


@pytest.mark.parametrize("name", [name for name in worldgen.__all__ if name != "__version__"])
def test_every_public_name_is_there_and_documented(name):
    value = getattr(worldgen, name)
    assert inspect.getdoc(value), name
    assert name in dir(worldgen) and vars(worldgen)[name] is value  # kept after its first use


def test_only_public_names_are_listed():
    assert dir(worldgen) == sorted(worldgen.__all__)


def test_every_public_name_has_an_entry_on_the_page_of_the_api(repository):
    page = (repository / "docs/reference/python.md").read_text(encoding="utf-8")
    entries = {line.rsplit(".", 1)[-1] for line in page.splitlines() if line.startswith("::: ")}
    assert set(worldgen.__all__) - {"__version__"} <= entries


def _messages(path: Path) -> list[str]:
    """The texts of a module that stand in an expression: docstrings, of values too, are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    texts = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return [text.value for text in texts if id(text) not in docs]


def test_messages_below_the_commands_name_an_option_only_beside_the_python_argument():
    """As in "overwrite (--overwrite)". A command with its options, "worldgen ingest --check", may be named too.

    A text that is nothing but an option is a word of a command that a result records.
    """
    package = Path(worldgen.__file__).parent
    found = [
        f"{path.relative_to(package)}: {text}"
        for path in sorted(package.rglob("*.py"))
        if path.relative_to(package).parts[0] != "cli"
        for text in _messages(path)
        if (
            not re.fullmatch(r"--[a-z-]+ ?", text)
            and re.search(r"(?<!\()--[a-z]", re.sub(r"worldgen [\w .{}-]+", "", text))
        )
        or "SOURCE" in text.split()
    ]
    assert not found


def test_functions_say_what_they_take_and_return():
    for name in FUNCTIONS:
        signature = inspect.signature(getattr(worldgen, name))
        assert signature.return_annotation is not inspect.Signature.empty, name
        assert all(parameter.annotation is not inspect.Parameter.empty for parameter in signature.parameters.values())


def test_a_type_checker_sees_the_names_that_are_exported():
    tree = ast.parse(Path(worldgen.__file__).read_text(encoding="utf-8"))
    [guarded] = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imported = {alias.name for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported == set(worldgen.__all__) - {"__version__"}
    assert (Path(worldgen.__file__).parent / "py.typed").is_file()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'sampel'"):
        worldgen.sampel  # noqa: B018


def test_sample_stream_and_the_one_liner_take_the_same_arguments():
    def arguments(function) -> dict[str, object]:
        parameters = inspect.signature(function).parameters
        return {name: parameter.default for name, parameter in parameters.items() if name != "self"}

    sample, load = arguments(worldgen.Model.sample), arguments(worldgen.load)
    assert arguments(worldgen.Model.stream) == sample
    assert arguments(worldgen.sample) == sample | load


def test_the_options_of_the_command_load_no_library():
    code = "import sys; from worldgen.cli import sample, scenes; print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"

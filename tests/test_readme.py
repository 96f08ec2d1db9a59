"""The commands of README and documentation are real: taken from their fences, parsed by the program itself."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

import worldgen
from worldgen.cli.main import COMMANDS, build_parser

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((REPOSITORY / "docs").rglob("*.md"))
FIRST_SCREEN_LINES = 40
SCREENS = 4


def _name(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def shell_commands(text: str) -> list[list[str]]:
    """The commands of the ```bash fences of a Markdown page, as words; comments and continuations resolved."""
    commands = []
    for block in re.findall(r"^```(?:bash|sh|shell|console)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                commands.append(words)
    return commands


def worldgen_commands() -> list[tuple[str, list[str]]]:
    """Page and arguments of every ``worldgen ...`` command, also behind ``accelerate launch`` or ``&&``."""
    found = []
    for page in PAGES:
        for words in shell_commands(page.read_text(encoding="utf-8")):
            part: list[str] = []
            for word in [*words, "&&"]:
                if word in ("&&", ";", "|"):
                    starts = [
                        i for i, each in enumerate(part) if each == "worldgen" and (i == 0 or part[i - 1] == "-m")
                    ]
                    found.extend((_name(page), part[start + 1 :]) for start in starts)
                    part = []
                else:
                    part.append(word)
    return found


COMMANDS_SHOWN = worldgen_commands()
SCRIPTS = sorted((REPOSITORY / "pipelines").glob("*.sh"))


def test_the_extraction_reads_fences():
    text = 'a\n```bash\nworldgen info \\\n  --json  # why\n\npip install "x[y]"\n```\n```yaml\nworldgen no\n```\n'
    assert shell_commands(text) == [["worldgen", "info", "--json"], ["pip", "install", "x[y]"]]


@pytest.mark.parametrize(
    ("page", "arguments"), COMMANDS_SHOWN, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_each_command_parses(page, arguments, capsys):
    parser = build_parser(next((word for word in arguments if not word.startswith("-")), ""))
    try:
        parser.parse_args(arguments)
    except SystemExit as stop:
        assert stop.code == 0, f"{page}: worldgen {shlex.join(arguments)}\n{capsys.readouterr().err}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_each_command_of_a_pipeline_parses(script):
    """Without running it: a shell variable stands for a word, or for a number where one is needed."""
    text = re.sub(r"\\\n", " ", script.read_text(encoding="utf-8"))
    assert text.startswith("#!/usr/bin/env bash\n# Purpose:") and "\nset -euo pipefail\n" in text
    lines = re.findall(r"^\s*(?:accelerate launch .* -m )?worldgen (\w+ .*)$", text, re.MULTILINE)
    handed_on = re.search(r"^exec .*/(\w+\.sh)\"", text, re.MULTILINE)
    assert lines or (handed_on and (script.parent / handed_on.group(1)).is_file())
    for line in lines:
        arguments = shlex.split(re.sub(r"\$\{?\w+\}?", "1", line), comments=True)
        arguments = arguments[
            : next((i for i, word in enumerate(arguments) if word in ("|", "&&", ";", ">", "||")), None)
        ]
        build_parser(arguments[0]).parse_args(arguments)


def test_each_config_named_exists():
    for page, arguments in COMMANDS_SHOWN:
        for word in arguments:
            if word.startswith(("configs/", "assets/")):
                assert (REPOSITORY / word).exists(), f"{page}: {word}"


def test_every_command_is_shown_by_the_readme_or_a_page():
    shown = {next((word for word in arguments if not word.startswith("-")), "") for _, arguments in COMMANDS_SHOWN}
    assert shown >= set(COMMANDS), f"no page shows {sorted(set(COMMANDS) - shown)}"


def test_every_measure_and_every_action_on_data_is_shown():
    text = "\n".join(shlex.join(arguments) for _, arguments in COMMANDS_SHOWN)
    for group in ("data", "eval", "scenes"):
        parser = build_parser(group)
        actions = [a for a in parser._subparsers._group_actions[0].choices[group]._actions if a.choices]
        for action in next(a.choices for a in actions if a.dest != "split" and hasattr(a, "add_parser")):
            assert re.search(rf"^{group} {action}\b", text, re.MULTILINE), f"no page shows worldgen {group} {action}"


def test_the_first_screen_has_the_picture_and_the_two_commands():
    top = "\n".join((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()[:FIRST_SCREEN_LINES])
    lines = [line.split("  #")[0].strip() for line in top.splitlines()]
    assert 'pip install . && worldgen sample --prompt "pedestrian at night in rain"' in lines
    assert 'pip install -e ".[test]" && pytest' in lines
    assert re.search(r"!\[[^\]]{10,}\]\(docs/\S+\.(?:png|jpg)\)", top), (
        "the picture, with a text for those who cannot see it"
    )


def test_the_readme_has_four_screens_at_most():
    lines = (REPOSITORY / "README.md").read_text(encoding="utf-8").count("\n")
    assert lines <= SCREENS * FIRST_SCREEN_LINES, f"README.md has {lines} lines"


def test_ci_runs_the_command_of_the_first_screen():
    """What users are told first is what continuous integration runs, prompt and all."""
    ci = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert 'sample --prompt "pedestrian at night in rain"' in ci
    assert 'install --quiet -e ".[test]"' in ci and "-m pytest" in ci


def python_blocks() -> list[tuple[str, str]]:
    """Page and text of every ```python fence."""
    return [
        (_name(page), block)
        for page in PAGES
        for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    ]


def test_the_names_of_the_python_examples_exist():
    blocks = python_blocks()
    assert {"README.md", "docs/guides/python.md"} <= {page for page, _ in blocks}
    for page, block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "worldgen":
                assert node.attr in dir(worldgen), f"{page}: worldgen.{node.attr}"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_relative_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        assert not path or (page.parent / path).exists(), f"{_name(page)}: {target}"
        if anchor:
            linked = (page.parent / path if path else page).read_text(encoding="utf-8")
            headings = re.findall(r"^#+\s+(.*)$", linked, re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{_name(page)}: no heading for #{anchor}"

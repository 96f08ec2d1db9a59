"""The documentation agrees with the source: tables, paths, walks and commands; the site builds without a warning."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.test_architecture import CONFINED, FILES, LEVELS
from worldgen.cli.main import COMMANDS

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src" / "worldgen"
DOCS = REPOSITORY / "docs"
ARCHITECTURE = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
PAGES = sorted(DOCS.rglob("*.md"))
MAX_WALK_FILES = 8


def _section(heading: str) -> str:
    return ARCHITECTURE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def _rows(text: str) -> list[list[str]]:
    """The rows of the tables of a Markdown text, without the head."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    heads = [i for i, row in enumerate(rows) if set(row[0]) == {"-"}]
    return [row for i, row in enumerate(rows) if i not in heads and i + 1 not in heads]


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def _site_hooks():
    pytest.importorskip("mkdocs", reason="pip install -e '.[docs]'")
    spec = importlib.util.spec_from_file_location("site_hooks", DOCS / "_site" / "site_hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_rooms_of_the_architecture_are_the_folders():
    listed = {name.rstrip("/") for row in _rows(_section("Rooms")) for name in _names(row[0])}
    folders = {path.parent.relative_to(SOURCE).as_posix() for path in FILES} - {"."}
    with_code = {folder for folder in folders if any(f.name != "__init__.py" for f in (SOURCE / folder).glob("*.py"))}
    assert listed >= with_code, f"ARCHITECTURE.md does not list {sorted(with_code - listed)}"
    assert listed <= folders, f"ARCHITECTURE.md lists {sorted(listed - folders)}, which is not there"


def test_the_levels_and_rules_of_the_architecture_are_those_of_the_test():
    rows = _rows(_section("Levels"))
    levels = [{name.replace("/", ".") for name in _names(row[1])} for row in rows if row[0].isdigit()]
    assert levels == [set(rooms) for rooms in LEVELS]
    confined = {row[0]: tuple(_names(row[1])) for row in rows if not row[0].isdigit()}
    assert confined == CONFINED


@pytest.mark.parametrize("walk", ["one prompt", "one fleet clip", "one training step"])
def test_a_walk_has_few_files_and_they_exist(walk):
    steps = re.findall(r"^(\d+)\. `([^`]+)`\. In: .*?Out:\s", _section(f"Walk: {walk}"), re.MULTILINE | re.DOTALL)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert 3 <= len(steps) <= MAX_WALK_FILES, f"{len(steps)} files"
    assert not [path for _, path in steps if not (SOURCE / path).is_file()]


@pytest.mark.parametrize(
    "page", [REPOSITORY / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")] + PAGES,
    ids=lambda page: page.relative_to(REPOSITORY).as_posix(),
)  # fmt: skip
def test_paths_named_in_a_page_exist(page):
    """Files in backquotes, written from the root of the repository or of the package."""
    text = page.read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|sh|yaml|md|jsonl))`", text))
    lost = [path for path in sorted(paths) if not ((REPOSITORY / path).exists() or (SOURCE / path).exists())]
    assert not lost, f"{lost}"


def test_every_page_is_in_the_navigation_of_the_site():
    config = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))

    def pages(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        parts = entry.values() if isinstance(entry, dict) else entry
        return [page for part in parts for page in pages(part)]

    assert sorted(pages(config["nav"])) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES)
    assert config["theme"]["font"] is False, "fonts of another server"


def test_the_page_of_commands_has_every_command_and_action():
    text = _site_hooks().command_pages()
    headings = re.findall(r"^#+ (worldgen .*)$", text, re.MULTILINE)
    assert {f"worldgen {name}" for name in COMMANDS} <= set(headings)
    assert {"worldgen data export", "worldgen scenes render", "worldgen eval control"} <= set(headings)
    assert "--prompt" in text and "usage: worldgen sample" in text


def test_links_out_of_the_docs_lead_to_copies_and_code_stays_as_it_is():
    hooks = _site_hooks()
    code = "\n```\n[e](../eval/RESULTS.md)\n```\n"
    text = "[a](../eval/RESULTS.md) [b](../ARCHITECTURE.md#levels) [c](glossary.md) [d](../eval)"
    assert hooks.relinked(text + code, DOCS / "concepts.md", "concepts.md") == (
        "[a](repository/eval/RESULTS.md) [b](design/architecture.md#levels) [c](glossary.md) d" + code
    )


def test_an_included_section_ends_at_the_next_heading():
    hooks = _site_hooks()
    assert hooks.section_of("# T\n\n## A\none\n\n## B\ntwo\n", "A") == "one\n\n"
    with pytest.raises(ValueError, match="expected a heading"):
        hooks.section_of("# T\n", "A")


def test_the_fields_of_a_config_are_read_from_its_docstring():
    hooks = _site_hooks()
    text = "A run.\n\nsteps, minutes: it ends\n    then. size (px): of ``it``: a number."
    introduction, meanings = hooks.described_fields(text, ["size", "steps", "minutes", "other"])
    assert introduction == "A run."
    assert meanings == {"steps": "it ends then.", "minutes": "it ends then.", "size": "(px) of `it`: a number."}
    assert hooks.described_fields("Nothing named.", ["size"]) == ("Nothing named.", {})
    table = hooks.field_table("models.native.losses.flow.FlowOptions")
    assert "| `known_frames` | `float` | `0.3` |" in table


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_asks_no_other_server(tmp_path):
    for package in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(package, reason="pip install -e '.[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    built = sorted((tmp_path / "site").rglob("*.html"))
    assert len(built) > len(PAGES)
    for page in built:
        html = page.read_text(encoding="utf-8")
        foreign = re.findall(r'<(?:script|link|img)\b[^>]*(?:src|href)="(https?://[^"]+)"', html)
        assert not foreign, f"{page.name}: {foreign}"

"""What MkDocs does for this project besides rendering pages.

Four markers in a page are replaced, so that nothing that exists elsewhere is typed twice:

- ``<!-- commands -->``: every command of ``worldgen`` with its help, from the parsers themselves.
- ``<!-- configs FOLDER -->``: the files of ``configs/FOLDER`` with the comments at their top.
- ``<!-- fields MODULE.CLASS ... -->``: fields, types, defaults and meanings of config classes, from their docstrings.
- ``<!-- include PATH -->`` or ``<!-- include PATH#Heading -->``: a Markdown file of the repository, or a section of it.

Links that leave ``docs/`` (to results, protocols, the model card, recipes) lead to copies of these files in the site,
so the site is complete without the repository.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import inspect
import os
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[2]
COPIES = "repository"
"""Folder of the site with the copies of files outside ``docs/``."""
RENDERED_AS_PAGE = {"ARCHITECTURE.md": "design/architecture.md", "CHANGELOG.md": "changelog.md"}
"""Files of the repository that a page of ``docs/`` includes whole: a link to the file leads to the page."""

HELP_COLUMNS = "100"
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(\s*)```.*?^\1```", re.DOTALL | re.MULTILINE)
_MARKER = re.compile(r"^<!-- (commands|configs|fields|include) ?(.*?) ?-->$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to outside ``docs/``, and what these files link to."""
    docs = Path(config.docs_dir)
    waiting = [path for path in docs.rglob("*.md") if "_site" not in path.parts]
    waiting += [REPOSITORY / name for name in RENDERED_AS_PAGE]
    added: set[Path] = set()
    while waiting:
        page = waiting.pop()
        for _, _, target in _links(page.read_text(encoding="utf-8")):
            linked = _linked_file(page, target)
            if linked is None or linked in added or not linked.is_file() or linked.is_relative_to(docs):
                continue
            if linked.relative_to(REPOSITORY).as_posix() in RENDERED_AS_PAGE:
                continue
            added.add(linked)
            name = f"{COPIES}/{linked.relative_to(REPOSITORY).as_posix()}"
            files.append(File.generated(config, _site_name(name), abs_src_path=str(linked)))
            if linked.suffix == ".md":
                waiting.append(linked)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace the markers of a page and lead its links to files of the site."""
    source = page.file.src_uri
    original = Path(page.file.abs_src_path or Path(config.docs_dir) / source)
    markdown = relinked(markdown, original, source)
    return _MARKER.sub(lambda match: _replacement(match.group(1), match.group(2), source), markdown)


def _replacement(kind: str, argument: str, source: str) -> str:
    if kind == "commands":
        return command_pages()
    if kind == "configs":
        return config_pages(argument)
    if kind == "fields":
        return "\n".join(field_table(name) for name in argument.split())
    path, _, heading = argument.partition("#")
    original = REPOSITORY / path
    text = original.read_text(encoding="utf-8")
    text = section_of(text, heading) if heading else text.split("\n", 1)[1]
    return relinked(text, original, source)


# -- links ---------------------------------------------------------------------------------------------------------


def _links(markdown: str) -> list[tuple[str, str, str]]:
    return _LINK.findall(_FENCE.sub("", markdown))


def _linked_file(page: Path, target: str) -> Path | None:
    """The file of a relative link of ``page``; None for an address elsewhere or a place in the page itself."""
    path = target.partition("#")[0]
    if not path or re.match(r"[a-z]+:", path):
        return None
    return Path(os.path.normpath(page.parent / path))


def _site_name(name: str) -> str:
    # A README.md would become the index of its folder and may collide with a real one.
    return re.sub(r"README\.md$", "readme.md", name)


def relinked(markdown: str, original: Path, source: str) -> str:
    """``markdown`` of the file ``original``, shown as page ``source``, with links to pages and copies of the site."""

    def relink(match: re.Match[str]) -> str:
        picture, text, target = match.groups()
        linked = _linked_file(original, target)
        if linked is None:
            return match.group(0)
        if not linked.is_file():
            return text  # a folder of the repository: the site has no listing of it
        anchor = "#" + target.partition("#")[2] if "#" in target else ""
        name = linked.relative_to(REPOSITORY).as_posix()
        if name in RENDERED_AS_PAGE:
            place = RENDERED_AS_PAGE[name]
        elif name.startswith("docs/"):
            place = name.removeprefix("docs/")
        else:
            place = f"{COPIES}/{_site_name(name)}"
        return f"{picture}[{text}]({posixpath.relpath(place, posixpath.dirname(source) or '.')}{anchor})"

    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):  # code is shown as it is
        parts += [_LINK.sub(relink, markdown[end : fence.start()]), fence.group(0)]
        end = fence.end()
    return "".join([*parts, _LINK.sub(relink, markdown[end:])])


def section_of(text: str, heading: str) -> str:
    """What stands below ``## heading``, up to the next heading of the same level."""
    match = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    if match is None:
        raise ValueError(f"section to include: received {heading!r}, expected a heading of the file")
    return match.group(1)


# -- commands and configs ------------------------------------------------------------------------------------------


def command_pages() -> str:
    """Markdown with the help of every command, as ``worldgen COMMAND --help`` prints it."""
    from worldgen.cli.main import COMMANDS, build_parser

    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = HELP_COLUMNS
    try:
        lines = []
        for name, (_, line) in COMMANDS.items():
            lines += [f"## worldgen {name}", "", line[0].upper() + line[1:] + ".", ""]
            parser = _sub_parsers(build_parser(name))[name]
            lines += _help(f"worldgen {name}", parser, 3)
        return "\n".join(lines)
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)


def _help(name: str, parser: argparse.ArgumentParser, level: int) -> list[str]:
    lines = ["```text", parser.format_help().rstrip(), "```", ""]
    for action, inner in _sub_parsers(parser).items():
        lines += [f"{'#' * level} {name} {action}", "", *_help(f"{name} {action}", inner, level + 1)]
    return lines


def _sub_parsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:  # argparse has no public way to list sub-commands
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def config_pages(folder: str) -> str:
    """Markdown with the files of ``configs/FOLDER``: the comments at their top, then their values."""
    lines = []
    for path in sorted((REPOSITORY / "configs" / folder).glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        lines += [f"### configs/{folder}/{path.name}", "", "```yaml", text.rstrip(), "```", ""]
    return "\n".join(lines)


def field_table(name: str) -> str:
    """Markdown with the fields of the config class ``MODULE.CLASS``: name, type, default, meaning."""
    module, _, class_name = name.rpartition(".")
    config = getattr(importlib.import_module(f"worldgen.{module}"), class_name)
    fields = dataclasses.fields(config)
    introduction, meanings = described_fields(inspect.getdoc(config) or "", [field.name for field in fields])
    lines = [
        f"### {class_name}",
        "",
        introduction,
        "",
        "| field | type | default | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for field in fields:
        cells = (f"`{field.name}`", f"`{field.type}`", _default(field), meanings.get(field.name, ""))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def described_fields(docstring: str, names: list[str]) -> tuple[str, dict[str, str]]:
    """The text before the first field of a docstring, and the text about each field that it names.

    A description begins with ``name:`` or ``name, name:`` at the start of a line or of a sentence.
    """
    text = " ".join(docstring.replace("``", "`").split())
    name = "(?:" + "|".join(sorted(map(re.escape, names), key=len, reverse=True)) + ")"
    starts = list(re.finditer(rf"(?:^|(?<=[.:)] ))({name}(?:, {name})*)( \([^)]*\))?: ", text))
    if not starts:
        return text, {}
    ends = [match.start() for match in starts[1:]] + [len(text)]
    meanings = {}
    for match, end in zip(starts, ends, strict=True):
        about = " ".join(filter(None, [(match.group(2) or "").strip(), text[match.end() : end].strip()]))
        meanings.update(dict.fromkeys(match.group(1).split(", "), about))
    return text[: starts[0].start()].strip(), meanings


def _default(field: dataclasses.Field) -> str:
    if field.default is not dataclasses.MISSING:
        return f"`{field.default!r}`"
    if field.default_factory is dataclasses.MISSING:
        return "required"
    value = field.default_factory()
    return f"the defaults of {type(value).__name__}" if dataclasses.is_dataclass(value) else f"`{value!r}`"

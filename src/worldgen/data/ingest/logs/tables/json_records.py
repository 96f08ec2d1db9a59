"""Tables in JSON files: a list of records, an object of columns, or a record a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.tables.log_table import Table, TableLayout
from worldgen.files.json_files import parse_json

EXPECTED = "a list of records or an object of columns"


def read_json_table(path: Path, layout: TableLayout) -> Table:
    """The columns of a JSON file. Keys of records inside records are joined by dots: ``position.x``.

    A record without a key that others have holds no value there. ``layout.records`` names the list in a file that
    holds several.

    Raises:
        InputError: a damaged file, another structure, a repeated key, or columns of different lengths.
    """
    content = parse_json(path.read_bytes(), f"ego log {path.name}", EXPECTED, pairs=_unique(path))
    if layout.records is not None:
        content = _chosen(path, content, layout.records)
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        return _records(path, content, "record")
    if isinstance(content, dict) and content and all(isinstance(column, list) for column in content.values()):
        if any(isinstance(column, list) and column and isinstance(column[0], dict) for column in content.values()):
            raise InputError(f"ego log {path.name}", Received(_lists(content)), "ego.records: the name of one of them")
        if len({len(column) for column in content.values()}) > 1:
            raise InputError(f"ego log {path.name}", Received("columns of different lengths"), "equal lengths")
        return Table(path, tuple(content), content, "row", 1)
    if isinstance(content, dict) and (lists := _lists(content)):
        raise InputError(f"ego log {path.name}", Received(lists), "ego.records: the name of one of them")
    raise InputError(f"ego log {path.name}", Received(f"a JSON {type(content).__name__}"), EXPECTED)


def read_json_lines(path: Path, layout: TableLayout) -> Table:
    """The columns of a file with a JSON record a line. Raises: InputError as :func:`read_json_table`."""
    del layout
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"ego log {path.name}", Received("bytes that are not text"), "a JSON record a line") from error
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    records = []
    for number, line in numbered:
        what = f"ego log {path.name}, line {number}"
        record = parse_json(line, what, "a JSON record", pairs=_unique(path))
        if not isinstance(record, dict):
            raise InputError(what, Received(f"a JSON {type(record).__name__}"), "a JSON record")
        records.append(record)
    if not records:
        raise InputError(f"ego log {path.name}", Received("an empty file"), "a JSON record a line")
    return _records(path, records, "line", tuple(number for number, _ in numbered))


def _unique(path: Path) -> Any:
    """Makes an object of its pairs; the parser would silently drop one of two equal keys."""

    def no_repeats(pairs: list[tuple[str, object]]) -> dict:
        for name, count in Counter(name for name, _ in pairs).items():
            if count > 1:
                raise InputError(f"ego log {path.name}, column {name}", Received("twice"), "every column once")
        return dict(pairs)

    return no_repeats


def _chosen(path: Path, content: Any, key: str) -> Any:
    """The list at ``key`` (parts joined by dots)."""
    found = content
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    if not isinstance(found, list):
        names = _lists(content) if isinstance(content, dict) else f"a JSON {type(content).__name__}"
        raise InputError("ego.records", key, f"the name of a list of records in {path.name}, which holds {names}")
    return found


def _lists(content: dict) -> str:
    """The names of the lists of records in an object, for messages; "" without any."""
    names = [key for key, value in content.items() if isinstance(value, list) and value and isinstance(value[0], dict)]
    return "lists of records " + ", ".join(names[:8]) if names else ""


def _records(path: Path, records: Sequence[dict], word: str, numbers: tuple[int, ...] = ()) -> Table:
    """A table of records; names in the order in which they first appear."""
    flat = [_flat(record) for record in records]
    names = tuple(dict.fromkeys(name for record in flat for name in record))
    return Table(path, names, {name: [record.get(name) for record in flat] for name in names}, word, 1, numbers)


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A record whose inner records are columns of their own."""
    out: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict) and value:
            out.update(_flat(value, f"{prefix}{key}."))
        else:
            out[prefix + key] = value
    return out

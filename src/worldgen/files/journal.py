"""A journal: a file of JSON objects, one a line, that survives a kill at any moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from worldgen.files.json_files import parse_object
from worldgen.files.storage import write_bytes


class Journal:
    """A journal open for appending. Close it, or use it in a ``with`` block.

    Opening removes a last line that a kill cut short, and the records for which ``keep`` is false.

    Raises:
        InputError: when a line of the file is not a JSON object.
    """

    def __init__(self, path: Path, keep: Callable[[dict], bool] = lambda record: True) -> None:
        before = path.read_bytes() if path.is_file() else None
        kept = b"".join(line + b"\n" for line in _whole_lines(path) if keep(_record(path, line)))
        if kept != before:
            write_bytes(path, kept)
        self._file = path.open("ab")

    def append(self, record: dict) -> None:
        """Add a line and hand it to the operating system, so that it outlives this process."""
        self._file.write((json.dumps(record, allow_nan=False) + "\n").encode())
        self._file.flush()

    def close(self) -> None:
        """Close the file. Nothing can be appended afterwards."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_journal(path: Path) -> list[dict]:
    """The records of a journal in order, [] when there is no file. A last line that a kill cut short is left out.

    Raises:
        InputError: when a line is not a JSON object.
    """
    return [_record(path, line) for line in _whole_lines(path)]


def _whole_lines(path: Path) -> list[bytes]:
    if not path.is_file():
        return []
    return [line for line in path.read_bytes().split(b"\n")[:-1] if line]


def _record(path: Path, line: bytes) -> dict:
    return parse_object(line, f"line of {path} ({line[:80]!r})")

"""JSON that others wrote: every file that cannot be read is one line, never a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from worldgen.core.errors import InputError, Received

MAX_DIGITS = 308
"""Digits of the largest integer that a float64 holds. Longer ones break arithmetic, and Python converts none of more
than 4,300 digits."""
_LONG_INTEGER = re.compile(rf"\d{{{MAX_DIGITS + 1}}}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(
    data: bytes | str,
    what: str,
    expected: str = "a JSON file",
    *,
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> Any:
    """The value of a JSON text from outside.

    Args:
        data: UTF-8 bytes, with or without a byte order mark, or text.
        what: the file or record, for the message.
        expected: what it should hold, in words.
        pairs: makes an object from its keys and values in order; the default makes a dict, where the last of equal
            keys stays.

    Raises:
        InputError: bytes that are not UTF-8, text that is no JSON, nesting that is too deep, integers of more than
            ``MAX_DIGITS`` digits, and text with half a surrogate pair, which no file or terminal can take.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        integers = _checked_integer if _LONG_INTEGER.search(text) else None
        value = json.loads(text, parse_int=integers, object_pairs_hook=pairs)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(what, Received("bytes that are not UTF-8 text"), expected) from error
    except UnicodeEncodeError as error:
        raise InputError(what, Received("text with half a surrogate pair"), expected) from error
    except RecursionError as error:
        raise InputError(what, Received("JSON that is nested too deep"), expected) from error
    except ValueError as error:
        raise InputError(what, Received(f"no JSON ({error})"), expected) from error
    return value


def parse_object(data: bytes | str, what: str, expected: str = "a JSON object") -> dict[str, Any]:
    """As :func:`parse_json`; the value must be an object.

    Raises:
        InputError: see :func:`parse_json`, and a value that is not an object.
    """
    value = parse_json(data, what, expected)
    if not isinstance(value, dict):
        raise InputError(what, Received(f"a JSON {type(value).__name__}"), expected)
    return value


def read_json(path: str | Path, what: str | None = None, expected: str = "a JSON file") -> Any:
    """The value of a JSON file; ``what`` names it in messages (default: its path).

    Raises:
        InputError: a file that cannot be read, and see :func:`parse_json`.
    """
    return parse_json(_content(path, what, expected), what or str(path), expected)


def read_object(path: str | Path, what: str | None = None, expected: str = "a JSON object") -> dict[str, Any]:
    """As :func:`read_json`; the value must be an object.

    Raises:
        InputError: see :func:`read_json`, and a value that is not an object.
    """
    return parse_object(_content(path, what, expected), what or str(path), expected)


def _content(path: str | Path, what: str | None, expected: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(what or str(path), Received(reason), expected) from error


def _checked_integer(word: str) -> int:
    if len(word.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(word.lstrip('-'))} digits")
    return int(word)

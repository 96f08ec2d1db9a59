"""The argument parser of all commands: one-line errors that name the nearest known word."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from typing import Any, NoReturn

EXIT_USER_ERROR = 2
_OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, name the nearest known word and point to the right help.

    ``key=value`` arguments may stand anywhere among the options of a command that has an argument ``overrides``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # argparse calls this with its own keywords for sub-commands
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        # An abbreviation that works today becomes ambiguous, or another option, when options are added.
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Exit 2 with one line: what is wrong, the nearest known word, where to read more."""
        choice = re.search(r"invalid choice: '?([^'\s(]+)'? \(choose from (.*)\)", message)
        if choice:
            known = [word.strip(" '\"") for word in choice.group(2).split(",")]
            received = choice.group(1)
            what = "command" if "COMMAND" in message else message.split(":", maxsplit=1)[0]
            message = f"{what}: received {received!r}; expected one of {', '.join(known)}{_nearest(received, known)}"
        elif "required: COMMAND" in message:
            message = "no command given"
        self.exit(EXIT_USER_ERROR, f"worldgen: error: {' '.join(message.split())} (see {self.prog} --help)\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As argparse, but leftovers end here, in the parser that knows the options nearest to them."""
        namespace, extras = super().parse_known_args(args, namespace)
        if hasattr(namespace, "overrides"):
            namespace.overrides = [*namespace.overrides, *(word for word in extras if _OVERRIDE.match(word))]
            extras = [word for word in extras if not _OVERRIDE.match(word)]
        if extras:
            received = extras[0].split("=")[0]
            options = [option for option in self._option_string_actions if option.startswith("--")]
            hint = _nearest(received, options) if received.startswith("-") else ""
            self.error(f"unknown {'option' if received.startswith('-') else 'argument'} {received!r}{hint}")
        return namespace, extras


def size_px(text: str) -> tuple[int, int]:
    """Width and height in pixels of a word like ``224x128``. Raises: InputError for any other word."""
    from worldgen.core.errors import InputError

    match = re.fullmatch(r"([0-9]{1,6})[xX]([0-9]{1,6})", text)
    if match is None:
        raise InputError("--size", text, "WIDTHxHEIGHT in pixels, as in 224x128")
    return int(match[1]), int(match[2])


def _nearest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f" (did you mean {near[0]}?)" if near else ""

"""The exceptions that a user can cause."""

from __future__ import annotations

from worldgen.core.english import with_article


class InputError(ValueError):
    """A request that cannot be served: what was wrong, what was received, what was expected.

    The command line prints the message as one line and exits with code 2. Any other exception is a defect of worldgen
    and keeps its traceback.

    Args:
        what: the field or file at fault; alone, it is the whole message.
        received: the value, shown by ``repr``; a :class:`Received` is shown as it is. None leaves this part out.
        expected: the accepted values in words.
    """

    def __init__(self, what: str, received: object = None, expected: str | None = None):
        message = _cut(str(what), MAX_TEXT)
        if received is not None:
            message += f": received {_shown(received)}"
        if expected is not None:
            message += f"{';' if received is not None else ':'} expected {_cut(expected, MAX_TEXT)}"
        super().__init__(" ".join(message.split()))


MAX_RECEIVED, MAX_TEXT = 300, 1500
"""Characters of a received value, and of each other part, that a message shows; the middle of a longer one is cut."""


class Received(str):
    """Text that a message shows without quotes after "received", such as a measurement or a description."""


def _shown(received: object) -> str:
    """A received value as text of readable length."""
    if isinstance(received, Received):
        return _cut(received, MAX_RECEIVED)
    try:
        return _cut(repr(received), MAX_RECEIVED)
    except (ValueError, RecursionError):  # an integer of more than 4,300 digits; a value that is nested too deep
        return f"{with_article(type(received).__name__)} that is too large to show"


def _cut(text: str, limit: int) -> str:
    """``text`` with control characters escaped, and its middle left out when it is longer than ``limit``."""
    if len(text) > limit:
        text = f"{text[: limit // 2]} ... ({len(text)} characters) ... {text[len(text) - limit // 4 :]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c.isspace() else ascii(c)[1:-1] for c in text)


class MissingDependencyError(InputError):
    """A feature needs an optional package that is not installed.

    Args:
        package: name of the package to import.
        extra: the extra of worldgen that installs it, as in ``pip install 'worldgen[extra]'``.
        feature: what needs it.
    """

    def __init__(self, package: str, extra: str, feature: str):
        super().__init__(
            f"{feature} needs the package {package}", Received("no such package"), f"pip install 'worldgen[{extra}]'"
        )

"""The exceptions that a user can cause."""

from __future__ import annotations


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
        message = what
        if received is not None:
            message += f": received {received!r}" if not isinstance(received, Received) else f": received {received}"
        if expected is not None:
            message += f"{';' if received is not None else ':'} expected {expected}"
        super().__init__(" ".join(message.split()))


class Received(str):
    """Text that a message shows without quotes after "received", such as a measurement or a description."""


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

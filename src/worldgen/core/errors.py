"""The one exception a user can cause."""

from __future__ import annotations


class InputError(ValueError):
    """A request that cannot be served: what was wrong, what came, what was expected.

    The command line prints it as a single line and exits with code 2. Everything else that is raised is a
    defect of worldgen and keeps its traceback.
    """

    def __init__(self, what: str, received: object = None, expected: str | None = None):
        message = what
        if received is not None:
            message += f": received {received!r}" if not isinstance(received, Received) else f": received {received}"
        if expected is not None:
            message += f"{';' if received is not None else ':'} expected {expected}"
        super().__init__(" ".join(message.split()))


class Received(str):
    """Text shown without quotes after "received" (measurements, listings)."""


class MissingDependencyError(InputError):
    """A feature needs an optional package; names the extra that installs it."""

    def __init__(self, package: str, extra: str, feature: str):
        super().__init__(
            f"{feature} needs the package {package}", Received("no such package"), f"pip install 'worldgen[{extra}]'"
        )

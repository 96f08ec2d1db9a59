"""A request prepared in a second process, while this one loads PyTorch and diffusers.

Loading those libraries takes seconds of one core. Simulating a scene and drawing its layouts takes seconds too and
needs neither of them, so the two run side by side.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from worldgen.files.json_files import read_object
from worldgen.files.shipped import assets_dir
from worldgen.generation.sample.request import PreparedRequest, SampleRequest, prepare

SHIPPED = "shipped"


@dataclass(frozen=True)
class ModelFacts:
    """What must be known of a model to prepare a request for it.

    size_px: default width and height in pixels. fps: frames per second it was trained at. accepts: conditions it
    honours.
    """

    size_px: tuple[int, int]
    fps: float
    accepts: tuple[str, ...]


def stated_facts(model: str) -> ModelFacts | None:
    """What the configuration of the shipped model ("" or "shipped") or of folder ``model`` states; loads no library.

    None where the configuration cannot be read or lacks a value. Loading the model will then say what is wrong.
    """
    folder = assets_dir() / "model" if model in ("", SHIPPED) else Path(model)
    try:
        config = read_object(folder / "transformer" / "config.json")
        size_px = (int(config["width_px"]), int(config["height_px"]))
        return ModelFacts(size_px, float(config["fps"]), tuple(str(name) for name in config["accepts"]))
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


class BackgroundPreparation:
    """One request, prepared in a second process that starts at once. Arguments as in ``prepare``."""

    def __init__(self, request: SampleRequest, accepts: tuple[str, ...]):
        self.request, self.accepts = request, accepts
        # Spawned, not forked: a fork would copy half-finished states of this process, such as held locks.
        context = multiprocessing.get_context("spawn")
        self._connection, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_prepare, args=(sender, request, accepts), daemon=True)
        self._process.start()
        sender.close()

    def result(self) -> PreparedRequest:
        """Wait for the second process and return what it prepared.

        When that process failed or was lost, the request is prepared here instead, which raises the error if there is
        one.
        """
        try:
            received = self._connection.recv()
            assert isinstance(received, PreparedRequest), type(received)
            return received
        except (EOFError, OSError):
            return prepare(self.request, self.accepts)
        finally:
            self._connection.close()
            self._process.join()


def _prepare(connection: Connection, request: SampleRequest, accepts: tuple[str, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the parent process, which ends this one too
    # Errors are not sent: an exception does not always survive pickling unchanged, and the parent process meets the
    # same one.
    with contextlib.suppress(Exception):
        connection.send(prepare(request, accepts))

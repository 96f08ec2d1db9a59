"""A request prepared in a second process, while this one loads PyTorch and diffusers.

Loading those libraries takes seconds of one core. Simulating a scene and drawing its layouts takes seconds too and
needs neither of them, so the two run side by side.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from multiprocessing.connection import Connection
from pathlib import Path

from worldgen.files.json_files import read_object
from worldgen.files.shipped import assets_dir
from worldgen.generation.sample.request import PreparedRequest, SampleRequest, prepare
from worldgen.models.families import native_promise
from worldgen.models.promise import ModelPromise

SHIPPED = "shipped"


def stated_promise(model: str) -> ModelPromise | None:
    """What the shipped model ("" or "shipped") or a native model in folder ``model`` promises; loads no library.

    None where the configuration cannot be read or lacks a value, and for other families, whose weights take longer to
    load than a scene takes to make. Loading the model will then say what is wrong.
    """
    folder = assets_dir() / "model" if model in ("", SHIPPED) else Path(model)
    try:
        config = read_object(folder / "transformer" / "config.json")
        return native_promise(
            [str(name) for name in config["accepts"]], size_px=(int(config["width_px"]), int(config["height_px"])),
            fps=float(config["fps"]), painter=(folder / "painter" / "config.json").is_file(),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


class BackgroundPreparation:
    """One request, prepared in a second process that starts at once. Arguments as in ``prepare``."""

    def __init__(self, request: SampleRequest, promise: ModelPromise):
        self.request, self.promise = request, promise
        # Spawned, not forked: a fork would copy half-finished states of this process, such as held locks.
        context = multiprocessing.get_context("spawn")
        self._connection, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_prepare, args=(sender, request, promise), daemon=True)
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
            return prepare(self.request, self.promise)
        finally:
            self._connection.close()
            self._process.join()


def _prepare(connection: Connection, request: SampleRequest, promise: ModelPromise) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the parent process, which ends this one too
    # Errors are not sent: an exception does not always survive pickling unchanged, and the parent process meets the
    # same one.
    with contextlib.suppress(Exception):
        connection.send(prepare(request, promise))

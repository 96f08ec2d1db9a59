"""A request prepared in a process of its own, while this one loads its libraries: a scene needs none of them.

Loading PyTorch and diffusers takes seconds of one core; simulating a scene and drawing its layouts takes seconds of another.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from worldgen.files.shipped import assets_dir
from worldgen.generation.sample.request import Prepared, SampleRequest, prepare

SHIPPED = "shipped"


@dataclass(frozen=True)
class ModelFacts:
    """What must be known of a model to prepare a request for it: picture size, frames per second, conditions it honours."""

    size_px: tuple[int, int]
    fps: float
    accepts: tuple[str, ...]


def stated_facts(model: str) -> ModelFacts | None:
    """What the configuration of the shipped model ("" or "shipped") or of folder ``model`` states, read without any library.

    None where it states nothing of the kind; loading the model will say why.
    """
    folder = assets_dir() / "model" if model in ("", SHIPPED) else Path(model)
    try:
        config = json.loads((folder / "transformer" / "config.json").read_text())
        size_px = (int(config["width_px"]), int(config["height_px"]))
        return ModelFacts(size_px, float(config["fps"]), tuple(str(name) for name in config["accepts"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


class BackgroundPreparation:
    """One request that another process prepares from now on."""

    def __init__(self, request: SampleRequest, accepts: tuple[str, ...]):
        self.request, self.accepts = request, accepts
        # Spawned, not forked: nothing of this process can be half done in the other one.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_prepare, args=(theirs, request, accepts), daemon=True)
        self._process.start()
        theirs.close()

    def result(self) -> Prepared:
        """Waits for it. Where the other process failed or was lost, prepares here, which raises whatever there is to raise."""
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            return prepare(self.request, self.accepts)
        finally:
            self._connection.close()
            self._process.join()


def _prepare(connection: Connection, request: SampleRequest, accepts: tuple[str, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that is seen; it takes this one along
    # Errors are not sent: not each survives the way as it was, and the user's own process meets the same one with its traceback.
    with contextlib.suppress(Exception):
        connection.send(prepare(request, accepts))

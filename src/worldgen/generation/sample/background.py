"""A request prepared in a second process, while this one loads PyTorch and diffusers.

Loading those libraries takes seconds of one core. Simulating a scene and drawing it takes seconds too and needs neither
of them, so the two run side by side. When this process has loaded them before all frames are drawn, it draws half of
the frames that are left.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from worldgen.core.labels import Labels
from worldgen.core.scene import Scene
from worldgen.files.json_files import read_object
from worldgen.files.shipped import assets_dir
from worldgen.generation.sample.request import PreparedRequest, SampleRequest, prepare
from worldgen.models.families import native_promise
from worldgen.models.promise import ModelPromise

if TYPE_CHECKING:
    from worldgen.rendering.drawn_clips import DrawnFrame, SceneDrawing
    from worldgen.rendering.render import Rendering

SHIPPED = "shipped"
READY = "ready"
"""What the first process sends when it has loaded its libraries and could draw."""
FRAMES_TO_BEGIN = 3
"""Frames that one process draws while the other builds the meshes of the scene: it is given fewer by so many."""


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


@dataclass(frozen=True, eq=False)
class FramesWanted:
    """Frames of a scene that the second process leaves to the first."""

    scene: Scene
    frames: tuple[int, ...]


class BackgroundPreparation:
    """One request, prepared in a second process that starts at once. Arguments as in ``prepare``."""

    def __init__(self, request: SampleRequest, promise: ModelPromise):
        self.request, self.promise = request, promise
        # Spawned, not forked: a fork would copy half-finished states of this process, such as held locks.
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_prepare, args=(other, request, promise), daemon=True)
        self._process.start()
        other.close()

    def result(self) -> PreparedRequest:
        """Draw half of the frames that the second process has still to draw, wait for it, and return what it prepared.

        When that process failed or was lost, the request is prepared here instead, which raises the error if there is
        one.
        """
        try:
            self._connection.send(READY)
            received = self._connection.recv()
            if isinstance(received, FramesWanted):
                self._connection.send(_drawn(received))
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
        connection.send(prepare(request, promise, draw=SharedDrawing(connection)))


class SharedDrawing:
    """Draws a scene as ``draw_scene`` does, with the help of the process at the other end of a connection."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def __call__(self, scene: Scene, *, frames: Iterable[int] | None = None) -> tuple[Rendering, Labels]:
        from worldgen.rendering.drawn_clips import SceneDrawing
        from worldgen.rendering.render import frame_numbers

        wanted, drawing = frame_numbers(scene, frames), SceneDrawing(scene)
        return drawing.clip(self._frames(drawing, wanted), len(wanted))

    def _frames(self, drawing: SceneDrawing, wanted: list[int]) -> Iterator[DrawnFrame]:
        """The wanted frames in order; those that are left to the other process come last, and it draws meanwhile."""
        end, asked = len(wanted), False
        number = 0
        while number < end:
            if not asked and self._connection.poll():
                asked = self._connection.recv() == READY
                left = max(0, (end - number - FRAMES_TO_BEGIN) // 2)
                if left:
                    end -= left
                    self._connection.send(FramesWanted(drawing.scene, tuple(wanted[end:])))
            yield drawing.frame(wanted[number])
            number += 1
        if end < len(wanted):
            yield from self._connection.recv()


def _drawn(wanted: FramesWanted) -> list[DrawnFrame]:
    from worldgen.rendering.drawn_clips import SceneDrawing

    drawing = SceneDrawing(wanted.scene)
    return [drawing.frame(frame) for frame in wanted.frames]

"""Coverage-guided fuzzing: inputs that reach new arcs of the reader are kept and mutated further.

An arc is a step from one line to the next inside a function. Lines are traced with ``sys.settrace``, which every Python
has, and only in the modules that are watched. The same seed gives the same inputs.

``WORLDGEN_FUZZ_CORPUS`` names a folder that keeps the inputs between runs, one folder a reader.
"""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import numpy as np

from tests.fuzz.outcomes import MAX_MESSAGE
from worldgen.core.errors import InputError

MOST_BYTES = 20_000
"""Longer inputs are not kept: they slow the search and reach nothing more."""
CORPUS = os.environ.get("WORLDGEN_FUZZ_CORPUS", "")

Arc = tuple[CodeType, int, int]
Mutate = Callable[[bytes, np.random.Generator], bytes]


class ArcTrace:
    """Collects the arcs that run in watched modules, in a ``with`` block."""

    def __init__(self, modules: Sequence[ModuleType]) -> None:
        self._files = {str(module.__file__) for module in modules}
        self.arcs: set[Arc] = set()

    def __enter__(self) -> ArcTrace:
        self._before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _call(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        if frame.f_code.co_filename not in self._files:
            return None
        last, code, arcs = frame.f_lineno, frame.f_code, self.arcs

        def line(frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
            nonlocal last
            arcs.add((code, last, frame.f_lineno if event == "line" else -1))
            last = frame.f_lineno
            return line

        return line


@dataclass
class GuidedFuzzer:
    """Reads mutated inputs, and keeps those that reach new arcs.

    read: the reader; it may raise InputError only. seeds: whole inputs. modules: whose arcs count. mutate: one damage.
    name: of its folder in the kept corpus. guided: False keeps nothing, for comparison.
    """

    read: Callable[[bytes], object]
    seeds: Sequence[bytes]
    modules: Sequence[ModuleType]
    mutate: Mutate
    name: str = ""
    guided: bool = True
    arcs: set[Arc] = field(default_factory=set)
    corpus: list[bytes] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)

    def run(self, count: int, seed: int) -> GuidedFuzzer:
        """Read the seeds, the kept corpus and ``count`` mutated inputs."""
        for whole in (*self.seeds, *self._kept()):
            self._try(whole, "a seed")
        self.corpus = self.corpus or list(self.seeds)
        for number in range(count):
            rng = np.random.default_rng((seed, number))
            # Half of the inputs come from the newest quarter of the corpus, where new arcs are near.
            newest = rng.random() < 0.5
            first = len(self.corpus) * 3 // 4 if newest else 0
            data = self.corpus[int(rng.integers(first, len(self.corpus)))]
            for _ in range(1 if rng.random() < 0.7 else 3):
                data = self._spliced(data, rng) if rng.random() < 0.1 else self.mutate(data, rng)
            self._try(data, f"input {number}")
        return self

    def _try(self, data: bytes, name: str) -> None:
        with ArcTrace(self.modules) as trace:
            self._read(data, name)
        new = trace.arcs - self.arcs
        self.arcs |= trace.arcs
        if new and self.guided and len(data) <= MOST_BYTES:
            self.corpus.append(data)
            if CORPUS and self.name:
                folder = Path(CORPUS) / self.name
                folder.mkdir(parents=True, exist_ok=True)
                (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    def _read(self, data: bytes, name: str) -> None:
        try:
            self.read(data)
            self.found["read"] += 1
        except InputError as error:
            message = str(error)
            whole = "\n" not in message and len(message) <= MAX_MESSAGE
            self.found["refused" if whole else f"message of {len(message)} characters: {message[:200]}"] += 1
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)
            ours = next((frame for frame in reversed(place) if "worldgen/" in frame.filename), place[-1])
            self.found[f"{type(error).__name__} at {ours.filename}:{ours.lineno} ({str(error)[:100]}), {name}"] += 1

    def _spliced(self, data: bytes, rng: np.random.Generator) -> bytes:
        """The beginning of one input and the end of another."""
        other = self.corpus[int(rng.integers(len(self.corpus)))]
        return data[: int(rng.integers(len(data) + 1))] + other[int(rng.integers(len(other) + 1)) :]

    def _kept(self) -> Iterator[bytes]:
        folder = Path(CORPUS) / self.name
        if CORPUS and self.name and folder.is_dir():
            yield from (path.read_bytes() for path in sorted(folder.iterdir()))

"""What a run leaves to be read: metrics.jsonl, config.yaml, run.json, sheets."""

from __future__ import annotations

import importlib.metadata
import io
import json
import math
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worldgen.files.atomic import write_bytes, write_json

PACKAGES = ("worldgen", "torch", "diffusers", "transformers", "accelerate", "peft", "safetensors", "numpy")


@dataclass(frozen=True)
class Launch:
    """How a run was started and how it speaks. command: as typed. config_text: the resolved config as YAML.

    report: takes a line for the user. stop: True once the run shall end after its current step.
    """

    command: str = ""
    config_text: str = ""
    report: Callable[[str], None] = lambda line: None
    stop: Callable[[], bool] = lambda: False


def versions() -> dict[str, str]:
    """Versions of Python and of the packages a result depends on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


class Metrics:
    """metrics.jsonl: one JSON object a line, on disk as soon as it is written.

    ``resume_step``: drop lines of later steps (and a torn last line), which the continued run will write again.
    """

    def __init__(self, path: Path, resume_step: int = 0) -> None:
        self.path = path
        kept = [line for line in _lines(path) if json.loads(line)["step"] <= resume_step]
        write_bytes(path, "".join(f"{line}\n" for line in kept).encode())
        self._file = path.open("a")

    def write(self, kind: str, step: int, values: dict[str, float | int | None]) -> None:
        """kind: train or val. Numbers that are not finite become null, which JSON can hold."""
        record = {"kind": kind, "step": step}
        for name, value in values.items():
            record[name] = None if isinstance(value, float) and not math.isfinite(value) else value
        self._file.write(json.dumps(record, allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_metrics(path: Path, kind: str = "train") -> list[dict]:
    """The records of one kind, in order."""
    return [record for line in _lines(path) if (record := json.loads(line))["kind"] == kind]


def _lines(path: Path) -> list[str]:
    """Whole lines of a metrics file; the torn last line of a killed run is left out."""
    if not path.is_file():
        return []
    lines = path.read_text().split("\n")
    return [line for line in lines[:-1] if line]


def write_run(path: Path, launch: Launch, facts: dict) -> None:
    """run.json: versions, command, machine, and ``facts`` of this run; restarts are appended, not overwritten."""
    earlier = json.loads(path.read_text())["starts"] if path.is_file() else []
    start = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": launch.command,
        "versions": versions(),
        "platform": platform.platform(),
        **facts,
    }
    write_json(path, {"run_version": 1, "starts": [*earlier, start]})


def finish_run(path: Path, facts: dict) -> None:
    """Add what is known at the end of a run to its run.json."""
    record = json.loads(path.read_text())
    write_json(path, {**record, "finished": facts})


def write_png(path: Path, image: np.ndarray) -> None:
    """image: ``(H, W, 3)`` uint8 RGB."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    write_bytes(path, buffer.getvalue())

"""Records that a run leaves to be read: metrics.jsonl, run.json, sheets."""

from __future__ import annotations

import importlib.metadata
import io
import math
import platform
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from worldgen.files.journal import Journal, read_journal
from worldgen.files.json_files import read_object
from worldgen.files.storage import write_bytes, write_json
from worldgen.training.launch import Launch

PACKAGES = ("worldgen", "torch", "diffusers", "transformers", "accelerate", "peft", "safetensors", "numpy")


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
    """metrics.jsonl: one JSON object a line, with the operating system as soon as it is written.

    resume_step: lines of later steps are dropped; the continued run writes them again.
    """

    def __init__(self, path: Path, resume_step: int = 0) -> None:
        self._journal = Journal(path, keep=lambda record: record["step"] <= resume_step)

    def write(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        """kind: train or val. Numbers that are not finite become null, which JSON can hold."""
        record: dict[str, object] = {"kind": kind, "step": step}
        for name, value in values.items():
            record[name] = None if isinstance(value, float) and not math.isfinite(value) else value
        self._journal.append(record)

    def close(self) -> None:
        self._journal.close()


def read_metrics(path: Path, kind: str = "train") -> list[dict]:
    """The records of one kind, in order."""
    return [record for record in read_journal(path) if record["kind"] == kind]


def write_run(path: Path, launch: Launch, facts: dict) -> None:
    """run.json: versions, command, machine, and ``facts`` of this run; restarts are appended, not overwritten."""
    earlier = read_object(path).get("starts", []) if path.is_file() else []
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
    record = read_object(path)
    write_json(path, {**record, "finished": facts})


def write_png(path: Path, image: np.ndarray) -> None:
    """image: ``(H, W, 3)`` uint8 RGB."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    write_bytes(path, buffer.getvalue())

"""Trains the toy task for ten steps with two items a process; started by a test under ``accelerate launch``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == "__main__":
    from worldgen.training.launch import Launch
    from worldgen.training.run import train

    toy = importlib.import_module("training.toy")
    train(toy.toy_config(sys.argv[1], batch=2), launch=Launch(), stages=toy.toy_stages())

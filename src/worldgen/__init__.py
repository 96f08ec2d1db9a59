"""worldgen: rare driving scenes as verified, labelled, trainable video.

    import worldgen

    sample = worldgen.sample("pedestrian at night in rain")   # words to a labelled clip
    sample.save("outputs/rain")

    model = worldgen.load("shipped")                          # load once, sample often
    sample = model.sample(context="drive.mp4", ego="brake")

Every public name is listed in ``__all__`` and is imported at its first use, so that ``import worldgen`` loads neither
NumPy nor PyTorch and takes a few milliseconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worldgen.api.datasets import ingest, open_dataset
    from worldgen.api.generate_set import generate
    from worldgen.api.generated_sample import GeneratedSample
    from worldgen.api.insert_set import insert
    from worldgen.api.measures import evaluate
    from worldgen.api.model import Model, load, sample
    from worldgen.api.train_model import train
    from worldgen.api.words_to_scenes import parse, render, simulate
    from worldgen.core.camera import Camera
    from worldgen.core.clip import Clip
    from worldgen.core.ego import EgoMotion
    from worldgen.core.errors import InputError
    from worldgen.core.labels import Labels
    from worldgen.core.samples import Sample
    from worldgen.core.scenario import AgentRequest, Scenario
    from worldgen.core.scene import Scene
    from worldgen.data.dataset.index import DataSet
    from worldgen.prompts import ParsedPrompt

__version__ = "0.2.0"

__all__ = [
    "AgentRequest",
    "Camera",
    "Clip",
    "DataSet",
    "EgoMotion",
    "GeneratedSample",
    "InputError",
    "Labels",
    "Model",
    "ParsedPrompt",
    "Sample",
    "Scenario",
    "Scene",
    "__version__",
    "evaluate",
    "generate",
    "ingest",
    "insert",
    "load",
    "open_dataset",
    "parse",
    "render",
    "sample",
    "simulate",
    "train",
]

_MODULES = {
    "AgentRequest": "worldgen.core.scenario",
    "Camera": "worldgen.core.camera",
    "Clip": "worldgen.core.clip",
    "DataSet": "worldgen.data.dataset.index",
    "EgoMotion": "worldgen.core.ego",
    "GeneratedSample": "worldgen.api.generated_sample",
    "InputError": "worldgen.core.errors",
    "Labels": "worldgen.core.labels",
    "Model": "worldgen.api.model",
    "ParsedPrompt": "worldgen.prompts",
    "Sample": "worldgen.core.samples",
    "Scenario": "worldgen.core.scenario",
    "Scene": "worldgen.core.scene",
    "evaluate": "worldgen.api.measures",
    "generate": "worldgen.api.generate_set",
    "ingest": "worldgen.api.datasets",
    "insert": "worldgen.api.insert_set",
    "load": "worldgen.api.model",
    "open_dataset": "worldgen.api.datasets",
    "parse": "worldgen.api.words_to_scenes",
    "render": "worldgen.api.words_to_scenes",
    "sample": "worldgen.api.model",
    "simulate": "worldgen.api.words_to_scenes",
    "train": "worldgen.api.train_model",
}
"""Public name -> the module that defines it."""


if not TYPE_CHECKING:  # a type checker reads the imports above; with this function it would accept any name

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used, and keep it."""
        if name not in _MODULES:
            raise AttributeError(f"module 'worldgen' has no attribute {name!r}")
        value = getattr(importlib.import_module(_MODULES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)

"""The sampler: a model is loaded once and turns requests into clips, in memory or in output folders."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

import worldgen
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.data.export.sample_folder import SampleFolder
from worldgen.generation.sample.background import BackgroundPreparation
from worldgen.generation.sample.context_camera import GivenCamera, adapter_camera, recorded_camera
from worldgen.generation.sample.model_loading import load_world_model
from worldgen.generation.sample.request import PreparedRequest, SampleRequest, prepare
from worldgen.models.backbones.options import BackboneConfig
from worldgen.models.devices import MAX_THREADS
from worldgen.models.interface import SamplerOptions, WorldModel, sampler_options
from worldgen.models.promise import LargestClip, ModelPromise

META_VERSION = 1
PACKAGES = ("torch", "diffusers", "transformers", "numpy", "av")


@dataclass(frozen=True, eq=False)
class Sampler:
    """A loaded model.

    name: for people. weights_hash: names the weights by content, adapter included. camera: of the clips that its
    adapter was trained on; clips that are continued without a word of their camera are taken for clips of it.
    """

    model: WorldModel
    name: str
    weights_hash: str
    camera: GivenCamera = field(default_factory=GivenCamera)

    @classmethod
    def load(
        cls, model: str = "", *, adapter: str = "", device: str = "", threads: int = 0,
        backbone: BackboneConfig | None = None, asked: LargestClip | None = None,
    ) -> Sampler:  # fmt: skip
        """The shipped model ("" or "shipped"), a model saved in folder ``model``, or one in a hub repository.

        adapter: folder of a LoRA adapter, "" for none. device: "" picks the best there is. threads: of the CPU, 0
        leaves them as they are. backbone: how a pretrained model runs; None takes what suits the device.
        asked: the largest clip that a pretrained model is loaded for: too little memory is known before its weights are
        read or downloaded. None checks the smallest clip, and each request before it is sampled.

        Raises: InputError for a model, adapter or device that is not there or does not fit.
        """
        if isinstance(threads, bool) or not 0 <= threads <= MAX_THREADS:
            raise InputError("threads", threads, f"0 to {MAX_THREADS}")
        if threads:
            torch.set_num_threads(threads)
        loaded = load_world_model(model, adapter=adapter, device=device, backbone=backbone, asked=asked)
        return cls(loaded.model, loaded.name, loaded.model.weights_hash, adapter_camera(adapter))

    @property
    def fps(self) -> float:
        """Frames per second the model was trained at."""
        return self.promise.fps

    def options(self, *, steps: int, chunk: int, guidance: dict[str, float]) -> SamplerOptions:
        """Sampler options; ``steps`` 0 and ``chunk`` 0 mean the model's own defaults."""
        return sampler_options(self.promise, steps=steps, chunk=chunk, guidance=guidance)

    @property
    def promise(self) -> ModelPromise:
        """What this model honours and makes."""
        return self.model.promise

    def prepare(self, request: SampleRequest, background: BackgroundPreparation | None = None) -> PreparedRequest:
        """Conditions and labels of a request, checked against what the model can do.

        background: used when it prepares this very request for what this model promises.

        Raises: InputError for a request that cannot be prepared, and for conditions that the model does not honour.
        """
        promise, request = self.promise, self._with_camera(request)
        same = background is not None and (background.request, background.promise) == (request, promise)
        if background is not None and same:
            prepared = background.result()
        else:
            promise.check_shape(request.frames, (request.width_px, request.height_px))  # before a scene is made
            prepared = prepare(request, promise)
        self.model.check([prepared.conditions])
        return prepared

    def _with_camera(self, request: SampleRequest) -> SampleRequest:
        """The request with the adapter's camera, where it continues a clip whose camera nothing else states."""
        if self.camera.is_empty or not request.camera.is_empty or not request.context:
            return request
        size = (request.width_px, request.height_px)
        if isinstance(request.context, str) and recorded_camera(request.context, size) is not None:
            return request
        return replace(request, camera=self.camera)

    def stream(self, prepared: PreparedRequest, options: SamplerOptions) -> Iterator[Clip]:
        """The clip in parts, as they are predicted; known frames come first. Memory does not grow with its length."""
        for (clip,) in self.model.stream([prepared.conditions], options):
            yield clip

    def write(
        self, folder: Path, request: SampleRequest, prepared: PreparedRequest, options: SamplerOptions
    ) -> Iterator[int]:
        """Sample into an existing empty folder, yielding each frame's number as soon as it is written."""
        size_px = (request.width_px, request.height_px)
        output = SampleFolder(folder, num_frames=request.frames, fps=request.fps, size_px=size_px)
        measured: dict[str, float] = {}
        done = 0
        for clip in self.stream(prepared, options):
            if done == 0:
                measured = context_fidelity(prepared, clip)
            output.add(clip.frames)
            yield from range(done, done + len(clip))
            done += len(clip)
        meta = self.meta(request, prepared, options, measured)
        output.finish(meta, caption=request.prompt, ego=prepared.ego, labels=prepared.labels)

    def meta(
        self, request: SampleRequest, prepared: PreparedRequest, options: SamplerOptions, measured: dict[str, float]
    ) -> dict[str, Any]:
        """``meta.json`` of a sample: all it takes to make the clip again, and what was ``measured`` of it."""
        conditions, context = prepared.conditions, request.context
        # A clip in memory has no file name, and motion in memory no words.
        context_file = None if isinstance(context, Clip) else Path(context).name
        ego = request.ego if isinstance(request.ego, str) else "motion in memory, see ego.csv"
        return {
            "meta_version": META_VERSION, "prompt": request.prompt, "seed": request.seed,
            "scenario": prepared.scenario.to_json() if prepared.scenario else None,
            "camera": conditions.camera.to_json() if conditions.camera else None,
            "num_frames": request.frames, "fps": request.fps,
            "width_px": request.width_px, "height_px": request.height_px,
            "context": {"file": context_file, "frames": request.context_frames, "start_s": request.context_start_s}
            if request.context else None,
            "ego": ego or ("scene" if prepared.scene else None),
            "conditions_given": list(conditions.given), "conditions_honoured": list(self.model.accepts),
            "labels_source": prepared.labels.source if prepared.labels else None, "notes": prepared.notes,
            **({"controls": list(conditions.controls)} if conditions.controls else {}),
            "sampler": {
                "steps": options.steps, "chunk": options.chunk, "guidance": options.guidance, "shift": options.shift,
            },
            "model": self.name, "weights_hash": self.weights_hash,
            "versions": {"worldgen": worldgen.__version__, "python": platform.python_version()}
            | {name: metadata.version(name) for name in PACKAGES},
            "scorecard": measured,
        }  # fmt: skip


def context_fidelity(prepared: PreparedRequest, first: Clip) -> dict[str, float]:
    """Fidelity of the known frames, the first part of a clip, after the codec: ``context_psnr_db``; {} without any."""
    context = prepared.conditions.context
    return {} if context is None else {"context_psnr_db": psnr_db(first.frames, context.frames)}


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio of uint8 pictures of one shape in dB, 99 for equal ones."""
    mse = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return 99.0 if mse == 0 else round(10 * float(np.log10(255.0**2 / mse)), 2)

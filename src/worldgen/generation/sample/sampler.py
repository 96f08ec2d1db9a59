"""The sampler behind ``worldgen sample``: load a model once, turn requests into output folders."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

import worldgen
from worldgen.core.errors import InputError
from worldgen.core.seeds import stable_key
from worldgen.data.dataset.sample_folder import SampleFolder
from worldgen.files.shipped import assets_dir
from worldgen.generation.sample.background import SHIPPED, BackgroundPreparation, ModelFacts
from worldgen.generation.sample.request import Prepared, SampleRequest, prepare
from worldgen.models.native.adapters import load_adapter
from worldgen.models.native.loading import load_pipeline, pipeline_hash
from worldgen.models.native.pipeline import WorldPipeline
from worldgen.models.native.rollout.rollout import GUIDABLE, SamplerOptions

META_VERSION = 1
PACKAGES = ("torch", "diffusers", "transformers", "numpy", "av")


@dataclass(frozen=True, eq=False)
class Sampler:
    """A loaded model and its name. weights_hash names the weights by content, adapter included."""

    pipeline: WorldPipeline
    name: str
    weights_hash: str

    @classmethod
    def load(cls, model: str = "", *, adapter: str = "", device: str = "", threads: int = 0) -> Sampler:
        """The shipped model ("" or "shipped"), or the pipeline saved in folder ``model``.

        device: "" picks the best there is. threads: of the CPU, 0 leaves them as they are.
        Raises: InputError for a model, adapter or device that is not there or does not fit.
        """
        if threads:
            torch.set_num_threads(threads)
        shipped = model in ("", SHIPPED)
        folder = assets_dir() / "model" if shipped else Path(model)
        pipeline = load_pipeline(folder)
        if adapter:
            load_adapter(pipeline.transformer, adapter)
        pipeline.set_progress_bar_config(disable=True)
        pipeline.to(_device(device))
        return cls(pipeline, f"worldgen {worldgen.__version__}" if shipped else folder.name, pipeline_hash(pipeline))

    @property
    def fps(self) -> float:
        return float(self.pipeline.transformer.config.fps)

    def options(self, *, steps: int, chunk: int, guidance: dict[str, float]) -> SamplerOptions:
        """Sampler options; ``steps`` 0 means the model's own default."""
        defaults = SamplerOptions()
        return SamplerOptions(steps=steps or defaults.steps, chunk=chunk, guidance=guidance, shift=defaults.shift)

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts(self.pipeline.size_px, self.fps, self.pipeline.accepts)

    def prepare(self, request: SampleRequest, ahead: BackgroundPreparation | None = None) -> Prepared:
        """Conditions and labels of a request, checked against what the model can do; ``ahead``, if it is of this request."""
        same = ahead is not None and (ahead.request, ahead.accepts) == (request, self.pipeline.accepts)
        prepared = ahead.result() if same else prepare(request, self.pipeline.accepts)
        self.pipeline.check([prepared.conditions])
        return prepared

    def write(self, folder: Path, request: SampleRequest, prepared: Prepared, options: SamplerOptions) -> Iterator[int]:
        """Sample into an existing empty folder, yielding each frame's number as it is made."""
        size_px = (request.width_px, request.height_px)
        output = SampleFolder(folder, num_frames=request.frames, fps=request.fps, size_px=size_px)
        measured: dict[str, float] = {}
        done = 0
        for (clip,) in self.pipeline.stream([prepared.conditions], options):
            if done == 0 and prepared.conditions.context is not None:
                measured["context_psnr_db"] = psnr_db(clip.frames, prepared.conditions.context.frames)
            output.add(clip.frames)
            yield from range(done, done + len(clip))
            done += len(clip)
        meta = self._meta(request, prepared, options) | {"scorecard": measured}
        output.finish(meta, caption=request.prompt, ego=prepared.conditions.ego, labels=prepared.labels)

    def _meta(self, request: SampleRequest, prepared: Prepared, options: SamplerOptions) -> dict:
        conditions = prepared.conditions
        return {
            "meta_version": META_VERSION, "prompt": request.prompt, "seed": request.seed,
            "scenario": prepared.scenario.to_json() if prepared.scenario else None,
            "camera": conditions.camera.to_json() if conditions.camera else None,
            "num_frames": request.frames, "fps": request.fps, "width_px": request.width_px, "height_px": request.height_px,
            "context": {"file": Path(request.context).name, "frames": request.context_frames, "start_s": request.context_start_s}
            if request.context else None,
            "ego": request.ego or ("scene" if prepared.scene else None),
            "conditions_given": list(conditions.given), "conditions_honoured": list(self.pipeline.accepts),
            "labels_source": prepared.labels.source if prepared.labels else None, "notes": prepared.notes,
            "sampler": {"steps": options.steps, "chunk": options.chunk, "guidance": options.guidance, "shift": options.shift},
            "model": self.name, "weights_hash": self.weights_hash,
            "versions": {"worldgen": worldgen.__version__, "python": platform.python_version()}
            | {name: metadata.version(name) for name in PACKAGES},
        }  # fmt: skip


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio of uint8 pictures in dB, 99 for equal ones."""
    mse = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return 99.0 if mse == 0 else round(10 * float(np.log10(255.0**2 / mse)), 2)


def parse_guidance(text: str) -> dict[str, float]:
    """``"2"`` means text guidance of 2; ``"text=2,layout=1.5"`` names conditions. Raises InputError otherwise."""
    guidance = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = part.rpartition("=")
        try:
            guidance[name.strip() if equals else "text"] = float(value)
        except ValueError as error:
            raise InputError("--guidance", text, "a number, or CONDITION=NUMBER of " + ", ".join(GUIDABLE)) from error
    SamplerOptions(guidance=guidance)  # checks names and ranges before any model is loaded
    return guidance


def default_folder(name: str, seed: int) -> str:
    """``outputs/WORDS-OF-THE-PROMPT-sSEED``; when it exists, with a number appended."""
    words = re.sub(r"[^a-z0-9]+", "-", Path(name).stem.lower()).strip("-")[:48].strip("-") or stable_key(name)
    base = Path("outputs") / f"{words}-s{seed}"
    candidate, number = base, 2
    while candidate.exists():
        candidate, number = base.with_name(f"{base.name}-{number}"), number + 1
    return str(candidate)


def _device(name: str) -> torch.device:
    if not name:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError("--device", name, "a device PyTorch can use here, such as cpu") from error
    return device

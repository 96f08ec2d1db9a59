"""A world model that is loaded once and samples clips: what ``worldgen.load`` returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worldgen.api.arguments import (
    DEFAULT_FRAMES,
    BackboneArgument,
    CameraArgument,
    ConfigValues,
    ContextArgument,
    EgoArgument,
    ReferenceArgument,
    ScenarioArgument,
    backbone_config,
    guidance_table,
    path_text,
    sample_request,
    whole,
    words,
)
from worldgen.api.generated_sample import GeneratedSample, content_key
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.generation.sample.background import SHIPPED, BackgroundPreparation
from worldgen.generation.sample.request import PreparedRequest, SampleRequest
from worldgen.generation.sample.sampler import Sampler, context_fidelity
from worldgen.models.interface import SamplerOptions
from worldgen.models.native.loading import quiet_libraries
from worldgen.models.promise import LargestClip, ModelPromise

MAX_THREADS = 1024


def load(
    model: str | Path = SHIPPED,
    *,
    adapter: str | Path = "",
    device: str = "",
    threads: int = 0,
    backbone: BackboneArgument = None,
) -> Model:
    """Load a world model.

    Args:
        model: "shipped", the folder of a saved pipeline of any family, or a repository of the Hugging Face hub.
        adapter: folder of a LoRA adapter to apply, as ``worldgen.train`` leaves it; "" for none.
        device: "cpu", "cuda", ...; "" picks the best there is.
        threads: CPU threads of PyTorch, for the whole process; 0 leaves them as they are.
        backbone: how a pretrained model runs: a dict of what differs from the defaults, a YAML file such as
            ``configs/backbones/24gb.yaml``, or a ``BackboneConfig``. None takes what suits the device.

    Raises:
        InputError: a model, adapter or device that is not there or does not fit.
    """
    return load_for(None, model, adapter=adapter, device=device, threads=threads, backbone=backbone)


def load_for(
    asked: LargestClip | None, model: str | Path = SHIPPED, *, adapter: str | Path = "", device: str = "",
    threads: int = 0, backbone: BackboneArgument = None,
) -> Model:  # fmt: skip
    """As ``load``, for clips up to ``asked``: too little memory for them is known before weights are read or fetched.

    None checks each request when it is made. Raises: InputError.
    """
    name = path_text("model", model, '"shipped", the folder of a saved pipeline, or a hub repository')
    count = whole("threads", threads)
    if not 0 <= count <= MAX_THREADS:
        raise InputError("threads", count, f"0 to {MAX_THREADS}")
    quiet_libraries()
    sampler = Sampler.load(
        name, adapter=path_text("adapter", adapter, "the folder of an adapter"),
        device=words("device", device, 'the name of a device, as in "cpu"'), threads=count,
        backbone=backbone_config(backbone), asked=asked,
    )  # fmt: skip
    return Model(sampler)


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A loaded world model.

    ``sample`` returns a whole clip with its labels, ``stream`` yields the clip in parts while it is predicted,
    ``write`` samples into a folder with memory that does not grow with the length of the clip.
    """

    sampler: Sampler

    @property
    def name(self) -> str:
        """Name of the model, for people."""
        return self.sampler.name

    @property
    def weights_hash(self) -> str:
        """Name of the weights by content, adapter included."""
        return self.sampler.weights_hash

    @property
    def size_px(self) -> tuple[int, int]:
        """Default width and height of the picture in pixels."""
        return self.sampler.promise.size_px

    @property
    def fps(self) -> float:
        """Default frames per second."""
        return self.sampler.fps

    @property
    def accepts(self) -> tuple[str, ...]:
        """Conditions the model honours, of ``context``, ``text``, ``ego`` and ``layout``; it refuses all others."""
        return self.sampler.promise.conditions

    @property
    def promise(self) -> ModelPromise:
        """What the model honours and makes: conditions, controls, sizes, lengths."""
        return self.sampler.promise

    def __repr__(self) -> str:
        width, height = self.size_px
        return f"Model({self.name}, {width}x{height} at {self.fps:g} fps, honours {', '.join(self.accepts)})"

    def sample(
        self,
        prompt: str = "",
        *,
        context: ContextArgument = None,
        ego: EgoArgument = "",
        scenario: ScenarioArgument = None,
        seed: int = 0,
        frames: int = DEFAULT_FRAMES,
        fps: float | None = None,
        size: tuple[int, int] | None = None,
        start: str | None = None,
        context_frames: int | None = None,
        context_start_s: float = 0.0,
        speed_mps: float = 0.0,
        camera: CameraArgument = None,
        ego_config: IngestConfig | ConfigValues | None = None,
        controls: str | Sequence[str] = (),
        negative_prompt: str | None = None,
        reference: ReferenceArgument = None,
        steps: int = 0,
        chunk: int = 0,
        guidance: Mapping[str, float] | float | None = None,
    ) -> GeneratedSample:
        """Sample one clip from words, a scenario, or the first frames of a real clip.

        The clip, its labels and ``GeneratedSample.save`` are equal, byte for byte, to what ``worldgen sample`` writes
        for the same request on the same machine with the same number of threads.

        Args:
            prompt: the scene in words.
            context: a video to continue: a path, a ``Clip``, or a uint8 array ``(T, H, W, 3)`` at ``fps``.
            ego: what the car does: the name of a manoeuvre ("brake"), an ego log, waypoints in metres ("(x, y), (x,
                y)"), or an ``EgoMotion`` with one row a frame. "" leaves it to the scene; a continued clip keeps
                driving as it did.
            scenario: used instead of the words to build the scene: a ``Scenario``, its record, or the path of its JSON
                file. Not beside a context, whose road is the real one.
            seed: of the scene and of the sampling noise; the same seed gives the same clip.
            frames: of the whole clip, known frames included.
            fps: frames per second; None takes the model's.
            size: width and height in pixels; None takes the model's.
            start: how a scene's clip begins, "sketch" (rendered frames) or "noise" (the model predicts every frame);
                None leaves it to the model.
            context_frames: known frames taken of the context; None takes 8, at most half of ``frames``.
            context_start_s: second of the context they start at.
            speed_mps: speed in m/s at which a manoeuvre continues a context; 0 recovers it from the context's pixels.
            camera: what is known of the camera of a context, by name: ``fov_deg`` (horizontal field of view),
                ``pitch_deg`` (below the horizon) and ``height_m`` (above the ground). The rest is taken from the record
                beside the video or estimated from its frames.
            ego_config: how the log in ``ego`` is read: the config of ``worldgen.ingest`` for it, as a YAML file, a dict
                of values or an ``IngestConfig``.
            controls: control videos to make of the scene, as in "depth", for models that take them; () takes the
                model's own.
            negative_prompt: what the clip should not show, for models that take such words; None says what speaks
                against the scene.
            reference: a picture of what the clip should look like, for models that take one: a file or an array.
            steps: denoising steps per chunk; 0 takes the model's default.
            chunk: frames predicted together; 0 takes the model's default.
            guidance: guidance scale of the words, or scales by condition as in ``{"text": 2, "layout": 1.5}``; 1 is
                off.

        Raises:
            InputError: arguments, words or files that cannot be used, arguments without effect beside the others, and
                conditions that the model does not honour.
        """
        request = sample_request(
            self.promise, prompt, context=context, ego=ego, scenario=scenario, seed=seed, frames=frames, fps=fps,
            size=size, start=start, context_frames=context_frames, context_start_s=context_start_s, speed_mps=speed_mps,
            camera=camera, ego_config=ego_config, controls=controls, negative_prompt=negative_prompt,
            reference=reference,
        )  # fmt: skip
        options = self.options(steps=steps, chunk=chunk, guidance=guidance)
        prepared = self.sampler.prepare(request)
        parts = list(self.sampler.stream(prepared, options))
        clip = Clip(np.concatenate([part.frames for part in parts]), request.fps)
        meta = self.sampler.meta(request, prepared, options, context_fidelity(prepared, parts[0]))
        key = content_key(clip)
        return GeneratedSample(
            key=key, clip=clip, caption=request.prompt, drive=key, ego=prepared.ego,
            camera=prepared.conditions.camera, labels=prepared.labels, scenario=prepared.scenario,
            conditions_used=prepared.conditions.given, scorecard=meta["scorecard"],
            provenance={"tool": "worldgen sample", "seed": request.seed, "weights_hash": self.weights_hash},
            scene=prepared.scene, meta=meta, notes=prepared.notes,
        )  # fmt: skip

    def stream(
        self,
        prompt: str = "",
        *,
        context: ContextArgument = None,
        ego: EgoArgument = "",
        scenario: ScenarioArgument = None,
        seed: int = 0,
        frames: int = DEFAULT_FRAMES,
        fps: float | None = None,
        size: tuple[int, int] | None = None,
        start: str | None = None,
        context_frames: int | None = None,
        context_start_s: float = 0.0,
        speed_mps: float = 0.0,
        camera: CameraArgument = None,
        ego_config: IngestConfig | ConfigValues | None = None,
        controls: str | Sequence[str] = (),
        negative_prompt: str | None = None,
        reference: ReferenceArgument = None,
        steps: int = 0,
        chunk: int = 0,
        guidance: Mapping[str, float] | float | None = None,
    ) -> Iterator[Clip]:
        """The frames of ``sample``, in parts of ``chunk`` frames as they are predicted; known frames come first.

        The request is prepared at once, the frames are predicted while the parts are taken. Arguments and errors as in
        ``sample``.
        """
        request = sample_request(
            self.promise, prompt, context=context, ego=ego, scenario=scenario, seed=seed, frames=frames, fps=fps,
            size=size, start=start, context_frames=context_frames, context_start_s=context_start_s, speed_mps=speed_mps,
            camera=camera, ego_config=ego_config, controls=controls, negative_prompt=negative_prompt,
            reference=reference,
        )  # fmt: skip
        options = self.options(steps=steps, chunk=chunk, guidance=guidance)
        return self.sampler.stream(self.sampler.prepare(request), options)

    def options(
        self, *, steps: int = 0, chunk: int = 0, guidance: Mapping[str, float] | float | None = None
    ) -> SamplerOptions:
        """How a clip is sampled, as in ``sample``. Raises: InputError for numbers out of range."""
        return self.sampler.options(
            steps=whole("sampling steps", steps),
            chunk=whole("frames per chunk", chunk),
            guidance=guidance_table(guidance),
        )

    def prepare(self, request: SampleRequest, background: BackgroundPreparation | None = None) -> PreparedRequest:
        """Conditions and labels of a request, as ``background`` has prepared them or prepared now."""
        return self.sampler.prepare(request, background)

    def write(
        self, folder: Path, request: SampleRequest, prepared: PreparedRequest, options: SamplerOptions
    ) -> Iterator[int]:
        """Sample into an existing empty folder, yielding each frame's number as soon as it is written.

        The files are those of ``GeneratedSample.save``. Only the frames of the contact sheet stay in memory.
        """
        return self.sampler.write(folder, request, prepared, options)


def sample(
    prompt: str = "",
    model: str | Path = SHIPPED,
    *,
    adapter: str | Path = "",
    device: str = "",
    threads: int = 0,
    backbone: BackboneArgument = None,
    context: ContextArgument = None,
    ego: EgoArgument = "",
    scenario: ScenarioArgument = None,
    seed: int = 0,
    frames: int = DEFAULT_FRAMES,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    start: str | None = None,
    context_frames: int | None = None,
    context_start_s: float = 0.0,
    speed_mps: float = 0.0,
    camera: CameraArgument = None,
    ego_config: IngestConfig | ConfigValues | None = None,
    controls: str | Sequence[str] = (),
    negative_prompt: str | None = None,
    reference: ReferenceArgument = None,
    steps: int = 0,
    chunk: int = 0,
    guidance: Mapping[str, float] | float | None = None,
) -> GeneratedSample:
    """Load a model and sample one clip. For several clips, ``load`` the model once and call its ``sample``.

    model, adapter, device, threads, backbone: as in ``load``. Everything else, and the errors, as in ``Model.sample``.
    """
    loaded = load(model, adapter=adapter, device=device, threads=threads, backbone=backbone)
    return loaded.sample(
        prompt, context=context, ego=ego, scenario=scenario, seed=seed, frames=frames, fps=fps, size=size, start=start,
        context_frames=context_frames, context_start_s=context_start_s, speed_mps=speed_mps, camera=camera,
        ego_config=ego_config,
        controls=controls, negative_prompt=negative_prompt, reference=reference, steps=steps, chunk=chunk,
        guidance=guidance,
    )  # fmt: skip

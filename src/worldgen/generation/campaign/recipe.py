"""A recipe: how many accepted clips of which cells, the model, the gate, and the output."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass, field

import worldgen
from worldgen.core.errors import InputError
from worldgen.core.seeds import stable_key
from worldgen.core.start import DEFAULT_START, Start, StartChoice
from worldgen.generation.quality.gate import GateConfig
from worldgen.generation.quality.instrument_loading import fingerprints
from worldgen.generation.quality.scorer import ScorerConfig
from worldgen.models.families import NATIVE
from worldgen.models.interface import SamplerOptions, sampler_options
from worldgen.models.promise import ModelPromise

LATER_FIELDS = ("controls", "negative_prompt", "backbone_from")
"""Fields of ``ModelConfig`` that are part of a recipe's content only where they are set."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}")
Span = tuple[float, float]


@dataclass(frozen=True)
class CellGroup:
    """Cells of the grid that share a count: every combination of the listed words is a cell of its own.

    count: accepted clips wanted in each cell. weather, light, road, event, manoeuvre: lists of words. An entry is a
    word of the vocabulary; ``a|b``, one of these drawn for every clip; or ``any``, drawn from all words. The list
    ``[each]``
    stands for a cell per word. An event may also be ``none``. agents: other agents in words, e.g. "two pedestrians, no
    trucks".

    Combinations that an event or road does not allow are left out, and named in the plan.
    """

    count: int = 1
    weather: tuple[str, ...] = ("any",)
    light: tuple[str, ...] = ("any",)
    road: tuple[str, ...] = ("any",)
    event: tuple[str, ...] = ("none",)
    manoeuvre: tuple[str, ...] = ("any",)
    agents: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 10_000_000:
            raise InputError("count of a cell", self.count, "a whole number of clips from 1")
        for name in ("weather", "light", "road", "event", "manoeuvre"):
            if not getattr(self, name):
                raise InputError(f"{name} of a cell", (), "at least one word, or any")


@dataclass(frozen=True)
class ClipConfig:
    """Shape of the clips.

    frames: of a clip, 2 to 2000. fps: frames per second, 1 to 60. width_px, height_px: size of the picture.
    """

    frames: int = 25
    fps: float = 8.0
    width_px: int = 448
    height_px: int = 256

    def __post_init__(self) -> None:
        if not 2 <= self.frames <= 2000:
            raise InputError("clip.frames", self.frames, "2 to 2000")
        if not 1 <= self.fps <= 60:
            raise InputError("clip.fps", self.fps, "1 to 60")
        if not (16 <= self.width_px <= 4096 and 16 <= self.height_px <= 4096):
            raise InputError("clip.width_px and clip.height_px", (self.width_px, self.height_px), "16 to 4096 pixels")


@dataclass(frozen=True)
class RangeConfig:
    """Ranges of uniform draws; null leaves the draw to the scene, whose values suit the road and the event.

    speed_mps: of the ego at the start. fov_deg: horizontal field of view of the camera. height_m: of the camera above
    the road. pitch_deg: tilt of the camera, positive downwards.
    """

    speed_mps: Span | None = None
    fov_deg: Span | None = None
    height_m: Span | None = None
    pitch_deg: Span | None = None

    def __post_init__(self) -> None:
        limits = {"speed_mps": (0, 45), "fov_deg": (20, 120), "height_m": (0.5, 4), "pitch_deg": (-10, 20)}
        for name, (low, high) in limits.items():
            span = getattr(self, name)
            if span is not None and not low <= span[0] <= span[1] <= high:
                raise InputError(f"ranges.{name}", tuple(span), f"low and high, from {low} to {high}")


@dataclass(frozen=True)
class ModelConfig:
    """The model and how it samples.

    pipeline: "shipped", a folder of any family, or a hub repository. adapter: a LoRA folder, or "". start: the first
    frames are rendered ("sketch") or generated ("noise"); "" leaves it to the model. steps, shift, chunk: 0 for the
    model's own; chunk is the number of frames generated together. guidance: condition -> strength of classifier-free
    guidance. controls: control videos made of the scenes, [] for the model's own. negative_prompt: what clips should
    not show; "" says what speaks against each scene. batch: clips generated together. threads: CPU threads of one
    process; part of the recipe, because sums in another order differ in their last bits. device: "" takes the best one
    available. backbone_from: options of a pretrained model, a file such as ``configs/backbones/24gb.yaml`` or
    ``key=value`` words; [] takes what suits the device.
    """

    pipeline: str = "shipped"
    adapter: str = ""
    start: StartChoice = ""
    steps: int = 0
    chunk: int = 0
    shift: float = 0.0
    guidance: dict[str, float] = field(default_factory=dict)
    batch: int = 4
    threads: int = 1
    device: str = ""
    controls: tuple[str, ...] = ()
    negative_prompt: str = ""
    backbone_from: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (1 <= self.batch <= 1024 and 1 <= self.threads <= 256):
            raise InputError("model.batch and model.threads", (self.batch, self.threads), "1 to 1024 and 1 to 256")
        self.options(NATIVE)

    def options(self, promise: ModelPromise) -> SamplerOptions:
        """How a model samples, with its own defaults where the config says 0. Raises: InputError."""
        return sampler_options(promise, steps=self.steps, chunk=self.chunk, guidance=self.guidance, shift=self.shift)

    @property
    def chosen_start(self) -> Start | None:
        """``start``, None where it is left to the model."""
        return None if self.start == "" else self.start


@dataclass(frozen=True)
class WorkConfig:
    """How the work is divided into jobs and when it ends.

    attempts: clips attempted in one job. A job fills one shard. A killed run loses at most the jobs in flight.
    min_acceptance: a cell stops, and says so, once the upper end of the 95 % interval of its acceptance is below
    this, or after count / min_acceptance attempts. max_attempts: another limit of attempts per cell (0: none).
    retries: of failed writes, of jobs whose worker dies, and of clips with values that are not finite.
    retry_wait_s: pause before the first retry of a write, doubled each time.
    """

    attempts: int = 4
    min_acceptance: float = 0.05
    max_attempts: int = 0
    retries: int = 4
    retry_wait_s: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= 4096:
            raise InputError("work.attempts", self.attempts, "1 to 4096")
        if not 0.0001 <= self.min_acceptance <= 1:
            raise InputError("work.min_acceptance", self.min_acceptance, "0.0001 to 1")
        if not (0 <= self.retries <= 100 and 0 <= self.retry_wait_s <= 600 and self.max_attempts >= 0):
            received = (self.retries, self.retry_wait_s, self.max_attempts)
            raise InputError("work.retries, work.retry_wait_s and work.max_attempts", received, "0 or more")


@dataclass(frozen=True)
class Recipe:
    """A data set to be generated.

    name, version, seed: with the cell and the number of the attempt they give the seed of every clip. output: folder or
    URL. cells: what is wanted. scorer: which instruments measure the clips. licence: written into every sample.
    gate_from: a calibrated gate, a file such as ``configs/gate/default.yaml``; ``gate`` then holds the
    differences. instruments: content hashes of those in ``scorer``, filled in when a run begins; other instruments are
    refused. candidates: largest number of noise seeds per scene, tried until one clip is accepted. shard_size: samples
    per shard of the finished data set. split: shares of train, val and test. cost_per_hour: price of one worker, for
    the plan and the report.
    """

    name: str = "set"
    version: int = 1
    seed: int = 0
    output: str = ""
    cells: list[CellGroup] = field(default_factory=list)  # omegaconf checks the fields of items of lists only
    clip: ClipConfig = field(default_factory=ClipConfig)
    ranges: RangeConfig = field(default_factory=RangeConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    gate_from: str = ""
    gate: GateConfig = field(default_factory=GateConfig)
    scorer: ScorerConfig = field(default_factory=ScorerConfig)
    instruments: dict[str, str] = field(default_factory=dict)
    candidates: int = 1
    work: WorkConfig = field(default_factory=WorkConfig)
    shard_size: int = 64
    split: tuple[float, float, float] = (0.9, 0.05, 0.05)
    licence: str = "CC0-1.0"
    cost_per_hour: float = 0.0

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise InputError("name of a recipe", self.name, "letters, digits, _ and -")
        if not 1 <= self.candidates <= 64:
            raise InputError("candidates", self.candidates, "1 to 64")
        if not 1 <= self.shard_size <= 100_000:
            raise InputError("shard_size", self.shard_size, "1 to 100000")
        if not (min(self.split) >= 0 and abs(sum(self.split) - 1) <= 1e-6):
            raise InputError("split", tuple(self.split), "three shares that sum to 1: train, val, test")
        if not 0 <= self.cost_per_hour < math.inf:
            raise InputError("cost_per_hour", self.cost_per_hour, "0 or more")

    def scaled(self, scale: float) -> Recipe:
        """The recipe with all counts multiplied, at least 1 per cell."""
        if not 0 < scale <= 1e6:
            raise InputError("scale", scale, "a number above 0")
        cells = [dataclasses.replace(c, count=max(1, round(c.count * scale))) for c in self.cells]
        return dataclasses.replace(self, cells=cells)

    def with_gate(self, base: GateConfig) -> Recipe:
        """The recipe with the thresholds of a calibrated gate, except those that its own ``gate`` sets."""
        return dataclasses.replace(self, gate=self.gate.over(base))

    def with_instruments(self) -> Recipe:
        """The recipe with the content hashes of its instruments. Raises: InputError when it names other hashes."""
        found = fingerprints(dataclasses.asdict(self.scorer))
        for name, wanted in self.instruments.items():
            if found.get(name) != wanted:
                raise InputError(
                    f"instrument {name}", found.get(name), f"{wanted}, as the recipe says; or another output"
                )
        return dataclasses.replace(self, instruments=found)

    def content(self) -> dict[str, object]:
        """Everything that the bytes of a sample depend on besides its cell and attempt: ``outer.inner`` -> value.

        Cells, counts, the output and retries are not in it: they may change while the samples stay the same.
        """
        flat: dict[str, object] = {"worldgen": worldgen.__version__}
        record = dataclasses.asdict(self)
        for name in ("cells", "output", "gate_from", "shard_size", "cost_per_hour"):
            del record[name]
        model, plain = record["model"], dataclasses.asdict(ModelConfig())
        for name in LATER_FIELDS:  # recipes of before these fields keep their hash
            if model[name] == plain[name]:
                del model[name]
        model["start"], model["chunk"] = model["start"] or DEFAULT_START, model["chunk"] or 1
        record["work"] = {"attempts": record["work"]["attempts"]}  # decides which clips share a batch
        _flatten(record, "", flat)
        return flat

    @property
    def hash(self) -> str:
        """A name for :meth:`content`: samples of equal hash, cell and attempt are equal."""
        return stable_key("recipe", repr(sorted(self.content().items())))


def _flatten(record: dict, prefix: str, out: dict[str, object]) -> None:
    for name, value in record.items():
        if isinstance(value, dict):
            out[f"{prefix}{name}"] = len(value)
            _flatten(value, f"{prefix}{name}.", out)
        else:
            out[f"{prefix}{name}"] = list(value) if isinstance(value, tuple) else value


def refuse_changes(before: dict[str, object], now: dict[str, object], url: str) -> None:
    """Refuse to mix samples of two recipes in one folder. Raises: InputError naming the first fields that differ."""
    changed = sorted(k for k in {*before, *now} if before.get(k) != now.get(k))
    if not changed:
        return
    shown = ", ".join(f"{k} was {before.get(k)!r} and is {now.get(k)!r}" for k in changed[:3])
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    raise InputError(f"{url} was begun with another recipe: {shown}{more}; give another output, or delete this one")

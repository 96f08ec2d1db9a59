"""The promise of a world model: which conditions and controls it honours, and which clips it can make.

Callers know models by their promise only. What a promise leaves out is refused by name, with the families that could.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import CONDITIONS, CONTROLS, Conditions
from worldgen.core.start import Start

KnownFrames = Literal["codec", "clamped", "pasted", "given"]
"""What a model returns for the known first frames. ``given``: as they were given, bit for bit. ``codec``: as its codec
decodes them. ``clamped``: the pipeline itself holds them fixed and returns them as its codec decodes them. ``pasted``:
the network makes them anew; the given frames are put back in their place, bit for bit."""
PromptStyle = Literal["words", "short", "long", "json"]
"""How a family likes to be told what to show: the user's words alone; a sentence; a paragraph; a JSON caption."""
USES = ("sample", "generate", "restyle")
"""Commands that a model may serve."""


@dataclass(frozen=True)
class FrameCounts:
    """Allowed numbers of frames: ``first + step * k`` for k >= 0, from ``least`` to ``most``.

    Video codecs that pack 4 frames into one latent frame after the first allow 4k + 1.
    """

    step: int = 1
    first: int = 1
    least: int = 1
    most: int = 10_000

    def allows(self, count: int) -> bool:
        """Whether a clip may have ``count`` frames."""
        return self.least <= count <= self.most and (count - self.first) % self.step == 0

    def below(self, count: int) -> int:
        """The largest allowed number up to ``count``; the smallest of all where there is none."""
        smallest = self.least + (self.first - self.least) % self.step
        top = min(count, self.most)
        return max(smallest, top - (top - self.first) % self.step)

    def above(self, count: int) -> int:
        """The smallest allowed number from ``count`` on; the largest of all where there is none."""
        return self.below(max(count, self.least) + (self.first - max(count, self.least)) % self.step)

    def nearest(self, count: int) -> tuple[int, ...]:
        """The allowed numbers next to ``count``, below and above."""
        low = self.below(count)
        return tuple(n for n in dict.fromkeys((low, low + self.step if low < count else low)) if self.allows(n))

    @property
    def words(self) -> str:
        """The rule in words, as in "4k+1"."""
        rule = "any number" if self.step == 1 else f"{self.step}k+{self.first % self.step}".removesuffix("+0")
        least = f" from {self.least}" if self.least > 1 else ""
        return rule + least + (f" up to {self.most}" if self.most < 10_000 else "")

    def check(self, what: str, count: int) -> None:
        """Raises InputError, naming the allowed numbers next to ``count``, unless it is allowed."""
        if not self.allows(count):
            expected = f"{self.words} (as in {' or '.join(map(str, self.nearest(count)))})"
            raise InputError(what, count, expected)


@dataclass(frozen=True)
class LargestClip:
    """The clip that memory is planned for.

    size_px: width and height, None for the model's own. chunk: frames of one run of the network, 0 for the model's own.
    """

    num_frames: int
    size_px: tuple[int, int] | None = None
    chunk: int = 0


@dataclass(frozen=True)
class ModelPromise:
    """What a world model honours and makes.

    Attributes:
        family: name of the family, as in ``models.families.FAMILIES``.
        licence: of the published weights.
        conditions: names of ``CONDITIONS`` that it honours.
        controls: names of ``CONTROLS`` that it honours, the best first.
        max_controls: how many controls one clip may have.
        default_controls: controls that are made where a request of a scene names none.
        needs: the clip must have at least one of these conditions, or "controls"; () for no demand.
        apart: pairs of conditions, "controls" or "reference" that one clip cannot have both.
        reference: whether it takes a reference picture.
        negative_text: whether it takes a negative prompt.
        size_px: default width and height. size_multiple_px: both must be multiples of it, up to ``max_side_px``.
        frames: allowed lengths of a clip. context_frames: allowed numbers of known first frames.
        chunk_frames: frames that one run of the network makes; longer clips are made in overlapping chunks.
        max_chunk: the most frames that one run may be asked to make.
        fps: that it was trained at, the default.
        known_frames: what it returns for known frames.
        prompt_style: how it is told what to show.
        default_negative: what its clips should not show, where a request says nothing.
        start: how clips of scenes begin.
        uses: commands that it serves, of ``USES``.
        steps, guidance, shift: defaults of ``SamplerOptions``.
    """

    family: str
    licence: str
    conditions: tuple[str, ...]
    controls: tuple[str, ...] = ()
    max_controls: int = 1
    default_controls: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    apart: tuple[tuple[str, str], ...] = ()
    reference: bool = False
    negative_text: bool = False
    size_px: tuple[int, int] = (832, 480)
    size_multiple_px: int = 16
    max_side_px: int = 2048
    frames: FrameCounts = FrameCounts()
    context_frames: FrameCounts = FrameCounts()
    chunk_frames: int = 1
    max_chunk: int = 1024
    fps: float = 16.0
    known_frames: KnownFrames = "codec"
    prompt_style: PromptStyle = "words"
    default_negative: str = ""
    start: Start = "noise"
    uses: tuple[str, ...] = USES
    steps: int = 1
    guidance: Mapping[str, float] = field(default_factory=dict)
    shift: float = 2.0

    def __post_init__(self) -> None:
        assert set(self.conditions) <= set(CONDITIONS), self.conditions
        assert set(self.default_controls) <= set(self.controls) <= set(CONTROLS), self.controls
        assert set(self.uses) <= set(USES), self.uses
        assert len(self.default_controls) <= self.max_controls, self.default_controls

    def check(self, request: Conditions, others: Sequence[ModelPromise] = ()) -> None:
        """Refuse what a request asks and this model does not honour.

        others: promises of the families that a refusal may name. Raises: InputError.
        """
        self._check_names(request, others)
        self._check_together(request)
        self.check_shape(request.num_frames, request.size_px or self.size_px)
        if request.context is not None:
            self.context_frames.check("context frames", len(request.context))
        if not 0.5 <= request.fps <= 60:
            raise InputError("frames per second", request.fps, "0.5 to 60")

    def check_use(self, use: str) -> None:
        """Raises InputError for a command, of ``USES``, that the model does not serve."""
        if use not in self.uses:
            expected = f"a family that serves worldgen {use}; worldgen info --families lists them"
            raise InputError(f"model for worldgen {use}", self.family, expected)

    def check_shape(self, num_frames: int, size_px: tuple[int, int]) -> None:
        """Raises InputError for a size or length that the model cannot make."""
        multiple = self.size_multiple_px
        if not all(multiple <= side <= self.max_side_px and side % multiple == 0 for side in size_px):
            expected = f"multiples of {multiple} from {multiple} to {self.max_side_px} pixels"
            raise InputError("frame size", Received(f"{size_px[0]}x{size_px[1]}"), expected)
        self.frames.check("number of frames", num_frames)

    def check_guidance(self, guidance: Mapping[str, float]) -> None:
        """Raises InputError for guidance of a condition that the model does not honour."""
        known = (*self.conditions, *(("control",) if self.controls else ()))
        for name in guidance:
            if name not in known:
                raise InputError("guidance of a condition this model does not honour", name, ", ".join(known))

    def _check_names(self, request: Conditions, others: Sequence[ModelPromise]) -> None:
        refused = [name for name in request.given if name not in self.conditions]
        if refused:
            could = [o.family for o in others if set(request.given) <= set(o.conditions)]
            expected = ", ".join(self.conditions) or "none"
            raise InputError("conditions this model does not honour", ", ".join(refused), expected + _named(could))
        refused = [name for name in request.controls if name not in self.controls]
        if refused:
            could = [o.family for o in others if set(refused) <= set(o.controls)]
            expected = (", ".join(self.controls) or "no controls") + _named(could)
            raise InputError("controls this model does not honour", ", ".join(refused), expected)
        if len(request.controls) > self.max_controls:
            could = [o.family for o in others if len(request.controls) <= o.max_controls]
            raise InputError(
                "number of controls", Received(", ".join(request.controls)),
                f"at most {self.max_controls} for the family {self.family}" + _named(could),
            )  # fmt: skip
        for name, given, honoured in (
            ("reference picture", request.reference is not None, self.reference),
            ("negative prompt", request.negative_text is not None, self.negative_text),
        ):
            if given and not honoured:
                attribute = "reference" if name.startswith("reference") else "negative_text"
                could = [o.family for o in others if getattr(o, attribute)]
                raise InputError(name, Received("given"), f"none for the family {self.family}" + _named(could))

    def _check_together(self, request: Conditions) -> None:
        present = {*request.given}
        if request.controls:
            present.add("controls")
        if request.reference is not None:
            present.add("reference")
        for one, other in self.apart:
            if {one, other} <= present:
                raise InputError("conditions of one clip", Received(f"{one} and {other}"), f"one of them, {self.why}")
        if self.needs and not present & set(self.needs):
            raise InputError(
                "conditions", Received(", ".join(sorted(present)) or "none"),
                f"{' or '.join(self.needs)}, without which the family {self.family} makes nothing",
            )  # fmt: skip

    @property
    def why(self) -> str:
        """Whose rule a refusal of two conditions together is."""
        return f"which the family {self.family} cannot take together"


def _named(families: Sequence[str]) -> str:
    """Families that could, as the end of an expectation."""
    return f"; the {'family' if len(families) == 1 else 'families'} {', '.join(families)} could" if families else ""

"""Which windows of which clips a fine-tune reads, planned from the indices of the data sets alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from worldgen.core.errors import InputError, Received
from worldgen.core.progress import LogLine
from worldgen.training.data.clips import ClipPlace, Clips, evenly_spaced
from worldgen.training.train_config import DataConfig, TrainConfig

RATE_TOLERANCE = 0.01
"""Share by which the rates of clips may differ and still count as one."""


@dataclass(frozen=True)
class PlannedWindow:
    """Frames ``start``, ``start + stride``, ... of a clip."""

    place: ClipPlace
    start: int


@dataclass(frozen=True)
class WindowPlan:
    """Windows of split train, and of split val. fps: of all of them."""

    clips: Clips
    training: tuple[PlannedWindow, ...]
    held_out: tuple[PlannedWindow, ...]
    fps: float


def planned_windows(config: TrainConfig, log: LogLine) -> WindowPlan:
    """Windows that follow one another without overlap in each clip that holds one.

    Raises: InputError when there is no training clip, and for clips of several rates.
    """
    data = config.data
    clips = Clips(data)
    span = (data.num_frames - 1) * data.strides[0] + 1
    training = clips.training(least_frames=span)
    held_out = clips.places("val", least_frames=span)
    for split, places in (("train", training), ("val", held_out)):
        short = len(clips.places(split)) - len(places)
        if short and not data.max_clips:
            log(f"{short} clips of split {split} have fewer than {span} frames and are left out")
    if not held_out:
        log("no clips of split val are long enough: nothing is measured on held-out clips")
    fps = common_rate(clips, [*training, *held_out], data)
    windows = [
        [PlannedWindow(place, start) for place in places for start in _starts(clips, place, span, config.tune.windows)]
        for places in (clips.repeated(training), held_out)
    ]
    most = max(config.validate_clips, config.tune.sensitivity_windows if config.tune.ego else 0)
    return WindowPlan(clips, tuple(windows[0]), tuple(evenly_spaced(windows[1], most)), fps)


def common_rate(clips: Clips, places: Sequence[ClipPlace], data: DataConfig) -> float:
    """Frames per second of the windows. Raises: InputError for clips of several rates."""
    rates = Counter(float(clips.row(place)["fps"]) / data.strides[0] for place in places)
    fps, _ = rates.most_common(1)[0]
    if max(abs(rate / fps - 1) for rate in rates) > RATE_TOLERANCE:
        shown = ", ".join(f"{count} at {rate:g}" for rate, count in sorted(rates.items()))
        expected = "one rate: ingest the clips again with fps=..., or name data sets of one rate"
        raise InputError("frames per second of the clips", Received(shown), expected)
    return fps


def _starts(clips: Clips, place: ClipPlace, span: int, most: int) -> list[int]:
    starts = range(0, int(clips.row(place)["num_frames"]) - span + 1, span)
    return evenly_spaced(starts, most) if most else list(starts)

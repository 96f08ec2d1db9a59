"""Whether a model copies its training clips: the nearest training clip of each generated one, in pixels and
features."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from worldgen.api.arguments import size_of_words
from worldgen.api.measures.measure_result import command_line, cost
from worldgen.api.measures.measured_clips import RENDERED, LoadedModel, ModelOptions, rendered_clips, set_threads
from worldgen.core.errors import InputError
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.core.start import Start
from worldgen.data.view.sheet import contact_sheet
from worldgen.evaluation.distances.clip_sets import (
    ClipChoice,
    ClipSet,
    NoClipsError,
    is_folder_of_videos,
    trial_items,
)
from worldgen.evaluation.distances.features import ClipItem
from worldgen.evaluation.memorisation.judging import CopyJudge
from worldgen.files.storage import write_bytes

HELD_OUT_SEED = 600
"""Held-out scenes for calibration have seeds from here on less 100; those of a model have seeds below this."""
PICTURED = 6
"""Pairs in the picture of the nearest pairs."""


@dataclass(frozen=True, kw_only=True)
class MemorisationOptions(ModelOptions):
    """Options of ``worldgen eval memorisation``.

    train: URLs of the training clips; of data sets the train split. held_out: URLs of clips of the same kind that were
    not trained on; of data sets val and test; "rendered" for held-out rendered scenes. One of ``generated`` (URLs of
    the clips to judge), ``model`` and ``check`` (planted copies of each kind) is given. limit: training clips of each
    URL, 0 for all. length: frames of each clip of a model or a rendered scene. alarm: false alarms accepted by each of
    the two tests. no_features: compare pixels only. weights: folder of fd-worldgen weights, "" for the shipped ones.
    pictures: PNG file for the nearest pairs, "" for none.
    """

    train: Sequence[str]
    held_out: Sequence[str]
    generated: Sequence[str] = ()
    check: int = 0
    clips: int = 32
    limit: int = 0
    length: int = 25
    alarm: float = 0.02
    no_features: bool = False
    weights: str = ""
    start: Start = "noise"
    pictures: str = ""


def measure_memorisation(options: MemorisationOptions, *, progress: ProgressReporter = no_progress) -> dict[str, Any]:
    """The nearest training clips and the verdict, or with ``check`` the share of planted copies that is found.

    ``copying`` in the result is true when there are more copies than chance explains.

    Raises: InputError for options out of range, and for clips that cannot be read.
    """
    chosen = [bool(options.generated), bool(options.model), options.check > 0]
    if sum(chosen) != 1:
        raise InputError("generated, model, check", sum(chosen), "exactly one of them")
    if not 0 < options.alarm < 0.5 or not 0 <= options.seed < HELD_OUT_SEED:
        received = (options.alarm, options.seed)
        raise InputError("alarm and seed", received, f"0 to 0.5, and 0 to {HELD_OUT_SEED - 1}")
    if min(options.check, options.limit) < 0 or options.clips < 2 or options.batch < 1:
        counts = (options.check, options.limit, options.clips, options.batch)
        raise InputError("check, limit, clips, batch", counts, "counts")
    begun_s = time.monotonic()
    set_threads(options.threads)
    training = [
        ClipSet(url, ClipChoice("train" if _has_splits(url) else "", (), options.limit, options.seed))
        for url in options.train
    ]
    held_out = _held_out_items(options)
    judge = CopyJudge(training, weights=options.weights, features=not options.no_features)
    total = sum(map(len, training))

    def shown(items: Iterable[ClipItem]) -> Iterator[ClipItem]:
        return progress(items, total=total, desc="search")

    if options.check:
        result = judge.check(held_out, options.check, alarm=options.alarm, seed=options.seed, shown=shown)
    else:
        result = judge.judge(_generated_items(options, progress), held_out, alarm=options.alarm, shown=shown)
    command = command_line("memorisation", options, changing_memorisation_options(options))
    record = {"measure": "memorisation", "command": command, "training_clips": total, **result}
    if options.pictures:
        _write_pairs(options.pictures, judge)
    record["cost"] = cost(begun_s)
    return record


def changing_memorisation_options(options: MemorisationOptions) -> list[str]:
    """The options that change the result."""
    names = ["train", "held_out", "generated", "check", "limit", "alarm", "seed", "weights", "no_features"]
    if options.model or RENDERED in options.held_out:
        names += ["clips", "length", "size"]
    return names + (["model", "start", "steps"] if options.model else [])


def _has_splits(url: str) -> bool:
    """Whether a URL is a data set, whose train split is meant, and not a folder of videos."""
    return not is_folder_of_videos(url)


def _held_out_items(options: MemorisationOptions) -> list[ClipItem]:
    """Clips that cannot be copies: val and test of data sets, whole folders, rendered scenes."""
    items: list[ClipItem] = []
    for url in options.held_out:
        if url == RENDERED:
            seed = options.seed + HELD_OUT_SEED - 100
            size = size_of_words(options.size)
            items += trial_items(*rendered_clips(options.clips, seed=seed, frames=options.length, size=size))
            continue
        for split in ("val", "test") if _has_splits(url) else ("",):
            with contextlib.suppress(NoClipsError):  # a set may have only one of the two
                items += list(ClipSet(url, ClipChoice(split)))
    if len(items) < 2:
        raise InputError("held-out clips", len(items), "at least 2, in splits val and test or in folders of videos")
    return items


def _generated_items(options: MemorisationOptions, progress: ProgressReporter) -> list[ClipItem]:
    """The clips to judge."""
    if options.generated:
        return [item for url in options.generated for item in ClipSet(url)]
    trials, clips = LoadedModel.of(options).clips(options, frames=options.length)
    return list(trial_items(trials, progress(clips, total=len(trials), desc="clips")))


def _write_pairs(path: str, judge: CopyJudge) -> None:
    """The nearest pairs as a PNG: each clip above the training clip that it resembles most."""
    clips, captions = [], []
    for score, query, found, shift in judge.worst_pairs(PICTURED):
        first = max(0, -shift)
        clips += [query.clip[first:], found.clip[max(0, shift) :]]
        captions += [f"{query.key}", f"nearest training clip {found.key}, correlation of details {score:.2f}"]
    buffer = io.BytesIO()
    Image.fromarray(contact_sheet(clips, captions, frames_per_clip=5, columns=5, cell_width_px=224)).save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())

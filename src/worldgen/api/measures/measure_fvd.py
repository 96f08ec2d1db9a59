"""How far clips are from real ones: a Fréchet distance with everything that changes it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worldgen.api.arguments import size_of_words
from worldgen.api.measures.measure_result import command_line, cost
from worldgen.api.measures.measured_clips import RENDERED, LoadedModel, ModelOptions, rendered_clips, set_threads
from worldgen.core.errors import InputError
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.evaluation.distances.clip_sets import ClipChoice, ClipSet, trial_items
from worldgen.evaluation.distances.features import Extractor, FeatureSet, FrameRule, extract, join, load_extractor
from worldgen.evaluation.distances.protocol import UncertaintyOptions, compare
from worldgen.rendering.scene_conditions import SKETCH_FRAMES

REFERENCE_SEED = 500
"""Seed added for held-out scenes that are rendered as the reference; those of a model have seeds below this."""


@dataclass(frozen=True, kw_only=True)
class FvdOptions(ModelOptions):
    """Options of ``worldgen eval fvd``.

    reference, generated: URLs of data sets, folders of videos, saved features, or "rendered" for held-out rendered
    scenes; ``generated`` or ``model`` is given, not both. split: of the reference data sets. tag: only clips of data
    sets with all of these. limit: clips of each URL, 0 for all. clips, length: number of clips of a model and of
    rendered scenes, and their frames.

    extractor: fd-worldgen, i3d, videomae or dinov2. weights: file or folder of the extractor. resize: "" for its own.
    frames: of each clip, 0 for all. fps: rate to which all clips are brought, 0 for their own. skip: seconds left out
    at the start; None for the context of a model, 0 otherwise. position: start, centre or end. draws: bootstrap
    resamples. skip_broken: leave out and list clips that cannot be decoded. device: of the extractor. save_features:
    folder where both sets of features are kept, "" for none.
    """

    reference: Sequence[str]
    generated: Sequence[str] = ()
    split: str = ""
    tag: Sequence[str] = ()
    limit: int = 0
    clips: int = 64
    length: int = 25
    extractor: str = "fd-worldgen"
    weights: str = ""
    resize: str = ""
    frames: int = 16
    fps: float = 0.0
    skip: float | None = None
    position: str = "start"
    draws: int = 200
    device: str = "cpu"
    save_features: str = ""
    skip_broken: bool = False


def measure_fvd(options: FvdOptions, *, progress: ProgressReporter = no_progress) -> dict[str, Any]:
    """The protocol card of the distance between two sets of clips.

    Raises: InputError for options out of range, sets that cannot be compared, and weights that are missing.
    """
    if bool(options.generated) == bool(options.model):
        raise InputError("generated and model", (list(options.generated), options.model), "one of the two")
    if not 0 <= options.seed < REFERENCE_SEED:
        raise InputError("seed", options.seed, f"0 to {REFERENCE_SEED - 1}")
    if options.draws < 0 or options.batch < 1 or options.clips < 2 or options.limit < 0:
        received = (options.draws, options.batch, options.clips, options.limit)
        raise InputError("draws, batch, clips, limit", received, "counts")
    begun_s = time.monotonic()
    set_threads(options.threads)
    extractor = load_extractor(options.extractor, weights=options.weights, resize=options.resize, device=options.device)
    model = LoadedModel.of(options) if options.model else None
    skip_s = _context_seconds(options, model) if options.skip is None else options.skip
    rule = FrameRule(options.frames, options.fps, skip_s, options.position)
    broken: list[str] | None = [] if options.skip_broken else None
    reference = _features(options, options.reference, extractor, rule, progress, broken=broken)
    if model is None:
        generated = _features(options, options.generated, extractor, rule, progress, generated=True, broken=broken)
    else:
        generated = _features_of_model(options, model, extractor, rule, progress)
    if options.save_features:
        for name, each in (("reference", reference), ("generated", generated)):
            each.save(f"{options.save_features.rstrip('/')}/{name}.safetensors")
    card = compare(reference, generated, UncertaintyOptions(options.draws, options.seed))
    command = command_line("fvd", options, changing_fvd_options(options))
    record: dict[str, Any] = {"measure": "fvd", "command": command, **card.to_json()}
    if model is not None:
        record["generated"] |= {"model": model.sampler.name, "weights_hash": model.sampler.weights_hash}
    record["broken"] = broken or []
    record["line"], record["cost"] = card.line(), cost(begun_s)
    return record


def changing_fvd_options(options: FvdOptions) -> list[str]:
    """The options that change the number."""
    names = ["reference", "generated", "split", "limit", "extractor", "weights", "resize", "frames", "fps", "skip"]
    names += ["position", "draws", "seed", "tag", "skip_broken"]
    if options.model or RENDERED in (*options.reference, *options.generated):
        names += ["clips", "length", "size"]
    return names + (["model", "start", "steps"] if options.model else [])


def _context_seconds(options: FvdOptions, model: LoadedModel | None) -> float:
    """Seconds at the start of a model's clips that were given to it."""
    return SKETCH_FRAMES / model.sampler.fps if model is not None and options.start == "sketch" else 0.0


def _features(
    options: FvdOptions,
    urls: Sequence[str],
    extractor: Extractor,
    rule: FrameRule,
    progress: ProgressReporter,
    *,
    generated: bool = False,
    broken: list[str] | None = None,
) -> FeatureSet:
    """The features of all clips behind some URLs, as one set."""
    split = "" if generated else options.split
    parts = []
    for url in urls:
        if url.endswith(".safetensors"):
            parts.append(FeatureSet.load(url))
            if parts[-1].made_by["extractor_hash"] != extractor.hash:
                raise InputError(f"extractor of {url}", parts[-1].made_by["extractor_hash"], extractor.hash)
            continue
        if url == RENDERED:
            seed = options.seed + (0 if generated else REFERENCE_SEED)
            size = size_of_words(options.size)
            trials, clips = rendered_clips(options.clips, seed=seed, frames=options.length, size=size)
            items = progress(trial_items(trials, clips), total=len(trials), desc="features")
        else:
            found = ClipSet(url, ClipChoice(split, tuple(options.tag), options.limit, options.seed))
            items = progress(found.whole(broken), total=len(found), desc="features")
        parts.append(extract(items, extractor, rule, batch=options.batch))
    return join(parts)


def _features_of_model(
    options: FvdOptions, model: LoadedModel, extractor: Extractor, rule: FrameRule, progress: ProgressReporter
) -> FeatureSet:
    """The features of clips that a model generates of held-out scenes."""
    trials, clips = model.clips(options, frames=options.length)
    items = progress(trial_items(trials, clips), total=len(trials), desc="clips")
    return extract(items, extractor, rule, batch=options.batch)

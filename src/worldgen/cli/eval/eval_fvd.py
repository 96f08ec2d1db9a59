"""How far are clips from real ones? A Fréchet distance with a protocol card: every setting that changes the number, how
sure it is, what real clips score against real ones, and an unbiased kernel distance for small sets.

Only the distance in I3D features is FVD; its weights are not shipped (docs/fvd.md). fd-worldgen is a small extractor that
ships, runs on a laptop, and compares only with itself.

  worldgen eval fvd --reference sets/real --generated outputs/clips
  worldgen eval fvd --reference sets/real --model shipped --clips 128 --out card.json
  worldgen eval fvd --reference sets/real --generated sets/mine --extractor i3d --weights i3d_torchscript.pt"""

from __future__ import annotations

import argparse

from worldgen.cli.eval.eval_clips import RENDERED, add_sampling_options

REFERENCE_SEED = 500
"""Held-out scenes that are drawn as the reference; those of --model come from --seed, below this."""
EXTRACTORS = ("fd-worldgen", "i3d", "videomae", "dinov2")
RESIZES = ("area", "squash", "squash-tf1", "short-side", "magicdrive", "magicdrive-212")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval fvd``."""
    what = parser.add_argument_group("what is compared")
    what.add_argument(
        "--reference", nargs="+", required=True, metavar="URL",
        help=f'real clips: data sets, folders of videos, saved features, or "{RENDERED}" for held-out drawn scenes',
    )  # fmt: skip
    what.add_argument("--generated", nargs="+", default=[], metavar="URL", help="the clips to judge, given likewise")
    what.add_argument(
        "--model", default="", metavar="DIR",
        help='judge clips that a model makes of held-out scenes: "shipped", a folder of a saved pipeline',
    )  # fmt: skip
    what.add_argument(
        "--split", default="", choices=["", "train", "val", "test"], help="split of the reference data sets"
    )
    what.add_argument(
        "--tag", action="append", default=[], help="only clips of data sets with this tag; may be repeated"
    )
    what.add_argument("--limit", type=int, default=0, metavar="N", help="at most N clips of each URL (default: all)")
    what.add_argument("--clips", type=int, default=64, metavar="N", help="clips of --model and of drawn scenes (64)")
    add_protocol_options(parser)
    model = parser.add_argument_group("clips of a model")
    model.add_argument("--length", type=int, default=25, metavar="N", help="frames made of each (default 25)")
    add_sampling_options(model)
    out = parser.add_argument_group("output")
    out.add_argument("--out", default="", metavar="FILE", help="write the card as JSON")
    out.add_argument(
        "--save-features", default="", metavar="FOLDER", help="keep both sets of features for later commands"
    )
    out.add_argument("--json", action="store_true", help="print the card as JSON instead of lines")


def add_protocol_options(parser: argparse.ArgumentParser) -> None:
    """Everything that changes the number."""
    how = parser.add_argument_group("protocol")
    how.add_argument("--extractor", default="fd-worldgen", choices=EXTRACTORS, help="default fd-worldgen")
    how.add_argument("--weights", default="", metavar="PATH", help="weights of i3d (file), videomae or dinov2 (folder)")
    how.add_argument("--resize", default="", choices=["", *RESIZES], help="default area for fd-worldgen, else squash")
    how.add_argument("--frames", type=int, default=16, metavar="N", help="frames of each clip; 0: all (default 16)")
    how.add_argument("--fps", type=float, default=0.0, help="bring all clips to this rate (default: they must agree)")
    how.add_argument(
        "--skip", type=float, default=None, metavar="S",
        help="seconds left out at the start, on both sides (default 0; for --model, what the model was given)",
    )  # fmt: skip
    how.add_argument(
        "--position", default="start", choices=["start", "centre", "end"], help="which frames (default start)"
    )
    how.add_argument("--draws", type=int, default=200, metavar="N", help="bootstrap resamples (default 200)")
    how.add_argument("--seed", type=int, default=0, help="of held-out scenes, choices and resamples (default 0)")
    how.add_argument("--device", default="cpu", help="where the extractor runs (default cpu)")


def run(args: argparse.Namespace) -> int:
    """Extract, compare, report."""
    import time

    from worldgen.cli.eval import eval_clips
    from worldgen.core.errors import InputError
    from worldgen.evaluation.distances.features import FrameRule, load_extractor
    from worldgen.evaluation.distances.protocol import UncertaintyOptions, compare

    if bool(args.generated) == bool(args.model):
        raise InputError("--generated and --model", (args.generated, args.model), "one of the two")
    if not 0 <= args.seed < REFERENCE_SEED:
        raise InputError("--seed", args.seed, f"0 to {REFERENCE_SEED - 1}")
    if args.draws < 0 or args.batch < 1 or args.clips < 2 or args.limit < 0:
        raise InputError(
            "--draws, --batch, --clips, --limit", (args.draws, args.batch, args.clips, args.limit), "counts"
        )
    begun_s = time.monotonic()
    eval_clips.set_threads(args.threads)
    extractor = load_extractor(args.extractor, weights=args.weights, resize=args.resize, device=args.device)
    model = eval_clips.load_sampler(args) if args.model else None
    skip_s = args.skip if args.skip is not None else given_seconds(args, model)
    rule = FrameRule(args.frames, args.fps, skip_s, args.position)
    reference = features_of(args, args.reference, extractor, rule)
    if model is None:
        generated = features_of(args, args.generated, extractor, rule, generated=True)
    else:
        generated = features_of_model(args, model, extractor, rule)
    if args.save_features:
        for name, each in (("reference", reference), ("generated", generated)):
            each.save(f"{args.save_features.rstrip('/')}/{name}.safetensors")
    card = compare(reference, generated, UncertaintyOptions(args.draws, args.seed))
    record = {"measure": "fvd", "command": eval_clips.command("fvd", args, changing(args)), **card.to_json()}
    if model is not None:
        record["generated"] |= {"model": model[0].name, "weights_hash": model[0].weights_hash}
    record["line"], record["cost"] = card.line(), eval_clips.cost(begun_s)
    return eval_clips.finish(args, record, lines(record))


def changing(args: argparse.Namespace) -> list[str]:
    """The options that change the number."""
    names = ["reference", "generated", "split", "limit", "extractor", "weights", "resize", "frames", "fps", "skip"]
    names += ["position", "draws", "seed", "tag"]
    if args.model or RENDERED in (*args.reference, *args.generated):
        names += ["clips", "length"]
    return names + (["model", "start", "steps"] if args.model else [])


def given_seconds(args: argparse.Namespace, model) -> float:
    """Seconds at the start of a model's clips that it did not make."""
    from worldgen.rendering.scene_conditions import SKETCH_FRAMES

    return SKETCH_FRAMES / model[0].fps if model is not None and args.start == "sketch" else 0.0


def features_of(args: argparse.Namespace, urls: list[str], extractor, rule, *, generated: bool = False):
    """The features of all clips behind some URLs, as one set."""
    from worldgen.cli.eval.eval_clips import drawn_clips
    from worldgen.cli.progress import progress
    from worldgen.core.errors import InputError
    from worldgen.evaluation.distances.clip_sets import ClipChoice, ClipSet, trial_items
    from worldgen.evaluation.distances.features import FeatureSet, extract, join

    split = "" if generated else args.split
    parts = []
    for url in urls:
        if url.endswith(".safetensors"):
            parts.append(FeatureSet.load(url))
            if parts[-1].made_by["extractor_hash"] != extractor.hash:
                raise InputError(f"extractor of {url}", parts[-1].made_by["extractor_hash"], extractor.hash)
            continue
        if url == RENDERED:
            seed = args.seed + (0 if generated else REFERENCE_SEED)
            made = drawn_clips(args.clips, seed=seed, frames=args.length)
            items, count = trial_items(*made), len(made[0])
        else:
            items = ClipSet(url, ClipChoice(split, tuple(args.tag), args.limit, args.seed))
            count = len(items)
        parts.append(extract(progress(items, count, "features"), extractor, rule, batch=args.batch))
    return join(parts)


def features_of_model(args: argparse.Namespace, model, extractor, rule):
    """The features of clips that a model makes of held-out scenes."""
    from worldgen.cli.eval.eval_clips import model_clips
    from worldgen.cli.progress import progress
    from worldgen.evaluation.distances.clip_sets import trial_items
    from worldgen.evaluation.distances.features import extract

    made = model_clips(args, *model, frames=args.length)
    return extract(progress(trial_items(*made), len(made[0]), "clips"), extractor, rule, batch=args.batch)


def lines(record: dict) -> list[str]:
    """The card in words: the distance, warnings, and the distance of each tag."""
    out = [record["line"], *(f"warning: {warning}" for warning in record["warnings"])]
    if record["slices"]:
        width = max(len(tag) for tag in record["slices"])
        out.append(f"{'tag':{width}}  clips  kernel distance [95 %]")
        for tag, row in sorted(record["slices"].items(), key=lambda pair: -(pair[1]["kernel_distance"] or 0)):
            low, high = row["interval_95"]
            out.append(
                f"{tag:{width}}  {row['generated_clips']:5}  {row['kernel_distance']:.4g} [{low:.4g}, {high:.4g}]"
            )
    if record["bias"]:
        out.append(f"distance at endless clips, extrapolated: {record['bias']['at_infinity']}")
    return out

"""How far are clips from real ones? A Fréchet distance with a protocol card: every setting that changes the number, how
sure it is, what real clips score against real ones, and an unbiased kernel distance for small sets.

Only the distance in I3D features is FVD; its weights are not shipped (docs/fvd.md). fd-worldgen is a small extractor that
ships, runs on a laptop, and compares only with itself.

  worldgen eval fvd --reference sets/real --generated outputs/clips
  worldgen eval fvd --reference sets/real --model shipped --clips 128 --out card.json
  worldgen eval fvd --reference sets/real --generated sets/mine --extractor i3d --weights i3d_torchscript.pt"""

from __future__ import annotations

import argparse

RENDERED = "rendered"
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
    model.add_argument("--start", default="sketch", choices=["sketch", "noise"], help="how they begin (default sketch)")
    model.add_argument("--length", type=int, default=25, metavar="N", help="frames made of each (default 25)")
    model.add_argument("--steps", type=int, default=0, metavar="N", help="sampler steps (default: the model's)")
    model.add_argument("--batch", type=int, default=4, metavar="N", help="clips made and measured together (default 4)")
    model.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all)")
    model.add_argument("--cache", default="", metavar="DIR", help="keep made clips here and use those that are there")
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

    from worldgen.core.errors import InputError
    from worldgen.evaluation.features import FrameRule, load_extractor
    from worldgen.evaluation.protocol import Careful, compare

    if bool(args.generated) == bool(args.model):
        raise InputError("--generated and --model", (args.generated, args.model), "one of the two")
    if not 0 <= args.seed < REFERENCE_SEED:
        raise InputError("--seed", args.seed, f"0 to {REFERENCE_SEED - 1}")
    if args.draws < 0 or args.batch < 1 or args.clips < 2 or args.limit < 0:
        raise InputError(
            "--draws, --batch, --clips, --limit", (args.draws, args.batch, args.clips, args.limit), "counts"
        )
    begun_s = time.monotonic()
    set_threads(args.threads)
    extractor = load_extractor(args.extractor, weights=args.weights, resize=args.resize, device=args.device)
    sampler = load_model(args) if args.model else None
    skip_s = args.skip if args.skip is not None else given_seconds(sampler, args)
    rule = FrameRule(args.frames, args.fps, skip_s, args.position)
    reference = features_of(args, args.reference, extractor, rule)
    if sampler is None:
        generated = features_of(args, args.generated, extractor, rule, generated=True)
    else:
        generated = features_of_model(args, sampler, extractor, rule)
    if args.save_features:
        for name, each in (("reference", reference), ("generated", generated)):
            each.save(f"{args.save_features.rstrip('/')}/{name}.safetensors")
    card = compare(reference, generated, Careful(args.draws, args.seed))
    record = {"measure": "fvd", "command": command(args), **card.to_json()}
    record["generated"] |= {"model": sampler.name, "weights_hash": sampler.weights_hash} if sampler else {}
    record["line"], record["cost"] = card.line(), cost(begun_s)
    return report(args, record)


def set_threads(threads: int) -> None:
    """Use so many CPU threads; 0 leaves torch's own choice."""
    if threads:
        import torch

        torch.set_num_threads(threads)


def load_model(args: argparse.Namespace):
    """The model whose clips are judged."""
    from worldgen.generation.sampling import Sampler
    from worldgen.models.bundle import quiet_libraries

    quiet_libraries()
    return Sampler.load("" if args.model == "shipped" else args.model, threads=args.threads)


def given_seconds(sampler, args: argparse.Namespace) -> float:
    """Seconds at the start of a model's clips that it did not make."""
    from worldgen.scenes.conditions import SKETCH_FRAMES

    return SKETCH_FRAMES / sampler.fps if sampler is not None and args.start == "sketch" else 0.0


def features_of(args: argparse.Namespace, urls: list[str], extractor, rule, *, generated: bool = False):
    """The features of all clips behind some URLs, as one set."""
    from worldgen.cli.progress import progress
    from worldgen.core.errors import InputError
    from worldgen.evaluation.clip_sets import Choice, ClipSet, trial_items
    from worldgen.evaluation.features import FeatureSet, extract, join
    from worldgen.evaluation.trials import held_out

    split = "" if generated else args.split
    parts = []
    for url in urls:
        if url.endswith(".safetensors"):
            parts.append(FeatureSet.load(url))
            if parts[-1].made_by["extractor_hash"] != extractor.hash:
                raise InputError(f"extractor of {url}", parts[-1].made_by["extractor_hash"], extractor.hash)
            continue
        if url == RENDERED:
            from worldgen.scenes.render import render_scene

            trials = held_out(args.clips, seed=args.seed + (0 if generated else REFERENCE_SEED), frames=args.length)
            items, count = trial_items(trials, (render_scene(t.scene).clip for t in trials)), len(trials)
        else:
            items = ClipSet(url, Choice(split, tuple(args.tag), args.limit, args.seed))
            count = len(items)
        parts.append(extract(progress(items, count, "features"), extractor, rule, batch=args.batch))
    return join(parts)


def features_of_model(args: argparse.Namespace, sampler, extractor, rule):
    """The features of clips that a model makes of held-out scenes."""
    from worldgen.cli.progress import progress
    from worldgen.evaluation.clip_sets import trial_items
    from worldgen.evaluation.features import extract
    from worldgen.evaluation.trials import Making, generated, held_out

    trials = held_out(args.clips, seed=args.seed, frames=args.length, fps=sampler.fps)
    options = sampler.options(steps=args.steps, chunk=1, guidance={})
    clips = generated(sampler.pipeline, trials, Making(args.start, args.batch, args.cache), options=options)
    return extract(progress(trial_items(trials, clips), len(trials), "clips"), extractor, rule, batch=args.batch)


def command(args: argparse.Namespace) -> str:
    """The command that gives the same numbers; folders by their last name, and nothing of where output goes."""
    words = ["worldgen eval fvd"]
    for name in ("reference", "generated"):
        urls = [url.rstrip("/").rsplit("/", 1)[-1] for url in getattr(args, name)]
        words += [f"--{name}", *urls] if urls else []
    names = ["split", "limit", "extractor", "resize", "frames", "fps", "skip", "position", "draws", "seed"]
    names += ["model", "clips", "start", "length", "steps"] if args.model else []
    for name in names:
        value = getattr(args, name)
        if value not in ("", 0, None):
            words += [f"--{name}", str(value).rstrip("/").rsplit("/", 1)[-1]]
    return " ".join([*words, *(f"--tag {tag}" for tag in args.tag)])


def cost(begun_s: float) -> dict:
    """Seconds since ``begun_s`` (monotonic), processor seconds, and the most memory this process held."""
    import resource
    import sys
    import time

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "seconds": round(time.monotonic() - begun_s, 1), "cpu_seconds": round(time.process_time(), 1),
        "peak_memory_mb": round(peak / 1e6),
    }  # fmt: skip


def report(args: argparse.Namespace, record: dict) -> int:
    """Write and print the card."""
    import json

    from worldgen.data.storage import write_bytes

    text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False)
    if args.out:
        write_bytes(args.out, (text + "\n").encode())
    if args.json:
        print(text)
        return 0
    print(record["line"])
    for warning in record["warnings"]:
        print(f"warning: {warning}")
    if record["slices"]:
        width = max(len(tag) for tag in record["slices"])
        print(f"{'tag':{width}}  clips  kernel distance [95 %]")
        for tag, row in sorted(record["slices"].items(), key=lambda pair: -(pair[1]["kernel_distance"] or 0)):
            low, high = row["interval_95"]
            print(f"{tag:{width}}  {row['generated_clips']:5}  {row['kernel_distance']:.4g} [{low:.4g}, {high:.4g}]")
    if record["bias"]:
        print(f"distance at endless clips, extrapolated: {record['bias']['at_infinity']}")
    if args.out:
        print(f"written to {args.out}")
    return 0

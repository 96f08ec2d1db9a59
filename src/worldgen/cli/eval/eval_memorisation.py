"""Does the model copy its training clips? For each generated clip the nearest training clip, in pixels (tolerant of crops,
shifts in time and mirroring) and in features, judged against how near held-out clips come, which cannot be copies.

With --check the measure is measured: copies of training clips are planted, exact, cropped, re-encoded, shifted and more, and
the share found is reported beside the share of held-out clips that raise a false alarm.

  worldgen eval memorisation --train sets/mine --held-out sets/mine --model shipped --clips 64 --pictures pairs.png
  worldgen eval memorisation --train sets/mine --held-out sets/mine --check 40 --out check.json"""

from __future__ import annotations

import argparse
import contextlib

from worldgen.cli.eval.eval_clips import RENDERED, add_sampling_options

HELD_OUT_SEED = 600
"""Held-out scenes that are drawn for calibration; those of --model come from --seed, below this."""
PICTURED = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval memorisation``."""
    what = parser.add_argument_group("what is compared")
    what.add_argument(
        "--train",
        nargs="+",
        required=True,
        metavar="URL",
        help="what the model was trained on; of data sets the train split",
    )
    what.add_argument(
        "--held-out", nargs="+", required=True, metavar="URL", dest="held_out",
        help=f'clips of the same kind that it was not trained on: of data sets val and test; "{RENDERED}" for drawn scenes',
    )  # fmt: skip
    what.add_argument("--generated", nargs="+", default=[], metavar="URL", help="the clips to judge")
    what.add_argument(
        "--model", default="", metavar="DIR", help='judge clips of a model: "shipped", or a saved pipeline'
    )
    what.add_argument("--check", type=int, default=0, metavar="N", help="judge N planted copies of each kind instead")
    what.add_argument("--clips", type=int, default=32, metavar="N", help="clips of --model and of drawn scenes (32)")
    what.add_argument(
        "--limit", type=int, default=0, metavar="N", help="at most N training clips of each URL (default: all)"
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--alarm", type=float, default=0.02, metavar="P", help="false alarms accepted by each of the two tests (0.02)"
    )
    how.add_argument("--no-features", action="store_true", help="compare pixels only")
    how.add_argument("--weights", default="", metavar="DIR", help="weights of fd-worldgen (default: the shipped ones)")
    how.add_argument("--seed", type=int, default=0, help="of held-out scenes and planted copies (default 0)")
    model = parser.add_argument_group("clips of a model")
    model.add_argument("--length", type=int, default=25, metavar="N", help="frames made of each (default 25)")
    add_sampling_options(model, start="noise")
    out = parser.add_argument_group("output")
    out.add_argument("--out", default="", metavar="FILE", help="write the result as JSON")
    out.add_argument("--pictures", default="", metavar="FILE", help="write a picture of the nearest pairs (PNG)")
    out.add_argument("--json", action="store_true", help="print the result as JSON instead of lines")


def run(args: argparse.Namespace) -> int:
    """Search, calibrate, judge, report. Exit code 1 when there are more copies than chance explains."""
    import time

    from worldgen.cli.eval import eval_clips
    from worldgen.cli.progress import progress
    from worldgen.core.errors import InputError
    from worldgen.evaluation.distances.clip_sets import ClipChoice, ClipSet
    from worldgen.evaluation.memorisation.judging import CopyJudge

    chosen = [bool(args.generated), bool(args.model), args.check > 0]
    if sum(chosen) != 1:
        raise InputError("--generated, --model, --check", sum(chosen), "exactly one of them")
    if not 0 < args.alarm < 0.5 or not 0 <= args.seed < HELD_OUT_SEED:
        raise InputError("--alarm and --seed", (args.alarm, args.seed), f"0 to 0.5, and 0 to {HELD_OUT_SEED - 1}")
    if min(args.check, args.limit) < 0 or args.clips < 2 or args.batch < 1:
        raise InputError(
            "--check, --limit, --clips, --batch", (args.check, args.limit, args.clips, args.batch), "counts"
        )
    begun_s = time.monotonic()
    eval_clips.set_threads(args.threads)
    training = [
        ClipSet(url, ClipChoice("train" if has_splits(url) else "", (), args.limit, args.seed)) for url in args.train
    ]
    held_out = held_out_items(args)
    judge = CopyJudge(training, weights=args.weights, features=not args.no_features)
    total = sum(map(len, training))

    def shown(items):
        return progress(items, total, "search")

    if args.check:
        record = judge.check(held_out, args.check, alarm=args.alarm, seed=args.seed, shown=shown)
    else:
        items = generated_items(args)
        record = judge.judge(items, held_out, alarm=args.alarm, shown=shown)
    command = eval_clips.command("memorisation", args, changing(args))
    record = {"measure": "memorisation", "command": command, "training_clips": total, **record}
    if args.pictures:
        write_pictures(args.pictures, judge.worst_pairs(PICTURED))
    record["cost"] = eval_clips.cost(begun_s)
    eval_clips.finish(args, record, lines(record) + [f"written to {args.pictures}"] * bool(args.pictures))
    return 1 if record.get("copying") else 0


def changing(args: argparse.Namespace) -> list[str]:
    """The options that change the result."""
    names = ["train", "held_out", "generated", "check", "limit", "alarm", "seed", "weights", "no_features"]
    if args.model or RENDERED in args.held_out:
        names += ["clips", "length"]
    return names + (["model", "start", "steps"] if args.model else [])


def has_splits(url: str) -> bool:
    """Whether a URL is a data set, whose train split is meant, and not a folder of videos."""
    from worldgen.evaluation.distances.clip_sets import is_folder_of_videos

    return not is_folder_of_videos(url)


def held_out_items(args: argparse.Namespace) -> list:
    """Clips that cannot be copies: val and test of data sets, whole folders, drawn scenes."""
    from worldgen.cli.eval.eval_clips import drawn_clips
    from worldgen.core.errors import InputError
    from worldgen.evaluation.distances.clip_sets import ClipChoice, ClipSet, NoClipsError, trial_items

    items = []
    for url in args.held_out:
        if url == RENDERED:
            items += trial_items(*drawn_clips(args.clips, seed=args.seed + HELD_OUT_SEED - 100, frames=args.length))
            continue
        for split in ("val", "test") if has_splits(url) else ("",):
            with contextlib.suppress(NoClipsError):  # a set may have only one of the two
                items += list(ClipSet(url, ClipChoice(split)))
    if len(items) < 2:
        raise InputError("held-out clips", len(items), "at least 2, in splits val and test or in folders of videos")
    return items


def generated_items(args: argparse.Namespace) -> list:
    """The clips to judge."""
    from worldgen.cli.eval.eval_clips import load_sampler, model_clips
    from worldgen.cli.progress import progress
    from worldgen.evaluation.distances.clip_sets import ClipSet, trial_items

    if args.generated:
        return [item for url in args.generated for item in ClipSet(url)]
    trials, clips = model_clips(args, *load_sampler(args), frames=args.length)
    return list(trial_items(trials, progress(clips, len(trials), "clips")))


def write_pictures(path: str, pairs: list) -> None:
    """The nearest pairs, each clip above the training clip it resembles most."""
    import io

    from PIL import Image

    from worldgen.data.view.sheet import contact_sheet
    from worldgen.files.storage import write_bytes

    clips, captions = [], []
    for score, query, found, shift in pairs:
        first = max(0, -shift)
        clips += [query.clip[first:], found.clip[max(0, shift) :]]
        captions += [f"{query.key}", f"nearest training clip {found.key}, correlation of details {score:.2f}"]
    buffer = io.BytesIO()
    Image.fromarray(contact_sheet(clips, captions, frames_per_clip=5, columns=5, cell_width_px=224)).save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())


def lines(record: dict) -> list[str]:
    """The result in words: the sentence, what was found of planted copies, the nearest pairs, warnings."""
    out = [record["sentence"]]
    for name, row in record["planted"].items() if "planted" in record else ():
        low, high = row["interval_95"]
        out.append(f"  {name:32} found {row['found']} of {row['clips']} [{low:.2f}, {high:.2f}]")
    for row in record.get("nearest", ())[:PICTURED]:
        copy = "  COPY" if row["copy"] else ""
        out.append(f"  {row['key']}  {row['training_key']}  correlation {row['score']:.2f}{copy}")
    return out + [f"warning: {warning}" for warning in record["warnings"]]

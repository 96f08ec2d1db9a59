"""The clips that a measure judges and the result it writes: options and output that the measures share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worldgen.evaluation.cases import Case
    from worldgen.evaluation.intervals import Interval

RESULT_VERSION = 1
RENDERED = "rendered"


def add_clip_options(parser: argparse.ArgumentParser, *, clips: int, frames: int) -> None:
    """Which clips: of a model on held-out scenes, of the renderer, or of a data set."""
    which = parser.add_argument_group("clips to judge")
    which.add_argument(
        "--model", default="", metavar="DIR",
        help=f'a saved pipeline (default: the shipped model), or "{RENDERED}": the drawn scenes, what a perfect model would make',
    )  # fmt: skip
    which.add_argument("--data", default="", metavar="URL", help="judge the clips of a data set instead of a model")
    which.add_argument("--split", default="", choices=["", "train", "val", "test"], help="only this split of --data")
    which.add_argument("--clips", type=int, default=clips, metavar="N", help=f"how many (default {clips})")
    which.add_argument("--frames", type=int, default=frames, metavar="N", help=f"frames of each (default {frames})")
    which.add_argument("--seed", type=int, default=0, help="another set of held-out scenes for each (default 0)")
    which.add_argument(
        "--start", default="sketch", choices=["sketch", "noise"],
        help="how clips begin: two drawn frames, which are not judged, or noise (default sketch)",
    )  # fmt: skip
    which.add_argument("--steps", type=int, default=0, metavar="N", help="sampler steps (default: the model's)")
    which.add_argument("--batch", type=int, default=4, metavar="N", help="clips made together (default 4)")
    which.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all)")
    which.add_argument(
        "--cache",
        default="",
        metavar="DIR",
        help="keep made clips here and use those that are there, for every measure",
    )
    parser.add_argument("--out", default="", metavar="FILE", help="write the result as JSON")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def cases_of(args: argparse.Namespace, *, frames_least: int) -> tuple[list[Case], dict]:
    """The cases to judge, and what the result says about them.

    Raises InputError for numbers out of range and for models and data sets that cannot be read.
    """
    from worldgen.core.errors import InputError

    if not 1 <= args.clips <= 10_000:
        raise InputError("--clips", args.clips, "1 to 10000")
    if not frames_least <= args.frames <= 2000:
        raise InputError("--frames", args.frames, f"{frames_least} to 2000 for this measure")
    if args.data:
        return _stored(args)
    return _made(args)


def _stored(args: argparse.Namespace) -> tuple[list[Case], dict]:
    from worldgen.cli.progress import progress
    from worldgen.core.errors import InputError
    from worldgen.evaluation.cases import stored_cases

    if args.model:
        raise InputError("--model with --data", args.model, "one of the two")
    cases = list(progress(stored_cases(args.data, args.clips, split=args.split or None), total=args.clips, desc="read"))
    name = args.data.rstrip("/").rsplit("/", 1)[-1]
    return cases, {"model": None, "weights_hash": None, "data": name, "split": args.split or None, "clips": len(cases)}


def _made(args: argparse.Namespace) -> tuple[list[Case], dict]:
    from worldgen.cli.progress import progress
    from worldgen.evaluation.cases import made_cases
    from worldgen.evaluation.trials import FIRST_SEED, SEEDS_PER_RUN, Making, generated, held_out
    from worldgen.scenes.render import render_scene

    about = {
        "data": None, "frames": args.frames, "seed": args.seed, "first_scene_seed": FIRST_SEED + args.seed * SEEDS_PER_RUN,
    }  # fmt: skip
    if args.model == RENDERED:
        trials = held_out(args.clips, seed=args.seed, frames=args.frames)
        clips = (render_scene(trial.scene).clip for trial in trials)
        about |= {"model": RENDERED, "weights_hash": None, "start": RENDERED, "fps": trials[0].scene.fps}
    else:
        sampler, options = load_sampler(args)
        trials = held_out(args.clips, seed=args.seed, frames=args.frames, fps=sampler.fps)
        making = Making(args.start, args.batch, args.cache)
        clips = generated(sampler.pipeline, trials, making, options=options)
        about |= {
            "model": sampler.name, "weights_hash": sampler.weights_hash, "start": args.start, "fps": sampler.fps,
            "sampler": {"steps": options.steps, "chunk": options.chunk, "guidance": options.guidance, "shift": options.shift},
        }  # fmt: skip
    clips = progress(clips, total=len(trials), desc="clips")
    cases = list(made_cases(trials, clips, start=about["start"]))
    return cases, about | {"clips": len(cases)}


def load_sampler(args: argparse.Namespace):
    """The model of the options, quietly, and how it samples."""
    from worldgen.generation.sampling import Sampler
    from worldgen.models.bundle import quiet_libraries

    quiet_libraries()
    sampler = Sampler.load(args.model, threads=args.threads)
    return sampler, sampler.options(steps=args.steps, chunk=1, guidance={})


def result(measure: str, args: argparse.Namespace, about: dict, instruments: list[dict]) -> dict:
    """The head that every result has: what was measured, when, on what, by which instruments."""
    import datetime

    import worldgen

    return {
        "result_version": RESULT_VERSION, "measure": measure, "command": command(measure, args),
        "date": datetime.date.today().isoformat(), "worldgen": worldgen.__version__, **about, "instruments": instruments,
    }  # fmt: skip


def command(measure: str, args: argparse.Namespace) -> str:
    """The command that gives the same numbers; options that only say where files go or how fast are left out."""
    words = ["worldgen", "eval", measure]
    names = ("clips",) if args.data else ("clips", "frames", "seed", "start", "steps")
    for name in ("data", "split", "model", *names, "sweep", "real", "window"):
        value = getattr(args, name, "")
        if value not in ("", 0, None):
            text = str(value).rstrip("/").rsplit("/", 1)[-1] if name in ("data", "model", "real") else str(value)
            words += [f"--{name}", text]
    return " ".join(words)


def finish(args: argparse.Namespace, record: dict, lines: list[str]) -> int:
    """Write and print a result: JSON where asked for, otherwise the table."""
    import json

    from worldgen.data.storage import write_bytes

    text = json.dumps(record, indent=1, allow_nan=False)
    if args.out:
        write_bytes(args.out, (text + "\n").encode())
    if args.json:
        print(text)
        return 0
    print("\n".join(lines))
    if args.out:
        print(f"written to {args.out}")
    return 0


def table(
    title: str, rows: dict[str, Interval | list[Interval]], columns: tuple[str, ...] = ("value [95 % interval]",)
) -> list[str]:
    """Lines of a table with a name and intervals in each row."""
    width = max([len(title), *(len(name) for name in rows)])
    lines = [f"{title:{width}}  " + "  ".join(f"{c:24}" for c in columns).rstrip()]
    for name, row in rows.items():
        cells = row if isinstance(row, list) else [row]
        lines.append(f"{name:{width}}  " + "  ".join(f"{shown(cell):24}" for cell in cells).rstrip())
    return lines


def shown(cell: Interval) -> str:
    """``0.912 [0.880, 0.941]``; what is not defined is a dash."""
    import math

    if not math.isfinite(cell.value):
        return "-"
    if not math.isfinite(cell.low):
        return f"{cell.value:.3f}"
    return str(cell)


def as_json(value: object) -> object:
    """Intervals anywhere in dicts and lists as JSON."""
    from worldgen.evaluation.intervals import Interval

    if isinstance(value, Interval):
        return value.to_json()
    if isinstance(value, dict):
        return {name: as_json(inner) for name, inner in value.items()}
    return [as_json(inner) for inner in value] if isinstance(value, list) else value

"""What the measures share: options of the clips they judge, who makes them, and the result that is written."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from worldgen.core.start import DEFAULT_START, STARTS

if TYPE_CHECKING:
    from worldgen.core.clip import Clip
    from worldgen.evaluation.measures.cases import Case
    from worldgen.evaluation.measures.intervals import Interval
    from worldgen.evaluation.measures.trials import Trial
    from worldgen.generation.sample.sampler import Sampler
    from worldgen.models.native.rollout.rollout import SamplerOptions

RESULT_VERSION = 1
RENDERED = "rendered"
ZERO_SAYS = ("frames", "draws", "skip")
"""Options whose 0 is not the same as leaving them out."""
REPEATED = ("tag",)
"""Options that are given once for each value."""


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
    which.add_argument(
        "--frames", type=int, default=frames, metavar="N",
        help=f"frames of each; those that were given to the model are not judged (default {frames})",
    )  # fmt: skip
    which.add_argument("--seed", type=int, default=0, help="another set of held-out scenes for each (default 0)")
    add_sampling_options(which)
    parser.add_argument("--out", default="", metavar="FILE", help="write the result as JSON")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_sampling_options(group, *, start: str = DEFAULT_START) -> None:
    """How a model makes the clips of held-out scenes. group: of an argument parser."""
    group.add_argument(
        "--start", default=start, choices=STARTS,
        help=f"how made clips begin: two drawn frames, or noise (default {start})",
    )  # fmt: skip
    group.add_argument("--steps", type=int, default=0, metavar="N", help="sampler steps (default: the model's)")
    group.add_argument("--batch", type=int, default=4, metavar="N", help="clips made together (default 4)")
    group.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all)")
    group.add_argument(
        "--cache", default="", metavar="DIR",
        help="keep made clips here and use those that are there, for every measure",
    )  # fmt: skip


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
    from worldgen.evaluation.measures.cases import stored_cases

    if args.model:
        raise InputError("--model with --data", args.model, "one of the two")
    cases = list(progress(stored_cases(args.data, args.clips, split=args.split or None), total=args.clips, desc="read"))
    name = args.data.rstrip("/").rsplit("/", 1)[-1]
    return cases, {"model": None, "weights_hash": None, "data": name, "split": args.split or None, "clips": len(cases)}


def _made(args: argparse.Namespace) -> tuple[list[Case], dict]:
    from worldgen.cli.progress import progress
    from worldgen.evaluation.measures.cases import made_cases
    from worldgen.evaluation.measures.trials import FIRST_SEED, SEEDS_PER_RUN

    about = {
        "data": None, "frames": args.frames, "seed": args.seed, "first_scene_seed": FIRST_SEED + args.seed * SEEDS_PER_RUN,
    }  # fmt: skip
    if args.model == RENDERED:
        trials, clips = drawn_clips(args.clips, seed=args.seed, frames=args.frames)
        about |= {"model": RENDERED, "weights_hash": None, "start": RENDERED, "fps": trials[0].scene.fps}
    else:
        sampler, options = load_sampler(args)
        trials, clips = model_clips(args, sampler, options, frames=args.frames)
        about |= {
            "model": sampler.name, "weights_hash": sampler.weights_hash, "start": args.start, "fps": sampler.fps,
            "sampler": {"steps": options.steps, "chunk": options.chunk, "guidance": options.guidance, "shift": options.shift},
        }  # fmt: skip
    clips = progress(clips, total=len(trials), desc="clips")
    cases = list(made_cases(trials, clips, start=about["start"]))
    return cases, about | {"clips": len(cases)}


def drawn_clips(count: int, *, seed: int, frames: int) -> tuple[list[Trial], Iterator[Clip]]:
    """Held-out scenes, and their clips as the renderer draws them, one by one."""
    from worldgen.evaluation.measures.trials import held_out
    from worldgen.rendering.render import render_scene

    trials = held_out(count, seed=seed, frames=frames)
    return trials, (render_scene(trial.scene).clip for trial in trials)


def model_clips(
    args: argparse.Namespace, sampler: Sampler, options: SamplerOptions, *, frames: int
) -> tuple[list[Trial], Iterator[Clip]]:
    """Held-out scenes at the model's rate, and its clips of them, one by one."""
    from worldgen.evaluation.measures.trials import MakingOptions, generated, held_out

    trials = held_out(args.clips, seed=args.seed, frames=frames, fps=sampler.fps)
    making = MakingOptions(args.start, args.batch, args.cache)
    return trials, generated(sampler.pipeline, trials, making, options=options)


def load_sampler(args: argparse.Namespace) -> tuple[Sampler, SamplerOptions]:
    """The model of the options, quietly, and how it samples."""
    from worldgen.generation.sample.sampler import Sampler
    from worldgen.models.native.loading import quiet_libraries

    quiet_libraries()
    sampler = Sampler.load(args.model, threads=args.threads)
    return sampler, sampler.options(steps=args.steps, chunk=1, guidance={})


def set_threads(count: int) -> None:
    """Use so many CPU threads; 0 leaves torch's own choice. Raises: InputError for absurd numbers."""
    import torch

    from worldgen.core.errors import InputError

    if not 0 <= count <= 1024:
        raise InputError("--threads", count, "0 to 1024")
    if count:
        torch.set_num_threads(count)


def result(measure: str, args: argparse.Namespace, about: dict, instruments: list[dict]) -> dict:
    """The head that every result has: what was measured, when, on what, by which instruments."""
    import datetime

    import worldgen

    return {
        "result_version": RESULT_VERSION, "measure": measure, "command": command(measure, args, changing(args)),
        "date": datetime.date.today().isoformat(), "worldgen": worldgen.__version__, **about, "instruments": instruments,
    }  # fmt: skip


def changing(args: argparse.Namespace) -> list[str]:
    """The options of a measure of single clips that change its numbers."""
    made = () if args.data else ("frames", "seed", "start", "steps")
    own = (name for name in ("sweep", "real", "window", "detector") if hasattr(args, name))
    return ["data", "split", "model", "clips", *made, *own]


def command(measure: str, args: argparse.Namespace, names: Sequence[str]) -> str:
    """The command that gives the same numbers. names: of the options that change them; folders go by their last name."""
    words = ["worldgen", "eval", measure]
    for name in names:
        option, value = f"--{name.replace('_', '-')}", getattr(args, name)
        if value is True:
            words.append(option)
            continue
        values = value if isinstance(value, list) else [value]
        if value is False or value is None or values in ([], [""]) or (value == 0 and name not in ZERO_SAYS):
            continue
        said = [str(v).rstrip("/").rsplit("/", 1)[-1] for v in values]
        words += [w for v in said for w in (option, v)] if name in REPEATED else [option, *said]
    return " ".join(words)


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


def finish(args: argparse.Namespace, record: dict, lines: Sequence[str]) -> int:
    """Write and print a result: JSON where asked for, otherwise the lines."""
    import json

    from worldgen.files.storage import write_bytes

    text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False)
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
    from worldgen.evaluation.measures.intervals import Interval

    if isinstance(value, Interval):
        return value.to_json()
    if isinstance(value, dict):
        return {name: as_json(inner) for name, inner in value.items()}
    return [as_json(inner) for inner in value] if isinstance(value, list) else value

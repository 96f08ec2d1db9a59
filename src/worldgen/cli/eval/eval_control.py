"""Does a clip move as it was told? Speed and yaw rate are recovered from the pixels by an instrument that never saw a
generator (optical flow on the known camera, a small network trained on rendered clips) and compared with the commands.

Frames that were given to the model do not count. The control pairs each clip with another clip's commands: its rank
correlations must be about 0."""

from __future__ import annotations

import argparse

from worldgen.cli.eval.eval_clips import add_clip_options

LEAST_FRAMES = 17


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen eval control``."""
    add_clip_options(parser, clips=48, frames=25)
    parser.add_argument(
        "--sweep", type=int, default=0, metavar="N",
        help="also tell every manoeuvre to the same drawn start of N scenes, without a layout (8 clips each)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Measure and report."""
    from worldgen.cli.eval import eval_clips
    from worldgen.core.errors import InputError
    from worldgen.evaluation.measures.motion_control import MotionPair, control_rows, slices
    from worldgen.instruments.motion.motion_reader import MotionReader

    if not 0 <= args.sweep <= 100 or (args.sweep and (args.data or args.model == eval_clips.RENDERED)):
        raise InputError("--sweep", args.sweep, "0 to 100, for a model")
    reader = MotionReader.load()
    cases, about = eval_clips.cases_of(args, frames_least=LEAST_FRAMES)
    known = [case for case in cases if case.ego is not None and case.camera is not None and len(case.clip) >= 3]
    if not known:
        raise InputError("clips with ego motion and camera", 0, "at least one: without a command nothing can be obeyed")
    drives = [MotionPair(case.ego, reader.read(case.clip, case.camera), case.first) for case in known]
    rows = control_rows(drives, seed=args.seed)
    record = eval_clips.result("control", args, about | {"judged": len(known)}, [reader.instrument.summary()])
    record["rows"] = eval_clips.as_json({k: v for k, v in rows.items() if not k.startswith("shuffled")})
    record["controls"] = eval_clips.as_json({k: v for k, v in rows.items() if k.startswith("shuffled")})
    if all(case.scenario is not None for case in known):
        record["slices"] = {
            field: eval_clips.as_json(slices(drives, [getattr(c.scenario, field) for c in known], seed=args.seed))
            for field in ("weather", "light")
        }
    lines = eval_clips.table(f"control, {len(known)} clips of {about['model'] or about['data']}", rows)
    if args.sweep:
        record["sweep"] = sweep(args, reader)
        lines += ["", *sweep_lines(record["sweep"])]
    return eval_clips.finish(args, record, lines)


def sweep(args: argparse.Namespace, reader) -> list[dict]:
    """All manoeuvres from the same start of some scenes: what was told and what was done."""
    from worldgen.cli.eval.eval_clips import load_sampler
    from worldgen.cli.progress import progress
    from worldgen.evaluation.measures.motion_control import MotionPair, sweep_rows
    from worldgen.evaluation.measures.trials import sweep_requests

    sampler, options = load_sampler(args)
    requests = sweep_requests(args.sweep, sampler.pipeline.accepts, seed=args.seed, frames=args.frames, fps=sampler.fps)
    names, drives = [], []
    for name, conditions in progress(requests, desc="sweep"):
        (clip,) = sampler.pipeline([conditions], options)
        first = 0 if conditions.context is None else len(conditions.context)
        names.append(name)
        drives.append(MotionPair(conditions.ego, reader.read(clip, conditions.camera), first))
    return sweep_rows(names, drives)


def sweep_lines(rows: list[dict]) -> list[str]:
    """A table of the sweep: where the car was told to be and where the pixels say it went."""
    lines = [f"{'told':12}  {'seen as':12}  {'forward m':>15}  {'left m':>15}  {'turn rad':>15}"]
    for row in rows:
        told, seen = row["commanded"], row["recovered"]
        cells = [f"{told[k]:7.2f} {seen[k]:7.2f}" for k in ("x_m", "y_m", "yaw_rad")]
        lines.append(f"{row['manoeuvre']:12}  {row['classified']:12}  " + "  ".join(cells))
    right = sum(row["manoeuvre"] == row["classified"] for row in rows)
    return [*lines, f"recognised as told: {right} of {len(rows)}"]

"""Render a prompt's scene to a labelled clip, or many scenes to shards, without a network."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worldgen.generation.rendered.drawn_scenes import ClipShape

AXES = ("weather", "light", "road", "manoeuvre", "event")
"""Axes of a grid; those of ``generation.rendered.scenario_grid``, named here so that ``--help`` imports nothing."""
EPILOG = """examples:
  worldgen scenes render --prompt "a child runs out at night in heavy rain" --out child
  worldgen scenes render --count 360 --grid weather,light --workers 4 --out scenes
  worldgen scenes render --prompt "a highway" --count 100 --grid event --out rare
  worldgen scenes render --prompt "a snowy street" --size 1280x704 --controls depth,seg,wsm --out street"""
CONTROLS_HELP = """control videos for other models, comma-separated, as controls/NAME.mp4: depth, seg, edge, blur,
sketch, boxes, wsm; forms of one as in edge:geometry, blur:down, boxes:flat (default none)"""
SHOWN_REASONS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen scenes render``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument(
        "--prompt", default="", help="the scene in words; with --grid it sets what the grid leaves open"
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same clips (default 0)")
    parser.add_argument("--frames", type=int, default=25, help="frames per clip (default 25)")
    parser.add_argument("--fps", type=float, default=8.0, help="frames per second (default 8)")
    parser.add_argument("--size", default="224x128", metavar="WxH", help="picture size in pixels (default 224x128)")
    parser.add_argument(
        "--renderer", choices=("raycast", "sketch"), default="raycast",
        help="raycast: smooth shapes, shadows, reflections; sketch: flat faces, faster (default raycast)",
    )  # fmt: skip
    parser.add_argument("--controls", default="", metavar="NAMES", help=CONTROLS_HELP)
    parser.add_argument(
        "--out", default="", metavar="DIR", help="output folder (default: outputs/ and a name from the prompt)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a clip's folder made by worldgen before")
    many = parser.add_argument_group("many clips, as a data set of shards")
    many.add_argument(
        "--count", type=int, default=None, metavar="N", help="clips to render; a run that was stopped continues"
    )
    many.add_argument(
        "--grid", default="", metavar="AXES", help=f"go through all values of these, comma-separated: {', '.join(AXES)}"
    )
    many.add_argument(
        "--paint", action="store_true", help="let the painter of the shipped model make the drawn frames look recorded"
    )
    many.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default 1)")
    many.add_argument("--shard-size", type=int, default=64, metavar="N", help="clips per shard (default 64)")
    parser.add_argument("--json", action="store_true", help="print a machine-readable summary")


def run(args: argparse.Namespace) -> int:
    """Render one clip or a data set."""
    from worldgen.core.errors import InputError
    from worldgen.generation.rendered.drawn_scenes import MAX_COUNT

    shape = _shape(args)
    if args.count is None:
        if args.grid:
            raise InputError("--grid", args.grid, "--count N beside it: how many clips to render")
        if args.paint:
            raise InputError("--paint", "without --count", "--count N, or worldgen sample for one painted clip")
        return _one(args, shape)
    if not 1 <= args.count <= MAX_COUNT:
        raise InputError("--count", args.count, f"1 to {MAX_COUNT}")
    if not (1 <= args.workers <= 256 and 1 <= args.shard_size <= 10_000):
        raise InputError("--workers, --shard-size", (args.workers, args.shard_size), "1 to 256 and 1 to 10000")
    return _many(args, shape)


def _shape(args: argparse.Namespace) -> ClipShape:
    from worldgen.cli.argument_parser import size_px
    from worldgen.generation.rendered.drawn_scenes import ClipShape

    width_px, height_px = size_px(args.size)
    controls = tuple(word.strip() for word in args.controls.split(",") if word.strip())
    return ClipShape(args.frames, float(args.fps), width_px, height_px, args.renderer, controls, args.paint)


def _one(args: argparse.Namespace, shape: ClipShape) -> int:
    """One clip in the output folder that ``worldgen sample`` writes."""
    import json

    from worldgen.api.words_to_scenes import render
    from worldgen.cli.default_folder import default_folder
    from worldgen.cli.terminal import print_prompt_notes
    from worldgen.core.errors import InputError
    from worldgen.files.folders import output_folder
    from worldgen.prompts import parse_request

    if not args.prompt.strip():
        raise InputError(
            "nothing to render", "", 'a --prompt, as in --prompt "pedestrian at night in rain", or --count N'
        )
    parse_request(args.prompt)  # a prompt that cannot be used is refused before a folder is touched
    out = args.out or default_folder(args.prompt, args.seed)
    with output_folder(out, kind="clip", overwrite=args.overwrite) as folder:
        size = (shape.width_px, shape.height_px)
        sample = render(
            args.prompt, seed=args.seed, frames=shape.frames, fps=shape.fps, size=size, renderer=shape.renderer,
            controls=shape.controls,
        )  # fmt: skip
        sample.write(folder)
    notes = sample.notes
    if args.json:
        understood = {name: notes[name] for name in ("assumed", "not_understood")}
        record = {"folder": str(out), "seed": args.seed, "frames": shape.frames, **understood}
        print(json.dumps(record | ({"controls": list(sample.controls)} if sample.controls else {})))
        return 0
    print_prompt_notes(notes, args.prompt, frames=shape.frames, fps=shape.fps)
    print(f"{out}: {shape.frames} frames, seed {args.seed}. Look at sheet.png and clip.mp4.")
    if sample.controls:
        print(f"controls: {', '.join(f'controls/{name}.mp4' for name in sample.controls)}")
    return 0


def _many(args: argparse.Namespace, shape: ClipShape) -> int:
    """A data set: shards, index and summary."""
    import json
    import time
    from dataclasses import asdict

    from worldgen.cli.terminal import log_line, progress
    from worldgen.data.dataset.index import build_index
    from worldgen.generation.rendered.rendered_shards import render_jobs, rendered_shards, rendering
    from worldgen.generation.rendered.scenario_grid import prompted_grid

    start_s = time.monotonic()
    url = args.out or f"outputs/scenes-s{args.seed}"
    axes = tuple(word.strip() for word in args.grid.split(",") if word.strip())
    scenarios = prompted_grid(axes, args.prompt, count=args.count, seed=args.seed)
    jobs = render_jobs(scenarios, url, shape, seed=args.seed, shard_size=args.shard_size)
    settings = {"prompt": args.prompt, "grid": list(axes), **asdict(shape), "shard_size": args.shard_size}
    if not shape.controls:
        del settings["controls"]  # folders of earlier versions know no controls and go on
    if not shape.painted:
        del settings["painted"]
    with rendering(url, settings, seed=args.seed, count=args.count):
        # A shard of rays at a large size takes many minutes, and nothing is reported inside it.
        most = min(args.shard_size, args.count)
        log_line(f"{args.count} clips of {args.size}, in {len(jobs)} shards of up to {most}; each is told when done")
        shards = list(progress(rendered_shards(jobs, args.workers), total=len(jobs), desc="shards"))
        samples = build_index(url)["num_samples"]
    skipped = [reason for shard in shards for reason in shard.skipped]
    seconds = time.monotonic() - start_s
    rendered, kept = sum(shard.rendered for shard in shards), sum(shard.kept for shard in shards)
    if args.json:
        record = {
            "url": url, "rendered": rendered, "kept": kept, "skipped": skipped, "shards": len(jobs), "samples": samples,
            "seconds": round(seconds, 2),
        }  # fmt: skip
        print(json.dumps(record))
        return 0
    print(f"{url}: {rendered} clips rendered in {seconds:.0f} s, {kept} kept from before, {len(jobs)} shards")
    for reason in skipped[:SHOWN_REASONS]:
        print(f"skipped: {reason}")
    if len(skipped) > SHOWN_REASONS:
        print(f"skipped: {len(skipped) - SHOWN_REASONS} more")
    return 0

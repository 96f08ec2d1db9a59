"""Make one labelled clip (or a few) from words, a real clip to continue, ego motion, or a scenario file.

examples:
  worldgen sample --prompt "pedestrian at night in rain"
  worldgen sample --prompt "cyclist swerving on a rural road" --seed 3 --num 4 --out outputs/cyclist
  worldgen sample --context drive.mp4 --ego turn_left --frames 33
  worldgen sample --context drive.mp4 --ego "(1.2, 0), (2.4, 0.05), (3.6, 0.15)"
"""

from __future__ import annotations

import argparse

from worldgen.core.start import DEFAULT_START, STARTS

DEFAULT_FRAMES = 25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen sample``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = parser.add_argument_group("what to make")
    what.add_argument("--prompt", default="", help="the scene in words")
    what.add_argument("--context", default="", metavar="CLIP", help="a video to continue")
    what.add_argument("--context-frames", type=int, default=0, metavar="N", help="frames taken from it (default 8, at most half of --frames)")
    what.add_argument("--context-start", type=float, default=0.0, metavar="S", help="second of the video they start at")
    what.add_argument("--ego", default="", metavar="MOTION", help='a manoeuvre ("brake"), an ego log, or waypoints in metres ("(x, y), ...")')
    what.add_argument("--speed", type=float, default=0.0, metavar="MPS", help="speed a manoeuvre starts from when there is no scene (default: that of the --context, as its pixels show it)")
    what.add_argument("--layout", default="", metavar="SCENARIO", help="a scenario as JSON, used instead of the words for the scene")
    what.add_argument("--start", default=DEFAULT_START, choices=STARTS, help=f"first frames of a scene: drawn, or made by the model too (default {DEFAULT_START})")
    shape = parser.add_argument_group("how long and how large")
    shape.add_argument("--frames", type=int, default=DEFAULT_FRAMES, help=f"frames in all, context included (default {DEFAULT_FRAMES})")
    shape.add_argument("--fps", type=float, default=0.0, help="frames per second (default: the model's)")
    shape.add_argument("--size", default="", metavar="WxH", help="picture size in pixels (default: the model's)")
    how = parser.add_argument_group("how to sample")
    how.add_argument("--seed", type=int, default=0, help="the same seed gives the same clip (default 0)")
    how.add_argument("--num", type=int, default=1, help="clips to make, with seeds seed, seed + 1, ...")
    how.add_argument("--steps", type=int, default=0, help="denoising steps per chunk (default: the model's)")
    how.add_argument("--chunk", type=int, default=1, help="frames made together (default 1)")
    how.add_argument("--guidance", default="", metavar="G", help='strength of the words, or "text=2,layout=1.5" (1: off)')
    how.add_argument("--model", default="", metavar="DIR", help="folder of a saved pipeline (default: the shipped model)")
    how.add_argument("--adapter", default="", metavar="DIR", help="folder of a LoRA adapter to apply")
    how.add_argument("--device", default="", help="cpu, cuda, ... (default: the best there is)")
    how.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    out = parser.add_argument_group("output")
    out.add_argument("--out", default="", metavar="DIR", help="output folder (default: outputs/ and a name from the prompt)")
    out.add_argument("--overwrite", action="store_true", help="replace an output folder made by worldgen before")
    out.add_argument("--json", action="store_true", help="print a machine-readable summary")


def run(args: argparse.Namespace) -> int:
    """Make the clips and say where they are."""
    import json
    import sys
    import time

    from worldgen.core.errors import InputError
    from worldgen.generation.sample.background import BackgroundPreparation, stated_facts

    start_s = time.monotonic()
    if not (args.prompt.strip() or args.context or args.layout):
        raise InputError("nothing to make", "", 'a --prompt, a --context clip or a --layout, as in --prompt "pedestrian at night in rain"')
    if not 1 <= args.num <= 1000:
        raise InputError("--num", args.num, "1 to 1000")
    ahead = None
    if "torch" not in sys.modules and (facts := stated_facts(args.model)):
        ahead = BackgroundPreparation(_request(args, facts, args.seed), facts.accepts)  # while the libraries below load

    from worldgen.cli.progress import progress
    from worldgen.files.folders import output_folder
    from worldgen.generation.sample.sampler import Sampler, default_folder, parse_guidance
    from worldgen.models.native.loading import quiet_libraries

    guidance = parse_guidance(args.guidance)
    quiet_libraries()
    sampler = Sampler.load(args.model, adapter=args.adapter, device=args.device, threads=args.threads)
    requests = [_request(args, sampler.facts, args.seed + i) for i in range(args.num)]
    options = sampler.options(steps=args.steps, chunk=args.chunk, guidance=guidance)
    base = args.out or default_folder(args.prompt or args.context or args.layout, args.seed)
    made = []
    for i, request in enumerate(requests):
        folder = base if args.num == 1 else f"{base}/{i:03d}"
        prepared = sampler.prepare(request, ahead if i == 0 else None)
        _tell(prepared.notes, quiet=args.json or i > 0)
        with output_folder(folder, overwrite=args.overwrite) as partial:
            frames = sampler.write(partial, request, prepared, options)
            for _ in progress(frames, total=request.frames, desc="frames"):
                pass
        made.append({"folder": str(folder), "seed": request.seed, "frames": request.frames})
    seconds = time.monotonic() - start_s
    if args.json:
        print(json.dumps({"samples": made, "seconds": round(seconds, 2), "model": sampler.name, "weights_hash": sampler.weights_hash}))
    else:
        for record in made:
            print(f"{record['folder']}: {record['frames']} frames, seed {record['seed']}")
        print(f"{seconds:.1f} s. Look at sheet.png and clip.mp4; labels.json, ego.csv and meta.json are beside them.")
    return 0


def _request(args: argparse.Namespace, facts, seed: int):
    from worldgen.generation.sample.request import SampleRequest, read_scenario

    width, height = _size(args.size) if args.size else facts.size_px
    return SampleRequest(
        prompt=args.prompt.strip(), frames=args.frames, fps=args.fps or facts.fps, width_px=width, height_px=height,
        seed=seed, context=args.context, context_frames=args.context_frames or max(1, min(8, args.frames // 2)), context_start_s=args.context_start,
        ego=args.ego, speed_mps=args.speed, scenario=read_scenario(args.layout) if args.layout else None,
        start=args.start,
    )  # fmt: skip


def _size(text: str) -> tuple[int, int]:
    from worldgen.core.errors import InputError

    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise InputError("--size", text, "WIDTHxHEIGHT in pixels, as in 224x128")
    return int(width), int(height)


def _tell(notes: dict, *, quiet: bool) -> None:
    """What was assumed and what was not understood, so that nothing in a prompt is dropped silently."""
    if quiet:
        return
    assumed = [f"{item['field']} = {item['value']}" for item in notes.get("assumed", ())]
    if assumed:
        print("assumed: " + ", ".join(assumed))
    if notes.get("not_understood"):
        print("not understood: " + ", ".join(notes["not_understood"]))
    if "seen_speed_mps" in notes:
        print(f"the video seems to drive at {notes['seen_speed_mps']:.1f} m/s and goes on from there (--speed says otherwise)")

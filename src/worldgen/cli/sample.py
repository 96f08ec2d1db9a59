"""Make one labelled clip (or a few) from words, a real clip to continue, ego motion, or a scenario file.

examples:
  worldgen sample --prompt "pedestrian at night in rain"
  worldgen sample --prompt "cyclist swerving on a rural road" --seed 3 --num 4 --out outputs/cyclist
  worldgen sample --context drive.mp4 --ego turn_left --frames 33
  worldgen sample --context drive.mp4 --ego "(1.2, 0), (2.4, 0.05), (3.6, 0.15)"
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from worldgen.core.start import STARTS

if TYPE_CHECKING:
    from worldgen.generation.sample.request import SampleRequest
    from worldgen.models.promise import LargestClip, ModelPromise

DEFAULT_FRAMES = 25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``worldgen sample``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = parser.add_argument_group("what to make")
    what.add_argument("--prompt", default="", help="the scene in words")
    what.add_argument("--context", default="", metavar="CLIP", help="a video to continue")
    what.add_argument(
        "--context-frames", type=int, default=0, metavar="N",
        help="frames taken from it (default 8, at most half of --frames)",
    )  # fmt: skip
    what.add_argument("--context-start", type=float, default=0.0, metavar="S", help="second of the video they start at")
    what.add_argument(
        "--ego", default="", metavar="MOTION",
        help='a manoeuvre ("brake"), an ego log, or waypoints in metres ("(x, y), ...")',
    )  # fmt: skip
    what.add_argument(
        "--ego-config", default=[], action="append", metavar="FILE",
        help="how the log in --ego is read: the YAML file that worldgen ingest --config takes for it",
    )  # fmt: skip
    what.add_argument(
        "--speed", type=float, default=0.0, metavar="MPS",
        help="speed at which a manoeuvre starts without a scene (default: recovered from the pixels of --context)",
    )  # fmt: skip
    what.add_argument(
        "--fov", type=float, default=None, metavar="DEG",
        help="horizontal field of view of --context (default: its record's, else estimated from its frames)",
    )  # fmt: skip
    what.add_argument(
        "--pitch", type=float, default=None, metavar="DEG", help="of its camera below the horizon (default: as above)"
    )
    what.add_argument(
        "--camera-height", type=float, default=None, metavar="M", help="of its camera above the ground (default 1.4)"
    )
    what.add_argument(
        "--scenario",
        default="",
        metavar="FILE",
        help="a scenario as JSON, used instead of the words to build the scene",
    )
    what.add_argument("--layout", default="", help=argparse.SUPPRESS)  # the name of --scenario up to version 0.1
    what.add_argument(
        "--start", default=None, choices=STARTS,
        help="first frames of a scene: rendered, or predicted by the model like all others (default: the model's)",
    )  # fmt: skip
    what.add_argument(
        "--controls", default="", metavar="NAMES",
        help='control videos made of the scene, as in "depth" (default: the model\'s, if it takes any)',
    )  # fmt: skip
    what.add_argument(
        "--negative-prompt", default=None, metavar="WORDS", help="what should not be shown, for models that take it"
    )
    what.add_argument(
        "--reference", default="", metavar="PICTURE", help="picture of the wanted look, for models that take one"
    )
    shape = parser.add_argument_group("how long and how large")
    shape.add_argument(
        "--frames", type=int, default=DEFAULT_FRAMES, help=f"frames in all, context included (default {DEFAULT_FRAMES})"
    )
    shape.add_argument("--fps", type=float, default=0.0, help="frames per second (default: the model's)")
    shape.add_argument("--size", default="", metavar="WxH", help="picture size in pixels (default: the model's)")
    how = parser.add_argument_group("how to sample")
    how.add_argument("--seed", type=int, default=0, help="the same seed gives the same clip (default 0)")
    how.add_argument("--num", type=int, default=1, help="clips to make, with seeds seed, seed + 1, ...")
    how.add_argument("--steps", type=int, default=0, help="denoising steps per chunk (default: the model's)")
    how.add_argument("--chunk", type=int, default=0, help="frames predicted together (default: the model's)")
    how.add_argument(
        "--guidance", default="", metavar="G", help='guidance scale of the words, or "text=2,layout=1.5" (1: off)'
    )
    how.add_argument(
        "--model", default="", metavar="DIR|ID",
        help="folder of a saved pipeline, or hub repository (default: the shipped model)",
    )  # fmt: skip
    how.add_argument(
        "--backbone", default=[], action="append", metavar="FILE|KEY=VALUE",
        help="options of a pretrained model, such as configs/backbones/24gb.yaml or offload=model; may be repeated",
    )  # fmt: skip
    how.add_argument("--adapter", default="", metavar="DIR", help="folder of a LoRA adapter to apply")
    how.add_argument("--device", default="", help="cpu, cuda, ... (default: the best there is)")
    how.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    out = parser.add_argument_group("output")
    out.add_argument(
        "--out", default="", metavar="DIR", help="output folder (default: outputs/ and a name from the prompt)"
    )
    out.add_argument("--overwrite", action="store_true", help="replace an output folder made by worldgen before")
    out.add_argument("--json", action="store_true", help="print a machine-readable summary")


def run(args: argparse.Namespace) -> int:
    """Make the clips and say where they are."""
    import json
    import os
    import sys
    import time
    from pathlib import Path

    from worldgen.core.errors import InputError
    from worldgen.generation.sample.background import BackgroundPreparation, stated_promise

    start_s = time.monotonic()
    _use_scenario(args)
    if not (args.prompt.strip() or args.context or args.scenario):
        raise InputError(
            "nothing to make", "",
            'a --prompt, a --context clip or a --scenario, as in --prompt "pedestrian at night in rain"',
        )  # fmt: skip
    if not 1 <= args.num <= 1000:
        raise InputError("--num", args.num, "1 to 1000")
    background = None
    if "torch" not in sys.modules and (promise := stated_promise(args.model)):
        # A second process prepares the first request while this one loads the libraries below.
        background = BackgroundPreparation(_request(args, promise, args.seed), promise)

    from worldgen.api.model import SHIPPED, load_for
    from worldgen.cli.default_folder import default_folder
    from worldgen.cli.terminal import print_prompt_notes, progress
    from worldgen.files.folders import output_folder
    from worldgen.files.output_guard import refuse_output
    from worldgen.generation.sample.model_loading import backbone_options

    guidance = _guidance(args.guidance)
    model = load_for(
        _asked(args), args.model or SHIPPED, adapter=args.adapter, device=args.device, threads=args.threads,
        backbone=backbone_options(args.backbone, args.device),
    )  # fmt: skip
    requests = [_request(args, model.promise, args.seed + i) for i in range(args.num)]
    options = model.options(steps=args.steps, chunk=args.chunk, guidance=guidance)
    base = args.out or default_folder(args.prompt or Path(args.context or args.scenario).stem, args.seed)
    read = (args.context, args.scenario, args.reference, args.ego if os.path.exists(args.ego) else "")
    inputs = [path for path in read if path]
    if args.num > 1:
        refuse_output(base, "clip", inputs)
    written = []
    for i, request in enumerate(requests):
        folder = base if args.num == 1 else f"{base}/{i:03d}"
        prepared = model.prepare(request, background if i == 0 else None)
        if not (args.json or i > 0):
            print_prompt_notes(prepared.notes, request.prompt, frames=request.frames, fps=request.fps)
            _print_motion_notes(prepared.notes)
        with output_folder(folder, kind="clip", inputs=inputs, overwrite=args.overwrite) as partial:
            frames = model.write(partial, request, prepared, options)
            for _ in progress(frames, total=request.frames, desc="frames"):
                pass
        written.append({"folder": str(folder), "seed": request.seed, "frames": request.frames})
    seconds = time.monotonic() - start_s
    if args.json:
        summary = {"samples": written, "seconds": round(seconds, 2), "model": model.name}
        print(json.dumps(summary | {"weights_hash": model.weights_hash}))
    else:
        for record in written:
            print(f"{record['folder']}: {record['frames']} frames, seed {record['seed']}")
        print(f"{seconds:.1f} s. Look at sheet.png and clip.mp4; labels.json, ego.csv and meta.json are beside them.")
    return 0


def _asked(args: argparse.Namespace) -> LargestClip:
    """The clip that the model must have memory for."""
    from worldgen.cli.argument_parser import size_px
    from worldgen.models.promise import LargestClip

    return LargestClip(args.frames, size_px(args.size) if args.size else None, args.chunk)


def _use_scenario(args: argparse.Namespace) -> None:
    """Take ``--layout``, the old name of ``--scenario``, for it, with a note."""
    import sys

    from worldgen.core.errors import InputError

    if not args.layout:
        return
    if args.scenario:
        raise InputError("--layout", args.layout, "--scenario alone: --layout is its old name")
    print("worldgen: note: --layout is now called --scenario", file=sys.stderr)
    args.scenario = args.layout


def _request(args: argparse.Namespace, promise: ModelPromise, seed: int) -> SampleRequest:
    """The request of the options, built where ``Model.sample`` builds its own, so that both ask for the same clip."""
    from worldgen.api.arguments import sample_request
    from worldgen.cli.argument_parser import size_px

    return sample_request(
        promise, args.prompt, context=args.context or None, ego=args.ego, scenario=args.scenario or None, seed=seed,
        frames=args.frames, fps=args.fps or None, size=size_px(args.size) if args.size else None, start=args.start,
        context_frames=args.context_frames or None, context_start_s=args.context_start, speed_mps=args.speed,
        camera=_camera(args), ego_config=args.ego_config or None, controls=args.controls,
        negative_prompt=args.negative_prompt, reference=args.reference or None,
    )  # fmt: skip


def _camera(args: argparse.Namespace) -> dict[str, float]:
    """What is given of the context's camera."""
    given = {"fov_deg": args.fov, "pitch_deg": args.pitch, "height_m": args.camera_height}
    return {name: value for name, value in given.items() if value is not None}


def _guidance(text: str) -> dict[str, float]:
    """``"2"`` means text guidance of 2; ``"text=2,layout=1.5"`` names conditions. Raises InputError otherwise."""
    from worldgen.core.errors import InputError
    from worldgen.models.interface import GUIDABLE, SamplerOptions

    guidance = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = part.rpartition("=")
        try:
            guidance[name.strip() if equals else "text"] = float(value)
        except ValueError as error:
            raise InputError("--guidance", text, "a number, or CONDITION=NUMBER of " + ", ".join(GUIDABLE)) from error
    SamplerOptions(guidance=guidance)  # checks names and ranges before any model is loaded
    return guidance


def _print_motion_notes(notes: dict[str, Any]) -> None:
    """Print how an ego log was read and which speed a context clip shows."""
    for line in notes.get("ego_log", ()):
        print(f"ego log: {line}")
    camera = notes.get("camera", {})
    if camera.get("from") in ("frames", "expected"):
        seen = "as its frames show" if camera["from"] == "frames" else f"expected: {camera['unknown']}"
        print(
            f"camera: {camera['fov_deg']:.0f} +- {camera['fov_sigma_deg']:.0f} degrees wide, "
            f"{camera['pitch_deg']:.1f} +- {camera['pitch_sigma_deg']:.1f} below the horizon "
            f"({seen}; --fov and --pitch say otherwise)"
        )
    if "seen_speed_mps" in notes:
        speed_mps = notes["seen_speed_mps"]
        print(f"the video seems to drive at {speed_mps:.1f} m/s and continues from there (--speed says otherwise)")

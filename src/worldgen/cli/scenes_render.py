"""Render a prompt's scene to a labelled clip, or many scenes to shards, without a network."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from worldgen.core.samples import Sample
    from worldgen.core.scenario import Scenario
    from worldgen.core.scene import Scene
    from worldgen.prompts import ParsedPrompt

AXES = ("weather", "light", "road", "manoeuvre", "event")
MAX_COUNT = 1_000_000
TRIES = 3
EPILOG = """examples:
  worldgen scenes render --prompt "a child runs out at night in heavy rain" --out child
  worldgen scenes render --count 360 --grid weather,light --workers 4 --out scenes
  worldgen scenes render --prompt "a highway" --count 100 --grid event --out rare"""


@dataclass(frozen=True)
class ClipShape:
    """Shape of the clips: frames, frames per second, width and height in pixels."""

    frames: int
    fps: float
    width_px: int
    height_px: int


@dataclass(frozen=True)
class RenderJob:
    """One shard: its name, and scenarios as JSON with their seeds."""

    url: str
    name: str
    takes: tuple[tuple[str, int], ...]
    look: ClipShape


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
        "--out", default="", metavar="DIR", help="output folder (default: outputs/ and a name from the prompt)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a clip's folder made by worldgen before")
    many = parser.add_argument_group("many clips, as a data set of shards")
    many.add_argument(
        "--count", type=int, default=0, metavar="N", help="clips to render; a run that was stopped goes on where it was"
    )
    many.add_argument(
        "--grid", default="", metavar="AXES", help=f"go through all values of these, comma-separated: {', '.join(AXES)}"
    )
    many.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default 1)")
    many.add_argument("--shard-size", type=int, default=64, metavar="N", help="clips per shard (default 64)")
    parser.add_argument("--json", action="store_true", help="print a machine-readable summary")


def run(args: argparse.Namespace) -> int:
    """Render one clip or a data set."""
    from worldgen.core.errors import InputError

    look = _look(args)
    if not args.count:
        if args.grid:
            raise InputError("--grid", args.grid, "--count N beside it: how many clips to render")
        return _one(args, look)
    if not 1 <= args.count <= MAX_COUNT:
        raise InputError("--count", args.count, f"1 to {MAX_COUNT}")
    if not (1 <= args.workers <= 256 and 1 <= args.shard_size <= 10_000):
        raise InputError("--workers, --shard-size", (args.workers, args.shard_size), "1 to 256 and 1 to 10000")
    return _many(args, look)


def _look(args: argparse.Namespace) -> ClipShape:
    import math

    from worldgen.core.errors import InputError

    width, _, height = args.size.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and 32 <= int(width) <= 4096 and 32 <= int(height) <= 4096):
        raise InputError("--size", args.size, "WIDTHxHEIGHT, each 32 to 4096 pixels, as in 224x128")
    if int(width) % 2 or int(height) % 2:
        raise InputError("--size", args.size, "even numbers, as video coding needs")
    if not 1 <= args.frames <= 2000:
        raise InputError("--frames", args.frames, "1 to 2000")
    if not (math.isfinite(args.fps) and 1 <= args.fps <= 60):
        raise InputError("--fps", args.fps, "1 to 60")
    return ClipShape(args.frames, float(args.fps), int(width), int(height))


def make_scene(scenario: Scenario, seed: int, look: ClipShape) -> Scene:
    """The scene of a scenario, seen by a camera of the wanted size with the drawn field of view."""
    from worldgen.core.camera import Camera
    from worldgen.core.seeds import numpy_rng
    from worldgen.simulation.simulate import draw_camera, simulate

    drawn = draw_camera(numpy_rng("camera", scenario.key, seed))
    camera = Camera.from_fov(
        look.width_px, look.height_px, drawn.fov_deg, height_m=drawn.height_m, pitch_rad=drawn.pitch_rad
    )
    return simulate(scenario, seed, fps=look.fps, num_frames=look.frames, camera=camera)


def _one(args: argparse.Namespace, look: ClipShape) -> int:
    """One clip in the output folder that ``worldgen sample`` writes."""
    import json

    import worldgen
    from worldgen.core.errors import InputError
    from worldgen.data.dataset.sample_folder import SampleFolder
    from worldgen.files.folders import output_folder
    from worldgen.prompts import parse
    from worldgen.rendering.labelling import labels_of
    from worldgen.rendering.render import render_scene

    if not args.prompt.strip():
        raise InputError(
            "nothing to render", "", 'a --prompt, as in --prompt "pedestrian at night in rain", or --count N'
        )
    parsed = parse(args.prompt)
    out = args.out or _default_folder(args.prompt, args.seed)
    with output_folder(out, overwrite=args.overwrite) as folder:
        scene = make_scene(parsed.scenario, args.seed, look)
        rendering = render_scene(scene)
        labels = labels_of(scene, rendering)
        writer = SampleFolder(folder, num_frames=look.frames, fps=look.fps, size_px=(look.width_px, look.height_px))
        writer.add(rendering.clip.frames)
        meta = {
            "tool": "worldgen scenes render", "version": worldgen.__version__, "prompt": args.prompt, "seed": args.seed,
            "frames": look.frames, "fps": look.fps, "size_px": [look.width_px, look.height_px], **_understood(parsed),
            "scenario": parsed.scenario.to_json(), "camera": scene.camera.to_json(), "notes": list(scene.notes),
            "events": [{"name": e.name, "track_ids": list(e.track_ids), "start_s": e.start_s, "end_s": e.end_s, "min_ttc_s": e.min_ttc_s} for e in scene.events],
        }  # fmt: skip
        writer.finish(meta, caption=args.prompt, ego=scene.ego, labels=labels)
    if args.json:
        print(json.dumps({"folder": str(out), "seed": args.seed, "frames": look.frames, **_understood(parsed)}))
        return 0
    for title, words in (
        ("assumed", [f"{a.field} = {a.value}" for a in parsed.assumed]),
        ("not understood", parsed.not_understood),
    ):
        if words:
            print(f"{title}: {', '.join(words)}")
    print(f"{out}: {look.frames} frames, seed {args.seed}. Look at sheet.png and clip.mp4.")
    return 0


def _understood(parsed: ParsedPrompt) -> dict:
    record = parsed.to_json()
    return {"assumed": record["assumed"], "not_understood": record["not_understood"]}


def _default_folder(prompt: str, seed: int) -> str:
    """``outputs/WORDS-OF-THE-PROMPT-sSEED``, with a number behind it when that exists."""
    import re
    from pathlib import Path

    words = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:48].strip("-") or "scene"
    base = Path("outputs") / f"{words}-s{seed}"
    candidate, number = base, 2
    while candidate.exists():
        candidate, number = base.with_name(f"{base.name}-{number}"), number + 1
    return str(candidate)


def grid_scenarios(axes: tuple[str, ...], base: Scenario, *, free: bool, count: int, seed: int) -> list[Scenario]:
    """``count`` scenarios that go through all values of the axes again and again, in an order drawn from the seed.

    free: fields outside the grid that an event does not fix are drawn too; otherwise they stay as in ``base``.
    Combinations that an event does not allow are left out of the round.
    """
    import itertools

    from worldgen.core.manoeuvres import MANOEUVRES
    from worldgen.core.scenario import LIGHTS, ROADS, WEATHERS
    from worldgen.core.seeds import numpy_rng
    from worldgen.simulation.events import EVENTS

    values = {"weather": WEATHERS, "light": LIGHTS, "road": ROADS, "manoeuvre": MANOEUVRES, "event": tuple(EVENTS)}
    out: list[Scenario] = []
    rounds = 0
    while len(out) < count:
        rng = numpy_rng("grid", base.key, seed, rounds, *axes)
        cells = list(itertools.product(*(values[axis] for axis in axes))) if axes else [()]
        made = [
            _cell(dict(zip(axes, cells[k], strict=True)), base, rng, free=free) for k in rng.permutation(len(cells))
        ]
        out += [scenario for scenario in made if scenario is not None]
        rounds += 1
        if not out:
            return []
    return out[:count]


def _cell(chosen: dict[str, str], base: Scenario, rng: np.random.Generator, *, free: bool) -> Scenario | None:
    """One combination, completed; None when its event does not allow it."""
    from dataclasses import replace

    from worldgen.core.manoeuvres import MANOEUVRES
    from worldgen.core.scenario import LIGHTS, ROADS, WEATHERS
    from worldgen.simulation.events import EVENTS

    events = (chosen.pop("event"),) if "event" in chosen else base.events
    allowed = {"weather": set(WEATHERS), "light": set(LIGHTS), "road": set(ROADS), "manoeuvre": set(MANOEUVRES)}
    for event in (EVENTS[name] for name in events):
        for field, words in (
            ("weather", event.weathers),
            ("light", event.lights),
            ("road", event.roads),
            ("manoeuvre", event.manoeuvres),
        ):
            allowed[field] &= set(words)
    fields = {field: getattr(base, field) for field in allowed} | chosen
    for field, words in allowed.items():
        if fields[field] in words and (field in chosen or not free):
            continue
        if field in chosen or not words:
            return None
        fields[field] = str(rng.choice(sorted(words)))
    if fields["road"] == "highway" and fields["manoeuvre"].startswith("turn"):
        if "manoeuvre" in chosen and "road" in chosen:
            return None
        fields["manoeuvre" if "manoeuvre" not in chosen else "road"] = "keep" if "manoeuvre" not in chosen else "urban"
    return replace(base, events=events, **fields)


def render_shard(job: RenderJob) -> dict:
    """Render the takes of one shard and write it; finished shards are left alone. Returns a record of the outcome."""
    import json

    import cv2

    from worldgen.core.errors import InputError
    from worldgen.core.scenario import Scenario
    from worldgen.data.dataset.shards import ShardWriter
    from worldgen.files.storage import join, resolve

    filesystem, path = resolve(join(job.url, f"{job.name}.tar"))
    if filesystem.exists(path):
        return {"shard": job.name, "rendered": 0, "kept": len(job.takes), "skipped": []}
    cv2.setNumThreads(1)
    skipped: list[str] = []
    with ShardWriter(job.url, job.name) as writer:
        for text, seed in job.takes:
            scenario = Scenario.from_json(json.loads(text))
            try:
                writer.write(make_sample(scenario, seed, job.look))
            except InputError as error:
                skipped.append(f"seed {seed}: {error}")
        rendered = len(writer)
    return {"shard": job.name, "rendered": rendered, "kept": 0, "skipped": skipped}


def make_sample(scenario: Scenario, seed: int, look: ClipShape) -> Sample:
    """A rendered scene as a sample of a data set; its own drive, so that splits never cut through it."""
    import worldgen
    from worldgen.core.errors import InputError
    from worldgen.core.samples import Sample
    from worldgen.core.seeds import numpy_rng, stable_key
    from worldgen.data.dataset.splits import SplitConfig, split_drives
    from worldgen.prompts import describe
    from worldgen.rendering.labelling import labels_of
    from worldgen.rendering.render import render_scene

    for attempt in range(TRIES):
        try:
            scene = make_scene(scenario, seed + attempt * MAX_COUNT, look)
            break
        except InputError:
            # An event may not fit the road that one seed draws; another seed is another road.
            if attempt == TRIES - 1:
                raise
    rendering = render_scene(scene)
    key = stable_key(
        "scene clip", scenario.key, seed, look.frames, look.fps, look.width_px, look.height_px, prefix="scene_"
    )
    return Sample(
        key=key, clip=rendering.clip, caption=describe(scenario, numpy_rng("caption", scenario.key, seed)), drive=key,
        split=split_drives([key], SplitConfig(fractions=(0.9, 0.05, 0.05)))[key], ego=scene.ego, camera=scene.camera,
        labels=labels_of(scene, rendering), scenario=scenario,
        tags=(scenario.weather, scenario.light, scenario.road, *scenario.events), licence="CC0-1.0",
        provenance={"tool": "worldgen scenes render", "version": worldgen.__version__, "seed": scene.seed, "scenario": scenario.key},
    )  # fmt: skip


def _jobs(args: argparse.Namespace, look: ClipShape, url: str) -> list[RenderJob]:
    import json

    from worldgen.core.errors import InputError
    from worldgen.core.scenario import Scenario
    from worldgen.prompts import parse

    axes = tuple(word.strip() for word in args.grid.split(",") if word.strip())
    if len(set(axes)) < len(axes) or not set(axes) <= set(AXES):
        raise InputError("--grid", args.grid, "some of " + ", ".join(AXES) + ", each once")
    base = parse(args.prompt).scenario if args.prompt.strip() else Scenario()
    scenarios = grid_scenarios(axes, base, free=not args.prompt.strip(), count=args.count, seed=args.seed)
    if not scenarios:
        raise InputError("--grid with this prompt", args.grid, "a combination that the prompt's events allow")
    takes = [(json.dumps(s.to_json(), sort_keys=True), args.seed + k) for k, s in enumerate(scenarios)]
    chunks = [tuple(takes[i : i + args.shard_size]) for i in range(0, len(takes), args.shard_size)]
    return [RenderJob(url, f"scenes-s{args.seed}-{k:05d}", chunk, look) for k, chunk in enumerate(chunks)]


def _many(args: argparse.Namespace, look: ClipShape) -> int:
    """A data set: shards, index and summary."""
    import json
    import time

    from worldgen.cli.progress import progress
    from worldgen.data.dataset.index import build_index

    start_s = time.monotonic()
    url = args.out or f"outputs/scenes-s{args.seed}"
    jobs = _jobs(args, look, url)
    records = list(progress(_outcomes(jobs, args.workers), total=len(jobs), desc="shards"))
    summary = build_index(url)
    skipped = [reason for record in records for reason in record["skipped"]]
    seconds = time.monotonic() - start_s
    rendered = sum(record["rendered"] for record in records)
    if args.json:
        print(
            json.dumps(
                {
                    "url": url,
                    "rendered": rendered,
                    "kept": sum(r["kept"] for r in records),
                    "skipped": skipped,
                    "shards": len(jobs),
                    "samples": summary["num_samples"],
                    "seconds": round(seconds, 2),
                }
            )
        )
        return 0
    print(
        f"{url}: {rendered} clips rendered in {seconds:.0f} s, {sum(r['kept'] for r in records)} kept from before, {len(jobs)} shards"
    )
    for reason in skipped[:10]:
        print(f"skipped: {reason}")
    if len(skipped) > 10:
        print(f"skipped: {len(skipped) - 10} more")
    return 0


def _outcomes(jobs: list[RenderJob], workers: int):
    """Records of finished shards, from this process or from several."""
    if workers == 1 or len(jobs) == 1:
        yield from map(render_shard, jobs)
        return
    import multiprocessing
    import os
    from concurrent.futures import ProcessPoolExecutor, as_completed

    # One thread per process: several would fight over the same cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(render_shard, job) for job in jobs]):
            yield future.result()

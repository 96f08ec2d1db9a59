"""Speed of both renderers on one core by size, weather and light, in one run: frames and the build of a scene.

python benchmarks/rendering.py [--out benchmarks/results/rendering.json]

Seconds are those of the processor, which other load on the machine changes less than those of the clock; these stand
beside them. Every scene is drawn by both renderers in turns. Shapes are built and their light is baked once in a
process: cold starts include that, most builds of this run do not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2

from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.core.scene import Scene
from worldgen.rendering.drawing.frame_renderer import FrameRenderer
from worldgen.rendering.raycast.cast_labels import unoccluded
from worldgen.rendering.raycast.cast_renderer import CastRenderer
from worldgen.simulation.simulate import simulate

SIZES = ((224, 128), (448, 256), (832, 480))
KINDS = {
    "day": ("clear", "day", "urban"), "rain, day": ("heavy_rain", "day", "intersection"),
    "rain, night": ("heavy_rain", "night_lit", "urban"), "unlit night": ("clear", "night_unlit", "rural"),
    "snow": ("snow", "day", "suburban"), "fog": ("fog", "day", "highway"),
}  # fmt: skip
AGENTS = (AgentRequest("car", 3), AgentRequest("pedestrian", 2), AgentRequest("truck", 1))
RENDERERS = {"raycast": CastRenderer, "sketch": FrameRenderer}
COLD = """
import time
start = time.process_time()
from worldgen.core.scenario import Scenario
from worldgen.simulation.simulate import simulate
from worldgen.rendering.drawn_clips import draw_scene
imported = time.process_time()
scene = simulate(Scenario("clear", "day", "urban"), 3, num_frames=4)
simulated = time.process_time()
draw_scene(scene, frames=[0], size=(224, 128), renderer={renderer!r})
print(imported - start, time.process_time() - simulated)
"""


def timed(function, *arguments) -> tuple[Any, tuple[float, float]]:
    """What the function returns, and seconds of processor and clock."""
    wall, own = time.perf_counter(), time.process_time()
    result = function(*arguments)
    return result, (time.process_time() - own, time.perf_counter() - wall)


def drawn(scenes: list[Scene], size: tuple[int, int], frames: list[int]) -> dict:
    """Medians over the frames of all scenes."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in (*RENDERERS, "labels")}
    builds: dict[str, list[float]] = {name: [] for name in RENDERERS}
    for scene in scenes:
        camera, made = scene.camera.resized(*size), {}
        for name, renderer in RENDERERS.items():
            made[name], (build, _) = timed(renderer, scene, camera)
            builds[name].append(build)
            made[name].render(frames[0])  # tables that are made once
        for frame in frames[1:]:
            for name, renderer in made.items():
                seconds[name].append(timed(renderer.render, frame)[1])
            seconds["labels"].append(timed(unoccluded, made["raycast"].grid, frame)[1])
    out: dict = {}
    for name, pairs in seconds.items():
        own, wall = (statistics.median(values) for values in zip(*pairs, strict=True))
        out[name] = {"cpu_s_per_frame": round(own, 4), "wall_s_per_frame": round(wall, 4)}
        if name in builds:
            out[name] |= {
                "frames_per_cpu_s": round(1 / own, 2),
                "build_cpu_s": round(statistics.median(builds[name]), 3),
            }
    out["times_the_sketch"] = round(out["raycast"]["cpu_s_per_frame"] / out["sketch"]["cpu_s_per_frame"], 2)
    return out


def cold_start(renderer: str, repeats: int = 3) -> dict:
    """Least processor seconds of a new process: the imports, and the first frame with its build."""
    runs = []
    for _ in range(repeats):
        command = [sys.executable, "-c", COLD.format(renderer=renderer)]
        runs.append([float(v) for v in subprocess.run(command, check=True, capture_output=True).stdout.split()])
    imports, first = (min(values) for values in zip(*runs, strict=True))
    return {"imports_cpu_s": round(imports, 2), "first_frame_cpu_s": round(first, 2)}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="benchmarks/results/rendering.json")
    parser.add_argument("--scenes", type=int, default=3, help="scenes of each kind")
    parser.add_argument("--frames", type=int, default=4, help="frames of each scene")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    result = {
        "what": "speed of the renderers on one core",
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load_1_minute": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("numpy", "opencv-python-headless", "embreex")},
        "scenes_of_each_kind": args.scenes,
        "frames_of_each_scene": args.frames,
        "cold": {name: cold_start(name) for name in RENDERERS},
    }
    frames = list(range(2, 2 + args.frames + 1))
    scenes = {
        kind: [
            simulate(Scenario(*words, agents=AGENTS), seed, num_frames=frames[-1] + 1) for seed in range(args.scenes)
        ]
        for kind, words in KINDS.items()
    }
    for size in SIZES:
        result["x".join(map(str, size))] = {kind: drawn(some, size, frames) for kind, some in scenes.items()}
    Path(args.out).write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
